"""How published estimates read as tables: counts travel with percentages, every base is named."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from upr_analysis.documents import label
from upr_analysis.estimates import CODES, NOT_STATED, THEMES
from upr_analysis.exhibits import WITHHELD, Table
from upr_analysis.labels import NO_BREAK, Labels, sentence

CODED = ("themes", "codes", "recommendations")  # items that are no options of a question


def captioned(
    frame: pd.DataFrame,
    caption: str,
    labels: Labels,
    key: str,
    note: str = "",
    numbers: bool = False,
    links: Mapping[str, str] | None = None,
    texts: Sequence[str] = (),
) -> Table:
    """Return a table in the labels' language, marked as invented where they say so.

    With `numbers` all columns but the first and the `texts` are set right, though of text.
    """
    others = [str(name) for name in frame.columns[1:] if name not in texts]
    sides = dict.fromkeys(others, "right") if numbers else None
    return Table(frame, caption, note, labels.language, sides, key, labels.mark, links)  # type: ignore[arg-type]


def anchor(theme: str) -> str:
    """Return the id of the place where the evidence of a theme stands."""
    return f"theme-{theme.replace('_', '-')}"


def _evidence(question: str, labels: Labels) -> dict[str, str]:
    """Return where the row of each theme, or code, leads: to what it is made of."""
    if question not in (THEMES, CODES) or labels.codebook is None:
        return {}
    return {
        label(one.label, labels.language): f"04_cross_tabs.html#{anchor(theme.name)}"
        for theme in labels.codebook.themes
        for one in ([theme] if question == THEMES else theme.codes)
    }


def shares(estimates: pd.DataFrame, question: str, group_by: str = "") -> pd.DataFrame:
    """Return the share rows of a question, overall or by a grouping."""
    return estimates[
        (estimates["measure"] == "share")
        & (estimates["question"] == question)
        & (estimates["group_by"] == group_by)
    ]


def as_read(rows: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Return a question's shares, the most frequent first; ordered options in their order."""
    if rows.empty or labels.is_ordered(str(rows["question"].iloc[0])):
        return rows
    return rows.sort_values("n", ascending=False, na_position="last", kind="stable")


def overall_table(
    estimates: pd.DataFrame, question: str, labels: Labels, most: int | None = None
) -> Table:
    """Return a question's items among all who answered, the most frequent first.

    Ordered options keep their order. Withheld numbers show as such, at the end. Of more than
    `most` rows the first are shown, and the note says how many there are.
    """
    rows = shares(estimates, question)
    rows = as_read(rows, labels)
    base, left = int(rows["base"].iloc[0]), len(rows) - len(rows[:most])
    rows = rows[:most]
    columns = {
        labels.item_head(question): [labels.item(question, item) for item in rows["item"]],
        labels.unit: [_count(n, labels) for n in rows["n"]],
        labels.say("table.share"): [share_text(value, base, labels) for value in rows["value"]],
    }
    sampled = labels.sample == "probability"
    if sampled:  # of who chose to answer intervals are folded, of a census there are none
        columns[labels.say("table.interval")] = [
            interval_text(low, high, base, labels)
            for low, high in zip(rows["low"], rows["high"], strict=True)
        ]
    error = labels.say("table.sampling") if sampled and rows["low"].notna().any() else ""
    return captioned(
        pd.DataFrame(columns),
        caption=f"{labels.question(question)} ({labels.base(rows)})",
        note=notes(_several(question, labels), error, _more(left, labels)),
        labels=labels,
        key=question,
        numbers=True,
        links=_evidence(question, labels),
    )


def cross_table(
    estimates: pd.DataFrame,
    question: str,
    group_by: str,
    labels: Labels,
    most: int | None = None,
) -> Table:
    """Return a question's items by group, each cell the count and its percent of the group's base.

    An item that nothing is shown of is left out and named in the note, which also says how many
    there are beyond the first `most`, and why the groups' bases may not add up.
    """
    rows = shares(estimates, question, group_by)
    shown = rows.groupby("item", sort=False)["n"].transform(lambda n: n.notna().any())
    left_out = list(dict.fromkeys(rows.loc[~shown, "item"]))
    rows = rows[shown]
    overall = shares(estimates, question).set_index("item")
    everyone = int(overall["base"].iloc[0])
    items = list(dict.fromkeys(rows["item"]))
    if not labels.is_ordered(question):
        items.sort(key=lambda item: -(overall["n"].fillna(0)[item]))
    more, items = len(items) - len(items[:most]), items[:most]
    cells = rows.set_index(["item", "group"])
    columns = {
        labels.item_head(question): [labels.item(question, item) for item in items],
        _with_base(labels.everyone, everyone, labels): [
            _cell(overall.loc[item], everyone, labels) for item in items
        ],
    }
    groups = rows.drop_duplicates("group").set_index("group")["base"]
    unstated = NOT_STATED in groups and not _any_shown(rows, NOT_STATED)
    for group, base in groups.items():
        if group != NOT_STATED or not unstated:
            head = _with_base(labels.group(group_by, str(group)), int(base), labels)
            columns[head] = [
                _cell(cells.loc[(item, str(group))], everyone, labels) for item in items
            ]
    overlap = int(groups.sum()) > everyone
    return captioned(
        pd.DataFrame(columns),
        caption=labels.scoped(
            labels.say(
                "table.cross_caption",
                question=sentence(labels.question(question)),
                grouping=labels.by(group_by),
            ),
            rows,
        ),
        note=notes(
            _several(question, labels),
            labels.say("table.overlap") if overlap else "",
            labels.say(_unstated(group_by, labels)) if unstated else "",
            _left_out([labels.item(question, item) for item in left_out], labels),
            _more(more, labels),
        ),
        labels=labels,
        key=f"{question}.{group_by}",
        numbers=True,
        links=_evidence(question, labels),
    )


