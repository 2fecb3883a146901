"""Intervals, tests of independence and effect sizes for tables of people."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.stats.contingency import expected_freq


def wilson_interval(count: int, base: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share, in percent, within 0-100.

    Source: Wilson (1927), as scipy's binomtest gives it. Raises ValueError where base is 0.
    """
    interval = stats.binomtest(int(count), int(base)).proportion_ci(confidence, method="wilson")
    return max(0.0, 100 * interval.low), min(100.0, 100 * interval.high)


@dataclass(frozen=True)
class Association:
    """A test of independence and its effect size; `reason` says why there is none.

    `statistic` is Pearson's, `p` of the method named, `v` the bias-corrected Cramér's V.
    """

    method: str
    reason: str = ""
    statistic: float | None = None
    degrees: int | None = None
    p: float | None = None
    v: float | None = None


def association(counts: np.ndarray, seed: int, resamples: int = 9_999) -> Association:
    """Test a table of people (r, c) for independence of rows and columns.

    Rows and columns of zeros are dropped and the degrees of freedom follow. Pearson's chi-square
    without Yates' correction where no expected count is under 1 and at most a fifth are under 5
    (Cochran 1954); else the same statistic over `resamples` random tables with the same margins,
    p with the +1 of Phipson and Smyth (2010). Fewer than two rows or columns left: undefined.
    """
    table = np.asarray(counts)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape, default=0) < 2:
        return Association("none", reason="fewer than two groups or two answers were given")
    expected = expected_freq(table)
    sparse = expected.min() < 1 or (expected < 5).mean() > 0.2
    plain = stats.chi2_contingency(table, correction=False)
    p, method = float(plain.pvalue), "chi-square"
    if sparse:
        p = _permuted_p(table, expected, float(plain.statistic), seed, resamples)
        method = f"chi-square over {resamples} permutations"
    v = bias_corrected_v(float(plain.statistic), int(table.sum()), *table.shape)
    return Association(method, "", float(plain.statistic), int(plain.dof), p, v)


def _permuted_p(
    table: np.ndarray, expected: np.ndarray, statistic: float, seed: int, resamples: int
) -> float:
    """Return the p of a statistic among random tables with the same margins (Patefield 1981).

    They are what re-labelling the same people at random gives, drawn a table at a time.
    """
    margins = table.sum(axis=1), table.sum(axis=0)
    drawn = stats.random_table(*margins, seed=np.random.default_rng(seed)).rvs(
        resamples, method="patefield"
    )
    found = ((drawn - expected) ** 2 / expected).sum(axis=(1, 2))
    # equal statistics of different tables may differ in their last bits
    return float(1 + (found >= statistic * (1 - 1e-12)).sum()) / (1 + resamples)


def bias_corrected_v(statistic: float, total: int, rows: int, columns: int) -> float | None:
    """Return Cramér's V corrected for bias (Bergsma 2013, equations 5-7), 0-1.

    None where the correction leaves no dimension (a total as small as the table).
    """
    phi2 = max(0.0, statistic / total - (rows - 1) * (columns - 1) / (total - 1))
    corrected_rows = rows - (rows - 1) ** 2 / (total - 1)
    corrected_columns = columns - (columns - 1) ** 2 / (total - 1)
    smaller = min(corrected_rows, corrected_columns) - 1
    return float(np.sqrt(phi2 / smaller)) if smaller > 0 else None


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Return adjusted p-values (Benjamini and Hochberg 1995), missing ones left missing."""
    adjusted = np.full(p_values.shape, np.nan)
    given = ~np.isnan(p_values)
    if given.any():
        adjusted[given] = stats.false_discovery_control(p_values[given], method="bh")
    return adjusted
