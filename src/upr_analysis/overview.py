"""The appendix's first page: who answered, what they raised, and what stands beside the report."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from upr_analysis.appendix import Index, Link, Section
from upr_analysis.documents import label
from upr_analysis.estimates import RECOMMENDATIONS, THEMES
from upr_analysis.exhibits import WITHHELD, Figure, Note
from upr_analysis.findings import Comparison, compare_with_report
from upr_analysis.labels import NO_BREAK, Labels
from upr_analysis.parameters import meaning
from upr_analysis.provenance import WORKFLOW
from upr_analysis.questionnaire import KeyQuestion
from upr_analysis.recommendations import Report
from upr_analysis.sentences import most_named, widest_gap
from upr_analysis.steps import ESTIMATES, STEPS
from upr_analysis.summaries import flow_table
from upr_analysis.tables import captioned, comparable, cross_table, overall_table, shares
from upr_analysis.words import say
from upr_analysis.workspace import Step, shown

MOST_ROWS: Final = 15  # of a table on the first page; the step's page has them all


def make_index(last: Step, common: dict[str, Any]) -> Index:
    """Return the first page of a finished run's appendix; `common` is what all its pages share."""
    language, labels = last.parameters.language, last.labels
    estimates = last.read_published("04_cross_tabs", ESTIMATES)
    flow = last.read("flow")
    report = last.report
    invented = last.source == "invented"
    sections = [_flow_section(flow, last.parameters.where, labels)]
    sections += [_answer(key, estimates, labels) for key in last.questionnaire.key_questions]
    sections += _theme_sections(last, estimates, labels)
    if report is not None and not last.parameters.where:  # it speaks of all
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
        files=_files(),
    )


def _flow_section(flow: pd.DataFrame, where: Sequence[str], labels: Labels) -> Section:
    invented = f" {labels.say('flow.invented')}" if labels.mark else ""
    if conditions := labels.joined(labels.conditions(" & ".join(where))):
        invented += " " + labels.say("where.index", conditions=conditions)
    return Section(
        labels.say("heading.flow"), labels.say("flow.intro") + invented, (flow_table(flow, labels),)
    )


def _answer(key: KeyQuestion, estimates: pd.DataFrame, labels: Labels) -> Section:
    """Return a key question with what stands out in its tables, in words, and the tables."""
    items: list[Any] = []
    for table in key.tables:
        question, _, group_by = table.partition(".")
        rows = shares(estimates, question, group_by)
        if rows.empty:
            items.append(Note(labels.say("answer.not_crossed", table=labels.question(question))))
        elif rows["n"].isna().all():
            name = labels.question(question)
            items.append(Note(labels.say("answer.withheld", table=name)))
        elif group_by:
            said = widest_gap(comparable(estimates, question, group_by), labels)
            items += [Note(said, "answer")] if said else []
            items.append(cross_table(estimates, question, group_by, labels, MOST_ROWS))
        else:
            items.append(Note(most_named(rows, labels), "answer"))
            items.append(overall_table(estimates, question, labels, MOST_ROWS))
    return Section(label(key.question, labels.language), items=tuple(items))


def _theme_sections(last: Step, estimates: pd.DataFrame, labels: Labels) -> list[Section]:
    if shares(estimates, THEMES).empty:
        return []
    answered = any(THEMES in key.tables for key in last.questionnaire.key_questions)
    items: list[Any] = [] if answered else [overall_table(estimates, THEMES, labels)]
    words = last.read_json(STEPS[-1], "pictures.json")
    for group_by in last.parameters.group_by:
        table = cross_table(estimates, THEMES, group_by, labels)
        name = f"05_{THEMES}_{group_by}"
        if name in words:
            svg = (last.work / STEPS[-1] / "public" / "figures" / f"{name}.svg").read_bytes()
            items.append(
                Figure(svg, data=table, language=labels.language, mark=labels.mark, **words[name])
            )
        else:
            items.append(table)
    return [Section(labels.say("heading.themes"), labels.say("coding.intro"), tuple(items))]


def _published_section(report: Report, compared: list[Comparison], labels: Labels) -> Section:
    rows = []
    for one in compared:
        ours: object = WITHHELD
        if one.ours is not None and one.base is None:
            ours = labels.number(one.ours)
        elif one.ours is not None and one.base is not None:
            base = labels.say("base.of", n=one.base).replace(" ", NO_BREAK)
            ours = f"{labels.percent(one.ours, one.base)} ({base})"
        words = (
            "_words" if one.published.unit == "words" and one.verdict == "built_to_agree" else ""
        )
        rows.append(
            (
                label(one.published.claim, labels.language),
                label(one.published.reported, labels.language),
                ours,
                labels.say(f"verdict.{one.verdict}{words}"),
                one.published.where,
            )
        )
    heads = ("claim", "published", "ours", "verdict", "source")
    table = captioned(
        pd.DataFrame(rows, columns=[labels.say(f"published.{head}") for head in heads]),
        labels.say("published.caption"),
        labels,
        "published",
    )
    intro = labels.say("published.intro", report=label(report.title, labels.language))
    return Section(labels.say("heading.published"), intro, (table,))


def _recommendation_section(report: Report, estimates: pd.DataFrame, labels: Labels) -> Section:
    rows = shares(estimates, RECOMMENDATIONS).set_index("item")
    base = int(rows["base"].iloc[0])
    found = []
    for one in report.recommendations:
        row: Any = rows.loc[one.number]
        share = None if pd.isna(row["n"]) else labels.percent(row["value"], base)
        found.append(
            (
                one.number,
                label(one.label, labels.language),
                labels.item(THEMES, one.theme),
                ", ".join(labels.item("codes", code) for code in one.codes),
                WITHHELD if share is None else f"{labels.number(row['n'])}{NO_BREAK}({share})",
            )
        )
    heads = ("number", "text", "theme", "codes", "support")
    columns = [labels.say(f"recommendation.{head}") for head in heads]
    sources = [
        f"{one.number}: {labels.say(f'source.{one.source}')}"
        for one in report.recommendations
        if one.source != "unstated"
    ]
    table = captioned(
        pd.DataFrame(found, columns=columns),
        labels.say("recommendation.caption", n=base),
        labels,
        "recommendations",
        labels.say("recommendation.note", sources="; ".join(sources)),
    )
    intro = labels.say("recommendation.intro", report=label(report.title, labels.language))
    return Section(labels.say("heading.recommendations"), intro, (table,))


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
    rows = [
        (name, shown(getattr(last.parameters, name)), meaning(name))
        for name in type(last.parameters).model_fields
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


def _files() -> tuple[Link, ...]:
    copies = [f"notebooks/{step}.ipynb" for step in STEPS]
    names = [ESTIMATES, *copies, WORKFLOW, "ro-crate-metadata.json"]
    return tuple(Link(f"../{name}", name) for name in names)
