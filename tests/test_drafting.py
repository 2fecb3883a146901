"""What is drafted from an export holds nothing that one respondent wrote, and what it can know."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbooks import write_xlsx

from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.drafting import draft
from upr_analysis.exports import read_export
from upr_analysis.grids import read_grid
from upr_analysis.layouts import lay_out
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Questionnaire, read_questionnaire
from upr_analysis.responses import type_responses
from upr_analysis.scaffold import Founded, as_yaml, found_consultation

EXPORTS = Path(__file__).parent / "exports"
SECRETS = ("Aurelia Nightingale-Okonkwo", "+44 7700 900123", "aurelia@example.org", "yes, Aurelia")


def written(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue()


def drafted(folder: Path, text: str, form: Path | None = None, name: str = "water") -> Founded:
    for needed in ("data", "params"):
        (folder / needed).mkdir(exist_ok=True)
    export = folder / f"{name}.csv"
    export.write_text(text, encoding="utf-8")
    return found_consultation(export, folder / "data" / name, folder, form)


def questions(done: Founded) -> dict[str, tuple[str, str | None]]:
    survey = read_questionnaire(done.folder).survey
    return {str(one.column): (one.kind, one.role) for one in survey}


def labels(done: Founded, question: str) -> list[str]:
    return [one.label["en"] for one in read_questionnaire(done.folder).options(question)]


def refusal(export: Path, asked: Questionnaire) -> str:
    """Say what is said of an export that does not fit, nothing of one that does."""
    try:
        type_responses(read_export([export], asked), asked, seed=1)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("file", sorted(path.stem for path in EXPORTS.glob("*.csv")))
def test_what_one_respondent_wrote_stands_in_no_draft_and_in_no_message(file, tmp_path):
    """In any column of any tool's export, one answer is replaced by what would be a secret."""
    path = EXPORTS / f"{file}.csv"
    encoding = {"plain": "cp1252", "plain_mac": "mac_roman"}.get(file)
    grid, _ = read_grid(path, encoding)
    layout = lay_out(grid)
    rows = [grid.row(place) for place in range(len(grid))]
    known = as_yaml(draft(grid, layout), layout, grid, encoding, "water", "en")
    asked = as_model(parse_yaml(known, "draft"), Questionnaire, "draft")
    for column in range(grid.width):
        for number, secret in enumerate((SECRETS[column % 2], SECRETS[2 + column % 2])):
            row = layout.header_rows + (column + 3 * number) % (len(rows) - layout.header_rows)
            hidden = [list(one) for one in rows]
            hidden[row][column] = secret
            export = tmp_path / "export.csv"
            export.write_text(written(hidden), encoding=encoding or "utf-8")
            again, _ = read_grid(export, encoding)
            laid = lay_out(again)
            text = as_yaml(draft(again, laid), laid, again, encoding, "water", "en")
            assert secret not in text, (column, row)
            assert secret not in refusal(export, asked), (column, row)


def test_a_block_of_contact_details_that_one_respondent_filled_in_is_no_question(tmp_path):
    header = ["ID", "Contact [Name]", "Contact [Town]", "Contact [1]", "Contact [2]"]
    rows = [[str(n), "", "", "", ""] for n in range(1, 20)]
    rows[4][1:] = ["Aurelia Nightingale", "Port Harcourt", "Okonkwo House", "no"]
    done = drafted(tmp_path, written([header, *rows]))
    assert all(kind == "text" for kind, _ in questions(done).values())
    text = (done.folder / "questionnaire.yml").read_text(encoding="utf-8")
    assert not any(word in text for word in ("Aurelia", "Harcourt", "Okonkwo"))


def test_words_of_a_column_headed_by_a_code_are_an_option_where_several_have_them(tmp_path):
    rows = [[("Radio" if n % 2 else ""), ("Letter" if n % 3 else ""), "x"] for n in range(12)]
    done = drafted(tmp_path, written([["q4_1", "q4_2", "q5"], *rows]))
    assert labels(done, "q4") == ["Radio", "Letter"]


