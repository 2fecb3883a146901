"""What stands with a table for those who look closer: intervals, differences, effects and tests.

Of respondents who chose to answer, shares and effects come first and the rest is folded: intervals
as the stability of a share among those who answered, tests as statements about re-labelling them.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from upr_analysis.exhibits import Folded, Note, Table
from upr_analysis.labels import Labels, sentence
from upr_analysis.sentences import LEAST_GAP, quantity_of
from upr_analysis.tables import (
    as_read,
    captioned,
    comparable,
    cross_table,
    decimal,
    interval_text,
    notes,
    overall_table,
    share_text,
    shares,
)

# How a method is told in `estimates.method` -> the key of its words.
METHODS: Final = {
    r"chi-square with Yates' correction": "yates",
    r"chi-square(?! with)": "chi_square",
    r"Fisher(?: exact)?": "fisher",
    r"G(?= over|;|$)": "g",
    r"modified Pearson \(MMI\)": "mmi",
    r"modified Pearson \(SPMI\)": "spmi",
    r"Kruskal-Wallis": "kruskal_wallis",
    r"linear-by-linear": "linear",
    r"gamma": "gamma",
    r"by first-order Rao-Scott": "rao_scott_1",
    r"by second-order Rao-Scott": "rao_scott_2",
    r"second-order Rao-Scott F": "rao_scott_f",
    r"by Bonferroni": "bonferroni",
    r"over (?P<n>\d+) permutations": "permuted",
    r"(?P<few>\d+) of (?P<cells>\d+) expected counts below 5, smallest (?P<least>[\d.]+)": "sparse",
    r"others joined": "joined",
    r"error of p (?P<error>[\d.]+)": "error",
    r"adjusted by benjamini_hochberg in (?P<n>\d+)": "benjamini_hochberg",
    r"adjusted by holm in (?P<n>\d+)": "holm",
    r"^undefined: (?:an expected|too many)": "undefined_sparse",
    r"^undefined: who left": "undefined_blank",
    r"^undefined(?!: (?:an expected|too many|who left))": "undefined",
}


def counted(kept: pd.DataFrame, some: pd.DataFrame, where: Sequence[str], labels: Labels) -> Note:
    """Return how many respondents are counted of those who are kept, and by which condition."""
    if not where:
        return Note(labels.say("where.all", n=len(kept)))
    conditions = labels.joined(labels.conditions(" & ".join(where)))
    left_out = len(kept) - len(some)
    return Note(labels.say("where.some", n=len(some), left_out=left_out, conditions=conditions))


def overall_tables(estimates: pd.DataFrame, labels: Labels) -> list[Table | Folded]:
    """Return a table a question, of all in its base, each with what is folded under it."""
    rows = estimates[(estimates["measure"] == "share") & (estimates["group_by"] == "")]
    names = [name for name in dict.fromkeys(rows["question"]) if name != "recommendations"]
    found: list[Table | Folded] = []
    for name in names:
        found.append(overall_table(estimates, name, labels))
        if folded := _overall_detail(estimates, name, labels):
            found.append(folded)
    numbers = estimates[(estimates["measure"] == "median") & (estimates["item"] == "")]
    return [*found, _number_table(numbers, labels)] if len(numbers) else found


def _number_table(medians: pd.DataFrame, labels: Labels) -> Table:
    """Return the middle of the numbers that were answered, a row a question."""
    rows = []
    for _, row in medians.iterrows():
        ends = None
        if pd.notna(row["low"]):
            low, high = (_number(row[end], labels) for end in ("low", "high"))
            ends = labels.say("detail.to", low=low, high=high)
        asked = labels.question(row["question"])
        rows.append((asked, labels.base(row), _number(row["value"], labels), ends))
    heads = [labels.say(key) for key in ("test.question", "test.base", "detail.number_median")]
    frame = pd.DataFrame(rows, columns=[*heads, labels.say("table.interval")])
    if frame.iloc[:, 3].isna().all():
        frame = frame.iloc[:, :3]
    caption = labels.say("detail.number_caption")
    return captioned(frame, caption, labels, "numbers", numbers=True, texts=[heads[1]])


def _number(value: float, labels: Labels) -> str:
    return labels.number(value, 0 if float(value).is_integer() else 1)


def _overall_detail(estimates: pd.DataFrame, question: str, labels: Labels) -> Folded | None:
    """Return the intervals of a question's shares, its middle answer, shares of responses."""
    rows = as_read(shares(estimates, question), labels).dropna(subset="low")
    own = estimates[(estimates["question"] == question) & (estimates["group_by"] == "")]
    others = {
        measure: own[own["measure"] == measure].set_index("item")
        for measure in ("share_of_responses", "weighted_share")
    }
    if labels.sample == "probability" and all(found.empty for found in others.values()):
        return None
    if rows.empty:
        return None
    base = int(rows["base"].iloc[0])
    columns: dict[str, list[Any]] = {
        labels.item_head(question): [labels.item(question, item) for item in rows["item"]],
        labels.say("table.share"): [share_text(value, base, labels) for value in rows["value"]],
        labels.say("detail.words"): [
            labels.say(f"quantity.{quantity_of(row)}") for _, row in rows.iterrows()
        ],
        labels.say("table.interval"): [
            interval_text(low, high, base, labels)
            for low, high in zip(rows["low"], rows["high"], strict=True)
        ],
    }
    for measure, found in others.items():
        if not found.empty:
            told = found.reindex(rows["item"])
            columns[labels.say(f"detail.{measure}")] = [
                share_text(value, int(found["base"].iloc[0]), labels) for value in told["value"]
            ]
    weighed = others["weighted_share"].reindex(rows["item"])
    if not others["weighted_share"].empty:
        columns[labels.say("detail.weighted_interval")] = [
            interval_text(low, high, base, labels)
            for low, high in zip(weighed["low"], weighed["high"], strict=True)
        ]
    responses = others["share_of_responses"]
    table = captioned(
        pd.DataFrame(columns),
        labels.say(
            "detail.overall_caption",
            question=sentence(labels.question(question)),
            base=labels.base(rows),
        ),
        labels,
        f"{question} detail",
        notes(
            _stability(rows, labels),
            labels.say("detail.responses", n=int(responses["base"].iloc[0]))
            if len(responses)
            else "",
            _middle(own, labels),
        ),
        numbers=True,
    )
    return Folded(labels.say("detail.overall"), (table,))


