"""What stands behind the number of a theme: its codes, their definitions, and words where allowed.

An answer is quoted only where a question of consent says so, never by whom; no answer to a
sensitive question or of a sensitive theme, and none of a code or in a language so rare that it
points to somebody.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from upr_analysis.codebook import Codebook, Theme
from upr_analysis.documents import label
from upr_analysis.estimates import CODES
from upr_analysis.exhibits import WITHHELD, Table, evidence_html
from upr_analysis.labels import NO_BREAK, Labels
from upr_analysis.questionnaire import Questionnaire
from upr_analysis.summaries import codes_frame
from upr_analysis.tables import anchor, captioned, shares

LONGEST: Final = 40  # words of a quote
QUOTE_COLUMNS: Final = ("code", "language", "text")
SENTENCE: Final = re.compile(r"[.!?…。؟][\"'»”)]*\s+|\n+")


@dataclass(frozen=True)
class Evidence:
    """A theme with the anchor that its numbers lead to, its codes, and quotes of them."""

    theme: str
    definition: str
    anchor: str
    head: str
    codes: Table
    quotes_head: str
    quotes: tuple[tuple[str, str, str], ...]  # code's label, language, text

    def _repr_html_(self) -> str:
        return evidence_html(
            self.anchor,
            self.head,
            self.theme,
            self.definition,
            self.codes._repr_html_(),
            self.quotes_head,
            self.quotes,
        )


def evidence_of_themes(
    estimates: pd.DataFrame, quotes: pd.DataFrame, codebook: Codebook, labels: Labels
) -> list[Evidence]:
    """Return what stands behind each theme, in the codebook's order, from published estimates."""
    if not codebook.themes or shares(estimates, CODES).empty:
        return []
    counted = shares(estimates, CODES).set_index("item")
    return [
        Evidence(
            theme=label(theme.label, labels.language),
            definition=theme.definition,
            anchor=anchor(theme.name),
            head=labels.say("evidence.theme"),
            codes=_codes_table(theme, counted, codebook, labels),
            quotes_head=labels.say("evidence.quotes"),
            quotes=tuple(
                (labels.item(CODES, str(code)), str(language), str(text))
                for code, language, text in quotes.itertuples(index=False, name=None)
                if code in {one.name for one in theme.codes}
            ),
        )
        for theme in codebook.themes
    ]


def _codes_table(theme: Theme, counted: pd.DataFrame, codebook: Codebook, labels: Labels) -> Table:
    base = int(counted["base"].iloc[0])
    frame = codes_frame(theme.codes, codebook, labels)
    numbers = [_count(counted.loc[code.name], base, labels) for code in theme.codes]
    frame = frame.assign(**{labels.unit: pd.Series(numbers, dtype=object)})
    caption = labels.say("evidence.caption", theme=label(theme.label, labels.language), n=base)
    table = captioned(frame, caption, labels, f"evidence {theme.name}")
    return replace(table, align={labels.unit: "right"})


def _count(row: Any, base: int, labels: Labels) -> object:
    if pd.isna(row["n"]):
        return WITHHELD
    return f"{labels.number(row['n'])}{NO_BREAK}({labels.percent(row['value'], base)})"


def quotes(
    respondents: pd.DataFrame,
    open_responses: pd.DataFrame,
    codings: pd.DataFrame,
    public: pd.DataFrame,
    questionnaire: Questionnaire,
    codebook: Codebook,
    most: int,
    fewest: int,
    seed: int,
) -> pd.DataFrame:
    """Return at most `most` quotes a code (QUOTE_COLUMNS), each of another respondent.

    Of respondents who chose an option of the role `consents`; of codes whose number is published
    and, like the language, is of `fewest` respondents at least. Which, the seed decides.
    """
    agreed = _who_agreed(respondents, questionnaire)
    found = list[tuple[str, str, str]]()
    if most and agreed:
        candidates = _candidates(
            respondents, open_responses, codings, questionnaire, codebook, agreed, fewest
        )
        shown = shares(public, CODES).set_index("item")["n"]
        quoted, said = set[str](), set[str]()
        for code in codebook.codes:
            if pd.isna(shown.get(code.name)) or shown[code.name] < fewest:
                continue
            own = candidates[candidates["code"] == code.name]
            left = most
            for one in sorted(own.to_dict("records"), key=lambda one: _drawn(one, seed)):
                text = excerpt(one["text"], one["start"], one["end"])
                if left and text and one["respondent"] not in quoted and text not in said:
                    found.append((code.name, one["language"], text))
                    quoted.add(one["respondent"])
                    said.add(text)
                    left -= 1
    return pd.DataFrame(found, columns=list(QUOTE_COLUMNS), dtype="str")


def _who_agreed(respondents: pd.DataFrame, questionnaire: Questionnaire) -> set[str]:
    """Return the respondents who agreed to be quoted, to each question that asks for it."""
    asked = questionnaire.with_role("consent")
    agreed = [
        set(respondents["respondent"][respondents[one.name].isin(options)])
        for one in asked
        if (
            options := [
                choice.name for choice in questionnaire.options(one) if choice.role == "consents"
            ]
        )
    ]
    return set.intersection(*agreed) if agreed and len(agreed) == len(asked) else set()


def _candidates(
    respondents: pd.DataFrame,
    open_responses: pd.DataFrame,
    codings: pd.DataFrame,
    questionnaire: Questionnaire,
    codebook: Codebook,
    agreed: Iterable[str],
    fewest: int,
) -> pd.DataFrame:
    """Return the counted codings of answers that may be quoted, with their texts and languages."""
    hidden = {code.name for theme in codebook.themes if theme.sensitive for code in theme.codes}
    sensitive = [one.name for one in questionnaire.with_role("sensitive")]
    keys = ["respondent", "question"]
    touched = pd.MultiIndex.from_frame(codings.loc[codings["code"].isin(hidden), keys])
    speakers = open_responses.groupby("language")["respondent"].nunique()
    texts = open_responses[
        open_responses["respondent"].isin(list(agreed))
        & ~open_responses["question"].isin(sensitive)
        & (open_responses["language"].map(speakers).fillna(0) >= fewest)
    ]
    rows = codings[codings["counts"]].drop_duplicates([*keys, "code"])
    rows = rows[~pd.MultiIndex.from_frame(rows[keys]).isin(touched)]
    return rows.merge(texts[[*keys, "text", "language"]], on=keys)


def _drawn(one: Mapping[Any, Any], seed: int) -> str:
    """Return where one candidate stands among others: no order of theirs decides it."""
    key = f"{seed}|{one['respondent']}|{one['question']}|{one['code']}"
    return hashlib.sha256(key.encode()).hexdigest()


def excerpt(text: str, start: Any, end: Any) -> str:
    """Return the sentence round a span, or the whole of a text without one; "" if it is long.

    `start` and `end` are code points of the text, missing where the whole of it was coded.
    """
    ends = [0, *(match.end() for match in SENTENCE.finditer(text)), len(text)]
    if pd.isna(start):
        sentence = text
    else:
        first = max(place for place in ends if place <= start)
        last = min(place for place in ends if place >= end)
        sentence = text[first:last]
    words = sentence.split()
    return " ".join(words) if len(words) <= LONGEST else ""
