"""Whatever stands in an export is an answer, a note, or a message: it is never lost silently."""

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbooks import write_xlsx

from upr_analysis.back_coding import back_code, read_decisions
from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.drafting import draft
from upr_analysis.exports import Export, read_export
from upr_analysis.grids import read_grid
from upr_analysis.layouts import lay_out
from upr_analysis.marks import OptionSplitter, as_written
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Question, Questionnaire
from upr_analysis.responses import Responses, type_responses
from upr_analysis.scaffold import as_yaml
from upr_analysis.unpacking import uncomputed_cells

TOOLS = """
title: {en: Tools}
about: {en: Made for the tests.}
survey:
  - {name: Q1, type: select_multiple tools, label: {en: Tools}}
choices:
  tools:
    - {name: index, label: {en: Index}, also: [Table]}
    - {name: letter, label: {en: Letter}}
    - {name: other, label: {en: Other}, role: other}
"""
INDEX, LETTER, OTHER = 1, 2, 4


def asked(text: str = TOOLS, *changes: tuple[str, str], **settings: Any) -> Questionnaire:
    for change in changes:
        assert change[0] in text
        text = text.replace(*change)
    return as_model(parse_yaml(text, "tools") | settings, Questionnaire, "tools")


def bound(folder: Path, questionnaire: Questionnaire, *texts: str) -> Export:
    files = [folder / f"export_{place}.csv" for place in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    return read_export(files, questionnaire)


def typed(folder: Path, questionnaire: Questionnaire, *texts: str) -> Responses:
    return type_responses(bound(folder, questionnaire, *texts), questionnaire, seed=1)


def test_a_column_of_other_beside_joined_answers_holds_words_though_they_look_like_marks(tmp_path):
    rows = "Tools,Tools [Other]\nIndex,yes\nLetter,x\nIndex,\n"
    responses = typed(tmp_path, asked(), rows)
    assert list(responses.respondents["Q1"]) == [INDEX | OTHER, LETTER | OTHER, INDEX]
    assert list(responses.free_texts["text"]) == ["yes", "x"]


def test_words_among_the_marks_of_other_are_words(tmp_path):
    rows = "Tools [Index],Tools [Other]\nIndex,Other\nIndex,Other: a map\n,\n"
    responses = typed(tmp_path, asked(), rows)
    assert list(responses.respondents["Q1"]) == [INDEX | OTHER, INDEX | OTHER, 0]
    assert "a map" in " ".join(responses.free_texts["text"])


def test_a_file_of_joined_answers_and_one_of_a_column_an_option_are_one_data_set(tmp_path):
    joined = 'Tools\n"Index, Letter"\nLetter\n'
    spread = "Tools [Index],Tools [Letter],Tools [Other]\n1,0,\n1,1,a map\n"
    responses = typed(tmp_path, asked(), joined, spread)
    masks = [INDEX | LETTER, LETTER, INDEX, INDEX | LETTER | OTHER]
    assert list(responses.respondents["Q1"]) == masks
    responses = typed(tmp_path, asked(), spread, joined)
    assert list(responses.respondents["Q1"]) == [*masks[2:], *masks[:2]]


def test_each_file_is_split_by_what_its_own_tool_puts_between_options(tmp_path):
    google = 'Timestamp,Tools\n6/1/2026 9:00:00,"Index, Letter"\n'
    microsoft = "Start time,Completion time,Tools\n6/1/26 9:00:00,6/1/26 9:01:00,Index;Letter;\n"
    for files in ((google, microsoft), (microsoft, google)):
        responses = typed(tmp_path, asked(), *files)
        assert list(responses.respondents["Q1"]) == [INDEX | LETTER] * 2
        assert len(responses.free_texts) == 0


def test_two_columns_of_one_option_both_count(tmp_path):
    rows = "Tools [Index],Tools [Table],Tools [Letter]\n1,0,0\n0,1,0\n0,0,1\n,,1\n"
    responses = typed(tmp_path, asked(), rows)
    assert list(responses.respondents["Q1"]) == [INDEX, INDEX, LETTER, LETTER]


def test_questions_of_one_heading_side_by_side_are_told_apart_by_occurrence(tmp_path):
    first = "type: select_multiple tools, label: {en: Tools}}"
    second = f"{first}\n  - {{name: Q2, {first[:-1]}, occurrence: 2}}"
    rows = "Tools [Index],Tools [Letter],Tools [Index],Tools [Letter]\n1,0,0,1\n"
    respondents = typed(tmp_path, asked(TOOLS, (first, second)), rows).respondents
    assert (respondents["Q1"][0], respondents["Q2"][0]) == (INDEX, LETTER)
    with pytest.raises(InputError, match="is no question"):
        typed(tmp_path, asked(), rows)


def test_blocks_of_one_header_are_coalesced_row_by_row(tmp_path):
    questionnaire = asked(
        TOOLS, ("label: {en: Tools}}", "label: {en: Tools}, occurrence: coalesce}")
    )
    rows = "Tools [Index],Tools [Letter],Tools [Index],Tools [Letter]\n1,0,,\n,,0,1\n,,,\n0,1,1,0\n"
    responses = typed(tmp_path, questionnaire, rows)
    assert list(responses.respondents["Q1"]) == [INDEX, LETTER, 0, LETTER]


YES_NO = TOOLS.replace("index, label: {en: Index}, also: [Table]", "index, label: {en: 'Yes'}")
YES_NO = YES_NO.replace("letter, label: {en: Letter}", "letter, label: {en: 'No'}")


@pytest.mark.parametrize(
    ("row", "mask"),
    [
        ("Yes,No", INDEX | LETTER), (",No", LETTER), ("Yes,", INDEX),  # own words
        ("1,0", INDEX), ("0,1", LETTER), ("0,No", 0), ("No,Yes", LETTER),  # marks
    ],
)  # fmt: skip
def test_options_called_yes_and_no_are_ticked_by_their_own_words(tmp_path, row, mask):
    responses = typed(tmp_path, asked(YES_NO), f"Tools [Yes],Tools [No]\n{row}\n")
    assert responses.respondents["Q1"][0] == mask


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("Straße", "Straße"), ("Straße", "STRASSE"), ("İstanbul", "İstanbul"),
        ("Café", "Cafe\u0301"), ("Cafe\u0301", "café"), ("Don’t, ever", "don't, ever"),
    ],
)  # fmt: skip
def test_an_option_is_found_however_its_letters_are_coded(tmp_path, label, answer):
    questionnaire = asked(TOOLS, ("{en: Index}", f"{{en: {label!r}}}".replace("'", '"')))
    splitter = OptionSplitter(as_written(questionnaire.options("Q1")), ", ")
    assert splitter.split(f"Letter, {answer}") == (["letter", "index"], [])
    responses = typed(tmp_path, questionnaire, f'Tools\n"{answer}, Letter"\n')
    assert responses.respondents["Q1"][0] == INDEX | LETTER
    responses = typed(tmp_path, questionnaire, f'"Tools [{answer}]",Tools [Letter]\n1,0\n')
    assert responses.respondents["Q1"][0] == INDEX


