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
from upr_analysis.inference import association, benjamini_hochberg, wilson_interval
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
    values = np.zeros(len(place), dtype=np.int64)
    for bit, codes in enumerate(codes_of.values()):
        people = codings["respondent"][codings["code"].isin(codes)].unique()
        values[place[people].to_numpy()] |= np.int64(1) << bit
    spoke = open_responses["respondent"][open_responses["state"] == "answered"].unique()
    return Items(question, tuple(codes_of), False, values, place.index.isin(spoke), crossed)


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
    unions = unions_of_codes(codebook, report)
    codes: dict[str, tuple[str, ...]] = {code.name: (code.name,) for code in codebook.codes}
    counted = {THEMES: unions.pop(THEMES), CODES: codes} | unions
    crossed = {THEMES: True, CODES: codes_crossed, RECOMMENDATIONS: False}
    return [
        coded_items(respondents, open_responses, codings, name, codes_of, crossed[name])
        for name, codes_of in counted.items()
    ]


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
    grouping = questionnaire.grouping(name)
    names = [group.name for group in grouping.groups]
    everyone = pd.Index(respondents["respondent"])
    own = memberships[memberships["grouping"] == name]
    own = own[own["respondent"].isin(everyone)]
    people = everyone.get_indexer(own["respondent"])
    codes = pd.Categorical(own["group"], names).codes.astype(np.int64)
    nowhere = np.setdiff1d(np.arange(len(everyone)), people)
    if len(nowhere):
        people, codes = np.append(people, nowhere), np.append(codes, len(names) + 0 * nowhere)
        names.append(NOT_STATED)
    return Groups(name, tuple(names), people, codes, len(people) > len(everyone), grouping.by)


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

    Without groups there is one row, everyone. AssertionError where the options of a single choice,
    or groups that do not overlap, do not add up to those who answered.
    """
    groups = groups or _everyone(len(items.values))
    inside = items.answered[groups.people]
    codes, values = groups.codes[inside], items.values[groups.people[inside]]
    size, width = len(groups.names), len(items.names)
    if items.exclusive:
        counts = np.bincount(codes * width + values, minlength=size * width).reshape(size, width)
    else:
        bits = [np.bincount(codes[values >> bit & 1 == 1], minlength=size) for bit in range(width)]
        counts = np.array(bits, dtype=np.int64).reshape(width, size).T
    bases = np.bincount(codes, minlength=size)
    everyone = int(items.answered.sum())
    if (items.exclusive and (counts.sum(axis=1) != bases).any()) or (
        bases.sum() < everyone if groups.overlapping else bases.sum() != everyone
    ):
        raise AssertionError(f"counts of {items.question} are not of those who answered it")
    return counts, bases


def _everyone(size: int) -> Groups:
    return Groups("", ("",), np.arange(size), np.zeros(size, dtype=np.int64), overlapping=False)


def share_rows(items: Items, groups: Groups | None, source: str) -> Iterator[dict[str, object]]:
    """Yield one row of estimates for each item and group: n, base, percent, Wilson interval."""
    groups = groups or _everyone(len(items.values))
    counts, bases = tally(items, groups)
    for group, own, base in zip(groups.names, counts.tolist(), bases.tolist(), strict=True):
        for item, n in zip(items.names, own, strict=True):
            low, high = wilson_interval(n, base) if base else (None, None)
            yield {
                "id": estimate_id(items.question, item, groups.name, group),
                "table": estimate_id(items.question, group_by=groups.name),
                "measure": "share",
                "question": items.question,
                "item": item,
                "group_by": groups.name,
                "group": group,
                "base_kind": "answered",
                "n": n,
                "base": base,
                "value": 100 * n / base if base else None,
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
    for name, needs, option in _follow_ups(questionnaire, found):
        gate, led = found[needs], found[name]
        is_sensitive = questionnaire.question(needs).role == "sensitive"
        smallest = max(minimum_cell, minimum_sensitive if is_sensitive else 0)
        chosen, base = _chose(gate, option)
        if min(chosen, base - chosen) < smallest:
            del found[name]
            continue
        gates.add(needs)
        rest = (tally(gate, one)[1] - tally(led, one)[1] for one in groups)
        if any(((few > 0) & (few < smallest)).any() for few in rest):
            found[name] = replace(led, crossed=False)
    return [replace(one, crossed=one.crossed and name not in gates) for name, one in found.items()]


def _follow_ups(
    questionnaire: Questionnaire, counted: Mapping[str, Items]
) -> Iterator[tuple[str, str, str]]:
    """Yield each counted question with the one, also counted, and the option that led to it."""
    for question in questionnaire.closed_questions:
        needs = relevance(question)
        if needs and {question.name, needs[0]} <= counted.keys():
            yield question.name, *needs


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
    found = association(counts[stated], seed, resamples)
    undefined = f"undefined: {found.reason}" if found.reason else ""
    table = estimate_id(items.question, group_by=groups.name)
    shared = {
        "table": table,
        "question": items.question,
        "group_by": groups.name,
        "base_kind": "answered",
        "base": int(bases[stated].sum()),
        "source": source,
    }
    test = {"measure": "test", "value": found.statistic, "p": found.p, "method": found.method}
    effect = {"measure": "effect", "value": found.v, "method": "bias-corrected Cramér's V"}
    for row in (test, effect):
        method = undefined or row["method"]
        yield shared | row | {"id": f"{table}.{row['measure']}", "method": method}


def count_everything(
    items: Iterable[Items], groups: Iterable[Groups], source: str, seed: int, resamples: int
) -> pd.DataFrame:
    """Return all estimates, nothing withheld: each question overall and by each grouping."""
    rows, groups = list[dict[str, object]](), list(groups)
    for one in items:
        rows += share_rows(one, None, source)
        for grouping in groups:
            if one.crossed and grouping.of != one.question:
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
    closed, options = questionnaire.closed_questions, questionnaire.options
    themes = [theme for theme in codebook.themes if theme.sensitive]
    gates = [
        (gate, (option,), _chose(counted[gate], option)[0])  # the follow-up's base tells
        for _, gate, option in _follow_ups(questionnaire, counted)
    ]
    return Rules(
        **limits,
        exclusive=frozenset(one.name for one in closed if one.kind == "select_one"),
        overlapping=frozenset(one.name for one in groups if one.overlapping),
        sensitive=frozenset(
            [
                *((one.name, "") for one in questionnaire.with_role("sensitive")),
                *(
                    (one.name, choice.name)
                    for one in closed
                    for choice in options(one)
                    if choice.sensitive
                ),
                *((THEMES, theme.name) for theme in themes),
                *((CODES, code.name) for theme in themes for code in theme.codes),
            ]
        ),
        subtotals=frozenset([*gates, *_subtotals(questionnaire, groups, limits["minimum_cell"])]),
        unions=tuple(
            (estimate_id(question, item), tuple(estimate_id(CODES, code) for code in codes))
            for question, codes_of in unions_of_codes(codebook, report).items()
            for item, codes in codes_of.items()
        ),
    )


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
