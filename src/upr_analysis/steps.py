"""The five steps: what each reads and may write, and all that its results depend on.

Imports little, since a run in which nothing changed needs no more than this module.
"""

import ast
import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from upr_analysis import __version__
from upr_analysis.documents import notebook_cells, parse_python
from upr_analysis.parameters import Parameters, cell_defaults, export_files
from upr_analysis.problems import InputError

STEPS: Final = ("01_ingest", "02_clean", "03_thematic_coding", "04_cross_tabs", "05_figures")
# The consultation's files that each step reads beside its tables.
READS: Final = {
    "01_ingest": frozenset({"questionnaire.yml", "invented.sha256"}),
    "02_clean": frozenset({"questionnaire.yml", "places.yml", "back_coding.csv"}),
    "03_thematic_coding": frozenset(
        {
            "questionnaire.yml",
            "codebook.yml",
            "codings.csv",
            "codebook_versions.json",
            "suggestions.json",
        }
    ),
    "04_cross_tabs": frozenset({"questionnaire.yml", "codebook.yml", "report.yml", "margins.yml"}),
    "05_figures": frozenset({"questionnaire.yml", "codebook.yml"}),
}
SOURCE: Final = "01_ingest/private/source.json"  # whether the answers are real or invented
ESTIMATES: Final = "tables/estimates.csv"
# What each step reads of the steps before it; nothing else is within its reach.
INPUTS: Final[dict[str, tuple[str, ...]]] = {
    "01_ingest": (),
    "02_clean": (
        SOURCE,
        "01_ingest/private/typed_respondents.parquet",
        "01_ingest/private/typed_open_responses.parquet",
        "01_ingest/private/free_texts.parquet",
        "01_ingest/private/changes.parquet",
    ),
    "03_thematic_coding": (
        SOURCE,
        "01_ingest/private/imported_codes.parquet",
        "02_clean/private/open_responses.parquet",
    ),
    "04_cross_tabs": (
        SOURCE,
        "02_clean/private/respondents.parquet",
        "02_clean/private/memberships.parquet",
        "02_clean/private/open_responses.parquet",
        "03_thematic_coding/private/codings.parquet",
    ),
    "05_figures": (SOURCE, f"04_cross_tabs/public/{ESTIMATES}"),
}
# What a step writes beside its tables (workspace.TABLES): pattern -> whether one has to be there.
WRITES: Final[dict[str, dict[str, bool]]] = {
    "01_ingest": {"private/source.json": True, "private/export.json": True},
    "04_cross_tabs": {f"public/{ESTIMATES}": True, "public/tables/04_*.csv": False},
    "05_figures": {
        "private/pictures.json": True,
        "public/figures/05_*.svg": False,
        "public/figures/05_*.png": False,
    },
}
BY_HAND: Final = "outputs/runs/by-hand/private"
TICKET: Final = "ticket.json"  # what the runner leaves in a step's folder to say that it runs it
PACKAGE: Final = Path(__file__).parent
OUTSIDE_STEPS: Final = frozenset({"steps"})  # imported by steps, no part in their results
SHOWN_IN_STEPS: Final = ("table.html.j2", "parts.html.j2")  # templates that notebooks use
SCIENCE: Final = (
    "numpy", "pandas", "pyarrow", "scipy", "matplotlib", "kiwisolver", "pillow", "seaborn",
    "rapidfuzz", "babel", "pydantic", "ruamel.yaml", "jinja2", "markupsafe", "python-calamine",
    "pyreadstat",
)  # fmt: skip
RUNNERS: Final = ("papermill", "nbconvert", "ipykernel", "nh3", "rocrate")


def notebooks(root: Path) -> dict[str, Path]:
    """Return each step's notebook; InputError names one that is not there."""
    paths = {step: root / "notebooks" / f"{step}.ipynb" for step in STEPS}
    missing = [str(path.relative_to(root)) for path in paths.values() if not path.is_file()]
    if missing:
        raise InputError([f"{path} is not there: restore it." for path in missing])
    return paths


def own_values(notebook: Path, parameters: Parameters) -> dict[str, Any]:
    """Return the parameters that a notebook declares, with the run's values."""
    values = parameters.model_dump(mode="json")
    return {name: values[name] for name in cell_defaults(notebook) if name in values}


