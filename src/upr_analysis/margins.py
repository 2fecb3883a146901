"""Whom the respondents stand for: who was invited, or a population, by group; `margins.yml`.

of: invited            # or population
source: mailing list of 1 June 2021
total: 210
margins:
  region: {africa: 60, asia: 50, americas: 40, europe: 60}
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from upr_analysis.crosstab import Groups, Items, everyone, grouped, has_item
from upr_analysis.derivations import about_table, beside
from upr_analysis.documents import Strict, read_model
from upr_analysis.estimates import NOT_STATED, estimates_frame
from upr_analysis.exhibits import WITHHELD, Note, Table
from upr_analysis.inference import adjust
from upr_analysis.labels import Labels
from upr_analysis.problems import InputError, did_you_mean
from upr_analysis.questionnaire import Questionnaire
from upr_analysis.tables import captioned, notes
from upr_analysis.weighting import (
    Margin,
    Weights,
    design_effect,
    effective_n,
    rake,
    rao_scott,
    weighted_shares,
)

FILE: Final = "margins.yml"
Count = Annotated[float, Field(ge=0)]


class Margins(Strict):
    """How many were invited, or are in the population: in all, and by groups of groupings."""

    of: Literal["invited", "population"]
    source: str
    total: Annotated[int, Field(ge=1)] | None = None
    margins: dict[str, dict[str, Count]] = {}


def read_margins(folder: Path, questionnaire: Questionnaire) -> Margins | None:
    """Read a consultation's margins; None without a file, InputError with all problems."""
    path = folder / FILE
    if not path.exists():
        return None
    margins = read_model(path, Margins)
    problems = list[str]()
    for name, counts in margins.margins.items():
        try:
            groups = [group.name for group in questionnaire.grouping(name).groups]
        except InputError as error:
            problems += [f"{path}: {problem}" for problem in error.problems]
            continue
        problems += [
            f"{path}: {name} has no group {group!r}{did_you_mean(group, groups)}"
            for group in counts
            if group not in groups
        ]
        problems += [
            f"{path}: {name} lacks the group {group!r}: say how many, 0 if none."
            for group in groups
            if group not in counts
        ]
    apart = {
        name: sum(counts.values())
        for name, counts in margins.margins.items()
        if not problems
        and questionnaire.grouping(name).scheme in ("option", "language")
        and questionnaire.question(questionnaire.grouping(name).by).kind != "select_multiple"
    }
    totals = apart | ({"total": margins.total} if margins.total else {})
    if totals and max(totals.values()) > 1.02 * min(totals.values()):
        told = ", ".join(f"{name} {size:g}" for name, size in totals.items())
        problems.append(f"{path}: margins and total are of the same people, but add up to {told}.")
    if problems:
        raise InputError(problems)
    return margins


def weigh(
    respondents: pd.DataFrame,
    memberships: pd.DataFrame,
    questionnaire: Questionnaire,
    margins: Margins | None,
    kind: str,
    trim: float,
) -> Weights | None:
    """Return each respondent's weight: as `given` by the export, or `raked` to the margins.

    Raking begins with the weights that are given, if there are any. None without weights.
    InputError where there is nothing to weigh by, or a respondent of a margin may be in several of
    its groups.
    """
    if kind == "none":
        return None
    given = respondents["weight"].to_numpy(dtype=float) if "weight" in respondents else None
    if kind == "given":
        if given is None:
            raise InputError(
                "weights: given, but no question has the role weight: give the export's column of "
                "weights that role, or set weights: raked."
            )
        everybody = Margin("all", ("all",), np.ones(1), np.zeros(len(given), dtype=np.int64))
        return rake([everybody], given, trim or None)
    if margins is None or not margins.margins:
        raise InputError(
            f"weights: raked, but {FILE} holds no margins: write there whom the respondents stand "
            "for, by group."
        )
    groups = grouped(respondents, memberships, questionnaire, list(margins.margins))
    if several := [one.name for one in groups if one.overlapping]:
        raise InputError(
            f"{FILE}: respondents may be in several groups of {', '.join(several)}, to which no "
            "weights can be raked: take the margin out."
        )
    return rake([_margin(one, margins) for one in groups], given, trim or None)


