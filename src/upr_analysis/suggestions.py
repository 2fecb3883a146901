"""Codes that a machine suggests for open answers, how good they are, and what to code next.

Whatever suggests (a classifier, a language model) does so behind one interface. A suggestion is
never a coding: nothing here writes any.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from upr_analysis.agreement import Estimate
from upr_analysis.matching import WORDS
from upr_analysis.patterns import fold
from upr_analysis.problems import InputError

SUGGESTION_COLUMNS: Final = (
    "respondent", "question", "code", "probability", "start", "end", "by",
)  # fmt: skip
ABSTENTION_COLUMNS: Final = ("respondent", "question", "code")
FAILURE_COLUMNS: Final = ("respondent", "question")
OUTSIDE: Final = "label outside the codebook"  # reasons for which a suggestion is rejected
NOT_VERBATIM: Final = "quote not verbatim"
NO_PROBABILITY: Final = "probability outside 0 to 1"
DRAWS: Final = 1_000
ALIKE: Final = 0.7  # of the runs of words of two texts, from which they are nearly the same
BANDS: Final = 20
ROWS: Final = 3  # minima that two texts have in common in a band, to be compared

# (places to learn from, places to speak of) -> (places to speak of, codes)
Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Suggested:
    """What one suggester says of open responses; each answer is in one of the tables or has none.

    `codes` has SUGGESTION_COLUMNS, a row a code of an answer: the evidence is code points of the
    stored text, end exclusive, <NA> where there is none. `abstained` has ABSTENTION_COLUMNS, where
    it is unsure; `failed` FAILURE_COLUMNS, where nothing could be said at all. `rejected` counts
    what was suggested and is left out, by reason.
    """

    codes: pd.DataFrame
    abstained: pd.DataFrame
    rejected: dict[str, int]
    failed: pd.DataFrame


class Suggester(Protocol):
    """Whoever suggests codes; `name` is what stands under `by`."""

    @property
    def name(self) -> str: ...

    def suggest(self, open_responses: pd.DataFrame) -> Suggested:
        """Return suggestions for those answers whose state is "answered"."""
        ...


def suggestions(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    """Return rows of SUGGESTION_COLUMNS as a frame of their types."""
    frame = pd.DataFrame(rows, columns=list(SUGGESTION_COLUMNS))
    texts = dict.fromkeys(("respondent", "question", "code", "by"), "string")
    return frame.astype(texts | {"probability": "float64", "start": "Int32", "end": "Int32"})


def require_scikit_learn() -> None:
    """Raise InputError where scikit-learn, an extra, is not installed."""
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise InputError(
            "scikit-learn is not installed: run make suggest once, or, in the environment, "
            'pip install -e ".[suggest]".'
        ) from error


def near_duplicates(texts: Sequence[str]) -> np.ndarray:
    """Return for each text (units,) the number of its group of texts that are nearly the same.

    Texts go together that share at least 7 in 10 of their runs of three words, case and accents
    aside, and so do those that are linked by others; candidates are found by banded minima of
    hashes (Broder 1997, Compression and Complexity of Sequences, 21-29), in linear time.
    """
    runs = [_runs(text) for text in texts]
    sizes = np.array([len(those) for those in runs])
    hashes = np.fromiter((one for those in runs for one in those), np.uint64, int(sizes.sum()))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
    factors = np.random.default_rng(0).integers(2**63, 2**64, BANDS * ROWS, dtype=np.uint64) | 1
    edges = []
    for band in range(BANDS if runs else 0):
        minima = [
            np.minimum.reduceat((hashes + 1) * factor, starts)  # modulo 2**64
            for factor in factors[band * ROWS : (band + 1) * ROWS]
        ]
        _, first, of = np.unique(
            np.column_stack(minima), axis=0, return_index=True, return_inverse=True
        )
        for place, other in enumerate(first[of.ravel()]):
            one, two = runs[place], runs[other]
            if place != other and len(one & two) >= ALIKE * len(one | two):
                edges.append((place, other))
    return _linked(edges, len(texts))


def _runs(text: str) -> set[int]:
    """Return hashes of the runs of three words of a text; of a shorter text, of all of it."""
    words = WORDS.findall(fold(text)[0])
    runs = [" ".join(words[place : place + 3]) for place in range(max(1, len(words) - 2))]
    return {zlib.crc32(run.encode()) for run in runs}


def _linked(edges: Sequence[tuple[int, int]], number: int) -> np.ndarray:
    one, other = np.array(edges, dtype=int).reshape(-1, 2).T
    graph = sparse.coo_matrix((np.ones(len(one)), (one, other)), shape=(number, number))
    return np.asarray(connected_components(graph, directed=False)[1])


def folds(
    texts: Sequence[str], respondents: Sequence[str], seed: int, number: int = 5
) -> np.ndarray:
    """Return the fold (units,) of each answer, 0 to number - 1.

    All answers of a respondent are in one fold, and so are texts that are nearly the same: what is
    learned of one would be known of the other. The largest groups are dealt first, each to the
    smallest fold.
    """
    of_respondent = pd.factorize(np.asarray(respondents, dtype=object))[0] + len(texts)
    of_text = near_duplicates(texts) + 2 * len(texts)
    edges = [(place, int(of[place])) for of in (of_respondent, of_text) for place in range(len(of))]
    groups = pd.factorize(_linked(edges, 3 * len(texts))[: len(texts)])[0]
    sizes = np.bincount(groups)
    dealt = np.random.default_rng(seed).permutation(len(sizes))
    dealt = dealt[np.argsort(-sizes[dealt], kind="stable")]
    fold_of, held = np.zeros(len(sizes), dtype=int), np.zeros(number, dtype=int)
    for group in dealt:
        fold_of[group] = held.argmin()
        held[fold_of[group]] += sizes[group]
    return fold_of[groups]


def cross_validated(predict: Predict, fold_of: np.ndarray) -> np.ndarray:
    """Return what `predict` says of each answer (units, ...) from the answers of other folds."""
    parts = [np.flatnonzero(fold_of == fold) for fold in np.unique(fold_of)]
    said = [predict(np.setdiff1d(np.arange(len(fold_of)), part), part) for part in parts]
    return np.concatenate(said)[np.argsort(np.concatenate(parts))]


def scores(
    given: np.ndarray,
    suggested: np.ndarray,
    codes: Sequence[str],
    clusters: Sequence[str],
    seed: int,
    draws: int = DRAWS,
) -> pd.DataFrame:
    """Return how good suggestions are: code, statistic, value, low, high, base; 0 to 1.

    `given` and `suggested` are bools (units, codes); `clusters` (units,) say what is drawn again
    for the intervals, as respondents, with all its units. A row a code for precision, recall and
    f1, whose base is how many answers people gave the code; as code "", micro_f1 (base: all that
    people gave) and macro_f1: the mean of those codes that people gave at all, so many is its
    base. What is not defined, as recall of a code that nobody gave, is NaN.
    """
    drawn = list(_drawn(given, suggested, clusters, seed, draws))
    found, base = _statistics(_counts(given, suggested).sum(axis=0)), given.sum(axis=0)
    rows = list[tuple[object, ...]]()
    for name in ("precision", "recall", "f1"):
        of_code = np.array([one[name] for one in drawn]).reshape(-1, len(codes))
        rows += [
            (code, name, *_interval(found[name][place], of_code[:, place]), int(base[place]))
            for place, code in enumerate(codes)
        ]
    for name, number in (("micro_f1", base.sum()), ("macro_f1", (base > 0).sum())):
        values = _interval(found[name], np.array([one[name] for one in drawn]))
        rows.append(("", name, *values, int(number)))
    return pd.DataFrame(rows, columns=["code", "statistic", "value", "low", "high", "base"])


def gain(
    given: np.ndarray,
    suggested: np.ndarray,
    over: np.ndarray,
    clusters: Sequence[str],
    seed: int,
    draws: int = DRAWS,
) -> pd.DataFrame:
    """Return what `suggested` has over other suggestions: statistic, value, low, high.

    Both are judged on the same draws of clusters, so that the interval is that of the difference.
    """
    one, other = (_statistics(_counts(given, those).sum(axis=0)) for those in (suggested, over))
    drawn = [list(_drawn(given, those, clusters, seed, draws)) for those in (suggested, over)]
    rows = []
    for name in ("micro_f1", "macro_f1"):
        apart = np.array([a[name] - b[name] for a, b in zip(*drawn, strict=True)], dtype=float)
        rows.append((name, *_interval(one[name] - other[name], apart)))
    return pd.DataFrame(rows, columns=["statistic", "value", "low", "high"])


def _counts(given: np.ndarray, suggested: np.ndarray) -> np.ndarray:
    """Return right suggestions, suggestions, and what people gave: (units, 3, codes)."""
    return np.stack([given & suggested, suggested, given], axis=1).astype(float)


def _statistics(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return the statistics of counts (3, codes) summed over units."""
    right, made, given = counts
    with np.errstate(divide="ignore", invalid="ignore"):
        f1 = np.where(given > 0, 2 * right / (made + given), np.nan)
        return {
            "precision": right / made,
            "recall": right / given,
            "f1": f1,
            "micro_f1": 2 * right.sum() / (made.sum() + given.sum()),
            "macro_f1": f1[given > 0].sum() / (given > 0).sum(),
        }


