"""How a run is set: every parameter, its meaning, its default and its bounds, written once.

The meaning shows in the notebooks' parameter cells, the JSON Schema, the command's help and the
appendix; tests hold them to this module.
"""

import ast
import datetime
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from upr_analysis.documents import (
    Strict,
    as_model,
    notebook_cells,
    parse_python,
    parse_yaml,
    read_yaml,
)
from upr_analysis.problems import InputError, did_you_mean

RUN_NAME = r"^[a-z0-9]+(-+[a-z0-9]+)*$"
WORK: Final = "work"  # the one name in a parameter cell that is the runner's, not the user's
REQUIRED: Final = ("consultation", "date")  # what a params file must say itself
RUN_ONLY: Final = ("name", "date", "reason")  # set the run, not a step


class Parameters(Strict):
    """The parameters of a run, flat and frozen."""

    name: Annotated[str, Field(pattern=RUN_NAME)] = Field(
        "upr-2021", description="name of the run and of its folder"
    )
    consultation: Annotated[str, Field(pattern=RUN_NAME)] = Field(
        "upr-2021", description="folder of data/ that holds the consultation"
    )
    export: str = Field("", description="the survey tool's file; empty: export.csv of that folder")
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] = Field(
        "2021-11-30", description="date of publication, as the metadata give it"
    )
    reason: str = Field("", description="why this run was made, kept with it")
    seed: Annotated[int, Field(ge=0)] = Field(
        2021, description="start of every random draw: pseudonyms, permutations"
    )
    language: Literal["en", "fr", "es"] = Field(
        "en", description="language of tables, figures and pages: en, fr or es"
    )
    minimum_answers: Annotated[int, Field(ge=0)] = Field(
        5, description="fewest questions answered for a response to be kept"
    )
    minimum_seconds: Annotated[int, Field(ge=0)] = Field(
        0, description="fewest seconds from begun to sent for a response to be kept; 0: any"
    )
    deduplicate: bool = Field(
        True, description="whether exact and near duplicates are removed, the first kept"
    )
    near_duplicate: Annotated[int, Field(ge=80, le=100)] = Field(
        95, description="percent of similarity that makes open answers near duplicates"
    )
    group_by: tuple[str, ...] = Field(
        ("region", "stakeholder"), description="groupings, or closed questions, to cross by"
    )
    base: Literal["answered", "asked", "eligible"] = Field(
        "answered",
        description="who is in a base: answered, asked, or eligible (gave an opinion)",
    )
    where: tuple[str, ...] = Field(
        (), description="who is counted at all, as [region=africa, Q4=yes]; empty: everyone"
    )
    of_responses: bool = Field(
        False, description="whether select-all tables also give shares of all options chosen"
    )
    weights: Literal["none", "given", "raked"] = Field(
        "none", description="none, given by the export, or raked (begun with these) to margins.yml"
    )
    trim: Annotated[float, Field(ge=0)] = Field(
        0.0, description="heaviest weight, in mean weights, to which others are cut; 0: any"
    )
    sample: Literal["self_selected", "census", "probability"] = Field(
        "self_selected", description="how respondents came in; decides what may be said of others"
    )
    minimum_cell: Annotated[int, Field(ge=0)] = Field(
        5, description="fewest respondents in a published cell; 0 only for public records"
    )
    minimum_base: Annotated[int, Field(ge=0)] = Field(
        15, description="fewest respondents in a group whose shares are published"
    )
    min_width: Annotated[int, Field(ge=0)] = Field(
        3, description="narrowest range to which a withheld cell may be bounded by anyone"
    )
    minimum_cross: Annotated[int, Field(ge=0)] = Field(
        15, description="fewest who chose an item, and who did not, for it to be crossed"
    )
    minimum_sensitive: Annotated[int, Field(ge=0)] = Field(
        10, description="fewest on either side of a sensitive item for its total to show"
    )
    quotes: Annotated[int, Field(ge=0, le=20)] = Field(
        2, description="most quotes of a code, of respondents who agreed to be quoted"
    )
    figures: tuple[str, ...] = Field(
        (), description="closed questions that are drawn, beside themes and codes; empty: all"
    )
    interval: Literal["wilson", "clopper_pearson"] = Field(
        "wilson", description="interval of a share: wilson or clopper_pearson"
    )
    statistic: Literal["pearson", "pearson_yates", "g", "fisher"] = Field(
        "pearson", description="test of one answer each by group: pearson, g, fisher, pearson_yates"
    )
    select_all: Literal["permutation", "rao_scott_1", "rao_scott_2", "bonferroni"] = Field(
        "permutation", description="p of select-all: permutation, rao_scott_1 or _2, bonferroni"
    )
    adjust: Literal["benjamini_hochberg", "holm"] = Field(
        "benjamini_hochberg", description="how p is adjusted in a family: benjamini_hochberg, holm"
    )
    resamples: Annotated[int, Field(ge=99, le=1_000_000)] = Field(
        9_999, description="permutations of a test"
    )

    @field_validator("date")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        datetime.date.fromisoformat(value)
        return value

    @field_validator("group_by")
    @classmethod
    def _is_named_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("names a grouping twice: name it once.")
        return value


