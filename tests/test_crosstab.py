import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upr_analysis.crosstab import (
    Groups,
    Items,
    coded_items,
    count_everything,
    crossings,
    question_items,
    respondent_groups,
    select,
    tally,
)
from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.problems import InputError
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


def test_shares_are_percent_of_the_base_with_an_interval():
    estimates = count_everything([several([1, 1, 2, 0, 1], [True] * 5)], [], "real")
    row = estimates.set_index("id").loc["Q2.x"]
    assert (row["n"], row["base"], row["value"]) == (3, 5, 60.0)
    assert row["low"] < 60 < row["high"]
    assert row["base_kind"] == "answered"


def test_empty_base_gives_no_share_and_no_crash():
    estimates = count_everything([several([0, 0], [False, False])], [], "real")
    assert estimates["value"].isna().all()
    assert (estimates["base"] == 0).all()


ASKED = """
title: {en: Asked}
about: {en: Made for the tests.}
languages: [en, pt-BR]
survey:
  - {name: lang, type: text, label: {en: Language}, role: language}
  - {name: Q1, type: select_one size, label: {en: How much}, ordered: true}
  - {name: Q2, type: select_multiple tools, label: {en: Tools}}
  - {name: Q3, type: select_one yes_no, label: {en: Attacked}, role: sensitive}
  - {name: Q4, type: select_one needs, label: {en: Needs}}
choices:
  size:
    - {name: much, label: {en: Much}}
    - {name: little, label: {en: Little}}
    - {name: unsure, label: {en: Do not know}, role: no_opinion}
  tools:
    - {name: index, label: {en: Index}}
    - {name: none_known, label: {en: No opinion}, role: no_opinion}
    - {name: letter, label: {en: Letter}}
    - {name: shelter, label: {en: Shelter}}
  needs: [{name: money, label: {en: Money}}, {name: safety, label: {en: Safety}, sensitive: true}]
  yes_no: [{name: "yes", label: {en: "Yes"}}, {name: "no", label: {en: "No"}}]
"""
# a: much, little, unsure; one blank; one not asked.  b: ticks as bits of tools.
PEOPLE = pd.DataFrame(
    {
        "respondent": list("abcde"),
        "language": ["en", "en", "pt-BR", "en", "pt-BR"],
        "Q1": pd.Categorical(
            ["much", "little", "unsure", None, None], ["much", "little", "unsure"]
        ),
        "Q1_state": ["answered", "answered", "answered", "skipped", "not_asked"],
        "Q2": [0b0001, 0b0101, 0b0010, 0b1000, 0],
        "Q2_state": ["answered"] * 4 + ["skipped"],
        "Q3": pd.Categorical(["yes", "no", "no", "no", "no"], ["yes", "no"]),
        "Q3_state": ["answered"] * 5,
    }
)
NOWHERE = pd.DataFrame({"respondent": [], "grouping": [], "group": []})


@pytest.fixture
def asked():
    return as_model(parse_yaml(ASKED, "asked"), Questionnaire, "asked")


@pytest.mark.parametrize(
    ("base", "names", "counts", "size"),
    [
        ("answered", ("much", "little", "unsure"), [1, 1, 1], 3),
        ("asked", ("much", "little", "unsure", "left_blank"), [1, 1, 1, 1], 4),
        ("eligible", ("much", "little"), [1, 1], 2),
    ],
)
def test_bases_of_a_single_choice(asked, base, names, counts, size):
    items = question_items(PEOPLE, asked, "Q1", base)
    assert (items.names, items.base_kind) == (names, base)
    found, bases = tally(items)
    assert (found.tolist(), bases.tolist()) == ([counts], [size])


@pytest.mark.parametrize(
    ("base", "counts", "size"),
    [("answered", [2, 1, 1, 1], 4), ("asked", [2, 1, 1, 1], 5), ("eligible", [2, 1, 1], 3)],
)
def test_bases_of_a_select_all_question(asked, base, counts, size):
    found, bases = tally(question_items(PEOPLE, asked, "Q2", base))
    assert (found.tolist(), bases.tolist()) == ([counts], [size])


def test_a_question_groups_by_its_options(asked):
    groups = respondent_groups(PEOPLE, NOWHERE, asked, "Q2")
    assert groups.names == ("index", "none_known", "letter", "shelter", "not_stated")
    assert groups.overlapping  # b ticked two
    members = {
        name: sorted(groups.people[groups.codes == place].tolist())
        for place, name in enumerate(groups.names)
    }
    assert members == {
        "index": [0, 1], "none_known": [2], "letter": [1], "shelter": [3], "not_stated": [4],
    }  # fmt: skip


