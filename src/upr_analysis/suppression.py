"""Withholding small counts, jointly over all tables of a run, so that no attacker can narrow them.

The attacker is informed. He knows every printed number and base, these rules and thresholds, that
zeros and full cells of a crossed item are printed (so that a withheld one is neither), and the
answers of `known_respondents`. He is beaten where each protected count can still lie anywhere in a
range of at least `min_width`; `attacker.audit` checks that with code of its own.

A protected cell is a count under `minimum_cell` and, for a select-all item, one whose complement
is (it follows from the base). For an exclusive question the complement is a sum of other cells.
Where that sum is under `minimum_cell`, two or more of them withheld alone would be narrower than
k - 2, so with `min_width` at that or more the optimum withholds the large cell anyway.

Known respondents are a margin. One of them narrows a withheld row of groups by at most one, on one
side: either he is in the cell, or in its complement, or in another cell of the row. So each cell
must be `min_width + known_respondents` wide without them (proved for a row, tested for linked
tables). A group too small for that keeps all between 0 and its printed base possible.

What is withheld beside the protected cells is the fewest cells that do it, ties by a fixed order of
groups and items, never by the counts: an attacker who runs the algorithm again learns less from it.
Not nothing: over all inputs of tiny tables he narrows up to one protected cell in a hundred.

Not seen here: that one grouping is coarser than another.
"""

import ctypes
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse.csgraph import connected_components

from upr_analysis.estimates import NOT_STATED
from upr_analysis.problems import InputError

NUMBERS: Final = ["n", "value", "low", "high", "p", "p_adjusted"]
CELL: Final = ["question", "item", "group_by", "group"]
# nodes, not seconds: the same pattern on a slow machine and on a fast one
NODES: Final = 20_000


@dataclass(frozen=True)
class Rules:
    """What is protected, from how small a count, and how widely; `minimum_cell` 0 protects nothing.

    `exclusive` are questions of one answer each; `overlapping` groupings in which one respondent
    can be in several groups; `sensitive` pairs of question and item, item "" for the whole
    question: shown overall only, and only from `minimum_sensitive` with as many others.
    An item is crossed from `minimum_cross` with as many others; a group from `minimum_base`.
    `subtotals` are sums that are printed elsewhere: an exclusive question, some of its items, and
    how many chose one of them (a group made of these options). `unions` are ids of totals, each
    with the ids of those whose union it is (a theme and its codes).
    """

    minimum_cell: int = 5
    minimum_base: int = 15
    min_width: int = 3
    minimum_cross: int = 15
    minimum_sensitive: int = 10
    known_respondents: int = 2
    exclusive: frozenset[str] = frozenset()
    overlapping: frozenset[str] = frozenset()
    sensitive: frozenset[tuple[str, str]] = frozenset()
    subtotals: frozenset[tuple[str, tuple[str, ...], int]] = frozenset()
    unions: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def wide(self) -> int:
        """The width that each protected cell keeps, known respondents allowed for."""
        return self.min_width + self.known_respondents

    @property
    def smallest_base(self) -> int:
        """The base from which a group's zeros and full cells are printed: all else is wide."""
        return max(self.minimum_base, self.wide + 2)


@dataclass(frozen=True)
class Suppressed:
    """What may be published, and what may not.

    `protected` are ids of the cells to protect, never to be published: they tell a small cell from
    one withheld for its sake. `report` has one row a table: cells, shown, withheld, not_crossed,
    and whether the pattern is `exact` (the fewest cells) or some of it was `withheld whole`.
    """

    estimates: pd.DataFrame
    protected: frozenset[str]
    report: pd.DataFrame


