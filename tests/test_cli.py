"""A user's mistake is one clear message, exit 2, and nothing written."""

import json
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT

from upr_analysis.steps import STEPS


def upr(project, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "upr_analysis", *map(str, arguments)],
        capture_output=True, text=True, cwd=project, env=os.environ | {"COLUMNS": "200"},
        check=False,
    )  # fmt: skip


def refuse(project, *arguments):
    """Run and return stderr of a run that must end in 2 and leave no outputs."""
    done = upr(project, "run", "params/upr-2021.yml", *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert not (project / "outputs").exists()
    return done.stderr


EXPORT = ROOT / "data" / "upr-2021" / "export.csv"


def spoiled_export(tmp_path, spoil):
    path = tmp_path / "spoiled.csv"
    path.write_bytes(spoil(EXPORT.read_bytes()))
    return f"export={path}"


def cut_to_header(content):
    return b"\n".join(content.split(b"\n")[:2]) + b"\n"


def repeat_a_row(content):
    lines = content.rstrip().split(b"\r\n")
    return b"\r\n".join([*lines, lines[2]]) + b"\r\n"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: b"", "spoiled.csv is empty"),
        (cut_to_header, "spoiled.csv holds a header and no answers"),
        (lambda content: content.decode("utf-8-sig").encode("cp1252", "replace"),
         "spoiled.csv is not utf-8 (byte"),
        (lambda content: content.split(b"\r\n", 2)[2],
         "has not the two header rows of SurveyMonkey"),
        (lambda content: content.split(b"\r\n", 1)[0] + b"\r\n" + content.split(b"\r\n", 2)[2],
         "has not the two header rows of SurveyMonkey"),
        (lambda content: content.replace(b"Respondent ID", b"Respondent Key", 1),
         "spoiled.csv has no column 'Respondent ID' for respondent_id"),
        (lambda content: content.replace(b"Collector ID", b"Shoe size", 1),
         "column 2 ('Shoe size') is no question of questionnaire.yml"),
        (lambda content: content.replace(b",Yes,", b",Perhaps,", 1),
         "is no declared option, and there is no 'other'"),
        (repeat_a_row, "have the same respondent id"),
        (lambda content: content[: len(content) // 2], "spoiled.csv: row"),
    ],
    ids=["empty", "header-only", "encoding", "no-header", "one-header", "lost-column",
         "unknown-column", "unknown-option", "repeated-id", "cut-off"],
)  # fmt: skip
def test_bad_export_is_named(project, tmp_path, spoil, message):
    stderr = refuse(project, "--set", spoiled_export(tmp_path, spoil))
    assert message in stderr
    assert "@" not in stderr
    assert "192.0.2" not in stderr


def test_outputs_that_cannot_be_written_are_one_line(project, tmp_path):
    file = tmp_path / "file"
    file.touch()
    done = upr(project, "run", "params/upr-2021.yml", "--outputs", file)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert (
        "the project itself" in upr(project, "run", "params/upr-2021.yml", "--outputs", ".").stderr
    )


def test_missing_files_are_named(project):
    assert "export: gone.csv is not there" in refuse(project, "--set", "export=gone.csv")
    done = upr(project, "run", "params/gone.yml")
    assert done.returncode == 2
    assert "params/gone.yml is not there" in done.stderr


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("minimum_cel=5", "'minimum_cel', which nothing declares; did you mean 'minimum_cell'"),
        ("seed=many", "seed: Input should be a valid integer, not 'many'"),
        ("group_by=[regoin]", "No grouping is called 'regoin'"),
        ("minimum_cell=1", "minimum_cell is 1, too low to protect anyone: set 3 or more"),
        ("min_width=0", "min_width is 0, too low to protect anyone"),
        ("figures=[Q99]", "figures: 'Q99' is no closed question"),
        ("group_by=[region, region]", "names a grouping twice"),
        ("date=2021-99-99", "date: month must be in 1..12"),
        (
            "consultation=upr-2012",
            "data/upr-2012 is not there: correct 'consultation'",
        ),
    ],
)
def test_bad_parameters_are_named(project, assignment, message):
    assert message in refuse(project, "--set", assignment)


