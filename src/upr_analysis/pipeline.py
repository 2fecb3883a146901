"""A run from end to end: check, the five steps, the appendix, the gate, the run's folder.

A step's results are staged and renamed into a content-addressed store, so that an interrupted run
leaves nothing half-written and a step in which nothing changed is reused.
"""

import ast
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import nbformat
from filelock import FileLock, Timeout

from upr_analysis.parameters import Parameters, cell_defaults, export_files, unused_name
from upr_analysis.privacy import Redactor
from upr_analysis.problems import InputError
from upr_analysis.provenance import versions
from upr_analysis.publication import Refused, publish_run
from upr_analysis.workspace import READS, STEPS, TICKET, Step, file_digest

# Modules that run, render or check a step's results but have no part in them.
OUTSIDE_STEPS: Final = frozenset(
    {"cli.py", "checks.py", "gate.py", "overview.py", "pipeline.py", "provenance.py",
     "publication.py", "simulate.py", "findings.py", "appendix.py"}
)  # fmt: skip
SHOWN_IN_STEPS: Final = ("table.html.j2", "parts.html.j2")  # templates that notebooks use
# What a kernel must not take from whoever runs it, for equal bytes from equal inputs.
ENVIRONMENT: Final = {
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "0",
    "TZ": "UTC",
    "MPLBACKEND": "agg",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "PYTHONDONTWRITEBYTECODE": "",
}


MOST_SAID: Final = 300  # characters of an error's last line


class Progress(Protocol):
    """Hears how a run goes on: cells within a step, then the step as run or reused."""

    def cell(self, step: str, number: int, of: int) -> None:
        """Say that a step's cell begins."""

    def step(self, step: str, status: str) -> None:
        """Say that a step is done."""


class StepFailed(Exception):
    """A notebook stopped: which, in which cell, with what, and how to look at it."""


@dataclass(frozen=True)
class Done:
    """A step's results in the store."""

    step: str
    status: str  # run or reused
    key: str
    folder: Path
    digest: str  # of its outputs: what a later step depends on


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    steps: tuple[Done, ...]
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what a researcher should look at

    @property
    def index(self) -> Path:
        """The appendix's first page."""
        return self.folder / "public" / "appendix" / "index.html"


def notebooks(root: Path) -> dict[str, Path]:
    """Return each step's notebook; InputError names one that is not there."""
    paths = {step: root / "notebooks" / f"{step}.ipynb" for step in STEPS}
    missing = [str(path.relative_to(root)) for path in paths.values() if not path.is_file()]
    if missing:
        raise InputError([f"{path} is not there: restore it." for path in missing])
    return paths


def run(
    parameters: Parameters, root: Path, outputs: Path, progress: Progress, replace: bool = False
) -> Run:
    """Run every step that is not in the store, render the appendix and pass it through the gate.

    InputError (exit 2) where the name is taken by a run with other parameters, StepFailed where a
    notebook stops. A run that the gate refuses has no `public/` and says why in `refusals`.
    """
    folder = outputs / "runs" / parameters.name
    started = time.time()
    _prepare(outputs, root)
    with _only_one(outputs / "staging" / f"{parameters.name}.lock", parameters.name):
        _refuse_taken_name(folder, parameters, replace)
        done: list[Done] = []
        for step, notebook in notebooks(root).items():
            result = _do_step(step, notebook, parameters, root, outputs, done, progress)
            progress.step(step, result.status)
            done.append(result)
        staged = outputs / "staging" / f"{parameters.name}.view"
        shutil.rmtree(staged, ignore_errors=True)
        last = _finished(parameters, root, outputs, done)
        refusals: tuple[str, ...] = ()
        try:
            publish_run(last, {one.step: one.folder for one in done}, staged)
        except Refused as refused:
            refusals = refused.reasons
        _write_run_json(staged, parameters, root, done, started)
        _put_in_place(staged, folder)
        notes = _notes(last, folder)
        shutil.rmtree(last.work, ignore_errors=True)
    return Run(folder, tuple(done), refusals, notes)


def _notes(last: Step, folder: Path) -> tuple[str, ...]:
    """Return what a researcher should look at: nothing of an answer, only how many and where."""
    unknown = last.read("unknown_places")
    others = last.read("free_texts")["question"].str.endswith("_other").sum()
    notes = []
    if len(unknown):
        notes.append(
            f"{int(unknown['respondents'].sum())} answers name places that were not understood: "
            f"see {folder / 'private' / 'unknown_places.csv'} and decide in places.yml."
        )
    if others:
        notes.append(
            f"{int(others)} answers in own words are counted as 'other': see free_texts in "
            f"{folder / 'private'}, and declare spellings under 'also' where they are options."
        )
    return tuple(notes)