@dataclass
class _Question:
    """One question's cells, in a fixed order, and what adds up: least <= links @ n <= most."""

    cells: pd.DataFrame
    n: np.ndarray
    base: np.ndarray
    total: np.ndarray  # place of the item's total
    is_total: np.ndarray
    sensitive: np.ndarray
    exclusive: bool
    links: np.ndarray
    least: np.ndarray
    most: np.ndarray
    # grow where no pattern is wide enough: withheld with zeros and all, and totals withheld besides
    whole: np.ndarray
    hidden: np.ndarray


@dataclass(frozen=True)
class _System:
    """A question as the attacker sees it: tables of differences from the true one.

    A withheld cell may differ by `down` to `up` as far as the rules say, and `least` <= `links` @
    differences <= `most`. `forced` cells are withheld in any case, `free` ones may be for others'
    sake; `demand` is how widely a protected cell must range, 0 for the others.
    """

    down: np.ndarray
    up: np.ndarray
    forced: np.ndarray
    free: np.ndarray
    demand: np.ndarray
    links: np.ndarray
    least: np.ndarray
    most: np.ndarray


@dataclass(frozen=True)
class _Programme:
    """Minimise goal @ x for low <= x <= high and least <= matrix @ x <= most, x whole numbers."""

    goal: np.ndarray
    low: np.ndarray
    high: np.ndarray
    matrix: sparse.coo_array
    least: np.ndarray
    most: np.ndarray
    binaries: int = 0  # how many of the first x are decisions


def suppress(estimates: pd.DataFrame, rules: Rules) -> Suppressed:
    """Return the estimates with every count withheld that could harm, and what follows from it.

    A withheld row has `suppressed` and no number but its base. Tests and effects of a table with a
    withheld cell are withheld too, since statistics come from what is published. Raises InputError
    where counts do not add up, or are of a kind that these rules cannot protect.
    """
    public = estimates.copy()
    nothing = pd.DataFrame({"whole": {}, "crossed": {}}, dtype=bool)
    if rules.minimum_cell == 0:
        return Suppressed(public, frozenset(), _report(public, nothing))
    shares = estimates.loc[estimates["measure"] == "share"]
    _check(estimates, shares)
    if shares.empty:
        return Suppressed(public, frozenset(), _report(public, nothing))
    questions = [
        _question(str(name), rows, rules) for name, rows in shares.groupby("question", sort=True)
    ]
    fates = [_protect(question, rules) for question in questions]
    fate = pd.concat(fates).set_index("id")
    withheld = set(fate.index[fate["withheld"]])
    public["suppressed"] = public["id"].isin(_guard_unions(shares, withheld, rules))
    touched = public.loc[public["suppressed"], "table"]
    public["suppressed"] |= (public["measure"] != "share") & public["table"].isin(touched)
    public.loc[public["suppressed"], NUMBERS] = pd.NA
    public.loc[public["suppressed"] & (public["measure"] != "share"), "method"] = ""
    protected = frozenset(fate.index[fate["protected"]])
    return Suppressed(public, protected, _report(public, fate))


def _guard_unions(shares: pd.DataFrame, withheld: set[str], rules: Rules) -> set[str]:
    """Return what is withheld once no printed union narrows a withheld part of it.

    A union is at most the sum of its parts, so a part is at least what the others leave. Where
    that says too much the smallest printed part goes too, and in the end the union.
    """
    rows = shares.set_index("id")
    n, base = rows["n"].to_dict(), rows["base"].to_dict()
    withheld = set(withheld)
    for union, parts in rules.unions:
        withheld |= _told_by_two(union, parts, rows, withheld, rules)
        for part in parts:
            sensitive = (rows.at[part, "question"], rows.at[part, "item"]) in rules.sensitive
            most = (rules.minimum_sensitive if sensitive else rules.minimum_cell) - 1
            while part in withheld and union not in withheld and n[part] <= most:
                others = [other for other in parts if other != part]
                ceiling = sum(base[one] if one in withheld else n[one] for one in others)
                least = n[union] - ceiling
                if least <= 1 or most - least >= rules.min_width:
                    break
                printed = [one for one in others if one not in withheld]
                withheld.add(min(printed, key=lambda one: (n[one], one), default=union))
    return withheld