def test_an_answer_that_one_respondent_gave_is_no_option_unless_it_is_commonplace(tmp_path):
    answers = ["Farm"] * 9 + ["School"] * 8 + ["Widow of the mayor of Owerri"]
    scale = ["Agree"] * 9 + ["Disagree"] * 8 + ["Strongly agree"]
    rows = list(zip(answers, scale, strict=True))
    done = drafted(tmp_path, written([["Who are you?", "It is cheap"], *rows]))
    assert labels(done, "Q1") == ["Farm", "School", "Other"]
    assert labels(done, "Q2") == ["Agree", "Disagree", "Strongly agree"]
    assert done.questions[0].guess.sure < 0.8
    assert "1 that one respondent gave are left out" in done.questions[0].guess.why


SURVEY = [
    ["type", "name", "label", "relevant"],
    ["text", "name_of_you", "Your name", ""],
    ["text", "phone_number", "Where can we reach you?", ""],
    ["text", "land", "In which country do you live?", ""],
    ["geopoint", "home", "Where do you live?", ""],
    ["select_one kind", "who", "What best describes you as a stakeholder?", ""],
    ["select_one kind", "2nd-who", "And second?", "${who} = '1'"],
    ["select_one kind", "who_other", "Which other?", ""],
    ["select one from kind", "codes", "Old form", "${2nd-who} = '1'"],
    ["select_one_from_file towns.csv", "town", "Town?", ""],
    ["select_one", "bare", "Bare?", ""],
    ["select all that apply from kind", "all", "All?", "${gone} = 'x'"],
]
CHOICES = [
    ["list_name", "name", "label"],
    ["kind", "1", "Farm"], ["kind", "1", "Farm again"], ["kind", "a-b", "School"],
    ["kind", "a_b", "School"], ["kind", "Farm", "Household"],
]  # fmt: skip


def test_a_form_drafts_whatever_it_calls_its_questions_and_options(tmp_path):
    form = write_xlsx(tmp_path / "form.xlsx", {"survey": SURVEY, "choices": CHOICES})
    head = "name_of_you,phone_number,land,home,who,2nd-who,codes,town,_uuid\n"
    line = "Aurelia,07700,{land},4.8156 7.0498 0 0,1,a-b,Farm,Owerri,u{n}\n"
    lands = ("Kenya", "Uganda", "Peru")
    text = head + "".join(line.format(n=n, land=lands[n % 3]) for n in range(12))
    done = drafted(tmp_path, text, form)
    asked = read_questionnaire(done.folder)
    assert {one.name: one.role for one in asked.survey if one.role} == {
        "Q9": "respondent", "name_of_you": "contact", "phone_number": "contact",
        "land": "country", "home": "contact", "who": "stakeholder_type",
    }  # fmt: skip
    assert {one.name: one.relevant for one in asked.survey if one.relevant} == {
        "n2nd_who": "${who} = 'n1'", "codes_given": "${n2nd_who} = 'n1'",
    }  # fmt: skip
    options = {one.name: (one.label["en"], one.also) for one in asked.options("codes_given")}
    assert options == {
        "n1": ("Farm (1)", ("1",)), "a_b": ("School (a-b)", ("a-b",)),
        "a_b_2": ("School (a_b)", ("a_b",)), "Farm": ("Household (Farm)", ()),
    }  # fmt: skip
    assert asked.question("all").kind == "select_multiple"
    assert asked.question("town").kind == "select_one"  # by its answers
    assert asked.question("bare").kind == "text"
    assert done.problems == ()


def test_numbers_in_any_digits_are_numbers_and_no_message_quotes_a_cell(tmp_path):
    ages = ["٢٥", "31", "४२", *map(str, range(40, 60))]
    text = written([["How old are you?"], *([age] for age in ages)])
    done = drafted(tmp_path, text)
    asked = read_questionnaire(done.folder)
    answers = type_responses(read_export([done.folder / "export.csv"], asked), asked, seed=1)
    assert list(answers.respondents["Q1"][:3]) == [25, 31, 42]
    (done.folder / "export.csv").write_text(text + "²\n1e999\n", encoding="utf-8")
    with pytest.raises(InputError, match="in rows 25, 26 is no whole number") as refused:
        type_responses(read_export([done.folder / "export.csv"], asked), asked, seed=1)
    assert "²" not in str(refused.value)


