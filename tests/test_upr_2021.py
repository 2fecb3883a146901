"""The first consultation's folder: what was asked, the codebook, and what was published."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from upr_analysis.cleaning import find_places, find_removals, memberships, respondent_flow
from upr_analysis.codebook import Codebook, read_codebook
from upr_analysis.coding import DictionaryCoder, code_responses
from upr_analysis.exports import read_export
from upr_analysis.gate import Secrets
from upr_analysis.questionnaire import Question, Questionnaire, read_questionnaire
from upr_analysis.recommendations import Report, read_report
from upr_analysis.responses import Responses, type_responses
from upr_analysis.simulate import read_survey

FOLDER = Path(__file__).parent.parent / "data" / "upr-2021"
LANGUAGES = {"en", "fr", "es"}


@pytest.fixture(scope="module")
def asked() -> Questionnaire:
    return read_questionnaire(FOLDER)


@pytest.fixture(scope="module")
def codebook() -> Codebook:
    return read_codebook(FOLDER)


@pytest.fixture(scope="module")
def report() -> Report:
    found = read_report(FOLDER)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def typed(asked: Questionnaire) -> Responses:
    return type_responses(read_export([FOLDER / "export.csv"], asked), asked, seed=2021)


@pytest.fixture(scope="module")
def removed(typed: Responses) -> pd.Series:
    return find_removals(typed.respondents, typed.open_responses, typed.free_texts, 5, True, 95)


@pytest.fixture(scope="module")
def kept(typed: Responses, removed: pd.Series) -> pd.DataFrame:
    return typed.respondents[removed.isna()].reset_index(drop=True)


def test_twenty_questions(asked: Questionnaire) -> None:
    numbered = [question.name for question in asked.survey if question.name[1:].isdigit()]
    assert numbered == [f"Q{number}" for number in range(1, 21)]


def test_every_label_is_in_three_languages(asked: Questionnaire, codebook: Codebook) -> None:
    choices = [choice.label for options in asked.choices.values() for choice in options]
    groups = [group.label for grouping in asked.groupings for group in grouping.groups]
    labels = [
        *(question.label for question in asked.survey),
        *choices,
        *groups,
        *(grouping.label for grouping in asked.groupings),
        *(theme.label for theme in codebook.themes),
        *(code.label for code in codebook.codes),
        asked.title,
        asked.about,
    ]
    assert [label for label in labels if set(label) != LANGUAGES or not all(label.values())] == []


def test_roles_of_the_sensitive_and_the_personal(asked: Questionnaire) -> None:
    def names(questions: tuple[Question, ...]) -> list[str]:
        return [question.name for question in questions]

    assert names(asked.with_role("sensitive")) == ["Q19", "Q19_why"]
    assert names(asked.with_role("contact")) == ["Q20_name", "Q20_organisation", "Q20_email"]
    assert names(asked.with_role("country")) == ["Q3"]
    assert names(asked.with_role("consent")) == []
    options = [choice.name for choice in asked.options("Q2") if choice.sensitive]
    assert options == ["lgbti", "indigenous", "minorities"]


def test_what_is_not_in_the_report_is_marked_as_assumed(asked: Questionnaire) -> None:
    assumed = {question.name for question in asked.survey if question.origin == "assumed"}
    numbered = {f"Q{number}" for number in range(1, 21)}
    assert assumed == {question.name for question in asked.survey} - numbered


def test_every_code_says_what_it_is(codebook: Codebook) -> None:
    for code in codebook.codes:
        assert code.definition
        assert code.include
        assert code.exclude
        assert code.example
        assert set(code.patterns) == LANGUAGES
        assert all(code.patterns.values())


def test_themes_are_those_of_the_report_and_safety(codebook: Codebook) -> None:
    sensitive = {theme.name: theme.sensitive for theme in codebook.themes}
    assert sensitive == {
        "accessibility": False,
        "collaboration": False,
        "implementation": False,
        "safety": True,
    }


def test_every_example_is_of_no_respondent(codebook: Codebook, typed: Responses) -> None:
    answered = Secrets.gather(typed.open_responses["text"], [], [], []).phrases
    examples = Secrets.gather([code.example for code in codebook.codes], [], [], []).phrases
    assert len(examples) > 50
    assert examples & answered == set()


def test_twelve_recommendations_in_three_sections(report: Report) -> None:
    numbers = [recommendation.number for recommendation in report.recommendations]
    assert numbers == [
        *("I.1", "I.2", "I.3"),
        *("II.1", "II.2", "II.3", "II.4"),
        *("III.1", "III.2", "III.3", "III.4", "III.5"),
    ]
    themes = Counter(recommendation.theme for recommendation in report.recommendations)
    assert themes == {"collaboration": 3, "accessibility": 4, "implementation": 5}


def test_recommendations_name_codes_of_their_own_theme(report: Report, codebook: Codebook) -> None:
    for recommendation in report.recommendations:
        themes = {codebook.theme_of[code].name for code in recommendation.codes}
        assert themes == {recommendation.theme}


def test_published_numbers(report: Report) -> None:
    bounds = {one.name: (one.at_least, one.at_most) for one in report.published}
    assert bounds["respondents"] == (123, 123)
    assert bounds["national_ngos"] == (50, None)
    assert bounds["keep_measures"] == (78.5, 79.5)
    in_words = [one for one in report.published if one.unit == "words"]
    assert all((one.at_least, one.at_most) == (None, None) for one in in_words)
    assert all(set(one.claim) == set(one.reported) == LANGUAGES for one in report.published)


def test_published_figures_point_at_what_is_counted(
    report: Report, asked: Questionnaire, codebook: Codebook
) -> None:
    known = {
        f"{question.name}.{choice.name}"
        for question in asked.closed_questions
        for choice in asked.options(question)
    }
    known |= {f"themes.{theme.name}" for theme in codebook.themes}
    known |= {f"codes.{code.name}" for code in codebook.codes}
    assert {name for one in report.published for name in one.estimates} <= known


def test_flow_ends_at_123_for_five_reasons(removed: pd.Series) -> None:
    flow = respondent_flow(len(removed), removed)
    assert dict(zip(flow["step"], flow["respondents"], strict=True)) == {
        "received": 128,
        "test entry": 1,
        "empty": 1,
        "partial": 1,
        "exact duplicate": 1,
        "near duplicate": 1,
        "kept": 123,
    }


def test_each_region_has_at_least_25_and_worldwide_is_in_none(
    asked: Questionnaire, typed: Responses, kept: pd.DataFrame
) -> None:
    said = typed.free_texts[typed.free_texts["respondent"].isin(kept["respondent"])]
    places, unknown, _ = find_places(said, asked, {})
    members = memberships(kept, places, asked)
    regions = members[members["grouping"] == "region"]
    counts = regions["group"].value_counts()
    assert set(counts.index) == {"africa", "asia_pacific", "americas_europe"}
    assert counts.min() >= 25
    nowhere = set(kept["respondent"]) - set(regions["respondent"])
    world = set(places.loc[places["place"] == "WORLD", "respondent"])
    assert world
    assert world <= nowhere
    assert list(unknown["piece"]) == ["international"]


def test_accessibility_is_the_theme_that_most_raise(
    typed: Responses, kept: pd.DataFrame, codebook: Codebook
) -> None:
    left = typed.open_responses[typed.open_responses["respondent"].isin(kept["respondent"])]
    codings = code_responses(left.reset_index(drop=True), codebook)
    people = codings.groupby("theme")["respondent"].nunique().sort_values()
    assert people.index[-1] == "accessibility"
    assert people["accessibility"] / len(kept) > 0.8
    # few enough, and many enough, to be shown by group
    assert people.drop("safety").between(15, 108).all()
    assert set(codings["code"]) == {code.name for code in codebook.codes}


def test_personal_data_in_the_answers_is_replaced(typed: Responses) -> None:
    texts = "\n".join(typed.open_responses["text"])
    assert set(typed.redactions) == {"link", "contact", "telephone", "e-mail"}
    assert "example.org" not in texts
    assert "+41" not in texts


def test_sentences_raise_their_own_code_mostly_and_no_other_theme(codebook: Codebook) -> None:
    simulation = read_survey(FOLDER).simulation
    coder = DictionaryCoder(codebook)
    theme_of = codebook.theme_of
    assert set(simulation.sentences) == {code.name for code in codebook.codes}
    for code, by_language in simulation.sentences.items():
        assert set(by_language) == LANGUAGES
        for language, sentences in by_language.items():
            assert len(sentences) >= 3
            raised = [{one for one, _, _ in coder.spans(text, language)} for text in sentences]
            assert sum(code in found for found in raised) >= 2 * len(sentences) / 3, code
            assert {theme_of[one].name for found in raised for one in found} == {
                theme_of[code].name
            }


def test_what_is_beside_the_question_raises_nothing(codebook: Codebook) -> None:
    simulation = read_survey(FOLDER).simulation
    coder = DictionaryCoder(codebook)
    for words in (
        simulation.beside,
        simulation.nothing,
        simulation.openings,
        simulation.closings,
    ):
        for language, texts in words.items():
            assert [text for text in texts if coder.spans(text, language)] == []
