import base64
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upr_analysis.gate import Secrets, inspect
from upr_analysis.words import say

ANSWER = "they came to our office twice and took the computers away"
SECRETS = Secrets.gather(
    [
        *(ANSWER, "They arrested my brother.", "Yes", "我们的办公室被关闭了"),
        "in our own words this very sentence stands in the questionnaire",
    ],
    ["ada@example.org", "Ada Lovelace"],
    ["In our own words, this very sentence stands in the questionnaire"],
    ["/somewhere/private"],
    ["r021", "r122"],
)
POLICY = '<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;">'
PAGE = f'<!doctype html><html lang="en">{POLICY}<title>t</title><p>{{}}</p>'


def png(*parts):
    """Return a picture of one black pixel, `parts` (kind, data) before its end."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\0")),
        *parts,
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def data_uri(content):
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


PNG = data_uri(png())
SVG = base64.b64encode(f"<svg><title>{ANSWER}</title></svg>".encode()).decode()


def refused(tmp_path, name, content, known=True, secrets=SECRETS, banner=""):
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(content)
    return [f"{one}" for one in inspect(tmp_path, [name] if known else [], secrets, banner)]


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        (ANSWER, "words of an open answer"),
        (f"<!-- {ANSWER} -->", "words of an open answer"),
        (f'<a title="{ANSWER.upper()}">x</a>', "words of an open answer"),
        (ANSWER.replace("office", "off<b>ice</b>"), "words of an open answer"),
        (ANSWER.replace("office", "o&#102;fice"), "words of an open answer"),
        (ANSWER.replace("office", "off\u200bice"), "words of an open answer"),
        (ANSWER.replace("office", "off&shy;ice"), "words of an open answer"),
        (ANSWER.replace("office", "ｏｆｆｉｃｅ"), "words of an open answer"),
        ("came to our office twice and", "words of an open answer"),
        (ANSWER.replace("office ", "office<br>"), "words of an open answer"),
        ("<td>they arrested <b>my</b> brother</td>", "words of an open answer"),
        ("有人说我们的办公室被关闭了吗", "words of an open answer"),
        (f'<img alt="x" src="data:image/svg+xml;base64,{SVG}">', "words of an open answer"),
        ("write to ada@example.org", "an e-mail address"),
        ("write to ada&#64;example.org", "an e-mail address"),
        ("by ADA LOVELACE", "a respondent's contact"),
        ("<td>Ada</td><td>Lovelace</td>", "a respondent's contact"),
        ('<a title="ada-lovelace">x</a>', "a respondent's contact"),
        ("<td>r021</td>", "a respondent's pseudonym"),
        ('<img alt="r021, r022">', "a respondent's pseudonym"),
        ("<script>1</script>", "script"),
        ("<svg/onload=x()>", "event handler"),
        ('<meta http-equiv="refresh" content="0">', "script"),
        ("<p onclick='x()'>", "event handler"),
        ('<a href="javascript:x()">', "script"),
        ('<a href="java&#115;cript:x()">', "a link that is no address"),
        ('<a href="data:text/html,x">', "a link that is no address"),
        ('<img alt="a > b"onload="x()">', "event handler"),
        ('<iframe srcdoc="x">', "script"),
        ('<object data="x">', "script"),
        ('<img alt="x" src="https://example.org/x.png">', "external request"),
        ('<img alt="a > b" src="x.png">', "external request"),
        ('<img alt="x" src="&#104;ttps://example.org/x">', "external request"),
        (f'<img alt="x" src="{PNG}\nAAAA">', "external request"),
        ('<link rel="stylesheet" href="data:text/css,x">', "external request"),
        ('<svg><use xlink:href="//example.org/x"/></svg>', "external request"),
        ("<style>p{background:url(//example.org/x)}</style>", "external request"),
        (f'<img src="{PNG}">', "a picture without words for it"),
        (f'<img alt="" src="{PNG}">', "a picture without words for it"),
        ("in /somewhere/private/file", "holds a path of this machine"),
    ],
)
def test_what_is_planted_in_a_page_is_found(tmp_path, planted, rule):
    found = refused(tmp_path, "page.html", PAGE.format(planted))
    assert any(line.startswith("page.html") and rule in line for line in found), found


@pytest.mark.parametrize(
    "clean",
    [
        "In our own words this very sentence stands in the questionnaire, "
        '<a href="https://example.org/report">the report</a> <a href="02_clean.html#a">next</a>',
        f'<img alt="A black pixel" src="{PNG}"><svg><use xlink:href="#m1"/></svg>',
        '<p id="r021" class="r122"><a href="#r021">r020</a> #r021 r0210 xr021 Yes</p>',
        "They arrested <p>my brother",
        '<p style="color: #021; clip-path: url(#p1)">1.021</p>',
    ],
)
def test_a_clean_page_passes(tmp_path, clean):
    assert refused(tmp_path, "page.html", PAGE.format(clean)) == []


def test_a_page_without_a_policy_that_forbids_scripts_is_refused(tmp_path):
    rule = "page.html, the page: has no Content-Security-Policy that forbids everything by default"
    page = PAGE.format("x")
    assert refused(tmp_path, "page.html", page.replace(POLICY, "")) == [rule]
    lax = page.replace("&#39;none&#39;", "&#39;none&#39;; script-src *")
    assert refused(tmp_path, "page.html", lax) == [rule]


def test_a_page_without_its_banner_is_refused(tmp_path):
    banner = say("banner.invented.text")
    bare = PAGE.format(f"<!-- {banner} -->")
    assert refused(tmp_path, "page.html", bare, banner=banner) == [
        "page.html, the page: lacks the banner that its data are invented"
    ]
    assert refused(tmp_path, "page.html", PAGE.format(f"<b>{banner}</b>"), banner=banner) == []


def test_a_file_that_the_run_does_not_know_is_refused(tmp_path):
    assert refused(tmp_path, "x.html", PAGE, known=False) == [
        "x.html, the file: is not in the run's manifest"
    ]


def test_a_file_of_another_kind_is_refused(tmp_path):
    assert refused(tmp_path, "notes.txt", "x") == [
        "notes.txt, the file: is none of .html, .svg, .csv, .json, .ipynb, .png"
    ]


def test_a_file_named_after_a_respondent_is_refused(tmp_path):
    assert refused(tmp_path, "ada_lovelace.csv", '"a"') == [
        "ada_lovelace.csv, name: a respondent's contact"
    ]


def test_links_to_files_and_folders_are_refused_unread(tmp_path):
    public = tmp_path / "public"
    public.mkdir()
    (tmp_path / "page.html").write_text(PAGE.format(ANSWER))
    (public / "page.html").symlink_to(tmp_path / "page.html")
    (public / "tables").symlink_to(tmp_path)
    found = [str(one) for one in inspect(public, ["page.html", "tables"], SECRETS)]
    assert found == [f"{name}, the file: is a link or a device" for name in ("page.html", "tables")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "it is empty"),
        ("t.csv", b'"a","b"\n"1"\n', "row 2 has 1 cells, the header 2"),
        ("t.csv", b'"a\n', "unexpected end of data"),
        ("t.csv", b"\xff", "'utf-8' codec can't decode byte 0xff in position 0"),
        ("t.html", PAGE.encode("utf-16"), "'utf-8' codec can't decode byte"),
        ("t.json", b'{"a": ', "Expecting value"),
        ("t.json", b"[" * 100_000, "recursion"),
        ("t.png", b"no picture", "the picture has no end"),
        ("t.png", png((b"tEXt", b"Comment\0x")), "the picture's part b'tEXt' can carry words"),
        ("t.png", png() + b"x", "something follows the picture's end"),
        ("t.svg", f'<image href="{data_uri(png((b"zTXt", b"")))}"/>', "b'zTXt' can carry words"),
        ("t.html", f'{PAGE}<img alt="x" src="{PNG[:-9]}">', ""),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, content, said):
    (line,) = refused(tmp_path, name, content)
    assert line.startswith(f"{name}, the file: cannot be read as .{name[2:]}: ")
    assert said in line


@given(st.binary(max_size=40), st.sampled_from([".html", ".svg", ".csv", ".json", ".png"]))
def test_no_content_makes_the_gate_fail(tmp_path_factory, content, suffix):
    folder = tmp_path_factory.mktemp("public")
    assert all(line.startswith(f"t{suffix}, ") for line in refused(folder, f"t{suffix}", content))


def test_a_picture_without_text_passes(tmp_path):
    assert refused(tmp_path, "t.png", png((b"pHYs", b"\0" * 9))) == []


@pytest.mark.parametrize("cell", ["=HYPERLINK(1)", "+1", "@SUM(A1)", "-cmd", " =1", "＝1", "\t1"])
def test_a_cell_that_a_spreadsheet_would_run_is_refused(tmp_path, cell):
    found = refused(tmp_path, "t.csv", f'"a","b"\n"x","{cell}"\n')
    assert found == ["t.csv, row 2, column 2: a cell that a spreadsheet would run"]


def test_a_header_that_a_spreadsheet_would_run_is_refused(tmp_path):
    found = refused(tmp_path, "t.csv", '"a","=b","=b"\n"x","y","z"\n')
    rule = "a cell that a spreadsheet would run"
    assert found == [f"t.csv, row 1, column 2: {rule}", f"t.csv, row 1, column 3: {rule}"]


def test_negative_numbers_are_no_formulas(tmp_path):
    assert refused(tmp_path, "t.csv", '"a"\n"-1.5"\n"-2e-05"\n"-1e+20"\n') == []


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
    page = PAGE.format("in Geneva, <b>Grace</b> Hopper")
    found = refused(tmp_path, "page.html", page, secrets=secrets)
    assert found == ["page.html, line: a respondent's contact"]


@pytest.mark.parametrize(
    "own",
    [
        say("banner.invented.text"),
        say("banner.invented.text", "fr"),
        "matplotlib",
        "Iowan Old Style",
        "fewest respondents in a published cell",
    ],
)
def test_who_quotes_the_package_or_is_called_by_it_blocks_nothing(tmp_path, own):
    secrets = Secrets.gather([own], [own], [], [])
    assert refused(tmp_path, "page.html", PAGE.format(own), secrets=secrets) == []


def test_who_quotes_a_sentence_with_its_number_blocks_nothing(tmp_path):
    said = say("base.answered", n=97) + " and so on, " + say("base.answered", n=97)
    own = "{n} of {m} respondents said that the period is too short"
    quote = "12 of 97 respondents said that the period is too short"
    secrets = Secrets.gather([quote], [], [own], [])
    assert refused(tmp_path, "page.html", PAGE.format(quote + said), secrets=secrets) == []


def test_a_sentence_over_two_lines_of_an_own_notebook_is_free(tmp_path):
    own = '{"cells": [{"source": ["an answer has words\\n", "that the notebook has too"]}]}'
    secrets = Secrets.gather(["an answer has words that the notebook has too"], [], [own], [])
    assert secrets.phrases == frozenset()


@pytest.mark.parametrize(
    ("contact", "looked_for"),
    [
        *(("Ada Wu", False), ("Ada Wong", True), ("李小龙", True)),
        *(("100 2021", False), ("+41 79 000 00 00", True)),
    ],
)
def test_contacts_too_short_to_identify_are_left(contact, looked_for):
    assert bool(Secrets.gather([], [contact], [], []).contacts) == looked_for


def test_a_short_answer_counts_as_a_whole_only(tmp_path):
    secrets = Secrets.gather(["They arrested my brother", "Not at"], [], [], [])
    assert secrets.phrases == {"they arrested my brother"}
    secrets = Secrets.gather(
        ["they arrested my brother"], [], ["have they arrested MY brother?"], []
    )
    assert secrets.phrases == frozenset()


def test_an_escaped_answer_in_a_notebook_is_found(tmp_path):
    text = ANSWER.replace("they", "th\\u0065y")
    found = refused(tmp_path, "n.ipynb", f'{{"cells": [{{"source": "{text}"}}]}}')
    assert any("words of an open answer" in line for line in found)
