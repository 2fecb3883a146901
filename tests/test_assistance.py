"""The machine proposes patterns, suggests codes and lists candidates; people decide."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from coders import cells_of, fill
from conftest import ROOT

QUESTIONNAIRE = """
title: {en: Wells and courts}
about: {en: Made for the tests.}
source: public_record
survey:
  - {name: Q1, type: text, label: {en: Why}}
  - {name: Q2, type: select_multiple codes, label: {en: Codes}, role: codes, codes_of: Q1}
  - {name: Q3, type: select_one kind, label: {en: Kind}}
choices:
  codes: [{name: water, label: {en: Water}}, {name: law, label: {en: Law}}]
  kind: [{name: a, label: {en: A}}, {name: b, label: {en: B}}]
"""
CODEBOOK = """\
title: {en: Wells and courts}
themes:
  # what the valley needs
  - name: needs
    label: {en: Needs}
    definition: What is needed.
    codes:
      - name: water
        label: {en: Water}
        definition: Wells and rain.
        patterns: {en: [river]} # so far
      - name: law
        label: {en: Law}
        definition: Courts and judges.
"""
PLACES = ["north", "south", "east", "west", "hill", "shore", "plain", "market", "school", "road"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a project in which 80 answers were coded by people and 60 were not."""
    folder = tmp_path_factory.mktemp("assisted")
    consultation = folder / "data" / "wells"
    consultation.mkdir(parents=True)
    (folder / "notebooks").symlink_to(ROOT / "notebooks")
    (folder / "params").mkdir()
    (consultation / "questionnaire.yml").write_text(QUESTIONNAIRE)
    (consultation / "codebook.yml").write_text(CODEBOOK)
    rows = ["Why,Codes,Kind"]
    for number in range(140):
        place, other = PLACES[number % 10], PLACES[number // 10 % 10]
        about, code = [
            ("our wells ran dry near the", "Water"), ("judges never sit at the", "Law"),
            ("buses do not stop at the", ""),
        ][number % 3 if number >= 80 else number % 2]  # fmt: skip
        rows.append(f"{other} {about} {place} {number},{code if number < 80 else ''},A")
    (consultation / "export.csv").write_text("\n".join(rows) + "\n")
    (folder / "params" / "wells.yml").write_text(
        "consultation: wells\ndate: '2026-01-01'\nminimum_answers: 1\ngroup_by: []\n"
        "deduplicate: false\nminimum_cell: 0\nminimum_base: 0\nmin_width: 0\nminimum_cross: 0\n"
        "minimum_sensitive: 0\nsample: census\n"
    )
    return folder


def upr(folder: Path, *arguments: object, status: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "upr_analysis", *map(str, arguments)],
        capture_output=True, text=True, cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def test_patterns_are_decided_upon_one_by_one(folder):
    book = folder / "data" / "wells" / "codebook.yml"
    out, _ = upr(folder, "codes", "propose", "params/wells.yml")
    path = Path(out.strip())
    assert path.stat().st_mode & 0o077 == 0
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    water = table[(table["code"] == "water") & (table["change"] == "add")].iloc[0]
    assert (water["gains"], water["breaks"]) == ("40", "0")
    assert water["pattern"].split("*")[0] in water["gained_in"]
    table["decision"] = table["code"].map({"water": "Yes", "law": "no"})
    table.loc[table["change"] == "keep", "decision"] = ""
    table.assign(decision="perhaps").to_csv(path, index=False)
    _, error = upr(folder, "codes", "accept", "params/wells.yml", status=2)
    assert "row 2: the decision is neither yes nor no" in error
    assert book.read_text() == CODEBOOK
    table.to_csv(path, index=False)
    _, error = upr(folder, "codes", "accept", "params/wells.yml")
    assert error.startswith("1 accepted, 1 refused")
    text = book.read_text()
    assert "  # what the valley needs" in text
    assert "# so far" in text
    assert f"[river, {water['pattern']}]" in text
    out, _ = upr(folder, "codes", "propose", "params/wells.yml")
    again = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert set(again.loc[again["change"] == "add", "code"]) <= {"water"}  # law's was refused
    book.write_text(CODEBOOK)
    (folder / "data" / "wells" / "refused_patterns.csv").unlink()


def test_suggestions_are_measured_shown_and_go_on_sheets_that_are_not_independent(folder):
    out, error = upr(folder, "codes", "suggest", "params/wells.yml")
    assert "micro_f1: 1" in error
    found = pd.read_csv(out.strip(), dtype=str, keep_default_na=False)
    texts = pd.read_csv(folder / "data" / "wells" / "export.csv")["Why"]
    assert not found.empty
    assert set(found["by"]) == {"classifier"}
    out, _ = upr(folder, "run", "params/wells.yml", "-q")
    page = (Path(out.strip()).parent / "03_thematic_coding.html").read_text(encoding="utf-8")
    assert "Codes that a classifier suggests" in page
    assert "F1 by the number of coded answers" in page
    # nothing that was suggested is counted: 80 answers coded by people, none by patterns
    estimates = pd.read_csv(Path(out.strip()).parents[1] / "tables" / "estimates.csv")
    codes = estimates[(estimates["question"] == "codes") & (estimates["measure"] == "share")]
    assert codes.set_index("item")["n"].to_dict() == {"water": 40, "law": 40}

    out, _ = upr(folder, "codes", "sheet", "params/wells.yml", "--coder", "Ana", "--suggested",
                 "--sample", 6)  # fmt: skip
    path = Path(out.split("\t")[0])
    head, *rows = cells_of(path)["Coding"]
    assert {row[head.index("suggested")] for row in rows} <= {"Water", "Law"}
    out, _ = upr(folder, "codes", "read", "params/wells.yml", path)
    assert "Ana\t0 judged\t0 new\t6 not coded yet" in out
    fill(path, {row[0]: ["Law"] for row in rows})
    upr(folder, "codes", "read", "params/wells.yml", path)
    out, _ = upr(folder, "codes", "sheet", "params/wells.yml", "--coder", "Ben", "--useful",
                 "--sample", 5)  # fmt: skip
    path = Path(out.split("\t")[0])
    following = pd.read_csv(path.with_name("next.csv"))["respondent"].tolist()
    assert {row[0] for row in cells_of(path)["Coding"][1:]} == set(following[:5])
    fill(path, {who: ["Law"] for who in following})
    upr(folder, "codes", "read", "params/wells.yml", path)
    record = pd.read_csv(folder / "data" / "wells" / "codings.csv")
    assert dict(zip(record["coder"], record["basis"], strict=True)) == {
        "Ana": "assisted", "Ben": "independent",
    }  # fmt: skip
    assert len(texts) == 140
    (folder / "data" / "wells" / "codings.csv").unlink()
    (folder / "data" / "wells" / "suggestions.json").unlink()


def test_candidates_are_of_answers_that_no_code_covers(folder):
    out, error = upr(folder, "codes", "discover", "params/wells.yml", "--number", 3)
    assert "bus" in error or "stop" in error
    items = Path(out.strip()).with_name("intrusion_items.csv")
    _, said = upr(folder, "codes", "discover", "params/wells.yml", "--score", status=2)
    assert "no item is filled in" in said
    key = pd.read_csv(items.with_name("intrusion_key.csv"), dtype=str)
    if len(key):
        pd.read_csv(items, dtype=str).assign(intruder=key["intruder"]).to_csv(items, index=False)
        out, _ = upr(folder, "codes", "discover", "params/wells.yml", "--score")
        assert out.startswith(f"{len(key)} of {len(key)} intruders found: 100 %")


def test_words_of_respondents_do_not_leave_this_machine_unasked(folder):
    _, error = upr(
        folder, "codes", "suggest", "params/wells.yml", "--model", "m",
        "--endpoint", "https://example.org/v1", status=2,
    )  # fmt: skip
    assert "--send-elsewhere" in error


def test_a_damaged_evaluation_is_named(folder):
    path = folder / "data" / "wells" / "suggestions.json"
    path.write_text(json.dumps({"judged": "many"}))
    _, error = upr(folder, "check", "params/wells.yml", status=2)
    path.unlink()
    assert "suggestions.json" in error
