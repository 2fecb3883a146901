"""Candidate themes among the answers that no code covers: for a researcher to judge, never codes.

A language at a time, words and pairs of neighbouring words are weighed by TF-IDF and parted by
non-negative matrix factorisation (Lee and Seung 1999, Nature 401, 788-791). Words that carry no
theme are left out: in English those of scikit-learn's list ("system" and "interest" among them),
pairs closing over them; in other languages, for which it has none, those in more than a fifth of
the answers. Terms that fewer than FEWEST respondents used could be one person's own words and are
not so much as looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import sparse

from upr_analysis.intervals import wilson_interval
from upr_analysis.privacy import PLACEHOLDERS
from upr_analysis.problems import InputError
from upr_analysis.suggestions import require_scikit_learn

FEWEST: Final = 5  # respondents who used a term, or any term of a candidate
FEWEST_ANSWERS: Final = 30  # without a code, in one language
LISTED: Final = 5  # terms that a candidate is shown by
LEAST_WEIGHT: Final = 0.1  # of a listed term, the heaviest being 1
MOST: Final = 25  # candidates in one language
DRAWS: Final = 10
DRAWN: Final = 0.8  # of the respondents
KEYS: Final = ["respondent", "question"]


@dataclass(frozen=True)
class Candidate:
    """Terms that stand together; an answer belongs where it uses any that is listed.

    `weights` are those of all terms above 0, the heaviest 1. `stability` is how alike (Jaccard,
    0-1) its terms are to the nearest candidate's in draws of four fifths of the respondents.
    """

    language: str
    weights: Mapping[str, float]
    answers: int
    respondents: int
    share: float  # percent of the answers in the language that no code covers
    stability: float

    @property
    def terms(self) -> tuple[str, ...]:
        """The heaviest terms, at most LISTED."""
        return _listed(self.weights)


@dataclass(frozen=True)
class Discovered:
    """Candidates, most stable first in each language, and their answers.

    `members` are respondent, question and the candidate's place in `candidates`; an answer may
    belong to several. `reasons` say for each language without candidates why.
    """

    candidates: tuple[Candidate, ...]
    members: pd.DataFrame
    reasons: Mapping[str, str]


def candidates(
    open_responses: pd.DataFrame, codings: pd.DataFrame, seed: int, number: int | None = None
) -> Discovered:
    """Return candidate themes among answered open responses that `codings` do not hold.

    `number` is how many to look for in a language; without it the root of half the answers (Mardia
    and others 1979, Multivariate Analysis, 365), at most MOST. An unknown language counts as one,
    "". Equal input and seed give equal output.
    InputError without scikit-learn.
    """
    coded = pd.MultiIndex.from_frame(codings[KEYS])
    covered = pd.MultiIndex.from_frame(open_responses[KEYS]).isin(coded)
    left = open_responses[~covered & (open_responses["state"] == "answered").to_numpy()]
    languages = left["language"].astype("object").where(left["language"].notna(), "")
    found, members, reasons = list[Candidate](), list[pd.DataFrame](), dict[str, str]()
    for language, answers in left.groupby(languages, sort=True):
        some, of_answer, reason = _in_one_language(str(language), answers, seed, number)
        for candidate, belongs in zip(some, of_answer, strict=True):
            members.append(answers.loc[belongs, KEYS].assign(candidate=len(found)))
            found.append(candidate)
        if reason:
            reasons[str(language)] = reason
    nobody = left.head(0)[KEYS].assign(candidate=np.zeros(0, dtype=int))
    return Discovered(tuple(found), pd.concat([nobody, *members], ignore_index=True), reasons)


def _in_one_language(
    language: str, answers: pd.DataFrame, seed: int, number: int | None
) -> tuple[list[Candidate], list[np.ndarray], str]:
    """Return candidates, which answers (n,) belong to each, and why there are none."""
    if len(answers) < FEWEST_ANSWERS:
        return [], [], f"{len(answers)} answers without a code, fewer than {FEWEST_ANSWERS}"
    terms, counts = _term_counts(answers["text"], language)
    respondents = answers["respondent"].to_numpy(dtype=str)
    names, of = np.unique(respondents, return_inverse=True)
    whose = sparse.csr_matrix((np.ones(len(of)), (of, np.arange(len(of)))))
    common = np.diff((whose @ counts).tocsc().indptr) >= FEWEST  # respondents of each term
    if not common.any():
        return [], [], f"no word that carries a theme was used by {FEWEST} respondents"
    terms, counts = terms[common], counts[:, common]
    weighed = _tf_idf(counts)
    number = number or min(MOST, int(np.sqrt(len(answers) / 2)))
    parts = [_weights(part, terms) for part in _factors(weighed, number, seed) if part.any()]
    generator = np.random.default_rng(seed)
    drawn = list[list[set[str]]]()
    for _ in range(DRAWS):
        some = generator.permutation(len(names))[: int(DRAWN * len(names))]
        again = _factors(weighed[np.isin(of, some)], number, seed)
        drawn.append([set(_listed(_weights(part, terms))) for part in again if part.any()])
    found = list[tuple[Candidate, np.ndarray]]()
    for weights in parts:
        listed = set(_listed(weights))
        belongs = np.diff(counts[:, np.isin(terms, list(listed))].tocsr().indptr) > 0
        alike = [max((_jaccard(listed, one) for one in draw), default=0.0) for draw in drawn]
        people, size = len(np.unique(of[belongs])), int(belongs.sum())
        share, stability = 100 * size / len(answers), round(float(np.mean(alike)), 6)
        found.append((Candidate(language, weights, size, people, share, stability), belongs))
    found.sort(key=lambda one: (-one[0].stability, -one[0].answers, one[0].terms))
    return [one for one, _ in found], [belongs for _, belongs in found], ""


def _term_counts(texts: pd.Series, language: str) -> tuple[np.ndarray, Any]:
    """Return terms (m,) and how often each answer uses each, sparse (n, m)."""
    require_scikit_learn()
    from sklearn.feature_extraction.text import CountVectorizer

    for placeholder in PLACEHOLDERS.values():
        texts = texts.str.replace(placeholder, " ", regex=False)
    english = language.split("-", maxsplit=1)[0] == "en"
    counter = CountVectorizer(
        ngram_range=(1, 2),
        stop_words="english" if english else None,
        max_df=0.5 if english else 0.2,
    )
    try:
        counts = counter.fit_transform(texts)
    except ValueError:  # no term is left
        return np.zeros(0, dtype=object), sparse.csc_matrix((len(texts), 0))
    return counter.get_feature_names_out(), counts.tocsc()


def _tf_idf(counts: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfTransformer

    return TfidfTransformer(sublinear_tf=True).fit_transform(counts)


def _factors(weighed: Any, number: int, seed: int) -> np.ndarray:
    """Return the weight of each term in each part, (number, m)."""
    from sklearn.decomposition import NMF
    from threadpoolctl import threadpool_limits

    number = min(number, *weighed.shape)
    model = NMF(number, init="nndsvda", random_state=seed, max_iter=2_000)
    with threadpool_limits(1):  # small products: threads cost more, and their sums vary
        return np.asarray(model.fit(weighed).components_)


def _weights(part: np.ndarray, terms: np.ndarray) -> dict[str, float]:
    """Return the terms of a part by weight; rounded, so that equal ones stand in one order."""
    relative = (part / part.max()).round(6)
    above = np.flatnonzero(relative)
    ordered = sorted(above, key=lambda place: (-relative[place], terms[place]))
    return {str(terms[place]): float(relative[place]) for place in ordered}


def _listed(weights: Mapping[str, float]) -> tuple[str, ...]:
    heavy = [term for term, weight in weights.items() if weight >= LEAST_WEIGHT]
    return tuple(heavy[:LISTED])


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def word_intrusion(found: tuple[Candidate, ...], seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return items that test whether candidates make sense to a reader, and their key, apart.

    An item is a candidate's five heaviest terms and one intruder, shuffled: a term listed by
    another candidate of the language, of the lightest here and without a word in common (Chang and
    others 2009, NIPS 22). Items: `item`, `word_1` to `word_6`; key: `item`, `candidate` (its
    place), `intruder`. A candidate of fewer terms, or without an intruder, makes no item.
    """
    generator = np.random.default_rng(seed)
    pairs = list[tuple[int, str]]()
    for place, one in enumerate(found):
        own = {word for term in _heaviest(one) for word in term.split()}
        of_others = {
            term: one.weights.get(term, 0.0)
            for other in found
            if other.language == one.language
            for term in other.terms
            if own.isdisjoint(term.split())
        }
        lightest = min(of_others.values(), default=0.0)
        light = sorted(term for term, weight in of_others.items() if weight == lightest)
        if len(_heaviest(one)) == LISTED and light:
            pairs.append((place, str(generator.choice(light))))
    pairs = [pairs[place] for place in generator.permutation(len(pairs))]
    rows = [
        [item, *generator.permutation([*_heaviest(found[place]), intruder]).tolist()]
        for item, (place, intruder) in enumerate(pairs, 1)
    ]
    key = [(item, *pair) for item, pair in enumerate(pairs, 1)]
    words = [f"word_{number}" for number in range(1, LISTED + 2)]
    return (
        pd.DataFrame(rows, columns=["item", *words]),
        pd.DataFrame(key, columns=["item", "candidate", "intruder"]),
    )


def _heaviest(one: Candidate) -> list[str]:
    return list(one.weights)[:LISTED]


@dataclass(frozen=True)
class Intrusion:
    """How many intruders were found; shares in percent, the interval Wilson's at 95 percent."""

    right: int
    answers: int
    share: float
    low: float
    high: float
    chance: float = 100 / (LISTED + 1)


def intrusion_score(given: pd.DataFrame, key: pd.DataFrame) -> Intrusion:
    """Score the words that readers took for intruders, `item` and `word`, one row an answer.

    Items without an answer do not count. InputError where no item is answered, or an answer is of
    none in the key.
    """
    given = given.dropna(subset=["word"])
    unknown = sorted(set(given["item"]) - set(key["item"]))
    if unknown or given.empty:
        which = f"item {', '.join(map(str, unknown))} is not in it" if unknown else "no answer"
        raise InputError(f"The answers do not fit the key of the word intrusion: {which}.")
    intruders = given["item"].map(key.set_index("item")["intruder"])
    right, answers = int((given["word"] == intruders).sum()), len(given)
    return Intrusion(right, answers, 100 * right / answers, *wilson_interval(right, answers))
