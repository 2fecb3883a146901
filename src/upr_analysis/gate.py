"""The gate: nothing is published that could harm a respondent or run on a reader's machine.

It re-reads what lies on disk, not what memory believes, and names file, place and rule.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from upr_analysis.privacy import EMAIL

RUN_OF_WORDS: Final = 8
WORD: Final = re.compile(r"\w+")
TAG: Final = re.compile(r"<[^>]*>")
DATA_URI: Final = re.compile(r"data:([\w/+.-]+);base64,([A-Za-z0-9+/=]+)")
ACTIVE: Final = {
    "script": re.compile(
        r"<script|javascript:|<iframe|<object|<embed|<form|<base\b|http-equiv\s*=\s*.refresh",
        re.IGNORECASE,
    ),
    "event handler": re.compile(r"<[^>]*[\s/]on\w+\s*=", re.IGNORECASE),
    "external request": re.compile(
        r"""(?:<(?:img|link|source|video|audio|image)\b[^>]*?(?:src|srcset|href)\s*=\s*["']?(?:https?:)?//)"""
        r"""|@import|url\(\s*["']?(?:https?:)?//""",
        re.IGNORECASE,
    ),
}
PICTURE_WITHOUT_ALT: Final = re.compile(r"<img(?![^>]*\balt=\"[^\"]+\")[^>]*>", re.IGNORECASE)
NUMBERS: Final = ["n", "value", "low", "high", "p", "p_adjusted"]
TEXT_SUFFIXES: Final = (".html", ".csv", ".json", ".ipynb", ".svg", ".md", ".txt", ".yml")


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
    """What must not be found: words of open answers, contact strings, paths of this machine.

    `runs` are runs of eight words (lower case, single spaces) that stand in an open answer and in
    no questionnaire, codebook, report or template.
    """

    runs: frozenset[str]
    contacts: frozenset[str]
    paths: tuple[str, ...]

    @classmethod
    def gather(
        cls,
        answers: Iterable[str],
        contacts: Iterable[str],
        own_texts: Iterable[str],
        paths: Iterable[str],
    ) -> "Secrets":
        """Collect the secrets of a run; `own_texts` are the project's own words, free to show."""
        own_texts = list(own_texts)
        own = {run for text in own_texts for run in runs_of_words(text)}
        runs = {run for text in answers for run in runs_of_words(text)} - own
        words = " ".join(" ".join(WORD.findall(text.casefold())) for text in own_texts)
        strings = {" ".join(WORD.findall(text.casefold())) for text in contacts}
        # a contact that is a word of the questionnaire ("Geneva") identifies nobody
        strings = {text for text in strings if len(text) >= 6 and f" {text} " not in f" {words} "}
        deep = tuple(path for path in paths if len(Path(path).parts) > 2)
        return cls(frozenset(runs), frozenset(strings), deep)


def runs_of_words(text: str) -> Iterator[str]:
    """Yield every run of eight words of a text; none of a shorter one."""
    words = WORD.findall(text.casefold())
    for start in range(len(words) - RUN_OF_WORDS + 1):
        yield " ".join(words[start : start + RUN_OF_WORDS])


def inspect(public: Path, expected: Iterable[str], secrets: Secrets) -> list[Refusal]:
    """Return every reason to refuse the folder; [] if it may be published.

    `expected` are the files that the run knows to have written, relative to `public`.
    """
    known, refusals = set(expected), []
    for path in sorted(path for path in public.rglob("*") if path.is_file()):
        file = path.relative_to(public).as_posix()
        if file not in known:
            refusals.append(Refusal(file, "the file", "is not in the run's manifest"))
        content = path.read_bytes()
        refusals += _inspect_paths(file, content, secrets)
        if path.suffix in TEXT_SUFFIXES:
            refusals += _inspect_text(file, content.decode("utf-8"), secrets)
        if path.suffix == ".csv":
            refusals += _inspect_csv(file, path)
    return refusals


def _inspect_paths(file: str, content: bytes, secrets: Secrets) -> list[Refusal]:
    return [
        Refusal(file, "the file", "holds a path of this machine")
        for path in secrets.paths
        # as it is, and as JSON writes a path of Windows
        if path.encode() in content or path.replace("\\", "\\\\").encode() in content
    ]


def _inspect_text(file: str, text: str, secrets: Secrets) -> list[Refusal]:
    refusals = []
    for place, source in _layers(file, text):
        if file.endswith((".html", ".svg")):
            refusals += [
                Refusal(file, _at(place, source, found), rule)
                for rule, pattern in ACTIVE.items()
                for found in pattern.finditer(source)
            ]
        if file.endswith(".html"):
            refusals += [
                Refusal(file, _at(place, source, found), "a picture without words for it")
                for found in PICTURE_WITHOUT_ALT.finditer(source)
            ]
        refusals += [
            Refusal(file, _at(place, source, found), "an e-mail address")
            for found in EMAIL.finditer(source)
        ]
        # attributes and comments count too, so both the raw source and what a reader sees are read
        for words in (source, html.unescape(TAG.sub("", source)), html.unescape(source)):
            if any(run in secrets.runs for run in runs_of_words(words)):
                refusals.append(Refusal(file, place, "words of an open answer"))
                break
        folded = f" {' '.join(WORD.findall(html.unescape(TAG.sub(' ', source)).casefold()))} "
        raw = f" {' '.join(WORD.findall(html.unescape(source).casefold()))} "
        if any(f" {contact} " in folded or f" {contact} " in raw for contact in secrets.contacts):
            refusals.append(Refusal(file, place, "a respondent's contact"))
    return refusals


def _layers(file: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield what is to be read: the text without its images, and each image that is text."""
    yield "line", DATA_URI.sub("data:", text)
    for number, found in enumerate(DATA_URI.finditer(text), 1):
        if found[1] == "image/svg+xml":
            yield f"picture {number}, line", base64.b64decode(found[2]).decode("utf-8")
    if file.endswith((".ipynb", ".json")):
        yield "text, line", "\n".join(_strings(json.loads(text)))


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


def _at(place: str, source: str, found: re.Match[str]) -> str:
    return f"{place} {source.count(chr(10), 0, found.start()) + 1}"


def _inspect_csv(file: str, path: Path) -> list[Refusal]:
    frame = pd.read_csv(path, dtype="str", keep_default_na=False)
    refusals = [
        Refusal(file, f"row {row + 2}, column {column}", "a cell that a spreadsheet would run")
        for column in frame
        for row, cell in enumerate(frame[column])
        if cell[:1] in ("=", "+", "@", "\t", "\r") or (cell[:1] == "-" and not _is_number(cell))
    ]
    if {"suppressed", *NUMBERS} <= set(frame.columns):
        hidden = frame["suppressed"] == "True"
        shown = (frame[NUMBERS] != "").any(axis=1)
        refusals += [
            Refusal(file, f"row {int(row) + 2}", "a withheld number that can be read")
            for row in frame.index[hidden & shown]
        ]
    return refusals


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", cell) is not None
