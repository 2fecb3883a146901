"""The published report beside our numbers: reported, ours, and what may be said of the two."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from upr_analysis.recommendations import Published, Report

Verdict = Literal["built_to_agree", "agrees", "differs", "cannot_be_checked", "withheld"]


@dataclass(frozen=True)
class Comparison:
    """A published figure or claim, our number for it (percent, or a count) and the verdict."""

    published: Published
    ours: float | None
    base: int | None
    verdict: Verdict


def compare_with_report(
    report: Report, estimates: pd.DataFrame, kept: int, invented: bool
) -> list[Comparison]:
    """Compare each published figure with the estimates that it names.

    `kept` is the number of valid respondents. On invented data every figure reads "built to
    agree", since it agrees by construction; one that does not is an error of the simulator and
    reads "differs". A claim in words cannot be checked exactly, whatever our number is.
    """
    return [_compare(one, estimates, kept, invented) for one in report.published]


def _compare(one: Published, estimates: pd.DataFrame, kept: int, invented: bool) -> Comparison:
    if one.unit == "count":
        ours: float | None = float(kept)
        base = None
    else:
        rows = estimates[estimates["id"].isin(one.estimates)]
        whole = len(rows) == len(one.estimates) and bool(rows["n"].notna().all())
        base = int(rows["base"].iloc[0]) if len(rows) else None
        ours = 100 * float(rows["n"].sum()) / base if whole and base else None
    if ours is None:
        return Comparison(one, None, base, "withheld")
    if one.at_least is None and one.at_most is None:
        return Comparison(one, ours, base, "built_to_agree" if invented else "cannot_be_checked")
    lowest = one.at_least if one.at_least is not None else float("-inf")
    highest = one.at_most if one.at_most is not None else float("inf")
    if not lowest <= ours <= highest:
        return Comparison(one, ours, base, "differs")
    return Comparison(one, ours, base, "built_to_agree" if invented else "agrees")
