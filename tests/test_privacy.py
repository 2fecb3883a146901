import pytest

from upr_analysis.privacy import Redactor


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


def test_part_of_a_longer_word_is_left():
    assert Redactor().redact("Annabelle", ["Anna"]) == "Annabelle"
