"""The commands `upr codes`: people code, the machine helps, and their agreement is measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upr_analysis.arguments import Assignments, Outputs, ParamsFile, outputs_of, root_of

if TYPE_CHECKING:
    from upr_analysis.assistance import Assessed
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
    useful: Annotated[
        bool,
        typer.Option("--useful", help="The answers first of which suggestions are least sure."),
    ] = False,
    suggested: Annotated[
        bool,
        typer.Option("--suggested", help="Suggested codes in view; then not independent."),
    ] = False,
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
    from upr_analysis.assistance import next_answers, suggested_codes
    from upr_analysis.codes import make_sheets

    with _work(params, assignments, outputs) as work:
        following = next_answers(work) if useful else None
        codes = suggested_codes(work) if suggested else None
        options = (size, overlap, by or [], show or [], replace, following, codes)
        made = make_sheets(work, coders, *options)
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
        before = work.judged()
        for taken, new in take_back(work, sheets):
            typer.echo(
                f"{taken.coder}\t{taken.coded} judged\t{new} new\t{taken.left} not coded yet"
            )
            own = before[before["coder"] == taken.coder]
            units = set(zip(own["respondent"], own["question"], strict=True))
            if kept := len(units.intersection(taken.empty)):
                typer.echo(f"{kept} of these were judged before, which stays.", err=True)
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
    replace: Annotated[
        bool, typer.Option("--replace", help="Make the sheet anew, if it stands.")
    ] = False,
    assignments: Assignments = None,
    outputs: Outputs = None,
) -> None:
    """Make a sheet of the answers on which coders differ, with what each gave.

    Filled in, `upr codes read` takes it back, and its codes count. Prints its path and number.
    """
    from upr_analysis.codes import make_adjudication

    with _work(params, assignments, outputs) as work:
        made = make_adjudication(work, by, replace)
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

    from upr_analysis.agreement import FEWEST_POSITIVES
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
    else:
        Console(stderr=True).print(table)
        few = int((~shown["assessable"]).sum())
        typer.echo(
            f"{few} of {len(shown)} rows are not assessable: a code needs {FEWEST_POSITIVES} "
            "judgements that give it. A larger overlap helps.", err=True,
        )  # fmt: skip
    sets = found[(found["code"] == "") & (found["language"] == "")]
    for one in sets[sets["value"].notna()].to_dict("records"):
        value = number(one["value"], decimals=2)
        typer.echo(f"{one['between']}, whole sets: {one['statistic']} {value}", err=True)
    typer.echo(path)


@app.command()
def propose(params: ParamsFile, assignments: Assignments = None, outputs: Outputs = None) -> None:
    """Propose patterns to add to the codebook, or to drop, from what people coded.

    A csv, a row a pattern: what it gains and breaks, an answer of each kind round it, and a column
    for your decision, yes or no. Then `upr codes accept`.
    """
    from rich.console import Console
    from rich.progress import track

    from upr_analysis.assistance import propose_patterns

    with _work(params, assignments, outputs) as work:
        begun = propose_patterns(work)
        found = list(track(begun.codes, "proposing", begun.number, console=Console(stderr=True)))
        path, number = begun.write(found)
    typer.echo(f"{number} changes of patterns for {begun.number} codes.", err=True)
    typer.echo(path)


@app.command()
def accept(params: ParamsFile, assignments: Assignments = None, outputs: Outputs = None) -> None:
    """Put the proposed patterns that you decided yes on into codebook.yml.

    Those that you refused are not proposed again. Comments of the codebook stay.
    """
    from upr_analysis.assistance import decide

    with _work(params, assignments, outputs) as work:
        accepted, refused, left = decide(work)
        typer.echo(f"{accepted} accepted, {refused} refused, {left} undecided.", err=True)
        typer.echo(work.consultation / "codebook.yml")


@app.command()
def suggest(
    params: ParamsFile,
    model: Annotated[
        str | None,
        typer.Option(
            help="A language model, by the name that its server knows it by, in place of the "
            "classifier.", show_default=False,
        ),
    ] = None,
    endpoint: Annotated[
        str, typer.Option(help="The server of that model, on this machine.")
    ] = "http://127.0.0.1:8080/v1",
    send_elsewhere: Annotated[
        bool,
        typer.Option(
            "--send-elsewhere", help="Let respondents' words leave this machine for that server."
        ),
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nothing: only replies kept from before.")
    ] = False,
    key_variable: Annotated[
        str, typer.Option(metavar="NAME", help="Environment variable with the server's key.")
    ] = "",
    assignments: Assignments = None,
    outputs: Outputs = None,
) -> None:  # fmt: skip
    """Suggest codes for the answers that nobody judged; none counts unless a person gives it.

    By a classifier, which learns from what people coded and is measured on answers held out: a run
    then shows how good it is. Or by a language model, whose probabilities are its own word.
    """
    from upr_analysis import assistance

    with _work(params, assignments, outputs) as work:
        if model:
            from upr_analysis.language_model import LanguageModel

            asked = LanguageModel(
                endpoint,
                model,
                work.codebook,
                work.folder / "replies",
                questions={one.name: work.labels.question(one.name)
                           for one in work.questionnaire.open_questions},
                send_elsewhere=send_elsewhere,
                offline=offline,
                key_variable=key_variable,
                seed=work.parameters.seed,
            )  # fmt: skip
            suggested = assistance.ask(work, asked)
            for name in asked.reported:
                typer.echo(f"model: {name}", err=True)
            for why, number in sorted(asked.failures.items()):
                typer.echo(f"{number} answers failed: {why}.", err=True)
            path = assistance.keep_suggestions(work, suggested)
        else:
            suggested, assessed, following = assistance.classify(
                work, lambda said: typer.echo(said, err=True)
            )
            _say_how_good(assessed)
            typer.echo(assistance.keep_evaluation(work, assessed), err=True)
            path = assistance.keep_suggestions(work, suggested, following)
    for why, number in sorted(suggested.rejected.items()):
        typer.echo(f"{number} suggestions rejected: {why}.", err=True)
    typer.echo(
        f"{len(suggested.codes)} codes suggested, {len(suggested.abstained)} left open as unsure, "
        f"{len(suggested.failed)} answers failed.", err=True,
    )  # fmt: skip
    typer.echo(path)


def _say_how_good(assessed: "Assessed") -> None:
    from upr_analysis.words import number

    whole = assessed.scores[assessed.scores["code"] == ""]
    for one in whole.to_dict("records"):
        value, low, high = (number(one[name], decimals=3) for name in ("value", "low", "high"))
        typer.echo(f"{one['statistic']}: {value} ({low} to {high}) on answers held out", err=True)
    gain = assessed.gain
    if gain.value == gain.value:
        value, low, high = (number(one, decimals=3) for one in vars(gain).values())
        typer.echo(f"50 more coded answers: micro_f1 +{value} ({low} to {high})", err=True)
    else:
        typer.echo("What 50 more coded answers would add cannot be told yet.", err=True)


@app.command()
def discover(
    params: ParamsFile,
    number: Annotated[
        int | None,
        typer.Option(min=2, help="How many to look for. [default: by the answers]",
                     show_default=False),
    ] = None,
    score: Annotated[
        bool, typer.Option("--score", help="Score the items of word intrusion that were filled in.")
    ] = False,
    assignments: Assignments = None,
    outputs: Outputs = None,
) -> None:  # fmt: skip
    """List candidate themes of the answers that no code covers: for reading, never codes.

    Beside them items of word intrusion, to test on readers whether the candidates make sense.
    """
    from upr_analysis import assistance

    with _work(params, assignments, outputs) as work:
        if score:
            found = assistance.score_intrusion(work)
            typer.echo(
                f"{found.right} of {found.answers} intruders found: {found.share:.0f} % "
                f"({found.low:.0f} to {found.high:.0f}; by chance {found.chance:.0f})."
            )
            return
        table, reasons, path = assistance.discover(work, number)
    for one in table.to_dict("records"):
        typer.echo(f"{one['language']}\t{one['terms']}\t{one['answers']} answers", err=True)
    for language, why in reasons.items():
        typer.echo(f"{language or 'all languages'}: {why}.", err=True)
    typer.echo(path)


@app.command()
def export(
    params: ParamsFile,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new .csv, .qdc or .qdpx.")],
    assignments: Assignments = None,
    outputs: Outputs = None,
) -> None:
    """Write the codebook (.csv, .qdc), or with answers and codings the project (.qdpx).

    NVivo, MAXQDA, ATLAS.ti, QualCoder and Taguette read REFI-QDA. A project is private.
    """
    from upr_analysis.exchange import export_to

    with _work(params, assignments, outputs) as work:
        behind = export_to(work, file)
    if behind:
        typer.echo(
            f"{behind} judgements stay behind, which the format has no place for: adjudications, "
            "and that no code applies.", err=True,
        )  # fmt: skip
    typer.echo(file.resolve())


@app.command(name="import")
def import_(
    params: ParamsFile,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv, .qdc or .qdpx.")],
    independent: Annotated[
        bool,
        typer.Option(
            "--independent", help="Its coders coded blind to each other: measure their agreement."
        ),
    ] = False,
    assignments: Assignments = None,
    outputs: Outputs = None,
) -> None:
    """Read a codebook, to be compared with yours, or a project's codings into the record."""
    from upr_analysis.codes import today
    from upr_analysis.exchange import import_from

    basis = "independent" if independent else "assisted"
    with _work(params, assignments, outputs) as work:
        done = import_from(work, file, basis, today())
    for line in (*done.changes, *done.notes):
        typer.echo(line, err=True)
    for coder, judged in (done.judged or {}).items():
        typer.echo(f"{coder}\t{judged} new")
    if done.codebook:
        typer.echo(done.codebook)
