"""What the steps did, as tables: states of answers, redactions, flow, places, groups, codebook."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd
from babel import Locale

from upr_analysis.codebook import Code, Codebook
from upr_analysis.coding import CONSENSUS
from upr_analysis.codings import UNIT, Coded
from upr_analysis.documents import label
from upr_analysis.estimates import CODES
from upr_analysis.exhibits import Note, Table
from upr_analysis.labels import Labels
from upr_analysis.places import name_of
from upr_analysis.questionnaire import Questionnaire
from upr_analysis.reliability import ALL_LANGUAGES, CODERS, PATTERNS, WHOLE_SETS
from upr_analysis.tables import captioned, with_interval


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
    frame = codes_frame(codebook.codes, codebook, labels)
    themes = [label(codebook.theme_of[code.name].label, labels.language) for code in codebook.codes]
    frame.insert(1, labels.say("codebook.theme"), themes)
    caption = labels.say("codebook.caption", version=codebook.version)
    return captioned(frame, caption, labels, "codebook")


def codes_frame(codes: Sequence[Code], codebook: Codebook, labels: Labels) -> pd.DataFrame:
    """Return a row a code: label, definition, include, exclude; a column that none fills is out."""
    names = {code.name: label(code.label, labels.language) for code in codebook.codes}
    columns = {labels.say("codebook.code"): [names[code.name] for code in codes]}
    for part in ("definition", "include", "exclude"):
        texts = [_named(getattr(code, part), names) for code in codes]
        if any(texts):
            columns[labels.say(f"codebook.{part}")] = texts
    return pd.DataFrame(columns)


def _named(text: str, names: Mapping[str, str]) -> str:
    for name, shown in names.items():
        text = text.replace(f"({name})", f"({shown})")
        if "_" in name:  # no word of a language
            text = re.sub(rf"\b{name}\b", shown, text)
    return text


def coders_table(
    coded: Coded,
    open_responses: pd.DataFrame,
    outcome: pd.Series,
    stale: Mapping[str, Sequence[str]],
    labels: Labels,
) -> Table:
    """Return who coded the answers that hold anything to code, and what no longer stands.

    `outcome` says how each open response ended. `stale` are the judgements' versions of the
    codebook that mean something else now, with what changed (`codings.stale_versions`).
    """
    judged = coded.judged
    people = judged["by"] == CONSENSUS
    read = open_responses.loc[outcome.isin(["coded", "none_applies"]), UNIT]
    by_people = pd.MultiIndex.from_frame(read).isin(pd.MultiIndex.from_frame(judged[UNIT]))
    rows = [
        ("consensus", int(people.sum())),
        ("several", int((judged["coders"] > 1).sum())),
        ("unsettled", int((~judged["settled"].astype(bool)).sum())),
        ("export", int((~people).sum())),
        ("patterns", int((~by_people).sum())),
    ]
    told = [(name, number) for name, number in rows if number or name in ("consensus", "patterns")]
    frame = pd.DataFrame(
        [(labels.say(f"coders.{name}"), number) for name, number in told],
        columns=[labels.say("coders.what"), labels.say("accounting.responses")],
    )
    notes = []
    if coded.left_out:
        notes.append(labels.say("coders.left_out", n=sum(coded.left_out.values())))
    if stale:
        changes = "; ".join(dict.fromkeys(line for lines in stale.values() for line in lines))
        number = int(coded.versions.reindex(list(stale)).fillna(0).sum())
        notes.append(labels.say("coders.stale", n=number, changes=changes))
    return captioned(frame, labels.say("coders.caption"), labels, "coders", " ".join(notes))


STATISTICS: Final = (
    "prevalence", "krippendorff_alpha", "cohen_kappa", "fleiss_kappa", "positive_agreement",
    "negative_agreement", "percent_agreement", "gwet_ac1",
)  # fmt: skip


def agreement_tables(
    found: pd.DataFrame, codebook: Codebook, labels: Labels, fewest: int
) -> list[Table | Note]:
    """Return a table for coders with each other and one for patterns with people, a row a code.

    Then one a language. Codes of sensitive themes are left out; so are those too rarely given to
    be assessed, and those given, or not given, to fewer respondents than `fewest`. Where that is
    above 0 only alpha is shown: several statistics together tell the counts that they are made of.
    Where nothing was coded twice, or no code can be shown, a note says so.
    """
    guarded = (found["given_to"] >= fewest) & (found["not_given_to"] >= fewest)
    found = found.assign(assessable=found["assessable"] & (guarded | (found["code"] == WHOLE_SETS)))
    if fewest:
        found = found[found["statistic"].str.startswith("krippendorff")]
    shown = list[Table | Note]()
    hidden = {code.name for theme in codebook.themes if theme.sensitive for code in theme.codes}
    for between in (CODERS, PATTERNS):
        own = found[(found["between"] == between) & ~found["code"].isin(hidden)]
        if own.empty:
            shown.append(Note(labels.say(f"agreement.none.{between}")))
        for language, rows in own.groupby("language", sort=True):
            if rows["assessable"][rows["code"] != WHOLE_SETS].any():
                shown.append(_agreement_table(between, str(language), rows, labels, fewest))
            elif language == ALL_LANGUAGES:
                caption = labels.say(f"agreement.caption.{between}", n=int(rows["answers"].iloc[0]))
                notes = [f"{caption}.", labels.say("agreement.too_few"), _whole_sets(rows, labels)]
                notes.append(labels.say("agreement.invented") if labels.mark else "")
                shown.append(Note(" ".join(filter(None, notes))))
    return shown


def _whole_sets(rows: pd.DataFrame, labels: Labels) -> str:
    """Return in words the alphas of whole sets of codes, "" where they cannot be assessed."""
    sets = rows[(rows["code"] == WHOLE_SETS) & rows["assessable"]].set_index("statistic")
    if sets.empty:
        return ""
    alphas = {
        name: with_interval(sets.loc[f"krippendorff_alpha_{name}"], labels)
        for name in ("masi", "jaccard")
    }
    return labels.say("agreement.sets", **alphas)


def _agreement_table(
    between: str, language: str, rows: pd.DataFrame, labels: Labels, fewest: int
) -> Table:
    by_code = rows[rows["code"] != WHOLE_SETS]
    enough = by_code[by_code["assessable"]]
    used = enough[enough["value"].notna()]["statistic"]
    names = [name for name in STATISTICS if name in set(used)]
    if "cohen_kappa" in names:  # of two coders Fleiss' says nearly the same
        names.remove("fleiss_kappa")
    cells = enough.set_index(["code", "statistic"])
    heads = [labels.say("codebook.code"), *(labels.say(f"agreement.{name}") for name in names)]
    shown = []
    for code in enough["code"].unique():
        values = [labels.item(CODES, code)]
        values += [with_interval(cells.loc[(code, name)], labels) for name in names]
        shown.append(values)
    rare = by_code.loc[~by_code["assessable"], "code"].unique()
    notes = [labels.say("agreement.note"), _whole_sets(rows, labels)]
    if fewest:
        notes.append(labels.say("agreement.guarded", n=fewest))
    elif len(rare):
        few = [labels.item(CODES, code) for code in rare]
        notes.append(labels.say("agreement.few", codes="; ".join(few)))
    if labels.mark:
        notes.append(labels.say("agreement.invented"))
    caption = labels.say(f"agreement.caption.{between}", n=int(rows["answers"].iloc[0]))
    if language != ALL_LANGUAGES:
        name = Locale(labels.language).languages.get(language, language)
        caption = labels.say("agreement.caption.language", caption=caption, name=name)
    key = f"agreement {between} {language}"
    return captioned(
        pd.DataFrame(shown, columns=heads), caption, labels, key, " ".join(notes), numbers=True
    )


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
