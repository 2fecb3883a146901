"""Tests of independence, effect sizes and residuals of tables of people, and p over many tests.

Tables hold counts (r, c), each person in one cell. Where a p is not read from a distribution it is
a statement about re-labelling the same people at random: the share of tables with the same margins
that are as far from independence as the one observed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import special, stats
from scipy.stats.contingency import expected_freq

CONSTANT: Final = "fewer than two groups or two answers were given"
MOST_TABLES: Final = 200_000  # that are gone through for an exact p
AT_ONCE: Final = 10_000  # random tables held in memory together

Statistic = Literal["pearson", "g", "fisher"]
# of tables (m, r, c): how far each is from independence (m,), more being further
Distance = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Association:
    """A test of independence and its effect size; `reason` says why there is none.

    `p` is of the method named, `p_error` its Monte Carlo standard error where tables were drawn;
    Fisher's test has no `statistic`. Where answers have no order, `v` is the bias-corrected
    Cramér's V, and of the expected counts in `cells` cells the smallest is `smallest`, and
    `below_5` are under 5.
    """

    method: str
    reason: str = ""
    statistic: float | None = None
    degrees: int | None = None
    p: float | None = None
    p_error: float | None = None
    v: float | None = None
    smallest: float | None = None
    below_5: int | None = None
    cells: int | None = None


def association(
    counts: np.ndarray,
    seed: int,
    resamples: int = 9_999,
    *,
    statistic: Statistic = "pearson",
    yates: bool = False,
    permute: bool = False,
) -> Association:
    """Test a table of people (r, c) for independence of rows and columns.

    Rows and columns of zeros are dropped and the degrees of freedom follow. Pearson's or the
    likelihood ratio statistic G is referred to chi-square where the table is not sparse, Pearson's
    there with Yates' correction if asked and of 2 x 2; else, and always with `permute`, to
    `resamples` random tables. Fisher's test goes through all tables with the same margins where
    they are few, else draws them. Fewer than two rows or columns left: undefined.
    """
    table = without_empty(counts)
    if min(table.shape) < 2:
        return Association("none", reason=CONSTANT)
    expected = expected_freq(table)
    degrees = (table.shape[0] - 1) * (table.shape[1] - 1)
    corrected = bool(yates and statistic == "pearson" and degrees == 1)
    distance = _distances(expected)[statistic]
    found = float(distance(table[None])[0])
    name = {"pearson": "chi-square", "g": "G", "fisher": "Fisher"}[statistic]
    p, error = None, None
    if statistic == "fisher":
        p = _exact_p(table)
        name += " exact" if p is not None else ""
    elif not permute and not is_sparse(expected):
        if corrected:
            name += " with Yates' correction"
            found = float(stats.chi2_contingency(table, correction=True).statistic)
        p = float(stats.chi2.sf(found, degrees))
    if p is None:
        p, error = permuted_p(table, distance, seed, resamples)
        name += f" over {resamples} permutations"
    pearson = float(_distances(expected)["pearson"](table[None])[0])
    v = bias_corrected_v(pearson, int(table.sum()), *table.shape)
    sizes = float(expected.min()), int((expected < 5).sum()), expected.size
    shown = None if statistic == "fisher" else found
    return Association(name, "", shown, degrees, p, error, v, *sizes)


def without_empty(counts: np.ndarray) -> np.ndarray:
    """Return a table without its rows and columns of zeros."""
    table = np.asarray(counts)
    return np.asarray(table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0])


def is_sparse(expected: np.ndarray) -> bool:
    """Return whether chi-square is no guide: a count under 1, or over a fifth under 5.

    Source: Cochran (1954), Biometrics 10, 420.
    """
    return bool(expected.min() < 1 or (expected < 5).mean() > 0.2)


def _distances(expected: np.ndarray) -> dict[str, Distance]:
    """Return the statistics by name; Fisher's is, but for a constant, minus log probability."""
    return {
        "pearson": lambda tables: ((tables - expected) ** 2 / expected).sum(axis=(1, 2)),
        "g": lambda tables: 2 * special.xlogy(tables, tables / expected).sum(axis=(1, 2)),
        "fisher": lambda tables: special.gammaln(tables + 1.0).sum(axis=(1, 2)),
    }


