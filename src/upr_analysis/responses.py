"""Typed answers: what each respondent said to each question, and whether it was asked at all.

A closed answer is a category (single choice) or a bit mask over the declared options (select-all);
beside it stands its state, which is never folded into a missing value.
"""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from upr_analysis.exports import Export, both_words
from upr_analysis.marks import (
    FRACTION,
    TICKED,
    UNTICKED,
    WHOLE,
    ZONE,
    OptionSplitter,
    as_written,
    fold_label,
    is_other,
    names_of_language,
    spellings,
    with_plain_digits,
    words_behind_other,
)
from upr_analysis.privacy import PLACEHOLDERS, Redactor, plain_copy, strings_to_find
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import (
    OWN_COLUMNS,
    Question,
    Questionnaire,
    relevance,
)

STATES: Final = ("answered", "skipped", "not_asked")
STATE_DTYPE: Final = pd.CategoricalDtype(list(STATES))
MOST_PROBLEMS: Final = 20  # rows named for one question; the rest is counted
LOG: Final = ["respondent", "column", "rule", "change"]
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
    `changes`: respondent, column, rule, change: a row for whatever was changed or is odd, and never
    what it was. `redactions`: kind -> how many were replaced. `unasked`: answers to questions that,
    by the routing, were not asked; they are kept.
    """

    respondents: pd.DataFrame
    open_responses: pd.DataFrame
    free_texts: pd.DataFrame
    imported: pd.DataFrame
    changes: pd.DataFrame
    redactions: dict[str, int]
    unasked: int = 0


def type_responses(export: Export, questionnaire: Questionnaire, seed: int) -> Responses:
    """Type every answer of an export; InputError lists every cell that does not fit, by row.

    The export is used up: a column is let go when it is typed, so that a large file is not held
    twice. Pseudonyms are drawn at random (from `seed`), not from anything that was answered.
    """
    typing = _Typing(export, questionnaire, _pseudonyms(export.rows, seed))
    for question in questionnaire.survey:
        typing.add(question)
    if typing.problems:
        raise InputError(typing.problems)
    return typing.finish()


def _pseudonyms(rows: int, seed: int) -> pd.Series:
    order = np.random.default_rng(seed).permutation(rows) + 1
    return "r" + pd.Series(order.astype(str), dtype="string").str.zfill(max(3, len(str(rows))))


class _Typing:
    """The typing of one export, question by question, gathering problems on the way."""

    def __init__(self, export: Export, questionnaire: Questionnaire, names: pd.Series) -> None:
        self.export, self.questionnaire = export, questionnaire
        self.columns: dict[str, pd.Series] = {"respondent": names}
        self.texts: dict[str, pd.Series] = {}
        self.free: dict[str, pd.Series] = {}
        self.imported: list[pd.DataFrame] = []
        self.changes: list[pd.DataFrame] = []
        self.problems: list[str] = []
        self.unasked = 0  # answers to questions that were not asked
        self.no_answer = {fold_label(cell) for cell in questionnaire.no_answer}
        self.not_asked = set(questionnaire.not_asked)  # to the letter: somebody may write n/a

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
        elif question.kind in ("integer", "decimal"):
            self._add_number(question)
        else:
            self._add_time(question)
        clash = self.export.clashes.get(name)
        if clash is not None:
            self._note(clash, question, "two columns answered", "the first kept")
        if question.role != "contact":  # looked for in answers when all are there
            self.export.let_go(name)

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

    def _read(self, question: Question) -> tuple[pd.Series, np.ndarray]:
        """Return a question's cells (n,), and whether each says that it was not asked (n,).

        A cell that says so, or that nothing was answered, is blank.
        """
        answers = self.export.answers[question.name]
        unasked = np.zeros(self.export.rows, dtype=bool)
        # NA is Namibia among countries
        if not (self.not_asked or self.no_answer) or question.role == "country":
            return answers, unasked
        places, distinct = pd.factorize(answers)
        folded = [fold_label(cell) for cell in distinct]
        unasked = np.array([cell.strip() in self.not_asked for cell in distinct], dtype=bool)[
            places
        ]
        silent = np.array([cell in self.no_answer for cell in folded], dtype=bool)[places]
        self._note(silent, question, "no answer", "made blank")
        self._note(unasked, question, "not asked", "made blank")
        return answers.where(~(unasked | silent), ""), unasked

    def _words(self, question: Question) -> pd.Series | None:
        """Return what was written behind "other" (n,), without cells that say that nothing was."""
        words = self.export.others.get(question.name)
        if words is None or not (self.not_asked or self.no_answer):
            return words
        places, distinct = pd.factorize(words)
        said = [
            cell.strip() not in self.not_asked and fold_label(cell) not in self.no_answer
            for cell in distinct
        ]
        return words.where(np.array(said, dtype=bool)[places], "")

    def _add_text(self, question: Question) -> None:
        if question.role == "respondent":
            self._check_identifier(question)
        elif question.role == "language":
            self._add_language(question)
        elif question.is_open or question.role == "country":
            answers, unasked = self._read(question)
            kept = self.texts if question.is_open else self.free
            kept[question.name] = answers = _stripped(answers)
            self._state(question, answers != "", unasked)

    def _check_identifier(self, question: Question) -> None:
        answers = self.export.answers[question.name]
        repeated = answers[answers.duplicated(keep=False) & (answers.str.strip() != "")]
        groups = [rows for _, rows in repeated.groupby(repeated, sort=False)]
        for rows in groups[:MOST_PROBLEMS]:
            first, second = (self.export.place(row) for row in rows.index[:2])
            self.problems.append(
                f"Rows {first} and {second} have the same respondent id (column "
                f"{question.column or question.name}): remove one of them."
            )
        if len(groups) > MOST_PROBLEMS:
            more = len(groups) - MOST_PROBLEMS
            self.problems.append(f"{more} more ids of {question.name} are given twice.")

    def _add_language(self, question: Question) -> None:
        known = self.questionnaire.languages
        tag_of = {tag.partition("-")[0].lower(): tag for tag in known}
        tag_of |= {name: tag for tag in known for name in names_of_language(tag)}
        answers = self.export.answers[question.name].str.strip().str.lower()
        # es-MX and Spanish (Mexico) are Spanish, unless the Spanish of Mexico is one of them
        heads = answers.str.split(r"[-_(]", regex=True, n=1).str[0].str.strip()
        whole = answers.str.replace("_", "-").map(tag_of)
        answers = whole.fillna(heads.map(tag_of)).fillna(answers)
        self._refuse(question, ~answers.isin([*known, ""]), f"is none of {', '.join(known)}")
        dtype = pd.CategoricalDtype(list(known))
        self.columns["language"] = answers.where(answers.isin(known)).astype(dtype)

    def _add_one(self, question: Question) -> None:
        answers, unasked = self._read(question)
        options = self.questionnaire.options(question)
        names = [choice.name for choice in options]
        number = {name: place for place, name in enumerate(names)}
        known = spellings(options)
        places, distinct = pd.factorize(answers)
        folded = [fold_label(cell) for cell in distinct]
        codes = np.array([number.get(known.get(cell, ""), -1) for cell in folded], dtype=np.int64)
        unknown = np.array([bool(cell) for cell in folded], dtype=bool) & (codes < 0)
        codes, unknown = codes[places], unknown[places]
        words = self._words(question)
        other = next((choice.name for choice in options if choice.role == "other"), None)
        if other is not None:
            said_of = pd.Series([self._own_words(cell) for cell in distinct], dtype="str")
            spoken = said_of.iloc[places].reset_index(drop=True).where(unknown, "")
            if words is not None:
                spoken = both_words(spoken, words)
            said = np.asarray(spoken.str.strip() != "")
            self._note(unknown & said, question, "no declared option", "counted as other")
            codes = np.where((codes < 0) & (said | unknown), number[other], codes)
            self.free[f"{question.name}_other"] = spoken
        else:
            self._refuse(question, unknown, "is no declared option, and there is no 'other'")
        typed = pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(names))
        self.columns[question.name] = pd.Series(typed)
        self._state(question, codes >= 0, unasked)

    @staticmethod
    def _own_words(cell: str) -> str:
        """Return the words of a cell that is no option: of "Other: a map" those behind it."""
        return words_behind_other(cell) if is_other(cell) else cell

    def _add_several(self, question: Question) -> None:
        options = self.questionnaire.options(question)
        bits = {choice.name: 1 << place for place, choice in enumerate(options)}
        other = next((choice.name for choice in options if choice.role == "other"), None)
        words = self._words(question)
        spoken = pd.Series("", index=range(self.export.rows), dtype="str")
        seen = np.full(self.export.rows, question.all_blank == "none_chosen")
        mask = np.zeros(self.export.rows, dtype=np.int64)
        unasked = np.zeros(self.export.rows, dtype=bool)
        if question.name in self.export.ticks:
            mask, marked, unasked = self._read_ticks(question, bits)
            seen |= marked
            if words is not None:  # beside marks, what looks like one is one
                folded = words.map(fold_label)
                no, yes = (np.asarray(folded.isin(marks)) for marks in (UNTICKED, TICKED))
                words, seen = words.where(~(no | yes), ""), seen | no
                mask |= np.where(yes, bits[other] if other else 0, 0)
                self._note(no | yes, question, "a mark in place of words", "read as a mark")
        if question.name in self.export.answers:  # perhaps beside the ticks, as Kobo has both
            joined, spoken, never = self._split(question, bits)
            differs = (mask != 0) & (joined != 0) & (mask != joined)
            self._note(differs, question, "joined options differ from the ticked", "both kept")
            mask, unasked = mask | joined, unasked | never
        if words is not None:
            spoken = both_words(spoken, words)
        said = np.asarray(spoken.str.strip() != "")
        if other is not None:
            mask |= np.where(said, bits[other], 0)
            self.free[f"{question.name}_other"] = spoken
        else:
            self._refuse(
                question, said, "holds what is no declared option, and there is no 'other'"
            )
        if question.role == "codes":
            self._import_codes(question, pd.Series(mask, dtype="int64"))
            return
        alone = sum(bits[choice.name] for choice in options if choice.role == "none")
        beside = ((mask & alone) != 0) & ((mask & ~alone) != 0)
        self._note(beside, question, "none of these beside an option", "kept")
        self.columns[question.name] = pd.Series(mask, dtype="int64")
        self._state(question, mask != 0, unasked, seen)

    def _read_ticks(
        self, question: Question, bits: dict[str, int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read one column an option: bit masks (n,), whether anything was marked, not asked.

        A mark is the option's own words or a word for yes; a word for no says that the question was
        seen and the option not chosen. Anything else is an error.
        """
        choices = {choice.name: choice for choice in self.questionnaire.options(question)}
        ticks = self.export.ticks[question.name]
        own_of = {option: set(spellings([choices[option]])) for option in map(str, ticks)}
        # beside marks in other columns, "No" in the column of the option "No" is a mark, too
        marked_by = {
            option
            for option, own in own_of.items()
            if {fold_label(cell) for cell in ticks[option].unique()} & (TICKED | UNTICKED) - own
        }
        mask = np.zeros(self.export.rows, dtype=np.int64)
        marked, unasked = np.zeros((2, self.export.rows), dtype=bool)
        for option, spelt in own_of.items():
            own = spelt - (UNTICKED if marked_by - {option} else set())
            places, distinct = pd.factorize(ticks[option])
            folded = [fold_label(cell) for cell in distinct]
            named = is_other if choices[option].role == "other" else own.__contains__
            yes = np.array([c in own or c in TICKED or named(c) for c in folded], dtype=bool)
            no = np.array([cell in UNTICKED for cell in folded], dtype=bool) & ~yes
            never = np.array([cell.strip() in self.not_asked for cell in distinct], dtype=bool)
            blank = np.array([not cell or cell in self.no_answer for cell in folded], dtype=bool)
            self._refuse(
                question,
                ~(yes | no | never | blank)[places],
                f"has in the column of {option} no mark that is understood",
            )
            mask |= np.where(yes[places], bits[option], 0)
            marked |= (yes | no)[places]
            unasked |= never[places]
        return mask, marked, unasked & ~marked

    def _split(
        self, question: Question, bits: dict[str, int]
    ) -> tuple[np.ndarray, pd.Series, np.ndarray]:
        """Split joined answers; returns masks (n,), other words (n,), who was not asked (n,)."""
        options = self.questionnaire.options(question)
        answers, unasked = self._read(question)
        other = next((one.name for one in options if one.role == "other"), None)
        masks = np.zeros(self.export.rows, dtype=np.int64)
        spoken = pd.Series("", index=range(self.export.rows), dtype="str")
        for separator, rows in self._separators(question):
            splitter = OptionSplitter(as_written(options), separator)
            places, distinct = pd.factorize(answers[rows])
            found, left = np.zeros(len(distinct), dtype=np.int64), []
            for place, cell in enumerate(distinct):
                names, words = splitter.split(cell)
                if other is not None and any(map(is_other, words)):
                    names.append(other)
                for name in names:
                    found[place] |= bits[name]
                left.append(separator.join(filter(None, map(self._own_words, words))))
            masks[rows] = found[places]
            spoken[rows] = pd.Series(left, dtype="str").iloc[places].to_numpy()
        self._note(np.asarray(spoken != ""), question, "no declared option", "counted as other")
        return masks, spoken, unasked

    def _separators(self, question: Question) -> list[tuple[str, np.ndarray]]:
        """Return what parts options in one cell, and in which rows (n,): each file's tool's own."""
        sizes = [len(numbers) for _, numbers in self.export.files]
        own = np.repeat([question.separator or one for one in self.export.separators], sizes)
        return [(separator, own == separator) for separator in dict.fromkeys(own.tolist())]

    def _import_codes(self, question: Question, answers: pd.Series) -> None:
        for place, choice in enumerate(self.questionnaire.options(question)):
            rows = self.columns["respondent"][(answers.to_numpy() >> place) & 1 == 1]
            self.imported.append(
                pd.DataFrame(
                    {"respondent": rows, "question": question.codes_of, "code": choice.name}
                )
            )

    def _add_number(self, question: Question) -> None:
        answers, unasked = self._read(question)
        answers = answers.str.strip().map(with_plain_digits)
        whole = question.kind == "integer"
        mark = "," if self.questionnaire.decimal_comma else "."
        pattern = WHOLE if whole else FRACTION
        fits = answers.str.fullmatch(pattern.replace(r"\.", re.escape(mark)))
        numbers = pd.to_numeric(answers.where(fits).str.replace(mark, ".", regex=False))
        fits &= np.isfinite(numbers.fillna(0))  # 1e999 is more than a number may be
        kind = "whole number" if whole else f"number written with a decimal {mark!r}"
        self._refuse(question, (answers != "") & ~fits, f"is no {kind}")
        column = question.role if question.role in OWN_COLUMNS else question.name
        self.columns[column] = numbers.astype("Int64" if whole else "Float64")
        self._state(question, numbers.notna(), unasked)

    def _add_time(self, question: Question) -> None:
        answers, unasked = self._read(question)
        answers = answers.str.strip().map(with_plain_digits)
        # never guessed: 12/06 is June or December, 202106 a number
        form = question.date_format or "ISO8601"
        given = answers.where(answers != "")
        if question.date_format is not None and "%z" not in question.date_format:
            zoned = answers.str.contains(ZONE)
            given = given.str.replace(ZONE, "", regex=True)
            self._note(zoned.to_numpy(dtype=bool), question, "time zone", "left out")
        if question.date_format is None:
            given = given.where(given.str.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", na=False))
        times = pd.to_datetime(given, errors="coerce", format=form, utc=True)
        wanted = question.date_format or "a date as 2021-06-14 or 2021-06-14 16:03"
        self._refuse(question, (answers != "") & times.isna(), f"is not {wanted}")
        column = question.role if question.role in OWN_COLUMNS else question.name
        self.columns[column] = times
        if question.role is None:
            self._state(question, times.notna(), unasked)

    def _state(
        self,
        question: Question,
        given: pd.Series | np.ndarray,
        unasked: np.ndarray,
        seen: np.ndarray | None = None,
    ) -> None:
        """Set the state: blank is skipped if asked; an answer to a question not asked is kept.

        Who was asked and has `seen` a question without a choice has answered that it is none.
        """
        answered = np.asarray(given)
        asked = ~(unasked | self.export.absent.get(question.name, False))
        needs = relevance(question)
        if needs is not None and needs[0] in self.columns:
            asked &= self._chose(*needs)
        if seen is not None:
            answered = answered | (seen & asked)
        state = np.where(answered, 0, np.where(asked, 1, 2))
        self.unasked += int((~asked & answered).sum())
        self._note(~asked & answered, question, "answered though not asked", "kept")
        typed = pd.Categorical.from_codes(state, dtype=STATE_DTYPE)
        self.columns[f"{question.name}_state"] = pd.Series(typed)

    def _chose(self, name: str, option: str) -> np.ndarray:
        question, answers = self.questionnaire.question(name), self.columns[name]
        if question.kind == "select_one":
            return np.asarray(answers == option)
        names = [choice.name for choice in self.questionnaire.options(question)]
        return np.asarray((answers.to_numpy() >> names.index(option)) & 1 == 1)

    def _note(self, rows: np.ndarray, question: Question, rule: str, change: str) -> None:
        """Enter into the log what was done to some rows' answers (n,) to a question."""
        if rows.any():
            who = self.columns["respondent"][rows]
            self.changes.append(
                pd.DataFrame(
                    {"respondent": who, "column": question.name, "rule": rule, "change": change}
                )
            )

    def _refuse(self, question: Question, wrong: pd.Series | np.ndarray, why: str) -> None:
        """Note the rows that do not fit: by number only, since a cell may identify someone."""
        rows = np.flatnonzero(wrong)
        if not len(rows):
            return
        shown = ", ".join(self.export.place(row) for row in rows[:MOST_PROBLEMS])
        more = f" and {len(rows) - MOST_PROBLEMS} more" if len(rows) > MOST_PROBLEMS else ""
        self.problems.append(
            f"{question.name}: the answer in row{'s' * (len(rows) > 1)} {shown}{more} {why}: "
            "correct it, or declare it in questionnaire.yml."
        )

    def finish(self) -> Responses:
        """Redact the words and put the tables together."""
        contacts = [
            (self.export.answers[question.name], asks_for_names(question))
            for question in self.questionnaire.with_role("contact")
            if question.name in self.export.answers
        ]
        contacts += [(column, True) for column in self.export.personal]
        words = [*self.texts.values(), *self.free.values()]
        own, shared, rows = strings_to_find(contacts, _labels(self.questionnaire), words)
        del contacts, words
        redactor = Redactor(shared, rows)
        nothing: list[list[str]] = [[]] * self.export.rows
        # whoever works in Kenya for the Kenya Network still works in Kenya
        lists = {question.name for question in self.questionnaire.with_role("country")}
        for kept in (self.texts, self.free):
            for name, column in kept.items():
                mine = nothing if name in lists or not own else own
                kept[name] = redactor.redact_all(column, mine)
                self.changes += _redactions(self.columns["respondent"], name, column, kept[name])
        del own
        respondents = pd.DataFrame(self.columns)
        if "language" not in respondents:
            respondents["language"] = self._languages()
        return Responses(
            respondents,
            _open_responses(respondents, self.texts),
            _free_texts(respondents, self.free),
            _together(self.imported, ["respondent", "question", "code"]),
            _together(self.changes, LOG),
            dict(redactor.counts),
            self.unasked,
        )

    def _languages(self) -> pd.Series:
        """Return each respondent's language (n,) where no question or column says it.

        It is that of the file; in one file of a consultation of several languages it is not known,
        and all patterns are searched.
        """
        known = list(self.questionnaire.languages)
        by_file = len(known) == 1 or len(set(self.export.languages)) > 1
        languages = self.export.languages if by_file else [None] * self.export.rows
        return pd.Series(languages, dtype=pd.CategoricalDtype(known))


def _redactions(
    respondents: pd.Series, name: str, before: pd.Series, after: pd.Series
) -> list[pd.DataFrame]:
    """Return the log's rows for one column: whose answer holds which placeholder now."""
    changed = np.flatnonzero(before != after)
    some = (one.iloc[changed].tolist() for one in (respondents, before, after))
    rows = [
        (respondent, name, kind, "replaced")
        for respondent, was, becomes in zip(*some, strict=True)
        for kind, mark in PLACEHOLDERS.items()
        if becomes.count(mark) > was.count(mark)
    ]
    return [pd.DataFrame(rows, columns=LOG)] if rows else []


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


def _stripped(column: pd.Series) -> pd.Series:
    """Return a column without white space round its cells: itself, no copy, where there is none."""
    stripped = column.str.strip()
    return column if stripped.equals(column) else stripped


def _open_responses(respondents: pd.DataFrame, texts: dict[str, pd.Series]) -> pd.DataFrame:
    rows = [
        pd.DataFrame(
            {
                "respondent": respondents["respondent"],
                "question": name,
                "text": text,
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
            if counts.sum() != len(respondents):
                raise AssertionError(f"the states of {question.name} are not those of all rows")
            rows.append({"question": question.name, **counts.to_dict()})
    return pd.DataFrame(rows, columns=["question", *STATES])
