import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upr_analysis.crosstab import (
    Groups,
    Items,
    adjust_tests,
    coded_items,
    count_everything,
    guard_routing,
    respondent_groups,
    tally,
)
from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.questionnaire import Questionnaire

# Five respondents; two regions, c in both, e in none.
MEMBERS = Groups(
    "region", ("africa", "asia", "not_stated"), np.array([0, 1, 2, 2, 3, 4]),
    np.array([0, 0, 0, 1, 1, 2]), overlapping=True,
)  # fmt: skip


def several(values, answered):
    return Items("Q2", ("x", "y"), False, np.array(values), np.array(answered))


def test_ticks_are_counted_as_people_with_their_base():
    items = several([0b01, 0b11, 0b10, 0b00, 0b01], [True, True, True, False, True])
    counts, bases = tally(items)
    assert counts.tolist() == [[3, 2]]
    assert bases.tolist() == [4]


def test_respondent_in_two_groups_counts_in_each_and_once_in_the_total():
    items = several([0b01, 0b11, 0b10, 0b00, 0b01], [True, True, True, False, True])
    counts, bases = tally(items, MEMBERS)
    assert counts.tolist() == [[2, 2], [0, 1], [1, 0]]
    assert bases.tolist() == [3, 1, 1]


def test_those_who_did_not_answer_leave_the_base():
    items = Items(
        "Q1", ("yes", "no"), True, np.array([0, 1, -1, 0, -1]), np.array([1, 1, 0, 1, 0], bool)
    )
    counts, bases = tally(items, MEMBERS)
    assert counts.tolist() == [[1, 1], [1, 0], [0, 0]]
    assert bases.tolist() == [2, 1, 0]


@given(st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.integers(0, 2)), max_size=40))
def test_tally_equals_a_plain_loop(people):
    values = np.array([mask for mask, _, _ in people], dtype=np.int64)
    answered = np.array([said for _, said, _ in people], dtype=bool)
    codes = np.array([group for _, _, group in people], dtype=np.int64)
    groups = Groups("g", ("a", "b", "c"), np.arange(len(people)), codes, False)
    counts, bases = tally(Items("Q", ("x", "y", "z"), False, values, answered), groups)
    for group in range(3):
        inside = [mask for mask, said, own in people if said and own == group]
        assert bases[group] == len(inside)
        for bit in range(3):
            assert counts[group, bit] == sum(bool(mask & (1 << bit)) for mask in inside)


def test_theme_raised_twice_by_one_respondent_counts_once():
    respondents = pd.DataFrame({"respondent": ["a", "b", "c"]})
    answers = pd.DataFrame(
        {"respondent": ["a", "a", "b", "c"], "question": ["Q6", "Q7", "Q6", "Q6"],
         "state": ["answered", "answered", "answered", "skipped"]}
    )  # fmt: skip
    codings = pd.DataFrame({"respondent": ["a", "a", "b"], "code": ["one", "two", "two"]})
    items = coded_items(
        respondents, answers, codings, "themes", {"first": ["one", "two"], "second": ["two"]}
    )
    counts, bases = tally(items)
    assert counts.tolist() == [[2, 2]]
    assert bases.tolist() == [2]


def test_those_in_no_group_are_their_own_group(questionnaire):
    respondents = pd.DataFrame({"respondent": ["a", "b"]})
    own = pd.DataFrame({"respondent": ["a"], "grouping": ["region"], "group": ["asia"]})
    groups = respondent_groups(respondents, own, questionnaire, "region")
    assert groups.names == ("africa", "asia", "not_stated")
    assert not groups.overlapping


def test_tests_are_made_of_tables_of_people_only():
    one = Items("Q1", ("yes", "no"), True, np.array([0, 1, 0, 1, 0]), np.ones(5, bool))
    partition = Groups("kind", ("a", "b"), np.arange(5), np.array([0, 1, 0, 1, 1]), False)
    estimates = count_everything(
        [one, several([1, 2, 3, 0, 1], [True] * 5)], [partition, MEMBERS], "invented", 1, 99
    )
    tests = estimates[estimates["measure"] == "test"]
    assert tests["table"].tolist() == ["Q1.kind"]
    assert (estimates["source"] == "invented").all()
    assert estimates["id"].is_unique


def test_shares_are_percent_of_the_base_with_an_interval():
    estimates = count_everything([several([1, 1, 2, 0, 1], [True] * 5)], [], "real", 1, 99)
    row = estimates.set_index("id").loc["Q2.x"]
    assert (row["n"], row["base"], row["value"]) == (3, 5, 60.0)
    assert row["low"] < 60 < row["high"]
    assert row["base_kind"] == "answered"


def test_empty_base_gives_no_share_and_no_crash():
    estimates = count_everything([several([0, 0], [False, False])], [], "real", 1, 99)
    assert estimates["value"].isna().all()
    assert (estimates["base"] == 0).all()


def test_p_is_adjusted_over_the_tests_that_are_shown():
    estimates = pd.DataFrame({"p": pd.array([0.01, None, 0.04], dtype="Float64")})
    assert adjust_tests(estimates, "self_selected")["p_adjusted"].tolist()[::2] == pytest.approx(
        [0.02, 0.04]
    )


ROUTED = """
title: {en: Routed}
about: {en: Made for the tests.}
survey:
  - {name: G, type: select_one gate, label: {en: Gate}}
  - {name: F, type: select_one gate, label: {en: Follow-up}, relevant: "${G} = 'yes'"}
choices:
  gate: [{name: "yes", label: {en: "Yes"}}, {name: "no", label: {en: "No"}}]
"""


def routed(yes: int, no: int) -> list[Items]:
    gate = np.array([0] * yes + [1] * no)
    everyone = np.ones(yes + no, bool)
    follow = np.where(gate == 0, 0, -1)
    return [
        Items("G", ("yes", "no"), True, gate, everyone),
        Items("F", ("yes", "no"), True, follow, gate == 0),
    ]


def test_base_of_a_follow_up_tells_no_small_gate():
    questionnaire = as_model(parse_yaml(ROUTED, "routed"), Questionnaire, "routed")
    assert [one.question for one in guard_routing(routed(3, 40), [], questionnaire, 5, 10)] == ["G"]
    kept = guard_routing(routed(20, 40), [], questionnaire, 5, 10)
    assert [(one.question, one.crossed) for one in kept] == [("G", False), ("F", True)]


def test_follow_up_is_not_crossed_where_few_of_a_group_were_not_led_to_it():
    questionnaire = as_model(parse_yaml(ROUTED, "routed"), Questionnaire, "routed")
    # of the second group two of twelve said no, which its base of ten would tell
    codes = np.array([0] * 10 + [1] * 10 + [0] * 38 + [1] * 2)
    groups = Groups("g", ("a", "b"), np.arange(60), codes, False)
    kept = guard_routing(routed(20, 40), [groups], questionnaire, 5, 10)
    assert [one.crossed for one in kept] == [False, False]
