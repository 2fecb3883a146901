"""Codebook and codings go to another program and come back."""

import pytest
from coders import fill, sheets_of

from upr_analysis.codebook import Codebook
from upr_analysis.codes import Work, record_rows, take_back
from upr_analysis.coding import text_hash
from upr_analysis.codings import consensus, judgements, rows_of
from upr_analysis.documents import read_model
from upr_analysis.exchange import export_to, import_from
from upr_analysis.problems import InputError
from upr_analysis.refi_qda import write_project


@pytest.fixture
def coded(work: Work) -> Work:
    """Return work of two coders: one on a sheet, one with spans, among them over an emoji."""
    (path,) = sheets_of(work, ["Ana"])
    fill(path, {"r00": ["Languages"], "r01": ["funds"], "r02": ["(none applies)"]})
    take_back(work, [path])
    text = work.open_responses["text"][7]
    row = [("r07", "Q6", text_hash(text), ("cost",), "")]
    rows = rows_of(row, "Ben", "independent", "v").assign(start="0", end="3")
    record_rows(work, rows, "2026-01-01")
    return work


@pytest.mark.parametrize("suffix", [".csv", ".qdc"])
def test_a_codebook_comes_back_as_it_went(coded, tmp_path, suffix):
    export_to(coded, tmp_path / f"book{suffix}")
    done = import_from(coded, tmp_path / f"book{suffix}", "assisted", "2026-01-02")
    assert done.changes == ()
    assert read_model(done.codebook, Codebook) == coded.codebook


def test_codings_come_back_with_their_spans_and_bring_nothing_new(coded, tmp_path):
    file = tmp_path / "project.qdpx"
    export_to(coded, file)
    assert file.stat().st_mode & 0o077 == 0
    before = coded.record
    done = import_from(coded, file, "independent", "2026-01-02")
    assert done.judged == {"Ana": 0, "Ben": 0}  # whatever it is said to be
    assert import_from(coded, file, "assisted", "2026-01-02").judged == {"Ana": 0, "Ben": 0}
    assert len(coded.record) == len(before)
    (coded.consultation / "codings.csv").unlink()
    again = import_from(coded, file, "independent", "2026-01-02")
    assert again.judged == {"Ana": 2, "Ben": 1}
    span = coded.record.set_index("coder").loc["Ben", ["start", "end"]].tolist()
    assert span == ["0", "3"]
    own = consensus(judgements(before)).set_index("respondent")["codes"]
    now = consensus(judgements(coded.record)).set_index("respondent")["codes"]
    assert now.to_dict() == {who: codes for who, codes in own.items() if codes}


def test_a_coders_name_of_another_program_becomes_one_of_ours(coded, tmp_path):
    file = tmp_path / "project.qdpx"
    renamed = coded.record.assign(coder="Zoë Müller (2)")
    rows = renamed[["coder", "respondent", "question", "code", "start", "end"]]
    rows = rows[rows["code"] != ""].replace({"start": {"": None}, "end": {"": None}})
    typed = rows.astype({"start": "Int64", "end": "Int64"})
    file.write_bytes(write_project(coded.codebook, coded.open_responses, typed, "c", {}))
    done = import_from(coded, file, "assisted", "2026-01-02")
    assert set(done.judged) == {"Zoë_Müller_2"}


def test_what_is_not_in_the_codebook_or_stands_already_is_refused(coded, tmp_path):
    file = tmp_path / "project.qdpx"
    export_to(coded, file)
    with pytest.raises(InputError, match="stands: name a file that does not"):
        export_to(coded, file)
    with pytest.raises(InputError, match=r"is none of \.csv, \.qdc, \.qdpx"):
        export_to(coded, tmp_path / "book.xml")
    with pytest.raises(InputError, match="is not there"):
        import_from(coded, tmp_path / "gone.qdc", "assisted", "2026-01-02")
    theme = coded.codebook.themes[0]
    smaller = coded.codebook.model_copy(update={"themes": (theme,)})
    object.__setattr__(coded, "codebook", smaller)
    with pytest.raises(InputError, match="codes funds are not in the codebook"):
        import_from(coded, file, "assisted", "2026-01-02")


def test_a_note_and_an_adjudication_do_not_make_a_judgement_come_back_as_another(coded, tmp_path):
    """Who coded blind, and then decided, would else be replaced by both, and drop out."""
    text = text_hash(coded.open_responses["text"][3])
    for basis, codes, note in (
        ("independent", ("cost",), "unsure"),
        ("adjudicated", ("funds",), ""),
    ):
        rows = rows_of([("r03", "Q6", text, codes, note)], "Ana", basis, "v")
        record_rows(coded, rows, "2026-01-01")
    file, before = tmp_path / "project.qdpx", coded.record
    assert export_to(coded, file) == 2  # the adjudication, and that no code applies
    assert import_from(coded, file, "assisted", "2026-01-02").judged == {"Ana": 0, "Ben": 0}
    assert coded.record.equals(before)
