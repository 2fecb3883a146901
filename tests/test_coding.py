import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upr_analysis.codebook import Codebook
from upr_analysis.coding import (
    DictionaryCoder,
    account,
    account_by_question,
    code_responses,
    given_codings,
    pattern_use,
)
from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.patterns import fold
from upr_analysis.problems import InputError

CODEBOOK = """
title: {en: Small}
themes:
  - name: access
    label: {en: Accessibility}
    definition: Whether one can take part.
    codes:
      - name: languages
        label: {en: Languages}
        definition: Documents and meetings in other languages.
        patterns: {en: [translat*, sign language], fr: [tradui*, traduction*], es: [traducc*]}
      - name: access_points
        label: {en: Ways in}
        definition: How one gets in.
        patterns: {en: [access], fr: ["l'accès"]}
nothing_to_say: {en: [none, n/a], fr: [aucune]}
"""


@pytest.fixture
def codebook() -> Codebook:
    return as_model(parse_yaml(CODEBOOK, "small"), Codebook, "small")


def found(codebook, text, language="en"):
    spans = DictionaryCoder(codebook).spans(text, language)
    return [(code, text[start:end]) for code, start, end in spans]


def test_stem_goes_to_the_words_end_and_phrase_over_any_space(codebook):
    text = "Translations, please, and Sign-\nlanguage."
    assert found(codebook, text) == [
        ("languages", "Translations"),
        ("languages", "Sign-\nlanguage"),
    ]


def test_case_accents_and_apostrophes_are_no_difference(codebook):
    for text in ("L’ACCÈS", "l'acces", "L´accès", unicodedata.normalize("NFD", "l'accès")):
        assert found(codebook, f"- {text} -", "fr") == [("access_points", text)]


def test_pattern_inside_a_word_of_any_script_is_no_match(codebook):
    assert found(codebook, "inaccess accesses éaccess access\u0301e доaccess") == []


def test_words_of_another_language_are_not_searched(codebook):
    assert found(codebook, "traduction", "en") == []
    assert found(codebook, "traduction", "fr") == [("languages", "traduction")]


def test_a_language_without_patterns_is_searched_with_all(codebook):
    assert found(codebook, "translation, traduction", "ar") == [
        ("languages", "translation"),
        ("languages", "traduction"),
    ]


@given(st.text(max_size=200))
def test_every_span_stands_verbatim_and_folds_to_a_pattern(text):
    codebook = as_model(parse_yaml(CODEBOOK, "small"), Codebook, "small")
    padded = f"{text} translation {text}"
    spans = DictionaryCoder(codebook).spans(padded, "en")
    for _, start, end in spans:
        assert 0 <= start < end <= len(padded)
        assert fold(padded[start:end])[0].startswith(("translat", "sign", "access"))


@given(st.text(max_size=100))
def test_folding_says_where_each_letter_came_from(text):
    folded, places = fold(text)
    assert len(folded) == len(places)
    assert list(places) == sorted(places)
    assert all(0 <= place < len(text) for place in places)


def responses(*rows):
    frame = pd.DataFrame(rows, columns=["respondent", "question", "text", "state"])
    return frame.assign(language="en")


def test_every_open_response_ends_in_exactly_one_way(codebook):
    answers = responses(
        ("a", "Q", "translation", "answered"),
        ("b", "Q", "N/A.", "answered"),
        ("c", "Q", "[e-mail], [telephone]", "answered"),
        ("d", "Q", "the weather", "answered"),
        ("e", "Q", "", "skipped"),
        ("f", "Q", "", "not_asked"),
    )
    codings = code_responses(answers, codebook)
    outcome = account(answers, codings, answers.head(0).assign(settled=True), codebook)
    assert list(outcome) == [
        "coded", "nothing_to_say", "redacted", "none_applies", "blank", "not_asked",
    ]  # fmt: skip
    assert account_by_question(answers, outcome).iloc[0].tolist() == ["Q", 1, 1, 0, 1, 1, 0, 1, 1]


def test_what_nobody_could_read_has_failed_and_is_no_answer_without_a_theme(codebook):
    answers = responses(
        ("a", "Q", "الترجمة متأخرة", "answered"),
        ("b", "Q", "translation", "answered"),
        ("c", "Q", "الترجمة متأخرة جدا", "answered"),
    ).assign(language="ar")
    judged = answers.loc[[2], ["respondent", "question"]].assign(settled=True)
    outcome = account(answers, code_responses(answers, codebook), judged, codebook)
    assert list(outcome) == ["failed", "coded", "none_applies"]
    apart = account(answers, answers.head(0), judged.assign(settled=False), codebook)
    assert list(apart) == ["failed", "failed", "disputed"]


def test_coding_carries_its_evidence(codebook):
    coding = code_responses(responses(("a", "Q", "in translation", "answered")), codebook).iloc[0]
    assert coding[["theme", "code", "start", "end", "quote"]].tolist() == [
        "access", "languages", 3, 14, "translation",
    ]  # fmt: skip
    assert coding["codebook_version"] == codebook.version


def test_codes_that_people_gave_have_no_span(codebook):
    answers = responses(("a", "Q", "in translation", "answered"))
    given_codes = pd.DataFrame(
        {"coder": ["Ana"], "respondent": ["a"], "question": ["Q"], "code": ["languages"]}
    )
    coding = given_codings(given_codes, answers, codebook).iloc[0]
    assert coding["coder"] == "Ana"
    assert coding[["start", "end", "quote"]].isna().all()


def test_bad_pattern_is_named_with_its_code_and_language():
    broken = CODEBOOK.replace("sign language", "sign (language")
    with pytest.raises(InputError, match=r"languages, en: the pattern 'sign \(language'"):
        as_model(parse_yaml(broken, "small"), Codebook, "codebook.yml")


def test_version_follows_content(codebook):
    other = as_model(parse_yaml(CODEBOOK.replace("taking", "x"), "s"), Codebook, "s")
    changed = as_model(parse_yaml(CODEBOOK.replace("gets in", "comes in"), "s"), Codebook, "s")
    assert other.version == codebook.version != changed.version


def test_patterns_that_find_nothing_or_nothing_of_their_own_are_told_apart(codebook):
    text = CODEBOOK.replace(
        "{en: [access], fr", "{en: [access, access*, translat*, open !2], fr"
    ).replace("nothing_to_say:", "negations: {en: [not]}\nnothing_to_say:")
    known = as_model(parse_yaml(text, "small"), Codebook, "small")
    answers = responses(
        ("a", "Q", "Access to a translation", "answered"), ("b", "Q", "not open", "answered"),
        ("c", "Q", "", "skipped"),
    )  # fmt: skip
    use = pattern_use(answers, known).set_index(["code", "pattern"])[["matches", "coded"]]
    assert use.loc[("access_points", "access")].tolist() == [1, 0]  # as access* finds it
    assert use.loc[("access_points", "access*")].tolist() == [1, 1]
    assert use.loc[("access_points", "open !2")].tolist() == [0, 0]
    assert use.loc[("languages", "sign language")].tolist() == [0, 0]
    assert use.loc[("languages", "translat*")].tolist() == [1, 1]
