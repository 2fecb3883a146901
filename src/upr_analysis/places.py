"""Places: from free-text lists of countries to codes, and from codes to groups.

`places.csv` holds the facts, one row a place; `places.yml` says where they are from and holds what
is known of names besides. Codes of States and territories are ISO 3166-1 alpha-3 (Kosovo: the
user-assigned XKX); regions, organisations of States and the world have codes of our own. Names are
CLDR's, through Babel, in the languages asked for, and those in the table's column `also`; a flag
and an ISO code in capitals are names too.

What is in a group: a Member State in those that the UN lists it in; a territory or an observer in
no UN group, which are of Member States, and in the M49 region where it lies, never in its State's;
a region or an organisation where all its Member States are.
"""

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice, takewhile
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from babel import Locale, UnknownLocaleError
from rapidfuzz import process
from rapidfuzz.distance import OSA

from upr_analysis.documents import read_yaml
from upr_analysis.problems import InputError, did_you_mean

SCHEMES = ("un_group", "m49_region", "m49_subregion")
# Of 18,000 names with one letter wrong 67 % are understood, and none is taken for another place; of
# 62,000 with two wrong 41 %, and three are a wider region beside an unknown piece ("Esbed e Europa"
# for "Este de Europa"). A researcher decides on the rest.
SIMILARITY = 0.80  # above it; 1 - edits / length of the longer name (optimal string alignment)
MOST_EDITS = 2
LEAST_LETTERS = 6
NEAR = 0.65  # a second place as similar as this leaves a misspelling undecided
MOST_PIECES = 4  # "Korea, Republic of", "Bonaire, Sint Eustatius and Saba"
MOST_WORDS = 6
MOST_CARRYING = 12  # words before a name that are looked at
BULLETS = "-–—→•▪■□●○►➢➤✓✔\uf0a7\uf0b7\uf0d8 "  # the last three as pasted from Word
UNSAID = ("P", "Z", "M", "Cc", "Cf")  # Unicode's punctuation, spaces, accents, what is not seen

APART = re.compile(  # stands between names only
    r"[;:|•·\n\r\t]|(?<![^\W_])/|(?<=[^\W_]{2})/|/(?=[^\W_]{2})|(?:^|(?<=\s))\d{1,3}[.)](?=\s)"
)
AND = re.compile(r"\s+(?:and|et|y|e|&)\s+", re.IGNORECASE)
JOINT = re.compile(rf"\s*[,()\[\]]\s*|\s+[-–—]\s+|{AND.pattern}", re.IGNORECASE)  # inside one too
WORD = re.compile(r"[^\W_]+")
EMOJI = re.compile(  # a piece by itself; a flag is two regional indicators
    "([\U0001f1e6-\U0001f1ff]{1,2}"
    "|[\U0001f300-\U0001faff][\u200d\u2600-\u27bf\ufe0f\U0001f300-\U0001faff\U000e0020-\U000e007f]*)"
)

Codes = tuple[str, ...]
UNDECIDED: Codes = ("",)  # what a name of more than one place stands for
Understood = Callable[[str, list[str]], Codes | None]  # of a stretch and its pieces


@dataclass(frozen=True)
class Place:
    """One place with the groups it is in; a group is empty where the scheme has none for it."""

    code: str
    alpha2: str  # ISO 3166-1, where EU is reserved; empty for regions
    m49: str  # the UN's number, by which CLDR names regions; empty where M49 has none
    kind: str  # state, observer, territory, region, organisation, world
    labels: Mapping[str, str]  # language -> name: only where CLDR has none
    also: tuple[str, ...]
    un_group: tuple[str, ...]
    m49_region: tuple[str, ...]
    m49_subregion: tuple[str, ...]


@dataclass(frozen=True)
class Resolution:
    """What an answer names: codes of places, and the pieces that were not understood."""

    places: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, eq=False)  # by identity, so that it is a key of a cache
class _Names:
    spelt: dict[str, Codes]  # by folded name
    by_words: dict[frozenset[str], Codes]  # by its words, in any order
    joint: set[tuple[str, bool]]  # folded names of several pieces; whether with an "and"
    by_length: dict[int, list[str]]  # the folded names