def read_parameters(path: Path, assignments: tuple[str, ...] = ()) -> Parameters:
    """Read a params file and apply `name=value` assignments (values are YAML 1.2; text as it is).

    The run's name defaults to the file's stem; consultation and date have to be there. InputError
    holds every problem.
    """
    content = read_yaml(path)
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no mapping of parameters to values.")
    given, problems = _assigned(assignments)
    content = {"name": path.stem, **content, **given}
    problems += [
        f"{path} lacks {name!r} ({meaning(name)}): add it."
        for name in REQUIRED
        if name not in content
    ]
    try:
        # what is required and lacking is said above; a default lets the rest be looked at
        parameters = as_model(content, Parameters, str(path))
    except InputError as error:
        raise InputError(problems + error.problems) from error
    if problems:
        raise InputError(problems)
    return parameters


def _assigned(assignments: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
    """Return the values of `name=value` assignments, and what is wrong with others."""
    values, problems = {}, list[str]()
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            problems.append(f"--set {assignment!r} is not name=value.")
        elif name not in Parameters.model_fields:
            known = did_you_mean(name, Parameters.model_fields)
            problems.append(f"--set names {name!r}, which nothing declares{known}")
        elif isinstance(Parameters.model_fields[name].default, str):
            values[name] = value
        else:
            try:
                values[name] = parse_yaml(value, f"--set {name}")
            except InputError as error:
                problems += error.problems
    return values, problems


def meaning(name: str) -> str:
    """Return the one-line meaning of a parameter."""
    return Parameters.model_fields[name].description or ""


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a params file, for editors to complete from."""
    body = Parameters.model_json_schema()
    body["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    body["title"] = "Parameters of a run"
    return body


def project_root(start: Path) -> Path:
    """Return the nearest folder from `start` upwards that holds data/ and notebooks/."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / "data").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise InputError(
        f"No project is in or above {start}: go to the folder that holds data/ and notebooks/."
    )


def export_files(parameters: Parameters, root: Path) -> tuple[Path, ...]:
    """Return the export's files in order: one, or all that a pattern (`*.csv`) matches.

    `${UPR_SHARED}` stands for the folder of real data, `../shared` unless the environment says.
    """
    written = parameters.export or f"data/{parameters.consultation}/export.csv"
    shared = os.environ.get("UPR_SHARED", "../shared")
    pattern = Path(written.replace("${UPR_SHARED}", shared))
    if "$" in str(pattern):
        raise InputError(f"export: {written!r} names a variable; only ${{UPR_SHARED}} is known.")
    path = pattern if pattern.is_absolute() else root / pattern
    files = sorted(path.parent.glob(path.name)) if "*" in path.name else [path]
    if not files or not files[0].is_file():
        shared = f" (UPR_SHARED is {shared!r})" if "UPR_SHARED" in written else ""
        raise InputError(
            f"export: {written} is not there: check the path and its spelling{shared}."
        )
    return tuple(files)


def cell_defaults(notebook: Path) -> dict[str, Any]:
    """Return name -> default of a notebook's parameter cell, which may hold only literals."""
    return literals(_parameter_cell(notebook), notebook.name)


def literals(source: str, where: str) -> dict[str, Any]:
    """Return name -> value of code that assigns literals; InputError where it does anything else.

    Read by its syntax tree: papermill's own reading takes `x = "a=b"` and others for what they are
    not.
    """
    values: dict[str, Any] = {}
    try:
        body = parse_python(source).body
    except SyntaxError as error:
        raise InputError(f"{where}: the parameter cell is no Python: {error.msg}.") from error
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                raise InputError(
                    f"{where}: the parameter cell, line {statement.lineno}, is no assignment of a "
                    "literal to a name."
                )
        try:
            values[name] = ast.literal_eval(value)
        except ValueError as error:
            raise InputError(f"{where}: {name} is no literal.") from error
    return values


def _parameter_cell(notebook: Path) -> str:
    cells = notebook_cells(notebook)
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    if len(tagged) != 1:
        raise InputError(f"{notebook.name} has {len(tagged)} cells tagged 'parameters', not one.")
    return str(tagged[0]["source"])


def parameter_cell_problems(notebooks: Mapping[str, Path]) -> list[str]:
    """Return every name that a notebook declares and the model does not, or the reverse."""
    problems, declared = [], set(RUN_ONLY)
    for path in notebooks.values():
        names = cell_defaults(path)
        declared |= set(names)
        problems += [
            f"{path.name} declares {name!r}, which no parameter is called"
            f"{did_you_mean(name, Parameters.model_fields)}"
            for name in names
            if name not in Parameters.model_fields and name != WORK
        ]
    problems += [
        f"The parameter {name!r} is declared by no notebook{did_you_mean(name, declared)}"
        for name in Parameters.model_fields
        if name not in declared
    ]
    return problems


def parameter_cell(names: list[str], work: str) -> str:
    """Return the source of a parameter cell that declares `names` with their meaning."""
    rows = [
        (f"{name}: {_annotation(name)} = {_literal(name)}", meaning(name)) for name in names
    ] + [(f'{WORK}: str = "{work}"', "folder in which the steps leave what they make")]
    return "\n".join(f"{code}  # {comment}" for code, comment in rows)


def _annotation(name: str) -> str:
    kind = type(Parameters.model_fields[name].default)
    return "list[str]" if kind is tuple else kind.__name__


def _literal(name: str) -> str:
    default = Parameters.model_fields[name].default
    if isinstance(default, str):
        return f'"{default}"'
    if isinstance(default, tuple):
        return "[" + ", ".join(f'"{value}"' for value in default) + "]"
    return f"{default:_}" if type(default) is int and default > 9_999 else repr(default)


def unused_name(name: str, taken: set[str]) -> str:
    """Return the first of name-2, name-3, ... that is not taken."""
    stem = re.sub(r"-\d+$", "", name)
    number = 2
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
