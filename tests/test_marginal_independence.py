"""Tests of select-all questions against print, plain loops and all orders; where undefined."""

from collections import Counter
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, chi2_contingency

from upr_analysis import marginal_independence
from upr_analysis.marginal_independence import independence_of_pairs, independence_of_ticks

# Farmers of Kansas by education, and how many of each ticked five sources of veterinary
# information: item response table of Loughin and Scherer (1998), in the manual of R's MRCV.
EDUCATION = (88, 16, 31, 113, 14)
SOURCES = (
    (19, 38, 29, 47, 40),
    (2, 6, 8, 8, 4),
    (1, 13, 10, 17, 14),
    (19, 29, 40, 53, 29),
    (3, 4, 8, 6, 6),
)
# Voters by choice (rows) and what they hold true: of five statements none, the fifth, the fourth,
# both, the third, ... as binary numbers: presidential2016, statsmodels pull request 3378.
VOTERS = (
    "105 32 10 2 9 0 2 0 33 4 2 0 6 0 0 0 8 2 4 1 0 1 0 0 6 0 0 0 0",
    "73 8 8 2 27 0 6 0 2 1 1 0 2 0 1 0 20 1 18 1 5 1 2 0 2 0 0 0 1",
    "18 4 1 1 1 0 0 0 6 0 2 0 1 0 1 0 0 2 0 0 0 0 0 0 2 0 0 0 0",
    "42 10 7 0 10 0 2 0 10 0 1 0 3 0 1 0 13 1 4 1 1 1 0 0 2 0 0 0 0",
    "130 12 5 2 19 0 1 0 12 4 3 0 5 0 0 0 16 6 8 0 0 0 2 0 2 0 0 0 0",
    "131 10 6 2 10 0 2 0 8 3 2 0 5 0 1 0 18 4 8 0 0 0 1 0 5 0 0 0 0",
)


def ticked(sizes, counts) -> np.ndarray:
    """Return ticks (n, J) of which each group's first respondents ticked as many as counted."""
    return np.vstack(
        [np.arange(size)[:, None] < np.array(own) for size, own in zip(sizes, counts, strict=True)]
    )


def test_farmers_by_education_are_as_published():
    """Koziol and Bilder's MRCV prints 30.84, of 453 ticks of 262 farmers, and Bonferroni .1357.

    They depend on the counts of each item alone. The second order, 28.68 on 18.60 degrees, needs
    who ticked what together, which is not in print; but its ratio does not.
    """
    ticks, groups = ticked(EDUCATION, SOURCES), np.repeat(range(5), EDUCATION)
    assert (len(ticks), ticks.sum()) == (262, 453)
    found = independence_of_ticks(groups, ticks, seed=1, resamples=0)
    assert found.items.round(2).tolist() == [5.96, 7.89, 4.62, 1.42, 10.95]
    assert (round(found.statistic, 2), found.degrees) == (30.84, 20)
    assert round(found.bonferroni, 4) == 0.1357
    assert found.first_order.p == pytest.approx(chi2.sf(found.statistic, 20))
    second = found.second_order
    assert second.statistic / second.degrees == pytest.approx(28.68 / 18.60, abs=5e-4)
    # under 5: of the 14 "other" the first, second and fifth source, of the 16 the first
    assert found.smallest_expected == pytest.approx(14 * 44 / 262)
    assert found.expected_under_5 == 4


def test_farmers_who_test_and_store_waste_are_as_published_but_for_an_empty_cell():
    """MRCV prints these statistics of 279 farmers, their sum 64.03 and Bonferroni .0019.

    Nobody tests for salt and has a tank: there it adds .5 and prints .32, as is done here to no
    cell. Its second order, 36.17 on 6.78, is of that sum.
    """
    # who tests for nothing, nitrogen, phosphorus too, salt too: sums are the published pairs
    sizes = (239, 10, 9, 21)
    stores = ticked(sizes, ((116, 64, 83, 11), (5, 4, 1, 1), (3, 6, 0, 1), (19, 6, 1, 0)))
    tests = np.repeat([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]], sizes, axis=0)
    found = independence_of_pairs(tests, stores, seed=1, resamples=0)
    assert found.items.round(2).tolist() == [
        [4.93, 2.93, 14.29, 0.01],
        [6.56, 2.11, 11.68, 0.13],
        [13.98, 0.00, 7.08, 1.11],
    ]
    printed = chi2_contingency([[245, 13], [21, 0.5]], correction=False).statistic
    assert round(printed, 2) == 0.32
    assert round(found.statistic - found.items[2, 3] + printed, 2) == 64.03
    assert (found.degrees, round(found.bonferroni, 4)) == (12, 0.0019)


