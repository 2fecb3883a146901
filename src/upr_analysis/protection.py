"""What the structure of a consultation gives away, and the rules that protect it.

The base of one question can tell a count of another, and groups made of options can tell how many
chose these; what follows from both is guarded here before small counts are withheld.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from upr_analysis.codebook import Codebook
from upr_analysis.crosstab import Groups, Items, groups_of, memberships_of, tally, unions_of_codes
from upr_analysis.estimates import (
    APART,
    CODES,
    NOT_STATED,
    RECOMMENDATIONS,
    THEMES,
    estimate_id,
)
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Questionnaire, relevance
from upr_analysis.recommendations import Report
from upr_analysis.suppression import Rules


def guard_groups(
    groups: Iterable[Groups], minimum_base: int, minimum_cell: int, some: bool = False
) -> list[Groups]:
    """Return the groupings that may be crossed by, options that too few gave joined to the rest.

    Fixed groups stay as they are declared. Of a question's options those of fewer than
    `minimum_base` respondents, or of all but a few, are no group, and who gave no other is in
    `other_answers`. InputError where these are fewer than `minimum_cell`: the bases would tell; and
    where only `some` are counted, and of a group so few that its base would tell what they have in
    common.
    """
    found = [
        one if one.declared else _with_large_groups(one, minimum_base, minimum_cell)
        for one in groups
    ]
    for one in found:
        sizes = np.bincount(one.codes, minlength=len(one.names))
        if some and ((sizes > 0) & (sizes < minimum_cell)).any():
            raise InputError(
                f"where leaves fewer than {minimum_cell} respondents in a group of {one.name}, who "
                "would be known by its base: cross by fewer groups, or count by a wider condition."
            )
    return found


def _with_large_groups(groups: Groups, minimum_base: int, minimum_cell: int) -> Groups:
    names = [name for name in groups.names if name not in APART]
    everybody = len(np.unique(groups.people))
    known = np.ones(everybody, dtype=bool)
    if NOT_STATED in groups.names:
        known = ~memberships_of(groups, [NOT_STATED], everybody)[:, 0]
    members = memberships_of(groups, names, everybody)
    sizes, answered = members.sum(axis=0), known.sum()
    nearly_all = (sizes < answered) & (sizes > answered - minimum_cell)
    kept = (sizes >= minimum_base) & ~nearly_all
    members = members[:, kept]
    rest = known & ~members.any(axis=1)
    if not kept.any() or 0 < rest.sum() < minimum_cell:
        raise InputError(
            f"group_by: {groups.name} has options that too few gave to be a group: declare a "
            "grouping in questionnaire.yml that joins its options."
        )
    names = [name for name, one in zip(names, kept, strict=True) if one]
    return groups_of(groups.name, names, members, known, groups.of, declared=False)


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
    were not led to it that its base would tell. Likewise where few were taken out of the base since
    they gave no opinion: overall the question is left out, in some group it is not crossed.
    """
    groups = list(groups)
    found = {one.question: one for one in items}
    gates, dropped = set[str](), set[str]()
    for name, needs, option in _follow_ups(questionnaire, dict(found)):
        gate, led = found.get(needs), found[name]
        is_sensitive = questionnaire.question(needs).role == "sensitive"
        smallest = max(minimum_cell, minimum_sensitive if is_sensitive else 0)
        chosen, base = _chose(gate, option) if gate else (0, 0)
        rest = base - chosen
        if needs in dropped or chosen < smallest or ((is_sensitive or rest) and rest < smallest):
            del found[name]
            dropped.add(name)
            continue
        gates.add(needs)
        few = [tally(found[needs], one)[1] - tally(led, one)[1] for one in groups]
        if any(((one > 0) & (one < smallest)).any() for one in few):
            found[name] = replace(led, crossed=False)
    for name, one in list(found.items()):
        if one.silent is None:
            continue
        mute = replace(one, names=("",), exclusive=True, values=0 * one.values, answered=one.silent)
        if 0 < one.silent.sum() < minimum_cell:
            del found[name]
        elif any(((n > 0) & (n < minimum_cell)).any() for n in (tally(mute, g)[1] for g in groups)):
            found[name] = replace(one, crossed=False)
    return [replace(one, crossed=one.crossed and name not in gates) for name, one in found.items()]


def _follow_ups(
    questionnaire: Questionnaire, counted: Mapping[str, Items]
) -> Iterator[tuple[str, str, str]]:
    """Yield what is counted with the question, also counted, and the option that led to it.

    Themes and codes were led to by a gate where all open questions were by the same.
    """
    led = [(one.name, relevance(one)) for one in questionnaire.closed_questions]
    open_ones = list({relevance(one) for one in questionnaire.open_questions})
    if len(open_ones) == 1:
        led += [(name, open_ones[0]) for name in (THEMES, CODES, RECOMMENDATIONS)]
    for name, needs in led:
        gate = counted.get(needs[0]) if needs and name in counted else None
        if needs and gate is not None and needs[1] in gate.names:
            yield name, *needs


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
        if not question.is_closed or not question.is_substantive:
            continue
        for group in questionnaire.grouping(one.name).groups:
            if group.name not in one.names or not set(group.of) <= counted.get(one.of, frozenset()):
                continue
            size = int((one.codes == one.names.index(group.name)).sum())
            if question.kind == "select_multiple" and len(group.of) > 1:
                continue  # who chose any of several follows from no total
            if size >= least:
                yield one.of, group.of, size
