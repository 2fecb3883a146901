"""Exports that survey tools really wrote: recognised, drafted, typed, and counted as published.

They stand outside the project; without them these tests are skipped.
"""

import csv
import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.drafting import Draft, draft
from upr_analysis.exports import Export, read_export
from upr_analysis.grids import read_grid
from upr_analysis.layouts import Layout, lay_out
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Questionnaire
from upr_analysis.responses import Responses, type_responses
from upr_analysis.scaffold import as_yaml

SHARED = Path(os.environ.get("UPR_SHARED", Path(__file__).parents[2] / "shared"))
DATA = SHARED / "data"
TRUTH = Path(__file__).parent / "truth"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real exports are not in {DATA}")

# name -> file, encoding (said, where it is not UTF-8), the tool to be recognised
EXPORTS = {
    "jupyter_2015": ("jupyter_2015/20160115235816-SurveyExport.csv", None, "surveygizmo"),
    "masculinity": ("masculinity_weighted/raw-responses.csv", None, "csv"),
    "star_wars": ("star_wars_two_row/StarWars.csv", "cp1252", "surveymonkey"),
    "rse_uk_2016": ("rse_uk_2016/2016_uk_public_data.csv", None, "limesurvey"),
    "stacks_governance": (
        "stacks_governance/results-anonymized-randomized.csv", None, "csv",
    ),
    "spack_2025": ("spack_google_forms/spack-2025.csv", None, "google_forms"),
    "r_community_en": (
        "r_community_2019/2019 English R Community Survey Responses.xlsx", None, "google_forms",
    ),
    "r_community_es": (
        "r_community_2019/2019 Spanish R Community Survey Responses.csv", None, "google_forms",
    ),
    "qualtrics_two": (
        "qualtrics_three_header/ropensci_sample_legacy_two_header.csv", None, "qualtrics",
    ),
    "qualtrics_three": (
        "qualtrics_three_header/ropensci_sample_three_header.csv", None, "qualtrics",
    ),
    "spss_sample": ("spss_stata/pyreadstat_sample.sav", None, "labelled"),
    "stata_sample": ("spss_stata/pyreadstat_sample.dta", None, "labelled"),
    "spss_sets": ("spss_stata/pyreadstat_multiple_response_sets.sav", None, "labelled"),
    "upr_recommendations": ("upr_recommendations/1-5.csv", "mac_roman", "csv"),
}  # fmt: skip


@dataclass(frozen=True)
class Drafted:
    """A real export with the questionnaire that is drafted from it."""

    layout: Layout
    draft: Draft
    questionnaire: Questionnaire
    export: Export


@cache
def drafted(name: str) -> Drafted:
    path, encoding, _ = EXPORTS[name]
    grid, _ = read_grid(DATA / path, encoding)
    layout = lay_out(grid)
    found = draft(grid, layout)
    text = as_yaml(found, layout, grid, encoding, name, "en")
    questionnaire = as_model(parse_yaml(text, name), Questionnaire, name)
    return Drafted(layout, found, questionnaire, read_export([DATA / path], questionnaire))


@cache
def typed(name: str) -> Responses:
    one = drafted(name)
    return type_responses(one.export, one.questionnaire, seed=1)


def chosen(name: str, question: str) -> Counter[str]:
    """Count a closed question's options, by label, as typed."""
    return counted(drafted(name).questionnaire, typed(name).respondents, question)


def counted(questionnaire: Questionnaire, respondents: pd.DataFrame, question: str) -> Counter[str]:
    options = questionnaire.options(question)
    labels = [option.label["en"] for option in options]
    answers = respondents[question]
    if questionnaire.question(question).kind == "select_one":
        names = {option.name: option.label["en"] for option in options}
        return Counter(answers.dropna().map(names))
    masks = answers.to_numpy()
    return Counter({label: int(((masks >> n) & 1).sum()) for n, label in enumerate(labels)})


