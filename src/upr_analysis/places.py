"""Places: from free-text lists of countries to codes, and from codes to groups.

`places.csv` holds the facts, one row a place; `places.yml` says where they are from and holds what
is known of names besides. Codes of States and territories are ISO 3166-1 alpha-3 (Kosovo: the
user-assigned XKX); regions and the world have codes of our own. Names are CLDR's, through Babel, in
the languages asked for, and those in the table's column `also`.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from rapidfuzz import process
from rapidfuzz.distance import OSA

from upr_analysis.documents import read_yaml
from upr_analysis.problems import InputError, did_you_mean

SCHEMES = ("un_group", "m49_region", "m49_subregion")
# Of 28,000 names with one letter wrong 63 % are understood, of 28,000 with two 39 %; none is taken
# for another place. A researcher decides on the rest.
SIMILARITY = 0.80  # above it; 1 - edits / length of the longer name (optimal string alignment)
MOST_EDITS = 2
LEAST_LETTERS = 6
NEAR = 0.65  # a second place as similar as this leaves a misspelling undecided
MOST_PIECES = 4  # "Korea, Republic of", "Bonaire, Sint Eustatius and Saba"
MOST_WORDS = 6
BULLETS = "-–— "

APART = re.compile(  # stands between names only
    r"[;:|•·\n\r\t]|(?<![^\W_])/|(?<=[^\W_]{2})/|/(?=[^\W_]{2})|(?:^|(?<=\s))\d{1,3}[.)](?=\s)"
)
AND = re.compile(r"\s+(?:and|et|y|e|&)\s+", re.IGNORECASE)
JOINT = re.compile(rf"\s*[,()\[\]]\s*|\s+[-–—]\s+|{AND.pattern}", re.IGNORECASE)  # inside one too

Codes = tuple[str, ...]
UNDECIDED: Codes = ("",)  # what a name of more than one place stands for


@dataclass(frozen=True)
class Place:
    """One place with the groups it is in; a group is empty where the scheme has none for it."""

    code: str
    alpha2: str  # ISO 3166-1; empty for regions
    m49: str  # the UN's number, by which CLDR names regions; empty where M49 has none
    kind: str  # state, observer, territory, region, world
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
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    plain = re.sub(r"['’‘`´ʼ]s\b", "s", plain).replace(".", "")
    words = [word for word in re.findall(r"[^\W_]+", plain) if word not in _listed("small")]
    return " ".join("saint" if word in _listed("saint") else word for word in words)


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
    decided = {fold(piece): _known(piece, codes) for piece, codes in (corrections or {}).items()}
    whole = decided.get(fold(text))
    found: list[str] = []
    unknown: dict[str, str] = {}
    for piece, codes in _read(text, names, decided) if whole is None else [(text, whole)]:
        if codes == UNDECIDED:
            unknown.setdefault(fold(piece) or piece, piece)
        else:
            found += codes
    return Resolution(tuple(dict.fromkeys(found)), tuple(unknown.values()))


def _known(piece: str, codes: Iterable[str]) -> Codes:
    if isinstance(codes, str):
        raise InputError(f"The correction of {piece!r} is the text {codes!r}: write a list.")
    return tuple(place(code).code for code in codes)


def _read(text: str, names: _Names, decided: dict[str, Codes]) -> Iterator[tuple[str, Codes]]:
    """Yield each piece of the answer with its codes, UNDECIDED where it is not understood."""
    for part in APART.split(text):
        edges = [0, *(edge for gap in JOINT.finditer(part) for edge in gap.span()), len(part)]
        spans = list(zip(edges[::2], edges[1::2], strict=True))
        spans = [(start, end) for start, end in spans if any(map(str.isalnum, part[start:end]))]
        while spans:
            pieces = [part[start:end] for start, end in spans[:MOST_PIECES]]
            for count in range(len(pieces), 0, -1):
                stretch = part[spans[0][0] : spans[count - 1][1]].strip().lstrip(BULLETS)
                codes = decided.get(fold(stretch), _as_one_name(stretch, pieces[:count], names))
                if codes is not None:
                    break
            closed = stretch + ")" * (stretch.count("(") > stretch.count(")"))
            yield closed, UNDECIDED if codes is None else codes
            spans = spans[count:]


def _as_one_name(text: str, pieces: list[str], names: _Names) -> Codes | None:
    """Return the codes of a stretch of pieces if all of it is one name, else None."""
    alone = [_exact(piece, names) for piece in pieces]
    listed = (fold(text), bool(AND.search(text))) in names.joint
    if len(pieces) > 1 and None not in alone and not listed:
        return None  # "Mexique, États-Unis" is not "les États-Unis du Mexique"
    if (codes := _exact(text, names)) is not None:
        return codes
    codes = _near(fold(text), names)  # misspelt, if no piece of it names another place
    return codes if all(one in (None, codes) for one in alone) else None


@lru_cache(maxsize=100_000)
def _exact(piece: str, names: _Names) -> Codes | None:
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
    return _by_form_of_government(words, names)


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
    found = process.extract(
        folded, list(names.spelt), scorer=OSA.normalized_similarity, score_cutoff=NEAR, limit=None
    )
    near = [name for name, _, _ in found]
    hardly = found and found[0][1] > SIMILARITY and OSA.distance(folded, near[0]) <= MOST_EDITS
    return near if hardly else []


def _near(folded: str, names: _Names) -> Codes | None:
    """Return the one place whose name is near in spelling, or None if none or several are."""
    near = _similar(folded, names)
    if not near or len(folded.replace(" ", "")) < LEAST_LETTERS:
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
    names = _Names({}, {}, set())
    for name, codes in listed:
        words = frozenset(fold(name).split())
        if names.by_words.setdefault(words, codes) != codes:
            names.by_words[words] = UNDECIDED
        if JOINT.search(name):
            names.joint.add((fold(name), bool(AND.search(name))))
    for name, _ in listed:
        names.spelt[fold(name)] = names.by_words[frozenset(fold(name).split())]
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
def _rules() -> dict[str, Any]:
    return dict(read_yaml(Path(__file__).with_name("places.yml")))


@cache
def _listed(kind: str) -> frozenset[str]:
    return frozenset(_rules()[kind])
