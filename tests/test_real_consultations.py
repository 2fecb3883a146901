"""Two consultations with real answers: everything is read, and counted as a plain loop counts it.

Their exports stand outside the project; without them these tests are skipped.
"""

import csv
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from upr_analysis.checks import check
from upr_analysis.cleaning import find_places, memberships
from upr_analysis.codebook import Codebook, read_codebook
from upr_analysis.coding import PEOPLE, account, account_by_question
from upr_analysis.codings import Coded, code_everything, read_record
from upr_analysis.crosstab import question_items, respondent_groups, tally
from upr_analysis.exports import read_export
from upr_analysis.parameters import export_files, read_parameters
from upr_analysis.places import groups_of, resolve
from upr_analysis.questionnaire import Questionnaire, read_questionnaire
from upr_analysis.responses import Responses, type_responses

ROOT = Path(__file__).parent.parent
SHARED = ROOT / os.environ.get("UPR_SHARED", "../shared")
STACKS, UPR = "stacks-governance", "upr-recommendations"
STACKS_FILE = SHARED / "data/stacks_governance/results-anonymized-randomized.csv"
UPR_FILES = sorted((SHARED / "data/upr_recommendations").glob("*.csv"))

needs_stacks = pytest.mark.skipif(
    not STACKS_FILE.is_file(), reason="the Stacks export is not there: set UPR_SHARED"
)
needs_upr = pytest.mark.skipif(
    not UPR_FILES, reason="UPR Info's export is not there: set UPR_SHARED"
)


@dataclass(frozen=True)
class Typed:
    questionnaire: Questionnaire
    responses: Responses
    rows: list[dict[str, list[str]]]  # header -> cells under it, as the csv module reads them
    header: list[str]


def typed(consultation: str, files: list[Path], encoding: str) -> Typed:
    parameters = read_parameters(ROOT / "params" / f"{consultation}.yml")
    questionnaire = read_questionnaire(ROOT / "data" / consultation)
    export = read_export(export_files(parameters, ROOT), questionnaire)
    responses = type_responses(export, questionnaire, parameters.seed)
    rows: list[dict[str, list[str]]] = []
    for path in files:
        with path.open(encoding=encoding, newline="") as stream:
            header, *body = csv.reader(stream)
        for cells in body:
            row: dict[str, list[str]] = {}
            for name, cell in zip(header, cells, strict=True):
                row.setdefault(name, []).append(cell)
            rows.append(row)
    return Typed(questionnaire, responses, rows, header)


@pytest.fixture(scope="module")
def stacks() -> Typed:
    return typed(STACKS, [STACKS_FILE], "utf-8")


@pytest.fixture(scope="module")
def upr() -> Typed:
    return typed(UPR, UPR_FILES, "mac_roman")


def header_of(data: Typed, question: str) -> str:
    asked = data.questionnaire.question(question)
    return asked.column or asked.label["en"]


def said(row: dict[str, list[str]], header: str) -> str:
    """Return the one answer under a header that may head several columns."""
    answers = [cell for cell in row[header] if cell.strip()]
    assert len(answers) <= 1
    return answers[0] if answers else ""


def chosen(data: Typed, question: str) -> dict[str, int]:
    """Return how many chose each option of a select-all question, from its bit masks."""
    masks = data.responses.respondents[question]
    return {
        choice.name: sum(mask >> place & 1 for mask in masks)
        for place, choice in enumerate(data.questionnaire.options(question))
    }


@pytest.mark.parametrize(
    ("consultation", "rows"),
    [
        pytest.param(STACKS, 69, marks=needs_stacks),
        pytest.param(UPR, 23_484, marks=needs_upr),
    ],
)
def test_check_finds_nothing_wrong_and_types_every_row(consultation: str, rows: int) -> None:
    assert check(ROOT / "params" / f"{consultation}.yml", (), ROOT).rows == rows


