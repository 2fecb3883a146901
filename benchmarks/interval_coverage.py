"""How often 95 % intervals hold the true value: of shares, of differences, and of Cramér's V.

Of shares and differences exactly, by going through all outcomes. Of V by simulated tables of 123
people with uneven margins, in which some share of people is placed as alike as the margins let
them: `given` is how many get an interval (`v_interval` gives none of a sparse table), then how many
of these hold the true V, by it and without its scaling; then of all tables without scaling; then,
of the first 2,000, by the percentile bootstrap of the uncorrected V.
"""

from collections.abc import Iterator

import numpy as np
from scipy import special, stats

from upr_analysis.intervals import TAIL, difference_interval, share_intervals, v_interval

PEOPLE, REPLICATIONS, BOOTSTRAPPED, DRAWS = 123, 5_000, 2_000, 499
MARGINS = {
    "2 x 2": ([0.62, 0.38], [0.7, 0.3]),
    "2 x 2 uneven": ([0.8, 0.2], [0.8, 0.2]),
    "2 x 4": ([0.62, 0.38], [0.4, 0.3, 0.2, 0.1]),
    "3 x 3": ([0.5, 0.3, 0.2], [0.5, 0.3, 0.2]),
    "4 x 3": ([0.4, 0.3, 0.2, 0.1], [0.5, 0.3, 0.2]),
    "4 x 3 uneven": ([0.4, 0.3, 0.2, 0.1], [0.7, 0.2, 0.1]),
    "7 x 4": ([0.28, 0.22, 0.16, 0.12, 0.1, 0.07, 0.05], [0.4, 0.3, 0.2, 0.1]),
}
TRUE_V = (0.0, 0.1, 0.2, 0.3, 0.5)


def alike(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the joint shares with these margins in which both are of the same rank."""
    reached = np.minimum.outer(np.cumsum(rows), np.cumsum(columns))
    return np.diff(np.diff(reached, axis=0, prepend=0), axis=1, prepend=0)


def plain_v(tables: np.ndarray) -> np.ndarray:
    """Return the uncorrected V of tables (m, r, c), empty rows and columns left out."""
    rows, columns = tables.sum(axis=2, keepdims=True), tables.sum(axis=1, keepdims=True)
    phi2 = (tables**2 / (rows * columns).clip(1)).sum(axis=(1, 2)) - 1
    smaller = np.minimum((rows > 0).sum(axis=(1, 2)), (columns > 0).sum(axis=(1, 2))) - 1
    return np.sqrt(phi2.clip(0) / smaller.clip(1))


def unscaled(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the intervals of V by the noncentral chi-square as it is."""
    degrees, smaller = (tables.shape[1] - 1) * (tables.shape[2] - 1), min(tables.shape[1:]) - 1
    statistic = PEOPLE * smaller * plain_v(tables) ** 2
    ends = []
    for p in (1 - TAIL, TAIL):
        inverse = special.chndtrinc(statistic, degrees, p)
        noncentrality = np.where(special.chdtr(degrees, statistic) > p, inverse, 0)
        ends.append(np.sqrt(noncentrality / PEOPLE / smaller).clip(max=1))
    return ends[0], ends[1]


def bootstrap(table: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return the middle 95 % of the uncorrected V of people drawn again."""
    drawn = draw.multinomial(PEOPLE, table.ravel() / PEOPLE, DRAWS).reshape(-1, *table.shape)
    return np.quantile(plain_v(drawn), [TAIL, 1 - TAIL])


def rate(held: np.ndarray) -> str:
    """Return a share of replications in percent, with its standard error."""
    if len(held) < 100:
        return f"{'-':>11}"
    return f"{100 * held.mean():5.1f} ±{100 * held.std() / np.sqrt(len(held)):3.1f} "


def of_v(draw: np.random.Generator) -> Iterator[str]:
    """Yield a line for each table and true V that its margins let be."""
    for name, margins in MARGINS.items():
        rows, columns = map(np.array, margins)
        apart, together = np.outer(rows, columns), alike(rows, columns)
        furthest = plain_v(1e9 * together[None])[0]
        for v in TRUE_V:
            shares = apart + (together - apart) * v / furthest
            tables = draw.multinomial(PEOPLE, shares.ravel(), REPLICATIONS)
            tables = tables.reshape(-1, *shares.shape)
            found = [v_interval(table) for table in tables]
            given = np.array([not one.reason for one in found])
            held = np.array([one.low <= v <= one.high for one in found if not one.reason])
            low, high = unscaled(tables)
            plain = (low <= v) & (v <= high)
            again = np.array([bootstrap(table, draw) for table in tables[:BOOTSTRAPPED]])
            drawn = (again[:, 0] <= v) & (v <= again[:, 1])
            cells = rate(given), rate(held), rate(plain[given]), rate(plain), rate(drawn)
            yield f"{name:14}{v:4.1f}  {'  '.join(cells)}"


def of_shares() -> Iterator[str]:
    """Yield a line for each base and true share; differences are from a share .2 higher."""
    for size, first in ((20, 12), (123, 80)):
        counts = np.arange(size + 1)
        for share in (0.05, 0.1, 0.3, 0.5):
            cells = list[float]()
            for method in ("wilson", "clopper_pearson"):
                low, high = share_intervals(counts, np.full(size + 1, size), method)
                held = (low <= 100 * share) & (100 * share <= high)
                cells.append(stats.binom.pmf(counts, size, share) @ held)
            one, other = np.mgrid[: first + 1, : size - first + 1]
            sizes = np.full(one.shape, first), np.full(one.shape, size - first)
            low, high = difference_interval(one, sizes[0], other, sizes[1])
            for further in (0.0, 0.2):
                held = (low <= -100 * further) & (-100 * further <= high)
                weight = stats.binom.pmf(one, first, share)
                weight = weight * stats.binom.pmf(other, size - first, share + further)
                cells.append(float((weight * held).sum()))
            yield f"{size:4}{share:6.2f}  " + "".join(f"{100 * cell:17.1f}" for cell in cells)


def main() -> None:
    """Print both tables."""
    heads = ("Wilson", "Clopper-Pearson", "Newcombe, equal", "Newcombe, .2")
    print("   n share  " + "".join(f"{head:>17}" for head in heads))
    print(*of_shares(), sep="\n")
    print("\ntable            V     given        holds       unscaled     all, unscaled  bootstrap")
    for line in of_v(np.random.default_rng(20_260_101)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
