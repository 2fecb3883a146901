"""How well the classifier suggests the codes that people gave to recommendations of the UPR.

Everything was chosen by learning from sessions 1-5 and suggesting for 6-9, which is what this does.
With `--score-10-13` it learns from sessions 1-9 and suggests for 10-13, on which nothing was
chosen. `--few` takes the mean of ten draws of 200 codings, `--curve` says what more codings would
bring. Beside it stands what it is to beat: words and characters, one linear machine a code.

The patterns are those written from UPR Info's rules alone, since the codebook's own were learned
from sessions 1-9. Intervals draw States under review again.
"""

import argparse
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from upr_analysis.classifier import train
from upr_analysis.codebook import Codebook, read_codebook
from upr_analysis.documents import read_model
from upr_analysis.exports import read_export
from upr_analysis.parameters import export_files, read_parameters
from upr_analysis.questionnaire import read_questionnaire
from upr_analysis.responses import type_responses
from upr_analysis.suggestions import expected_gain, gain, learning_curve, scores

ROOT = Path(__file__).parent.parent
NAME = "upr-recommendations"
CODINGS, DRAWS, SEED = 200, 10, 1
FEWEST_POSITIVES = 30
SIZES = (100, 200, 400, 800, 1600)


@dataclass(frozen=True)
class Coded:
    """Recommendations with what people gave them."""

    codebook: Codebook
    answers: pd.DataFrame  # with session and State under review
    codings: pd.DataFrame
    given: np.ndarray  # (answers, codes)


def read(last: int) -> Coded:
    """Read the recommendations of sessions 1 to `last`; later ones are let go at once."""
    parameters = read_parameters(ROOT / "params" / f"{NAME}.yml")
    questionnaire = read_questionnaire(ROOT / "data" / NAME)
    export = read_export(export_files(parameters, ROOT), questionnaire)
    typed = type_responses(export, questionnaire, parameters.seed)
    people = typed.respondents.loc[typed.respondents["session"] <= last, ["respondent", "session"]]
    states = typed.free_texts[typed.free_texts["question"] == "under_review"]
    people = people.merge(states[["respondent", "text"]].rename(columns={"text": "to"}))
    answers = typed.open_responses.merge(people, on="respondent")
    codings = typed.imported[typed.imported["respondent"].isin(answers["respondent"])]
    book = read_codebook(ROOT / "data" / NAME)
    rules = read_model(ROOT / "benchmarks" / "codebook_from_rules.yml", Codebook)
    written = {code.name: {"patterns": code.patterns} for code in rules.codes}
    themes = [
        theme.model_copy(
            update={"codes": tuple(c.model_copy(update=written[c.name]) for c in theme.codes)}
        )
        for theme in book.themes
    ]
    book = book.model_copy(update={"themes": tuple(themes)})
    given = np.zeros((len(answers), len(book.codes)), dtype=bool)
    rows = pd.Index(answers["respondent"]).get_indexer(codings["respondent"])
    given[rows, pd.Index([code.name for code in book.codes]).get_indexer(codings["code"])] = True
    return Coded(book, answers, codings, given)


def by_classifier(
    coded: Coded, pool: np.ndarray, learn: np.ndarray, speak: np.ndarray
) -> np.ndarray:
    """Return what the classifier suggests, without abstaining.

    It reads the answers of the pool (places) and learns from the codings of some of them.
    """
    judged = coded.answers.iloc[learn]
    codings = coded.codings[coded.codings["respondent"].isin(judged["respondent"])]
    learned = train(coded.answers.iloc[pool], codings, coded.codebook, SEED, judged)
    return learned.probabilities(coded.answers.iloc[speak]) >= learned.thresholds


def by_baseline(coded: Coded, learn: np.ndarray, speak: np.ndarray) -> np.ndarray:
    """Return what one linear support vector machine a code suggests."""
    model = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2)),
            TfidfVectorizer(analyzer="char", ngram_range=(3, 5)),
        ),
        OneVsRestClassifier(LinearSVC()),
    )
    is_given = coded.given[learn].any(axis=0)
    texts = coded.answers["text"].to_numpy()
    found = np.zeros((len(speak), len(is_given)), dtype=bool)
    found[:, is_given] = model.fit(texts[learn], coded.given[learn][:, is_given]).predict(
        texts[speak]
    )
    return found


def main() -> None:
    """Print the scores as asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    for switch in ("--score-10-13", "--few", "--curve"):
        parser.add_argument(switch, action="store_true")
    asked = parser.parse_args()
    os.environ.setdefault("UPR_SHARED", "../shared")
    coded = read(13 if asked.score_10_13 else 9)
    session = coded.answers["session"].to_numpy()
    is_held = session > (9 if asked.score_10_13 else 5)
    learn, held = np.flatnonzero(~is_held), np.flatnonzero(is_held)
    given, states = coded.given[held], coded.answers["to"].to_numpy()[held]
    names = [code.name for code in coded.codebook.codes]
    ways = {
        "baseline": partial(by_baseline, coded),
        "classifier": partial(by_classifier, coded, learn),
    }
    if asked.few or asked.curve:
        sizes, seeds = (SIZES, range(3)) if asked.curve else ((CODINGS,), range(DRAWS))
        for way, predict in ways.items():
            curve = learning_curve(predict, coded.given, is_held, sizes, seeds)
            print(way, curve.groupby("answers")[["micro_f1", "macro_f1"]].mean().round(4))
            if asked.curve:
                print("expected gain of 50 more", expected_gain(curve))
        return
    found = {}
    for way, predict in ways.items():
        began = time.process_time()
        found[way] = predict(learn, held)
        print(f"{way}: {len(learn)} learned from, {time.process_time() - began:.0f} s")
        table = scores(given, found[way], names, states, SEED)
        print(table[table["statistic"].eq("f1") | table["code"].eq("")].round(4).to_string())
        often = table[table["statistic"].eq("f1") & table["base"].ge(FEWEST_POSITIVES)]
        print(f"macro_f1 of codes with {FEWEST_POSITIVES} or more: {often['value'].mean():.4f}")
    print(gain(given, found["classifier"], found["baseline"], states, SEED).round(4).to_string())


if __name__ == "__main__":
    main()
