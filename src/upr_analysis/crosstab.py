"""Counting people: any question, theme or code, overall and by group, each with its base.

Closed answers are integer codes or bit masks, so that a table is a few `bincount`s whatever the
number of respondents. Percentages are of respondents; a respondent counts once in any total.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from upr_analysis.codebook import Codebook
from upr_analysis.estimates import (
    CODES,
    NOT_STATED,
    RECOMMENDATIONS,
    THEMES,
    estimate_id,
    estimates_frame,
)
from upr_analysis.inference import Association, association, benjamini_hochberg, wilson_interval
from upr_analysis.questionnaire import Questionnaire, relevance
from upr_analysis.recommendations import Report
from upr_analysis.suppression import Rules


@dataclass(frozen=True)
class Items:
    """What can be counted about one question: `values` (n,) hold it for n respondents.

    Exclusive items are codes, -1 where not answered; others a bit an item. `answered` (n,) says who
    is in the base. Items that are not `crossed` are counted overall only.
    """

    question: str
    names: tuple[str, ...]
    exclusive: bool
    values: np.ndarray
    answered: np.ndarray
    crossed: bool = True


@dataclass(frozen=True)
class Groups:
    """Who is in which group: `people` (m,) are positions of respondents, `codes` (m,) their group.

    m exceeds the number of respondents where some are in several groups.
    """

    name: str
    names: tuple[str, ...]
    people: np.ndarray
    codes: np.ndarray
    overlapping: bool
    of: str = ""  # the question that it groups, which is not crossed by itself


def question_items(respondents: pd.DataFrame, questionnaire: Questionnaire, name: str) -> Items:
    """Return the countable items of a closed question."""
    question = questionnaire.question(name)
    names = tuple(choice.name for choice in questionnaire.options(question))
    answered = np.asarray(respondents[f"{name}_state"] == "answered")
    exclusive = question.kind == "select_one"
    column = respondents[name]
    values = column.cat.codes.to_numpy() if exclusive else column.to_numpy()
    return Items(name, names, exclusive, values.astype(np.int64), answered)


def coded_items(
    respondents: pd.DataFrame,
    open_responses: pd.DataFrame,
    codings: pd.DataFrame,
    question: str,
    codes_of: Mapping[str, Collection[str]],
    crossed: bool = True,
) -> Items:
    """Return what open answers raised as items; the base is who answered any open question.

    `codes_of` maps each item (a theme, a code, a recommendation) to its codes. A respondent who
    raised several of them, or one in several answers, counts once.
    """
    place = pd.Series(np.arange(len(respondents)), index=respondents["respondent"])
    raised = codings[["respondent", "code"]].drop_duplicates()
    values = np.zeros(len(respondents), dtype=np.int64)
    for bit, codes in enumerate(codes_of.values()):
        people = raised["respondent"][raised["code"].isin(codes)].unique()
        values[place[people].to_numpy()] |= np.int64(1) << bit
    spoke = open_responses["respondent"][open_responses["state"] == "answered"].unique()
    answered = np.asarray(respondents["respondent"].isin(spoke))
    return Items(question, tuple(codes_of), False, values, answered, crossed)


def everything_coded(
    respondents: pd.DataFrame,
    open_responses: pd.DataFrame,
    codings: pd.DataFrame,
    codebook: Codebook,
    report: Report | None,
    codes_crossed: bool,
) -> list[Items]:
    """Return themes, codes and recommendations as items; recommendations are totals only."""
    if not codebook.themes:
        return []
    tables = (respondents, open_responses, codings)
    codes = {code.name: [code.name] for code in codebook.codes}
    unions = unions_of_codes(codebook, report)
    items = [
        coded_items(*tables, THEMES, unions[THEMES]),
        coded_items(*tables, CODES, codes, codes_crossed),
    ]
    if RECOMMENDATIONS in unions:
        items.append(coded_items(*tables, RECOMMENDATIONS, unions[RECOMMENDATIONS], False))
    return items


def unions_of_codes(
    codebook: Codebook, report: Report | None
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return what is a union of codes: themes, and the report's recommendations by number."""
    found = {
        THEMES: {theme.name: tuple(code.name for code in theme.codes) for theme in codebook.themes}
    }
    if report and report.recommendations:
        found[RECOMMENDATIONS] = {one.number: one.codes for one in report.recommendations}
    return found


