"""How well a codebook's patterns find the issues that people coded: UPR Info's database.

Learned from sessions 1 to 5 and scored on 6 to 9, where every choice was made: up to 45 word
1-3-grams a code, chosen one by one for F1 (the plain baseline); patterns written from UPR Info's
rules alone (`codebook_from_rules.yml`); these with 200 random codings, ten times; and these with
all codings. `--score-10-13` learns from sessions 1 to 9 and scores the later ones, with intervals
that draw the States under review again. `--write` puts the patterns learned from sessions 1 to 9
into `data/upr-recommendations/codebook.yml`.

The export is read where `params/upr-recommendations.yml` says: set UPR_SHARED.
"""

import argparse
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.feature_extraction.text import CountVectorizer

from upr_analysis.codebook import Codebook
from upr_analysis.documents import read_model
from upr_analysis.exports import read_export
from upr_analysis.matching import Matcher
from upr_analysis.parameters import export_files, read_parameters
from upr_analysis.proposals import MOST, Proposer
from upr_analysis.questionnaire import read_questionnaire
from upr_analysis.responses import type_responses

ROOT = Path(__file__).parent.parent
CONSULTATION = ROOT / "data" / "upr-recommendations"
FEW, DRAWS, FEWEST_POSITIVES = 200, 2_000, 30
GOALS = "200 codings 0.75/0.60; sessions 10 to 13 0.87/0.81"

Patterns = list[list[str]]  # a list a code


@dataclass(frozen=True)
class Coded:
    """Recommendations (n,) with the codes that people gave them (n, codes)."""

    texts: np.ndarray
    given: np.ndarray
    sessions: np.ndarray
    states: np.ndarray  # under review

    def of(self, chosen: np.ndarray) -> "Coded":
        """Return some of them, by mask or by place."""
        parts = (self.texts, self.given, self.sessions, self.states)
        return Coded(*(part[chosen] for part in parts))


def read(codes: list[str]) -> Coded:
    """Read the export as a run does."""
    parameters = read_parameters(ROOT / "params" / "upr-recommendations.yml")
    questionnaire = read_questionnaire(CONSULTATION)
    export = read_export(export_files(parameters, ROOT), questionnaire)
    typed = type_responses(export, questionnaire, parameters.seed)
    answers = typed.open_responses.set_index("respondent")
    states = typed.free_texts.query("question == 'under_review'").set_index("respondent")["text"]
    sessions = typed.respondents.set_index("respondent")["session"]
    given = np.zeros((len(answers), len(codes)), dtype=bool)
    rows = answers.index.get_indexer(typed.imported["respondent"])
    given[rows, [codes.index(code) for code in typed.imported["code"]]] = True
    return Coded(
        answers["text"].to_numpy(),
        given,
        sessions.reindex(answers.index).to_numpy(dtype=int),
        states.reindex(answers.index).to_numpy(dtype=str),
    )


def find(patterns: Patterns, texts: np.ndarray) -> np.ndarray:
    """Return which codes (n, codes) the patterns give to texts (n,)."""
    matches = Matcher(patterns).find(pa.array(texts, type=pa.large_string()))
    found = np.zeros((len(texts), len(patterns)), dtype=bool)
    found[matches.text, matches.code] = True
    return found


def learn(coded: Coded, written: Patterns) -> Patterns:
    """Return written patterns without those to drop and with those to add."""
    proposer = Proposer(coded.texts.tolist(), [one for some in written for one in some])
    return [
        [one.pattern for one in proposer.propose(given, some) if one.change != "drop"]
        for given, some in zip(coded.given.T, written, strict=True)
    ]


def learn_plainly(coded: Coded, texts: np.ndarray) -> np.ndarray:
    """Return the codes (m, codes) of other texts (m,) by word 1-3-grams chosen greedily for F1."""
    grams = CountVectorizer(ngram_range=(1, 3), token_pattern=r"\w+", binary=True, min_df=3)
    holds, tried = grams.fit_transform(coded.texts), grams.transform(texts)
    found = np.zeros((len(texts), coded.given.shape[1]), dtype=bool)
    for code, given in enumerate(coded.given.T):
        left, chosen, best, hits, misses = np.ones(len(given)), list[int](), 0.0, 0.0, 0.0
        while len(chosen) < MOST:
            right, wrong = holds.T @ (left * given), holds.T @ (left * ~given)
            f1 = 2 * (hits + right) / (hits + right + misses + wrong + given.sum())
            f1[right < 2] = 0
            place = int(f1.argmax())
            if f1[place] <= best:
                break
            best, hits, misses = f1[place], hits + right[place], misses + wrong[place]
            left[holds[:, [place]].nonzero()[0]] = 0
            chosen.append(place)
        found[:, code] = np.asarray(tried[:, chosen].sum(axis=1)).ravel() > 0
    return found


