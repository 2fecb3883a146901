"""A first questionnaire from an export: every guess with how sure it is, for a person to review."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

import pandas as pd

from upr_analysis.exports import Index
from upr_analysis.grids import Grid, plain
from upr_analysis.guessing import (
    COUNTED,
    MARKS,
    NOT_SHOWN,
    Guess,
    Kind,
    are_ticks,
    guess,
    text_guess,
    tool_words,
)
from upr_analysis.layouts import Field, Layout
from upr_analysis.marks import (
    FRACTION,
    fold_label,
    is_other,
    is_tag,
    names_of_language,
    names_other,
)
from upr_analysis.privacy import EMAIL, is_phone, plain_copy
from upr_analysis.questionnaire import MOST_OPTIONS, RESERVED

NONE: Final = re.compile(
    r"none of (?:these|the above)|^no others?$|ninguna? de|aucune? (?:de|des)", re.I
)
NO_OPINION: Final = re.compile(
    r"do(?:n'|’)?t know|not sure|no opinion|prefer not|unsure|ne sais pas|sans opinion|no s[ée]\b|"
    r"sin opini|prefiero no",
    re.IGNORECASE,
)
STAKEHOLDER: Final = re.compile(
    r"stakeholder|who are you\b|qui êtes[- ]vous|quién es usted|(?:which|what) best describes you|"
    r"(?:type|kind|category|nature) of (?:your )?(?:organi|actor|institution|user|respondent)|"
    r"(?:type|nature|catégorie) (?:d['’]|de )(?:votre )?(?:organi|instit|acteur)|"
    r"tipo de (?:su )?(?:organi|instit|actor)",
    re.IGNORECASE,
)
CONSENT: Final = re.compile(
    r"\bconsent|\bagree to be (?:quoted|cited)|\bmay we quote|\bconsentement|\bêtre cité|"
    r"\bconsentimiento|\bser citad",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Option:
    """One option as drafted."""

    name: str
    label: str
    also: tuple[str, ...] = ()
    role: str | None = None


@dataclass(frozen=True)
class Item:
    """One question as drafted; `columns` are the places that it takes, `kinds` theirs."""

    name: str
    header: str
    label: str
    guess: Guess
    options: tuple[Option, ...] = ()
    role: str | None = None
    occurrence: int = 1
    columns: dict[int, str] = field(default_factory=dict)
    relevant: str | None = None
    optional: bool = False  # asked, but without a column in this export


@dataclass(frozen=True)
class Draft:
    """The questions of an export, the columns that are none, and what every column holds."""

    items: tuple[Item, ...]
    ignored: tuple[str, ...]
    kinds: dict[int, str]
    not_asked: tuple[str, ...]
    no_answer: tuple[str, ...]
    decimal_comma: bool
    languages: tuple[str, ...] = ()


def header_holds_answers(grid: Grid, layout: Layout) -> bool:
    """Whether the header of a file with one row of it looks like a row of answers.

    One of its cells is then an address, a telephone number or a date, or three in ten are given
    again below or are a number above others.
    """
    if layout.tool in ("surveymonkey", "qualtrics", "labelled"):
        return False
    rows = layout.header_rows
    headings = [
        (one.names[0], grid.column(one.place, rows)) for one in layout.fields if one.names[0]
    ]
    if any(_is_personal(heading) for heading, _ in headings):
        return True
    return sum(_is_answer(*one) for one in headings) >= max(2, 0.3 * len(headings))


def _is_personal(heading: str) -> bool:
    """Whether no question is headed so, if it is short or asks nothing."""
    is_number = re.fullmatch(r"[\d+(). /-]+", heading) and is_phone(plain_copy(heading))
    is_date = re.fullmatch(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b.{0,30}", heading)
    asks = heading.endswith(("?", ":")) or len(heading) > LONG_HEADING
    return bool(is_number or is_date or (EMAIL.search(heading) and not asks))


LONG_HEADING: Final = 80  # characters; instructions may name an address of whoever asks


def _is_answer(heading: str, cells: pd.Series) -> bool:
    below = cells[cells.str.strip() != ""]
    if re.fullmatch(FRACTION, heading):
        return len(below) > 0 and bool(below.str.fullmatch(FRACTION).mean() > 0.9)
    # in the column of one option its own heading is the mark
    others = {fold_label(cell) for cell in below.unique()} - {fold_label(heading)} - MARKS
    return bool(others) and bool((below.map(plain) == heading).any())


def draft(grid: Grid, layout: Layout) -> Draft:
    """Guess every column of an export."""
    items: list[Item] = []
    ignored: list[str] = []
    kinds: dict[int, str] = {}
    taken: set[str] = set()
    separators = () if layout.tool in ("csv", "labelled") else (layout.separator,)
    index = Index(layout)
    for _, some in groupby(layout.fields, key=lambda one: (one.group, one.block)):
        for unit in _questions(list(some), grid, layout):
            header = unit[0].names[0] if len(unit) == 1 or not unit[0].parts else unit[0].block[0]
            item = _item(unit, header, grid, layout, separators, taken)
            places = [[one.place for one in known] for known in index.units(plain(item.header))]
            own = [one.place for one in unit]
            item = replace(item, occurrence=places.index(own) + 1 if own in places else 1)
            kinds |= item.columns
            if item.guess.kind == "ignored" or not header:
                if unit[0].own is None and header:
                    ignored.append(header)
                continue
            taken.add(item.name)
            items.append(item)
    cells = [grid.column(one.place, layout.header_rows) for one in layout.fields]
    numbers = [cells[p] for item in items if item.guess.kind == "decimal" for p in item.columns]
    counts = {
        item.name: Counter(cell for place in item.columns for cell in cells[place])
        for item in items
        if item.options
    }
    never = {
        name: {c for c in found if fold_label(c) in NOT_SHOWN} for name, found in counts.items()
    }
    marks = {
        cell
        for name, some in never.items()
        for cell in some
        if counts[name][cell] >= 0.05 * counts[name].total() or layout.tool == "limesurvey"
    }
    items = [_with_other(item) if never.get(item.name, set()) - marks else item for item in items]
    tags = {
        tag
        for item in items
        if item.role == "language"
        for place in item.columns
        for cell in cells[place].unique()
        if (tag := _tag_of(cell))
    }
    return Draft(
        tuple(items),
        tuple(dict.fromkeys(ignored)),
        kinds,
        tuple(sorted(marks)),
        tuple(dict.fromkeys(label for labels in grid.missing.values() for label in labels)),
        any(column.str.fullmatch(DECIMAL_COMMA).any() for column in numbers),
        tuple(sorted(tags)),
    )


def _tag_of(cell: str) -> str | None:
    """Return the tag of a language that a tool gives as `es-MX`, `ES` or "Spanish (Mexico)"."""
    head = re.split(r"[-_(]", cell, maxsplit=1)[0].strip().casefold()
    if is_tag(head):
        return head
    return next((tag for tag in LANGUAGES if head in names_of_language(tag)), None)


LANGUAGES: Final = ("en", "fr", "es", "pt", "ar", "ru", "zh", "de", "it", "nl", "sw", "id", "tr")


def _questions(unit: list[Field], grid: Grid, layout: Layout) -> list[list[Field]]:
    """Part the columns under one heading into questions: all of it, or a column each."""
    asides = [[one] for one in unit if one.aside]
    if asides:
        return [*_questions([one for one in unit if not one.aside], grid, layout), *asides]
    if any(one.joined for one in unit) and len(unit) > 1:
        return [unit]
    parts = [one for one in unit if one.parts and not _is_other(one)]
    answers = [one for one in unit if not one.parts]
    if 1 < len(parts) < MOST_OPTIONS and not answers:
        cells = [(one.parts, grid.column(one.place, layout.header_rows)) for one in parts]
        # of a form's questions some are answered by yes or no, and stand in a group as options do
        numbered = layout.tool != "kobo" or all(
            set(map(str.casefold, column.unique())) <= KOBO_MARKS for _, column in cells
        )
        if numbered and are_ticks(unit[0].block, cells):
            return [unit]
    if len(answers) == 1 and len(unit) == 2 and _is_other(unit[1]):
        return [unit]
    return [[one] for one in unit]


def _is_other(one: Field) -> bool:
    return any(map(is_other, one.parts))


def _item(
    unit: list[Field],
    header: str,
    grid: Grid,
    layout: Layout,
    separators: Sequence[str],
    taken: set[str],
) -> Item:
    first = unit[0]
    names = first.block or first.names
    heading = max(names[:2] if layout.tool == "limesurvey" else names, key=len)
    label = f"{heading}: {first.parts[-1]}" if len(unit) == 1 and first.parts else heading
    name = _name_of(unit, taken)
    cells = grid.column(first.place, layout.header_rows)
    if len(unit) > 1 and first.parts:
        found, options, kinds = _spread(unit, grid, layout)
        return Item(name, header, label or header, found, options, columns=kinds)
    if first.own == "ignored":
        found = _kept(guess(header, cells, separators), header)
        return Item(name, header, label, found, columns={first.place: found.kind})
    if first.own is not None:
        found = Guess(_OWN[first.own], 1, "the tool's own column")
        if found.kind == "datetime":
            told = guess("", cells, ())
            found = told if told.kind == "datetime" and told.date_format else found
        role = (
            first.own if first.own in ("respondent", "started", "submitted", "language") else None
        )
        if first.own == "personal":
            found = replace(found, kind="contact")
        kinds = {first.place: found.kind}
        found = replace(found, kind="ignored") if first.own == "personal" else found
        return Item(name, header, label, found, role=role, columns=kinds)
    if first.joined:
        return _from_split(unit, header, label, name, grid, layout)
    missing = grid.missing.get(first.names[0], ())
    cells = cells.where(~cells.isin(missing), "")
    found = guess(label, cells, separators)
    if first.names[0] in grid.labels and found.kind != "contact":
        named = [one for one in grid.labels[first.names[0]] if one not in missing]
        found = _by_labels(found, cells, named)
    kinds = {first.place: found.kind, **{one.place: "other" for one in unit[1:]}}
    options = _options(found, has_other=len(unit) > 1)
    return Item(name, header, label, found, options, role_of(label, found), columns=kinds)


_OWN: Final[dict[str, Kind]] = {
    "respondent": "respondent", "started": "datetime", "submitted": "datetime",
    "language": "language", "personal": "contact",
}  # fmt: skip


KOBO_MARKS: Final = frozenset({"", "0", "1", "0.0", "1.0", "true", "false"})
DECIMAL_COMMA: Final = r"[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})"  # 1,000 may be a thousand


def _by_labels(found: Guess, cells: pd.Series, labels: Sequence[str]) -> Guess:
    """Return a choice between a variable's value labels, where these are what most answers are.

    What has no label is an answer in own words; a number of which few values have one stays one.
    """
    answered = cells[cells != ""]
    labelled = answered.isin(labels).sum()
    given = Counter(answered)
    # as SPSS's AUTORECODE and Stata's encode make them of whatever was typed
    made = len(labels) > 1 and sorted(labels) == list(labels) and set(labels) <= set(given)
    if made:
        labels = [label for label in labels if given[label] > 1]
    if made and sum(given[label] for label in labels) < len(answered) / 2:
        return replace(text_guess(given), why="labels made of what was typed")
    if len(labels) < 2 or (len(answered) and labelled < len(answered) / 2):
        return replace(found, sure=min(found.sure, 0.7), why=f"{found.why}; some have labels")
    own_words = int(labelled) < len(answered)
    why = "its values have labels" + ", and some answers have none" * own_words
    sure = 0.7 if own_words else 0.98
    return Guess("select_one", sure, why, tuple(dict.fromkeys(labels)), write_ins=own_words)


def _kept(found: Guess, header: str) -> Guess:
    """Keep of the tool's own columns that nobody asked for the times and durations only."""
    if found.kind == "datetime" or (found.kind == "integer" and COUNTED.search(header)):
        return found
    return Guess("ignored", 1, "the tool's own column")


