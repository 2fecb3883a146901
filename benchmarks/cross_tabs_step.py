"""How long the step 04_cross_tabs takes beyond its imports, suppression and audit apart.

    python benchmarks/cross_tabs_step.py [PARAMS.yml ...]

Runs the consultation once, then the cells of the notebook in this process, five times; prints the
median of each part, and its ratio to the imports of the same process. Aimed at: at most 1.5 s of
its own on 123 respondents.
"""

import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
STEPS = ("01_ingest", "02_clean", "03_thematic_coding", "04_cross_tabs")
APART = {"suppress(": "suppression", "audit(": "audit", "import ": "imports"}


def parts(work: Path, values: dict[str, object], cells: list[str]) -> dict[str, float]:
    """Run the cells on what earlier steps left in `work`; return seconds a part."""
    names: dict[str, object] = {**values, "work": str(work)}
    taken = dict.fromkeys(("imports", "own", "suppression", "audit"), 0.0)
    for cell in cells:
        kind = next((kind for word, kind in APART.items() if word in cell), "own")
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            exec(cell, names)
        taken[kind] += time.perf_counter() - start
    return taken


def main() -> None:
    os.chdir(ROOT)
    notebook = json.loads((ROOT / "notebooks" / f"{STEPS[-1]}.ipynb").read_text(encoding="utf-8"))
    code = [
        "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and not cell["metadata"].get("tags")
    ]
    print(
        f"{'consultation':<22}{'imports':>10}{'own':>10}{'ratio':>8}{'suppression':>13}{'audit':>8}"
    )
    for params in sys.argv[1:] or ["params/upr-2021.yml"]:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "upr_analysis", "run", params, "--outputs", folder]
            subprocess.run(command, check=True, capture_output=True)
            (run,) = Path(folder, "runs").iterdir()
            record = json.loads((run / "run.json").read_text(encoding="utf-8"))
            work = Path(folder, "work")
            work.mkdir()
            for step in record["steps"][:3]:
                (work / step["step"]).symlink_to(Path(folder, "store", step["key"]).resolve())
            rounds = [parts(work, record["parameters"], code) for _ in range(5)]
        # imports are paid once a process
        seconds = {kind: statistics.median(one[kind] for one in rounds) for kind in rounds[0]} | {
            "imports": rounds[0]["imports"]
        }
        print(
            f"{run.name:<22}{seconds['imports']:>9.2f}s{seconds['own']:>9.2f}s"
            f"{seconds['own'] / seconds['imports']:>8.2f}{seconds['suppression']:>12.2f}s"
            f"{seconds['audit']:>7.2f}s"
        )


if __name__ == "__main__":
    main()