def rows_of(name: str) -> list[list[str]]:
    """Read an export's rows plainly, header rows and all."""
    path, encoding, _ = EXPORTS[name]
    with (DATA / path).open(encoding=encoding or "utf-8-sig", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("name", EXPORTS)
def test_tool_is_recognised(name):
    assert drafted(name).layout.tool == EXPORTS[name][2]


@pytest.mark.parametrize("name", EXPORTS)
def test_nine_in_ten_columns_get_the_right_type(name):
    with (TRUTH / f"{name}.csv").open(newline="") as file:
        truth = {int(row["column"]) - 1: row["type"] for row in csv.DictReader(file)}
    guessed = drafted(name).draft.kinds
    assert guessed.keys() == truth.keys()
    right = sum(guessed[place] == kind for place, kind in truth.items())
    assert right >= 0.9 * len(truth)
    assert f"| {name} | {right} | {len(truth)} |" in (TRUTH / "README.md").read_text()


@pytest.mark.parametrize("name", [name for name in EXPORTS if name != "r_community_en"])
def test_a_draft_types_every_answer(name):
    assert len(typed(name).respondents) == drafted(name).export.rows > 0


def test_what_does_not_fit_a_draft_is_listed_by_row():
    with pytest.raises(InputError) as refused:
        typed("r_community_en")
    assert refused.value.problems == [
        "Q50: the answer in row 98 is no whole number: correct it, or declare it in "
        "questionnaire.yml."
    ]


def test_select_all_over_columns_is_a_plain_count():
    rows = rows_of("star_wars")[2:]
    films = [sum(bool(row[place]) for row in rows) for place in range(3, 9)]
    assert list(chosen("star_wars", "Q4").values()) == films
    ranked = typed("star_wars").respondents["Q10"]  # the column of the first film's rank
    assert dict(ranked.value_counts()) == Counter(int(row[9]) for row in rows if row[9])


def test_select_all_with_words_for_not_selected_is_a_plain_count():
    rows = rows_of("masculinity")[1:]
    for first, last, question in ((5, 11, "q0004"), (23, 35, "q0008"), (68, 74, "q0020")):
        plain = [
            sum(row[place] not in ("Not selected", "NA") for row in rows)
            for place in range(first, last)
        ]
        assert list(chosen("masculinity", question).values()) == plain
    states = typed("masculinity").respondents["q0020_state"]
    assert (states == "not_asked").sum() == sum(row[68] == "NA" for row in rows)


def test_joined_options_are_a_plain_count():
    rows = rows_of("jupyter_2015")[1:]
    words = Counter(word for row in rows for word in row[29].split(";") if word)
    found = chosen("jupyter_2015", "Q30")
    assert {word: words[word] for word in found} == found
    assert words.keys() - found.keys() <= {"Other word(s):"}


def published(path: Path) -> list[tuple[str, str, float]]:
    """Return (question, option, count) of one published table of either form."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    if re.match(r"\w+\. ", header[-1]):  # a question a column
        found = [
            (head, row[0], cell)
            for row in rows
            for head, cell in zip(header[1:], row[1:], strict=True)
        ]
    else:  # a question a row
        found = [
            (row[0].strip(), head, cell)
            for row in rows
            for head, cell in zip(header[1:], row[1:], strict=True)
        ]
    return [(question, option, float(cell)) for question, option, cell in found if cell and option]


def reviewed(questionnaire: Questionnaire, options: list[tuple[str, str]]) -> Questionnaire:
    """Add to a draft the options (question, text) that it lacks, as whoever knows the form does."""
    about = questionnaire.model_dump()
    for name, text in options:
        question = questionnaire.question(name)
        known = about["choices"][question.choice_list]
        texts = {choice["label"]["en"].removesuffix(".0").strip().casefold() for choice in known}
        if text.removesuffix(".0").strip().casefold() not in texts:
            added = {"name": f"added_{len(known)}", "label": {"en": text}}
            about["choices"][question.choice_list] = (*known, added)
    return as_model(about, Questionnaire, "reviewed")


def test_published_tables_of_rse_uk_2016_are_counted_again():
    """Each count of the tables of the Software Sustainability Institute's survey of 2016."""
    questionnaire = drafted("rse_uk_2016").questionnaire
    by_text: dict[str, str] = {}
    for question in questionnaire.survey:
        header = str(question.column or question.label["en"])
        by_text[header] = question.name
        by_text[header.partition(". ")[2]] = question.name
    tables = [
        (path.name, by_text[text], option, count)
        for path in sorted((DATA / "rse_uk_2016" / "published_2016_uk").glob("[a-z]*.csv"))
        if "PERC" not in path.name
        for text, option, count in published(path)
        # others are left out of the public export, or are numbers that were typed
        if text in by_text and questionnaire.question(by_text[text]).is_closed
    ]
    complete = reviewed(questionnaire, [(name, option) for _, name, option, _ in tables])
    export = read_export([DATA / EXPORTS["rse_uk_2016"][0]], complete)
    respondents = type_responses(export, complete, seed=1).respondents
    compared, differing = Counter[str](), []
    for table, name, option, count in tables:
        compared[table] += 1
        ours = counted(complete, respondents, name)
        ours = Counter({label.removesuffix(".0"): n for label, n in ours.items()})
        if ours[option.removesuffix(".0")] != count:
            differing.append((table, option, int(count), ours[option]))
    # A table of 592 respondents stands among those of these 273. "Never" is spelt with a space at
    # its end by some, whom the published tables leave out: 16 and 58 of ours.
    differing = [one for one in differing if one[0] != "paper1_2_4_5.csv"]
    assert differing == [
        ("turnOver1_2.csv", "Never", 27, 27 + 16), ("turnOver3_4.csv", "Never", 15, 15 + 58),
    ]  # fmt: skip
    assert len(compared) >= 25
    assert compared.total() >= 180


# question as headed in the published cross-tab -> ours; the published percentages are weighted
MASCULINITY = {
    'In general, how masculine or "manly" do you feel?': "q0001",
    "How important is it to you that others see you as masculine?": "q0002",
    "Where have you gotten your ideas about what it means to be a good man? "
    "(Select all that apply.)": "q0004",
    "Do you think that society puts pressure on men in a way that is unhealthy or bad for "
    "them?": "q0005",
    "Ask a friend for professional advice": "q0007_0001",
    "Ask a friend for personal advice": "q0007_0002",
    "Cry": "q0007_0004",
}
GROUPS = (
    None, ("age3", "18 - 34"), ("age3", "35 - 64"), ("age3", "65 and up"), ("race2", "White"),
    ("race2", "Non-white"), ("kids", "Has children"), ("kids", "No children"),
    ("orientation", "Straight"), ("orientation", "Gay/Bisexual"),
)  # fmt: skip


def test_published_weighted_cross_tab_of_masculinity_is_counted_again():
    """Each percentage of FiveThirtyEight's table of 2018, within its rounding."""
    questionnaire, respondents = (
        drafted("masculinity").questionnaire, typed("masculinity").respondents,
    )  # fmt: skip
    weight = respondents["weight"].to_numpy(dtype=float)
    with (DATA / "masculinity_weighted" / "masculinity-survey.csv").open(newline="") as file:
        rows = list(csv.reader(file))[2:]
    question, compared, most = "", 0, 0.0
    for row in rows:
        if row[0]:
            question = MASCULINITY.get(row[0], "")
        elif question:
            options = questionnaire.options(question)
            labels = [option.label["en"] for option in options]
            if row[1] not in labels:
                continue
            option = options[labels.index(row[1])]
            answers = respondents[question]
            if questionnaire.question(question).kind == "select_one":
                gave = (answers == option.name).to_numpy()
            else:
                gave = (answers.to_numpy() >> labels.index(row[1])) & 1 == 1
            for group, cell in zip(GROUPS, row[2:], strict=True):
                within = np.ones(len(respondents), dtype=bool)
                if group is not None:
                    names = {o.label["en"]: o.name for o in questionnaire.options(group[0])}
                    within = (respondents[group[0]] == names[group[1]]).to_numpy()
                share = 100 * weight[gave & within].sum() / weight[within].sum()
                most = max(most, abs(share - float(cell.rstrip("%"))))
                compared += 1
    assert compared >= 250
    assert most <= 0.51  # of a percentage rounded to a whole number


def test_two_languages_of_one_form_are_one_data_set():
    """Counts agree with the dictionaries that the survey's authors recoded answers by."""
    folder = DATA / "r_community_2019"
    files = [folder / f"2019 {one}" for one in (
        "English R Community Survey Responses.xlsx", "Spanish R Community Survey Responses.csv",
    )]  # fmt: skip
    places = {"experience": 1, "tidyverse": 21}
    dictionaries = {"experience": "r_experience", "tidyverse": "tidyverse_use"}
    headers = {}
    for language, path in zip(("en", "es"), files, strict=True):
        grid, _ = read_grid(path)
        headers[language] = grid.row(0)
    recode = {}
    for question, name in dictionaries.items():
        with (folder / "dictionary" / f"{name}_dictionary.tsv").open(newline="") as file:
            pairs = [row[:2] for row in csv.reader(file, delimiter="\t") if len(row) > 1][1:]
        recode[question] = {one: two for one, two in pairs if one and two}
    questionnaire = as_model(
        {
            "title": {"en": "R"},
            "about": {"en": "R"},
            "languages": ["en", "es"],
            "ignored": [head for some in headers.values() for head in some],
            "survey": [
                {
                    "name": question,
                    "type": f"select_one {question}",
                    "label": {"en": question},
                    "column": {language: headers[language][place] for language in headers},
                }
                for question, place in places.items()
            ],
            "choices": {
                question: [
                    {
                        "name": f"o{n}",
                        "label": {"en": option},
                        "also": [one for one, two in known.items() if two == option != one],
                    }
                    for n, option in enumerate(dict.fromkeys(known.values()))
                ]
                for question, known in recode.items()
            },
        },
        Questionnaire,
        "r",
    )
    export = read_export(files, questionnaire)
    answers = type_responses(export, questionnaire, seed=1).respondents
    assert answers["language"].value_counts().to_dict() == {"en": 1838, "es": 338}
    for question, place in places.items():
        plain = Counter[str]()
        for path in files:
            column = read_grid(path)[0].column(place, 1)
            plain.update(recode[question][cell] for cell in column if cell)
        options = {f"o{n}": one for n, one in enumerate(dict.fromkeys(recode[question].values()))}
        assert Counter(answers[question].dropna().map(options)) == plain


def test_csv_and_workbook_of_one_form_are_the_same_answers():
    folder = DATA / "stacks_governance"
    one = drafted("stacks_governance")
    book = one.questionnaire.model_copy(update={"format": None})
    export = read_export([folder / "results-anonymized-randomized.xlsx"], book)
    again = type_responses(export, book, seed=1)
    pd.testing.assert_frame_equal(again.respondents, typed("stacks_governance").respondents)
