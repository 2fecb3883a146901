"""A step's folder: laid out before its notebook runs, looked over when that has ended."""

import fnmatch
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from upr_analysis.documents import notebook_cells
from upr_analysis.steps import TICKET, WRITES
from upr_analysis.store import Entry

INJECTED: Final = "injected-parameters"  # papermill's tag of the cell that it adds


def lay_out(
    work: Path,
    step: str,
    before: Iterable[Entry],
    wanted: Iterable[str] | None,
    copy: bool = False,
) -> None:
    """Make a step's folder: the files that it reads of earlier steps by link, its own empty.

    With `copy` they may be written to, and whoever runs the notebook is a person.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700, parents=True)
    if not copy:
        (work / TICKET).write_text(json.dumps({"step": step}), encoding="utf-8")
    for one in before:
        for name in one.files:
            if wanted is None or f"{one.step}/{name}" in wanted:
                target = work / one.step / name
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if copy or not _linked(one.folder / name, target):
                    shutil.copyfile(one.folder / name, target)
    if step:
        (work / step / "private").mkdir(mode=0o700, parents=True)


def _linked(path: Path, target: Path) -> bool:
    try:
        target.symlink_to(os.path.relpath(path, target.parent))
    except OSError:  # Windows without the right to make links
        return False
    return True


def unfinished(results: Path, step: str) -> str:
    """Return what a step that seemed to end well left undone or did unasked; "" if nothing."""
    from upr_analysis.workspace import TABLES  # with pandas

    names = {path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()}
    patterns = {f"private/{name}.parquet": True for name in TABLES if TABLES[name].step == step}
    patterns |= WRITES.get(step, {}) | {f"private/{step}.ipynb": True}
    missing = [name for name, needed in patterns.items() if needed and name not in names]
    if missing:
        return f"ended without writing {', '.join(missing)}."
    cells = [
        cell
        for cell in notebook_cells(results / "private" / f"{step}.ipynb")
        if INJECTED not in cell["metadata"].get("tags", [])
    ]
    for place, cell in enumerate(cells, 1):
        if cell["cell_type"] == "code" and cell["source"].strip() and not cell["execution_count"]:
            return f"ended before cell {place} ran."
    others = [n for n in sorted(names) if not any(fnmatch.fnmatch(n, one) for one in patterns)]
    return f"wrote {', '.join(others)}: declare it in steps.WRITES." if others else ""


def cell_number(cells: Sequence[dict[str, Any]], executed: int) -> int:
    """Return which cell of a notebook, from 1, is that of the notebook as executed.

    papermill adds one after the cell of the parameters, and that one stands for both.
    """
    tags = [cell["metadata"].get("tags", []) for cell in cells]
    declared = next(place for place, tag in enumerate(tags, 1) if "parameters" in tag)
    return executed - (executed > declared)


def relative(path: Path, root: Path) -> str:
    """Return a path as seen from the project, as it is kept in files."""
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive of Windows
        return path.as_posix()
