"""Codes that are learned from answers that people coded, and from the codebook's definitions.

A linear support vector machine on words and characters; one on which words, and pairs of words near
each other, are how much commoner with the code (Wang and Manning 2012, ACL, 90-94); how much an
answer is like the code's definition; and whether patterns are found, those of the codebook and
those that the codings make of them. What each says of answers that it has not learned from is
joined by one logistic regression for all codes, from which a code departs as far as its answers
bear out: so it holds with 200 coded answers and with codes that hardly any answer has, which are
then known by definition. Texts only: nothing else about a respondent is looked at.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse
from scipy.special import expit, logit

from upr_analysis.codebook import Code, Codebook
from upr_analysis.coding import DictionaryCoder
from upr_analysis.matching import WORDS, Matcher
from upr_analysis.patterns import fold
from upr_analysis.privacy import PLACEHOLDERS
from upr_analysis.problems import InputError
from upr_analysis.proposals import Proposer
from upr_analysis.suggestions import (
    ABSTENTION_COLUMNS,
    FAILURE_COLUMNS,
    OUTSIDE,
    Suggested,
    cross_validated,
    folds,
    require_scikit_learn,
    suggestions,
)

NAME: Final = "classifier"
BAND: Final = 0.5  # log-odds on either side of a code's threshold, within which it abstains
FEWEST_JUDGED: Final = 20  # coded answers, to learn anything
FEWEST_GIVEN: Final = 3  # answers with a code, below which it is known by definition only
NEAR: Final = 20  # words apart, for two to be a pair
SHARED: Final = 400  # answers with a code, at which half of its threshold is its own
LOOSE: Final = 0.01  # how freely a code departs from the others (inverse L2 penalty)
LEAST: Final = 0.25  # of the heaviest word's weight, for its neighbours to be evidence
KEYS: Final = ["respondent", "question"]


@dataclass(frozen=True)
class Classifier:
    """A Suggester that has learned; `brier` (codes,) and `thresholds` are of answers held out.

    `by_definition` are the codes that fewer than 3 coded answers have: what is suggested for them
    comes from their definition, and nothing is known of how good it is.
    """

    codes: tuple[str, ...]
    thresholds: np.ndarray  # (codes,), probabilities
    brier: np.ndarray  # mean squared error of the probabilities, 0 is best
    by_definition: tuple[str, ...]
    held_out: np.ndarray  # probabilities (judged, codes) from the answers of other folds
    judged: pd.DataFrame  # respondent, question
    _learner: "_Learner"
    _experts: "_Experts"
    _joint: "_Joint"
    band: float = BAND
    name: str = NAME

    def probabilities(self, open_responses: pd.DataFrame) -> np.ndarray:
        """Return how likely each code is, (answers, codes)."""
        if open_responses.empty:
            return np.zeros((0, len(self.codes)))
        return self._joint.probabilities(self._experts.say(self._learner.features(open_responses)))

    def suggest(self, open_responses: pd.DataFrame) -> Suggested:
        """Return the codes whose threshold is passed, with the words that weigh most for each."""
        answered = open_responses[open_responses["state"] == "answered"].reset_index(drop=True)
        likely = self.probabilities(answered)
        beyond = _log_odds(likely) - _log_odds(self.thresholds)
        is_unsure = np.abs(beyond) < self.band
        weights = self._experts.word_weights
        rows = list[tuple[object, ...]]()
        units = list(answered[[*KEYS, "text"]].itertuples(index=False, name=None))
        for place, code in np.argwhere((beyond >= 0) & ~is_unsure):
            respondent, question, text = units[place]
            start, end = self._learner.evidence(text, weights[code])
            name, probability = self.codes[code], float(likely[place, code])
            rows.append((respondent, question, name, probability, start, end, self.name))
        unsure = [(*units[place][:2], self.codes[code]) for place, code in np.argwhere(is_unsure)]
        return Suggested(
            codes=suggestions(rows),
            abstained=pd.DataFrame(unsure, columns=list(ABSTENTION_COLUMNS), dtype="string"),
            rejected={},
            failed=pd.DataFrame(columns=list(FAILURE_COLUMNS), dtype="string"),
        )


def train(
    open_responses: pd.DataFrame,
    codings: pd.DataFrame,
    codebook: Codebook,
    seed: int,
    judged: pd.DataFrame | None = None,
    band: float = BAND,
) -> Classifier:
    """Learn from codings (respondent, question, code) of open responses.

    `judged` (respondent, question) are the answers that people read, so that no coding means that
    no code applies; without it they are those with a code. Of other answers only the words count,
    which tell common ones from rare ones. The codebook's patterns are evidence too: where they were
    proposed from these very codings, what is held out is no longer unseen by them, and looks better
    than it is. The same seed, answers and codings give the same classifier. Raises InputError.
    """
    require_scikit_learn()
    codes = tuple(code.name for code in codebook.codes)
    judged = (codings if judged is None else judged)[KEYS].drop_duplicates()
    answered = open_responses[open_responses["state"] == "answered"]
    units = pd.MultiIndex.from_frame(answered[KEYS])
    known = answered[units.isin(pd.MultiIndex.from_frame(judged))].reset_index(drop=True)
    problems = [
        f"Code {code!r} is {OUTSIDE}: add it, or take its codings out."
        for code in sorted(set(codings["code"]) - set(codes))
    ]
    if len(known) < FEWEST_JUDGED:
        problems.append(
            f"{len(known)} answers are coded, too few to learn from: code {FEWEST_JUDGED} or more."
        )
    if problems:
        raise InputError(problems)
    given = _given(known, codings, codes)
    learner = _Learner(codebook, answered)
    features = learner.features(known)
    fold_of = folds(known["text"].tolist(), known["respondent"].tolist(), seed)
    if not fold_of.any():
        raise InputError(
            "All coded answers are one respondent's, or nearly the same, so that nothing can be "
            "held out: code answers of others."
        )

    def say(learn: np.ndarray, speak: np.ndarray) -> np.ndarray:
        experts = _Experts(learner, features.at(learn), given[learn], seed)
        return experts.say(features.at(speak))

    said = cross_validated(say, fold_of)

    def join(learn: np.ndarray, speak: np.ndarray) -> np.ndarray:
        return _Joint(said[learn], given[learn]).probabilities(said[speak])

    likely = cross_validated(join, fold_of)
    few = given.sum(axis=0) < FEWEST_GIVEN
    return Classifier(
        codes=codes,
        thresholds=_thresholds(likely, given),
        brier=((likely - given) ** 2).mean(axis=0),
        by_definition=tuple(code for code, is_few in zip(codes, few, strict=True) if is_few),
        held_out=likely,
        judged=known[KEYS],
        _learner=learner,
        _experts=_Experts(learner, features, given, seed),
        _joint=_Joint(said, given),
        band=band,
    )


def _given(known: pd.DataFrame, codings: pd.DataFrame, codes: Sequence[str]) -> np.ndarray:
    rows = pd.MultiIndex.from_frame(known[KEYS]).get_indexer(
        pd.MultiIndex.from_frame(codings[KEYS])
    )
    given = np.zeros((len(known), len(codes)), dtype=bool)
    columns = pd.Index(codes).get_indexer(pd.Index(codings["code"]))
    given[rows[rows >= 0], columns[rows >= 0]] = True
    return given


@dataclass(frozen=True)
class _Features:
    """What texts hold; each is (texts, ...)."""

    weighed: Any  # words 1-2, then characters 3-5, by TF-IDF
    held: Any  # whether words 1-2 and pairs stand in it
    hits: np.ndarray  # of the codebook's patterns, (texts, codes)
    texts: np.ndarray

    def at(self, places: np.ndarray) -> "_Features":
        return _Features(
            self.weighed[places], self.held[places], self.hits[places], self.texts[places]
        )


class _Learner:
    """Turns texts into features; the codebook's definitions are texts too, each of its code."""

    def __init__(self, codebook: Codebook, answered: pd.DataFrame) -> None:
        from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

        self._names = [code.name for code in codebook.codes]
        self.written = [
            [pattern for patterns in code.patterns.values() for pattern in patterns]
            for code in codebook.codes
        ]
        self.negations = [word for words in codebook.negations.values() for word in words]
        self._coder = DictionaryCoder(codebook)
        documents = [
            (text, place) for place, code in enumerate(codebook.codes) for text in _defining(code)
        ]
        self.of = np.array([place for _, place in documents])
        defining = [text for text, _ in documents]
        texts = [_plain(text)[0] for text in [*answered["text"], *defining]]
        options = {"lowercase": False, "sublinear_tf": True}
        self.words = TfidfVectorizer(analyzer=_phrases, min_df=2, **options)
        self._characters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), min_df=3, **options
        )
        self._held = CountVectorizer(analyzer=_with_pairs, min_df=3, binary=True)
        for vectorizer in (self.words, self._characters, self._held):
            try:
                vectorizer.fit(texts)
            except ValueError:  # nothing is in as many texts
                vectorizer.set_params(min_df=1).fit(texts)
        self.defining = self._of_texts(defining, np.zeros((len(defining), len(self._names))))

    def features(self, open_responses: pd.DataFrame) -> _Features:
        found = self._coder.find(open_responses["text"], open_responses["language"])
        hits = np.zeros((len(open_responses), len(self._names)))
        hits[found["text"], pd.Index(self._names).get_indexer(pd.Index(found["code"]))] = 1
        return self._of_texts(open_responses["text"].tolist(), hits)

    def _of_texts(self, texts: list[str], hits: np.ndarray) -> _Features:
        plain = [_plain(text)[0] for text in texts]
        weighed = [one.transform(plain) for one in (self.words, self._characters)]
        held = self._held.transform(plain).astype(float)
        return _Features(sparse.hstack(weighed).tocsr(), held, hits, np.array(texts, dtype=object))

    def evidence(self, text: str, weights: np.ndarray) -> tuple[object, object]:
        """Return start and end of the heaviest word with its heavy neighbours, else <NA> twice."""
        folded, places = _plain(text)
        words = list(WORDS.finditer(folded))
        row, number = self.words.transform([folded]), self.words.vocabulary_
        value = dict(zip(row.indices, row.data * weights[row.indices], strict=True))
        weight = np.array([value.get(number.get(word[0]), 0.0) for word in words])
        for place, (one, other) in enumerate(pairwise(words)):
            weight[place : place + 2] += value.get(number.get(f"{one[0]} {other[0]}"), 0.0) / 2
        if not len(weight) or weight.max() <= 0:
            return pd.NA, pd.NA
        first = last = int(weight.argmax())
        while first and weight[first - 1] >= LEAST * weight.max():
            first -= 1
        while last + 1 < len(words) and weight[last + 1] >= LEAST * weight.max():
            last += 1
        end = places[words[last].end() - 1] + 1
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        return places[words[first].start()], end


