"""Counting people: any question, theme or code by any grouping or question, each with its base.

Closed answers are integer codes or bit masks, so that a table is a few `bincount`s whatever the
number of respondents. Percentages are of respondents; a respondent counts once in any total.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from upr_analysis.codebook import Codebook
from upr_analysis.counting import Answers, Members, count
from upr_analysis.estimates import (
    CODES,
    LEFT_BLANK,
    NOT_STATED,
    OTHER_ANSWERS,
    RECOMMENDATIONS,
    THEMES,
    estimate_id,
    estimates_frame,
)
from upr_analysis.intervals import share_intervals
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import LANGUAGE, Grouping, Questionnaire, condition
from upr_analysis.recommendations import Report

ShareInterval = Literal["wilson", "clopper_pearson"]
INTERVALS: Final = {"wilson": "Wilson", "clopper_pearson": "Clopper-Pearson"}


@dataclass(frozen=True)
class Items:
    """What can be counted about one question: `values` (n,) hold it for n respondents.

    Exclusive items are codes, -1 outside the base; others a bit an item. `answered` (n,) says who
    is in the base, which `base_kind` names. Items that are not `crossed` are counted overall only.
    """

    question: str
    names: tuple[str, ...]
    exclusive: bool
    values: np.ndarray
    answered: np.ndarray
    crossed: bool = True
    base_kind: str = "answered"
    silent: np.ndarray | None = None  # (n,) who answered, and is not in the base


@dataclass(frozen=True)
class Groups:
    """Who is in which group: `people` (m,) are positions of respondents, `codes` (m,) their group.

    m exceeds the number of respondents where some are in several groups. Everybody is in one at
    least: those in none of the grouping's are in `other_answers` or `not_stated`.
    """

    name: str
    names: tuple[str, ...]
    people: np.ndarray
    codes: np.ndarray
    overlapping: bool
    of: str = ""  # the question that it groups, which is not crossed by itself
    declared: bool = True  # with fixed groups, not made of a question's options


def select(
    respondents: pd.DataFrame,
    memberships: pd.DataFrame,
    questionnaire: Questionnaire,
    where: Sequence[str],
    fewest: int = 0,
) -> pd.DataFrame:
    """Return the respondents of whom every condition `name=group` holds; all without conditions.

    A name is a grouping's, a closed question's or `language`; a group one of it. InputError where
    `fewest` respondents are not left, or would be told by what is published without conditions.
    """
    conditions = [condition(one, questionnaire) for one in where]
    inside = np.ones(len(respondents), dtype=bool)
    for name, group in conditions:
        groups = respondent_groups(respondents, memberships, questionnaire, name)
        members = groups.people[groups.codes == groups.names.index(group)]
        inside &= np.isin(np.arange(len(respondents)), members)
    if where and not (inside.sum() >= fewest and (inside.all() or (~inside).sum() >= fewest)):
        raise InputError(
            f"where: {', '.join(where)} leaves, or leaves out, fewer than {fewest} respondents, "
            "who would be known by it: count by a wider condition."
        )
    return respondents[inside].reset_index(drop=True)


def question_items(
    respondents: pd.DataFrame, questionnaire: Questionnaire, name: str, base: str = "answered"
) -> Items:
    """Return the countable items of a closed question.

    The base is who `answered`; who was `asked`, where leaving a single choice blank is an item; or
    who is `eligible`: answered, and not with an option that gives no opinion.
    """
    question = questionnaire.question(name)
    options = questionnaire.options(question)
    names = tuple(choice.name for choice in options)
    state = respondents[f"{name}_state"]
    inside = np.asarray(state == "answered")
    said = inside
    exclusive = question.kind == "select_one"
    column = respondents[name]
    codes = column.cat.codes if exclusive else column
    values = codes.to_numpy().astype(np.int64)
    if base == "asked":
        blank = np.asarray(state == "skipped")
        inside = inside | blank
        if exclusive:
            values, names = np.where(blank, len(names), values), (*names, LEFT_BLANK)
    elif base == "eligible":
        silent = np.array([choice.role == "no_opinion" for choice in options], dtype=bool)
        inside, values = _with_opinion(inside, values, silent, exclusive)
        names = tuple(name for name, without in zip(names, silent, strict=True) if not without)
    silent_ones = said & ~inside if base == "eligible" else None
    crossed = question.role != "sensitive"
    return Items(name, names, exclusive, values, inside, crossed, base, silent_ones)


def _with_opinion(
    inside: np.ndarray, values: np.ndarray, silent: np.ndarray, exclusive: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return who is in the base without the `silent` options, and the values renumbered."""
    bits = np.int64(1) << np.arange(len(silent))
    kept = np.cumsum(~silent) - 1
    if exclusive:
        said = inside & ~silent[values]
        return said, np.where(said, kept[values], -1)
    said = inside & ((values & bits[silent].sum()) == 0)
    renumbered = np.zeros_like(values)
    for bit in np.flatnonzero(~silent):
        renumbered |= (values >> bit & 1) << kept[bit]
    return said, renumbered


