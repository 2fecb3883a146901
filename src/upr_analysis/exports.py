"""Exports bound to their questionnaire: which column answers which question, nothing typed yet."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from upr_analysis.grids import Grid, plain, read_grid
from upr_analysis.layouts import Field, Layout, lay_out
from upr_analysis.marks import (
    TICKED,
    UNTICKED,
    as_written,
    fold_label,
    is_other,
    names_other,
    spellings,
)
from upr_analysis.problems import InputError, did_you_mean
from upr_analysis.questionnaire import Choice, Question, Questionnaire

NOBODY: Final = "anonymous"  # what Microsoft Forms has for the name of who was not asked for it
MOST_NAMED: Final = 20  # columns of one kind named in a message; the rest is counted

Unit = list[Field]  # the columns that answer one question


@dataclass(frozen=True)
class Export:
    """An export bound to its questionnaire, every cell still text, blank where nothing stands.

    `answers` maps a question to its column (n,), `ticks` a select-all question spread over columns
    to its option columns (n, options), `others` a question to the words behind "other". `absent`
    holds, for a question that is not in every file, the rows (n,) whose file lacks it. `personal`
    are the tool's own columns that identify people. `languages` (n,) is the questionnaire's
    language of each row's file. `digest` is the SHA-256 of the files, of their digests if several.
    """

    rows: int
    answers: dict[str, pd.Series] = field(default_factory=dict)
    ticks: dict[str, pd.DataFrame] = field(default_factory=dict)
    others: dict[str, pd.Series] = field(default_factory=dict)
    absent: dict[str, np.ndarray] = field(default_factory=dict)
    clashes: dict[str, np.ndarray] = field(default_factory=dict)  # rows of two coalesced answers
    personal: tuple[pd.Series, ...] = ()
    languages: tuple[str, ...] = ()
    separators: tuple[str, ...] = (", ",)  # each file's, between several options in one cell
    digest: str = ""
    notes: tuple[str, ...] = ()  # what was not read of each file
    files: tuple[tuple[str, Sequence[int]], ...] = ()

    def let_go(self, question: str) -> None:
        """Hold the columns of a question no longer."""
        self.answers.pop(question, None)
        self.ticks.pop(question, None)
        self.others.pop(question, None)

    def place(self, row: int) -> str:
        """Say where a row stands in its file, for messages."""
        for file, numbers in self.files:
            if row < len(numbers):
                return f"{numbers[row]} of {file}" if len(self.files) > 1 else str(numbers[row])
            row -= len(numbers)
        raise IndexError(row)


def read_export(files: Sequence[Path], questionnaire: Questionnaire) -> Export:
    """Read the export's files, one after the other, and bind their columns to the questions.

    Files may be in different languages: a file's is the one in which most of its headers are found.
    InputError names every file, column or row that does not fit.
    """
    exports, problems = [], list[str]()
    for path in files:
        grid, digest = read_grid(
            path, questionnaire.encoding, questionnaire.delimiter, questionnaire.sheet
        )
        layout = lay_out(grid, questionnaire.format)
        if len(grid) <= layout.header_rows:
            raise InputError(f"{path.name} holds a header and no answers: export them again.")
        try:
            exports.append(replace(_bind(grid, layout, questionnaire), digest=digest))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return exports[0] if len(exports) == 1 else _joined(exports, questionnaire)


def _bind(grid: Grid, layout: Layout, questionnaire: Questionnaire) -> Export:
    """Bind a file in the language in which it lacks the fewest questions."""
    languages = dict.fromkeys((questionnaire.export_language, *questionnaire.languages))
    tried = []
    for language in languages:
        binding = _Binding(grid, layout, questionnaire, language)
        if not binding.missing:
            return binding.export()
        tried.append(binding)
    return min(tried, key=lambda binding: len(binding.missing)).export()


class _Binding:
    """One file's columns under one language's headers."""

    def __init__(
        self, grid: Grid, layout: Layout, questionnaire: Questionnaire, language: str
    ) -> None:
        self.grid, self.layout = grid, layout
        self.questionnaire, self.language = questionnaire, language
        self.units: dict[str, list[Unit]] = {}
        self.words: dict[str, Field] = {}
        self.missing: list[tuple[Question, str]] = []
        self.problems: list[str] = []
        index = Index(layout)
        for question in questionnaire.survey:
            header = plain(questionnaire.header(question, language))
            found = index.units(header)
            if question.kind != "select_multiple":
                found = list(map(_without_parts, found))
            if question.occurrence == "coalesce" and found:
                self.units[question.name] = found
            elif isinstance(question.occurrence, int) and len(found) >= question.occurrence:
                self.units[question.name] = [found[question.occurrence - 1]]
            elif not question.optional_column:
                self.missing.append((question, header))
            if question.other_column:
                self._find_words(question, plain(question.other_column))

    def _find_words(self, question: Question, header: str) -> None:
        """Find the column of words behind "other": of several so called the first behind."""
        called = [one for one in self.layout.fields if header in one.names]
        places = [one.place for unit in self.units.get(question.name, ()) for one in unit]
        behind = [one for one in called if one.place > max(places, default=-1)]
        one = next(iter([*behind, *called]), None)
        if one is None:
            self.missing.append((question, header))
        else:
            self.words[question.name] = one

    def _missing(self, question: Question, header: str) -> str:
        names = map(self._shown, self.layout.fields)
        return (
            f"{self.grid.file} has no column {_short(header)!r} for {question.name}: correct "
            f"'column' in questionnaire.yml{did_you_mean(header, filter(None, names))}"
        )

    def _shown(self, one: Field) -> str:
        """Return how messages call a column: not by what may be somebody's answer.

        That may be the second of two header rows, and the first where it is little like a header.
        """
        if not self._is_header:
            return ""
        two_rows = self.layout.tool == "surveymonkey"
        return one.block[0] if two_rows and one.block else one.names[0]

    @cached_property
    def _is_header(self) -> bool:
        """Whether half of the questions, or of the columns, are found by it."""
        places = {one.place for units in self.units.values() for unit in units for one in unit}
        asked = len(self.questionnaire.survey)
        return 2 * len(self.units) >= asked or 2 * len(places) >= len(self.layout.fields)

    def export(self) -> Export:
        """Return the bound columns; InputError with everything that does not fit."""
        found = Export(
            len(self.grid) - self.layout.header_rows,
            languages=(self.language,) * (len(self.grid) - self.layout.header_rows),
            separators=(self.layout.separator,),
            files=((self.grid.file, self.grid.numbers[self.layout.header_rows :]),),
        )
        bound: dict[int, str] = {}
        for question in self.questionnaire.survey:
            for unit in self.units.get(question.name, ()):
                for one in unit:
                    self._claim(one, question, bound)
                self._bind(question, unit, found)
            if question.name in self.words:
                words = self.words[question.name]
                if bound.get(words.place) != question.name:
                    self._claim(words, question, bound)
                found.others[question.name] = self._cells(words)
        self.problems += self._unknown(bound)
        self._raise()
        personal = [one for one in self.layout.fields if one.own == "personal"]
        return replace(
            found,
            notes=tuple(self._unread(bound)),
            personal=tuple(
                self._cells(one).replace(NOBODY, "") for one in personal if one.place not in bound
            ),
        )

    def _unread(self, bound: dict[int, str]) -> Iterator[str]:
        """Say which sheets, and which columns of the tool's own, are no part of the answers."""
        if self.grid.others:
            sheets = ", ".join(map(repr, self.grid.others))
            yield f"{self.grid.file}: not read, sheets {sheets}: say 'sheet' to read another."
        if self.grid.unread:
            cells, number = ", ".join(self.grid.unread[:MOST_NAMED]), len(self.grid.unread)
            yield (
                f"{self.grid.file}: {number} cells hold an error, or a formula without its value, "
                f"and are read as blank ({cells}): save it in a spreadsheet program."
            )
        own = [one for one in self.layout.fields if one.own and one.place not in bound]
        named = ", ".join(f"{one.place + 1} {_short(self._shown(one))!r}" for one in own)
        if own:
            yield f"{self.grid.file}: not read, columns of {self.layout.tool} itself: {named}."

    def _claim(self, one: Field, question: Question, bound: dict[int, str]) -> None:
        """Note whose column this is; two questions may not have the same."""
        if one.place in bound:
            self.problems.append(
                f"{self.grid.file}: column {one.place + 1} is bound twice, to {bound[one.place]} "
                f"and {question.name}: set 'occurrence'."
            )
        bound[one.place] = question.name

    def _cells(self, one: Field) -> pd.Series:
        return self.grid.column(one.place, self.layout.header_rows)

    def _bind(self, question: Question, unit: Unit, found: Export) -> None:
        """Bind the columns of one question into `found`; note what does not fit."""
        choices = self.questionnaire.options(question)
        known = {choice.name: choice for choice in choices}
        options = {text: known[name] for text, name in spellings(choices).items()}
        options |= {plain(text): known[name] for text, name in as_written(choices).items()}
        several = question.kind == "select_multiple"
        # beside the answer itself, a column of "other" holds words, whatever they look like
        answered = any(not one.parts and not one.joined for one in unit)
        spread: dict[str, pd.Series] = {}
        for one in unit:
            parts = one.parts if len(unit) > 1 or several else ()
            called = [text for part in parts for text in (part, fold_label(part))]
            choice = next((options[text] for text in called if text in options), None)
            for_words = any(map(is_other, parts)) or (choice and choice.role == "other")
            if for_words and choice is None:
                choice = next((choice for choice in choices if choice.role == "other"), None)
            if for_words and choice:
                is_mark = several and not answered and choice.name not in spread
                is_mark = is_mark and self._holds_marks(one, choice)
            else:
                is_mark = several and choice is not None
            if is_mark and choice:
                cells = self._cells(one)
                if choice.name in spread:  # two spellings of it have a column each
                    cells = self._either(spread[choice.name], cells)
                spread[choice.name] = cells
            elif not parts:
                self._add_answer(question, self._cells(one), found)
            elif for_words and choice:
                words, before = self._cells(one), found.others.get(question.name)
                found.others[question.name] = words if before is None else both_words(before, words)
            else:
                # the second header row of a file that has but one is somebody's answers: no word
                self.problems.append(
                    f"{self.grid.file}: column {one.place + 1} is no option of {question.name}: "
                    "declare it in questionnaire.yml, or is the second header row missing?"
                )
        if spread:
            self._add_ticks(question, pd.DataFrame(spread), found)
        elif question.name not in found.answers and not self.problems:
            self.problems.append(
                f"{self.grid.file} has no column with the answers to {question.name}, only one "
                "beside it."
            )

    def _holds_marks(self, one: Field, choice: Choice) -> bool:
        """Whether the column of "other" tells that it was ticked, and not what was written."""
        said = {fold_label(cell) for cell in self._cells(one).unique()} - {""}
        asked = self.questionnaire
        known = {*spellings([choice]), *map(fold_label, (*asked.not_asked, *asked.no_answer))}
        said -= known | TICKED | UNTICKED
        return bool((self._cells(one) != "").any()) and all(map(names_other, said))

    def _add_answer(self, question: Question, cells: pd.Series, found: Export) -> None:
        """Add a column of answers: behind another of the question what that leaves open."""
        before = found.answers.get(question.name)
        if before is not None:
            self._note_clash(question, found, self._says(before) & self._says(cells))
            cells = before.where(self._says(before) | ~self._says(cells), cells)
        found.answers[question.name] = cells

    def _add_ticks(self, question: Question, ticks: pd.DataFrame, found: Export) -> None:
        """Add a block of ticks: behind another of the question the rows that it leaves open."""
        earlier = found.ticks.get(question.name)
        if earlier is not None:
            says, more = (one.apply(self._ticked).any(axis=1) for one in (earlier, ticks))
            self._note_clash(question, found, says & more)
            seen = earlier.apply(self._says).any(axis=1)
            ticks = _filled(earlier, ticks, says | (seen & ~more))
        found.ticks[question.name] = ticks

    def _says(self, cells: pd.Series) -> pd.Series:
        """Whether cells (n,) hold an answer, and not that there is none."""
        asked = self.questionnaire
        silent = {"", *map(fold_label, asked.no_answer)}
        return ~(cells.str.strip().isin(asked.not_asked) | cells.map(fold_label).isin(silent))

    def _ticked(self, cells: pd.Series) -> pd.Series:
        return self._says(cells) & ~cells.map(fold_label).isin(UNTICKED)

    @staticmethod
    def _note_clash(question: Question, found: Export, rows: pd.Series) -> None:
        known = found.clashes.get(question.name, np.zeros(len(rows), dtype=bool))
        found.clashes[question.name] = known | rows.to_numpy()

    def _either(self, first: pd.Series, second: pd.Series) -> pd.Series:
        """Return of two columns of one option the first, where it says no or nothing the second."""
        asked = self.questionnaire
        no = UNTICKED | {"", *map(fold_label, (*asked.not_asked, *asked.no_answer))}
        return first.where(~first.map(fold_label).isin(no) | (second == ""), second)

    def _unknown(self, bound: dict[int, str]) -> list[str]:
        """Return the columns that are no question, no tool's and not declared as ignored."""
        asked = self.questionnaire
        known = [asked.header(question, self.language) for question in asked.survey]
        ignored = {plain(header) for header in self.questionnaire.ignored}
        left = [
            one
            for one in self.layout.fields
            if one.place not in bound
            and one.own is None
            and not one.joined
            and not ignored.intersection(one.names + one.block)
            and not (one.names[0] == "" and self._says_nothing(one))
        ]
        shown = [(one.place + 1, self._shown(one)) for one in left[:MOST_NAMED]]
        named = [
            f"{self.grid.file}: column {place} ({_short(heading)!r}) is no question of "
            "questionnaire.yml: declare it, or list it under 'ignored'"
            f"{did_you_mean(heading, known)}"
            for place, heading in shown
        ]
        if len(left) > MOST_NAMED:
            named.append(
                f"{self.grid.file}: {len(left) - MOST_NAMED} more columns are no question."
            )
        return named

    def _says_nothing(self, one: Field) -> bool:
        """Whether a column without a header holds nothing, or the rows' numbers."""
        cells = self._cells(one).str.strip()
        numbers = [str(number) for number in range(len(cells) + 1)]
        return bool((cells == "").all()) or list(cells) in (numbers[:-1], numbers[1:])

    def _raise(self) -> None:
        """Raise what does not fit, if anything; in one line where the header is no header."""
        asked = len(self.questionnaire.survey)
        if len(self.missing) > asked / 2:
            # the first row may then be somebody's answers: no word of it is shown
            raise InputError(
                f"{self.grid.file}: {len(self.missing)} of {asked} declared columns are missing. "
                "Is it the right file, with its header? It was read as "
                f"{self.layout.tool}, {self.grid.encoding}, separated by {self.grid.delimiter!r}: "
                "'format', 'encoding' and 'delimiter' in questionnaire.yml say otherwise."
            )
        if self.missing or self.problems:
            named = [self._missing(*one) for one in self.missing[:MOST_NAMED]]
            if len(self.missing) > MOST_NAMED:
                more = len(self.missing) - MOST_NAMED
                named.append(f"{self.grid.file} lacks {more} more columns.")
            raise InputError([*named, *self.problems])


