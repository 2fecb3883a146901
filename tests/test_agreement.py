"""Agreement against published examples, against plain loops, and where it is not defined."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from upr_analysis.agreement import agreement, jaccard, masi, set_alpha

NAN = float("nan")
# Krippendorff (2011): four coders, twelve units, five categories; "." is missing.
KRIPPENDORFF = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)


def judged(*coders: Sequence[float]) -> np.ndarray:
    return np.array(coders, dtype=float)


def nominal_distance(shared, one, other):
    return np.where(shared < np.maximum(one, other), 1.0, 0.0)


def of(judgements: np.ndarray, draws: int = 0):
    units = [f"r{n}" for n in range(judgements.shape[1])]
    return agreement(judgements, units, seed=1, draws=draws)


def test_alpha_of_krippendorffs_four_coders_and_twelve_units():
    labels = [[{cell} if cell != "." else None for cell in row.split()] for row in KRIPPENDORFF]
    units = [f"r{n}" for n in range(12)]
    nominal = set_alpha(labels, nominal_distance, units, 1, draws=0)
    assert round(nominal.value, 3) == 0.743
    # of sets of one label each, MASI and Jaccard are the nominal distance
    assert set_alpha(labels, masi, units, 1, draws=0).value == pytest.approx(nominal.value)
    assert set_alpha(labels, jaccard, units, 1, draws=0).value == pytest.approx(nominal.value)


def test_alpha_of_krippendorffs_two_coders():
    """Krippendorff (2011), binary data, two observers, nothing missing: 0.095."""
    one, two = (list(map(int, row)) for row in ("0100000000", "1110010100"))
    assert round(of(judged(one, two))["krippendorff_alpha"].value, 3) == 0.095


def test_cohens_kappa_of_a_published_table():
    """Both yes 20, both no 15, only the first 5, only the second 10, of 50: kappa 0.4."""
    one = [1] * 20 + [0] * 15 + [1] * 5 + [0] * 10
    two = [1] * 20 + [0] * 15 + [0] * 5 + [1] * 10
    found = of(judged(one, two))
    assert found["cohen_kappa"].value == pytest.approx(0.4)
    assert found["percent_agreement"].value == pytest.approx(0.7)
    assert found["positive_agreement"].value == pytest.approx(40 / 55)
    assert found["negative_agreement"].value == pytest.approx(30 / 45)
    assert found["prevalence"].value == pytest.approx(55 / 100)


def test_kappa_and_ac1_where_nearly_all_agree():
    """Gwet (2008), table 2: 118 both yes, 5 and 2 apart, none both no; AC1 .94, kappa below 0."""
    one = [1] * 118 + [1] * 5 + [0] * 2
    two = [1] * 118 + [0] * 5 + [1] * 2
    found = of(judged(one, two))
    assert round(found["gwet_ac1"].value, 2) == 0.94
    assert found["cohen_kappa"].value < 0 < found["percent_agreement"].value


def test_undefined_is_said_and_not_printed_as_one_or_nought():
    found = of(judged([0, 0, 0], [0, 0, 0]), draws=200)
    assert found["percent_agreement"].value == 1
    for name in ("positive_agreement", "cohen_kappa", "fleiss_kappa", "krippendorff_alpha"):
        assert np.isnan(found[name].value)
    assert all(np.isnan([one.low, one.high]).all() for one in found.values())
    alone = of(judged([1, NAN], [NAN, 0]), draws=200)  # nobody judged what another did
    assert np.isnan(alone["percent_agreement"].value)
    assert alone["prevalence"].value == 0.5


def plainly(judgements: np.ndarray) -> dict[str, float]:
    """Compute by going through pairs of coders."""
    units = [[int(v) for v in unit if not np.isnan(v)] for unit in judgements.T]
    twice = [unit for unit in units if len(unit) > 1]
    pairs = [pair for unit in twice for pair in combinations(unit, 2)]
    both = sum(pair == (1, 1) for pair in pairs)
    neither = sum(pair == (0, 0) for pair in pairs)
    differ = len(pairs) - both - neither
    values = [v for unit in twice for v in unit]
    observed = sum(
        sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in twice
    )
    expected = sum(a != b for a, b in permutations(values, 2)) / (len(values) - 1) if values else 0
    alike = [
        sum(a == b for a, b in combinations(u, 2)) / len(list(combinations(u, 2))) for u in twice
    ]
    share = np.mean([np.mean(unit) for unit in twice]) if twice else NAN
    chance = 2 * share * (1 - share)
    return {
        "positive_agreement": 2 * both / (2 * both + differ) if both + differ else NAN,
        "negative_agreement": 2 * neither / (2 * neither + differ) if neither + differ else NAN,
        "krippendorff_alpha": 1 - observed / expected if expected else NAN,
        "percent_agreement": float(np.mean(alike)) if alike else NAN,
        "gwet_ac1": (np.mean(alike) - chance) / (1 - chance) if alike else NAN,
    }


@settings(max_examples=300, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda coders: st.lists(
            st.lists(st.sampled_from([0.0, 1.0, NAN]), min_size=coders, max_size=coders),
            min_size=1, max_size=8,
        )
    )
)  # fmt: skip
def test_statistics_are_those_of_a_plain_loop(units):
    judgements = np.array(units).T
    if np.isnan(judgements).all():
        return
    found = of(judgements)
    for name, value in plainly(judgements).items():
        assert found[name].value == pytest.approx(value, nan_ok=True), name
    labels = [[None if np.isnan(v) else {"x"} if v else set() for v in row] for row in judgements]
    alpha = set_alpha(labels, masi, [str(n) for n in range(len(units))], 1, draws=0)
    assert alpha.value == pytest.approx(found["krippendorff_alpha"].value, nan_ok=True)


def test_fleiss_kappa_of_three_coders_by_hand():
    """Of four units 3, 2, 0, 0 of three coders say yes: observed 10/12, expected .514."""
    found = of(judged([1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0]))
    share = 5 / 12
    expected = share**2 + (1 - share) ** 2
    assert found["fleiss_kappa"].value == pytest.approx((10 / 12 - expected) / (1 - expected))
    assert np.isnan(found["cohen_kappa"].value)


def test_interval_draws_respondents_with_all_their_units():
    rng = np.random.default_rng(5)
    one = rng.integers(0, 2, 200).astype(float)
    two = np.where(rng.random(200) < 0.15, 1 - one, one)
    alone = agreement(judged(one, two), [f"r{n}" for n in range(200)], 1)["cohen_kappa"]
    # each respondent gave ten answers that are coded alike: a tenth of the evidence
    ten = agreement(
        np.repeat(judged(one[:20], two[:20]), 10, axis=1),
        [f"r{n // 10}" for n in range(200)], 1,
    )["cohen_kappa"]  # fmt: skip
    assert alone.low < alone.value < alone.high
    assert ten.high - ten.low > 2 * (alone.high - alone.low)
    again = agreement(judged(one, two), [f"r{n}" for n in range(200)], 1)["cohen_kappa"]
    assert again == alone


@pytest.mark.parametrize(
    ("one", "other", "by_jaccard", "by_masi"),
    [
        ("ab", "ab", 0, 0), ("", "", 0, 0), ("a", "b", 1, 1), ("", "a", 1, 1),
        ("a", "ab", Fraction(1, 2), Fraction(2, 3)),
        ("abc", "bcd", Fraction(1, 2), Fraction(5, 6)),
    ],
)  # fmt: skip
def test_distances_of_sets(one, other, by_jaccard, by_masi):
    def of_sets(distance, one, other):
        return distance(*np.array([len({*one} & {*other}), len({*one}), len({*other})]))

    assert of_sets(jaccard, one, other) == pytest.approx(float(by_jaccard))
    assert of_sets(masi, one, other) == pytest.approx(float(by_masi))
    assert of_sets(masi, other, one) == pytest.approx(float(by_masi))


def test_interval_of_a_share_is_that_of_the_binomial():
    """Of one unit a respondent, what is drawn again is a binomial number."""
    one = np.array([1.0] * 60 + [0.0] * 40)
    found = agreement(judged(one, np.zeros(100)), [f"r{n}" for n in range(100)], 3, draws=20_000)
    low, high = binom.ppf([0.025, 0.975], 100, 0.4) / 100
    assert found["percent_agreement"].low == pytest.approx(low, abs=0.011)
    assert found["percent_agreement"].high == pytest.approx(high, abs=0.011)
