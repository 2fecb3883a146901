"""How well patterns and the classifier find the themes that analysts gave to answers of a survey.

The Jupyter survey of 2015 ($UPR_SHARED/data/jupyter_2015): seven open questions of 325 to 763
answers, themes that ten answers or more have. Cross-validated, near-duplicates held out together;
nothing was chosen on these answers. The codebook holds the themes' names and no more.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from upr_analysis.classifier import train
from upr_analysis.codebook import Codebook
from upr_analysis.documents import as_model
from upr_analysis.matching import Matcher
from upr_analysis.proposals import Proposer
from upr_analysis.suggestions import cross_validated, folds, gain, scores

FOLDER = Path(os.environ.get("UPR_SHARED", "../shared")) / "data/jupyter_2015/analyst_themes"
FEWEST, SEED = 10, 1


def read(path: Path, survey: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a question's answers and (answers, themes) those that ten of them have."""
    question = path.stem.removesuffix("_themes")
    themes = pd.read_csv(path, sep=";", index_col=0, keep_default_na=False).iloc[:, 0]
    cells = survey.loc[themes.index].filter(regex=rf"^{question}(_\d)?$").fillna("")
    texts = cells.agg("\n".join, axis=1).str.strip()
    given = themes.str.get_dummies(",").drop(columns="", errors="ignore").astype(bool)
    answers = pd.DataFrame(
        {"respondent": themes.index.astype(str), "question": question, "text": texts,
         "language": "en", "state": "answered"}
    )  # fmt: skip
    said = (texts != "").to_numpy()
    given = given.loc[said, given[said].sum() >= FEWEST]
    return answers[said].reset_index(drop=True), given.reset_index(drop=True)


def by_baseline(texts: np.ndarray, given: np.ndarray, learn: np.ndarray, speak: np.ndarray):
    """Return what one linear support vector machine a theme says."""
    model = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2)),
            TfidfVectorizer(analyzer="char", ngram_range=(3, 5)),
        ),
        OneVsRestClassifier(LinearSVC()),
    )
    return model.fit(texts[learn], given[learn]).predict(texts[speak]).astype(bool)


def by_patterns(texts: np.ndarray, given: np.ndarray, learn: np.ndarray, speak: np.ndarray):
    """Return what the proposed patterns find, all taken."""
    proposer = Proposer(texts[learn].tolist())
    patterns = [[one.pattern for one in proposer.propose(own)] for own in given[learn].T]
    found = Matcher(patterns).find(pa.array(texts[speak], type=pa.large_string()))
    said = np.zeros((len(speak), given.shape[1]), dtype=bool)
    said[found.text, found.code] = True
    return said


def by_classifier(answers: pd.DataFrame, given: pd.DataFrame, learn: np.ndarray, speak: np.ndarray):
    """Return what the classifier suggests, without abstaining."""
    codes = [
        {"name": f"t_{place}", "label": {"en": name.replace("_", " ")}, "definition": name}
        for place, name in enumerate(given.columns)
    ]
    theme = {"name": "all", "label": {"en": "All"}, "definition": "All", "codes": codes}
    book = as_model({"title": {"en": "Themes"}, "themes": [theme]}, Codebook, "themes")
    judged = answers.iloc[learn]
    rows, columns = np.nonzero(given.to_numpy()[learn])
    codings = judged.iloc[rows][["respondent", "question"]].assign(
        code=[f"t_{column}" for column in columns]
    )
    learned = train(judged, codings, book, SEED, judged)
    return learned.probabilities(answers.iloc[speak]) >= learned.thresholds


def main() -> None:
    """Print F1 a question, and the paired gain over the baseline with its interval."""
    survey = pd.read_csv(FOLDER / "survey_short_columns.csv", index_col=0).astype("string")
    for path in sorted(FOLDER.glob("*_themes.csv")):
        answers, given = read(path, survey)
        if given.shape[1] < 2:
            continue
        texts, truth = answers["text"].to_numpy(dtype=object), given.to_numpy()
        fold_of = folds(texts.tolist(), answers["respondent"].tolist(), SEED)
        ways = {
            "baseline": lambda learn, speak: by_baseline(texts, truth, learn, speak),  # noqa: B023
            "patterns": lambda learn, speak: by_patterns(texts, truth, learn, speak),  # noqa: B023
            "classifier": lambda learn, speak: by_classifier(answers, given, learn, speak),  # noqa: B023
        }
        said = {name: cross_validated(way, fold_of) for name, way in ways.items()}
        people = answers["respondent"].tolist()
        print(f"{path.stem}: {len(answers)} answers, {given.shape[1]} themes")
        for name, found in said.items():
            table = scores(truth, found, given.columns, people, SEED, draws=0)
            whole = table[table["code"] == ""].set_index("statistic")["value"]
            print(f"  {name:12} micro {whole['micro_f1']:.3f}  macro {whole['macro_f1']:.3f}")
        for name in ("patterns", "classifier"):
            more = gain(truth, said[name], said["baseline"], people, SEED).set_index("statistic")
            low, high = more.loc["micro_f1", ["low", "high"]]
            print(f"  {name} over baseline: micro {low:+.3f} to {high:+.3f}", flush=True)


if __name__ == "__main__":
    main()