class Index:
    """The columns of a layout by every name, and by the heading that they stand under."""

    def __init__(self, layout: Layout) -> None:
        self.groups = [
            list(some) for _, some in groupby(layout.fields, key=lambda one: (one.group, one.block))
        ]
        self.places: dict[str, list[int]] = defaultdict(list)
        for place, group in enumerate(self.groups):
            for name in {name for one in group for name in (*one.names, *one.block)}:
                self.places[name].append(place)

    def units(self, header: str) -> list[Unit]:
        """Return what may answer a question of that header, in the order of the file.

        That is a column that is called so, with the columns beside it if it is no part itself, or
        all columns under that heading; or, of "heading > part", that part of it.
        """
        heading, _, part = header.partition(" > ")
        units: list[Unit] = []
        for place in sorted({*self.places.get(header, ()), *self.places.get(heading, ())}):
            group = self.groups[place]
            named = [one for one in group if header in one.names]
            if part and not named:
                named = [one for one in group if heading in one.block and part in one.parts]
            if named and named[0].parts:
                units.append([replace(named[0], parts=())])
            elif named or any(header in one.block for one in group):
                together = [one for one in group if not one.aside]
                units += (
                    [[one] for one in named] if len(named) > 1 or together == [] else [together]
                )
        # what a tool calls a column of its own may be the header of a question, too
        return sorted(units, key=lambda unit: unit[0].own is not None)