def test_who_was_not_asked_a_question_of_joined_answers_is_not_one_who_skipped_it(tmp_path):
    responses = typed(tmp_path, asked(not_asked=["N/A"]), 'Tools\nIndex\nN/A\n""\n')
    assert list(responses.respondents["Q1_state"]) == ["answered", "not_asked", "skipped"]


def test_a_label_of_one_option_goes_before_the_name_of_another(tmp_path):
    one, two = (
        "{name: index, label: {en: Index}, also: [Table]}",
        "{name: letter, label: {en: Letter}}",
    )
    crossed = asked(TOOLS, (one, "{name: a, label: {en: b}}"), (two, "{name: b, label: {en: c}}"))
    assert list(typed(tmp_path, crossed, "Tools\nb\n").respondents["Q1"]) == [INDEX]
    spread = typed(tmp_path, crossed, "Tools [b],Tools [c]\n1,0\n0,1\n")
    assert list(spread.respondents["Q1"]) == [INDEX, LETTER]


def test_back_coding_leaves_an_option_that_was_chosen_beside_the_words(tmp_path):
    single = asked(TOOLS, ("select_multiple", "select_one"))
    responses = typed(tmp_path, single, "Tools,Tools [Other]\nIndex,a drum\nOther,a drum\n")
    decided: dict[tuple[str, str], tuple[str, ...]] = {("Q1", "a drum"): ("letter",)}
    respondents, left, _ = back_code(responses.respondents, responses.free_texts, single, decided)
    assert list(respondents["Q1"]) == ["index", "letter"]
    assert list(left["text"]) == ["a drum"]


