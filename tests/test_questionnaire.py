import pytest
from conftest import ROOT, SMALL

from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Questionnaire, read_questionnaire, relevance

CONSULTATIONS = sorted(path.parent for path in (ROOT / "data").glob("*/questionnaire.yml"))


@pytest.mark.parametrize("folder", CONSULTATIONS, ids=lambda folder: folder.name)
def test_every_shipped_questionnaire_hangs_together(folder):
    assert read_questionnaire(folder).survey


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("select_multiple tools", "select_multiple tool", "not declared; did you mean 'tools'"),
        ("type: select_one kind", "type: select_on kind", "type 'select_on kind'; known are"),
        ("${Q4} = 'yes'", "${Q9} = 'yes'", "depends on 'Q9', not a closed question"),
        ("${Q4} = 'yes'", "${Q4} = 'maybe'", "depends on Q4 = 'maybe', not an option"),
        ("${Q4} = 'yes'", "Q4 is yes", "relevant 'Q4 is yes' is not understood"),
        ("of: [state]", "of: [states]", "holds 'states', not an option of Q1; did you"),
        ("of: [state]", "of: [ngo]", "puts 'ngo' into two groups"),
        ("by: Q3", "by: Q6", "needs places, but Q6 is no country question"),
        ("name: lang", "name: language", "No question may be called 'language'"),
        ("name: Q6", "name: Q5_state", "No question may be called 'Q5_state'"),
        ("name: Q6", "name: Q5", "Two questions are called 'Q5'"),
        ("role: country", "roll: country", "sets 'roll'"),
    ],
)  # fmt: skip
def test_what_does_not_hang_together_is_named(was, becomes, message):
    assert was in SMALL
    with pytest.raises(InputError, match=message):
        as_model(parse_yaml(SMALL.replace(was, becomes), "q"), Questionnaire, "q")


def test_unknown_names_are_answered_with_the_nearest(questionnaire):
    with pytest.raises(InputError, match=r"No grouping is called 'regoin'.*did you mean 'region'"):
        questionnaire.grouping("regoin")
    with pytest.raises(InputError, match="No question is called 'Q11'"):
        questionnaire.question("Q11")


def test_relevance_reads_both_forms_of_xlsform(questionnaire):
    question = questionnaire.question("Q5")
    selected = question.model_copy(update={"relevant": "selected(${Q4}, 'yes')"})
    assert relevance(question) == relevance(selected) == ("Q4", "yes")
    assert relevance(questionnaire.question("Q6")) is None


def test_roles_say_what_is_open_closed_and_kept_back(questionnaire):
    assert [one.name for one in questionnaire.open_questions] == ["Q6"]
    assert [one.name for one in questionnaire.closed_questions] == ["Q1", "Q2", "Q4", "Q5"]
    assert [one.name for one in questionnaire.with_role("contact")] == ["Q7"]
