"""Personal data in open answers: found, replaced by a typed placeholder, counted, never shown.

E-mail addresses, telephone numbers, links and account names are found by their form, in any answer.
In a respondent's own answers whatever was given as contact is looked for as well: each string
whole, and the words of people's names one by one. In the answers of others only people's names are,
of two words or more, so that an organisation that many name survives.

Ordinary words identify nobody: those of the questionnaire, and those that three or more respondents
write in small letters, which takes in a codebook's. A name made of them only ("digital divide" in
the field for names), or a place's, is not looked for in the answers of others, nor any such word by
itself. In lists of countries nothing is looked for that only their author gave.

All is matched on a plain copy of the text, in which each code point stands for one of the text's:
without accents, with one kind of space, dash and digit.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import dropwhile, pairwise
from typing import Final

import pandas as pd

from upr_analysis.places import resolve

MARK: Final = "\u0301"  # what combining accents and invisible characters become
LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe"}
)
WORD: Final = re.compile(rf"(?:[^\W_]{MARK}*+)++")
# Possessive throughout: what a quantifier took is not tried again, so time is linear in the text.
EMAIL: Final = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)+")
_TOP: Final = r"(?:com|org|net|info|edu|gov|int)(?![\w-])"
_HOST: Final = r"(?:[\w-]++\.)+"
_AT: Final = (  # after a space and before none it is a handle's, unless a host follows
    rf"{MARK}?(?:@\s?|\s{{1,2}}@(?:\s|(?={_HOST}(?:{_TOP}|[a-z]{{2}}\b)))|&#0*+64;|&#x0*+40;|&commat;"
    r"|\s?[(\[{<]\s?(?:at|arroba|arobase|@)\s?[)\]}>]\s?)"
)
_DOT: Final = r"(?:\.|\s?[(\[{<]\s?(?:dot|point|punto)\s?[)\]}>]\s?)"
# A host without a dot has four letters or more: "tod@s" is no address.
DISGUISED: Final = re.compile(
    rf"(?<![\w.+%{MARK}-])[\w.+%{MARK}-]++"
    rf"(?:{_AT}(?=[\w-]*[^\W\d_])[\w-]++(?:{_DOT}[\w-]++)+|@[^\W\d_]{{4,}}+)",
    re.IGNORECASE,
)
_END: Final = r"[^\s<>\"')\]]++"
LINK: Final = re.compile(
    rf"[a-z]{{2,12}}://{_END}|www\.{_END}"
    rf"|(?<![\w.@-])(?:{_HOST}(?:{_TOP}(?:/{_END})?|[a-z]{{2}}/{_END})|(?:wa|t|fb|m)\.me\b)",
    re.IGNORECASE,
)
HANDLE: Final = re.compile(r"(?<![\w@])@(?=\w*[\d_]|\w{5})[^\W\d]\w{2,}+(?:\.\w++)*")
PHONE: Final = re.compile(
    r"(?<!\w)(?<![\dA-Z][/.])(?:\((?=\+?\d{1,4}\)))?(?:\+[ (]?)?"
    rf"\d(?:[ ().\-/{MARK}]{{0,3}}\d)+(?!\w|:\d)"
)
# What looks like a telephone number and is none.
_YEAR: Final = r"(?:19|20)\d\d"
DATED: Final = (  # days, months, paragraphs and decimals, resolutions, years; or several of them
    rf"(?>(?:{_YEAR}[-./]\d\d?[-./]\d\d?|[0-3]?\d[-./][0-3]?\d[-./](?:{_YEAR}|\d\d)|\d\d?[-./]{_YEAR}"
    rf"|{_YEAR}[-./]\d\d|\d{{1,3}}[./]\d{{1,3}}|\d{{3,4}} \(?{_YEAR}\)?|{_YEAR})(?!\d))"
)
AMOUNT: Final = (  # grouped thousands: round, or too short for a telephone number
    r"[1-9](?>\d{0,2}(?:[ .]\d{3})*[ .]000|\d{0,2}[ .]\d{3}|[ .]\d{3}[ .]\d{3})(?![ .]?\d)"
)
NUMBERS: Final = re.compile(
    rf"{DATED}(?:[ (\-/]{{1,3}}{DATED})*|{AMOUNT}(?: ?[-/] ?{AMOUNT})*|\d+000"
)
PLACEHOLDERS: Final = {
    "link": "[link]",
    "e-mail": "[e-mail]",
    "handle": "[handle]",
    "telephone": "[telephone]",
    "contact": "[contact]",
}
FORMS: Final = (
    ("e-mail", EMAIL),
    ("e-mail", DISGUISED),
    ("link", LINK),
    ("handle", HANDLE),
    ("telephone", PHONE),
)
SHORTEST: Final = 4  # letters of a contact string that is looked for on its own
FEWEST_DIGITS, FEWEST_IN_ONE = 8, 9  # of a telephone number; of one without separators
LONGEST_NAME: Final = 5  # words; what is longer in a field for names is a sentence
COMMON: Final = 3  # respondents who write a word in small letters make it an ordinary one
TITLES: Final = {"mr", "mrs", "ms", "dr", "prof", "m", "mme", "mlle", "sr", "sra", "dra", "lic"}

Words = tuple[str, ...]


class _Plain(dict[int, str]):
    """A code point -> the plain one that stands for it; made as they are met."""

    def __missing__(self, code: int) -> str:
        parts = unicodedata.normalize("NFKD", chr(code))
        kind = unicodedata.category(chr(code))
        if kind in ("Mn", "Mc", "Me", "Cf"):
            plain = MARK
        elif kind == "Pd" or code == ord("\N{MINUS SIGN}"):
            plain = "-"
        elif kind == "Lm":  # letters used as apostrophes
            plain = "'"
        else:
            plain = parts[0] if all(map(unicodedata.combining, parts[1:])) else chr(code)
        self[code] = plain
        return plain


_PLAIN: Final = _Plain()


def plain_copy(text: str) -> str:
    """Return the text for matching: as many code points as `text`, each plain."""
    return text if text.isascii() else text.translate(_PLAIN)


def _key(word: str) -> str:
    return word.replace(MARK, "").casefold().translate(LETTERS)


def words_of(text: str) -> Words:
    """Return the words of a text for comparison: without case, accents and what is between."""
    return tuple(_key(word) for word in WORD.findall(plain_copy(text)))


class Redactor:
    """Replaces personal data; `counts` says how often, by kind.

    `shared` are strings that are looked for in every answer, whoever gave it.
    """

    def __init__(self, shared: Iterable[str] = ()) -> None:
        self._shared = _by_first_word(shared)
        self.counts: Counter[str] = Counter()

    def redact(self, text: str, own: Iterable[str] = ()) -> str:
        """Return `text` with personal data replaced; `own` are the respondent's contact strings."""
        if not text or text.isspace():
            return text
        plain = plain_copy(text)
        found = [
            (match.start(), match.end(), kind)
            for kind, pattern in FORMS
            for match in pattern.finditer(plain)
            if kind != "telephone" or is_phone(match[0])
        ]
        for phrases in (_by_first_word(own), self._shared):
            found += [(*span, "contact") for span in _phrases(plain, phrases)]
        pieces, done = [], 0
        for start, end, kind in _merged(found):
            self.counts[kind] += 1
            pieces += [text[done:start], PLACEHOLDERS[kind]]
            done = end
        return "".join([*pieces, text[done:]])


