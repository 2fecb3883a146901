import base64

import pytest

from upr_analysis.gate import Secrets, inspect

ANSWER = "they came to our office twice and took the computers away"
SECRETS = Secrets.gather(
    [ANSWER, "in our own words this very sentence stands in the questionnaire"],
    ["ada@example.org", "Ada Lovelace"],
    ["In our own words, this very sentence stands in the questionnaire"],
    ["/somewhere/private"],
)
PAGE = '<!doctype html><html lang="en"><title>t</title><p>{}</p>'
SVG = base64.b64encode(f"<svg><title>{ANSWER}</title></svg>".encode()).decode()


def refused(tmp_path, name, text, known=True):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return [f"{one}" for one in inspect(tmp_path, [name] if known else [], SECRETS)]


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        (ANSWER, "words of an open answer"),
        (f"<!-- {ANSWER} -->", "words of an open answer"),
        (f'<a title="{ANSWER.upper()}">x</a>', "words of an open answer"),
        (ANSWER.replace("office", "off<b>ice</b>"), "words of an open answer"),
        (ANSWER.replace("office", "o&#102;fice"), "words of an open answer"),
        (f'<img alt="x" src="data:image/svg+xml;base64,{SVG}">', "words of an open answer"),
        ("write to ada@example.org", "an e-mail address"),
        ("by ADA LOVELACE", "a respondent's contact"),
        ("<script>1</script>", "script"),
        ("<svg/onload=x()>", "event handler"),
        ('<meta http-equiv="refresh" content="0">', "script"),
        ("<p onclick='x()'>", "event handler"),
        ('<a href="javascript:x()">', "script"),
        ('<img alt="x" src="https://example.org/x.png">', "external request"),
        ("<style>p{background:url(//example.org/x)}</style>", "external request"),
        ('<img src="data:image/png;base64,AAAA">', "a picture without words for it"),
        ('<img alt="" src="data:image/png;base64,AAAA">', "a picture without words for it"),
        ("in /somewhere/private/file", "holds a path of this machine"),
    ],
)
def test_what_is_planted_in_a_page_is_found(tmp_path, planted, rule):
    found = refused(tmp_path, "page.html", PAGE.format(planted))
    assert any(line.startswith("page.html") and rule in line for line in found), found


def test_a_clean_page_passes(tmp_path):
    clean = (
        "In our own words this very sentence stands in the questionnaire, "
        '<a href="https://example.org/report">the report</a>'
    )
    assert refused(tmp_path, "page.html", PAGE.format(clean)) == []


def test_a_file_that_the_run_does_not_know_is_refused(tmp_path):
    assert refused(tmp_path, "notes.txt", "x", known=False) == [
        "notes.txt, the file: is not in the run's manifest"
    ]


@pytest.mark.parametrize("cell", ["=HYPERLINK(1)", "+1", "@SUM(A1)", "-cmd"])
def test_a_cell_that_a_spreadsheet_would_run_is_refused(tmp_path, cell):
    found = refused(tmp_path, "t.csv", f'"a","b"\n"x","{cell}"\n')
    assert found == ["t.csv, row 2, column b: a cell that a spreadsheet would run"]


def test_negative_numbers_are_no_formulas(tmp_path):
    assert refused(tmp_path, "t.csv", '"a"\n"-1.5"\n"-2e-05"\n') == []


def test_a_withheld_number_that_can_be_read_is_refused(tmp_path):
    head = '"id","n","value","low","high","p","p_adjusted","suppressed"\n'
    found = refused(
        tmp_path, "t.csv", head + '"a","","","","","","","True"\n"b","","","","","","0.2","True"\n'
    )
    assert found == ["t.csv, row 3: a withheld number that can be read"]


def test_an_answer_over_two_lines_of_a_notebook_is_found(tmp_path):
    first, second = ANSWER[:24], ANSWER[24:]
    text = f'{{"cells": [{{"source": ["{first}\\n", "{second}"]}}]}}'
    assert any("words of an open answer" in line for line in refused(tmp_path, "n.ipynb", text))


def test_a_contact_that_is_a_word_of_the_questionnaire_blocks_nothing(tmp_path):
    secrets = Secrets.gather([], ["Geneva", "Grace Hopper"], ["Advocacy in Geneva"], ["/"])
    (tmp_path / "page.html").write_text(PAGE.format("in Geneva, <b>Grace</b> Hopper"))
    found = [str(one) for one in inspect(tmp_path, ["page.html"], secrets)]
    assert found == ["page.html, line: a respondent's contact"]


def test_an_escaped_answer_in_a_notebook_is_found(tmp_path):
    text = ANSWER.replace("they", "th\\u0065y")
    found = refused(tmp_path, "n.ipynb", f'{{"cells": [{{"source": "{text}"}}]}}')
    assert any("words of an open answer" in line for line in found)
