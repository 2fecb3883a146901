"""The interface says the same things in each of its languages."""

import pytest

from upr_analysis.words import LANGUAGES, interface, number, placeholders, say


def test_each_language_has_the_same_keys_in_the_same_order():
    english = list(interface()["en"])
    assert tuple(interface()) == LANGUAGES
    assert len(english) > 100
    for language in LANGUAGES:
        assert list(interface()[language]) == english


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_text_takes_the_same_placeholders_as_in_english(language):
    for key, text in interface()[language].items():
        assert isinstance(text, str), key
        assert text.strip() == text != "", key
        assert placeholders(text) == placeholders(interface()["en"][key]), key


def test_languages_differ_where_words_do():
    differ = [key for key in interface()["en"] if len({interface()[x][key] for x in LANGUAGES}) > 1]
    assert len(differ) > 0.85 * len(interface()["en"])


def test_unknown_key_names_the_nearest():
    with pytest.raises(KeyError, match=r"'heading.fow'.*did you mean 'heading.flow'"):
        say("heading.fow")


def test_unknown_language_names_those_that_there_are():
    with pytest.raises(KeyError, match="'de', only en, fr, es"):
        say("heading.flow", "de")


@pytest.mark.parametrize("values", [{}, {"m": 1}, {"n": 1, "m": 1}])
def test_wrong_placeholders_are_an_error(values):
    with pytest.raises(TypeError, match=r"'base.answered' takes n, not"):
        say("base.answered", **values)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "of 1,234 who answered"),
        ("fr", "sur 1\N{NARROW NO-BREAK SPACE}234 qui ont répondu"),
        ("es", "de 1.234 que respondieron"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(language, expected):
    assert say("base.answered", language, n=1234) == expected


def test_values_are_not_read_as_placeholders():
    assert say("page.next", title="{title} {0} %s") == "Next: {title} {0} %s"


def test_french_double_punctuation_does_not_begin_a_line():
    assert say("page.next", "fr", title="x") == "Suivant\N{NO-BREAK SPACE}: x"
    for key, text in interface()["fr"].items():
        assert not any(f" {mark}" in text for mark in ":;?!%»"), key


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [(-1.25, 1, "\N{MINUS SIGN}1.2"), (-0.04, 1, "0.0"), (12.0, 0, "12"), (0.0421, 3, "0.042")],
)
def test_number(value, decimals, expected):
    assert number(value, "en", decimals) == expected


def test_what_must_be_said_is_said_to_the_letter():
    assert say("banner.invented.text") == (
        "Invented data: written by a program to show the method. "
        "Nothing here is evidence about the consultation."
    )
    assert say("banner.private.text") == "PRIVATE: run by hand, not checked for publication"
    assert [
        say(f"verdict.{x}") for x in ("built_to_agree", "cannot_be_checked", "agrees", "differs")
    ] == [
        "built to agree",
        "cannot be checked exactly",
        "agrees",
        "differs",
    ]
