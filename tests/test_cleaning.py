import pandas as pd
import pytest

from upr_analysis.cleaning import (
    cleaning_log,
    find_removals,
    is_timed,
    keep,
    memberships,
    respondent_flow,
)
from upr_analysis.exports import read_export
from upr_analysis.questionnaire import Group, Grouping
from upr_analysis.responses import type_responses

LONG = "We would like the documents to be sent out earlier, and in more of the official languages, "
FULL = "{id},en,NGO,Index,Kenya,Yes,Alone,{words},"


@pytest.fixture
def cleaned(questionnaire, export_file):
    """Type rows of (id, row) and return why each id is removed."""

    def clean(*rows, minimum=3, deduplicate=True):
        questions = questionnaire.model_copy(
            update={"survey": tuple(one for one in questionnaire.survey if one.name != "id")}
        )
        path = export_file(*[row.partition(",")[2] for row in rows], header=HEADER_WITHOUT_ID)
        responses = type_responses(read_export([path], questions), questions, seed=1)
        why = find_removals(
            responses.respondents,
            responses.open_responses,
            responses.free_texts,
            minimum,
            deduplicate,
            95,
        )
        return [None if pd.isna(reason) else reason for reason in why], responses

    return clean


HEADER_WITHOUT_ID = "Lang,Kind,Tools,Countries,Engaged,How,Why,E-mail"


def test_each_removal_has_its_reason_and_the_first_of_duplicates_stays(cleaned):
    rows = [
        FULL.format(id=1, words=f'"{LONG * 2}"'),
        FULL.format(id=2, words="test"),
        "3,en,,,,,,,",
        "4,en,NGO,Index,,,,,",
        FULL.format(id=5, words=f'"{LONG * 2}"'),
        FULL.format(id=6, words=f'"{LONG * 2}"').replace("sent out", "sent"),
        FULL.format(id=7, words="something else"),
    ]
    why, _ = cleaned(*rows)
    assert why == [
        None, "test entry", "empty", "partial", "exact duplicate", "near duplicate", None,
    ]  # fmt: skip


def test_equal_answers_without_words_are_no_duplicates(cleaned):
    why, _ = cleaned(FULL.format(id=1, words="yes"), FULL.format(id=2, words="yes"))
    assert why == [None, None]


def test_the_same_letter_under_another_choice_is_no_near_duplicate(cleaned):
    letter = f'"{LONG * 2}"'
    other = FULL.format(id=2, words=letter).replace("NGO", "State").replace("sent out", "sent")
    assert cleaned(FULL.format(id=1, words=letter), other)[0] == [None, None]


def test_without_any_words_nobody_is_lost(cleaned):
    why, _ = cleaned("1,en,NGO,Index,,Yes,Alone,,", "2,en,NGO,Index,,Yes,Alone,,")
    assert why == [None, None]


def test_grouping_by_a_select_all_question_puts_people_in_each_group(questionnaire):
    tools = Grouping(
        name="tools",
        label={"en": "Tools"},
        by="Q2",
        groups=(
            Group(name="index", label={"en": "Index"}, of=("index",)),
            Group(name="rest", label={"en": "Rest"}, of=("letter", "other")),
        ),
    )
    chosen = questionnaire.model_copy(update={"groupings": (tools,)})
    respondents = pd.DataFrame({"respondent": ["a", "b", "c"], "Q2": [0b001, 0b111, 0]})
    nowhere = pd.DataFrame({"respondent": [], "question": [], "place": []})
    found = memberships(respondents, nowhere, chosen)
    assert sorted(map(tuple, found[["respondent", "group"]].to_numpy())) == [
        ("a", "index"), ("b", "index"), ("b", "rest"),
    ]  # fmt: skip


def test_short_answers_are_never_near_duplicates(cleaned):
    why, _ = cleaned(FULL.format(id=1, words="no money"), FULL.format(id=2, words="no money!"))
    assert why == [None, None]


def test_duplicates_stay_where_the_parameter_says_so(cleaned):
    why, _ = cleaned(FULL.format(id=1, words="x"), FULL.format(id=2, words="x"), deduplicate=False)
    assert why == [None, None]


