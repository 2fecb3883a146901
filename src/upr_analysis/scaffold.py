"""A new consultation's folder, drafted from an export: everything that a run needs, to be reviewed.

Of what anybody answered nothing is written but the options of closed questions that several gave;
the export itself is copied, for its owner only.
"""

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.drafting import (
    Draft,
    Item,
    Option,
    draft,
    free_name,
    header_holds_answers,
    role_of,
)
from upr_analysis.exports import read_export
from upr_analysis.grids import Grid, guess_encoding, read_grid
from upr_analysis.layouts import Layout, lay_out
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Questionnaire, routing
from upr_analysis.responses import type_responses
from upr_analysis.steps import file_digest
from upr_analysis.xlsform import read_xlsform

SURE: Final = 0.8  # below it an entry is marked for review
WRITTEN: Final = ("respondent", "language", "country", "contact")  # of type text, with a role
UN_GROUPS: Final = {
    "african": {"en": "Africa", "fr": "Afrique", "es": "África"},
    "asia_pacific": {
        "en": "Asia and the Pacific", "fr": "Asie et Pacifique", "es": "Asia y el Pacífico",
    },
    "eastern_european": {
        "en": "Eastern Europe", "fr": "Europe orientale", "es": "Europa Oriental",
    },
    "grulac": {
        "en": "Latin America and the Caribbean", "fr": "Amérique latine et Caraïbes",
        "es": "América Latina y el Caribe",
    },
    "weog": {
        "en": "Western Europe and others", "fr": "Europe occidentale et autres",
        "es": "Europa Occidental y otros",
    },
}  # fmt: skip


def as_yaml(
    drafted: Draft, layout: Layout, grid: Grid, encoding: str | None, title: str, language: str
) -> str:
    """Return a draft as a questionnaire.yml."""
    lists: dict[tuple[Option, ...], str] = {}
    lines = [
        f"# Drafted from {_text(grid.file)}, read as {layout.tool}. Look first at what is marked",
        "# REVIEW; each comment says why. Add options that nobody chose. Labels may be changed: a",
        "# question is found by its `column`, an option by its label or what stands under `also`.",
        f"title: {{{language}: {_text(title)}}}",
        f"about: {{{language}: {_text('Who was asked what, when and by whom: to be written.')}}}",
        f"format: {layout.tool}",
    ]
    if encoding:
        lines.append(f"encoding: {encoding}  # REVIEW: guessed; look at accents")
    if drafted.decimal_comma:
        lines.append("decimal_comma: true")
    if drafted.no_answer:
        lines.append(
            f"no_answer: [{', '.join(map(_text, drafted.no_answer))}]  # missing, says the file"
        )
    if drafted.not_asked:
        lines.append(
            f"not_asked: [{', '.join(map(_text, drafted.not_asked))}]  # REVIEW: or no_answer"
        )
    languages = ", ".join(dict.fromkeys((language, *drafted.languages)))
    lines += [f"export_language: {language}", f"languages: [{languages}]"]
    if drafted.ignored:
        lines += ["ignored:", *(f"  - {_text(header)}" for header in drafted.ignored)]
    lines.append("survey:")
    asked: dict[str, set[str]] = {}  # options of the questions before
    for item in drafted.items:
        lines += _entry(item, layout, language, lists, asked)
        asked[item.name] = {option.name for option in item.options}
    if lists:
        lines.append("choices:")
        for options, name in lists.items():
            lines.append(f"  {name}:")
            lines += [f"    - {_choice(option, language)}" for option in options]
    lines += _groupings(drafted.items, language)
    closed = [item for item in drafted.items if item.options and item.role != "stakeholder_type"]
    if closed:
        lines += [
            "key_questions:  # REVIEW: answered on the first page",
            *(
                f"  - {{question: {{{language}: {_text(item.label)}}}, tables: [{item.name}]}}"
                for item in closed[:2]
            ),
        ]
    return "\n".join(lines) + "\n"


def _entry(
    item: Item,
    layout: Layout,
    language: str,
    lists: dict[tuple[Option, ...], str],
    asked: Mapping[str, Set[str]],
) -> list[str]:
    kind: str = "text" if item.guess.kind in WRITTEN else item.guess.kind
    if item.options:
        kind += f" {lists.setdefault(item.options, _list_name(item, lists))}"
    review = "REVIEW: " if item.guess.sure < SURE else ""
    lines = [
        f"  # {review}{item.guess.kind}, {item.guess.sure:.0%} sure: {item.guess.why}",
        f"  - name: {item.name}",
        f"    type: {kind}",
        f"    label: {{{language}: {_text(item.label or item.name)}}}",
    ]
    lines.append(f"    column: {_text(item.header)}")
    if item.occurrence > 1:
        lines.append(f"    occurrence: {item.occurrence}")
    if item.role:
        lines.append(f"    role: {item.role}")
    if item.guess.separator and item.guess.separator != layout.separator:
        lines.append(f"    separator: {_text(item.guess.separator)}")
    if item.guess.date_format:
        lines.append(f"    date_format: {_text(item.guess.date_format)}")
    if item.optional:
        lines.append("    optional_column: true")
    if item.relevant:
        lines.append(_routing(item.relevant, asked))
    return lines


