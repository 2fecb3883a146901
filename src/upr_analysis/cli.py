"""The command `upr`. Heavy modules are imported where they are used, so that help is quick."""

import sys
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from upr_analysis import __version__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Reproducible analysis of a stakeholder consultation, from export to appendix.",
)


def _parameter_names() -> list[str]:
    from upr_analysis.parameters import Parameters

    return [f"{name}=" for name in Parameters.model_fields]


ParamsFile = Annotated[
    Path, typer.Argument(metavar="PARAMS.yml", help="The run's parameters.", show_default=False)
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Set a parameter for this run; may be repeated. `upr parameters` lists them.",
        autocompletion=_parameter_names,
        show_default=False,
    ),
]
Outputs = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Where runs and the store are kept. [default: outputs]",
        show_default=False,
    ),
]  # fmt: skip

Engines = StrEnum("Engines", ["fork", "papermill"])
EngineOption = Annotated[
    Engines | None,
    typer.Option(
        "--engine",
        help="Where notebooks run: in forks of one process that has imported all, or in stock "
        "papermill's kernels. [default: fork on Linux]",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print paths only.")]


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
    from upr_analysis.parameters import project_root, read_parameters
    from upr_analysis.pipeline import Runner, default_engine, unchanged
    from upr_analysis.problems import InputError
    from upr_analysis.progress import Terminal

    root = _root(params, project_root)
    target = _outputs(outputs, root)
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

        try:
            finished = runner.run(check(params, given, root).parameters, replace)
        except KeyboardInterrupt:
            _fail("Stopped. Steps that are done are kept, and reused at the next start.", 130)
    return _finish(finished, quiet)


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
def check(params: ParamsFile, assignments: Assignments = None) -> None:
    """Name every problem in parameters, questionnaire, codebook and export; run nothing."""
    from upr_analysis.checks import check as check_inputs
    from upr_analysis.parameters import project_root

    checked = check_inputs(params, tuple(assignments or ()), _root(params, project_root))
    typer.echo(f"{params}: nothing wrong; {checked.rows} responses can be typed.")


@app.command()
def parameters() -> None:
    """List every parameter: its default and its meaning."""
    from rich.console import Console
    from rich.table import Table

    from upr_analysis.parameters import Parameters, meaning

    table = Table("parameter", "default", "meaning", box=None, pad_edge=False)
    for name, one in Parameters.model_fields.items():
        table.add_row(name, str(one.default), meaning(name))
    Console().print(table)


def _root(params: Path, find: Callable[[Path], Path]) -> Path:
    """Return the project of the params file, or of the current folder where that is elsewhere."""
    from upr_analysis.problems import InputError

    if not params.is_file():
        raise InputError(f"{params} is not there: check the path and its spelling.")
    try:
        return find(params.parent)
    except InputError:
        return find(Path.cwd())


def _outputs(given: Path | None, root: Path) -> Path:
    return (given or root / "outputs").expanduser().resolve()


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(status)


def main() -> None:
    """Run the command; a user's mistake is a message and exit 2, never a traceback."""
    from upr_analysis.problems import InputError

    try:
        app()
    except InputError as error:
        typer.echo("\n".join(error.problems), err=True)
        sys.exit(2)
    except Exception as error:
        from upr_analysis.pipeline import StepFailed

        if not isinstance(error, StepFailed):
            raise
        typer.echo(str(error), err=True)
        sys.exit(1)