def _drawn(
    given: np.ndarray, suggested: np.ndarray, clusters: Sequence[str], seed: int, draws: int
) -> Iterator[dict[str, np.ndarray]]:
    names, of = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    flat = _counts(given, suggested).reshape(len(of), -1)
    rows = sparse.csr_matrix((np.ones(len(of)), (of, np.arange(len(of)))))
    sums = rows @ flat
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        times = np.bincount(generator.integers(len(names), size=len(names)), minlength=len(names))
        yield _statistics((times @ sums).reshape(3, -1))


def _interval(point: float | np.ndarray, drawn: np.ndarray) -> tuple[float, float, float]:
    """Return a value with the middle 95 percent of its draws, those undefined left out."""
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(point) or not len(defined):
        return float(point), np.nan, np.nan
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(point), float(low), float(high)


def learning_curve(
    predict: Predict,
    given: np.ndarray,
    is_held_out: np.ndarray,
    sizes: Sequence[int],
    seeds: Sequence[int],
) -> pd.DataFrame:
    """Return F1 on the answers held out, by how many others are coded: seed, answers, micro_f1...

    Draws are nested: each size has the answers of the smaller ones. Sizes beyond what there is are
    left out.
    """
    rest, held = np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
    rows = []
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(rest)
        for size in (size for size in sizes if size <= len(rest)):
            counts = _counts(given[held], predict(np.sort(order[:size]), held)).sum(axis=0)
            found = _statistics(counts)
            rows.append((seed, size, float(found["micro_f1"]), float(found["macro_f1"])))
    return pd.DataFrame(rows, columns=["seed", "answers", "micro_f1", "macro_f1"])


