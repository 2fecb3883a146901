"""What follows from shares that may be published: differences, tests, effects, medians.

Everything here is computed from what is shown, never from a withheld count: what is withheld of a
table is joined to the rest of those who answered, and a table of which too little is left has no
test. Only the p of a select-all question knows more: how the ticks of shown items go together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency

from upr_analysis.crosstab import Groups, Items, crossings, has_item, memberships_of
from upr_analysis.estimates import NOT_STATED, OTHER_ANSWERS, estimate_id, estimates_frame
from upr_analysis.inference import (
    CONSTANT,
    adjust,
    adjusted_residuals,
    association,
    bias_corrected_v,
    without_empty,
)
from upr_analysis.intervals import difference_interval, v_interval
from upr_analysis.marginal_independence import (
    Independence,
    independence_of_pairs,
    independence_of_ticks,
)
from upr_analysis.ordered import median_of, ordinal_association, rank_differences, trend
from upr_analysis.questionnaire import Questionnaire

LEAST_BASE: Final = 10  # of either side of a difference: no percentage is given on fewer
BLANK: Final = "who left it blank is in the base, and said neither yes nor no"
MOST_PERMUTED: Final = 10_000  # respondents; beyond them p of ticks is of a distribution


@dataclass(frozen=True)
class Method:
    """How tests are made, by the run's parameters; the default of a self-selected sample.

    With `permute` every p says how often re-labelling the same respondents gives as much; with
    `corrected` V is corrected for the bias that sampling gives it.
    """

    statistic: str = "pearson"
    select_all: str = "permutation"
    adjustment: Literal["benjamini_hochberg", "holm"] = "benjamini_hochberg"
    permute: bool = True
    corrected: bool = True
    seed: int = 1
    resamples: int = 9_999


def method_of(
    sample: str, statistic: str, select_all: str, adjustment: str, seed: int, resamples: int
) -> Method:
    """Return how tests are made of a sample, by the run's parameters.

    Of respondents drawn at random p is of a distribution where that can be trusted.
    """
    return Method(
        statistic,
        select_all,
        adjustment,  # type: ignore[arg-type]
        sample != "probability",
        sample != "census",
        seed,
        resamples,
    )


@dataclass(frozen=True)
class Shown:
    """What is shown of a question by a grouping, as a table of people.

    `counts` (groups, columns) are of the `groups` of which anything is shown. For an exclusive
    question columns are the items shown in each of these and, last, all others together, if there
    are any (`merged`); for a select-all question the items shown in each, of `bases` (groups,).
    """

    groups: tuple[str, ...]
    items: tuple[str, ...]
    counts: np.ndarray
    bases: np.ndarray
    merged: bool


def shown_table(rows: pd.DataFrame, exclusive: bool, overlapping: bool = False) -> Shown:
    """Return what is shown of a crossed table, given its rows of shares.

    Where groups overlap, how many in all are in any follows only from those who are not stated, so
    that an item has to be shown of these too.
    """
    wide = rows.pivot(index="group", columns="item", values="n")
    if overlapping and NOT_STATED in wide.index:
        wide.loc[:, wide.loc[NOT_STATED].isna()] = pd.NA
    order = [group for group in dict.fromkeys(rows["group"]) if group != NOT_STATED]
    wide = wide.loc[order, list(dict.fromkeys(rows["item"]))].dropna(how="all")
    bases = rows.drop_duplicates("group").set_index("group")["base"][wide.index].to_numpy(int)
    whole = wide.dropna(axis="columns")
    counts, merged = whole.to_numpy(dtype=np.int64), False
    if exclusive and len(bases):
        rest = bases - counts.sum(axis=1)
        merged = bool(rest.any())
        counts = np.column_stack([counts, rest]) if merged else counts
    return Shown(tuple(wide.index), tuple(whole.columns), counts, bases, merged)


def differences(shares: pd.DataFrame) -> pd.DataFrame:
    """Return how far each group's share is from that of all others of whom the group is known.

    In percentage points, with Newcombe's interval. None where the group or the others are fewer
    than LEAST_BASE, for those not stated, and where a number is withheld that it would tell.
    """
    totals = shares[shares["group_by"] == ""].set_index(["question", "item"])[["n", "base"]]
    totals = totals.add_suffix("_all")
    rows = shares[(shares["group_by"] != "") & (shares["group"] != NOT_STATED)]
    rows = rows.join(totals, on=["question", "item"])
    cell = ["question", "item", "group_by"]
    unstated = shares[shares["group"] == NOT_STATED].set_index(cell)[["n", "base"]]
    unstated = unstated.add_suffix("_unstated").assign(is_any=True)
    rows = rows.join(unstated, on=cell)
    for name in ("n", "base"):
        there = rows["is_any"].fillna(False).astype(bool)
        rows[f"{name}_all"] -= rows[f"{name}_unstated"].where(there, 0)
    rows = rows.dropna(subset=["n", "n_all"])
    n, base = rows["n"].to_numpy(int), rows["base"].to_numpy(int)
    others, others_base = rows["n_all"].to_numpy(int) - n, rows["base_all"].to_numpy(int) - base
    enough = (base >= LEAST_BASE) & (others_base >= LEAST_BASE)
    rows, n, base = rows[enough], n[enough], base[enough]
    others, others_base = others[enough], others_base[enough]
    low, high = difference_interval(n, base, others, others_base)
    value = 100 * (n / base - others / others_base)
    return beside(rows, "difference", value, low=low, high=high, method="Newcombe")


def beside(rows: pd.DataFrame, measure: str, value: object, **columns: object) -> pd.DataFrame:
    """Return rows of another measure about the same cells."""
    kept = ["table", "question", "item", "group_by", "group", "filter", "base_kind", "base"]
    same = {name: rows[name].tolist() for name in [*kept, "source", "weighted"]}
    ids = [f"{one}.{measure}" for one in rows["id"]]
    return estimates_frame(
        {"id": ids, "measure": measure, "value": value} | same | columns, len(rows)
    )


def associations(
    shares: pd.DataFrame,
    planned: Iterable[tuple[Items, Groups]],
    questionnaire: Questionnaire,
    method: Method,
) -> pd.DataFrame:
    """Return a test a planned table, its effect and its residuals, from what is shown of it.

    The family of a test is all tests that were `planned` of its grouping: those that cannot be
    made, or are withheld, count in it too, so that no filter changes it.
    """
    planned = list(planned)
    tables = {str(name): rows for name, rows in shares.groupby("table", sort=False)}
    found = list[pd.DataFrame]()
    for items, groups in planned:
        table = estimate_id(items.question, group_by=groups.name)
        if table in tables:
            order = _order(items.question, questionnaire)
            found += _association(tables[table], items, groups, order, questionnaire, method)
    if not found:
        return estimates_frame({}, 0)
    rows = pd.concat(found, ignore_index=True)
    for name, own in rows[rows["measure"] == "test"].groupby("group_by"):
        size = sum(groups.name == name for _, groups in planned)
        p = own["p"].to_numpy(dtype=float, na_value=np.nan)
        adjusted = adjust(p, method.adjustment, size)
        rows.loc[own.index, "p_adjusted"] = pd.array(adjusted, dtype="Float64")
        made = own.index[own["p"].notna()]
        rows.loc[made, "method"] += f"; adjusted by {method.adjustment} in {size}"
    return rows


def _order(name: str, questionnaire: Questionnaire) -> tuple[str, ...]:
    """Return the items of an ordered question in their order, without those of no opinion."""
    asked = {one.name: one for one in questionnaire.closed_questions}.get(name)
    if asked is None or not asked.ordered or asked.kind != "select_one":
        return ()
    return tuple(one.name for one in questionnaire.options(asked) if one.role != "no_opinion")


def _association(
    rows: pd.DataFrame,
    items: Items,
    groups: Groups,
    order: tuple[str, ...],
    questionnaire: Questionnaire,
    method: Method,
) -> list[pd.DataFrame]:
    """Return the test, the effect and the residuals of one table."""
    shown = shown_table(rows, items.exclusive, groups.overlapping)
    if len(shown.groups) < 2 or shown.counts.shape[1] < 1 + items.exclusive:
        withheld = bool(rows["n"].isna().any())
        return [
            about_table(rows, "test", 0, "" if withheld else f"undefined: {CONSTANT}", withheld)
        ]
    if not items.exclusive or groups.overlapping:
        return _by_ticks(rows, shown, items, groups, method)
    draws = method.seed, method.resamples
    stages = () if groups.declared else _order(groups.of, questionnaire)
    if order and set(order) <= set(shown.items):
        ranked = shown.counts[:, [shown.items.index(item) for item in order]]
        if set(shown.groups) <= set(stages):
            found = ordinal_association(ranked, *draws)
        elif len(ranked) == 2:
            found = trend(ranked, *draws)
        else:
            found = rank_differences(ranked, *draws)
        shown = replace(shown, items=order, counts=ranked, merged=False)
        rows = rows.assign(base_kind="eligible")  # without those of no opinion
    elif stages and set(shown.groups) <= set(stages):
        turned = shown.counts.T
        found = (trend if len(turned) == 2 else rank_differences)(turned, *draws)
    else:
        statistic, _, corrected = method.statistic.partition("_")
        found = association(
            shown.counts,
            *draws,
            statistic=statistic,  # type: ignore[arg-type]
            yates=bool(corrected),
            permute=method.permute,
        )
    base = int(shown.counts.sum())
    if found.reason:
        return [about_table(rows, "test", base, f"undefined: {found.reason}")]
    said = (
        found.method + _error(found.p_error) + _expected(found.below_5, found.cells, found.smallest)
    )
    said += "; others joined" * shown.merged
    test = about_table(rows, "test", base, said, value=found.statistic, p=found.p)
    ends = v_interval(shown.counts)
    told = "bias-corrected Cramér's V" if method.corrected else "Cramér's V"
    told += "" if ends.low is None else f"; interval by {ends.method}"
    v = _v(shown.counts, method.corrected)
    effect = about_table(rows, "effect", base, told, value=v, low=ends.low, high=ends.high)
    residuals = adjusted_residuals(shown.counts)[:, : len(shown.items)]
    return [test, effect, _residuals(rows, shown, residuals)]


def _v(counts: np.ndarray, corrected: bool) -> float | None:
    table = without_empty(counts)
    if min(table.shape) < 2:
        return None
    pearson = float(chi2_contingency(table, correction=False).statistic)
    if corrected:
        return bias_corrected_v(pearson, int(table.sum()), *table.shape)
    return float(np.sqrt(pearson / table.sum() / (min(table.shape) - 1)))


def _by_ticks(
    rows: pd.DataFrame, shown: Shown, items: Items, groups: Groups, method: Method
) -> list[pd.DataFrame]:
    """Return the test of a table in which somebody may tick several items, or be in several groups.

    A single choice by overlapping groups is tested as these groups by the choice: who chose what
    is then one group each, and the groups are what is ticked.
    """
    if items.base_kind == "asked" and not items.exclusive:
        return [about_table(rows, "test", 0, f"undefined: {BLANK}")]
    size = len(items.values)
    # to be in none of overlapping groups is no group of its own
    own = [one for one in shown.groups if one != OTHER_ANSWERS or not groups.overlapping]
    members = memberships_of(groups, own, size)
    inside = items.answered & members.any(axis=1)
    if groups.overlapping:  # who is known to be in none of them counts too
        unstated = [name for name in groups.names if name == NOT_STATED]
        inside = items.answered & ~memberships_of(groups, unstated, size).any(axis=1)
    members = members[inside]
    ticks = np.column_stack([has_item(items, items.names.index(one)) for one in shown.items])
    ticks = ticks[inside]
    wanted = method.select_all
    if wanted == "permutation" and len(ticks) > MOST_PERMUTED:
        wanted = "rao_scott_2"
    resamples = method.resamples if wanted == "permutation" else 0
    draws = method.seed, resamples
    if items.exclusive:
        answer = np.where(ticks.any(axis=1), ticks.argmax(axis=1), ticks.shape[1])
        found, kind = independence_of_ticks(answer, members, *draws), "MMI"
    elif groups.overlapping:
        found, kind = independence_of_pairs(ticks, members, *draws), "SPMI"
    else:
        found, kind = independence_of_ticks(members.argmax(axis=1), ticks, *draws), "MMI"
    base = len(ticks)
    if found.reason:
        return [about_table(rows, "test", base, f"undefined: {found.reason}")]
    p, how = _chosen(found, wanted, resamples)
    said = f"modified Pearson ({kind}) {how}"
    said += _expected(found.expected_under_5, found.cells, found.smallest_expected)
    said += "; others joined" * shown.merged
    # rounded, since of all here it alone tells of more than what is shown
    p = None if p is None else max(round(p, 3), 0.001)
    tests = [about_table(rows, "test", base, said, value=found.statistic, p=p)]
    if not groups.overlapping and not items.exclusive:
        # of each item alone, ticked and not, by group
        apart = np.stack(
            [
                adjusted_residuals(np.column_stack([ticked, shown.bases - ticked]))[:, 0]
                for ticked in shown.counts.T
            ],
            axis=1,
        )
        tests.append(_residuals(rows, shown, apart))
    return tests


def _chosen(found: Independence, wanted: str, resamples: int) -> tuple[float | None, str]:
    """Return the p that was asked for of a test of ticks, and how it came about."""
    if wanted == "permutation":
        error = None if found.p is None else np.sqrt(found.p * (1 - found.p) / resamples)
        return found.p, f"over {resamples} permutations" + _error(error)
    if wanted == "bonferroni":
        return found.bonferroni, "by Bonferroni"
    if wanted == "rao_scott_1" or found.second_order is None:
        return found.first_order.p if found.first_order else None, "by first-order Rao-Scott"
    return found.second_order.p, "by second-order Rao-Scott"


def _error(of_p: float | None) -> str:
    """Return the Monte Carlo standard error of a p, where tables were drawn."""
    return "" if of_p is None else f"; error of p {of_p:.4f}"


def _expected(few: int | None, cells: int | None, smallest: float | None) -> str:
    if few is None or smallest is None:
        return ""
    return f"; {few} of {cells} expected counts below 5, smallest {smallest:.1f}"


def about_table(
    rows: pd.DataFrame,
    measure: str,
    base: int,
    method: str,
    suppressed: bool = False,
    **numbers: float | None,
) -> pd.DataFrame:
    """Return one row about a whole table."""
    first = rows.iloc[0]
    same = {name: first[name] for name in ("question", "group_by", "filter", "base_kind", "source")}
    own = {
        "id": f"{first['table']}.{measure}",
        "table": first["table"],
        "measure": measure,
        "base": base if base else None,
        "method": method,
        "suppressed": bool(suppressed),
    }
    return estimates_frame({**same, **own, **numbers}, 1)


def _residuals(rows: pd.DataFrame, shown: Shown, values: np.ndarray) -> pd.DataFrame:
    """Return the adjusted residuals (groups, items) that are defined, as rows."""
    cells = rows[rows["group"].isin(shown.groups) & rows["item"].isin(shown.items)]
    place = [shown.groups.index(group) for group in cells["group"]]
    found = values[place, [shown.items.index(item) for item in cells["item"]]]
    defined = ~np.isnan(found)
    return beside(cells[defined], "residual", found[defined], method="Haberman")


def medians(shares: pd.DataFrame, items: Iterable[Items], q: Questionnaire) -> pd.DataFrame:
    """Return the middle answer of each ordered question, of all and by group, where all is shown.

    `item` is the option in the middle, the first of two where it falls between them (`method` then
    names both), and `value` its place, from 1 for the first option; `low` and `high` are the places
    between which it lies.
    """
    found = [estimates_frame({}, 0)]
    for one in items:
        if not (order := _order(one.question, q)):
            continue
        own = shares[shares["question"] == one.question]
        for _, column in own.groupby(["group_by", "group"], sort=False):
            told = column.set_index("item")["n"].reindex(list(order))
            if told.isna().any() or told.sum() < LEAST_BASE:
                continue
            counts = told.to_numpy(dtype=np.int64)
            middle = median_of(counts[None])[0]
            # the answers of the two in the middle, where their number is even
            places = [(counts.sum() - 1) // 2, counts.sum() // 2]
            first, second = np.searchsorted(counts.cumsum(), places, side="right")
            row = beside(
                column[column["item"] == order[first]],
                "median",
                1 + (first + second) / 2,
                low=None if middle.low is None else 1 + middle.low,
                high=None if middle.high is None else 1 + middle.high,
                method=f"between {order[first]} and {order[second]}; " * bool(first != second)
                + middle.method,
            )
            row["base"] = pd.array([int(counts.sum())], dtype="Int64")
            found.append(row.assign(base_kind="eligible"))
    return pd.concat(found, ignore_index=True)


def number_medians(
    respondents: pd.DataFrame,
    questionnaire: Questionnaire,
    source: str,
    where: Sequence[str],
    least: int,
) -> pd.DataFrame:
    """Return the median of each question that is answered by a number, of all who answered.

    None of fewer than `least`. A median, and either end of its interval, is what somebody
    answered, so that of a survey (`least` above 0) each is rounded to two significant digits, and
    none is given by group.
    """
    found = [estimates_frame({}, 0)]
    for question in questionnaire.survey:
        if question.kind not in ("integer", "decimal") or question.role is not None:
            continue
        numbers = np.sort(respondents[question.name].dropna().to_numpy(dtype=float))
        if len(numbers) < max(least, 1):
            continue
        values, counts = np.unique(numbers, return_counts=True)
        middle = median_of(counts[None], values.tolist())[0]
        told = {name: getattr(middle, name) for name in ("value", "low", "high")}
        if least:
            told = {name: None if x is None else float(f"{x:.2g}") for name, x in told.items()}
        same = {"table": question.name, "question": question.name, "measure": "median"}
        about = {"filter": " & ".join(where), "base_kind": "answered", "base": len(numbers)}
        told |= {"id": f"{question.name}.median", "method": middle.method, "source": source}
        found.append(estimates_frame(same | about | told, 1))
    return pd.concat(found, ignore_index=True)


def shares_of_responses(shares: pd.DataFrame, exclusive: Iterable[str]) -> pd.DataFrame:
    """Return the shares of all options chosen, of select-all questions of which all is shown."""
    rows = shares[(shares["group_by"] == "") & ~shares["question"].isin(list(exclusive))]
    rows = rows[rows.groupby("question")["n"].transform(lambda n: n.notna().all())]
    chosen = rows.groupby("question")["n"].transform("sum")
    rows, chosen = rows[chosen > 0], chosen[chosen > 0]
    told = beside(
        rows, "share_of_responses", (100 * rows["n"] / chosen).tolist(), n=rows["n"].tolist()
    )
    return told.assign(base=chosen.to_numpy(), base_kind="responses")


def derive(
    shares: pd.DataFrame,
    items: Iterable[Items],
    groups: Sequence[Groups],
    questionnaire: Questionnaire,
    method: Method,
    sample: str,
    of_responses: bool = False,
) -> pd.DataFrame:
    """Return shares that may be published with all that follows from them.

    `shares` may hold other estimates, which stay. `items` are those that were planned, also what
    was left out since. Of a census there is no test and no interval: its differences are what they
    are.
    """
    items, census = list(items), sample == "census"
    others, shares = (shares[(shares["measure"] == "share") == kind] for kind in (False, True))
    if census:
        method = replace(method, select_all="rao_scott_2", permute=False)  # of which none is shown
    planned = crossings(items, groups)
    found = [
        shares,
        differences(shares),
        associations(shares, planned, questionnaire, method),
        medians(shares, items, questionnaire),
        others,
    ]
    if of_responses:
        exclusive = [one.question for one in items if one.exclusive]
        found.append(shares_of_responses(shares, exclusive))
    estimates = pd.concat(found, ignore_index=True)
    if census:
        inference = ["test", "residual", "weighted_test"]
        estimates = estimates[~estimates["measure"].isin(inference)]
        estimates = estimates.reset_index(drop=True)
        estimates[["low", "high"]] = pd.NA
        estimates["method"] = estimates["method"].where(estimates["measure"] == "effect", "")
        estimates["method"] = estimates["method"].str.partition(";")[0]
    return estimates