def _merged(found: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return the spans (start, end, kind) in order, what overlaps as one of the first's kind."""
    apart: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(found, key=lambda span: (span[0], -span[1])):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(apart[-1][1], end), apart[-1][2])
        else:
            apart.append((start, end, kind))
    return apart


def _by_first_word(strings: Iterable[str]) -> dict[str, set[Words]]:
    phrases: dict[str, set[Words]] = {}
    for words in filter(None, map(words_of, strings)):
        phrases.setdefault(words[0], set()).add(words)
    return phrases


def _phrases(plain: str, phrases: dict[str, set[Words]]) -> Iterator[tuple[int, int]]:
    """Yield where the phrases stand, with any one to three code points between their words."""
    if not phrases:
        return
    matches = list(WORD.finditer(plain))
    keys = tuple(_key(match[0]) for match in matches)
    for place, key in enumerate(keys):
        for phrase in phrases.get(key, ()):
            run = matches[place : place + len(phrase)]
            if keys[place : place + len(phrase)] == phrase and all(
                after.start() - before.end() <= 3 for before, after in pairwise(run)
            ):
                yield run[0].start(), run[-1].end()


def is_phone(text: str) -> bool:
    """Whether plain digits and separators are a telephone number rather than years or amounts.

    Whatever has a leading + is, and digits without separators are from nine to fifteen on.
    """
    numbers = re.findall(r"\d+", text)
    digits = sum(map(len, numbers))
    if "+" in text or digits < FEWEST_DIGITS:
        return digits >= FEWEST_DIGITS
    if len(numbers) == 1 and not FEWEST_IN_ONE <= digits <= 15:
        return False
    small = len(numbers) > 1 and max(map(len, numbers)) < FEWEST_DIGITS
    in_a_row = small and all(int(b) - int(a) == 1 for a, b in pairwise(numbers))
    return not in_a_row and not NUMBERS.fullmatch(text.strip("()"))


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


