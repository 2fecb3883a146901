"""Personal data in open answers: found, replaced by a typed placeholder, counted, never shown.

E-mail addresses, telephone and identity numbers, links and account names are found by their form,
in any answer. In a respondent's own answers whatever was given as contact is looked for as well:
each string whole, and the words of people's names one by one. In the answers of others only
people's names are, of two words or more, so that an organisation that many name survives.

Ordinary words identify nobody: those of the questionnaire, and those that three or more respondents
write in small letters, which takes in a codebook's. A name made of them only ("digital divide" in
the field for names), or a place's, is not looked for in the answers of others, nor any such word by
itself. In lists of countries nothing is looked for that only their author gave.

All is matched on a plain copy of the text, in which each code point stands for one of the text's:
without accents, with one kind of space, dash and digit. Most answers hold nothing personal, so each
pattern is tried only where something is that it cannot do without.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import dropwhile, groupby, pairwise
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

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
_DOT: Final = r"(?:\.|\s?[(\[{<]\s?(?:dot|point|punto)\s?[)\]}>]\s?|\s(?:dot|point|punto)\s)"
_ENDING: Final = (
    r"(?:com|org|net|info|edu|gov|int|co|io|[fcb][rhe]|es|de|uk|us|mx|ar|ke|ug|ng|za)\b"
)
_SPOKEN: Final = r" (?:at|arroba|arobase) [\w-]+ (?:dot|point|punto) "
# A host without a dot has four letters or more: "tod@s" is no address.
DISGUISED: Final = re.compile(
    rf"(?<![\w.+%{MARK}-])[\w.+%{MARK}-]++"
    rf"(?:{_AT}(?=[\w-]*[^\W\d_])[\w-]++(?:{_DOT}[\w-]++)+|@[^\W\d_]{{4,}}+|{_SPOKEN}{_ENDING})",
    re.IGNORECASE,
)
_END: Final = r"[^\s<>\"')\]]++"
LINK: Final = re.compile(
    rf"[a-z]{{2,12}}+://{_END}|www\.{_END}"
    rf"|(?<![\w.@-])(?:{_HOST}(?:{_TOP}(?:/{_END})?|[a-z]{{2}}/{_END}"
    r"|(?:co|or|org|com|ac|go|ne|gob|gouv)\.[a-z]{2}(?![\w-]))|(?:wa|t|fb|m)\.me\b)",
    re.IGNORECASE,
)
HANDLE: Final = re.compile(r"(?<![\w@])@(?=\w*[\d_]|\w{5})[^\W\d]\w{2,}+(?:\.\w++)*")
PHONE: Final = re.compile(
    r"(?<![^\W_])(?<![\dA-Z][/.])(?:\((?=\+?\d{1,4}\)))?(?:\+[ (]?)?"
    rf"\d(?:[ ().\-/_·{MARK}]{{0,3}}\d)+(?!(?!_|ext)\w|:\d)"
)
# What looks like such a number and is none.
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
_ROUND: Final = r"[1-9]\d{0,2}0{3,}+"
_MONEY: Final = r"(?:usd|eur|chf|gbp|xaf|xof|f?cfa|rs)"
IDENTITY: Final = re.compile(  # letters and six digits or more in one piece
    rf"(?<![\w{MARK}])(?!(?:[A-Z]{{0,4}}{_ROUND}(?:[A-Z]++\d?)?|{_MONEY}\d++|\d++{_MONEY})(?!\w))"
    rf"(?=[\d{MARK}]*+[A-Z])(?=(?:[A-Z{MARK}]*+\d){{6}})[A-Z\d{MARK}]++(?!\w)",
    re.IGNORECASE,
)
_SIX: Final = rf"\d(?:[.\-{MARK}]?\d){{5}}"
NUMBERED: Final = re.compile(  # of the United States; of Spain or Chile; longer than a telephone's
    r"(?<![\w.-])(?:\d{3}-\d\d-\d{4}|(?:[XYZ]-)?\d{1,2}\.?\d{3}\.?\d{3}-[A-Z]|\d{16,}+)(?![\w-])"
    # after what such a number is called: here it may look like any other, but for dates
    r"|\b(?:pas(?:se?port|aporte)|identi(?:ty|te|dad)|cedula|id|dni|nie|cni|ssn|nin|rut|curp|cpf)\b"
    r"(?:\W{1,3}(?:card|document|no|nr|n|num(?:ber|ero)?|is|est|es)\b)*+\W{1,3}"
    rf"(?!(?:{DATED}(?:[-/]{DATED})*+|{_ROUND})(?![\w.-]*\d))"
    rf"((?:[A-Z]{{1,3}}[ -]?)?{_SIX}(?:[.\-{MARK}]?\d)*+(?:-?[A-Z])?)(?!\w)",
    re.IGNORECASE,
)
PLACEHOLDERS: Final = {
    "link": "[link]",
    "e-mail": "[e-mail]",
    "handle": "[handle]",
    "identity": "[identity number]",
    "telephone": "[telephone]",
    "contact": "[contact]",
}
DOT: Final = re.compile(r"\.(?:\w|(?<=[Ww]\.)\S)")  # in a host, or after www
FORMS: Final = (  # each with what a text has to hold for it
    ("e-mail", EMAIL, re.compile("@")),
    ("e-mail", DISGUISED, re.compile(rf"[@&(\[{{<]|{_SPOKEN}", re.IGNORECASE)),
    ("link", LINK, re.compile(f"://|{DOT.pattern}")),
    ("handle", HANDLE, re.compile("@")),
    ("identity", IDENTITY, re.compile(rf"\d(?:[A-Z{MARK}]|(?<=[A-Z{MARK}]\d))", re.IGNORECASE)),
    ("identity", NUMBERED, re.compile(_SIX)),
    ("telephone", PHONE, re.compile(r"\A(?:\D*+\d){8}")),
)
# Without one, nor a DOT, as most answers are, a text holds none of the forms.
SIGN: Final = re.compile("[^A-Za-zÀ-ÖØ-öø-ÿœ \t\n\r\xa0\u202f,;.:!?'’‘\"“”«»…–—-]")
SPOKEN: Final = re.compile(_SPOKEN, re.IGNORECASE)
ANY_SIGN: Final = (
    rf"{SIGN.pattern}|\.\S|(?i:{_SPOKEN})"  # the same for Arrow, which cannot look behind
)
SHORTEST: Final = 4  # letters of a contact string that is looked for on its own
FEWEST_DIGITS, FEWEST_IN_ONE = 8, 9  # of a telephone number; of one without separators
LONGEST_NAME: Final = 8  # words; what is longer in a field for names is a sentence
AT_ONCE: Final = 5_000  # rows whose words are held at once
COMMON: Final = 3  # respondents who write a word in small letters make it an ordinary one
BETWEEN: Final = re.compile(r"[,;/|\n\r]+")  # contact strings in a cell
NO_NAME: Final = re.compile(r"[@\d]")
NO_NAMES: Final = re.compile(r"\S*[@\d]\S*")  # what of a cell is an address or a number
BETWEEN_NAMES: Final = re.compile(rf"{BETWEEN.pattern}|[()\[\]{{}}&]+|\s[-–—]\s|\s(?:and|et|y)\s")
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


# A byte of Western text -> its letter or digit, or a space; what is no ASCII needs a closer look.
WESTERN: Final = bytes(
    min(ord(plain), 255) if plain.isalnum() or plain == MARK else ord(" ")
    for plain in plain_copy(bytes(range(256)).decode("cp1252", "replace"))
)


def _written(text: str) -> str:
    """Return the words of a text, spaces between, as they are written but for accents."""
    try:  # a table of bytes takes a fifth of the time
        return text.replace("œ", "oe").encode("cp1252").translate(WESTERN).decode("ascii")
    except UnicodeError:
        return " ".join(WORD.findall(plain_copy(text))).replace(MARK, "")


def _key(written: str) -> str:
    return written.lower() if written.isascii() else written.casefold().translate(LETTERS)


def words_of(text: str) -> Words:
    """Return the words of a text for comparison: without case, accents and what is between."""
    return tuple(_key(_written(text)).split())


class Redactor:
    """Replaces personal data; `counts` says how often, by kind.

    `shared` are strings that are looked for in every answer, whoever gave it; `rows` are those in
    whose answers one may stand, if that is known.
    """

    def __init__(self, shared: Iterable[str] = (), rows: Set[int] | None = None) -> None:
        self._shared, self._rows = _by_first_word(shared), rows
        self.counts: Counter[str] = Counter()

    def redact_all(self, column: pd.Series, own: Sequence[Sequence[str]]) -> pd.Series:
        """Return a column (n,) redacted, each text with what its respondent gave as contact (n,).

        Texts in which nothing can be found are passed over without being made Python's.
        """
        may_hold = pc.match_substring_regex(_arrow(column), ANY_SIGN).to_numpy(zero_copy_only=False)
        may_hold |= np.array([bool(strings) for strings in own], dtype=bool)
        if self._rows is not None:
            may_hold[list(self._rows)] = True
        elif self._shared:
            for _, those in _standing(self._shared.keys(), column):
                may_hold[those] = True
        rows = np.flatnonzero(may_hold)
        texts = column.iloc[rows].tolist()
        clean = [
            self.redact(text, own[row]) for text, row in zip(texts, rows.tolist(), strict=True)
        ]
        redacted = column.copy()
        changed = [place for place, text in enumerate(texts) if clean[place] is not text]
        redacted.iloc[rows[changed]] = [clean[place] for place in changed]
        return redacted

    def redact(self, text: str, own: Iterable[str] = ()) -> str:
        """Return `text` with personal data replaced; `own` are the respondent's contact strings."""
        if not text or text.isspace():
            return text
        may_hold = SIGN.search(text) or DOT.search(text) or SPOKEN.search(text)
        found = list(_forms(text)) if may_hold else []
        words = words_of(text)
        for phrases in (_by_first_word(own), self._shared) if own else (self._shared,):
            if not phrases.keys().isdisjoint(words):
                found += [(*span, "contact") for span in _phrases(text, words, phrases)]
        if not found:
            return text
        pieces, done = [], 0
        for start, end, kind in _merged(found):
            self.counts[kind] += 1
            pieces += [text[done:start], PLACEHOLDERS[kind]]
            done = end
        return "".join([*pieces, text[done:]])


