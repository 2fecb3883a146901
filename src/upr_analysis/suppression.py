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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse.csgraph import connected_components

from upr_analysis.estimates import APART, NOT_STATED
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

    def is_sensitive(self, question: str, item: str) -> bool:
        """Whether the item, or its whole question, is sensitive."""
        return not {(question, ""), (question, item)}.isdisjoint(self.sensitive)


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

    A withheld cell may differ by `low` to `high` as far as the rules say, and `least` <= `links` @
    differences <= `most`. `forced` cells are withheld in any case, `free` ones may be for others'
    sake; `demand` is how widely a protected cell must range, 0 for the others.
    """

    low: np.ndarray
    high: np.ndarray
    forced: np.ndarray
    free: np.ndarray
    demand: np.ndarray
    links: np.ndarray
    least: np.ndarray
    most: np.ndarray


def suppress(estimates: pd.DataFrame, rules: Rules) -> Suppressed:
    """Return the shares with every count withheld that could harm.

    A withheld row has `suppressed` and no number but its base. All shares are of the same
    respondents, and whatever else is published follows from what is returned. Raises InputError
    where counts do not add up, or are of a kind that these rules cannot protect.
    """
    public = estimates.copy()
    if rules.minimum_cell:
        _check(estimates)
    if rules.minimum_cell == 0 or estimates.empty:
        nothing = pd.DataFrame({"whole": {}, "not_crossed": {}}, dtype=bool)
        return Suppressed(public, frozenset(), _report(public, nothing))
    questions = estimates.groupby("question", sort=True)
    fates = [_protect(_question(str(name), rows, rules), rules) for name, rows in questions]
    fate = pd.concat(fates).set_index("id")
    withheld = _guard_unions(estimates, set(fate.index[fate["withheld"]]), rules)
    public["suppressed"] = public["id"].isin(withheld)
    public.loc[public["suppressed"], NUMBERS] = pd.NA
    return Suppressed(public, frozenset(fate.index[fate["protected"]]), _report(public, fate))


def _check(estimates: pd.DataFrame) -> None:
    others = (estimates["filter"] != estimates["filter"].iloc[:1].max()) | estimates["weighted"]
    refused = {
        "is weighted, or of other respondents than the first, and cannot be protected together "
        "with it: leave it out": estimates[others],
        "is no share: suppress shares, and derive the rest from what is left": estimates[
            estimates["measure"] != "share"
        ],
        "stands twice: count each cell once": estimates[
            estimates.duplicated(CELL) | estimates["id"].duplicated()
        ],
        "has no count or base: suppress once": estimates[
            estimates[["n", "base"]].isna().any(axis=1)
        ],
    }
    if problems := [
        f"The estimate {name!r} {why}." for why, rows in refused.items() for name in rows["id"]
    ]:
        raise InputError(problems)


def _guard_unions(shares: pd.DataFrame, withheld: set[str], rules: Rules) -> set[str]:
    """Return what is withheld once no printed union tells too much of its parts.

    A union of two printed parts tells how many have both, or only one: the smaller goes where
    these are few. A union is at most the sum of its parts, so a withheld part is at least what the
    others leave: where that says too much the smallest printed part goes, and in the end the union.
    """
    rows, guarded = shares.set_index("id"), set(withheld)
    n, base = rows["n"].to_dict(), rows["base"].to_dict()
    fewest = {
        name: rules.minimum_sensitive if rules.is_sensitive(*cell) else rules.minimum_cell
        for name, *cell in shares[["id", "question", "item"]].itertuples(index=False, name=None)
    }
    for union, parts in rules.unions:
        by_size = sorted(parts, key=lambda part: (n[part], part))
        if len(parts) == 2 and guarded.isdisjoint({union, *parts}):
            alone = [n[union] - n[part] for part in parts]
            told = {n[union] - sum(alone), *alone}
            if any(0 < count < max(fewest[part] for part in parts) for count in told):
                guarded.add(by_size[0])
        for part in parts:
            while part in guarded and union not in guarded and n[part] < fewest[part]:
                others = [other for other in by_size if other != part]
                least = n[union] - sum((base if one in guarded else n)[one] for one in others)
                if least <= 1 or fewest[part] - 1 - least >= rules.min_width:
                    break
                guarded.add(next((one for one in others if one not in guarded), union))
    return guarded


def _question(name: str, rows: pd.DataFrame, rules: Rules) -> _Question:
    """Put a question's cells in a fixed order, with their links; counts must fit these."""
    # those in no group first: they are the first to be withheld for others
    order = rows.assign(stated=rows["group"] != NOT_STATED)
    cells = order.sort_values(["group_by", "stated", "group", "item"]).reset_index(drop=True)
    is_total = (cells["group_by"] == "").to_numpy(dtype=bool)
    totals = {item: place for place, item in enumerate(cells.loc[is_total, "item"])}
    if lacking := sorted(set(cells["item"]) - set(totals)):
        raise InputError(f"Question {name!r} has no overall count of {lacking[0]!r}: add its row.")
    n, base = cells["n"].to_numpy(dtype=np.int64), cells["base"].to_numpy(dtype=np.int64)
    total = cells["item"].map(totals).to_numpy(dtype=np.int64)
    *links, least, most = _links(name, cells, base, total, rules).T
    question = _Question(
        cells=cells,
        n=n,
        base=base,
        total=total,
        is_total=is_total,
        sensitive=np.array([rules.is_sensitive(name, item) for item in cells["item"]]),
        exclusive=name in rules.exclusive,
        links=np.transpose(links),
        least=least,
        most=most,
        whole=np.zeros(len(n), dtype=bool),
        hidden=np.zeros(len(n), dtype=bool),
    )
    if (question.links @ n < least).any() or (question.links @ n > most).any():
        raise InputError(
            f"The counts of question {name!r} do not add up over its items or groups: count them"
            " again, or declare that its items or a grouping's groups overlap."
        )
    return question


