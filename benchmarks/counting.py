"""What the tables of a large consultation cost: ours beside pandas, polars and DuckDB.

Invented answers to ten single choices of six options and ten select-all questions of ten, by two
groupings of seven and five groups; a tenth did not answer, some are in no group. Each library is a
process of its own that holds the data in layouts that suit it, laid out before the clock starts:
codes and masks, categories, columns of booleans. All ways are timed in turn within each round,
medians of wall and processor time, and must give the same counts. Ours is one thread. Needs polars
and duckdb.

    python benchmarks/counting.py 1e5 1e6 1e7
"""

import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROUNDS = int(os.environ.get("ROUNDS", "3"))
GROUPS = {"g0": 7, "g1": 5}
SINGLE, OPTIONS = [f"s{q}" for q in range(10)], range(6)
SEVERAL, TICKS = [f"m{q}" for q in range(10)], range(10)
CHOSEN = [f"{name}_{option}" for name in SINGLE for option in OPTIONS]
ANSWERED = [f"{name}_answered" for name in SEVERAL]
BOOLEANS = ANSWERED + [f"{name}_{option}" for name in SEVERAL for option in TICKS]
WORKERS = ("ours 1", "int64 1", "pandas 1", "polars 1", "polars all", "duckdb 1", "duckdb all")
NARROW, WIDE = "ours, 8 and 16 bits", "ours, 64 bits"
COLUMNS = {NARROW: 42, WIDE: 186}  # bytes that they hold of a respondent
GOALS = "at least 20 times faster than pandas, faster than all others, memory at most 2 x columns"

Way = Callable[[], list[np.ndarray]]  # a grouping's counts (groups, CHOSEN and BOOLEANS)


def write(folder: Path, n: int) -> None:
    """Write invented columns, the same on every machine, a file each."""
    draw = np.random.default_rng(2021)
    for name, size in (GROUPS | dict.fromkeys(SINGLE, len(OPTIONS))).items():
        shares = np.arange(size, 0, -1) / np.arange(size + 1).sum()
        codes = np.searchsorted(shares.cumsum(), draw.random(n)).clip(max=size - 1)
        np.save(folder / name, np.where(draw.random(n) < 0.1, -1, codes).astype(np.int8))
    for name, said in zip(SEVERAL, ANSWERED, strict=True):
        masks, answered = np.zeros(n, np.int16), draw.random(n) < 0.9
        for option in TICKS:
            masks |= (draw.random(n) < 0.5 / (1 + option)).astype(np.int16) << option
        np.save(folder / said, answered)
        np.save(folder / name, masks * answered)


def read(folder: Path, name: str) -> np.ndarray:
    """Return a column, or a boolean that says who chose one option of one."""
    if (path := folder / f"{name}.npy").exists():
        return np.load(path)
    question, option = name.split("_")
    values = np.load(folder / f"{question}.npy")
    return values == int(option) if question in SINGLE else (values >> int(option) & 1) == 1


def ours(folder: Path, kind: type | None) -> dict[str, Way]:
    """Hold codes and masks as they are, or as integers of a `kind`."""
    from upr_analysis.counting import Answers, Members, count

    def column(name: str) -> np.ndarray:
        return read(folder, name) if kind is None else read(folder, name).astype(kind)

    answers = [Answers(column(name), len(OPTIONS)) for name in SINGLE]
    answers += [
        Answers(column(name), len(TICKS), read(folder, said))
        for name, said in zip(SEVERAL, ANSWERED, strict=True)
    ]
    members = [Members(column(name), size) for name, size in GROUPS.items()]

    def counted() -> list[np.ndarray]:
        return [
            np.hstack(
                [counts for counts, _ in own[:10]]
                + [np.column_stack([bases for _, bases in own[10:]])]
                + [counts for counts, _ in own[10:]]
            )
            for own in count(answers, members)
        ]

    return {NARROW if kind is None else WIDE: counted}


