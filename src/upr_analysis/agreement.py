"""How far coders agree, on each code and on whole sets of codes, with intervals by the bootstrap.

Judgements are an array (coders, units): 1 where a coder gave a code to a unit, 0 where not, NaN
where that coder did not judge it. Each statistic is a function of sums over units, so that drawing
respondents again, with all their units, is one product of matrices, and expected agreement is
computed anew in every draw.

What is not defined, as kappa where nobody ever gave the code, is NaN and neither 1 nor 0. Sources:
Cohen (1960), Educational and Psychological Measurement 20, 37-46; Fleiss (1971), Psychological
Bulletin 76, 378-382; Cicchetti and Feinstein (1990), Journal of Clinical Epidemiology 43, 551-558;
Krippendorff (2011), Computing Krippendorff's alpha-reliability; Gwet (2008), British Journal of
Mathematical and Statistical Psychology 61, 29-48; Passonneau (2006), LREC (MASI).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Any, Final

import numpy as np
from scipy import sparse

FEWEST_POSITIVES: Final = 30  # judgements that give a code, below which it is not assessable
DRAWS: Final = 2_000
CONFIDENCE: Final = 0.95

AT_ONCE: Final = 100  # draws held in memory together

Labels = Set[str]
# of pairs of sets: how many codes both have, the one, the other -> 0 to 1
Distance = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Estimate:
    """A statistic and its percentile interval; NaN where there is none."""

    value: float
    low: float = np.nan
    high: float = np.nan


def agreement(
    judgements: np.ndarray, respondents: Sequence[str], seed: int, draws: int = DRAWS
) -> dict[str, Estimate]:
    """Return the statistics of one code, by name; `respondents` (units,) say whose each unit is.

    Prevalence is that among all judgements; percent agreement and AC1 are of units judged twice or
    more; Cohen's kappa is of two coders, Fleiss's of units that all have judged. Without any
    disagreement there is no interval, since each draw would say the same.
    """
    units = _addends(judgements)
    names, two = list(units), len(judgements) == 2

    def statistics(sums: np.ndarray) -> dict[str, np.ndarray]:
        return _statistics(dict(zip(names, sums.T, strict=True)), two)

    columns = np.column_stack(list(units.values()))
    point = statistics(columns.sum(axis=0, keepdims=True))
    if not units["unlike"].any() or not draws:
        return {name: Estimate(float(values[0])) for name, values in point.items()}
    rows = sparse.csr_array(columns)
    drawn = statistics(np.vstack(list(_drawn(rows, respondents, seed, draws))))
    return {name: _estimate(values[0], drawn[name]) for name, values in point.items()}


def _addends(judgements: np.ndarray) -> dict[str, np.ndarray]:
    """Return what each unit (units,) adds to the sums of which statistics are made."""
    given = np.nansum(judgements, axis=0)
    judged = (~np.isnan(judgements)).sum(axis=0).astype(float)
    paired = (judged > 1).astype(float)
    every = (judged == len(judgements)) * paired
    pairs = judged * (judged - 1)  # of coders, in order
    unlike = 2 * given * (judged - given)
    alike = paired * (1 - unlike / pairs.clip(1))
    one, two = np.nan_to_num(judgements) if len(judgements) == 2 else (0 * given,) * 2
    return {
        "judged": judged,
        "given": given,
        "units": paired,
        "alike": alike,
        "share": paired * given / judged.clip(1),
        "both": given * (given - 1),
        "neither": (judged - given) * (judged - given - 1),
        "unlike": unlike,
        # Krippendorff's coincidences: values, ones, and pairs that differ
        "values": paired * judged,
        "ones": paired * given,
        "coincidences": paired * unlike / (judged - 1).clip(1),
        "every": every,
        "every_alike": every * alike,
        "every_share": every * given / len(judgements),
        "first": every * one,
        "second": every * two,
    }


def _statistics(sums: Mapping[str, np.ndarray], two: bool) -> dict[str, np.ndarray]:
    """Return each statistic (draws,) of the sums (draws,); Cohen's of `two` coders only."""
    values, ones = sums["values"], sums["ones"]
    with np.errstate(divide="ignore", invalid="ignore"):
        share, alike = sums["share"] / sums["units"], sums["alike"] / sums["units"]
        every = sums["every_share"] / sums["every"]
        every_alike = sums["every_alike"] / sums["every"]
        first, second = sums["first"] / sums["every"], sums["second"] / sums["every"]
        found = {
            "prevalence": sums["given"] / sums["judged"],
            "percent_agreement": alike,
            "positive_agreement": sums["both"] / (sums["both"] + sums["unlike"] / 2),
            "negative_agreement": sums["neither"] / (sums["neither"] + sums["unlike"] / 2),
            "cohen_kappa": _beyond(every_alike, first * second + (1 - first) * (1 - second))
            if two
            else np.nan * every,
            "fleiss_kappa": _beyond(every_alike, every**2 + (1 - every) ** 2),
            "krippendorff_alpha": 1
            - sums["coincidences"] * (values - 1) / (2 * ones * (values - ones)),
            "gwet_ac1": _beyond(alike, 2 * share * (1 - share)),
        }
    return {name: np.where(np.isfinite(those), those, np.nan) for name, those in found.items()}


