"""What is left of a run when something goes wrong: what is whole, and a word on what to do next."""

import json
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import CLOSED, ROOT

from upr_analysis.engines import Engine
from upr_analysis.nursery import ENVIRONMENT, Nursery, quiet_environment
from upr_analysis.pipeline import Runner
from upr_analysis.progress import Terminal
from upr_analysis.steps import STEPS
from upr_analysis.store import MANIFEST, Store, digests_of, read_entry

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and forks")
ANSWERS = ["Yes,Index"] * 40 + ["No,Letter"] * 30 + ['Yes,"Index, Letter"'] * 20
PARAMS = "consultation: small\ndate: '2026-01-01'\nminimum_answers: 1\ngroup_by: [agreed]\n"
CODING = STEPS[2]


class Project:
    """A small consultation in a folder of its own, whose notebooks may be spoiled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "t"
        self.outputs = folder / "outputs"
        data = folder / "data" / "small"
        for one in (self.temporary, data, folder / "params" / "sweeps"):
            one.mkdir(parents=True)
        shutil.copytree(ROOT / "notebooks", folder / "notebooks")
        (data / "questionnaire.yml").write_text(CLOSED)
        (data / "export.csv").write_text("\n".join(["Agreed,Tools", *ANSWERS]) + "\n")
        (folder / "params" / "small.yml").write_text(PARAMS)

    def start(self, *arguments: str, largest_file: int = -1) -> subprocess.Popen[str]:
        """Start `upr run` of it, or another command."""
        command = (
            arguments if arguments[:1] == ("sweep",) else ("run", "params/small.yml", *arguments)
        )

        def limit() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored by what a shell starts with &
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

        return subprocess.Popen(
            [sys.executable, "-m", "upr_analysis", *command],
            cwd=self.folder, env=os.environ | {"TMPDIR": str(self.temporary)},
            preexec_fn=limit,  # noqa: PLW1509  # no thread runs here
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str, **limits: int) -> tuple[int, str, str]:
        """Run it to its end; returns exit status, stdout and stderr."""
        return self.end_of(self.start(*arguments, **limits))

    def end_of(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        """Wait for the end, and see that it left no process, nothing half done and no traceback."""
        out, err = process.communicate(timeout=120)
        assert process.returncode is not None
        self.assert_nobody_is_left()
        self.assert_whole()
        assert "Traceback" not in err
        assert "Index" not in err, "a word of an answer"
        return process.returncode, out, err

    def run_beside(self, *arguments: str) -> tuple[int, str, str]:
        """Run it to its end while another goes on."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def assert_nobody_is_left(self, seconds: float = 3) -> None:
        """Check that no process started from here lives on."""
        end = time.monotonic() + seconds
        while left := [one.info["cmdline"] for one in started_with(self.temporary)]:
            assert time.monotonic() < end, left
            time.sleep(0.02)

    def assert_whole(self) -> None:
        """Check that what has a good name in outputs is whole, and what is private is private."""
        for entry in self.outputs.glob("store/*"):
            found = read_entry(entry)
            assert found is not None, entry
            assert digests_of(entry).keys() == {*found.files, MANIFEST}
            assert digests_of(entry).items() >= found.files.items()
        for run in self.outputs.glob("runs/*"):
            record = json.loads((run / "run.json").read_text())
            assert digests_of(run).items() >= record["files"].items()
            assert digests_of(run).keys() == {*record["files"], "run.json"}
        closed = [*self.outputs.glob("runs/*/private"), *self.outputs.glob("runs/*/run.json")]
        for path in [*closed, *self.outputs.glob("st*"), *self.temporary.glob("upr-*")]:
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path

    def public(self, name: str = "small") -> dict[str, bytes]:
        folder = self.outputs / "runs" / name / "public"
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    def spoil(self, step: str, source: str, at: int = -1, instead: bool = False) -> None:
        """Put a cell before the last of a step's notebook, which writes, or in its place."""
        path = self.folder / "notebooks" / f"{step}.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cell = {"cell_type": "code", "id": "spoiled", "metadata": {}, "source": source,
                "outputs": [], "execution_count": None}  # fmt: skip
        cells = notebook["cells"]
        at = at % len(cells) if at < 0 else at
        cells[at : at + instead] = [cell]
        path.write_text(json.dumps(notebook), encoding="utf-8")

    def mend(self, step: str) -> None:
        shutil.copy(ROOT / "notebooks" / f"{step}.ipynb", self.folder / "notebooks")


STOPPED = "Stopped. What is done is kept, and reused at the next start.\n"


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path / "p")
    yield made
    for one in started_with(made.temporary):
        one.kill()


