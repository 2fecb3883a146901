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
must be `min_width + known_respondents` wide without them. A group too small for that keeps all
between 0 and its base.

What is withheld beside the protected cells is the fewest cells that do it, ties by a fixed order of
groups and items, never by the counts: an attacker who runs the algorithm again learns less from it.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True)
class _Links:
    """All that adds up: `least` <= `matrix` (links, cells) @ counts <= `most`."""

    matrix: sparse.csr_array
    least: np.ndarray
    most: np.ndarray


@dataclass(frozen=True)
class _System:
    """The cells of a question, in a fixed order, as the attacker's unknowns.

    `n` (cells,) are counts; a withheld one lies between `low` and `high` as far as the rules say.
    `forced` are withheld in any case, `free` may be for others' sake, `demand` is the width that
    each must keep, 0 if it is not protected.
    """

    n: np.ndarray
    low: np.ndarray
    high: np.ndarray
    forced: np.ndarray
    free: np.ndarray
    demand: np.ndarray
    links: _Links

    @property
    def range(self) -> tuple[np.ndarray, np.ndarray]:
        return self.low, self.high


@dataclass(frozen=True)
class _Programme:
    """Minimise goal @ x for low <= x <= high and least <= matrix @ x <= most, x whole numbers."""

    goal: np.ndarray
    low: np.ndarray
    high: np.ndarray
    matrix: sparse.csr_array
    least: np.ndarray
    most: np.ndarray
    binaries: int = 0  # how many of the first x are decisions


@dataclass
class _Question:
    """One question's cells with what the rules say of each; `whole` and `hidden` grow if needed."""

    cells: pd.DataFrame
    links: _Links
    n: np.ndarray
    base: np.ndarray
    total: np.ndarray  # place of the item's total
    is_total: np.ndarray
    sensitive: np.ndarray
    exclusive: bool
    whole: np.ndarray = field(init=False)  # withheld with its zeros: the pattern could not be kept
    hidden: np.ndarray = field(init=False)  # totals withheld since their crossing gave too much

    def __post_init__(self) -> None:
        self.whole = np.zeros(len(self.n), dtype=bool)
        self.hidden = np.zeros(len(self.n), dtype=bool)


def suppress(estimates: pd.DataFrame, rules: Rules) -> Suppressed:
    """Return the estimates with every count withheld that could harm, and what follows from it.

    A withheld row has `suppressed` and no number but its base. Tests and effects of a table with a
    withheld cell are withheld too, since statistics come from what is published. Raises InputError
    where counts do not add up, or are of a kind that these rules cannot protect.
    """
    public = estimates.copy()
    if rules.minimum_cell == 0:
        return Suppressed(public, frozenset(), _report(public, pd.DataFrame()))
    shares = estimates.loc[estimates["measure"] == "share"]
    _check(estimates, shares)
    outcomes = [pd.DataFrame(columns=["id", "withheld", "protected", "crossed", "whole"])]
    for name, rows in shares.groupby("question", sort=True):
        outcomes.append(_protect(_question(str(name), rows, rules), rules))
    outcome = pd.concat(outcomes[1:] or outcomes, ignore_index=True).set_index("id")
    withheld = outcome.index[outcome["withheld"].astype(bool)]
    public["suppressed"] = public["id"].isin(withheld)
    public["suppressed"] |= public["table"].isin(public.loc[public["suppressed"], "table"]) & (
        public["measure"] != "share"
    )
    public.loc[public["suppressed"], NUMBERS] = pd.NA
    protected = outcome.index[outcome["protected"].astype(bool)]
    return Suppressed(public, frozenset(protected), _report(public, outcome))


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
    totals = {item: place for place, item in enumerate(cells.loc[is_total, "item"])}
    lacking = sorted(set(cells["item"]) - set(totals))
    if lacking:
        raise InputError(f"Question {name!r} has no overall count of {lacking[0]!r}: add its row.")
    exclusive = name in rules.exclusive
    question = _Question(
        cells=cells,
        links=_links(cells, totals, exclusive, rules),
        n=cells["n"].to_numpy(dtype=np.int64),
        base=cells["base"].to_numpy(dtype=np.int64),
        total=cells["item"].map(totals).to_numpy(dtype=np.int64),
        is_total=is_total,
        sensitive=np.array([
            (name, "") in rules.sensitive or (name, item) in rules.sensitive
            for item in cells["item"]
        ]),
        exclusive=exclusive,
    )  # fmt: skip
    sums = question.links.matrix @ question.n
    if (sums < question.links.least).any() or (sums > question.links.most).any():
        raise InputError(
            f"The counts of question {name!r} do not add up over its items or groups: count them"
            " again, or declare that its items or a grouping's groups overlap."
        )
    return question


