"""The command `upr`. Heavy modules are imported where they are used, so that help is quick."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from upr_analysis import __version__, cli_codes
from upr_analysis.arguments import (
    Assignments,
    EngineOption,
    Languages,
    Outputs,
    ParamsFile,
    Quiet,
    RunName,
    here,
    outputs_of,
    root_of,
    step_names,
    tried_names,
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Reproducible analysis of a stakeholder consultation, from export to appendix.",
)
app.add_typer(cli_codes.app, name="codes")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"upr_analysis {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def run(
    params: ParamsFile,
    assignments: Assignments = None,
    outputs: Outputs = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a run of this name with other parameters.")
    ] = False,
    engine: EngineOption = None,
    quiet: Quiet = False,
) -> None:
    """Run the steps that changed, export the appendix and pass it through the gate.

    Prints a line a step (run or reused), then the path of the appendix.
    """
    from upr_analysis.parameters import read_parameters
    from upr_analysis.pipeline import Runner, default_engine, unchanged
    from upr_analysis.problems import InputError
    from upr_analysis.progress import Terminal

    root = root_of(params)
    target = outputs_of(outputs, root)
    given = tuple(assignments or ())
    with suppress(InputError):  # `check` below says all that is wrong at once
        if found := unchanged(read_parameters(params, given), root, target):
            for step, status in () if quiet else found.steps:
                typer.echo(f"{step}\t{status}")
            return _finish(found, quiet)
    with (
        Terminal(quiet) as progress,
        Runner(root, target, progress, engine or default_engine()) as runner,
    ):
        with suppress(InputError):
            runner.warm(read_parameters(params, given))
        from upr_analysis.checks import check

        checked = check(params, given, root)
        before = _record_of(target / "runs" / checked.parameters.name)
        finished = runner.run(checked.parameters, replace)
    again = {step for step, status in finished.steps if status == "run"}
    if before and not quiet:
        from upr_analysis.reasons import explain_steps

        if not again:
            typer.echo("No step ran again; the pages were made anew.", err=True)
        for step, why in explain_steps(before, _record_of(finished.folder) or {}, {}):
            if step in again:
                typer.echo(f"{step} ran again: {why}", err=True)
    return _finish(finished, quiet)


def _record_of(folder: Path) -> dict[str, Any] | None:
    from upr_analysis.pipeline import RUN_JSON
    from upr_analysis.problems import InputError
    from upr_analysis.store import read_record

    try:
        return read_record(folder / RUN_JSON)
    except (InputError, OSError):  # the run says what is wrong with it
        return None


def _finish(finished: Any, quiet: bool) -> None:
    """Say what a run has to say, and end with the status that it calls for."""
    if not quiet:
        for note in finished.notes:
            typer.echo(note, err=True)
    if finished.refusals:
        lines = "\n".join(finished.refusals[:20])
        more = len(finished.refusals) - 20
        _fail(
            f"Not published: the gate refuses {len(finished.refusals)} places, and the run has no "
            f"public folder.\n{lines}" + (f"\nand {more} more" if more > 0 else ""), 1
        )  # fmt: skip
    typer.echo(finished.index.resolve())


@app.command()
def sweep(
    sweep: Annotated[
        Path,
        typer.Argument(metavar="SWEEP.yml", help="Base, axes, exclusions.", show_default=False),
    ],
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Steps at a time. [default: processors]")
    ] = os.cpu_count() or 1,
    outputs: Outputs = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace runs of these names with other parameters.")
    ] = False,
    engine: EngineOption = None,
    quiet: Quiet = False,
) -> None:
    """Make many runs, shared steps once, and a page on what their parameters change.

    Prints a line a run, then the path of the page. An interrupted sweep goes on where it stopped.
    """
    from upr_analysis.pipeline import Runner, default_engine
    from upr_analysis.progress import SweepTerminal
    from upr_analysis.sweep_page import write_sweep_page
    from upr_analysis.sweeps import read_sweep, run_sweep

    root = root_of(sweep)
    members = read_sweep(sweep, root)
    target = outputs_of(outputs, root)
    name = engine.value if engine else default_engine()
    with (
        SweepTerminal(len(members), quiet) as progress,
        Runner(root, target, progress, name, jobs) as runner,
    ):
        runner.store.prepare(root)
        with runner.store.only_one(f"sweep {sweep.stem}"):
            outcomes = run_sweep(members, runner, progress, replace)
            page = write_sweep_page(sweep.stem, outcomes, runner.store, root)
    typer.echo(page)
    if any(one.status in ("failed", "refused") for one in outcomes):
        raise typer.Exit(1)


@app.command()
def compare(first: RunName, second: RunName, outputs: Outputs = None) -> None:
    """Say what differs between two runs and why; prints the path of a page with figures last."""
    from upr_analysis.comparison import compare_runs, render_comparison
    from upr_analysis.inspection import find_run
    from upr_analysis.store import Store

    root = here()
    target = outputs_of(outputs, root)
    folders = [find_run(name, target) for name in (first, second)]
    found = compare_runs(folders[0], folders[1], root)
    for line in found.lines():
        typer.echo(line)
    store = Store(target)
    store.prepare(root)
    name = f"{folders[0].name}--{folders[1].name}"
    page = target / "compared" / name
    with store.only_one(f"compare {name}"):
        staged = store.staging / f"compare {name}"
        staged.mkdir(mode=0o700, exist_ok=True)
        (staged / "index.html").write_text(render_comparison(found), encoding="utf-8")
        store.put_in_place(staged, page)
    typer.echo(page / "index.html")


@app.command()
def verify(
    run: RunName,
    outputs: Outputs = None,
    engine: EngineOption = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Name only files that are not the same.")
    ] = False,
) -> None:
    """Make a run again in an empty store, and grade each published file.

    A line a file: identical bytes, equal numbers, different; unexpected (it is not made again) or
    missing. Exit 1 unless all are the same. Of a folder that was published, tables and figures are
    made again from its estimates, and the others held to the digests of its crate.
    """
    from upr_analysis.inspection import find_run
    from upr_analysis.pipeline import default_engine
    from upr_analysis.progress import Terminal
    from upr_analysis.verification import verify as verify_run

    root = here()
    folder = find_run(run, outputs_of(outputs, root))
    with Terminal(quiet=quiet, lines=False) as progress:
        name = engine.value if engine else default_engine()
        verified = verify_run(folder, root, progress, name)
    for file, grade in verified.grades.items():
        if not quiet or grade not in ("identical", "equal"):
            typer.echo(f"{grade}\t{file}")
    for note in (*verified.notes, verified.verdict):
        typer.echo(note, err=True)
    if not verified.holds:
        raise typer.Exit(1)


@app.command()
def status(outputs: Outputs = None) -> None:
    """List runs, whether each would come out the same today, and what the store holds."""
    from rich.console import Console
    from rich.table import Table

    from upr_analysis.inspection import run_statuses
    from upr_analysis.store import Store, size_of

    root = here()
    store = Store(outputs_of(outputs, root))
    table = Table("run", "made", "state", "size", box=None, pad_edge=False)
    for one in run_statuses(store, root):
        table.add_row(one.name, one.made, one.state, _megabytes(one.size))
    console = Console(width=None if sys.stdout.isatty() else 200)  # a file has no edge
    console.print(table)
    held = size_of(store.entries) + size_of(store.staging)
    console.print(f"store: {_megabytes(held)} (upr gc removes what no run uses)")
    if copies := size_of(store.outputs / "debug"):
        console.print(f"debug: {_megabytes(copies)} of copies of answers (upr gc --debug)")


@app.command()
def gc(
    outputs: Outputs = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Say what would go, remove nothing.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Remove the copies that `upr debug` made, too.")
    ] = False,
) -> None:
    """Remove from the store what no run uses: also what stopped runs have done so far."""
    from upr_analysis.inspection import remove_unused
    from upr_analysis.store import Store

    root = here()
    store = Store(outputs_of(outputs, root))
    store.prepare(root)
    removed = remove_unused(store, dry_run, debug)
    for path, size in removed:
        typer.echo(f"{_megabytes(size)}\t{path.relative_to(store.outputs)}")
    done = "would be freed" if dry_run else "freed"
    typer.echo(f"{_megabytes(sum(size for _, size in removed))} {done}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def debug(
    context: typer.Context,
    step: Annotated[
        str,
        typer.Argument(
            help="As 03_thematic_coding.", autocompletion=step_names, show_default=False
        ),
    ],
    run: Annotated[
        str,
        typer.Option(
            "--run", help="The run, failed too.", autocompletion=tried_names, show_default=False
        ),
    ],
    outputs: Outputs = None,
) -> None:
    """Open JupyterLab on a copy of a step: the same inputs, the run's values injected.

    Further options are JupyterLab's own. What is done in the copy changes no run.
    """
    import subprocess
    from importlib.util import find_spec

    from upr_analysis.inspection import lay_out
    from upr_analysis.pipeline import Runner
    from upr_analysis.problems import InputError
    from upr_analysis.progress import Terminal

    root = here()
    with Runner(root, outputs_of(outputs, root), Terminal(quiet=True), "papermill") as runner:
        notebook = lay_out(step, run, runner)
    typer.echo(notebook)
    if find_spec("jupyterlab") is None:
        raise InputError("JupyterLab is not installed: run make lab once, or open the file above.")
    command = [sys.executable, "-m", "jupyterlab", str(notebook), *context.args]
    raise typer.Exit(subprocess.run(command, check=False, cwd=root).returncode)


@app.command()
def check(params: ParamsFile, assignments: Assignments = None) -> None:
    """Name every problem in parameters, questionnaire, codebook and export; run nothing."""
    from upr_analysis.checks import check as check_inputs

    checked = check_inputs(params, tuple(assignments or ()), root_of(params))
    for note in checked.notes:
        typer.echo(note, err=True)
    typer.echo(f"{params}: nothing wrong; {checked.rows} responses can be typed.")


@app.command()
def init(
    export: Annotated[
        Path, typer.Argument(metavar="EXPORT", help="The survey tool's file.", show_default=False)
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="As data/water-2026.", show_default=False)
    ],
    form: Annotated[
        Path | None,
        typer.Option(help="The XLSForm of a KoboToolbox or ODK survey.", show_default=False),
    ] = None,
    language: Annotated[
        Languages, typer.Option(help="Language of the questions in the export.")
    ] = Languages.en,
    encoding: Annotated[
        str | None,
        typer.Option(help="Of a text file, as cp1252. [default: recognised]", show_default=False),
    ] = None,
) -> None:
    """Draft a consultation from an export: questionnaire, codebook and parameters, for review.

    csv of SurveyMonkey, LimeSurvey, Qualtrics, KoboToolbox, Google and Microsoft Forms and others,
    xlsx, ods, SPSS, Stata and parquet are recognised. Nothing that stands is overwritten.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from upr_analysis.scaffold import SURE, found_consultation

    done = found_consultation(export, folder, here(), form, language.value, encoding)
    table = Table("question", "columns", "kind", "sure", box=None, pad_edge=False)
    table.add_column("why", no_wrap=True, overflow="ellipsis")
    for one in done.questions:
        places = sorted(place + 1 for place in one.columns)
        where = "-".join(map(str, dict.fromkeys(places[:1] + places[-1:]))) or "none"
        style = "bold" if one.guess.sure < SURE else None
        cells = (one.name, where, one.guess.kind, f"{one.guess.sure:.0%}", escape(one.guess.why))
        table.add_row(*cells, style=style)
    Console(stderr=True).print(table)
    doubtful = sum(one.guess.sure < SURE for one in done.questions)
    for line in (*done.notes, *done.problems):
        typer.echo(line, err=True)
    shown = done.params.relative_to(here())
    if done.dropped:
        typer.echo(f"{done.dropped} columns of the tool's hold personal data: dropped.", err=True)
    typer.echo(
        f"{done.columns} columns, {len(done.questions)} questions, {doubtful} marked REVIEW in "
        f"{folder}/questionnaire.yml. Then: upr check {shown}, and upr run {shown}",
        err=True,
    )
    typer.echo(done.folder.resolve())