def test_who_ticked_nothing_did_not_skip():
    ticked = PEOPLE.assign(Q2_state="answered")
    asked = as_model(parse_yaml(ASKED, "asked"), Questionnaire, "asked")
    groups = respondent_groups(ticked, NOWHERE, asked, "Q2")
    assert groups.names[-1] == "other_answers"
    assert groups.people[groups.codes == 4].tolist() == [4]


@pytest.mark.parametrize("name", ["Q3", "Q4"])
def test_a_sensitive_question_or_option_groups_nobody(asked, name):
    with pytest.raises(InputError, match=f"No grouping is called '{name}'"):
        respondent_groups(PEOPLE, NOWHERE, asked, name)


def test_respondents_group_by_language(asked):
    groups = respondent_groups(PEOPLE, NOWHERE, asked, "language")
    assert groups.names == ("en", "pt_BR")
    counts, bases = tally(question_items(PEOPLE, asked, "Q1"), groups)
    assert (counts.tolist(), bases.tolist()) == ([[1, 1, 0], [0, 0, 1]], [2, 1])


def test_no_table_stands_twice_and_no_sensitive_question_is_crossed(asked):
    items = [question_items(PEOPLE, asked, name) for name in ("Q1", "Q2", "Q3")]
    groups = [respondent_groups(PEOPLE, NOWHERE, asked, name) for name in ("Q2", "Q1")]
    crossed = [(one.question, by.name) for one, by in crossings(items, groups)]
    assert crossed == [("Q1", "Q2")]


def test_only_those_of_whom_the_condition_holds_are_counted(asked):
    kept = select(PEOPLE, NOWHERE, asked, ["language=en", "Q2=index"])
    assert kept["respondent"].tolist() == ["a", "b"]
    estimates = count_everything(
        [question_items(kept, asked, "Q1")], [], "real", where=["language=en", "Q2=index"]
    )
    assert set(estimates["filter"]) == {"language=en & Q2=index"}
    assert estimates["base"].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("Q1", "is no condition: write name=group"),
        ("Q1=huge", "Q1 has no group 'huge'"),
        ("Q3=yes", "No grouping is called 'Q3'"),
        ("Q4=money", "No grouping is called 'Q4'"),
    ],
)
def test_a_condition_that_is_not_understood_is_refused(asked, condition, said):
    with pytest.raises(InputError, match=said):
        select(PEOPLE, NOWHERE, asked, [condition])


def test_a_condition_leaves_and_leaves_out_enough(asked):
    assert len(select(PEOPLE, NOWHERE, asked, ["language=en"], fewest=2)) == 3
    with pytest.raises(InputError, match="fewer than 3"):
        select(PEOPLE, NOWHERE, asked, ["language=en"], fewest=3)  # leaves out two


@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2)), min_size=1, max_size=30), st.randoms()
)
def test_order_of_respondents_changes_nothing_and_percentages_are_within_range(people, random):
    def estimates(rows):
        items = several([value & 3 for value, _ in rows], [value < 6 for value, _ in rows])
        codes = np.array([group for _, group in rows])
        groups = Groups("g", ("a", "b", "c"), np.arange(len(rows)), codes, False)
        return count_everything([items], [groups], "real")

    found = estimates(people)
    shuffled = random.sample(people, len(people))
    pd.testing.assert_frame_equal(found, estimates(shuffled))
    shares = found[["low", "value", "high"]].dropna()
    assert ((shares >= 0) & (shares <= 100)).all(axis=None)
    assert (shares["low"] <= shares["value"] + 1e-9).all()
    by_group = found[found["group_by"] == "g"].groupby("item")["n"].sum()
    totals = found[found["group_by"] == ""].set_index("item")["n"]
    assert by_group.to_dict() == totals.to_dict()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=30))
def test_merging_groups_adds_counts(people):
    items = several([value for value, _ in people], [True] * len(people))
    codes = np.array([group for _, group in people], dtype=np.int64)
    everyone = np.arange(len(people))
    apart, bases = tally(items, Groups("g", ("a", "b", "c"), everyone, codes, False))
    merged, joint = tally(items, Groups("g", ("a", "bc"), everyone, codes.clip(max=1), False))
    assert merged[1].tolist() == apart[1:].sum(axis=0).tolist()
    assert joint[1] == bases[1:].sum()