def _links(cells: pd.DataFrame, totals: dict[str, int], exclusive: bool, rules: Rules) -> _Links:
    """Return what ties a question's cells: items to the base, groups to the item's total.

    Where groups overlap, a respondent is in one or more of them: total <= sum of groups <= total +
    (sum of bases - base), and nobody is in a group and in none.
    """
    found = list(_sums(cells, totals, exclusive, rules))
    places = [place for positive, negative, _, _ in found for place in [*positive, *negative]]
    signs = [s for plus, minus, _, _ in found for s in [1] * len(plus) + [-1] * len(minus)]
    rows = [row for row, (plus, minus, _, _) in enumerate(found) for _ in [*plus, *minus]]
    matrix = sparse.coo_array((signs, (rows, places)), shape=(len(found), len(cells)), dtype=float)
    least, most = (np.array([link[end] for link in found], dtype=float) for end in (2, 3))
    return _Links(sparse.csr_array(matrix), least, most)


def _sums(
    cells: pd.DataFrame, totals: dict[str, int], exclusive: bool, rules: Rules
) -> Iterator[tuple[list[int], list[int], int, int]]:
    """Yield each link: cells that are added, those taken off, the least and most that is left."""
    base, group = cells["base"].tolist(), cells["group"].tolist()
    everyone = base[next(iter(totals.values()))]
    if exclusive:
        for places in cells.groupby(["group_by", "group"]).indices.values():
            yield list(places), [], base[places[0]], base[places[0]]
    crossed = cells[cells["group_by"] != ""]
    for by, item in crossed[["group_by", "item"]].drop_duplicates().itertuples(index=False):
        own = (crossed["group_by"] == by) & (crossed["item"] == item)
        places, total = list(crossed.index[own]), [totals[item]]
        if by not in rules.overlapping:
            yield places, total, 0, 0
            continue
        yield places, total, 0, sum(base[place] for place in places) - everyone
        nowhere = [place for place in places if group[place] == NOT_STATED]
        for place in places:
            apart = [place, *nowhere] if place not in nowhere else nowhere
            yield apart, total, sum(base[place] for place in apart) - everyone, 0


def _protect(question: _Question, rules: Rules) -> pd.DataFrame:
    """Return each cell's fate; what cannot be kept apart is withheld whole, then its totals."""
    while True:
        system, crossed = _one_way_then_crossed(question, rules)
        withheld, narrow = _complete(system)
        if not len(narrow):
            break
        _withhold_more(question, narrow)
    return pd.DataFrame(
        {
            "id": question.cells["id"],
            "withheld": withheld,
            "protected": system.demand > 0,
            "crossed": crossed | question.is_total,
            "whole": question.whole,
        }
    )


def _one_way_then_crossed(question: _Question, rules: Rules) -> tuple[_System, np.ndarray]:
    """Settle the totals, and return the system of all cells with them, and who is crossed."""
    n, base, at, k = question.n, question.base, question.is_total, rules.minimum_cell
    small = base < rules.minimum_base
    protected = ((n > 0) & (n < k)) | (
        np.zeros(len(n), dtype=bool) if question.exclusive else (base - n > 0) & (base - n < k)
    )
    # what everyone or nobody answered is no secret of a group either
    protected &= (n[question.total] > 0) & (n[question.total] < base[question.total])
    few = np.minimum(n, base - n) < rules.minimum_sensitive
    protected |= question.sensitive & (few | ~at)
    protected |= question.hidden
    openly = ~(small | question.whole | question.sensitive)  # with its zeros and full cells
    forced = protected | small | question.whole
    system = _System(
        n=n,
        low=np.where(openly, 1, 0),
        high=np.where(openly, base - 1, base),
        forced=forced,
        free=~forced & (~openly | ((n > 0) & (n < base))),
        demand=np.zeros(len(n)),
        links=question.links,
    )
    wide = rules.min_width + rules.known_respondents
    one_way = _totals_only(system, at, np.where(protected, wide, 0))
    withheld, narrow = _complete(one_way)
    if len(narrow):  # all of them, with their zeros: then anything between 0 and the base fits
        units = at if question.exclusive else np.isin(np.arange(len(n)), narrow)
        question.whole |= units[question.total]
        return _one_way_then_crossed(question, rules)
    enough = np.minimum(n, base - n) >= rules.minimum_cross
    crossed = ~at & (~withheld & enough & ~question.sensitive)[question.total]
    openly &= at | crossed
    forced = np.where(at, withheld, forced | ~crossed)
    system = replace(
        system,
        low=np.where(openly, 1, 0),
        high=np.where(openly, base - 1, base),
        forced=forced,
        free=~forced & ~at & (n > 0) & (n < base),
    )
    width = np.minimum(wide, system.high - system.low)
    return replace(system, demand=np.where(protected, width, 0)), crossed


