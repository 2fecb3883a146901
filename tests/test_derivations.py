from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from upr_analysis.crosstab import Groups, Items, count_everything, crossings
from upr_analysis.derivations import (
    Method,
    associations,
    derive,
    differences,
    number_medians,
    shown_table,
)
from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.questionnaire import Questionnaire

QUICK = Method(resamples=999)
OF_DISTRIBUTION = Method(permute=False, resamples=999)


@pytest.fixture(scope="module")
def asked():
    text = """
title: {en: Asked}
about: {en: Made for the tests.}
survey:
  - {name: Q, type: select_one size, label: {en: How much}}
  - {name: O, type: select_one size, label: {en: In order}, ordered: true}
  - {name: M, type: select_multiple size, label: {en: Several}}
  - {name: P, type: select_one size, label: {en: In order too}, ordered: true}
  - {name: N, type: integer, label: {en: How many}}
choices:
  size:
    - {name: a, label: {en: A}}
    - {name: b, label: {en: B}}
    - {name: c, label: {en: C}}
    - {name: d, label: {en: No opinion}, role: no_opinion}
"""
    return as_model(parse_yaml(text, "asked"), Questionnaire, "asked")


def single(counts, question="Q"):
    """Return the items and groups of a table of people (groups, answers)."""
    counts = np.asarray(counts)
    size, width = counts.shape
    group, answer = np.divmod(np.repeat(np.arange(counts.size), counts.ravel()), width)
    everyone = np.arange(len(group))
    items = Items(question, tuple("abcd"[:width]), True, answer, np.ones(len(group), bool))
    return items, Groups("g", tuple("xyzw"[:size]), everyone, group, overlapping=False)


def public(items, groups, withheld=()):
    shares = count_everything([items], [groups], "real")
    hidden = shares["id"].isin(withheld)
    shares["suppressed"] = hidden
    shares.loc[hidden, ["n", "value", "low", "high"]] = pd.NA
    return shares


def of(estimates, measure):
    return estimates[estimates["measure"] == measure].set_index("id")


def test_difference_is_from_all_others():
    items, groups = single([[10, 10], [6, 24], [9, 21]])
    found = differences(public(items, groups)).set_index("id")
    # 10 of 20 in x, 15 of 60 elsewhere
    row = found.loc["Q.a.g.x.difference"]
    assert row["value"] == pytest.approx(25)
    assert -100 <= row["low"] < 25 < row["high"] <= 100
    assert len(found) == 6


def test_no_difference_from_few_or_from_what_is_withheld():
    items, groups = single([[4, 5], [20, 20], [30, 10]])
    found = differences(public(items, groups, ["Q.a.g.y"]))
    assert found["id"].tolist() == [
        "Q.b.g.y.difference",
        "Q.a.g.z.difference",
        "Q.b.g.z.difference",
    ]


