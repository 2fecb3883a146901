"""How survey tools lay a questionnaire out over columns: what each column of a file is.

A tool writes one header row or several, names its own columns in its own way, and holds a
select-all question in one column or in one an option. A layout turns the header into fields, each
with every name by which a questionnaire may call it. Layouts follow the tools' documentation and
the exports that they were seen to write; `docs/decisions.md` lists the sources.
"""

import os.path
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Final

from upr_analysis.grids import WORKBOOKS, Grid, plain
from upr_analysis.marks import fold_label, is_other
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Tool
from upr_analysis.tools import MARKS, SEPARATORS, Own, own_columns, own_role

SUFFIX: Final = re.compile(r"_(?:\d+(?:_\d+)*(?:_TEXT)?|TEXT)$")  # of a code of Qualtrics


@dataclass(frozen=True)
class Field:
    """One column of an export.

    `names`: what a questionnaire may call the column by itself. `block`: what it may call the
    question that the column is a part of. `parts`: what the column is called under that question
    (an option, a row of a matrix, "other"), none where it holds the answer itself. `own`: what the
    column is if it is the tool's and no question's. `joined`: the same answers stand in columns of
    their own.
    """

    place: int
    names: tuple[str, ...]
    block: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    own: Own | None = None
    joined: bool = False
    aside: bool = False  # a comment beside an option, and none
    group: int = 0  # tells apart two questions of one heading that stand side by side


@dataclass(frozen=True)
class Layout:
    """A file's fields, and how many rows of it are header."""

    tool: Tool
    header_rows: int
    fields: tuple[Field, ...]

    @property
    def separator(self) -> str:
        """What the tool puts between several options in one cell."""
        return SEPARATORS.get(self.tool, ", ")


def lay_out(grid: Grid, tool: Tool | None = None) -> Layout:
    """Return the fields of a file; the tool is recognised from the header where it is not given."""
    above = _rows_above(grid)
    places = range(above, min(above + 3, len(grid)))
    head = [[plain(cell) for cell in grid.row(place)] for place in places]
    tool = tool or recognise(grid.kind, head)
    head += [[""] * grid.width] * (3 - len(head))
    layout = _lay_out(grid, tool, above, head)
    return replace(layout, fields=_parted(layout.fields))


def _parted(fields: Sequence[Field]) -> tuple[Field, ...]:
    """Tell questions of one heading apart: a part that comes again is of the next question."""
    parted, group = list[Field](), 0
    before: tuple[int, tuple[str, ...]] | None = None
    seen = set[str]()
    for one in fields:
        is_part = one.parts and not any(map(is_other, one.parts))
        part = fold_label(one.parts[0]) if is_part else None
        if (one.group, one.block) != before or part in seen:
            group, seen = group + 1, set()
        before = (one.group, one.block)
        seen |= {part} if part is not None else set()
        parted.append(replace(one, group=group))
    return tuple(parted)


def _lay_out(grid: Grid, tool: Tool, above: int, head: list[list[str]]) -> Layout:
    if tool == "surveymonkey":
        if not _is_second_row(head):
            raise InputError(
                f"{grid.file} has not the two header rows of SurveyMonkey: leave 'format' out, or "
                "export it as 'all responses data' with its headings."
            )
        return Layout(tool, above + 2, _surveymonkey(head))
    if tool == "qualtrics":
        rows = 3 if _is_import_row(head[2]) else 1 if _is_answered(head) else 2
        return Layout(
            tool, above + rows, _qualtrics(head if rows > 1 else [head[0], [""] * grid.width])
        )
    if tool == "labelled":
        return Layout(tool, 2, _labelled(head, grid))
    readers: dict[Tool, Callable[[list[str]], list[Field]]] = {
        "limesurvey": _limesurvey,
        "kobo": _kobo,
        "surveygizmo": _surveygizmo,
    }
    return Layout(tool, above + 1, _owned(tool, readers.get(tool, _one_row)(head[0])))