def test_kobo_s_joined_and_split_answers_are_both_kept_and_a_difference_is_logged(tmp_path):
    rows = "Tools,Tools/index,Tools/letter,_uuid\nindex,1,0,a\nindex,0,1,b\nindex letter,,,c\n"
    questionnaire = asked(
        TOOLS,
        ("survey:", "survey:\n  - {name: id, type: text, label: {en: _uuid}, role: respondent}"),
    )
    responses = typed(tmp_path, questionnaire, rows)
    assert list(responses.respondents["Q1"]) == [INDEX, INDEX | LETTER, INDEX | LETTER]
    assert list(responses.changes["rule"]) == ["joined options differ from the ticked"]


def test_a_question_called_as_a_column_of_the_tool_is_a_question(tmp_path):
    text = (
        "Response ID,Time Started,Date Submitted,Status,Country,Why?,Comments,Status,How?,City\n"
        "1,2026-06-01,2026-06-01,Complete,Kenya,so,no tap,Married,by foot,Owerri\n"
    )
    (tmp_path / "e.csv").write_text(text)
    grid, _ = read_grid(tmp_path / "e.csv")
    own = {one.names[0]: one.own for one in lay_out(grid).fields if one.place > 4}
    assert own == {"Why?": None, "Comments": None, "Status": None, "How?": None, "City": "ignored"}
    export = bound(tmp_path, asked(
        "title: {en: t}\nabout: {en: a}\nsurvey:\n"
        "  - {name: Q1, type: text, label: {en: Why?}}\n"
        "  - {name: Q2, type: text, label: {en: Comments}}\n"
        "  - {name: Q3, type: text, label: {en: Status}}\n"
        "  - {name: Q4, type: text, label: {en: How?}}\n"
    ), text)  # fmt: skip
    assert list(export.answers["Q3"]) == ["Married"]
    assert "4 'Status', 5 'Country', 10 'City'" in export.notes[0]


def test_a_question_about_time_is_no_timing_of_limesurvey(tmp_path):
    header = "id,submitdate,lastpage,Lifetime,Q1,Lunchtime,interviewtime,groupTime5,Q1Time"
    (tmp_path / "e.csv").write_text(f"{header}\n{',' * 8}\n")
    fields = lay_out(read_grid(tmp_path / "e.csv")[0]).fields
    assert [one.names[0] for one in fields if one.own is None] == ["Lifetime", "Q1", "Lunchtime"]


def test_columns_without_a_header_that_hold_something_are_listed(tmp_path):
    text = "Respondent ID,Tools,,\n,Index,Letter,\n1,Index,,lost\n"
    questionnaire = asked(format="surveymonkey")
    with pytest.raises(InputError, match=r"column 4 \(''\) is no question"):
        bound(tmp_path, questionnaire, text)
    assert bound(tmp_path, questionnaire, text.replace("lost", "")).rows == 1


def test_a_column_of_words_answers_one_question_only(tmp_path):
    second = (
        "survey:\n  - {name: Q0, type: select_multiple tools, label: {en: First}, other_column: W}"
    )
    twice = asked(TOOLS, ("survey:", second), ("en: Tools}}", "en: Tools}, other_column: W}"))
    with pytest.raises(InputError, match="column 2 is bound twice, to Q0 and Q1"):
        bound(tmp_path, twice, "First,W,Tools\nIndex,a map,Letter\n")
    export = bound(tmp_path, twice, "First,W,Tools,W\nIndex,a map,Letter,a drum\n")
    assert (list(export.others["Q0"]), list(export.others["Q1"])) == (["a map"], ["a drum"])


@settings(max_examples=300, deadline=None)
@given(st.text('ab",\n\r;', max_size=30))
def test_any_quotes_are_read_as_a_strict_reader_does_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("quotes") / "e.csv"
    content = f"a,b\n{text}\n"
    path.write_bytes(content.encode())
    try:
        strict = list(csv.reader(io.StringIO(content, newline=""), strict=True))
    except csv.Error:
        strict = []
    for block in (7, 4096):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("upr_analysis.grids.BLOCK", block)
            try:
                grid, _ = read_grid(path, delimiter=",")
            except InputError:
                assert not strict or any(len(row) not in (0, 2) for row in strict)
            else:
                rows = [grid.row(place) for place in range(len(grid))]
                assert rows == [row for row in strict if row]


