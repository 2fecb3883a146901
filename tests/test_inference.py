import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from upr_analysis.inference import (
    association,
    benjamini_hochberg,
    bias_corrected_v,
    wilson_interval,
)


def test_wilson_matches_newcombe_1998():
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81 of 263, and 0 of 20
    assert wilson_interval(81, 263) == pytest.approx((25.53, 36.62), abs=0.005)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 16.11), abs=0.005)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_stays_within_percent_and_holds_the_share(counted):
    count, base = counted
    low, high = wilson_interval(count, base)
    assert 0 <= low <= 100 * count / base + 1e-9
    assert 100 * count / base - 1e-9 <= high <= 100


def test_two_by_two_is_not_yates_corrected():
    # by hand: (10*40 - 20*30)^2 * 100 / (30*70*40*60)
    found = association(np.array([[10, 20], [30, 40]]), seed=1)
    assert found.method == "chi-square"
    assert found.statistic == pytest.approx(200**2 * 100 / (30 * 70 * 40 * 60))


def test_empty_rows_are_dropped_and_degrees_follow():
    found = association(np.array([[30, 20], [0, 0], [20, 30]]), seed=1)
    assert found.degrees == 1


def test_constant_answers_are_undefined_not_zero():
    found = association(np.array([[5, 0], [7, 0]]), seed=1)
    assert found.p is None
    assert found.v is None
    assert "fewer than two" in found.reason


def test_sparse_table_is_permuted_with_a_seed():
    table = np.array([[3, 0, 1], [0, 4, 1], [2, 1, 0]])
    first, again = association(table, seed=5, resamples=999), association(table, 5, 999)
    assert first == again
    assert "999 permutations" in first.method
    assert first.p > 0


def test_permutation_p_agrees_with_fisher_on_a_small_table():
    table = np.array([[8, 1], [2, 7]])
    exact = stats.fisher_exact(table).pvalue
    assert association(table, seed=1, resamples=9_999).p == pytest.approx(exact, abs=0.012)


def test_bias_corrected_v_follows_bergsma():
    # by hand for X2 = 12, n = 100, 3 x 2: phi2 = .12 - 2/99, rows 3 - 4/99, columns 2 - 1/99
    expected = ((0.12 - 2 / 99) / (2 - 1 / 99 - 1)) ** 0.5
    assert bias_corrected_v(12, 100, 3, 2) == pytest.approx(expected)
    assert bias_corrected_v(1, 100, 3, 2) == 0  # below its expectation under independence


def test_missing_p_values_do_not_count_as_tests():
    adjusted = benjamini_hochberg(np.array([0.01, np.nan, 0.04]))
    assert adjusted[0] == pytest.approx(0.02)
    assert adjusted[2] == pytest.approx(0.04)
    assert np.isnan(adjusted[1])
