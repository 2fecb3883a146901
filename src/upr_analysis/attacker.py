"""What an informed attacker learns about withheld counts: the audit of what is to be published.

It reads the public estimates alone, as he would, and shares no code with `suppression`. He knows
the rules, so that a withheld cell of a crossed item in a group of sufficient base is neither zero
nor full; and he solves for the least and the greatest whole number that fits everything printed
about a question, overall and by every grouping at once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from upr_analysis.estimates import NOT_STATED
from upr_analysis.problems import InputError
from upr_analysis.suppression import Rules

Cell = tuple[str, str, str]  # item, grouping, group; no grouping and group for the total


@dataclass
class _Relation:
    """`least` <= sum of the unknown cells, each times its sign, <= `most`."""

    least: int
    most: int
    unknown: dict[Cell, int] = field(default_factory=dict)


@dataclass
class _Knowledge:
    """What he sees of one question: `printed` counts, every `base`, the ids of cells."""

    rules: Rules
    question: str
    ids: dict[Cell, str] = field(default_factory=dict)
    base: dict[Cell, int] = field(default_factory=dict)
    printed: dict[Cell, int] = field(default_factory=dict)

    def groups(self) -> dict[str, dict[str, int]]:
        """Return the base of each group of each grouping."""
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for (_, by, group), base in self.base.items():
            found[by][group] = base
        return found

    def items(self) -> list[str]:
        return [item for item, by, _ in self.base if by == ""]

    def range_of(self, cell: Cell) -> tuple[int, int]:
        """Return the least and greatest count of a withheld cell, by the rules alone."""
        item, by, _ = cell
        base, exclusive = self.base[cell], self.question in self.rules.exclusive
        sensitive = {(self.question, ""), (self.question, item)} & self.rules.sensitive
        peers = [other for other in self.base if other[1] == by and (exclusive or other[0] == item)]
        inner = not sensitive and base >= self.rules.smallest_base
        if by:
            inner = inner and self._is_crossed(item)
            inner = inner and any(peer in self.printed for peer in peers)
        elif exclusive:
            inner = inner and any(peer in self.printed for peer in peers)
        return (1, base - 1) if inner else (0, base)

    def _is_crossed(self, item: str) -> bool:
        total = self.printed.get((item, "", ""))
        everyone = self.base[(item, "", "")]
        return total is not None and min(total, everyone - total) >= self.rules.minimum_cross

    def relations(self) -> Iterator[_Relation]:
        """Yield everything that must add up."""
        groups = self.groups()
        everyone = groups[""][""]
        for question, items, chosen in self.rules.subtotals:
            if question == self.question:
                yield self._sum({(item, "", ""): 1 for item in items}, chosen, chosen)
        for by, bases in groups.items():
            if self.question in self.rules.exclusive:
                for group, base in bases.items():
                    yield self._sum({(item, by, group): 1 for item in self.items()}, base, base)
            if by == "":
                continue
            for item in self.items():
                yield from self._over_groups(item, by, bases, everyone)

    def _over_groups(
        self, item: str, by: str, bases: dict[str, int], everyone: int
    ) -> Iterator[_Relation]:
        total = (item, "", "")
        spare = sum(bases.values()) - everyone if by in self.rules.overlapping else 0
        yield self._sum({(item, by, group): 1 for group in bases} | {total: -1}, 0, spare)
        if by in self.rules.overlapping:
            for group in bases:
                alone = {group, NOT_STATED} & bases.keys()  # a group, and those in no group
                rest = everyone - sum(bases[one] for one in alone)
                yield self._sum({(item, by, one): 1 for one in alone} | {total: -1}, -rest, 0)

    def _sum(self, signs: dict[Cell, int], least: int, most: int) -> _Relation:
        known = sum(sign * self.printed.get(cell, 0) for cell, sign in signs.items())
        unknown = {cell: sign for cell, sign in signs.items() if cell not in self.printed}
        return _Relation(least - known, most - known, unknown)


def audit(
    public: pd.DataFrame,
    rules: Rules,
    protected: Collection[str],
    truth: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return how narrowly each protected cell can be bounded from the public estimates.

    One row a cell: `id`, `low`, `high`, `width` (high - low; 0 if it is printed), and `needed`:
    `min_width` and one more for each known respondent, or the whole base where that is smaller.
    With the `truth` (unsuppressed estimates) it checks that he reasons soundly: raises ValueError
    where a true count is outside what he believes possible.
    """
    wanted, rows = set(protected), []
    for knowledge in _read(public, rules):
        own = [cell for cell, name in knowledge.ids.items() if name in wanted]
        for cell, (low, high) in _bounds(knowledge, own).items():
            needed = min(rules.wide, knowledge.base[cell])
            rows.append((knowledge.ids[cell], low, high, high - low, needed))
    lost = wanted - {row[0] for row in rows}
    if lost:
        raise InputError(f"The protected cell {min(lost)!r} is not among the estimates: add it.")
    found = pd.DataFrame(rows, columns=["id", "low", "high", "width", "needed"])
    found = found.sort_values("id", ignore_index=True)
    if truth is not None:
        n = found["id"].map(truth.set_index("id")["n"])
        outside = found.loc[~n.between(found["low"], found["high"]), "id"]
        if len(outside):
            raise ValueError(f"The attacker excludes the true count of {outside.iloc[0]!r}.")
    return found