def _stability(rows: pd.DataFrame, labels: Labels) -> str:
    method = "clopper_pearson" if "Clopper" in rows["method"].iloc[0] else "wilson"
    kind = "sampling" if labels.sample == "probability" else "stability"
    return labels.say(f"detail.{kind}", method=labels.say(f"method.{method}"))


def _middle(rows: pd.DataFrame, labels: Labels) -> str:
    """Return a sentence on the middle answer of an ordered question, "" without one."""
    median = rows[rows["measure"] == "median"]
    if median.empty:
        return ""
    row: Any = median.iloc[0]
    between = re.match(r"between (\w+) and (\w+);", row["method"])
    middle = [labels.item(row["question"], item) for item in between.groups()] if between else []
    said = labels.say(
        "detail.median",
        item=" / ".join(middle) or labels.item(row["question"], row["item"]),
        base=labels.base(row),
    )
    if pd.isna(row["low"]):
        return said
    options = labels.ordered_items(row["question"])
    ends = [options[int(place) - 1] for place in (row["low"], row["high"])]
    names = [labels.item(row["question"], item) for item in ends]
    return f"{said} {labels.say('detail.median_interval', low=names[0], high=names[1])}"


def crossed_tables(
    estimates: pd.DataFrame, group_by: Sequence[str], labels: Labels
) -> list[Table | Note | Folded]:
    """Return a table a question and grouping in which at least two groups can be compared.

    Under it stands how strongly the two go together and, folded, the rest. A note names the
    questions of which too little is shown for that.
    """
    found: list[Table | Note | Folded] = []
    for grouping in group_by:
        rows = estimates[(estimates["measure"] == "share") & (estimates["group_by"] == grouping)]
        too_few = []
        for name in dict.fromkeys(rows["question"]):
            if comparable(estimates, name, grouping).empty:
                too_few.append(labels.question(name))
                continue
            found.append(cross_table(estimates, name, grouping, labels))
            if said := effect_in_words(estimates, name, grouping, labels):
                found.append(Note(said))
            found.append(_cross_detail(estimates, name, grouping, labels))
        if too_few:
            by = labels.by(grouping)
            names = "; ".join(too_few)
            found.append(Note(labels.say("table.too_few", grouping=by, questions=names)))
    return found


def _about(estimates: pd.DataFrame, question: str, group_by: str) -> pd.DataFrame:
    return estimates[(estimates["question"] == question) & (estimates["group_by"] == group_by)]


