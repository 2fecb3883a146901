import pytest
from hypothesis import given
from hypothesis import strategies as st

from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.exports import read_export
from upr_analysis.marks import OptionSplitter
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Question, Questionnaire
from upr_analysis.responses import asks_for_names, item_response, type_responses

OPTIONS = {"index": "index", "letter, of the high commissioner": "letter", "letter": "plain"}


def typed(questionnaire, export_file, *rows):
    return type_responses(read_export([export_file(*rows)], questionnaire), questionnaire, seed=1)


def test_option_that_holds_the_separator_is_found_whole():
    answer = "Index, Letter, of the High Commissioner"
    assert OptionSplitter(OPTIONS, ", ").split(answer) == (["index", "letter"], [])


def test_longest_option_wins_and_other_words_are_kept():
    assert OptionSplitter(OPTIONS, ", ").split("Letter, a map, Index") == (
        ["plain", "index"],
        ["a map"],
    )


def test_quotes_and_white_space_are_no_difference_and_other_words_stay_verbatim():
    splitter = OptionSplitter({"don't know": "unknown"}, ", ")
    assert splitter.split("DON’T  know, A Choir") == (["unknown"], ["A Choir"])


def test_option_inside_a_longer_word_is_no_match():
    assert OptionSplitter(OPTIONS, ", ").split("Indexes") == ([], ["Indexes"])


@given(st.permutations(["index", "letter", "plain"]), st.integers(0, 3))
def test_joined_options_come_apart_again(order, size):
    spelling = {name: text for text, name in OPTIONS.items()}
    chosen = list(order[:size])
    # "letter" before "of ..." would join to the longer option, so the plain one stands last
    chosen.sort(key=lambda name: name == "plain")
    answer = ", ".join(spelling[name] for name in chosen)
    assert OptionSplitter(OPTIONS, ", ").split(answer) == (chosen, [])


def test_states_keep_skipped_and_not_asked_apart(questionnaire, export_file):
    rows = ("1,en,NGO,,,Yes,Alone,,", "2,en,NGO,,,No,,,", "3,en,NGO,,,Yes,,,", "4,en,NGO,,,,,,")
    respondents = typed(questionnaire, export_file, *rows).respondents
    assert list(respondents["Q5_state"]) == ["answered", "not_asked", "skipped", "not_asked"]
    assert list(respondents["Q5"]) == [1, 0, 0, 0]


def test_blank_select_all_is_skipped_not_nothing_ticked(questionnaire, export_file):
    respondents = typed(questionnaire, export_file, "1,en,,,,,,,", "2,en,,Index,,,,,").respondents
    assert list(respondents["Q2_state"]) == ["skipped", "answered"]


def test_unknown_option_of_a_question_with_other_is_other(questionnaire, export_file):
    responses = typed(questionnaire, export_file, '1,en,NGO,"Index, a map",,,,,')
    assert list(responses.respondents["Q2"]) == [0b101]
    assert responses.free_texts["text"].tolist() == ["a map"]


def test_unknown_options_are_named_by_row_and_never_shown(questionnaire, export_file):
    rows = ("1,en,NGO,,,,,,", "2,en,Jane Doe,,,Maybe,,,", "3,xx,NGO,,,,,,")
    with pytest.raises(InputError) as raised:
        typed(questionnaire, export_file, *rows)
    message = str(raised.value)
    assert "Q1: the answer in row 3 is no declared option" in message
    assert "Q4: the answer in row 3 is no declared option" in message
    assert "lang: the answer in row 4 is none of en, fr" in message
    assert "Jane" not in message


def test_repeated_respondent_id_names_both_rows(questionnaire, export_file):
    with pytest.raises(InputError, match="Rows 2 and 4 have the same respondent id"):
        typed(questionnaire, export_file, "7,en,,,,,,,", "8,en,,,,,,,", "7,en,,,,,,,")


def test_contact_is_dropped_and_found_in_the_own_answer(questionnaire, export_file):
    row = "1,en,NGO,,,,,Write to ann@example.org or ann.bee@example.org,ann.bee@example.org"
    responses = typed(questionnaire, export_file, row)
    assert "Q7" not in responses.respondents
    assert responses.open_responses["text"].tolist() == ["Write to [e-mail] or [e-mail]"]
    assert responses.redactions == {"e-mail": 2}


def test_options_are_known_in_every_language_and_case(questionnaire, export_file):
    respondents = typed(questionnaire, export_file, "1,fr,ong,,,,,,", "2,en,état,,,,,,").respondents
    assert list(respondents["Q1"]) == ["ngo", "state"]


