"""What can be seen to go wrong is said before a run starts."""

import pytest

from upr_analysis.checks import check
from upr_analysis.problems import InputError


def problems(project, file, good, bad, *assignments):
    """Return what `check` says once `good` is `bad` in a file of the consultation."""
    path = project / "data" / "upr-2021" / file
    before = path.read_text(encoding="utf-8")
    assert good in before
    try:
        path.write_text(before.replace(good, bad, 1), encoding="utf-8")
        check(project / "params" / "upr-2021.yml", assignments, project)
    except InputError as error:
        return error.problems
    finally:
        path.write_text(before, encoding="utf-8")
    return []


@pytest.mark.parametrize(
    ("file", "good", "bad", "said"),
    [
        (
            *("questionnaire.yml", "{en: Africa, fr", "{en: Africa 🌍, fr"),
            "questionnaire.yml: group region.africa has '🌍'",
        ),
        (
            *("questionnaire.yml", "{en: National NGO,", "{en: Ｎational NGO,"),
            "questionnaire.yml: option stakeholder.national_ngo has 'Ｎ'",
        ),
        (
            *("codebook.yml", "{en: Accessibility,", "{en: 可访 可 Accessibility,"),
            "codebook.yml: theme accessibility has '可访'",
        ),
    ],
)
def test_a_label_that_figures_cannot_draw_is_named(project, file, good, bad, said):
    rest = " in its label, which the figures' font DejaVu Sans does not have: say it in words."
    assert problems(project, file, good, bad) == [said + rest]


@pytest.mark.parametrize(
    ("good", "bad", "assignments"),
    [
        ("{en: Africa, fr", "{en: Африка ạ – Ελλάδα, fr", ()),  # the font has these
        ("fr: Afrique", "fr: Afrique 🌍", ()),  # this run is in English
        ("{en: Africa, fr", "{en: Africa 🌍, fr", ("group_by=[stakeholder]",)),
        ("{en: National NGO,", "{en: National NGO 🌍,", ("figures=[Q2]",)),
    ],
)
def test_labels_that_are_not_drawn_may_hold_any_character(project, good, bad, assignments):
    assert problems(project, "questionnaire.yml", good, bad, *assignments) == []


def test_what_is_not_read_and_decisions_that_match_nothing_are_noted(project):
    sheet = project / "data" / "upr-2021" / "back_coding.csv"
    sheet.write_text("question,text,option\nQ4,words of nobody,yes\n", encoding="utf-8")
    try:
        notes = check(project / "params" / "upr-2021.yml", (), project).notes
    finally:
        sheet.unlink()
    assert "back_coding.csv: 1 of 1 decided answers are given by nobody." in notes
    own = "'Collector ID', 5 'IP Address'"
    assert any(
        "not read, columns of surveymonkey itself: " in note and own in note for note in notes
    )
