"""What an informed attacker learns about withheld counts: the audit of what is to be published.

It reads the public estimates alone, as he would, and shares no code with `suppression`. He knows
the rules, so that a withheld cell of a crossed item in a group of sufficient base is neither zero
nor full; and he solves for the least and the greatest whole number that fits everything printed
about a question, overall and by every grouping at once.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from upr_analysis.estimates import APART
from upr_analysis.problems import InputError
from upr_analysis.suppression import Rules

Cell = tuple[str, str, str]  # item, grouping, group; no grouping and group for the total


@dataclass(frozen=True)
class _Knowledge:
    """What he sees of one question: the base of every cell, and the counts that are `printed`."""

    rules: Rules
    question: str
    base: dict[Cell, int]
    printed: dict[Cell, int]

    def range_of(self, cell: Cell) -> tuple[int, int]:
        """Return the least and greatest count of a cell, by the rules alone."""
        if cell in self.printed:
            return self.printed[cell], self.printed[cell]
        item, by, _ = cell
        base, exclusive = self.base[cell], self.question in self.rules.exclusive
        sensitive = {(self.question, ""), (self.question, item)} & self.rules.sensitive
        if sensitive or base < self.rules.smallest_base or (by and not self._is_crossed(item)):
            return 0, base
        # where all that adds up with it is withheld, so may be its zeros
        beside = (one for one in self.printed if one[1] == by and (exclusive or one[0] == item))
        inner = any(beside) or not (by or exclusive)
        return (1, base - 1) if inner else (0, base)

    def _is_crossed(self, item: str) -> bool:
        total, everyone = self.printed.get((item, "", "")), self.base[item, "", ""]
        return total is not None and min(total, everyone - total) >= self.rules.minimum_cross

    def relations(self) -> Iterator[tuple[set[Cell], set[Cell], int, int]]:
        """Yield all that must add up: cells, cells taken off, the least and most that is left."""
        items = [item for item, by, _ in self.base if by == ""]
        everyone = self.base[items[0], "", ""]
        for question, chosen, n in self.rules.subtotals:
            if question == self.question:
                yield {(item, "", "") for item in chosen}, set(), n, n
        groups = {(by, group): base for (_, by, group), base in self.base.items()}
        if self.question in self.rules.exclusive:
            for (by, group), base in groups.items():
                yield {(item, by, group) for item in items}, set(), base, base
        for by in dict.fromkeys(by for by, _ in groups if by):
            bases = {group: base for (own, group), base in groups.items() if own == by}
            overlapping = by in self.rules.overlapping
            spare = sum(bases.values()) - everyone if overlapping else 0
            for item in items:
                total = {(item, "", "")}
                yield {(item, by, group) for group in bases}, total, 0, spare
                for group in bases if overlapping else ():
                    alone = {group, *APART} & bases.keys()  # a group, and those in no group
                    rest = everyone - sum(bases[one] for one in alone)
                    yield {(item, by, one) for one in alone}, total, -rest, 0


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
    shares, wanted = public[public["measure"] == "share"], set(protected)
    if lost := wanted - set(shares["id"]):
        raise InputError(f"The protected cell {min(lost)!r} is not among the estimates: add it.")
    rows = list[tuple[str, int, int, int, int]]()
    for question, own in shares.groupby("question", sort=False):
        cells = list(zip(own["item"], own["group_by"], own["group"], strict=True))
        base = dict(zip(cells, own["base"].astype(int), strict=True))
        printed = {cell: int(n) for cell, n in zip(cells, own["n"], strict=True) if pd.notna(n)}
        ids = {cell: one for cell, one in zip(cells, own["id"], strict=True) if one in wanted}
        bounds = _bounds(_Knowledge(rules, str(question), base, printed), list(ids))
        for cell, (low, high) in zip(ids, bounds, strict=True):
            rows.append((ids[cell], low, high, high - low, min(rules.wide, base[cell])))
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


def _bounds(knowledge: _Knowledge, cells: list[Cell]) -> list[tuple[int, int]]:
    """Return the least and the greatest count of each cell that fits all that is printed.

    All in one programme: a copy of the question for each cell's least, and one for its greatest.
    """
    if not cells:
        return []
    place = {cell: column for column, cell in enumerate(knowledge.base)}
    ranges = np.array([knowledge.range_of(cell) for cell in place])
    relations = list(knowledge.relations())
    sums = np.zeros((len(relations), len(place)))
    for row, (added, taken, _, _) in enumerate(relations):
        sums[row, [place[cell] for cell in added]] = 1
        sums[row, [place[cell] for cell in taken]] = -1
    wanted = np.eye(len(place))[[place[cell] for cell in cells]]
    goal = np.stack([wanted, -wanted], axis=1).reshape(-1, len(place))
    least, most = (np.tile([relation[end] for relation in relations], len(goal)) for end in (2, 3))
    # the vertices of a network are whole; where they are not, whole numbers are asked for
    for integrality in (0, 1):
        solved = milp(
            goal.ravel(),
            integrality=np.full(goal.size, integrality),
            bounds=Bounds(*np.tile(ranges.T, len(goal))),
            constraints=LinearConstraint(
                sparse.kron(sparse.eye_array(len(goal)), sums), least, most
            ),
            options={"mip_rel_gap": 0.0},
        )
        if solved.x is None:
            raise ValueError(f"Nothing fits what is printed about {knowledge.question!r}.")
        found = np.rint(solved.x)
        if np.allclose(found, solved.x):
            break
    least, greatest = (goal * found.reshape(goal.shape)).sum(axis=1).reshape(-1, 2).T.astype(int)
    return list(zip(least.tolist(), (-greatest).tolist(), strict=True))