def _rows_above(grid: Grid) -> int:
    """Return how many rows stand above the header: a title, a blank; the alias of EUSurvey."""
    rows = range(min(10, len(grid)))
    if len(grid) > 1 and plain(grid.row(0)[0]) == "Alias":
        return next((place for place in rows if "Contribution ID" in grid.row(place)), 0)
    filled = (sum(map(bool, map(plain, grid.row(place)))) for place in rows)
    titles = list(takewhile(lambda number: number < min(2, grid.width), filled))
    is_sheet = grid.kind in WORKBOOKS and grid.width > 1
    return len(titles) if is_sheet and len(titles) < len(rows) else 0


def recognise(kind: str, head: Sequence[Sequence[str]]) -> Tool:
    """Return the tool that wrote a header; csv where no tool's marks are seen."""
    first, second = set(head[0]), set(head[1] if len(head) > 1 else ())
    tests: dict[Tool, bool] = {
        "labelled": kind in ("sav", "dta", "parquet"),
        "qualtrics": any(map(_is_import_row, head[2:])) or _is_two_row_qualtrics(head),
        "surveymonkey": "" in head[0][1:] and bool({"Response", "Open-Ended Response"} & second),
        "kobo": bool({"_uuid", "_submission_time"} & first) or {"KEY", "SubmissionDate"} <= first,
        "limesurvey": _is_limesurvey(head[0]),
    }
    tests |= {tool: any(mark <= first for mark in marks) for tool, marks in MARKS.items()}
    return next((tool for tool, passed in tests.items() if passed), "csv")


def _is_import_row(row: Sequence[str]) -> bool:
    return bool(row) and sum(cell.startswith('{"ImportId"') for cell in row) > len(row) / 2


def _is_two_row_qualtrics(head: Sequence[Sequence[str]]) -> bool:
    legacy = len(head) > 1 and head[0][0] == "V1" and head[1][0] == "ResponseID"
    return legacy or {"ResponseId", "RecordedDate"} <= set(head[0])


def _is_answered(head: Sequence[Sequence[str]]) -> bool:
    """Whether the second row of a Qualtrics file is an answer: a date, or a response's name."""
    dated = ("StartDate", "EndDate", "RecordedDate")
    below = dict(zip(head[0], head[1], strict=True))
    answered = any(re.search(r"\d", below.get(name, "")) for name in dated)
    return answered or below.get("ResponseId", "").startswith("R_")


def _is_second_row(head: Sequence[Sequence[str]]) -> bool:
    """Whether the second row of a SurveyMonkey file is header: the tool's words, own cells blank.

    What else stands there is somebody's answers, and would be taken for options.
    """
    words = {"Response", "Open-Ended Response"}
    own = [below for above, below in zip(head[0], head[1], strict=True) if _is_own(above)]
    return set(own) <= {"", *words} and bool(own or words & set(head[1]))


def _is_own(heading: str) -> bool:
    return own_role("surveymonkey", heading) is not None


def _is_limesurvey(header: Sequence[str]) -> bool:
    own = {"submitdate", "lastpage"} <= set(header) or {"Date submitted", "Last page"} <= set(
        header
    )
    coded = sum(bool(re.match(r"[A-Za-z]\w*(?:-\d+)?(?:\[[^\]]+\])?\. ", one)) for one in header)
    bracketed = sum(bool(re.fullmatch(r"[A-Za-z]\w*\[\w+\]", one)) for one in header)
    return own or coded > len(header) / 2 or bracketed > 1


def _owned(tool: Tool, fields: Sequence[Field]) -> tuple[Field, ...]:
    own = own_columns(tool, [one.names[0] for one in fields])
    return tuple(replace(one, own=role) for one, role in zip(fields, own, strict=True))


def _one_row(header: list[str]) -> list[Field]:
    """Read a plain header: a question a column, or parts of one that several columns have."""
    stems = Counter(_stem(name)[0] for name in header)
    fields = []
    for place, name in enumerate(header):
        stem, part = _stem(name)
        is_part = part and stems[stem] > 1
        fields.append(
            Field(place, (name,), (stem,), (part,)) if is_part else Field(place, (name,), (name,))
        )
    return fields


