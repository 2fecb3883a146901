"""A theme's number leads to its codes, and to words of those only who agreed to be quoted."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, estimates_of

from upr_analysis.codebook import Codebook
from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.evidence import evidence_of_themes, excerpt, quotes
from upr_analysis.labels import NO_BREAK, Labels
from upr_analysis.questionnaire import Questionnaire
from upr_analysis.tables import anchor, overall_table

ASKED = """
title: {en: A small consultation}
about: {en: Made for the tests.}
survey:
  - {name: Q1, type: text, label: {en: Why}}
  - {name: Q2, type: text, label: {en: Reprisals}, role: sensitive}
  - {name: may, type: select_one yes_no, label: {en: May we quote you?}, role: consent}
choices:
  yes_no:
    - {name: "yes", label: {en: "Yes"}, role: consents}
    - {name: "no", label: {en: "No"}}
"""
BOOK = """
title: {en: Small}
themes:
  - name: access
    label: {en: "Access <b>"}
    definition: Whether one can take part.
    codes:
      - {name: cost, label: {en: Cost}, definition: What it costs.}
  - name: safety
    label: {en: Safety}
    definition: Harm.
    sensitive: true
    codes:
      - {name: fear, label: {en: Fear}, definition: Fear of harm.}
"""
N = 20


@pytest.fixture
def book() -> Codebook:
    return as_model(parse_yaml(BOOK, "small"), Codebook, "small")


@pytest.fixture
def asked() -> Questionnaire:
    return as_model(parse_yaml(ASKED, "small"), Questionnaire, "small")


def estimates(**numbers):
    rows = [
        {"measure": "share", "question": question, "item": item, "n": n, "base": N,
         "base_kind": "answered", "value": None if n is None else 100 * n / N}
        for question, item, n in (
            ("themes", "access", numbers["cost"]), ("themes", "safety", numbers["fear"]),
            ("codes", "cost", numbers["cost"]), ("codes", "fear", numbers["fear"]),
        )
    ]  # fmt: skip
    return estimates_of(rows)


@pytest.fixture
def quoted(asked, book):
    names = [f"r{n}" for n in range(N)]
    respondents = pd.DataFrame({"respondent": names, "may": ["yes"] * 10 + ["no"] * 10})
    text = "First of all. The cost of answer {} is high! And then."
    answers = pd.DataFrame(
        {"respondent": names, "question": "Q1", "text": [text.format(n) for n in range(N)],
         "language": "en", "state": "answered"}
    )  # fmt: skip
    codings = answers[["respondent", "question"]].assign(code="cost", start=18, end=22, counts=True)

    def found(most=3, fewest=5, answers=answers, codings=codings, numbers=None, seed=1):
        public = estimates(**(numbers or {"cost": N, "fear": 6}))
        own = quotes(respondents, answers, codings, public, asked, book, most, fewest, seed)
        assert own["text"].is_unique
        return own["text"].tolist()

    return found, answers, codings


def test_only_those_who_agreed_are_quoted_and_each_once(quoted):
    found, _, _ = quoted
    assert len(found(most=3)) == 3
    assert set(found(most=20)) == {f"The cost of answer {n} is high!" for n in range(10)}
    assert found(most=0) == []
    assert found(seed=1) == found(seed=1) != found(seed=2)


def test_nothing_sensitive_rare_or_withheld_is_quoted(quoted):
    found, answers, codings = quoted
    assert found(numbers={"cost": None, "fear": 6}) == []
    assert found(fewest=N + 1) == []
    assert found(answers=answers.assign(question="Q2"), codings=codings.assign(question="Q2")) == []
    # whoever spoke of fear in the same answer is not quoted on its cost either
    touched = pd.concat([codings, codings.head(9).assign(code="fear")], ignore_index=True)
    assert found(most=20, codings=touched) == ["The cost of answer 9 is high!"]
    # nor where it was one coder's word, whom others overruled
    overruled = pd.concat([codings, codings.head(9).assign(code="fear", counts=False)])
    assert found(most=20, codings=overruled) == ["The cost of answer 9 is high!"]
    rare = answers.assign(language=np.where(answers.index < 4, "fr", "en"))
    assert len(found(most=20, answers=rare)) == 6


def test_without_an_option_that_consents_nobody_is_quoted(asked, book, quoted):
    _, answers, codings = quoted
    silent = as_model(
        parse_yaml(ASKED.replace(", role: consents", ""), "small"), Questionnaire, "small"
    )
    respondents = pd.DataFrame({"respondent": [f"r{n}" for n in range(N)], "may": "yes"})
    public = estimates(cost=N, fear=6)
    assert quotes(respondents, answers, codings, public, silent, book, 3, 5, 1).empty


@pytest.mark.parametrize(
    ("text", "span", "expected"),
    [
        ("One. Two three! Four.", (5, 8), "Two three!"),
        ("One. Two three! Four.", (3, 8), "One. Two three!"),
        ("no stop at all", (3, 7), "no stop at all"),
        ("مرحبا؟ الكلفة عالية.", (7, 13), "الكلفة عالية."),
        ("whole answer", (pd.NA, pd.NA), "whole answer"),
        ("word " * 41, (0, 4), ""),
    ],
)
def test_excerpt_is_the_sentence_round_the_span(text, span, expected):
    assert excerpt(text, *span) == expected


def test_each_themes_number_leads_to_its_codes_and_definitions(asked, book):
    labels = Labels(asked, book, "en", "")
    public = estimates(cost=N, fear=None)
    own = pd.DataFrame({"code": ["cost"], "language": ["en"], "text": ["<script>x</script>"]})
    shown = "".join(one._repr_html_() for one in evidence_of_themes(public, own, book, labels))
    for theme in book.themes:
        assert f'id="{anchor(theme.name)}"' in shown
        assert all(code.definition in shown for code in theme.codes)
    assert "<script" not in shown
    assert '<blockquote lang="en" dir="auto">&lt;script&gt;' in shown
    assert f"20{NO_BREAK}(100%)" in shown
    assert "[c]" in shown
    table = overall_table(public, "themes", labels)._repr_html_()
    assert (
        f'<a href="04_cross_tabs.html#{anchor("access")}"><bdi>Access &lt;b&gt;</bdi></a>' in table
    )


def test_the_step_lets_quotes_see_every_coding_and_not_only_those_that_count():
    notebook = json.loads((ROOT / "notebooks" / "04_cross_tabs.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    (quoting,) = (cell for cell in cells if "quotes_of(" in cell)
    assert "    open_responses,\n    every_coding,\n" in quoting
    assert any('every_coding = step.read("codings")\n' in cell for cell in cells)
