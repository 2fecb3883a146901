"""Patterns are proposed from what people coded, with what each gains and breaks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upr_analysis.matching import Matcher
from upr_analysis.proposals import Proposer

TEXTS = [
    "Train the judges", "training of judges", "They trained a judge", "a trainer of judges",
    "The train was late", "The trains are late", "judges are late", "a judge was there",
    "the well is dry", "wells run dry", "dry wells", "well, it is late",
]  # fmt: skip


def test_the_pattern_that_raises_f1_most_comes_first_with_what_it_gains_and_breaks():
    wells = np.array(["well" in text for text in TEXTS])
    found = Proposer(TEXTS).propose(wells)
    assert [(one.pattern, one.gains, one.breaks) for one in found] == [("well*", 4, 0)]


def test_two_words_near_each_other_are_a_pattern_where_neither_alone_will_do():
    both = np.array(["train" in text.lower() and "judge" in text for text in TEXTS])
    (found, *more) = Proposer(TEXTS).propose(both)
    # of stems that find the same the longest is proposed
    assert sorted(found.pattern.split(" ~99 ")) == ["judge*", "train*"]
    assert (found.gains, found.breaks, more) == (4, 0, [])


def test_nothing_is_proposed_for_what_nobody_coded_or_what_has_no_words_in_common():
    assert Proposer(TEXTS).propose(np.zeros(len(TEXTS), dtype=bool)) == []
    assert Proposer(["a b", "c d", "e f"]).propose(np.array([True, True, False])) == []
    assert Proposer([]).propose(np.zeros(0, dtype=bool)) == []


words = st.sampled_from(["well", "wells", "dry", "rain", "rainy", "no", "é", "-", ",", "x"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.lists(words, max_size=8), st.booleans()), max_size=20))
def test_gains_and_breaks_are_what_the_matcher_finds(coded):
    texts = [" ".join(some) for some, _ in coded]
    truth = np.array([one for _, one in coded], dtype=bool)
    found = Proposer(texts).propose(truth)
    before = set[int]()
    for one in found:
        matched = Matcher([(one.pattern,)]).find(pa.array(texts, type=pa.large_string()))
        new = set(matched.text.tolist()) - before
        assert one.gains == sum(bool(truth[place]) for place in new) > 0
        assert one.breaks == len(new) - one.gains
        before |= new


QUESTIONNAIRE = """
title: {en: Coded}
about: {en: Made for the tests.}
survey:
  - {name: Q1, type: text, label: {en: Why}}
  - {name: Q2, type: select_multiple codes, label: {en: Codes}, role: codes, codes_of: Q1}
choices:
  codes: [{name: water, label: {en: Water}}, {name: law, label: {en: Law}}]
"""


def project(folder: Path, rows: list[str]) -> Path:
    (folder / "data" / "coded").mkdir(parents=True)
    (folder / "params").mkdir()
    (folder / "notebooks").mkdir()
    (folder / "pyproject.toml").write_text("")
    (folder / "data" / "coded" / "questionnaire.yml").write_text(QUESTIONNAIRE)
    (folder / "data" / "coded" / "export.csv").write_text("\n".join(["Why,Codes", *rows]) + "\n")
    params = folder / "params" / "coded.yml"
    params.write_text('consultation: coded\ndate: "2026-01-01"\n')
    return params


def upr(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "upr_analysis", "propose", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_proposals_are_written_for_their_owner_only(tmp_path):
    coded = [f"{text},{'Water' if 'well' in text else 'Law'}" for text in TEXTS[:11]]
    params = project(tmp_path, coded)
    done = upr(tmp_path, str(params))
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.stat().st_mode & 0o777 == 0o600
    table = pd.read_csv(path)
    assert table[table["code"] == "water"].values.tolist() == [["water", "en", "well*", 3, 0]]
    assert "2 codes that people gave" in done.stderr
    assert len(list(path.parent.iterdir())) == 1  # no codebook, so no pattern to agree with


def test_agreement_of_the_codebooks_patterns_with_people_is_written_beside(tmp_path):
    coded = [f"{text},{'Water' if 'well' in text else 'Law'}" for text in TEXTS[:11]]
    params = project(tmp_path, coded)
    (tmp_path / "data" / "coded" / "codebook.yml").write_text(
        "title: {en: C}\nthemes:\n  - name: t\n    label: {en: T}\n    definition: d\n    codes:\n"
        "      - {name: water, label: {en: W}, definition: d, patterns: {en: [well, late]}}\n"
        "      - {name: law, label: {en: L}, definition: d}\n"
    )
    done = upr(tmp_path, str(params))
    path = Path(done.stdout.strip()).with_name("coded-agreement.csv")
    assert path.stat().st_mode & 0o777 == 0o600
    table = pd.read_csv(path).set_index("statistic")
    assert set(table["code"].dropna()) == {"water"}
    # of one code the sets are alike or apart, whichever the distance
    alphas = table.filter(like="krippendorff_alpha", axis="index")["value"]
    assert len(alphas) == 3
    assert alphas.nunique() == 1
    # "well" stands in one answer and "late" in three; people gave it to three, that one among them
    assert table.loc["positive_agreement", "value"] == pytest.approx(2 * 1 / (4 + 3))
    assert not table["assessable"].any()


def test_without_codings_nothing_is_proposed_and_nothing_written(tmp_path):
    params = project(tmp_path, [f"{text}," for text in TEXTS[:5]])
    done = upr(tmp_path, str(params))
    assert done.returncode == 2
    assert "nobody coded any answer in the export" in done.stderr
    assert not (tmp_path / "outputs").exists()