def test_flow_adds_up_and_log_tells_no_answer(cleaned):
    why, responses = cleaned("1,en,,,,,,,", FULL.format(id=2, words="fine"))
    reasons = pd.Series(why, dtype="string")
    flow = respondent_flow(2, reasons)
    assert flow.set_index("step")["respondents"].to_dict() == {
        "received": 2, "test entry": 0, "empty": 1, "partial": 0,
        "exact duplicate": 0, "near duplicate": 0, "kept": 1,
    }  # fmt: skip
    log = cleaning_log(responses.respondents, reasons, [responses.changes])
    assert log[["column", "rule", "change"]].values.tolist() == [["", "empty", "removed"]]
    assert len(keep(responses.respondents, reasons)) == 1


def test_flow_that_does_not_add_up_stops_the_step():
    with pytest.raises(AssertionError):
        respondent_flow(3, pd.Series([None, "empty"], dtype="string"))


def test_respondent_in_two_regions_is_in_both_and_once_in_each(questionnaire):
    respondents = pd.DataFrame({"respondent": ["a", "b"], "Q1": ["ngo", None]})
    places = pd.DataFrame(
        {
            "respondent": ["a", "a", "a", "b"],
            "question": "Q3",
            "place": ["KEN", "UGA", "JPN", "FRA"],
        }
    )
    found = memberships(respondents, places, questionnaire)
    assert found.values.tolist() == [
        ["a", "kind", "ngo"], ["a", "region", "africa"], ["a", "region", "asia"],
    ]  # fmt: skip


def test_a_consultation_groups_places_by_their_codes(questionnaire):
    groups = (
        Group(name="lakes", label={"en": "Great Lakes"}, of=("KEN", "UGA")),
        Group(name="others", label={"en": "Others"}, of=("FRA", "EASTERN_AFRICA")),
    )
    own = Grouping(name="mine", label={"en": "Mine"}, by="Q3", scheme="place", groups=groups)
    asked = questionnaire.model_copy(update={"groupings": (own,)})
    respondents = pd.DataFrame({"respondent": ["a", "b", "c"]})
    places = pd.DataFrame(
        {
            "respondent": ["a", "a", "b", "c"],
            "question": "Q3",
            "place": ["KEN", "UGA", "EASTERN_AFRICA", "JPN"],
        }
    )
    assert memberships(respondents, places, asked).values.tolist() == [
        ["a", "mine", "lakes"], ["b", "mine", "others"],
    ]  # fmt: skip


def test_who_was_too_fast_leaves_only_where_a_limit_is_set():
    moment = pd.to_datetime(["2021-06-14 10:00:00"] * 3, utc=True)
    respondents = pd.DataFrame(
        {
            "respondent": ["a", "b", "c"],
            "started": moment,
            "submitted": [moment[0] + pd.Timedelta(seconds=n) for n in (59, 60, 600)],
            "Q1_state": ["answered"] * 3,
        }
    )
    words = pd.DataFrame({"respondent": [], "text": []}, dtype="str")
    for limit, left in ((0, [None] * 3), (60, ["speeder", None, None])):
        why = find_removals(respondents, words, words, 1, False, 95, limit)
        assert why.astype(object).where(why.notna(), None).tolist() == left


def test_nobody_is_too_fast_whose_times_are_days_or_run_backwards():
    words = pd.DataFrame({"respondent": [], "text": []}, dtype="str")
    days = pd.to_datetime(["2021-06-14"] * 2, utc=True)
    respondents = pd.DataFrame(
        {"respondent": ["a", "b"], "started": days, "submitted": days}
        | {"Q1_state": ["answered"] * 2}
    )
    assert not is_timed(respondents)
    assert find_removals(respondents, words, words, 1, False, 95, 60).isna().all()
    untimed = respondents[["respondent", "Q1_state"]]
    assert find_removals(untimed, words, words, 1, False, 95, 60).isna().all()
    respondents["started"] += pd.to_timedelta([3601, 5], unit="s")
    respondents["submitted"] += pd.to_timedelta([1, 10], unit="s")  # in another time zone, perhaps
    assert find_removals(respondents, words, words, 1, False, 95, 60).fillna("").tolist() == [
        "", "speeder",
    ]  # fmt: skip
