"""How long a whole run takes beside the same file read by pandas, and a run with nothing changed.

Prints ratios, medians of three, with the machine and the versions: times alone mean little on a
machine that others use.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from upr_analysis.provenance import versions

ROOT = Path(__file__).parent.parent
RUNS = 3


def seconds(*command: str) -> float:
    """Return the wall time of a command, which must succeed."""
    started = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    upr = [sys.executable, "-m", "upr_analysis", "run", "params/upr-2021.yml", "--quiet"]
    plain = "import pandas, seaborn, scipy.stats; pandas.read_csv('data/upr-2021/export.csv')"
    first, again, script = [], [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as outputs:
            first.append(seconds(*upr, "--outputs", outputs))
            again.append(seconds(*upr, "--outputs", outputs))
        script.append(seconds(sys.executable, "-c", plain))
    base = statistics.median(script)
    print(f"{platform.machine()}, {os.cpu_count()} cores")
    print(", ".join(f"{name} {number}" for name, number in versions().items()))
    for what, times in (("first run", first), ("nothing changed", again)):
        found = statistics.median(times)
        print(
            f"{what}: {found:.1f} s, {found / base:.1f} times importing and reading ({base:.1f} s)"
        )


if __name__ == "__main__":
    main()