def _told_by_two(
    union: str, parts: tuple[str, ...], rows: pd.DataFrame, withheld: set[str], rules: Rules
) -> set[str]:
    """Return the smaller of two parts where the union tells how few have both, or only one."""
    if len(parts) != 2 or withheld & {union, *parts}:
        return set()
    n = rows["n"]
    both = int(n[parts[0]] + n[parts[1]] - n[union])
    alone = [int(n[union] - n[part]) for part in parts]
    sensitive = any(
        (rows.at[part, "question"], rows.at[part, "item"]) in rules.sensitive for part in parts
    )
    least = rules.minimum_sensitive if sensitive else rules.minimum_cell
    if not any(0 < count < least for count in (both, *alone)):
        return set()
    return {min(parts, key=lambda part: (n[part], part))}


def _check(estimates: pd.DataFrame, shares: pd.DataFrame) -> None:
    problems = []
    for name, filtered in shares.loc[(shares["filter"] != "") | shares["weighted"]].groupby("id"):
        problems.append(
            f"The estimate {name!r} is of a filtered or weighted table ({len(filtered)} row), which"
            " suppression cannot protect together with the others: leave it out."
        )
    twice = shares.loc[shares.duplicated(CELL) | shares["id"].duplicated(), "id"]
    problems += [f"The estimate {name!r} stands twice: count each cell once." for name in twice]
    missing = shares.loc[shares[["n", "base"]].isna().any(axis=1), "id"]
    problems += [f"The estimate {name!r} has no count or base: suppress once." for name in missing]
    loose = estimates.loc[~estimates["table"].isin(shares["table"]), "id"]
    problems += [
        f"The estimate {name!r} is of a table without counts, so that nothing says whether it may"
        " be shown: add the table's shares."
        for name in loose
    ]
    if problems:
        raise InputError(problems)


def _question(name: str, rows: pd.DataFrame, rules: Rules) -> _Question:
    """Put a question's cells in a fixed order, with their links; counts must fit these."""
    # those in no group first: they are the first to be withheld for others
    order = rows.assign(stated=rows["group"] != NOT_STATED)
    cells = order.sort_values(["group_by", "stated", "group", "item"]).reset_index(drop=True)
    is_total = (cells["group_by"] == "").to_numpy(dtype=bool)
    totals = {str(item): place for place, item in enumerate(cells.loc[is_total, "item"])}
    lacking = sorted(set(cells["item"]) - set(totals))
    if lacking:
        raise InputError(f"Question {name!r} has no overall count of {lacking[0]!r}: add its row.")
    exclusive = name in rules.exclusive
    found = list(_sums(cells, totals, exclusive, rules))
    found += [
        ([totals[item] for item in items], [], chosen, chosen)
        for question, items, chosen in sorted(rules.subtotals)
        if question == name
    ]
    links = np.zeros((len(found), len(cells)))
    for row, (added, taken, _, _) in enumerate(found):
        links[row, added], links[row, taken] = 1, -1
    n = cells["n"].to_numpy(dtype=np.int64)
    least, most = (np.array([link[end] for link in found], dtype=float) for end in (2, 3))
    if (links @ n < least).any() or (links @ n > most).any():
        raise InputError(
            f"The counts of question {name!r} do not add up over its items or groups: count them"
            " again, or declare that its items or a grouping's groups overlap."
        )
    sensitive = [
        not {(name, ""), (name, item)}.isdisjoint(rules.sensitive) for item in cells["item"]
    ]
    return _Question(
        cells=cells,
        n=n,
        base=cells["base"].to_numpy(dtype=np.int64),
        total=cells["item"].map(totals).to_numpy(dtype=np.int64),
        is_total=is_total,
        sensitive=np.array(sensitive),
        exclusive=exclusive,
        links=links,
        least=least,
        most=most,
        whole=np.zeros(len(n), dtype=bool),
        hidden=np.zeros(len(n), dtype=bool),
    )