def test_missing_values_of_spss_and_stata_are_their_label_or_blank(tmp_path):
    frame = pd.DataFrame({"q": [1.0, 2.0, 99.0, -5.0, 3.0], "s": ["a", "zz", "", "b", "c"]})
    pyreadstat.write_sav(
        frame, str(tmp_path / "a.sav"),
        missing_ranges={"q": [99, {"lo": -9, "hi": -1}], "s": ["zz"]},
        variable_value_labels={"q": {1: "Yes", 2: "No", 3: " ", 99: "Refused"}},
    )  # fmt: skip
    grid, _ = read_grid(tmp_path / "a.sav")
    assert list(grid.column(0, 2)) == ["Yes", "No", "Refused", "", "3"]
    assert list(grid.column(1, 2)) == ["a", "", "", "b", "c"]
    assert (dict(grid.labels), dict(grid.missing)) == (
        {"q": ["Yes", "No", "Refused"]}, {"q": ["Refused"]},
    )  # fmt: skip
    layout = lay_out(grid)
    text = as_yaml(draft(grid, layout), layout, grid, None, "a", "en")
    assert 'no_answer: ["Refused"]' in text
    frame = pd.DataFrame({"q": [1.0, "a", "b", None]})
    pyreadstat.write_dta(
        frame, str(tmp_path / "a.dta"), missing_user_values={"q": ["a", "b"]},
        variable_value_labels={"q": {1: "Yes", "a": "Refused"}},
    )  # fmt: skip
    assert list(read_grid(tmp_path / "a.dta")[0].column(0, 2)) == ["Yes", "Refused", "", ""]


def test_value_labels_are_the_options_and_what_has_none_is_in_own_words(tmp_path):
    frame = pd.DataFrame({"q": [1.0, 2.0, 1.0, 2.0, 7.0], "age": [34.0, 52.0, 61.0, 47.0, -1.0]})
    labels = {"q": {1: "Yes", 2: "No", 3: "Perhaps"}, "age": {-1: "Refused", -2: "Unknown"}}
    pyreadstat.write_sav(frame, str(tmp_path / "a.sav"), variable_value_labels=labels)
    grid, _ = read_grid(tmp_path / "a.sav")
    items = draft(grid, lay_out(grid)).items
    assert [one.label for one in items[0].options] == ["Yes", "No", "Perhaps", "Other"]
    assert (items[0].guess.kind, items[0].guess.sure) == ("select_one", 0.7)
    assert not any(one.label in ("34", "7", "52") for item in items for one in item.options)


@pytest.mark.parametrize(
    ("kind", "cell", "fits"),
    [
        ("datetime", "2026-06-14", True), ("datetime", "2026-06-14T10:00:00Z", True),
        ("datetime", "202606", False), ("datetime", "2026", False), ("datetime", "20260614", False),
        ("integer", "1,000", False), ("decimal", "1,5", False), ("decimal", "1.5", True),
    ],
)  # fmt: skip
def test_a_date_or_a_number_is_read_as_one_only_in_its_form(tmp_path, kind, cell, fits):
    questionnaire = asked(
        f"title: {{en: t}}\nabout: {{en: a}}\nsurvey: [{{name: n, type: {kind}, label: {{en: N}}}}]"
    )
    text = f'N\n"{cell}"\n'
    if fits:
        assert typed(tmp_path, questionnaire, text).respondents["n"].notna().all()
    else:
        with pytest.raises(InputError, match="row 2 is"):
            typed(tmp_path, questionnaire, text)


def test_a_thousand_is_not_drafted_as_a_decimal_comma_and_unsure_dates_are_for_review(tmp_path):
    rows = [f'{n % 12 + 1}/{n % 12 + 1}/2026 9:00:00,"{n},000","{n},5"' for n in range(1, 20)]
    (tmp_path / "e.csv").write_text("\n".join(["Timestamp,Spent,Hours", *rows]) + "\n")
    grid, _ = read_grid(tmp_path / "e.csv")
    found = draft(grid, lay_out(grid))
    kinds = {item.label: (item.guess.kind, item.guess.sure) for item in found.items}
    assert kinds == {
        "Timestamp": ("datetime", 0.5), "Spent": ("integer", 0.5), "Hours": ("decimal", 0.95),
    }  # fmt: skip
    assert found.decimal_comma


def test_sheets_that_are_not_read_are_named(tmp_path):
    sheets = {"Form": [["Tools"], ["Index"]], "More": [["Tools"], ["Letter"]]}
    path = write_xlsx(tmp_path / "e.xlsx", sheets)
    assert read_export([path], asked()).notes == (
        "e.xlsx: not read, sheets 'More': say 'sheet' to read another.",
    )


@pytest.mark.parametrize("setting", ["no_answer", "not_asked"])
def test_no_option_may_be_a_word_for_no_answer(setting):
    with pytest.raises(InputError, match=f"{setting} holds 'Letter', an option of tools"):
        asked(**{setting: ["LETTER"]})


