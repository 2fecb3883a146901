"""Patterns that would find what people coded, proposed for a codebook: never taken by itself.

Of all words, stems, phrases of up to three words and pairs of them in the coded answers, those are
chosen one by one that raise the code's F1 most, until none raises it enough. Each comes with the
answers that it gains and those that it breaks, beside what was chosen before it, counted by the
matcher itself. Who decides is the researcher.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse

from upr_analysis.agreement import FEWEST_POSITIVES, agreement, jaccard, masi, set_alpha
from upr_analysis.codebook import Codebook, read_codebook
from upr_analysis.coding import code_responses
from upr_analysis.exports import read_export
from upr_analysis.matching import JOINT, WORDS, Matcher
from upr_analysis.parameters import export_files, read_parameters
from upr_analysis.patterns import fold
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import read_questionnaire
from upr_analysis.responses import type_responses

MOST: Final = 45  # patterns proposed for a code
LEAST_GAIN: Final = 0.001  # of F1, for a pattern to be proposed
LONGEST: Final = 3  # words of a phrase
SHORTEST_STEM: Final = 4  # letters
FEWEST: Final = 3  # answers that a pattern stands in
PAIRED: Final = 60  # of a code's best patterns that are tried in pairs
FEWEST_GAINED: Final = 2
WINDOW: Final = 99  # words between two that are near, the most that a pattern may say
PRIOR: Final = 1.0  # answers that a pattern is taken to break beside those seen


@dataclass(frozen=True)
class Proposal:
    """A pattern, and what adding it to those before gains and breaks, in answers."""

    pattern: str
    gains: int  # answers that people gave the code and that no pattern before it finds
    breaks: int  # answers that they did not


class Proposer:
    """Proposes patterns for codes that people gave to the same texts, all in one language."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = pa.array(texts, type=pa.large_string())
        found = list(map(_phrases, texts))
        words = {phrase for some in found for phrase in some if " " not in phrase}
        stems = _stems(words)
        held = [{*some, *(s for w in some for s in stems.get(w, ()))} for some in found]
        counts = Counter(pattern for some in held for pattern in some)
        # of patterns that are as good the longer one
        common = (pattern for pattern, number in counts.items() if number >= FEWEST)
        self._patterns = sorted(common, key=lambda pattern: (-len(pattern), pattern))
        number = {pattern: place for place, pattern in enumerate(self._patterns)}
        columns = [sorted(number[one] for one in some if one in number) for some in held]
        ends = np.cumsum([0, *map(len, columns)])
        places = np.concatenate([np.zeros(0, dtype=int), *map(np.array, columns)]).astype(int)
        ones = np.ones(len(places), dtype=np.float32)
        shape = (len(texts), len(self._patterns))
        self._holds = sparse.csr_matrix((ones, places, ends), shape=shape)
        self._by_pattern = self._holds.tocsc()
        self._counts = np.asarray(self._holds.sum(axis=0)).ravel()

    def propose(self, given: np.ndarray, most: int = MOST) -> list[Proposal]:
        """Return patterns for a code that people gave to some of the texts (n,), best first."""
        given = np.asarray(given, dtype=bool)
        if not given.any() or not self._patterns:
            return []
        names, holds = self._with_pairs(given)
        chosen = [names[place] for place in _greedily(holds, given, most)]
        return list(self._counted(chosen, given))

    def _with_pairs(self, given: np.ndarray) -> tuple[list[str], sparse.csr_matrix]:
        """Return all patterns and, of the code's best, pairs: with which texts hold each."""
        right = np.asarray(self._holds[given].sum(axis=0)).ravel()
        worth = 2 * right / (self._counts + given.sum())
        best = np.argsort(-worth, kind="stable")[:PAIRED]
        few = self._by_pattern[:, best]
        together = np.asarray((few.T @ few).todense())
        names, columns = list(self._patterns), [self._by_pattern]
        for one, other in combinations(range(len(best)), 2):
            # a pair that is one of its parts says nothing more
            least = min(together[one, one], together[other, other])
            if FEWEST <= together[one, other] < least:
                names.append(f"{self._patterns[best[one]]} ~{WINDOW} {self._patterns[best[other]]}")
                columns.append(few[:, [one]].multiply(few[:, [other]]).tocsc())
        return names, sparse.hstack(columns).tocsr()

    def _counted(self, patterns: Sequence[str], given: np.ndarray) -> Iterator[Proposal]:
        """Yield the patterns that find anything new, as the matcher finds it."""
        found = Matcher([(pattern,) for pattern in patterns]).find(self._texts)
        done = np.zeros(len(given), dtype=bool)
        for place, pattern in enumerate(patterns):
            new = np.unique(found.text[found.code == place])
            new = new[~done[new]]
            gains = int(given[new].sum())
            if gains:
                done[new] = True
                yield Proposal(pattern, gains, len(new) - gains)


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


