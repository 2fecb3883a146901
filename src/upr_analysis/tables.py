"""How published estimates read as tables: counts travel with percentages, every base is named."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from upr_analysis.attacker import narrowest
from upr_analysis.codebook import Codebook
from upr_analysis.documents import label
from upr_analysis.estimates import NOT_STATED
from upr_analysis.exhibits import WITHHELD, Table
from upr_analysis.labels import NO_BREAK, Labels
from upr_analysis.questionnaire import Questionnaire
from upr_analysis.words import say

LEAST_DIFFERENCE: Final = 10  # percentage points below which a difference is not spoken of


def captioned(
    frame: pd.DataFrame,
    caption: str,
    labels: Labels,
    key: str,
    note: str = "",
    numbers: bool = False,
) -> Table:
    """Return a table in the labels' language, marked as invented where they say so.

    With `numbers` all columns but the first are set right, though their cells are text.
    """
    sides = dict.fromkeys(map(str, frame.columns[1:]), "right") if numbers else None
    return Table(frame, caption, note, labels.language, sides, key, labels.mark)  # type: ignore[arg-type]


def overall_table(
    estimates: pd.DataFrame, question: str, labels: Labels, most: int | None = None
) -> Table:
    """Return a question's items among all who answered, the most frequent first.

    Ordered options keep their order. Withheld numbers show as such, at the end. Of more than
    `most` rows the first are shown, and the note says how many there are.
    """
    rows = shares(estimates, question)
    if not _is_ordered(labels.questionnaire, question):
        rows = rows.sort_values("n", ascending=False, na_position="last", kind="stable")
    base, left = int(rows["base"].iloc[0]), len(rows) - len(rows[:most])
    rows = rows[:most]
    frame = pd.DataFrame(
        {
            say("table.item", labels.language): [
                labels.item(question, item) for item in rows["item"]
            ],
            _unit(labels): [_count(n, labels) for n in rows["n"]],
            say("table.share", labels.language): [
                _share(value, base, labels) for value in rows["value"]
            ],
        }
    )
    return captioned(
        frame,
        caption=f"{labels.question(question)} ({labels.base(base)})",
        note=_notes(_several(question, labels), _more(left, labels)),
        labels=labels,
        key=question,
        numbers=True,
    )


def cross_table(
    estimates: pd.DataFrame,
    question: str,
    group_by: str,
    labels: Labels,
    most: int | None = None,
) -> Table:
    """Return a question's items by group, each cell the count and its percent of the group's base.

    An item that nothing is shown of is left out, and the note says how many were, as it does of
    those beyond the first `most`.
    """
    rows = shares(estimates, question, group_by)
    shown = rows.groupby("item", sort=False)["n"].transform(lambda n: n.notna().any())
    left_out = rows.loc[~shown, "item"].nunique()
    rows = rows[shown]
    stated = rows[(rows["group"] != NOT_STATED) | rows["n"].notna()]
    groups = stated.drop_duplicates("group")
    overall = shares(estimates, question).set_index("item")
    items = list(dict.fromkeys(rows["item"]))
    if not _is_ordered(labels.questionnaire, question):
        items.sort(key=lambda item: -(overall["n"].fillna(0)[item]))
    more, items = len(items) - len(items[:most]), items[:most]
    cells = rows.set_index(["item", "group"])
    everyone = int(overall["base"].iloc[0]) if len(overall) else 0
    columns = {
        say("table.item", labels.language): [labels.item(question, item) for item in items],
        _with_base(say("groups.everyone", labels.language), everyone, labels): [
            _cell(overall.loc[item], labels) for item in items
        ],
    }
    for group, base in zip(groups["group"], groups["base"], strict=True):
        head = _with_base(labels.group(group_by, group), int(base), labels)
        columns[head] = [_cell(cells.loc[(item, group)], labels) for item in items]
    out = say("table.left_out", labels.language, n=left_out) if left_out else ""
    return captioned(
        pd.DataFrame(columns),
        caption=say(
            "table.cross_caption",
            labels.language,
            question=sentence(labels.question(question)),
            grouping=labels.grouping(group_by),
        ),
        note=_notes(_several(question, labels), out, _more(more, labels)),
        labels=labels,
        key=f"{question}.{group_by}",
        numbers=True,
    )


def association_table(estimates: pd.DataFrame, sample: str, labels: Labels) -> Table:
    """Return every test of a table of people: effect first, then the permutation statement's p.

    `sample` says how respondents came in, and with it what the note says of others.

    A test of a table in which a cell is withheld is itself withheld.
    """
    tests = estimates[estimates["measure"] == "test"].set_index("table")
    effects = estimates[estimates["measure"] == "effect"].set_index("table")
    rows = []
    for table, test in tests.iterrows():
        effect = effects.loc[str(table)]
        hidden = bool(test["suppressed"])
        undefined = str(test["method"]).startswith("undefined")
        rows.append(
            (
                labels.question(test["question"]),
                labels.grouping(test["group_by"]),
                int(test["base"]),
                WITHHELD if hidden else _decimal(effect["value"], 2, labels),
                WITHHELD if hidden else _decimal(test["p"], 3, labels),
                WITHHELD if hidden else _decimal(test["p_adjusted"], 3, labels),
                say("test.undefined", labels.language) if undefined else test["method"],
            )
        )
    heads = ("question", "grouping", "base", "effect", "p", "p_adjusted", "method")
    columns = [say(f"test.{head}", labels.language) for head in heads]
    count = int((~tests["suppressed"]).sum())
    return captioned(
        pd.DataFrame(rows, columns=columns),
        caption=say("test.caption", labels.language),
        note=say(
            "test.note", labels.language, n=count, sample=say(f"sample.{sample}", labels.language)
        ),
        labels=labels,
        key="tests",
    )


def most_named(rows: pd.DataFrame, labels: Labels) -> str:
    """Return a sentence on the item that most respondents named, with its count and base."""
    top = rows.dropna(subset="n").sort_values("n", ascending=False, kind="stable").iloc[0]
    return say(
        "answer.most_named",
        labels.language,
        item=labels.item(top["question"], top["item"]),
        share=labels.percent(top["value"], int(top["base"])),
        n=labels.number(top["n"]),
        base=labels.base(int(top["base"])),
    )


def widest_difference(rows: pd.DataFrame, labels: Labels) -> list[str]:
    """Return a sentence on the item whose shares differ most between two groups.

    Nothing where no item is shown of two groups, and that nothing stands out where the shares
    differ by less than LEAST_DIFFERENCE percentage points.
    """
    shown = rows[rows["n"].notna() & (rows["group"] != NOT_STATED)]
    spread = shown.groupby("item", sort=False)["value"].agg(["min", "max", "size"])
    spread = spread[spread["size"] > 1]
    if spread.empty:
        return []
    item = str((spread["max"] - spread["min"]).idxmax())
    own = shown[shown["item"] == item].sort_values("value", kind="stable")
    if own["value"].iloc[-1] - own["value"].iloc[0] < LEAST_DIFFERENCE:
        return [say("answer.alike", labels.language, points=LEAST_DIFFERENCE)]
    words = {}
    for name, row in (("lowest", own.iloc[0]), ("highest", own.iloc[-1])):
        base = say("base.of", labels.language, n=int(row["base"]))
        share = labels.percent(row["value"], int(row["base"]))
        words[name] = f"{labels.group(row['group_by'], row['group'])} {share} ({base})"
    return [
        say(
            "answer.difference",
            labels.language,
            item=labels.item(own["question"].iloc[0], item),
            **words,
        )
    ]


def sentence(text: str) -> str:
    """Return text that ends as a sentence does."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def shares(estimates: pd.DataFrame, question: str, group_by: str = "") -> pd.DataFrame:
    """Return the share rows of a question, overall or by a grouping."""
    return estimates[
        (estimates["measure"] == "share")
        & (estimates["question"] == question)
        & (estimates["group_by"] == group_by)
    ]