def too_narrow(audited: pd.DataFrame) -> list[str]:
    """Return the ids of cells that are bounded more tightly than the rules allow; [] if none."""
    return audited.loc[audited["width"] < audited["needed"], "id"].tolist()


def require_wide(audited: pd.DataFrame) -> pd.DataFrame:
    """Return the audit; raise InputError, without locating a cell, where one is too narrow."""
    if found := too_narrow(audited):
        raise InputError(
            f"{len(found)} withheld counts can be bounded too narrowly: raise minimum_cell, or "
            "cross by fewer groups."
        )
    return audited


def _read(public: pd.DataFrame, rules: Rules) -> list[_Knowledge]:
    found: dict[str, _Knowledge] = {}
    shares = public[public["measure"] == "share"]
    columns = ["id", "question", "item", "group_by", "group", "n", "base"]
    for name, question, *cell, n, base in shares[columns].itertuples(index=False, name=None):
        knowledge = found.setdefault(question, _Knowledge(rules, question))
        key = (cell[0], cell[1], cell[2])
        knowledge.ids[key], knowledge.base[key] = name, int(base)
        if not pd.isna(n):
            knowledge.printed[key] = int(n)
    return list(found.values())


def _bounds(knowledge: _Knowledge, cells: list[Cell]) -> dict[Cell, tuple[int, int]]:
    """Return the least and the greatest count of each cell that fits all that is printed."""
    found = {cell: (n, n) for cell, n in knowledge.printed.items() if cell in set(cells)}
    relations = [relation for relation in knowledge.relations() if relation.unknown]
    left = [cell for cell in cells if cell not in found]
    while left:
        linked = _linked(relations, left[0])
        inside = [cell for cell in left if cell in linked]
        left = [cell for cell in left if cell not in linked]
        found |= _extremes(knowledge, relations, sorted(linked), inside)
    return found


def _linked(relations: list[_Relation], start: Cell) -> set[Cell]:
    """Return all unknown cells that anything ties to the first, however far."""
    linked, waiting = {start}, relations
    while True:
        touching = [one for one in waiting if linked & one.unknown.keys()]
        if not touching:
            return linked
        waiting = [one for one in waiting if not linked & one.unknown.keys()]
        linked = linked.union(*(one.unknown for one in touching))


def _extremes(
    knowledge: _Knowledge, relations: list[_Relation], unknown: list[Cell], cells: list[Cell]
) -> dict[Cell, tuple[int, int]]:
    """Solve for the cells: a copy of the unknowns for each one's least and for its greatest."""
    place = {cell: column for column, cell in enumerate(unknown)}
    own = [relation for relation in relations if relation.unknown.keys() & place.keys()]
    one = sparse.lil_array((len(own), len(unknown)))
    for row, relation in enumerate(own):
        for cell, sign in relation.unknown.items():
            one[row, place[cell]] = sign
    copies = 2 * len(cells)
    goal = np.zeros((copies, len(unknown)))
    for number, cell in enumerate(cells):
        goal[2 * number, place[cell]], goal[2 * number + 1, place[cell]] = 1, -1
    ranges = np.array([knowledge.range_of(cell) for cell in unknown])
    constraints = []
    if own:
        least, most = (np.tile([getattr(r, end) for r in own], copies) for end in ("least", "most"))
        matrix = sparse.kron(sparse.eye_array(copies), one, format="csc")
        constraints.append(LinearConstraint(matrix, least, most))
    # the vertices of a network are whole; where they are not, whole numbers are asked for
    for integrality in (0, 1):
        solved = milp(
            goal.ravel(),
            integrality=np.full(goal.size, integrality),
            bounds=Bounds(*np.tile(ranges.T, copies)),
            constraints=constraints,
            options={"mip_rel_gap": 0.0},
        )
        if solved.x is None:
            raise ValueError(f"Nothing fits what is printed about {knowledge.question!r}.")
        found = np.rint(solved.x)
        if np.allclose(found, solved.x):
            break
    reached = (goal * found.reshape(goal.shape)).sum(axis=1).astype(int)
    return {cell: (reached[2 * i], -reached[2 * i + 1]) for i, cell in enumerate(cells)}