def _prepare(outputs: Path, root: Path) -> None:
    """Make the folders of an outputs folder, and have git ignore it; InputError if none can be."""
    if outputs == root:
        raise InputError("--outputs is the project itself: name a folder of its own.")
    try:
        for private in (outputs / "store", outputs / "staging"):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
        (outputs / "runs").mkdir(exist_ok=True)
        (outputs / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"--outputs {outputs} cannot be written ({error.strerror}): name another folder."
        ) from error


def _finished(parameters: Parameters, root: Path, outputs: Path, done: list[Done]) -> Step:
    """Return a step that stands after the last one and sees all tables, to make the index from."""
    work = outputs / "staging" / f"{parameters.name}.tables"
    _stage(work, "", done)
    return Step(STEPS[-1], parameters, (), root, work)


def _do_step(
    step: str,
    notebook: Path,
    parameters: Parameters,
    root: Path,
    outputs: Path,
    before: list[Done],
    progress: Progress,
) -> Done:
    key = step_key(step, notebook, parameters, root, before)
    target = outputs / "store" / key
    if not _is_whole(target):
        shutil.rmtree(target, ignore_errors=True)
        work = outputs / "staging" / f"{parameters.name}.{step}"
        _stage(work, step, before)
        values = _values(notebook, parameters) | {"work": _relative(work, root)}
        _execute(step, notebook, work, values, root, progress)
        _commit(work / step, target, step, key)
        shutil.rmtree(work, ignore_errors=True)
        return Done(step, "run", key, target, _outputs_digest(target))
    return Done(step, "reused", key, target, _outputs_digest(target))