def _links(
    name: str, cells: pd.DataFrame, base: np.ndarray, total: np.ndarray, rules: Rules
) -> np.ndarray:
    """Return what adds up (links, cells + 2): how each cell counts, the least and the most.

    Items add up to the base, groups to the item's total. Where groups overlap, total <= sum of
    groups <= total + (sum of bases - base), and nobody is both in a group and in none.
    """
    item, by, group = (cells[column].to_numpy() for column in ("item", "group_by", "group"))
    column = (by[:, None] == by) & (group[:, None] == group)
    row = (by[:, None] == by) & (item[:, None] == item)
    if (column & (base[:, None] != base)).any():
        raise InputError(f"Question {name!r} has several bases in a group: count one base.")
    spare, overlapping = row @ base - base[total], np.isin(by, [*rules.overlapping])
    for place in np.flatnonzero((by != "") & (spare != 0) & ~(overlapping & (spare > 0))):
        raise InputError(
            f"The bases of {name!r} by {by[place]!r} add up to {spare[place]:+d} more than all:"
            " count those in no group as not_stated, or declare that the groups overlap."
        )
    one = np.eye(len(cells))
    apart = np.maximum(one, row & np.isin(group, APART))
    nothing, exclusive = 0 * base, np.full(len(cells), name in rules.exclusive)
    found = [
        np.column_stack([column, base, base])[exclusive],
        np.column_stack([row - one[total], nothing, spare])[by != ""],
        np.column_stack([apart - one[total], apart @ base - base[total], nothing])[overlapping],
    ]
    for question, items, chosen in rules.subtotals:
        if question == name:
            found.append(np.array([[*((by == "") & np.isin(item, items)), chosen, chosen]]))
    return np.unique(np.vstack(found), axis=0)  # each cell of a row says the same of it


def _protect(question: _Question, rules: Rules) -> pd.DataFrame:
    """Return each cell's fate: totals are settled first, then what is crossed."""
    while True:
        totals, narrow = _complete(_system(question, rules))
        if not len(narrow):
            if _all_small(question, rules, totals):
                continue
            system = _system(question, rules, totals)
            withheld, narrow = _complete(system)
        if not len(narrow):
            break
        _withhold_more(question, narrow)
    return question.cells[["id"]].assign(
        withheld=withheld,
        protected=system.demand > 0,
        whole=question.whole,
        not_crossed=~_printed(question, rules, totals),
    )


def _all_small(question: _Question, rules: Rules, totals: np.ndarray) -> bool:
    """Withhold one more total where those withheld are all small, and together known too well.

    Whoever runs the algorithm again sees that a larger one would have been taken first, had it not
    been enough to withhold the small ones; so each of them is under `minimum_cell`.
    """
    hidden, most = question.n[totals & question.is_total], rules.minimum_cell - 1
    if not question.exclusive or len(hidden) < 2 or not ((hidden > 0) & (hidden <= most)).all():
        return False
    left, others = hidden.sum(), len(hidden) - 1
    width = min(most, left - others) - max(1, left - others * most)
    larger = question.is_total & ~totals & (question.n > 0) & (question.n < question.base)
    if width >= rules.min_width or not larger.any():
        return False
    question.hidden[larger.argmax()] = True
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


def _printed(question: _Question, rules: Rules, totals: np.ndarray) -> np.ndarray:
    """Return which cells are totals, or of an item that may be crossed, given those withheld."""
    enough = np.minimum(question.n, question.base - question.n) >= rules.minimum_cross
    crossed = (enough & ~totals & ~question.sensitive)[question.total]
    return np.asarray(question.is_total | crossed)


