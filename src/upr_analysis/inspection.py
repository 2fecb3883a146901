"""What stands in an outputs folder, what of it no run uses, and a step laid out to be looked at."""

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from upr_analysis.documents import as_model
from upr_analysis.parameters import Parameters, unused_name
from upr_analysis.pipeline import ATTEMPT, RUN_JSON, Runner
from upr_analysis.problems import InputError, did_you_mean
from upr_analysis.staging import INJECTED, relative
from upr_analysis.staging import lay_out as lay_out_step
from upr_analysis.steps import INPUTS, STEPS, fingerprint, notebooks, own_values
from upr_analysis.store import Entry, Store, read_record, size_of


@dataclass(frozen=True)
class RunStatus:
    """A run, when it was made, and whether it would come out the same today."""

    name: str
    made: str
    state: str
    size: int


def run_statuses(store: Store, root: Path) -> list[RunStatus]:
    """Return every run by name, those that are going on or stopped among them."""
    found: dict[str, RunStatus] = {}
    for path in sorted(store.runs.glob(f"*/{RUN_JSON}")):
        name, size = path.parent.name, size_of(path.parent)
        try:
            record = read_record(path)
        except InputError:
            found[name] = RunStatus(name, "", "damaged, or of an older version: run it again", size)
            continue
        found[name] = RunStatus(name, record["times"]["started"], _state(record, root), size)
    for name in tried(store.outputs):
        now = "going on" if store.is_going_on(name) else "stopped before it was whole"
        before = found.get(name, RunStatus(name, "", "", 0))
        state = f"{before.state}; a later start {now}" if before.state else now
        found[name] = replace(before, state=state.replace("start going on", "start is going on"))
    return list(found.values())


def tried(outputs: Path) -> list[str]:
    """Return the names of runs that are going on, or that stopped."""
    paths = sorted(outputs.glob(f"staging/*{ATTEMPT}"))
    return [path.name.removesuffix(ATTEMPT) for path in paths]


def _state(record: dict[str, Any], root: Path) -> str:
    if record["refused"]:
        return "refused by the gate"
    try:
        parameters = as_model(record["parameters"], Parameters, record["name"])
        same = fingerprint(parameters, root) == record["fingerprint"]
    except InputError:
        return "its inputs are not there"
    return "current" if same else "something changed since"


def find_run(run: str, outputs: Path) -> Path:
    """Return a run's folder by its name, or as named by path; InputError where there is none."""
    by_name, by_path = outputs / "runs" / run, Path(run)
    for folder in (by_name, by_path):
        if (folder / RUN_JSON).exists() or (folder.is_dir() and folder == by_path):
            return folder.resolve()
    if run in tried(outputs):
        raise InputError(f"{run!r} stopped before it was whole, or is going on: run it first.")
    known = [path.parent.name for path in outputs.glob("runs/*/run.json")]
    raise InputError(f"No run is called {run!r}: `upr status` lists them{did_you_mean(run, known)}")


def lay_out(step: str, run: str, runner: Runner) -> Path:
    """Copy what a step reads to `debug/<run>-<step>/`, its notebook with the run's values injected.

    Returns the notebook. InputError where the step or the run is unknown, or an earlier step's
    results are not in the store.
    """
    if step not in STEPS:
        raise InputError(f"No step is called {step!r}{did_you_mean(step, STEPS)}")
    import nbformat
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    root, store = runner.root, runner.store
    parameters = _parameters_of(run, runner)
    entries: list[Entry] = []
    for before in STEPS[: STEPS.index(step)]:
        entry = store.find(runner.key(before, parameters, entries)[1])
        if entry is None:
            raise InputError(
                f"{before} is not in the store with the values and inputs of {run}: run it again."
            )
        entries.append(entry)
    name = f"{run}-{step}"
    taken = {path.name for path in store.outputs.glob("debug/*")}  # someone may be at work there
    folder = store.outputs / "debug" / (unused_name(name, taken) if name in taken else name)
    notebook = load_notebook_node(str(notebooks(root)[step]))
    values = own_values(notebooks(root)[step], parameters) | {"work": relative(folder, root)}
    notebook = parameterize_notebook(notebook, values, "")
    for cell in notebook.cells:
        if INJECTED in cell.metadata.tags:  # notebooks run from the project's folder
            cell.source += f"\n\nimport os\n\nos.chdir({os.fspath(root)!r})"
    lay_out_step(folder, step, entries, INPUTS[step], copy=True)
    path = folder / f"{step}.ipynb"
    nbformat.write(notebook, path)
    return path


def _parameters_of(run: str, runner: Runner) -> Parameters:
    """Return the parameters of a run, as last tried."""
    records = (runner.attempt(run), runner.store.runs / run / RUN_JSON)
    for path in records:
        if path.exists():
            whole = path.name == RUN_JSON
            content = (read_record(path) if whole else json.loads(path.read_text()))["parameters"]
            return as_model(content, Parameters, str(path))
    known = [path.parent.name for path in runner.store.runs.glob("*/run.json")]
    raise InputError(f"No run is called {run!r}: `upr status` lists them{did_you_mean(run, known)}")


def remove_unused(store: Store, dry: bool, debug: bool) -> list[tuple[Path, int]]:
    """Remove what no run is a view of, unless `dry`; returns each (locks apart) with its bytes.

    With `debug` the copies go too that people were given to look at a step.

    InputError where a run is going on.
    """
    with store.to_oneself():
        copies = sorted(store.outputs.glob("debug/*")) if debug else []
        unused = [(path, size_of(path)) for path in (*store.unused(), *copies)]
        for path, _ in () if dry else unused:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    return [(path, size) for path, size in unused if path.suffix != ".lock"]