def pandas(folder: Path) -> dict[str, Way]:
    """Hold categories and booleans."""
    import pandas as pd

    categories = {
        name: pd.Categorical.from_codes(read(folder, name), range(size))
        for name, size in (GROUPS | dict.fromkeys(SINGLE, len(OPTIONS))).items()
    }
    frame = pd.DataFrame(categories | {name: read(folder, name) for name in BOOLEANS})

    def crossed(group: str, name: str) -> pd.DataFrame:
        return pd.crosstab(frame[group], frame[name])

    def sized(group: str, name: str) -> pd.DataFrame:
        return frame.groupby([group, name], observed=False).size().unstack()

    def summed(group: str) -> pd.DataFrame:
        return frame.groupby(group, observed=False)[BOOLEANS].sum()

    def counted(table: Callable[[str, str], pd.DataFrame]) -> list[np.ndarray]:
        return [
            np.hstack([*(table(group, name) for name in SINGLE), summed(group)]) for group in GROUPS
        ]

    return {
        "pandas: crosstab, groupby": partial(counted, crossed),
        "pandas: size, groupby": partial(counted, sized),
    }


def polars(folder: Path, threads: str) -> dict[str, Way]:
    """Hold groups as codes and as booleans, and every option as a boolean."""
    import polars as pl

    columns = [*CHOSEN, *BOOLEANS]
    held = {name: pl.Series(read(folder, name)) for name in columns}
    groups = {name: pl.Series(read(folder, name)) for name in GROUPS}
    each = [f"{name}_{group}" for name, size in GROUPS.items() for group in range(size)]
    bitmaps = {name: groups[name[:2]] == int(name[3:]) for name in each}
    frame = pl.DataFrame(held | groups | bitmaps).lazy()

    def together() -> list[np.ndarray]:
        found = frame.group_by(*GROUPS).agg(pl.col(columns).sum()).collect()
        return by_each(found.select(*GROUPS).to_numpy(), found.select(columns).to_numpy())

    def filtered() -> list[np.ndarray]:
        sums = pl.col(columns).sum()
        rows = pl.collect_all([frame.filter(pl.col(name)).select(sums) for name in each])
        return np.split(np.vstack([row.to_numpy() for row in rows]), [GROUPS["g0"]])

    of = f" ({threads} threads)" if threads != "1" else ""
    return {f"polars{of}: group_by": together, f"polars{of}: filter by bitmap": filtered}


def duckdb(folder: Path, threads: str) -> dict[str, Way]:
    """Hold codes, and every option as a boolean."""
    import duckdb as duck
    import pyarrow as pa

    names = [*GROUPS, *SINGLE, *CHOSEN, *BOOLEANS]
    arrow = pa.table({name: read(folder, name) for name in names})
    connection = duck.connect()
    if threads == "1":
        connection.execute("set threads = 1")
    connection.register("arrow", arrow)
    connection.execute("create table answers as select * from arrow")
    connection.unregister("arrow")

    def rows(what: str) -> np.ndarray:
        query = f"select g0, g1, {what} from answers group by all"
        return np.column_stack([*connection.execute(query).fetchnumpy().values()]).astype(int)

    def summed(columns: list[str]) -> list[np.ndarray]:
        found = rows(", ".join(f"count_if({name})" for name in columns))
        return by_each(found[:, :2], found[:, 2:])

    def by_code() -> list[np.ndarray]:
        tables = []
        for name in SINGLE:
            found = rows(f"{name}, count(*)")
            counts = (found[:, 2:3] == [*OPTIONS]) * found[:, 3:]
            tables.append(by_each(found[:, :2], counts))
        return [np.hstack(own) for own in zip(*tables, summed(BOOLEANS), strict=True)]

    of = f" ({threads} threads)" if threads != "1" else ""
    return {
        f"duckdb{of}: count_if": partial(summed, [*CHOSEN, *BOOLEANS]),
        f"duckdb{of}: group by code, count_if": by_code,
    }


