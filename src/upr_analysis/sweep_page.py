"""What a sweep leaves beside its runs: a page and two csv files on what its parameters change."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from upr_analysis.appendix import Index, Link, Section, render_index
from upr_analysis.codebook import read_codebook
from upr_analysis.documents import label
from upr_analysis.estimates import RECOMMENDATIONS
from upr_analysis.exhibits import Note, Table
from upr_analysis.labels import NO_BREAK, Labels
from upr_analysis.parameters import Parameters, export_files
from upr_analysis.questionnaire import read_questionnaire
from upr_analysis.steps import ESTIMATES, digest_of
from upr_analysis.store import Store
from upr_analysis.sweeps import Outcome
from upr_analysis.tables import shares
from upr_analysis.words import say
from upr_analysis.workspace import is_invented, read_estimates, shown, write_csv

MOST_ROWS: Final = 40  # of what varies most; estimates.csv has all
ABOUT: Final = """No more than one of these appendices is for publication: two that differ by a \
few respondents can point at them.

Shares are percentages of the respondents who answered, as each run would publish them."""


def write_sweep_page(name: str, outcomes: Sequence[Outcome], store: Store, root: Path) -> Path:
    """Put `sweeps/<name>/` in place: index.html, runs.csv, estimates.csv; returns the page."""
    staged = store.staging / f"sweep {name}"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(mode=0o700)
    consultation = root / "data" / outcomes[0].member.parameters.consultation
    numbers = {
        one.member.parameters.name: read_estimates(one.run.folder / "public" / ESTIMATES)
        for one in outcomes
        if one.run and not one.run.refusals
    }
    sources = [_source(one.member.parameters, root) for one in outcomes]
    invented = set(sources) == {"invented"}
    mark = say("banner.invented.word") if invented else ""
    labels = Labels(read_questionnaire(consultation), read_codebook(consultation), "en", mark)
    runs = _runs(outcomes).assign(source=sources)
    write_csv(runs, staged / "runs.csv")
    files = [Link("runs.csv", "runs.csv")]
    told = Table(runs, "Runs and what became of them", mark=mark)
    sections = [Section("The runs", items=(told,))]
    if len(set(sources)) > 1:
        sections.append(Section("Numbers", "Not set side by side: some runs are on invented data."))
    elif numbers:
        varied = ranges(numbers).assign(source=sources[0])
        write_csv(varied, staged / "estimates.csv")
        files.append(Link("estimates.csv", "estimates.csv"))
        sections += [_leaders(numbers, labels), _varied(varied, len(numbers), labels)]
    links = [
        Link(f"../../runs/{run}/public/appendix/index.html", f"Appendix of {run}")
        for run in numbers
    ]
    page = Index(
        title=f"Sweep {name}: {label(labels.questionnaire.title, 'en')}",
        banner="runs",
        about=ABOUT + ("\n\n" + say("banner.invented.text") if invented else ""),
        sections=tuple(sections),
        files=(*files, *links),
    )
    (staged / "index.html").write_text(render_index(page), encoding="utf-8")
    folder = store.outputs / "sweeps" / name
    store.put_in_place(staged, folder)
    return folder / "index.html"


def _source(parameters: Parameters, root: Path) -> str:
    """Return whether a run is on real or on invented answers, by its export's hash."""
    digest = digest_of(export_files(parameters, root))
    consultation = root / "data" / parameters.consultation
    return "invented" if is_invented(digest, consultation) else "real"


def ranges(runs: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return, for each published number, in how many runs it is shown, and its lowest and highest.

    Columns id, question, item, group_by, group, measure, runs, shown, lowest, highest, lowest_run,
    highest_run; numbers missing where no run shows it.
    """
    stacked = pd.concat([frame.assign(run=name) for name, frame in runs.items()])
    keys = ["id", "question", "item", "group_by", "group", "measure"]
    rows = []
    for key, frame in stacked.groupby(keys, sort=False, dropna=False):
        values = frame.set_index("run")["value"].dropna()
        row: dict[str, Any] = dict(zip(keys, key, strict=True))
        row |= {"runs": len(frame), "shown": len(values)}
        if len(values):
            row |= {"lowest": values.min(), "highest": values.max()}
            row |= {"lowest_run": values.idxmin(), "highest_run": values.idxmax()}
        rows.append(row)
    columns = [*keys, "runs", "shown", "lowest", "highest", "lowest_run", "highest_run"]
    return pd.DataFrame(rows, columns=columns)


def _runs(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    rows = []
    for one in outcomes:
        values = {name: shown(value) for name, value in one.member.values.items()}
        rows.append({"run": one.member.parameters.name, **values, "status": one.status})
        rows[-1]["why"] = one.message
    frame = pd.DataFrame(rows)
    return frame if frame["why"].any() else frame.drop(columns="why")


def _leaders(runs: dict[str, pd.DataFrame], labels: Labels) -> Section:
    """Return which items lead each question, and in how many runs they do."""
    rows = []
    questions = dict.fromkeys(q for frame in runs.values() for q in frame["question"])
    for question in (one for one in questions if one != RECOMMENDATIONS):  # not answers
        leads: dict[str, int] = {}
        for frame in runs.values():
            whole = shares(frame, question)
            if whole["value"].notna().any():
                for item in whole.loc[whole["value"] == whole["value"].max(), "item"]:
                    said = labels.item(question, item)  # those that are level lead together
                    leads[said] = leads.get(said, 0) + 1
        for said, count in leads.items():
            rows.append((labels.question(question), said, f"{count} of {len(runs)}"))
    frame = pd.DataFrame(rows, columns=["question", "most named", "runs"])
    return Section(
        "Does the most named answer stay the same?",
        items=(
            Table(
                frame,
                "Most named answer to each question, and in how many runs it leads",
                mark=labels.mark,
            ),
        ),
    )


def _varied(varied: pd.DataFrame, runs: int, labels: Labels) -> Section:
    shares_only = varied[(varied["measure"] == "share") & (varied["question"] != RECOMMENDATIONS)]
    shares_only = shares_only[shares_only["shown"] > 1]
    spread = (shares_only["highest"] - shares_only["lowest"]).round(6)
    moved = shares_only[spread > 0].assign(spread=spread[spread > 0])
    moved = moved.sort_values(["spread", "id"], ascending=[False, True]).head(MOST_ROWS)
    wanted = ["question", "item", "group_by", "group", "lowest", "highest", "shown"]
    rows = [
        (
            labels.question(question),
            labels.item(question, item),
            labels.group(group_by, group) if group_by else "all respondents",
            f"{lowest:.1f}–{highest:.1f}{NO_BREAK}%",
            f"{count} of {runs}",
        )
        for question, item, group_by, group, lowest, highest, count in (
            moved[wanted].itertuples(index=False, name=None)
        )
    ]
    frame = pd.DataFrame(rows, columns=["question", "answer", "among", "range", "shown in"])
    same = Note(
        f"{int((spread == 0).sum())} of {len(spread)} shares that several runs show are the same "
        "in all of these."
    )
    table = Table(frame, "Shares that vary most over the runs", mark=labels.mark)
    items = (same, table) if rows else (same,)
    return Section("Which numbers move?", items=items)
