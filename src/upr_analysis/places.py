"""Places: from free-text lists of countries to codes, and from codes to groups.

`places.csv` holds the facts, one row a place. Codes of States and territories are ISO 3166-1
alpha-3 (Kosovo: the user-assigned XKX); regions and the world have codes of our own.

Regions and sub-regions are those of the UN Statistics Division's M49 standard
(unstats.un.org/unsd/methodology/m49); the sub-region is M49's intermediate region where it has one.
M49 does not list Kosovo and Taiwan; they stand where they lie. Regional groups are those of the
UN's Department for General Assembly and Conference Management
(www.un.org/dgacm/en/content/regional-groups). Only Member States are in one: Israel in the Western
European and Others Group, and so Turkey, which takes part in two and is elected in that one.

A region is in a group if every Member State of it is: West Africa is in the African Group; Asia,
with Armenia, Israel and others, in none. Two loose names have an M49 region but no UN group: the
Middle East counts as Western Asia, the Middle East and North Africa as that and Northern Africa.
The world is in no group but its own.

Names are CLDR's, through Babel, in the languages asked for, and the column `also` of the table:
other official, former and common names. England, Scotland, Wales and Northern Ireland are the
United Kingdom, Gaza and the West Bank are Palestine: the State under review is what counts.
Where two places share a name ("Congo", although the UN's short name of one of them) the answer is
listed as not understood, for a researcher to decide.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from babel import Locale, UnknownLocaleError
from rapidfuzz import process
from rapidfuzz.distance import OSA

from upr_analysis.problems import InputError, did_you_mean

SCHEMES = ("un_group", "m49_region", "m49_subregion")
# Not formally in a group: the United States observes and is elected with this one, Kiribati is
# counted where it lies.
GROUP_BY_PRACTICE = {"KIR": "asia_pacific", "USA": "weog"}
CONGOS = {"COD", "COG"}  # told apart by the form of government, so only as listed
CALLED_STATE = {"ERI", "ISR", "KWT", "LBY", "PNG", "PSE", "QAT", "WSM"}  # "State of Mexico" is none

# Of 28,000 names with one letter wrong 69 % are understood, of 28,000 with two 48 %; none is taken
# for another place. A researcher decides on the rest.
LEAST_SIMILARITY = 0.80  # 1 - edits / length of the longer name (optimal string alignment)
MOST_EDITS = 2
LEAST_LETTERS = 6
NEAR = 0.65  # a second place as similar as this leaves a misspelling undecided
MOST_PIECES = 4  # "Korea, Republic of", "Bonaire, Sint Eustatius and Saba"
MOST_WORDS = 6
MOST_READINGS = 3  # to know whether there is one, no more are needed

SEVERAL = {"North and South Korea": ("PRK", "KOR"), "Corea del Norte y del Sur": ("PRK", "KOR")}
# Names of more than one place, and words that are a letter or two away from a State's and mean
# something else.
AMBIGUOUS = (
    *("Congo", "Korea", "Corea", "Corée", "America", "Guiana", "Guayana", "Papua", "Timor"),
    *("Dominican", "Dominicain", "Dominicaine", "Dominicano", "Dominica Rep."),
    *("Republic of Dominica", "República Dominica", "République de Dominique"),
    *("Republic of China", "République de Chine", "República de China"),
    *("Saint Martin", "San Martín", "Virgin Islands", "Îles Vierges", "Islas Vírgenes"),
    *("Siberia", "Sibérie", "Iberia", "Tsonga"),
    *("Georgia, USA", "Georgia, US", "Georgia, United States", "Géorgie, États-Unis"),
    *("Georgia, Estados Unidos", "Granada, España", "Granada, Spain", "Antigua, Guatemala"),
)
# Words as they stand in a folded name; small words come and go with the name that they stand in.
SMALL = "the of and in a an le la les l de du des d et en au aux el los las lo del y e al"
ALL_OF = "all whole entire across throughout region continent toute tout toda todo"
# A form of government names a State only beside the State's name.
HEADS = (
    "republic republique republica rep kingdom royaume reino principality principaute principado "
    "sultanate sultanat sultania duchy duche ducado state etat estado"
)
QUALIFIERS = (
    "democratic democratique democratica peoples people populaire popular islamic islamique "
    "islamica federal federale federative federativa socialist socialiste socialista arab arabe "
    "bolivarian bolivarienne bolivariana co operative cooperative cooperativa hashemite hachemite "
    "hachemita grand gran union independent independant independiente"
)
CAPITALS_ONLY = "us car lac"  # words of English or French otherwise
SMALL_WORDS, ALL_OF_WORDS, HEAD_WORDS, FORM_WORDS, CAPITALS_WORDS = (
    frozenset(words.split())
    for words in (SMALL, ALL_OF, HEADS, f"{HEADS} {QUALIFIERS}", CAPITALS_ONLY)
)
SAINTS = {"st": "saint", "ste": "saint", "sainte": "saint"}
SEPARATOR = re.compile(
    r"(?P<joins>\s*[,()\[\]]\s*|\s+[-–—]\s+|\s+(?:and|et|y|e|&)\s+)"
    r"|[;:|•·\n\r\t]|(?<![^\W_])/|(?<=[^\W_]{2})/|/(?=[^\W_]{2})|(?:^|(?<=\s))\d{1,3}[.)](?=\s)",
    re.IGNORECASE,
)
AND = re.compile(r"\s(?:and|et|y|e|&)\s", re.IGNORECASE)

Key = tuple[str, ...]
Codes = tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """One place with the groups it is in; a group is empty where the scheme has none for it."""

    code: str
    alpha2: str  # ISO 3166-1; empty for regions
    m49: str  # the UN's number, by which CLDR names regions; empty where M49 has none
    kind: str  # state, observer, territory, region, world
    un_group: tuple[str, ...]
    m49_region: tuple[str, ...]
    m49_subregion: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]  # language, name: only where CLDR has none
    also: tuple[str, ...]


@dataclass(frozen=True)
class Resolution:
    """What an answer names: codes of places, and the pieces that were not understood."""

    places: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, eq=False)  # by identity, so that it is a key of a cache
class _Names:
    by_words: dict[Key, Codes]  # sorted words -> codes; none where ambiguous
    spelt: dict[str, Codes]  # folded name, words in order -> codes
    composite: frozenset[tuple[str, bool]]  # folded names of several pieces; whether with an "and"


@dataclass(frozen=True)
class _Piece:
    start: int
    end: int
    joins: bool  # what separates it from the piece before may stand inside a name


@dataclass(frozen=True)
class _Stretch:
    end: int  # index of the piece behind it
    text: str
    parts: tuple[str, ...]


def all_places() -> tuple[Place, ...]:
    """Return every place, in the order of the table."""
    return tuple(_table().values())


def place(code: str) -> Place:
    """Return the place with a code; InputError with the nearest code if there is none."""
    try:
        return _table()[code]
    except KeyError:
        hint = did_you_mean(code, _table())
        raise InputError(f"No place has the code {code!r} in places.csv{hint}") from None


def groups_of(code: str, scheme: str) -> tuple[str, ...]:
    """Return the groups that a place is in: none, one or, for a region, several.

    `scheme` is un_group, m49_region or m49_subregion. InputError for any other, or no such place.
    """
    if scheme not in SCHEMES:
        hint = did_you_mean(scheme, SCHEMES)
        raise InputError(f"No scheme groups places by {scheme!r}; known are {SCHEMES}{hint}")
    groups: tuple[str, ...] = getattr(place(code), scheme)
    return groups


def name_of(code: str, language: str) -> str:
    """Return a place's name in a language of CLDR, else (our own regions) in English.

    `language` is a tag such as `fr` or `pt-BR`.
    """
    found = place(code)
    tags = (language, language.partition("-")[0], "en")
    return next(filter(None, (_label(found, tag) for tag in tags)), code)


@lru_cache(maxsize=100_000)
def fold(text: str) -> str:
    """Reduce a name to what identifies it: its words in order, without case, accents, articles."""
    return " ".join(_words(text))


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
    found: list[str] = []
    unknown: dict[str, str] = {}
    for piece, codes in _read(text, names, decided):
        if codes is None:
            unknown.setdefault(fold(piece) or piece, piece)
        else:
            found += codes
    return Resolution(tuple(dict.fromkeys(found)), tuple(unknown.values()))


def _known(piece: str, codes: Iterable[str]) -> tuple[str, ...]:
    if isinstance(codes, str):
        raise InputError(f"The correction of {piece!r} is the text {codes!r}: write a list.")
    return tuple(place(code).code for code in codes)


def _read(
    text: str, names: _Names, decided: Mapping[str, Codes]
) -> Iterator[tuple[str, Codes | None]]:
    """Yield each piece of the answer with its codes, or None where it is not understood."""
    if fold(text) in decided:
        yield text, decided[fold(text)]
        return
    pieces = _pieces(text)
    start = 0
    while start < len(pieces):
        end, codes = _first_name(_stretches(text, pieces, start), names, decided)
        yield _text_of(text, pieces[start:end]), codes
        start = end


def _pieces(text: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    start, joins = 0, True
    for separator in [*SEPARATOR.finditer(text), None]:
        end = separator.start() if separator else len(text)
        if any(character.isalnum() for character in text[start:end]):
            pieces.append(_Piece(start, end, joins))
            joins = True
        if separator:
            start = separator.end()
            joins = joins and separator["joins"] is not None
    return pieces


def _stretches(text: str, pieces: list[_Piece], start: int) -> list[_Stretch]:
    """Return what might be one name from piece `start` on, longest first."""
    ends = [start + 1]
    while ends[-1] < min(len(pieces), start + MOST_PIECES) and pieces[ends[-1]].joins:
        ends.append(ends[-1] + 1)
    return [
        _Stretch(
            end,
            _text_of(text, pieces[start:end]),
            tuple(_text_of(text, [piece]) for piece in pieces[start:end]),
        )
        for end in reversed(ends)
    ]


def _text_of(text: str, pieces: list[_Piece]) -> str:
    piece = text[pieces[0].start : pieces[-1].end].strip()
    return piece + ")" if piece.count("(") > piece.count(")") else piece


def _first_name(
    stretches: list[_Stretch], names: _Names, decided: Mapping[str, Codes]
) -> tuple[int, Codes | None]:
    """Return where the first name ends and its codes, None if it is not understood."""
    for stretch in stretches:
        folded = fold(stretch.text)
        if folded in decided:
            return stretch.end, decided[folded]
        alone = [_exact(part, names) for part in stretch.parts]
        listed = (folded, AND.search(stretch.text) is not None) in names.composite
        if len(alone) > 1 and None not in alone and not listed:
            continue  # "Mexique, États-Unis" is not "les États-Unis du Mexique"
        if (codes := _exact(stretch.text, names)) is not None:
            return stretch.end, codes or None
        codes = _near(folded, names)
        if codes and all(part in (None, codes) for part in alone):
            return stretch.end, codes  # misspelt, and no part of it names another place
    return stretches[-1].end, None


@lru_cache(maxsize=100_000)
def _exact(piece: str, names: _Names) -> Codes | None:
    """Return the codes of a name, () for one that is ambiguous, None for no name.

    A name counts in any order of its words ("Guinea, Equatorial"), unless the words as they stand
    are several names.
    """
    words = _words(piece)
    if len(words) == 1 and words[0] in CAPITALS_WORDS and words[0].upper() not in _undotted(piece):
        return None
    if (codes := names.spelt.get(" ".join(words))) is not None:
        return codes
    if (codes := _in_a_row(words, names)) is not None:
        return codes
    for some in (words, [word for word in words if word not in ALL_OF_WORDS]):
        if (codes := names.by_words.get(_key(some))) is not None:
            return codes
    return _by_form_of_government(words, names)


def _by_form_of_government(words: list[str], names: _Names) -> Codes | None:
    """Understand "Islamic Republic of Afghanistan" by what is left without the form."""
    heads = HEAD_WORDS.intersection(words)
    if not heads:
        return None
    rest = [word for word in words if word not in FORM_WORDS]
    codes = names.by_words.get(_key(rest))
    if not codes or len(codes) > 1:
        return codes
    found = place(codes[0])
    called = found.code in CALLED_STATE or not heads & {"state", "etat", "estado"}
    known = called and found.kind in ("state", "observer") and found.code not in CONGOS
    return codes if known else None


def _in_a_row(words: list[str], names: _Names) -> Codes | None:
    """Return the codes of "Kenya Uganda South Sudan": names that use up all the words, or None.

    None also where the words can be cut in two ways, as in "Asia Central Africa", or are a name
    that is hardly misspelt ("Fiji Islande", where Islande is Iceland).
    """
    behind: list[set[Codes]] = [set() for _ in words] + [{()}]  # readings of the words from each on
    for start in reversed(range(len(words))):
        for end in range(start + 1, min(len(words), start + MOST_WORDS) + 1):
            name = " ".join(words[start:end])
            codes = names.spelt.get(name)
            if codes is not None and len(name) >= 4:  # shorter ones are words elsewhere
                readings = {(codes or ("",)) + rest for rest in behind[end]}
                behind[start] |= {tuple(dict.fromkeys(reading)) for reading in readings}
        behind[start] = set(sorted(behind[start])[:MOST_READINGS])
    readings = behind[0] if words else set()
    only = readings.pop() if len(readings) == 1 else ("",)
    hardly_misspelt = len(only) > 1 and _most_similar(" ".join(words), names) is not None
    return None if "" in only or hardly_misspelt else only


@lru_cache(maxsize=100_000)
def _most_similar(folded: str, names: _Names) -> str | None:
    """Return the name that this hardly differs from, or None."""
    best = process.extractOne(
        folded,
        names.spelt.keys(),
        scorer=OSA.normalized_similarity,
        score_cutoff=LEAST_SIMILARITY,
    )
    return best[0] if best and OSA.distance(folded, best[0]) <= MOST_EDITS else None


@lru_cache(maxsize=100_000)
def _near(folded: str, names: _Names) -> Codes | None:
    """Return the one place whose name is near in spelling, or None if none or several are."""
    name = _most_similar(folded, names)
    if name is None or len(folded.replace(" ", "")) < LEAST_LETTERS:
        return None
    near = process.extract(
        folded,
        names.spelt.keys(),
        scorer=OSA.normalized_similarity,
        score_cutoff=NEAR,
        limit=None,
    )
    codes = names.spelt[name]
    if any(names.spelt[other] != codes for other, _, _ in near):
        return None
    others = set(folded.split()) - set(name.split())
    if any(names.spelt.get(word, codes) != codes for word in others):
        return None  # a word that is spelt right as another place
    return codes or None


def _words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    plain = re.sub(r"['’‘`´ʼ]s\b", "s", plain).replace(".", "")
    words = (SAINTS.get(word, word) for word in re.findall(r"[^\W_]+", plain))
    return [word for word in words if word not in SMALL_WORDS]


def _key(words: list[str]) -> Key:
    return tuple(sorted(words))


def _undotted(piece: str) -> list[str]:
    return piece.replace(".", "").split()


@cache
def _table() -> dict[str, Place]:
    content = files("upr_analysis").joinpath("places.csv").read_text(encoding="utf-8")
    return {row["code"]: _place(row) for row in csv.DictReader(content.splitlines())}


def _place(row: dict[str, str]) -> Place:
    group = GROUP_BY_PRACTICE.get(row["code"], row["un_group"])
    return Place(
        code=row["code"],
        alpha2=row["alpha2"],
        m49=row["m49"],
        kind=row["kind"],
        un_group=tuple(group.split()),
        m49_region=tuple(row["m49_region"].split()),
        m49_subregion=tuple(row["m49_subregion"].split()),
        labels=tuple((tag, row[tag]) for tag in ("en", "fr", "es") if row[tag]),
        also=tuple(row["also"].split("|")) if row["also"] else (),
    )


@cache
def _territories(language: str) -> Mapping[str, str]:
    try:
        territories: Mapping[str, str] = Locale.parse(language, sep="-").territories
    except (UnknownLocaleError, ValueError):
        raise InputError(
            f"CLDR has no names in the language {language!r}: write a tag such as 'fr' or 'pt-BR'."
        ) from None
    return territories


def _label(found: Place, language: str) -> str | None:
    territories = _territories(language)
    name = territories.get(found.alpha2) or territories.get(found.m49)
    return name or dict(found.labels).get(language)


@cache
def _names(languages: tuple[str, ...]) -> _Names:
    by_words: dict[Key, Codes] = {}
    folded, composite = set(), set()
    for name, codes in _names_and_codes(languages):
        words = _words(name)
        folded.add(" ".join(words))
        if SEPARATOR.search(name):
            composite.add((" ".join(words), AND.search(name) is not None))
        if by_words.setdefault(_key(words), codes) != codes:
            by_words[_key(words)] = ()  # two places share the name
    spelt = {name: by_words[_key(name.split())] for name in sorted(folded)}
    return _Names(by_words, spelt, frozenset(composite))


def _names_and_codes(languages: tuple[str, ...]) -> Iterator[tuple[str, Codes]]:
    for name in AMBIGUOUS:
        yield name, ()
    yield from SEVERAL.items()
    for found in all_places():
        for language in languages:
            if label := _label(found, language):
                yield label, (found.code,)
        for name in found.also:
            yield name, (found.code,)
