"""What the steps did, as tables: states of answers, redactions, flow, places, groups, codebook."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from upr_analysis.codebook import Codebook
from upr_analysis.documents import label
from upr_analysis.exhibits import Table
from upr_analysis.labels import Labels
from upr_analysis.places import name_of
from upr_analysis.questionnaire import Questionnaire
from upr_analysis.tables import captioned


def state_table(states: pd.DataFrame, unasked: int, labels: Labels) -> Table:
    """Return how many answers were given, skipped and not asked for, of all questions together.

    Not by question: how few were led to one would tell how few chose the option that leads there.
    """
    rows = [
        (labels.say(f"state.{state}"), int(states[state].sum()))
        for state in ("answered", "skipped", "not_asked")
    ]
    rows.append((labels.say("state.unasked"), unasked))
    heads = [labels.say("state.what"), labels.say("accounting.responses")]
    return captioned(
        pd.DataFrame(rows, columns=heads), labels.say("state.caption"), labels, "states"
    )


def redaction_table(redactions: Mapping[str, int], labels: Labels) -> Table:
    """Return how many pieces of personal data were replaced, by kind."""
    kinds = ("e-mail", "telephone", "link", "handle", "identity", "contact")
    rows = [(labels.say(f"redaction.{kind}"), redactions.get(kind, 0)) for kind in kinds]
    heads = [labels.say("redaction.kind"), labels.say("redaction.replaced")]
    return captioned(
        pd.DataFrame(rows, columns=heads), labels.say("redaction.caption"), labels, "redactions"
    )


def flow_table(flow: pd.DataFrame, labels: Labels) -> Table:
    """Return the respondent flow: received, each reason for leaving, kept."""
    steps = [labels.say(f"flow.{step.replace(' ', '_')}") for step in flow["step"]]
    frame = pd.DataFrame(
        {labels.say("column.step"): steps, labels.unit: flow["respondents"].to_numpy()}
    )
    return captioned(frame, labels.say("flow.caption"), labels, "flow")


def changes_table(log: pd.DataFrame, labels: Labels) -> Table:
    """Return how often each rule changed an answer, of all questions together; removals aside."""
    done = log[log["change"] != "removed"]
    counts = Counter(zip(done["rule"], done["change"], strict=True))
    rows = [
        (
            labels.say(f"rule.{rule.replace(' ', '_')}"),
            labels.say(f"change.{change.replace(' ', '_')}"),
            count,
        )
        for (rule, change), count in sorted(counts.items())
    ]
    heads = [labels.say(f"changes.{head}") for head in ("rule", "change", "answers")]
    return captioned(
        pd.DataFrame(rows, columns=heads), labels.say("changes.caption"), labels, "changes"
    )


def places_table(places: pd.DataFrame, unknown: pd.DataFrame, kept: int, labels: Labels) -> Table:
    """Return how many respondents named a place, how many places, how many were not understood."""
    rows = [
        ("kept", kept),
        ("with_place", places["respondent"].nunique()),
        ("places", places["place"].nunique()),
        ("unknown", len(unknown)),
    ]
    frame = pd.DataFrame(
        [(labels.say(f"places.{name}"), count) for name, count in rows],
        columns=[labels.say("places.what"), labels.say("places.count")],
    )
    return captioned(frame, labels.say("places.caption"), labels, "places")


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
    heads = [labels.say(f"groups.{head}") for head in ("grouping", "group", "of")]
    return captioned(
        pd.DataFrame(rows, columns=heads), labels.say("groups.caption"), labels, "groups"
    )


def _member(scheme: str, question: str, value: str, labels: Labels) -> str:
    if scheme == "option":
        return labels.item(question, value)
    if scheme == "place":
        return name_of(value, labels.language)
    if scheme == "m49_subregion":
        return value.replace("_", " ")
    return labels.say(f"place_group.{value}")


def codebook_table(codebook: Codebook, labels: Labels) -> Table:
    """Return every code with its theme and definition; codes that a text names by their label."""
    names = {code.name: label(code.label, labels.language) for code in codebook.codes}
    rows = [
        (
            names[code.name],
            label(theme.label, labels.language),
            *(_named(text, names) for text in (code.definition, code.include, code.exclude)),
        )
        for theme in codebook.themes
        for code in theme.codes
    ]
    heads = [
        labels.say(f"codebook.{head}")
        for head in ("code", "theme", "definition", "include", "exclude")
    ]
    frame = pd.DataFrame(rows, columns=heads)
    # a column that no code fills says nothing
    frame = frame[[head for head in heads if (frame[head] != "").any()]]
    caption = labels.say("codebook.caption", version=codebook.version)
    return captioned(frame, caption, labels, "codebook")


def _named(text: str, names: Mapping[str, str]) -> str:
    for name, shown in names.items():
        text = text.replace(f"({name})", f"({shown})")
    return text


def accounting_table(accounting: pd.DataFrame, labels: Labels) -> Table:
    """Return how open answers ended, of all questions together.

    Not by question: few who have something to say on one of them could be known by it.
    """
    outcomes: Sequence[str] = list(accounting.columns[1:])
    totals = accounting[outcomes].sum()
    rows = [(labels.say(f"state.{outcome}"), int(totals[outcome])) for outcome in outcomes]
    rows.append((labels.say("accounting.all"), int(totals.sum())))
    heads = [labels.say("accounting.outcome"), labels.say("accounting.responses")]
    return captioned(
        pd.DataFrame(rows, columns=heads), labels.say("accounting.caption"), labels, "accounting"
    )