def coded_items(
    respondents: pd.DataFrame,
    open_responses: pd.DataFrame,
    codings: pd.DataFrame,
    question: str,
    codes_of: Mapping[str, Collection[str]],
    crossed: bool = True,
    base: str = "answered",
) -> Items:
    """Return what open answers raised as items; the base is who answered any open question.

    With the base `asked`, who was asked any. `codes_of` maps each item (a theme, a code, a
    recommendation) to its codes. A respondent who raised several of them, or one in several
    answers, counts once.
    """
    place = pd.Series(np.arange(len(respondents)), index=respondents["respondent"])
    values = np.zeros(len(place), dtype=np.int64)
    codings = codings[codings["respondent"].isin(place.index)]
    for bit, codes in enumerate(codes_of.values()):
        people = codings["respondent"][codings["code"].isin(codes)].unique()
        values[place[people].to_numpy()] |= np.int64(1) << bit
    states = ["answered", "skipped"] if base == "asked" else ["answered"]
    spoke = open_responses["respondent"][open_responses["state"].isin(states)].unique()
    inside = place.index.isin(spoke)
    return Items(question, tuple(codes_of), False, values, inside, crossed, base)


def everything_coded(
    respondents: pd.DataFrame,
    open_responses: pd.DataFrame,
    codings: pd.DataFrame,
    codebook: Codebook,
    report: Report | None,
    codes_crossed: bool,
    base: str = "answered",
) -> list[Items]:
    """Return themes, codes and recommendations as items; recommendations are totals only."""
    if not codebook.themes:
        return []
    unions = unions_of_codes(codebook, report)
    codes: dict[str, tuple[str, ...]] = {code.name: (code.name,) for code in codebook.codes}
    counted = {THEMES: unions.pop(THEMES), CODES: codes} | unions
    crossed = {THEMES: True, CODES: codes_crossed, RECOMMENDATIONS: False}
    return [
        coded_items(respondents, open_responses, codings, name, codes_of, crossed[name], base)
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
    """Return a grouping's members, and those in no group as `not_stated` where there are any.

    A grouping that is not declared is made of a closed question's options, or of languages. Who
    answered that question, but with none of its groups, is in `other_answers`.
    """
    grouping = questionnaire.grouping(name)
    declared = questionnaire.is_declared(name)
    names = tuple(group.name for group in grouping.groups)
    size = len(respondents)
    if declared:
        everybody = pd.Index(respondents["respondent"])
        own = memberships[memberships["grouping"] == name]
        own = own[own["respondent"].isin(everybody)]
        members = np.zeros((size, len(names)), dtype=bool)
        places = pd.Categorical(own["group"], names).codes
        members[everybody.get_indexer(own["respondent"]), places] = True
        known = np.asarray(members.any(axis=1))
    else:
        members, known = _members_by_answer(respondents, questionnaire, grouping)
    return groups_of(name, names, members, known, grouping.by, declared)


def groups_of(
    name: str, names: Sequence[str], members: np.ndarray, known: np.ndarray, of: str, declared: bool
) -> Groups:
    """Return groups from who is a member of which (n, groups), and of whom it is known (n,)."""
    nowhere = ~members.any(axis=1)
    apart = {OTHER_ANSWERS: nowhere & known, NOT_STATED: nowhere & ~known}
    apart = {group: own for group, own in apart.items() if own.any()}
    whole = np.column_stack([members, *apart.values()]) if apart else members
    codes, people = np.nonzero(whole.T)
    overlapping = len(people) > len(members)
    return Groups(name, (*names, *apart), people, codes, overlapping, of, declared)


def memberships_of(groups: Groups, names: Sequence[str], size: int) -> np.ndarray:
    """Return (n, names) who of n respondents is in which of the named groups."""
    members = np.zeros((size, len(groups.names)), dtype=bool)
    members[groups.people, groups.codes] = True
    return members[:, [groups.names.index(name) for name in names]]


def _members_by_answer(
    respondents: pd.DataFrame, questionnaire: Questionnaire, grouping: Grouping
) -> tuple[np.ndarray, np.ndarray]:
    """Return who gave which of the answers that make a grouping (n, groups), and who answered."""
    values = [group.of[0] for group in grouping.groups]
    if grouping.name == LANGUAGE:
        written = respondents[LANGUAGE].to_numpy()
        members = np.column_stack([written == value for value in values])
        return members, np.asarray(members.any(axis=1))
    items = question_items(respondents, questionnaire, grouping.name)
    own = [has_item(items, items.names.index(value)) & items.answered for value in values]
    return np.column_stack(own), items.answered


def has_item(items: Items, place: int) -> np.ndarray:
    """Return (n,) whether each respondent has the item at a place."""
    own = items.values == place if items.exclusive else items.values >> place & 1 == 1
    return np.asarray(own)


def grouped(
    respondents: pd.DataFrame,
    memberships: pd.DataFrame,
    questionnaire: Questionnaire,
    group_by: Iterable[str],
) -> list[Groups]:
    """Return the members of each grouping."""
    return [respondent_groups(respondents, memberships, questionnaire, name) for name in group_by]


def crossings(items: Iterable[Items], groups: Sequence[Groups]) -> Iterator[tuple[Items, Groups]]:
    """Yield what is crossed by what: all by all, but no question by itself, and no table twice.

    Where two questions both group, the one is crossed by the other only as they are listed.
    """
    items, first = list(items), dict[str, int]()
    counted = {one.question for one in items}
    for place, grouping in enumerate(groups):
        first.setdefault(grouping.of, place)
    for one in items:
        for place, grouping in enumerate(groups):
            turned = first.get(one.question, place) < place and grouping.of in counted
            if one.crossed and grouping.of != one.question and not turned:
                yield one, grouping


def tally(items: Items, groups: Groups | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Count respondents: returns (groups, items) counts and (groups,) bases of who is in the base.

    Without groups there is one row, everyone.
    """
    (((counts, bases),),) = tallies([items], [groups or everyone(len(items.values))])
    return counts, bases


def tallies(
    items: Sequence[Items], groups: Sequence[Groups]
) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Count every question by every grouping: as `tally` does, a list a grouping.

    AssertionError where the options of a single choice, or groups that do not overlap, do not add
    up to those in the base.
    """
    tables = count(
        [
            Answers(
                np.where(one.answered, one.values, -1) if one.exclusive else one.values,
                len(one.names),
                None if one.exclusive else one.answered,
            )
            for one in items
        ],
        [
            Members(by.codes, len(by.names), by.people)
            if by.overlapping
            else Members(by.codes[np.argsort(by.people)], len(by.names))
            for by in groups
        ],
    )
    for by, own in zip(groups, tables, strict=True):
        for one, (counts, bases) in zip(items, own, strict=True):
            inside = int(one.answered.sum())
            if (one.exclusive and (counts.sum(axis=1) != bases).any()) or (
                bases.sum() < inside if by.overlapping else bases.sum() != inside
            ):
                raise AssertionError(f"counts of {one.question} are not of those in its base")
    return tables


def everyone(size: int) -> Groups:
    """Return one group of all respondents."""
    return Groups("", ("",), np.arange(size), np.zeros(size, dtype=np.int64), overlapping=False)


def share_table(
    items: Items,
    groups: Groups,
    counts: np.ndarray,
    bases: np.ndarray,
    source: str,
    interval: ShareInterval,
    where: Sequence[str],
) -> pd.DataFrame:
    """Return estimates, a row an item and group: n, base, percent and its interval.

    `counts` (groups, items) and `bases` (groups,) are what was counted.
    """
    size, width = counts.shape
    n, base = counts.ravel(), np.repeat(bases, width)
    share = np.divide(100 * n, base, out=np.full(len(n), np.nan), where=base > 0)
    low, high = share_intervals(n, base, interval)
    pairs = [(group, item) for group in groups.names for item in items.names]
    columns: dict[str, object] = {
        "id": [estimate_id(items.question, item, groups.name, group) for group, item in pairs],
        "table": estimate_id(items.question, group_by=groups.name),
        "measure": "share",
        "question": items.question,
        "item": [item for _, item in pairs],
        "group_by": groups.name,
        "group": [group for group, _ in pairs],
        "filter": " & ".join(where),
        "base_kind": items.base_kind,
        "n": n,
        "base": base,
        "value": share,
        "low": low,
        "high": high,
        "method": np.where(base > 0, INTERVALS[interval], ""),
        "source": source,
    }
    return estimates_frame(columns, size * width)


def count_everything(
    items: Iterable[Items],
    groups: Sequence[Groups],
    source: str,
    interval: ShareInterval = "wilson",
    where: Sequence[str] = (),
) -> pd.DataFrame:
    """Return all shares, nothing withheld: each question overall and by what it is crossed by."""
    items = list(items)
    if not items:
        return estimates_frame({}, 0)
    ways = [everyone(len(items[0].values)), *groups]
    tables = tallies(items, ways)
    crossed = {(one.question, by.name) for one, by in crossings(items, groups)}
    return pd.concat(
        [
            share_table(one, by, *tables[way][place], source, interval, where)
            for place, one in enumerate(items)
            for way, by in enumerate(ways)
            if not by.name or (one.question, by.name) in crossed
        ],
        ignore_index=True,
    )
