"""A run from end to end: the steps that are not in the store, the appendix, the gate, the view.

Nothing counts as done because a call returned: a step is done when every cell ran, every declared
output is there and no other, and its folder was renamed into the store.
"""

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from upr_analysis.documents import notebook_cells
from upr_analysis.interrupts import end_if_asked
from upr_analysis.nursery import Nursery, quiet_environment
from upr_analysis.parameters import Parameters, export_files, unused_name
from upr_analysis.problems import InputError
from upr_analysis.staging import cell_number, lay_out, relative, unfinished
from upr_analysis.steps import (
    INPUTS,
    STEPS,
    dependencies,
    file_digest,
    fingerprint,
    imports,
    key_of,
    notebooks,
    own_values,
    versions,
)
from upr_analysis.store import FULL, Entry, Store, digests_of, read_record

RUN_JSON: Final = "run.json"
ATTEMPT: Final = ".attempt.json"  # of a run that is not whole yet


class Progress(Protocol):
    """Hears how runs go on."""

    def cell(self, run: str, step: str, number: int, of: int) -> None:
        """Say that a step's cell begins."""

    def step(self, run: str, step: str, status: str) -> None:
        """Say that a step is done: run or reused."""

    def pages(self, run: str) -> None:
        """Say that the pages are made."""


class StepFailed(Exception):
    """A notebook stopped: which, in which cell, with what, and how to look at it."""


@dataclass(frozen=True)
class Done:
    """A step's results in the store, and whether they were made now."""

    entry: Entry
    status: str  # run or reused


@dataclass(frozen=True)
class Run:
    """A finished run."""

    name: str
    folder: Path
    steps: tuple[tuple[str, str], ...]  # name, and run or reused
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what a researcher should look at

    @property
    def index(self) -> Path:
        """The appendix's first page."""
        return self.folder / "public" / "appendix" / "index.html"


def default_engine() -> str:
    """Return `fork` where forking is safe and tried, else `papermill`."""
    return "fork" if sys.platform == "linux" else "papermill"


def unchanged(parameters: Parameters, root: Path, outputs: Path) -> Run | None:
    """Return a run that stands and would come out the same, byte for byte; None if it would not."""
    folder = outputs / "runs" / parameters.name
    try:
        record = read_record(folder / RUN_JSON)
    except (OSError, InputError):
        return None
    if record["fingerprint"] != fingerprint(parameters, root) or record["refused"]:
        return None
    found = digests_of(folder)
    found.pop(RUN_JSON)
    if found != record["files"]:
        return None
    steps = tuple((step["step"], "reused") for step in record["steps"])
    return Run(parameters.name, folder, steps, (), tuple(record["notes"]))


