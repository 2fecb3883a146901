"""What stands in an outputs folder, what goes, and a step laid out for a person."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def outputs(tiny_upr, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    for name in ("one", "two"):
        done = tiny_upr("run", "params/tiny.yml", "--outputs", folder, "--set", f"name={name}",
                        "--set", f"seed={len(name) + (name == 'two')}")  # fmt: skip
        assert done.returncode == 0, done.stderr
    return folder


def test_status_tells_what_is_current(outputs, tiny, tiny_upr):
    assert tiny_upr("status", "--outputs", outputs).stdout.count("current") == 2
    params = tiny / "data" / "tiny" / "questionnaire.yml"
    before = params.read_text()
    params.write_text(before + "\n# looked at\n")
    changed = tiny_upr("status", "--outputs", outputs).stdout
    params.write_text(before)
    assert changed.count("something changed since") == 2


def test_gc_removes_what_no_run_uses_and_nothing_else(outputs, tiny_upr, tmp_path):
    used = {
        step["key"]
        for name in ("one", "two")
        for step in json.loads((outputs / "runs" / name / "run.json").read_text())["steps"]
    }
    stray = outputs / "store" / "0123"
    stray.mkdir()
    (stray / "half.parquet").write_bytes(b"x" * 2_000_000)
    dry = tiny_upr("gc", "--dry-run", "--outputs", outputs)
    assert "2.0 MB\tstore/0123" in dry.stdout
    assert stray.exists()
    done = tiny_upr("gc", "--outputs", outputs)
    assert "2.0 MB freed" in done.stdout
    assert {path.name for path in (outputs / "store").iterdir()} == used
    again = tiny_upr("run", "params/tiny.yml", "--outputs", outputs, "--set", "name=one",
                     "--set", "seed=3", "--set", "reason=again")  # fmt: skip
    assert [line.split("\t")[1] for line in again.stdout.splitlines()[:5]] == ["reused"] * 5


def test_status_tells_what_is_going_on_and_what_stopped(outputs, tiny_upr):
    from filelock import FileLock

    attempts = [outputs / "staging" / f"{name}.attempt.json" for name in ("one", "new")]
    for path in attempts:
        path.write_text("{}")
    with FileLock(outputs / "staging" / "new.run.lock"):
        lines = tiny_upr("status", "--outputs", outputs).stdout.splitlines()
    assert next(line for line in lines if line.startswith("new")).split()[1:3] == ["going", "on"]
    (one,) = [line for line in lines if line.startswith("one")]
    assert "current; a later start stopped before it was whole" in one
    compared = tiny_upr("compare", "new", "two", "--outputs", outputs)
    assert compared.returncode == 2
    assert "'new' stopped before it was whole, or is going on" in compared.stderr
    for path in attempts:
        path.unlink()


def test_gc_waits_for_a_run(outputs, tiny_upr):
    from filelock import FileLock

    with FileLock(outputs / "staging" / "one.run.lock"):
        done = tiny_upr("gc", "--outputs", outputs)
    assert done.returncode == 2
    assert "'one' is going on" in done.stderr


def test_a_step_is_laid_out_with_its_inputs_and_values(outputs, tiny_upr, tmp_path):
    done = tiny_upr("debug", "04_cross_tabs", "--run", "two", "--outputs", outputs)
    notebook = Path(done.stdout.splitlines()[0])
    cells = json.loads(notebook.read_text())["cells"]
    injected = [c for c in cells if "injected-parameters" in c["metadata"].get("tags", [])]
    assert "seed = 4" in "".join(injected[0]["source"])
    run = outputs / "runs" / "two" / "run.json"
    before = run.read_bytes()
    executed = subprocess.run(
        [Path(sys.executable).parent / "papermill", "--no-progress-bar", notebook,
         tmp_path / "out.ipynb"], cwd=notebook.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert executed.returncode == 0, executed.stderr
    assert (notebook.parent / "04_cross_tabs" / "public" / "tables" / "estimates.csv").exists()
    assert "PRIVATE: run by hand" in (tmp_path / "out.ipynb").read_text()
    assert run.read_bytes() == before
    assert "of copies of answers" in tiny_upr("status", "--outputs", outputs).stdout
    second = tiny_upr("debug", "04_cross_tabs", "--run", "two", "--outputs", outputs)
    assert Path(second.stdout.splitlines()[0]).parent != notebook.parent
    assert tiny_upr("gc", "--outputs", outputs).returncode == 0
    assert notebook.exists()
    assert tiny_upr("gc", "--debug", "--outputs", outputs).returncode == 0
    assert list((outputs / "debug").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("04_cross_tab", "--run", "two"), "did you mean '04_cross_tabs'?"),
        (("04_cross_tabs", "--run", "twoo"), "did you mean 'two'?"),
    ],
)
def test_what_cannot_be_laid_out_is_said(outputs, tiny_upr, arguments, message):
    done = tiny_upr("debug", *arguments, "--outputs", outputs)
    assert done.returncode == 2
    assert message in done.stderr