@pytest.mark.parametrize("kind", ["integer", "decimal"])
def test_no_number_is_infinite(tmp_path, kind):
    (tmp_path / "e.csv").write_text("n\n1\n1e999\n")
    survey = [{"name": "n", "type": kind, "label": {"en": "n"}}]
    asked = as_model(
        {"title": {"en": "t"}, "about": {"en": "a"}, "survey": survey}, Questionnaire, "q"
    )
    with pytest.raises(InputError, match="row 3 is no"):
        type_responses(read_export([tmp_path / "e.csv"], asked), asked, seed=1)


def test_a_file_without_its_header_is_refused(tmp_path):
    kinds, lands = ("Farm", "School"), ("Kenya", "Peru", "Benin")
    rows = [
        [f"2026-06-{n:02}", kinds[n % 2], lands[n % 3], f"I have no tap in {n} houses"]
        for n in range(1, 20)
    ]
    with pytest.raises(InputError, match="the first row looks like somebody's answers"):
        drafted(tmp_path, written(rows))
    assert not (tmp_path / "data" / "water").exists()
    words = [["Farm", "Radio"], ["Farm", ""], ["", "Radio"], ["Farm", ""]]  # marks of options
    assert drafted(tmp_path, written(words)).folder.is_dir()


def test_one_header_row_of_qualtrics_is_no_two(tmp_path):
    header = ["StartDate", "RecordedDate", "ResponseId", "Q1", "Q2"]
    rows = [["2026-06-01 10:00:00"] * 2 + [f"R_{n}", "Aurelia", "Farm"] for n in range(9)]
    done = drafted(tmp_path, written([header, *rows]))
    assert "Aurelia" not in (done.folder / "codebook.yml").read_text()
    assert {one.label["en"] for one in read_questionnaire(done.folder).survey} >= {"Q1", "Q2"}
    grid, _ = read_grid(tmp_path / "water.csv")
    assert (lay_out(grid).tool, lay_out(grid).header_rows) == ("qualtrics", 1)


def test_one_header_row_is_not_read_as_two_of_surveymonkey(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("Respondent ID,Your village\n1,Aurelia's village\n2,Owerri\n")
    grid, _ = read_grid(path)
    with pytest.raises(InputError, match="has not the two header rows of SurveyMonkey") as refused:
        lay_out(grid, "surveymonkey")
    assert "Aurelia" not in str(refused.value)


CELLS = st.sampled_from(["", "Yes", "No", "1", "0", "yes", "Ÿes", "a, b", "b, a", "3.5", "5 km"])
HEADS = st.sampled_from(
    ["Q1", "Q3", "themes", "A [x]", "A [X]", "A [y]", "B_other", "b: x", "région"]
)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.lists(HEADS, min_size=1, max_size=6))
def test_any_table_drafts_a_questionnaire_that_hangs_together(tmp_path_factory, data, header):
    row = st.lists(CELLS, min_size=len(header), max_size=len(header))
    rows: list[Any] = data.draw(st.lists(row, min_size=1, max_size=12))
    path = tmp_path_factory.mktemp("any") / "e.csv"
    path.write_text(written([header, *rows]), encoding="utf-8")
    grid, _ = read_grid(path)
    layout = lay_out(grid)
    if len(grid) <= layout.header_rows:
        return
    text = as_yaml(draft(grid, layout), layout, grid, None, "any", "en")
    if "survey:\nchoices" in text or text.rstrip().endswith("survey:"):
        return  # nothing was answered
    asked = as_model(parse_yaml(text, "draft"), Questionnaire, "draft")
    assert len(read_export([path], asked).answers) <= grid.width


def test_value_labels_made_of_what_was_typed_are_no_options(tmp_path):
    """As SPSS's AUTORECODE and Stata's encode make them, in the order of the alphabet."""
    names = ["Amina Diallo", "John Okello", "Li Wei Chen", "Maria Gomez"]
    towns = ["Kano"] * 3 + ["Owerri"] * 2 + ["The house behind the mill"]
    frame = pd.DataFrame({"name": [1.0, 2, 3, 4, 1, 2], "say": [1.0, 2, 3, 4, 5, 6]})
    frame["town"] = [1.0, 1, 1, 2, 2, 3]
    words = [f"word {n} that somebody said" for n in range(6)]
    labels = {
        "name": dict(enumerate(names, 1)),
        "say": dict(enumerate(words, 1)),
        "town": dict(enumerate(sorted(set(towns)), 1)),
    }
    path = tmp_path / "a.dta"
    about = ["Your name", "What do you say?", "Where?"]
    pyreadstat.write_dta(frame, str(path), column_labels=about, variable_value_labels=labels)
    for folder in ("data", "params"):
        (tmp_path / folder).mkdir()
    done = found_consultation(path, tmp_path / "data" / "a", tmp_path)
    text = (done.folder / "questionnaire.yml").read_text(encoding="utf-8")
    assert not any(secret in text for secret in (*names, *words, "behind the mill"))
    assert {one.name: (one.kind, one.role) for one in read_questionnaire(done.folder).survey} == {
        "name": ("text", "contact"), "say": ("text", None), "town": ("select_one", None),
    }  # fmt: skip


