"""What running notebooks costs: ours, beside the same code as one script and beside stock tools.

Five fixed notebooks of some 0.2 s of work each, and UPR 2021. Whole processes, wall time, all ways
in turn within each round, medians. Prints ratios with the machine and the versions: times alone
mean little on a machine that others use.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from upr_analysis.documents import notebook_cells
from upr_analysis.steps import STEPS, notebooks, versions

ROOT = Path(__file__).parent.parent
ROUNDS = int(os.environ.get("ROUNDS", "5"))
IMPORTS = """\
import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from upr_analysis.exhibits import Figure, Table
"""
WORK = """\
draw = np.random.default_rng(seed)
answers = pd.DataFrame({"group": draw.integers(0, 6, rows), "share": draw.random(rows)})
answers["group"] = answers["group"].map(lambda number: f"group {number}")
shares = answers.groupby("group", as_index=False)["share"].mean()
Table(shares, caption="Shares by group")
"""
DRAWING = """\
drawing, axes = plt.subplots(layout="constrained")
sns.pointplot(shares, x="share", y="group", linestyle="none", ax=axes)
svg = io.BytesIO()
drawing.savefig(svg, format="svg", metadata={"Date": None})
plt.close(drawing)
Figure(svg.getvalue(), "dots, one a group", "Shares by group")
"""
OURS = """\
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import json

from upr_analysis.nursery import Nursery, quiet_environment

folder, sets = Path(sys.argv[1]), int(sys.argv[2])
modules = ["matplotlib.pyplot", "numpy", "pandas", "seaborn", "upr_analysis.exhibits"]
with quiet_environment() as runtime, ThreadPoolExecutor(1) as pages:
    nursery = Nursery(modules, folder, runtime)
    import nbformat
    from upr_analysis.appendix import Page, render_page
    from upr_analysis.engines import Engine

    engine = Engine(folder, runtime, nursery)

    def render(path):
        page = Page(title="Benchmark", step=path.stem)
        text = render_page(nbformat.read(path, as_version=4), page)
        path.with_suffix(".html").write_text(text, encoding="utf-8")

    made = []
    for number in range(sets):
        for notebook in sorted(folder.glob("0?.ipynb")):
            target = folder / f"out-{number}-{notebook.name}"
            engine.execute(notebook, target, {"seed": number}, lambda cell: None)
            made.append(pages.submit(render, target))
    for one in made:
        one.result()
    nursery.close()