def _margin(groups: Groups, margins: Margins) -> Margin:
    targets = margins.margins[groups.name]
    names = tuple(name for name in groups.names if name != NOT_STATED)
    code = np.full(len(np.unique(groups.people)), -1)
    code[groups.people] = np.where(groups.codes < len(names), groups.codes, -1)
    return Margin(groups.name, names, np.array([targets[name] for name in names]), code)


def weighted_estimates(
    public: pd.DataFrame,
    items: Iterable[Items],
    groups: Sequence[Groups],
    weights: np.ndarray,
    margins: Margins | None,
    adjustment: Literal["benjamini_hochberg", "holm"],
    given: bool,
    everything: bool,
) -> pd.DataFrame:
    """Return weighted shares and tests beside the shares that are `public`.

    Tests are of single choices by groups that do not overlap, a family a grouping. A weighted
    number is one more equation on the counts that it is made of. So, but of a public record
    (`everything`), only those are given that follow from what is printed anyway: made by one
    margin alone, overall or by that margin, of items crossed by it of which nothing is withheld.
    """
    planned_items = list(items)
    counted, by = {one.question: one for one in planned_items}, {one.name: one for one in groups}
    shares = public[public["measure"] == "share"]
    found = [estimates_frame({}, 0)]
    following = list(margins.margins) if margins and not given else []
    for (question, name), rows in shares.groupby(["question", "group_by"], sort=False):
        if not everything and (len(following) != 1 or name not in ("", following[0])):
            continue
        if str(question) not in counted or not counted[str(question)].crossed:
            continue
        one, grouping = counted[str(question)], by.get(str(name)) or everyone(len(weights))
        chosen = np.column_stack([has_item(one, place) for place in range(len(one.names))])
        inside = np.zeros((len(weights), len(grouping.names)), dtype=bool)
        inside[grouping.people, grouping.codes] = True
        told = weighted_shares(
            chosen & one.answered[:, None], inside & one.answered[:, None], weights
        )
        is_open = rows["item"].isin(_open(shares, str(question), following)) | everything
        columns = {
            which: getattr(told, which).ravel()[is_open] for which in ("values", "low", "high")
        }
        found.append(
            beside(
                rows[is_open],
                "weighted_share",
                columns.pop("values"),
                n=rows.loc[is_open, "n"].tolist(),
                method="Korn-Graubard",
                **columns,
            )
        )
        if name and one.exclusive and not grouping.overlapping and is_open.all():
            found.append(_weighted_test(rows, one, grouping, weights))
    rows = pd.concat(found, ignore_index=True).assign(weighted=True)
    for name, own in rows[rows["measure"] == "weighted_test"].groupby("group_by"):
        of = by[str(name)].of
        planned = sum(one.exclusive and one.crossed and one.question != of for one in planned_items)
        p = own["p"].to_numpy(dtype=float, na_value=np.nan)
        rows.loc[own.index, "p_adjusted"] = pd.array(
            adjust(p, adjustment, planned), dtype="Float64"
        )
    return rows


def _open(shares: pd.DataFrame, question: str, margins: Collection[str]) -> set[str]:
    """Return the items of a question that are crossed by all margins, nothing of them withheld."""
    own = shares[shares["question"] == question]
    return {
        str(item)
        for item, rows in own.groupby("item")
        if rows["n"].notna().all() and set(margins) <= set(rows["group_by"])
    }


def _weighted_test(
    rows: pd.DataFrame, items: Items, groups: Groups, weights: np.ndarray
) -> pd.DataFrame:
    stated = np.array([name != NOT_STATED for name in groups.names])
    group = np.full(len(weights), -1)
    group[groups.people] = np.where(stated[groups.codes], groups.codes, -1)
    found = rao_scott(group, np.where(items.answered, items.values, -1), weights)
    if found.degrees is None:
        said = f"undefined: {found.reason}"
    else:
        said = f"second-order Rao-Scott F on {found.degrees[0]:.2f} and {found.degrees[1]:.2f}"
    known = int(((group >= 0) & items.answered).sum())
    return about_table(rows, "weighted_test", known, said, value=found.statistic, p=found.p)


