"""What was asked: questions, options, routing, roles and groupings of a consultation.

The vocabulary is XLSForm's (type, name, label, relevant, choices); `role` says what a question
is for, `origin` whether its wording is a published report's or the project's assumption.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from babel import Locale
from pydantic import Field, model_validator

from upr_analysis.documents import Label, Strict, label, read_model
from upr_analysis.marks import as_written, fold_label, is_tag
from upr_analysis.problems import InputError, did_you_mean

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Tool = Literal[
    "csv",  # one header row; a select-all question in one column, or in `question [option]`
    "surveymonkey",
    "limesurvey",
    "qualtrics",
    "kobo",  # and ODK
    "google_forms",
    "microsoft_forms",
    "surveygizmo",  # now Alchemer
    "eusurvey",
    "labelled",  # SPSS, Stata, parquet: names and labels
]
Role = Literal[
    "respondent",  # the survey tool's identifier of a row; must not repeat
    "started",  # when the answer was begun
    "submitted",  # when the answer was sent
    "language",  # language tag of the answer
    "stakeholder_type",
    "country",  # free list of countries, resolved to places
    "contact",  # personal data: dropped at ingest, its strings redacted elsewhere
    "consent",  # to be quoted; kept, and never shown
    "sensitive",  # shown overall only, never crossed, never quoted
    "codes",  # codings given by people, imported as codings of `codes_of`
    "weight",  # how many people of the population a respondent stands for
]
TYPES_OF_ROLES: dict[str, tuple[str, ...]] = {
    "started": ("datetime",),
    "submitted": ("datetime",),
    "language": ("text",),
    "stakeholder_type": ("select_one",),
    "country": ("text",),
    "consent": ("select_one",),
    "codes": ("select_multiple",),
    "weight": ("integer", "decimal"),
}
LANGUAGE = "language"  # a column of every respondent, and a grouping
OWN_COLUMNS = ("started", "submitted", "weight")  # called after their role
RESERVED = ("respondent", "language", *OWN_COLUMNS, "themes", "codes", "recommendations")
MOST_OPTIONS = 63  # a select-all answer is one bit an option in a signed 64-bit integer


class Choice(Strict):
    """One option of a closed question."""

    name: Name
    label: Label
    label_as_asked: str | None = None
    also: tuple[str, ...] = ()  # other spellings in the export
    # `consents`: whoever chose it may be quoted
    role: Literal["other", "none", "no_opinion", "consents"] | None = None
    sensitive: bool = False  # shown overall only, never crossed
    origin: Literal["report", "assumed"] = "report"


class Question(Strict):
    """One question (or one column of the export that is none, with a role)."""

    name: Name
    type: str  # text, integer, decimal, datetime, select_one LIST, select_multiple LIST
    label: Label
    label_as_asked: str | None = None
    # Header in the export, or one a language; default the label in the file's language.
    column: str | dict[str, str] | None = None
    other_column: str | None = None  # header of the words behind "other", if of its own
    occurrence: Annotated[int, Field(ge=1)] | Literal["coalesce"] = (
        1  # which of several columns with that header
    )
    separator: str | None = None  # between options in one column; default the tool's, else ", "
    all_blank: Literal["skipped", "none_chosen"] = "skipped"  # select-all without any mark
    relevant: str | None = None  # ${Q4} = 'yes'
    role: Role | None = None
    date_format: str | None = None  # of a datetime that is not ISO 8601: %m/%d/%Y %I:%M:%S %p
    codes_of: Name | None = None
    ordered: bool = False  # options run from most to least
    optional_column: bool = False
    origin: Literal["report", "assumed"] = "report"
    note: str | None = None

    @property
    def kind(self) -> str:
        """The type without its list: text, integer, decimal, datetime, select_one or _multiple."""
        return self.type.split()[0]

    @property
    def choice_list(self) -> str | None:
        """Name of the option list of a closed question, else None."""
        return self.type.split()[1] if " " in self.type else None

    @property
    def is_closed(self) -> bool:
        """Whether the answer is one or several of declared options."""
        return self.kind in ("select_one", "select_multiple")

    @property
    def is_open(self) -> bool:
        """Whether the answer is words to be coded (no contact, country or tool's column)."""
        return self.kind == "text" and self.role in (None, "sensitive")

    @property
    def is_substantive(self) -> bool:
        """Whether it was asked of respondents and may be shown: not a tool's column."""
        asked = (None, "sensitive", "stakeholder_type", "country")
        return self.role in asked and self.kind != "datetime"

    @model_validator(mode="after")
    def _type_is_known(self) -> "Question":
        known = r"text|integer|decimal|datetime|select_(one|multiple) [A-Za-z]\w*"
        if not re.fullmatch(known, self.type):
            raise ValueError(
                f"question {self.name} has the type {self.type!r}; known are text, integer, "
                "decimal, datetime, 'select_one LIST' and 'select_multiple LIST'."
            )
        fits = TYPES_OF_ROLES.get(self.role or "", (self.kind,))
        if self.kind not in fits:
            raise ValueError(
                f"question {self.name} has the role {self.role} and the type {self.kind}; that "
                f"role is of {' or '.join(fits)}."
            )
        return self

    @model_validator(mode="after")
    def _dates_can_be_read(self) -> "Question":
        if self.date_format is None:
            return self
        moment = datetime(2021, 6, 14, 16, 3)
        try:
            known = datetime.strptime(moment.strftime(self.date_format), self.date_format)
        except ValueError:
            known = None
        if known is None or "%" not in self.date_format:
            raise ValueError(
                f"question {self.name} has the date_format {self.date_format!r}, which is none; "
                "write for example %d/%m/%Y %H:%M."
            )
        return self


class Group(Strict):
    """One group of a grouping, made of options, places' groups or other values."""

    name: Name
    label: Label
    of: tuple[str, ...]


class Grouping(Strict):
    """A disaggregation: fixed groups that do not depend on the answers."""

    name: Name
    label: Label
    by: Name  # the question that it groups
    # `place` groups places by their own codes, as [KEN, UGA, EASTERN_AFRICA]
    scheme: Literal["option", "un_group", "m49_region", "m49_subregion", "place", "language"] = (
        "option"
    )
    groups: tuple[Group, ...]


class KeyQuestion(Strict):
    """A question that the appendix answers on its first page, and the tables that answer it.

    A table is a question (or `themes`, `codes`), or one of these crossed: `Q13.region`.
    """

    question: Label
    tables: tuple[str, ...]


class Questionnaire(Strict):
    """Everything that the consultation asked, and how the export holds it."""

    title: Label
    about: Label
    source: Literal["survey", "public_record"] = "survey"
    unit: Label = {"en": "respondents", "fr": "répondants", "es": "encuestados"}
    # How the export is read; what is not said is recognised from the file.
    format: Tool | None = None
    encoding: str | None = None  # UTF-8, or what a byte order mark says
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    sheet: str | None = None  # of a workbook; default the first that holds anything
    decimal_comma: bool = False
    no_answer: tuple[str, ...] = ()  # cells that say that nothing was answered: "-99"
    not_asked: tuple[str, ...] = ()  # cells that say that it was not asked: "N/A"
    export_language: str = "en"  # language of headers and options in the export
    languages: tuple[str, ...] = ("en",)
    ignored: tuple[str, ...] = ()  # headers of the export that are dropped unread
    survey: tuple[Question, ...]
    choices: dict[str, tuple[Choice, ...]] = {}
    groupings: tuple[Grouping, ...] = ()
    key_questions: tuple[KeyQuestion, ...] = ()

    def question(self, name: str) -> Question:
        """Return the question called `name`; InputError with the nearest name if there is none."""
        for question in self.survey:
            if question.name == name:
                return question
        names = [question.name for question in self.survey]
        raise InputError(f"No question is called {name!r}{did_you_mean(name, names)}")

    def options(self, question: Question | str) -> tuple[Choice, ...]:
        """Return a closed question's options in their declared order; () for others."""
        if isinstance(question, str):
            question = self.question(question)
        return self.choices[question.choice_list] if question.choice_list else ()

    def grouping(self, name: str) -> Grouping:
        """Return the grouping called `name`, or that of a closed question by its own options.

        `language` groups by the language of the answer. A question that is sensitive, or has a
        sensitive option, groups nobody.
        InputError with the nearest name if there is none.
        """
        for grouping in self.groupings:
            if grouping.name == name:
                return grouping
        if name == LANGUAGE and (asked := self.with_role("language")):
            return Grouping(
                name=name,
                label=asked[0].label,
                by=asked[0].name,
                scheme="language",
                groups=tuple(
                    Group(name=tag.replace("-", "_"), label=_named_language(tag), of=(tag,))
                    for tag in self.languages
                ),
            )
        closed = {
            one.name: one
            for one in self.closed_questions
            if one.role != "sensitive" and not any(c.sensitive for c in self.options(one))
        }
        if name in closed:
            question = closed[name]
            groups = tuple(
                Group(name=choice.name, label=choice.label, of=(choice.name,))
                for choice in self.options(question)
            )
            return Grouping(name=name, label=question.label, by=name, groups=groups)
        names = [grouping.name for grouping in self.groupings]
        raise InputError(
            f"No grouping is called {name!r}; declared are {', '.join(names) or 'none'}, and any "
            "closed question without a sensitive option groups too"
            f"{did_you_mean(name, [*names, *closed])}"
        )

    def is_declared(self, grouping: str) -> bool:
        """Whether a grouping is declared, with fixed groups, not made of a question's options."""
        return any(one.name == grouping for one in self.groupings)

    def header(self, question: Question, language: str) -> str:
        """Return the header under which a question stands in an export of a language."""
        column = question.column
        if isinstance(column, dict):
            column = column.get(language) or column.get(self.export_language)
        return column or question.label_as_asked or label(question.label, language)

    def with_role(self, role: Role) -> tuple[Question, ...]:
        """Return the questions that have a role, in order."""
        return tuple(question for question in self.survey if question.role == role)

    @property
    def open_questions(self) -> tuple[Question, ...]:
        """The questions answered in words, in order."""
        return tuple(question for question in self.survey if question.is_open)

    @property
    def closed_questions(self) -> tuple[Question, ...]:
        """The questions answered by options and shown in tables, in order."""
        return tuple(q for q in self.survey if q.is_closed and q.is_substantive)

    @model_validator(mode="after")
    def _hangs_together(self) -> "Questionnaire":
        problems = [
            *_reserved(self),
            *_ambiguous(self),
            *_silent_options(self),
            *_unknown_languages(self),
            *_repeated(self),
            *_references(self),
            *_grouping_problems(self),
            *_key_question_problems(self),
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _named_language(tag: str) -> dict[str, str]:
    """Return the name of a language in each language of the interface."""
    return {language: Locale(language).languages.get(tag, tag) for language in ("en", "fr", "es")}


def condition(text: str, questionnaire: Questionnaire) -> tuple[str, str]:
    """Return (grouping, group) of a condition `name=group`; InputError where it is none."""
    name, equals, group = (part.strip() for part in text.partition("="))
    if not equals:
        raise InputError(f"{text!r} is no condition: write name=group, as region=africa.")
    names = [one.name for one in questionnaire.grouping(name).groups]
    if group not in names:
        raise InputError(
            f"{name} has no group {group!r}, but {', '.join(names)}{did_you_mean(group, names)}"
        )
    return name, group


def relevance(question: Question) -> tuple[str, str] | None:
    """Return (question, option) that must have been chosen for this one to be asked, or None.

    The only form is XLSForm's `${NAME} = 'option'` (or `selected(${NAME}, 'option')`).
    """
    if question.relevant is None:
        return None
    needs = routing(question.relevant)
    if needs is None:
        raise InputError(
            f"Question {question.name}: relevant {question.relevant!r} is not understood; "
            "write ${NAME} = 'option' or selected(${NAME}, 'option')."
        )
    return needs


def routing(relevant: str) -> tuple[str, str] | None:
    """Return the (question, option) of an expression of that form, None of any other."""
    name, option = r"\s*\$\{([\w.-]+)\}\s*", r"\s*(?:'([^']+)'|\"([^\"]+)\")\s*"
    match = re.fullmatch(rf"{name}={option}", relevant) or re.fullmatch(
        rf"\s*selected\({name},{option}\)\s*", relevant
    )
    return (match[1], match[2] or match[3]) if match else None


def read_questionnaire(folder: Path) -> Questionnaire:
    """Read `questionnaire.yml` of a consultation's folder; InputError with all problems."""
    return read_model(folder / "questionnaire.yml", Questionnaire)


def _repeated(questionnaire: Questionnaire) -> list[str]:
    problems = []
    lists = {
        "questions": [question.name for question in questionnaire.survey],
        "groupings": [grouping.name for grouping in questionnaire.groupings],
    }
    lists |= {
        f"options of {name}": [choice.name for choice in choices]
        for name, choices in questionnaire.choices.items()
    }
    for what, names in lists.items():
        repeated = sorted({name for name in names if names.count(name) > 1})
        problems += [f"Two {what} are called {name!r}: rename one." for name in repeated]
    return problems


def _reserved(questionnaire: Questionnaire) -> list[str]:
    """Return the questions whose name would be that of another column."""
    return [
        f"No question may be called {question.name!r}: the name is the project's, rename it."
        for question in questionnaire.survey
        if (question.name in RESERVED and not question.name == question.role in OWN_COLUMNS)
        or question.name.endswith(("_state", "_other"))
    ]


def _ambiguous(questionnaire: Questionnaire) -> list[str]:
    """Return spellings that two options of a list share: such an answer is of neither."""
    problems = []
    for name, choices in questionnaire.choices.items():
        claimed: dict[str, str] = {}
        for choice in choices:
            texts = {*choice.label.values(), choice.label_as_asked or "", *choice.also} - {""}
            for text in sorted(set(map(fold_label, texts))):
                if claimed.setdefault(text, choice.name) != choice.name:
                    problems.append(
                        f"The options {claimed[text]!r} and {choice.name!r} of {name} are both "
                        f"written {text!r}: tell them apart."
                    )
    return problems


def _silent_options(questionnaire: Questionnaire) -> list[str]:
    """Return options that `no_answer` or `not_asked` would make blank."""
    problems = []
    for setting in ("no_answer", "not_asked"):
        cells = set(map(fold_label, getattr(questionnaire, setting)))
        problems += [
            f"{setting} holds {text!r}, an option of {name}: take it from one of them."
            for name, choices in questionnaire.choices.items()
            for text in as_written(choices)
            if fold_label(text) in cells
        ]
    return problems


def _unknown_languages(questionnaire: Questionnaire) -> list[str]:
    """Return tags that are no language's."""
    tags = dict.fromkeys((questionnaire.export_language, *questionnaire.languages))
    return [f"No language has the tag {tag!r}: es is Spanish." for tag in tags if not is_tag(tag)]


def _references(questionnaire: Questionnaire) -> list[str]:
    problems = []
    names = {question.name: question for question in questionnaire.survey}
    seen = set[str]()
    for question in questionnaire.survey:
        seen.add(question.name)
        options = question.choice_list
        if options is not None and options not in questionnaire.choices:
            hint = did_you_mean(options, questionnaire.choices)
            problems.append(f"{question.name} uses the option list {options!r}, not declared{hint}")
        elif question.kind == "select_multiple" and len(questionnaire.options(question)) > (
            MOST_OPTIONS
        ):
            problems.append(f"{question.name} has more than {MOST_OPTIONS} options: split it.")
        if question.role == "codes" and question.codes_of is None:
            problems.append(f"{question.name} holds codes: say of which question by 'codes_of'.")
        if question.codes_of is not None and question.codes_of not in names:
            problems.append(f"{question.name} holds codes of {question.codes_of!r}, not asked.")
        try:
            needs = relevance(question)
        except InputError as error:
            problems.append(str(error))
            continue
        if needs is None:
            continue
        asked = names.get(needs[0])
        if asked is None or asked.choice_list not in questionnaire.choices:
            problems.append(f"{question.name} depends on {needs[0]!r}, not a closed question.")
        elif needs[0] not in seen:
            problems.append(
                f"{question.name} depends on {needs[0]!r}: move it after that question."
            )
        elif needs[1] not in {choice.name for choice in questionnaire.options(asked)}:
            problems.append(f"{question.name} depends on {needs[0]} = {needs[1]!r}, not an option.")
    return problems


def _grouping_problems(questionnaire: Questionnaire) -> list[str]:
    problems = []
    names = {question.name: question for question in questionnaire.survey}
    for grouping in questionnaire.groupings:
        question = names.get(grouping.by)
        if question is None:
            problems.append(f"Grouping {grouping.name} groups {grouping.by!r}, which is not asked.")
            continue
        members = [value for group in grouping.groups for value in group.of]
        problems += [
            f"Grouping {grouping.name} puts {value!r} into two groups."
            for value in sorted({value for value in members if members.count(value) > 1})
        ]
        if grouping.scheme == "option":
            options = {choice.name for choice in questionnaire.options(question)}
            problems += [
                f"Grouping {grouping.name} holds {value!r}, not an option of {grouping.by}"
                f"{did_you_mean(value, options)}"
                for value in members
                if value not in options
            ]
            problems += [
                f"Grouping {grouping.name} leaves out {value!r} of {grouping.by}: put it in a group"
                for value in sorted(options - set(members))
            ]
        elif question.role != "country":
            problems.append(
                f"Grouping {grouping.name} needs places, but {grouping.by} is no country question."
            )
    return problems


def _key_question_problems(questionnaire: Questionnaire) -> list[str]:
    closed = [*(one.name for one in questionnaire.closed_questions), "themes", "codes"]
    groupings = ["", LANGUAGE, *closed, *(one.name for one in questionnaire.groupings)]
    return [
        f"A key question is answered by {table!r}, not a closed question, or one crossed by a "
        f"grouping{did_you_mean(table, closed)}"
        for key in questionnaire.key_questions
        for table in key.tables
        if table.partition(".")[0] not in closed or table.partition(".")[2] not in groupings
    ]