def by_each(codes: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:
    """Add counts (rows, columns) of both groupings, `codes` (rows, 2), up to those of each."""
    return [
        np.stack([counts[own == group].sum(axis=0) for group in range(size)])
        for own, size in zip(codes.T, GROUPS.values(), strict=True)
    ]


def work(folder: Path, library: str, threads: str) -> None:
    """Lay out the data, say which ways there are, and time the one named on each line read."""
    if library in ("ours", "int64"):
        ways = ours(folder, None if library == "ours" else np.int64)
    elif library == "pandas":
        ways = pandas(folder)
    else:
        ways = (polars if library == "polars" else duckdb)(folder, threads)
    print(json.dumps([*ways]), flush=True)
    for line in sys.stdin:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if line.startswith("trace "):
            tracemalloc.start()
        began, worked = time.perf_counter(), time.process_time()
        found = ways[line.strip().removeprefix("trace ")]()
        took = time.perf_counter() - began, time.process_time() - worked
        traced = tracemalloc.get_traced_memory()[1] if tracemalloc.is_tracing() else 0
        tracemalloc.stop()
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        counts = np.concatenate([one.astype(np.int64).ravel() for one in found])
        print(json.dumps([*took, hashlib.sha256(counts).hexdigest(), traced, grown]), flush=True)


def compare(n: int) -> None:
    """Time all ways on n respondents and print them beside ours."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        write(Path(folder), n)
        workers = dict[str, subprocess.Popen[str]]()
        for worker in WORKERS:
            library, threads = worker.split()
            threads = str(os.cpu_count()) if threads == "all" else threads
            process = subprocess.Popen(
                [sys.executable, __file__, "work", folder, library, threads],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": threads},
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.stdin.close)
            workers |= dict.fromkeys(json.loads(process.stdout.readline()), process)

        def ask(way: str, how: str = "") -> tuple[float, float, str, int, int]:
            workers[way].stdin.write(f"{how}{way}\n")
            workers[way].stdin.flush()
            return tuple(json.loads(workers[way].stdout.readline()))

        first = {way: ask(way) for way in workers}
        if len({digest for _, _, digest, *_ in first.values()}) > 1:
            raise AssertionError("the ways give different counts")
        rounds = [{way: ask(way)[:2] for way in workers} for _ in range(ROUNDS)]
        held = {way: (ask(way, "trace ")[3], first[way][4]) for way in COLUMNS}
    wall, worked = (
        {way: statistics.median(one[way][which] for one in rounds) for way in workers}
        for which in (0, 1)
    )
    print(f"{f'{n:,} respondents':44} {'ns':>8} {'/ ours':>8} {'processor ns':>14} {'/ ours':>8}")
    for way in sorted(wall, key=wall.__getitem__):
        cells = [f"{1e9 * wall[way] / n:8.1f} {wall[way] / wall[NARROW]:8.1f}"]
        cells += [f"{1e9 * worked[way] / n:14.1f} {worked[way] / worked[NARROW]:8.1f}"]
        print(f"  {way:42}", *cells)
    for way, (traced, grown) in held.items():
        beside = f"{traced / 1e6:.1f} MB traced beside it, process grew {grown / 1e6:.1f} MB"
        print(f"  {way}: columns of {COLUMNS[way] * n / 1e6:.1f} MB; {beside}", flush=True)


def main() -> None:
    """Compare at each size that is asked for."""
    libraries = ("numpy", "pandas", "polars", "duckdb")
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, medians of {ROUNDS} rounds,", end=" "
    )
    print(", ".join(f"{name} {version(name)}" for name in libraries))
    for size in sys.argv[1:] or ["1e6", "1e7"]:
        compare(int(float(size)))
    print(f"goals: {GOALS}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    else:
        main()
