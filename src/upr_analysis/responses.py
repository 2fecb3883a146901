"""Typed answers: what each respondent said to each question, and whether it was asked at all.

A closed answer is a category (single choice) or a bit mask over the declared options (select-all);
beside it stands its state, which is never folded into a missing value.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from upr_analysis.exports import Export
from upr_analysis.privacy import Redactor, plain_copy, strings_to_find
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Choice, Question, Questionnaire, relevance

STATES: Final = ("answered", "skipped", "not_asked")
STATE_DTYPE: Final = pd.CategoricalDtype(list(STATES))
MOST_PROBLEMS: Final = 20  # rows named for one question; the rest is counted
# What a label says that asks for people's names, and for an organisation's; without accents.
NAME: Final = re.compile(
    r"(?<!tion )\b(?:sur|fore)?names?\b(?! of)|\bprenom|\b(?:noms?|nombres?)\b(?! d)|\bapellido",
    re.IGNORECASE,
)
ORGANISATION: Final = re.compile(
    r"organi[sz]a|associa|asocia|institu|company|entreprise|empresa|employ|\bngo\b|\bong\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Responses:
    """Everything that respondents said, typed, personal data removed.

    `respondents`: one row each; a closed question's column and `<question>_state`.
    `open_responses`: respondent, question, text (redacted), language, state.
    `free_texts`: respondent, question, text (redacted): countries and words behind "other".
    `imported`: respondent, question, code: codings that people gave, as the export holds them.
    `redactions`: kind -> how many were replaced. `unasked`: answers to questions that, by the
    routing, were not asked; they are kept.
    """

    respondents: pd.DataFrame
    open_responses: pd.DataFrame
    free_texts: pd.DataFrame
    imported: pd.DataFrame
    redactions: dict[str, int]
    unasked: int = 0


def fold_label(text: str) -> str:
    """Return a label for comparison: case, white space and curly quotes made equal."""
    text = text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    return " ".join(text.casefold().split())


def spellings(choices: Iterable[Choice]) -> dict[str, str]:
    """Return every folded spelling of the options -> option name."""
    choices = list(choices)
    written = {
        fold_label(text): choice.name
        for choice in choices
        for text in (*choice.label.values(), choice.label_as_asked or "", *choice.also)
        if text
    }
    # a name is a spelling too, unless another option is written so
    return {fold_label(choice.name): choice.name for choice in choices} | written


class OptionSplitter:
    """Splits joined select-all answers into declared options, longest first, and what is left.

    `known` maps folded spellings to option names. An option that holds the separator is found
    whole, since options are matched before anything is split.
    """

    def __init__(self, known: dict[str, str], separator: str) -> None:
        self._known, self._mark = known, separator.strip() or separator
        end = rf"\s*(?:{re.escape(self._mark)}|$)"
        longest = sorted(known, key=lambda spelling: -len(spelling))
        alternatives = "|".join(map(_as_written, longest))
        self._option = re.compile(rf"\s*({alternatives}){end}", re.IGNORECASE)

    def split(self, cell: str) -> tuple[list[str], list[str]]:
        """Return (options' names, other words verbatim), each in order of mention."""
        names, left, start = [], [], 0
        while start < len(cell):
            match = self._option.match(cell, start)
            name = self._known.get(fold_label(match[1])) if match else None
            if match and name is not None:
                names.append(name)
                start = match.end()
                continue
            cut = cell.find(self._mark, start)
            stop = len(cell) if cut < 0 else cut
            if cell[start:stop].strip():
                left.append(cell[start:stop].strip())
            start = stop + len(self._mark)
        return names, left


def _as_written(spelling: str) -> str:
    """Return the pattern of a folded spelling in an answer: any white space, any quotes."""
    words = r"\s+".join(map(re.escape, spelling.split()))
    return words.replace("'", "['’‘]").replace('"', '["“”]')


def type_responses(export: Export, questionnaire: Questionnaire, seed: int) -> Responses:
    """Type every answer of an export; InputError lists every cell that does not fit, by row.

    Pseudonyms are drawn at random (from `seed`), not derived from anything that was answered.
    """
    typing = _Typing(export, questionnaire, _pseudonyms(export.rows, seed))
    for question in questionnaire.survey:
        typing.add(question)
    if typing.problems:
        raise InputError(typing.problems)
    return typing.finish()


def _pseudonyms(rows: int, seed: int) -> pd.Series:
    width = max(3, len(str(rows)))
    order = np.random.default_rng(seed).permutation(rows) + 1
    return pd.Series([f"r{number:0{width}d}" for number in order], dtype="string")


class _Typing:
    """The typing of one export, question by question, gathering problems on the way."""

    def __init__(self, export: Export, questionnaire: Questionnaire, names: pd.Series) -> None:
        self.export, self.questionnaire = export, questionnaire
        self.columns: dict[str, pd.Series] = {"respondent": names}
        self.texts: dict[str, pd.Series] = {}
        self.free: dict[str, pd.Series] = {}
        self.imported: list[pd.DataFrame] = []
        self.problems: list[str] = []
        self.unasked = 0  # answers to questions that were not asked

    def add(self, question: Question) -> None:
        """Type one question's answers."""
        name = question.name
        if name not in self.export.answers and name not in self.export.ticks:
            self._add_absent(question)
            return
        if question.role == "contact" or question.kind == "text":
            self._add_text(question)
        elif question.role == "respondent":
            self._check_identifier(question)
        elif question.kind == "select_multiple":
            self._add_several(question)
        elif question.kind == "select_one":
            self._add_one(question)
        elif question.kind == "integer":
            self._add_number(question)
        else:
            self._add_time(question)

    def _add_absent(self, question: Question) -> None:
        """Type a question without a column in this export: nobody was asked."""
        if question.is_closed and question.is_substantive:
            names = [choice.name for choice in self.questionnaire.options(question)]
            nothing = pd.Series(0, index=range(self.export.rows), dtype="int64")
            missing = pd.Series(None, index=range(self.export.rows), dtype="object")
            one = question.kind == "select_one"
            dtype = pd.CategoricalDtype(names)
            self.columns[question.name] = missing.astype(dtype) if one else nothing
            states = pd.Series(["not_asked"] * self.export.rows)
            self.columns[f"{question.name}_state"] = states.astype(STATE_DTYPE)

    def _add_text(self, question: Question) -> None:
        answers = self.export.answers[question.name]
        if question.role == "respondent":
            self._check_identifier(question)
        elif question.role == "language":
            self._add_language(question)
        elif question.is_open:
            self.texts[question.name] = answers
            self._state(question, answers.str.strip() != "")
        elif question.role == "country":
            self.free[question.name] = answers
            self._state(question, answers.str.strip() != "")

    def _check_identifier(self, question: Question) -> None:
        answers = self.export.answers[question.name]
        repeated = answers[answers.duplicated(keep=False) & (answers.str.strip() != "")]
        for _, rows in repeated.groupby(repeated, sort=False):
            first, second = (self.export.places[row] for row in rows.index[:2])
            self.problems.append(
                f"Rows {first} and {second} have the same respondent id (column "
                f"{question.column or question.name}): remove one of them."
            )

    def _add_language(self, question: Question) -> None:
        answers = self.export.answers[question.name].str.strip().str.lower()
        known = self.questionnaire.languages
        self._refuse(question, ~answers.isin([*known, ""]), f"is none of {', '.join(known)}")
        dtype = pd.CategoricalDtype(list(known))
        self.columns["language"] = answers.where(answers.isin(known)).astype(dtype)

    def _add_one(self, question: Question) -> None:
        answers = self.export.answers[question.name]
        options = self.questionnaire.options(question)
        folded = answers.map(fold_label)
        codes = folded.map(spellings(options))
        words = self.export.others.get(question.name)
        other = next((choice.name for choice in options if choice.role == "other"), None)
        unknown = codes.isna() & (folded != "")
        if other is not None:
            spoken = answers.where(unknown, "")
            if words is not None:
                spoken = spoken.where(spoken != "", words)
            codes = codes.where(~(codes.isna() & (spoken.str.strip() != "")), other)
            self.free[f"{question.name}_other"] = spoken
        else:
            self._refuse(question, unknown, "is no declared option, and there is no 'other'")
        names = [choice.name for choice in options]
        self.columns[question.name] = codes.astype(pd.CategoricalDtype(names))
        self._state(question, codes.notna())

    def _add_several(self, question: Question) -> None:
        options = self.questionnaire.options(question)
        bits = {choice.name: 1 << place for place, choice in enumerate(options)}
        other = next((choice.name for choice in options if choice.role == "other"), None)
        words = self.export.others.get(question.name)
        spread = self.export.ticks.get(question.name)
        spoken = pd.Series("", index=range(self.export.rows), dtype="str")
        if spread is not None:
            mask = np.zeros(self.export.rows, dtype=np.int64)
            for option in spread:
                mask |= np.where(spread[option].str.strip() != "", bits[str(option)], 0)
        else:
            mask, spoken = self._split(question, bits)
        if words is not None:
            spoken = spoken.where(spoken != "", words)
        if other is not None:
            mask |= np.where(spoken.str.strip() != "", bits[other], 0)
            self.free[f"{question.name}_other"] = spoken
        else:
            self._refuse(
                question, spoken != "", "holds what is no declared option, and there is no 'other'"
            )
        answers = pd.Series(mask, dtype="int64")
        if question.role == "codes":
            self._import_codes(question, answers)
            return
        self.columns[question.name] = answers
        self._state(question, answers != 0)

    def _split(self, question: Question, bits: dict[str, int]) -> tuple[np.ndarray, pd.Series]:
        """Split joined answers, each distinct one once; returns masks (n,) and other words (n,)."""
        splitter = OptionSplitter(
            spellings(self.questionnaire.options(question)), question.separator
        )
        places, distinct = pd.factorize(self.export.answers[question.name])
        masks, left = np.zeros(len(distinct), dtype=np.int64), []
        for place, cell in enumerate(distinct):
            names, words = splitter.split(cell)
            for name in names:
                masks[place] |= bits[name]
            left.append(question.separator.join(words))
        return masks[places], pd.Series(left, dtype="str").iloc[places].reset_index(drop=True)

    def _import_codes(self, question: Question, answers: pd.Series) -> None:
        for place, choice in enumerate(self.questionnaire.options(question)):
            rows = self.columns["respondent"][(answers.to_numpy() >> place) & 1 == 1]
            self.imported.append(
                pd.DataFrame(
                    {"respondent": rows, "question": question.codes_of, "code": choice.name}
                )
            )

    def _add_number(self, question: Question) -> None:
        answers = self.export.answers[question.name].str.strip()
        whole = answers.str.fullmatch(r"[+-]?\d{1,15}")
        self._refuse(question, (answers != "") & ~whole, "is no whole number")
        numbers = pd.to_numeric(answers.where(whole))
        self.columns[question.name] = numbers.astype("Int64")
        self._state(question, numbers.notna())

    def _add_time(self, question: Question) -> None:
        answers = self.export.answers[question.name].str.strip()
        # never guessed: 12/06 is June or December
        form = question.date_format or "ISO8601"
        given = answers.where(answers != "")
        times = pd.to_datetime(given, errors="coerce", format=form, utc=True)
        wanted = question.date_format or "a date as 2021-06-14 or 2021-06-14 16:03"
        self._refuse(question, (answers != "") & times.isna(), f"is not {wanted}")
        column = "submitted" if question.role == "submitted" else question.name
        self.columns[column] = times

    def _state(self, question: Question, answered: pd.Series) -> None:
        """Set the state: blank is skipped if asked; an answer to a question not asked is kept."""
        state = np.where(answered, "answered", "skipped")
        needs = relevance(question)
        if needs is not None and needs[0] in self.columns:
            asked = self._chose(*needs)
            state = np.where(~asked & ~answered, "not_asked", state)
            self.unasked += int((~asked & np.asarray(answered)).sum())
        self.columns[f"{question.name}_state"] = pd.Series(state).astype(STATE_DTYPE)

    def _chose(self, name: str, option: str) -> np.ndarray:
        question, answers = self.questionnaire.question(name), self.columns[name]
        if question.kind == "select_one":
            return np.asarray(answers == option)
        names = [choice.name for choice in self.questionnaire.options(question)]
        return np.asarray((answers.to_numpy() >> names.index(option)) & 1 == 1)

    def _refuse(self, question: Question, wrong: pd.Series, why: str) -> None:
        """Note the rows that do not fit: by number only, since a cell may identify someone."""
        rows = [self.export.places[row] for row in np.flatnonzero(wrong)]
        if not rows:
            return
        shown = ", ".join(rows[:MOST_PROBLEMS])
        more = f" and {len(rows) - MOST_PROBLEMS} more" if len(rows) > MOST_PROBLEMS else ""
        self.problems.append(
            f"{question.name}: the answer in row{'s' * (len(rows) > 1)} {shown}{more} {why}: "
            "correct it, or declare it in questionnaire.yml."
        )

    def finish(self) -> Responses:
        """Redact the words and put the tables together."""
        words = {**self.texts, **self.free}
        contacts = [
            (self.export.answers[question.name], asks_for_names(question))
            for question in self.questionnaire.with_role("contact")
            if question.name in self.export.answers
        ]
        contacts += [(column, True) for column in self.export.personal]
        own, shared = strings_to_find(contacts, _labels(self.questionnaire), list(words.values()))
        redactor = Redactor(shared)
        # whoever works in Kenya for the Kenya Network still works in Kenya
        lists = {question.name for question in self.questionnaire.with_role("country")}
        clean = {
            name: _redacted(column, [] if name in lists else own, redactor)
            for name, column in words.items()
        }
        respondents = pd.DataFrame(self.columns)
        if "language" not in respondents:
            # in a consultation of several languages it is not known: all patterns are searched
            known = list(self.questionnaire.languages)
            only = known[0] if len(known) == 1 else None
            dtype = pd.CategoricalDtype(known)
            respondents["language"] = pd.Series([only] * len(respondents), dtype=dtype)
        return Responses(
            respondents,
            _open_responses(respondents, {name: clean[name] for name in self.texts}),
            _free_texts(respondents, {name: clean[name] for name in self.free}),
            _together(self.imported, ["respondent", "question", "code"]),
            dict(redactor.counts),
            self.unasked,
        )


def _labels(questionnaire: Questionnaire) -> list[str]:
    """Return the questionnaire's own words."""
    labels = [question.label for question in questionnaire.survey]
    labels += [choice.label for choices in questionnaire.choices.values() for choice in choices]
    return [text for label in labels for text in label.values()]


def asks_for_names(question: Question) -> bool | None:
    """Whether a contact question asks for people's names; None where its label does not tell."""
    text = plain_copy("\n".join([question.name.replace("_", " "), *question.label.values()]))
    named, organised = NAME.search(text) is not None, ORGANISATION.search(text) is not None
    return named if named != organised else None


def _redacted(column: pd.Series, own: list[list[str]], redactor: Redactor) -> pd.Series:
    strings = own or [[]] * len(column)
    return pd.Series(
        [redactor.redact(text, mine) for text, mine in zip(column, strings, strict=True)],
        dtype="str",
    )


def _open_responses(respondents: pd.DataFrame, texts: dict[str, pd.Series]) -> pd.DataFrame:
    rows = [
        pd.DataFrame(
            {
                "respondent": respondents["respondent"],
                "question": name,
                "text": text.str.strip(),
                "language": respondents["language"],
                "state": respondents[f"{name}_state"],
            }
        )
        for name, text in texts.items()
    ]
    return _together(rows, ["respondent", "question", "text", "language", "state"])


def _free_texts(respondents: pd.DataFrame, texts: dict[str, pd.Series]) -> pd.DataFrame:
    rows = [
        pd.DataFrame({"respondent": respondents["respondent"], "question": name, "text": text})[
            text.str.strip() != ""
        ]
        for name, text in texts.items()
    ]
    return _together(rows, ["respondent", "question", "text"])


def _together(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Stack frames; with none, an empty frame of the columns."""
    if not frames:
        return pd.DataFrame({column: pd.Series(dtype="str") for column in columns})
    return pd.concat(frames, ignore_index=True)


def item_response(respondents: pd.DataFrame, questionnaire: Questionnaire) -> pd.DataFrame:
    """Count answered, skipped and not asked a question: columns question and the three states."""
    rows = []
    for question in questionnaire.survey:
        state = f"{question.name}_state"
        if state in respondents and question.is_substantive:
            counts = respondents[state].value_counts().reindex(STATES, fill_value=0)
            rows.append({"question": question.name, **counts.to_dict()})
    return pd.DataFrame(rows, columns=["question", *STATES])