def _defining(code: Code) -> Iterator[str]:
    yield from code.label.values()
    yield from filter(None, (code.definition, code.include, code.example))


def _plain(text: str) -> tuple[str, Sequence[int]]:
    """Return the text folded and where each character stands; what was redacted is blank."""
    for placeholder in PLACEHOLDERS.values():
        text = text.replace(placeholder, " " * len(placeholder))
    return fold(text)


def _phrases(text: str) -> list[str]:
    words = WORDS.findall(text)
    return words + [f"{one} {other}" for one, other in pairwise(words)]


def _with_pairs(text: str) -> list[str]:
    words = WORDS.findall(text)
    near = {
        "~".join(sorted((word, other)))
        for place, word in enumerate(words)
        for other in words[place + 1 : place + NEAR]
    }
    return [*_phrases(text), *near]


class _Experts:
    """What has learned of each code by itself, from answers and from definitions."""

    def __init__(
        self, learner: _Learner, features: _Features, given: np.ndarray, seed: int
    ) -> None:
        defining, number = learner.defining, given.shape[1]
        is_given = np.vstack([given, learner.of[:, None] == np.arange(number)])
        weighed = sparse.vstack([features.weighed, defining.weighed]).tocsr()
        held = sparse.vstack([features.held, defining.held]).tocsr()
        totals = np.asarray(held.sum(axis=0)).ravel()
        machines = [_machine(weighed, one, seed) for one in is_given.T]
        self._weights = np.array([weights for weights, _ in machines])
        self._offsets = np.array([offset for _, offset in machines])
        self.word_weights = self._weights[:, : len(learner.words.vocabulary_)]
        self._ratios = [_ratios(held, totals, one) for one in is_given.T]
        self._on_ratios = [
            _machine(_normal(held.multiply(ratios).tocsr()), one, seed)
            for ratios, one in zip(self._ratios, is_given.T, strict=True)
        ]
        every = [pattern for patterns in learner.written for pattern in patterns]
        proposer = Proposer(features.texts.tolist(), every, learner.negations)
        patterns = [
            [one.pattern for one in proposer.propose(*pair) if one.change != "drop"]
            for pair in zip(given.T, learner.written, strict=True)
        ]
        self._matcher = Matcher(patterns, learner.negations)
        self._defining, self._of = defining.weighed, learner.of

    def say(self, features: _Features) -> np.ndarray:
        """Return what each says, (texts, codes, 5)."""
        by_words = features.weighed @ self._weights.T + self._offsets
        by_ratios = np.column_stack(
            [
                _normal(features.held.multiply(ratios).tocsr()) @ weights + offset
                for ratios, (weights, offset) in zip(self._ratios, self._on_ratios, strict=True)
            ]
        )
        likeness = (features.weighed @ self._defining.T).toarray()
        by_definition = np.column_stack(
            [likeness[:, self._of == code].max(axis=1) for code in range(len(self._ratios))]
        )
        found = self._matcher.find(pa.array(features.texts, type=pa.large_string()))
        by_pattern = np.zeros(by_words.shape)
        by_pattern[found.text, found.code] = 1
        return np.stack([by_words, by_ratios, by_definition, by_pattern, features.hits], axis=2)