def dependencies(
    step: str, notebook: Path, parameters: Parameters, root: Path, inputs: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return all that a step's results depend on, by kind; `inputs` are digests of its INPUTS.

    Its own parameters and code cells (not prose), what earlier steps wrote (not how), the files of
    the consultation that it reads, the syntax trees of the modules that it imports, versions.
    """
    folder = root / "data" / parameters.consultation
    files = {name: folder / name for name in sorted(READS[step])}
    code = [cell["source"] for cell in notebook_cells(notebook) if cell["cell_type"] == "code"]
    found = {
        "parameters": own_values(notebook, parameters),
        "cells": {str(place): _digest(source) for place, source in enumerate(code, 1)},
        "inputs": dict(inputs),
        "consultation": {name: file_digest(path) for name, path in files.items() if path.exists()},
        "modules": modules_of(*code) | _data_files(),
        "versions": versions(SCIENCE),
    }
    if step == STEPS[0]:
        exports = export_files(parameters, root)
        found["export"] = {str(place): file_digest(path) for place, path in enumerate(exports, 1)}
    return found


def key_of(step: str, depends: Mapping[str, Any]) -> str:
    """Return the name of a step's results in the store: a hash of all that they depend on."""
    return _digest(json.dumps({"step": step, **depends}, sort_keys=True))[:32]


def fingerprint(parameters: Parameters, root: Path) -> str:
    """Return one hash over whatever a run and its appendix may depend on, byte by byte.

    Cheaper and stricter than the keys of its steps: where it is the same, nothing has changed.
    """
    consultation = root / "data" / parameters.consultation
    if not consultation.is_dir():
        raise InputError(f"data/{parameters.consultation} is not there: correct 'consultation'.")
    packaged = (path for path in PACKAGE.rglob("*") if path.suffix != ".pyc")
    files = [*notebooks(root).values(), *consultation.iterdir(), *packaged]
    digests = [file_digest(path) for path in export_files(parameters, root)]
    digests += [f"{path.name} {file_digest(path)}" for path in sorted(files) if path.is_file()]
    return _digest(json.dumps([parameters.model_dump(mode="json"), digests, versions()]))


def imports(root: Path) -> list[str]:
    """Return the modules that notebooks import, this package's by way of others too."""
    cells = [cell for path in notebooks(root).values() for cell in notebook_cells(path)]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    named = re.findall(r"^\s*(?:from|import) (\w[\w.]*)", "\n".join(code), re.MULTILINE)
    return sorted({*named, *(f"upr_analysis.{name}" for name in modules_of(*code))})


def versions(names: Iterable[str] = (*SCIENCE, *RUNNERS)) -> dict[str, str]:
    """Return the versions of Python, of this package and of others."""
    found = {"python": platform.python_version(), "upr_analysis": __version__}
    return found | {name: version(name) for name in names}


def modules_of(*sources: str) -> dict[str, str]:
    """Return the package's modules that cells of code import, and that these import, with a hash.

    The hash is of the syntax tree: a comment or a line break changes no result.
    """
    found: dict[str, str] = {}
    waiting = set().union(*map(_imported, sources))
    while waiting:
        name = waiting.pop()
        path = PACKAGE / f"{name}.py"
        if name not in found and path.exists():
            found[name], imported = _module(path, path.stat().st_mtime_ns)
            waiting |= imported
    return dict(sorted(found.items()))


@cache
def _module(path: Path, _changed: int) -> tuple[str, set[str]]:
    text = path.read_text(encoding="utf-8")
    return _digest(ast.dump(parse_python(text))), _imported(text)


def _imported(source: str) -> set[str]:
    names: set[str] = set()
    try:
        nodes = list(ast.walk(parse_python(source)))
    except SyntaxError:  # what IPython alone understands, or nobody
        listed = re.findall(r"^\s*(?:from|import)\s+(upr_analysis[\w. ,]*)", source, re.MULTILINE)
        listed += re.findall(r"^\s*from upr_analysis import ([\w, ]+)", source, re.MULTILINE)
        words = {word for one in listed for word in re.findall(r"\w+", one)}
        return words - OUTSIDE_STEPS
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "upr_analysis":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(_module_name(node.module or ""))
        elif isinstance(node, ast.Import):
            names |= {_module_name(alias.name) for alias in node.names}
    return names - OUTSIDE_STEPS - {""}


def _module_name(dotted: str) -> str:
    package, _, module = dotted.partition(".")
    return module if package == "upr_analysis" else ""


def _data_files() -> dict[str, str]:
    files = [path for path in PACKAGE.iterdir() if path.suffix in (".yml", ".csv")]
    files += [path for path in PACKAGE.rglob("*.j2") if path.name in SHOWN_IN_STEPS]
    return {path.name: file_digest(path) for path in sorted(files)}


def digest_of(files: Iterable[Path]) -> str:
    """Return one SHA-256 over the bytes of files, one after the other."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
