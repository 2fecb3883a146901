"""What a notebook and a page show: tables, figures, banners and notes, safe in any browser.

Cells, captions and alternative texts are escaped by MarkupSafe; what a reader could not see, or
what would reorder the line, shows as U+FFFD.
"""

import base64
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import pandas as pd
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from upr_analysis.problems import InputError
from upr_analysis.words import number, say

TEMPLATES: Final = Path(__file__).with_name("templates")


_UNSEEN: Final = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069"
    "\\ud800-\\udfff\\ufdd0-\\ufdef\\ufffe\\uffff]"
)


_ACTIVE_SVG: Final = re.compile(
    r"<\s*(?:script|foreignObject|iframe|handler)\b|\son\w+\s*=|javascript:|href\s*=\s*.https?:",
    re.IGNORECASE,
)


class Withheld(Enum):
    """The mark of a number that is kept back to protect respondents (GSS: c, confidential)."""

    MARK = "[c]"


WITHHELD: Final = Withheld.MARK


Align = Literal["left", "right"]


def visible(text: object) -> str:
    """Return text in which what a reader cannot see, or what reorders it, shows as U+FFFD.

    That is controls but tab and newline, bidirectional overrides and isolates, lone surrogates and
    characters that Unicode keeps for no use.
    """
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", str(text).replace("\r\n", "\n"))


