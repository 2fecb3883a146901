"""Whether a run comes out the same again: every published file identical, equal or different."""

import csv
import io
import json
import math
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from upr_analysis.documents import as_model, notebook_cells
from upr_analysis.parameters import Parameters, export_files, literals
from upr_analysis.pipeline import RUN_JSON, Progress, Runner, StepFailed
from upr_analysis.problems import InputError
from upr_analysis.provenance import KEY_VARIABLE
from upr_analysis.staging import INJECTED, relative
from upr_analysis.steps import ESTIMATES, SOURCE, STEPS, TICKET, file_digest, versions
from upr_analysis.store import digests_of, read_record

CRATE: Final = "ro-crate-metadata.json"
# Of a file: the same bytes, the same words and numbers, neither; published and not made again,
# made and not published; of a folder without its private inputs, only checked by its digest.
GRADES: Final = ("identical", "equal", "different", "unexpected", "missing", "not made")
CLOSE: Final = 1e-9  # how far two numbers may be apart, of the larger one
NUMBER: Final = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Verified:
    """Grades by file of `public/`, and what the reader has to know beside them."""

    grades: dict[str, str]
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether all that could be made again came out with the same numbers."""
        return set(self.grades.values()) <= {"identical", "equal", "not made"}

    @property
    def verdict(self) -> str:
        """Say how many files came out how."""
        counts = Counter(self.grades.values())
        told = ", ".join(f"{counts[grade]} {grade}" for grade in GRADES if counts[grade])
        return f"It {'comes' if self.holds else 'does not come'} out the same: {told}."


def verify(folder: Path, root: Path, progress: Progress, engine: str) -> Verified:
    """Make a run again in an empty store, from its `run.json` alone, and grade what it published.

    `folder` is a run's, or a `public/` that came without one: then its tables and figures are made
    again from its estimates, and the private inputs that are missing are named. InputError where
    it is neither, StepFailed where a step stops.
    """
    if (folder / RUN_JSON).exists():
        return _verify_run(folder, root, progress, engine)
    public = folder / "public" if (folder / "public").is_dir() else folder
    if not (public / ESTIMATES).exists() or not (public / CRATE).exists():
        raise InputError(
            f"{folder} holds neither {RUN_JSON} nor {ESTIMATES} with {CRATE}: name a run, or a "
            "folder that was published."
        )
    return _verify_public(public, root, progress, engine)


def _verify_run(folder: Path, root: Path, progress: Progress, engine: str) -> Verified:
    record = read_record(folder / RUN_JSON)
    if record["refused"]:
        raise InputError(f"{folder.name} has no public folder, since the gate refused it.")
    parameters = as_model(record["parameters"], Parameters, f"{folder.name}/{RUN_JSON}")
    missing, notes = [], []
    for one in record["inputs"]:
        path = root / one["path"]
        if not path.is_file():
            missing.append(one["path"])
        elif file_digest(path) != one["sha256"]:
            notes.append(f"{one['path']} is not what it was at the run.")
    if missing:
        raise InputError(f"{', '.join(missing)}: not there; put back what the run was made from.")
    known = {one["path"] for one in record["inputs"]}
    exports = [relative(path, root) for path in export_files(parameters, root)]
    notes += [
        f"{path} is read now, and was not at the run." for path in exports if path not in known
    ]
    now = versions()
    notes += [
        f"{name} was {number} at the run and is {now.get(name, 'absent')} now."
        for name, number in record["versions"].items()
        if now.get(name) != number
    ]
    with _empty() as outputs, _key(record), Runner(root, outputs, progress, engine) as runner:
        runner.warm(parameters)
        made = runner.run(parameters)
        if made.refusals:
            notes.append(f"The gate refuses it now: {made.refusals[0]}")
        return Verified(_graded(folder / "public", made.folder / "public"), tuple(notes))


def _verify_public(public: Path, root: Path, progress: Progress, engine: str) -> Verified:
    from upr_analysis.workspace import check_columns, read_estimates, write_csv

    notes = [
        "Tables and figures are made again from tables/estimates.csv; the other files are held to "
        "the digests of the crate that came with them. To make them again takes what is not there: "
        f"{_private(public)}."
    ]
    with _empty() as outputs, Runner(root, outputs, progress, engine) as runner:
        made = outputs / "made"
        try:
            estimates = read_estimates(public / ESTIMATES)
            check_columns(estimates)
        except (ValueError, KeyError) as error:
            raise InputError(f"{public / ESTIMATES} is damaged: take it as published.") from error
        (made / "tables").mkdir(parents=True)
        write_csv(estimates, made / ESTIMATES)
        for table, rows in estimates.groupby("table", sort=False):
            write_csv(rows, made / "tables" / f"04_{table}.csv")
        work = outputs / "work"
        values = _injected(public / "notebooks" / f"{STEPS[-1]}.ipynb")
        _draw(runner, values, work, public)
        shutil.copytree(work / STEPS[-1] / "public", made, dirs_exist_ok=True)
        grades = _graded(public, made)
    grades |= _as_the_crate_says(public, not_made={n for n in grades if grades[n] == "unexpected"})
    return Verified(dict(sorted(grades.items())), tuple(notes))


def _as_the_crate_says(public: Path, not_made: set[str]) -> dict[str, str]:
    """Return the grades of what is not made again, and of all that the crate has otherwise."""
    crate = json.loads((public / CRATE).read_text(encoding="utf-8"))
    said = {one["@id"]: one["sha256"] for one in crate["@graph"] if "sha256" in one}
    files = {name: digest for name, digest in said.items() if not name.startswith("#")}
    now = digests_of(public)
    grades = dict.fromkeys({ESTIMATES, CRATE, *(not_made & files.keys())}, "not made")
    for name, digest in files.items():
        if now.get(name) != digest:
            grades[name] = "different" if name in now else "missing"
    return grades


def _draw(runner: Runner, values: dict[str, Any], work: Path, public: Path) -> None:
    """Run the last step on published estimates."""
    step = STEPS[-1]
    with (public / ESTIMATES).open(encoding="utf-8", newline="") as stream:
        source = next(csv.DictReader(stream))["source"]
    for name, text in ((SOURCE, json.dumps({"source": source})), (TICKET, "{}")):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text, encoding="utf-8")
    target = work / "04_cross_tabs" / "public" / ESTIMATES
    target.parent.mkdir(parents=True)
    shutil.copyfile(public / ESTIMATES, target)
    (work / step / "private").mkdir(parents=True)
    if wrong := runner.execute(step, values, work, lambda number: None):
        raise StepFailed(wrong)


def _injected(notebook: Path) -> dict[str, Any]:
    """Return the parameters that a published notebook was run with."""
    for cell in notebook_cells(notebook):
        if INJECTED in cell["metadata"].get("tags", []):
            return literals(cell["source"], notebook.name)
    raise InputError(f"{notebook} has no cell of injected parameters: take it as published.")


def _private(public: Path) -> str:
    """Return what a crate says was read but is not published, in words."""
    crate = json.loads((public / CRATE).read_text(encoding="utf-8"))
    names = [
        one.get("name", one["@id"])
        for one in crate["@graph"]
        if str(one["@id"]).startswith(("#input-", "#private-"))
    ]
    return ", ".join(sorted(map(str, names))) or "the private inputs"


@contextmanager
def _empty() -> Iterator[Path]:
    """Yield a folder for an empty store that only its owner reads, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="upr-verify-") as folder:
        yield Path(folder)


