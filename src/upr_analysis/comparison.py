"""What differs between two runs and why: parameters, steps, published numbers, figures.

Reads the runs' records and what they published; of what is private, counts alone. The result is
private all the same, since two runs that differ by a few respondents can point at them.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, Final

import pandas as pd
from markupsafe import escape

from upr_analysis.appendix import Index, Section, render_index
from upr_analysis.codebook import read_codebook
from upr_analysis.exhibits import Figure, Note, Table
from upr_analysis.labels import Labels
from upr_analysis.pipeline import RUN_JSON
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import read_questionnaire
from upr_analysis.reasons import SAME, differing, explain_steps, written
from upr_analysis.steps import ESTIMATES, STEPS
from upr_analysis.store import read_record
from upr_analysis.words import number, say
from upr_analysis.workspace import read_estimates

APART: Final = ("name", "date", "reason")  # parameters that change no result
CLOSE: Final = 1e-9  # how far apart two numbers may be and still be the same
LEVEL: Final = 0.05  # below it a difference between groups is said to be significant
MOST_ROWS: Final = 20  # in the terminal; the page has them all
MOST_SAID: Final = 5  # sentences of a kind, in the terminal
SIDES: Final = ("first", "second")
KEYS: Final = ["measure", "question", "item", "group_by", "group"]
FIELDS: Final = ("n", "base", "value", "low", "high", "p_adjusted")

Row = dict[Any, Any]


@dataclass(frozen=True)
class Words:
    """What numbers are called; their ids where the consultation's files do not tell."""

    labels: Labels | None

    def parts(self, row: Row) -> tuple[str, str, str]:
        """Return question, answer (or measure) and group of a number; "" for all respondents."""
        question, group_by, group = row["question"], row["group_by"], row["group"]
        item = row["item"] and self._or(row["item"], lambda of: of.item(question, row["item"]))
        among = group and self._or(group, lambda of: of.group(group_by, group))
        if group_by and not group:
            among = "by " + self._or(group_by, lambda of: of.grouping(group_by))
        return self._or(question, lambda of: of.question(question)), item or row["measure"], among

    def long(self, row: Row) -> str:
        """Return a number's name as it stands before a sentence."""
        question, item, among = self.parts(row)
        return f"{question} “{item}”" + (f", {among}" if among else "")

    def short(self, row: Row) -> str:
        """Return a number's name in a line's width, the question's own in place of its text."""
        _, item, among = self.parts(row)
        name = f"{row['question']}: {item}" + (f", {among}" if among else "")
        return shorten(name, 60, placeholder="…")

    def _or(self, name: str, look_up: Callable[[Labels], str]) -> str:
        try:
            return look_up(self.labels) if self.labels else name
        except (KeyError, InputError):  # asked in one of the runs, and no longer
            return name


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Pair(Figure):
    """A figure of one run and, beside it, the same of another."""

    name: str
    other: Figure
    runs: tuple[str, str]

    def _repr_html_(self) -> str:
        both = zip(self.runs, (Figure._repr_html_(self), self.other._repr_html_()), strict=True)
        sides = "".join(f"<div><p>{escape(run)}</p>{html}</div>" for run, html in both)
        return f'<p class="pair-name">{escape(self.name)}</p><div class="pair">{sides}</div>'


