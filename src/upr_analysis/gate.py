"""The gate: nothing is published that could harm a respondent or run on a reader's machine.

It re-reads what lies on disk, not what memory believes, and names file, place and rule.
"""

import base64
import csv
import html
import io
import json
import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from upr_analysis.privacy import EMAIL

RUN_OF_WORDS: Final = 6
WHOLE: Final = 3  # words of a shorter answer, which is looked for as a whole
BREAK: Final = "\x1e"  # between texts, paragraphs, cells: no run of words reaches over it
# characters of scripts that set no spaces: a word each
SPACELESS: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
WORD: Final = re.compile(rf"[{BREAK}{SPACELESS}]|[^\W\d_{SPACELESS}]+")
TOKEN: Final = re.compile(rf"[{BREAK}{SPACELESS}]|[^\W_{SPACELESS}]+")
UNSEEN: Final = re.compile(  # controls, joiners, marks of direction, variants of a character
    "[\x00-\x08\x0b\x0c\x0e-\x1d\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\ufffd\U000e0000-\U000e0fff]"
)
TAG: Final = re.compile(r"<[^>]*>")
BLOCK: Final = re.compile(
    r"<(?!/?(?:a|abbr|b|br|code|em|i|mark|q|s|small|span|strong|sub|sup|u|wbr)\b)[^>]*>",
    re.IGNORECASE,
)
IDENTIFIER: Final = re.compile(
    r"""\b(?:id|href|class|for|name|clip-path|aria-\w+by)\s*=\s*(?:"[^"]*"|'[^']*')"""
)
PSEUDONYM: Final = re.compile(r"(?<![\w#./\\])r\d{3,}(?!\w)")
PICTURE: Final = re.compile(r"data:image/(png|svg)(?:\+xml)?;base64,([A-Za-z0-9+/=]+)")
ACTIVE: Final = {
    rule: re.compile(pattern, re.IGNORECASE)
    for rule, pattern in {
        "script": r"<(?:script|iframe|frame|object|embed|applet|form|base|foreignobject|set)\b"
        r"|<animate|<!entity|javascript:|http-equiv\s*=\s*.refresh",
        "event handler": r"""<[^>]*[\s/"']on\w+\s*="""
        r"""|<(?:[^>"']|"[^"]*"|'[^']*')*?(?<=[\s/"'])on\w+\s*=""",
        # a picture that was read is left as "data:"
        "external request": r"""<(?!a\b)[^<]*?[\s/"'](?:\w+:)?(?:href|src\w*|poster|background)"""
        r"""\s*+=\s*+["']?+\s*+(?!#|data:["'])|@import|url\(\s*+["']?+(?!#|data:["')])""",
        "a link that is no address": r"""<a\b[^<]*?[\s/"'](?:\w+:)?href\s*+=\s*+["']?+\s*+"""
        r"""(?!https?:|mailto:|[\w./-]*+["'#?\s>])""",
        "a picture without words for it": r"<img(?![^>]*\balt=\"[^\"]+\")[^>]*>",
    }.items()
}
POLICY: Final = re.compile(
    r"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'(?![^\"]*script-src)"
)
MARKUP: Final = (".html", ".svg")
SUFFIXES: Final = (*MARKUP, ".csv", ".json", ".ipynb", ".png")
PNG_PARTS: Final = b"IHDR PLTE IDAT IEND tRNS pHYs sRGB gAMA cHRM sBIT bKGD".split()
FORMULA: Final = re.compile(
    r"[\t\r]|\s*(?:[=+@]|-(?!\d+(?:\.\d+)?(?:e[+-]?\d+)?\Z))"  # -1.5 is none
)
NUMBERS: Final = ("n", "value", "low", "high", "p", "p_adjusted")
OWN: Final = (".py", ".yml", ".csv", ".j2", ".css")  # interface, templates, meanings of parameters
# words of the file formats, which somebody could give as a name to block a publication
FORMATS: Final = """Dataset hasPart CreativeWork context conformsTo elements viewBox graphics
clipPath creativecommons opacity StillImage DejaVuSans standalone dcmitype linecap stroke linejoin
translate"""


@dataclass(frozen=True)
class Refusal:
    """Why the gate refuses: the file under public/, the place in it, and the rule."""

    file: str
    place: str
    rule: str

    def __str__(self) -> str:
        return f"{self.file}, {self.place}: {self.rule}"