@pytest.mark.parametrize(
    "consultation",
    [pytest.param("stacks", marks=needs_stacks), pytest.param("upr", marks=needs_upr)],
)
def test_every_column_belongs_to_one_question_or_is_ignored(
    consultation: str, request: pytest.FixtureRequest
) -> None:
    data = request.getfixturevalue(consultation)
    claims = Counter(header_of(data, question.name) for question in data.questionnaire.survey)
    claims.update(data.questionnaire.ignored)
    assert claims == Counter(dict.fromkeys(data.header, 1))
    repeated = {name for name, times in Counter(data.header).items() if times > 1}
    coalesced = {
        header_of(data, question.name)
        for question in data.questionnaire.survey
        if question.occurrence == "coalesce"
    }
    assert coalesced == repeated


@needs_stacks
def test_answers_of_both_versions_of_a_question_are_kept(stacks: Typed) -> None:
    for question in ("spoken", "resources", "holders_capacity", "entity_form"):
        answered = stacks.responses.respondents[f"{question}_state"] == "answered"
        header = header_of(stacks, question)
        cells = sum(bool(cell.strip()) for row in stacks.rows for cell in row[header])
        assert answered.sum() == cells > 0


@needs_stacks
@pytest.mark.parametrize("question", ["limits", "resources", "in_charge"])
def test_options_that_hold_commas_are_counted_whole(stacks: Typed, question: str) -> None:
    header = header_of(stacks, question)
    expected = Counter[str]()
    for row in stacks.rows:
        rest = said(row, header)
        for choice in stacks.questionnaire.options(question):
            for text in (choice.label["en"], *choice.also):
                whole = re.compile(rf"(?:^|(?<=, )){re.escape(text)}(?=, |$)")
                expected[choice.name] += bool(whole.search(rest))
        for choice in stacks.questionnaire.options(question):
            for text in (choice.label["en"], *choice.also):
                rest = re.sub(rf"(?:^|(?<=, )){re.escape(text)}(?=, |$)", "", rest)
        expected["other"] += any(character.isalnum() for character in rest)
    assert chosen(stacks, question) == dict(expected)
    assert expected["other"] > 0


@needs_stacks
def test_commas_in_an_option_do_not_make_two_answers(stacks: Typed) -> None:
    holds = [cell for row in stacks.rows for cell in row[header_of(stacks, "resources")]]
    assert chosen(stacks, "resources")["code"] == sum(
        "GitHub, other code/developer resources" in cell or "Code/developer resources" in cell
        for cell in holds
    )
    others = stacks.responses.free_texts
    left = others.loc[others["question"] == "resources_other", "text"]
    assert not left.str.contains("code/developer", regex=False).any()


@needs_stacks
def test_single_choices_are_the_cells(stacks: Typed) -> None:
    respondents = stacks.responses.respondents
    for question, cell, option in (
        ("interested", "Yes, all aspects of governance", "all"),
        ("holders_capacity", "Non-binding voting (i.e., signaling)", "signaling"),
        ("holds_stx", "Yes", "yes"),
        ("mission_aligned", "6", "s6"),
    ):
        header = header_of(stacks, question)
        expected = [said(row, header) == cell for row in stacks.rows]
        assert (respondents[question] == option).tolist() == expected
        assert any(expected)


def coded_of(typed: Typed, codebook: Codebook) -> Coded:
    responses = typed.responses
    nobody = read_record(ROOT / "data" / "nowhere")
    return code_everything(responses.open_responses, responses.imported, codebook, nobody)


