"""An XLSForm read as what it is: questions, options and routing of a KoboToolbox or ODK form."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from upr_analysis.drafting import NO_OPINION, NONE, Item, Option
from upr_analysis.grids import read_grid
from upr_analysis.guessing import Guess, Kind
from upr_analysis.problems import InputError

# https://xlsform.org/en/#question-types; what is not listed asks nobody anything.
TYPES: Final[dict[str, Kind]] = {
    "text": "text", "integer": "integer", "range": "integer", "decimal": "decimal",
    "date": "datetime", "datetime": "datetime", "time": "datetime",
    "start": "datetime", "end": "datetime", "today": "ignored",
    "username": "contact", "email": "contact", "phonenumber": "contact",
}  # fmt: skip
Rows = list[dict[str, str]]


def read_xlsform(path: Path, language: str) -> list[Item]:
    """Return a form's questions with their options, in order; InputError for what is no form.

    Labels are those in `language`, else the form's first.
    """
    survey, choices = _sheet(path, "survey"), _sheet(path, "choices")
    lists: dict[str, list[Option]] = {}
    for row in choices:
        name = row.get("list_name") or row.get("list name") or ""
        if name and row.get("name"):
            text = _label(row, language) or row["name"]
            lists.setdefault(name, []).append(_option(row["name"], text))
    return list(_questions(survey, lists, language))


def _option(name: str, text: str) -> Option:
    role = "other" if name == "other" else None
    role = role or ("none" if NONE.search(text) else None)
    role = role or ("no_opinion" if NO_OPINION.search(text) else None)
    plain = re.sub(r"\W", "_", name)
    plain = plain if plain[:1].isalpha() else f"n{plain}"
    return Option(plain, text, () if plain == name else (name,), role)


def _questions(survey: Rows, lists: dict[str, list[Option]], language: str) -> Iterator[Item]:
    groups: list[str] = []
    names = Counter(row.get("name", "") for row in survey)
    for row in survey:
        kind, _, rest = row.get("type", "").partition(" ")
        name = row.get("name", "")
        if kind in ("begin_group", "begin_repeat") or row.get("type") in GROUPS:
            groups.append(name)
        elif kind in ("end_group", "end_repeat") or row.get("type") in ("end group", "end repeat"):
            groups = groups[:-1]
        words = name.endswith("_other") and name.removesuffix("_other") in names
        if (
            not name
            or words
            or names[name] > 1
            or (kind not in TYPES and not kind.startswith("select_"))
        ):
            continue
        options = list(lists.get(rest.split()[0], ())) if kind.startswith("select_") else []
        if "or_other" in rest and not any(one.role == "other" for one in options):
            options.append(Option("other", "Other", (), "other"))
        found = Guess(TYPES.get(kind) or ("select_one" if kind == "select_one" else
                                          "select_multiple"), 1, "the form says so")  # fmt: skip
        yield Item(
            re.sub(r"\W", "_", name),
            "/".join([*groups, name]),
            _label(row, language) or name,
            found,
            tuple(options),
            role={"start": "started", "end": "submitted"}.get(kind),
            relevant=row.get("relevant") or None,
        )


GROUPS: Final = ("begin group", "begin repeat")


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