@app.command()
def parameters() -> None:
    """List every parameter: its default and its meaning."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from upr_analysis.parameters import Parameters, meaning

    table = Table("parameter", "default", "meaning", box=None, pad_edge=False)
    for name, one in Parameters.model_fields.items():
        table.add_row(name, escape(str(one.default)), escape(meaning(name)))
    Console().print(table)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(status)


def main() -> None:
    """Run the command; a user's mistake is a message and exit 2, never a traceback."""
    from upr_analysis.interrupts import listen
    from upr_analysis.problems import InputError

    # An optional check of links in JSON schemas that comes with JupyterLab: nine tenths of the time
    # of importing nbformat, and nothing here asks for it.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    for stream in (sys.stdout, sys.stderr):  # a console of another day may lack a minus sign
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    listen()
    try:
        app()
    except SystemExit as end:
        if end.code == 130:  # typer's, for an interrupt, without a word
            typer.echo("Stopped. What is done is kept, and reused at the next start.", err=True)
        raise
    except InputError as error:
        _end("\n".join(error.problems), 2)
    except OSError as error:
        _end(f"{error.filename or 'The system'}: {error.strerror or error}.", 1)
    except Exception as error:
        from upr_analysis.pipeline import StepFailed

        if not isinstance(error, StepFailed):
            raise
        _end(str(error), 1)


def _end(message: str, status: int) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(status)
