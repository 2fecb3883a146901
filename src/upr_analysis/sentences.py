"""Sentences made of published numbers, each share with its count and base.

Nothing is said that a withheld number could make false, and small gaps are not spoken of.
"""

from typing import Final

import pandas as pd

from upr_analysis.estimates import NOT_STATED
from upr_analysis.labels import Labels

TOO_FEW: Final = "too_few"
LEAST_BASE: Final = 10  # respondents of whom a share is spoken of at all
LEAST_GAP: Final = 10  # percentage points below which no difference is spoken of


def hidden_could_be(rows: pd.DataFrame, exclusive: bool) -> int:
    """Return the most respondents that one withheld item of an overall table may have; 0 if none.

    What is shown of an exclusive question leaves only so many.
    """
    if rows["n"].notna().all():
        return 0
    base = int(rows["base"].iloc[0])
    return base - int(rows["n"].sum()) if exclusive else base


def quantity_of(row: pd.Series) -> str:
    """Return the name of the word for a share: most, about half, a minority, too few to say.

    By rule: nothing of a base under LEAST_BASE. "Most", or from 90 % "nearly all", where the
    interval lies above one half; "a minority", or up to 10 % "few", where it lies below; between,
    "about half" from 45 to 55 %, else somewhat more or less than half. Without an interval (of a
    census) the share itself decides, about half first.
    """
    n, base, share = int(row["n"]), int(row["base"]), float(row["value"])
    whole = pd.isna(row["low"])
    low, high = (share, share) if whole else (float(row["low"]), float(row["high"]))
    rules = (
        (TOO_FEW, base < LEAST_BASE),
        ("none", n == 0),
        ("all", n == base),
        ("about_half", whole and 45 <= share <= 55),
        ("nearly_all", low > 50 and share >= 90),
        ("most", low > 50),
        ("few", high < 50 and share <= 10),
        ("minority", high < 50),
        ("about_half", 45 <= share <= 55),
        ("more_than_half", share > 55),
    )
    return next((name for name, holds in rules if holds), "less_than_half")


def most_named(rows: pd.DataFrame, labels: Labels) -> str:
    """Return a sentence on the item that most named, with count and base, and on the next one.

    Where a withheld item may have more, the sentence speaks of those that are shown, and says so.
    """
    shown = rows.dropna(subset="n").sort_values("n", ascending=False, kind="stable")
    question = str(rows["question"].iloc[0])
    exclusive = labels.is_exclusive(question)
    first = shown.iloc[0]
    words: dict[str, object] = {
        "item": labels.item(question, first["item"]),
        "share": labels.percent(first["value"], int(first["base"])),
        "n": labels.number(first["n"]),
        "base": labels.base(first),
    }
    certain = hidden_could_be(rows, exclusive) < first["n"]
    quantity = quantity_of(first)
    if quantity == TOO_FEW:
        del words["share"]
        return labels.say("answer.too_few", **words)
    words["quantity"] = labels.say(f"quantity.{quantity}")
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
