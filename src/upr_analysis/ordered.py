"""Ordered answers: medians, association and trend.

Tables hold counts (groups, options), options in their order. A p is over random tables with the
same margins, both tails of a signed statistic together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from upr_analysis.inference import CONSTANT, Association, Distance, permuted_p, without_empty
from upr_analysis.intervals import TAIL


@dataclass(frozen=True)
class Median:
    """A median and its interval, whose least `coverage` is 0-1; `reason` says what there is not."""

    method: str
    reason: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    coverage: float | None = None


def median_of(counts: np.ndarray, values: Sequence[float] | None = None) -> list[Median]:
    """Return the median of each group of counts (groups, k) of ascending values (k,).

    Without values it is the option's place, from 0 on. Half-way where it falls between two. The
    interval is of two order statistics, equally far from either end, and holds at least 95 %
    whatever the distribution (David and Nagaraja 2003, Order statistics, section 7.1).
    """
    scores = np.arange(counts.shape[1]) if values is None else np.asarray(values)
    return [_median(np.repeat(scores, row)) for row in counts]


def _median(ascending: np.ndarray) -> Median:
    size = len(ascending)
    if not size:
        return Median("none", "nobody answered")
    value = float((ascending[(size - 1) // 2] + ascending[size // 2]) / 2)
    rank = int(stats.binom.ppf(TAIL, size, 0.5))
    if not rank:
        return Median("none", "too few answered for an interval", value)
    coverage = float(1 - 2 * stats.binom.cdf(rank - 1, size, 0.5))
    low, high = float(ascending[rank - 1]), float(ascending[-rank])
    return Median(f"order statistics {rank} and {size + 1 - rank}", "", value, low, high, coverage)


def ordinal_association(
    counts: np.ndarray,
    seed: int,
    resamples: int = 9_999,
    statistic: Literal["gamma", "tau-b", "Somers' D"] = "gamma",
) -> Association:
    """Return how far two ordered answers go together, -1 to 1, in a table (r, c) of both.

    Gamma leaves ties out, tau-b takes them in, Somers' D is of the column given the row. Sources:
    Goodman and Kruskal (1954); Kendall (1945); Somers (1962).
    """
    rows, columns = ((counts.sum() ** 2 - (counts.sum(axis=of) ** 2).sum()) / 2 for of in (1, 0))

    def measure(tables: np.ndarray) -> np.ndarray:
        alike, unlike = _concordant(tables), _concordant(tables[:, :, ::-1])
        pairs = {"tau-b": np.sqrt(rows * columns), "Somers' D": rows, "gamma": alike + unlike}
        return np.asarray((alike - unlike) / pairs[statistic])

    test = _tested(statistic, counts, lambda tables: abs(measure(tables)), 0, seed, resamples)
    return test if test.reason else replace(test, statistic=float(measure(counts[None])[0]))


def _concordant(tables: np.ndarray) -> np.ndarray:
    """Return the pairs of people (m,) of whom one is further in both row and column."""
    further = tables[:, ::-1, ::-1].cumsum(axis=1).cumsum(axis=2)[:, ::-1, ::-1]
    return np.asarray((tables[:, :-1, :-1] * further[:, 1:, 1:]).sum(axis=(1, 2)))


def trend(
    counts: np.ndarray,
    seed: int,
    resamples: int = 9_999,
    row_scores: Sequence[float] | None = None,
    column_scores: Sequence[float] | None = None,
) -> Association:
    """Test a table (r, c) for a linear trend: n - 1 times the squared correlation of scores.

    Scores are places unless given. Of two groups it is Cochran-Armitage but for n / (n - 1).
    Without resamples p is of chi-square. Source: Mantel (1963), Journal of the American Statistical
    Association 58, 690-700.
    """
    x, size = _standard(row_scores, counts.sum(axis=1)), counts.sum()
    y = _standard(column_scores, counts.sum(axis=0))

    def distance(tables: np.ndarray) -> np.ndarray:
        return np.asarray((size - 1) * (x @ tables @ y / size) ** 2)

    return _tested("linear-by-linear", counts, distance, 1, seed, resamples)


def rank_differences(counts: np.ndarray, seed: int, resamples: int = 9_999) -> Association:
    """Test whether groups (r, c) that have no order differ in ordered answers: Kruskal-Wallis H.

    Without resamples p is of chi-square. Source: Kruskal and Wallis (1952), corrected for ties.
    """
    groups, answers = counts.sum(axis=1), counts.sum(axis=0)
    ranks = _standard(answers.cumsum() - answers / 2, answers)

    def distance(tables: np.ndarray) -> np.ndarray:
        return np.asarray((tables @ ranks) ** 2 @ (1 / groups.clip(1)) * (1 - 1 / groups.sum()))

    return _tested("Kruskal-Wallis", counts, distance, (groups > 0).sum() - 1, seed, resamples)


def _standard(scores: Sequence[float] | np.ndarray | None, people: np.ndarray) -> np.ndarray:
    """Return scores with mean 0 and variance 1 among people; zeros where they do not vary."""
    given = np.arange(len(people)) if scores is None else np.asarray(scores)
    centred = given - given @ people / people.sum().clip(1)
    deviation = np.sqrt(centred**2 @ people / people.sum().clip(1))
    return np.asarray(centred / (deviation or 1))


def _tested(
    name: str, counts: np.ndarray, distance: Distance, degrees: int, seed: int, resamples: int
) -> Association:
    if min(without_empty(counts).shape) < 2:
        return Association("none", CONSTANT)
    found, df = float(distance(counts[None])[0]), int(degrees) or None
    if df and not resamples:
        return Association(f"{name}, chi-square", "", found, df, float(stats.chi2.sf(found, df)))
    drawn = permuted_p(counts, distance, seed, resamples)
    return Association(f"{name} over {resamples} permutations", "", found, df, *drawn)
