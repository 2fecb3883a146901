"""Words behind "other" become options where a researcher decided so, and every run replays it."""

import pytest

from upr_analysis.back_coding import back_code, back_coding_sheet, read_decisions
from upr_analysis.exports import read_export
from upr_analysis.problems import InputError
from upr_analysis.responses import Responses, type_responses

ROW = "{id},en,NGO,{tools},Kenya,Yes,Alone,because,"


@pytest.fixture
def responses(questionnaire, export_file) -> Responses:
    rows = [
        ROW.format(id=1, tools="A map"),
        ROW.format(id=2, tools='"Index, a  MAP"'),
        ROW.format(id=3, tools="a drum"),
        ROW.format(id=4, tools="Index"),
    ]
    return type_responses(read_export([export_file(*rows)], questionnaire), questionnaire, seed=1)


def decisions(tmp_path, questionnaire, *lines: str):
    text = "\n".join(["question,text,respondents,option", *lines]) + "\n"
    (tmp_path / "back_coding.csv").write_text(text)
    return read_decisions(tmp_path, questionnaire)


def test_without_a_sheet_nothing_is_decided_and_the_sheet_lists_each_answer(
    tmp_path, questionnaire, responses
):
    assert read_decisions(tmp_path, questionnaire) == {}
    sheet = back_coding_sheet(responses.free_texts, questionnaire, {})
    assert sheet.values.tolist() == [
        ["Q2", "A map", 1, ""], ["Q2", "a  MAP", 1, ""], ["Q2", "a drum", 1, ""],
    ]  # fmt: skip


def test_decided_words_are_counted_as_their_option_and_no_longer_as_other(
    tmp_path, questionnaire, responses
):
    decided = decisions(tmp_path, questionnaire, "Q2,a map,2,letter index", "Q2,a drum,1,")
    respondents, left, log = back_code(
        responses.respondents, responses.free_texts, questionnaire, decided
    )
    index, letter, other = 1, 2, 4
    assert list(respondents["Q2"]) == [index | letter, index | letter, other, index]
    assert list(left.loc[left["question"] == "Q2_other", "text"]) == ["a drum"]
    assert log[["column", "rule", "change"]].drop_duplicates().values.tolist() == [
        ["Q2", "back_coding.csv", "counted as an option"]
    ]
    assert list(log["respondent"]) == list(responses.respondents["respondent"][:2])


def test_the_sheet_keeps_what_was_decided(tmp_path, questionnaire, responses):
    decided = decisions(tmp_path, questionnaire, "Q2,a map,2,letter")
    sheet = back_coding_sheet(responses.free_texts, questionnaire, decided)
    assert list(sheet["option"]) == ["letter", "letter", ""]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Q9,a map,1,letter", "line 2: 'question' names no closed question"),
        ("Q2,a map,1,leter", "line 2: Q2 has no such option; did you mean 'letter'"),
        ("Q4,a map,1,yes no", "line 2: Q4 takes one option only"),
        ("Q2,a map,1,letter\nQ2,A MAP,1,index", "line 3: the same answer is given two options"),
    ],
)
def test_a_line_that_does_not_fit_is_named_and_its_text_not_shown(
    tmp_path, questionnaire, line, message
):
    with pytest.raises(InputError, match=message) as refused:
        decisions(tmp_path, questionnaire, line)
    assert "map" not in str(refused.value).casefold()


def test_a_sheet_without_its_columns_is_refused(tmp_path, questionnaire):
    (tmp_path / "back_coding.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="needs the columns question, text and option"):
        read_decisions(tmp_path, questionnaire)