@needs_stacks
def test_each_open_answer_is_accounted_for(stacks: Typed) -> None:
    codebook = read_codebook(ROOT / "data" / STACKS)
    responses = stacks.responses
    coded = coded_of(stacks, codebook)
    codings = coded.codings
    outcome = account(responses.open_responses, codings, coded.judged, codebook)
    counts = account_by_question(responses.open_responses, outcome).set_index("question")
    for question in stacks.questionnaire.open_questions:
        header = header_of(stacks, question.name)
        written = sum(bool(said(row, header)) for row in stacks.rows)
        row = counts.loc[question.name]
        assert row[["coded", "none_applies", "nothing_to_say", "redacted"]].sum() == written
        assert row["blank"] == len(stacks.rows) - written
        assert row["coded"] > 0
    opened = responses.open_responses
    texts = dict(
        zip(zip(opened["respondent"], opened["question"], strict=True), opened["text"], strict=True)
    )
    for coding in codings.to_dict("records"):
        text = texts[coding["respondent"], coding["question"]]
        assert text[coding["start"] : coding["end"]] == coding["quote"]


@needs_stacks
def test_countries_lead_to_a_region_or_to_the_visible_list(stacks: Typed) -> None:
    responses = stacks.responses
    places, unknown, _ = find_places(responses.free_texts, stacks.questionnaire, {})
    groups = memberships(responses.respondents, places, stacks.questionnaire)
    in_region = groups.loc[groups["grouping"] == "region", "respondent"].nunique()
    assert in_region + unknown["respondents"].sum() == len(stacks.rows)
    assert in_region >= 65


@needs_upr
def test_issue_codes_are_those_that_people_gave(upr: Typed) -> None:
    names = {choice.label["en"]: choice.name for choice in upr.questionnaire.options("issues")}
    assert len(names) == 54
    expected = Counter[str]()
    for row in upr.rows:
        rest = row["Issue"][0]
        for name in sorted(names, key=len, reverse=True):
            if name in rest:
                expected[names[name]] += 1
                rest = rest.replace(name, "")
        assert not rest.strip(", ")
    assert upr.responses.imported["code"].value_counts().to_dict() == dict(expected)
    assert len(expected) == 54
    assert not upr.responses.imported.duplicated().any()


@needs_upr
def test_every_recommendation_is_coded_by_people_only(upr: Typed) -> None:
    codebook = read_codebook(ROOT / "data" / UPR)
    responses = upr.responses
    coded = coded_of(upr, codebook)
    counted = coded.codings[coded.codings["counts"]]
    assert set(counted["coder"]) == {PEOPLE}
    outcome = account(responses.open_responses, counted, coded.judged, codebook)
    assert outcome.value_counts().loc["coded"] == len(upr.rows)


@needs_upr
def test_distinct_recommendations_stay_distinct(upr: Typed) -> None:
    texts = upr.responses.open_responses["text"]
    assert len(texts) == len(upr.rows)
    assert texts.nunique() == len({row["Text"][0].strip() for row in upr.rows})


@needs_upr
@pytest.mark.parametrize(
    ("question", "grouping", "columns"),
    [
        ("response", "region_under_review", ("Response", "To-Rgrp")),
        ("response", "action_asked", ("Response", "Action")),
        ("group_recommending", "region_under_review", ("From-Rgrp", "To-Rgrp")),
    ],
)
def test_cross_tabs_are_a_plain_count(
    upr: Typed, question: str, grouping: str, columns: tuple[str, str]
) -> None:
    respondents = upr.responses.respondents
    groups = memberships(respondents, no_places(upr), upr.questionnaire)
    items = question_items(respondents, upr.questionnaire, question)
    members = respondent_groups(respondents, groups, upr.questionnaire, grouping)
    counts, bases = tally(items, members)
    spelt = {
        column: {
            text: choice.name
            for choice in upr.questionnaire.options(name)
            for text in (choice.label["en"], *choice.also)
        }
        for column, name in zip(
            columns, (question, upr.questionnaire.grouping(grouping).by), strict=True
        )
    }
    expected = Counter(
        tuple(spelt[column][row[column][0]] for column in columns) for row in upr.rows
    )
    found = {
        (item, group): int(counts[place, item_place])
        for place, group in enumerate(members.names)
        for item_place, item in enumerate(items.names)
        if counts[place, item_place]
    }
    assert found == dict(expected)
    assert bases.sum() == len(upr.rows)