def all_places() -> tuple[Place, ...]:
    """Return every place, in the order of the table."""
    return tuple(_table().values())


def place(code: str) -> Place:
    """Return the place with a code; InputError with the nearest code if there is none."""
    if code not in _table():
        hint = did_you_mean(code, _table())
        raise InputError(f"No place has the code {code!r} in places.csv{hint}")
    return _table()[code]


def groups_of(code: str, scheme: str) -> tuple[str, ...]:
    """Return the groups that a place is in: none, one or, for a region, several.

    `scheme` is un_group, m49_region or m49_subregion. InputError for any other, or no such place.
    """
    if scheme not in SCHEMES:
        hint = did_you_mean(scheme, SCHEMES)
        raise InputError(f"No scheme groups places by {scheme!r}; known are {SCHEMES}{hint}")
    return tuple(getattr(place(code), scheme))


def name_of(code: str, language: str) -> str:
    """Return a place's name in a language (a tag such as `fr` or `pt-BR`), else in English."""
    found, names = place(code), _territories(language)
    own = found.labels.get(language.partition("-")[0]) or found.labels["en"]
    return names.get(found.alpha2) or names.get(found.m49) or own


@lru_cache(maxsize=100_000)
def fold(text: str) -> str:
    """Reduce a name to what identifies it: its words in order, without case, accents, articles."""
    plain = re.sub(r"['’‘`´ʼ]s\b", "s", _plain(text)).replace(".", "")
    words = [word for word in WORD.findall(plain) if word not in _listed("small")]
    return " ".join("saint" if word in _listed("saint") else word for word in words)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def resolve(
    text: str,
    languages: Iterable[str] = ("en", "fr", "es"),
    corrections: Mapping[str, Iterable[str]] | None = None,
) -> Resolution:
    """Read a free-text list of countries, regions and the like.

    The longest stretch of pieces that is a name wins, so that "Trinidad and Tobago" is one place
    and "Mali and Niger" two. A misspelling is understood if one name only is near. `corrections`
    holds a researcher's decisions: a piece (in any spelling that folds alike) and its codes, none
    of them if it is no place; they come before everything else. InputError if a decision's code,
    or a language, is not known.
    """
    names = _names(tuple(languages))
    decided = {_key(piece): _known(piece, codes) for piece, codes in (corrections or {}).items()}
    whole = decided.get(_key(text))
    found: list[str] = []
    unknown: dict[str, str] = {}
    for piece, codes in _read(text, names, decided) if whole is None else [(text, whole)]:
        if codes == UNDECIDED:
            unknown.setdefault(_key(piece), piece)
        else:
            found += codes
    return Resolution(tuple(dict.fromkeys(found)), tuple(unknown.values()))


def _key(piece: str) -> str:
    """Return what pieces have in common that are one: how they fold, or else themselves."""
    return fold(piece) or piece.strip()


def _known(piece: str, codes: Iterable[str]) -> Codes:
    if isinstance(codes, str):
        raise InputError(f"The correction of {piece!r} is the text {codes!r}: write a list.")
    return tuple(place(code).code for code in codes)


def _read(text: str, names: _Names, decided: dict[str, Codes]) -> Iterator[tuple[str, Codes]]:
    """Yield each piece of the answer with its codes, UNDECIDED where it is not understood."""
    only_codes = _has_only_codes(text)

    def understood(stretch: str, pieces: list[str]) -> Codes | None:
        key = _key(stretch)
        return decided[key] if key in decided else _as_one_name(stretch, pieces, names, only_codes)

    for part in APART.split(text):
        for at, between in enumerate(EMOJI.split(part)):
            if at % 2 == 0:
                yield from _read_part(between, understood)
            else:
                yield between, decided.get(_key(between), _flags().get(between, UNDECIDED))