def _spread(
    unit: list[Field], grid: Grid, layout: Layout
) -> tuple[Guess, tuple[Option, ...], dict[int, str]]:
    """Draft a select-all question of which each option has a column."""
    options, kinds, names, seen = [], {}, set[str](), Counter[str]()
    for one in unit:
        cells = grid.column(one.place, layout.header_rows)
        if _is_other(one) and not _holds_marks(one, cells):
            kinds[one.place] = "other"
            continue
        kinds[one.place] = "tick"
        label = tool_words(one.block, one.parts, cells) or one.parts[-1]
        seen[fold_label(label)] += 1
        label += f" ({seen[fold_label(label)]})" * (seen[fold_label(label)] > 1)
        parts = [part for part in one.parts if fold_label(part) not in seen]
        options.append(_option(label, names, parts))
    if "other" in kinds.values() and not any(option.role == "other" for option in options):
        options.append(_option("Other", names, [], "other"))
    found = Guess("select_multiple", 0.95, f"{len(options)} columns with one mark each")
    return found, tuple(options), kinds


def _holds_marks(one: Field, cells: pd.Series) -> bool:
    said = {fold_label(cell) for cell in cells.unique()} - {""} - NOT_SHOWN - MARKS
    said -= set(map(fold_label, one.parts))
    return bool((cells != "").any()) and all(map(names_other, said))