def _machine(features: Any, given: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """Return the weights and the offset of a linear support vector machine."""
    from sklearn.svm import LinearSVC

    if given.all() or not given.any():
        return np.zeros(features.shape[1]), 0.0
    machine = LinearSVC(random_state=seed, max_iter=5_000).fit(features, given)
    return machine.coef_[0], float(machine.intercept_[0])


def _ratios(held: Any, totals: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return how much commoner each feature is with the code than without, as a logarithm."""
    with_code = 1 + np.asarray(held[given].sum(axis=0)).ravel()
    without = 2 + totals - with_code
    return np.asarray(np.log(with_code / with_code.sum() / (without / without.sum())))


def _normal(rows: Any) -> Any:
    from sklearn.preprocessing import normalize

    return normalize(rows)


class _Joint:
    """The logistic regression of all codes on what is said, (texts, codes, 5)."""

    def __init__(self, said: np.ndarray, given: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression

        self._constant = float(given.mean())
        rows = _with_gap(said)
        self._mean, self._scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
        self._model = LogisticRegression(C=LOOSE, max_iter=500)
        if 0 < self._constant < 1:
            self._model.fit(self._columns(said), given.ravel())

    def probabilities(self, said: np.ndarray) -> np.ndarray:
        if self._constant in (0, 1):
            return np.full(said.shape[:2], self._constant)
        likely = self._model.predict_proba(self._columns(said))[:, 1]
        return np.asarray(likely.reshape(said.shape[:2]))

    def _columns(self, said: np.ndarray) -> Any:
        """Return what is said, for all codes and again for each by itself."""
        rows = (_with_gap(said) - self._mean) / self._scale
        number = said.shape[1]
        code = np.tile(np.arange(number), len(said))
        is_code = sparse.csr_matrix((np.ones(len(rows)), (np.arange(len(rows)), code)))
        own = [is_code.multiply(rows[:, [one]]) for one in range(4)]
        return sparse.hstack([rows, is_code, *own]).tocsr()


def _with_gap(said: np.ndarray) -> np.ndarray:
    """Return rows of what is said and how far the text's likeliest code is above."""
    gap = said[:, :, 0] - said[:, :, 0].max(axis=1, keepdims=True)
    return np.concatenate([said, gap[:, :, None]], axis=2).reshape(-1, said.shape[2] + 1)


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(logit(np.clip(probabilities, 1e-6, 1 - 1e-6)))


def _thresholds(likely: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return for each code the probability from which it is suggested.

    That at which its F1 is best, drawn towards the one at which the F1 of all codes is, the more
    the fewer answers have it.
    """
    own = np.array([_best(*pair) for pair in zip(likely.T, given.T, strict=True)])
    share = given.sum(axis=0) / (given.sum(axis=0) + SHARED)
    common = _best(likely.ravel(), given.ravel())
    return np.asarray(expit(share * _log_odds(own) + (1 - share) * _log_odds(np.array(common))))


def _best(likely: np.ndarray, given: np.ndarray) -> float:
    """Return the probability that parts best by F1, midway between two that there are."""
    order = np.argsort(-likely, kind="stable")
    f1 = 2 * np.cumsum(given[order]) / (np.arange(1, len(order) + 1) + given.sum())
    last = int(f1.argmax())
    return float(likely[order[last : last + 2]].mean())