def response_rates(
    margins: Margins, answered: int, groups: Sequence[Groups], least: int
) -> pd.DataFrame:
    """Return who was invited and who answered, in all and by group: grouping, group, both counts.

    `answered` is the number of respondents who are kept. A group of fewer than `least` respondents
    is withheld, and with it its grouping, since the rest would give it back.
    """
    rows = list[tuple[str, str, float | None, int | None]]()
    rows.append(("", "", margins.total, answered))
    for one in groups:
        invited = margins.margins.get(one.name)
        if invited is None:
            continue
        sizes = dict(
            zip(one.names, np.bincount(one.codes, minlength=len(one.names)).tolist(), strict=True)
        )
        hidden = any(0 < size < least for size in sizes.values())
        rows += [
            (one.name, group, invited[group], None if hidden else sizes[group])
            for group in one.names
            if group != NOT_STATED
        ]
    frame = pd.DataFrame(rows, columns=["grouping", "group", "invited", "answered"])
    return frame.astype({"invited": "Float64", "answered": "Int64"})


def respond(
    margins: Margins | None,
    weighed: Weights | None,
    kind: str,
    respondents: pd.DataFrame,
    memberships: pd.DataFrame,
    labels: Labels,
    least: int,
) -> list[Table | Note]:
    """Return who was invited and who answered, and how respondents are weighted; a note if not.

    `respondents` are all who are kept, also where only some are counted; `kind` is how they are
    weighted. What describes the weights is shown where `least` is 0, or where they were made by one
    margin of which each group is of so many.
    """
    shown: list[Table | Note] = []
    if margins is not None and margins.of == "invited":
        groups = grouped(respondents, memberships, labels.questionnaire, list(margins.margins))
        shown.append(
            _rates_table(response_rates(margins, len(respondents), groups, least), margins, labels)
        )
    if weighed is None:
        return [*shown, Note(labels.say("weights.none"))]
    made_by = list(margins.margins) if margins and kind == "raked" else []
    groups = grouped(respondents, memberships, labels.questionnaire, made_by)
    small = any((np.bincount(one.codes) < least).any() for one in groups)
    if least and (small or len(made_by) != 1 or "weight" in respondents):
        return [*shown, Note(labels.say("weights.hidden"))]
    told = [
        (
            "range",
            f"{labels.number(weighed.smallest, 2)}\N{EN DASH}{labels.number(weighed.largest, 2)}",
        ),
        ("trimmed", labels.number(weighed.trimmed)),
        ("effect", labels.number(design_effect(weighed.values), 2)),
        ("effective", labels.number(effective_n(weighed.values), 0)),
    ]
    frame = pd.DataFrame(
        [(labels.say(f"weights.{name}"), value) for name, value in told],
        columns=[labels.say("weights.what"), labels.say("weights.value")],
    )
    note = notes(
        labels.say("weights.source", source=margins.source) if margins and kind == "raked" else "",
        labels.say("weights.begun") if "weight" in respondents and kind == "raked" else "",
        labels.say("weights.note"),
    )
    return [
        *shown,
        captioned(frame, labels.say("weights.caption"), labels, "weights", note, numbers=True),
    ]


def _rates_table(rates: pd.DataFrame, margins: Margins, labels: Labels) -> Table:
    rows = []
    for grouping, group, invited, answered in rates.itertuples(index=False, name=None):
        name = labels.group(grouping, group) if grouping else labels.everyone
        known = pd.notna(invited) and pd.notna(answered) and invited > 0
        rows.append(
            (
                name,
                None if pd.isna(invited) else labels.number(invited),
                WITHHELD if pd.isna(answered) else labels.number(answered),
                labels.percent(100 * answered / invited, int(invited)) if known else None,
            )
        )
    heads = [labels.say(f"rates.{head}") for head in ("group", "invited", "answered", "rate")]
    return captioned(
        pd.DataFrame(rows, columns=heads),
        labels.say("rates.caption"),
        labels,
        "rates",
        labels.say("rates.note", source=margins.source),
        numbers=True,
    )