"""


def main() -> None:
    """Measure both and print."""
    print(f"{platform.machine()}, {os.cpu_count()} processors, medians of {ROUNDS} rounds")
    print(", ".join(f"{name} {number}" for name, number in versions().items()))
    with tempfile.TemporaryDirectory() as folder:
        report("five fixed notebooks", measure(fixed(Path(folder))))
    with tempfile.TemporaryDirectory() as folder:
        report("UPR 2021", measure(consultation(Path(folder))))


def fixed(folder: Path) -> dict[str, Callable[[], float]]:
    """Write the five notebooks and return the ways to run them."""
    cells = ["seed = 1\nrows = 300_000", IMPORTS, WORK, DRAWING]
    for number in range(1, 6):
        write_notebook(folder / f"0{number}.ipynb", cells)
    script = folder / "script.py"
    script.write_text(IMPORTS + "\n".join([cells[0], WORK, DRAWING] * 5))
    ours = folder / "ours.py"
    ours.write_text(OURS)
    python = sys.executable
    return {
        "script": lambda: seconds(folder, python, script, MPLBACKEND="agg"),
        "ours": lambda: seconds(folder, python, ours, folder, 1),
        "ours, two sets": lambda: seconds(folder, python, ours, folder, 2),
        "stock": lambda: stock(folder, sorted(folder.glob("0?.ipynb"))),
    }


def consultation(folder: Path) -> dict[str, Callable[[], float]]:
    """Return the ways to run UPR 2021; the sweep's second set has another seed: no step shared."""
    upr = [sys.executable, "-m", "upr_analysis"]
    script = folder / "script.py"
    work = folder / "work"
    code = [
        cell["source"]
        for path in notebooks(ROOT).values()
        for cell in notebook_cells(path)
        if cell["cell_type"] == "code"
    ]
    script.write_text(
        "\n".join(code).replace("outputs/runs/by-hand/private", os.path.relpath(work, ROOT))
    )
    sweep = ROOT / "params" / "sweeps" / "benchmark.yml"
    sweep_text = "base: params/upr-2021.yml\naxes: {{seed: {seeds}}}\n"

    def run_sweep(seeds: list[int]) -> float:
        sweep.write_text(sweep_text.format(seeds=seeds))
        try:
            with tempfile.TemporaryDirectory() as outputs:
                return seconds(ROOT, *upr, "sweep", sweep, "-q", "-j", 2, "--outputs", outputs)
        finally:
            sweep.unlink()

    def run() -> float:
        with tempfile.TemporaryDirectory() as outputs:
            return seconds(ROOT, *upr, "run", "params/upr-2021.yml", "-q", "--outputs", outputs)

    again = ("run", "params/upr-2021.yml", "-q", "--outputs", folder / "outputs")
    seconds(ROOT, *upr, *again)
    return {
        "script": lambda: seconds(ROOT, sys.executable, script, MPLBACKEND="agg"),
        "ours": run,
        "ours, one set": lambda: run_sweep([1]),
        "ours, two sets": lambda: run_sweep([1, 2]),
        "nothing changed": lambda: seconds(ROOT, *upr, *again),
        "stock": lambda: stock(ROOT, [notebooks(ROOT)[step] for step in STEPS], folder, work),
    }


def stock(cwd: Path, paths: list[Path], target: Path | None = None, work: Path | None = None):  # type: ignore[no-untyped-def]
    """Return the wall time of papermill's command and nbconvert's, once for each notebook."""
    tools, started = Path(sys.executable).parent, time.perf_counter()
    given = ["-p", "work", os.path.relpath(work, ROOT)] if work else []
    for path in paths:
        out = (target or cwd) / f"stock-{path.name}"
        seconds(cwd, tools / "papermill", "--no-progress-bar", path, out, *given)
        seconds(cwd, tools / "jupyter", "nbconvert", "--to", "html", out)
    return time.perf_counter() - started


def seconds(cwd: Path, *command: object, **environment: str) -> float:
    """Return the wall time of a command, which must succeed."""
    started = time.perf_counter()
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    if done.returncode:
        sys.exit(f"{command}\n{done.stderr}")
    return time.perf_counter() - started


def measure(ways: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Return the median of each way, all in turn within each round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(way())
    return {name: statistics.median(found) for name, found in times.items()}


def report(what: str, found: dict[str, float]) -> None:
    """Print each way, and the ratios that were aimed at."""
    print(f"\n{what}: " + ", ".join(f"{name} {time:.2f} s" for name, time in found.items()))
    one = found.get("ours, one set", found["ours"])
    further = found["ours, two sets"] - one
    print(f"  ours / script            {found['ours'] / found['script']:5.2f}   (goal: at most 2)")
    print(f"  stock / ours             {found['stock'] / found['ours']:5.2f}   (goal: at least 6)")
    print(f"  stock / further set      {found['stock'] / further:5.2f}   (goal: at least 8)")
    if "nothing changed" in found:
        print(f"  nothing changed          {found['nothing changed']:5.2f} s (goal: at most 0.5)")


def write_notebook(path: Path, sources: list[str]) -> None:
    """Write a notebook of code cells, the first of them its parameters."""
    cells = [
        {
            "cell_type": "code",
            "id": f"c{place}",
            "metadata": {"tags": ["parameters"] if place == 0 else []},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for place, source in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(content))


if __name__ == "__main__":
    main()
