"""Coders for the tests: a small consultation to code, and sheets filled in as people would."""

from pathlib import Path

import xlsxwriter
from python_calamine import CalamineWorkbook

from upr_analysis.codes import make_sheets

BOOK = """
title: {en: Small}
themes:
  - name: access
    label: {en: Access}
    definition: Whether one can take part.
    codes:
      - {name: languages, label: {en: Languages}, definition: Other languages.}
      - {name: cost, label: {en: Cost}, definition: =1+1, patterns: {en: [fee]}}
  - name: money
    label: {en: Money}
    definition: What it costs.
    codes:
      - {name: funds, label: {en: Cost}, definition: Funds.}
"""
HARD = [
    "=HYPERLINK(\"http://x\")", "<script>alert(1)</script>", "$x$ & \"y\"", "السلام عليكم",
    "a line\nand another", "+41 22", "word " * 5000, "😀 e\u0301", "'quoted", "-1",
]  # fmt: skip


def cells_of(path: Path) -> dict[str, list[list[str]]]:
    book = CalamineWorkbook.from_path(path)
    return {
        name: [[str(cell) for cell in row] for row in book.get_sheet_by_name(name).to_python()]
        for name in book.sheet_names
    }


def fill(path: Path, codes, target: Path | None = None, **changes) -> Path:
    """Save a sheet as a coder would: `codes` of each respondent into its cells for codes."""
    sheets = cells_of(path)
    rows = sheets["Coding"]
    first = rows[0].index("code 1")
    for row in rows[1:]:
        for place, code in enumerate(codes.get(row[0], ())):
            row[first + place] = code
    for name, (old, new) in changes.items():
        sheets[name] = [[new if cell == old else cell for cell in row] for row in sheets[name]]
    target = target or path
    with xlsxwriter.Workbook(target, {"strings_to_formulas": False}) as book:
        for name, those in sheets.items():
            page = book.add_worksheet(name)
            for place, row in enumerate(those):
                for column, cell in enumerate(row):
                    page.write_string(place, column, cell)
    return target


def sheets_of(work, coders=("Ana", "Ben"), size=None, overlap=1.0, **options):
    made = make_sheets(
        work, coders, size, overlap, options.get("by", ()), options.get("shown", ()), False
    )
    return [path for path, _ in made]