def started_with(temporary: Path) -> list[psutil.Process]:
    """Return the processes whose temporary folder is that one: ours, and what they started."""
    found = psutil.process_iter(["cmdline", "environ"])
    return [one for one in found if (one.info["environ"] or {}).get("TMPDIR") == str(temporary)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return what an undisturbed run publishes, and its seconds."""
    project = Project(tmp_path_factory.mktemp("undisturbed") / "p")
    began = time.monotonic()
    status, _, err = project.run()
    assert status == 0, err
    assert list(project.temporary.iterdir()) == []
    return project.public(), time.monotonic() - began


def statuses(out: str) -> list[str]:
    return [line.split("\t")[1] for line in out.splitlines() if "\t" in line]


def test_killed_at_thirty_moments_it_comes_to_the_same_bytes(project, undisturbed):
    expected, seconds = undisturbed
    chance, kills = random.Random(30), 0
    came_through: list[dict[str, bytes]] = []
    while kills < 30:
        process = project.start("--quiet")
        try:
            process.wait(chance.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        status, _, err = project.end_of(process)
        assert (status, err) in ((-9, ""), (0, ""))
        if status == 0:
            came_through.append(project.public())
            shutil.rmtree(project.outputs)
    assert project.run()[0] == 0
    came_through.append(project.public())
    assert all(one == expected for one in came_through)
    assert [path.name for path in project.outputs.glob("staging/*") if path.suffix != ".lock"] == []


@pytest.mark.parametrize("limit", [100, 3_000, 9_000, 20_000, 40_000])
def test_full_disk_is_said_and_what_is_done_is_kept(project, undisturbed, limit):
    status, out, err = project.run(largest_file=limit)
    assert status == 1
    assert "full, or a limit was reached" in err
    assert "ake room and start again" in err
    assert len(err.strip().splitlines()) <= 2, err
    assert not list(project.outputs.glob("runs/*"))
    status, again, err = project.run()
    assert status == 0, err
    assert statuses(again)[: len(statuses(out))] == ["reused"] * len(statuses(out))
    assert project.public() == undisturbed[0]


def test_outputs_that_cannot_be_written_are_wrong_input(project):
    (project.folder / "file").write_text("mine")
    (project.folder / "half").mkdir()
    (project.folder / "half" / "store").write_text("mine")
    for outputs in ("file", "file/inside", "/proc/outputs", "half"):
        status, out, err = project.run("--outputs", outputs)
        assert (status, out) == (2, "")
        assert "cannot be written" in err
        assert "name another folder" in err
        assert len(err.splitlines()) == 1
    assert (project.folder / "half" / "store").read_text() == "mine"


def test_a_folder_that_cannot_be_read_is_named(project):
    assert project.run()[0] == 0
    (project.outputs / "staging" / "small.attempt.json").mkdir()  # where a file is to be written
    status, _, err = project.run("--set", "name=small", "--set", "seed=1", "--replace")
    assert status == 1
    assert "small.attempt.json cannot be read or written (Is a directory): mend that" in err


def test_a_damaged_record_is_wrong_input(project):
    assert project.run()[0] == 0
    (project.outputs / "runs" / "small" / "run.json").write_text("{")
    status, _, err = project.run_beside()
    assert status == 2
    assert err.endswith("run.json is damaged: put it back, or use --replace.\n")
    assert project.run("--replace")[0] == 0


def test_a_long_temporary_folder_holds_no_sockets(project):
    project.temporary = project.folder / ("t" * 80)
    project.temporary.mkdir()
    assert project.run()[0] == 0


def test_of_two_runs_of_one_name_the_second_is_refused(project, undisturbed):
    project.spoil(CODING, "import time; time.sleep(3)")
    first = project.start()
    assert first.stdout.readline() == "01_ingest\trun\n"
    status, _, err = project.run_beside("--set", "seed=1")
    assert status == 2
    assert err == "The run 'small' is going on elsewhere: wait until it is done.\n"
    status, _, err = project.end_of(first)
    assert status == 0, err
    assert project.public()["tables/estimates.csv"] == undisturbed[0]["tables/estimates.csv"]


def test_looking_for_results_removes_none(tmp_path):
    store = Store(tmp_path / "outputs")
    store.prepare(tmp_path)
    coming = store.entries / "key"
    coming.mkdir()
    assert store.find("key") is None
    assert coming.is_dir()
    results = store.staging / "step"
    results.mkdir()
    (results / "a").write_text("1")
    store.commit(results, "key", "step", {})
    assert Store(tmp_path / "outputs").find("key") is not None
    (coming / "a").write_text("2")
    assert Store(tmp_path / "outputs").find("key") is None


@pytest.mark.parametrize("engine", ["fork", "papermill"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_a_cell_it_ends_its_kernels_and_keeps_what_is_done(project, engine, number):
    project.spoil(CODING, "import time; time.sleep(60)")
    process = project.start("--engine", engine)
    for step in ("01_ingest", "02_clean"):
        line = process.stdout.readline()
        assert line == f"{step}\trun\n", process.stderr.read()
    time.sleep(1)
    process.send_signal(number)
    began = time.monotonic()
    status, _, err = project.end_of(process)
    assert time.monotonic() - began < 30  # it hangs, or it does not
    assert (status, err) == (130, STOPPED)
    assert list(project.temporary.iterdir()) == []
    project.mend(CODING)
    status, out, _ = project.run()
    assert status == 0
    assert statuses(out) == ["reused", "reused", "run", "run", "run"]


def test_interrupted_before_it_does_anything(project):
    process = project.start()
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    status, _, _ = project.end_of(process)
    assert status in (130, -signal.SIGINT)  # a shell says 130 for both
    assert list(project.temporary.iterdir()) == []


def test_an_interrupt_that_python_dropped_ends_the_run_at_its_next_step():
    code = """
import os, signal
from upr_analysis.interrupts import end_if_asked, listen
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
listen()
class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        sum(range(10_000))  # the exception falls into this destructor, which drops it
Last()
print("goes on", flush=True)
try:
    end_if_asked()
except KeyboardInterrupt:
    print("ends")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["goes", "on", "ends"]
    assert "Exception ignored" in done.stderr


@pytest.mark.parametrize("engine", ["fork", "papermill"])
@pytest.mark.parametrize("death", ["os.kill(os.getpid(), 9)", "os._exit(0)"])
def test_killed_kernel_is_said_and_the_next_start_goes_on(project, engine, death):
    project.spoil(CODING, f"import os; {death}")
    status, out, err = project.run("--engine", engine)
    assert (status, statuses(out)) == (1, ["run", "run"])
    assert "notebooks/03_thematic_coding.ipynb stopped: its kernel was ended from outside" in err
    assert "Make room and start again" in err
    assert len(err.splitlines()) == 2
    assert list(project.temporary.iterdir()) == []
    project.mend(CODING)
    status, out, _ = project.run()
    assert (status, statuses(out)) == (0, ["reused", "reused", "run", "run", "run"])


def test_killed_nursery_is_said(project):
    project.spoil(CODING, "import os, time; os.kill(os.getppid(), 9); time.sleep(60)")
    status, _, err = project.run("--engine", "fork")
    assert status == 1
    assert "start again" in err
    assert len(err.splitlines()) == 2


SPOILED = {
    "import sys; sys.exit(0)": "ended without writing private/codings.parquet",
    "import sys; sys.exit(3)": "stopped in cell 18: SystemExit",
    "int('Index, Letter')": "stopped in cell 18: ValueError (what it says is not shown here",
    "raise RuntimeError('too few')": "stopped in cell 18: RuntimeError: too few",
    "(step.work / step.name / 'private' / 'more.txt').write_text('x')": "wrote private/more.txt",
    "(step.work / step.name / 'public').mkdir(); "
    "(step.work / step.name / 'public' / 'x.csv').write_text('x')": "wrote public/x.csv",
}


@pytest.mark.parametrize("source", SPOILED)
def test_step_that_does_not_do_its_work_fails_and_is_not_kept(project, source):
    project.spoil(CODING, source)
    status, out, err = project.run()
    assert (status, statuses(out)) == (1, ["run", "run"])
    assert SPOILED[source] in err
    assert "To look at it: upr debug 03_thematic_coding --run small" in err
    assert len(err.splitlines()) == 2
    assert len(list(project.outputs.glob("store/*"))) == 2
    assert not list(project.outputs.glob("runs/*"))


def test_step_that_writes_nothing_fails(project):
    project.spoil(CODING, "step.summary", instead=True)
    status, _, err = project.run()
    assert status == 1
    tables = ("codings", "accounting", "agreement")
    named = ", ".join(f"private/{table}.parquet" for table in tables)
    assert f"ended without writing {named}." in err


def test_leaving_before_the_last_cell_fails(project):
    for source in ("import sys; sys.exit(0)", "step"):
        project.spoil(CODING, source, at=1_000)
    status, _, err = project.run()
    assert status == 1
    assert "notebooks/03_thematic_coding.ipynb ended before cell 20 ran." in err


def test_leaving_when_all_is_written_is_not_published(project):
    project.spoil(STEPS[4], "import sys; sys.exit(0)", at=1_000)
    status, out, err = project.run()
    assert (status, statuses(out)) == (1, ["run"] * 5)
    assert "05 Figures: cell 10 shows error (SystemExit)" in err
    assert project.public() == {}


def test_step_that_changes_what_it_reads_is_found_out(project):
    read = "step.work / '01_ingest' / 'private' / 'source.json'"
    project.spoil(CODING, f"with ({read}).open('a') as stream:\n    stream.write(' ')")
    status, _, err = project.run_beside()
    assert status == 1
    assert "changed while the run went on: start again." in err
    assert not list(project.outputs.glob("runs/*"))


SWEEP = "base: params/small.yml\naxes:\n  minimum_cell: [5, 6, 7]\n"


@pytest.mark.parametrize("engine", ["fork", "papermill"])
def test_interrupted_sweep_goes_on(project, engine):
    (project.folder / "params" / "sweeps" / "x.yml").write_text(SWEEP)
    command = ("sweep", "params/sweeps/x.yml", "--jobs", "2", "--engine", engine)
    project.spoil("04_cross_tabs", "import time; time.sleep(60)")
    process = project.start(*command)
    while len(list(project.outputs.glob("store/*"))) < 3:
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    status, _, err = project.end_of(process)
    assert time.monotonic() - began < 30  # it hangs, or it does not
    assert (status, err) == (
        130,
        STOPPED,
    )
    assert list(project.temporary.iterdir()) == []
    project.mend("04_cross_tabs")
    status, out, err = project.run(*command)
    assert status == 0, err
    assert sorted(out.splitlines()[:3]) == [f"x--{number}\tdone" for number in (1, 2, 3)]
    first = json.loads((project.outputs / "runs" / "x--1" / "run.json").read_text())
    assert [step["status"] for step in first["steps"][:3]] == ["reused"] * 3


def test_both_engines_publish_the_same_bytes(project, undisturbed):
    assert project.run("--engine", "papermill")[0] == 0
    assert project.public() == undisturbed[0]


@pytest.fixture
def execute(tmp_path):
    """Run one cell each in a kernel of its own; returns what they printed."""

    def run(*sources: str, modules: tuple[str, ...]) -> list[str]:
        import nbformat

        said = []
        with quiet_environment() as sockets:
            nursery = Nursery(modules, tmp_path, tmp_path)
            engine = Engine(tmp_path, sockets, nursery)
            try:
                for source in sources:
                    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
                    notebook.metadata = {"kernelspec": {"name": "python3", "language": "python",
                                                        "display_name": "Python 3"}}  # fmt: skip
                    nbformat.write(notebook, tmp_path / "in.ipynb")
                    engine.execute(
                        tmp_path / "in.ipynb", tmp_path / "out.ipynb", {}, lambda n: None
                    )
                    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
                    said.append("".join(one.text for one in cells[-1].outputs))
            finally:
                engine.stop()
                nursery.close()
        return said

    return run


def test_nothing_leaks_from_one_notebook_to_the_next(execute):
    look = (
        "import json, os, numpy\n"
        "print(os.getppid(), os.getcwd(), os.environ.get('MARK'), getattr(json, 'mark', None), "
        "'mine' in globals(), numpy.random.random())\n"
    )
    leave = "mine = json.mark = os.environ['MARK'] = 'left'; os.chdir('/'); numpy.random.seed(1)"
    first, second, third = execute(look + leave, look + leave, look, modules=("numpy", "json"))
    draws = {one.split()[-1] for one in (first, second, third)}
    assert len(draws) == 3
    assert len({tuple(one.split()[:-1]) for one in (first, second, third)}) == 1
    assert first.split()[2:5] == ["None", "None", "False"]


def test_a_nursery_with_a_second_thread_is_not_forked(execute, tmp_path, monkeypatch):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "with_thread.py").write_text(
        "from threading import Thread\nfrom time import sleep\n"
        "Thread(target=sleep, args=(60,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    look = "import os; print(os.getppid())"
    assert execute(look, look, modules=("with_thread",)) == [f"{os.getpid()}\n"] * 2
    (forked,) = execute(look, modules=())
    assert int(forked) != os.getpid()


def test_a_closed_runner_leaves_the_process_as_it_was(project, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    before = dict(os.environ)
    mask = os.umask(0o022)
    try:
        with Runner(project.folder, project.outputs, Terminal(quiet=True), "papermill"):
            assert os.environ["TZ"] == ENVIRONMENT["TZ"]
            runtime = Path(os.environ["JUPYTER_RUNTIME_DIR"])
            assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)
    assert not runtime.exists()
    assert dict(os.environ) == before


def test_a_file_called_as_a_module_of_python_stops_no_engine(project):
    (project.folder / "tempfile.py").write_text("raise RuntimeError('mine')\n")
    for engine in ("fork", "papermill"):
        done = subprocess.run(
            [Path(sys.executable).parent / "upr", "run", "params/small.yml", "--engine", engine,
             "--outputs", engine], cwd=project.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
