"""Personal data in open answers: found, replaced by a typed placeholder, counted, never shown.

What a respondent gave as contact is looked for in the own answers, names word by word; in
everyone's answers only e-mail addresses, telephone numbers and full names of two words or more are,
so that an organisation that many name survives.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import Final

import pandas as pd

EMAIL: Final = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
LINK: Final = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+", re.IGNORECASE)
HANDLE: Final = re.compile(r"(?<![\w@])@[A-Za-z_]\w{2,}")
# A leading + or separators between digits, at least eight digits; days, year ranges, resolutions
# and numbers with grouped thousands look alike and are left.
PHONE: Final = re.compile(r"(?<![\w/.])\+?\(?\d[\d ().\-]{6,}\d(?![\w:])")
DAY: Final = re.compile(r"(?:19|20)\d\d-\d\d-\d\d|\d\d?[./]\d\d?[./](?:19|20)\d\d")
YEARS: Final = re.compile(r"(?:19|20)\d\d\s*[-–/ ]\s*(?:19|20)\d\d")
RESOLUTION: Final = re.compile(r"\d{3,4} \(?(?:19|20)\d\d\)?")  # a resolution and its year
THOUSANDS: Final = re.compile(r"\d{1,3}(?:[ .]\d{3})+")
PLACEHOLDERS: Final = {
    "link": "[link]",
    "e-mail": "[e-mail]",
    "handle": "[handle]",
    "telephone": "[telephone]",
    "contact": "[contact]",
}
SHORTEST: Final = 4  # letters of a contact string that is looked for on its own


class Redactor:
    """Replaces personal data; `counts` says how often, by kind.

    `shared` are everyone's contact strings; `vocabulary` are words that identify nobody, since the
    questionnaire uses them ("international").
    """

    def __init__(self, shared: Iterable[str] = (), vocabulary: Iterable[str] = ()) -> None:
        self._vocabulary = {word.casefold() for word in vocabulary}
        names = {text.strip() for text in shared}
        self._shared = _any_of(name for name in names if " " in name and len(name) > SHORTEST)
        self.counts: Counter[str] = Counter()

    def redact(self, text: str, own: Sequence[str] = ()) -> str:
        """Return `text` with personal data replaced; `own` are the respondent's contact strings."""
        if not text or text.isspace():
            return text
        # a name's words by themselves, not those of an organisation that has three or more
        names = [word for string in own if len(string.split()) <= 2 for word in string.split()]
        mine = _any_of(
            word
            for word in (*own, *names)
            if len(word.strip(".,")) >= SHORTEST and word.casefold() not in self._vocabulary
        )
        for kind, pattern in (
            ("e-mail", EMAIL),
            ("link", LINK),
            ("contact", mine),
            ("contact", self._shared),
            ("handle", HANDLE),
            ("telephone", PHONE),
        ):
            if pattern is not None:
                text = pattern.sub(partial(self._replace, kind=kind), text)
        return text

    def _replace(self, match: re.Match[str], kind: str) -> str:
        if kind == "telephone" and not is_phone(match[0]):
            return match[0]
        self.counts[kind] += 1
        return PLACEHOLDERS[kind]


def is_phone(text: str) -> bool:
    """Whether digits and separators look like a telephone number rather than years or amounts."""
    digits = sum(character.isdigit() for character in text)
    plain = not re.search(r"[ ().\-+]", text)
    return (
        digits >= 8
        and not plain
        and not (
            DAY.search(text)
            or YEARS.search(text)
            or THOUSANDS.fullmatch(text)
            or RESOLUTION.fullmatch(text)
        )
    )


def contact_strings(columns: Iterable[pd.Series]) -> tuple[list[list[str]], set[str]]:
    """Return each respondent's own contact strings (n lists) and all of them together."""
    frames = [column.str.strip() for column in columns]
    if not frames:
        return [], set()
    own = [_strings(row) for row in zip(*(frame.tolist() for frame in frames), strict=True)]
    return own, {string for strings in own for string in strings}


def _strings(cells: Iterable[str]) -> list[str]:
    """Return a respondent's contact cells, their parts, and first and last name joined."""
    whole = [cell for cell in cells if cell]
    parts = [part.strip() for cell in whole for part in re.split(r"[,;/|\n\r]+", cell)]
    names = [part for part in parts if part and not re.search(r"[@\d]", part)]
    joined = [f"{first} {last}" for first, last in pairwise(names) if " " not in first + last]
    return list(dict.fromkeys([*whole, *(part for part in parts if part), *joined]))


def _any_of(strings: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern for any of the strings as whole words, the longest first, or None."""
    distinct = sorted({string.strip() for string in strings}, key=lambda s: (-len(s), s))
    if not distinct:
        return None
    alternatives = "|".join(re.escape(string) for string in distinct)
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)
