"""People code on sheets: what goes out, what comes back, and what is refused."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from coders import BOOK, cells_of, fill, sheets_of
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from upr_analysis.codebook import Codebook
from upr_analysis.codes import (
    agreement_of,
    how_far,
    make_adjudication,
    make_sheets,
    take_back,
)
from upr_analysis.codings import RECORD, consensus
from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.problems import InputError
from upr_analysis.sheets import NONE, PIECE, deal, draw_sample


def test_a_sheet_holds_every_answer_as_stored_and_runs_nothing(work):
    (path,) = sheets_of(work, ["Ana"])
    rows = cells_of(path)["Coding"]
    texts = [column for column, name in enumerate(rows[0]) if name.startswith("text")]
    assert len(texts) == 2  # 25,000 characters: more than one cell should hold
    assert max(map(len, work.open_responses["text"])) > PIECE
    whole = {row[0]: "".join(row[column] for column in texts) for row in rows[1:]}
    assert whole == dict(
        zip(work.open_responses["respondent"], work.open_responses["text"], strict=True)
    )
    inside = subprocess.run(
        ["unzip", "-p", path, "xl/worksheets/*"], capture_output=True, check=True
    )
    assert b"<f>" not in inside.stdout
    assert b"hyperlink" not in inside.stdout.lower()
    assert b"dataValidation" in inside.stdout
    assert path.stat().st_mode & 0o077 == 0


def test_groups_are_hidden_unless_they_are_asked_for(work):
    (blind,) = sheets_of(work, ["Ana"])
    assert "Africa" not in str(cells_of(blind))
    (seen,) = sheets_of(work, ["Ben"], shown=["region"])
    rows = cells_of(seen)["Coding"]
    column = rows[0].index("group: Region where they work")
    shown = {row[0]: row[column] for row in rows[1:]}
    assert shown["r00"] == "Africa; Asia and the Pacific"
    assert (shown["r01"], shown["r19"]) == ("Africa", "")


def test_the_same_seed_makes_the_same_bytes(work):
    first = [path.read_bytes() for path in sheets_of(work)]
    for path in work.folder.iterdir():
        path.unlink()
    assert [path.read_bytes() for path in sheets_of(work)] == first


def test_codes_come_back_by_label_or_name_and_none_is_a_judgement(work):
    (path,) = sheets_of(work, ["Ana"])
    fill(path, {"r00": ["Languages"], "r01": ["COST (cost)", "funds"], "r02": [NONE]})
    ((taken, new),) = take_back(work, [path])
    assert (taken.coded, taken.left, new) == (3, 17, 3)
    found = consensus(work.judged()).set_index("respondent")["codes"]
    assert found.to_dict() == {
        "r00": frozenset({"languages"}), "r01": frozenset({"cost", "funds"}), "r02": frozenset(),
    }  # fmt: skip
    assert take_back(work, [path])[0][1] == 0  # nothing new in it
    fill(path, {"r00": ["funds"]})
    assert take_back(work, [path])[0][1] == 1
    assert consensus(work.judged()).set_index("respondent")["codes"]["r00"] == {"funds"}
    assert work.record["batch"].max() == 2


def test_what_is_unknown_is_refused_with_row_and_cell_and_nothing_is_taken(work):
    one, other = sheets_of(work)
    line = next(n for n, row in enumerate(cells_of(one)["Coding"], 1) if row[0] == "r03")
    fill(one, {"r03": ["acces_justice"], "r04": [NONE, "languages"], "r05": ["I was beaten"]})
    fill(other, {"r00": ["languages"]})
    with pytest.raises(InputError) as refused:
        take_back(work, [other, one, work.folder / "gone.xlsx"])
    said = refused.value.problems
    assert f"Ana.xlsx row {line}, 'code 1': 'acces_justice' is not in the codebook" in said
    assert any("says that no code applies, and others are given" in one for one in said)
    assert "gone.xlsx is not there" in said[-1]
    assert "beaten" not in str(said)
    assert not (work.consultation / RECORD).exists()


def test_an_answer_that_changed_or_went_is_refused(work):
    (path,) = sheets_of(work, ["Ana"])
    fill(path, {"r00": ["languages"]})
    work.open_responses.loc[0, "text"] = "another"
    with pytest.raises(InputError, match="the answer changed since the sheet was made"):
        take_back(work, [path])
    work.open_responses.drop(index=7, inplace=True)
    with pytest.raises(InputError, match="this run has no such answer"):
        take_back(work, [path])


def test_a_column_that_is_gone_or_sorted_by_itself_is_refused(work):
    (path,) = sheets_of(work, ["Ana"])
    fill(path, {"r00": ["languages"], "r01": ["funds"]})
    whole = path.read_bytes()
    with pytest.raises(InputError, match="lacks code 2: put the columns back"):
        take_back(work, [fill(path, {}, Coding=("code 2", ""))])
    path.write_bytes(whole)
    with pytest.raises(InputError, match="the text is not that of the answer"):
        take_back(work, [fill(path, {}, Coding=("The fee of 12", "The fee of 13"))])
    path.write_text("respondent,question\n")
    with pytest.raises(InputError, match="is no workbook"):
        take_back(work, [path])
    assert not (work.consultation / RECORD).exists()


def test_what_was_judged_by_definitions_that_changed_is_drawn_again(work):
    (path,) = sheets_of(work, ["Ana"])
    fill(path, {"r00": ["languages"], "r01": ["funds"]})
    take_back(work, [path])
    path.unlink()
    assert len(cells_of(sheets_of(work, ["Ana"])[0])["Coding"]) == 1 + 18
    path.unlink()
    changed = BOOK.replace("Other languages.", "Languages and signs.")
    now = as_model(parse_yaml(changed, "small"), Codebook, "small")
    assert len(cells_of(sheets_of(replace(work, codebook=now), ["Ana"])[0])["Coding"]) == 1 + 20


def test_suggested_codes_stand_beside_the_answer_and_not_in_its_cells(work):
    suggested = {("r03", "Q6"): ["languages"], ("r04", "Q6"): ["cost", "funds"]}
    ((path, number),) = make_sheets(work, ["María"], None, 0, (), (), False, None, suggested)
    head, *rows = cells_of(path)["Coding"]
    assert {row[0]: row[head.index("suggested")] for row in rows} == {
        "r03": "Languages", "r04": "Cost (cost); Cost (funds)",
    }  # fmt: skip
    ((taken, new),) = take_back(work, [path])
    assert (taken.basis, taken.coded, taken.left, new) == ("assisted", 0, number, 0)


def test_a_sheet_says_whose_it_is_whatever_the_file_is_called(work, tmp_path):
    (path,) = sheets_of(work, ["Ana"])
    renamed = fill(path, {"r00": ["languages"]}, tmp_path / "final v2.xlsx")
    assert take_back(work, [renamed])[0][0].coder == "Ana"
    with pytest.raises(InputError, match="does not say whose it is"):
        take_back(work, [fill(path, {}, About=("Ana", ""))])


def test_a_sheet_with_work_on_it_is_not_overwritten_and_done_answers_not_drawn_again(work):
    (path,) = sheets_of(work, ["Ana"], size=5)
    with pytest.raises(InputError, match=r"Ana\.xlsx stands"):
        sheets_of(work, ["Ana"])
    first = {row[0] for row in cells_of(path)["Coding"][1:]}
    fill(path, {name: [NONE] for name in first})
    take_back(work, [path])
    path.unlink()
    (path,) = sheets_of(work, ["Ana"])
    assert {row[0] for row in cells_of(path)["Coding"][1:]} == {
        *work.open_responses["respondent"]
    } - first


def test_disagreements_are_adjudicated_and_then_settled(work):
    one, other = sheets_of(work)
    fill(one, {"r00": ["languages"], "r01": ["funds", "languages"], "r02": [NONE]})
    fill(other, {"r00": ["languages"], "r01": ["funds"], "r02": ["funds"]})
    take_back(work, [one, other])
    path, number = make_adjudication(work, "Chi", False)
    assert number == 2
    rows = cells_of(path)["Coding"]
    shown = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}
    assert set(shown) == {"r01", "r02"}
    assert shown["r01"]["given by Ana"] == "Cost (funds); Languages"
    assert (shown["r02"]["given by Ana"], shown["r02"]["given by Ben"]) == (NONE, "Cost (funds)")
    assert shown["r01"]["code 1"] == ""  # what nobody looks at decides nothing
    assert (taken := take_back(work, [path])[0])[1] == 0
    assert taken[0].left == 2
    with pytest.raises(InputError, match=r"adjudication\.xlsx stands"):
        make_adjudication(work, "Chi", False)
    assert how_far(work)[-1].endswith("2 are in dispute.")
    fill(path, {"r01": ["funds"], "r02": ["languages"]})
    take_back(work, [path])
    assert make_adjudication(work, "Chi", False) is None
    codes = consensus(work.judged()).set_index("respondent")["codes"]
    assert (codes["r01"], codes["r02"]) == ({"funds"}, {"languages"})
    # who decides has seen what the others gave, and is no third coder
    found = agreement_of(work).set_index(["between", "language", "code", "statistic"])
    assert found.loc[("coders", "", "funds", "percent_agreement"), "value"] == pytest.approx(2 / 3)


def drawn(number: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"respondent": [f"r{n}" for n in range(number)], "question": "Q", "language": "en",
         "stratum": [("a", "b", "c")[n % 7 % 3] for n in range(number)]}
    )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 9))
def test_each_stratum_is_drawn_by_its_share(number, size, seed):
    answers = drawn(number)
    sample = draw_sample(answers, size, seed, ["stratum"])
    assert len(sample) == min(size, number)
    assert sample.index.is_unique
    for stratum, own in answers.groupby("stratum"):
        exact = min(size, number) * len(own) / number
        assert abs((sample["stratum"] == stratum).sum() - exact) < 1
    again = draw_sample(answers.sample(frac=1, random_state=1), size, seed, ["stratum"])
    assert sorted(again["respondent"]) == sorted(sample["respondent"])


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 50), st.integers(1, 4), st.floats(0, 1))
def test_every_answer_is_dealt_and_the_share_for_all_to_all(number, coders, overlap):
    answers = drawn(number)
    hands = deal(answers, [f"c{n}" for n in range(coders)], overlap, 1)
    times = pd.concat(hands.values())["respondent"].value_counts()
    assert set(times.index) == set(answers["respondent"])
    assert set(times) <= {1, coders}
    if coders > 1:
        assert (times == coders).sum() == round(overlap * number)
        sizes = [len(hand) for hand in hands.values()]
        assert max(sizes) - min(sizes) <= 1


def test_coding_by_the_command_from_sheet_to_appendix(tmp_path):
    for name in ("notebooks", "params", "data"):
        shutil.copytree(ROOT / name, tmp_path / name)

    def upr(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "upr_analysis", *map(str, arguments)],
            capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    params = "params/upr-2021.yml"
    options = ["--coder", "Ana", "--coder", "Ben", "--sample", 60, "--overlap", 1]
    made = upr("codes", "sheet", params, *options).splitlines()
    paths = [Path(line.split("\t")[0]) for line in made]
    for path, code in zip(paths, ("reprisals", "digital_divide"), strict=True):
        names = sorted({row[0] for row in cells_of(path)["Coding"][1:]})
        half = set(names[: len(names) // 2])
        remote = "remote_participation"
        fill(path, {name: [remote, code] if name in half else [code] for name in names})
    assert "60 judged\t60 new" in upr("codes", "read", params, *paths)
    assert "60 by two or more; 60 are in dispute." in upr("codes", "status", params)
    assert upr("codes", "adjudicate", params, "--by", "Chi").strip().endswith("\t60")
    upr("codes", "agreement", params)
    index = Path(upr("run", params, "-q").strip())
    page = (index.parent / "03_thematic_coding.html").read_text(encoding="utf-8")
    assert "Agreement of coders, each blind to the others (60 answers)" in page
    assert "The answers are invented" in page
    coders = page.split("Agreement of coders, each blind to the others (60 answers)")[1]
    coders, patterns = coders.split("Agreement of the codebook’s patterns with people (60 answers)")
    row = coders.split("Remote and hybrid participation</bdi>")[1].split("</tr>")[0]
    assert "1.00" in row
    assert coders.count("<tr>") == 2  # what everybody, or hardly anybody, was given is not shown
    assert "Krippendorff" in coders
    for several in ("Given to", "Cohen", "Gwet"):  # together they would tell counts
        assert several not in coders + patterns.split("<h2")[0]
    assert "Reprisals" not in coders + patterns.split("<h2")[0]  # of a sensitive theme


def test_a_label_that_is_another_codes_name_is_told_apart(work):
    crossed = BOOK.replace("label: {en: Languages}", "label: {en: Funds}")
    book = as_model(parse_yaml(crossed, "small"), Codebook, "small")
    own = replace(work, codebook=book, labels=replace(work.labels, codebook=book))
    (path,) = sheets_of(own, ["Ana"])
    offered = [row[0] for row in cells_of(path)["Codebook"][2:]]
    assert offered == ["Funds (languages)", "Cost (cost)", "Cost (funds)"]
    fill(path, {"r00": ["Funds (languages)"], "r01": ["funds"]})
    take_back(own, [path])
    codes = consensus(own.judged()).set_index("respondent")["codes"]
    assert (codes["r00"], codes["r01"]) == ({"languages"}, {"funds"})


def test_sheets_that_contradict_each_other_or_name_a_coder_anew_are_refused(work, tmp_path):
    (path,) = sheets_of(work, ["Ana"])
    old = fill(path, {"r00": ["languages"]}, tmp_path / "old.xlsx")
    fill(path, {"r00": ["funds"]})
    with pytest.raises(InputError, match="Two sheets of Ana differ on one answer"):
        take_back(work, [old, path])
    version = work.codebook.version
    with pytest.raises(InputError, match="says that it is of codebook 'zzz'"):
        take_back(work, [fill(old, {}, tmp_path / "other.xlsx", About=(version, "zzz"))])
    take_back(work, [path])
    with pytest.raises(InputError, match="the record has 'Ana': write it like that"):
        sheets_of(work, ["ana"])