def _beyond(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return np.asarray((observed - expected) / (1 - expected))


def set_alpha(
    labels: Sequence[Sequence[Labels | None]],
    distance: Distance,
    respondents: Sequence[str],
    seed: int,
    draws: int = DRAWS,
) -> Estimate:
    """Return Krippendorff's alpha of whole sets of codes, by a distance between sets.

    `labels` (coders, units) are the codes that each coder gave a unit, None where not judged.
    """
    given = [[one if one is None else frozenset(one) for one in coder] for coder in labels]
    kinds = sorted({one for coder in given for one in coder if one is not None}, key=sorted)
    number = {kind: place for place, kind in enumerate(kinds)}
    apart = _distances(kinds, distance)
    judged = np.array([[one is not None for one in coder] for coder in given])
    twice = judged & (judged.sum(axis=0) > 1)
    which = np.array([[0 if one is None else number[one] for one in coder] for coder in given])
    counts: Any = sum(_indicator(which[row], twice[row], len(kinds)) for row in range(len(given)))
    differing = sum(
        np.where(twice[one] & twice[other], apart[which[one], which[other]], 0)
        for one, other in permutations(range(len(given)), 2)
    )
    observed = differing / (judged.sum(axis=0) - 1).clip(1)

    def alpha(sums: np.ndarray) -> np.ndarray:
        of_kind, differing = sums[:, :-1], sums[:, -1]
        expected = ((of_kind @ apart) * of_kind).sum(axis=1) / (of_kind.sum(axis=1) - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 1 - differing / expected
        return np.where(np.isfinite(found), found, np.nan)

    rows: Any = sparse.hstack([counts, sparse.csr_array(observed[:, None])], format="csr")
    point = alpha(rows.sum(axis=0)[None])[0]
    if not observed.any() or not draws:
        return Estimate(float(point))
    return _estimate(point, np.concatenate([*map(alpha, _drawn(rows, respondents, seed, draws))]))


def _indicator(which: np.ndarray, where: np.ndarray, width: int) -> Any:
    """Return 1 (units, width) in the column of each unit's kind, `where` it has one."""
    rows = np.flatnonzero(where)
    return sparse.csr_array((np.ones(len(rows)), (rows, which[rows])), (len(which), width))


def _distances(kinds: Sequence[Labels], distance: Distance) -> np.ndarray:
    """Return how far each set of codes is from each other (kinds, kinds)."""
    codes = {code: place for place, code in enumerate(sorted(set().union(*kinds)))}
    holds = np.zeros((len(kinds), len(codes)))
    for row, kind in enumerate(kinds):
        holds[row, [codes[code] for code in kind]] = 1
    sizes = holds.sum(axis=1)
    return distance(holds @ holds.T, sizes[:, None], sizes[None])


def jaccard(shared: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the Jaccard distance of two sets, 0 to 1; two empty ones are alike."""
    union = one + other - shared
    return np.where(union > 0, 1 - shared / np.maximum(union, 1), 0.0)


def masi(shared: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the MASI distance of two sets: Jaccard's likeness times 1, 2/3, 1/3 or 0.

    1 where they are equal, 2/3 where one is in the other, 1/3 where they share something.
    """
    smaller, larger = np.minimum(one, other), np.maximum(one, other)
    factor = np.select([shared == larger, shared == smaller], [1, 2 / 3], 1 / 3)
    return np.asarray(1 - (1 - jaccard(shared, one, other)) * factor)


def _drawn(rows: Any, respondents: Sequence[str], seed: int, draws: int) -> Iterator[np.ndarray]:
    """Yield sums of the rows (units, columns) of respondents drawn again: (at once, columns).

    Respondents with equal sums are told apart by nothing, so that kinds of them are drawn, each as
    often as there are respondents of it: the same distribution.
    """
    names, of = np.unique(np.asarray(respondents, dtype=str), return_inverse=True)
    ones = np.ones(len(of))
    by_respondent: Any = sparse.csr_array((ones, (of, np.arange(len(of))))) @ rows
    by_respondent.sort_indices()
    starts = by_respondent.indptr
    kinds = dict[bytes, list[int]]()
    for place, (start, end) in enumerate(pairwise(starts)):
        own = by_respondent.indices[start:end].tobytes() + by_respondent.data[start:end].tobytes()
        kinds.setdefault(own, []).append(place)
    sums = by_respondent[[places[0] for places in kinds.values()]]
    sizes = np.array([len(places) for places in kinds.values()])
    generator = np.random.default_rng(seed)
    for done in range(0, draws, AT_ONCE):
        number = min(AT_ONCE, draws - done)
        times = generator.multinomial(len(names), sizes / len(names), number)
        yield np.asarray(times @ sums)


def _estimate(point: float, drawn: np.ndarray) -> Estimate:
    """Return a statistic with the middle 95 percent of its draws, those undefined left out."""
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(point) or not len(defined):
        return Estimate(float(point))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(float(point), float(low), float(high))
