"""How good suggested codes are on answers held out: what a run shows of it, numbers only."""

import json
from pathlib import Path
from typing import Final

import pandas as pd
from pydantic import Field

from upr_analysis.codebook import Codebook
from upr_analysis.documents import Strict, as_model
from upr_analysis.estimates import CODES
from upr_analysis.exhibits import Note, Table
from upr_analysis.labels import Labels
from upr_analysis.problems import InputError
from upr_analysis.tables import captioned, with_interval

EVALUATION: Final = "suggestions.json"
FEWEST: Final = 30  # answers that people gave a code, for its scores to be shown


class Score(Strict):
    """A statistic of one code, or of all as code ""; `base` is how many answers have it."""

    code: str
    statistic: str
    value: float | None
    low: float | None
    high: float | None
    base: int


class Point(Strict):
    """F1 reached by one draw of coded answers."""

    seed: int
    answers: int
    micro_f1: float
    macro_f1: float


class Evaluation(Strict):
    """What `upr codes suggest` measured: `scores` and `curve` a row each."""

    judged: int  # answers that people judged
    codebook_version: str
    scores: list[Score] = Field(min_length=1)
    curve: list[Point]
    gain_of_50: tuple[float | None, float | None, float | None]  # of micro-F1, with its interval


def read_evaluation(consultation: Path) -> Evaluation | None:
    """Read how good suggestions were on a consultation's codings; None without it."""
    path = consultation / EVALUATION
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is no JSON: `upr codes suggest` makes it again.") from error
    return as_model(content, Evaluation, str(path))


def evaluation_tables(
    found: Evaluation | None, codebook: Codebook, labels: Labels
) -> list[Table | Note]:
    """Return the scores a code and the learning curve; [] where no suggestions were measured.

    Codes of sensitive themes and those that fewer than 30 answers have are left out.
    """
    if found is None:
        return []
    shown: list[Table | Note] = [
        _score_table(found, codebook, labels),
        _curve_table(pd.DataFrame(map(dict, found.curve)), labels),
    ]
    gain, low, high = found.gain_of_50
    if gain is None or low is None or high is None:
        shown.append(Note(labels.say("suggestions.no_gain")))
    else:
        said = [labels.number(one, 3) for one in (gain, low, high)]
        words = dict(zip(("gain", "low", "high"), said, strict=True))
        shown.append(Note(labels.say("suggestions.gain", **words)))
    if found.codebook_version != codebook.version:
        shown.append(Note(labels.say("suggestions.earlier")))
    return shown


def _score_table(found: Evaluation, codebook: Codebook, labels: Labels) -> Table | Note:
    rows = pd.DataFrame(map(dict, found.scores))
    hidden = {code.name for theme in codebook.themes if theme.sensitive for code in theme.codes}
    known = [code.name for code in codebook.codes if code.name not in hidden]
    whole = rows[rows["code"] == ""].set_index("statistic")
    cells = rows[(rows["base"] >= FEWEST) & rows["code"].isin(known)]
    cells = cells.set_index(["code", "statistic"])
    names = ("precision", "recall", "f1")
    shown = [
        (
            labels.item(CODES, code),
            *(with_interval(cells.loc[(code, name)], labels) for name in names),
        )
        for code in known
        if (code, "f1") in cells.index
    ]
    heads = [labels.say(f"suggestions.{name}") for name in ("code", *names)]
    micro, macro = (with_interval(whole.loc[f"{name}_f1"], labels) for name in ("micro", "macro"))
    caption = labels.say("suggestions.caption", n=found.judged)
    whole_words = labels.say("suggestions.whole", micro=micro, macro=macro)
    if not shown:
        return Note(f"{caption}. {whole_words}")
    return captioned(
        pd.DataFrame(shown, columns=heads),
        caption,
        labels,
        "suggestions",
        f"{whole_words} {labels.say('suggestions.note')}",
        numbers=True,
    )  # fmt: skip


def _curve_table(curve: pd.DataFrame, labels: Labels) -> Table:
    rows = [
        (int(str(size)), *(_range(own[name], labels) for name in ("micro_f1", "macro_f1")))
        for size, own in curve.groupby("answers")
    ] if len(curve) else []  # fmt: skip
    heads = [labels.say(f"suggestions.{name}") for name in ("answers", "micro", "macro")]
    caption = labels.say("suggestions.curve")
    return captioned(pd.DataFrame(rows, columns=heads), caption, labels, "curve", numbers=True)


def _range(values: pd.Series, labels: Labels) -> str:
    mean, low, high = (labels.number(one, 2) for one in (values.mean(), values.min(), values.max()))
    return f"{mean} [{low}\N{EN DASH}{high}]"
