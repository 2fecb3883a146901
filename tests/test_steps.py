"""What a step's results depend on: each change re-runs what it can change, and nothing else."""

import json

import pytest
from conftest import ROOT

from upr_analysis import steps
from upr_analysis.parameters import Parameters
from upr_analysis.steps import INPUTS, STEPS, WRITES, dependencies, fingerprint, key_of, modules_of
from upr_analysis.workspace import TABLES

PARAMETERS = Parameters()
INGEST = STEPS[0]


def key(root, step=INGEST, parameters=PARAMETERS, inputs=None):
    notebook = root / "notebooks" / f"{step}.ipynb"
    return key_of(step, dependencies(step, notebook, parameters, root, inputs or {}))


def edited(root, step, kind, change):
    """Change the last cell of a kind in a step's notebook; returns how to undo it."""
    path = root / "notebooks" / f"{step}.ipynb"
    before = path.read_text(encoding="utf-8")
    notebook = json.loads(before)
    cell = [cell for cell in notebook["cells"] if cell["cell_type"] == kind][-1]
    cell["source"] = "".join(cell["source"]) + change
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return lambda: path.write_text(before, encoding="utf-8")


def test_prose_changes_no_key_and_code_does(project):
    before, mark = key(project), fingerprint(PARAMETERS, project)
    undo = edited(project, INGEST, "markdown", "\n\nMore prose.")
    assert key(project) == before
    assert fingerprint(PARAMETERS, project) != mark  # the page is made again
    undo()
    undo = edited(project, INGEST, "code", "\n1 + 1")
    assert key(project) != before
    undo()
    assert (key(project), fingerprint(PARAMETERS, project)) == (before, mark)


def test_only_own_parameters_and_inputs_count(project):
    other = PARAMETERS.model_copy(update={"minimum_cell": 7, "name": "x", "reason": "y"})
    assert key(project, parameters=other) == key(project)
    assert key(project, "04_cross_tabs", other) != key(project, "04_cross_tabs")
    assert key(project, "05_figures", inputs={"a": "1"}) != key(project, "05_figures")


def test_a_file_of_the_consultation_counts_for_the_steps_that_read_it(project):
    path = project / "data" / "upr-2021" / "places.yml"
    before = path.read_text(encoding="utf-8") if path.exists() else None
    keys = {step: key(project, step) for step in STEPS}
    path.write_text((before or "") + "\n# looked at\n", encoding="utf-8")
    changed = {step for step in STEPS if key(project, step) != keys[step]}
    path.write_text(before, encoding="utf-8") if before is not None else path.unlink()
    assert changed == {"02_clean"}


def test_modules_are_followed_through_their_imports():
    found = modules_of("from upr_analysis.figures import draw_everything")
    assert {"figures", "tables", "sentences", "labels", "words"} <= set(found)
    assert not {"pipeline", "gate", "publication", "cli", "coding", "steps"} & set(found)


def test_a_comment_in_a_module_is_no_change(tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "PACKAGE", tmp_path)
    source = "from upr_analysis.one import x"
    digests = []
    for text in ("x = 1\n", "# why\nx = 1\n", "x = 2\n"):
        (tmp_path / "one.py").write_text(text)
        digests.append(modules_of(source)["one"])
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_reads_is_what_an_earlier_one_writes(step):
    written = {
        f"{table.step}/private/{name}.parquet": table.step for name, table in TABLES.items()
    } | {f"{one}/{name}": one for one in WRITES for name, needed in WRITES[one].items() if needed}
    for name in INPUTS[step]:
        assert STEPS.index(written[name]) < STEPS.index(step)


@pytest.mark.parametrize("step", STEPS)
def test_versions_of_what_computes_count_and_of_what_runs_do_not(step):
    notebook = ROOT / "notebooks" / f"{step}.ipynb"
    found = dependencies(step, notebook, PARAMETERS, ROOT, {})["versions"]
    assert {"python", "pandas", "scipy"} <= set(found)
    assert not {"papermill", "nbconvert", "ipykernel"} & set(found)


@pytest.mark.parametrize(
    "source",
    [
        "from upr_analysis import (\n    tables,\n)",
        "from upr_analysis import tables as t",
        "import pandas, upr_analysis.tables",
        "if True:\n    from upr_analysis.tables import shares",
        "%matplotlib inline\nfrom upr_analysis.tables import shares",
        "files = !ls\nfrom upr_analysis import tables",
    ],
)
def test_however_it_is_imported_a_module_counts(source):
    assert "tables" in modules_of(source)


def test_a_cell_that_is_no_python_is_left_to_the_notebook():
    assert modules_of("impot pandas") == {}