def test_pseudonyms_are_drawn_by_the_seed_and_hold_no_row_number(questionnaire, export_file):
    rows = [f"{row},en,NGO,,,,,," for row in range(50)]
    export = read_export([export_file(*rows)], questionnaire)
    first = type_responses(export, questionnaire, 1).respondents["respondent"]
    again = type_responses(export, questionnaire, 1).respondents["respondent"]
    other = type_responses(export, questionnaire, 2).respondents["respondent"]
    assert list(first) == list(again)
    assert list(first) != list(other)
    assert list(first) != sorted(first)


def test_every_state_is_counted_once_a_respondent(questionnaire, export_file):
    rows = ("1,en,NGO,Index,Kenya,Yes,Alone,so,", "2,en,,,,No,,,")
    states = item_response(typed(questionnaire, export_file, *rows).respondents, questionnaire)
    assert (states[["answered", "skipped", "not_asked"]].sum(axis=1) == 2).all()
    assert states.set_index("question").loc["Q5"].tolist() == [1, 0, 1]


ASKED = "Id,Lang,Kind,Tools,Countries,Engaged,How,Why,E-mail,Name,Organisation"


@pytest.fixture
def typed_with_contacts(questionnaire, export_file):
    """Type rows (country, another tool, why, name, organisation) of a survey that asks for both."""
    contacts = [
        Question(name=f"Q8_{label}", type="text", label={"en": label}, role="contact")
        for label in ("Name", "Organisation")
    ]
    survey = questionnaire.model_copy(update={"survey": (*questionnaire.survey, *contacts)})

    def typed_rows(*rows):
        lines = [
            f'{number},en,NGO,"{tool}","{country}",,,"{why}",,{name},{organisation}'
            for number, (country, tool, why, name, organisation) in enumerate(rows)
        ]
        return typed(survey, lambda *cells: export_file(*cells, header=ASKED), *lines)

    return typed_rows


def test_own_organisation_is_left_in_the_list_of_countries(typed_with_contacts):
    responses = typed_with_contacts(("Kenya", "", "Kenya Network, in Kenya", "", "Kenya Network"))
    assert responses.free_texts["text"].tolist() == ["Kenya"]
    assert responses.open_responses["text"].tolist() == ["[contact], in Kenya"]


def test_personal_data_in_countries_and_behind_other_are_replaced(typed_with_contacts):
    tool = "a map by Ada Lovelace"
    responses = typed_with_contacts(
        ("Kenya; ada@example.org", tool, "", "Ada Lovelace", ""), ("Mali", tool, "", "", "")
    )
    assert sorted(responses.free_texts["text"]) == [
        "Kenya; [e-mail]", "Mali", "a map by [contact]", "a map by [contact]",
    ]  # fmt: skip


def test_an_organisation_changes_no_word_of_anybody_else(typed_with_contacts):
    answer = "the digital divide of civil society, says Ada Lovelace"
    responses = typed_with_contacts(
        ("", "", "", "Ada Lovelace", "digital divide; civil society"), ("", "", answer, "", "")
    )
    assert responses.open_responses["text"].tolist() == [
        "", "the digital divide of civil society, says [contact]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("label", "holds"),
    [
        ("Surname", True),
        ("Prénom et nom", True),
        ("Nombre", True),
        ("Organisation name", False),
        ("Nom de l'organisation", False),
        ("Name, organisation and e-mail", None),
        ("How can we reach you?", None),
    ],
)
def test_labels_tell_whether_names_of_people_are_asked_for(label, holds):
    question = Question(name="Q1", type="text", label={"en": label}, role="contact")
    assert asks_for_names(question) is holds


SPREAD = """
title: {en: A select-all question over columns}
about: {en: Made for the tests.}
not_asked: [N/A]
no_answer: ["-99"]
survey:
  - {name: Q1, type: select_one yes_no, label: {en: Engaged}}
  - {name: Q2, type: select_multiple tools, label: {en: Tools}}
  - {name: Q3, type: decimal, label: {en: Hours}, optional_column: true}
choices:
  yes_no: [{name: "yes", label: {en: "Yes"}}, {name: "no", label: {en: "No"}}]
  tools:
    - {name: index, label: {en: Index}}
    - {name: letter, label: {en: Letter}}
    - {name: none, label: {en: None of these}, role: none}
"""


def spread(tmp_path, *rows: str, change: tuple[str, str] = ("", ""), header: str = ""):
    text = SPREAD.replace(*change) if change[0] else SPREAD
    questionnaire = as_model(parse_yaml(text, "spread"), Questionnaire, "spread")
    path = tmp_path / "export.csv"
    header = header or "Engaged,Tools [Index],Tools [Letter],Tools [None of these]"
    path.write_text("\n".join([header, *rows]) + "\n")
    return type_responses(read_export([path], questionnaire), questionnaire, seed=1)