@contextmanager
def _key(record: dict[str, Any]) -> Iterator[None]:
    """Have the crate keyed as the run's was."""
    before = os.environ.get(KEY_VARIABLE)
    if key := record.get("provenance_key"):
        os.environ[KEY_VARIABLE] = key
    try:
        yield
    finally:
        os.environ.pop(KEY_VARIABLE, None)
        if before is not None:
            os.environ[KEY_VARIABLE] = before


def _graded(before: Path, after: Path) -> dict[str, str]:
    old, new = digests_of(before), digests_of(after)
    grades = dict.fromkeys(new.keys() - old.keys(), "missing")
    for name, digest in old.items():
        if name not in new:
            grades[name] = "unexpected"
        elif new[name] == digest:
            grades[name] = "identical"
        else:
            same = equal_numbers(before / name, after / name)
            grades[name] = "equal" if same else "different"
    return dict(sorted(grades.items()))


def equal_numbers(one: Path, other: Path) -> bool:
    """Whether two files of a kind say the same: the same words, numbers no further than CLOSE.

    Pictures of points by their points; pages by what stands on them, drawings by their numbers.
    """
    if one.suffix == ".png":
        import numpy as np
        from PIL import Image

        with Image.open(one) as first, Image.open(other) as second:
            return np.array_equal(np.asarray(first), np.asarray(second))
    parts = [_words_and_numbers(path) for path in (one, other)]
    (words, numbers), (other_words, other_numbers) = parts
    return words == other_words and all(
        math.isclose(a, b, rel_tol=CLOSE) for a, b in zip(numbers, other_numbers, strict=True)
    )


def _attributes(tag: re.Match[str]) -> str:
    """Return what of a tag a reader sees or can follow."""
    return " ".join(re.findall(r'(?:src|alt|href|title)="([^"]*)"', tag[0]))


def _words_and_numbers(path: Path) -> tuple[list[str], list[float]]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        text = re.sub(r"<style.*?</style>|<[^>]*>", _attributes, text, flags=re.DOTALL)
    if path.name == CRATE:  # its digests follow from the files, graded each
        text = re.sub(r'"(sha256|contentSize|identifier)": "[^"]*"', "", text)
    if path.suffix == ".csv":
        rows = csv.reader(io.StringIO(text))
        text = "\n".join("\t".join(row) for row in rows)
    return NUMBER.split(text), [float(number) for number in NUMBER.findall(text)]