def test_second_order_of_voters_is_that_of_mrcv():
    """MRCV gives 109.952240309527 on 20.727912118057, and 3.75262446006275e-06 by Bonferroni."""
    counts = [[int(cell) for cell in row.split()] for row in VOTERS]
    patterns = np.array(list(product([False, True], repeat=5)))
    ticks = np.vstack([np.repeat(patterns[:29], row, axis=0) for row in counts])
    groups = np.repeat(range(6), [sum(row) for row in counts])
    found = independence_of_ticks(groups, ticks, seed=1, resamples=0)
    assert found.second_order.statistic == pytest.approx(109.952240309527, rel=1e-12)
    assert found.second_order.degrees == pytest.approx(20.727912118057, rel=1e-12)
    assert found.bonferroni == pytest.approx(3.75262446006275e-06, rel=1e-9)


def second_order(covariance: np.ndarray, statistic: float, degrees: int) -> tuple[float, float]:
    """Return Rao and Scott's second order of a sum of squares with that covariance."""
    squares = sum(abs(value) ** 2 for value in np.linalg.eigvals(covariance))
    return statistic * degrees / squares, degrees**2 / squares


def shares_of(rows: np.ndarray) -> dict[tuple[int, ...], float]:
    return {row: count / len(rows) for row, count in Counter(map(tuple, rows.tolist())).items()}


def multinomial(derivative: list[list[float]], shares: list[float]) -> np.ndarray:
    """Return the covariance (times n) of functions (rows) of multinomial shares (columns)."""
    tau = np.array(shares)
    return derivative @ (np.diag(tau) - np.outer(tau, tau)) @ np.transpose(derivative)