def _system(question: _Question, rules: Rules, totals: np.ndarray | None = None) -> _System:
    """Return the system of the totals alone, or of all cells once it is settled which are shown."""
    n, base, at = question.n, question.base, question.is_total
    protected = _protected(question, rules)
    printed = at if totals is None else _printed(question, rules, totals)
    unlimited = question.whole | (base < rules.smallest_base)
    forced = protected | unlimited | ~printed
    free = ~forced & (((n > 0) & (n < base)) | question.sensitive)
    if totals is None:
        seen, forced, free = at, forced & at, free & at
    else:
        seen, forced, free = at | True, np.where(at, totals, forced), free & ~at
    # where zeros and full cells are printed, what is withheld is neither
    inner = printed & ~unlimited & ~question.sensitive
    low, high = np.where(inner, 1, 0), np.where(inner, base - 1, base)
    within = ~question.links[:, ~seen].any(axis=1)
    sums = question.links @ n
    return _System(
        low=low - n,
        high=high - n,
        forced=forced,
        free=free,
        demand=np.where(protected & seen, np.minimum(rules.wide, high - low), 0),
        links=question.links[within],
        least=(question.least - sums)[within],
        most=(question.most - sums)[within],
    )


def _withhold_more(question: _Question, narrow: np.ndarray) -> None:
    """Withhold whole what crosses the narrow cells, else their totals, else all of the item."""
    before = int(question.whole.sum() + question.hidden.sum())
    by, item = question.cells["group_by"].to_numpy(), question.cells["item"].to_numpy()
    for cell in narrow:
        unit = question.exclusive | (item == item[cell])
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
    none; all that are protected where no pattern is found in time).
    """
    free, kept = np.flatnonzero(system.free), np.flatnonzero(system.demand)
    if not len(kept):
        return system.forced, kept
    (goal, low, high), matrix, (least, most) = _programme(system, free, kept)
    found, moves = np.zeros(len(goal)), low < high
    with _silence():
        solved = milp(
            goal[moves],
            integrality=moves[moves].astype(int),
            bounds=Bounds(low[moves], high[moves]),
            constraints=LinearConstraint(matrix[:, moves], least, most),
            # presolved, equals are not always told apart by their order
            options={"mip_rel_gap": 0.0, "node_limit": NODES, "presolve": False},
        )
    if solved.x is not None:
        found[moves] = np.rint(solved.x)
    sums = matrix @ found
    if (sums < least).any() or (sums > most).any():  # solvers err: their word is not taken
        return system.forced, kept
    decided, lacking, _ = np.split(found, [len(free), len(free) + len(kept)])
    withheld = system.forced.copy()
    withheld[free] = decided == 1
    return withheld, kept[lacking > 0]


def _programme(
    system: _System, free: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, sparse.csc_array, np.ndarray]:
    """Return goal, low and high of the variables (3, n), a matrix, least and most of its rows.

    The extended programme of Fischetti and Salazar-González (2001, Management Science 47(7)), with
    sliding protection: a decision for each free cell, and for each protected cell two tables that
    differ in it by its demand and, in what is printed, not at all. Variables are the decisions,
    what is lacking of each demand (dearer than to withhold all), and the cells of each table.
    """
    demand, one, copies = system.demand[kept], np.eye(len(system.free)), 2 * len(kept)
    # tables apart by the demand need no larger step in any other cell, the links being a network
    reach = np.where(system.free, demand.max(), np.inf)
    low, high = np.maximum(system.low, -reach), np.minimum(system.high, reach)
    linked = _linked(system)
    tied = np.repeat(linked[kept], 2, axis=0)
    # less than one more in all, so that the order decides between equals only
    peers = linked[np.ix_(free, free)]
    order, size = np.tril(peers).sum(axis=1), peers.sum(axis=1)
    price = 1 + (order / size) ** 1.5 / (2 * size + 1)
    variables = [
        [price, 0 * price, 0 * price + 1],
        [0 * demand + 2 * len(free) + 2, 0 * demand, demand],
        [np.zeros(tied.size), (tied * low).ravel(), (tied * high).ravel()],
    ]
    tables, each = sparse.eye_array(copies), np.ones((copies, 1))
    apart = [np.outer([1, -1], one[cell]).reshape(1, -1) for cell in kept]
    rows: list[list[Any]] = [
        [None, None, sparse.kron(tables, system.links)],
        [sparse.kron(each, -np.diag(high[free])), None, sparse.kron(tables, one[free])],
        [sparse.kron(each, -np.diag(low[free])), None, sparse.kron(tables, one[free])],
        [None, sparse.eye_array(len(kept)), sparse.block_diag(apart)],
    ]
    shut = np.zeros(copies * len(free))
    limits = [
        [np.tile(system.least, copies), np.tile(system.most, copies)],
        [shut - np.inf, shut],
        [shut, shut + np.inf],
        [demand, demand + np.inf],
    ]
    return np.hstack(variables), sparse.block_array(rows, format="csc"), np.hstack(limits)


def _linked(system: _System) -> np.ndarray:
    """Return (cells, cells): which unknown cells anything ties to which, however far."""
    unknown = system.forced | system.free
    ties = (system.links != 0) & unknown
    component = connected_components(ties.T @ ties, directed=False)[1]
    return np.asarray((component[:, None] == component) & unknown)


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
    cells = public[["id", "table", "suppressed"]].set_index("id")
    cells = cells.join(fate[["whole", "not_crossed"]]).fillna(False)
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