def _sums(
    cells: pd.DataFrame, totals: dict[str, int], exclusive: bool, rules: Rules
) -> Iterator[tuple[list[int], list[int], int, int]]:
    """Yield each link: the cells added, the cells taken off, the least and most that is left.

    Items add up to the base, groups to the item's total. Where groups overlap, total <= sum of
    groups <= total + (sum of bases - base), and nobody is both in a group and in none.
    """
    base, group = cells["base"].tolist(), cells["group"].tolist()
    everyone = base[next(iter(totals.values()))]
    columns, rows = defaultdict(list), defaultdict(list)
    for place, (item, by) in enumerate(zip(cells["item"], cells["group_by"], strict=True)):
        columns[by, group[place]].append(place)
        rows[item, by].append(place)
    name = cells["question"][0]
    if any(len({base[place] for place in column}) > 1 for column in columns.values()):
        raise InputError(f"Question {name!r} has several bases in a group: count one base.")
    if exclusive:
        for column in columns.values():
            yield column, [], base[column[0]], base[column[0]]
    for (item, by), row in rows.items():
        if by == "":
            continue
        spare = sum(base[place] for place in row) - everyone
        if spare < 0 or (spare and by not in rules.overlapping):
            raise InputError(
                f"The bases of {name!r} by {by!r} add up to {spare:+d} more than all: count those"
                " in no group as not_stated, or declare that the groups overlap."
            )
        yield row, [totals[item]], 0, spare
        if by in rules.overlapping:
            for place in row:
                apart = {place, *(other for other in row if group[other] == NOT_STATED)}
                rest = everyone - sum(base[one] for one in apart)
                yield sorted(apart), [totals[item]], -rest, 0


def _protect(question: _Question, rules: Rules) -> pd.DataFrame:
    """Return each cell's fate: totals are settled first, then what is crossed."""
    while True:
        totals, narrow = _complete(_system(question, rules))
        if not len(narrow) and _all_small(question, rules, totals):
            continue
        if not len(narrow):
            system = _system(question, rules, totals)
            withheld, narrow = _complete(system)
        if not len(narrow):
            break
        _withhold_more(question, narrow)
    fate = {"withheld": withheld, "protected": system.demand > 0, "whole": question.whole}
    crossed = question.is_total | _crossed(question, rules, totals)
    return question.cells[["id"]].assign(**fate, crossed=crossed)


def _all_small(question: _Question, rules: Rules, totals: np.ndarray) -> bool:
    """Withhold one more total where those withheld are all small, and together known too well.

    Whoever runs the algorithm again sees that a larger one would have been taken first, had it not
    been enough to withhold the small ones; so each of them is under `minimum_cell`.
    """
    hidden = np.flatnonzero(totals & question.is_total)
    small = (question.n[hidden] < rules.minimum_cell) & (question.n[hidden] > 0)
    if not question.exclusive or len(hidden) < 2 or not small.all():
        return False
    others, most, left = len(hidden) - 1, rules.minimum_cell - 1, int(question.n[hidden].sum())
    width = min(most, left - others) - max(1, left - others * most)
    open_totals = np.flatnonzero(
        question.is_total & ~totals & (question.n > 0) & (question.n < question.base)
    )
    if width >= rules.min_width or not len(open_totals):
        return False
    question.hidden[open_totals[0]] = True
    return True


def _protected(question: _Question, rules: Rules) -> np.ndarray:
    """Return which cells are too small, or of too few others, to be known."""
    n, others = question.n, question.base - question.n
    small = (n > 0) & (n < rules.minimum_cell)
    if not question.exclusive:
        small |= (others > 0) & (others < rules.minimum_cell)
    # an answer that everyone or nobody gave is no secret of a group either
    small &= ((n > 0) & (others > 0))[question.total]
    few = np.minimum(n, others) < rules.minimum_sensitive
    small |= question.hidden | (question.sensitive & (few | ~question.is_total))
    return np.asarray(small)


