"""How often tests of select-all questions reject at 5 % where there is nothing to find.

123 respondents tick eight items that 10 to 70 percent tick, whatever their group: one of seven, or
of three, or any of five overlapping regions. Ticks are independent of each other, or lean on one
strong common factor, or exclude each other within blocks. The goal is 3.5 to 6.5 percent for the
permutation of whole respondents; `any item` is max-T over the same.
"""

import os
from itertools import pairwise

import numpy as np
from scipy.stats import norm

from upr_analysis.marginal_independence import (
    Independence,
    independence_of_pairs,
    independence_of_ticks,
)

RUNS = int(os.environ.get("RUNS", "10000"))
RESAMPLES, LEVEL, SEED = 499, 0.05, 1
SEVEN, THREE = (40, 25, 20, 15, 10, 8, 5), (60, 40, 23)
BLOCKS = ((0.1, 0.2, 0.7), (0.15, 0.3, 0.5), (0.3, 0.6))
PREVALENCES = np.array([share for block in BLOCKS for share in block])
REGIONS, JOINED = (0.35, 0.25, 0.2, 0.12, 0.08), 0.15  # where one works mostly, and elsewhere too
TESTS = ("permutation", "any item", "first order", "second order", "Bonferroni")


def independent(draw: np.random.Generator, number: int) -> np.ndarray:
    """Return ticks (number, items) of items that know nothing of each other."""
    return draw.random((number, len(PREVALENCES))) < PREVALENCES


def common_factor(draw: np.random.Generator, number: int) -> np.ndarray:
    """Return ticks that lean on one factor: tetrachoric correlations of .7."""
    leaning = 0.7**0.5 * draw.normal(size=(number, 1))
    own = 0.3**0.5 * draw.normal(size=(number, len(PREVALENCES)))
    return leaning + own < norm.ppf(PREVALENCES)


def exclusive_blocks(draw: np.random.Generator, number: int) -> np.ndarray:
    """Return ticks of at most one item of each block."""
    columns = []
    for block in BLOCKS:
        at, edges = draw.random(number), np.cumsum([0, *block])
        columns += [(at >= low) & (at < high) for low, high in pairwise(edges)]
    return np.column_stack(columns)


def regions(draw: np.random.Generator, number: int) -> np.ndarray:
    """Return in which regions (number, regions) respondents work: in one, and perhaps in more."""
    mostly = draw.choice(len(REGIONS), number, p=REGIONS)
    return np.eye(len(REGIONS), dtype=bool)[mostly] | (draw.random((number, len(REGIONS))) < JOINED)


def p_values(found: Independence) -> list[float]:
    """Return the p of each of TESTS."""
    first, second = found.first_order.p, found.second_order.p
    return [found.p, np.nanmin(found.adjusted), first, second, found.bonferroni]


def main() -> None:
    """Print the percent rejected of each design, dependence and test."""
    print(f"percent rejected at 5 % in {RUNS} runs of {sum(SEVEN)} respondents, ", end="")
    print(f"{RESAMPLES} resamples; Monte Carlo error {100 * (0.0475 / RUNS) ** 0.5:.2f}")
    print(f"{'design':18}{'ticks':18}" + "".join(f"{name:>14}" for name in TESTS))
    for design, sizes in (("7 groups", SEVEN), ("3 groups", THREE), ("5 regions, SPMI", ())):
        for ticks in (independent, common_factor, exclusive_blocks):
            draw, rejected = np.random.default_rng(SEED), np.zeros(len(TESTS))
            groups = np.repeat(range(len(sizes)), sizes)
            for run in range(RUNS):
                right = ticks(draw, sum(SEVEN))
                if sizes:
                    found = independence_of_ticks(groups, right, run, RESAMPLES)
                else:
                    left = regions(draw, len(right))
                    found = independence_of_pairs(left, right, run, RESAMPLES)
                rejected += np.array(p_values(found)) <= LEVEL
            shares = "".join(f"{100 * share:14.1f}" for share in rejected / RUNS)
            print(f"{design:18}{ticks.__name__.replace('_', ' '):18}{shares}", flush=True)


if __name__ == "__main__":
    main()
