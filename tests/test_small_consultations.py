"""Consultations at the edge: nothing in words, nobody to group by, a single answer."""

import os
import subprocess
import sys

import pandas as pd
import pytest
from conftest import CLOSED, ROOT

OPEN = """
title: {en: One question in words}
about: {en: Made for the tests.}
survey:
  - {name: W, type: text, label: {en: Why}}
"""
CODEBOOK = """
title: {en: Small}
themes:
  - name: money
    label: {en: Money}
    definition: What it costs.
    codes: [{name: cost, label: {en: Cost}, definition: What it costs., patterns: {en: [cost*]}}]
"""


@pytest.fixture
def run(tmp_path):
    """Make a consultation of files and run it; returns the finished process and its folder."""

    def make(params: str, **files: str):
        for name in ("notebooks",):
            (tmp_path / name).symlink_to(ROOT / name)
        data = tmp_path / "data" / "small"
        data.mkdir(parents=True)
        (tmp_path / "params").mkdir()
        for name, text in files.items():
            suffix = "csv" if name == "export" else "yml"
            (data / f"{name}.{suffix}").write_text(text)
        (tmp_path / "params" / "small.yml").write_text(
            f"consultation: small\ndate: '2026-01-01'\nminimum_answers: 1\n{params}"
        )
        done = subprocess.run(
            [sys.executable, "-m", "upr_analysis", "run", "params/small.yml"],
            cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ,
        )  # fmt: skip
        return done, tmp_path / "outputs" / "runs" / "small"

    return make


def estimates(folder):
    path = folder / "public" / "tables" / "estimates.csv"
    return pd.read_csv(path, keep_default_na=False).set_index("id")


def test_closed_questions_only_and_groups_called_na(run):
    rows = ["Yes,Index"] * 40 + ["No,Letter"] * 30 + ['Yes,"Index, Letter"'] * 20
    done, folder = run(
        "group_by: [agreed]\n",
        questionnaire=CLOSED,
        export="\n".join(["Agreed,Tools", *rows]) + "\n",
    )
    assert done.returncode == 0, done.stderr
    found = estimates(folder)
    assert found.loc["A.yes", ["n", "base"]].astype(int).tolist() == [60, 90]
    # forty who chose the same are forty people
    assert int(found.loc["B.index", "n"]) == 60
    assert set(found["question"]) == {"A", "B"}
    assert {"NA", "yes", ""} == set(found["group"])


def test_nothing_to_group_by(run):
    done, folder = run(
        "group_by: []\n",
        questionnaire=OPEN,
        codebook=CODEBOOK,
        export="Why\n" + "the costs are high\n" * 20 + "no idea at all\n" * 15,
    )
    assert done.returncode == 0, done.stderr
    assert estimates(folder).loc["themes.money", ["n", "base"]].astype(int).tolist() == [20, 35]


def test_one_answer_shows_nothing_of_it(run):
    done, folder = run(
        "group_by: []\n", questionnaire=OPEN, codebook=CODEBOOK, export="Why\nit costs too much\n"
    )
    assert done.returncode == 0, done.stderr
    found = estimates(folder)
    assert (found["n"] == "").all()
    text = (folder / "public" / "appendix" / "index.html").read_text(encoding="utf-8")
    assert "too much" not in text


def test_words_without_a_codebook_are_refused(run):
    done, _ = run("group_by: []\n", questionnaire=OPEN, export="Why\nbecause\n")
    assert done.returncode == 2
    assert "codebook.yml is not there, but questions are answered in words" in done.stderr