def respondent_groups(
    respondents: pd.DataFrame, memberships: pd.DataFrame, questionnaire: Questionnaire, name: str
) -> Groups:
    """Return a grouping's members, and those in no group as `not_stated` where there are any."""
    names = [group.name for group in questionnaire.grouping(name).groups]
    place = pd.Series(np.arange(len(respondents)), index=respondents["respondent"])
    own = memberships[
        (memberships["grouping"] == name) & memberships["respondent"].isin(place.index)
    ]
    people = place[own["respondent"]].to_numpy()
    codes = own["group"].map({group: code for code, group in enumerate(names)}).to_numpy()
    nowhere = np.setdiff1d(place.to_numpy(), people)
    if len(nowhere):
        people = np.concatenate([people, nowhere])
        codes = np.concatenate([codes, np.full(len(nowhere), len(names))])
        names = [*names, NOT_STATED]
    overlapping = len(people) > len(respondents)
    of = questionnaire.grouping(name).by
    return Groups(name, tuple(names), people, codes.astype(np.int64), overlapping, of)


def grouped(
    respondents: pd.DataFrame,
    memberships: pd.DataFrame,
    questionnaire: Questionnaire,
    group_by: Iterable[str],
) -> list[Groups]:
    """Return the members of each grouping."""
    return [respondent_groups(respondents, memberships, questionnaire, name) for name in group_by]