def plain_ticks(groups: np.ndarray, ticks: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the sum of Pearson's and its covariance, by the delta method, groups being fixed."""
    n, items, names = len(ticks), ticks.shape[1], sorted(set(groups))
    share = [len(groups[groups == one]) / n for one in names]
    pooled = ticks.mean(axis=0)
    parts = np.zeros((len(names) * items,) * 2)
    for place, one in enumerate(names):
        shares = shares_of(ticks[groups == one])
        own = slice(place * items, (place + 1) * items)
        parts[own, own] = multinomial(np.transpose(list(shares)), list(shares.values()))
        parts[own, own] /= share[place]
    away = np.kron(np.eye(len(names)) - np.ones((len(names), 1)) * share, np.eye(items))
    weights = [each / (p * (1 - p)) for each in share for p in pooled]
    statistic = sum(
        n * each * (ticks[groups == one, item].mean() - p) ** 2 / (p * (1 - p))
        for one, each in zip(names, share, strict=True)
        for item, p in enumerate(pooled)
    )
    return statistic, np.diag(weights) @ away @ parts @ away.T


def plain_pairs(left: np.ndarray, right: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the sum of Pearson's and its covariance, by the delta method, from joint patterns."""
    shares = shares_of(np.hstack([left, right]))
    pairs = list(product(range(left.shape[1]), range(right.shape[1])))
    one, other = left.mean(axis=0), right.mean(axis=0)
    derivative = [
        [
            row[i] * row[left.shape[1] + j] - one[i] * row[left.shape[1] + j] - other[j] * row[i]
            for row in shares
        ]
        for i, j in pairs
    ]
    tables = [np.histogram2d(left[:, i], right[:, j], bins=2)[0] for i, j in pairs]
    statistic = sum(chi2_contingency(table, correction=False).statistic for table in tables)
    weights = [1 / (one[i] * (1 - one[i]) * other[j] * (1 - other[j])) for i, j in pairs]
    return statistic, np.diag(weights) @ multinomial(derivative, list(shares.values()))


def drawn(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return groups (n,) and ticks (n, 3) and (n, 4) that depend on each other."""
    rng = np.random.default_rng(seed)
    groups, leaning = rng.integers(0, 3, n), rng.normal(size=(n, 1))
    left = rng.normal(size=(n, 3)) + leaning > 0.3
    return groups, left, rng.normal(size=(n, 4)) + leaning + groups[:, None] / 3 > 0.5


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_second_order_is_that_of_a_plain_delta_method(seed):
    groups, left, right = drawn(seed)
    for found, (statistic, covariance) in (
        (independence_of_ticks(groups, right, 1, 0), plain_ticks(groups, right)),
        (independence_of_pairs(left, right, 1, 0), plain_pairs(left, right)),
    ):
        assert found.statistic == pytest.approx(statistic)
        assert found.second_order[:2] == pytest.approx(
            second_order(covariance, statistic, found.degrees)
        )


def test_second_order_where_groups_are_alike_is_of_the_items_correlations():
    """With the eigenvalues of the correlations, df is (G - 1) J^2 / sum of squares."""
    ticks = np.tile(drawn(3)[1], (4, 1))
    found = independence_of_ticks(np.repeat(range(4), 40), ticks, 1, 0)
    squares = (np.linalg.eigvalsh(np.corrcoef(ticks.T)) ** 2).sum()
    assert found.statistic == pytest.approx(0)
    assert found.bonferroni == 1
    assert found.second_order.degrees == pytest.approx(3 * 3**2 / squares)


def test_one_item_is_pearsons_chi_square_and_nothing_is_added_to_a_zero():
    table = np.array([[0, 7], [5, 3], [4, 9]])
    groups = np.repeat(range(3), table.sum(axis=1))
    found = independence_of_ticks(groups, ticked(table.sum(axis=1), table[:, :1]), 1, 0)
    plain = chi2_contingency(table, correction=False)
    assert found.first_order == pytest.approx((plain.statistic, plain.dof, plain.pvalue))
    assert found.bonferroni == pytest.approx(plain.pvalue)


def test_expected_counts_are_of_who_ticked_and_who_did_not():
    most, half = np.arange(10)[:, None] > 0, np.arange(10)[:, None] > 4
    for found in (
        independence_of_ticks(half[:, 0], most, 1, 0),
        independence_of_pairs(most, half, 1, 0),
        independence_of_pairs(half, most, 1, 0),
    ):
        assert (found.smallest_expected, found.expected_under_5) == (0.5, 4)  # 4.5 and .5, twice


def test_an_item_listed_twice_says_no_more_than_once():
    groups, left, right = drawn(8)
    one, two = right[:, [0]], right[:, [0, 0]]
    for once, twice in (
        (independence_of_ticks(groups, one, 5, 99), independence_of_ticks(groups, two, 5, 99)),
        (independence_of_pairs(left, one, 5, 99), independence_of_pairs(left, two, 5, 99)),
    ):
        assert twice.statistic == pytest.approx(2 * once.statistic)
        assert twice.second_order == pytest.approx(once.second_order)
        assert twice.p == once.p


def test_ticks_are_not_respondents():
    """Eight of ten and two of ten tick both items: the table of ticks has nothing to show."""
    groups = np.repeat([0, 1], 10)
    both = ticked((10, 10), ((8, 8), (2, 2)))
    table_of_ticks = [both[groups == one].sum(axis=0) for one in (0, 1)]
    assert chi2_contingency(table_of_ticks, correction=False).statistic == 0
    found = independence_of_ticks(groups, both, 1)
    assert found.items == pytest.approx([7.2, 7.2])  # 20 (8 x 8 - 2 x 2)^2 / 10^4
    assert found.p == pytest.approx(found.adjusted[0]) == pytest.approx(0.023, abs=0.005)


def enumerated(statistics) -> tuple[float, list[float]]:
    """Return p, and p of each item adjusted step by step, over all orders; the first is given."""
    orders = [np.ravel(one) for one in statistics]
    given_items = orders[0]
    p = np.mean([one.sum() >= given_items.sum() - 1e-9 for one in orders])
    adjusted, reached = np.zeros(len(given_items)), 0.0
    left = sorted(range(len(given_items)), key=lambda item: -given_items[item])
    while left:
        item = left[0]
        larger = np.mean([one[left].max() >= given_items[item] - 1e-9 for one in orders])
        adjusted[item] = reached = max(reached, larger)
        left = left[1:]
    return float(p), adjusted.tolist()


def test_p_is_never_nought():
    ticks = np.repeat([[True], [False]], 30, axis=0)
    assert independence_of_ticks(~ticks[:, 0], ticks, seed=1, resamples=9).p == 0.1
    assert independence_of_pairs(ticks, ticks, seed=1, resamples=9).adjusted == [[0.1]]


def test_permutation_p_is_that_of_all_orders():
    groups = np.array([0, 0, 0, 1, 1, 2])
    right = np.array([[1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 1], [0, 1, 0, 1, 1, 0]]).T > 0
    left = np.array([[1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 0, 1]]).T > 0
    orders = [right[list(order)] for order in permutations(range(6))]
    for found, statistics in (
        (
            independence_of_ticks(groups, right, seed=2),
            [independence_of_ticks(groups, one, 1, 0).items for one in orders],
        ),
        (
            independence_of_pairs(left, right, seed=2),
            [independence_of_pairs(left, one, 1, 0).items for one in orders],
        ),
    ):
        p, adjusted = enumerated(statistics)
        assert found.p == pytest.approx(p, abs=0.015)
        assert found.adjusted.ravel() == pytest.approx(adjusted, abs=0.015)


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 10_000))
def test_order_of_respondents_groups_and_items_changes_nothing(random, seed):
    groups, left, right = drawn(seed)
    people = random.sample(range(40), 40)
    names, items = random.sample("cab", 3), random.sample(range(4), 4)
    named = np.array(names)[groups]
    for found, again in (
        (
            independence_of_ticks(groups, right, 1, 0),
            independence_of_ticks(named[people], right[people][:, items], 1, 0),
        ),
        (
            independence_of_pairs(left, right, 1, 0),
            independence_of_pairs(left[people], right[people][:, items], 1, 0),
        ),
    ):
        assert again.statistic == pytest.approx(found.statistic)
        assert again.second_order == pytest.approx(found.second_order)
        assert again.items == pytest.approx(found.items[..., items])
        assert again.smallest_expected == pytest.approx(found.smallest_expected)


def test_as_many_respondents_again_double_the_statistic_and_leave_the_degrees():
    groups, left, right = (np.repeat(one, 2, axis=0) for one in drawn(4))
    for once, twice in (
        (independence_of_ticks(*drawn(4)[::2], 1, 0), independence_of_ticks(groups, right, 1, 0)),
        (independence_of_pairs(*drawn(4)[1:], 1, 0), independence_of_pairs(left, right, 1, 0)),
    ):
        assert twice.second_order[:2] == pytest.approx(
            (2 * once.second_order.statistic, once.second_order.degrees)
        )


def test_memory_at_once_changes_nothing(monkeypatch):
    groups, left, right = drawn(6)
    whole = independence_of_ticks(groups, right, 7, 50), independence_of_pairs(left, right, 7, 50)
    monkeypatch.setattr(marginal_independence, "AT_ONCE", 100)
    parts = independence_of_ticks(groups, right, 7, 50), independence_of_pairs(left, right, 7, 50)
    for one, other in zip(whole, parts, strict=True):
        assert other.second_order == pytest.approx(one.second_order)
        assert (other.p, other.adjusted.tolist()) == (one.p, one.adjusted.tolist())


def test_items_of_all_or_none_and_groups_of_nobody_are_dropped():
    groups, left, right = drawn(5)
    padded = np.column_stack([np.ones(40, bool), right, np.zeros(40, bool)])
    gaps = groups * 2  # nobody is in group 1
    for found, bare in (
        (independence_of_ticks(gaps, padded, 1, 99), independence_of_ticks(groups, right, 1, 99)),
        (independence_of_pairs(left, padded, 1, 99), independence_of_pairs(left, right, 1, 99)),
    ):
        assert (found.degrees, found.p, found.bonferroni) == (bare.degrees, bare.p, bare.bonferroni)
        assert found.second_order == bare.second_order
        assert np.isnan(found.items[..., [0, -1]]).all()
        assert found.adjusted[..., 1:-1].tolist() == bare.adjusted.tolist()


def test_undefined_is_said_and_not_printed_as_nought():
    some, none = np.array([[True], [False], [True]]), np.zeros((3, 1), bool)
    nobody = np.zeros((0, 2), bool)
    for found, why in (
        (independence_of_ticks(np.array([4, 4, 4]), some, 1), "fewer than two groups"),
        (independence_of_ticks(np.array([0, 1, 1]), none, 1), "all or by none"),
        (independence_of_ticks(np.array([], int), nobody, 1), "fewer than two groups"),
        (independence_of_pairs(some, none, 1), "all or by none"),
        (independence_of_pairs(nobody, nobody, 1), "all or by none"),
    ):
        assert why in found.reason
        assert found.statistic is found.p is found.second_order is found.bonferroni is None
    # a group that settles the item leaves no variance to correct by
    settled = independence_of_ticks(np.array([0, 1, 0]), some, 1)
    assert settled.second_order is None
    assert settled.p == pytest.approx(1 / 3, abs=0.02)