def test_a_language_is_one_that_there_is_and_found_by_any_of_its_names(tmp_path):
    with pytest.raises(InputError, match="No language has the tag 'xx'"):
        asked(languages=["en", "xx"])
    survey = "survey:\n  - {name: lang, type: text, label: {en: Lang}, role: language}"
    questionnaire = asked(TOOLS, ("survey:", survey), languages=["en", "pt-BR"])
    cells = ("pt-BR", "pt_br", "PT", "Portuguese", "Português (Brasil)", "en", "EN-gb", "")
    text = "\n".join(["Lang,Tools", *(f"{cell},Index" for cell in cells)])
    found = typed(tmp_path, questionnaire, text + "\n").respondents["language"]
    assert list(found[:7]) == ["pt-BR"] * 5 + ["en"] * 2
    assert pd.isna(found[7])


COMMENTED = """
title: {en: t}
about: {en: a}
survey:
  - {name: Q1, type: select_one yes_no, label: {en: Q1}}
  - {name: Q2, type: text, label: {en: "Q1[comment]"}}
choices:
  yes_no: [{name: "yes", label: {en: "Yes"}}, {name: "no", label: {en: "No"}}]
"""


def test_a_comment_beside_a_single_choice_is_a_question_of_its_own(tmp_path):
    rows = "id,submitdate,lastpage,Q1,Q1[comment]\n1,,1,Yes,so\n"
    export = bound(tmp_path, asked(COMMENTED), rows)
    assert (list(export.answers["Q1"]), list(export.answers["Q2"])) == (["Yes"], ["so"])
    single = asked(COMMENTED, ('  - {name: Q2, type: text, label: {en: "Q1[comment]"}}\n', ""))
    with pytest.raises(InputError, match=r"column 5 \('Q1\[comment\]'\) is no question"):
        bound(tmp_path, single, rows)


def test_questions_and_options_of_qualtrics_may_hold_a_dash(tmp_path):
    text = (
        "StartDate,ResponseId,RecordedDate,Q1_1,Q1_2,Q1_3\n"
        "Start Date,Response ID,Recorded Date,"
        "Tools - all - Index,Tools - all - Letter,Tools - all - Letter - by post\n"
        "2026-06-01 10:00:00,R_1,2026-06-01 10:00:00,Index,,Letter - by post\n"
    )
    (tmp_path / "e.csv").write_text(text)
    fields = lay_out(read_grid(tmp_path / "e.csv")[0]).fields[3:]
    assert {one.block for one in fields} == {("Q1", "Tools - all")}
    assert [one.parts[-1] for one in fields] == ["Index", "Letter", "Letter - by post"]


def test_questions_of_a_form_s_group_that_are_answered_by_yes_or_no_are_no_options(tmp_path):
    rows = "".join(f"yes,no,u{n}\nno,no,v{n}\n" for n in range(9))
    (tmp_path / "e.csv").write_text("about/tap,about/well,_uuid\n" + rows)
    grid, _ = read_grid(tmp_path / "e.csv")
    kinds = [item.guess.kind for item in draft(grid, lay_out(grid)).items]
    assert kinds == ["select_one", "select_one", "respondent"]


@pytest.mark.parametrize(
    ("text", "delimiter", "number"),
    [
        ("Name; age, sex, town; why, if so, then\n1;2;3\n4;5;6\n", ";", 1),
        ("sep=;\nName;age, sex\n1;2\n", ";", 2),
        ("\ufeffsep=\t\r\nName, if any\tAge\r\n1\t2\r\n", "\t", 2),
        ("a\n1\n", ",", 1),
    ],
)
def test_what_parts_the_columns_parts_all_rows_alike(tmp_path, text, delimiter, number):
    (tmp_path / "e.csv").write_text(text, encoding="utf-8", newline="")
    grid, _ = read_grid(tmp_path / "e.csv")
    assert (grid.delimiter, grid.numbers[0]) == (delimiter, number)
    assert grid.row(0)[0].startswith(("Name", "a"))


def test_twenty_thousand_columns_of_a_form_are_laid_out_at_once(tmp_path):
    header = ",".join(f"group_{n // 20}/question_{n}" for n in range(20_000))
    (tmp_path / "e.csv").write_text(f"_uuid,{header}\n{',' * 20_000}\n")
    grid, _ = read_grid(tmp_path / "e.csv")
    assert len(lay_out(grid).fields) == 20_001  # every column by every other would take minutes