def _read_part(part: str, understood: Understood) -> Iterator[tuple[str, Codes]]:
    """Yield the pieces of a part of the answer, between what can only stand between names."""
    edges = [0, *(edge for gap in JOINT.finditer(part) for edge in gap.span()), len(part)]
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    spans = [(start, end) for start, end in spans if _says_something(part[start:end])]
    before = UNDECIDED
    while spans:
        stretch, count, codes = _longest(part, spans, understood)
        if codes is None:
            carried = _without_carrier(part, spans, before, understood)
            stretch, count, codes = carried or (stretch, count, None)
        closed = stretch + ")" * (stretch.count("(") > stretch.count(")"))
        before = UNDECIDED if codes is None else codes
        yield closed, before
        spans = spans[count:]


def _says_something(piece: str) -> bool:
    """Whether more stands there than punctuation: a letter, a digit, an emoji or another sign."""
    return _has_letters(piece) or any(
        not c.isascii() and c not in BULLETS and not unicodedata.category(c).startswith(UNSAID)
        for c in piece
    )


def _has_letters(piece: str) -> bool:
    return any(map(str.isalnum, piece))


def _longest(
    part: str, spans: list[tuple[int, int]], understood: Understood
) -> tuple[str, int, Codes | None]:
    """Return the longest stretch from the first piece on that is understood, else that piece.

    A sign alone, such as a euro, is a piece by itself: in a name it would vanish.
    """
    pieces = [part[start:end] for start, end in spans[:MOST_PIECES]]
    pieces = list(takewhile(_has_letters, pieces)) or pieces[:1]
    for count in range(len(pieces), 0, -1):
        stretch = part[spans[0][0] : spans[count - 1][1]].strip().lstrip(BULLETS)
        codes = understood(stretch, pieces[:count])
        if codes is not None:
            break
    return stretch, count, codes


def _without_carrier(
    part: str, spans: list[tuple[int, int]], before: Codes, understood: Understood
) -> tuple[str, int, Codes] | None:
    """Return the stretch without the words that carry it ("We work in Mali"), None if unknown.

    What a place was called counts only beside its name: Sudan is not meant where somebody says that
    South Sudan was formerly Sudan.
    """
    start, end = spans[0]
    words = list(islice(WORD.finditer(part, start, end), MOST_CARRYING))
    carrying, former = _carrying([_plain(word.group()) for word in words])
    if not carrying:
        return None
    left = [(words[carrying].start(), end), *spans[1:]]
    stretch, count, codes = _longest(part, left, understood)
    return None if codes is None or (former and codes != before) else (stretch, count, codes)


def _carrying(words: list[str]) -> tuple[int, bool]:
    """Return how many words carry what follows, and whether it is something of the past."""
    at, carries, former = 0, False, False
    known = _listed("carrier") | _listed("former")
    while at < len(words):
        phrases = (" ".join(words[at : at + count]) for count in range(MOST_WORDS, 0, -1))
        phrase = next((phrase for phrase in phrases if phrase in known), "")
        if not phrase and words[at] not in _listed("small"):
            break
        carries, former = carries or bool(phrase), former or phrase in _listed("former")
        at += phrase.count(" ") + 1
    return (at, former) if carries and at < len(words) else (0, False)


def _as_one_name(text: str, pieces: list[str], names: _Names, only_codes: bool) -> Codes | None:
    """Return the codes of a stretch of pieces if all of it is one name, else None."""
    alone = [_exact(piece, names, only_codes) for piece in pieces]
    listed = (fold(text), bool(AND.search(text))) in names.joint
    if len(pieces) > 1 and not listed:
        if None not in alone:
            return None  # "Mexique, États-Unis" is not "les États-Unis du Mexique"
        if AND.search(text) and (codes := _by_shared_noun(pieces, names)) is not None:
            return codes  # "South and East Asia" is not South-East Asia
    if (codes := _exact(text, names, only_codes)) is not None:
        return codes
    codes = _near(fold(text), names)  # misspelt, if no piece of it names another place
    return codes if all(one in (None, codes) for one in alone) else None