def test_all_that_is_wrong_with_parameters_is_said_at_once(project):
    done = upr(project, "check", "params/upr-2021.yml", "--set", "minimum_cel=10",
               "--set", "language=xx", "--set", "seed=abc", "--set", "nothing")  # fmt: skip
    assert done.returncode == 2
    for said in ("minimum_cel", "language", "seed", "'nothing' is not name=value"):
        assert said in done.stderr


def test_bad_codebook_pattern_is_named_with_its_code(project):
    path = project / "data" / "upr-2021" / "codebook.yml"
    good = path.read_text(encoding="utf-8")
    try:
        first = good.index("patterns:")
        start = good.index("[", first) + 1
        path.write_text(good[:start] + '"(unclosed", ' + good[start:], encoding="utf-8")
        assert "the pattern '(unclosed' is not words" in refuse(project)
    finally:
        path.write_text(good, encoding="utf-8")


def test_a_region_that_does_not_exist_is_named(project):
    path = project / "data" / "upr-2021" / "questionnaire.yml"
    good = path.read_text(encoding="utf-8")
    try:
        path.write_text(good.replace("of: [asia_pacific]", "of: [asia_pasific]", 1), "utf-8")
        assert "names 'asia_pasific', which un_group does not have; did you mean" in refuse(project)
    finally:
        path.write_text(good, encoding="utf-8")


def test_check_says_all_problems_at_once_and_runs_nothing(project, tmp_path):
    both = ("--set", "export=gone.csv", "--set", "group_by=[regoin]")
    done = upr(project, "check", "params/upr-2021.yml", *both)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 2
    good = upr(project, "check", "params/upr-2021.yml")
    assert good.returncode == 0
    assert "nothing wrong; 128 responses" in good.stdout


def test_a_failed_step_names_notebook_cell_error_and_command(project, tmp_path):
    path = project / "notebooks" / "03_thematic_coding.ipynb"
    good = path.read_text(encoding="utf-8")
    notebook = json.loads(good)
    cell = next(c for c in notebook["cells"] if "code_everything(open" in "".join(c["source"]))
    cell["source"] = ["raise ValueError('the cause')"]
    try:
        path.write_text(json.dumps(notebook), encoding="utf-8")
        done = upr(project, "run", "params/upr-2021.yml", "--outputs", tmp_path)
    finally:
        path.write_text(good, encoding="utf-8")
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["01_ingest\trun", "02_clean\trun"]
    assert "notebooks/03_thematic_coding.ipynb stopped in cell" in done.stderr
    assert "ValueError: the cause" in done.stderr
    assert "upr debug 03_thematic_coding --run upr-2021" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs" / "upr-2021").exists()
    again = upr(project, "run", "params/upr-2021.yml", "--outputs", tmp_path)
    assert again.returncode == 0, again.stderr
    assert [line.split("\t")[1] for line in again.stdout.splitlines()[:5]] == [
        "reused", "reused", "run", "run", "run",
    ]  # fmt: skip


def test_help_and_parameters_are_quick_to_reach(project):
    for arguments in (["--help"], ["run", "--help"], ["--version"]):
        assert upr(project, *arguments).returncode == 0
    listed = upr(project, "parameters").stdout
    assert "minimum_cell" in listed
    assert "fewest respondents in a published cell" in listed


