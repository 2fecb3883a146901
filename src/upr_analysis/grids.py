"""Files of answers: from bytes to a table of text, header rows and all, nothing interpreted yet.

Text tables are read here, and quickly. Workbooks, SPSS, Stata and parquet files are unpacked in a
process of their own with little memory (`unpacking`): a small file can be made to unpack to more
than any machine holds, and then ends that process only.
"""

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
from charset_normalizer import from_bytes

from upr_analysis import unpacking
from upr_analysis.problems import InputError

BYTE_ORDER_MARKS: Final = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
DELIMITERS: Final = (",", ";", "\t", "|")
LATIN: Final = ("cp1252", "mac_roman", "cp1250")  # told apart by what letters would come out
ENCODINGS: Final = (*LATIN, "cp1251", "cp1253", "cp1256", "shift_jis", "gb18030")
WORKBOOKS: Final = ("xlsx", "ods", "xls")
SIGNATURES: Final = {
    b"\xd0\xcf\x11\xe0": "xls",  # or an encrypted xlsx, in the same container
    b"$FL2": "sav",
    b"$FL3": "sav",
    b"<stata_dta>": "dta",
    b"PAR1": "parquet",
}
OLD_STATA: Final = re.compile(rb"[\x69-\x73][\x01\x02]\x01\x00")  # releases 105 to 115
SEPARATOR_LINE: Final = re.compile(rb"sep=([,;\t|])\r?\n")
SAMPLE: Final = 2_000_000  # bytes by which an encoding is guessed
COMPARED: Final = 50  # rows by which a delimiter is found
FIRST_ROWS: Final = 2**18  # bytes that they are looked for in
BLOCK: Final = 4 * 2**20  # bytes read at once
AT_ONCE: Final = 2**18  # of them looked at in one array
PATIENCE: Final = 300  # seconds for unpacking
csv.field_size_limit(2**31 - 1)  # a cell may be as long as somebody's letter


@dataclass(frozen=True)
class Grid:
    """A file's cells as text, blank where nothing stands.

    `table` (rows, columns) holds the header rows too. `numbers` say where each row stands in the
    file, counted from 1 as a spreadsheet does; in a file whose header is no row (SPSS, Stata,
    parquet) the first answer is row 1, the names are row -1 and the labels row 0. `sets` are an
    SPSS file's multiple-response sets: name and columns.
    """

    file: str
    kind: str
    table: pa.Table
    numbers: Sequence[int]
    sets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of a variable's values
    missing: Mapping[str, Sequence[str]] = field(default_factory=dict)  # that are no answer
    unread: Sequence[str] = ()  # cells of a workbook that hold an error, or no value
    others: Sequence[str] = ()  # sheets of the workbook that were not read
    encoding: str = "utf-8"
    delimiter: str = ","

    @property
    def width(self) -> int:
        """How many columns there are."""
        return int(self.table.num_columns)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def row(self, place: int) -> list[str]:
        """Return one row's cells."""
        return [column[place].as_py() for column in self.table.columns]

    def column(self, place: int, start: int = 0) -> pd.Series:
        """Return a column's cells from row `start` on, indexed from 0."""
        cells: pd.Series = self.table.column(place).slice(start).to_pandas()
        return cells.astype("str").rename(None)


def read_grid(
    path: Path, encoding: str | None = None, delimiter: str | None = None, sheet: str | None = None
) -> tuple[Grid, str]:
    """Read a file; returns its cells and the SHA-256 of its bytes.

    What is not given is taken from the file itself: its kind from its first bytes, UTF-8 or what a
    byte order mark says, the delimiter that parts the header most, the first sheet that holds
    anything. Any other encoding must be given, since bytes do not tell one from another for sure.
    InputError says what is wrong with the file and where.
    """
    scanned = _scan(path, delimiter)
    kind = kind_of(scanned.start)
    if kind == "csv":
        return _read_text(path, scanned, encoding, delimiter), scanned.digest
    return _unpacked(path, kind, sheet), scanned.digest


@dataclass(frozen=True)
class _Scanned:
    """What one pass over a file's bytes tells, so that no copy of them need be held."""

    digest: str
    start: bytes
    size: int
    delimiter: str
    quotes_cleanly: bool
    holds_nul: bool
    parts_line_end: bool  # whether a block ends between \r and \n


def _scan(path: Path, delimiter: str | None) -> _Scanned:
    digest, start, size, holds_nul = hashlib.sha256(), b"", 0, False
    last, parts_line_end, quotes = b"", False, None
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            size += len(block)
            holds_nul = holds_nul or b"\0" in block
            parts_line_end = parts_line_end or (last == b"\r" and block[:1] == b"\n")
            last = block[-1:]
            if quotes is None:
                start = block[:SAMPLE]
                block = block.removeprefix(b"\xef\xbb\xbf")
                delimiter = delimiter or delimiter_of(block)
                quotes = _Quotes(delimiter)
            quotes.read(block)
    clean = quotes is None or quotes.are_clean()
    return _Scanned(
        digest.hexdigest(), start, size, delimiter or ",", clean, holds_nul, parts_line_end
    )