def _totals_only(system: _System, at: np.ndarray, demand: np.ndarray) -> _System:
    """Return the system with nothing but totals: the links among them, no cell withheld."""
    within = abs(system.links.matrix) @ (~at).astype(float) == 0
    links = _Links(
        system.links.matrix[within], system.links.least[within], system.links.most[within]
    )
    return replace(
        system,
        forced=system.forced & at,
        free=system.free & at,
        demand=np.where(at, np.minimum(demand, system.high - system.low), 0),
        links=links,
    )


def _withhold_more(question: _Question, narrow: np.ndarray) -> None:
    """Withhold whole what crosses the narrow cells, else their totals, else all of the item."""
    before = int(question.whole.sum() + question.hidden.sum())
    by, item = question.cells["group_by"].to_numpy(), question.cells["item"].to_numpy()
    for cell in narrow:
        unit = np.ones(len(by), dtype=bool) if question.exclusive else item == item[cell]
        crossing = unit & ~question.is_total
        if not question.is_total[cell]:
            crossing &= by == by[cell]
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

    Returns what is withheld, and the cells for which even withholding all free ones is not enough
    ([] if there are none). Programmes are made for narrow cells only, then all are looked at again.
    """
    withheld, protected = system.forced.copy(), np.flatnonzero(system.demand)
    narrow = _narrow(system, withheld, protected)
    hopeless = _narrow(system, system.forced | system.free, narrow)
    if len(hopeless):
        return withheld, hopeless
    component = _components(system, system.forced | system.free)
    kept = narrow
    while len(narrow):
        kept = np.union1d(kept, narrow)
        parts = [np.flatnonzero(component == label) for label in np.unique(component[narrow])]
        solved = _solve([_fewest(system, part, kept[np.isin(kept, part)]) for part in parts])
        if solved is None:
            return withheld, narrow
        for part, found in zip(parts, solved, strict=True):
            free = part[system.free[part]]
            withheld[free] = found[: len(free)] == 1
        narrow = _narrow(system, withheld, protected)
    return withheld, narrow


def _components(system: _System, unknown: np.ndarray) -> np.ndarray:
    """Label the unknown cells (cells,) by what links them; -1 where known."""
    places = np.flatnonzero(unknown)
    labels = np.full(len(unknown), -1)
    if len(places):
        part = abs(system.links.matrix[:, places])
        labels[places] = connected_components(part.T @ part, directed=False)[1]
    return labels


def _narrow(system: _System, withheld: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return those of the protected cells that range less widely than they must."""
    component = _components(system, withheld)
    groups = [cells[component[cells] == label] for label in np.unique(component[cells])]
    parts = [np.flatnonzero(component == component[group[0]]) for group in groups]
    programmes = []
    for group, part in zip(groups, parts, strict=True):
        low, high = (np.tile((end - system.n)[part], 2 * len(group)) for end in system.range)
        goal = -_differences(part, group).sum(axis=0)
        programmes.append(_Programme(goal, low, high, *_tables(system, part, len(group))))
    solved = _solve(programmes)
    if solved is None:
        return cells
    width = [
        _differences(part, group) @ found
        for group, part, found in zip(groups, parts, solved, strict=True)
    ]
    return np.concatenate(
        [
            cells[:0],
            *(group[w < system.demand[group]] for group, w in zip(groups, width, strict=True)),
        ]
    )


def _tables(
    system: _System, part: np.ndarray, pairs: int
) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    """Return the links of `pairs` pairs of tables, each as its differences from the true one."""
    rows = np.flatnonzero(abs(system.links.matrix[:, part]).sum(axis=1))
    sums = system.links.matrix[rows] @ system.n
    matrix = sparse.kron(sparse.eye_array(2 * pairs), system.links.matrix[rows][:, part], "csr")
    ends = ((end[rows] - sums) for end in (system.links.least, system.links.most))
    least, most = (np.tile(end, 2 * pairs) for end in ends)
    return sparse.csr_array(matrix), least, most


