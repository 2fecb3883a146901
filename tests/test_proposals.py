"""Patterns are proposed from what people coded, with what each gains and breaks."""

import os
import runpy

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from upr_analysis.codebook import Codebook
from upr_analysis.documents import as_model, parse_yaml, read_model
from upr_analysis.matching import Matcher
from upr_analysis.proposals import CONTEXT, Proposal, Proposer, proposals_of, with_decisions

SHARED = ROOT / os.environ.get("UPR_SHARED", "../shared")

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


def test_a_written_pattern_stays_until_answers_speak_against_it():
    wells = np.array(["well" in text for text in TEXTS])
    written = ["late", "dry", "dry wells", "no rain", "no-rain"]
    found = {one.pattern: one for one in Proposer(TEXTS, written).propose(wells, written)}
    assert found["dry"] == Proposal("dry", "keep", 3, 0)
    assert found["no rain"] == Proposal("no rain", "keep", 0, 0)
    assert found["late"] == Proposal("late", "drop", 1, 3)
    # what others find anyway
    assert found["dry wells"] == Proposal("dry wells", "drop", 0, 0)
    assert found["no-rain"] == Proposal("no-rain", "drop", 0, 0)


def test_a_pattern_whose_answers_others_find_is_dropped_again():
    """Of single words "a" is best, until "b" and "c" find the same and not what it breaks."""
    texts = ["a b", "c a"] * 4 + ["b", "c"] * 2 + ["a"] * 2
    truth = np.array(["b" in text or "c" in text for text in texts])
    assert {one.pattern for one in Proposer(texts).propose(truth)} == {"b", "c"}


def test_what_is_right_two_times_in_five_will_do_only_where_a_code_is_hard_to_find():
    doubtful = ["q"] * 22, ["q"] * 28
    for others, patterns in ((["p"] * 100, ["p"]), ([f"x{n}" for n in range(30)], ["q"])):
        given = [*others, *doubtful[0]]
        truth = np.arange(len(given) + 28) < len(given)
        found = Proposer([*given, *doubtful[1]]).propose(truth)
        assert [one.pattern for one in found] == patterns


words = st.sampled_from(["well", "wells", "dry", "rain", "rainy", "no", "é", "-", ",", "x"])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.lists(words, max_size=8), st.booleans()), max_size=20),
    st.lists(st.sampled_from(["well", "rain*", "dry ~3 no", "no well", "x"]), unique=True),
)
def test_gains_and_breaks_are_what_the_matcher_finds(coded, written):
    texts = [" ".join(some) for some, _ in coded]
    truth = np.array([one for _, one in coded], dtype=bool)
    found = Proposer(texts, written).propose(truth, written)
    assert {one.pattern for one in found if one.change != "add"} == set(written)
    before = set[int]()
    for one in found:
        matched = Matcher([(one.pattern,)]).find(pa.array(texts, type=pa.large_string()))
        new = set(matched.text.tolist()) - before
        assert one.gains == sum(bool(truth[place]) for place in new)
        assert one.breaks == len(new) - one.gains
        if one.change == "drop":
            continue
        assert one.gains > 0 or one.change == "keep"
        before |= new


BOOK = """
title: {en: C}
themes:
  - name: t
    label: {en: T}
    definition: d
    codes:
      # what is dry
      - name: water
        label: {en: W}
        definition: d
        patterns: {en: [late, dry !3, rain], fr: [train]}
negations: {en: [wells]}
"""


def coded(texts=TEXTS[:11]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return answers, and the code water of those that speak of a well."""
    answers = pd.DataFrame(
        {"respondent": [f"r{n}" for n in range(len(texts))], "question": "Q", "text": texts,
         "language": "en", "state": "answered"}
    )  # fmt: skip
    given = answers.loc[answers["text"].str.contains("well"), ["respondent", "question"]]
    return answers, given.assign(code="water")


def test_the_codebooks_patterns_of_the_answers_language_are_kept_or_dropped():
    book = as_model(parse_yaml(BOOK, "small"), Codebook, "small")
    (found,) = proposals_of(*coded(), book)
    assert found[["pattern", "change", "gains", "breaks"]].values.tolist() == [
        ["dry !3", "keep", 2, 0],  # and not in "wells run dry"
        ["rain", "keep", 0, 0],
        ["late", "drop", 0, 3],
    ]
    assert found["broken_in"].tolist() == ["", "", "The train was late"]
    assert found["gained_in"].tolist() == ["the well is dry", "", ""]


def test_a_pattern_is_shown_in_context_and_cut():
    long = f"{'before ' * 20}the well {'after ' * 20}"
    bare = as_model(parse_yaml("title: {en: C}\nthemes: []", "small"), Codebook, "small")
    (found,) = proposals_of(*coded([long, *TEXTS]), bare)
    shown = found.loc[found["pattern"] == "well*", "gained_in"].item()
    assert "before the well after" in shown
    assert shown[0] == shown[-1] == "…"
    assert len(shown) < 2 * CONTEXT + 10


def test_accepted_patterns_go_into_the_content_of_a_codebook_and_dropped_ones_out():
    content = parse_yaml(BOOK, "small")
    with_decisions(
        content,
        [("water", "en", "well*", "add"), ("water", "en", "late", "drop"),
         ("water", "es", "pozo*", "add"), ("water", "en", "rain", "add")],
    )  # fmt: skip
    assert content["themes"][0]["codes"][0]["patterns"] == {
        "en": ["dry !3", "rain", "well*"], "fr": ["train"], "es": ["pozo*"],
    }  # fmt: skip


@pytest.mark.skipif(
    not (SHARED / "data/upr_recommendations").is_dir(),
    reason="UPR Info's export is not there: set UPR_SHARED",
)
def test_patterns_of_upr_infos_issues_are_those_that_the_benchmark_writes():
    benchmark = runpy.run_path(str(ROOT / "benchmarks" / "patterns.py"))
    book = read_model(ROOT / "benchmarks" / "codebook_from_rules.yml", Codebook)
    codes = [code.name for code in book.codes]
    coded = benchmark["read"](codes)
    learned = benchmark["learn"](
        coded.of(coded.sessions <= 9), [list(code.patterns["en"]) for code in book.codes]
    )
    text = (ROOT / "data" / "upr-recommendations" / "codebook.yml").read_text(encoding="utf-8")
    assert text == benchmark["with_patterns"](text, dict(zip(codes, learned, strict=True)))
    assert max(map(len, learned)) <= 45