class _Quotes:
    """Whether each quote of a file opens a cell, closes one, or is one of two that stand for one.

    Arrow and Python read any other quote differently, and neither says so. Quotes open and close in
    turn; a doubled one closes and opens at once.
    """

    def __init__(self, delimiter: str) -> None:
        self._beside = np.zeros(256, dtype=bool)
        self._beside[list(f'{delimiter}\r\n"'.encode())] = True
        self._opened, self._left, self._clean = 0, b"\n", True

    def read(self, block: bytes) -> None:
        """Look at the next bytes, the last of them together with those after."""
        for start in range(0, len(block), AT_ONCE):
            piece = self._left + block[start : start + AT_ONCE]
            self._left = piece[-2:]
            data = np.frombuffer(piece, dtype=np.uint8)
            quotes = np.flatnonzero(data[1:-1] == ord('"')) + 1
            opens, closes = quotes[self._opened :: 2], quotes[1 - self._opened :: 2]
            self._clean &= bool(
                self._beside[data[opens - 1]].all() and self._beside[data[closes + 1]].all()
            )
            self._opened = (self._opened + len(quotes)) % 2

    def are_clean(self) -> bool:
        """Return what was found, once all was read."""
        self.read(b"\n")
        return self._clean and self._opened == 0


def kind_of(start: bytes) -> str:
    """Return what a file is by its first bytes: csv unless they say otherwise."""
    if start.startswith(b"PK\x03\x04"):
        return "ods" if b"opendocument.spreadsheet" in start[:200] else "xlsx"
    for signature, kind in SIGNATURES.items():
        if start.startswith(signature):
            return kind
    return "dta" if OLD_STATA.match(start) else "csv"


def _read_text(path: Path, scanned: _Scanned, encoding: str | None, delimiter: str | None) -> Grid:
    start = scanned.start
    if scanned.size <= len(start) and not start.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0"):
        raise InputError(f"{path.name} is empty: export the responses again.")
    marked = [name for mark, name in BYTE_ORDER_MARKS.items() if start.startswith(mark)]
    encoding = marked[0] if marked else encoding or "utf-8"
    is_utf8 = encoding in ("utf-8", "utf-8-sig")
    content = None if is_utf8 else _decoded(path, encoding).encode()
    if scanned.holds_nul if content is None else b"\0" in content:
        raise InputError(f"{path.name} holds NUL bytes: is it a csv file?")
    start = start.removeprefix(b"\xef\xbb\xbf") if content is None else content[:SAMPLE]
    if content is None and delimiter is None:
        delimiter = scanned.delimiter
    above = SEPARATOR_LINE.match(start)  # Excel's own, no row of the table
    if above:
        delimiter = above[1].decode()
        content = (content or _decoded(path, "utf-8-sig").encode())[above.end() :]
        start = content[:SAMPLE]
    delimiter = delimiter or delimiter_of(start)
    width = _width(path if content is None else io.BytesIO(content), delimiter)
    table = None
    clean = scanned.quotes_cleanly
    if content is not None:
        quotes = _Quotes(delimiter)
        quotes.read(content)
        clean = quotes.are_clean()
    # Arrow loses the \n of a \r\n in a quoted cell where a block ends between the two
    apart = scanned.parts_line_end
    if content is not None:
        ends = range(BLOCK, len(content), BLOCK)
        apart = any(content[end - 1 : end + 1] == b"\r\n" for end in ends)
    if clean and not apart:
        source = str(path) if content is None else pa.BufferReader(content)
        table = _quickly(source, delimiter, width)
    numbers: Sequence[int] = range(1, 1 + (0 if table is None else table.num_rows))
    if table is None:
        text = _decoded(path, "utf-8-sig") if content is None else content.decode()
        table, numbers = _carefully(path, text, delimiter)
    numbers = [number + 1 for number in numbers] if above else numbers
    return Grid(path.name, "csv", table, numbers, encoding=encoding, delimiter=delimiter)


def _decoded(path: Path, encoding: str) -> str:
    content = path.read_bytes()
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        guess = guess_encoding(content)
        likely = f"; it looks like {guess}" if guess else ""
        where = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        raise InputError(
            f"{path.name} is not {encoding.removesuffix('-sig')}{where}{likely}: set "
            "'encoding' in questionnaire.yml."
        ) from error
    except LookupError as error:
        raise InputError(f"questionnaire.yml: no encoding is called {encoding!r}.") from error