def _differences(part: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return (cells, variables): each cell's count in its first table less that in its second."""
    chosen = (part[None, :] == cells[:, None]).astype(float)
    blocks = np.zeros((len(cells), len(cells), 2, len(part)))
    place = np.arange(len(cells))
    blocks[place, place, 0], blocks[place, place, 1] = chosen, -chosen
    return blocks.reshape(len(cells), -1)


def _fewest(system: _System, part: np.ndarray, kept: np.ndarray) -> _Programme:
    """Ask which free cells of a component to withhold so that the kept ones are wide enough.

    The extended programme of Fischetti and Salazar-González (2001, Management Science 47(7)), with
    sliding protection: one binary a free cell, and for each kept cell two tables of whole numbers
    that differ in it by its demand and, in what is printed, not at all.
    """
    free, copies = np.flatnonzero(system.free[part]), 2 * len(kept)
    low, high = ((end - system.n)[part] for end in system.range)
    # tables apart by the demand need no larger step in any other cell: the links are a network
    step = np.where(system.free[part], system.demand[kept].max(), 0)
    low = np.where(system.forced[part], low, np.maximum(low, -step))
    high = np.where(system.forced[part], high, np.minimum(high, step))
    tables, least, most = _tables(system, part, len(kept))
    eye = sparse.eye_array(len(part), format="csr")[free]
    steps = sparse.kron(sparse.eye_array(copies), eye)
    up, down = (np.tile(np.diag(-end[free]), (copies, 1)) for end in (high, low))
    apart = _differences(part, kept)
    nothing = np.zeros((tables.shape[0], len(free))), np.zeros((len(kept), len(free)))
    matrix = sparse.vstack(
        [
            sparse.hstack([sparse.csr_array(side) for side in row])
            for row in ((nothing[0], tables), (up, steps), (down, steps), (nothing[1], apart))
        ],
        format="csr",
    )
    zero, inf = np.zeros(copies * len(free)), np.full(copies * len(free), np.inf)
    return _Programme(
        np.concatenate([_costs(len(free)), np.zeros(copies * len(part))]),
        np.concatenate([np.zeros(len(free)), np.tile(low, copies)]),
        np.concatenate([np.ones(len(free)), np.tile(high, copies)]),
        matrix,
        np.concatenate([least, -inf, zero, system.demand[kept]]),
        np.concatenate([most, zero, inf, np.full(len(kept), np.inf)]),
        len(free),
    )


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
        found = np.round(solved.x)
        sums = matrix @ found
        if (least <= sums).all() and (sums <= most).all() and np.allclose(found, solved.x):
            return np.split(found, np.cumsum([len(one.goal) for one in programmes])[:-1])
    return None


@contextmanager
def _silence() -> Iterator[None]:
    """Keep off the standard output what HiGHS prints there now and then, whatever it is told."""
    library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    sys.stdout.flush()
    shown = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            library.fflush(None)
            os.dup2(shown, 1)
            os.close(shown)


def _costs(size: int) -> np.ndarray:
    """Return what withholding each cell costs: one, and less than one in all for the order."""
    order = np.arange(1, size + 1) / size
    return 1 + 0.5 * order**1.5 / size


def _report(public: pd.DataFrame, outcome: pd.DataFrame) -> pd.DataFrame:
    shares = public.loc[public["measure"] == "share", ["id", "table", "suppressed"]]
    joined = shares.join(outcome, on="id")
    rows = []
    for table, cells in joined.groupby("table", sort=False):
        whole = cells["whole"].astype(bool) if len(outcome) else cells["suppressed"]
        crossed = cells["crossed"].astype(bool) if len(outcome) else ~cells["suppressed"]
        status = "withheld whole" if whole.all() else "partly withheld whole"
        rows.append(
            {
                "table": table,
                "cells": len(cells),
                "shown": int((~cells["suppressed"]).sum()),
                "withheld": int((cells["suppressed"] & crossed).sum()),
                "not_crossed": int((~crossed).sum()),
                "status": status if whole.any() else "exact",
            }
        )
    return pd.DataFrame(
        rows, columns=["table", "cells", "shown", "withheld", "not_crossed", "status"]
    )