def _greedily(holds: sparse.csr_matrix, given: np.ndarray, most: int) -> list[int]:
    """Return the columns that raise F1 most, one after the other."""
    columns, positives = holds.tocsc(), int(given.sum())
    right = np.asarray(holds[given].sum(axis=0)).ravel()
    wrong = np.asarray(holds[~given].sum(axis=0)).ravel()
    covered = np.zeros(len(given), dtype=bool)
    is_left = right >= FEWEST_GAINED
    chosen, best, hits, misses = list[int](), 0.0, 0.0, 0.0
    while len(chosen) < most and is_left.any():
        score = 2 * (hits + right) / (hits + right + misses + wrong + PRIOR + positives)
        score[~is_left] = 0
        place = int(score.argmax())
        if score[place] <= best + LEAST_GAIN:
            break
        best = float(score[place])
        texts = columns.indices[columns.indptr[place] : columns.indptr[place + 1]]
        new = texts[~covered[texts]]
        covered[new] = True
        hits, misses = hits + right[place], misses + wrong[place]
        right = right - np.asarray(holds[new[given[new]]].sum(axis=0)).ravel()
        wrong = wrong - np.asarray(holds[new[~given[new]]].sum(axis=0)).ravel()
        is_left[place] = False
        chosen.append(place)
    return chosen