def comparable(estimates: pd.DataFrame, question: str, group_by: str) -> pd.DataFrame:
    """Return the shown cells of a cross-table that can be compared: items shown in two groups."""
    rows = shares(estimates, question, group_by)
    rows = rows[rows["n"].notna() & (rows["group"] != NOT_STATED)]
    return rows[rows.groupby("item")["group"].transform("nunique") > 1]


def protection_table(estimates: pd.DataFrame, labels: Labels) -> Table:
    """Return how many cells of each grouping are shown and withheld, without locating any."""
    rows = estimates[estimates["measure"] == "share"]
    counted = []
    for group_by, own in rows.groupby("group_by", sort=False):
        hidden = int(own["suppressed"].sum())
        name = labels.grouping(str(group_by)) if group_by else labels.everyone
        counted.append((name, len(own), len(own) - hidden, hidden))
    heads = [
        labels.say(f"protection.{head}") for head in ("grouping", "cells", "shown", "withheld")
    ]
    return captioned(
        pd.DataFrame(counted, columns=heads),
        labels.say("protection.caption"),
        labels,
        "protection",
        labels.say("protection.note"),
    )


def audit_table(audited: pd.DataFrame, labels: Labels) -> Table:
    """Return how many cells are protected and how narrowly the closest can be bounded."""
    # the widest that is asked holds where the base is large enough for it
    wide = audited.loc[audited["needed"] == audited["needed"].max(), "width"]
    rows = [
        (labels.say("audit.protected"), len(audited)),
        (labels.say("audit.narrowest"), int(wide.min()) if len(wide) else None),
    ]
    heads = [labels.say("places.what"), labels.say("places.count")]
    frame = pd.DataFrame(rows, columns=heads).astype({heads[1]: "Int64"})
    return captioned(frame, labels.say("audit.caption"), labels, "audit", labels.say("audit.note"))


def _any_shown(rows: pd.DataFrame, group: str) -> bool:
    return bool(rows.loc[rows["group"] == group, "n"].notna().any())


def _several(question: str, labels: Labels) -> str:
    return "" if labels.is_exclusive(question) else labels.say("table.several")


def _unstated(group_by: str, labels: Labels) -> str:
    fixed = labels.questionnaire.is_declared(group_by)
    return "table.unstated" if fixed else "table.unanswered"


def _more(rows: int, labels: Labels) -> str:
    return labels.say("table.more", n=rows) if rows else ""


def _left_out(items: list[str], labels: Labels) -> str:
    return labels.say("table.left_out", items="; ".join(items)) if items else ""


def notes(*texts: str) -> str:
    """Return the texts that say anything, as one."""
    return " ".join(text for text in texts if text)


def _with_base(name: str, base: int, labels: Labels) -> str:
    return f"{name} ({labels.say('base.of', n=base)})"


def _cell(row: pd.Series, everyone: int, labels: Labels) -> object:
    """Return a count with its percent, at as many decimals as the whole table's base allows."""
    if pd.isna(row["n"]):
        return WITHHELD
    share = f"{NO_BREAK}({labels.percent(row['value'], everyone)})" if row["base"] >= 10 else ""
    return f"{labels.number(row['n'])}{share}"


def _count(n: Any, labels: Labels) -> object:
    return WITHHELD if pd.isna(n) else labels.number(n)


def share_text(value: Any, base: int, labels: Labels) -> object:
    """Return a percentage as it is read, or the mark of what is withheld."""
    return WITHHELD if pd.isna(value) else labels.percent(value, base)


def interval_text(low: Any, high: Any, base: int, labels: Labels) -> object:
    """Return the two ends of an interval of a percentage, or the mark of what is withheld."""
    if pd.isna(low):
        return WITHHELD
    return f"{labels.percent(low, base)}\N{EN DASH}{labels.percent(high, base)}"


def with_interval(row: Any, labels: Labels) -> str:
    """Return `value` of a row with `low` and `high`, if it has them; undefined is said."""
    if pd.isna(row["value"]):
        return labels.say("agreement.undefined")
    value = labels.number(row["value"], 2)
    if pd.isna(row["low"]):
        return value
    return f"{value} [{labels.number(row['low'], 2)}\N{EN DASH}{labels.number(row['high'], 2)}]"


def decimal(value: Any, decimals: int, labels: Labels) -> object:
    """Return a number with so many decimals, "<" before the least of them; None where missing."""
    if pd.isna(value):
        return None
    least = 10.0**-decimals
    if 0 < value <= least / 2:
        return f"<{labels.number(least, decimals)}"
    return labels.number(value, decimals)