def _is_ordered(questionnaire: Questionnaire, question: str) -> bool:
    return any(one.name == question and one.ordered for one in questionnaire.survey)


def _unit(labels: Labels) -> str:
    unit = labels.questionnaire.unit
    text = unit.get(labels.language) or unit["en"]
    return text[:1].upper() + text[1:]


def _several(question: str, labels: Labels) -> str:
    exclusive = any(
        one.name == question and one.kind == "select_one" for one in labels.questionnaire.survey
    )
    return "" if exclusive else say("table.several", labels.language)


def _more(rows: int, labels: Labels) -> str:
    return say("table.more", labels.language, n=rows) if rows else ""


def _notes(*notes: str) -> str:
    return " ".join(note for note in notes if note)


def _with_base(name: str, base: int, labels: Labels) -> str:
    return f"{name} ({say('base.of', labels.language, n=labels.number(base))})"


def _cell(row: pd.Series, labels: Labels) -> object:
    if pd.isna(row["n"]):
        return WITHHELD
    share = f" ({labels.percent(row['value'], int(row['base']))})" if row["base"] >= 10 else ""
    return f"{labels.number(row['n'])}{share.replace(' ', NO_BREAK)}"


def _count(n: Any, labels: Labels) -> object:
    return WITHHELD if pd.isna(n) else labels.number(n)


