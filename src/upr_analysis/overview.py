"""The appendix's first page: who answered, what they raised, and what stands beside the report."""

from typing import Any, Final

import pandas as pd

from upr_analysis.appendix import Index, Link, Section
from upr_analysis.crosstab import RECOMMENDATIONS, THEMES
from upr_analysis.documents import label
from upr_analysis.exhibits import WITHHELD, Note
from upr_analysis.figures import draw_by_group
from upr_analysis.findings import Comparison, compare_with_report
from upr_analysis.labels import Labels
from upr_analysis.parameters import meaning
from upr_analysis.questionnaire import KeyQuestion
from upr_analysis.recommendations import Report
from upr_analysis.tables import (
    captioned,
    cross_table,
    flow_table,
    most_named,
    overall_table,
    shares,
    widest_difference,
)
from upr_analysis.words import say
from upr_analysis.workspace import Step

ESTIMATES: Final = "tables/estimates.csv"
MOST_ROWS: Final = 15  # of a table on the first page; the step's page has them all


def make_index(last: Step, common: dict[str, Any]) -> Index:
    """Return the first page of a finished run's appendix; `common` is what all its pages share."""
    language, labels = last.parameters.language, last.labels
    estimates = last.read_published("04_cross_tabs", ESTIMATES)
    flow = last.read("flow")
    report = last.report
    invented = last.source == "invented"
    sections = [_flow_section(flow, labels)]
    sections += [_answer(key, estimates, labels) for key in last.questionnaire.key_questions]
    sections += _theme_sections(last, estimates, labels, invented)
    if report is not None:
        kept = int(flow.loc[flow["step"] == "kept", "respondents"].iloc[0])
        compared = compare_with_report(report, estimates, kept, invented)
        sections.append(_published_section(report, compared, labels))
        if report.recommendations:
            sections.append(_recommendation_section(report, estimates, labels))
    sections += [_protection_section(last, estimates), _parameter_section(last)]
    return Index(
        **common,
        file="index.html",
        about=label(last.questionnaire.about, language),
        sections=tuple(sections),
        citation=report.citation if report else "",
        files=_files(last),
    )


def _flow_section(flow: pd.DataFrame, labels: Labels) -> Section:
    language = labels.language
    table = flow_table(flow, labels)
    return Section(say("heading.flow", language), say("flow.intro", language), (table,))


def _answer(key: KeyQuestion, estimates: pd.DataFrame, labels: Labels) -> Section:
    """Return a key question with what stands out in its tables, in words, and the tables."""
    items: list[Any] = []
    for table in key.tables:
        question, _, group_by = table.partition(".")
        rows = shares(estimates, question, group_by)
        if rows["n"].isna().all():
            name = labels.question(question)
            items.append(Note(say("answer.withheld", labels.language, table=name)))
        elif group_by:
            items.append(cross_table(estimates, question, group_by, labels, MOST_ROWS))
            items += map(Note, widest_difference(rows, labels))
        else:
            items.append(overall_table(estimates, question, labels, MOST_ROWS))
            items.append(Note(most_named(rows, labels)))
    return Section(label(key.question, labels.language), items=tuple(items))


def _theme_sections(
    last: Step, estimates: pd.DataFrame, labels: Labels, invented: bool
) -> list[Section]:
    language = labels.language
    if shares(estimates, THEMES).empty:
        return []
    answered = any(THEMES in key.tables for key in last.questionnaire.key_questions)
    items: list[Any] = [] if answered else [overall_table(estimates, THEMES, labels)]
    for group_by in last.parameters.group_by:
        picture = draw_by_group(estimates, THEMES, group_by, labels, invented)
        items.append(
            picture.figure if picture else cross_table(estimates, THEMES, group_by, labels)
        )
    source = last.questionnaire.source
    heading = say(f"heading.themes.{source}", language)
    return [Section(heading, say(f"coding.intro.{source}", language), tuple(items))]


def _published_section(report: Report, compared: list[Comparison], labels: Labels) -> Section:
    language = labels.language
    rows = []
    for one in compared:
        words = one.published.unit == "words"
        ours: object = WITHHELD
        if one.ours is not None and one.base is None:
            ours = labels.number(one.ours)
        elif one.ours is not None and one.base is not None:
            base = say("base.of", language, n=one.base)
            ours = f"{labels.percent(one.ours, one.base)} ({base})"
        verdict = say(f"verdict.{one.verdict}", language)
        if words and one.verdict == "built_to_agree":
            verdict = f"{verdict}; {say('verdict.cannot_be_checked', language)}"
        rows.append(
            (
                label(one.published.claim, language),
                label(one.published.reported, language),
                ours,
                verdict,
                one.published.where,
            )
        )
    heads = ("claim", "published", "ours", "verdict", "source")
    table = captioned(
        pd.DataFrame(rows, columns=[say(f"published.{head}", language) for head in heads]),
        say("published.caption", language),
        labels,
        "published",
    )
    intro = say("published.intro", language, report=label(report.title, language))
    return Section(say("heading.published", language), intro, (table,))


def _recommendation_section(report: Report, estimates: pd.DataFrame, labels: Labels) -> Section:
    language = labels.language
    rows = shares(estimates, RECOMMENDATIONS).set_index("item")
    found = []
    for one in report.recommendations:
        row = rows.loc[one.number]
        found.append(
            (
                one.number,
                label(one.label, language),
                labels.item(THEMES, one.theme),
                ", ".join(labels.item("codes", code) for code in one.codes),
                WITHHELD if pd.isna(row["n"]) else int(row["n"]),
                say(f"source.{one.source}", language),
            )
        )
    heads = ("number", "text", "theme", "codes", "support", "source")
    base = int(rows["base"].iloc[0])
    table = captioned(
        pd.DataFrame(found, columns=[say(f"recommendation.{head}", language) for head in heads]),
        say("recommendation.caption", language, n=base),
        labels,
        "recommendations",
        say("recommendation.note", language),
    )
    intro = say("recommendation.intro", language, report=label(report.title, language))
    return Section(say("heading.recommendations", language), intro, (table,))


def _protection_section(last: Step, estimates: pd.DataFrame) -> Section:
    language, parameters = last.parameters.language, last.parameters
    cells = estimates[(estimates["measure"] == "share")]
    crossed = cells[cells["group_by"] != ""]
    counts = say(
        "privacy.cells", language, shown=int((~crossed["suppressed"]).sum()), cells=len(crossed)
    )
    if parameters.minimum_cell == 0:
        return Section(say("heading.privacy", language), say("privacy.public_record", language))
    intro = say(
        "privacy.intro",
        language,
        cell=parameters.minimum_cell,
        base=parameters.minimum_base,
        width=parameters.min_width,
    )
    return Section(say("heading.privacy", language), intro, (Note(counts),))


def _parameter_section(last: Step) -> Section:
    language = last.parameters.language
    values = last.parameters.model_dump(mode="json")
    rows = [
        (name, ", ".join(value) if isinstance(value, list) else str(value), meaning(name))
        for name, value in values.items()
        if name != "reason"
    ]
    heads = [say(f"column.{head}", language) for head in ("parameter", "value", "meaning")]
    table = captioned(
        pd.DataFrame(rows, columns=heads),
        say("parameters.caption", language),
        last.labels,
        "parameters",
    )
    return Section(say("heading.parameters", language), items=(table,))


def _files(last: Step) -> tuple[Link, ...]:
    names = ["tables/estimates.csv"]
    return tuple(Link(f"../{name}", name.rpartition("/")[2]) for name in names)