def test_ids_given_twice_are_named_as_far_as_a_person_reads(tmp_path):
    ids = "{name: id, type: text, label: {en: ID}, role: respondent}"
    questionnaire = asked(TOOLS, ("survey:", f"survey:\n  - {ids}"))
    rows = "".join(f"{n % 100},Index\n" for n in range(200))
    with pytest.raises(InputError) as refused:
        typed(tmp_path, questionnaire, "ID,Tools\n" + rows)
    assert len(refused.value.problems) == 21
    assert refused.value.problems[-1] == "80 more ids of id are given twice."


def test_a_parquet_file_without_columns_is_refused(tmp_path):
    pd.DataFrame(index=range(3)).to_parquet(tmp_path / "a.parquet", index=False)
    with pytest.raises(InputError, match="is empty"):
        read_grid(tmp_path / "a.parquet")


def test_a_back_coding_sheet_may_have_blank_rows_and_must_be_utf_8(tmp_path):
    sheet = tmp_path / "back_coding.csv"
    sheet.write_text("question,text,option\n,,\nQ1,a drum,letter\n")
    assert read_decisions(tmp_path, asked()) == {("Q1", "a drum"): ("letter",)}
    sheet.write_bytes("question,text,option\nQ1,café,letter\n".encode("cp1252"))
    with pytest.raises(InputError, match="save it as csv in UTF-8") as refused:
        read_decisions(tmp_path, asked())
    assert "questionnaire.yml" not in str(refused.value)


@pytest.mark.parametrize("cell", ["1.000", "12.000", "1.234.000"])
def test_a_thousand_with_a_stop_is_no_one(tmp_path, cell):
    text = "title: {en: t}\nabout: {en: a}\nsurvey: [{name: n, type: integer, label: {en: N}}]"
    with pytest.raises(InputError, match="row 2 is no whole number"):
        typed(tmp_path, asked(text), f"N\n{cell}\n5\n")
    (tmp_path / "e.csv").write_text("Spent\n" + f"{cell}\n50\n" * 9)
    grid, _ = read_grid(tmp_path / "e.csv")
    assert draft(grid, lay_out(grid)).items[0].guess.sure == 0.5


@pytest.mark.parametrize("no", ["0", "No", "Not selected"])
def test_marks_in_the_column_of_words_behind_other_are_no_words(tmp_path, no):
    rows = f"Tools [Index],Tools [Letter],Tools [Other]\n1,0,{no}\n0,0,a map\n0,0,{no}\n0,0,yes\n"
    responses = typed(tmp_path, asked(), rows)
    assert list(responses.respondents["Q1"]) == [INDEX, OTHER, 0, OTHER]
    assert list(responses.free_texts["text"]) == ["a map"]
    assert set(responses.changes["rule"]) == {"a mark in place of words"}


@pytest.mark.parametrize(
    ("kind", "cell"), [("select_one", "Diplomat"), ("select_multiple", '"Index, Diplomat"')]
)
def test_words_in_the_answer_and_behind_other_are_both_kept(tmp_path, kind, cell):
    one = asked(TOOLS, ("select_multiple", kind), ("en: Tools}}", "en: Tools}, other_column: Why}"))
    responses = typed(tmp_path, one, f"Tools,Why\n{cell},we fear arrest\n")
    assert list(responses.free_texts["text"]) == ["Diplomat; we fear arrest"]


def test_of_two_branches_the_one_that_was_answered_counts(tmp_path):
    coalesced = ("en: Tools}}", "en: Tools}, occurrence: coalesce}")
    joined = asked(TOOLS, coalesced, not_asked=["N/A"], no_answer=["-99"])
    rows = "Tools,Other question,Tools\nN/A,x,Index\n-99,x,Letter\nIndex,x,N/A\nIndex,x,Letter\n"
    ignored = joined.model_copy(update={"ignored": ("Other question",)})
    responses = typed(tmp_path, ignored, rows)
    assert list(responses.respondents["Q1"]) == [INDEX, LETTER, INDEX, INDEX]
    assert list(responses.changes["rule"]) == ["two columns answered"]
    head = "Tools [Index],Tools [Letter],Tools [Other]"
    rows = f"{head},Z,{head}\n0,0,,z,1,1,\n0,0,,z,0,0,\n1,0,a,z,0,0,b\n"
    responses = typed(tmp_path, ignored.model_copy(update={"ignored": ("Z",)}), rows)
    assert list(responses.respondents["Q1"]) == [INDEX | LETTER, 0, INDEX | OTHER]
    assert list(responses.free_texts["text"]) == ["a; b"]