# "Question [part]", "Question/part", "Question: part", `q4_0001` and `q4_1`
STEMS: Final = tuple(
    map(
        re.compile,
        (
            r"(.+?) ?\[(.*)\]",
            r"(.+)/(.+)",
            r"(.+): (.+)",
            r"(\w*[^\W\d_])_?_(\d+)",
            r"(\w*\d)_(\d+)",
        ),
    )
)


def _stem(name: str) -> tuple[str, str]:
    """Return (question, part) of a header that has a part; no part in any other."""
    match = next((found for form in STEMS if (found := form.fullmatch(name))), None)
    return (match[1], match[2]) if match else (name, "")


def _surveymonkey(head: list[list[str]]) -> tuple[Field, ...]:
    """Read two header rows: a question begins at each header of the first that is not blank."""
    fields, top, group = [], "", 0
    for place, (above, below) in enumerate(zip(head[0], head[1], strict=True)):
        if not above and not below and place > 0:  # no heading at all: of no question
            fields.append(Field(place, ("",), ("",), group=-place))
            continue
        top, group = (above, group + 1) if above else (top, group)
        is_answer = below in ("", "Response", "Open-Ended Response")
        names = (above,) if is_answer and (above or not top) else ()
        parts = () if is_answer else (below,)
        names = (*names, f"{top} > {below}")
        fields.append(Field(place, names, (top,), parts, group=group))
    return _owned("surveymonkey", fields)


def _limesurvey(header: list[str]) -> list[Field]:
    """Read codes, texts or both: `Q1[SQ001]. Text [Sub-question]`."""
    fields, subs = [], defaultdict[str | None, set[str]](set)
    for place, name in enumerate(header):
        coded = re.fullmatch(r"([A-Za-z][\w-]*)(?:\[([^\]]+)\])?(?:\. (.*))?", name)
        code, sub, text = coded.groups() if coded else (None, None, name)
        under = re.fullmatch(r"(.*?) ?\[([^\]]*)\]", text) if text else None
        text, label = under.groups() if under and (sub or not coded) else (text, None)
        if code and not sub and (split := re.fullmatch(r"(\w+?)_(SQ\w+|other)", code)):
            code, sub = split.groups()
        block = tuple(
            one for one in (code, text, f"{code}. {text}" if code and text else None) if one
        )
        parts = tuple(one for one in (sub, label) if one)
        names = (name, *(() if parts else block), *((f"{code}[{sub}]",) if code and sub else ()))
        sub = sub or ""
        aside = sub.endswith("comment") and sub.removesuffix("comment") in subs[code]
        fields.append(Field(place, tuple(dict.fromkeys(names)), block, parts, aside=aside))
        subs[code].add(sub)
    return fields


def _qualtrics(head: list[list[str]]) -> tuple[Field, ...]:
    """Read codes, then texts as "Question - Option", then identifiers, if there is such a row."""
    codes, texts = head[0], head[1]
    stems = Counter(SUFFIX.sub("", code) for code in codes)
    fields, named = list[Field](), list[str]()
    asked_of = _shared_texts(codes, texts)
    for place, (code, text) in enumerate(zip(codes, texts, strict=True)):
        identifier = re.search(r'"ImportId":"(\w+)"', head[2][place]) if len(head) > 2 else None
        stem, suffix = SUFFIX.sub("", code), (SUFFIX.search(code) or [""])[0][1:]
        question, _, option = text.rpartition(" - ")
        if shared := asked_of.get(stem):  # an option may hold " - ", and so may the question
            question, option = shared, text[len(shared) + 3 :]
        parts: tuple[str, ...] = ()
        if suffix.endswith("TEXT"):
            body = text.removesuffix(" - Text")
            question, option = asked_of.get(stem, "").removesuffix(" - Selected Choice"), body
            if question and body.startswith(f"{question} - "):
                option = body[len(question) + 3 :]
            elif " - " in body:
                question, _, option = body.rpartition(" - ")
            # words behind an option that is not "other" are a question of their own
            parts = ("other",) if is_other(option) or not question else ()
            question = question or body
        elif suffix and stems[stem] > 1:
            parts = (option or suffix,)  # an option may be called as another's number is
        asked = question.removesuffix(" - Selected Choice") or text
        if not parts:
            asked = question if option == "Selected Choice" else text
        block = (stem if parts else code, asked)
        names = (code, text, f"{code} - {text}", *(() if parts else (asked,)))
        # the tool's own columns are known by their identifier, else by their place
        own = own_role("qualtrics", identifier[1]) if identifier else None
        named.append(text if re.fullmatch(r"V\d+", code) else code)
        fields.append(Field(place, names, tuple(one for one in block if one), parts, own))
    if _is_import_row(head[2] if len(head) > 2 else ()):
        return tuple(fields)
    own_by_place = own_columns("qualtrics", named)
    return tuple(replace(one, own=own) for one, own in zip(fields, own_by_place, strict=True))


