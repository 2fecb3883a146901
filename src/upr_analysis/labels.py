"""What things are called on screen: questions, options, themes, codes, groups and numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from upr_analysis.codebook import Codebook
from upr_analysis.documents import label
from upr_analysis.estimates import LEFT_BLANK, NOT_STATED, OTHER_ANSWERS
from upr_analysis.questionnaire import LANGUAGE, Questionnaire
from upr_analysis.words import interface, number, say

NO_BREAK: str = " "


@dataclass(frozen=True)
class Labels:
    """Looks labels up in one language; without a codebook, those of the questionnaire."""

    questionnaire: Questionnaire
    codebook: Codebook | None
    language: str
    mark: str = ""  # before every caption: that the data are invented
    sample: str = "self_selected"  # how respondents came in: decides how intervals are shown

    def say(self, key: str, **values: object) -> str:
        """Return a text of the interface; of a public record its own, where there is one."""
        own = f"{key}.{self.questionnaire.source}"
        return say(own if own in interface()[self.language] else key, self.language, **values)

    def question(self, name: str) -> str:
        """Return a question's label; `themes` and `codes` have interface words."""
        if name in ("themes", "codes"):
            return self.say(f"coding.{name}")
        return label(self.questionnaire.question(name).label, self.language)

    def item(self, question: str, item: str) -> str:
        """Return the label of an option, theme or code."""
        if item == LEFT_BLANK:
            return self.say("item.left_blank")
        if question in ("themes", "codes") and self.codebook:
            coded = self.codebook.themes if question == "themes" else self.codebook.codes
            found = {one.name: one.label for one in coded}[item]
        else:
            options = self.questionnaire.options(question)
            found = {choice.name: choice.label for choice in options}[item]
        return label(found, self.language)

    def item_head(self, question: str) -> str:
        """Return the head of the column that holds a question's items."""
        heads = {"themes": "codebook.theme", "codes": "codebook.code"}
        return self.say(heads.get(question, "table.item"))

    def ordered_items(self, question: str) -> list[str]:
        """Return the options of an ordered question in their order, without those of no opinion."""
        options = self.questionnaire.options(question)
        return [choice.name for choice in options if choice.role != "no_opinion"]

    def is_ordered(self, question: str) -> bool:
        """Whether a question's options run from most to least."""
        return any(one.name == question and one.ordered for one in self.questionnaire.survey)

    def is_exclusive(self, question: str) -> bool:
        """Whether each respondent has exactly one of a question's items."""
        return any(
            one.name == question and one.kind == "select_one" for one in self.questionnaire.survey
        )

    def grouping(self, name: str) -> str:
        """Return a grouping's label."""
        return label(self.questionnaire.grouping(name).label, self.language)

    def by(self, name: str) -> str:
        """Return a grouping's label as it stands within a sentence; a question in quotes."""
        fixed = self.questionnaire.is_declared(name) or name == LANGUAGE
        text = self.grouping(name)
        return inside(text) if fixed else self.say("list.quoted", text=text)

    def group(self, grouping: str, group: str) -> str:
        """Return a group's label."""
        if group == NOT_STATED:
            fixed = self.questionnaire.is_declared(grouping) or grouping == LANGUAGE
            return self.say("groups.not_stated" if fixed else "groups.unanswered")
        if group == OTHER_ANSWERS:
            return self.say("groups.other_answers")
        groups = self.questionnaire.grouping(grouping).groups
        return label({one.name: one.label for one in groups}[group], self.language)

    @property
    def everyone(self) -> str:
        """Return the words for all groups together."""
        return self.say("groups.everyone")

    @property
    def unit(self) -> str:
        """Return what is counted, as the head of a column."""
        text = label(self.questionnaire.unit, self.language)
        return text[:1].upper() + text[1:]

    def base(self, rows: pd.DataFrame | pd.Series) -> str:
        """Return the words for the base of estimates: of 97 who answered, and of which groups.

        Of 97 alone, where nobody was asked.
        """
        row: Any = rows.iloc[0] if isinstance(rows, pd.DataFrame) else rows
        said = self.say(f"base.{row['base_kind']}", n=int(row["base"]))
        return self.joined([said, *self.conditions(row["filter"])])

    def conditions(self, where: str) -> list[str]:
        """Return the words for each condition of estimates' `filter`: region: Africa."""
        parts = (one.partition("=") for one in where.split(" & ") if one)
        return [
            self.say("list.colon", one=self.by(name), other=self.group(name, group))
            for name, _, group in parts
        ]

    def scoped(self, caption: str, rows: pd.DataFrame) -> str:
        """Return a caption that says of whom alone it is, if estimates are of some."""
        scope = self.conditions(str(rows["filter"].iloc[0])) if len(rows) else []
        return f"{caption} ({self.joined(scope)})" if scope else caption

    def joined(self, parts: Iterable[str]) -> str:
        """Return parts of a sentence with semicolons between."""
        whole = ""
        for part in parts:
            whole = self.say("list.semicolon", one=whole, other=part) if whole else part
        return whole

    def number(self, value: float, decimals: int = 0) -> str:
        """Return a number as the language writes it."""
        return number(value, self.language, decimals)

    def percent(self, value: float, base: int) -> str:
        """Return a percentage: no decimals on a base under 1,000, one above."""
        sign = "%" if self.language == "en" else f"{NO_BREAK}%"
        return self.number(value, 1 if base >= 1_000 else 0) + sign


def sentence(text: str) -> str:
    """Return text that ends as a sentence does."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def inside(text: str) -> str:
    """Return a label as it stands within a sentence; abbreviations keep their capitals."""
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text
