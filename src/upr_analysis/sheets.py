"""Sheets on which people code: a workbook a coder, and what comes back of it.

A sheet holds one row an answer, as stored, and cells in which a code is chosen from the codebook.
What is drawn, and who codes what, the seed decides by hashes of the answers: neither their order
nor a further answer changes the rest.
"""

import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from upr_analysis.codebook import Codebook
from upr_analysis.coding import text_hash
from upr_analysis.codings import BASES, UNIT, is_coder, located, rows_of, unknown_code
from upr_analysis.documents import label
from upr_analysis.grids import WORKBOOKS, Grid, kind_of, read_grid
from upr_analysis.labels import Labels
from upr_analysis.problems import InputError

CODING: Final = "Coding"
BOOK: Final = "Codebook"
ABOUT: Final = "About"
CODE_COLUMNS: Final = tuple(f"code {number}" for number in range(1, 7))
PIECE: Final = 16_000  # code points of a text in one cell; a cell holds 32,767 UTF-16 units
UNWRITABLE: Final = re.compile("[\ufffe\uffff]")  # which no XML holds
NONE: Final = "(none applies)"
FIXED: Final = ("respondent", "question", "asked", "language", "text")
HOW: Final = {
    "independent": "Do not speak of it with other coders before all have coded.",
    "assisted": "A machine suggests what stands under 'suggested': read the answer before you "
    "choose.",
    "adjudicated": "What each coder gave stands beside the answer: your codes will count.",
}
MADE: Final = datetime(2000, 1, 1)  # as the workbook has it: the same content, the same bytes


@dataclass(frozen=True)
class Sheet:
    """A coder's sheet: whose it is, how it is coded, by which codebook, and the answers on it.

    `answers` are open responses; `shown` further columns in view, a text each answer. No code
    stands in a cell from the start: what nobody read would come back as somebody's judgement.
    """

    coder: str
    basis: str
    version: str
    answers: pd.DataFrame
    shown: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Read:
    """What came back of a sheet: rows for the record, and how many answers were left uncoded.

    `empty` are the answers of rows without any code, by (respondent, question).
    """

    coder: str
    basis: str
    version: str
    rows: pd.DataFrame
    coded: int
    left: int
    empty: tuple[tuple[str, str], ...] = ()


def draw_sample(
    answers: pd.DataFrame, size: int | None, seed: int, strata: Sequence[str] = ()
) -> pd.DataFrame:
    """Return `size` of the answers, or all; of each stratum its share, by largest remainder.

    `strata` are columns of `answers`. Which ones, a hash of the seed and of the answer decides.
    """
    order = _drawn(answers, seed)
    if size is None or size >= len(answers):
        return answers.loc[order]
    keys = [answers[column].astype("object").fillna("") for column in strata]
    which = pd.Series(list(zip(*keys, strict=True)) if keys else [()] * len(answers), answers.index)
    counts = which.value_counts()
    exact = {key: size * int(number) / len(answers) for key, number in counts.items()}
    taken = {key: int(share) for key, share in exact.items()}
    rest = sorted(exact, key=lambda key: (taken[key] - exact[key], repr(key)))
    for key in rest[: size - sum(taken.values())]:
        taken[key] += 1
    place = which.loc[order].groupby(which.loc[order], sort=False).cumcount()
    return answers.loc[[row for row in order if place[row] < taken[which[row]]]]


def deal(
    answers: pd.DataFrame, coders: Sequence[str], overlap: float, seed: int
) -> dict[str, pd.DataFrame]:
    """Return each coder's answers: the first share `overlap` goes to all, the rest to one each."""
    common = round(overlap * len(answers)) if len(coders) > 1 else 0
    rest = answers.iloc[common:]
    dealt = {}
    for place, coder in enumerate(coders):
        own = pd.concat([answers.iloc[:common], rest.iloc[place :: len(coders)]])
        dealt[coder] = own.loc[_drawn(own, f"{seed}|{coder}")]  # shared ones tell by no place
    return dealt


def _drawn(answers: pd.DataFrame, seed: object) -> list[Any]:
    """Return the index of the answers in the order in which they are drawn."""
    keys = [
        hashlib.sha256(f"{seed}|{respondent}|{question}".encode()).digest()
        for respondent, question in zip(answers["respondent"], answers["question"], strict=True)
    ]
    return [row for _, row in sorted(zip(keys, answers.index, strict=True))]


def write_sheet(sheet: Sheet, codebook: Codebook, labels: Labels) -> bytes:
    """Return a sheet as a workbook: cells to code in, the codebook, and what it is and for whom.

    Nothing that a respondent wrote can be a formula or a link. The same content is the same bytes.
    """
    import xlsxwriter

    stream = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(stream, options) as book:
        book.set_properties({"created": MADE})
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        cell = book.add_format({"text_wrap": True, "valign": "top"})
        names = code_names(codebook, labels)
        _write_codes(book.add_worksheet(CODING), sheet, labels, names, head, cell)
        _write_book(book.add_worksheet(BOOK), codebook, names, head, cell)
        _write_about(book.add_worksheet(ABOUT), sheet, labels, cell)
    return stream.getvalue()


