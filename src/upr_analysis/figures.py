"""Figures drawn from published estimates only, so that no figure can show what a table withholds.

Each has its alternative text made from the same numbers. Titles stand in the caption, not in the
image; colours are Okabe and Ito's, and nothing is told by colour alone.
"""

import io
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from upr_analysis.estimates import NOT_STATED
from upr_analysis.exhibits import WITHHELD, Figure
from upr_analysis.labels import Labels, sentence
from upr_analysis.sentences import most_named, widest_gap
from upr_analysis.tables import comparable, cross_table, overall_table, shares

OKABE_ITO: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
PARTED: Final = ("#D55E00", "#ececec", "#0072B2")  # from least to most
LEAST_LABELLED: Final = 7  # percent of a bar, below which its number does not fit
MARKERS: Final = ("o", "s", "D", "^", "v", "P")
WIDTH: Final = 6.5  # inches, the width at which it is printed
LABEL_WIDTH: Final = 34  # characters before a label is wrapped
LEGEND_WIDTH: Final = 90  # characters of a legend's labels side by side
MOST_DRAWN: Final = 15  # items in one figure; the table has them all
STYLE: Final[Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "upr_analysis",
    "text.parse_math": False,  # a `$` typed by someone is a dollar
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": "#d9d9d9",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@dataclass(frozen=True)
class Picture:
    """A drawn figure as files: svg and png, with alternative text and caption."""

    name: str
    svg: bytes
    png: bytes
    figure: Figure

    @property
    def words(self) -> dict[str, str]:
        """Alternative text and caption, for whoever shows the file."""
        return {"alt": self.figure.alt, "caption": self.figure.caption}


def draw_everything(
    estimates: pd.DataFrame,
    group_by: Sequence[str],
    chosen: Sequence[str],
    labels: Labels,
    invented: bool,
) -> list[Picture]:
    """Draw themes, codes and the `chosen` questions (all, if none is), overall and by grouping.

    What nothing is published of is not drawn.
    """
    rows = estimates[(estimates["measure"] == "share") & (estimates["group_by"] == "")]
    drawn = []
    for question in dict.fromkeys(rows["question"]):
        if question == "recommendations" or (
            chosen and question not in (*chosen, "themes", "codes")
        ):
            continue
        ordered = draw_ordered(estimates, question, group_by, labels, invented)
        drawn.append(ordered or draw_shares(estimates, question, labels, invented))
        drawn += [
            draw_by_group(estimates, question, grouping, labels, invented) for grouping in group_by
        ]
    return [picture for picture in drawn if picture is not None]


def draw_shares(
    estimates: pd.DataFrame, question: str, labels: Labels, invented: bool
) -> Picture | None:
    """Draw each item's share among all who answered as a dot, of a sample with its interval.

    A withheld item keeps its row, with the mark of what is withheld. None where nothing of the
    question is published.
    """
    rows = _as_drawn(shares(estimates, question), labels)
    if rows["n"].isna().all():
        return None
    if not labels.is_ordered(question):
        rows = rows.sort_values("value", ascending=False, na_position="last", kind="stable")
        rows = rows.head(MOST_DRAWN)
    names = [labels.item(question, item) for item in rows["item"]]
    with _style():
        drawing, axes = plt.subplots(figsize=(WIDTH, _height(names, 1)), layout="constrained")
        plot_shares(axes, rows, names, labels)
        _finish(drawing, axes, rows[["value", "high"]].max().max(), labels, invented)
        svg, png = _files(drawing)
    base = labels.base(rows)
    asked = sentence(labels.question(question))
    hidden = _hidden(rows, labels)
    whole = shares(estimates, question)
    alt = labels.say("figure.alt_shares", question=asked, base=base)
    alt = _joined(labels.mark, alt, most_named(whole, labels), hidden)
    caption = labels.say("figure.caption_shares", question=asked, base=base)
    caption = _joined(caption, _intervals(labels), hidden)
    data = overall_table(estimates, question, labels)
    figure = Figure(svg, alt, caption, data, labels.language, labels.mark)
    return Picture(f"05_{question}", svg, png, figure)


def draw_by_group(
    estimates: pd.DataFrame, question: str, group_by: str, labels: Labels, invented: bool
) -> Picture | None:
    """Draw each item's share in every group as dots on one line an item; samples with intervals.

    Items shown of one group only are left to the table. None where fewer than two items can be
    compared between groups: that is read better in the table.
    """
    rows = _as_drawn(comparable(estimates, question, group_by), labels)
    totals = shares(estimates, question).set_index("item")["value"]
    items = sorted(dict.fromkeys(rows["item"]), key=lambda item: -totals.fillna(0)[item])
    items = items[:MOST_DRAWN]
    if len(items) < 2:
        return None
    rows = rows[rows["item"].isin(items)]
    groups = list(dict.fromkeys(rows["group"]))
    names = [labels.item(question, item) for item in items]
    with _style():
        height = _height(names, len(groups)) + 0.16 * len(groups)
        drawing, axes = plt.subplots(figsize=(WIDTH, height), layout="constrained")
        plot_by_group(axes, rows, items, groups, labels, group_by)
        axes.set_yticks(range(len(names)), [_wrapped(name) for name in names])
        handles, texts = axes.get_legend_handles_labels()
        side_by_side = max(1, LEGEND_WIDTH // (max(map(len, texts)) + 4))
        drawing.legend(handles, texts, loc="outside upper left", ncols=side_by_side, frameon=False)
        _finish(drawing, axes, rows[["value", "high"]].max().max(), labels, invented)
        svg, png = _files(drawing)
    asked = sentence(labels.question(question))
    by = labels.by(group_by)
    hidden = labels.say("figure.partly") if len(rows) < len(items) * len(groups) else ""
    alt = labels.say("figure.alt_by_group", question=asked, grouping=by, groups=len(groups))
    alt = _joined(labels.mark, alt, widest_gap(rows, labels), hidden)
    caption = labels.say("figure.caption_by_group", question=asked, grouping=by)
    caption = labels.scoped(caption, rows)
    data = cross_table(estimates, question, group_by, labels)
    caption = _joined(caption, _intervals(labels), hidden)
    figure = Figure(svg, alt, caption, data, labels.language, labels.mark)
    return Picture(f"05_{question}_{group_by}", svg, png, figure)


def draw_ordered(
    estimates: pd.DataFrame,
    question: str,
    group_by: Sequence[str],
    labels: Labels,
    invented: bool,
) -> Picture | None:
    """Draw an ordered question as bars that part at its middle option, of all and of each group.

    A group is drawn where all its shares are shown. None where the question has no order, fewer
    than three options, or something of it is withheld overall.
    """
    order = labels.ordered_items(question) if labels.is_ordered(question) else []
    bars = dict[str, list[float]]()
    for by in ("", *group_by):
        for group, rows in shares(estimates, question, by).groupby("group", sort=False):
            told = rows.set_index("item")["value"].reindex(order)
            if group == NOT_STATED or told.isna().any():
                continue
            name = labels.group(by, str(group)) if by else labels.everyone
            base = labels.say("base.of", n=int(rows["base"].iloc[0]))
            bars[f"{name} ({base})"] = told.tolist()[::-1]
    whole = shares(estimates, question)
    if len(order) < 3 or whole.set_index("item")["n"].reindex(order).isna().any():
        return None
    names = [labels.item(question, item) for item in order[::-1]]
    with _style():
        size = (WIDTH, _height(list(bars), 1) + 0.3)
        drawing, axes = plt.subplots(figsize=size, layout="constrained")
        plot_ordered(axes, bars, names, labels)
        drawing.legend(loc="outside upper left", ncols=len(names), frameon=False)
        if invented:
            drawing.supxlabel(labels.say("figure.invented"), fontsize=8, color="#a01c1c")
        svg, png = _files(drawing)
    asked, base = sentence(labels.question(question)), labels.base(whole)
    beside = [labels.item(question, item) for item in whole["item"] if item not in order]
    left_out = labels.say("figure.beside", items="; ".join(beside)) if beside else ""
    alt = labels.say("figure.alt_ordered", question=asked, base=base, bars=len(bars))
    alt = _joined(labels.mark, alt, most_named(whole, labels))
    caption = labels.say("figure.caption_ordered", question=asked, base=base)
    data = overall_table(estimates, question, labels)
    caption = _joined(caption, left_out)
    figure = Figure(svg, alt, caption, data, labels.language, labels.mark)
    return Picture(f"05_{question}", svg, png, figure)


def plot_ordered(
    axes: Axes, bars: Mapping[str, Sequence[float]], names: Sequence[str], labels: Labels
) -> Axes:
    """Draw percentages of ordered options, least first, side by side about the middle option."""
    places = range(len(bars))
    values = np.array(list(bars.values()))
    half, odd = divmod(len(names), 2)
    start = -values[:, :half].sum(axis=1) - odd * values[:, half] / 2
    for number, colour in enumerate(sns.blend_palette(PARTED, len(names))):
        axes.barh(places, values[:, number], left=start, color=colour, label=names[number])
        dark = sum(colour) < 1.6
        for place, (share, left) in enumerate(zip(values[:, number], start, strict=True)):
            if share >= LEAST_LABELLED:
                axes.text(
                    left + share / 2, place, labels.percent(share, 1), ha="center", va="center",
                    fontsize=8, color="white" if dark else "black",
                )  # fmt: skip
        start = start + values[:, number]
    axes.set_axisbelow(True)
    axes.set_yticks(places, [_wrapped(name) for name in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(lambda value, _: labels.number(abs(value)))
    axes.set_xlabel(labels.say("figure.percent_axis"))
    axes.tick_params(axis="y", length=0)
    return axes


def _as_drawn(rows: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Return rows without their intervals where these are no sampling error, and are folded."""
    if labels.sample == "probability":
        return rows
    return rows.assign(low=rows["value"], high=rows["value"])


def _intervals(labels: Labels) -> str:
    return labels.say("figure.intervals") if labels.sample == "probability" else ""


def _hidden(rows: pd.DataFrame, labels: Labels) -> str:
    return labels.say("figure.withheld") if rows["n"].isna().any() else ""


def _joined(*texts: str) -> str:
    return " ".join(text for text in texts if text)


@contextmanager
def _style() -> Iterator[None]:
    """Draw in our style over the library's defaults, whatever the reader's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def plot_shares(axes: Axes, rows: pd.DataFrame, names: Sequence[str], labels: Labels) -> Axes:
    """Draw shares (percent) with intervals, one row an item from the top; returns the axes.

    An item without a share gets the mark of what is withheld.
    """
    places = range(len(rows))
    axes.hlines(places, rows["low"], rows["high"], color=OKABE_ITO[0], linewidth=2, alpha=0.45)
    sns.scatterplot(
        x=rows["value"].to_numpy(dtype=float), y=list(places), color=OKABE_ITO[0], s=45, ax=axes,
        zorder=3,
    )  # fmt: skip
    ends = rows["high"].fillna(rows["value"])
    for place, count, high in zip(places, rows["n"], ends, strict=True):
        if pd.isna(count):
            axes.text(1, place, WITHHELD.value, va="center", fontsize=8, color="#595959")
        else:
            axes.text(high + 1.5, place, labels.number(count), va="center", fontsize=8)
    axes.set_yticks(places, [_wrapped(name) for name in names])
    return axes


def plot_by_group(
    axes: Axes,
    rows: pd.DataFrame,
    items: Sequence[str],
    groups: Sequence[str],
    labels: Labels,
    group_by: str,
) -> Axes:
    """Draw each group's share of each item with its interval, shifted so that none overlap."""
    step = 0.7 / max(1, len(groups))
    for order, group in enumerate(groups):
        own = rows[rows["group"] == group]
        shift = (order - (len(groups) - 1) / 2) * step
        places = [items.index(item) + shift for item in own["item"]]
        colour = OKABE_ITO[order % len(OKABE_ITO)]
        axes.hlines(places, own["low"], own["high"], color=colour, linewidth=1.5, alpha=0.45)
        base = int(own["base"].max())
        axes.scatter(
            own["value"], places, color=colour, marker=MARKERS[order % len(MARKERS)], s=28,
            label=f"{labels.group(group_by, group)} ({labels.say('base.of', n=base)})",
            zorder=3,
        )  # fmt: skip
    return axes


def _finish(drawing: Drawing, axes: Axes, highest: float, labels: Labels, invented: bool) -> None:
    axes.set_xlim(0, 105 if highest > 50 else 10 * math.ceil(highest / 10) + 5)
    axes.set_ylim(len(axes.get_yticks()) - 0.4, -0.6)
    axes.set_xlabel(labels.say("figure.percent_axis"))
    axes.set_ylabel("")
    axes.tick_params(axis="y", length=0)
    if invented:
        drawing.supxlabel(labels.say("figure.invented"), fontsize=8, color="#a01c1c")


def _height(names: Sequence[str], groups: int) -> float:
    lines = sum(_wrapped(name).count("\n") + 1 for name in names)
    return 1.1 + 0.19 * lines + max(0.13, 0.14 * groups) * len(names)


def _wrapped(name: str) -> str:
    return textwrap.fill(name, LABEL_WIDTH)


def _files(drawing: Drawing) -> tuple[bytes, bytes]:
    """Return svg and png without date, tool or anything else that differs between runs."""
    svg, png = io.BytesIO(), io.BytesIO()
    drawing.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    drawing.set_layout_engine("none")  # laid out once is enough, and both then look the same
    drawing.savefig(png, format="png", dpi=200, metadata={"Software": None})
    plt.close(drawing)
    return svg.getvalue(), png.getvalue()
