"""Weights for respondents: raked to known margins, and what weighted shares and tables say.

Variances are by linearisation (Taylor), for respondents drawn with replacement, and take the
weights as fixed: that they were fitted to margins does not enter them. Sources: Deming and Stephan
(1940), Annals of Mathematical Statistics 11, 427-444; Deville and Särndal (1992), JASA 87, 376-382;
Kish (1965), Survey Sampling, section 11.7; Korn and Graubard (1998), Survey Methodology 24,
193-201; Rao and Scott (1981), JASA 76, 221-230, and (1984), Annals of Statistics 12, 46-60; Thomas
and Rao (1987), JASA 82, 630-636.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from scipy import special, stats

from upr_analysis.problems import InputError

APART: Final = 0.02  # by which totals may differ: whole percents add up to 99 or to 101


@dataclass(frozen=True)
class Margin:
    """How the population divides: `targets` (k,), counts or shares, of the cells `names` (k,).

    `codes` (n,) are the cell of each respondent, -1 where not known.
    """

    name: str
    names: tuple[str, ...]
    targets: np.ndarray
    codes: np.ndarray


@dataclass(frozen=True)
class Weights:
    """Weights (n,) of mean 1, their range, and how many were cut to the largest allowed."""

    values: np.ndarray
    smallest: float
    largest: float
    trimmed: int
    rounds: int


def rake(
    margins: Sequence[Margin],
    start: np.ndarray | None = None,
    trim: float | None = None,
    tolerance: float = 1e-9,
    rounds: int = 1_000,
) -> Weights:
    """Fit weights to margins, each in turn until all hold (Deming and Stephan 1940).

    `start` (n,) are weights to begin with, else all alike. Those not known in a margin keep
    together their share of `start`; the others divide the rest as the targets do. Weights above
    `trim` times the mean are cut to it and the others raked on, by factors that take the cut into
    account: the result is the nearest to `start` within margins and limit (Deville and Särndal
    1992). A margin holds where its cells are within `tolerance` of all weight.

    Raises InputError with every margin and cell at fault, and where all cannot be met.
    """
    size = len(margins[0].codes)
    begun = np.ones(size) if start is None else np.asarray(start, dtype=float)
    if problems := [*_problems(margins, begun)]:
        raise InputError(problems)
    free, limit = begun / begun.mean(), float(size if trim is None else trim)
    cells = [cell for margin in margins for cell in _cells(margin, free)]
    if problems := [
        f"{label}: its mean weight has to be {wanted / len(members):.3g}, above the limit of"
        f" {limit:g} times the mean: raise the limit or merge it."
        for label, members, wanted in cells
        if wanted > limit * len(members) + tolerance * size
    ]:
        raise InputError(problems)
    for done in range(1, rounds + 1):
        for _, members, wanted in cells:
            own = free[members] * _factor(free[members], wanted, limit)
            free[members] = own.clip(1e-100, 1e100)  # margins at odds drive factors without end
        values = np.minimum(free, limit)
        misses = np.array([values[members].sum() - wanted for _, members, wanted in cells])
        worst = int(np.abs(misses).argmax())
        if abs(misses[worst]) <= tolerance * size:
            cut = int((free > limit).sum())
            return Weights(values, float(values.min()), float(values.max()), cut, done)
    label, _, wanted = cells[worst]
    advice = "leave one out" if trim is None else f"raise the limit of {trim:g} times the mean"
    raise InputError(
        f"{label}: it has {100 * (wanted + misses[worst]) / size:.3g} % of the weight, not"
        f" {100 * wanted / size:.3g} %, after {rounds} rounds: not all margins can be met; merge"
        f" cells, or {advice}."
    )


def _problems(margins: Sequence[Margin], start: np.ndarray) -> Iterator[str]:
    if not (np.isfinite(start) & (start > 0)).all():
        yield "The weights to start from are not all positive numbers: correct or leave them out."
    for margin in margins:
        people = np.bincount(margin.codes + 1, minlength=len(margin.names) + 1)[1:]
        for name, target, members in zip(margin.names, margin.targets, people, strict=True):
            label = f"Margin {margin.name!r}, cell {name!r}"
            if not (np.isfinite(target) and target >= 0):
                yield f"{label}: the target is {target:g}: give a count or a share, 0 or more."
            elif target > 0 and not members:
                yield f"{label}: nobody is in it, but its target is {target:g}: merge it."
            elif target == 0 and members:
                yield f"{label}: its target is 0, but respondents are in it: merge it."
    for one, other in pairwise(margins):
        a, b = float(one.targets.sum()), float(other.targets.sum())
        if abs(a - b) > APART * max(a, b):
            yield f"Margins {one.name!r} and {other.name!r} sum to {a:g} and {b:g}: use one unit."


def _cells(margin: Margin, start: np.ndarray) -> Iterator[tuple[str, np.ndarray, float]]:
    """Yield the cells that have members: name, members and the weight that they are to have."""
    known = margin.codes >= 0
    wanted = [*(margin.targets / margin.targets.sum() * start[known].sum()), start[~known].sum()]
    for place, name in enumerate(("not known", *margin.names), start=-1):
        members = np.flatnonzero(margin.codes == place)
        if len(members):
            yield f"Margin {margin.name!r}, cell {name!r}", members, float(wanted[place])


def _factor(free: np.ndarray, wanted: float, limit: float) -> float:
    """Return the factor by which weights (m,), cut to the limit, add up to what is wanted."""
    heaviest = -np.sort(-free)
    left = wanted - limit * np.arange(len(free))  # for the others, if the k heaviest are cut
    factors = left / heaviest[::-1].cumsum()[::-1]
    return float(factors[min((factors * heaviest > limit).sum(), len(free) - 1)])


def effective_n(weights: np.ndarray) -> float:
    """Return how many equally weighted respondents tell as much as these (Kish 1965); 0 of none."""
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


def design_effect(weights: np.ndarray) -> float:
    """Return the factor by which unequal weights raise a variance (Kish 1965); NaN of none."""
    return len(weights) / effective_n(weights) if len(weights) else np.nan


@dataclass(frozen=True)
class Shares:
    """Weighted shares, percent of the base, with their intervals; NaN where nobody answered.

    `counts`, `values`, `low`, `high` are (groups, items); `bases` (groups,) are respondents and
    `effective` (groups,) Kish's effective n of them.
    """

    counts: np.ndarray
    bases: np.ndarray
    effective: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray


def weighted_shares(
    chosen: np.ndarray, inside: np.ndarray, weights: np.ndarray, confidence: float = 0.95
) -> Shares:
    """Return the share of each item among those in each group who answered.

    `chosen` (n, items) and `inside` (n, groups) are 0 or 1: who chose what, who is in which base,
    several allowed. The interval is symmetric in the logit, with t of the base less one and the
    effective base that the variance gives (Korn and Graubard 1998, equation 2.1). At 0 and 100 %,
    where it gives none, it is the exact interval (Clopper and Pearson 1934) on Kish's effective n.
    """
    size, inside = len(weights), inside.astype(float)
    counts, bases = inside.T @ chosen, inside.sum(axis=0)
    weighed, squared = inside * weights[:, None], inside * weights[:, None] ** 2
    total, squares = weighed.sum(axis=0)[:, None], squared.sum(axis=0)[:, None]
    tail = (1 - confidence) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.minimum(weighed.T @ chosen / total, 1)
        of_chosen = squared.T @ chosen
        spread = (1 - share) ** 2 * of_chosen + share**2 * (squares - of_chosen)
        variance = size / max(size - 1, 1) * spread / total**2
        effective = np.where(bases > 0, total[:, 0] ** 2 / squares[:, 0], 0)
        half = stats.t.isf(tail, bases - 1)[:, None] * np.sqrt(variance) / (share * (1 - share))
        low, high = (special.expit(special.logit(share) + sign * half) for sign in (-1, 1))
        beyond = tail ** (1 / effective)[:, None]
    nobody, everybody = counts == 0, counts == bases[:, None]
    low = np.where(everybody, beyond, np.where(nobody, 0, low))
    high = np.where(nobody, 1 - beyond, np.where(everybody, 1, high))
    answered = np.where(bases > 0, 100.0, np.nan)[:, None]
    percent = [one * answered for one in (share, low, high)]
    return Shares(counts.astype(np.int64), bases.astype(np.int64), effective, *percent)


@dataclass(frozen=True)
class WeightedTest:
    """A test of independence by weighted counts; `reason` says why there is none.

    `statistic` is F, `degrees` those of its numerator and of its denominator.
    """

    reason: str = ""
    statistic: float | None = None
    degrees: tuple[float, float] | None = None
    p: float | None = None


def rao_scott(rows: np.ndarray, columns: np.ndarray, weights: np.ndarray) -> WeightedTest:
    """Test a weighted two-way table of people for independence, by the second-order correction.

    `rows` and `columns` (n,) are codes, -1 where not known, which is left out, as are rows and
    columns of nobody. Pearson's statistic of the weighted shares, times n, is divided by the trace
    of the generalised design effects (Rao and Scott 1984) and referred to F, with Satterthwaite's
    degrees, times n - 1 below (Thomas and Rao 1987): the default of R's survey::svychisq.
    Undefined with fewer than two rows or columns, where an expected count is under 1 of the
    effective n, and where empty combinations leave the effects no inverse.
    """
    known = (rows >= 0) & (columns >= 0)
    weights, n = weights[known], int(known.sum())
    _, row = np.unique(rows[known], return_inverse=True)
    _, column = np.unique(columns[known], return_inverse=True)
    height, width = row.max(initial=-1) + 1, column.max(initial=-1) + 1
    if min(height, width) < 2:
        return WeightedTest("fewer than two groups or two answers were given")
    cell, weights = row * width + column, weights / weights.sum()
    share = np.bincount(cell, weights, height * width)
    table = share.reshape(height, width)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0))
    if round(effective_n(weights) * expected.min(), 9) < 1:
        return WeightedTest("an expected count is under 1: merge groups or answers")
    # what neither rows nor columns explain
    contrasts = np.kron(*(np.eye(k)[:, 1:] - 1 / k for k in table.shape))
    scaled = np.divide(contrasts.T, share, out=np.zeros(contrasts.T.shape), where=share > 0).T
    linear = weights[:, None] * (scaled[cell] - share @ scaled)
    simple, design = contrasts.T @ scaled / n, linear.T @ linear * n / (n - 1)
    if np.linalg.matrix_rank(simple) < len(simple) or np.trace(design) < 1e-9 * np.trace(simple):
        return WeightedTest("too many combinations are empty: merge groups or answers")
    effects = np.linalg.solve(simple, design)
    trace = float(np.trace(effects))
    degrees = trace**2 / float(np.trace(effects @ effects))
    statistic = n * float(((table - expected) ** 2 / expected).sum()) / trace
    pair = degrees, degrees * (n - 1)
    return WeightedTest("", statistic, pair, float(stats.f.sf(statistic, *pair)))