def _by_shared_noun(pieces: list[str], names: _Names) -> Codes | None:
    """Return the codes of "West and Central Africa" and "Afrique de l'Ouest et centrale".

    Not where one would be a region and another a State: "East and South Africa" may mean Southern.
    """
    folded = [fold(piece) for piece in pieces]
    first, last = folded[0].partition(" "), folded[-1].rpartition(" ")
    if last[0] and last[2] in _listed("shared"):
        short, whole = folded[:-1], [f"{name} {last[2]}" for name in folded[:-1]] + folded[-1:]
    elif first[2] and first[0] in _listed("shared"):
        short, whole = folded[1:], folded[:1] + [f"{first[0]} {name}" for name in folded[1:]]
    else:
        return None
    found = [_exact(name, names) or UNDECIDED for name in whole]
    alone = any(_exact(name, names) for name in short)  # "Pacific and East Asia"
    if alone or UNDECIDED in found or any(len(codes) > 1 for codes in found):
        return None
    kinds = {place(code).kind for (code,) in found}
    return tuple(code for (code,) in found) if len(kinds) == 1 else None


@lru_cache(maxsize=100_000)
def _exact(piece: str, names: _Names, only_codes: bool = False) -> Codes | None:
    """Return the codes of a name that is spelt right, its words in any order, or None."""
    folded = fold(piece)
    if folded in _listed("capitals_only") and folded.upper() not in piece.replace(".", "").split():
        return None
    if folded in names.spelt:
        return names.spelt[folded]
    if (codes := _in_a_row(folded.split(), names)) is not None:
        return codes
    words = frozenset(folded.split())
    for some in (words, words - _listed("all_of")):
        if some in names.by_words:
            return names.by_words[some]
    codes = _by_form_of_government(words, names)
    return _by_iso_codes(piece, only_codes) if codes is None else codes


def _by_iso_codes(piece: str, only_codes: bool) -> Codes | None:
    """Return the codes of "GTM HND SLV": ISO codes in capitals that use up the piece, or None.

    One that is a word besides counts only in an answer of nothing but codes.
    """
    words = WORD.findall(piece)
    if len(words) > 1 and words[0] == "AND":  # "KEN, AND UGA"
        words = words[1:]
    if not words or not _iso_codes().issuperset(words):
        return None
    doubtful = not only_codes and not _listed("codes_that_are_words").isdisjoint(words)
    return None if doubtful else tuple(dict.fromkeys(words))


def _has_only_codes(text: str) -> bool:
    """Whether an answer holds ISO codes in capitals only, not all of which may be words."""
    words = {word for word in WORD.findall(text) if not word.isdigit()} - _listed("small")
    return words <= _iso_codes() and not words <= _listed("codes_that_may_be_answers")


def _in_a_row(words: list[str], names: _Names) -> Codes | None:
    """Return the codes of "Kenya Uganda South Sudan": names that use up all the words, or None.

    None also where the words can be cut in two ways, as in "Asia Central Africa", or are a name
    that is hardly misspelt ("Fiji Islande", where Islande is Iceland).
    """
    readings: dict[int, Codes] = {0: ()}  # of the words up to there
    for start in range(len(words)):
        for end in range(start + 1, min(len(words), start + MOST_WORDS) + 1):
            name = " ".join(words[start:end])
            if start in readings and name in names.spelt and len(name) >= 4:  # shorter are words
                reading = tuple(dict.fromkeys(readings[start] + names.spelt[name]))
                if readings.setdefault(end, reading) != reading:
                    readings[end] = UNDECIDED
    codes = readings.get(len(words), UNDECIDED)
    hardly_misspelt = len(codes) > 1 and _similar(" ".join(words), names)
    return None if not codes or "" in codes or hardly_misspelt else codes


def _by_form_of_government(words: frozenset[str], names: _Names) -> Codes | None:
    """Understand "Islamic Republic of Afghanistan" by what is left without the form."""
    if words.isdisjoint(_listed("form")):
        return None
    codes = names.by_words.get(words - _listed("form") - _listed("qualifier"))
    if codes is None or codes == UNDECIDED or len(codes) > 1:
        return codes
    found = place(codes[0])
    called_so = found.code in _listed("called_state") or words.isdisjoint(_listed("state"))
    told_apart = found.code in _listed("told_apart_by_form")
    return codes if found.kind in ("state", "observer") and called_so and not told_apart else None