@dataclass(frozen=True)
class Secrets:
    """What must not be found: words of open answers, contacts, pseudonyms, paths of this machine.

    `phrases` are runs of six words, and whole answers of three to five, that stand in an open
    answer and in none of the project's own texts; like `contacts` folded, with single spaces.
    """

    phrases: frozenset[str]
    contacts: frozenset[str]
    pseudonyms: frozenset[str]
    paths: tuple[str, ...]

    @classmethod
    def gather(
        cls,
        answers: Iterable[str],
        contacts: Iterable[str],
        own_texts: Iterable[str],
        paths: Iterable[str],
        pseudonyms: Iterable[str] = (),
    ) -> "Secrets":
        """Collect the secrets of a run.

        `own_texts` are the consultation's own words, free to show whoever quotes them or is called
        by one; those of the package are known here.
        """
        package = (path for path in Path(__file__).parent.rglob("*") if path.suffix in OWN)
        texts = [*own_texts, *(path.read_text(encoding="utf-8") for path in package), FORMATS]
        own = re.sub(r"\{\w*\}", " ", _folded(BREAK.join(map(_plain, texts))))
        phrases = frozenset(phrase for text in answers for phrase in _phrases(text))
        folded = {" ".join(TOKEN.findall(_folded(text))) for text in contacts}
        strings = frozenset(filter(_identifies, folded))
        tokens = TOKEN.findall(own)
        deep = tuple(path for path in paths if len(Path(path).parts) > 2)
        return cls(
            phrases.difference(_runs(WORD.findall(own), _sizes(phrases))),
            strings.difference(_runs(tokens, _sizes(strings))),
            frozenset(pseudonyms).difference(tokens),
            deep,
        )


def _plain(text: str) -> str:
    """Return the strings of a notebook, and any other text as it is."""
    try:
        return "\n".join(_strings(json.loads(text)))
    except ValueError:
        return text


def _folded(text: str) -> str:
    """Return text without case, width, or characters that nobody sees."""
    text = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return UNSEEN.sub("", text).casefold()


def _phrases(answer: str) -> Iterable[str]:
    """Return every run of six words of an answer, or the whole of one of three to five."""
    words = WORD.findall(_folded(answer))
    if len(words) >= RUN_OF_WORDS:
        return _runs(words, [RUN_OF_WORDS])
    whole = " ".join(words)  # of ten bytes: not "yes it is", nor the letters of a drawing
    return [whole] if len(words) >= WHOLE and len(whole.encode()) >= 10 else []


def _identifies(contact: str) -> bool:
    # eight digits, six Latin letters, two Chinese ones
    bare = contact.replace(" ", "")
    return len(bare.encode()) >= (8 if bare.isdigit() else 6)


@lru_cache(2)  # it is asked for every text that is read
def _sizes(phrases: frozenset[str]) -> frozenset[int]:
    """Return the lengths in words that there are."""
    return frozenset(phrase.count(" ") + 1 for phrase in phrases)


def _runs(words: list[str], sizes: Iterable[int]) -> Iterator[str]:
    """Yield every run of words that has one of the sizes."""
    for size in sizes:
        yield from map(" ".join, zip(*(words[start:] for start in range(size)), strict=False))