def effect_in_words(estimates: pd.DataFrame, question: str, group_by: str, labels: Labels) -> str:
    """Return how strongly answers and groups go together, and which group stands furthest off."""
    rows = _about(estimates, question, group_by)
    said = []
    effects = rows[(rows["measure"] == "effect") & rows["value"].notna()]
    for _, row in effects.iterrows():
        value = labels.number(row["value"], 2)
        kind = "v" if "bias" in row["method"] else "v_whole"
        said.append(labels.say(f"effect.{kind}", value=value, base=int(row["base"])))
    ranked = rows[(rows["measure"] == "test") & rows["method"].str.startswith("gamma")]
    said += [labels.say("effect.gamma", value=labels.number(value, 2)) for value in ranked["value"]]
    gaps = rows[rows["measure"] == "difference"]
    if len(gaps) and gaps["value"].abs().max() < LEAST_GAP:
        said.append(labels.say("effect.near", points=LEAST_GAP))
    elif gap := furthest(estimates, question, group_by, labels):
        said.append(labels.say("effect.furthest", gap=gap))
    return " ".join(said)


def points_text(value: float, labels: Labels) -> str:
    """Return percentage points with their sign, whole."""
    written = labels.number(value)
    return f"+{written}" if round(value) > 0 else written


def _cross_detail(estimates: pd.DataFrame, question: str, group_by: str, labels: Labels) -> Folded:
    """Return, of each shown cell: share, interval, difference from all others, residual; a test."""
    rows = comparable(estimates, question, group_by)
    overall = as_read(shares(estimates, question), labels)["item"].tolist()
    rows = rows.sort_values("item", key=lambda item: item.map(overall.index), kind="stable")
    about = _about(estimates, question, group_by)
    cells = {
        measure: about[about["measure"] == measure].set_index(["item", "group"])
        for measure in ("difference", "residual", "weighted_share")
    }
    told = []
    for _, row in rows.iterrows():
        base, place = int(row["base"]), (row["item"], row["group"])
        line: list[Any] = [
            labels.item(question, row["item"]),
            labels.group(group_by, row["group"]),
            f"{share_text(row['value'], base, labels)} {labels.say('base.of', n=base)}",
            None if pd.isna(row["low"]) else interval_text(row["low"], row["high"], base, labels),
        ]
        gap: Any = cells["difference"].loc[place] if place in cells["difference"].index else None
        line.append(None if gap is None else points_text(gap["value"], labels))
        line.append(
            None
            if gap is None or pd.isna(gap["low"])
            else labels.say(
                "detail.to",
                low=points_text(gap["low"], labels),
                high=points_text(gap["high"], labels),
            )
        )
        far: Any = cells["residual"].loc[place] if place in cells["residual"].index else None
        line.append(None if far is None else labels.number(far["value"], 1))
        if len(cells["weighted_share"]):
            weighed: Any = cells["weighted_share"]
            inside_it = place in weighed.index
            line.append(
                share_text(weighed.loc[place]["value"], base, labels) if inside_it else None
            )
        told.append(line)
    heads = [labels.item_head(question), labels.grouping(group_by)]
    heads += [
        labels.say(key)
        for key in ("table.share", "table.interval", "detail.difference",
                    "detail.difference_interval", "detail.residual")
    ]  # fmt: skip
    heads += [labels.say("detail.weighted_share")] * bool(len(cells["weighted_share"]))
    frame = pd.DataFrame(told, columns=heads)
    filled = [name for name in heads if frame[name].notna().any()]
    note = notes(
        _stability(rows, labels) if rows["low"].notna().any() else "",
        labels.say("detail.difference_note") if len(cells["difference"]) else "",
        labels.say("detail.residual_note") if len(cells["residual"]) else "",
    )
    caption = labels.say(
        "detail.cross_caption",
        question=sentence(labels.question(question)),
        grouping=labels.by(group_by),
    )
    caption = labels.scoped(caption, rows)
    key = f"{question} {group_by} detail"
    table = captioned(frame[filled], caption, labels, key, note, numbers=True, texts=[heads[1]])
    test = test_in_words(about[about["measure"] == "test"], labels)
    items: tuple[Table | Note, ...] = (table, Note(test)) if test else (table,)
    return Folded(labels.say("detail.cross"), items)


