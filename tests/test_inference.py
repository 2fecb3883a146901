"""Tests of tables of people against published values, against scipy, and by going through all."""

from itertools import permutations, product
from math import factorial, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from upr_analysis.inference import adjust, adjusted_residuals, association, bias_corrected_v

# Agresti (1996), An introduction to categorical data analysis, tables 2.5 and 2.6: gender by party
PARTY = np.array([[279, 73, 225], [165, 47, 191]])
# Agresti (2002), Categorical data analysis, p. 57: income by job satisfaction
JOB = np.array([[1, 3, 10, 6], [2, 3, 10, 7], [1, 6, 14, 12], [0, 1, 9, 11]])
SPARSE = np.array([[3, 0, 1], [0, 4, 1], [2, 1, 0]])


def tables(rows: int, columns: int, most: int):
    cells = st.integers(0, most)
    row = st.lists(cells, min_size=columns, max_size=columns)
    return st.lists(row, min_size=rows, max_size=rows).map(np.array)


def test_gender_and_party_as_agresti_prints_them():
    found = association(PARTY, seed=1)
    assert round(found.statistic, 2) == 7.01
    assert (found.degrees, found.method, found.p_error) == (2, "chi-square", None)
    likelihood = association(PARTY, seed=1, statistic="g")
    assert round(likelihood.statistic, 2) == 7.00
    assert likelihood.method == "G"
    assert likelihood.p == pytest.approx(stats.chi2.sf(likelihood.statistic, 2))
    residuals = [2.29, 0.46, -2.62]
    assert adjusted_residuals(PARTY) == pytest.approx(
        np.array([residuals, np.negative(residuals)]), abs=0.006
    )


def test_two_by_two_is_yates_corrected_only_if_asked():
    table = np.array([[10, 20], [30, 40]])
    # by hand: (10*40 - 20*30)^2 * 100 / (30*70*40*60), and with 100/2 off the difference of 200
    of = 100 / (30 * 70 * 40 * 60)
    assert association(table, seed=1).statistic == pytest.approx(200**2 * of)
    corrected = association(table, seed=1, yates=True)
    assert corrected.statistic == pytest.approx(150**2 * of)
    assert corrected.p == pytest.approx(stats.chi2.sf(150**2 * of, 1))
    assert corrected.method == "chi-square with Yates' correction"
    assert corrected.v == association(table, seed=1).v
    for others in ({"permute": True}, {"statistic": "g"}):
        asked, plain = (association(table, 1, 99, yates=yates, **others) for yates in (True, False))
        assert asked == plain
    assert association(PARTY, seed=1, yates=True) == association(PARTY, seed=1)


def test_fisher_of_published_tables():
    """Agresti (2002), p. 92, tea tasting .4857; job satisfaction as R's fisher.test documents."""
    tea = association(np.array([[3, 1], [1, 3]]), seed=1, statistic="fisher")
    assert round(tea.p, 4) == 0.4857
    assert (tea.method, tea.statistic, tea.p_error) == ("Fisher exact", None, None)
    job = association(JOB, 1, 99_999, statistic="fisher")
    assert job.p == pytest.approx(0.7827, abs=4 * job.p_error)
    assert job.p_error == pytest.approx((0.7827 * 0.2173 / 99_999) ** 0.5, rel=0.01)
    assert job.method == "Fisher over 99999 permutations"
    assert (job.below_5, job.cells, round(job.smallest, 3)) == (8, 16, 0.833)


@given(tables(2, 2, 60))
def test_fisher_of_two_by_two_is_that_of_scipy(table):
    found = association(table, seed=1, statistic="fisher")
    if not found.reason:
        assert found.p == pytest.approx(stats.fisher_exact(table).pvalue)


@settings(max_examples=25)
@given(tables(3, 3, 3))
def test_fisher_goes_through_all_tables_with_the_margins(table):
    found = association(table, seed=1, statistic="fisher")
    if found.reason:
        return
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    ways = {}
    for a, b, c, d in product(range(10), repeat=4):
        top = [[a, b, rows[0] - a - b], [c, d, rows[1] - c - d]]
        whole = np.array([*top, columns - np.sum(top, axis=0)])
        if whole.min() >= 0:
            ways[whole.tobytes()] = 1 / prod(map(factorial, whole.ravel().tolist()))
    seen = ways[table.tobytes()]
    rarer = sum(way for way in ways.values() if way <= seen * (1 + 1e-9))
    assert found.p == pytest.approx(rarer / sum(ways.values()))


@pytest.mark.parametrize("statistic", ["pearson", "g"])
def test_permuted_p_is_that_of_all_permutations(statistic):
    rows, columns = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 2, 2, 2])
    scale = "pearson" if statistic == "pearson" else "log-likelihood"

    def counted(order):
        return np.histogram2d(rows, columns[list(order)], bins=3)[0].astype(int)

    def of(order):
        return stats.chi2_contingency(counted(order), correction=False, lambda_=scale).statistic

    seen = of(range(7))
    every = {order: of(order) for order in permutations(range(7))}
    exact = np.mean([value >= seen - 1e-9 for value in every.values()])
    found = association(counted(range(7)), 1, 29_999, statistic=statistic)
    assert found.statistic == pytest.approx(seen)
    assert found.p == pytest.approx(exact, abs=4 * found.p_error)
    assert 0.002 < found.p_error < 0.003


