"""How fast a codebook's patterns are found, beside one regular expression a theme.

300,000 invented texts of some thirty words, 40 themes of 45 patterns: words, stems, phrases of two
and three words. Both fold the text, both give spans, and both are asked for the same ones. The
regular expressions read 3,000 of the texts, since they take a second for a megabyte; all in one
thread and one process, in turn within each round; medians of processor time, a byte.
"""

import os
import platform
import random
import re
import statistics
import time

import numpy as np
import pyarrow as pa

from upr_analysis.matching import Matcher
from upr_analysis.patterns import fold, parse_pattern

ROUNDS = int(os.environ.get("ROUNDS", "3"))
TEXTS = int(os.environ.get("TEXTS", "300000"))
READ_PLAINLY = 3_000
GOAL, STRETCH = 60, 150
SYLLABLES = "ba ce di fo gu la mé ni ró su ta vi xo zé hâ jo ke ly pi qua res tion ment ar en"


def vocabulary(draw: random.Random) -> list[str]:
    """Return some 30,000 words, the commonest first."""
    syllables = SYLLABLES.split()
    words = {"".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(30_000)}
    shuffled = sorted(words)
    draw.shuffle(shuffled)
    return shuffled


def texts(words: list[str], number: int) -> list[str]:
    """Return texts in which words are as common as their ranks say (Zipf), with stops."""
    draw = np.random.default_rng(7)
    common = 1 / np.arange(1, len(words) + 1)
    chosen = draw.choice(len(words), (number // 10, 55), p=common / common.sum())
    written = []
    for row, size in zip(chosen, draw.integers(5, 55, len(chosen)), strict=True):
        text = [words[place] for place in row[:size]]
        text[0] = text[0].capitalize()
        for place in range(7, size, 9):
            text[place] += "," if place % 2 else "."
        written.append(" ".join(text) + ".")
    return written * 10


def patterns(words: list[str], draw: random.Random) -> list[list[str]]:
    """Return 40 lists of 45 patterns, of words that are neither the commonest nor all rare."""

    def one() -> str:
        word, kind = words[draw.randrange(1500, len(words))], draw.random()
        if kind < 0.4:
            return word
        if kind < 0.65:
            return f"{word[: max(6, len(word) - 2)]}*"
        more = [words[draw.randrange(1000)] for _ in range(1 if kind < 0.9 else 2)]
        return " ".join([word, *more])

    return [[one() for _ in range(45)] for _ in range(40)]


def expression(some: list[str]) -> re.Pattern[str]:
    """Return a theme's patterns as alternatives over folded text, the longest first."""
    alternatives = [
        r"[\s'\-]+".join(
            re.escape(word) + (r"\w*" if goes_on else "")
            for word, goes_on in parse_pattern(pattern).phrases[0]
        )
        for pattern in sorted(some, key=lambda pattern: -len(pattern))
    ]
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)")


def main() -> None:
    """Measure both in turn and print the ratio."""
    draw = random.Random(7)
    words = vocabulary(draw)
    written, themes = texts(words, TEXTS), patterns(words, draw)
    column = pa.array(written, type=pa.large_string())
    size, few = sum(len(text.encode()) for text in written), written[:READ_PLAINLY]
    few_size = sum(len(text.encode()) for text in few)
    ours, plainly = list[float](), list[float]()
    for _ in range(ROUNDS):
        began = time.process_time()
        found = Matcher(themes).find(column)
        ours.append((time.process_time() - began) / size)
        began = time.process_time()
        expressions = [expression(some) for some in themes]
        spans = []
        for number, text in enumerate(few):
            folded, places = fold(text)
            for code, one in enumerate(expressions):
                spans += [
                    (number, code, places[m.start()], places[m.end() - 1] + 1)
                    for m in one.finditer(folded)
                ]
        plainly.append((time.process_time() - began) / few_size)
        same = found.text < len(few)
        columns = (found.text, found.code, found.start, found.end)
        if list(zip(*(c[same].tolist() for c in columns), strict=True)) != spans:
            raise AssertionError("the two find different spans")
    ratio = statistics.median(plainly) / statistics.median(ours)
    print(f"{platform.machine()}, one thread, medians of {ROUNDS} rounds, {len(written)} texts")
    print(f"{size / 1e6:.0f} MB, {len(found.text) / len(written):.1f} matches a text")
    print(f"one expression a theme: {1e-6 / statistics.median(plainly):.2f} MB/s")
    print(f"codebook's patterns: {1e-6 / statistics.median(ours):.1f} MB/s")
    print(f"ratio {ratio:.0f}   (goal: at least {GOAL}, stretch {STRETCH})")


if __name__ == "__main__":
    main()