def code_names(codebook: Codebook, labels: Labels) -> dict[str, str]:
    """Return what each code is called on a sheet: label, and name where a label is shared."""
    shown = {code.name: label(code.label, labels.language) for code in codebook.codes}
    # a label that is another code's, or its name, would be read as that one
    taken = Counter([*map(str.casefold, shown.values()), *shown])
    own = {name: taken[text.casefold()] - (text.casefold() == name) for name, text in shown.items()}
    return {name: f"{text} ({name})" if own[name] > 1 else text for name, text in shown.items()}


def _write_codes(
    page: Any, sheet: Sheet, labels: Labels, names: Mapping[str, str], head: Any, cell: Any
) -> None:
    texts = sheet.answers["text"].tolist()
    pieces = max([1, *(-(-len(text) // PIECE) for text in texts)])
    more = [f"text {number}" for number in range(2, pieces + 1)]
    codes = list(CODE_COLUMNS)
    heads = [*FIXED, *more, *sheet.shown, *codes, "note", "check"]
    page.write_row(0, 0, heads, head)
    rows = sheet.answers[[*UNIT, "language", "text"]].itertuples(index=False, name=None)
    for row, (respondent, question, language, stored) in enumerate(rows, 1):
        check, text = text_hash(stored), UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", stored)
        parts = [text[start : start + PIECE] for start in range(0, pieces * PIECE, PIECE)]
        asked, tag = labels.question(question), "" if pd.isna(language) else language
        shown = [column[row - 1] for column in sheet.shown.values()]
        blank = [""] * (len(codes) + 1)
        cells = [respondent, question, asked, tag, *parts, *shown, *blank, check]
        for column, text_of_cell in enumerate(cells):
            page.write_string(row, column, text_of_cell, cell)
    first = heads.index("code 1")
    page.data_validation(
        1, first, max(len(texts), 1), first + len(codes) - 1,
        {"validate": "list", "source": f"={BOOK}!$A$2:$A${len(names) + 2}",
         "error_title": BOOK, "error_message": f"Choose a code of the sheet {BOOK}."},
    )  # fmt: skip
    page.freeze_panes(1, 0)
    widths = {"text": 70, "asked": 30, "note": 25} | dict.fromkeys(more, 70)
    for column, name in enumerate(heads):
        page.set_column(column, column, widths.get(name, 24 if name in codes else 12))
    page.set_column(len(heads) - 1, len(heads) - 1, 12, None, {"hidden": True})


def _write_book(
    page: Any, codebook: Codebook, names: Mapping[str, str], head: Any, cell: Any
) -> None:
    parts = ("definition", "include", "exclude", "example")
    page.write_row(0, 0, ["code", "name", "theme", *parts], head)
    page.write_string(1, 0, NONE, cell)
    for row, code in enumerate(codebook.codes, 2):
        theme = codebook.theme_of[code.name].name
        cells = [names[code.name], code.name, theme, *(getattr(code, part) for part in parts)]
        for column, text in enumerate(cells):
            page.write_string(row, column, text, cell)
    page.set_column(0, 2, 28)
    page.set_column(3, 6, 45)
    page.freeze_panes(1, 1)


def _write_about(page: Any, sheet: Sheet, labels: Labels, cell: Any) -> None:
    facts = {
        "coder": sheet.coder,
        "basis": sheet.basis,
        "codebook_version": sheet.version,
        "data": labels.mark or labels.say("provenance.export.real"),
        "answers": str(len(sheet.answers)),
        "how": f"Give each answer the codes that apply, one a cell, or {NONE}. A row without any "
        f"is not coded yet. {HOW[sheet.basis]}",
        "private": "These are words of respondents: keep this file to yourself, and delete it "
        "once it is read back.",
    }
    for row, (name, text) in enumerate(facts.items()):
        page.write_string(row, 0, name, cell)
        page.write_string(row, 1, text, cell)
    page.set_column(0, 0, 20)
    page.set_column(1, 1, 90)


def read_sheet(
    path: Path, open_responses: pd.DataFrame, codebook: Codebook, labels: Labels
) -> Read:
    """Read a coder's sheet; InputError names row and cell of all that is wrong, and no answer.

    A code may stand by its label or its name. Rows without any code are not coded yet.
    """
    facts = _about(path)
    grid, _ = read_grid(path, sheet=CODING)
    header = grid.row(0)
    codes = [place for place, name in enumerate(header) if name.startswith("code ")]
    missing = [name for name in (*FIXED, *CODE_COLUMNS, "note", "check") if name not in header]
    if missing:
        raise InputError(
            f"{path.name}: the sheet {CODING} lacks {', '.join(missing)}: put the columns back as "
            "they were, or copy the codes into a sheet made anew."
        )
    places = {name: header.index(name) for name in (*UNIT, "check", "note")}
    texts = [place for place, name in enumerate(header) if re.fullmatch(r"text( \d+)?", name)]
    names = code_names(codebook, labels)
    known = {code.name: code.name for code in codebook.codes}
    known |= {shown.casefold(): name for name, shown in names.items()}
    now = open_responses.set_index(UNIT)["text"]
    problems, judged, empty = list[str](), [], []
    found = _located(grid, places, open_responses)
    seen = dict[tuple[str, str], int]()
    for line, cells in _rows(grid):
        unit = (cells[places["respondent"]], cells[places["question"]])
        unit = found.get((*unit, cells[places["check"]]), unit)
        own, wrong = _codes(
            [(header[place], cells[place]) for place in codes], known, names.values()
        )
        problems += [f"{path.name} row {line}, {what}" for what in wrong]
        if unit not in now.index:
            problems.append(f"{path.name} row {line}: this run has no such answer.")
        elif cells[places["check"]] != text_hash(now[unit]):
            problems.append(
                f"{path.name} row {line}: the answer changed since the sheet was made: make it "
                "again."
            )
        elif _letters("".join(cells[place] for place in texts)) != _letters(now[unit]):
            problems.append(
                f"{path.name} row {line}: the text is not that of the answer which the row is of: "
                "was one column sorted by itself, or a text changed?"
            )
        elif unit in seen:
            problems.append(f"{path.name} row {line}: the same answer stands in row {seen[unit]}.")
        elif own is None:
            empty.append(unit)
        else:
            judged.append((*unit, cells[places["check"]], own, cells[places["note"]]))
        seen.setdefault(unit, line)
    if problems:
        raise InputError(problems)
    rows = rows_of(judged, facts["coder"], facts["basis"], facts["codebook_version"])
    made = int(facts["answers"]) if facts.get("answers", "").isdigit() else len(seen)
    left = max(made, len(seen)) - len(judged)
    version = facts["codebook_version"]
    return Read(facts["coder"], facts["basis"], version, rows, len(judged), left, tuple(empty))


def _located(
    grid: Grid, places: Mapping[str, int], open_responses: pd.DataFrame
) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return the answer of each row, as pseudonyms are now, by respondent, question and check."""
    rows = [
        (cells[places["respondent"]], cells[places["question"]], cells[places["check"]])
        for _, cells in _rows(grid)
    ]
    table = pd.DataFrame(rows, columns=["respondent", "question", "text_hash"]).assign(batch=0)
    now = located(table, open_responses)
    return dict(zip(rows, now[UNIT].itertuples(index=False, name=None), strict=True))


def _letters(text: str) -> str:
    """Return what no program that saves a sheet changes: letters and digits."""
    return "".join(filter(str.isalnum, text))


def _about(path: Path) -> dict[str, str]:
    """Return what a sheet says of itself."""
    with path.open("rb") as stream:
        kind = kind_of(stream.read(16))
    if kind not in WORKBOOKS:
        raise InputError(f"{path.name} is no workbook: give the sheet as it was made, as .xlsx.")
    grid, _ = read_grid(path, sheet=ABOUT)
    facts = {cells[0]: cells[1] for _, cells in [(1, grid.row(0)), *_rows(grid)] if len(cells) > 1}
    if not is_coder(facts.get("coder", "")) or facts.get("basis") not in BASES:
        raise InputError(
            f"{path.name}: the sheet {ABOUT} does not say whose it is: restore its cells coder "
            "and basis as they were made."
        )
    return {"codebook_version": "", **facts}


def _rows(grid: Grid) -> Iterable[tuple[int, list[str]]]:
    """Yield the number, as the workbook has it, and the cells of each row that holds any."""
    for place in range(1, len(grid)):
        cells = [cell.strip() for cell in grid.row(place)]
        if any(cells):
            yield grid.numbers[place], cells


def _codes(
    cells: Sequence[tuple[str, str]], known: Mapping[str, str], names: Iterable[str]
) -> tuple[tuple[str, ...] | None, list[str]]:
    """Return the codes of a row, None where it is not coded, and what is wrong with its cells."""
    filled = [(column, text) for column, text in cells if text]
    none = [column for column, text in filled if text.casefold() == NONE]
    given = [(column, text) for column, text in filled if text.casefold() != NONE]
    wrong = [
        f"{column!r}: {unknown_code(text, names)}"
        for column, text in given
        if text.casefold() not in known
    ]
    if none and given:
        wrong.append(f"{none[0]!r}: says that no code applies, and others are given.")
    own = [known[text.casefold()] for _, text in given if text.casefold() in known]
    return (tuple(dict.fromkeys(own)) if filled else None), wrong
