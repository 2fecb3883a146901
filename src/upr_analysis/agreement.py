"""How far coders agree, on each code and on whole sets of codes, with intervals by the bootstrap.

Judgements are an array (coders, units): 1 where a coder gave a code to a unit, 0 where not, NaN
where that coder did not judge it. Each statistic is a function of sums over units, so that drawing
respondents again, with all their units, is one product of matrices, and expected agreement is
computed anew in every draw.

What is not defined, as kappa where nobody ever gave the code, is NaN and neither 1 nor 0. Sources:
Cohen (1960), Educational and Psychological Measurement 20, 37-46; Fleiss (1971), Psychological
Bulletin 76, 378-382; Cicchetti and Feinstein (1990), Journal of Clinical Epidemiology 43, 551-558;
Krippendorff (2011), Computing Krippendorff's alpha-reliability; Gwet (2008), British Journal of
Mathematical and Statistical Psychology 61, 29-48; Passonneau (2006), LREC (MASI).
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

FEWEST_POSITIVES: Final = 30  # judgements that give a code, below which it is not assessable
DRAWS: Final = 2_000
CONFIDENCE: Final = 0.95

Labels = Set[str]
Distance = Callable[[Labels, Labels], Fraction]


@dataclass(frozen=True)
class Estimate:
    """A statistic and its percentile interval; NaN where there is none."""

    value: float
    low: float = np.nan
    high: float = np.nan


def agreement(
    judgements: np.ndarray, respondents: Sequence[str], seed: int, draws: int = DRAWS
) -> dict[str, Estimate]:
    """Return the statistics of one code, by name; `respondents` (units,) say whose each unit is.

    Prevalence is that among all judgements; percent agreement and AC1 are of units judged twice or
    more; Cohen's kappa is of two coders, Fleiss's of units that all have judged. Without any
    disagreement there is no interval, since each draw would say the same.
    """
    units = _addends(judgements)
    point = _statistics({name: column.sum(keepdims=True) for name, column in units.items()})
    if not units["unlike"].any() or not draws:
        return {name: Estimate(float(values[0])) for name, values in point.items()}
    weights = _drawn_weights(respondents, seed, draws)
    drawn = _statistics({name: weights @ column for name, column in units.items()})
    return {name: _estimate(values[0], drawn[name]) for name, values in point.items()}


def _addends(judgements: np.ndarray) -> dict[str, np.ndarray]:
    """Return what each unit (units,) adds to the sums of which statistics are made."""
    given = np.nansum(judgements, axis=0)
    judged = (~np.isnan(judgements)).sum(axis=0).astype(float)
    paired = (judged > 1).astype(float)
    every = (judged == len(judgements)) * paired
    pairs = judged * (judged - 1)  # of coders, in order
    unlike = 2 * given * (judged - given)
    alike = paired * (1 - unlike / pairs.clip(1))
    one, two = np.nan_to_num(judgements) if len(judgements) == 2 else (given * np.nan,) * 2
    return {
        "judged": judged,
        "given": given,
        "units": paired,
        "alike": alike,
        "share": paired * given / judged.clip(1),
        "both": given * (given - 1),
        "neither": (judged - given) * (judged - given - 1),
        "unlike": unlike,
        # Krippendorff's coincidences: values, ones, and pairs that differ
        "values": paired * judged,
        "ones": paired * given,
        "coincidences": paired * unlike / (judged - 1).clip(1),
        "every": every,
        "every_alike": every * alike,
        "every_share": every * given / len(judgements),
        "first": every * one,
        "second": every * two,
    }


def _statistics(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return each statistic (draws,) of the sums (draws,)."""
    values, ones = sums["values"], sums["ones"]
    with np.errstate(divide="ignore", invalid="ignore"):
        share, alike = sums["share"] / sums["units"], sums["alike"] / sums["units"]
        every = sums["every_share"] / sums["every"]
        every_alike = sums["every_alike"] / sums["every"]
        first, second = sums["first"] / sums["every"], sums["second"] / sums["every"]
        found = {
            "prevalence": sums["given"] / sums["judged"],
            "percent_agreement": alike,
            "positive_agreement": sums["both"] / (sums["both"] + sums["unlike"] / 2),
            "negative_agreement": sums["neither"] / (sums["neither"] + sums["unlike"] / 2),
            "cohen_kappa": _beyond(every_alike, first * second + (1 - first) * (1 - second)),
            "fleiss_kappa": _beyond(every_alike, every**2 + (1 - every) ** 2),
            "krippendorff_alpha": 1
            - sums["coincidences"] * (values - 1) / (2 * ones * (values - ones)),
            "gwet_ac1": _beyond(alike, 2 * share * (1 - share)),
        }
    return {name: np.where(np.isfinite(those), those, np.nan) for name, those in found.items()}


