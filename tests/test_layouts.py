"""The same answers are typed the same from every tool: `exports/` holds them, all invented."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from workbooks import write_xlsx

from upr_analysis.documents import as_model, read_yaml
from upr_analysis.drafting import draft
from upr_analysis.exports import read_export
from upr_analysis.grids import read_grid
from upr_analysis.layouts import lay_out
from upr_analysis.marks import is_other, words_behind_other
from upr_analysis.questionnaire import Questionnaire
from upr_analysis.responses import Responses, type_responses
from upr_analysis.scaffold import as_yaml, found_consultation

EXPORTS = Path(__file__).parent / "exports"
TRUTH = read_yaml(EXPORTS / "answers.yml")
QUESTIONS = {question["id"]: question for question in TRUTH["questions"]}
Asked = dict[str, Any]


def by_text(question: str) -> str:
    return str(QUESTIONS[question]["text"]["en"])


def matrix(row: int) -> str:
    return f"{by_text('q4')} > {QUESTIONS['q4']['rows'][row]['en']}"


def headers(columns: Callable[[str], str], first: str, second: str) -> dict[str, str]:
    simple = {q: columns(q) for q in ("q1", "q2", "q3", "q5", "q6", "q7", "q8", "q9")}
    return simple | {"billing": first, "repairs": second}


def code(question: str) -> str:
    return question.upper()


def xlsform(question: str) -> str:
    return str(QUESTIONS[question]["xlsform"])


def numbered(question: str) -> str:
    extra = {
        "q2": " (tick all that apply)",
        "q8": " (their names, with a comma between them)",
    }
    return f"{question[1:]}. {by_text(question)}{extra.get(question, '')}"


WORDS = headers(by_text, matrix(0), matrix(1))
# file -> the tool, the headers as a questionnaire names them, and what has to be said besides
FILES: dict[str, tuple[str, dict[str, str], Asked]] = {
    "surveymonkey": ("surveymonkey", WORDS, {}),
    "limesurvey_codes": (
        "limesurvey", headers(code, "Q4[SQ001]", "Q4[SQ002]"), {"not_asked": ["N/A"]},
    ),
    "limesurvey_full": ("limesurvey", WORDS, {"not_asked": ["N/A"]}),
    "limesurvey_answer_codes": ("limesurvey", headers(code, "Q4[SQ001]", "Q4[SQ002]"), {}),
    "qualtrics": ("qualtrics", headers(code, "Q4_1", "Q4_2"), {}),
    "qualtrics_split": ("qualtrics", WORDS, {}),
    "kobo": ("kobo", headers(xlsform, "services/billing", "services/repairs"), {}),
    "kobo_labels": ("kobo", WORDS, {"words": {"q1": "Other: please specify",
                                              "q2": "Other problem: please specify"}}),
    "odk": ("kobo", headers(xlsform, "services-billing", "services-repairs"), {}),
    "google_forms": ("google_forms", WORDS, {}),
    "microsoft_forms": (
        "microsoft_forms", headers(by_text, "Billing", "Repairs"), {},
    ),
    "surveygizmo": ("surveygizmo", WORDS, {}),
    "eusurvey": ("eusurvey", WORDS, {"words": {"q1": "Please specify who you are",
                                               "q2": "Please specify the other problem"}}),
    "decidim": (
        "csv", headers(numbered, f"{numbered('q4')} > Billing", f"{numbered('q4')} > Repairs"),
        {"ignored": ["Answer ID", "Answered on", "IP Hash", "User status"]},
    ),
    "plain": (
        "csv", headers(by_text, "Billing", "Repairs"),
        {"ignored": ["Number", "Received on", "Language"], "separator": " | ",
         "encoding": "cp1252", "decimal_comma": True},
    ),
    "plain_mac": (
        "csv", headers(by_text, "Billing", "Repairs"),
        {"ignored": ["Number", "Received on", "Language"], "encoding": "mac_roman"},
    ),
}  # fmt: skip
NEWEST_FIRST = ("surveymonkey", "odk", "eusurvey")
# Where a shown and untouched select-all question has a word for no in every column.
SAYS_NO = ("limesurvey_codes", "limesurvey_full", "odk", "kobo_labels", "kobo")


def options(question: str) -> list[Asked]:
    return [
        {
            "name": "other" if one.get("write_in") else one["xlsform"],
            "label": {tag: one[tag] for tag in ("en", "fr", "es")},
            "also": [one["limesurvey"], *([] if one.get("write_in") else [one["xlsform"]])],
            **({"role": "other"} if one.get("write_in") else {}),
            **({"role": "none"} if one["xlsform"] == "none" else {}),
        }
        for one in QUESTIONS[question]["options"]
    ]


def questionnaire(columns: dict[str, Any], settings: Asked) -> Questionnaire:
    kinds = {
        "q1": "select_one who", "q2": "select_multiple problems", "q3": "text",
        "billing": "select_one rating", "repairs": "select_one rating", "q5": "integer",
        "q6": "select_one yes_no", "q7": "select_multiple ways", "q8": "text", "q9": "text",
    }  # fmt: skip
    survey = []
    for name, kind in kinds.items():
        question = {"name": name, "type": kind, "label": {"en": name}, "column": columns[name]}
        if kind.startswith("select_multiple") and "separator" in settings:
            question["separator"] = settings["separator"]
        if name in settings.get("words", {}):
            question["other_column"] = settings["words"][name]
        survey.append(question)
    survey[7]["relevant"] = "${q6} = 'yes'"
    survey[8]["role"], survey[9]["role"] = "country", "contact"
    if "decimal_comma" in settings:
        survey.append({"name": "litres", "type": "decimal", "label": {"en": "Litres a day"}})
    known = ("not_asked", "ignored", "encoding", "decimal_comma")
    return as_model(
        {
            "title": {"en": "Water"}, "about": {"en": "Invented."}, "survey": survey,
            "languages": ["en", "fr", "es"],
            "choices": {
                "who": options("q1"), "problems": options("q2"), "rating": options("q4"),
                "yes_no": options("q6"), "ways": options("q7"),
            },
            **{name: value for name, value in settings.items() if name in known},
        },
        Questionnaire, "water",
    )  # fmt: skip


@cache
def typed(file: str) -> tuple[Questionnaire, Responses]:
    _, columns, settings = FILES[file]
    asked = questionnaire(columns, settings)
    return asked, type_responses(read_export([EXPORTS / f"{file}.csv"], asked), asked, seed=1)


def people(file: str) -> list[Asked]:
    some = TRUTH["respondents"][:12]
    return some[::-1] if file in NEWEST_FIRST else some


def names(question: str, chosen: list[str] | None) -> set[str]:
    known = {one["label"]["en"]: one["name"] for one in options(question)}
    return {known[text] for text in chosen or ()}


@pytest.mark.parametrize("file", FILES)
def test_tool_is_recognised(file):
    grid, _ = read_grid(EXPORTS / f"{file}.csv", FILES[file][2].get("encoding"))
    assert lay_out(grid).tool == FILES[file][0]


@pytest.mark.parametrize("file", FILES)
def test_single_choices_and_numbers(file):
    _, responses = typed(file)
    answers = responses.respondents
    for row, one in enumerate(people(file)):
        said = one["answers"]
        known = {q: {o["label"]["en"]: o["name"] for o in options(q)} for q in ("q1", "q4", "q6")}
        wanted = {
            "q1": known["q1"].get(said["q1"]),
            "billing": known["q4"].get(said["q4"]["Billing"]),
            "repairs": known["q4"].get(said["q4"]["Repairs"]),
            "q6": known["q6"].get(said["q6"]),
        }
        found = {name: answers[name][row] for name in wanted}
        assert {k: None if pd.isna(v) else v for k, v in found.items()} == wanted, one["id"]
        assert answers["q5"][row] == said["q5"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("question", ["q2", "q7"])
def test_select_all_and_its_states(file, question):
    asked, responses = typed(file)
    choices = [choice.name for choice in asked.options(question)]
    for row, one in enumerate(people(file)):
        said = one["answers"][question]
        mask = int(responses.respondents[question][row])
        found = {name for place, name in enumerate(choices) if mask >> place & 1}
        assert found == names(question, said), one["id"]
        state = responses.respondents[f"{question}_state"][row]
        if said:
            assert state == "answered"
        elif question == "q7" and one["answers"]["q6"] == "No":
            assert state == "not_asked"
        elif file in SAYS_NO:
            assert state in ("answered", "skipped")
        else:
            assert state == "skipped"


@pytest.mark.parametrize("file", FILES)
def test_words(file):
    _, responses = typed(file)
    pseudonyms = list(responses.respondents["respondent"])
    opened = responses.open_responses.set_index("respondent")["text"]
    free = responses.free_texts.set_index(["respondent", "question"])["text"].to_dict()
    for row, one in enumerate(people(file)):
        said, who = one["answers"], pseudonyms[row]
        assert opened[who].replace("\r", "\n") == (said["q3"] or "")
        for question, text in (("q1_other", said["q1_other"]), ("q2_other", said["q2_other"]),
                               ("q8", said["q8"])):  # fmt: skip
            assert free.get((who, question)) == text, (one["id"], question)


def test_decimal_commas_are_numbers():
    _, responses = typed("plain")
    assert list(responses.respondents["litres"]) == [one["litres_a_day"] for one in people("plain")]


def test_two_files_in_two_languages_are_one_data_set():
    spanish = {q: QUESTIONS[q]["text"]["es"] for q in QUESTIONS if q != "q4"}
    spanish |= {
        name: f"{QUESTIONS['q4']['text']['es']} > {QUESTIONS['q4']['rows'][row]['es']}"
        for row, name in enumerate(("billing", "repairs"))
    }
    both = {name: {"en": WORDS[name], "es": spanish[name]} for name in WORDS}
    asked = questionnaire(both, {})
    survey = tuple(
        one.model_copy(update={"optional_column": True}) if one.name == "q9" else one
        for one in asked.survey
    )
    asked = asked.model_copy(update={"survey": survey})
    files = [EXPORTS / "google_forms.csv", EXPORTS / "google_forms_es.csv"]
    responses = type_responses(read_export(files, asked), asked, seed=1)
    answers = responses.respondents
    assert list(answers["language"]) == ["en"] * 12 + ["es"] * 4
    choices = [choice.name for choice in asked.options("q2")]
    for row, one in enumerate(TRUTH["respondents"]):
        said = one["answers"]
        mask = int(answers["q2"][row])
        found = {name for place, name in enumerate(choices) if mask >> place & 1}
        assert found == names("q2", said["q2"])
        assert answers["q1"][row] in names("q1", [said["q1"]])


@pytest.mark.parametrize("file", FILES)
def test_a_draft_finds_the_questions_and_types_every_answer(file):
    path = EXPORTS / f"{file}.csv"
    encoding = FILES[file][2].get("encoding")
    grid, _ = read_grid(path, encoding)
    layout = lay_out(grid)
    text = as_yaml(draft(grid, layout), layout, grid, encoding, "water", "en")
    asked = as_model(read_text(text), Questionnaire, "water")
    responses = type_responses(read_export([path], asked), asked, seed=1)
    assert len(responses.respondents) == 12
    assert sum(one.kind == "select_multiple" for one in asked.survey) >= 1


def read_text(text: str) -> Any:
    from upr_analysis.documents import parse_yaml

    return parse_yaml(text, "draft")


def test_a_form_and_its_export_are_a_consultation(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "params").mkdir()
    sheets = {
        name: [
            row
            for grid in [read_grid(EXPORTS / f"kobo_form_{name}.csv")[0]]
            for row in (grid.row(place) for place in range(len(grid)))
        ]
        for name in ("survey", "choices")
    }
    form = write_xlsx(tmp_path / "form.xlsx", sheets)
    for file in ("kobo", "odk"):
        done = found_consultation(EXPORTS / f"{file}.csv", tmp_path / "data" / file, tmp_path, form)
        assert done.problems == ()
        kinds = {one.name: one.guess.kind for one in done.questions}
        assert kinds["problems"] == "select_multiple"
        assert kinds["people"] == "integer"
        assert kinds["billing"] == "select_one"


@pytest.mark.parametrize(
    ("heading", "is_one"),
    [
        ("Other", True), ("Other (please specify)", True), ("Other - Write In (Required)", True),
        ("Other word(s):", True), ("Autre (précisez)", True), ("Otro (especifique)", True),
        ("-oth-", True), ("other", True), ("Please specify", True), ("Others", True),
        ("Other family members", False), ("No others", False), ("Another", False),
        ("Otherwise", False), ("Autres organisations", False),
    ],
)  # fmt: skip
def test_headings_for_what_is_no_option(heading, is_one):
    assert is_other(heading) is is_one


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("Other: a map", "a map"), ("Other (a map)", "a map"), ("Autre : une carte", "une carte"),
        ("Other - my own reason", "my own reason"), ("Other, the drought", "the drought"),
        ("Other (please specify) (a map)", "a map"), ("Other (please specify): a map", "a map"),
        ("Other - Write In (Required)", ""), ("Autre (précisez)", ""),
        ("Other/Not listed", "Not listed"),
        ("Other, please give more to schools", "please give more to schools"),
        ("Other: please specify the map", "please specify the map"),
        ("Other text messages", "text messages"), ("Other (please specify) a map", "a map"),
        ("Autre (veuillez préciser) : une carte", "une carte"), ("Other words", ""),
        ("Other - please specify: a map", "a map"),
        ("Other (please write to the mayor)", "please write to the mayor"),
        ("Other (please specify)", ""), ("-oth-", ""), ("Other", ""), ("Otro (especifique)", ""),
    ],
)  # fmt: skip
def test_words_behind_other(cell, words):
    assert words_behind_other(cell) == words
