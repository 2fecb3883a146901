"""Files become text cells, whoever wrote them; a file that cannot is refused with a message."""

import csv
import io
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbooks import write_ods, write_xlsx

from upr_analysis.grids import guess_encoding, read_grid
from upr_analysis.problems import InputError

ROWS = [["id", "Why?"], ["1", "l'été, dit-il"], ["2", 'a "quote"\nand a line'], ["3", ""]]


def cells(path: Path, **settings: str) -> list[list[str]]:
    grid, _ = read_grid(path, **settings)
    return [grid.row(place) for place in range(len(grid))]


def as_csv(rows: list[list[str]], end: str = "\n", delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator=end, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiter_line_end_and_unicode_are_recognised(tmp_path, end, delimiter, encoding):
    path = tmp_path / "export.csv"
    path.write_bytes(as_csv(ROWS, end, delimiter).encode(encoding))
    assert cells(path) == ROWS


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman"])
def test_other_encodings_are_read_where_said_and_guessed_for_a_person(tmp_path, encoding):
    said = ["C'est très différent", "à côté de la forêt", "États, déjà là", "l’été – où ?"]
    rows = [["id", "Pourquoi"], *([str(n), text] for n, text in enumerate(said * 5))]
    path = tmp_path / "export.csv"
    path.write_bytes(as_csv(rows).encode(encoding))
    assert cells(path, encoding=encoding) == rows
    assert guess_encoding(path.read_bytes()) == encoding
    with pytest.raises(InputError, match=f"is not utf-8 .byte .*looks like {encoding}"):
        read_grid(path)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
                 min_size=2, max_size=2),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_what_a_csv_writer_wrote_is_read_again(tmp_path_factory, rows):
    rows = [["id", "Why"], *rows]
    path = tmp_path_factory.mktemp("csv") / "export.csv"
    path.write_bytes(as_csv(rows).encode())
    assert cells(path) == rows


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text('ab"\n\r, é', max_size=40), min_size=3, max_size=3), min_size=30))
def test_a_file_of_many_blocks_is_read_as_python_reads_it(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("blocks") / "export.csv"
    path.write_bytes(as_csv([["a", "b", "c"], *rows]).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("upr_analysis.grids.BLOCK", 512)
        assert cells(path) == [["a", "b", "c"], *rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_end_between_two_blocks_is_kept(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr("upr_analysis.grids.BLOCK", 64)
    path = tmp_path / "export.csv"
    for length in range(40, 60):
        rows = [["a", "b"], ["x" * length, "first\r\nsecond"], ["y", "z"]]
        path.write_bytes(as_csv(rows).encode(encoding))
        assert cells(path) == rows


def test_rows_are_numbered_as_in_the_file_though_a_line_is_blank(tmp_path):
    path = tmp_path / "export.csv"
    path.write_text("id,Why\n\n1,so\n,\n2,so\n")
    grid, _ = read_grid(path)
    assert list(grid.numbers) == [1, 3, 4, 5]
    assert grid.row(2) == ["", ""]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty|holds"),
        (b"id,Why\n1,so\n2", "row 3 has 1 cells, and the header 2: is the file cut off"),
        (b'id,Why\n1,so\n2,"and th', "row 3.*is the file cut off"),
        (b"id,Why\n1,so,more\n", "row 2 has 3 cells"),
        (b'id,Why\n1,"so" it is" x\n', "a quote not doubled"),
        (b"id,Why\n1,s\0o\n", "NUL bytes"),
        (b"PK\x03\x04 this is no archive", "export.csv is damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "not a workbook that can be read"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "is encrypted: open it with its password",
        ),
        (b"$FL2@(#) SPSS" + bytes(400), "cannot be read"),
        (b"PAR1" + bytes(100) + b"PAR1", "cannot be read"),
    ],
)
def test_bad_file_is_one_clear_message(tmp_path, content, message):
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        read_grid(path)
    assert len(refused.value.problems) == 1
    assert str(tmp_path) not in str(refused.value)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([b"", b"PK\x03\x04", b"$FL2", b"PAR1", b"<stata_dta>"]), st.binary())
def test_any_bytes_are_cells_or_a_message(tmp_path_factory, start, content):
    if start and len(content) % 7:  # each is a process: fewer of them
        start = b""
    path = tmp_path_factory.mktemp("fuzz") / "export"
    path.write_bytes(start + content)
    with suppress(InputError):  # and nothing else
        assert read_grid(path)[0].width


def test_workbooks_are_read_as_the_same_csv(tmp_path):
    rows = [["id", "Why?", "Score"], ["1", "l'été, dit-il", "2.5"], ["2", "", "4"]]
    typed = [rows[0], [1, "l'été, dit-il", 2.5], [2, "", 4.0]]
    assert cells(write_xlsx(tmp_path / "a.xlsx", {"A": typed})) == rows
    assert cells(write_ods(tmp_path / "a.ods", rows)) == rows


def test_a_sheet_is_the_first_that_holds_anything_or_the_one_named(tmp_path):
    path = write_xlsx(tmp_path / "a.xlsx", {"Notes": [], "One": [["a"], ["1"]], "Two": [["b"]]})
    grid, _ = read_grid(path)
    assert (grid.row(0), list(grid.others)) == (["a"], ["Two"])
    assert cells(path, sheet="Two") == [["b"]]
    with pytest.raises(InputError, match="has no sheet 'Three'; it has 'Notes', 'One', 'Two'"):
        read_grid(path, sheet="Three")


def test_a_workbook_that_unpacks_to_more_than_a_machine_holds_ends_in_a_message(tmp_path):
    far = (
        '<row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    )
    began = time.monotonic()
    with pytest.raises(InputError, match="cannot be unpacked in the memory that it may have"):
        read_grid(write_xlsx(tmp_path / "far.xlsx", {"A": far}))
    bomb = tmp_path / "bomb.xlsx"
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/s1.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(2_200):
            part.write(bytes(1_000_000))
    with pytest.raises(InputError, match=r"unpacks to 2\.0 GB, which no survey's export does"):
        read_grid(bomb)
    assert time.monotonic() - began < 120  # it ends, or it does not


def test_a_cell_of_fifty_megabytes_and_a_file_of_twenty_thousand_columns_are_read(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text(f'id,Why\n1,"{"a, b " * 10_000_000}"\n')
    assert len(cells(path)[1][1]) == 50_000_000
    path.write_text(",".join(f"q{n}" for n in range(20_000)) + "\n" + "," * 19_999 + "\n")
    assert read_grid(path)[0].width == 20_000


def test_value_labels_and_response_sets_of_spss_and_stata_are_read(tmp_path):
    frame = pd.DataFrame({"q1": [1.0, 2.0, None], "age": [30.0, 41.5, 22.0]})
    labels = {"q1": {1.0: "Yes", 2.0: "No", 3.0: "Perhaps"}}
    about = {"column_labels": ["Did you?", "How old?"], "variable_value_labels": labels}
    for name, write in (("a.sav", pyreadstat.write_sav), ("a.dta", pyreadstat.write_dta)):
        write(frame, str(tmp_path / name), **about)
        grid, _ = read_grid(tmp_path / name)
        assert [grid.row(place) for place in range(len(grid))] == [
            ["q1", "age"], ["Did you?", "How old?"], ["Yes", "30"], ["No", "41.5"], ["", "22"],
        ]  # fmt: skip
        assert dict(grid.labels) == {"q1": ["Yes", "No", "Perhaps"]}  # one that nobody chose, too
        assert list(grid.numbers)[2:] == [1, 2, 3]


def test_parquet_is_read(tmp_path):
    frame = pd.DataFrame({"kind": pd.Categorical(["NGO", None]), "n": [1, 2], "ok": [True, False]})
    frame.to_parquet(tmp_path / "a.parquet")
    assert cells(tmp_path / "a.parquet") == [
        ["kind", "n", "ok"], ["", "", ""], ["NGO", "1", "TRUE"], ["", "2", "FALSE"],
    ]  # fmt: skip