def _share(value: Any, base: int, labels: Labels) -> object:
    return WITHHELD if pd.isna(value) else labels.percent(value, base)


def _decimal(value: Any, decimals: int, labels: Labels) -> object:
    return None if pd.isna(value) else labels.number(value, decimals)


def overall_tables(estimates: pd.DataFrame, labels: Labels) -> list[Table]:
    """Return a table a question, of all who answered it, in the order of the estimates."""
    rows = estimates[(estimates["measure"] == "share") & (estimates["group_by"] == "")]
    names = [name for name in dict.fromkeys(rows["question"]) if name != "recommendations"]
    return [overall_table(estimates, name, labels) for name in names]


def crossed_tables(estimates: pd.DataFrame, group_by: Sequence[str], labels: Labels) -> list[Table]:
    """Return a table a question and grouping of which at least one cell is shown."""
    found = []
    for grouping in group_by:
        rows = estimates[(estimates["measure"] == "share") & (estimates["group_by"] == grouping)]
        shown = rows[rows["n"].notna()]
        found += [
            cross_table(estimates, name, grouping, labels)
            for name in dict.fromkeys(shown["question"])
        ]
    return found


def protection_table(estimates: pd.DataFrame, labels: Labels) -> Table:
    """Return how many cells of each grouping are shown and withheld, without locating any."""
    rows = estimates[estimates["measure"] == "share"]
    counted = []
    for group_by, own in rows.groupby("group_by", sort=False):
        name = (
            labels.grouping(str(group_by)) if group_by else say("groups.everyone", labels.language)
        )
        hidden = int(own["suppressed"].sum())
        counted.append((name, len(own), len(own) - hidden, hidden))
    heads = [
        say(f"protection.{head}", labels.language)
        for head in ("grouping", "cells", "shown", "withheld")
    ]
    return captioned(
        pd.DataFrame(counted, columns=heads),
        caption=say("protection.caption", labels.language),
        note=say("protection.note", labels.language),
        labels=labels,
        key="protection",
    )


def audit_table(audited: pd.DataFrame, labels: Labels) -> Table:
    """Return how many cells are protected and how narrowly the closest can be bounded."""
    least = narrowest(audited)
    rows = [
        (say("audit.protected", labels.language), len(audited)),
        (say("audit.narrowest", labels.language), None if least is None else least),
    ]
    heads = [say("places.what", labels.language), say("places.count", labels.language)]
    frame = pd.DataFrame(rows, columns=heads).astype({heads[1]: "Int64"})
    return captioned(
        frame,
        say("audit.caption", labels.language),
        labels,
        "audit",
        say("audit.note", labels.language),
    )


def state_table(states: pd.DataFrame, labels: Labels) -> Table:
    """Return how many answered, skipped and were not asked each question."""
    frame = pd.DataFrame(
        {
            say("column.question", labels.language): [
                f"{name}. {labels.question(name)}" for name in states["question"]
            ]
        }
    )
    for state in ("answered", "skipped", "not_asked"):
        frame[say(f"state.{state}", labels.language)] = states[state].to_numpy()
    return captioned(frame, say("state.caption", labels.language), labels=labels, key="states")


