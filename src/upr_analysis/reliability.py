"""How far those who coded the same answers agree: a table of statistics, by code and language."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np
import pandas as pd

from upr_analysis.agreement import FEWEST_POSITIVES, Estimate, agreement, jaccard, masi, set_alpha
from upr_analysis.codebook import Codebook
from upr_analysis.coding import MACHINE
from upr_analysis.codings import (
    UNIT,
    Coded,
    independent,
    judgements,
    located,
    standing,
)

COLUMNS: Final = (
    "between", "language", "code", "statistic", "value", "low", "high", "positives", "answers",
    "given_to", "not_given_to", "assessable",
)  # fmt: skip
CODERS: Final = "coders"  # people with each other, each blind to the others
PATTERNS: Final = "patterns"  # the codebook's patterns with what people say together
ALL_LANGUAGES: Final = ""
WHOLE_SETS: Final = ""  # as a code: whole sets of codes

_TYPES: Final = (
    dict.fromkeys(("between", "language", "code", "statistic"), "string")
    | dict.fromkeys(("value", "low", "high"), "float64")
    | dict.fromkeys(("positives", "answers", "given_to", "not_given_to"), "int64")
    | {"assessable": "bool"}
)
Sets = pd.Series  # (respondent, question) -> the codes that one coder gave it, none included


def agreement_between_coders(
    judged: pd.DataFrame, open_responses: pd.DataFrame, codebook: Codebook, seed: int
) -> pd.DataFrame:
    """Return COLUMNS of the answers that two people or more coded without sight of each other.

    `judged` are `codings.judgements`; those made on suggestions or in adjudication are left out.
    """
    alone = independent(judged)
    twice = alone[alone.duplicated(UNIT, keep=False)]
    sets = [
        pd.Series(those["codes"].tolist(), pd.MultiIndex.from_frame(those[UNIT]), dtype=object)
        for _, those in twice.groupby("coder", sort=True)
    ]
    names = [code.name for code in codebook.codes]
    return _table(CODERS, sets, names, open_responses, seed)


def agreement_of_everyone(
    coded: Coded, record: pd.DataFrame, open_responses: pd.DataFrame, codebook: Codebook, seed: int
) -> pd.DataFrame:
    """Return COLUMNS of coders with each other, then of the patterns with people.

    `record` is what people coded, `coded` what a run makes of it.
    """
    record = located(record, open_responses)
    judged, _ = standing(judgements(record), open_responses, codebook)
    both = [
        agreement_between_coders(judged, open_responses, codebook, seed),
        agreement_with_patterns(coded, open_responses, codebook, seed),
    ]
    return pd.concat(both, ignore_index=True)


def agreement_with_patterns(
    coded: Coded, open_responses: pd.DataFrame, codebook: Codebook, seed: int
) -> pd.DataFrame:
    """Return COLUMNS of the answers that people judged: their codes and those of the patterns.

    Codes without patterns are left out.
    """
    names = [code.name for code in codebook.codes if any(code.patterns.values())]
    units = pd.MultiIndex.from_frame(coded.judged[UNIT])
    codings = coded.codings[coded.codings["code"].isin(names)]
    is_found = codings["coder"] == MACHINE
    sets = [
        _sets(those, units) for those in (codings[is_found], codings[~is_found & codings["counts"]])
    ]
    return _table(PATTERNS, sets, names, open_responses, seed)


def _sets(codings: pd.DataFrame, units: pd.MultiIndex) -> Sets:
    given = codings.groupby(UNIT)["code"].agg(frozenset)
    own = given.reindex(units).tolist()
    return pd.Series([one if isinstance(one, frozenset) else frozenset() for one in own], units)


def _table(
    between: str, sets: list[Sets], names: list[str], open_responses: pd.DataFrame, seed: int
) -> pd.DataFrame:
    rows = list[tuple[object, ...]]()
    units = pd.MultiIndex.from_tuples(
        sorted({unit for one in sets for unit in one.index}), names=UNIT
    )
    if names and len(sets) > 1 and len(units):
        language = open_responses.set_index(UNIT)["language"].reindex(units)
        tags = language.astype("object").where(language.notna(), "").to_numpy()
        several = sorted(set(tags)) if len(set(tags)) > 1 else []
        for tag in (ALL_LANGUAGES, *several):
            own = units if tag == ALL_LANGUAGES else units[tags == tag]
            those = [one.reindex(own) for one in sets]
            rows += [(between, tag, *row) for row in _rows(those, own, names, seed)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(_TYPES)


def _rows(
    sets: list[Sets], units: pd.MultiIndex, names: Iterable[str], seed: int
) -> Iterator[tuple[object, ...]]:
    respondents = units.get_level_values("respondent").tolist()
    everyone = set(respondents)
    labels = [[one if isinstance(one, frozenset) else None for one in coder] for coder in sets]
    for name in names:
        judgements = np.array(
            [[np.nan if one is None else name in one for one in coder] for coder in labels],
            dtype=float,
        )
        people = {who for who, given in zip(respondents, judgements.T, strict=True) if 1 in given}
        sizes = (int(np.nansum(judgements)), len(units), len(people), len(everyone - people))
        yield from _of(name, agreement(judgements, respondents, seed), sizes)
    positives = sum(len(one) for coder in labels for one in coder if one)
    alphas = {
        f"krippendorff_alpha_{name}": set_alpha(labels, distance, respondents, seed)
        for name, distance in (("masi", masi), ("jaccard", jaccard))
    }
    yield from _of(WHOLE_SETS, alphas, (positives, len(units), len(everyone), len(everyone)))


def _of(
    code: str, found: Mapping[str, Estimate], sizes: tuple[int, int, int, int]
) -> Iterator[tuple[object, ...]]:
    """Yield a row a statistic; `sizes` are judgements that give the code, answers, respondents
    to whom any coder gave it, and others.
    """
    for name, one in found.items():
        yield code, name, one.value, one.low, one.high, *sizes, sizes[0] >= FEWEST_POSITIVES
