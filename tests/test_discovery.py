"""Candidate themes: what they count, what they never list, and how far analysts found the same."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

from upr_analysis.discovery import candidates, intrusion_score, word_intrusion
from upr_analysis.problems import InputError

THEMES = (
    Path(__file__).parent.parent
    / os.environ.get("UPR_SHARED", "../shared")
    / "data/jupyter_2015/analyst_themes"
)
NONE = pd.DataFrame(columns=["respondent", "question", "code"], dtype="string")
SUBJECTS = ("wells rivers drought pumps harvest", "judges courts appeals lawyers verdicts")


def open_responses(texts: list[str], language: str = "en") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "respondent": [f"r{place:03}" for place in range(len(texts))],
            "question": "Q1",
            "text": texts,
            "language": language,
            "state": ["answered" if text else "skipped" for text in texts],
        }
    ).astype("string")


def two_subjects(number: int = 60) -> pd.DataFrame:
    """Return answers of three words each, of one of two subjects in turn."""
    rng = np.random.default_rng(7)
    drawn = (rng.choice(SUBJECTS[place % 2].split(), 3, replace=False) for place in range(number))
    return open_responses([f"we are at the {' '.join(words)}" for words in drawn])


def test_two_subjects_are_two_candidates_with_the_answers_that_use_their_terms():
    answers = two_subjects(200)
    found = candidates(answers, NONE, seed=1, number=2)
    assert {frozenset(one.terms) for one in found.candidates} == {
        frozenset(subject.split()) for subject in SUBJECTS
    }
    for place, one in enumerate(found.candidates):
        users = [
            respondent
            for respondent, text in answers[["respondent", "text"]].values
            if set(text.split()) & set(one.terms)
        ]
        members = found.members[found.members["candidate"] == place]
        assert members["respondent"].tolist() == users
        assert (one.answers, one.respondents, one.share) == (100, 100, 50)
        assert one.stability == 1
    again = candidates(answers, NONE, seed=1, number=2)
    assert repr(again.candidates) == repr(found.candidates)


def test_answers_with_a_code_are_left_out():
    answers = two_subjects(80)
    coded = answers[answers["text"].str.contains("wells|rivers|drought|pumps|harvest")]
    found = candidates(answers, coded.assign(code="water"), seed=1)
    assert len(coded) == 40
    words = {word for one in found.candidates for term in one.weights for word in term.split()}
    assert words == set(SUBJECTS[1].split())


def test_a_term_of_fewer_than_five_respondents_is_never_listed_however_often_they_use_it():
    answers = two_subjects(60)
    answers.loc[:19, "text"] += " xylophone"
    answers.loc[:19, "respondent"] = [f"r{place % 4}" for place in range(20)]
    answers["question"] = [f"Q{place}" for place in range(60)]
    answers.loc[20:24, "text"] += " [e-mail] zither"
    found = candidates(answers, NONE, seed=1)
    terms = {term for one in found.candidates for term in one.weights}
    assert "zither" in terms  # of five respondents
    assert not [term for term in terms if "xylophone" in term or "mail" in term]
    assert all(one.respondents <= one.answers for one in found.candidates)


def test_languages_are_apart_and_few_answers_are_a_reason():
    french = two_subjects(40).assign(language="fr")
    french.loc[:11, "text"] += " souvent"
    few = open_responses(["wells"] * 29).assign(language="es")
    nothing = open_responses(["we were there"] * 30)
    blank = open_responses([""] * 50).assign(language="pt")
    found = candidates(pd.concat([french, few, nothing, blank]), NONE, seed=1)
    assert {one.language for one in found.candidates} == {"fr"}
    assert found.reasons == {
        "es": "29 answers without a code, fewer than 30",
        "en": "no word that carries a theme was used by 5 respondents",
    }
    # without a list of stop words, what more than a fifth of the answers use carries no theme
    words = {word for one in found.candidates for term in one.weights for word in term.split()}
    assert "wells" in words
    assert words.isdisjoint({"are", "souvent"})
    empty = candidates(blank, NONE, seed=1)
    assert (empty.candidates, len(empty.members), empty.reasons) == ((), 0, {})


def test_the_intruder_is_of_another_candidate_and_stands_in_the_key_only():
    found = candidates(two_subjects(), NONE, seed=1, number=2).candidates
    items, key = word_intrusion(found, seed=3)
    assert list(items) == ["item", *(f"word_{number}" for number in range(1, 7))]
    for item, *words in items.itertuples(index=False):
        (place, intruder) = key.set_index("item").loc[item, ["candidate", "intruder"]]
        assert set(words) == {*found[place].terms, intruder}
        assert intruder in found[1 - place].terms
    again = word_intrusion(found, seed=3)
    assert all(one.equals(other) for one, other in zip((items, key), again, strict=True))
    places = [
        list(items.loc[0])[1:].index(key["intruder"][0])
        for seed in range(60)
        for items, key in [word_intrusion(found, seed)]
    ]
    assert set(places) == set(range(6))
    other = (found[0], replace(found[1], language="fr"))
    for alone in (found[:1], other):
        assert [len(frame) for frame in word_intrusion(alone, seed=3)] == [0, 0]


def test_intrusion_is_scored_with_wilsons_interval_against_one_in_six():
    key = pd.DataFrame({"item": range(10), "candidate": range(10), "intruder": ["x"] * 10})
    given = pd.DataFrame({"item": [*range(10), 3], "word": ["x"] * 8 + ["y", "y", None]})
    score = intrusion_score(given, key)
    assert (score.right, score.answers, score.share) == (8, 10, 80)
    # Newcombe (1998), Statistics in Medicine 17, by hand: 8 of 10
    assert (round(score.low, 1), round(score.high, 1)) == (49.0, 94.3)
    assert score.chance == pytest.approx(16.67, abs=0.01)
    with pytest.raises(InputError, match="item 10 is not in it"):
        intrusion_score(pd.DataFrame({"item": [10], "word": ["x"]}), key)
    with pytest.raises(InputError, match="no answer"):
        intrusion_score(given.assign(word=None), key)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match=r"make suggest"):
        candidates(two_subjects(), NONE, seed=1)


def likeness(found: np.ndarray, given: np.ndarray) -> float:
    """Return the mean over themes given (n, t) of Jaccard with the one candidate (n, c) of each."""
    both = found.T.astype(int) @ given.astype(int)
    either = found.sum(axis=0)[:, None] + given.sum(axis=0) - both
    alike = both / either
    return float(alike[linear_sum_assignment(-alike)].sum() / given.shape[1])


@pytest.mark.skipif(not THEMES.is_dir(), reason="the analysts' themes are not there: UPR_SHARED")
def test_candidates_are_nearer_to_analysts_themes_than_chance():
    """Seven questions of a survey of 2015, each with the 5 to 14 themes that analysts gave ten
    answers or more: mean Jaccard 0.25 with candidates, 0.11 with as many answers at random.
    """  # fmt: skip
    survey = pd.read_csv(THEMES / "survey_short_columns.csv", index_col=0).astype("string")
    rng, scores = np.random.default_rng(1), []
    for path in sorted(THEMES.glob("*_themes.csv")):
        question = path.stem.removesuffix("_themes")
        themes = pd.read_csv(path, sep=";", index_col=0, keep_default_na=False).iloc[:, 0]
        given = themes.str.get_dummies(",")
        given = given.loc[:, given.sum() >= 10].to_numpy(dtype=bool)
        if given.shape[1] < 2:
            continue
        cells = survey.loc[themes.index].filter(regex=rf"^{question}(_\d)?$").fillna("")
        answers = open_responses(cells.agg("\n".join, axis=1).str.strip().tolist())
        found = candidates(answers, NONE, seed=1)
        stability = [one.stability for one in found.candidates]
        assert stability == sorted(stability, reverse=True)
        members = np.zeros((len(answers), len(found.candidates)), dtype=bool)
        rows = answers["respondent"].searchsorted(found.members["respondent"])
        members[rows, found.members["candidate"]] = True
        chance = np.mean([likeness(rng.permutation(members), given) for _ in range(20)])
        scores.append((likeness(members, given), chance))
    assert len(scores) == 7
    assert all(score > 1.8 * chance for score, chance in scores)
    assert np.mean(scores, axis=0) == pytest.approx([0.25, 0.11], abs=0.01)