def _routing(relevant: str, asked: Mapping[str, Set[str]]) -> str:
    """Return a form's routing, as a comment where a questionnaire cannot say it."""
    needs = routing(relevant)
    if needs is None or needs[1] not in asked.get(needs[0], ()):
        return f"    # REVIEW: asked where {' '.join(relevant.split())}, which is not understood"
    return f"    relevant: {_text(relevant)}"


def _list_name(item: Item, lists: dict[tuple[Option, ...], str]) -> str:
    names = {option.name for option in item.options}
    if names == {"yes", "no"} and "yes_no" not in lists.values():
        return "yes_no"
    return f"{item.name}_options"


def _choice(option: Option, language: str) -> str:
    parts = [f"name: {_text(option.name)}", f"label: {{{language}: {_text(option.label)}}}"]
    if option.also:
        parts.append(f"also: [{', '.join(map(_text, option.also))}]")
    if option.role:
        parts.append(f"role: {option.role}")
    return f"{{{', '.join(parts)}}}"


def _groupings(items: Sequence[Item], language: str) -> list[str]:
    lines = []
    for item in items:
        if item.role == "stakeholder_type":
            lines += [
                "  - name: stakeholder",
                f"    label: {{{language}: {_text(item.label)}}}",
                f"    by: {item.name}",
                "    groups:",
                *(
                    f"      - {{name: {_text(one.name)}, label: {{{language}: "
                    f"{_text(one.label)}}}, of: [{_text(one.name)}]}}"
                    for one in item.options
                ),
            ]
            break
    country = next((item for item in items if item.role == "country"), None)
    if country:
        lines += [
            "  - name: region",
            f"    label: {{{language}: {_text(country.label)}}}",
            f"    by: {country.name}",
            "    scheme: un_group",
            "    groups:",
            *(
                f"      - {{name: {name}, label: {{{language}: "
                f"{_text(labels.get(language, labels['en']))}}}, of: [{name}]}}"
                for name, labels in UN_GROUPS.items()
            ),
        ]
    return (
        ["groupings:  # REVIEW: few, and fixed before you look at answers", *lines] if lines else []
    )


