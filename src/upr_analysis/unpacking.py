"""Unpack a workbook, an SPSS, Stata or parquet file into text, in a process with little memory.

Run by `grids` as `python -m upr_analysis.unpacking FILE KIND SHEET`: writes an Arrow stream to
stdout. Exit 2 with what is wrong with the file on stderr; any other exit is a file that asks for
more than it may have.
"""

import datetime
import json
import math
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa

MEMORY: Final = 6 * 2**30  # bytes of address space
ODD_CELL: Final = re.compile(  # an error, or a formula and no value
    rb'<c r="([A-Z]+[0-9]+)"(?=[^>]*\bt="e"'
    rb"|[^>]*>\s*<f[^>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>)"
)
NOT_READ: Final = "cannot be read: is it damaged, or not what its name says? Save it as csv."
FIRST_DAY: Final = datetime.datetime(1582, 10, 14)  # of SPSS's calendar
WORKSHEET: Final = re.compile(r"xl/worksheets/\w+\.xml")
AT_ONCE: Final = 2**24  # bytes of a worksheet
MOST_CELLS: Final = 80_000_000  # of a sheet
MOST_UNPACKED: Final = 2 * 2**30  # bytes of a workbook's parts


class Unreadable(Exception):
    """What is wrong with the file, said after its name."""


def main(file: str, kind: str, sheet: str) -> int:
    """Unpack a file to stdout."""
    _limit_memory()
    try:
        rows, said = READERS[kind](Path(file), sheet)
    except Unreadable as error:
        sys.stderr.write(str(error))
        return 2
    table = pa.table(
        [pa.array(column, type=pa.large_string()) for column in zip(*rows, strict=True)],
        names=[f"f{place}" for place in range(len(rows[0]))],
    ).replace_schema_metadata({"said": json.dumps(said)})
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
        stream.write_table(table)
    return 0


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read_workbook(path: Path, sheet: str) -> tuple[list[list[str]], dict[str, Any]]:
    from python_calamine import CalamineError, CalamineWorkbook

    if path.open("rb").read(4) == b"\xd0\xcf\x11\xe0":
        _refuse_encrypted(path)
    else:
        _refuse_bomb(path)
    try:
        workbook = CalamineWorkbook.from_path(path)
        names = workbook.sheet_names
        if sheet and sheet not in names:
            raise Unreadable(f"has no sheet {sheet!r}; it has {', '.join(map(repr, names))}.")
        filled = [name for name in names if workbook.get_sheet_by_name(name).height]
        if not filled:
            raise Unreadable("is empty: export the responses again.")
        name = sheet or filled[0]
        found = workbook.get_sheet_by_name(name)
        if found.total_height * found.total_width > MOST_CELLS:
            raise Unreadable(
                f"goes on for {found.total_height} rows and {found.total_width} columns in its "
                f"sheet {name!r}: delete what stands beyond the answers, or save it as csv."
            )
        cells = found.to_python(skip_empty_area=False)
    except CalamineError as error:
        raise Unreadable(
            "is not a workbook that can be read: is it damaged, or encrypted? Save it again, "
            "without a password, or as csv."
        ) from error
    rows = [[_as_text(cell) for cell in row] for row in cells]
    if not rows or not rows[0]:
        raise Unreadable("is empty: export the responses again.")
    return _trimmed(rows), {
        "first": 1,
        "others": [one for one in filled if one != name],
        "unread": uncomputed_cells(path),
    }


def uncomputed_cells(path: Path) -> list[str]:
    """Return cells of an xlsx that hold an error, or a formula without a value: read as blank."""
    if not zipfile.is_zipfile(path):
        return []
    found = list[str]()
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if WORKSHEET.fullmatch(name)]
        for name in names:
            sheet = f"{Path(name).stem}!" if len(names) > 1 else ""
            with archive.open(name) as part:
                found += [f"{sheet}{cell}" for cell in _odd_cells(part)]
    return found


def _odd_cells(part: IO[bytes]) -> Iterator[str]:
    """Yield such cells of a worksheet, which is not held whole."""
    tail = b""
    while block := part.read(AT_ONCE):
        cells, begins, tail = (tail + block).rpartition(b"<c ")
        yield from (one.decode() for one in ODD_CELL.findall(cells))
        tail = begins + tail
    yield from (one.decode() for one in ODD_CELL.findall(tail))


def _refuse_encrypted(path: Path) -> None:
    if "EncryptedPackage".encode("utf-16-le") in path.read_bytes():
        raise Unreadable("is encrypted: open it with its password and save it without one.")