def redaction_table(redactions: Mapping[str, int], labels: Labels) -> Table:
    """Return how many pieces of personal data were replaced, by kind."""
    kinds = ("e-mail", "telephone", "link", "handle", "contact")
    rows = [(say(f"redaction.{kind}", labels.language), redactions.get(kind, 0)) for kind in kinds]
    heads = [say("redaction.kind", labels.language), say("redaction.replaced", labels.language)]
    return captioned(
        pd.DataFrame(rows, columns=heads),
        say("redaction.caption", labels.language),
        labels=labels,
        key="redactions",
    )


def flow_table(flow: pd.DataFrame, labels: Labels) -> Table:
    """Return the respondent flow: received, each reason for leaving, kept."""
    language = labels.language
    steps = [say(f"flow.{step.replace(' ', '_')}", language) for step in flow["step"]]
    frame = pd.DataFrame(
        {say("column.step", language): steps, _unit(labels): flow["respondents"].to_numpy()}
    )
    return captioned(frame, say("flow.caption", language), labels, "flow")


def places_table(places: pd.DataFrame, unknown: pd.DataFrame, kept: int, labels: Labels) -> Table:
    """Return how many respondents named a place, how many places, how many were not understood."""
    rows = [
        ("kept", kept),
        ("with_place", places["respondent"].nunique()),
        ("places", places["place"].nunique()),
        ("unknown", len(unknown)),
    ]
    frame = pd.DataFrame(
        [(say(f"places.{name}", labels.language), count) for name, count in rows],
        columns=[say("places.what", labels.language), say("places.count", labels.language)],
    )
    return captioned(frame, say("places.caption", labels.language), labels=labels, key="places")


def membership_table(questionnaire: Questionnaire, labels: Labels) -> Table:
    """Return which answers make up each group of each grouping: structure, no counts."""
    rows = [
        (
            labels.grouping(grouping.name),
            label(group.label, labels.language),
            ", ".join(_member(grouping.scheme, grouping.by, value, labels) for value in group.of),
        )
        for grouping in questionnaire.groupings
        for group in grouping.groups
    ]
    heads = [say(f"groups.{head}", labels.language) for head in ("grouping", "group", "of")]
    return captioned(
        pd.DataFrame(rows, columns=heads),
        say("groups.caption", labels.language),
        labels=labels,
        key="groups",
    )


def _member(scheme: str, question: str, value: str, labels: Labels) -> str:
    if scheme == "option":
        return labels.item(question, value)
    if scheme == "m49_subregion":
        return value.replace("_", " ")
    return say(f"place_group.{value}", labels.language)


def codebook_table(codebook: Codebook, labels: Labels) -> Table:
    """Return every code with its theme and definition."""
    rows = [
        (
            label(code.label, labels.language),
            label(theme.label, labels.language),
            code.definition,
            code.include,
            code.exclude,
        )
        for theme in codebook.themes
        for code in theme.codes
    ]
    heads = [
        say(f"codebook.{head}", labels.language)
        for head in ("code", "theme", "definition", "include", "exclude")
    ]
    caption = say("codebook.caption", labels.language, version=codebook.version)
    frame = pd.DataFrame(rows, columns=heads)
    # a column that no code fills says nothing
    frame = frame[[head for head in heads if (frame[head] != "").any()]]
    return captioned(frame, caption, labels=labels, key="codebook")


def accounting_table(accounting: pd.DataFrame, labels: Labels) -> Table:
    """Return how each question's open answers ended."""
    frame = pd.DataFrame(
        {
            say("column.question", labels.language): [
                f"{name}. {labels.question(name)}" for name in accounting["question"]
            ]
        }
    )
    for outcome in accounting.columns[1:]:
        frame[say(f"state.{outcome}", labels.language)] = accounting[outcome].to_numpy()
    return captioned(
        frame,
        say("accounting.caption", labels.language),
        labels=labels,
        key="accounting",
    )
