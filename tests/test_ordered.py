"""Ordered answers against published values, against scipy, and by plain loops over people."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from upr_analysis.ordered import (
    median_of,
    ordinal_association,
    rank_differences,
    trend,
)

# Agresti (2002), Categorical data analysis, p. 57: income by job satisfaction
JOB = np.array([[1, 3, 10, 6], [2, 3, 10, 7], [1, 6, 14, 12], [0, 1, 9, 11]])
# the same, p. 89: malformation by drinks a day
ALCOHOL = np.array([[17066, 14464, 788, 126, 37], [48, 38, 5, 1, 1]])
DRINKS = [0, 0.5, 1.5, 4, 7]
TABLES = st.lists(
    st.lists(st.integers(0, 6), min_size=4, max_size=4), min_size=3, max_size=3
).map(np.array)  # fmt: skip


def people(table: np.ndarray) -> np.ndarray:
    """Return the row and the column (2, n) of each person."""
    return np.repeat(np.indices(table.shape).reshape(2, -1), table.ravel(), axis=1)


def test_median_and_its_interval_by_eye():
    five, ten, nobody = median_of(np.array([[2, 1, 2, 0], [1, 4, 0, 5], [0, 0, 0, 0]]))
    assert (five.value, five.low, five.high) == (1, None, None)
    assert "too few" in five.reason
    assert (ten.value, ten.low, ten.high) == (2, 1, 3)  # half-way; second and ninth of ten
    assert ten.method == "order statistics 2 and 9"
    assert nobody.value is None
    assert nobody.reason == "nobody answered"


@pytest.mark.parametrize(("size", "rank", "coverage"), [(10, 2, 0.979), (20, 6, 0.959)])
def test_ranks_of_the_interval_are_the_published_ones(size, rank, coverage):
    """Conover (1999), Practical nonparametric statistics, table A3, and section 3.2."""
    (found,) = median_of(np.ones((1, size), dtype=int), values=np.arange(1.0, size + 1))
    assert (found.low, found.high) == (rank, size + 1 - rank)
    assert round(found.coverage, 3) == coverage


@given(st.lists(st.floats(-100, 100), min_size=6, max_size=80))
def test_median_of_numbers_is_that_of_scipy(numbers):
    values, counts = np.unique(numbers, return_counts=True)
    (found,) = median_of(counts[None], values)
    assert found.value == pytest.approx(np.median(numbers))
    ends = stats.quantile_test(numbers, p=0.5).confidence_interval(0.95)
    assert (found.low, found.high) == (ends.low, ends.high)
    assert found.low <= found.value <= found.high
    assert found.coverage >= 0.95


def test_gamma_of_job_satisfaction():
    """Agresti (2002), p. 59: 1331 pairs concordant, 849 discordant, gamma .221."""
    found = ordinal_association(JOB, seed=1, resamples=999)
    assert found.statistic == pytest.approx((1331 - 849) / (1331 + 849))
    assert (found.method, found.degrees) == ("gamma over 999 permutations", None)


@settings(max_examples=40)
@given(TABLES)
def test_ordinal_association_is_that_of_scipy_and_of_all_pairs(table):
    found = {
        name: ordinal_association(table, 1, 99, name) for name in ("gamma", "tau-b", "Somers' D")
    }
    assume(not found["gamma"].reason)
    rows, columns = people(table)
    assert found["tau-b"].statistic == pytest.approx(stats.kendalltau(rows, columns).statistic)
    assert found["Somers' D"].statistic == pytest.approx(stats.somersd(rows, columns).statistic)
    signs = np.sign(np.subtract.outer(rows, rows) * np.subtract.outer(columns, columns))
    assert found["gamma"].statistic == pytest.approx(signs.sum() / abs(signs).sum())
    turned = ordinal_association(table[:, ::-1], 1, 99)
    assert turned.statistic == pytest.approx(-found["gamma"].statistic)


def test_trend_of_malformations_with_alcohol():
    """Agresti (2002), p. 89: M2 6.57, p .0104; Cochran-Armitage 6.5701, which is n / (n - 1) M2."""
    found = trend(ALCOHOL, seed=1, resamples=0, column_scores=DRINKS)
    assert round(found.statistic, 2) == 6.57
    assert round(found.p, 4) == 0.0104
    assert found.method == "linear-by-linear, chi-square"
    n = ALCOHOL.sum()
    assert round(found.statistic * n / (n - 1), 4) == 6.5701


@settings(max_examples=40)
@given(TABLES)
def test_trend_and_ranks_are_those_of_scipy(table):
    found = trend(table, seed=1, resamples=0, row_scores=[0, 1, 5])
    assume(not found.reason)
    rows, columns = people(table)
    r = stats.pearsonr(np.array([0, 1, 5])[rows], columns).statistic
    assert found.statistic == pytest.approx((len(rows) - 1) * r**2, abs=1e-9)
    ranked = rank_differences(table, seed=1, resamples=0)
    theirs = stats.kruskal(*(columns[rows == row] for row in np.unique(rows)))
    assert ranked.statistic == pytest.approx(theirs.statistic, abs=1e-9)
    if theirs.statistic > 1e-9:  # p is infinitely steep at 0, where last bits of H are noise
        assert ranked.p == pytest.approx(theirs.pvalue, abs=1e-9)
    else:
        assert ranked.p == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    "test",
    [
        lambda table: ordinal_association(table, 1, 19_999, "tau-b"),
        lambda table: trend(table, 1, 19_999),
        lambda table: rank_differences(table, 1, 19_999),
    ],
)
def test_permuted_p_is_that_of_people_labelled_again(test):
    table = np.array([[4, 2, 1, 0], [1, 2, 3, 2]])
    rows, columns = people(table)
    draw = np.random.default_rng(3)
    # of two groups each statistic orders the labellings as a sum of scores or of ranks does
    ranks = columns if test(table).method.startswith("linear") else stats.rankdata(columns)
    drawn = np.array([ranks[draw.permutation(rows) == 1].sum() for _ in range(20_000)])
    centre = ranks.mean() * (rows == 1).sum()
    plain = np.mean(abs(drawn - centre) >= abs(ranks[rows == 1].sum() - centre) - 1e-9)
    found = test(table)
    assert found.p == pytest.approx(plain, abs=5 * found.p_error)
    assert found == test(table)


@pytest.mark.parametrize(
    "table", [[[5, 0, 0], [7, 0, 0]], [[0, 0, 0], [1, 2, 3]], [[0, 0], [0, 0]]]
)
def test_constant_answers_are_undefined(table):
    for test in (ordinal_association, trend, rank_differences):
        found = test(np.array(table), seed=1, resamples=99)
        assert "fewer than two" in found.reason
        assert (found.statistic, found.p) == (None, None)


def test_empty_option_keeps_its_place_in_a_trend():
    gap = np.array([[6, 3, 0, 1], [1, 3, 0, 6]])
    closed = np.array([[6, 3, 1], [1, 3, 6]])
    assert trend(gap, 1, 0).statistic != pytest.approx(trend(closed, 1, 0).statistic)
    assert trend(gap, 1, 0).statistic == trend(closed, 1, 0, column_scores=[0, 1, 3]).statistic
    assert rank_differences(gap, 1, 0).degrees == 1