def _crossed(question: _Question, rules: Rules, totals: np.ndarray) -> np.ndarray:
    """Return which cells are of an item that may be crossed, given the totals withheld."""
    enough = np.minimum(question.n, question.base - question.n) >= rules.minimum_cross
    crossed: np.ndarray = (
        ~question.is_total & (enough & ~totals & ~question.sensitive)[question.total]
    )
    return crossed


def _system(question: _Question, rules: Rules, totals: np.ndarray | None = None) -> _System:
    """Return the system of the totals alone, or of all cells once it is settled which are shown."""
    n, base, at = question.n, question.base, question.is_total
    protected = _protected(question, rules)
    shut = protected | question.whole | (base < rules.smallest_base)
    inner = (n > 0) & (n < base)
    if totals is None:
        looked_at, printed = at, at
        forced, free = shut & at, ~shut & at & (inner | question.sensitive)
    else:
        looked_at, printed = np.ones(len(n), dtype=bool), at | _crossed(question, rules, totals)
        forced = np.where(at, totals, shut | ~printed)
        free = ~forced & ~at & inner
    # where zeros and full cells are printed, what is withheld is neither
    zeros = printed & ~(question.whole | question.sensitive | (base < rules.smallest_base))
    low, high = np.where(zeros, 1, 0), np.where(zeros, base - 1, base)
    within = (question.links[:, ~looked_at] == 0).all(axis=1)
    sums = question.links @ n
    return _System(
        down=low - n,
        up=high - n,
        forced=forced,
        free=free,
        demand=np.where(protected & looked_at, np.minimum(rules.wide, high - low), 0),
        links=question.links[within],
        least=(question.least - sums)[within],
        most=(question.most - sums)[within],
    )


def _withhold_more(question: _Question, narrow: np.ndarray) -> None:
    """Withhold whole what crosses the narrow cells, else their totals, else all of the item."""
    before = int(question.whole.sum() + question.hidden.sum())
    by, item = question.cells["group_by"].to_numpy(), question.cells["item"].to_numpy()
    for cell in narrow:
        unit = np.full(len(by), True) if question.exclusive else item == item[cell]
        crossing = unit & ~question.is_total & (question.is_total[cell] | (by == by[cell]))
        if not question.whole[crossing].all():
            question.whole |= crossing
        elif not (question.hidden | question.whole)[question.total[cell]]:
            question.hidden[question.total[cell]] = True
        else:
            question.whole |= unit
    if int(question.whole.sum() + question.hidden.sum()) == before:
        raise InputError(
            f"The count {question.cells['id'][narrow[0]]!r} follows from its base alone and cannot"
            " be protected: leave the question out."
        )


def _complete(system: _System) -> tuple[np.ndarray, np.ndarray]:
    """Withhold the fewest free cells so that each protected cell is wide enough.

    Returns what is withheld, and the cells that no pattern makes wide enough ([] if there are
    none). A programme asks for narrow cells only; then all are looked at again.
    """
    withheld, protected = system.forced.copy(), np.flatnonzero(system.demand)
    narrow = _narrow(system, withheld, protected)
    hopeless = _narrow(system, system.forced | system.free, narrow)
    component = _components(system, system.forced | system.free)
    # tables apart by the demand need no larger step in any other cell, the links being a network
    reach = np.where(system.free, system.demand.max(initial=0), np.inf)
    near = replace(system, down=np.maximum(system.down, -reach), up=np.minimum(system.up, reach))
    kept = narrow[:0]
    while len(narrow) and not len(hopeless):
        kept = np.union1d(kept, narrow)
        parts = [np.flatnonzero(component == label) for label in np.unique(component[narrow])]
        solved = _solve([_fewest(near, part, kept[np.isin(kept, part)]) for part in parts])
        if solved is None:
            return withheld, narrow
        for part, found in zip(parts, solved, strict=True):
            free = part[system.free[part]]
            withheld[free] = found[: len(free)] == 1
        narrow = _narrow(system, withheld, protected)
        hopeless = narrow[np.isin(narrow, kept)]
    return withheld, hopeless