def inspect(
    public: Path, expected: Iterable[str], secrets: Secrets, banner: str = ""
) -> list[Refusal]:
    """Return every reason to refuse the folder; [] if it may be published.

    `expected` are the files that the run knows to have written, relative to `public`; `banner` is
    what every page has to say (that the data are invented), "" for nothing.
    """
    known, refusals = set(expected), []
    for path in sorted(public.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            file = path.relative_to(public).as_posix()
            found = _inspect_file(path, file in known, secrets, banner)
            refusals += [Refusal(file, place, rule) for place, rule in found]
    return refusals


def _inspect_file(
    path: Path, known: bool, secrets: Secrets, banner: str
) -> Iterator[tuple[str, str]]:
    """Yield place and rule of everything that is wrong with a file."""
    if path.is_symlink() or not path.is_file():
        yield "the file", "is a link or a device"
        return
    if not known:
        yield "the file", "is not in the run's manifest"
    if path.suffix not in SUFFIXES:
        yield "the file", f"is none of {', '.join(SUFFIXES)}"
        return
    yield from _inspect_words("name", path.stem, secrets, markup=False)
    content = path.read_bytes()
    try:
        layers = list(_layers("line", path.suffix, content))
        if path.suffix == ".csv":
            yield from _inspect_csv(content.decode("utf-8"))
    except (ValueError, RecursionError, csv.Error) as error:
        yield "the file", f"cannot be read as {path.suffix}: {error}"
        return
    for place, suffix, text in layers:
        if suffix in MARKUP:
            for rule, pattern in ACTIVE.items():
                yield from ((_at(place, text, found), rule) for found in pattern.finditer(text))
        yield from _inspect_words(place, text, secrets, suffix in MARKUP)
    if path.suffix == ".html":
        yield from _inspect_page(layers[0][2], banner)


def _layers(place: str, suffix: str, content: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield place, suffix and text of a file, its pictures and its strings, or ValueError."""
    if suffix == ".png":
        _check_png(content)
        return
    text = content.decode("utf-8")
    yield place, suffix, PICTURE.sub("data:", text)
    for number, found in enumerate(PICTURE.finditer(text), 1):
        inner = base64.b64decode(found[2], validate=True)
        yield from _layers(f"picture {number}, {place}", f".{found[1]}", inner)
    if suffix in (".ipynb", ".json"):
        yield f"text, {place}", "", "\n".join(_strings(json.loads(text)))


def _check_png(content: bytes) -> None:
    """Raise ValueError where a picture has parts (PNG, W3C 2003, section 5.3) for words."""
    offset, kind = 8, b""
    while kind != b"IEND":
        if offset + 12 > len(content):
            raise ValueError("the picture has no end")
        length, kind = struct.unpack_from(">I4s", content, offset)
        if kind not in PNG_PARTS:
            raise ValueError(f"the picture's part {kind!r} can carry words")
        offset += 12 + length
    if offset != len(content):
        raise ValueError("something follows the picture's end")


def _strings(content: object) -> Iterator[str]:
    """Yield every string of a JSON document, lists of lines joined as notebooks mean them."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        if all(isinstance(one, str) for one in content):
            yield "".join(content)
        for one in content:
            yield from _strings(one)
    elif isinstance(content, dict):
        yield from content
        for one in content.values():
            yield from _strings(one)


def _inspect_words(
    place: str, source: str, secrets: Secrets, markup: bool
) -> Iterator[tuple[str, str]]:
    raw = UNSEEN.sub("", html.unescape(source))
    # attributes and comments count too, so both the raw source and what a reader sees are read
    texts = names = [_folded(raw)]
    if markup:
        blocks = BLOCK.sub(BREAK, source.replace("<br", " <br"))
        texts = [*texts, _visible(blocks, "")]
        names = [*names, _visible(source, ""), _visible(source, " ")]  # a name may fill two cells
    for rule, pattern, phrases, views in (
        ("words of an open answer", WORD, secrets.phrases, texts),
        ("a respondent's contact", TOKEN, secrets.contacts, names),
    ):
        sizes = _sizes(phrases)
        if not all(phrases.isdisjoint(_runs(pattern.findall(view), sizes)) for view in views):
            yield place, rule
    if any(path in raw for path in secrets.paths):
        yield place, "holds a path of this machine"
    yield from ((_at(place, raw, found), "an e-mail address") for found in EMAIL.finditer(raw))
    named = PSEUDONYM.findall(IDENTIFIER.sub("", raw) if markup else raw)
    if not secrets.pseudonyms.isdisjoint(named):
        yield place, "a respondent's pseudonym"


def _visible(source: str, between: str) -> str:
    """Return the text of a page folded, `between` in place of each tag."""
    return _folded(html.unescape(TAG.sub(between, source)))


def _inspect_page(text: str, banner: str) -> Iterator[tuple[str, str]]:
    if not POLICY.search(html.unescape(text)):
        yield "the page", "has no Content-Security-Policy that forbids everything by default"
    seen = " ".join(TOKEN.findall(_visible(text, " ")))
    if " ".join(TOKEN.findall(_folded(banner))) not in seen:
        yield "the page", "lacks the banner that its data are invented"


def _at(place: str, source: str, found: re.Match[str]) -> str:
    return f"{place} {source.count(chr(10), 0, found.start()) + 1}"


def _inspect_csv(text: str) -> Iterator[tuple[str, str]]:
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    if not rows:
        raise ValueError("it is empty")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise ValueError(f"row {number} has {len(row)} cells, the header {len(rows[0])}")
        for column, cell in enumerate(row, 1):
            if FORMULA.match(_folded(cell)):
                yield f"row {number}, column {column}", "a cell that a spreadsheet would run"
        cells = dict(zip(rows[0], row, strict=True))
        withheld = number > 1 and cells.get("suppressed", "False") != "False"
        if withheld and any(cells.get(name) for name in NUMBERS):
            yield f"row {number}", "a withheld number that can be read"
