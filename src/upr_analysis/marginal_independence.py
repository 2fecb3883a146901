"""Whether what respondents tick depends on their group, or on what else they tick.

A respondent ticks any number of items, so that ticks are not people and Pearson's chi-square on a
table of ticks is no test. Independence is of each item instead: multiple marginal independence
(MMI) of groups by items, simultaneous pairwise marginal independence (SPMI) of items by items. The
statistic is the sum of Pearson's, of each item by the groups or each item by each, and ticks of
one respondent depend on each other: hence permutation of whole respondents, or corrections.

Nothing is added to cells of zero. Who left a select-all question blank did not say no, and is left
out by the caller. Sources: Agresti and Liu (1999), Biometrics 55, 936-943; Bilder, Loughin and
Nettleton (2000), Communications in Statistics: Simulation and Computation 29, 1285-1316; Decady
and Thomas (2000), Biometrics 56, 893-896; Bilder and Loughin (2004), Biometrics 60, 241-248;
Koziol and Bilder (2014), R Journal 6(1), 144-150; Westfall and Young (1993) on max-T.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from scipy import stats

RESAMPLES: Final = 9_999
AT_ONCE: Final = 4_000_000  # numbers held in memory together


class Corrected(NamedTuple):
    """A statistic, the degrees of freedom of its chi-square and its p."""

    statistic: float
    degrees: float
    p: float


@dataclass(frozen=True, eq=False)
class Independence:
    """A test of MMI or SPMI; `reason` says why there is none, and the rest is then None.

    `items` (J,) or (I, J) are Pearson's statistics of each item or pair, NaN where it was dropped,
    `statistic` their sum on `degrees`, `p` its p among `resamples` permutations, `adjusted` like
    `items` the p of each, adjusted for all (step-down max-T) over the same permutations.
    `first_order` and `second_order` are Rao and Scott's, `bonferroni` the least p of an item by
    chi-square times their number. `expected_under_5` counts
    of the `cells`, ticked and not ticked.
    """

    reason: str = ""
    statistic: float | None = None
    degrees: int | None = None
    resamples: int = 0
    p: float | None = None
    first_order: Corrected | None = None
    second_order: Corrected | None = None
    bonferroni: float | None = None
    items: np.ndarray | None = None
    adjusted: np.ndarray | None = None
    smallest_expected: float | None = None
    expected_under_5: int | None = None
    cells: int | None = None


def independence_of_ticks(
    groups: np.ndarray, ticks: np.ndarray, seed: int, resamples: int = RESAMPLES
) -> Independence:
    """Test ticks (n, J) for independence of groups (n,), one a respondent: MMI.

    Groups that nobody is in and items that all or none ticked are dropped. Beyond some 10,000
    respondents, `resamples` 0 leaves out the permutations: the rest is of counts. The second order
    takes covariances within groups, as published, and is conservative where groups are small.
    """
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    kept = _varying(ticks)
    if len(sizes) < 2:
        return Independence("fewer than two groups answered")
    if not kept.any():
        return Independence("each item was ticked by all or by none")
    right, number = ticks[:, kept].astype(np.float32), len(ticks)
    ticked = right.sum(axis=0, dtype=float)
    spread = ticked * (number - ticked)

    def pearson(counts: np.ndarray) -> np.ndarray:
        apart = (number * counts - np.outer(sizes, ticked)) ** 2 / np.outer(sizes, spread)
        return np.asarray(apart.sum(axis=-2))

    within = np.array([_covariance(right[codes == group]) for group in range(len(sizes))])
    alike = (within / np.sqrt(np.outer(spread, spread)) * number**2).reshape(len(sizes), -1)
    projection = np.eye(len(sizes)) - np.sqrt(np.outer(sizes, sizes)) / number
    return _tested(
        left=np.eye(len(sizes), dtype=np.float32)[codes],
        right=right,
        kept=kept,
        pearson=pearson,
        each=len(sizes) - 1,
        squares=float((projection**2 * (alike @ alike.T)).sum()),
        expected=np.outer(sizes, [*ticked, *(number - ticked)]) / number,
        seed=seed,
        resamples=resamples,
    )


def independence_of_pairs(
    left: np.ndarray, right: np.ndarray, seed: int, resamples: int = RESAMPLES
) -> Independence:
    """Test ticks (n, I) and ticks (n, J) of the same respondents for independence by pairs: SPMI.

    Items that all or none ticked are dropped; of `resamples` the same holds as in MMI.
    """
    rows, columns = _varying(left), _varying(right)
    if not (rows.any() and columns.any()):
        return Independence("each item of a question was ticked by all or by none")
    left, right = left[:, rows].astype(np.float32), right[:, columns].astype(np.float32)
    number = len(left)
    one, other = left.sum(axis=0, dtype=float), right.sum(axis=0, dtype=float)
    spread = np.outer(one * (number - one), other * (number - other))

    def pearson(counts: np.ndarray) -> np.ndarray:
        return number * (number * counts - np.outer(one, other)) ** 2 / spread

    together = _covariance_of_products(left - one / number, right - other / number)
    scale = np.sqrt(spread.ravel()) / number**2
    return _tested(
        left=left,
        right=right,
        kept=np.outer(rows, columns),
        pearson=pearson,
        each=1,
        squares=float(((together / np.outer(scale, scale)) ** 2).sum()),
        expected=np.outer([*one, *(number - one)], [*other, *(number - other)]) / number,
        seed=seed,
        resamples=resamples,
    )


def _varying(ticks: np.ndarray) -> np.ndarray:
    """Return which items (J,) some ticked and some did not."""
    ticked = ticks.sum(axis=0)
    return np.asarray((ticked > 0) & (ticked < len(ticks)))


def _covariance(ticks: np.ndarray) -> np.ndarray:
    """Return the covariances (J, J) of ticks (n, J), from counts."""
    shares, both = ticks.mean(axis=0, dtype=float), (ticks.T @ ticks).astype(float)
    return np.asarray(both / len(ticks) - np.outer(shares, shares))


def _covariance_of_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the covariances (IJ, IJ) of products of items (n, I) and (n, J), less their means."""
    width = left.shape[1] * right.shape[1]
    squares, means = np.zeros((width, width)), (left.T @ right).ravel() / len(left)
    for start in range(0, len(left), step := max(1, AT_ONCE // width)):
        part = slice(start, start + step)
        products = (left[part, :, None] * right[part, None]).reshape(-1, width)
        squares += products.T @ products
    return squares / len(left) - np.outer(means, means)


def _tested(
    left: np.ndarray,
    right: np.ndarray,
    kept: np.ndarray,
    pearson: Callable[[np.ndarray], np.ndarray],
    each: int,
    squares: float,
    expected: np.ndarray,
    seed: int,
    resamples: int,
) -> Independence:
    """Test by the statistics `pearson` of counts (..., K, J), each on `each` degrees of freedom.

    `squares` is the sum of the squared eigenvalues of the statistics' covariance. The eigenvalues
    add up to the degrees of freedom where independence holds, so that the first order leaves the
    statistic as it is (Bilder and Loughin 2004). No second order where there is no variance.
    """
    observed = pearson((left.T @ right).astype(float)).ravel()
    statistic, degrees = float(observed.sum()), each * observed.size
    least = stats.chi2.sf(observed.max(), each)

    def corrected(by: float) -> Corrected:
        divided = statistic / by, degrees / by
        return Corrected(*divided, float(stats.chi2.sf(*divided)))

    def placed(values: np.ndarray) -> np.ndarray:
        whole = np.full(kept.shape, np.nan)
        whole[kept] = values
        return whole

    drawn = _permuted(left, right, pearson, seed, resamples) if resamples else None
    return Independence(
        statistic=statistic,
        degrees=degrees,
        resamples=resamples,
        p=None if drawn is None else float(_share_as_large(drawn.sum(axis=1), statistic)),
        first_order=corrected(1),
        second_order=corrected(squares / degrees) if squares > 1e-12 else None,
        bonferroni=min(1.0, float(least) * observed.size),
        items=placed(observed),
        adjusted=None if drawn is None else placed(_step_down(drawn, observed)),
        smallest_expected=float(expected.min()),
        expected_under_5=int((expected < 5).sum()),
        cells=expected.size,
    )


def _permuted(
    left: np.ndarray,
    right: np.ndarray,
    pearson: Callable[[np.ndarray], np.ndarray],
    seed: int,
    resamples: int,
) -> np.ndarray:
    """Return the statistics (resamples, items) with respondents' ticks given to each other."""
    generator, step = np.random.default_rng(seed), max(1, AT_ONCE // right.size)
    found = []
    for done in range(0, resamples, step):
        people = np.tile(np.arange(len(right)), (min(step, resamples - done), 1))
        counts = left.T @ right[generator.permuted(people, axis=1)]  # whole numbers below 2**24
        found.append(pearson(counts.astype(float)).reshape(len(people), -1))
    return np.concatenate(found)


def _share_as_large(drawn: np.ndarray, observed: np.ndarray | float) -> np.ndarray:
    """Return p with the +1 of Phipson and Smyth (2010), ties to the last bits counted."""
    return np.asarray((1 + (drawn >= observed * (1 - 1e-12)).sum(axis=0)) / (1 + len(drawn)))


def _step_down(drawn: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return p of each item against the largest of its own and all lesser statistics drawn."""
    upwards = np.argsort(observed)
    largest = np.maximum.accumulate(drawn[:, upwards], axis=1)
    adjusted = np.empty(len(observed))
    shares = _share_as_large(largest, observed[upwards])
    adjusted[upwards] = np.maximum.accumulate(shares[::-1])[::-1]
    return adjusted
