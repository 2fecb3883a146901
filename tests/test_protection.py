import numpy as np
import pytest

from upr_analysis.crosstab import Groups, Items
from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.problems import InputError
from upr_analysis.protection import guard_groups, guard_routing
from upr_analysis.questionnaire import Questionnaire

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


def by_answer(sizes, overlapping=False):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    names = (*"abcdefg"[: len(sizes) - 1], "not_stated")
    people = np.arange(len(codes))
    return Groups("Q1", names, people, codes, overlapping, "Q1", declared=False)


def test_options_that_too_few_gave_are_no_group_of_their_own():
    (found,) = guard_groups([by_answer([30, 4, 20, 3, 2])], 15, 5)
    assert found.names == ("a", "c", "other_answers", "not_stated")
    assert np.bincount(found.codes).tolist() == [30, 20, 7, 2]


def test_an_option_that_alone_is_too_small_makes_no_grouping():
    with pytest.raises(InputError, match="Q1 has options that too few gave"):
        guard_groups([by_answer([30, 4, 20, 0])], 15, 5)


def test_what_only_some_have_in_common_is_not_told_by_a_small_group():
    groups = Groups("kind", ("a", "b"), np.arange(20), np.array([0] * 3 + [1] * 17), False)
    assert guard_groups([groups], 15, 5) == [groups]
    with pytest.raises(InputError, match="fewer than 5 respondents in a group of kind"):
        guard_groups([groups], 15, 5, some=True)


def test_declared_groups_stay_as_they_are():
    groups = Groups("kind", ("a", "b"), np.arange(5), np.array([0, 1, 1, 1, 1]), False)
    assert guard_groups([groups], 15, 5) == [groups]


def test_an_option_of_all_but_a_few_who_answered_is_no_group():
    people = np.append(np.arange(38), np.arange(20))
    codes = np.repeat([0, 1], [38, 20])
    ticked = Groups(
        "Q2", ("most", "half", "other_answers", "not_stated"),
        np.concatenate([people, [38, 39], np.arange(40, 50)]),
        np.concatenate([codes, [2, 2], np.repeat(3, 10)]), True, "Q2", declared=False,
    )  # fmt: skip
    (found,) = guard_groups([ticked], 15, 5)  # 38 of the 40 who answered ticked most
    assert found.names == ("half", "other_answers", "not_stated")
    assert np.bincount(found.codes).tolist() == [20, 20, 10]
    assert not found.overlapping


def test_follow_up_of_a_question_that_is_left_out_is_left_out_too():
    text = ROUTED + ""
    text = text.replace(
        "choices:",
        """  - {name: H, type: select_one gate, label: {en: After}, relevant: "${F} = 'yes'"}
choices:""",
    )
    questionnaire = as_model(parse_yaml(text, "chain"), Questionnaire, "chain")
    gate, led = routed(4, 60)
    after = Items("H", ("yes", "no"), True, np.where(gate.values == 0, 1, -1), gate.values == 0)
    kept = guard_routing([gate, led, after], [], questionnaire, 5, 10)
    assert [one.question for one in kept] == ["G"]


def test_themes_that_a_gate_led_to_tell_no_small_rest():
    text = ROUTED.replace(
        "choices:",
        """  - {name: W, type: text, label: {en: Why}, relevant: "${G} = 'yes'"}
choices:""",
    )
    questionnaire = as_model(parse_yaml(text, "open"), Questionnaire, "open")
    gate = routed(57, 3)[0]
    themes = Items("themes", ("a", "b"), False, np.ones(60, dtype=np.int64), gate.values == 0)
    kept = guard_routing([gate, themes], [], questionnaire, 5, 10)
    assert [one.question for one in kept] == ["G"]
    gate = routed(50, 10)[0]
    themes = Items("themes", ("a", "b"), False, np.ones(60, dtype=np.int64), gate.values == 0)
    codes = np.array([0] * 47 + [1] * 3 + [0] * 3 + [1] * 7)
    groups = Groups("g", ("a", "b"), np.arange(60), codes, False)
    kept = guard_routing([gate, themes], [groups], questionnaire, 5, 10)
    assert [(one.question, one.crossed) for one in kept] == [("G", False), ("themes", False)]


def test_few_of_no_opinion_are_not_told_by_a_smaller_base():
    questionnaire = as_model(parse_yaml(ROUTED, "routed"), Questionnaire, "routed")
    groups = Groups("g", ("a", "b"), np.arange(60), np.repeat([0, 1], 30), False)

    def counted(silent):
        mute = np.isin(np.arange(60), silent)
        values = np.where(mute, -1, np.arange(60) % 2)
        return Items("Q", ("yes", "no"), True, values, ~mute, True, "eligible", mute)

    assert guard_routing([counted([0, 1, 2])], [groups], questionnaire, 5, 10) == []
    (kept,) = guard_routing([counted([*range(8), 40])], [groups], questionnaire, 5, 10)
    assert not kept.crossed  # one of b
    (kept,) = guard_routing([counted(range(8))], [groups], questionnaire, 5, 10)
    assert kept.crossed
