"""The commands `upr codes`: people code, the machine helps, and their agreement is measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upr_analysis.arguments import Assignments, Outputs, ParamsFile, outputs_of, root_of

if TYPE_CHECKING:
    from upr_analysis.codes import Work

app = typer.Typer(
    no_args_is_help=True,
    help="Coding by people: sheets out and in, agreement, adjudication, suggestions, REFI-QDA.",
)


def _groupings() -> list[str]:
    from upr_analysis.documents import read_yaml

    found = [read_yaml(path) for path in Path("data").glob("*/questionnaire.yml")]
    return sorted({one["name"] for content in found for one in content.get("groupings", ())})


@contextmanager
def _work(params: Path, assignments: list[str] | None, outputs: Path | None) -> "Iterator[Work]":
    """Check a run's inputs and open its answers, cleaned and redacted."""
    from upr_analysis.checks import check
    from upr_analysis.codes import begin_work
    from upr_analysis.pipeline import Runner, default_engine
    from upr_analysis.progress import Terminal

    root = root_of(params)
    checked = check(params, tuple(assignments or ()), root)
    with (
        Terminal(quiet=True) as progress,
        Runner(root, outputs_of(outputs, root), progress, default_engine()) as runner,
    ):
        yield begin_work(checked.parameters, runner)


@app.command()
def sheet(
    params: ParamsFile,
    coders: Annotated[
        list[str],
        typer.Option("--coder", help="Whose sheet; repeat for several.", show_default=False),
    ],
    size: Annotated[
        int | None,
        typer.Option(
            "--sample", min=1, help="How many answers are drawn. [default: all]", show_default=False
        ),
    ] = None,
    overlap: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the answers that every coder gets.")
    ] = 0.2,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Grouping to stratify by, beside question and language; may be repeated.",
            autocompletion=_groupings, show_default=False,
        ),
    ] = None,
    show: Annotated[
        list[str] | None,
        typer.Option(
            help="Grouping in view of the coders; none is, so that they code blind.",
            autocompletion=_groupings, show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Make sheets anew that stand.")
    ] = False,
    assignments: Assignments = None,
    outputs: Outputs = None,
) -> None:  # fmt: skip
    """Make a workbook a coder: a row an answer, cells that offer the codebook's codes.

    Prints its path and the number of answers. Answers that one of the coders has judged are not
    drawn again. The same seed draws the same answers.
    """
    from upr_analysis.codes import make_sheets

    with _work(params, assignments, outputs) as work:
        made = make_sheets(work, coders, size, overlap, by or [], show or [], replace)
    for path, number in made:
        typer.echo(f"{path}\t{number}")


@app.command()
def read(
    params: ParamsFile,
    sheets: Annotated[
        list[Path], typer.Argument(metavar="SHEET.xlsx...", help="Sheets that came back.")
    ],
    assignments: Assignments = None,
    outputs: Outputs = None,
) -> None:
    """Take sheets back, all or none, refusing with row and cell what the codebook does not have.

    Read again, a sheet adds what has changed. The record of all that was read keeps everything.
    """
    from upr_analysis.codes import take_back
    from upr_analysis.codings import RECORD

    with _work(params, assignments, outputs) as work:
        for taken, new in take_back(work, sheets):
            typer.echo(
                f"{taken.coder}\t{taken.coded} judged\t{new} new\t{taken.left} not coded yet"
            )
        typer.echo(work.consultation / RECORD)


@app.command()
def status(params: ParamsFile, assignments: Assignments = None, outputs: Outputs = None) -> None:
    """Say who has judged how many answers, what is in dispute, and what is stale, and why."""
    from upr_analysis.codes import how_far

    with _work(params, assignments, outputs) as work:
        for line in how_far(work):
            typer.echo(line)


@app.command()
def adjudicate(
    params: ParamsFile,
    by: Annotated[str, typer.Option(help="Who decides.", show_default=False)],
    assignments: Assignments = None,
    outputs: Outputs = None,
) -> None:
    """Make a sheet of the answers on which coders differ, with what each gave.

    Filled in, `upr codes read` takes it back, and its codes count. Prints its path and number.
    """
    from upr_analysis.codes import make_adjudication

    with _work(params, assignments, outputs) as work:
        made = make_adjudication(work, by)
    if made is None:
        typer.echo("Coders differ on no answer.", err=True)
    else:
        typer.echo(f"{made[0]}\t{made[1]}")


@app.command()
def agreement(params: ParamsFile, assignments: Assignments = None, outputs: Outputs = None) -> None:
    """Say how far coders agree, a line a code, and write every statistic to a csv.

    Of coders with each other, and of the codebook's patterns with them; by language too.
    """
    from rich.console import Console
    from rich.table import Table

    from upr_analysis.codes import agreement_of
    from upr_analysis.words import number

    with _work(params, assignments, outputs) as work:
        found = agreement_of(work)
        text = found.to_csv(index=False, lineterminator="\n")
        path = work.write("agreement.csv", text)
    shown = found[(found["language"] == "") & (found["statistic"] == "krippendorff_alpha")]
    table = Table("between", "code", "alpha", "interval", "positives", box=None, pad_edge=False)
    for one in shown.to_dict("records"):
        if not one["assessable"]:
            cells = ("not assessable", "")
        elif one["value"] != one["value"]:
            cells = ("undefined", "")
        else:
            value, low, high = (number(one[name], decimals=2) for name in ("value", "low", "high"))
            cells = (value, f"{low} to {high}" if one["low"] == one["low"] else "")
        table.add_row(one["between"], one["code"], *cells, str(one["positives"]))
    if found.empty:
        typer.echo("Nothing was coded twice: see `upr codes sheet --overlap`.", err=True)
    Console(stderr=True).print(table)
    typer.echo(path)