def _without_parts(unit: Unit) -> Unit:
    """Leave out what stands beside a question's one answer and is not behind its "other".

    That is a comment, or another question under the same heading: it has a header of its own.
    """
    has_answer = any(not one.parts for one in unit)
    return [one for one in unit if not (has_answer and one.parts) or any(map(is_other, one.parts))]


def both_words(first: pd.Series, second: pd.Series) -> pd.Series:
    """Return the words of two columns (n,), one behind the other where both hold some."""
    mark = pd.Series("; ", index=first.index).where((first != "") & (second != ""), "")
    return first + mark + second


def _filled(first: pd.DataFrame, second: pd.DataFrame, kept: pd.Series) -> pd.DataFrame:
    """Return the first of two blocks of ticks where it is `kept` (n,), the second elsewhere."""
    both = pd.concat([first[kept], second[~kept]]).sort_index()
    return both.fillna("").astype("str")


def _joined(exports: Sequence[Export], questionnaire: Questionnaire) -> Export:
    """Put several files' answers one after the other; what a file does not ask is blank, absent."""
    rows = sum(one.rows for one in exports)
    joined = Export(
        rows,
        languages=tuple(language for one in exports for language in one.languages),
        separators=tuple(separator for one in exports for separator in one.separators),
        digest=digest_of(one.digest for one in exports),
        notes=tuple(note for one in exports for note in one.notes),
        files=tuple(file for one in exports for file in one.files),
    )
    for question in questionnaire.survey:
        name = question.name
        has = [name in one.answers or name in one.ticks for one in exports]
        if any(name in one.answers for one in exports):
            joined.answers[name] = _stacked([_blank(one.answers.get(name), one) for one in exports])
        if any(name in one.ticks for one in exports):
            parts = [one.ticks.get(name, pd.DataFrame(index=range(one.rows))) for one in exports]
            joined.ticks[name] = pd.concat(parts, ignore_index=True).fillna("").astype("str")
        if any(name in one.others for one in exports):
            joined.others[name] = _stacked([_blank(one.others.get(name), one) for one in exports])
        if any(name in one.clashes for one in exports):
            clashes = [one.clashes.get(name, np.zeros(one.rows, dtype=bool)) for one in exports]
            joined.clashes[name] = np.concatenate(clashes)
        if any(has) and not all(has):
            joined.absent[name] = np.repeat(np.logical_not(has), [one.rows for one in exports])
    widest = max(len(one.personal) for one in exports)
    personal = [
        _stacked([_blank(dict(enumerate(one.personal)).get(place), one) for one in exports])
        for place in range(widest)
    ]
    return replace(joined, personal=tuple(personal))


def _blank(cells: pd.Series | None, export: Export) -> pd.Series:
    return pd.Series([""] * export.rows, dtype="str") if cells is None else cells


def _stacked(parts: Sequence[pd.Series]) -> pd.Series:
    return pd.concat(parts, ignore_index=True)


def digest_of(digests: Iterable[str]) -> str:
    """Return one SHA-256 for several files, by their own in order."""
    import hashlib

    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _short(header: str) -> str:
    return header if len(header) <= 60 else header[:57] + "..."