def guess_encoding(content: bytes) -> str | None:
    """Return the likely encoding of bytes that are not UTF-8, or None: a guess, for a person."""
    sample = content[:SAMPLE]
    found = from_bytes(sample, cp_isolation=list(ENCODINGS), threshold=0.5).best()
    if found is None:
        return None
    if found.encoding in LATIN:
        return min(LATIN, key=lambda name: _oddity(sample, name))
    return str(found.encoding)


def _oddity(content: bytes, encoding: str) -> int:
    """Count what prose seldom holds: a capital or a sign between small letters, and gaps."""
    text = content.decode(encoding, errors="replace")
    return len(re.findall(r"[a-zà-ÿ](?:[À-ÞŒŸ]|[^\w\s'’.,;:!?()/\"&@%+-])[a-zà-ÿ]|\ufffd", text))


def delimiter_of(content: bytes) -> str:
    """Return what parts rows into equally many columns, and most; a comma where nothing does."""
    head = content[:FIRST_ROWS].decode(errors="replace")
    fit = {}
    for delimiter in DELIMITERS:
        rows = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        widths = [len(row) for row in islice(filter(None, rows), COMPARED)]
        widths = widths[:-1] or widths or [0]  # the last may be cut off
        fit[delimiter] = (widths[0] > 1 and len(set(widths)) == 1, widths[0])
    return max(DELIMITERS, key=fit.__getitem__)


def _quickly(source: Any, delimiter: str, width: int) -> pa.Table | None:
    """Read a whole text table by Arrow, or return None where a closer look is needed.

    That is: rows of different lengths, bytes that are no UTF-8, a line with nothing on it, a row
    longer than a block.
    """
    options = arrow_csv.ReadOptions(
        use_threads=False, block_size=BLOCK, autogenerate_column_names=True
    )
    parsing = arrow_csv.ParseOptions(
        delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False
    )
    cells = arrow_csv.ConvertOptions(
        column_types={f"f{place}": pa.large_string() for place in range(width)},
        strings_can_be_null=False,
    )
    try:
        table = arrow_csv.read_csv(source, options, parsing, cells)
    except pa.ArrowInvalid:
        return None
    return None if _has_blank_row(table) else table


def _width(source: Path | io.BytesIO, delimiter: str) -> int:
    """Return how many columns the first row has."""
    head = source.open("rb") if isinstance(source, Path) else source
    with io.TextIOWrapper(head, encoding="utf-8-sig", errors="replace", newline="") as text:
        return len(next((row for row in csv.reader(text, delimiter=delimiter) if row), []))


def _has_blank_row(table: pa.Table) -> bool:
    import pyarrow.compute as pc

    blank = None
    for column in table.columns:
        empty = pc.equal(pc.binary_length(column), 0)
        blank = empty if blank is None else pc.and_(blank, empty)
        if not pc.any(blank).as_py():
            return False
    return True


def _carefully(path: Path, text: str, delimiter: str) -> tuple[pa.Table, list[int]]:
    """Read a text table row by row; InputError names the first row that is not like the header."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, row in enumerate(reader, 1):
            if not row:
                continue
            if rows and len(row) != len(rows[0]):
                raise InputError(
                    f"{path.name}: row {number} has {len(row)} cells, and the header "
                    f"{len(rows[0])}: is the file cut off, or a comma not quoted?"
                )
            rows.append(row)
            numbers.append(number)
    except csv.Error as error:
        row_number = (numbers[-1] if numbers else 0) + 1
        raise InputError(
            f"{path.name} is not a csv table ({error}, row {row_number}): is the file cut off, or "
            "a quote not doubled? Export it again."
        ) from error
    return _table(rows), numbers


def _table(rows: list[list[str]]) -> pa.Table:
    columns = [pa.array(column, type=pa.large_string()) for column in zip(*rows, strict=True)]
    return pa.table(columns, names=[f"f{place}" for place in range(len(columns))])


def _unpacked(path: Path, kind: str, sheet: str | None) -> Grid:
    """Unpack a file in a process of its own."""
    command = [sys.executable, "-m", unpacking.__name__, str(path.resolve()), kind]
    try:
        done = subprocess.run(
            [*command, sheet or ""], capture_output=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{path.name} was not unpacked within {PATIENCE} seconds: is it damaged? Save it as "
            "csv."
        ) from None
    if done.returncode == 2:
        raise InputError(f"{path.name} {done.stderr.decode(errors='replace').strip()}")
    if done.returncode != 0:
        raise InputError(
            f"{path.name} cannot be unpacked in the memory that it may have: is it damaged, or "
            "made to fill the memory? Save it as csv."
        )
    table = pa.ipc.open_stream(done.stdout).read_all()
    said = json.loads(table.schema.metadata[b"said"])
    first = said.pop("first")
    return Grid(path.name, kind, table, range(first, first + table.num_rows), **said)


@cache
def plain(text: str) -> str:
    """Return a header with its white space made single and its accents coded in one way."""
    return " ".join(unicodedata.normalize("NFC", text.replace("\ufeff", "")).split())
