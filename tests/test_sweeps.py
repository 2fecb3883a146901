"""Sweeps: which runs a file makes, each step once, what fails alone, what is reused."""

import csv
import json
import subprocess
import sys

import pandas as pd
import pytest
from conftest import ROOT

from upr_analysis.problems import InputError
from upr_analysis.sweep_page import ranges
from upr_analysis.sweeps import read_sweep

SWEEP = """
base: params/tiny.yml
axes:
  minimum_cell: [5, 6, 7]
  seed: [1, 2]
exclude:
  - {minimum_cell: 6}
  - {minimum_cell: 7, seed: 2}
"""


@pytest.fixture
def sweep(tiny):
    """Write a sweep's file into the tiny project; returns its path, removed afterwards."""
    written = []

    def write(text, name="small"):
        written.append(tiny / "params" / "sweeps" / f"{name}.yml")
        written[-1].write_text(text)
        return written[-1]

    yield write
    for path in written:
        path.unlink(missing_ok=True)


def test_axes_are_multiplied_and_exclusions_rename_nothing(tiny, sweep):
    members = read_sweep(sweep(SWEEP), tiny)
    assert {one.parameters.name: one.values for one in members} == {
        "small--1": {"minimum_cell": 5, "seed": 1},
        "small--2": {"minimum_cell": 5, "seed": 2},
        "small--5": {"minimum_cell": 7, "seed": 1},
    }
    assert all(one.parameters.date == "2026-01-01" for one in members)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: params/tiny.yml\naxes: {minimum_cel: [5]}", "did you mean 'minimum_cell'?"),
        ("base: params/tiny.yml\naxes: {name: [a]}", "'name' is no axis"),
        ("base: params/tiny.yml\naxes: {seed: []}", "has no value"),
        ("base: params/tiny.yml\naxes: {seed: [1, 1]}", "has a value twice"),
        ("base: params/tiny.yml\naxes: {}", "has no axis"),
        ("base: params/tiny.yml\naxes: {seed: [x]}", "seed"),
        ("base: params/tiny.yml\naxes: {minimum_cell: [1]}", "too low to protect anyone"),
        ("base: params/tiny.yml\naxes: {seed: [1]}\nexclude: [{seed: 1}]", "no combination"),
        ("base: params/tiny.yml\naxes: {seed: [1]}\nexclude: [{seed: 2}]", "no combination is"),
        ("base: params/none.yml\naxes: {seed: [1]}", "none.yml is not there"),
        (f"base: params/tiny.yml\naxes: {{seed: {[*range(10_001)]}}}", "more than 10,000 runs"),
    ],
)
def test_what_is_wrong_with_a_sweep_is_said(tiny, sweep, text, message):
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        read_sweep(sweep(text), tiny)


def test_shared_steps_run_once_and_a_second_sweep_runs_nothing(tiny, tiny_upr, sweep, tmp_path):
    path = sweep(
        "base: params/tiny.yml\naxes: {minimum_cell: [5, 6], sample: [census, self_selected]}"
    )
    done = tiny_upr("sweep", path, "--outputs", tmp_path, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()[:-1]) == [f"small--{n}\tdone" for n in range(1, 5)]
    statuses = [
        step["status"]
        for path in sorted(tmp_path.glob("runs/*/run.json"))
        for step in json.loads(path.read_text())["steps"][:3]
    ]
    assert sorted(statuses) == ["reused"] * 9 + ["run"] * 3
    page = (tmp_path / "sweeps" / "small" / "index.html").read_text(encoding="utf-8")
    assert "PRIVATE" in page
    with (tmp_path / "sweeps" / "small" / "runs.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["minimum_cell"] for row in rows] == ["5", "5", "6", "6"]
    assert {row["source"] for row in rows} == {"real"}
    assert (tmp_path / "sweeps" / "small").stat().st_mode & 0o077 == 0
    again = tiny_upr("sweep", path, "--outputs", tmp_path, "--jobs", "2")
    assert sorted(again.stdout.splitlines()[:-1]) == [f"small--{n}\tunchanged" for n in range(1, 5)]
    other = sweep("base: params/tiny.yml\naxes: {minimum_cell: [8]}")
    taken = tiny_upr("sweep", other, "--outputs", tmp_path)
    assert taken.returncode == 2
    assert "small--1 stand with other parameters: use --replace" in taken.stderr


def test_a_run_that_fails_fails_alone_and_the_rest_is_reused_later(tiny, tiny_upr, sweep, tmp_path):
    path = sweep("base: params/tiny.yml\naxes: {minimum_cell: [5, 6]}")
    notebook = tiny / "notebooks" / "04_cross_tabs.ipynb"
    good = notebook.read_text(encoding="utf-8")
    content = json.loads(good)
    content["cells"][-1]["source"] = (
        "if minimum_cell == 6:\n    raise ValueError('six')\n"
        + "".join(content["cells"][-1]["source"])
    )
    notebook.write_text(json.dumps(content), encoding="utf-8")
    try:
        done = tiny_upr("sweep", path, "--outputs", tmp_path)
    finally:
        notebook.write_text(good, encoding="utf-8")
    assert done.returncode == 1
    assert {"small--1\tdone", "small--2\tfailed"} <= set(done.stdout.splitlines())
    assert "04_cross_tabs.ipynb stopped in cell" in done.stderr
    assert "ValueError: six" in done.stderr
    assert (tmp_path / "runs" / "small--1" / "public").is_dir()
    assert not (tmp_path / "runs" / "small--2").exists()
    again = tiny_upr("sweep", path, "--outputs", tmp_path)
    assert again.returncode == 0
    steps = json.loads((tmp_path / "runs" / "small--2" / "run.json").read_text())["steps"]
    assert [step["status"] for step in steps[:3]] == ["reused"] * 3


def test_a_sweep_on_invented_data_says_so_in_each_table_and_row(tmp_path):
    folder = tmp_path / "sweeps" / "protection"
    done = subprocess.run(
        [sys.executable, "-m", "upr_analysis", "sweep", "params/sweeps/protection.yml",
         "--outputs", tmp_path], cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count("<caption") == page.count('class="mark"') == 3
    assert "Is the space for civil society to engage in the UPR adequate?" in page  # ordered
    for name in ("runs.csv", "estimates.csv"):
        with (folder / name).open(newline="", encoding="utf-8") as stream:
            assert {row["source"] for row in csv.DictReader(stream)} == {"invented"}


def test_ranges_are_over_the_runs_that_show_a_number():
    def frame(value):
        row = {"id": "Q.a", "question": "Q", "item": "a", "group_by": "", "group": ""}
        return pd.DataFrame([row | {"measure": "share", "value": value}])

    found = ranges({"x": frame(40.0), "y": frame(float("nan")), "z": frame(55.0)}).iloc[0]
    assert found[["runs", "shown", "lowest", "highest"]].tolist() == [3, 2, 40.0, 55.0]
    assert found[["lowest_run", "highest_run"]].tolist() == ["x", "z"]