def _from_split(
    unit: list[Field], header: str, label: str, name: str, grid: Grid, layout: Layout
) -> Item:
    """Draft a select-all question that stands joined and an option a column as well."""
    found, options, kinds = _spread(unit[1:], grid, layout)
    return Item(
        name, header, label, found, options, columns={unit[0].place: "select_multiple"} | kinds
    )


def role_of(label: str, found: Guess) -> str | None:
    """Return what a question is for, by its label and what it holds; None for most."""
    if found.kind in ("country", "contact", "respondent"):
        return found.kind
    if found.kind == "select_one" and CONSENT.search(label):
        return "consent"
    if found.kind == "select_one" and STAKEHOLDER.search(label):
        return "stakeholder_type"
    return "weight" if found.kind == "decimal" and re.search(r"\bweight\b", label, re.I) else None


def _name_of(unit: list[Field], taken: set[str]) -> str:
    """Return the code by which the export heads a question, else Q and the column's number."""
    codes = (*unit[0].block, *unit[0].names) if len(unit) > 1 else unit[0].names
    if len(unit) == 1 and unit[0].parts:  # a row of a matrix: Q4_SQ001
        codes = (f"{unit[0].block[0]}_{unit[0].parts[0]}",)
    name = next((one for one in codes if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,29}", one)), None)
    if name is None or name in taken:
        name = f"Q{unit[0].place + 1}"
    return free_name(name, taken)


def free_name(name: str, taken: set[str]) -> str:
    """Return a name that a question may have beside those taken, which are not changed."""
    is_reserved = name in RESERVED or name.endswith(("_state", "_other"))
    return unused(f"{name}_given" if is_reserved else name, set(taken))


def _options(found: Guess, has_other: bool) -> tuple[Option, ...]:
    if found.kind not in ("select_one", "select_multiple"):
        return ()
    names = set[str]()
    distinct = {
        fold_label(text): text for text in reversed(found.options)
    }  # the commonest spelling
    options = [_option(text, names) for text in reversed(distinct.values())]
    others = [option for option in options if option.role == "other"]
    if (found.write_ins or has_other) and not others:
        options.append(_option("Other", names, (), "other"))
    return tuple(options)


def _with_other(item: Item) -> Item:
    if any(option.role == "other" for option in item.options):
        return item
    return replace(item, options=(*item.options, Option("other", "Other", (), "other")))


def _option(
    text: str, names: set[str], also: Iterable[str] = (), role: str | None = None
) -> Option:
    if role is None and is_other(text):
        role = "other"
    elif role is None and NONE.search(text):
        role = "none"
    elif role is None and NO_OPINION.search(text):
        role = "no_opinion"
    role = None if role == "other" and "other" in names else role
    name = role if role == "other" else slug(text)
    return Option(unused(name, names), text, tuple(also), role)


def unused(name: str, taken: set[str]) -> str:
    """Return a name that is not taken yet, the same with a number where it is, and take it."""
    while name in taken:
        stem, _, number = name.rpartition("_")
        name = f"{stem}_{int(number) + 1}" if stem and number.isdigit() else f"{name}_2"
    taken.add(name)
    return name


def slug(text: str) -> str:
    """Return a short name for an option: its first words, in plain letters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    words = re.findall(r"[a-z0-9]+", plain)
    name = words[0] if words else "option"
    for word in words[1:]:
        if len(name) + len(word) > 30:
            break
        name += f"_{word}"
    return as_name(name[:40])


def as_name(text: str) -> str:
    """Return a text as a name that a questionnaire may have: plain letters, digits and _."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"\W", "_", plain) or "n"
    return name if name[0].isalpha() else f"n{name}"
