"""Whom respondents stand for, and every way to cross, from an export to the published table."""

import io
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

QUESTIONS = """
title: {en: Of a valley}
about: {en: Made for the tests.}
SOURCE
languages: [en, fr]
survey:
  - {name: lang, type: text, label: {en: Lang}, role: language}
  - {name: village, type: select_one village, label: {en: Village}}
  - {name: enough, type: select_one enough, label: {en: Is there enough water}, ordered: true}
  - {name: uses, type: select_multiple uses, label: {en: Uses}}
  - {name: litres, type: integer, label: {en: Litres a day}}
choices:
  village: [{name: high, label: {en: High}}, {name: low, label: {en: Low}}]
  enough:
    - {name: "yes", label: {en: "Yes"}}
    - {name: partly, label: {en: Partly}}
    - {name: "no", label: {en: "No"}}
    - {name: unsure, label: {en: Unsure}, role: no_opinion}
  uses: [{name: drink, label: {en: Drink}}, {name: fields, label: {en: Fields}}]
groupings:
  - name: place
    label: {en: Place}
    by: village
    groups:
      - {name: up, label: {en: Up}, of: [high]}
      - {name: down, label: {en: Down}, of: [low]}
"""
MARGINS = """
of: invited
source: register of May
total: 400
margins:
  place: {up: 300, down: 100}
"""


def answers():
    draw = np.random.default_rng(7)
    rows = []
    for n in range(200):
        village = "High" if n % 2 else "Low"
        enough = draw.choice(["Yes", "Partly", "No", "Unsure", ""], p=[0.4, 0.2, 0.2, 0.1, 0.1])
        uses = draw.choice(["Drink", "Fields", '"Drink, Fields"'])
        rows.append(f"{'en' if n % 4 else 'fr'},{village},{enough},{uses},{100 + n}")
    return "\n".join(["Lang,Village,Is there enough water,Uses,Litres a day", *rows]) + "\n"


@pytest.fixture
def run(tmp_path):
    """Run the consultation with parameters; returns the process and the folder of the run."""

    def make(params="", margins="", source="source: public_record", change=str):
        folder = tmp_path / "project"
        if not folder.exists():
            folder.mkdir()
            (folder / "notebooks").symlink_to(ROOT / "notebooks")
        data = folder / "data" / "valley"
        data.mkdir(parents=True, exist_ok=True)
        (data / "questionnaire.yml").write_text(change(QUESTIONS.replace("SOURCE", source)))
        (data / "codebook.yml").write_text("title: {en: None}\nthemes: []\n")
        (data / "export.csv").write_text(answers())
        (data / "margins.yml").unlink(missing_ok=True)
        if margins:
            (data / "margins.yml").write_text(margins)
        (folder / "params.yml").write_text(
            "name: valley\nconsultation: valley\ndate: '2026-01-01'\nminimum_answers: 1\n"
            "deduplicate: false\nresamples: 999\n" + params
        )
        done = subprocess.run(
            [sys.executable, "-m", "upr_analysis", "run", "params.yml", "--replace"],
            cwd=folder, capture_output=True, text=True, check=False, env=os.environ,
        )  # fmt: skip
        return done, folder / "outputs" / "runs" / "valley"

    return make


OPEN = "minimum_cell: 0\nminimum_base: 0\nminimum_cross: 0\nminimum_sensitive: 0\nmin_width: 0\n"


def estimates(folder):
    path = folder / "public" / "tables" / "estimates.csv"
    return pd.read_csv(path, keep_default_na=False, na_values={"p": [""]}).set_index("id")


def page(folder):
    html = (folder / "public" / "appendix" / "04_cross_tabs.html").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_weighted_shares_are_those_of_whom_was_invited(run):
    done, folder = run(OPEN + "weights: raked\ngroup_by: [place]\n", MARGINS)
    assert done.returncode == 0, done.stderr
    found = estimates(folder)
    up, down = (float(found.loc[f"uses.drink.place.{one}", "value"]) for one in ("up", "down"))
    weighted = found.loc["uses.drink.weighted_share"]
    assert float(weighted["value"]) == pytest.approx(0.75 * up + 0.25 * down)
    assert str(weighted["weighted"]) == "True"
    assert found.loc["enough.place.weighted_test", "method"].startswith("second-order Rao-Scott F")
    text = page(folder)
    assert "Who was invited, and who answered" in text
    assert "Up 300 100 33%" in text
    assert "Effective number of respondents" in text


def test_weights_that_the_export_gives_are_used(run):
    def weighted(questions):
        return questions.replace(
            "  - {name: litres, type: integer, label: {en: Litres a day}}",
            "  - {name: weight, type: integer, label: {en: Litres a day}, role: weight}",
        )

    done, folder = run(OPEN + "weights: given\ngroup_by: [place]\n", change=weighted)
    assert done.returncode == 0, done.stderr
    found = estimates(folder)
    people = pd.read_csv(io.StringIO(answers()), keep_default_na=False)
    said = people[people["Uses"] != ""]
    chose = said["Uses"].str.contains("Drink")
    share = 100 * said["Litres a day"][chose].sum() / said["Litres a day"].sum()
    assert float(found.loc["uses.drink.weighted_share", "value"]) == pytest.approx(share)