def test_in_words(tests: pd.DataFrame, labels: Labels) -> str:
    """Return what the test of a table says, which it is and why, "" where there is none."""
    if tests.empty:
        return ""
    row: Any = tests.iloc[0]
    if row["suppressed"]:
        return labels.say("test.withheld")
    if pd.isna(row["p"]):
        return method_in_words(row["method"], labels)
    p = {name: decimal(row[name], 3, labels) for name in ("p", "p_adjusted")}
    kind = "of_distribution" if labels.sample == "probability" else "relabelled"
    return notes(labels.say(f"test.{kind}", **p), method_in_words(row["method"], labels))


def method_in_words(method: str, labels: Labels) -> str:
    """Return the words for how a test was made, in the order in which the method tells it."""
    found = [
        (match.start(), labels.say(f"method.{key}", **_numbers(match.groupdict(), labels)))
        for pattern, key in METHODS.items()
        if (match := re.search(pattern, method))
    ]
    said = labels.joined(text for _, text in sorted(found))
    return f"{said[:1].upper()}{said[1:]}."


def _numbers(groups: dict[str, str], labels: Labels) -> dict[str, object]:
    return {
        name: labels.number(float(text), len(text.partition(".")[2])) if "." in text else int(text)
        for name, text in groups.items()
    }


def association_tables(estimates: pd.DataFrame, labels: Labels) -> list[Table | Note | Folded]:
    """Return how strongly answers and groups go together, and the tests, folded.

    `labels.sample` says how respondents came in, and with it what is said of others; of a census
    there is no p. What is withheld is counted only.
    """
    census = labels.sample == "census"
    tests = estimates[estimates["measure"] == ("effect" if census else "test")]
    shown = tests[~tests["suppressed"]]
    said = labels.say(f"sample.{labels.sample}")
    if shown.empty:
        return [Note(said if census else notes(labels.say("test.none", n=len(tests)), said))]
    effects = estimates[estimates["measure"] == "effect"].set_index("table")["value"]
    rows = [
        (
            labels.question(row["question"]),
            labels.grouping(row["group_by"]),
            None if pd.isna(row["base"]) else int(row["base"]),
            decimal(effects.get(row["table"]), 2, labels),
            furthest(estimates, row["question"], row["group_by"], labels),
        )
        for _, row in shown.iterrows()
    ]
    effect = "effect_whole" if census else "effect"
    heads = [labels.say(f"test.{head}") for head in ("question", "grouping", "base", effect)]
    frame = pd.DataFrame(rows, columns=[*heads, labels.say("test.furthest")])
    frame[heads[2]] = frame[heads[2]].astype("Int64")
    hidden = len(tests) - len(shown)
    table = captioned(
        frame,
        labels.say("test.caption"),
        labels,
        "associations",
        notes(labels.say("test.hidden", n=hidden) if hidden else "", said),
    )
    if census:
        return [table]
    return [table, Folded(labels.say("test.folded"), (_test_table(estimates, shown, labels),))]


def furthest(estimates: pd.DataFrame, question: str, group_by: str, labels: Labels) -> str | None:
    """Return the group and item whose share is furthest from that of all others, with points."""
    rows = _about(estimates, question, group_by)
    gaps = rows[rows["measure"] == "difference"]
    if gaps.empty:
        return None
    row: Any = gaps.iloc[int(gaps["value"].abs().to_numpy(dtype=float).argmax())]
    group, item = labels.group(group_by, row["group"]), labels.item(question, row["item"])
    points = points_text(row["value"], labels)
    return labels.say("effect.gap", group=group, item=item, points=points)


def _test_table(estimates: pd.DataFrame, shown: pd.DataFrame, labels: Labels) -> Table:
    weighed = estimates[estimates["measure"] == "weighted_test"]
    rows = [
        (
            labels.question(row["question"]),
            labels.grouping(row["group_by"]),
            None if pd.isna(row["base"]) else labels.number(row["base"]),
            decimal(row["value"], 2, labels),
            decimal(row["p"], 3, labels),
            decimal(row["p_adjusted"], 3, labels),
            method_in_words(row["method"], labels),
        )
        for _, row in pd.concat([shown, weighed]).iterrows()
    ]
    heads = ("question", "grouping", "base", "statistic", "p", "p_adjusted", "method")
    drawn = shown["method"].str.contains("permutations").all() and weighed.empty
    relabelled = drawn and labels.sample != "probability"
    kind = "tests_note" if relabelled else "tests_note_probability"
    return captioned(
        pd.DataFrame(rows, columns=[labels.say(f"test.{head}") for head in heads]),
        labels.say("test.tests_caption"),
        labels,
        "tests",
        labels.say(f"test.{kind}"),
    )
