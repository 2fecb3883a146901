"""YAML 1.2 documents of a consultation, read once and checked against a strict model.

YAML 1.2, so that `NO` is Norway and `12:30` a time of day; a repeated key is an error.
"""

import ast
import json
import threading
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from upr_analysis.problems import InputError, from_validation


class Strict(BaseModel):
    """A model that knows every name it may hold and does not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


_PARSING: Final = threading.Lock()
Model = TypeVar("Model", bound=BaseModel)
Label = Annotated[dict[str, str], Field(min_length=1)]  # language tag -> text


def read_yaml(path: Path) -> Any:
    """Read one YAML 1.2 document.

    Raises InputError naming the file and the line where it is missing, not UTF-8 or not YAML.
    """
    if not path.is_file():
        raise InputError(f"{path} is not there: check the path and its spelling.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8.") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML 1.2 text into plain dicts, lists and scalars; `where` names it in errors."""
    parser = YAML(typ="safe", pure=True)
    try:
        return parser.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}" if mark else ""
        raise InputError(f"{where}{line}: not valid YAML: {error.problem}.") from error
    except YAMLError as error:
        raise InputError(f"{where}: not valid YAML.") from error
    except ValueError as error:  # a day that no calendar has
        raise InputError(f"{where}: not valid YAML: {error}.") from error


def notebook_cells(path: Path) -> list[dict[str, Any]]:
    """Return a notebook's cells, each source as one text.

    Read as the JSON that it is: nbformat takes longer to import than a run with nothing to do.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [{"metadata": {}, **cell, "source": "".join(cell["source"])} for cell in cells]
    except json.JSONDecodeError as error:
        raise InputError(f"{path} line {error.lineno}: not valid JSON: restore it.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no notebook of format 4: open and save it again.") from error


def parse_python(source: str) -> ast.Module:
    """Parse Python, from one thread at a time: CPython 3.11 counts its depth for all together."""
    with _PARSING:
        return ast.parse(source)


def read_model(path: Path, model: type[Model]) -> Model:
    """Read a YAML document into a model; InputError holds every problem found."""
    if not path.is_file():
        raise InputError(f"{path} is not there: check the path and its spelling.")
    found: Model = _read_model(path, model, path.stat().st_mtime_ns)
    return found


@lru_cache(maxsize=64)  # a sweep reads the same few documents in each of its runs
def _read_model(path: Path, model: type[Model], _changed: int) -> Model:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no mapping of names to values.")
    return as_model(content, model, str(path))


def as_model(content: dict[str, Any], model: type[Model], where: str) -> Model:
    """Check plain content against a model; `where` names it in the InputError."""
    try:
        # by way of JSON: a strict model takes a list for a tuple and a date's text only from there
        return model.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise InputError(from_validation(where, error, model.model_fields)) from error


def label(labels: Label, language: str) -> str:
    """Return the label in `language`, else in English, else in whichever language there is."""
    return labels.get(language) or labels.get("en") or next(iter(labels.values()))
