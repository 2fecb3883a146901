"""The notebooks as committed, and by hand: they read well, hold no output, and run alone."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from upr_analysis.steps import STEPS
from upr_analysis.workspace import TABLES, check_table

LONGEST_CELL = 20  # lines


def cells(step, kind="code"):
    notebook = json.loads((ROOT / "notebooks" / f"{step}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("step", STEPS)
def test_committed_notebooks_hold_no_output(step):
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells(step))


@pytest.mark.parametrize("step", STEPS)
def test_cells_are_short_and_define_nothing(step):
    for cell in cells(step):
        source = "".join(cell["source"])
        manual = "parameters" in cell["metadata"].get("tags", [])
        assert manual or source.count("\n") < LONGEST_CELL
        assert not re.search(r"^\s*(def|class|lambda) ", source, re.MULTILINE)
        assert not re.search(r"\.(head|tail|sample)\(", source)


@pytest.mark.parametrize("step", STEPS)
def test_prose_opens_with_a_question_and_holds_no_numbers(step):
    prose = ["".join(cell["source"]) for cell in cells(step, "markdown")]
    assert prose[0].startswith("# ")
    for part in ("**Question.**", "**Reads**", "**Writes**"):
        assert part in prose[0]
    assert not any(re.search(r"\d", text) for text in prose)


def test_by_hand_every_notebook_runs_under_papermill_and_nbconvert_and_says_private(project):
    for step in STEPS:
        target = project / f"{step}.out.ipynb"
        source = project / "notebooks" / f"{step}.ipynb"
        run(project, "papermill", "--no-progress-bar", source, target)
        html = run(project, "jupyter", "nbconvert", "--to", "html", target) and target.with_suffix(
            ".html"
        ).read_text(encoding="utf-8")
        assert "PRIVATE: run by hand, not checked for publication" in html
    work = project / "outputs" / "runs" / "by-hand"
    assert (work / "private" / "04_cross_tabs" / "public" / "tables" / "estimates.csv").is_file()
    assert not (work / "public").exists()


def run(project: Path, *arguments: object) -> bool:
    command = [str(Path(sys.executable).parent / str(arguments[0])), *map(str, arguments[1:])]
    done = subprocess.run(command, cwd=project / "notebooks", capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return True


def test_every_declared_table_says_what_its_columns_mean():
    for name, table in TABLES.items():
        assert table.step in STEPS, name
        assert all(table.columns.values()), name
        assert set(table.key) <= set(table.columns), name


def test_an_undeclared_column_and_a_repeated_key_are_errors():
    import pandas as pd

    frame = pd.DataFrame({"step": ["kept", "kept"], "respondents": [1, 2]})
    with pytest.raises(ValueError, match="repeats a key"):
        check_table("flow", frame)
    with pytest.raises(ValueError, match=r"undeclared columns .'mood'"):
        check_table("flow", frame.assign(mood=1))
    with pytest.raises(ValueError, match=r"missing columns .'respondents'"):
        check_table("flow", frame[["step"]])