def _components(system: _System, unknown: np.ndarray) -> np.ndarray:
    """Label the unknown cells (cells,) by what links them; -1 where known."""
    labels = np.full(len(unknown), -1)
    part = system.links[:, unknown] != 0
    if part.shape[1]:
        labels[unknown] = connected_components(part.T @ part, directed=False)[1]
    return labels


def _narrow(system: _System, withheld: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return those of the withheld cells that range less widely than they must.

    Two whole tables are found for each; if they were not the furthest apart, cells would seem
    narrower than they are, never wider.
    """
    component = _components(system, withheld)
    groups = [cells[component[cells] == label] for label in np.unique(component[cells])]
    parts = [np.flatnonzero(component == component[group[0]]) for group in groups]
    apart = [_apart(part, group) for part, group in zip(parts, groups, strict=True)]
    solved = _solve(
        [
            _Programme(
                -difference.sum(axis=0),
                np.tile(system.down[part], 2 * len(group)),
                np.tile(system.up[part], 2 * len(group)),
                *_tables(system, part, part[:0], 2 * len(group)),
            )
            for part, group, difference in zip(parts, groups, apart, strict=True)
        ]
    )
    if solved is None:
        return cells
    widths = [difference @ found for difference, found in zip(apart, solved, strict=True)]
    width = dict(
        zip(np.concatenate([cells[:0], *groups]), np.concatenate([[], *widths]), strict=True)
    )
    return np.array([cell for cell in cells if width[cell] < system.demand[cell]], dtype=int)


def _fewest(system: _System, part: np.ndarray, kept: np.ndarray) -> _Programme:
    """Ask which free cells of a component to withhold so that the kept ones are wide enough.

    The extended programme of Fischetti and Salazar-González (2001, Management Science 47(7)), with
    sliding protection: one binary a free cell, and for each kept cell two tables that differ in it
    by its demand and, in what is printed, not at all.
    """
    free, copies = part[system.free[part]], 2 * len(kept)
    matrix, least, most = _tables(system, part, free, copies)
    apart = np.hstack([np.zeros((len(kept), len(free))), _apart(part, kept)])
    order = np.arange(1, len(free) + 1) / max(1, len(free))
    return _Programme(
        # less than one more in all, so that the order decides between equals only
        np.concatenate([1 + order**1.5 / (2 * len(order) + 1), np.zeros(copies * len(part))]),
        np.concatenate([np.zeros(len(free)), np.tile(system.down[part], copies)]),
        np.concatenate([np.ones(len(free)), np.tile(system.up[part], copies)]),
        sparse.coo_array(sparse.vstack([matrix, sparse.coo_array(apart)])),
        np.concatenate([least, system.demand[kept]]),
        np.concatenate([most, np.full(len(kept), np.inf)]),
        len(free),
    )


def _tables(
    system: _System, part: np.ndarray, free: np.ndarray, copies: int
) -> tuple[sparse.coo_array, np.ndarray, np.ndarray]:
    """Return what holds in each table: its links, and that free cells differ only if withheld.

    Variables are a binary for each free cell, then the cells of each table in turn.
    """
    rows = system.links[:, part].any(axis=1)
    cells, switches = system.links[rows][:, part], np.zeros((int(rows.sum()), len(free)))
    if len(free):
        chosen = (free[:, None] == part).astype(float)
        cells = np.vstack([cells, chosen, chosen])
        limits = [np.diag(-system.up[free]), np.diag(-system.down[free])]
        switches = np.vstack([switches, *limits])
    least = np.concatenate([system.least[rows], np.full(len(free), -np.inf), np.zeros(len(free))])
    most = np.concatenate([system.most[rows], np.zeros(len(free)), np.full(len(free), np.inf)])
    across = sparse.coo_array(np.tile(switches, (copies, 1)))
    matrix = sparse.hstack([across, _diagonal(cells, copies)], format="coo")
    return sparse.coo_array(matrix), np.tile(least, copies), np.tile(most, copies)


def _diagonal(block: np.ndarray, copies: int) -> sparse.coo_array:
    """Return a matrix with copies of the block along its diagonal."""
    rows, columns = np.nonzero(block)
    step = np.arange(copies)[:, None]
    places = (rows + step * block.shape[0]).ravel(), (columns + step * block.shape[1]).ravel()
    shape = (copies * block.shape[0], copies * block.shape[1])
    return sparse.coo_array((np.tile(block[rows, columns], copies), places), shape=shape)


def _apart(part: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return (cells, variables): each cell's count in its first table less that in its second."""
    pairs = np.zeros((len(cells), len(cells), 2, len(part)))
    for place, cell in enumerate(cells):
        pairs[place, place] = np.outer([1, -1], part == cell)
    return pairs.reshape(len(cells), -1)


def _solve(programmes: list[_Programme]) -> list[np.ndarray] | None:
    """Solve programmes that share nothing, at once; None if none fits, or none is found in time."""
    if not programmes:
        return []
    goal, low, high, least, most = (
        np.concatenate([getattr(one, name) for one in programmes])
        for name in ("goal", "low", "high", "least", "most")
    )
    matrix = sparse.block_diag([one.matrix for one in programmes], format="csc")
    binary = np.concatenate([np.arange(len(one.goal)) < one.binaries for one in programmes])
    # tables of a network are whole by themselves; where they are not, they are asked to be
    for integrality in (binary.astype(int), np.ones(len(goal), dtype=int)):
        with _silence():
            solved = milp(
                goal,
                integrality=integrality,
                bounds=Bounds(low, high),
                constraints=LinearConstraint(matrix, least, most),
                options={"mip_rel_gap": 0.0, "node_limit": NODES},
            )
        if solved.x is None:
            return None
        found = np.rint(solved.x)
        if np.allclose(found, solved.x, atol=1e-5):
            break
    sums = matrix @ found
    if (sums < least).any() or (sums > most).any():  # solvers err: their word is not taken
        return None
    return np.split(found, np.cumsum([len(one.goal) for one in programmes])[:-1])


@contextmanager
def _silence() -> Iterator[None]:
    """Keep off the standard output a line that HiGHS prints now and then, whatever it is told.

    It comes from C, past `sys.stdout`: jump-dev/HiGHS.jl issue 312.
    """
    library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    library.fflush(None)
    shown = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            library.fflush(None)
            os.dup2(shown, 1)
            os.close(shown)


def _report(public: pd.DataFrame, fate: pd.DataFrame) -> pd.DataFrame:
    """Return a row a table: how many cells it has, shows, withholds and does not cross, and how."""
    shares = public.loc[public["measure"] == "share", ["table", "suppressed"]]
    cells = shares.assign(whole=public["id"].map(fate["whole"]).fillna(False).astype(bool))
    cells["not_crossed"] = ~public["id"].map(fate["crossed"]).fillna(True).astype(bool)
    cells["withheld"] = cells["suppressed"] & ~cells["not_crossed"]
    cells["shown"] = ~cells["suppressed"]
    tables = cells.groupby("table", sort=False)
    report = tables[["shown", "withheld", "not_crossed"]].sum().astype(int)
    report.insert(0, "cells", tables.size())
    report["status"] = np.select(
        [tables["whole"].all(), tables["whole"].any()],
        ["withheld whole", "partly withheld whole"],
        "exact",
    )
    return report.reset_index()