def permuted_p(
    table: np.ndarray, distance: Distance, seed: int, resamples: int
) -> tuple[float, float]:
    """Return the p of a table among random ones with its margins, and the p's standard error.

    They are what re-labelling the same people at random gives (Patefield 1981); p has the +1 of
    Phipson and Smyth (2010).
    """
    found = _reach(distance(table[None])[0])
    further = sum(int((distance(some) >= found).sum()) for some in _drawn(table, seed, resamples))
    p = (1 + further) / (1 + resamples)
    return p, float(np.sqrt(p * (1 - p) / resamples))


def _reach(value: float) -> float:
    """Return a little less: equal values of different tables may differ in their last bits."""
    return float(value - 1e-9 * max(1.0, abs(value)))


def _drawn(table: np.ndarray, seed: int, resamples: int) -> Iterator[np.ndarray]:
    margins = table.sum(axis=1), table.sum(axis=0)
    tables = stats.random_table(*margins, seed=np.random.default_rng(seed))
    for done in range(0, resamples, AT_ONCE):
        yield tables.rvs(min(AT_ONCE, resamples - done), method="patefield")


def _exact_p(table: np.ndarray) -> float | None:
    """Return the share of probability of tables no likelier than this one (Fisher 1935).

    Tables with its margins are built up cell by cell, all at once; None where they are too many.
    """
    left = table.sum(axis=1)[None]  # of each row's total, (tables, r)
    distance = np.zeros(1)
    for total in table.sum(axis=0):
        need = np.full(len(left), total)
        for row in range(len(table)):
            least = np.maximum(need - left[:, row + 1 :].sum(axis=1), 0)
            ways = np.minimum(left[:, row], need) - least + 1
            if ways.sum() > MOST_TABLES:
                return None
            of = np.repeat(np.arange(len(ways)), ways)
            cell = least[of] + np.arange(len(of)) - np.repeat(np.cumsum(ways) - ways, ways)
            left, need = left[of], need[of] - cell
            left[:, row] -= cell
            distance = distance[of] + special.gammaln(cell + 1.0)
    found = special.gammaln(table + 1.0).sum()
    likelihood = np.exp(distance.min() - distance)
    return float(likelihood[distance >= _reach(found)].sum() / likelihood.sum())


def bias_corrected_v(statistic: float, total: int, rows: int, columns: int) -> float | None:
    """Return Cramér's V corrected for bias (Bergsma 2013, equations 5-7), 0-1.

    None where the correction leaves no dimension (a total as small as the table).
    """
    phi2 = max(0.0, statistic / total - (rows - 1) * (columns - 1) / (total - 1))
    corrected_rows = rows - (rows - 1) ** 2 / (total - 1)
    corrected_columns = columns - (columns - 1) ** 2 / (total - 1)
    smaller = min(corrected_rows, corrected_columns) - 1
    return float(np.sqrt(phi2 / smaller)) if smaller > 0 else None


def adjusted_residuals(counts: np.ndarray) -> np.ndarray:
    """Return how far each cell (r, c) is from independence, in standard errors.

    NaN where the expected count is under 1 or a row or column holds all. Source: Haberman (1973),
    Biometrics 29, 205-220.
    """
    table = np.asarray(counts, dtype=float)
    rows, columns = table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = table.sum()
        expected = rows * columns / total
        variance = expected * (1 - rows / total) * (1 - columns / total)
        defined = (expected >= 1) & (variance > 0)
        return np.where(defined, (table - expected) / np.sqrt(variance), np.nan)


def adjust(
    p_values: np.ndarray, method: Literal["holm", "benjamini_hochberg"], size: int
) -> np.ndarray:
    """Return p-values adjusted in a family of `size` tests, missing ones left missing.

    Tests that were declared and are missing count as p = 1. ValueError where more are given than
    were declared. Sources: Holm (1979); Benjamini and Hochberg (1995).
    """
    given = ~np.isnan(p_values)
    if given.sum() > size:
        raise ValueError(f"a family of {size} tests has {given.sum()} p-values")
    adjusted = np.full(p_values.shape, np.nan)
    family = np.append(p_values[given], np.ones(size - given.sum()))
    if method == "benjamini_hochberg":
        family = stats.false_discovery_control(family, method="bh") if size else family
    else:
        order = np.argsort(family)
        family[order] = np.maximum.accumulate(family[order] * np.arange(size, 0, -1)).clip(max=1)
    adjusted[given] = family[: given.sum()]
    return adjusted