def test_sparse_table_is_permuted_with_a_seed():
    first, again = association(SPARSE, seed=5, resamples=999), association(SPARSE, 5, 999)
    assert first == again
    assert first.method == "chi-square over 999 permutations"
    assert first.p > 0
    assert association(SPARSE, 6, 999).p != first.p


@pytest.mark.parametrize(
    ("columns", "method"),
    [([40, 40, 40, 40, 8], "chi-square"), ([40, 40, 40, 8, 8], "chi-square over 99 permutations")],
)
def test_table_is_sparse_where_more_than_a_fifth_are_expected_below_five(columns, method):
    assert association(np.array([columns, columns]) // 2, 1, 99).method == method


def test_table_that_none_drawn_reaches_has_the_smallest_p_and_not_nought():
    found = association(np.array([[30, 0], [0, 30]]), 1, 99, permute=True)
    assert found.p == 1 / 100


def test_large_table_is_permuted_only_if_asked():
    asked, plain = association(PARTY, 1, 9_999, permute=True), association(PARTY, 1)
    assert asked.method == "chi-square over 9999 permutations"
    assert asked.statistic == plain.statistic
    assert asked.p == pytest.approx(plain.p, abs=4 * asked.p_error)


def test_empty_rows_are_dropped_and_degrees_follow():
    found = association(np.array([[30, 20], [0, 0], [20, 30]]), seed=1)
    assert (found.degrees, found.cells) == (1, 4)


@pytest.mark.parametrize("table", [[[5, 0], [7, 0]], [[0, 0], [1, 2]], [[0, 0], [0, 0]]])
@pytest.mark.parametrize("statistic", ["pearson", "g", "fisher"])
def test_constant_answers_are_undefined_not_zero(table, statistic):
    found = association(np.array(table), seed=1, statistic=statistic)
    assert "fewer than two" in found.reason
    assert (found.statistic, found.p, found.v, found.smallest) == (None,) * 4


@settings(max_examples=30)
@given(tables(3, 4, 40))
def test_order_of_rows_and_columns_makes_no_difference(table):
    for statistic in ("pearson", "g"):
        one, other = (
            association(own, 1, 99, statistic=statistic) for own in (table, table.T[::-1])
        )
        if not one.reason and "permutations" not in one.method:
            assert (one.statistic, one.p, one.v) == pytest.approx(
                (other.statistic, other.p, other.v)
            )


def test_bias_corrected_v_follows_bergsma():
    # by hand for X2 = 12, n = 100, 3 x 2: phi2 = .12 - 2/99, rows 3 - 4/99, columns 2 - 1/99
    expected = ((0.12 - 2 / 99) / (2 - 1 / 99 - 1)) ** 0.5
    assert bias_corrected_v(12, 100, 3, 2) == pytest.approx(expected)
    assert bias_corrected_v(1, 100, 3, 2) == 0  # below its expectation under independence


def test_no_residual_where_too_few_are_expected():
    # expected are 36.1 and 3.9, 9.0 and 0.98, 0.9 and 0.1; nobody is in the third column
    found = adjusted_residuals(np.array([[36, 4, 0], [9, 1, 0], [1, 0, 0]]))
    assert np.isnan(found).tolist() == [[False, False, True], [False, True, True], [True] * 3]
    assert np.isnan(adjusted_residuals(np.array([[3, 4], [0, 0]]))).all()
    assert np.isnan(adjusted_residuals(np.zeros((2, 2)))).all()


def test_declared_tests_that_are_missing_count():
    p = np.array([0.01, np.nan, 0.04])
    # by hand: Holm 3 x .01, 2 x .04; Benjamini-Hochberg 3 x .01 / 1, 3 x .04 / 2
    assert adjust(p, "holm", 3) == pytest.approx([0.03, np.nan, 0.08], nan_ok=True)
    assert adjust(p, "benjamini_hochberg", 3) == pytest.approx([0.03, np.nan, 0.06], nan_ok=True)
    assert adjust(p, "holm", 2) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    assert np.isnan(adjust(np.array([np.nan]), "holm", 0)).all()
    with pytest.raises(ValueError, match="family of 1 tests has 2"):
        adjust(p, "holm", 1)


@given(st.lists(st.floats(0, 1), max_size=8), st.integers(0, 3))
def test_adjusted_p_is_that_of_a_plain_loop(given, missing):
    ordered = sorted(given + [1.0] * missing)
    size = len(ordered)
    holm, screened = (
        adjust(np.array(given), method, size) for method in ("holm", "benjamini_hochberg")
    )
    for place, p in enumerate(given):
        below = [(size - rank) * one for rank, one in enumerate(ordered) if one <= p]
        above = [size * one / (rank + 1) for rank, one in enumerate(ordered) if one >= p]
        assert holm[place] == pytest.approx(min(1, max(below)))
        assert screened[place] == pytest.approx(min(above))