class Runner:
    """Makes runs, one or many at once: each distinct step once, as many at a time as `jobs`.

    A context: what it started is ended with it.
    """

    def __init__(
        self, root: Path, outputs: Path, progress: Progress, engine: str, jobs: int = 1
    ) -> None:
        self.root = root
        self.store = Store(outputs)
        self._progress = progress
        self._engine_name = engine
        self._slots = threading.Semaphore(jobs)
        self._failed: dict[str, StepFailed] = {}
        self._lock = threading.Lock()
        self._nursery: Nursery | None = None
        self._executes: Any = None
        self._open = ExitStack()
        self._stopped = False

    def __enter__(self) -> "Runner":
        self._runtime = self._open.enter_context(quiet_environment())
        self._pages = self._open.enter_context(ThreadPoolExecutor(1, "pages"))
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._pages.shutdown(wait=False, cancel_futures=True)
        self._open.close()

    def stop(self) -> None:
        """End all kernels and begin no step; runs that are under way end with StepFailed."""
        self._stopped = True
        if self._executes:
            self._executes.stop()
        if self._nursery:
            self._nursery.close()

    def warm(self, parameters: Parameters) -> None:
        """Begin to import what the notebooks need, if any step of a run has to be run."""
        if self._engine_name == "fork" and self._next_missing(parameters):
            with self._lock:
                self._nursery = self._nursery or self._new_nursery()

    def _next_missing(self, parameters: Parameters) -> str | None:
        entries: list[Entry] = []
        for step in STEPS:
            _, key = self.key(step, parameters, entries)
            entry = self.store.find(key)
            if entry is None:
                return step
            entries.append(entry)
        return None

    def run(self, parameters: Parameters, replace: bool = False) -> Run:
        """Run every step that is not in the store, render the appendix and pass it by the gate.

        InputError (exit 2) where the name is taken by a run with other parameters, StepFailed
        where a notebook stops or a file cannot be read or written. A run that the gate refuses has
        no `public/` and says why in `refusals`.
        """
        from upr_analysis.provenance import machine_key

        folder = self.store.runs / parameters.name
        started = time.time()
        machine_key()  # that a key which cannot be read is said before hours of work
        mark = fingerprint(parameters, self.root)  # before anything is read: a change shows later
        self.store.prepare(self.root)
        try:
            with self.store.only_one(parameters.name):
                refuse_taken_name(folder, parameters, replace)
                self._record_attempt(parameters)
                return self._run(parameters, folder, mark, started)
        except OSError as error:
            raise StepFailed(
                f"{_trouble(error, self.store.outputs)} and start again. Steps that are done are "
                "kept."
            ) from error

    def _run(self, parameters: Parameters, folder: Path, mark: str, started: float) -> Run:
        from upr_analysis.provenance import machine_key
        from upr_analysis.publication import Publication

        name, done = parameters.name, list[Done]()
        for left in self.store.staging.glob(f"{name}.*/"):  # by a run that was ended
            shutil.rmtree(left)
        publication = Publication(parameters, self.root)
        pages: list[Future[None]] = []
        for step in STEPS:
            end_if_asked()
            result = self._do_step(step, parameters, [one.entry for one in done])
            self._progress.step(name, step, result.status)
            done.append(result)
            pages.append(self._pages.submit(publication.add_step, result.entry))
        self._progress.pages(name)
        end_if_asked()
        staged = self.store.staging / f"{name}.view"
        with self._slots:
            for page in pages:
                page.result()
            work = self.store.staging / f"{name}.tables"
            lay_out(work, "", [one.entry for one in done], None)
            refusals, notes = publication.write(work, staged, folder)
            shutil.rmtree(work)
        steps = tuple((one.entry.step, one.status) for one in done)
        record = self._record(parameters, done, mark, started)
        record["provenance_key"] = machine_key().hex()
        record |= {"refused": bool(refusals), "notes": notes, "files": digests_of(staged)}
        _refuse_changed(done, record)
        if fingerprint(parameters, self.root) != mark:
            raise StepFailed("An input was changed while the run went on: start again.")
        _write_json(staged / RUN_JSON, record)
        (staged / RUN_JSON).chmod(0o600)  # digests of private files, and the crate's key
        self.attempt(name).unlink()
        self.store.put_in_place(staged, folder)
        return Run(name, folder, steps, tuple(refusals), tuple(notes))

    def results(self, parameters: Parameters, last: str) -> list[Entry]:
        """Return what the steps up to `last` made, run first if it is not in the store."""
        self.store.prepare(self.root)
        done = list[Entry]()
        for step in STEPS[: STEPS.index(last) + 1]:
            end_if_asked()
            done.append(self._do_step(step, parameters, done).entry)
        return done

    def attempt(self, name: str) -> Path:
        """Return where the parameters of a run that is going on, or that failed, are kept."""
        return self.store.staging / f"{name}{ATTEMPT}"

    def _record_attempt(self, parameters: Parameters) -> None:
        _write_json(
            self.attempt(parameters.name), {"parameters": parameters.model_dump(mode="json")}
        )

    def key(
        self, step: str, parameters: Parameters, before: Sequence[Entry]
    ) -> tuple[dict[str, dict[str, Any]], str]:
        """Return what a step's results depend on, and the name that gives them in the store."""
        made = {name: digest for one in before for name, digest in one.outputs.items()}
        inputs = {name: made[name] for name in INPUTS[step]}
        depends = dependencies(step, notebooks(self.root)[step], parameters, self.root, inputs)
        return depends, key_of(step, depends)

    def _do_step(self, step: str, parameters: Parameters, before: list[Entry]) -> Done:
        depends, key = self.key(step, parameters, before)
        if entry := self.store.find(key):
            return Done(entry, "reused")
        with self.store.claim(key):
            if entry := self.store.find(key):  # made meanwhile, for another run
                return Done(entry, "reused")
            if self._stopped:
                raise StepFailed("stopped")
            if key in self._failed:
                raise self._failed[key]
            # not where the kernel of a runner killed a moment ago may still write
            work = self.store.staging / f"{parameters.name}.{step}.{os.getpid()}"
            try:
                lay_out(work, step, before, INPUTS[step])
                with self._slots:
                    self._execute(step, parameters, work)
                self._refuse_changed_meanwhile(step, key, parameters, before)
                entry = self.store.commit(work / step, key, step, depends)
            except StepFailed as failed:
                self._failed[key] = failed
                raise
            shutil.rmtree(work)
            return Done(entry, "run")

    def _refuse_changed_meanwhile(
        self, step: str, key: str, parameters: Parameters, before: list[Entry]
    ) -> None:
        """Raise StepFailed where the key is no longer that of what the kernel may have read."""
        if self.key(step, parameters, before)[1] != key:
            raise StepFailed(
                f"What {step} reads was changed while it ran: start again. Nothing of it is kept."
            )

    def _execute(self, step: str, parameters: Parameters, work: Path) -> None:
        notebook = notebooks(self.root)[step]
        total = len(notebook_cells(notebook))
        wrong = self.execute(
            step,
            own_values(notebook, parameters),
            work,
            lambda number: self._progress.cell(parameters.name, step, number, total),
        )
        if wrong:
            raise StepFailed(f"{wrong}\nTo look at it: upr debug {step} --run {parameters.name}")

    def execute(
        self, step: str, values: Mapping[str, Any], work: Path, on_cell: Callable[[int], None]
    ) -> str:
        """Run a step's notebook on what is laid out in `work`; return what went wrong, or ""."""
        from upr_analysis.failures import explain

        notebook = notebooks(self.root)[step]
        executed = work / step / "private" / f"{step}.ipynb"
        given = {**values, "work": relative(work, self.root)}
        number = partial(cell_number, notebook_cells(notebook))
        try:
            self._engine().execute(notebook, executed, given, lambda cell: on_cell(number(cell)))
            wrong = unfinished(work / step, step)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            wrong = explain(error, number)
        return wrong and f"notebooks/{step}.ipynb {wrong}"

    def _engine(self) -> Any:
        """Return what runs notebooks, started at the first call."""
        from upr_analysis.engines import Engine

        with self._lock:
            if self._executes is None:
                if self._engine_name == "fork" and self._nursery is None:
                    self._nursery = self._new_nursery()
                self._executes = Engine(self.root, self._runtime, self._nursery)
            return self._executes

    def _new_nursery(self) -> Nursery:
        empty = self._runtime / "empty"
        empty.mkdir()
        return Nursery(imports(self.root), self.root, empty)

    def _record(
        self, parameters: Parameters, done: list[Done], mark: str, started: float
    ) -> dict[str, Any]:
        consultation = self.root / "data" / parameters.consultation
        inputs = [*export_files(parameters, self.root), *sorted(consultation.glob("*.yml"))]
        return {
            "name": parameters.name,
            "parameters": parameters.model_dump(mode="json"),
            "steps": [
                {
                    "step": one.entry.step,
                    "status": one.status,
                    "key": one.entry.key,
                    "depends": one.entry.depends,
                }
                for one in done
            ],
            "inputs": [
                {"path": relative(path, self.root), "sha256": file_digest(path)}
                for path in dict.fromkeys(inputs)
            ],
            "versions": versions(),
            "engine": self._engine_name,
            "findings": [],
            "times": {"started": _iso(started), "seconds": round(time.time() - started, 2)},
            "fingerprint": mark,
        }