def scores(given: np.ndarray, found: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return micro-F1, macro-F1, and that of codes given 30 times (draws, 3).

    `weights` (draws, n) say how often each recommendation is drawn; of a draw without a code, the
    code is left out of the mean.
    """
    both, either = weights @ (given & found), weights @ (given.astype(int) + found)
    with np.errstate(invalid="ignore"):
        f1 = np.where(weights @ given > 0, 2 * both / either, np.nan)
    often = given.sum(axis=0) >= FEWEST_POSITIVES
    parts = (2 * both.sum(1) / either.sum(1), np.nanmean(f1, 1), np.nanmean(f1[:, often], 1))
    return np.stack(parts, axis=1)


def say(name: str, values: np.ndarray, drawn: np.ndarray | None = None) -> None:
    """Print a line of scores, with intervals where they were drawn."""
    cells = [f"{value:.4f}" for value in values]
    if drawn is not None:
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        ranges = zip(cells, low, high, strict=True)
        cells = [f"{cell} ({one:.4f} to {other:.4f})" for cell, one, other in ranges]
    print(f"{name:34} {'  '.join(cells)}", flush=True)


def compare(learned_from: Coded, tried: Coded, rules: Patterns, intervals: bool) -> None:
    """Print what each way reaches on recommendations that it did not see."""
    once = np.ones((1, len(tried.texts)))
    began = time.process_time()
    patterns = learn(learned_from, rules)
    took = time.process_time() - began
    found = {
        "plain 1-3-grams": learn_plainly(learned_from, tried.texts),
        "rules alone": find(rules, tried.texts),
        "rules and all codings": find(patterns, tried.texts),
        "all codings alone": find(learn(learned_from, [[] for _ in rules]), tried.texts),
    }
    names, of = np.unique(tried.states, return_inverse=True)
    draw = np.random.default_rng(1)
    times = draw.multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)[:, of]
    drawn = {n: scores(tried.given, f, times) for n, f in found.items()} if intervals else {}
    points = {name: scores(tried.given, some, once)[0] for name, some in found.items()}
    print(f"{len(learned_from.texts)} learned from, {len(tried.texts)} scored: micro, macro, of 30")
    for name, point in points.items():
        say(name, point, drawn.get(name))
    ours, plain = "rules and all codings", "plain 1-3-grams"
    gain = drawn[ours] - drawn[plain] if intervals else None
    say("gain over plain", points[ours] - points[plain], gain)
    print(f"{sum(map(len, patterns))} patterns, learned in {took:.0f} s of one processor")


def few_codings(learned_from: Coded, tried: Coded, rules: Patterns) -> None:
    """Print what the rules reach with some codings, mean and deviation of ten draws."""
    once, reached = np.ones((1, len(tried.texts))), []
    for seed in range(10):
        some = np.random.default_rng(seed).choice(len(learned_from.texts), FEW, replace=False)
        patterns = learn(learned_from.of(some), rules)
        reached.append(scores(tried.given, find(patterns, tried.texts), once)[0])
    say(f"rules and {FEW} codings", np.mean(reached, axis=0))
    say("deviation", np.std(reached, axis=0, ddof=1))


def with_patterns(text: str, patterns: dict[str, list[str]]) -> str:
    """Return a codebook's text with these patterns, by code, in place of those that it has."""
    blocks = re.split(r"(?m)^(?=(?: {2}| {6})- name: )", text)
    for place, block in enumerate(blocks):
        if match := re.match(r" {6}- name: (\w+)", block):
            cells = [
                one if re.fullmatch(r"[a-z][\w' *~-]*", one) else json.dumps(one)
                for one in sorted(patterns[match[1]])
            ]
            lines = [""]
            for cell in cells:
                if len(lines[-1]) + len(cell) > 84:
                    lines.append("")
                lines[-1] += f" {cell},"
            rows = "\n".join(f"            {line.strip()}" for line in lines)
            bare = re.sub(r"(?ms)^ {8}patterns:\n.*", "", block)
            blocks[place] = f"{bare}        patterns:\n          en: [\n{rows}\n          ]\n"
    return "".join(blocks)


def main() -> None:
    """Measure, or write the codebook's patterns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--score-10-13", action="store_true", help="score the later sessions")
    parser.add_argument("--write", action="store_true", help="write the codebook's patterns")
    chosen = parser.parse_args()
    book = read_model(ROOT / "benchmarks" / "codebook_from_rules.yml", Codebook)
    codes, rules = zip(*((one.name, list(one.patterns["en"])) for one in book.codes), strict=True)
    coded = read(list(codes))
    earlier = coded.of(coded.sessions <= 9)
    if chosen.write:
        path = CONSULTATION / "codebook.yml"
        learned = dict(zip(codes, learn(earlier, list(rules)), strict=True))
        path.write_text(with_patterns(path.read_text(encoding="utf-8"), learned), encoding="utf-8")
    elif chosen.score_10_13:
        later = coded.of(coded.sessions > 9)
        compare(earlier, later, list(rules), intervals=True)
        few_codings(earlier, later, list(rules))
    else:
        first, then = (earlier.of(those) for those in (earlier.sessions <= 5, earlier.sessions > 5))
        compare(first, then, list(rules), intervals=False)
        few_codings(first, then, list(rules))
    print(f"goals (micro/macro): {GOALS}")


if __name__ == "__main__":
    main()