def _refuse_bomb(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile as error:
        raise Unreadable(f"is damaged ({error}): export the responses again.") from error
    if size > MOST_UNPACKED:
        raise Unreadable(
            f"unpacks to {size / 2**30:.1f} GB, which no survey's export does: save it as csv."
        )


def _trimmed(rows: list[list[str]]) -> list[list[str]]:
    """Leave out rows and columns at the end in which nothing stands."""
    while rows and not any(rows[-1]):
        rows.pop()
    width = max((place + 1 for row in rows for place, cell in enumerate(row) if cell), default=0)
    return [row[:width] for row in rows]


def _as_text(cell: Any) -> str:
    """Return a cell as a csv file of the same answers has it."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, list):  # of a parquet file
        return ", ".join(map(_as_text, cell))
    if isinstance(cell, bytes):
        return cell.decode(errors="replace")
    return cell.isoformat(sep=" ") if isinstance(cell, datetime.datetime) else str(cell)


def _read_statistics(path: Path, kind: str) -> tuple[list[list[str]], dict[str, Any]]:
    """Read an SPSS or Stata file: names, then labels, then answers by their value labels."""
    import pyreadstat

    read = pyreadstat.read_sav if kind == "sav" else pyreadstat.read_dta
    try:
        table, about = read(
            path, apply_value_formats=False, output_format="dict", user_missing=True
        )
    except (pyreadstat.ReadstatError, UnicodeDecodeError, ValueError) as error:
        raise Unreadable(NOT_READ) from error
    names = list(about.column_names)
    if not names:
        raise Unreadable("is empty: export the responses again.")
    labels = [label or "" for label in about.column_labels]
    known = {
        name: {value: label for value, label in labels.items() if label.strip()}
        for name, labels in about.variable_value_labels.items()
    }
    sets = about.mr_sets or {}
    counted = {
        name: _as_text(one["counted_value"])
        for one in sets.values()
        if one["is_dichotomy"]
        for name in one["variable_list"]
    }
    ranges = {
        name: [
            *about.missing_ranges.get(name, ()),
            *({"lo": one, "hi": one} for one in about.missing_user_values.get(name, ())),
        ]
        for name in names
    }
    columns = []
    for name in names:
        cells = _without_missing(table[name], ranges[name], known.get(name, {}))
        cells = _dated(cells, about.original_variable_types.get(name) or "")
        if name in counted:
            columns.append(_ticked(cells, counted[name]))
        else:
            columns.append(list(_labelled(cells, known.get(name, {}))))
    rows = [names, labels, *map(list, zip(*columns, strict=True))]
    return rows, {
        "first": -1,
        "sets": {one.get("label") or name: one["variable_list"] for name, one in sets.items()},
        "labels": {name: list(known[name].values()) for name in names if known.get(name)},
        "missing": _missing_labels(known, ranges),
    }


def _without_missing(
    cells: Sequence[Any], missing: Sequence[dict[str, Any]], labels: dict[Any, str]
) -> Sequence[Any]:
    """Make blank what a variable declares as missing, but for what has a label: "Refused"."""
    if not missing:
        return cells
    return [None if cell not in labels and _lies_in(cell, missing) else cell for cell in cells]


def _missing_labels(
    known: dict[str, dict[Any, str]], ranges: dict[str, list[dict[str, Any]]]
) -> dict[str, list[str]]:
    """Return by variable the labels of missing values that are no answer to any variable."""
    answers, missing = set[str](), dict[str, list[str]]()
    for name, labels in known.items():
        for value, label in labels.items():
            if _lies_in(value, ranges.get(name, ())):
                missing.setdefault(name, []).append(label)
            else:
                answers.add(label.casefold())
    return {
        name: [label for label in labels if label.casefold() not in answers]
        for name, labels in missing.items()
    }


def _lies_in(cell: Any, ranges: Sequence[dict[str, Any]]) -> bool:
    """Whether a value is in one of some ranges of its own type: numbers, or letters."""
    return any(
        isinstance(cell, str) == isinstance(one["lo"], str)
        and cell is not None
        and one["lo"] <= cell <= one["hi"]
        for one in ranges
    )


def _dated(cells: Sequence[Any], form: str) -> Sequence[Any]:
    """Turn quarters, months and weeks into the days they begin on.

    SPSS has them as seconds since 1582; Stata counts them from the beginning of 1960.
    """
    if form[:3] in STATA:
        return [_since_1960(cell, STATA[form[:3]]) for cell in cells]
    if not form.startswith(("QYR", "MOYR", "WKYR")):
        return cells
    return [
        FIRST_DAY + datetime.timedelta(seconds=cell) if isinstance(cell, float) else cell
        for cell in cells
    ]


def _since_1960(cell: Any, a_year: int) -> Any:
    """Return the day on which a period begins, of which there are so many in a year."""
    if not isinstance(cell, (int, float)) or math.isnan(cell):
        return cell
    year, place = divmod(int(cell), a_year)
    if a_year == 52:
        return datetime.date(1960 + year, 1, 1) + datetime.timedelta(weeks=place)
    return datetime.date(1960 + year, 1 + place * 12 // a_year, 1)


STATA: Final = {"%tw": 52, "%tm": 12, "%tq": 4, "%th": 2}


def _ticked(cells: Iterable[Any], counted: str) -> list[str]:
    """Return 1 where a column of a multiple-response set holds the value that counts, else 0."""
    texts = map(_as_text, cells)
    return [text and str(int(text == counted)) for text in texts]


def _labelled(cells: Iterable[Any], labels: dict[Any, str]) -> Iterator[str]:
    """Yield each cell by its value label if it has one: a label may be of 1 and the cell be 1.0."""
    known = {_as_text(value): label for value, label in labels.items()}
    for cell in cells:
        text = _as_text(cell)
        yield known.get(text, text)


def _read_sav(path: Path, sheet: str) -> tuple[list[list[str]], dict[str, Any]]:
    return _read_statistics(path, "sav")


def _read_dta(path: Path, sheet: str) -> tuple[list[list[str]], dict[str, Any]]:
    return _read_statistics(path, "dta")


def _read_parquet(path: Path, sheet: str) -> tuple[list[list[str]], dict[str, Any]]:
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, use_threads=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise Unreadable(NOT_READ) from error
    names = list(table.column_names)
    if not names:
        raise Unreadable("is empty: export the responses again.")
    columns = [[_as_text(cell) for cell in column.to_pylist()] for column in table.columns]
    rows = [names, [""] * len(names), *map(list, zip(*columns, strict=True))]
    return rows, {"first": -1}


READERS: Final = {
    "xlsx": _read_workbook,
    "ods": _read_workbook,
    "xls": _read_workbook,
    "sav": _read_sav,
    "dta": _read_dta,
    "parquet": _read_parquet,
}

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
