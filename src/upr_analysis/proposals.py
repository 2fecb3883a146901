"""What people coded says which patterns to add to a codebook, which to keep and which to drop.

Candidates are the patterns that the codebook has, and the words, stems, phrases of up to three
words and pairs of them in the coded answers. A pattern is worth having where, of the answers that
it alone finds, the share found rightly is above half of F1, which the patterns of the code reach
together (Lipton, Elkan and Naryanaswamy, 2014, Optimal thresholding of classifiers to maximize F1
measure, ECML PKDD, 225-239). One that was written counts as right once more than was seen, one that
is learned as wrong twice more. Each comes with the answers that it gains and those that it breaks,
counted by the matcher itself. Who decides is the researcher: nothing is taken by itself.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse

from upr_analysis.codebook import Codebook
from upr_analysis.matching import JOINT, WORDS, Matcher
from upr_analysis.patterns import fold

MOST: Final = 45  # patterns of a code
LONGEST: Final = 3  # words of a phrase
SHORTEST_STEM: Final = 4  # letters
FEWEST: Final = 3  # answers that a learned pattern stands in
RIGHT: Final = (2, 5)  # of them with the code: a tenth of all that have it, but between these
PRECISION: Final = 0.2  # the least that a learned pattern has by itself
PAIRED: Final = 100  # of a code's best patterns that are tried in pairs
WINDOW: Final = 99  # words between two that are near, the most that a pattern may say
WRITTEN: Final = 1.0  # answers that a written pattern is taken to gain beside those seen
LEARNED: Final = 2.0  # answers that a learned pattern is taken to break beside those seen
HALF_F1: Final = (0.35, 0.45)  # it is kept between these
ROUNDS: Final = 5
CONTEXT: Final = 60  # characters shown on either side of a pattern
COLUMNS: Final = (
    "code", "language", "pattern", "change", "gains", "breaks", "gained_in", "broken_in",
    "decision",
)  # fmt: skip

Change = Literal["add", "keep", "drop"]


@dataclass(frozen=True)
class Proposal:
    """A pattern, and what having it beside those before gains and breaks, in answers."""

    pattern: str
    change: Change
    gains: int  # answers that people gave the code and that no pattern before it finds
    breaks: int  # answers that they did not


class Proposer:
    """Proposes patterns for codes that people gave to the same texts, all in one language.

    `written` are all patterns of the codebook, `negations` its words for those with `!`.
    """

    def __init__(
        self, texts: Sequence[str], written: Sequence[str] = (), negations: Sequence[str] = ()
    ) -> None:
        self._texts = pa.array(texts, type=pa.large_string())
        self._negations = negations
        found = list(map(_phrases, texts))
        stems = _stems({phrase for some in found for phrase in some if " " not in phrase})
        held = [{*some, *(s for w in some for s in stems.get(w, ()))} for some in found]
        counts = Counter(pattern for some in held for pattern in some)
        common = {pattern for pattern, number in counts.items() if number >= FEWEST}
        # of patterns that are as good the longer one
        learned = sorted(common.difference(written), key=lambda pattern: (-len(pattern), pattern))
        number = {pattern: place for place, pattern in enumerate(learned)}
        columns = [sorted(number[one] for one in some if one in number) for some in held]
        ends = np.cumsum([0, *map(len, columns)])
        places = np.concatenate([np.zeros(0, dtype=int), *map(np.array, columns)]).astype(int)
        shape = (len(texts), len(learned))
        holds = sparse.csr_matrix((np.ones(len(places)), places, ends), shape=shape)
        known = list(dict.fromkeys(written))
        self._patterns = np.array([*known, *learned], dtype=object)
        self._holds = sparse.hstack([self._found(known), holds]).tocsc()
        self._counts = np.asarray(self._holds.sum(axis=0)).ravel()

    def propose(
        self, given: np.ndarray, written: Sequence[str] = (), most: int = MOST
    ) -> list[Proposal]:
        """Return patterns for a code that people gave to some of the texts (n,), best first.

        `written` are those of the codebook's patterns that the code has; those to drop come last.
        """
        given = np.asarray(given, dtype=bool)
        names, holds = self._candidates(given, written)
        is_written = np.isin(names, list(written))
        right, wrong = np.where(is_written, WRITTEN, 0), np.where(is_written, 0, LEARNED)
        places = _choose(holds, given, right, wrong, most)
        chosen = _without_contained([names[place] for place in places])
        order = [*chosen, *(one for one in dict.fromkeys(written) if one not in chosen)]
        new = sparse.csc_matrix(self._found(order))
        done, proposals = np.zeros(len(given), dtype=bool), []
        for place, pattern in enumerate(order):
            texts = new[:, [place]].indices
            texts = texts[~done[texts]]
            is_chosen = pattern in chosen
            done[texts] |= is_chosen
            change: Change = "drop" if not is_chosen else "keep" if pattern in written else "add"
            gains = int(given[texts].sum())
            proposals.append(Proposal(pattern, change, gains, len(texts) - gains))
        return proposals

    def _found(self, patterns: Sequence[str]) -> sparse.csr_matrix:
        """Return which texts each pattern stands in, as the matcher finds it."""
        found = Matcher([(pattern,) for pattern in patterns], self._negations).find(self._texts)
        places = np.unique(np.stack([found.text, found.code]), axis=1)
        shape = (len(self._texts), len(patterns))
        return sparse.csr_matrix((np.ones(places.shape[1]), tuple(places)), shape=shape)

    def _candidates(
        self, given: np.ndarray, written: Sequence[str]
    ) -> tuple[np.ndarray, sparse.csc_matrix]:
        """Return the patterns that may be good for a code, with which texts hold each."""
        fewest = np.clip(given.sum() // 10, *RIGHT)
        with_code = self._holds[given]
        right = np.asarray(with_code.sum(axis=0)).ravel()
        good = (right >= fewest) & (right >= PRECISION * self._counts)
        good |= np.isin(self._patterns, list(written))
        worth = right / (self._counts + given.sum()).clip(1)
        best = [
            place
            for place in np.argsort(-worth, kind="stable")[:PAIRED]
            if " ~" not in self._patterns[place] and " !" not in self._patterns[place]
        ]
        one, other = np.triu_indices(len(best), 1)
        few, few_with = self._holds[:, best], with_code[:, best]
        both = (few.T @ few).toarray()[one, other]
        right = (few_with.T @ few_with).toarray()[one, other]
        # a pair that is one of its parts says nothing more
        least = np.minimum(self._counts[best][one], self._counts[best][other])
        tried = (both < least) & (right >= fewest) & (right >= PRECISION * both)
        one, other = one[tried], other[tried]
        pairs = self._patterns[best][one] + f" ~{WINDOW} " + self._patterns[best][other]
        together = few[:, one].multiply(few[:, other])
        holds = sparse.hstack([self._holds[:, np.flatnonzero(good)], together]).tocsc()
        return np.concatenate([self._patterns[good], pairs]), holds


def _phrases(text: str) -> set[str]:
    """Return the words and the phrases of a text, folded, as a pattern would find them."""
    folded, _ = fold(text)
    words = [(match[0], *match.span()) for match in WORDS.finditer(folded)]
    found = set[str]()
    for place in range(len(words)):
        phrase = ""
        for number, (word, begin, _) in enumerate(words[place : place + LONGEST]):
            before = words[place + number - 1][2] if number else begin
            if JOINT.fullmatch(folded, before, begin) is None:
                break
            phrase = f"{phrase} {word}".lstrip()
            found.add(phrase)
    return found


def _stems(words: set[str]) -> dict[str, list[str]]:
    """Return of each word the stems, with `*`, that it shares with another."""
    starts = Counter(word[:size] for word in words for size in range(SHORTEST_STEM, len(word) + 1))
    return {
        word: [
            f"{word[:size]}*"
            for size in range(SHORTEST_STEM, len(word) + 1)
            if starts[word[:size]] > 1 and re.fullmatch(r"[^\W\d]+", word[:size])
        ]
        for word in words
    }


def _choose(
    holds: sparse.csc_matrix, given: np.ndarray, right: np.ndarray, wrong: np.ndarray, most: int
) -> list[int]:
    """Return the columns that together find the texts of a code (n,), the best first.

    `right` and `wrong` (k,) are answers that each is taken to find beside those seen. Columns are
    added while they gain, then dropped while they do not; anew with half of the F1 reached.
    """
    half, chosen = sum(HALF_F1) / 2, list[int]()
    for _ in range(ROUNDS):
        worth = given - half  # of finding a text
        extra = (1 - half) * right - half * wrong
        chosen, left = [], np.ones(len(given))
        while len(chosen) < most:
            gain = np.round(holds.T @ (worth * left) + extra, 9)  # so that equals stay equal
            gain[chosen] = 0
            if not (gain > 0).any():
                break
            chosen.append(int(gain.argmax()))
            left[holds[:, [chosen[-1]]].indices] = 0
        while chosen:
            some = holds[:, chosen]
            times = np.asarray(some.sum(axis=1)).ravel()
            gain = np.round(some.T @ (worth * (times == 1)) + extra[chosen], 9)
            if gain.min() > 0:
                break
            del chosen[int(gain.argmin())]
        found = np.asarray(holds[:, chosen].sum(axis=1)).ravel() > 0
        reached = float(
            np.clip((found & given).sum() / max(found.sum() + given.sum(), 1), *HALF_F1)
        )
        if abs(reached - half) < 0.01:
            break
        half = reached
    return chosen


def _without_contained(patterns: Sequence[str]) -> list[str]:
    """Return the patterns without the phrases that another one finds wherever they stand."""
    texts = ["" if set("~!") & set(one) else one.replace("*", "x") for one in patterns]
    finders = [() if "!" in one else (one,) for one in patterns]
    found = Matcher(finders).find(pa.array(texts, type=pa.large_string()))
    within = np.zeros((len(patterns), len(patterns)), dtype=bool)
    within[found.text, found.code] = True
    contained = within & ~np.triu(within & within.T)  # of two that find the same the first stays
    return [patterns[int(place)] for place in np.flatnonzero(~contained.any(axis=1))]


def proposals_of(
    answers: pd.DataFrame, given: pd.DataFrame, codebook: Codebook, most: int = MOST
) -> Iterator[pd.DataFrame]:
    """Yield a table for each code that people gave (COLUMNS, a row a pattern).

    `answers` are the open responses that people judged, `given` respondent, question and code.
    Patterns are proposed a language, where each answer's is known; else for all answers together,
    as of language "". `gained_in` and `broken_in` show one answer of each kind round the pattern.
    """
    languages = answers["language"].astype("object").where(answers["language"].notna(), "")
    proposers = {}
    for tag, some in answers.groupby(languages, sort=True):
        language = str(tag)
        written = {code.name: _written(code.patterns, language) for code in codebook.codes}
        negations = _written(codebook.negations, language)
        every = [pattern for patterns in written.values() for pattern in patterns]
        proposer = Proposer(some["text"].tolist(), every, negations)
        proposers[language] = (some, proposer, written, negations)
    keys = ["respondent", "question"]
    for name, coded in given.groupby("code", sort=True):
        code, rows = str(name), []
        units = pd.MultiIndex.from_frame(coded[keys])
        for language, (some, proposer, written, negations) in proposers.items():
            truth = np.asarray(pd.MultiIndex.from_frame(some[keys]).isin(units))
            found = proposer.propose(truth, written.get(code, []), most)
            shown = _in_context([one.pattern for one in found], negations, some["text"], truth)
            rows += [
                (code, language, one.pattern, one.change, one.gains, one.breaks, *examples, "")
                for one, examples in zip(found, shown, strict=True)
            ]
        yield pd.DataFrame(rows, columns=list(COLUMNS))


def _in_context(
    patterns: Sequence[str], negations: Sequence[str], texts: pd.Series, truth: np.ndarray
) -> list[tuple[str, str]]:
    """Return of each pattern an answer with the code and one without, cut to what stands round."""
    found = Matcher([(one,) for one in patterns], negations).find(
        pa.array(texts, type=pa.large_string())
    )
    words = texts.tolist()
    shown = [["", ""] for _ in patterns]
    for text, pattern, start, end in zip(
        found.text.tolist(), found.code.tolist(), found.start, found.end, strict=True
    ):
        side = 0 if truth[text] else 1
        if not shown[pattern][side]:
            begin, stop = max(0, start - CONTEXT), end + CONTEXT
            around = " ".join(words[text][begin:stop].split())
            cut = "…" if stop < len(words[text]) else ""
            shown[pattern][side] = f"{'…' if begin else ''}{around}{cut}"
    return [(with_code, without) for with_code, without in shown]


def _written(of_language: Mapping[str, Sequence[str]], language: str) -> list[str]:
    """Return what is written for a language, or for any where that is not known."""
    those = of_language.values() if not language else [of_language.get(language, ())]
    return [one for some in those for one in some]


def with_decisions(content: dict[str, Any], decided: Iterable[tuple[str, str, str, str]]) -> None:
    """Put accepted proposals into a codebook's content, in place.

    `decided` are code, language, pattern and change of each that is accepted.
    """
    codes = {code["name"]: code for theme in content["themes"] for code in theme["codes"]}
    for code, language, pattern, change in decided:
        own = codes[code].setdefault("patterns", {}).setdefault(language, [])
        if change == "drop" and pattern in own:
            own.remove(pattern)
        elif change == "add" and pattern not in own:
            own.append(pattern)