def _refuse_changed(done: Iterable[Done], record: Mapping[str, Any]) -> None:
    """Raise StepFailed where what was copied of the store is not what was put there."""
    kept = {
        digest
        for one in done
        for name, digest in one.entry.files.items()
        if name.startswith("private/") or not record["refused"]
    }
    if not kept <= set(record["files"].values()):
        raise StepFailed("Results in the store changed while the run went on: start again.")


def _trouble(error: OSError, outputs: Path) -> str:
    """Return what the system refused, and what to do first."""
    if error.errno in FULL:
        return (
            f"The disk that holds {outputs} is full, or a limit was reached ({error.strerror}): "
            "make room"
        )
    return f"{error.filename or outputs} cannot be read or written ({error.strerror}): mend that"


def refuse_taken_name(folder: Path, parameters: Parameters, replace: bool) -> None:
    """Raise InputError where a folder is no run's, or a run's with other parameters."""
    path = folder / RUN_JSON
    if folder.exists() and not path.exists():
        raise InputError(
            f"{folder.name!r} is no run's folder, so it is not replaced: use another --set name=."
        )
    if replace or not path.exists():
        return
    before = read_record(path)["parameters"]
    now = parameters.model_dump(mode="json")
    changed = [name for name in now if name != "reason" and before.get(name) != now[name]]
    if changed:
        taken = {run.name for run in folder.parent.iterdir()}
        raise InputError(
            f"A run called {parameters.name!r} stands with other parameters "
            f"({', '.join(changed)}): use --set name={unused_name(parameters.name, taken)}, or "
            "--replace."
        )


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