def test_what_is_withheld_is_joined_to_the_others(asked):
    items, groups = single([[20, 4, 6, 10], [15, 9, 2, 14]])
    shares = public(items, groups, ["Q.b.g.x", "Q.c.g.x"])
    rows = shares[shares["group_by"] == "g"]
    shown = shown_table(rows, exclusive=True)
    assert shown.items == ("a", "d")
    assert shown.counts.tolist() == [[20, 10, 10], [15, 14, 11]]
    estimates = associations(shares, crossings([items], [groups]), asked, OF_DISTRIBUTION)
    expected = stats.chi2_contingency([[20, 10, 10], [15, 14, 11]], correction=False)
    test = of(estimates, "test").loc["Q.g.test"]
    assert (test["value"], test["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert "others joined" in test["method"]
    assert test["method"].endswith("adjusted by benjamini_hochberg in 1")


@given(st.integers(1, 9))
def test_nothing_derived_depends_on_what_is_withheld(moved):
    """Two tables that differ only in withheld cells give the same tests, effects, differences."""
    text = "title: {en: T}\nabout: {en: T}\nsurvey: []\n"
    bare = as_model(parse_yaml(text, "bare"), Questionnaire, "bare")
    found = []
    for shift in (0, moved):
        items, groups = single([[20, 10 - shift, 6 + shift, 10], [15, 9 + shift, 12 - shift, 14]])
        withheld = [f"Q.{item}.g.{group}" for item in "bc" for group in "xy"]
        found.append(derive(public(items, groups, withheld), [items], [groups], bare, QUICK, ""))
    pd.testing.assert_frame_equal(*found)


def test_group_of_which_nothing_is_shown_has_no_part(asked):
    items, groups = single([[20, 10], [15, 14], [1, 1]])
    shares = public(items, groups, ["Q.a.g.z", "Q.b.g.z"])
    test = of(associations(shares, crossings([items], [groups]), asked, QUICK), "test").iloc[0]
    assert test["base"] == 59
    assert not test["suppressed"]


def test_table_of_which_too_little_is_shown_has_no_test(asked):
    items, groups = single([[20, 10], [15, 14]])
    shares = public(items, groups, ["Q.a.g.x", "Q.b.g.x"])
    found = associations(shares, crossings([items], [groups]), asked, QUICK)
    assert found["measure"].tolist() == ["test"]
    assert found["suppressed"].tolist() == [True]
    assert found["p"].isna().all()


def test_constant_answers_are_undefined(asked):
    items, groups = single([[20, 0], [15, 0]])
    found = associations(public(items, groups), crossings([items], [groups]), asked, QUICK)
    assert found["method"].str.startswith("undefined").all()
    assert found["value"].isna().all()


def test_family_is_what_was_planned_whatever_can_be_tested(asked):
    first, groups = single([[20, 10], [12, 18]])
    others = [single([[20, 10], [15, 15]], name)[0] for name in ("R", "S", "T")]
    shares = public(first, groups)
    alone = of(associations(shares, crossings([first], [groups]), asked, QUICK), "test").iloc[0]
    planned = crossings([first, *others], [groups])
    among = of(associations(shares, planned, asked, QUICK), "test").iloc[0]
    assert alone["p_adjusted"] == alone["p"] == among["p"]
    assert among["p_adjusted"] == pytest.approx(min(1, 4 * among["p"]))
    for adjustment in ("holm", "benjamini_hochberg"):
        method = Method(adjustment=adjustment, resamples=99)
        found = of(
            associations(shares, crossings([first, *others], [groups]), asked, method), "test"
        )
        assert found["p_adjusted"].iloc[0] == pytest.approx(min(1, 4 * found["p"].iloc[0]))


def test_ordered_answers_are_tested_by_rank_without_no_opinion(asked):
    counts = np.array([[20, 10, 5, 3], [10, 12, 9, 2], [8, 12, 15, 4]])
    items, groups = single(counts, "O")
    found = associations(public(items, groups), crossings([items], [groups]), asked, QUICK)
    test = of(found, "test").iloc[0]
    answers = [np.repeat([0, 1, 2], row) for row in counts[:, :3]]
    assert test["value"] == pytest.approx(stats.kruskal(*answers).statistic)
    assert test["base"] == counts[:, :3].sum()
    assert "Kruskal-Wallis" in test["method"]


def test_two_groups_of_ordered_answers_are_tested_for_a_trend(asked):
    items, groups = single([[20, 10, 5], [10, 12, 14]], "O")
    found = associations(public(items, groups), crossings([items], [groups]), asked, QUICK)
    assert "linear-by-linear" in of(found, "test")["method"].iloc[0]


def test_middle_answer_with_its_interval(asked):
    items, groups = single([[6, 9, 5, 7], [1, 1, 20, 0]], "O")
    estimates = derive(public(items, groups), [items], [groups], asked, QUICK, "self_selected")
    found = of(estimates, "median")
    # of all: 7, 10 and 25 of 42 who gave an opinion, the 21st and 22nd said c; in x the 10th and
    # 11th of 20 said b, and the interval is of the 6th and the 15th
    assert found.loc["O.c.median", ["value", "base"]].tolist() == [3, 42]
    assert found.loc["O.b.g.x.median", ["low", "value", "high"]].tolist() == [1, 2, 2]


def several(ticks, group):
    ticks = np.asarray(ticks)
    values = ticks @ (1 << np.arange(ticks.shape[1]))
    items = Items("M", tuple("abc"[: ticks.shape[1]]), False, values, np.ones(len(ticks), bool))
    return items, Groups("g", ("x", "y"), np.arange(len(ticks)), np.asarray(group), False)


def test_ticks_are_tested_as_people_by_the_way_that_is_asked_for(asked):
    draw = np.random.default_rng(3)
    items, groups = several(draw.random((80, 3)) < 0.4, np.arange(80) % 2)
    told = {}
    for how in ("permutation", "rao_scott_1", "rao_scott_2", "bonferroni"):
        method = Method(select_all=how, resamples=999)
        found = associations(public(items, groups), crossings([items], [groups]), asked, method)
        told[how] = of(found, "test").iloc[0]
    counts = [[np.bincount(groups.codes[(items.values >> bit & 1) == on], minlength=2)
               for on in (0, 1)] for bit in range(3)]  # fmt: skip
    each = [stats.chi2_contingency(table, correction=False) for table in counts]
    assert told["permutation"]["value"] == pytest.approx(sum(one.statistic for one in each))
    assert told["bonferroni"]["p"] == pytest.approx(
        min(1, 3 * min(one.pvalue for one in each)), abs=5e-4
    )
    assert told["permutation"]["p"] == pytest.approx(told["rao_scott_2"]["p"], abs=0.05)
    words = ("over 999 permutations", "first-order", "second-order", "Bonferroni")
    for how, word in zip(told, words, strict=True):
        assert word in told[how]["method"]


def test_ticks_alike_in_both_groups_show_nothing_and_ticks_apart_do(asked):
    alike = several([[1, 0], [0, 1]] * 30, [0, 0, 1, 1] * 15)
    apart = several([[1, 0]] * 30 + [[0, 1]] * 30, [0] * 30 + [1] * 30)
    p = [
        of(associations(public(*one), crossings(*([part] for part in one)), asked, QUICK), "test")[
            "p"
        ].iloc[0]
        for one in (alike, apart)
    ]
    assert p == [1, 0.001]


def overlapping(answer, rest="not_stated"):
    """Return items of 80 people, 40 in x and 30 in y, 10 of them in both, 20 in none."""
    items = Items("Q", ("a", "b"), True, np.asarray(answer), np.ones(80, bool))
    people = np.concatenate([np.arange(40), np.arange(30, 60), np.arange(60, 80)])
    codes = np.repeat([0, 1, 2], [40, 30, 20])
    return items, Groups("g", ("x", "y", rest), people, codes, overlapping=True)


def by_region(answer, inside):
    """Return the sum of Pearson's statistics of each group, in and out, by the answer."""
    found = 0.0
    for low, high in ((0, 40), (30, 60)):
        member = (np.arange(80) >= low) & (np.arange(80) < high)
        table = [[((member == on) & (answer == one) & inside).sum() for one in (0, 1)]
                 for on in (False, True)]  # fmt: skip
        found += stats.chi2_contingency(table, correction=False).statistic
    return found


@pytest.mark.parametrize(("rest", "base"), [("not_stated", 60), ("other_answers", 80)])
def test_overlapping_groups_are_tested_among_those_whose_group_is_known(asked, rest, base):
    answer = np.random.default_rng(5).integers(0, 2, 80)
    items, groups = overlapping(answer, rest)
    found = associations(public(items, groups), crossings([items], [groups]), asked, QUICK)
    test = of(found, "test").iloc[0]
    assert test["base"] == base
    assert "MMI" in test["method"]
    assert "of 8 expected" in test["method"]
    assert test["value"] == pytest.approx(by_region(answer, np.arange(80) < base))
    gap = of(differences(public(items, groups)), "difference").loc["Q.a.g.x.difference"]
    others = answer[40:base]
    assert gap["value"] == pytest.approx(100 * ((answer[:40] == 0).mean() - (others == 0).mean()))


def test_nothing_is_told_of_those_who_are_not_stated(asked):
    items, groups = overlapping([0, 1] * 40)
    shares = public(items, groups, ["Q.a.g.not_stated", "Q.b.g.not_stated"])
    assert differences(shares).empty
    found = associations(shares, crossings([items], [groups]), asked, QUICK)
    assert of(found, "test")["suppressed"].tolist() == [True]


def test_a_blank_is_not_a_no(asked):
    items, groups = several([[1, 0], [0, 1]] * 30, [0, 0, 1, 1] * 15)
    items = replace(items, base_kind="asked")
    found = associations(public(items, groups), crossings([items], [groups]), asked, QUICK)
    assert of(found, "test")["method"].iloc[0].startswith("undefined: who left it blank")


def test_middle_answer_between_two_that_were_given(asked):
    items, groups = single([[10, 0, 10]], "O")
    found = derive(public(items, groups), [items], [], asked, QUICK, "self_selected")
    row = of(found, "median").iloc[0]
    assert row["method"].startswith("between a and c;")


def test_nominal_answers_by_ordered_groups_are_tested_by_rank(asked):
    counts = np.array([[20, 8, 2], [9, 12, 9], [3, 7, 18]])
    items, groups = single(counts, "Q")
    groups = replace(groups, name="P", names=("a", "b", "c"), of="P", declared=False)
    found = associations(public(items, groups), crossings([items], [groups]), asked, QUICK)
    test = of(found, "test").iloc[0]
    ranks = [np.repeat([0, 1, 2], column) for column in counts.T]
    assert test["value"] == pytest.approx(stats.kruskal(*ranks).statistic)


def test_shares_of_responses_only_when_asked_and_all_is_shown(asked):
    items, groups = several([[1, 1, 0], [1, 0, 0], [0, 1, 1], [1, 0, 0]] * 5, [0, 1] * 10)
    shares = public(items, groups)
    plain = derive(shares, [items], [groups], asked, QUICK, "self_selected")
    assert of(plain, "share_of_responses").empty
    found = derive(shares, [items], [groups], asked, QUICK, "self_selected", of_responses=True)
    told = of(found, "share_of_responses")
    assert told["base"].tolist() == [30] * 3  # ticks
    assert told["value"].tolist() == pytest.approx([50, 100 / 3, 100 / 6])
    hidden = public(items, groups, ["M.c"])
    found = derive(hidden, [items], [groups], asked, QUICK, "self_selected", of_responses=True)
    assert of(found, "share_of_responses").empty


def test_a_census_has_no_p_and_no_interval(asked):
    items, groups = single([[20, 10], [12, 18]])
    found = derive(public(items, groups), [items], [groups], asked, QUICK, "census")
    assert found[["p", "p_adjusted", "low", "high"]].isna().all(axis=None)
    assert not set(found["measure"]) & {"test", "residual"}
    assert of(found, "effect")["value"].notna().all()


def test_two_ordered_questions_are_tested_by_gamma(asked):
    items, groups = single([[20, 8, 2], [9, 12, 9], [3, 7, 18]], "O")
    groups = Groups("P", ("a", "b", "c"), groups.people, groups.codes, False, "P", declared=False)
    found = associations(public(items, groups), [(items, groups)], asked, QUICK)
    test = of(found, "test").iloc[0]
    pairs = [(g, a) for g, a in zip(groups.codes, items.values, strict=True)]
    signs = [np.sign((a - c) * (b - d)) for a, b in pairs for c, d in pairs]
    assert test["value"] == pytest.approx(sum(signs) / sum(map(abs, signs)))
    assert test["method"].startswith("gamma")


def test_median_of_a_number_tells_nobodys_own(asked):
    people = pd.DataFrame({"N": pd.array([*range(101, 122), None], dtype="Int64")})
    row = number_medians(people, asked, "real", [], least=15).iloc[0]
    assert (row["base"], row["value"], row["low"], row["high"]) == (21, 110, 110, 120)
    exact = number_medians(people, asked, "real", [], least=0).iloc[0]
    assert (exact["value"], exact["low"], exact["high"]) == (111, 106, 116)
    assert number_medians(people, asked, "real", [], least=22).empty
