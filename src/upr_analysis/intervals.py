"""95 % intervals: of shares, of the difference of two shares, and of Cramér's V.

Shares and differences are in percent; every interval holds what it is an interval of. How often
they hold the true value at small numbers is measured by `benchmarks/interval_coverage.py`.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import optimize, special
from scipy.stats.contingency import expected_freq

from upr_analysis.inference import CONSTANT, is_sparse, without_empty

CONFIDENCE: Final = 0.95
TAIL: Final = (1 - CONFIDENCE) / 2
Z: Final = float(special.ndtri(1 - TAIL))


@dataclass(frozen=True)
class Interval:
    """The ends of an interval; `reason` says why there is none."""

    method: str
    reason: str = ""
    low: float | None = None
    high: float | None = None


def share_intervals(
    counts: np.ndarray,
    bases: np.ndarray,
    method: Literal["wilson", "clopper_pearson"] = "wilson",
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper ends of intervals of shares, in percent; NaN where a base is 0.

    `counts` and `bases` are of any one shape. Sources: Wilson (1927), score interval; Clopper and
    Pearson (1934), whose coverage is at least nominal.
    """
    counts, bases = np.asarray(counts, dtype=float), np.asarray(bases, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = counts / bases
        if method == "wilson":
            centre = (share + Z**2 / (2 * bases)) / (1 + Z**2 / bases)
            spread = share * (1 - share) / bases + Z**2 / (4 * bases**2)
            half = Z * np.sqrt(spread) / (1 + Z**2 / bases)
            low, high = centre - half, centre + half
        else:
            low = special.betaincinv(counts, bases - counts + 1, TAIL)
            high = special.betaincinv(counts + 1, bases - counts, 1 - TAIL)
    low = np.where(counts == 0, 0 * share, low)
    high = np.where(counts == bases, 0 * share + 1, high)
    return 100 * low, 100 * high


def wilson_interval(count: int, base: int) -> tuple[float, float]:
    """Return the Wilson interval of one share, in percent; NaN where the base is 0."""
    low, high = share_intervals(np.array(count), np.array(base))
    return float(low), float(high)


def difference_interval(
    counts: np.ndarray, bases: np.ndarray, other_counts: np.ndarray, other_bases: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of intervals of share minus other share, in percentage points.

    The two are of different people; all arguments are of one shape. NaN where a base is 0. Source:
    Newcombe (1998), Statistics in Medicine 17, 873-890, method 10 (of two Wilson intervals).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        one = 100 * np.asarray(counts) / np.asarray(bases)
        other = 100 * np.asarray(other_counts) / np.asarray(other_bases)
    low, high = share_intervals(counts, bases)
    other_low, other_high = share_intervals(other_counts, other_bases)
    return (
        one - other - np.hypot(one - low, other_high - other),
        one - other + np.hypot(high - one, other - other_low),
    )


def v_interval(counts: np.ndarray) -> Interval:
    """Return an interval of Cramér's V (0-1) of a table of people (r, c) that is not sparse.

    Pearson's statistic is noncentral chi-square whose noncentrality, inverted, gives V (Smithson
    2003, Confidence intervals, chapter 4). That understates the spread where margins are uneven:
    there the statistic is scaled by the ratio of phi-square's variance by the delta method (Bishop,
    Fienberg and Holland 1975, section 11.3) to that of the noncentral chi-square.
    """
    method = "noncentral chi-square, scaled by the delta method"
    table = without_empty(counts)
    if min(table.shape) < 2:
        return Interval(method, CONSTANT)
    if is_sparse(expected_freq(table)):
        return Interval(method, "expected counts are too small")
    total, degrees = table.sum(), (table.shape[0] - 1) * (table.shape[1] - 1)
    phi2, spread = _phi_square(table / total)
    scale = max(1.0, spread / (4 * phi2)) if phi2 > 1e-12 else 1.0
    low, high = (
        np.sqrt(scale * _noncentrality(total * phi2 / scale, degrees, p) / total)
        / np.sqrt(min(table.shape) - 1)
        for p in (1 - TAIL, TAIL)
    )
    if high == 0:
        return Interval(method, "groups differ less than chance alone would make them")
    return Interval(method, "", float(low), min(1.0, float(high)))


def _phi_square(shares: np.ndarray) -> tuple[float, float]:
    """Return phi-square of a table of shares, and the variance of its estimate times n."""
    rows, columns = shares.sum(axis=1, keepdims=True), shares.sum(axis=0, keepdims=True)
    ratio = shares / (rows * columns)
    each = shares * ratio
    slope = 2 * ratio - each.sum(axis=1, keepdims=True) / rows
    slope = slope - each.sum(axis=0, keepdims=True) / columns
    return max(0.0, float(each.sum() - 1)), float((shares * slope**2).sum())


def _noncentrality(statistic: float, degrees: int, p: float) -> float:
    """Return the noncentrality at which a statistic is at its quantile p; 0 where none is."""

    def beyond(noncentrality: float) -> float:
        return float(special.chndtr(statistic, degrees, noncentrality)) - p

    if beyond(0) <= 0:
        return 0.0
    return float(optimize.brentq(beyond, 0, 4 * statistic + 50))
