"""The published HTML: what a notebook may show, and how it and the index become pages.

A page is complete in one file, runs no script and loads nothing. Three things stand between typed
text and the reader's browser: MarkupSafe escapes it, nh3 keeps only what the lists below name, and
the page's own content security policy forbids the rest.
"""

import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache, partial
from html.parser import HTMLParser
from typing import Any, Final, Literal, NamedTuple

import nh3
from jinja2 import Environment
from markupsafe import Markup, escape
from nbconvert.exporters.html import HTMLExporter
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode, from_dict
from traitlets import List, default

from upr_analysis.exhibits import (
    TEMPLATES,
    Banner,
    Figure,
    Note,
    Table,
    environment,
    figure_html,
    picture_base64,
    slug,
    visible,
)
from upr_analysis.problems import InputError
from upr_analysis.words import say

POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
ALLOWED_TAGS: Final = HEADINGS | {
    *("a", "abbr", "b", "bdi", "blockquote", "br", "caption", "cite", "code", "dd", "del"),
    *("details", "div", "dl", "dt", "em", "figcaption", "figure", "hr", "i", "img", "li", "ol"),
    *("p", "pre", "s", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot"),
    *("th", "thead", "tr", "ul"),
}
ALLOWED_ATTRIBUTES: Final[dict[str, frozenset[str]]] = {
    "*": frozenset({"id", "class", "lang", "dir"}),
    "a": frozenset({"href"}),
    "div": frozenset({"aria-labelledby"}),
    "img": frozenset({"src", "alt"}),
    "ol": frozenset({"start"}),
    "td": frozenset({"colspan", "rowspan"}),
    "th": frozenset({"scope", "colspan", "rowspan"}),
}
ALLOWED_VALUES: Final[dict[str, dict[str, frozenset[str]]]] = {
    "div": {"role": frozenset({"region"}), "tabindex": frozenset({"0"})},
    "p": {"role": frozenset({"note"})},
}
URL_SCHEMES: Final = frozenset({"http", "https", "mailto", "data"})  # data: for img only
LINK: Final = re.compile(r"(?:https?:|mailto:|#|[\w./%-]*(?:#[\w-]*)?$)")
IMAGE: Final = re.compile(r"data:image/(?:png|svg\+xml);base64,[A-Za-z0-9+/]+=*$")
ALLOWED_TYPES: Final = ("text/html", "image/svg+xml", "image/png", "text/plain")  # best first


BannerKind = Literal["none", "invented", "private", "runs"]


def clean_html(
    fragment: str, tags: Iterable[str] = ALLOWED_TAGS, claim: Callable[[str], str] = str
) -> Markup:
    """Keep of a fragment what the lists allow; `claim` gives each id the name that it gets."""
    names: dict[str, str] = {}

    def kept(_tag: str, attribute: str, value: str) -> str | None:
        if attribute in ("id", "aria-labelledby"):
            if value not in names:
                names[value] = claim(value)
            return names[value]
        rule = {"href": LINK, "src": IMAGE}.get(attribute)
        return value if rule is None or rule.match(value) else None

    return Markup(
        nh3.clean(
            fragment,
            tags=set(tags),
            attributes={tag: set(names) for tag, names in ALLOWED_ATTRIBUTES.items()},
            tag_attribute_values={
                tag: {name: set(values) for name, values in rules.items()}
                for tag, rules in ALLOWED_VALUES.items()
            },
            attribute_filter=kept,
            url_schemes=set(URL_SCHEMES),
        )
    )


@dataclass(frozen=True)
class Link:
    """A page of the appendix, or a file beside it, by its relative path."""

    file: str
    title: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(?:\.\./)*[\w-][\w.-]*(?:/[\w-][\w.-]*)*", self.file):
            raise InputError(f"A page links to {self.file!r}: give a relative path of plain names.")


@dataclass(frozen=True, kw_only=True)
class Page:
    """What stands round the text of a page. `pages` are all pages in order, this one included."""

    title: str  # of the consultation
    step: str = ""
    file: str = ""
    language: str = "en"
    banner: BannerKind = "private"  # until whoever renders it says that it may go out
    pages: tuple[Link, ...] = ()
    provenance: tuple[str, ...] = ()
    policy: str = field(default=POLICY, init=False)

    @property
    def full_title(self) -> str:
        """The title for the browser's tab: banner, step, consultation."""
        word = "" if self.banner == "none" else say(f"banner.{self.banner}.word", self.language)
        return " · ".join(part for part in (word, self.step, self.title) if part)

    @property
    def running(self) -> Markup:
        """The banner as a string of CSS, for the foot of each printed page."""
        text = say(f"banner.{self.banner}.text", self.language)
        return Markup(re.sub(r"[^\w .,:]", lambda found: f"\\{ord(found[0]):x} ", text))

    @property
    def previous(self) -> Link | None:
        """The page before this one."""
        return self._beside(-1)

    @property
    def next(self) -> Link | None:
        """The page after this one."""
        return self._beside(1)

    def _beside(self, offset: int) -> Link | None:
        files = [link.file for link in self.pages]
        if self.file not in files:
            return None
        place = files.index(self.file) + offset
        return self.pages[place] if 0 <= place < len(files) else None


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the index under its own heading; blank lines in `intro` part its paragraphs."""

    heading: str
    intro: str = ""
    items: tuple[Table | Figure | Banner | Note, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Index(Page):
    """The first page of the appendix."""

    about: str = ""
    sections: tuple[Section, ...] = ()
    citation: str = ""
    files: tuple[Link, ...] = ()  # csv and others, beside the appendix


class AppendixExporter(HTMLExporter):
    """Export an executed notebook as a page of the appendix, or refuse it.

    `resources["page"]` is the Page; without one the page is PRIVATE. Raises InputError with a line
    for each output that may not be published, naming its cell (counted from 1) and its type.
    """

    export_from_notebook = "Appendix page"
    default_preprocessors: List[Any] = List([]).tag(config=True)  # cells are prepared below

    @default("template_name")
    def _template_name_default(self) -> str:
        return "appendix"

    @default("extra_template_basedirs")
    def _default_extra_template_basedirs(self) -> list[str]:
        return [str(TEMPLATES)]

    def _create_environment(self) -> Environment:
        environment: Environment = super()._create_environment()  # type: ignore[no-untyped-call]
        environment.autoescape = True
        return environment

    def from_notebook_node(  # type: ignore[override]  # as nbconvert's template exporters do
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the page and nbconvert's resources."""
        resources = dict(resources or {})
        page = resources.get("page") or _page_of(nb)
        body = _Body(page.language)
        nb = deepcopy(nb)
        for place, cell in enumerate(nb.cells, 1):
            body.prepare(place, cell)
        if body.problems:
            raise InputError([f"{page.step or page.title}: {line}" for line in body.problems])
        resources |= {
            "page": page,
            "headings": body.contents(),
            "add_title": body.add_title or not body.headings,
            "say": partial(say, language=page.language),
        }
        # Not HTMLExporter's own: it writes the page anew after it was cleaned, and gives pictures
        # a placeholder for the alt text that this exporter asks for.
        html, resources = super(HTMLExporter, self).from_notebook_node(nb, resources, **kw)
        return visible(html), resources


def render_page(notebook: NotebookNode, page: Page) -> str:
    """Return an executed notebook as a page; InputError names outputs that may not be shown."""
    html: str = _exporter().from_notebook_node(notebook, {"page": page})[0]
    return html


def render_index(index: Index) -> str:
    """Return the first page: about, contents, the sections, files and how to cite."""
    body = _Body(index.language)
    body.heading(1, index.title)
    speak = partial(say, language=index.language)
    sections: list[dict[str, object]] = []

    def add(heading: str, text: str = "", **more: object) -> None:
        place = body.heading(2, heading)
        sections.append({"heading": place, "paragraphs": _paragraphs(text), **more})

    for section in index.sections:
        items = [body.html(item._repr_html_(), section.heading) for item in section.items]
        add(section.heading, section.intro, shown=items)
    if index.files:
        add(speak("heading.files"), links=index.files)
    if index.citation:
        add(speak("heading.cite"), index.citation, kind="citation")
    if body.problems:
        raise InputError(body.problems)
    html = (
        environment()
        .get_template("front.html.j2")
        .render(
            page=index,
            headings=body.contents(),
            say=speak,
            about=_paragraphs(index.about),
            sections=sections,
        )
    )
    return visible(html.lstrip())


class _Heading(NamedTuple):
    level: int
    text: str
    id: str


class _Body:
    """The text of one page as it is made: ids taken, headings met, problems found."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.headings: list[_Heading] = []
        self.problems: list[str] = []
        self.add_title = False
        self._taken = {"top", "main"}
        self._codes = 0
        self._highlight = Highlight2HTML(pygments_lexer="python3")

    def prepare(self, place: int, cell: NotebookNode) -> None:
        """Put clean HTML in the place of a cell's source and of its outputs."""
        where = f"cell {place}"
        if cell.cell_type == "markdown":
            cell.source = self._markdown(cell.source)
        elif cell.cell_type == "code":
            source = visible(cell.source).strip()
            self._codes += bool(source)
            cell.ordinal = self._codes
            cell.source = clean_html(self._highlight(source)) if source else ""
            cell.outputs = [
                from_dict({"output_type": "display_data", "metadata": {}, "data": data})
                for data in ({"text/html": self._output(out, where)} for out in cell.outputs)
            ]
        else:
            self.problems.append(f"{where} is {cell.cell_type}: make it markdown or code.")

    def heading(self, level: int, text: str) -> _Heading:
        """Place a heading: one of level 1, the first; none more than one below the last."""
        if not self.headings and level > 1:
            self.add_title = True
        last = self.headings[-1].level if self.headings else int(self.add_title)
        level = min(max(level, 2), last + 1) if last else 1
        heading = _Heading(level, visible(text), self.claim(slug(text)))
        self.headings.append(heading)
        return heading

    def contents(self) -> list[_Heading]:
        """Return the headings for the contents of the page."""
        return [heading for heading in self.headings if heading.level in (2, 3)]

    def claim(self, name: str) -> str:
        """Return `name`, or `name-2`, `name-3` ... where the page has it already."""
        free, n = name, 1
        while free in self._taken:
            n += 1
            free = f"{name}-{n}"
        self._taken.add(free)
        return free

    def html(self, fragment: str, where: str) -> Markup:
        """Clean an output's HTML and note what a reader would miss in it."""
        clean = clean_html(
            visible(fragment), ALLOWED_TAGS - HEADINGS, lambda name: self.claim(slug(name))
        )
        self.problems += [f"{where} {line}" for line in _lacking(clean)]
        return clean

    def _markdown(self, source: str) -> Markup:
        text = MarkdownWithMath(_Markdown(self), plugins=[]).render(visible(source))
        return clean_html(text)

    def _output(self, output: NotebookNode, where: str) -> str:
        if output.output_type not in ("display_data", "execute_result"):
            kind = f"{output.output_type} ({output.get('name') or output.get('ename')})"
            self.problems.append(f"{where} shows {kind}: a page takes tables, figures and prose.")
            return ""
        if refused := sorted(set(output.data) - set(ALLOWED_TYPES)):
            takes = ", ".join(ALLOWED_TYPES)
            self.problems.append(f"{where} shows {', '.join(refused)}: a page takes {takes} only.")
            return ""
        kinds = [kind for kind in ALLOWED_TYPES if kind in output.data]
        return self._shown(kinds[0], output, where) if kinds else ""

    def _shown(self, kind: str, output: NotebookNode, where: str) -> str:
        content = "".join(output.data[kind])
        if kind == "text/html":
            return self.html(content, where)
        if kind == "text/plain":
            return clean_html(f'<pre class="plain">{escape(visible(content))}</pre>')
        words = output.metadata.get(kind, {})
        if not words.get("alt"):
            self.problems.append(f"{where} shows {kind} without alt text: show it as a Figure.")
            return ""
        try:
            data = picture_base64(kind, content)
        except InputError as error:
            self.problems.append(f"{where}: {error}")
            return ""
        source = f"data:{kind};base64,{data}"
        html = figure_html(source, words["alt"], words.get("caption", ""), self.language)
        return self.html(html, where)


class _Markdown(IPythonRenderer):
    """Markdown with raw HTML as text, pictures and unsafe links as their words."""

    def __init__(self, body: _Body) -> None:
        super().__init__(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)
        self._body = body

    def heading(self, text: str, level: int, **_: Any) -> str:
        place = self._body.heading(level, str(Markup(text).striptags()))
        return f'<h{place.level} id="{place.id}">{text}</h{place.level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return str(super().link(text, url)) if LINK.match(url) else text

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return str(escape(Markup(text).striptags()))


class _Lacking(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables = self.captions = self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tables += tag == "table"
        self.captions += tag == "caption"
        self.silent += tag == "img" and not dict(attrs).get("alt")


def _lacking(html: str) -> list[str]:
    found = _Lacking()
    found.feed(html)
    lines = []
    if found.captions < found.tables:
        lines.append("shows text/html with a table without caption: wrap the frame in Table().")
    if found.silent:
        lines.append("shows text/html with a picture without alt text: show it as a Figure.")
    return lines


def _paragraphs(text: str) -> list[str]:
    return [visible(part.strip()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def _page_of(nb: NotebookNode) -> Page:
    return Page(title=nb.metadata.get("title") or say("page.untitled"))


@cache
def _exporter() -> AppendixExporter:
    return AppendixExporter()  # type: ignore[no-untyped-call]