def strings_to_find(
    columns: Sequence[tuple[pd.Series, bool | None]],
    labels: Iterable[str],
    answers: Sequence[pd.Series],
) -> tuple[list[list[str]], set[str]]:
    """Return what to look for in each of n respondents' own answers (n lists), and in everyone's.

    `columns` (n,) hold what was given as contact, each with whether it holds names of people; None
    where nobody said. `labels` are the questionnaire's texts, whose words identify nobody, and
    `answers` (n,) whatever respondents wrote.
    """
    given = [column for column, _ in columns]
    strings, everyone = contact_strings(given)
    labels = list(labels)
    ordinary = _ordinary_words(everyone, labels, answers)
    known = "|".join(f" {' '.join(words_of(label))} " for label in labels)
    own, shared = list[list[str]](), set[str]()
    for mine, cells in zip(strings, zip(*given, strict=True), strict=True):
        kinds = (is_name for _, is_name in columns)
        names = _names(zip(cells, kinds, strict=True), ordinary)
        full = {name for name in names if len(name) > 1 and not ordinary.issuperset(name)}
        turned = {" ".join(name[k:] + name[:k]) for name in full for k in range(len(name))}
        alone = {word for name in names for word in name} - ordinary
        own.append([text for text in (*mine, *turned, *alone) if _identifies(text, known)])
        # not somebody called after a country, or a country in the wrong field
        shared |= {name for name in turned if len(name) > SHORTEST and resolve(name).unknown}
    return own, shared


def _identifies(text: str, known: str) -> bool:
    phrase = " ".join(words_of(text))
    return len(phrase) >= SHORTEST and f" {phrase} " not in known


def _names(cells: Iterable[tuple[str, bool | None]], ordinary: Set[str]) -> list[Words]:
    """Return the names of people in a respondent's contact cells, first and last name joined.

    Where nobody said what a cell holds, two or three words with capitals and none of them ordinary
    are a name.
    """
    names, parts = list[Words](), list[Words]()
    for cell, is_name in cells:
        for part in re.split(r"[,;/|\n\r]+", cell):
            words = tuple(dropwhile(TITLES.__contains__, words_of(part)))
            if re.search(r"[@\d]", part) or not 0 < len(words) <= LONGEST_NAME:
                continue
            if is_name:
                parts.append(words)
            elif is_name is None and _looks_like_a_name(part) and ordinary.isdisjoint(words):
                names.append(words)
    joined = [(*first, *last) for first, last in pairwise(parts)]
    return [*names, *parts, *joined]


def _looks_like_a_name(text: str) -> bool:
    return 2 <= len(text.split()) <= 3 and all(word[0].isupper() for word in text.split())


def _ordinary_words(
    strings: Iterable[str], labels: Iterable[str], answers: Sequence[pd.Series]
) -> set[str]:
    """Return the words of the labels, and those of `strings` that many write in small letters."""
    asked_for = {word for text in strings for word in words_of(text)}
    small: Counter[str] = Counter()
    for said in zip(*answers, strict=True) if asked_for else ():
        words = WORD.findall(plain_copy("\n".join(said)))
        small.update({_key(word) for word in words if word.islower()} & asked_for)
    return {word for text in labels for word in words_of(text)} | {
        word for word, respondents in small.items() if respondents >= COMMON
    }