def _shared_texts(codes: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Return the text that all columns of a question begin with, up to a " - ", by its code."""
    by_stem: dict[str, list[str]] = {}
    for code, text in zip(codes, texts, strict=True):
        if not code.endswith("_TEXT"):
            by_stem.setdefault(SUFFIX.sub("", code), []).append(text)
    shared = {}
    for stem, some in by_stem.items():
        begins = os.path.commonprefix([f"{text} - " for text in some])  # noqa: RUF071 (letters)
        text = begins.rpartition(" - ")[0]
        text = text.rpartition(" - ")[0] if text in some else text
        if len(set(some)) > 1 and text:
            shared[stem] = text
    return shared


def _kobo(header: list[str]) -> list[Field]:
    """Read `group/question` (ODK: `group-question`) and, an option a column, `question/option`."""
    known = set(header)
    stems = Counter(name.rpartition("/")[0] for name in header)
    under = {name: next((one for one in _above(name) if one in known), None) for name in known}
    joined = set(under.values())
    fields = []
    for place, name in enumerate(header):
        question = under[name]
        stem, _, leaf = name.rpartition("/")
        if question is not None:  # beside the same answers in one column
            block = (question, question.rpartition("/")[2])
            fields.append(Field(place, (name,), block, (name[len(question) + 1 :],)))
        elif stem and stems[stem] > 1 and name not in joined:  # an option, or a question of a group
            fields.append(Field(place, (name, leaf), (stem,), (leaf,)))
        elif name.endswith("_other") and name.removesuffix("_other") in header:
            asked = name.removesuffix("_other")
            fields.append(Field(place, (name,), (asked, asked.rpartition("/")[2]), ("other",)))
        else:
            own = (name, leaf if leaf != name else name.rpartition("-")[2])
            fields.append(Field(place, own, (name, leaf), joined=name in joined))
    return fields


def _above(path: str) -> Iterator[str]:
    """Yield the paths that a path lies under, the longest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _surveygizmo(header: list[str]) -> list[Field]:
    """Read "Part:Question", where several columns are of that question."""
    tails = Counter(tail for name in header for tail in {name, *_tails(name)})
    fields = []
    for place, name in enumerate(header):
        tail = next((one for one in _tails(name) if tails[one] > 1), None)
        if tail is None:
            fields.append(Field(place, (name,), (name,)))
        else:
            part = name[: -len(tail)].rstrip(": ")
            fields.append(Field(place, (name,), (tail,), (part,)))
    return fields


def _tails(name: str) -> list[str]:
    return [name[match.end() :] for match in re.finditer(r":\s*(?=[^:\s])", name)]


def _labelled(head: list[list[str]], grid: Grid) -> tuple[Field, ...]:
    """Read variables' names and labels, and the sets that some of them make up."""
    block_of = {name: title for title, names in grid.sets.items() for name in names}
    return tuple(
        Field(
            place,
            tuple(one for one in (name, label) if one),
            (block_of.get(name, name),)
            if name in block_of
            else (name, *([label] if label else [])),
            (label or name, name) if name in block_of else (),
        )
        for place, (name, label) in enumerate(zip(head[0], head[1], strict=True))
    )
