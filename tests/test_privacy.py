import pandas as pd
import pytest

from upr_analysis.privacy import Redactor, contact_strings


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to a.b+c@mail.example.org today", "write to [e-mail] today"),
        ("see https://example.org/a?b=1 there", "see [link] there"),
        ("call +41 22 917 12 34 now", "call [telephone] now"),
        ("call (022) 917-12-34 now", "call [telephone] now"),
        ("ask @some_one there", "ask [handle] there"),
    ],
)
def test_personal_data_becomes_a_typed_placeholder(text, redacted):
    assert Redactor().redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "the cycle 2017-2021 and 2022 - 2027",
        "some 12 000 000 people",
        "resolution 16/21, paragraph 27",
        "Security Council resolutions 1325 (2000) and 1820 2008",
        "on 13-14 July 2021",
        "at 2021-07-13 14:00 sharp",
        "article 19",
    ],
)
def test_years_amounts_and_articles_are_no_telephone_numbers(text):
    assert Redactor().redact(text) == text


def test_own_contact_is_replaced_word_by_word_and_others_only_by_full_name():
    redactor = Redactor(shared=["Ada Lovelace", "Amnesty"])
    assert (
        redactor.redact("Amnesty and ada lovelace said", ["Amnesty"])
        == "[contact] and [contact] said"
    )
    assert redactor.redact("Amnesty and Ada said") == "Amnesty and Ada said"
    assert redactor.counts == {"contact": 2}


def test_parts_of_a_contact_cell_and_joined_names_are_looked_for():
    columns = [pd.Series(["Maria"]), pd.Series(["Gomez"]), pd.Series(["Casa Azul; m@example.org"])]
    own, everyone = contact_strings(columns)
    assert {"Maria Gomez", "Casa Azul", "m@example.org"} <= everyone
    redactor = Redactor(everyone)
    assert redactor.redact("I am Gomez of the Casa", own[0]) == "I am [contact] of the [contact]"
    assert redactor.redact("Maria Gomez said so, Maria too") == "[contact] said so, Maria too"


def test_words_of_an_organisation_or_of_the_questionnaire_are_left():
    redactor = Redactor(vocabulary=["International"])
    own = ["Human Rights Centre", "Grain International"]
    text = "human rights are international, says Grain of the Human Rights Centre"
    assert redactor.redact(text, own) == (
        "human rights are international, says [contact] of the [contact]"
    )


def test_part_of_a_longer_word_is_left():
    assert Redactor().redact("Annabelle", ["Anna"]) == "Annabelle"