def _beyond(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return np.asarray((observed - expected) / (1 - expected))


def set_alpha(
    labels: Sequence[Sequence[Labels | None]],
    distance: Distance,
    respondents: Sequence[str],
    seed: int,
    draws: int = DRAWS,
) -> Estimate:
    """Return Krippendorff's alpha of whole sets of codes, by a distance between sets.

    `labels` (coders, units) are the codes that each coder gave a unit, None where not judged.
    """
    kinds = sorted(
        {frozenset(one) for coder in labels for one in coder if one is not None}, key=sorted
    )
    number = {kind: place for place, kind in enumerate(kinds)}
    apart = np.array([[float(distance(one, other)) for other in kinds] for one in kinds])
    counts = np.zeros((len(respondents), len(kinds)))
    for coder in labels:
        for unit, one in enumerate(coder):
            if one is not None:
                counts[unit, number[frozenset(one)]] += 1
    judged = counts.sum(axis=1)
    counts[judged < 2] = 0
    observed = np.einsum("uk,kl,ul->u", counts, apart, counts) / (judged - 1).clip(1)

    def alpha(weights: np.ndarray) -> np.ndarray:
        of_kind = weights @ counts
        values = of_kind.sum(axis=1)
        expected = np.einsum("dk,kl,dl->d", of_kind, apart, of_kind) / (values - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 1 - (weights @ observed) / expected
        return np.where(np.isfinite(found), found, np.nan)

    point = alpha(np.ones((1, len(respondents))))[0]
    if not observed.any() or not draws:
        return Estimate(float(point))
    return _estimate(point, alpha(_drawn_weights(respondents, seed, draws)))


def jaccard(one: Labels, other: Labels) -> Fraction:
    """Return the Jaccard distance of two sets, 0 to 1; two empty ones are alike."""
    union = one | other
    return 1 - Fraction(len(one & other), len(union)) if union else Fraction(0)


def masi(one: Labels, other: Labels) -> Fraction:
    """Return the MASI distance of two sets: Jaccard's likeness times 1, 2/3, 1/3 or 0.

    1 where they are equal, 2/3 where one is in the other, 1/3 where they share something.
    """
    if one == other:
        return Fraction(0)
    contained = one <= other or other <= one
    return 1 - (1 - jaccard(one, other)) * (Fraction(2, 3) if contained else Fraction(1, 3))


def _drawn_weights(respondents: Sequence[str], seed: int, draws: int) -> np.ndarray:
    """Return how often each unit (draws, units) is drawn: as often as its respondent is."""
    names, of = np.unique(np.asarray(respondents, dtype=str), return_inverse=True)
    generator = np.random.default_rng(seed)
    times = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    return np.asarray(times[:, of], dtype=float)


def _estimate(point: float, drawn: np.ndarray) -> Estimate:
    """Return a statistic with the middle 95 percent of its draws, those undefined left out."""
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(point) or not len(defined):
        return Estimate(float(point))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(float(point), float(low), float(high))
