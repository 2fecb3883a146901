"""Intervals against published values, against scipy, and against other formulas."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from upr_analysis.inference import association
from upr_analysis.intervals import difference_interval, share_intervals, v_interval, wilson_interval

METHODS = {"wilson": "wilson", "clopper_pearson": "exact"}  # as scipy calls them


def test_wilson_matches_newcombe_1998():
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3: 81 of 263, and 0 of 20
    assert wilson_interval(81, 263) == pytest.approx((25.53, 36.62), abs=0.005)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 16.11), abs=0.005)


@pytest.mark.parametrize("method", METHODS)
def test_intervals_of_shares_are_those_of_scipy(method):
    counted = [(count, base) for base in (1, 5, 20, 123) for count in range(base + 1)]
    low, high = share_intervals(*np.array(counted).T, method)
    for (count, base), *ends in zip(counted, low, high, strict=True):
        theirs = stats.binomtest(count, base).proportion_ci(method=METHODS[method])
        assert ends == pytest.approx([100 * theirs.low, 100 * theirs.high], abs=1e-9)
        assert 0 <= ends[0] <= 100 * count / base <= ends[1] <= 100
    assert low[0] == 0  # to the last bit, and likewise all of all
    assert high[-1] == 100


def test_share_of_nobody_has_no_interval():
    for method in METHODS:
        ends = share_intervals(np.array([[0, 1]]), np.array([[0, 2]]), method)
        assert [np.isnan(one).tolist() for one in ends] == [[[True, False]]] * 2


@pytest.mark.parametrize(
    ("counted", "ends"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_differences_of_newcombe(counted, ends):
    """Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10."""
    found = difference_interval(*map(np.array, counted))
    assert found == pytest.approx(100 * np.array(ends), abs=0.005)
    swapped = difference_interval(*map(np.array, (*counted[2:], *counted[:2])))
    assert swapped == pytest.approx([-found[1], -found[0]])


def test_difference_with_nobody_has_no_interval():
    low, high = difference_interval(*np.array([[1, 1], [2, 2], [0, 1], [0, 2]]))
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] < 0 < high[1]


def test_v_is_within_an_inverted_noncentral_chi_square():
    """Of groups of one size nothing is scaled: the statistic is at the ends' quantiles."""
    table = np.array([[30, 20, 10], [10, 20, 30]])
    found = v_interval(table)
    statistic = association(table, seed=1).statistic
    for end, quantile in ((found.low, 0.975), (found.high, 0.025)):
        noncentrality = table.sum() * end**2
        assert stats.ncx2.cdf(statistic, 2, noncentrality) == pytest.approx(quantile)


def test_scale_is_the_published_variance_of_phi():
    """The variance of phi in a 2 x 2: Bishop, Fienberg and Holland (1975), section 11.3."""
    table = np.array([[80, 14], [14, 15]])
    n = table.sum()
    (a, b), (c, d) = table.sum(axis=1) / n, table.sum(axis=0) / n
    phi = association(table, seed=1).statistic ** 0.5 / n**0.5
    skew, other = (a - b) / (a * b) ** 0.5, (c - d) / (c * d) ** 0.5
    variance = 1 - phi**2 + phi * (1 + phi**2 / 2) * skew * other
    variance -= 0.75 * phi**2 * (skew**2 + other**2)
    assert variance > 1.1
    for end, quantile in zip(("low", "high"), (0.975, 0.025), strict=True):
        noncentrality = n * getattr(v_interval(table), end) ** 2 / variance
        at = stats.ncx2.cdf(n * phi**2 / variance, 1, noncentrality)
        assert at == pytest.approx(quantile)


def test_v_of_groups_that_agree_in_nothing_ends_at_one():
    found = v_interval(np.array([[60, 0], [0, 60]]))
    assert 0.8 < found.low < found.high == 1


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([[5, 0], [7, 0]], "fewer than two"),
        ([[3, 0, 1], [0, 4, 1], [2, 1, 0]], "too small"),
        ([[20, 20], [20, 20]], "less than chance"),
    ],
)
def test_v_has_no_interval_where_it_would_be_no_guide(table, reason):
    found = v_interval(np.array(table))
    assert reason in found.reason
    assert found.low is None
    assert found.high is None


@given(st.lists(st.lists(st.integers(0, 90), min_size=3, max_size=3), min_size=2, max_size=4))
def test_interval_of_v_holds_the_corrected_v(rows):
    table = np.array(rows)
    found = v_interval(table)
    assume(not found.reason)
    assert 0 <= found.low <= association(table, seed=1).v + 1e-9
    assert association(table, seed=1).v - 1e-9 <= found.high <= 1
