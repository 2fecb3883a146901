"""The appendix shows what was meant, to every reader, and runs nothing that anybody typed."""

import io
import re
import tomllib
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup
from nbconvert.exporters import get_exporter
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
    new_raw_cell,
)

from upr_analysis.appendix import (
    ALLOWED_TAGS,
    AppendixExporter,
    Index,
    Link,
    Page,
    Section,
    clean_html,
    render_index,
    render_page,
)
from upr_analysis.exhibits import WITHHELD, Banner, Figure, Note, Table, slug, visible
from upr_analysis.problems import InputError
from upr_analysis.words import say

ROOT = Path(__file__).parents[1]
PAYLOADS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror='alert(1)'//",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='JaVaScRiPt&colon;alert(1)'>x</a>",
    "<a href=' &#1; javascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='javascript:alert(1)'></object>",
    "<embed src='javascript:alert(1)'>",
    "<form action='javascript:alert(1)'><button>x</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<body onload=alert(1)>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<p style='background:url(https://evil.example/x)'>x</p>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<textarea></textarea><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[><script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "</bdi></td></table><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}<script>alert(1)</script>{% endraw %}",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "![x](javascript:alert(1))",
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    "`<script>alert(1)</script>`",
    "```\n</pre><script>alert(1)</script>\n```",
    "# <img src=x onerror=alert(1)>",
    "$<script>alert(1)</script>$",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "\u202egpj.exe\u2066\x00\x1b[31m\ufffe\uffff",
    "=HYPERLINK('https://evil.example/')",
]
VOID = {"meta", "img", "br", "hr"}
SHELL = {"html", "head", "meta", "title", "style", "body", "header", "nav", "main", "footer"}
PAGE_TAGS = ALLOWED_TAGS | SHELL | {"section"}
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9"/></svg>'
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
PAGES = (Link("index.html", "Appendix"), Link("04_x.html", "04 Cross-tabs"), Link("05_x.html", "5"))
PAGE = Page(
    title="A consultation",
    step="04 Cross-tabs",
    file="04_x.html",
    banner="invented",
    pages=PAGES,
    provenance=("Seed: 7",),
)
FRAME = pd.DataFrame({"Region": ["Africa", "Asia"], "Respondents": [41, 28], "%": [93.25, 80.0]})