def _forms(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where what is found by its form stands, and its kind."""
    plain = plain_copy(text)
    for kind, pattern, needed in FORMS:
        for match in pattern.finditer(plain) if needed.search(plain) else ():
            if kind != "telephone" or is_phone(match[0]):
                yield *match.span(match.lastindex or 0), kind


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


def _phrases(text: str, words: Words, phrases: dict[str, set[Words]]) -> Iterator[tuple[int, int]]:
    """Yield where the phrases stand, with any one to three code points between their words."""
    runs = [
        slice(place, place + len(phrase))
        for place, word in enumerate(words)
        for phrase in phrases.get(word, ())
        if words[place : place + len(phrase)] == phrase
    ]
    matches = list(WORD.finditer(plain_copy(text))) if runs else []
    for run in (matches[run] for run in runs):
        if all(after.start() - before.end() <= 3 for before, after in pairwise(run)):
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
    cells = [column.str.strip().tolist() for column in columns]
    own = [_strings(row) for row in zip(*cells, strict=True)]
    return own, {string for strings in own for string in strings}


def _strings(cells: Iterable[str]) -> list[str]:
    """Return a respondent's contact cells, their parts, and first and last name joined."""
    whole = [cell for cell in cells if cell]
    parts = [part.strip() for cell in whole for part in BETWEEN.split(cell)]
    names = [part for part in parts if part and not NO_NAME.search(part)]
    joined = [f"{first} {last}" for first, last in pairwise(names) if " " not in first + last]
    return list(dict.fromkeys([*whole, *(part for part in parts if part), *joined]))


def strings_to_find(
    columns: Sequence[tuple[pd.Series, bool | None]],
    labels: Iterable[str],
    answers: Sequence[pd.Series],
) -> tuple[list[list[str]], set[str], set[int] | None]:
    """Return what to look for in each of n respondents' own answers (n lists), and in everyone's.

    With it come the rows in whose answers something of the latter may stand; None without answers.
    `columns` (n,) hold what was given as contact, each with whether it holds names of people; None
    where nobody said. `labels` are the questionnaire's texts, whose words identify nobody.
    `answers` (n,) are all the texts that will be redacted: what has a rare word that does not stand
    in them is left out. Without any, nothing is.
    """
    cells = [_Cells(column, is_name) for column, is_name in columns]
    asked = [words_of(label) for label in labels]
    known = "|".join(f" {' '.join(label)} " for label in asked)
    vocabulary = set[str]().union(*(one for cell in cells for one in cell.words.values()))
    rare, rows = _rare_words(vocabulary.difference(*asked), answers)
    given = {text: words for cell in cells for text, words in cell.words.items()}
    shared, those = set[Words](), set[int]()
    for names in _distinct_names(cells, rare):
        for name, written_in in _full_names(names, rare, rows):
            shared |= _turned(name)
            those |= written_in
    own: list[list[str]] = [[] for _ in range(len(columns[0][0]) if columns else 0)]
    for row in _candidates(cells, rare, rows) if answers else range(len(own)):
        texts = [cell.text(row) for cell in cells]
        names = _names([cell.names(text, rare) for cell, text in zip(cells, texts, strict=True)])
        mine = _strings(texts)
        words = {text: given.get(text) or words_of(text) for text in mine}
        unsaid = {w for text in mine for w in words[text] if w in rows and row not in rows[w]}
        here = [text for text in mine if unsaid.isdisjoint(words[text])]
        turned = {one for name, _ in _full_names(names, rare, rows) for one in _turned(name)}
        here += [" ".join(name) for name in turned if unsaid.isdisjoint(name)]
        here += {word for name in names for word in name if word in rare} - unsaid
        own[row] = [text for text in here if _identifies(text, known)]
    # not somebody called after a country, or a country in the wrong field
    whole = map(" ".join, shared)
    kept = {name for name in whole if len(name) > SHORTEST and resolve(name).unknown}
    return own, kept, those if answers else None


class _Cells:
    """A column of contact details (n,): each different cell once, its words, and the names in it.

    `codes` (n,) say which of `texts` a row has; `words` are those of each text.
    """

    def __init__(self, column: pd.Series, is_name: bool | None) -> None:
        self.codes, texts = pd.factorize(column.str.strip())
        self.texts = list(map(str, texts))
        self.words = {text: words_of(text) for text in self.texts if text}
        self._is_name = is_name

    def text(self, row: int) -> str:
        """Return a row's cell, without white space around."""
        return self.texts[int(self.codes[row])]

    def names(self, text: str, rare: Set[str]) -> tuple[list[Words], list[Words]]:
        """Return what of a cell is a person's name by its look, and what is, or is part of, one.

        Where nobody said what a cell holds, two or three words with capitals and none of them
        ordinary are a name.
        """
        lone, parts = list[Words](), list[Words]()
        if self._is_name is False or (self._is_name is None and len(text.split(None, 1)) < 2):
            return lone, parts
        for part in BETWEEN_NAMES.split(text):
            named = NO_NAMES.sub(" ", part) if NO_NAME.search(part) else part
            words = self.words.get(text, ()) if named == text else words_of(named)
            if words and words[0] in TITLES:
                words = tuple(dropwhile(TITLES.__contains__, words))
            if self._is_name:
                parts += [words] if 0 < len(words) <= LONGEST_NAME else []
                lone += [one for one in _capitalised(named, rare) if one != words]
            elif words and _looks_like_a_name(named) and rare >= set(words):
                lone.append(words)
        return lone, parts


def _names(cells: Sequence[tuple[list[Words], list[Words]]]) -> list[Words]:
    """Return the names of people in a respondent's contact cells, first and last name joined."""
    parts = [words for _, some in cells for words in some]
    joined = [(*first, *last) for first, last in pairwise(parts)]
    return [*(words for lone, _ in cells for words in lone), *parts, *joined]


def _distinct_names(cells: Sequence[_Cells], rare: Set[str]) -> Iterator[list[Words]]:
    """Yield the names of each different set of contact cells, once."""
    found = [[cell.names(text, rare) for text in cell.texts] for cell in cells]
    # a cell without a name, as one with an address, tells no two respondents apart
    kept = [
        np.array([any(names) for names in some], dtype=bool)[cell.codes] * (cell.codes + 1)
        for cell, some in zip(cells, found, strict=True)
    ]
    for places in pd.DataFrame(dict(enumerate(kept))).drop_duplicates().itertuples(index=False):
        yield _names(
            [
                some[place - 1] if place else ([], [])
                for place, some in zip(places, found, strict=True)
            ]
        )


def _full_names(
    names: Sequence[Words], rare: Set[str], rows: Mapping[str, Set[int]]
) -> Iterator[tuple[Words, Set[int]]]:
    """Yield the names of two words or more that somebody may have written, with who (rows).

    Without answers, of which `rows` is, they all are.
    """
    for name in set(names):
        if len(name) > 1 and not rare.isdisjoint(name):
            those = sorted((rows[word] for word in name if word in rows), key=len)
            written_in = frozenset(those[0]).intersection(*those[1:]) if those else frozenset()
            if written_in or not rows:
                yield name, written_in


def _turned(name: Words) -> set[Words]:
    """Return a name in each order of its words: Maria Gomez, Gomez Maria."""
    return {name[k:] + name[:k] for k in range(len(name))}


def _candidates(cells: Sequence[_Cells], rare: Set[str], rows: Mapping[str, Set[int]]) -> list[int]:
    """Return the rows in whose own answers something of their contact cells may stand.

    That is a rare word of them, or a piece that has none.
    """
    found = set[int]()
    for cell in cells:
        somewhere = dict[int, list[Set[int]] | None]()  # text -> where its rare words stand
        for code, text in enumerate(cell.texts):
            pieces = BETWEEN.split(text)
            words = [words_of(piece) for piece in pieces] if pieces[1:] else [cell.words.get(text)]
            if text and any(piece and rare.isdisjoint(piece) for piece in words):
                somewhere[code] = None
            elif said := [rows[word] for word in cell.words.get(text, ()) if rows.get(word)]:
                somewhere[code] = said
        here = np.flatnonzero(np.isin(cell.codes, list(somewhere)))
        for row, code in zip(here.tolist(), cell.codes[here].tolist(), strict=True):
            said_in = somewhere[code]
            if said_in is None or any(row in some for some in said_in):
                found.add(row)
    return sorted(found)


def _identifies(text: str, known: str) -> bool:
    phrase = " ".join(words_of(text))
    return len(phrase) >= SHORTEST and f" {phrase} " not in known


def _capitalised(text: str, rare: Set[str]) -> Iterator[Words]:
    """Yield runs of two words or more with capitals, none ordinary: "I am Olga Ivanova"."""
    for is_named, some in groupby(
        text.split(), key=lambda word: word[0].isupper() and rare >= set(words_of(word))
    ):
        words = words_of(" ".join(some))
        if is_named and len(words) > 1:
            yield words


def _looks_like_a_name(text: str) -> bool:
    return 2 <= len(text.split()) <= 3 and all(word[0].isupper() for word in text.split())


def _rare_words(
    words: Set[str], answers: Sequence[pd.Series]
) -> tuple[set[str], dict[str, Set[int]]]:
    """Return those of the words that few write in small letters, and in which rows each stands.

    Without answers the latter has no word.
    """
    rows, small = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for column in answers if words else ():
        for written, those in _standing(words, column):
            key = _key(written)
            rows[key].update(those)
            if written.islower():
                small[key].update(those)
    rare = {word for word in words if word not in small or len(small[word]) < COMMON}
    nowhere = frozenset[int]()
    return rare, {word: rows.get(word, nowhere) for word in rare} if answers else {}


def _standing(keys: Set[str], column: pd.Series) -> Iterator[tuple[str, list[int]]]:
    """Yield words of a column (n,) that are one of `keys`, as written, and rows that have them.

    Arrow parts the texts at their spaces: there are as many pieces as words, and few different.
    Other white space is left in them, since looking for any takes it three times as long. So many
    rows at once, that the pieces do not fill the memory; a word may come again with other rows.
    """
    texts = _arrow(column)
    for start in range(0, len(texts), AT_ONCE):
        parts = pc.split_pattern(texts.slice(start, AT_ONCE), " ")
        encoded = pc.dictionary_encode(pc.list_flatten(parts))
        words_in = [
            [word for word in _written(piece).split() if _key(word) in keys]
            for piece in encoded.dictionary.to_pylist()
        ]
        wanted = np.array([bool(words) for words in words_in], dtype=bool)
        codes = encoded.indices.to_numpy()
        if not wanted.any():
            continue
        some = np.flatnonzero(wanted[codes])
        codes, rows = codes[some], pc.list_parent_indices(parts).to_numpy()[some] + start
        order = codes.argsort(kind="stable")
        codes, starts = np.unique(codes[order], return_index=True)
        for code, those in zip(codes, np.split(rows[order], starts[1:]), strict=True):
            for word in words_in[code]:
                yield word, those.tolist()


def _arrow(column: pd.Series) -> pa.LargeStringArray:
    """Return a column's texts as one Arrow array, without a copy where it holds one already."""
    texts = pa.array(column.array, type=pa.large_string())
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