def test_marks_of_what_was_not_asked_are_no_words_behind_other(tmp_path):
    change = ("label: {en: None of these}, role: none", "label: {en: Other}, role: other")
    header = "Engaged,Tools [Index],Tools [Letter],Tools [Other]"
    rows = ("Yes,No,No,N/A", "Yes,N/A,N/A,N/A", "Yes,Yes,No,-99", "Yes,No,No,a drum")
    responses = spread(tmp_path, *rows, change=change, header=header)
    assert list(responses.respondents["Q2"]) == [0, 0, 1, 4]
    assert list(responses.respondents["Q2_state"]) == ["answered", "not_asked", *["answered"] * 2]
    assert list(responses.free_texts["text"]) == ["a drum"]


@pytest.mark.parametrize(
    ("cells", "mask", "state"),
    [
        ("Index,,", 1, "answered"),
        ("Yes,No,No", 1, "answered"),
        ("1,1,0", 3, "answered"),
        ("TRUE,FALSE,FALSE", 1, "answered"),
        ("No,No,No", 0, "answered"),  # seen, and nothing chosen
        ("Not selected,Not selected,Not selected", 0, "answered"),
        (",,", 0, "skipped"),
        ("-99,-99,-99", 0, "skipped"),
        ("N/A,N/A,N/A", 0, "not_asked"),
    ],
)
def test_marks_of_a_select_all_question_over_columns(tmp_path, cells, mask, state):
    respondents = spread(tmp_path, f"Yes,{cells}").respondents
    assert (respondents["Q2"][0], respondents["Q2_state"][0]) == (mask, state)


def test_an_option_called_no_is_ticked_by_its_word_only_where_no_word_for_yes_is_used(tmp_path):
    change = ("{name: index, label: {en: Index}}", "{name: index, label: {en: 'No'}}")
    header = "Engaged,Tools [No],Tools [Letter],Tools [None of these]"
    for cells, mask in (("No,Yes,No", 2), ("Yes,No,No", 1), ("No,,", 1), ("No,Letter,", 3)):
        responses = spread(tmp_path, f"Yes,{cells}", change=change, header=header)
        assert responses.respondents["Q2"][0] == mask


def test_blank_columns_are_nothing_chosen_where_the_questionnaire_says_so(tmp_path):
    change = ("label: {en: Tools}}", "label: {en: Tools}, all_blank: none_chosen}")
    respondents = spread(tmp_path, "Yes,,,", change=change).respondents
    assert (respondents["Q2"][0], respondents["Q2_state"][0]) == (0, "answered")


def test_a_mark_that_is_not_understood_is_named_by_row_and_not_shown(tmp_path):
    with pytest.raises(InputError, match="Q2: the answer in row 3 has in the column of letter"):
        spread(tmp_path, "Yes,Index,,", "Yes,,Anna Example,")
    with pytest.raises(InputError) as refused:
        spread(tmp_path, "Yes,,Anna Example,")
    assert "Anna" not in str(refused.value)


def test_what_is_odd_is_logged_by_rule_and_kept(tmp_path):
    responses = spread(tmp_path, "-99,1,0,1")
    assert responses.changes[["column", "rule", "change"]].values.tolist() == [
        ["Q1", "no answer", "made blank"],
        ["Q2", "none of these beside an option", "kept"],
    ]
    assert responses.respondents["Q2"][0] == 0b101


def test_numbers_are_read_by_their_decimal_mark(tmp_path):
    header = "Engaged,Tools [Index],Tools [Letter],Tools [None of these],Hours"
    comma = ("not_asked", "decimal_comma: true\nnot_asked")
    rows = ("Yes,1,0,0,1.5", "Yes,1,0,0,-2", "Yes,1,0,0,1e2")
    assert list(spread(tmp_path, *rows, header=header).respondents["Q3"]) == [1.5, -2, 100]
    rows = ('Yes,1,0,0,"1,5"', "Yes,1,0,0,20")
    typed = spread(tmp_path, *rows, header=header, change=comma).respondents["Q3"]
    assert list(typed) == [1.5, 20]
    with pytest.raises(InputError, match="row 2 is no number written with a decimal"):
        spread(tmp_path, 'Yes,1,0,0,"1,5"', header=header)


def test_every_redaction_is_logged_by_kind(questionnaire, export_file):
    row = "1,en,NGO,Index,Kenya,Yes,Alone,ask a@b.org or https://b.org,x@example.org"
    export = read_export([export_file(row)], questionnaire)
    changes = type_responses(export, questionnaire, seed=1).changes
    assert changes[["column", "rule", "change"]].values.tolist() == [
        ["Q6", "link", "replaced"], ["Q6", "e-mail", "replaced"],
    ]  # fmt: skip
