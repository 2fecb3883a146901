"""An XLSForm read as what it is: questions, options and routing of a KoboToolbox or ODK form."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from upr_analysis.drafting import (
    NO_OPINION,
    NONE,
    Item,
    Option,
    as_name,
    free_name,
    unused,
)
from upr_analysis.grids import read_grid
from upr_analysis.guessing import Guess, Kind, asks_for_contact
from upr_analysis.marks import fold_label
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import routing

# https://xlsform.org/en/#question-types; what is not listed asks nobody anything.
TYPES: Final[dict[str, Kind]] = {
    "text": "text", "integer": "integer", "range": "integer", "decimal": "decimal",
    "date": "datetime", "datetime": "datetime", "time": "text",
    "start": "datetime", "end": "datetime", "today": "ignored",
    "username": "contact", "email": "contact", "phonenumber": "contact",
    "geopoint": "contact", "geotrace": "contact", "geoshape": "contact",
}  # fmt: skip
# `select_one LIST or_other`, as old forms have it "select all that apply from LIST"
SELECT: Final = re.compile(
    r"(?P<kind>select[_ ]one|select[_ ]multiple|select all that apply)(?P<file>_from_file)?"
    r"(?:_external)?(?: from)?(?: (?P<list>\S+))?(?P<other> or[_ ](?:specify[_ ])?other)?"
)
BEGINS: Final = re.compile(r"begin[_ ](?:group|repeat)")
ENDS: Final = re.compile(r"end[_ ](?:group|repeat)")
Rows = list[dict[str, str]]


def read_xlsform(path: Path, language: str) -> list[Item]:
    """Return a form's questions with their options, in order; InputError for what is no form.

    Labels are those in `language`, else the form's first. A name that a questionnaire may not have
    is changed. A question whose options stand in another file has none.
    """
    survey = _sheet(path, "survey")
    selects = any(row.get("type", "").startswith("select") for row in survey)
    choices = _sheet(path, "choices") if selects else []
    lists: dict[str, dict[str, str]] = {}
    for row in choices:
        name = row.get("list_name") or row.get("list name") or ""
        if name and row.get("name"):
            text = _label(row, language) or row["name"]
            lists.setdefault(name, {}).setdefault(row["name"], text)
    options = {name: _options(texts) for name, texts in lists.items()}
    return _routed(list(_questions(survey, options, language)))


def _options(texts: dict[str, str]) -> tuple[Option, ...]:
    """Return a list's options; a label that two have is told apart by their names."""
    names, times = set[str](), Counter(map(fold_label, texts.values()))
    # "1" called 5 and "5" called 1: which of them an export holds cannot be told
    crossed = any(
        fold_label(name) in times and fold_label(name) != fold_label(text)
        for name, text in texts.items()
    )
    options = []
    for name, text in texts.items():
        role = "other" if name == "other" else None
        role = role or ("none" if NONE.search(text) else None)
        role = role or ("no_opinion" if NO_OPINION.search(text) else None)
        told = times[fold_label(text)] == 1 and not crossed
        label = text if told else f"{text} ({name})"
        plain = unused(as_name(name), names)
        also = () if plain == name else (name,)
        options.append(Option(plain, label, also, role))
    return tuple(options)


def _questions(
    survey: Rows, lists: dict[str, tuple[Option, ...]], language: str
) -> Iterator[tuple[str, Item]]:
    """Yield each question under the name that the form has for it."""
    groups: list[str] = []
    taken = set[str]()
    names = {row.get("name", "") for row in survey}
    for row in survey:
        kind, name = " ".join(row.get("type", "").split()), row.get("name", "")
        select = SELECT.fullmatch(kind)
        if BEGINS.match(kind):
            groups.append(name)
        elif ENDS.match(kind):
            groups = groups[:-1]
        is_words = name.endswith("_other") and name.removesuffix("_other") in names
        if not name or is_words or not (select or kind in TYPES):
            continue
        label = _label(row, language) or name
        options: tuple[Option, ...] = ()
        if select:
            one = "one" in select["kind"]
            found = Guess("select_one" if one else "select_multiple", 1, "the form says so")
            options = () if select["file"] else lists.get(select["list"] or "", ())
            if select["other"] and not any(option.role == "other" for option in options):
                free = unused("other", {option.name for option in options})
                options = (*options, Option(free, "Other", (), "other"))
        else:
            found = Guess(TYPES[kind], 1, "the form says so")
            if kind in ("text", "integer") and (asks_for_contact(name) or asks_for_contact(label)):
                found = Guess("contact", 0.9, "asks for personal data")
        role = {"start": "started", "end": "submitted"}.get(kind)
        plain = free_name(as_name(name), taken)
        taken.add(plain)
        yield (
            name,
            Item(
                plain,
                "/".join([*groups, name]),
                label,
                found,
                options,
                role="contact" if found.kind == "contact" else role,
                relevant=row.get("relevant") or None,
            ),
        )


def _routed(items: list[tuple[str, Item]]) -> list[Item]:
    """Say routing in the names that questions and options have now."""
    routed, known = [], dict(items)
    for _, item in items:
        needs = routing(item.relevant) if item.relevant else None
        asked = known.get(needs[0]) if needs else None
        option = (
            next((o.name for o in asked.options if needs[1] in (o.name, *o.also)), None)
            if asked and needs
            else None
        )
        relevant = f"${{{asked.name}}} = '{option}'" if asked and option else item.relevant
        routed.append(replace(item, relevant=relevant))
    return routed


def _label(row: dict[str, str], language: str) -> str:
    """Return a row's label: `label::French (fr)`, `label::fr` or `label`."""
    own = [
        text
        for column, text in row.items()
        if re.fullmatch(rf"label::?.*\({language}\)|label::?{language}", column.strip())
    ]
    any_language = [text for column, text in row.items() if column.startswith("label") and text]
    return next(iter([*own, *any_language]), "")


def _sheet(path: Path, name: str) -> Rows:
    grid, _ = read_grid(path, sheet=name)
    header = [cell.strip().casefold() for cell in grid.row(0)]
    if "name" not in header:
        raise InputError(f"{path.name} is no XLSForm: its sheet {name!r} has no column 'name'.")
    return [dict(zip(header, grid.row(place), strict=True)) for place in range(1, len(grid))]