def test_weighted_shares_of_a_survey_follow_from_what_is_printed(run):
    params = "weights: raked\ngroup_by: [place, language]\nminimum_base: 15\n"
    done, folder = run(params, MARGINS, "source: survey")
    assert done.returncode == 0, done.stderr
    found = estimates(folder)
    weighted = found[found["measure"].str.startswith("weighted")]
    assert set(weighted["group_by"]) == {"", "place"}  # never by another grouping
    up, down = (float(found.loc[f"uses.drink.place.{one}", "value"]) for one in ("up", "down"))
    assert float(found.loc["uses.drink.weighted_share", "value"]) == pytest.approx(
        0.75 * up + 0.25 * down
    )
    two = MARGINS + "  enough: {yes: 200, partly: 100, no: 60, unsure: 40}\n"
    done, folder = run(params, two, "source: survey")
    assert done.returncode == 0, done.stderr
    assert not estimates(folder)["measure"].str.startswith("weighted").any()
    assert "range and effect of the weights are withheld" in page(folder)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("group_by: [place, village]", "place and village are both made of village"),
        ("group_by: [place]\nwhere: [village=high]", "are of the same question, village"),
        ("trim: 3\ngroup_by: []", "trim cuts weights, but there are none"),
        ("statistic: pearson_yates\ngroup_by: []", "pearson_yates corrects the p of chi-square"),
    ],
)
def test_what_makes_no_sense_together_is_refused(run, params, said):
    done, folder = run(params + "\n", source="source: survey")
    assert done.returncode == 2
    assert said in done.stderr
    assert not folder.exists()


def test_weights_without_what_they_are_made_of_are_refused(run):
    done, folder = run(OPEN + "weights: raked\ngroup_by: [place]\n")
    assert done.returncode == 2
    assert "margins.yml has no margins" in done.stderr
    done, _ = run(OPEN + "weights: given\ngroup_by: [place]\n")
    assert done.returncode == 2
    assert "no question has the role weight" in done.stderr
    assert not folder.exists()


def test_margins_name_every_group_and_none_else(run):
    done, _ = run(
        OPEN + "group_by: [place]\n", "of: invited\nsource: x\nmargins: {place: {upp: 3}}"
    )
    assert done.returncode == 2
    assert "place has no group 'upp'" in done.stderr
    assert "place lacks the group 'down'" in done.stderr


@pytest.mark.parametrize(
    ("base", "words", "items"),
    [
        ("answered", "who answered", {"yes", "partly", "no", "unsure"}),
        ("asked", "who were asked", {"yes", "partly", "no", "unsure", "left_blank"}),
        ("eligible", "who answered, without “no opinion”", {"yes", "partly", "no"}),
    ],
)
def test_every_table_names_its_base(run, base, words, items):
    done, folder = run(f"base: {base}\ngroup_by: [place]\n", source="source: survey")
    assert done.returncode == 0, done.stderr
    found = estimates(folder)
    assert set(found.loc[found["measure"] == "share", "base_kind"]) == {base}
    assert set(found[found["question"] == "enough"]["item"]) - {""} <= items
    size = int(found.loc["enough.yes", "base"])
    assert f"Is there enough water (of {size} {words})" in page(folder)


def test_questions_and_languages_cross_and_conditions_count_some_only(run):
    params = "group_by: [uses, enough, language]\nwhere: [place=up]\n"
    done, folder = run(params, source="source: survey")
    assert done.returncode == 0, done.stderr
    found = estimates(folder)
    assert set(found["filter"]) == {"place=up"}
    assert int(found.loc["village.high", "n"]) == 100
    tables = set(found["table"])
    assert {"enough.uses", "village.uses", "village.enough", "uses.language"} <= tables
    assert "uses.enough" not in tables  # stands already, turned round
    assert "place: Up" in page(folder)


def test_a_condition_that_leaves_out_too_few_is_refused(run):
    done, folder = run(
        "group_by: []\nwhere: [enough=unsure, uses=fields, place=up]\n", source="source: survey"
    )
    assert done.returncode == 1
    assert "leaves, or leaves out, fewer than" in done.stderr
    assert not (folder / "public").exists()
    done, _ = run("group_by: []\nwhere: [enough=never]\n", source="source: survey")
    assert done.returncode == 2
    assert "enough has no group 'never'" in done.stderr


def test_shares_of_options_chosen_stand_beside_those_of_respondents(run):
    done, folder = run(OPEN + "of_responses: true\ngroup_by: []\n")
    assert done.returncode == 0, done.stderr
    found = estimates(folder)
    told = found[found["measure"] == "share_of_responses"]["value"].astype(float)
    assert told.sum() == pytest.approx(100)
    assert "of the" in page(folder)


def test_a_random_sample_has_its_intervals_in_view(run):
    done, folder = run("sample: probability\ngroup_by: [place]\n", source="source: survey")
    assert done.returncode == 0, done.stderr
    assert "The interval (95%) shows sampling error." in page(folder)
    assert "re-labelling" not in page(folder)


def test_no_page_calls_anything_significant(run):
    for language in ("en", "fr", "es"):
        done, folder = run(f"group_by: [place]\nlanguage: {language}\n", source="source: survey")
        assert done.returncode == 0, done.stderr
        assert not re.search(r"significant|significatif|significativ", page(folder), re.IGNORECASE)