class Parsed(HTMLParser):
    """What a browser would find in a page, as a plain list."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag  # well nested, and nothing closed that was not open

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attrs for tag, attrs in self.elements if tag in tags]


def shown(value):
    """A display output as a kernel writes it."""
    if hasattr(value, "_repr_mimebundle_"):
        data, metadata = value._repr_mimebundle_()
        return new_output("display_data", data=data, metadata=metadata)
    data = {"text/html": value._repr_html_(), "text/plain": repr(value)}
    return new_output("execute_result", data=data, execution_count=1)


def notebook(*cells):
    return new_notebook(cells=[new_markdown_cell("# Who said what"), *cells])


def page_wrapped(fragment):
    """A fragment where the parser of the tests expects a whole page."""
    return f"<main>{fragment}</main>"


def page_of(*outputs, page=PAGE):
    return render_page(notebook(new_code_cell("show()", outputs=list(outputs))), page)


def check_harmless(html: str) -> Parsed:
    parsed = Parsed(html)
    for tag, attrs in parsed.elements:
        assert tag in PAGE_TAGS
        for name, value in attrs.items():
            assert not name.startswith("on")
            assert name not in {"style", "srcset", "srcdoc", "action", "formaction", "xlink:href"}
            if name == "src":
                assert re.match(r"data:image/(png|svg\+xml);base64,", value)
            if name == "href":
                assert tag == "a"
                assert re.match(r"(#|https?://|mailto:|[\w./-]+$)", value)
    return parsed


def check_readable(html: str) -> Parsed:
    """Hold a page to what a reader with any tool needs."""
    parsed = Parsed(html)
    assert parsed.open == []
    assert html.startswith("<!doctype html>\n<html lang=")
    levels = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attrs["id"] for _, attrs in parsed.elements if "id" in attrs]
    assert [name for name, n in Counter(ids).items() if n > 1] == []
    for _, attrs in parsed.elements:
        assert attrs.get("aria-labelledby", ids[0]) in ids
        if attrs.get("href", "").startswith("#"):
            assert attrs["href"][1:] in ids
    assert len(parsed.all("caption")) == len(parsed.all("table"))
    assert all(attrs.get("scope") in ("row", "col") for attrs in parsed.all("th"))
    assert all(attrs.get("alt") for attrs in parsed.all("img"))
    return parsed


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_that_people_typed_runs_or_loads(payload):
    frame = pd.DataFrame({payload: [payload, "x"], "n": [1, WITHHELD]})
    table = Table(frame, payload, note=payload, key=payload)
    figure = Figure(SVG, payload, payload, table)
    page = Page(title=payload, step=payload, file="a.html", provenance=(payload,), pages=PAGES)
    plain = new_output("display_data", data={"text/plain": payload})
    cells = [
        new_markdown_cell(payload),
        new_markdown_cell(f"# {payload}\n\n## {payload}\n\n- {payload}\n\n> {payload}"),
        new_code_cell(payload, outputs=[shown(table), shown(figure), plain]),
        new_code_cell("x", outputs=[shown(Banner(payload, "invented")), shown(Note(payload))]),
    ]
    for html in (
        render_page(new_notebook(cells=cells), page),
        render_index(
            Index(
                title=payload,
                about=payload,
                citation=payload,
                provenance=(payload,),
                sections=(Section(payload, payload, (table, figure, Note(payload))),),
            )
        ),
    ):
        check_harmless(html)
        parsed = check_readable(html)
        assert visible(payload) in parsed.text  # and it is not lost either: shown as it was typed
        assert visible(html) == html


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markup_in_an_html_output_is_cleaned(payload):
    html = f"<p>before</p>{payload}<p>after</p>"
    parsed = check_harmless(page_wrapped(clean_html(html)))
    assert "alert(1)" not in str(parsed.elements)
    assert "before" in parsed.text


def test_markup_objects_are_escaped_as_any_text():
    html = Table(FRAME, Markup("<script>alert(1)</script>"))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.text(st.sampled_from("<>&\"'/=`(){}%# \nabonimgsrcx"), max_size=60))
def test_any_text_comes_back_as_it_was_typed(first, second):
    text = f"x{first}{second}"
    html = page_of(shown(Table(pd.DataFrame({"a": [text]}), "Caption")))
    check_harmless(html)
    assert visible(text).replace("\r", "\n") in Parsed(html).text


def test_what_reorders_or_hides_text_is_shown_as_replaced():
    typed = "a\x00b\x1bc\u202ed\u2066e\u2069f\ufffeg\uffffh\x85i\ud800j\tk\nl\r\nm"
    assert visible(typed) == "a�b�c�d�e�f�g�h�i�j\tk\nl\nm"
    assert visible("عربى \u200f é \N{WOMAN}\u200d\N{ROCKET}") == "عربى \u200f é 👩\u200d🚀"


def test_table_written_out():
    html = Table(FRAME, "Useful, by region", note="Of 79 who answered.")._repr_html_()
    assert html.splitlines() == [
        '<div class="table">',
        '<div class="scroll" role="region" tabindex="0" aria-labelledby="table-useful-by-region">',
        "<table>",
        '<caption id="table-useful-by-region"><span><b class="ordinal">Table</b> '
        "Useful, by region</span></caption>",
        '<thead><tr><th scope="col" class="text"><bdi>Region</bdi></th>'
        '<th scope="col" class="number"><bdi>Respondents</bdi></th>'
        '<th scope="col" class="number"><bdi>%</bdi></th></tr></thead>',
        "<tbody>",
        '<tr><th scope="row" class="text"><bdi>Africa</bdi></th>'
        '<td class="number">41</td><td class="number">93.2</td></tr>',
        '<tr><th scope="row" class="text"><bdi>Asia</bdi></th>'
        '<td class="number">28</td><td class="number">80.0</td></tr>',
        "</tbody>",
        "</table>",
        "</div>",
        '<p class="note">Of 79 who answered.</p>',
        "</div>",
    ]


def cells_of(frame, **more):
    html = Table(frame, "Caption", **more)._repr_html_()
    return re.findall(r'<t[dh][^>]*class="(\w+)">(?:<bdi>)?([^<]*)', html.split("<tbody>")[1])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1234, ("number", "1,234")),
        (np.int64(7), ("number", "7")),
        (12.0, ("number", "12")),
        (12.34, ("number", "12.3")),
        (-12.34, ("number", "\N{MINUS SIGN}12.3")),
        (0.0421, ("number", "0.042")),
        (0.00001, ("number", "&lt;0.001")),
        (0.0, ("number", "0")),
        (float("inf"), ("number", "∞")),
        (float("nan"), ("missing", "–")),
        (None, ("missing", "–")),
        (pd.NA, ("missing", "–")),
        (pd.NaT, ("missing", "–")),
        (WITHHELD, ("withheld", "[c]")),
        (True, ("text", "True")),
        ("", ("text", "")),
        ("12", ("text", "12")),
    ],
)
def test_cell(value, expected):
    frame = pd.DataFrame({"a": ["x"], "b": pd.Series([value], dtype=object)})
    assert cells_of(frame)[1] == expected


def test_nullable_columns_of_pandas():
    frame = pd.DataFrame({"a": ["x", "y"], "n": pd.array([3, None], dtype="Int64")})
    assert cells_of(frame) == [("text", "x"), ("number", "3"), ("text", "y"), ("missing", "–")]


def test_named_index_is_the_first_column_and_an_unnamed_one_is_left_out():
    frame = pd.DataFrame({"n": [5]}, index=pd.Index(["Africa"], name="Region"))
    assert cells_of(frame) == [("text", "Africa"), ("number", "5")]
    assert cells_of(frame.rename_axis(index=None)) == [("number", "5")]


def test_marks_are_explained_only_where_they_stand():
    withheld, missing = say("table.withheld"), say("table.missing")
    frame = FRAME.astype(object)
    assert withheld not in Table(frame, "C")._repr_html_()
    frame.iloc[0, 1] = WITHHELD
    assert withheld in Table(frame, "C")._repr_html_()
    assert missing not in Table(frame, "C")._repr_html_()
    frame.iloc[1, 2] = None
    assert missing in Table(frame, "C")._repr_html_()


def test_a_typed_mark_is_not_taken_for_a_withheld_number():
    frame = pd.DataFrame({"a": ["x"], "b": ["[c]"]})
    assert cells_of(frame)[1] == ("text", "[c]")
    assert say("table.withheld") not in Table(frame, "C")._repr_html_()


def test_column_wholly_withheld_stands_where_its_numbers_would():
    html = Table(pd.DataFrame({"a": ["x"], "b": [WITHHELD]}), "C")._repr_html_()
    assert '<th scope="col" class="number"><bdi>b</bdi></th>' in html


def test_column_can_be_set_to_a_side():
    frame = pd.DataFrame({"a": ["x"], "b": ["1–2"], "c": [1]})
    assert [kind for kind, _ in cells_of(frame, align={"b": "right"})] == [
        "text",
        "right",
        "number",
    ]


def test_table_speaks_its_language():
    frame = pd.DataFrame({"a": ["x"], "b": [1234.5], "c": [WITHHELD]})
    html = Table(frame, "Titre", language="fr")._repr_html_()
    assert "1\N{NARROW NO-BREAK SPACE}234,5" in html
    assert '<b class="ordinal">Tableau</b>' in html
    assert "non publié" in html


def test_plain_text_of_a_table_holds_no_row():
    table = Table(FRAME, "Useful, by region")
    assert repr(table) == "<Table: Useful, by region>"
    assert "Africa" not in repr(table)


def test_empty_table_says_so():
    assert "No rows" in Table(FRAME.head(0), "C")._repr_html_()


def test_table_without_caption_is_refused():
    with pytest.raises(InputError, match="no caption"):
        Table(FRAME, " ")


def test_figure_is_whole_in_html_and_bare_as_svg():
    data, metadata = Figure(SVG, "Alt", "Caption", Table(FRAME, "Data"))._repr_mimebundle_()
    parsed = Parsed(data["text/html"])
    assert [tag for tag, _ in parsed.elements][:4] == ["figure", "img", "figcaption", "b"]
    assert parsed.all("img")[0]["alt"] == "Alt"
    assert len(parsed.all("details")) == len(parsed.all("table")) == 1
    assert data["image/svg+xml"] == SVG
    assert metadata == {"image/svg+xml": {"alt": "Alt", "caption": "Caption"}}


def test_stock_nbconvert_shows_picture_alt_caption_and_data():
    nb = notebook(new_code_cell("f", outputs=[shown(Figure(SVG, "Alt", "Cap", Table(FRAME, "D")))]))
    html, _ = get_exporter("html")(template_name="classic").from_notebook_node(nb)
    assert 'alt="Alt"' in html
    assert "Cap</figcaption>" in html
    assert "<bdi>Africa</bdi>" in html


def test_figure_of_matplotlib():
    from matplotlib.figure import Figure as Canvas

    canvas, buffer = Canvas(), io.BytesIO()
    canvas.subplots().set_title("</svg><script>alert(1)</script>")
    canvas.savefig(buffer, format="svg", metadata={"Date": None})
    svg = Figure(buffer.getvalue(), "Alt", "Caption")._repr_mimebundle_()[0]["image/svg+xml"]
    assert svg.startswith("<svg")
    assert "<!--" not in svg


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<g onload='alert(1)'/>",
        "<a href='javascript:alert(1)'/>",
        "<image href='https://evil.example/x.png'/>",
        "<foreignObject><p>x</p></foreignObject>",
    ],
)
def test_svg_that_does_more_than_draw_is_refused(inside):
    with pytest.raises(InputError, match="more than draw"):
        Figure(f"<svg>{inside}</svg>", "Alt", "Caption")


def test_figure_without_alt_text_is_refused():
    with pytest.raises(InputError, match="'Caption' has no alt text"):
        Figure(SVG, "", "Caption")


def test_bare_pictures_with_alt_text_become_figures():
    words = {"alt": "Alt", "caption": "Cap"}
    html = page_of(
        new_output("display_data", data={"image/svg+xml": SVG}, metadata={"image/svg+xml": words}),
        new_output("display_data", data={"image/png": PNG}, metadata={"image/png": words}),
    )
    check_harmless(html)
    assert [attrs["src"].split(",")[0] for attrs in check_readable(html).all("img")] == [
        "data:image/svg+xml;base64",
        "data:image/png;base64",
    ]
    assert html.count("Cap</figcaption>") == 2


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (new_output("stream", name="stdout", text="x"), r"cell 2 shows stream \(stdout\)"),
        (new_output("stream", name="stderr", text="x"), r"cell 2 shows stream \(stderr\)"),
        (new_output("error", ename="E", evalue="x", traceback=[]), r"cell 2 shows error \(E\)"),
        *(
            (
                new_output("display_data", data={kind: "x", "text/plain": "x"}),
                f"cell 2 .*{re.escape(kind)}",
            )
            for kind in (
                "application/javascript",
                "application/json",
                "application/pdf",
                "application/vnd.jupyter.widget-view+json",
                "image/jpeg",
                "text/latex",
                "text/markdown",
            )
        ),
        (new_output("display_data", data={"image/png": PNG}), "cell 2 .*image/png without alt"),
        (new_output("display_data", data={"image/svg+xml": SVG}), "cell 2 .*svg.* without alt"),
        (
            new_output("display_data", data={"text/html": FRAME.to_html()}),
            r"cell 2 .*without caption: wrap the frame in Table",
        ),
        (
            new_output(
                "display_data", data={"text/html": f'<img src="data:image/png;base64,{PNG}">'}
            ),
            "cell 2 .*without alt text",
        ),
    ],
)
def test_refused_output_names_its_cell_and_type(output, says):
    with pytest.raises(InputError) as caught:
        page_of(output)
    assert len(caught.value.problems) == 1
    assert re.search(says, caught.value.problems[0])


def test_all_refusals_are_said_at_once():
    bad = new_output("stream", name="stdout", text="x")
    cells = [
        new_code_cell("a", outputs=[bad]),
        new_raw_cell("r"),
        new_code_cell("b", outputs=[bad]),
    ]
    with pytest.raises(InputError) as caught:
        render_page(notebook(*cells), PAGE)
    assert [re.search(r"cell \d", line)[0] for line in caught.value.problems] == [
        "cell 2",
        "cell 3",
        "cell 4",
    ]


def test_html_is_preferred_to_the_plain_text_beside_it():
    html = page_of(shown(Table(FRAME, "Useful")))
    assert "<Table" not in Parsed(html).text
    assert len(Parsed(html).all("table")) == 1


def full_notebook():
    table = Table(FRAME, "Useful, by region")
    return new_notebook(
        cells=[
            new_markdown_cell("# Who said what\n\nAs [Wilson](https://doi.org/10.2307/2276774)."),
            new_code_cell("n: int = 5", metadata={"tags": ["parameters"]}),
            new_code_cell("import pandas as pd"),
            new_markdown_cell("### Skips a level\n\n# Second title\n\n## Same\n\n## Same"),
            new_code_cell("t", outputs=[shown(table), shown(table)]),
            new_code_cell("f", outputs=[shown(Figure(SVG, "Alt", "Caption", table))]),
            new_code_cell("x", outputs=[new_output("execute_result", data={"text/plain": "<1>"})]),
        ]
    )


def full_index():
    figure = Figure(SVG, "Alt", "Caption", Table(FRAME, "Data"))
    return Index(
        title="A consultation",
        file="index.html",
        language="es",
        banner="invented",
        pages=PAGES,
        about="First.\n\nSecond.",
        sections=(
            Section("Flow", "Why.\n\nHow.", (Table(FRAME, "Flow"),)),
            Section("Flow", "", (Table(FRAME, "Flow"), figure, Note("n"), Banner("b", "private"))),
            Section("Nothing yet"),
        ),
        citation="Cite so.",
        files=(Link("../tables/estimates.csv", "estimates.csv"),),
    )


def test_page_is_readable_and_harmless():
    html = render_page(full_notebook(), PAGE)
    check_harmless(html)
    parsed = check_readable(html)
    assert [attrs["aria-current"] for attrs in parsed.all("a") if "aria-current" in attrs] == [
        "page"
    ]
    assert len(parsed.all("main")) == 1
    assert parsed.all("a")[0] == {"class": "skip", "href": "#main"}
    assert html.count('<details class="code">') == 5
    assert "Seed: 7" in parsed.text
    assert "Next: 5" in parsed.text


def test_index_is_readable_and_harmless():
    html = render_index(full_index())
    check_harmless(html)
    parsed = check_readable(html)
    assert parsed.all("html") == [{"lang": "es"}]
    for text in ("First.", "Second.", "Why.", "How.", "Cite so.", "Nothing yet", "estimates.csv"):
        assert text in parsed.text


def test_nothing_is_asked_of_a_network_and_no_script_is_there():
    for html in (render_page(full_notebook(), PAGE), render_index(full_index())):
        style = html.split("<style>")[1].split("</style>")[0]
        assert not re.search(r"url\(|@import|https?:", style)
        policy = next(a for a in Parsed(html).all("meta") if "http-equiv" in a)
        assert policy["content"].startswith("default-src 'none'; img-src data:;")
        assert "<script" not in html


def test_ids_of_cells_do_not_leak():
    nb = full_notebook()
    html = render_page(nb, PAGE)
    assert not [cell.id for cell in nb.cells if cell.id in html]


def test_notebook_is_left_as_it_was():
    nb = full_notebook()
    before = str(nb)
    render_page(nb, PAGE)
    assert str(nb) == before


def test_two_renderings_are_equal_whatever_came_between():
    exporter = AppendixExporter()
    first = exporter.from_notebook_node(full_notebook(), {"page": PAGE})[0]
    page_of(shown(Table(FRAME, "Useful, by region")))
    exporter.from_notebook_node(notebook(), {"page": Page(title="Another", language="fr")})
    assert exporter.from_notebook_node(full_notebook(), {"page": PAGE})[0] == first
    assert render_page(full_notebook(), PAGE) == first
    assert render_index(full_index()) == render_index(full_index())


def test_entry_point_names_the_exporter():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    path = project["entry-points"]["nbconvert.exporters"]["upr_appendix"].replace(":", ".")
    assert get_exporter(path) is AppendixExporter


def test_page_made_by_hand_is_private():
    html = AppendixExporter().from_notebook_node(full_notebook())[0]
    parsed = check_readable(html)
    assert say("banner.private.text") in parsed.text
    assert "<title>PRIVATE · " in html


@pytest.mark.parametrize(("banner", "times"), [("none", 0), ("invented", 2), ("private", 2)])
def test_banner_stands_above_and_at_the_foot_of_each_printed_page(banner, times):
    page = Page(title="T", banner=banner)
    html = render_page(notebook(), page)
    words = "Invented data" if banner == "invented" else "run by hand"
    assert html.count(words) == times
    assert ("INVENTED" in html or "PRIVATE" in html) == (times > 0)


@pytest.mark.parametrize("language", ["en", "fr", "es"])
def test_banner_at_the_foot_is_the_same_text_as_css_reads_it(language):
    page = Page(title="T", banner="invented", language=language)
    read = re.sub(r"\\([0-9a-f]+) ", lambda found: chr(int(found[1], 16)), str(page.running))
    assert read == say("banner.invented.text", language)
    assert not re.search(r'["<>\n]', str(page.running))


def test_page_with_five_small_tables_is_light():
    outputs = [shown(Table(FRAME, f"Table of {n}")) for n in range(5)]
    assert len(page_of(*outputs).encode()) < 150_000


def test_link_is_a_plain_relative_path():
    for file in ("javascript:alert(1)", "https://evil.example", "//evil.example", "/etc/x", ""):
        with pytest.raises(InputError, match="relative path"):
            Link(file, "x")


def test_headings_make_ids_of_their_words():
    assert slug("Qui a répondu ? (n = 123)") == "qui-a-repondu-n-123"
    assert slug("مرحبا") == "section"
    assert '<h2 id="same">' in (html := render_page(full_notebook(), PAGE))
    assert '<h2 id="same-2">' in html


def test_notebook_without_title_gets_the_step():
    html = render_page(new_notebook(cells=[new_markdown_cell("## A claim")]), PAGE)
    check_readable(html)
    assert "<h1>04 Cross-tabs</h1>" in html
    assert "<h1>04 Cross-tabs</h1>" in render_page(new_notebook(), PAGE)


def test_clean_html_keeps_what_tables_need_and_drops_the_rest():
    table = Table(FRAME, "Useful", note="n")._repr_html_()
    assert clean_html(table) == table
    assert clean_html("<p onclick=x role=alert>a<iframe>b</iframe></p>") == "<p>ab</p>"


def test_headings_in_an_output_do_not_disturb_the_outline():
    output = new_output("display_data", data={"text/html": "<h1>Loud</h1><h5>Deep</h5>"})
    parsed = check_readable(page_of(output))
    assert "Loud" in parsed.text
    assert [tag for tag, _ in parsed.elements if re.fullmatch("h[1-6]", tag)] == ["h1"]