def test_options_of_qualtrics_called_by_numbers_are_bound_by_what_they_are_called(tmp_path):
    numbers = asked(
        TOOLS,
        ("{name: index, label: {en: Index}, also: [Table]}", "{name: first, label: {en: '1'}}"),
        ("{name: letter, label: {en: Letter}}", "{name: third, label: {en: '3'}}"),
    )
    text = (
        "StartDate,ResponseId,RecordedDate,Q1_1,Q1_3\nStart Date,Response ID,Recorded Date,"
        "Tools - 3,Tools - 1\n2026-06-01,R_1,2026-06-01,1,\n2026-06-01,R_2,2026-06-01,,1\n"
    )
    assert list(typed(tmp_path, numbers, text).respondents["Q1"]) == [LETTER, INDEX]
    (tmp_path / "e.csv").write_text(text)
    grid, _ = read_grid(tmp_path / "e.csv")
    layout = lay_out(grid)
    as_model(
        parse_yaml(as_yaml(draft(grid, layout), layout, grid, None, "e", "en"), "e"),
        Questionnaire, "e",
    )  # fmt: skip


def test_words_behind_an_option_of_qualtrics_that_is_not_other_are_a_question(tmp_path):
    text = (
        "ResponseId,RecordedDate,Q1,Q1_7_TEXT,Q1_8_TEXT\n"
        "Response ID,Recorded Date,Who? - Selected Choice,Who? - A group, namely - Text,"
        "Who? - Other - Text\nR_1,2026-06-01,NGO,the choir,\n"
    ).replace("A group, namely", "A group namely")
    (tmp_path / "e.csv").write_text(text)
    fields = lay_out(read_grid(tmp_path / "e.csv")[0]).fields
    assert [one.parts for one in fields[2:]] == [(), (), ("other",)]
    assert [one.block[0] for one in fields[2:]] == ["Q1", "Q1_7_TEXT", "Q1"]


def test_what_says_that_it_was_not_asked_says_so_to_the_letter_and_is_logged(tmp_path):
    text = (
        "title: {en: t}\nabout: {en: a}\nnot_asked: [N/A, NA]\nsurvey:\n"
        "  - {name: Q1, type: text, label: {en: Why}}\n"
        "  - {name: Q2, type: text, label: {en: Country}, role: country}\n"
    )
    responses = typed(tmp_path, asked(text), "Why,Country\nn/a,NA\nN/A,KE\n")
    assert list(responses.respondents["Q1_state"]) == ["answered", "not_asked"]
    assert list(responses.free_texts["text"]) == ["NA", "KE"]  # Namibia
    assert list(responses.changes["rule"]) == ["not asked"]


@pytest.mark.parametrize("at_once", [1, 7, 2**24])
def test_cells_with_an_error_or_no_value_are_named(tmp_path, at_once):
    path = write_xlsx(tmp_path / "e.xlsx", {"Form": [["Tools"], ["Index"], ["Letter"], ["x"]]})
    changed = tmp_path / "changed.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for part in old.infolist():
            content = old.read(part)
            if part.filename.startswith("xl/worksheets/"):
                cells = re.findall(rb"<c [^>]*>.*?</c>", content)
                content = content.replace(cells[1], b'<c r="A2" t="e"><f>-a</f><v>#NAME?</v></c>')
                content = content.replace(cells[2], b'<c r="A3"><f>good</f></c>')
                content = content.replace(cells[3], b'<c r="A4"><f>1+1</f><v>2</v></c>')
            new.writestr(part, content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("upr_analysis.unpacking.AT_ONCE", at_once)
        assert uncomputed_cells(changed) == ["A2", "A3"]
    (note,) = read_export([changed], asked()).notes
    assert "2 cells hold an error, or a formula without its value" in note
    assert "(A2, A3)" in note


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("type: text, role: stakeholder_type", "role stakeholder_type and the type text"),
        ("type: text, role: weight", "role weight and the type text; that role is of integer or"),
        ("type: text, role: started", "that role is of datetime"),
        ("type: datetime, date_format: '%e/%m/%Y'", "date_format '%e/%m/%Y', which is none"),
        ("type: datetime, date_format: mixed", "date_format 'mixed', which is none"),
        ("type: text, occurrence: 0", "occurrence"),
    ],
)
def test_what_a_question_cannot_be_is_said(question, message):
    survey = f"survey: [{{name: q, label: {{en: q}}, {question}}}]"
    with pytest.raises(InputError, match=re.escape(message)):
        asked("title: {en: t}\nabout: {en: a}\n" + survey)