def tally(items: Items, groups: Groups | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Count respondents: returns (groups, items) counts and (groups,) bases of those who answered.

    Without groups there is one row, everyone.
    """
    if groups is None:
        people = np.flatnonzero(items.answered)
        codes, size = np.zeros(len(people), dtype=np.int64), 1
    else:
        inside = items.answered[groups.people]
        people, codes, size = groups.people[inside], groups.codes[inside], len(groups.names)
    values, width = items.values[people], len(items.names)
    if items.exclusive:
        flat = np.bincount(codes * width + values, minlength=size * width)
        counts = flat.reshape(size, width)
    else:
        columns = [
            np.bincount(codes[(values >> bit) & 1 == 1], minlength=size) for bit in range(width)
        ]
        counts = np.stack(columns, axis=1) if columns else np.zeros((size, 0), dtype=np.int64)
    return counts, np.bincount(codes, minlength=size)


def share_rows(items: Items, groups: Groups | None, source: str) -> Iterator[dict[str, object]]:
    """Yield one row of estimates for each item and group: n, base, percent, Wilson interval."""
    counts, bases = tally(items, groups)
    by = groups.name if groups else ""
    for place, group in enumerate(groups.names if groups else ("",)):
        for item, count in zip(items.names, counts[place], strict=True):
            base = int(bases[place])
            low, high = wilson_interval(count, base) if base else (None, None)
            yield {
                "id": estimate_id(items.question, item, by, group),
                "table": estimate_id(items.question, group_by=by),
                "measure": "share",
                "question": items.question,
                "item": item,
                "group_by": by,
                "group": group,
                "base_kind": "answered",
                "n": int(count),
                "base": base,
                "value": 100 * int(count) / base if base else None,
                "low": low,
                "high": high,
                "method": "Wilson" if base else "",
                "source": source,
            }


def guard_routing(
    items: Iterable[Items],
    groups: Iterable[Groups],
    questionnaire: Questionnaire,
    minimum_cell: int,
    minimum_sensitive: int,
) -> list[Items]:
    """Return what may be counted where the base of one question tells a count of another.

    Who was asked a question is who chose an option of its gate. A question whose gate option, or
    the rest of its gate, is too small a number is left out whole; and a gate is not crossed, since
    by group too it would follow from the bases. Nor is the question, where in some group so few
    were not led to it that its base would tell.
    """
    groups = list(groups)
    found = {one.question: one for one in items}
    gates = set[str]()
    for question in questionnaire.closed_questions:
        needs = relevance(question)
        if needs is None or needs[0] not in found or question.name not in found:
            continue
        is_sensitive = questionnaire.question(needs[0]).role == "sensitive"
        smallest = max(minimum_cell, minimum_sensitive if is_sensitive else 0)
        chosen, base = _chose(found[needs[0]], needs[1])
        if min(chosen, base - chosen) < smallest:
            del found[question.name]
        else:
            gates.add(needs[0])
            gate, led = found[needs[0]], found[question.name]
            rest = [tally(gate, one)[1] - tally(led, one)[1] for one in groups]
            if any(((few > 0) & (few < smallest)).any() for few in rest):
                found[question.name] = replace(led, crossed=False)
    return [replace(one, crossed=one.crossed and name not in gates) for name, one in found.items()]


def _chose(items: Items, option: str) -> tuple[int, int]:
    counts, bases = tally(items)
    return int(counts[0, items.names.index(option)]), int(bases[0])


def association_rows(
    items: Items, groups: Groups, source: str, seed: int, resamples: int
) -> Iterator[dict[str, object]]:
    """Yield the test and the effect of a table of people; none for select-all or overlapping."""
    if not items.exclusive or groups.overlapping:
        return
    counts, bases = tally(items, groups)
    stated = [place for place, name in enumerate(groups.names) if name != NOT_STATED]
    found: Association = association(counts[stated], seed, resamples)
    row = {
        "table": estimate_id(items.question, group_by=groups.name),
        "question": items.question,
        "group_by": groups.name,
        "base_kind": "answered",
        "base": int(bases[stated].sum()),
        "method": found.method if not found.reason else f"undefined: {found.reason}",
        "source": source,
    }
    table = str(row["table"])
    yield row | {
        "id": f"{table}.test", "measure": "test", "value": found.statistic, "p": found.p
    }  # fmt: skip
    yield row | {
        "id": f"{table}.effect", "measure": "effect", "value": found.v,
        "method": "bias-corrected Cramér's V" if not found.reason else row["method"],
    }  # fmt: skip


def count_everything(
    items: Iterable[Items], groups: Iterable[Groups], source: str, seed: int, resamples: int
) -> pd.DataFrame:
    """Return all estimates, nothing withheld: each question overall and by each grouping."""
    rows: list[dict[str, object]] = []
    groups = list(groups)
    for one in items:
        rows += share_rows(one, None, source)
        for grouping in groups:
            if not one.crossed or grouping.of == one.question:
                continue
            rows += share_rows(one, grouping, source)
            rows += association_rows(one, grouping, source, seed, resamples)
    return estimates_frame(rows)


def adjust_tests(estimates: pd.DataFrame, sample: str) -> pd.DataFrame:
    """Return the estimates with p adjusted (Benjamini-Hochberg) over the tests that are shown.

    Of a census there is no p, and no interval: its differences are what they are.
    """
    adjusted = estimates.copy()
    if sample == "census":
        adjusted[["p", "low", "high"]] = pd.NA
        adjusted.loc[adjusted["measure"] == "share", "method"] = ""
    p_values = adjusted["p"].to_numpy(dtype=float, na_value=np.nan)
    adjusted["p_adjusted"] = pd.array(benjamini_hochberg(p_values), dtype="Float64")
    return adjusted


def protection_rules(
    questionnaire: Questionnaire,
    codebook: Codebook,
    report: Report | None,
    items: Iterable[Items],
    groups: Iterable[Groups],
    **limits: int,
) -> Rules:
    """Return the rules of suppression for a consultation: structure from it, limits as given."""
    groups, counted = list(groups), {one.question: one for one in items}
    sensitive = {
        (question.name, "") for question in questionnaire.survey if question.role == "sensitive"
    }
    sensitive |= {
        (question.name, choice.name)
        for question in questionnaire.closed_questions
        for choice in questionnaire.options(question)
        if choice.sensitive
    }
    sensitive |= {(THEMES, theme.name) for theme in codebook.themes if theme.sensitive}
    sensitive |= {
        (CODES, code.name) for theme in codebook.themes if theme.sensitive for code in theme.codes
    }
    return Rules(
        **limits,
        exclusive=frozenset(
            question.name
            for question in questionnaire.closed_questions
            if question.kind == "select_one"
        ),
        overlapping=frozenset(grouping.name for grouping in groups if grouping.overlapping),
        sensitive=frozenset(sensitive),
        subtotals=frozenset(
            [
                *_subtotals(questionnaire, groups, limits["minimum_cell"]),
                *_gate_totals(questionnaire, counted),
            ]
        ),
        unions=tuple(
            (estimate_id(question, item), tuple(estimate_id(CODES, code) for code in codes))
            for question, codes_of in unions_of_codes(codebook, report).items()
            for item, codes in codes_of.items()
        ),
    )


def _gate_totals(
    questionnaire: Questionnaire, items: Mapping[str, Items]
) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield how many chose the option that led to a question which is shown: its base tells."""
    for question in questionnaire.closed_questions:
        needs = relevance(question)
        if needs is not None and {question.name, needs[0]} <= items.keys():
            yield needs[0], (needs[1],), _chose(items[needs[0]], needs[1])[0]


def _subtotals(
    questionnaire: Questionnaire, groups: list[Groups], least: int
) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield how many chose one of the options that a group is made of: its base tells.

    A group of fewer than `least` is left out: nothing that stands in it can be guarded.
    """
    for one in groups:
        question = questionnaire.question(one.of)
        if question.kind != "select_one" or not question.is_substantive:
            continue
        for group in questionnaire.grouping(one.name).groups:
            size = int((one.codes == one.names.index(group.name)).sum())
            if size >= least:
                yield one.of, group.of, size