def test_a_run_with_nothing_to_do_imports_nothing_heavy(tiny, tiny_upr, tmp_path):
    assert tiny_upr("run", "params/tiny.yml", "--outputs", tmp_path).returncode == 0
    code = (
        "import sys; from upr_analysis.cli import main\n"
        f"sys.argv = ['upr', 'run', 'params/tiny.yml', '--outputs', {str(tmp_path)!r}]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(sorted({'pandas', 'numpy', 'nbformat', 'papermill', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tiny, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[:5] == [f"{step}\treused" for step in STEPS]
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_step_that_runs_again_says_why(tiny_upr, tmp_path):
    run = ("run", "params/tiny.yml", "--outputs", tmp_path)
    assert "ran again" not in tiny_upr(*run).stderr
    again = tiny_upr(*run, "--replace", "--set", "minimum_answers=2")
    why = "02_clean ran again: `minimum_answers` 1 to 2; what it wrote is the same"
    assert again.stderr.splitlines()[0] == why
    assert "03_thematic_coding" not in again.stderr
    assert "03_thematic_coding\treused" in again.stdout


def test_a_change_of_prose_makes_the_page_again_and_runs_no_step(tiny, tiny_upr, tmp_path):
    run = ("run", "params/tiny.yml", "--outputs", tmp_path)
    assert tiny_upr(*run).returncode == 0
    notebook = tiny / "notebooks" / "02_clean.ipynb"
    good = notebook.read_text(encoding="utf-8")
    content = json.loads(good)
    content["cells"][0]["source"] = "# Clean: what a sceptical reader asked for"
    notebook.write_text(json.dumps(content), encoding="utf-8")
    again = tiny_upr(*run)
    notebook.write_text(good, encoding="utf-8")
    assert again.stdout.splitlines()[:5] == [f"{step}\treused" for step in STEPS]
    assert "No step ran again; the pages were made anew." in again.stderr
    page = tmp_path / "runs" / "tiny" / "public" / "appendix" / "02_clean.html"
    assert "what a sceptical reader asked for" in page.read_text(encoding="utf-8")


HIDDEN = "(what it says is not shown here"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("float('Fatima of ' + 'Example Street')", f"ValueError {HIDDEN}"),
        ("raise ValueError('seen ' + repr(coded.codings))", f"ValueError {HIDDEN}"),
        ("import ast\nast.literal_eval('Fatima ' + 'of')", f"SyntaxError {HIDDEN}"),
        ("impot pandas", "SyntaxError: invalid syntax"),
        ("raise ValueError('the cause')", "ValueError: the cause"),
        ("step.write('codings', coded.codings.drop(columns='code'))", "missing columns ['code']"),
    ],
)
def test_of_an_error_no_more_is_shown_than_stands_in_the_code(tiny, tiny_upr, tmp_path, code, said):
    notebook = tiny / "notebooks" / "03_thematic_coding.ipynb"
    good = notebook.read_text(encoding="utf-8")
    content = json.loads(good)
    content["cells"][-1]["source"] = code
    notebook.write_text(json.dumps(content), encoding="utf-8")
    failed = tiny_upr("run", "params/tiny.yml", "--outputs", tmp_path)
    notebook.write_text(good, encoding="utf-8")
    assert failed.returncode == 1
    assert "stopped in cell" in failed.stderr
    assert said in failed.stderr
    assert not re.search("Fatima|respondent|Empty", failed.stderr + failed.stdout)


def test_what_is_changed_while_a_step_reads_it_is_not_kept(tiny, tiny_upr, tmp_path):
    notebook, export = tiny / "notebooks" / "01_ingest.ipynb", tiny / "data" / "tiny" / "export.csv"
    good, answers = notebook.read_text(encoding="utf-8"), export.read_text()
    content = json.loads(good)
    change = "open('data/tiny/export.csv', 'a').write('Yes,Index\\n')\n"
    content["cells"][1]["source"] = "".join(content["cells"][1]["source"])
    content["cells"][2]["source"] = change + "".join(content["cells"][2]["source"])
    notebook.write_text(json.dumps(content), encoding="utf-8")
    changed = tiny_upr("run", "params/tiny.yml", "--outputs", tmp_path)
    notebook.write_text(good, encoding="utf-8")
    export.write_text(answers)
    assert changed.returncode == 1
    assert "What 01_ingest reads was changed while it ran: start again" in changed.stderr
    assert list((tmp_path / "store").iterdir()) == []
    assert not (tmp_path / "runs" / "tiny").exists()


@pytest.mark.parametrize("engine", ["fork", "papermill"])
def test_kernels_take_no_startup_file_along(tiny_upr, tmp_path, engine):
    startup, mark = tmp_path / "startup.py", tmp_path / "was-run"
    startup.write_text(f"open({str(mark)!r}, 'w').close()\n")
    done = tiny_upr("run", "params/tiny.yml", "--outputs", tmp_path / "o", "--engine", engine,
                    PYTHONSTARTUP=str(startup))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not mark.exists()