@dataclass(frozen=True, eq=False)
class Comparison:
    """What differs between two runs.

    `numbers` has a row for each published number that differs, the largest difference first: id,
    `status` (added, removed or changed), KEYS, and FIELDS and `withheld` of each side, as
    `n_first`, `n_second`, `n_delta`; missing where a run does not show it.
    """

    runs: tuple[str, str]
    invented: bool
    parameters: tuple[tuple[str, str, str], ...]  # name, value in each run
    steps: tuple[tuple[str, str], ...]  # step, and why its key differs
    conclusions: tuple[tuple[str, str, str], ...]  # kind; of what; what either run says of it
    numbers: pd.DataFrame
    among: int  # how many numbers there are in either run
    figures: tuple[Pair, ...]
    equal_figures: int
    unpaired: tuple[str, ...]  # sentences on figures that only one run has
    words: Words

    @property
    def nothing(self) -> str:
        """Say in one line that nothing differs; "" where something does."""
        differs = [why for _, why in self.steps if why != SAME]
        if self.parameters or differs or len(self.numbers) or self.figures or self.unpaired:
            return ""
        return (
            f"{' and '.join(self.runs)} do not differ: the same parameters, steps, published "
            f"numbers ({self.among}) and figures ({self.equal_figures})."
        )

    @property
    def count(self) -> str:
        """Say how many published numbers differ."""
        counts = self.numbers["status"].value_counts()
        told = [f"{counts.get(name, 0)} {name}" for name in ("changed", "added", "removed")]
        return f"{', '.join(told)}, of {self.among}"

    @property
    def drawn(self) -> str:
        """Say how many figures differ."""
        return f"{len(self.figures)} that differ, {self.equal_figures} that are the same"

    def rows(
        self, name: Callable[[Row], str], most: int | None = None
    ) -> list[tuple[str, str, str, str]]:
        """Return of each number its name, how either run shows it, and the difference."""
        return [
            (name(row), shown(row, "first"), shown(row, "second"), delta(row))
            for row in _records(self.numbers[:most])
        ]

    def by_kind(self) -> dict[str, list[tuple[str, str]]]:
        """Return the changed conclusions by kind: of what, and what either run says of it."""
        found: dict[str, list[tuple[str, str]]] = {}
        for kind, what, told in self.conclusions:
            found.setdefault(kind, []).append((what, told))
        return found

    def lines(self) -> list[str]:
        """Return what differs for a terminal: the largest changes, and how many more there are."""
        if self.nothing:
            return [self.nothing]
        lines = [f"PRIVATE{', INVENTED' * self.invented}: {self.runs[0]} and {self.runs[1]}"]
        lines += ["", "Parameters that differ" if self.parameters else "The same parameters"]
        lines += [f"  {name}: {one} to {other}" for name, one, other in self.parameters]
        lines += ["", "Steps", *(f"  {step}: {why}" for step, why in self.steps)]
        for kind, said in self.by_kind().items():
            lines += ["", f"{kind}: {len(said)}"]
            lines += [f"  {what}: {told}" for what, told in said[:MOST_SAID]]
            lines += _more(len(said) - MOST_SAID)
        lines += ["", f"Published numbers: {self.count}"]
        rows = self.rows(self.words.short, MOST_ROWS)
        lines += _columns([("", *self.runs, "difference"), *rows]) if rows else []
        lines += _more(len(self.numbers) - MOST_ROWS)
        lines += ["", f"Figures: {self.drawn}"]
        return [*lines, *(f"  {one}" for one in self.unpaired)]


def compare_runs(one: Path, other: Path, root: Path) -> Comparison:
    """Compare two runs by their folders; `root` is the project, for what things are called.

    InputError where a folder holds no run, or one that the gate refused.
    """
    records = _published(one, other)
    runs = (one.name, other.name)
    if one.name == other.name:
        runs = (f"{one.name} (1)", f"{one.name} (2)")
    frames = [read_estimates(folder / "public" / ESTIMATES) for folder in (one, other)]
    joined = join_numbers(*frames)
    words = Words(_labels(records, root))
    kinds = [bool((frame["source"] == "invented").any()) for frame in frames]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"{runs[kinds.index(True)]} is on invented data and {runs[kinds.index(False)]} is not: "
            "what differs between them says nothing, so compare runs of one kind."
        )
    invented = kinds[0]
    figures, unpaired, equal = _pair_figures((one, other), runs, invented)
    values = [
        {name: value for name, value in record["parameters"].items() if name not in APART}
        for record in records
    ]
    return Comparison(
        runs,
        invented,
        tuple((name, written(x), written(y)) for name, x, y in differing(*values)),
        tuple(explain_steps(records[0], records[1], _counts(one, other))),
        tuple(changed_conclusions(joined, runs, words)),
        _largest_first(joined[joined["status"] != SAME]),
        len(joined),
        figures,
        equal,
        unpaired,
        words,
    )