def proposals_of(
    open_responses: pd.DataFrame, imported: pd.DataFrame, most: int = MOST
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each code that people gave, with what is proposed for it: COLUMNS, a row a pattern.

    `imported` are respondent, question and code, as the export holds them. Patterns are proposed
    a language, where each answer's is known; else for all answers together, as of language "".
    """
    answered = open_responses[open_responses["state"] == "answered"].reset_index(drop=True)
    answered = answered[answered["question"].isin(imported["question"])]
    languages = answered["language"].astype("object").where(answered["language"].notna(), "")
    proposers = {
        language: (some, Proposer(some["text"].tolist()))
        for language, some in answered.groupby(languages, sort=True)
    }
    keys = ["respondent", "question"]
    for code, coded in imported.groupby("code", sort=True):
        given = pd.MultiIndex.from_frame(coded[keys])
        rows = []
        for language, (some, proposer) in proposers.items():
            truth = np.asarray(pd.MultiIndex.from_frame(some[keys]).isin(given))
            rows += [
                (code, language, one.pattern, one.gains, one.breaks)
                for one in proposer.propose(truth, most)
            ]
        yield str(code), pd.DataFrame(rows, columns=list(COLUMNS))


COLUMNS: Final = ("code", "language", "pattern", "gains", "breaks")


def agreement_with_patterns(
    open_responses: pd.DataFrame, imported: pd.DataFrame, codebook: Codebook, seed: int
) -> pd.DataFrame:
    """Return how far the codebook's patterns agree with people, a row a code and statistic.

    Of whole sets of codes, as code "", it is Krippendorff's alpha by MASI and by Jaccard distance.
    `positives` are the judgements that give the code, of patterns and people together; with fewer
    than 30 it is not `assessable`. Codes without patterns are left out.
    """
    answered = open_responses[open_responses["state"] == "answered"]
    answered = answered[answered["question"].isin(imported["question"])]
    keys = ["respondent", "question"]
    units = pd.MultiIndex.from_frame(answered[keys])
    found = code_responses(answered, codebook)
    rows = list[tuple[object, ...]]()
    for code in codebook.codes:
        if not any(code.patterns.values()):
            continue
        given = [
            units.isin(pd.MultiIndex.from_frame(those.loc[those["code"] == code.name, keys]))
            for those in (found, imported)
        ]
        judgements = np.array(given, dtype=float)
        positives = int(judgements.sum())
        for name, one in agreement(judgements, answered["respondent"].tolist(), seed).items():
            assessable = positives >= FEWEST_POSITIVES
            rows.append((code.name, name, one.value, one.low, one.high, positives, assessable))
    rows += _agreement_on_sets(found, imported, codebook, answered, seed)
    names = ["code", "statistic", "value", "low", "high", "positives", "assessable"]
    return pd.DataFrame(rows, columns=names)


def _agreement_on_sets(
    found: pd.DataFrame,
    imported: pd.DataFrame,
    codebook: Codebook,
    answered: pd.DataFrame,
    seed: int,
) -> list[tuple[object, ...]]:
    known = {code.name for code in codebook.codes if any(code.patterns.values())}
    if not known:
        return []
    units = list(zip(answered["respondent"], answered["question"], strict=True))
    labels = []
    for coder in (found, imported):
        given: dict[tuple[str, str], set[str]] = {unit: set() for unit in units}
        for respondent, question, code in coder[["respondent", "question", "code"]].itertuples(
            index=False, name=None
        ):
            if code in known and (respondent, question) in given:
                given[respondent, question].add(code)
        labels.append(list(given.values()))
    positives = sum(len(one) for coder in labels for one in coder)
    respondents = answered["respondent"].tolist()
    rows = list[tuple[object, ...]]()
    for name, distance in (("masi", masi), ("jaccard", jaccard)):
        one = set_alpha(labels, distance, respondents, seed)
        statistic, enough = f"krippendorff_alpha_{name}", positives >= FEWEST_POSITIVES
        rows.append(("", statistic, one.value, one.low, one.high, positives, enough))
    return rows


@dataclass(frozen=True)
class Proposing:
    """Proposals that are being made: a table a code, how many there will be, and for where."""

    codes: Iterator[pd.DataFrame]
    number: int
    agreement: pd.DataFrame  # of the patterns that the codebook has with people
    path: Path

    def write(self, found: Sequence[pd.DataFrame]) -> Path:
        """Write the tables as csv, for their owner only, since patterns are words of answers.

        Beside the proposals stands `...-agreement.csv`, if the codebook has patterns.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self.path.with_name(f"{self.path.stem}-agreement.csv")
        tables = {self.path: pd.concat(found, ignore_index=True), beside: self.agreement}
        for path, table in tables.items():
            if path == self.path or len(table):
                path.touch(mode=0o600)
                path.write_text(table.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
        return self.path


def write_proposals(
    params: Path, assignments: tuple[str, ...], root: Path, outputs: Path
) -> Proposing:
    """Begin to propose patterns for a run's codes; InputError where people gave none."""
    parameters = read_parameters(params, assignments)
    questionnaire = read_questionnaire(root / "data" / parameters.consultation)
    export = read_export(export_files(parameters, root), questionnaire)
    typed = type_responses(export, questionnaire, parameters.seed)
    if typed.imported.empty:
        raise InputError(
            f"{parameters.consultation}: nobody coded any answer in the export. A question of the "
            "role codes, with codes_of, holds codes that people gave."
        )
    known = agreement_with_patterns(
        typed.open_responses,
        typed.imported,
        read_codebook(root / "data" / parameters.consultation),
        parameters.seed,
    )
    tables = (table for _, table in proposals_of(typed.open_responses, typed.imported))
    path = outputs / "proposals" / f"{parameters.consultation}.csv"
    return Proposing(tables, typed.imported["code"].nunique(), known, path)