def step_key(
    step: str, notebook: Path, parameters: Parameters, root: Path, before: list[Done]
) -> str:
    """Return the key of a step's results: everything that they depend on, as one SHA-256.

    Parameters that its notebook declares, its cells, what the steps before it wrote (not how),
    the consultation's files that it reads, the package's syntax trees and the versions.
    """
    folder = root / "data" / parameters.consultation
    parts: dict[str, object] = {
        "step": step,
        "parameters": _values(notebook, parameters),
        "cells": [(cell.cell_type, cell.source) for cell in _cells(notebook)],
        "before": [one.digest for one in before],
        "consultation": {
            name: file_digest(folder / name)
            for name in sorted(READS[step])
            if (folder / name).exists()
        },
        "package": package_digest(),
        "versions": versions(),
    }
    if step == STEPS[0]:
        parts["export"] = [file_digest(path) for path in export_files(parameters, root)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def package_digest() -> str:
    """Return one hash over the syntax trees of the modules that steps use, and their data files."""
    folder, digest = Path(__file__).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".py" and path.name not in OUTSIDE_STEPS:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            digest.update(f"{path.name}\0{ast.dump(tree)}\n".encode())
        elif path.suffix in (".yml", ".csv") or path.name in SHOWN_IN_STEPS:
            digest.update(f"{path.name}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()


def _values(notebook: Path, parameters: Parameters) -> dict[str, Any]:
    values = parameters.model_dump(mode="json")
    return {name: values[name] for name in cell_defaults(notebook) if name in values}


def _cells(notebook: Path) -> list[Any]:
    return list(nbformat.read(notebook, as_version=4).cells)


def _stage(work: Path, step: str, before: list[Done]) -> None:
    """Make a step's folder: the results of the steps before it by link, its own still empty."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700, parents=True)
    (work / TICKET).write_text(json.dumps({"step": step}), encoding="utf-8")
    for one in before:
        try:
            (work / one.step).symlink_to(os.path.relpath(one.folder, work), True)
        except OSError:  # Windows without the right to make links
            shutil.copytree(one.folder, work / one.step)
    if step:
        (work / step / "private").mkdir(mode=0o700, parents=True)


def _execute(
    step: str,
    notebook: Path,
    work: Path,
    values: Mapping[str, Any],
    root: Path,
    progress: Progress,
) -> None:
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    executed = work / step / "private" / f"{step}.ipynb"
    total = len(_cells(notebook)) + 1  # papermill adds the cell of the parameters

    def begins(cell: Any, cell_index: int) -> None:
        progress.cell(step, cell_index + 1, total)

    try:
        with _quiet_environment(work) as sockets:
            execute_notebook(
                str(notebook),
                str(executed),
                parameters=dict(values),
                kernel_name="python3",
                progress_bar=False,
                resources={"metadata": {"path": str(root)}},
                config=_private_sockets(sockets),
                extra_arguments=["--log-level=50"],  # a kernel's own warnings are not the user's
                shutdown_kernel="immediate",
                on_cell_start=begins,
            )
    except PapermillExecutionError as error:
        said = str(error.evalue).strip().splitlines()
        # what a library quotes of its input could be an answer
        last = Redactor().redact(said[-1])[:MOST_SAID] if said else ""
        raise StepFailed(
            f"{notebook.relative_to(root)} stopped in cell {error.cell_index + 1}: {error.ename}: "
            f"{last}\nTo look at it: make lab NOTEBOOK={_relative(executed, root)}"
        ) from error
    except (RuntimeError, TimeoutError) as error:
        raise StepFailed(
            f"{notebook.relative_to(root)}: its kernel did not start or did not answer: {error}"
        ) from error


def _private_sockets(folder: Path) -> Any:
    """Have kernels speak through files in a folder of this user's, where there are such files."""
    from traitlets.config import Config

    if os.name == "nt":
        return Config()
    return Config({"KernelManager": {"transport": "ipc", "ip": str(folder / "kernel")}})


@contextmanager
def _quiet_environment(work: Path) -> Iterator[Path]:
    """Set what kernels must not inherit, and put it back; yields a folder for their sockets."""
    # A socket's path may have some hundred characters only, hence the system's temporary folder.
    runtime = tempfile.mkdtemp(prefix="upr-")
    changes = ENVIRONMENT | {
        "IPYTHONDIR": str(work / ".ipython"),
        "JUPYTER_RUNTIME_DIR": runtime,
    }
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield Path(runtime)
    finally:
        shutil.rmtree(runtime, ignore_errors=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _commit(results: Path, target: Path, step: str, key: str) -> None:
    """Rename a step's results into the store, whole: its manifest last, then one rename."""
    files = {
        path.relative_to(results).as_posix(): file_digest(path)
        for path in sorted(results.rglob("*"))
        if path.is_file()
    }
    manifest = {"step": step, "key": key, "files": files}
    (results / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    try:
        results.rename(target)
    except OSError:
        if not (target / "manifest.json").exists():  # else another run was first, with the same
            raise


def _is_whole(folder: Path) -> bool:
    """Whether a step's folder in the store still holds, unchanged, what its manifest lists."""
    path = folder / "manifest.json"
    if not path.exists():
        return False
    files = json.loads(path.read_text(encoding="utf-8"))["files"]
    return all(
        (folder / name).is_file() and file_digest(folder / name) == digest
        for name, digest in files.items()
    )


def _outputs_digest(folder: Path) -> str:
    """Return one hash over what a step wrote, its executed notebook (times, ids) left out."""
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    data = {name: digest for name, digest in files.items() if not name.endswith(".ipynb")}
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _refuse_taken_name(folder: Path, parameters: Parameters, replace: bool) -> None:
    path = folder / "run.json"
    if folder.exists() and not path.exists():
        raise InputError(
            f"{folder.name!r} is no run's folder, so it is not replaced: use another --set name=."
        )
    if replace or not path.exists():
        return
    before = json.loads(path.read_text(encoding="utf-8"))["parameters"]
    now = parameters.model_dump(mode="json")
    changed = [name for name in now if name != "reason" and before.get(name) != now[name]]
    if changed:
        taken = {run.name for run in folder.parent.iterdir()}
        raise InputError(
            f"A run called {parameters.name!r} stands with other parameters "
            f"({', '.join(changed)}): use --set name={unused_name(parameters.name, taken)}, or "
            "--replace."
        )


@contextmanager
def _only_one(path: Path, name: str) -> Iterator[None]:
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout as error:
        raise InputError(f"The run {name!r} is going on elsewhere: wait until it is done.") from (
            error
        )


def _write_run_json(
    staged: Path, parameters: Parameters, root: Path, done: list[Done], started: float
) -> None:
    files = export_files(parameters, root)
    content = {
        "name": parameters.name,
        "parameters": parameters.model_dump(mode="json"),
        "steps": [{"step": one.step, "status": one.status, "key": one.key} for one in done],
        "inputs": [{"path": _relative(path, root), "sha256": file_digest(path)} for path in files]
        + [
            {"path": _relative(path, root), "sha256": file_digest(path)}
            for path in sorted((root / "data" / parameters.consultation).glob("*.yml"))
        ],
        "versions": versions(),
        "findings": [],
        "times": {"started": _iso(started), "seconds": round(time.time() - started, 2)},
    }
    (staged / "run.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _put_in_place(staged: Path, folder: Path) -> None:
    """Put a run's folder in place of an older one; either is whole at any moment."""
    old = staged.with_name(f"{staged.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    staged.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _relative(path: Path, root: Path) -> str:
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive of Windows
        return path.as_posix()


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