def _published(*folders: Path) -> list[dict[str, Any]]:
    """Return the records of runs that published something; InputError names each that did not."""
    records, problems = [], list[str]()
    for folder in folders:
        try:
            records.append(read_record(folder / RUN_JSON))
        except OSError:
            problems.append(f"{folder} holds no {RUN_JSON}: name a finished run.")
        except InputError as error:
            problems += error.problems
        else:
            if records[-1]["refused"]:
                problems.append(
                    f"{folder} published nothing, since the gate refused it: see "
                    "private/refused.txt, mend that and run it again."
                )
    if problems:
        raise InputError(problems)
    return records


def _labels(records: list[dict[str, Any]], root: Path) -> Labels | None:
    names = {record["parameters"]["consultation"] for record in records}
    folder = root / "data" / names.pop()
    try:
        return None if names else Labels(read_questionnaire(folder), read_codebook(folder), "en")
    except InputError:  # the consultation is no longer there, or no longer right
        return None


def _counts(one: Path, other: Path) -> dict[str, str]:
    """Return by step how many respondents or codings more or fewer it passes on, in words."""
    flows, codings = (
        [folder / "private" / f"{name}.parquet" for folder in (one, other)]
        for name in ("flow", "codings")
    )
    said = {}
    if all(path.exists() for path in flows):
        steps = [dict(pd.read_parquet(path).itertuples(index=False, name=None)) for path in flows]
        if told := [f"{name} {written(x)} to {written(y)}" for name, x, y in differing(*steps)]:
            more = _more_or_fewer(steps[1]["kept"] - steps[0]["kept"])
            said[STEPS[1]] = f"passes {more} on to {STEPS[2]} ({', '.join(told)})"
    if all(path.exists() for path in codings):
        counts = (pd.read_parquet(path, columns=["counts"])["counts"] for path in codings)
        before, after = (int(those.sum()) for those in counts)
        if before != after:
            said[STEPS[2]] = f"codings {before} to {after}"
    return said


def _more_or_fewer(count: int) -> str:
    if not count:
        return "as many respondents"
    much = "more" if count > 0 else "fewer"
    return f"{abs(count)} {much} respondent{'s' * (abs(count) != 1)}"


