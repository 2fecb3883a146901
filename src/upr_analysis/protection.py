"""What the structure of a consultation gives away, and the rules that protect it.

The base of one question can tell a count of another, and groups made of options can tell how many
chose these; what follows from both is guarded here before small counts are withheld.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from upr_analysis.codebook import Codebook
from upr_analysis.crosstab import Groups, Items, groups_of, memberships_of, tally, unions_of_codes
from upr_analysis.estimates import APART, CODES, NOT_STATED, OTHER_ANSWERS, THEMES, estimate_id
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Questionnaire, relevance
from upr_analysis.recommendations import Report
from upr_analysis.suppression import Rules


def guard_groups(groups: Iterable[Groups], minimum_base: int, minimum_cell: int) -> list[Groups]:
    """Return the groupings that may be crossed by, options that too few gave joined to the rest.

    Fixed groups stay as they are declared. Of a question's options those of fewer than
    `minimum_base` respondents, or of all but a few, are no group, and who gave no other is in
    `other_answers`. InputError where these are fewer than `minimum_cell`: the bases would tell.
    """
    return [
        one if one.declared else _with_large_groups(one, minimum_base, minimum_cell)
        for one in groups
    ]


def _with_large_groups(groups: Groups, minimum_base: int, minimum_cell: int) -> Groups:
    names = [name for name in groups.names if name not in APART]
    everybody = len(np.unique(groups.people))
    members = memberships_of(groups, names, everybody)
    sizes = members.sum(axis=0)
    nearly_all = (sizes < everybody) & (sizes > everybody - minimum_cell)
    kept = (sizes >= minimum_base) & ~nearly_all
    if kept.all() and OTHER_ANSWERS not in groups.names:
        return groups
    known = np.ones(everybody, dtype=bool)
    if NOT_STATED in groups.names:
        known = ~memberships_of(groups, [NOT_STATED], everybody)[:, 0]
    members = members[:, kept]
    rest = known & ~members.any(axis=1)
    few = 0 < rest.sum() < minimum_cell
    if not kept.any() or (few and not groups.overlapping):
        raise InputError(
            f"group_by: {groups.name} has options that too few gave to be a group: declare a "
            "grouping in questionnaire.yml that joins its options."
        )
    names = [name for name, one in zip(names, kept, strict=True) if one]
    return groups_of(groups.name, names, members, known & ~(rest & few), groups.of, declared=False)


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
        if chosen < smallest or ((is_sensitive or base > chosen) and base - chosen < smallest):
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
        gate = counted.get(needs[0]) if needs and question.name in counted else None
        if needs and gate is not None and needs[1] in gate.names:
            yield question.name, *needs


def _chose(items: Items, option: str) -> tuple[int, int]:
    counts, bases = tally(items)
    return int(counts[0, items.names.index(option)]), int(bases[0])


def protection_rules(
    questionnaire: Questionnaire,
    codebook: Codebook,
    report: Report | None,
    items: Iterable[Items],
    groups: Iterable[Groups],
    **limits: int,
) -> Rules:
    """Return the rules of suppression for a consultation: structure from it, limits as given."""
    groups, items = list(groups), list(items)
    counted = {one.question: one for one in items}
    names = {one.question: frozenset(one.names) for one in items}
    closed, options = questionnaire.closed_questions, questionnaire.options
    themes = [theme for theme in codebook.themes if theme.sensitive]
    led_to = [
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
        subtotals=frozenset(
            [*led_to, *_subtotals(questionnaire, groups, names, limits["minimum_cell"])]
        ),
        unions=tuple(
            (estimate_id(question, item), tuple(estimate_id(CODES, code) for code in codes))
            for question, codes_of in unions_of_codes(codebook, report).items()
            for item, codes in codes_of.items()
        ),
    )


def _subtotals(
    questionnaire: Questionnaire,
    groups: list[Groups],
    counted: Mapping[str, frozenset[str]],
    least: int,
) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield how many chose one of the options that a group is made of: its base tells.

    `counted` are the items of each question. A group of fewer than `least` is left out: nothing
    that stands in it can be guarded; so is one made of an option that is not counted.
    """
    for one in groups:
        question = questionnaire.question(one.of)
        if question.kind != "select_one" or not question.is_substantive:
            continue
        for group in questionnaire.grouping(one.name).groups:
            if group.name not in one.names or not set(group.of) <= counted.get(one.of, frozenset()):
                continue
            size = int((one.codes == one.names.index(group.name)).sum())
            if size >= least:
                yield one.of, group.of, size