def test_an_encoding_that_is_none_of_texts_is_a_message(tmp_path):
    (tmp_path / "e.csv").write_bytes(b"Tools\nIndex\xff\n")
    for encoding in ("punycode", "undefined"):
        with pytest.raises(InputError, match=f"is not {encoding}"):
            read_grid(tmp_path / "e.csv", encoding)


def test_times_with_a_zone_are_read_without_it(tmp_path):
    (tmp_path / "e.csv").write_text(
        "Timestamp,Tools\n"
        + "2021/06/14 4:13:44 PM GMT+2,Index\n2021/06/15 4:13:44 AM UTC,Letter\n" * 3
    )
    grid, _ = read_grid(tmp_path / "e.csv")
    layout = lay_out(grid)
    text = as_yaml(draft(grid, layout), layout, grid, None, "e", "en")
    known = as_model(parse_yaml(text, "e"), Questionnaire, "e")
    responses = type_responses(read_export([tmp_path / "e.csv"], known), known, seed=1)
    assert responses.respondents["submitted"].notna().all()
    assert "time zone" in set(responses.changes["rule"])


def test_comments_beside_the_options_of_limesurvey_are_questions_of_their_own(tmp_path):
    rows = (
        "id,submitdate,lastpage,Q1[index],Q1[indexcomment],Q1[letter],Q1[lettercomment]\n"
        + "1,,1,Y,so,,\n2,,1,,,Y,and so\n3,,1,Y,,Y,\n" * 3
    )
    marked = asked(
        TOOLS, ("[Table]", "[Table, Y]"), ("label: {en: Letter}", "label: {en: Letter}, also: [L]")
    )
    marked = marked.model_copy(
        update={
            "survey": (
                marked.survey[0].model_copy(update={"column": "Q1"}),
                Question(name="C1", type="text", label={"en": "C1"}, column="Q1[indexcomment]"),
                Question(name="C2", type="text", label={"en": "C2"}, column="Q1[lettercomment]"),
            )
        }
    )
    responses = typed(tmp_path, marked, rows)
    assert list(responses.respondents["Q1"][:3]) == [INDEX, LETTER, INDEX | LETTER]
    assert list(responses.open_responses["text"][:3]) == ["so", "", ""]
    (tmp_path / "e.csv").write_text(rows)
    grid, _ = read_grid(tmp_path / "e.csv")
    kinds = {item.name: item.guess.kind for item in draft(grid, lay_out(grid)).items}
    assert list(kinds.values()).count("select_multiple") == 1


def test_a_title_above_the_header_of_a_sheet_is_passed_over(tmp_path):
    title = [["", "", ""], ["Water in the valley", "", ""], ["", "", ""]]
    rows = [["Tools", "Why", "How"], ["Index", "so", "by foot"], ["Letter", "", ""]]
    path = write_xlsx(tmp_path / "e.xlsx", {"Form": [*title, *rows]})
    questionnaire = asked(ignored=["Why", "How"])
    export = read_export([path], questionnaire)
    assert list(export.answers["Q1"]) == ["Index", "Letter"]
    assert [export.place(row) for row in range(2)] == ["5", "6"]


def test_lists_and_bytes_of_parquet_and_periods_of_stata_are_text(tmp_path):
    frame = pd.DataFrame({"Tools": [["Index", "Letter"], ["Letter"]], "raw": [b"caf\xc3\xa9", b""]})
    frame.to_parquet(tmp_path / "a.parquet")
    grid, _ = read_grid(tmp_path / "a.parquet")
    assert list(grid.column(0, 2)) == ["Index, Letter", "Letter"]
    assert list(grid.column(1, 2)) == ["café", ""]
    when = pd.DataFrame({"m": [738.0, None], "q": [246.0, 0.0], "w": [3198.0, 1.0]})
    formats = {"m": "%tm", "q": "%tq", "w": "%tw"}
    pyreadstat.write_dta(when, str(tmp_path / "a.dta"), variable_format=formats)
    grid, _ = read_grid(tmp_path / "a.dta")
    assert [grid.row(2), grid.row(3)] == [
        ["2021-07-01", "2021-07-01", "2021-07-02"], ["", "1960-01-01", "1960-01-08"],
    ]  # fmt: skip