def join_numbers(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Join two tables of estimates on `id`: columns as Comparison.numbers, and status `the same`.

    Numbers no further apart than CLOSE are the same.
    """
    joined = pd.concat([one, other]).drop_duplicates("id").set_index("id")[KEYS]
    status = pd.Series(SAME, index=joined.index)
    sides = [frame.set_index("id").reindex(joined.index) for frame in (one, other)]
    differs = pd.Series(False, index=joined.index)
    for name in FIELDS:
        first, second = (side[name] for side in sides)
        change = second - first
        joined[f"{name}_first"], joined[f"{name}_second"] = first, second
        joined[f"{name}_delta"] = change
        differs |= (first.isna() != second.isna()) | (change.abs() > CLOSE).fillna(False)
    for side, frame in zip(SIDES, sides, strict=True):
        joined[f"withheld_{side}"] = frame["suppressed"].eq(True)
    status[differs | (joined["withheld_first"] != joined["withheld_second"])] = "changed"
    status[~joined.index.isin(one["id"])] = "added"
    status[~joined.index.isin(other["id"])] = "removed"
    return joined.assign(status=status).reset_index()


def _largest_first(numbers: pd.DataFrame) -> pd.DataFrame:
    """Sort shares by percentage points, then other measures, each by its own scale."""
    order = pd.DataFrame({"other": numbers["measure"] != "share", "place": range(len(numbers))})
    for name in ("n", "value"):
        order.insert(1, name, -numbers[f"{name}_delta"].abs())
    return numbers.loc[order.sort_values(list(order.columns)).index].reset_index(drop=True)


def changed_conclusions(
    joined: pd.DataFrame, runs: tuple[str, str], words: Words
) -> Iterator[tuple[str, str, str]]:
    """Return what a reader of one run would say and a reader of the other would not.

    `joined` holds all numbers. Kind, of what, and what either run says: the most named answer of a
    question, a share on either side of one half, p on either side of LEVEL, a withheld number.
    """
    whole = joined[(joined["measure"] == "share") & (joined["group_by"] == "")]
    for _, rows in whole.groupby("question", sort=False):
        if said := _changed_lead(rows, runs, words):
            yield "Most named answers that changed", words.parts(_records(rows)[0])[0], said
    apart = {
        "Shares on the other side of one half": _crossing(whole, "value", lambda x: x > 50),
        f"Tests on the other side of {LEVEL}": _crossing(joined, "p_adjusted", lambda p: p < LEVEL),
        "Numbers that one run withholds": joined[
            (joined["withheld_first"] != joined["withheld_second"])
            & (joined["status"] == "changed")
        ],
    }
    for kind, rows in apart.items():
        for row in _records(rows):
            told = [f"{shown(row, side)} in {run}" for run, side in zip(runs, SIDES, strict=True)]
            yield kind, words.long(row), ", ".join(told)


def _crossing(rows: pd.DataFrame, name: str, test: Callable[[Any], Any]) -> pd.DataFrame:
    """Return the rows of which one run passes a test and the other, which shows them too, fails."""
    apart = test(rows[f"{name}_first"]) != test(rows[f"{name}_second"])
    found: pd.DataFrame = rows[apart.fillna(False)]
    return found


def _changed_lead(rows: pd.DataFrame, runs: tuple[str, str], words: Words) -> str:
    """Return a sentence where no answer leads a question in both runs; "" where one does."""
    leads = []
    for side in SIDES:
        values = rows[f"value_{side}"]
        leads.append(set(rows.loc[(values == values.max()).fillna(False), "item"]))
    if not all(leads) or leads[0] & leads[1]:
        return ""
    named = _records(rows[rows["item"].isin(leads[0] | leads[1])])
    said = []
    for run, side, lead in zip(runs, SIDES, leads, strict=True):
        told = {row["item"]: f"“{words.parts(row)[1]}” {shown(row, side)}" for row in named}
        first = " and ".join(text for item, text in told.items() if item in lead)
        others = " and ".join(text for item, text in told.items() if item not in lead)
        said.append(f"in {run} {first} before {others}")
    hidden = bool(rows[["withheld_first", "withheld_second"]].any(axis=None))
    return "of those shown, " * hidden + "; ".join(said)


def shown(row: Row, side: str) -> str:
    """Return a number as a run shows it: `54.5% (67 of 123)`; withheld, or not there."""
    if row["status"] == {"first": "added", "second": "removed"}[side]:
        return "not there"
    n, base, value, low, high, p = (row[f"{name}_{side}"] for name in FIELDS)
    among = [
        *([] if pd.isna(n) else [number(n)]),
        *([] if pd.isna(base) else [f"of {number(base)}"]),
    ]
    behind = f" ({' '.join(among)})" if among else ""
    if row[f"withheld_{side}"] or pd.isna(value):
        return ("withheld" if row[f"withheld_{side}"] else "undefined") + behind
    if row["measure"] != "share":
        told = number(value, decimals=2) + behind
        return told if pd.isna(p) else f"{told}, adjusted p {number(p, decimals=4)}"
    told = f"{number(value, decimals=1)}%{behind}"
    if pd.isna(row["value_delta"]) or row["status"] == SAME or delta(row):
        return told
    ends = [number(end, decimals=1) for end in (low, high) if not pd.isna(end)]
    return f"{told}, {' to '.join(ends) or 'no interval'}"  # all that differs


def delta(row: Row) -> str:
    """Return the difference between two shown numbers: of value, n, base and adjusted p."""
    heads = {"value": "", "n": "n ", "base": "base ", "p_adjusted": "p "}
    decimals = {"value": 1 if row["measure"] == "share" else 2, "p_adjusted": 4}
    said: list[str] = []
    for name, head in heads.items():
        change = row[f"{name}_delta"]
        if not pd.isna(change) and abs(change) > CLOSE:
            sign = "+" if change > 0 else ""
            points = " points" if name == "value" and row["measure"] == "share" else ""
            said.append(f"{head}{sign}{number(change, decimals=decimals.get(name, 0))}{points}")
    return ", ".join(said)


def _pair_figures(
    folders: tuple[Path, Path], runs: tuple[str, str], invented: bool
) -> tuple[tuple[Pair, ...], tuple[str, ...], int]:
    """Return the figures that differ, sentences on those of one run alone, and how many equal."""
    files = [
        {path.stem: path.read_bytes() for path in (folder / "public" / "figures").glob("*.svg")}
        for folder in folders
    ]
    texts = [_read_json(folder / "private" / "pictures.json") for folder in folders]
    pairs, equal = [], 0
    for name in sorted(files[0].keys() & files[1].keys()):
        if files[0][name] == files[1][name]:
            equal += 1
            continue
        one, other = (
            {"svg": pictures[name], "alt": name, "caption": "", **told.get(name, {})}
            for pictures, told in zip(files, texts, strict=True)
        )
        mark = say("banner.invented.word") if invented else ""
        pairs.append(Pair(**one, mark=mark, name=name, other=Figure(**other, mark=mark), runs=runs))
    alone = sorted(files[0].keys() ^ files[1].keys())
    unpaired = tuple(f"{name} is in {runs[name not in files[0]]} only." for name in alone)
    return tuple(pairs), unpaired, equal


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def render_comparison(comparison: Comparison) -> str:
    """Return the comparison as one page of HTML that says first that it is private."""
    one, other = comparison.runs
    about = [comparison.nothing or f"What differs between {one} and {other}, and why."]
    about += [say("banner.invented.text")] if comparison.invented else []
    page = Index(
        title=f"{one} and {other} compared",
        banner="runs",
        about="\n\n".join(about),
        sections=() if comparison.nothing else tuple(_sections(comparison)),
    )
    return render_index(page)


def _sections(found: Comparison) -> Iterator[Section]:
    mark = say("banner.invented.word") if found.invented else ""
    runs = list(found.runs)

    def table(rows: Iterable[tuple[str, ...]], heads: list[str], caption: str) -> Table:
        return Table(pd.DataFrame(rows, columns=heads), caption, mark=mark)

    if found.parameters:
        yield Section(
            "Parameters",
            items=(table(found.parameters, ["parameter", *runs], "Parameters that differ"),),
        )
    yield Section("Steps", items=(table(found.steps, ["step", "why"], "Why each step differs"),))
    if found.conclusions:
        tables = (
            table(said, ["of what", "in either run"], f"{kind}: {len(said)}")
            for kind, said in found.by_kind().items()
        )
        yield Section("Conclusions that changed", items=tuple(tables))
    rows = found.rows(found.words.long)
    caption = "Published numbers that differ, largest difference first"
    numbers = table(rows, ["number", *runs, "difference"], caption)
    yield Section("Published numbers", f"{found.count}.", (numbers,) if rows else ())
    said = tuple(Note(one) for one in found.unpaired)
    yield Section("Figures", f"{found.drawn}.", (*said, *found.figures))


def _records(frame: pd.DataFrame) -> list[Row]:
    return frame.to_dict("records")


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)) for row in rows]
    return [f"  {line}".rstrip() for line in lines]


def _more(count: int) -> list[str]:
    return [f"  and {count} more on the page"] if count > 0 else []