def slug(text: str, otherwise: str = "section") -> str:
    """Return an id made of text: ASCII letters, digits and hyphens, at most 60 of them."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:60].strip("-") or otherwise


class _Cell(NamedTuple):
    text: str
    kind: str  # text, number, withheld or missing: also its class in the style sheet


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """A frame to be read: caption, first column as row heads, notes that explain its marks.

    A named index comes first as a column, an unnamed one is left out. Numbers are written in
    `language`; floats get one decimal, or three where none is above 1. `align` overrides a
    column's side; `key` makes a stable id where captions change. `mark` stands before the
    caption, for what no reader may miss: that the data are invented.
    """

    frame: pd.DataFrame
    caption: str
    note: str = ""
    language: str = "en"
    align: Mapping[str, Align] | None = None
    key: str = ""
    mark: str = ""
    links: Mapping[str, str] | None = None  # text of a row's head -> where it leads

    def __post_init__(self) -> None:
        if not self.caption.strip():
            raise InputError("A table has no caption: say in one line what it counts, and of whom.")

    def __repr__(self) -> str:
        return f"<Table: {visible(self.caption)}>"

    def _repr_html_(self) -> str:
        frame = self.frame
        if any(name is not None for name in frame.index.names):
            frame = frame.reset_index()
        columns = [self._column(name, frame.iloc[:, i]) for i, name in enumerate(frame.columns)]
        heads = [head for head, _ in columns]
        rows = list(zip(*(cells for _, cells in columns), strict=True))
        kinds = {cell.kind for row in rows for cell in row}
        notes = [visible(self.note)] if self.note else []
        notes += [say(f"table.{k}", self.language) for k in ("withheld", "missing") if k in kinds]
        return _macro("table.html.j2", "table")(
            id="table-" + slug(self.key or self.caption, "untitled"),
            label=say("table.label", self.language),
            caption=visible(self.caption),
            mark=visible(self.mark),
            heads=heads,
            rows=rows,
            empty=say("table.empty", self.language),
            notes=notes,
            links={visible(text): place for text, place in (self.links or {}).items()},
        )

    def _column(self, name: object, values: "pd.Series[Any]") -> tuple[_Cell, list[_Cell]]:
        head = " ".join(map(str, name)) if isinstance(name, tuple) else str(name)
        decimals = _decimals([float(value) for value in values if _is_number(value)])
        cells = [self._cell(value, decimals) for value in values]
        kinds = {cell.kind for cell in cells}
        side = (self.align or {}).get(head)
        if side is None:
            side = "left" if "text" in kinds or not kinds & {"number", "withheld"} else "right"
        if side == "right":
            cells = [cell._replace(kind="right") if cell.kind == "text" else cell for cell in cells]
        return _Cell(visible(head), "number" if side == "right" else "text"), cells

    def _cell(self, value: Any, decimals: int) -> _Cell:
        if value is WITHHELD:
            return _Cell(WITHHELD.value, "withheld")
        if pd.api.types.is_scalar(value) and pd.isna(value):
            return _Cell("\N{EN DASH}", "missing")
        if not _is_number(value):
            return _Cell(visible(value), "text")
        places = 0 if isinstance(value, Integral) else decimals
        if places == 3 and 0 < float(value) < 0.0005:
            return _Cell("<" + number(0.001, self.language, 3), "number")
        return _Cell(number(float(value), self.language, places), "number")


@dataclass(frozen=True, eq=False, repr=False)
class Figure:
    """A picture with its alternative text, its caption and the table that it was drawn from.

    In a notebook it is one output of two types. `text/html` is the whole of it (picture as a data
    URI, caption, table folded), so that JupyterLab and any nbconvert template show all three;
    `image/svg+xml` is the bare picture, alt and caption in its metadata, for tools without HTML.
    """

    svg: bytes | str
    alt: str
    caption: str
    data: Table | None = None
    language: str = "en"
    mark: str = ""

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise InputError(f"The figure {self.caption!r} has no alt text: say what it shows.")
        plain_svg(self.svg)

    def __repr__(self) -> str:
        return f"<Figure: {visible(self.caption)}>"

    def _repr_html_(self) -> str:
        source = base64.b64encode(plain_svg(self.svg).encode()).decode()
        return figure_html(
            f"data:image/svg+xml;base64,{source}",
            self.alt,
            self.caption,
            self.language,
            Markup(self.data._repr_html_()) if self.data else "",
            self.mark,
        )

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, Any]]:
        data = {
            "text/html": self._repr_html_(),
            "image/svg+xml": plain_svg(self.svg),
            "text/plain": repr(self),
        }
        words = {"alt": visible(self.alt), "caption": visible(self.caption)}
        return data, {"image/svg+xml": words}


@dataclass(frozen=True)
class Banner:
    """A line that a reader must not miss."""

    text: str
    kind: Literal["invented", "private"]

    def _repr_html_(self) -> str:
        return _macro("parts.html.j2", "banner")(visible(self.text), self.kind)


@dataclass(frozen=True)
class Note:
    """A line in small type under what it explains, or an answer in full size above its table."""

    text: str
    kind: Literal["note", "answer"] = "note"

    def _repr_html_(self) -> str:
        return _macro("parts.html.j2", "note")(visible(self.text), self.kind)


@dataclass(frozen=True, eq=False, repr=False)
class Folded:
    """What only some readers open: tables and notes behind one line that says what they are."""

    summary: str
    items: tuple["Table | Note", ...]

    def __repr__(self) -> str:
        return f"<Folded: {visible(self.summary)}>"

    def _repr_html_(self) -> str:
        inside = Markup("").join(Markup(item._repr_html_()) for item in self.items)
        return _macro("parts.html.j2", "folded")(visible(self.summary), inside)


def figure_html(
    source: str, alt: str, caption: str, language: str, data: str = "", mark: str = ""
) -> str:
    return _macro("parts.html.j2", "figure")(
        source,
        visible(alt),
        say("figure.label", language),
        visible(caption),
        say("page.data", language),
        data,
        visible(mark),
    )


def evidence_html(
    anchor: str,
    head: str,
    theme: str,
    definition: str,
    codes: str,
    quotes_head: str,
    quotes: Sequence[tuple[str, str, str]],
) -> str:
    return _macro("parts.html.j2", "evidence")(
        anchor,
        head,
        visible(theme),
        visible(definition),
        Markup(codes),
        quotes_head,
        [(visible(code), language, visible(text)) for code, language, text in quotes],
    )


def plain_svg(svg: bytes | str) -> str:
    """Return an SVG without prologue and comments (matplotlib writes labels into comments)."""
    text = svg.decode() if isinstance(svg, bytes) else svg
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    start = text.find("<svg")
    if start < 0:
        raise InputError("A figure is no SVG: save it with format='svg'.")
    if found := _ACTIVE_SVG.search(text):
        raise InputError(f"A figure's SVG does more than draw ({found[0].strip()!r}): redraw it.")
    return visible(text[start:])


def picture_base64(kind: str, content: str) -> str:
    if kind == "image/svg+xml":
        return base64.b64encode(plain_svg(content).encode()).decode()
    return "".join(content.split())  # a PNG is base64 already, in lines


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and value == value  # noqa: PLR0124


def _decimals(numbers: list[float]) -> int:
    if all(value.is_integer() for value in numbers):
        return 0
    return 3 if max(map(abs, numbers)) <= 1 else 1


def _macro(template: str, name: str) -> Callable[..., str]:
    macro = getattr(environment().get_template(template).module, name)
    return lambda *values, **named: str(macro(*values, **named))


@cache
def environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES / "appendix"), autoescape=True)
