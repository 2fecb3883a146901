"""What a cell says: an option by whichever spelling, "other" and words, yes or no, a number."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from babel import Locale, UnknownLocaleError

if TYPE_CHECKING:
    from upr_analysis.questionnaire import Choice

# What stands in the column of one option, folded, besides the option's own words.
TICKED: Final = frozenset(
    ("1", "1.0", "true", "yes", "y", "x", "checked", "selected", "oui", "sí", "si", "ja", "sim",
     "quoted")
)  # fmt: skip
UNTICKED: Final = frozenset(
    ("0", "0.0", "false", "no", "n", "non", "nein", "não", "unchecked", "not checked",
     "not selected", "unselected", "not quoted", "-")
)  # fmt: skip
WHOLE: Final = r"[+-]?[0-9]{1,15}(?:\.0{1,2}|\.0{4,})?"  # 1.000 may be a thousand
FRACTION: Final = r"[+-]?[0-9]{1,15}(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"


OTHER: Final = re.compile(  # "Other (please specify)", "Autre :", "-oth-"; not "Other relatives"
    r"(?:others?|autres?|otr[oa]s?)\s*"
    r"(?:$|[(\[:,;/–—-]|\.\.\.|…|please\b|write\b|text$|words?\b|answers?\b|pr[ée]cis|especifi)"
    r"|-?oth-?$|(?:please )?specify\b|(?:merci de |veuillez )?pr[ée]cise[rz]\b|especif[ií]que",
    re.IGNORECASE,
)
# What tools ask for behind "other"; whatever else stands there was written by somebody.
ASKED: Final = (
    r"(?:please |kindly |por favor,? |veuillez |merci de )?(?:specify|describe|explain|write[ -]in|"
    r"state|indicate|pr[ée]cise[rz]|pr[ée]cisez|especif[ií]que(?:lo)?|especificar|indique[rz]?)"
    r"(?: below| here| ci-dessous| aqu[ií])?|text|words?(?:\(s\))?|answers?|r[ée]ponse|respuesta"
)
HEAD_OF_OTHER: Final = re.compile(
    r"(?:-oth-|(?:oth|others?|autres?|otr[oa]s?)\b)[ :,–—-]*"
    rf"(?:(?:[(\[] ?(?:{ASKED})\.? ?[)\]]|(?:{ASKED})(?= *(?:$|[:.(\[–—-])))"
    r"(?: ?\((?:required|obligatoire|obligatori[oa])\))?)?",
    re.IGNORECASE,
)
ZONE: Final = r" (?:GMT|UTC)(?:[+-][0-9]{1,2}(?::?[0-9]{2})?)?$"  # behind a time


def fold_label(text: str) -> str:
    """Return a label for comparison: case, white space, curly quotes and accents' coding equal."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        text = text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    return " ".join(text.casefold().split())


def is_other(heading: str) -> bool:
    """Whether an option or a column is for answers that are none of the options."""
    return OTHER.match(heading.strip()) is not None and len(heading) < 80


def names_other(cell: str) -> bool:
    """Whether a cell says "other" and no word more."""
    return is_other(cell) and not words_behind_other(cell)


def words_behind_other(cell: str) -> str:
    """Return what was written in a cell as "Other: a map" or "Other (a map)"; "" for no words."""
    head = HEAD_OF_OTHER.match(cell.strip())
    words = cell.strip()[head.end() if head else 0 :].strip(" \t\n:,;/-–—…")
    bracketed = re.fullmatch(r"[(\[](.*)[)\]]", words, re.DOTALL)
    return bracketed[1] if bracketed else words


def with_plain_digits(text: str) -> str:
    """Return a number or a date with its digits as 0 to 9, whatever script they were typed in."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in text)


def spellings(choices: Iterable["Choice"]) -> dict[str, str]:
    """Return every folded spelling of the options -> option name."""
    return {fold_label(text): name for text, name in as_written(choices).items()}


def as_written(choices: Iterable["Choice"]) -> dict[str, str]:
    """Return every spelling of the options, as declared -> option name.

    A name is a spelling too, unless another option is written so.
    """
    choices = list(choices)
    written = {
        text: choice.name
        for choice in choices
        for text in (*choice.label.values(), choice.label_as_asked or "", *choice.also)
        if text
    }
    owner = {fold_label(text): name for text, name in written.items()}
    names = [choice.name for choice in choices]
    return {name: name for name in names if owner.get(fold_label(name), name) == name} | written


def is_tag(tag: str) -> bool:
    """Whether a text is the tag of a language that CLDR knows: es, pt-BR."""
    try:
        return Locale.parse(tag, sep="-") is not None
    except (ValueError, UnknownLocaleError):
        return False


def names_of_language(tag: str) -> set[str]:
    """Return what a language is called, in English and in itself, in small letters."""
    locale = Locale.parse(tag, sep="-")
    names = (locale.get_language_name("en"), locale.get_language_name(tag.partition("-")[0]))
    return {name.lower() for name in names if name} | {tag.lower()}


class OptionSplitter:
    """Splits joined select-all answers into declared options, longest first, and what is left.

    `written` maps spellings as declared to option names. An option that holds the separator is
    found whole, since options are matched before anything is split.
    """

    def __init__(self, written: Mapping[str, str], separator: str) -> None:
        self._known = {fold_label(text): name for text, name in written.items()}
        self._mark = separator.strip() or separator
        end = rf"\s*(?:{re.escape(self._mark)}|$)"
        # as declared and folded: of "Straße" and "strasse" neither matches the other's pattern
        plain = {" ".join(unicodedata.normalize("NFC", text).split()) for text in written}
        longest = sorted(plain | set(self._known), key=lambda text: (-len(text), text))
        self._option = re.compile(
            rf"\s*({'|'.join(map(_as_pattern, longest))}){end}", re.IGNORECASE
        )

    def split(self, cell: str) -> tuple[list[str], list[str]]:
        """Return (options' names, other words verbatim), each in order of mention."""
        cell = unicodedata.normalize("NFC", cell)
        names, left, start = [], [], 0
        while start < len(cell):
            match = self._option.match(cell, start)
            name = self._known.get(fold_label(match[1])) if match else None
            if match and name is not None:
                names.append(name)
                start = match.end()
                continue
            cut = cell.find(self._mark, start)
            stop = len(cell) if cut < 0 else cut
            if cell[start:stop].strip():
                left.append(cell[start:stop].strip())
            start = stop + len(self._mark)
        return names, left


def _as_pattern(spelling: str) -> str:
    """Return the pattern of a spelling in an answer: any white space, any quotes."""
    words = r"\s+".join(map(re.escape, spelling.split()))
    return re.sub("['’‘]", "['’‘]", re.sub('["“”]', '["“”]', words))
