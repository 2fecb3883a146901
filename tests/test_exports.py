import pytest
from conftest import HEADER
from hypothesis import given, settings
from hypothesis import strategies as st

from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.exports import read_export
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Questionnaire

ROW = "1,en,NGO,Index,Kenya,Yes,Alone,because,a@example.org"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_line_ends_and_byte_order_marks_change_nothing(questionnaire, export_file, end, encoding):
    export = read_export([export_file(ROW, ROW, end=end, encoding=encoding)], questionnaire)
    assert export.rows == 2
    assert list(export.answers["Q6"]) == ["because", "because"]


def test_mac_roman_is_read_where_the_questionnaire_says_so(questionnaire, export_file):
    mac = questionnaire.model_copy(update={"encoding": "mac_roman"})
    path = export_file(ROW.replace("because", "l’été"), encoding="mac_roman", end="\r")
    assert read_export([path], mac).answers["Q6"][0] == "l’été"


def test_wrong_encoding_names_file_byte_and_what_to_set(questionnaire, export_file):
    path = export_file(ROW.replace("because", "l'été est là où il était"), encoding="cp1252")
    with pytest.raises(InputError, match=r"export.csv is not utf-8 \(byte \d+\).*'encoding'"):
        read_export([path], questionnaire)


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("", (), "is empty"),
        (HEADER, (), "holds a header and no answers"),
        (HEADER + ",Mood", (ROW + ",good",), "column 10 .'Mood'. is no question"),
        (HEADER.replace("Why", "Wy"), (ROW,), "no column 'Why' for Q6"),
        (HEADER, (ROW, "2,en"), "row 3 has 2 cells, and the header 9"),
        (HEADER, (ROW, ROW + ",more"), "row 3 has 10 cells, and the header 9"),
        (HEADER, (ROW.replace("because", "be\0cause"),), "NUL bytes"),
    ],
)
def test_bad_file_is_one_clear_message(questionnaire, export_file, header, rows, message):
    with pytest.raises(InputError, match=message):
        read_export([export_file(*rows, header=header)], questionnaire)


def test_a_quoted_line_end_stays_in_its_cell(questionnaire, export_file):
    path = export_file(ROW.replace("because", '"one\rtwo\nthree"'), end="\r\n")
    assert read_export([path], questionnaire).answers["Q6"][0] == "one\rtwo\nthree"


def test_columns_of_one_header_are_bound_by_occurrence_or_coalesced(questionnaire, export_file):
    header = HEADER + ",Why"
    path = export_file(ROW + ",second", ROW.replace("because", "") + ",only", header=header)
    second = _with(questionnaire, occurrence=2)
    with pytest.raises(InputError, match="is no question"):  # the first is then nobody's
        read_export([path], second)
    merged = read_export([path], _with(questionnaire, occurrence="coalesce"))
    assert list(merged.answers["Q6"]) == ["because", "only"]


def _with(questionnaire: Questionnaire, **change: object) -> Questionnaire:
    survey = tuple(
        one.model_copy(update=change) if one.name == "Q6" else one for one in questionnaire.survey
    )
    return questionnaire.model_copy(update={"survey": survey})


SURVEYMONKEY = """
title: {en: Two header rows}
about: {en: Made for the tests.}
format: surveymonkey
survey:
  - {name: id, type: text, label: {en: Respondent ID}, role: respondent}
  - {name: Q1, type: select_one kind, label: {en: Which kind?}}
  - {name: Q2, type: select_multiple tools, label: {en: Which tools?}}
  - {name: Q3, type: text, label: {en: Why?}}
choices:
  kind: [{name: ngo, label: {en: NGO}}, {name: other, label: {en: Other}, role: other}]
  tools: [{name: index, label: {en: Index}}, {name: other, label: {en: Other}, role: other}]
"""