@lru_cache(maxsize=100_000)
def _similar(folded: str, names: _Names) -> list[str]:
    """Return the names near to one that is hardly misspelt, most similar first; else none."""
    scorer, lengths = OSA.normalized_similarity, range(-MOST_EDITS, MOST_EDITS + 1)
    likely = [name for more in lengths for name in names.by_length.get(len(folded) + more, ())]
    if not process.extractOne(folded, likely, scorer=scorer, score_cutoff=SIMILARITY):
        return []  # as for most pieces: the names of all lengths take long
    found = process.extract(folded, list(names.spelt), scorer=scorer, score_cutoff=NEAR, limit=None)
    near = [name for name, _, _ in found]
    hardly = found and found[0][1] > SIMILARITY and OSA.distance(folded, near[0]) <= MOST_EDITS
    return near if hardly else []


def _near(folded: str, names: _Names) -> Codes | None:
    """Return the one place whose name is near in spelling, or None if none or several are."""
    if len(folded.replace(" ", "")) < LEAST_LETTERS or not (near := _similar(folded, names)):
        return None
    codes = names.spelt[near[0]]
    others = set(folded.split()) - set(near[0].split())  # one may be spelt right as another place
    one_only = all(names.spelt.get(name, codes) == codes for name in (*near, *others))
    return codes if one_only and codes != UNDECIDED else None


@cache
def _names(languages: tuple[str, ...]) -> _Names:
    listed: list[tuple[str, Codes]] = [(name, UNDECIDED) for name in _rules()["ambiguous"]]
    listed += [(name, tuple(codes)) for name, codes in _rules()["several"].items()]
    for found in all_places():
        labels = (name_of(found.code, language) for language in languages)
        listed += [(name, (found.code,)) for name in (*labels, *found.also)]
    names = _Names({}, {}, set(), {})
    for name, codes in listed:
        words = frozenset(fold(name).split())
        if names.by_words.setdefault(words, codes) != codes:
            names.by_words[words] = UNDECIDED
        if JOINT.search(name):
            names.joint.add((fold(name), bool(AND.search(name))))
    for name, _ in listed:
        names.spelt[fold(name)] = names.by_words[frozenset(fold(name).split())]
    for folded in names.spelt:
        names.by_length.setdefault(len(folded), []).append(folded)
    return names


@cache
def _territories(language: str) -> dict[str, str]:
    try:  # a language with few names of its own has the others in English
        return {**Locale("en").territories, **Locale.parse(language, sep="-").territories}
    except (UnknownLocaleError, ValueError):
        raise InputError(
            f"CLDR has no names in the language {language!r}: write a tag such as 'fr' or 'pt-BR'."
        ) from None


@cache
def _table() -> dict[str, Place]:
    with Path(__file__).with_name("places.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: _place(row) for row in csv.DictReader(file)}


def _place(row: dict[str, str]) -> Place:
    labels = {language: row[language] for language in ("en", "fr", "es")}
    also = tuple(filter(None, row["also"].split("|")))
    groups = {scheme: tuple(row[scheme].split()) for scheme in SCHEMES}
    return Place(row["code"], row["alpha2"], row["m49"], row["kind"], labels, also, **groups)


@cache
def _iso_codes() -> frozenset[str]:
    kinds = ("state", "observer", "territory")
    return frozenset(found.code for found in all_places() if found.kind in kinds)


@cache
def _flags() -> dict[str, Codes]:
    """Return the code of each flag: the letters of an ISO alpha-2 code as regional indicators."""
    indicators = {ord(letter): ord(letter) - ord("A") + 0x1F1E6 for letter in ascii_uppercase}
    return {
        found.alpha2.translate(indicators): (found.code,) for found in all_places() if found.alpha2
    }


@cache
def _rules() -> dict[str, Any]:
    return dict(read_yaml(Path(__file__).with_name("places.yml")))


@cache
def _listed(kind: str) -> frozenset[str]:
    return frozenset(_rules()[kind])