def _text(text: str) -> str:
    """Return a text as YAML 1.2 holds it: a JSON string is one, what breaks a line escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(
        r"[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]",
        lambda match: f"\\u{ord(match[0]):04x}",
        quoted,
    )


@dataclass(frozen=True)
class Founded:
    """What was drafted: the folder, the parameters, the questions, and what does not fit yet."""

    folder: Path
    params: Path
    questions: tuple[Item, ...]
    columns: int
    dropped: int  # the tool's columns of personal data
    problems: tuple[str, ...]
    notes: tuple[str, ...]  # what of the export is not read


def found_consultation(
    export: Path,
    folder: Path,
    root: Path,
    form: Path | None = None,
    language: str = "en",
    encoding: str | None = None,
) -> Founded:
    """Draft a consultation's folder and its parameters from an export, and an XLSForm if given.

    InputError, and nothing written, where the export cannot be read or the folder is in use.
    """
    _refuse_used(folder, root)
    grid, digest, encoding = _read(export, encoding)
    layout = lay_out(grid)
    if len(grid) <= layout.header_rows:
        raise InputError(f"{export.name} holds a header and no answers: export them again.")
    if header_holds_answers(grid, layout):
        raise InputError(
            f"{export.name}: the first row looks like somebody's answers. Export it with its "
            "header; nothing was written."
        )
    drafted = draft(grid, layout)
    if form is not None:
        drafted = replace(drafted, items=_by_form(drafted, read_xlsform(form, language), layout))
    text = as_yaml(drafted, layout, grid, encoding, folder.name, language)
    questionnaire = as_model(parse_yaml(text, "the draft"), Questionnaire, "the draft")
    kept = folder / f"export{export.suffix.lower() or '.csv'}"
    params = root / "params" / f"{folder.name}.yml"
    if os.path.lexists(kept) and not (kept.is_file() and file_digest(kept) == digest):
        raise InputError(f"{kept} is there already and is another file; nothing was written.")
    folder.mkdir(exist_ok=True)
    if not os.path.lexists(kept):
        _put(kept, export.read_bytes(), mode=0o600)
    for path, content in {
        folder / "codebook.yml": CODEBOOK.format(language=language),
        folder / "README.md": README.format(name=folder.name, export=kept.name),
        params: _parameters(folder.name, kept, questionnaire),
        # last: while it is not there, this can be begun again
        folder / "questionnaire.yml": text,
    }.items():
        if not os.path.lexists(path):
            _put(path, content.encode())
    dropped = sum(one.own == "personal" for one in layout.fields)
    notes, problems = _tried(kept, questionnaire)
    return Founded(folder, params, drafted.items, grid.width, dropped, problems, notes)


def _put(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a new file whole or not at all, never into what a link of that name leads to."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        unfinished.chmod(mode)
        unfinished.replace(path)
    except BaseException:  # no copy of answers is left under another name
        unfinished.unlink(missing_ok=True)
        raise


def _refuse_used(folder: Path, root: Path) -> None:
    if folder.resolve().parent != (root / "data").resolve():
        raise InputError(f"{folder} is no folder of data/: say data/{folder.name}.")
    if not re.fullmatch(r"[a-z0-9-]+", folder.name):
        raise InputError(f"{folder.name!r} is no name: use small letters, digits and hyphens.")
    if (folder / "questionnaire.yml").exists():
        raise InputError(f"{folder}/questionnaire.yml is there already; nothing was written.")


def _read(export: Path, encoding: str | None) -> tuple[Grid, str, str | None]:
    """Read an export; returns it, its digest and an encoding that had to be guessed."""
    if not export.is_file():
        raise InputError(f"{export} is not there: check the path and its spelling.")
    try:
        return *read_grid(export, encoding), encoding
    except InputError as error:
        guessed = None if encoding else guess_encoding(export.read_bytes())
        if guessed is None or " is not utf-8 " not in str(error):
            raise
        return *read_grid(export, guessed), guessed


def _by_form(drafted: Draft, asked: Sequence[Item], layout: Layout) -> tuple[Item, ...]:
    """Return the form's questions under the export's headers, then the columns it does not name."""
    found, used, named = list[Item](), set[int](), Counter(_leaf(one.header) for one in asked)
    for question in asked:
        leaf = _leaf(question.header)
        known = {question.header, *([leaf] if named[leaf] == 1 else [])}
        columns = next(
            (
                item
                for item in drafted.items
                for place in item.columns
                if id(item) not in used
                and known & {*layout.fields[place].names, *layout.fields[place].block}
            ),
            None,
        )
        if columns is None:
            found.append(_as_drafted(replace(question, optional=True), None))
        else:
            used.add(id(columns))
            found.append(_as_drafted(question, columns))
    taken = {question.name for question in found}
    left = []
    for item in drafted.items:
        if id(item) not in used:
            left.append(replace(item, name=free_name(item.name, taken)))
            taken.add(left[-1].name)
    return (*left, *found)


def _leaf(path: str) -> str:
    return path.rpartition("/")[2]


def _as_drafted(question: Item, drafted: Item | None) -> Item:
    """Return a form's question with what only its answers tell: columns, options, roles."""
    if question.guess.kind.startswith("select_") and not question.options:
        options, why = drafted.options if drafted else (), "the form's options are in another file"
        kind = question.guess.kind if options else "text"
        found = replace(question.guess, kind=kind, sure=0.5, why=why)
        question = replace(question, guess=found, options=options)
    question = replace(question, role=question.role or role_of(question.label, question.guess))
    if drafted is None:
        return question
    question = replace(
        question, header=drafted.header, occurrence=drafted.occurrence, columns=drafted.columns
    )
    if question.guess.kind == "text" and drafted.guess.kind in WRITTEN:
        return replace(question, guess=drafted.guess, role=drafted.role)
    return question


def _tried(export: Path, questionnaire: Questionnaire) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is not read of an export, and what does not fit its draft."""
    notes: tuple[str, ...] = ()
    try:
        read = read_export([export], questionnaire)
        notes = read.notes
        type_responses(read, questionnaire, seed=0)
    except InputError as error:
        return notes, tuple(error.problems)
    return notes, ()


def _parameters(name: str, export: Path, questionnaire: Questionnaire) -> str:
    groupings = ", ".join(grouping.name for grouping in questionnaire.groupings)
    lines = [f"consultation: {name}", f'date: "{date.today().isoformat()}"  # of publication']
    if export.name != "export.csv":
        lines.append(f"export: data/{name}/{export.name}")
    lines += [
        f"language: {questionnaire.export_language}",
        f"group_by: [{groupings}]  # few, and fixed before you look at answers",
        "minimum_answers: 1  # fewest questions answered for a response to be kept",
    ]
    return "\n".join(lines) + "\n"


CODEBOOK: Final = """\
# The themes that open answers raise. Until one is declared, nothing of the open answers is shown.
# docs/adding-a-consultation.md has an example; read answers first, in outputs/.../private.
title: {{{language}: "To be written"}}
themes: []
"""
README: Final = """\
# {name}

What was asked, when, of whom and by whom: to be written.

`{export}` is the survey tool's file. It holds what people answered: git ignores it, keep it so.
"""
