"""Sentences made of published numbers, each share with its count and base.

Nothing is said that a withheld number could make false, and small gaps are not spoken of.
"""

from typing import Final

import pandas as pd

from upr_analysis.estimates import NOT_STATED
from upr_analysis.labels import Labels

LEAST_GAP: Final = 10  # percentage points below which no difference is spoken of


def hidden_could_be(rows: pd.DataFrame, exclusive: bool) -> int:
    """Return the most respondents that one withheld item of an overall table may have; 0 if none.

    What is shown of an exclusive question leaves only so many.
    """
    if rows["n"].notna().all():
        return 0
    base = int(rows["base"].iloc[0])
    return base - int(rows["n"].sum()) if exclusive else base


def most_named(rows: pd.DataFrame, labels: Labels) -> str:
    """Return a sentence on the item that most named, with count and base, and on the next one.

    Where a withheld item may have more, the sentence speaks of those that are shown, and says so.
    """
    shown = rows.dropna(subset="n").sort_values("n", ascending=False, kind="stable")
    question = str(rows["question"].iloc[0])
    exclusive = labels.is_exclusive(question)
    first = shown.iloc[0]
    words = {
        "item": labels.item(question, first["item"]),
        "share": labels.percent(first["value"], int(first["base"])),
        "n": labels.number(first["n"]),
        "base": labels.base(int(first["base"])),
    }
    certain = hidden_could_be(rows, exclusive) < first["n"]
    said = labels.say("answer.most_named" if certain else "answer.most_shown", **words)
    if len(shown) > 1 and certain:
        second = shown.iloc[1]
        close = first["value"] - second["value"] < LEAST_GAP
        said += " " + labels.say(
            "answer.nearly" if close else "answer.then",
            item=labels.item(question, second["item"]),
            share=labels.percent(second["value"], int(second["base"])),
            n=labels.number(second["n"]),
        )
    return said


def widest_gap(rows: pd.DataFrame, labels: Labels) -> str:
    """Return a sentence on the item whose shares lie furthest apart between two groups.

    `rows` are cells that can be compared. A gap of less than LEAST_GAP percentage points is given
    with its numbers and said to be too small to speak of. "" where nothing can be compared.
    """
    rows = rows[rows["group"] != NOT_STATED]
    if rows.empty:
        return ""
    spread = rows.groupby("item", sort=False)["value"].agg(lambda value: value.max() - value.min())
    item = str(spread.idxmax())
    own = rows[rows["item"] == item].sort_values("value", kind="stable")
    words = {}
    for name, row in (("lowest", own.iloc[0]), ("highest", own.iloc[-1])):
        base = int(row["base"])
        words[name] = labels.say(
            "answer.group",
            group=labels.group(row["group_by"], row["group"]),
            share=labels.percent(row["value"], base),
            n=labels.number(row["n"]),
            base=labels.say("base.of", n=base),
        )
    question = str(rows["question"].iloc[0])
    said = labels.say("answer.gap", item=labels.item(question, item), **words)
    if spread[item] < LEAST_GAP:
        said += " " + labels.say("answer.small_gap", points=LEAST_GAP)
    return said
