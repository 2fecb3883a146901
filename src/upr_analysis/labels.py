"""What things are called on screen: questions, options, themes, codes, groups and numbers."""

from dataclasses import dataclass

from upr_analysis.codebook import Codebook
from upr_analysis.documents import label
from upr_analysis.estimates import NOT_STATED
from upr_analysis.questionnaire import Questionnaire
from upr_analysis.words import number, say

NO_BREAK: str = " "


@dataclass(frozen=True)
class Labels:
    """Looks labels up in one language; without a codebook, those of the questionnaire."""

    questionnaire: Questionnaire
    codebook: Codebook | None
    language: str
    mark: str = ""  # before every caption: that the data are invented

    def question(self, name: str) -> str:
        """Return a question's label; `themes` and `codes` have interface words."""
        if name in ("themes", "codes"):
            return say(f"coding.{name}", self.language)
        return label(self.questionnaire.question(name).label, self.language)

    def item(self, question: str, item: str) -> str:
        """Return the label of an option, theme or code."""
        if question in ("themes", "codes") and self.codebook:
            coded = self.codebook.themes if question == "themes" else self.codebook.codes
            found = {one.name: one.label for one in coded}[item]
        else:
            options = self.questionnaire.options(question)
            found = {choice.name: choice.label for choice in options}[item]
        return label(found, self.language)

    def grouping(self, name: str) -> str:
        """Return a grouping's label."""
        return label(self.questionnaire.grouping(name).label, self.language)

    def group(self, grouping: str, group: str) -> str:
        """Return a group's label."""
        if group == NOT_STATED:
            return say("groups.not_stated", self.language)
        groups = self.questionnaire.grouping(grouping).groups
        return label({one.name: one.label for one in groups}[group], self.language)

    def base(self, count: int) -> str:
        """Return the words for a base: of 97 who answered, or of 97 where nobody was asked."""
        asked = self.questionnaire.source == "survey"
        return say("base.answered" if asked else "base.of", self.language, n=count)

    @property
    def axis(self) -> str:
        """The words under an axis of percentages."""
        asked = self.questionnaire.source == "survey"
        return say("figure.percent_axis" if asked else "figure.percent_of_all", self.language)

    def number(self, value: float, decimals: int = 0) -> str:
        """Return a number as the language writes it."""
        return number(value, self.language, decimals)

    def percent(self, value: float, base: int) -> str:
        """Return a percentage: no decimals on a base under 1,000, one above."""
        sign = "%" if self.language == "en" else f"{NO_BREAK}%"
        return self.number(value, 1 if base >= 1_000 else 0) + sign
