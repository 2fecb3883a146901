"""How a codebook writes what it looks for, and how text is folded to be compared with it.

A pattern is a phrase of one or more words; `*` at a word's end lets it go on (`participat*`).
`report* ~5 women` asks for two phrases with at most five words between them, in either order.
`helpful !3` does not count where one of the three words before is one of the codebook's negations.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

APOSTROPHES: Final = "'’‘ʼ´`′"
HYPHENS: Final = "-‐‑‒–—−"
WORD: Final = r"\w[\w'’\-]*\*?"
PHRASE: Final = rf"{WORD}(?: {WORD})*"
PATTERN: Final = re.compile(rf"({PHRASE})(?: ~([1-9]\d?) ({PHRASE}))?(?: !([1-9]\d?))?")

Term = tuple[str, bool]  # a folded word, and whether it may go on


@dataclass(frozen=True)
class Pattern:
    """One phrase, or two with at most `near` words between; none of `unless` words before negates.

    A phrase is its terms in order, with white space, hyphens or apostrophes between them.
    """

    phrases: tuple[tuple[Term, ...], ...]
    near: int = 0
    unless: int = 0


class _Folded(dict[int, str]):
    """A code point -> what it is folded to; made as they are met."""

    def __init__(self) -> None:
        super().__init__()
        self.odd: set[str] = set()  # those that are not folded to one character

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in APOSTROPHES:
            folded = "'"
        elif character in HYPHENS:
            folded = "-"
        else:
            parts = unicodedata.normalize("NFKD", character.casefold())
            folded = "".join(part for part in parts if not unicodedata.combining(part))
        if len(folded) != 1:
            self.odd.add(character)
        self[code] = folded
        return folded


_FOLDED: Final = _Folded()


def fold(text: str) -> tuple[str, Sequence[int]]:
    """Return the text for matching, and for each of its characters the place in `text`.

    Case, accents, and kinds of apostrophe and hyphen are no difference.
    """
    if text.isascii():
        return text.lower().replace("`", "'"), range(len(text))
    folded = text.translate(_FOLDED)
    if _FOLDED.odd.isdisjoint(text):
        return folded, range(len(text))
    places = [
        place for place, character in enumerate(text) for _ in range(len(_FOLDED[ord(character)]))
    ]
    return folded, places


@lru_cache(maxsize=65536)
def parse_pattern(text: str) -> Pattern:
    """Return what a pattern asks for; ValueError where it is none."""
    match = PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"the pattern {text!r} is not words with an optional * at a word's end (then perhaps "
            "~N and more words, then perhaps !N)"
        )
    phrases = [terms(phrase) for phrase in (match[1], match[3]) if phrase]
    odd = [word for phrase in phrases for word, _ in phrase if not re.fullmatch(r"\w+", word)]
    if odd or not all(phrases):
        raise ValueError(f"the pattern {text!r} holds what no word of a text is")
    return Pattern(tuple(phrases), int(match[2] or 0), int(match[4] or 0))


def terms(phrase: str) -> tuple[Term, ...]:
    """Return the terms of a phrase: its words, parted at spaces, hyphens and apostrophes."""
    words = filter(None, re.split(r"[ '\-]+", fold(phrase)[0]))
    return tuple((word.removesuffix("*"), word.endswith("*")) for word in words)
