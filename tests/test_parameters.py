import json
import os

import pytest
from conftest import ROOT

from upr_analysis.parameters import (
    Parameters,
    cell_defaults,
    export_files,
    parameter_cell,
    parameter_cell_problems,
    read_parameters,
    schema,
    unused_name,
)
from upr_analysis.problems import InputError
from upr_analysis.steps import BY_HAND, STEPS, notebooks


def write(tmp_path, text):
    path = tmp_path / "my-run.yml"
    required = "consultation: upr-2021\ndate: '2021-11-30'\n"
    path.write_text(text + required, encoding="utf-8")
    return path


def test_name_is_the_files_stem_and_defaults_hold(tmp_path):
    parameters = read_parameters(write(tmp_path, "seed: 7\n"))
    assert (parameters.name, parameters.seed, parameters.minimum_cell) == ("my-run", 7, 5)


def test_what_a_params_file_must_say_is_said_to_be_missing(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("seed: 1\n")
    with pytest.raises(InputError, match=r"lacks 'consultation' \(folder of data/") as raised:
        read_parameters(path)
    assert len(raised.value.problems) == 2


def test_text_is_taken_as_it_is_on_the_command_line(tmp_path):
    path = write(tmp_path, "")
    found = read_parameters(path, ("reason=why: because", "name=2024"))
    assert (found.reason, found.name) == ("why: because", "2024")


def test_yaml_is_1_2_so_that_no_is_a_word(tmp_path):
    assert read_parameters(write(tmp_path, "reason: NO\n")).reason == "NO"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("minimum_cel: 5\n", "'minimum_cel', which nothing declares; did you mean 'minimum_cell'"),
        ("seed: many\n", "seed: .*not 'many'"),
        ("seed: 2.5\n", "seed: .*not 2.5"),
        ("deduplicate: 1\n", "deduplicate: .*not 1"),
        ("seed: -1\n", "seed: .*greater than or equal to 0"),
        ("name: My Run\n", "name: .*not 'My Run'"),
        ("seed: 1\nseed: 2\n", "line 2.*not valid YAML: found duplicate key"),
        ("group_by: region\n", "group_by: .*not 'region'"),
        ("a: [1\n", "line [23].*not valid YAML"),
    ],
)  # fmt: skip
def test_bad_parameters_are_named_with_the_next_step(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_parameters(write(tmp_path, text))


def test_all_problems_are_said_at_once(tmp_path):
    with pytest.raises(InputError) as raised:
        read_parameters(write(tmp_path, "seed: x\nminimun_cell: 5\n"))
    assert len(raised.value.problems) == 2


def test_set_overrides_the_file_and_knows_its_names(tmp_path):
    path = write(tmp_path, "seed: 7\n")
    assert read_parameters(path, ("seed=8", "group_by=[region]")).group_by == ("region",)
    with pytest.raises(InputError, match="did you mean 'seed'"):
        read_parameters(path, ("sed=8",))
    with pytest.raises(InputError, match="is not name=value"):
        read_parameters(path, ("seed",))


def test_committed_schema_is_the_models():
    if os.environ.get("UPR_UPDATE_EXPECTED"):
        text = json.dumps(schema(), indent=2) + "\n"
        (ROOT / "params" / "schema.json").write_text(text, encoding="utf-8")
    committed = json.loads((ROOT / "params" / "schema.json").read_text(encoding="utf-8"))
    assert committed == schema()
    assert committed["additionalProperties"] is False
    assert all({"description", "default"} <= set(one) for one in committed["properties"].values())


@pytest.mark.parametrize("step", STEPS)
def test_parameter_cell_is_what_the_model_says(step):
    path = notebooks(ROOT)[step]
    names = [name for name in cell_defaults(path) if name != "work"]
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    source = next("".join(cell["source"]) for cell in cells if cell["metadata"].get("tags"))
    assert source == parameter_cell(names, BY_HAND)


def test_notebooks_and_model_declare_the_same_names():
    assert parameter_cell_problems(notebooks(ROOT)) == []


def test_a_name_that_only_a_notebook_declares_is_an_error(tmp_path):
    text = (ROOT / "notebooks" / "01_ingest.ipynb").read_text(encoding="utf-8")
    (tmp_path / "01_ingest.ipynb").write_text(text.replace("seed: int", "sead: int"))
    problems = parameter_cell_problems({"01_ingest": tmp_path / "01_ingest.ipynb"})
    assert "declares 'sead', which no parameter is called; did you mean 'seed'" in problems[0]
    assert any("'seed' is declared by no notebook" in problem for problem in problems)


def test_export_may_be_a_pattern_and_names_the_shared_folder(tmp_path, monkeypatch):
    (tmp_path / "b.csv").touch()
    (tmp_path / "a.csv").touch()
    monkeypatch.setenv("UPR_SHARED", str(tmp_path))
    files = export_files(Parameters(export="${UPR_SHARED}/*.csv"), tmp_path)
    assert [path.name for path in files] == ["a.csv", "b.csv"]
    with pytest.raises(InputError, match=r"export: gone\.csv is not there"):
        export_files(Parameters(export="gone.csv"), tmp_path)


def test_a_free_name_is_suggested():
    assert unused_name("upr-2021", {"upr-2021", "upr-2"}) == "upr-3"
    assert unused_name("run", {"run"}) == "run-2"