def test_two_header_rows_spread_a_select_all_question_over_columns(tmp_path):
    questionnaire = as_model(parse_yaml(SURVEYMONKEY, "two"), Questionnaire, "two")
    path = tmp_path / "export.csv"
    path.write_text(
        "Respondent ID,IP Address,Which kind?,,Which tools?,,Why?\n"
        ",,Response,Other (please specify),Index,Other (please specify),Open-Ended Response\n"
        "1,192.0.2.1,NGO,,Index,,so\n"
        "2,192.0.2.2,,A choir,,A map,\n"
    )
    export = read_export([path], questionnaire)
    assert list(export.ticks["Q2"]["index"]) == ["Index", ""]
    assert list(export.others["Q1"]) == ["", "A choir"]
    assert list(export.others["Q2"]) == ["", "A map"]
    assert list(export.answers["Q3"]) == ["so", ""]
    assert list(export.personal[0]) == ["192.0.2.1", "192.0.2.2"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_a_message(tmp_path_factory, content):
    questionnaire = as_model(parse_yaml(SURVEYMONKEY, "two"), Questionnaire, "two")
    path = tmp_path_factory.mktemp("fuzz") / "export.csv"
    path.write_bytes(content)
    with pytest.raises(InputError):  # no such bytes are this questionnaire's export
        read_export([path], questionnaire)


def test_twenty_thousand_columns_too_many_are_a_short_message(questionnaire, export_file):
    more = [f"Q{n}" for n in range(20_000)]
    path = export_file(ROW + "," * len(more), header=",".join([HEADER, *more]))
    with pytest.raises(InputError) as refused:
        read_export([path], questionnaire)
    assert len(refused.value.problems) == 21
    assert refused.value.problems[-1] == "export.csv: 19980 more columns are no question."


def test_words_behind_other_may_stand_under_a_heading_of_their_own(tmp_path):
    text = PLAIN.replace(
        "label: {en: Which kind?}", "label: {en: Which kind?}, other_column: Say which"
    )
    questionnaire = as_model(parse_yaml(text, "plain"), Questionnaire, "plain")
    path = tmp_path / "export.csv"
    path.write_text("Which kind?,Say which,Why?\nNGO,,\nOther,A choir,so\n")
    export = read_export([path], questionnaire)
    assert list(export.others["Q1"]) == ["", "A choir"]
    path.write_text("Which kind?,Why?\nNGO,so\n")
    with pytest.raises(InputError, match="no column 'Say which' for Q1"):
        read_export([path], questionnaire)


PLAIN = """
title: {en: Plain}
about: {en: Made for the tests.}
survey:
  - {name: Q1, type: select_one kind, label: {en: Which kind?}}
  - {name: Q2, type: text, label: {en: Why?}}
choices:
  kind: [{name: ngo, label: {en: NGO}}, {name: other, label: {en: Other}, role: other}]
"""


def test_a_part_is_bound_by_itself_and_a_heading_with_all_of_its_parts(tmp_path):
    text = """
title: {en: Parts}
about: {en: Made for the tests.}
survey:
  - {name: A, type: select_one rating, label: {en: Billing}, column: "Rate [Billing]"}
  - {name: B, type: select_one rating, label: {en: Repairs}, column: Rate > Repairs}
  - {name: C, type: select_multiple tools, label: {en: Tools}}
choices:
  rating: [{name: poor, label: {en: Poor}}, {name: good, label: {en: Good}}]
  tools: [{name: index, label: {en: Index}}, {name: letter, label: {en: Letter}}]
"""
    questionnaire = as_model(parse_yaml(text, "parts"), Questionnaire, "parts")
    path = tmp_path / "export.csv"
    header = "Rate [Billing],Rate [Repairs],Tools [Index],Tools [Letter]"
    path.write_text(f"{header}\nPoor,Good,1,0\n")
    export = read_export([path], questionnaire)
    assert (list(export.answers["A"]), list(export.answers["B"])) == (["Poor"], ["Good"])
    assert export.ticks["C"].iloc[0].to_dict() == {"index": "1", "letter": "0"}