def expected_gain(
    curve: pd.DataFrame, more: int = 50, statistic: str = "micro_f1", draws: int = 200
) -> Estimate:
    """Return by how much F1 is expected to rise with `more` coded answers beyond the curve's end.

    An inverse power law a - b n^-c is fitted to the mean of the seeds by least squares (Figueroa
    et al. 2012, BMC Medical Informatics and Decision Making 12, 8); the interval is of curves
    drawn again by seed, and knows nothing of another held-out part. NaN where the curve has fewer
    than four sizes or three seeds, does not rise, or the law explains less than half of its
    variance.
    """
    table = curve.pivot(index="seed", columns="answers", values=statistic)
    sizes, values = table.columns.to_numpy(dtype=float), table.to_numpy()
    if values.shape[0] < 3 or values.shape[1] < 4:
        return Estimate(np.nan)
    law = _power_law(sizes, values.mean(axis=0))
    if law is None:
        return Estimate(np.nan)
    unexplained = ((values - _on(law, sizes)) ** 2).sum()
    if 2 * unexplained > ((values - values.mean()) ** 2).sum():
        return Estimate(np.nan)
    generator = np.random.default_rng(0)
    laws = [law] + [
        again
        for _ in range(draws)
        if (again := _power_law(sizes, generator.choice(values, len(values)).mean(axis=0)))
    ]
    last = sizes[-1]
    gains = [float(_on(one, last + more) - _on(one, last)) for one in laws]
    return Estimate(*_interval(gains[0], np.array(gains[1:])))


Law = tuple[float, float, float]


def _on(law: Law, sizes: np.ndarray | float) -> np.ndarray:
    return np.asarray(law[0] - law[1] * np.power(sizes, -law[2]))


def _power_law(sizes: np.ndarray, values: np.ndarray) -> Law | None:
    """Return a, b, c of a - b n^-c, of c from 0.05 to 2 the best; None where values do not rise."""
    best, law = np.inf, None
    for power in np.linspace(0.05, 2, 196):
        slope, height = np.polyfit(-(sizes**-power), values, 1)
        apart = float(((height - slope * sizes**-power - values) ** 2).sum())
        if slope > 0 and height <= 1 and apart < best:
            best, law = apart, (float(height), float(slope), float(power))
    return law


def most_useful(
    probabilities: np.ndarray, keys: Sequence[str], groups: np.ndarray, number: int = 50
) -> list[int]:
    """Return the places of the answers to code next, the most useful first.

    Useful is where codes are unsure: the entropy of each calibrated probability (units, codes),
    summed, but of a code less the more of it is in the answers already taken, so that they spread
    over codes. Of each of `groups` (units,), as texts that are nearly the same, one is taken. Of
    equals the one whose key has the lower hash comes first, whatever the order of rows.
    """
    likely = np.clip(probabilities, 1e-9, 1 - 1e-9)
    unsure = -(likely * np.log2(likely) + (1 - likely) * np.log2(1 - likely)).round(9)
    hashed = sorted(range(len(keys)), key=lambda at: hashlib.sha256(keys[at].encode()).digest())
    free, taken, chosen = np.array(hashed, dtype=int), np.zeros(unsure.shape[1]), list[int]()
    while len(chosen) < number and len(free):
        place = int(free[(unsure[free] @ (1 / (1 + taken))).round(9).argmax()])
        chosen.append(place)
        taken += unsure[place]
        free = free[groups[free] != groups[place]]
    return chosen