def no_places(data: Typed) -> pd.DataFrame:
    return data.responses.free_texts.head(0).assign(place="")


@needs_upr
def test_places_agree_with_the_groups_that_upr_info_gives_states(upr: Typed) -> None:
    groups = {
        "Africa": "african",
        "Asia": "asia_pacific",
        "EEG": "eastern_european",
        "GRULAC": "grulac",
        "WEOG": "weog",
    }
    states = {(row["To"][0], row["To-Rgrp"][0]) for row in upr.rows}
    assert len(states) == 193
    codes = {name: resolve(name, ("en",)).places for name, _ in states}
    assert len({code for found in codes.values() for code in found}) == 193
    elsewhere = {
        name for name, group in states if groups_of(codes[name][0], "un_group") != (groups[group],)
    }
    assert elsewhere == set()


@pytest.mark.parametrize(
    ("consultation", "name"),
    [
        pytest.param(STACKS, "stacks", marks=needs_stacks),
        pytest.param(UPR, "upr", marks=needs_upr),
    ],
)
def test_no_answer_stands_in_the_consultations_folder(
    consultation: str, name: str, request: pytest.FixtureRequest
) -> None:
    data = request.getfixturevalue(name)
    files = [path for path in (ROOT / "data" / consultation).iterdir() if path.is_file()]
    written = " ".join(" ".join(path.read_text(encoding="utf-8") for path in files).split())
    texts = (data.responses.open_responses["text"], data.responses.free_texts["text"])
    answers = {" ".join(text.split()) for column in texts for text in column}
    long = {answer for answer in answers if len(answer) >= 25}
    assert long
    assert [answer for answer in long if answer in written] == []


def readme(consultation: str) -> str:
    text = (ROOT / "data" / consultation / "README.md").read_text(encoding="utf-8")
    return " ".join(text.split())


@needs_stacks
def test_readme_of_stacks_states_what_is_counted(stacks: Typed) -> None:
    stated = readme(STACKS)
    for question, option in (
        ("in_charge", "STX tokenholders (plutocracy)"),
        ("in_charge", "Everyone (democracy)"),
        ("obstacles", "Yes"),
        ("limits", "I don't have enough time"),
        ("limits", "I don't understand Blockstack governance well enough"),
    ):
        cells = [said(row, header_of(stacks, question)) for row in stacks.rows]
        answered = [cell for cell in cells if cell]
        assert f"{sum(option in cell for cell in answered)} of {len(answered)}" in stated
    holds, wants = (header_of(stacks, name) for name in ("holds_stx", "new_entity"))
    for answers in (["Yes"], ["No", "Prefer not to answer"]):
        inside = [row for row in stacks.rows if said(row, holds) in answers and said(row, wants)]
        yes = sum(said(row, wants) == "Yes" for row in inside)
        assert f"{yes} of {len(inside)}" in stated


@needs_upr
@pytest.mark.parametrize(
    ("counted", "among"),
    [
        (("Issue", "International instruments"), None),
        (("Issue", "Women's rights"), None),
        (("Issue", "Rights of the Child"), None),
        (("Issue", "Minorities"), ("To-Rgrp", "EEG")),
        (("Issue", "Minorities"), ("To-Rgrp", "Africa")),
        (("Issue", "Death penalty"), ("From-Rgrp", "WEOG")),
        (("Issue", "Death penalty"), ("From-Rgrp", "Asia")),
        (("Response", "Accepted"), ("Action", "5")),
        (("Response", "Accepted"), ("Action", "2")),
    ],
)
def test_readme_of_the_upr_states_what_is_counted(
    upr: Typed, counted: tuple[str, str], among: tuple[str, str] | None
) -> None:
    inside = [row for row in upr.rows if among is None or row[among[0]] == [among[1]]]
    raised = sum(counted[1] in row[counted[0]][0].split(",") for row in inside)
    assert f"{raised:,} of {len(inside):,}" in readme(UPR)