@pytest.mark.parametrize(
    "header",
    [
        "we need safe houses,contact me at maria@org.ke please,raids at night",
        "we need safe houses,+254 712 345 678,raids", "2026-06-14 10:00,raids,NGO",
    ],
)  # fmt: skip
def test_one_address_or_date_in_the_header_is_enough_to_refuse_it(tmp_path, header):
    with pytest.raises(InputError, match="looks like somebody's answers"):
        drafted(tmp_path, f"{header}\nother words,and more,of others\n")


def test_rows_of_qualtrics_whose_headings_were_removed_are_answers(tmp_path):
    head = "StartDate,EndDate,ResponseId,RecordedDate,Q1,Q2\n"
    for date, who in (("Jun 14 2021", "R_1a"), ("44361.4", "x")):
        text = head + "".join(f"{date},{date},{who}{n},{date},Aurelia {n},Yes\n" for n in range(9))
        name = f"water-{who[0].lower()}"
        done = drafted(tmp_path, text, name=name)
        assert "Aurelia" not in (done.folder / "questionnaire.yml").read_text()


def test_numbers_and_names_of_people_are_contacts_by_their_look(tmp_path):
    rows = [["Yes" if n % 2 else "No", f"79123{n:05}", "Ann Bell", "Yes"] for n in range(20)]
    rows.append(["0041791234567", "7912399999", "Cy Dow", "No"])
    heads = [
        "Do you accept a call?",
        "Your line",
        "Family name",
        "Are you willing to be contacted?",
    ]
    done = drafted(tmp_path, written([heads, *rows]))
    text = (done.folder / "questionnaire.yml").read_text()
    assert "0041791234567" not in text
    assert questions(done) == {
        heads[0]: ("select_one", None), heads[1]: ("text", "contact"),
        heads[2]: ("text", "contact"), heads[3]: ("select_one", None),
    }  # fmt: skip


def test_one_respondents_words_beside_not_selected_are_no_label(tmp_path):
    rows = [["Yes", "Not selected"] for _ in range(9)] + [["Not selected", "Maria Gomez helped"]]
    done = drafted(tmp_path, written([["q1_1", "q1_8"], *rows]))
    assert "Gomez" not in (done.folder / "questionnaire.yml").read_text()


def test_a_header_of_answers_is_quoted_by_no_message_though_questions_are_optional(tmp_path):
    survey = [
        {"name": f"q{n}", "type": "text", "label": {"en": f"Question {n}"}, "optional_column": True}
        for n in range(4)
    ]
    about = {"title": {"en": "t"}, "about": {"en": "a"}, "survey": survey}
    asked = as_model(about, Questionnaire, "q")
    (tmp_path / "e.csv").write_text("My cousin Maria was taken,raids\nmore,words\n")
    said = refusal(tmp_path / "e.csv", asked)
    assert "column 1" in said
    assert "Maria" not in said
    assert "raids" not in said


def test_names_of_a_form_that_are_another_options_label_are_set_apart(tmp_path):
    crossed = [["list_name", "name", "label"], *(["s", str(n), str(6 - n)] for n in range(1, 6))]
    sheets = {
        "survey": [["type", "name", "label"], ["select_one s", "q", "How?"]],
        "choices": crossed,
    }
    form = write_xlsx(tmp_path / "form.xlsx", sheets)
    done = drafted(tmp_path, "q,_uuid\n1,a\n5,b\n", form)
    asked = read_questionnaire(done.folder)
    answers = type_responses(read_export([done.folder / "export.csv"], asked), asked, seed=1)
    assert list(answers.respondents["q"]) == ["n1", "n5"]
    assert labels(done, "q")[0] == "5 (1)"
