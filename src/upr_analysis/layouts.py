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
from typing import Final, Literal

from upr_analysis.grids import WORKBOOKS, Grid, plain
from upr_analysis.marks import fold_label
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Tool

Own = Literal["respondent", "started", "submitted", "language", "personal", "ignored"]
SEPARATORS: Final[dict[Tool, str]] = {
    "microsoft_forms": ";",
    "surveygizmo": ";",
    "eusurvey": "; ",
    "kobo": " ",
    "qualtrics": ",",
}
OTHER: Final = re.compile(  # "Other (please specify)", "Autre :", "-oth-"; not "Other relatives"
    r"(?:others?|autres?|otr[oa]s?)\s*"
    r"(?:$|[(\[:,;/–—-]|\.\.\.|…|please\b|write\b|text$|words?\b|answers?\b|pr[ée]cis|especifi)"
    r"|-?oth-?$|(?:please )?specify\b|(?:merci de |veuillez )?pr[ée]cise[rz]\b|especif[ií]que",
    re.IGNORECASE,
)
# What tools ask for behind "other"; whatever else stands there was written by somebody.
ASKED: Final = (
    r"(?:please |kindly |por favor,? |veuillez |merci de )?(?:specify|describe|explain|write[ -]in|"
    r"state|indicate|pr[ée]cise[rz]|pr[ée]cisez|especif[ií]que(?:lo)?|especificar|indique[rz]?)"
    r"(?: below| here| ci-dessous| aqu[ií])?|text|words?(?:\(s\))?|answers?|r[ée]ponse|respuesta"
)
HEAD_OF_OTHER: Final = re.compile(
    r"(?:-oth-|(?:oth|others?|autres?|otr[oa]s?)\b)[ :,–—-]*"
    rf"(?:(?:[(\[] ?(?:{ASKED})\.? ?[)\]]|(?:{ASKED})(?= *(?:$|[:.(\[–—-])))"
    r"(?: ?\((?:required|obligatoire|obligatori[oa])\))?)?",
    re.IGNORECASE,
)
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


def is_other(heading: str) -> bool:
    """Whether an option or a column is for answers that are none of the options."""
    return OTHER.match(heading.strip()) is not None and len(heading) < 80


def names_other(cell: str) -> bool:
    """Whether a cell says "other" and no word more."""
    return is_other(cell) and not words_behind_other(cell)


def words_behind_other(cell: str) -> str:
    """Return what was written in a cell as "Other: a map" or "Other (a map)"; "" for no words."""
    head = HEAD_OF_OTHER.match(cell.strip())
    words = cell.strip()[head.end() if head else 0 :].strip(" \t\n:,;/-–—…")
    bracketed = re.fullmatch(r"[(\[](.*)[)\]]", words, re.DOTALL)
    return bracketed[1] if bracketed else words


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
    return _own("surveymonkey", heading) is not None


def _is_limesurvey(header: Sequence[str]) -> bool:
    own = {"submitdate", "lastpage"} <= set(header) or {"Date submitted", "Last page"} <= set(
        header
    )
    coded = sum(bool(re.match(r"[A-Za-z]\w*(?:-\d+)?(?:\[[^\]]+\])?\. ", one)) for one in header)
    bracketed = sum(bool(re.fullmatch(r"[A-Za-z]\w*\[\w+\]", one)) for one in header)
    return own or coded > len(header) / 2 or bracketed > 1


MARKS: Final[dict[Tool, tuple[set[str], ...]]] = {
    "google_forms": ({"Timestamp"}, {"Marca temporal"}, {"Horodateur"}),
    "microsoft_forms": (
        {"Start time", "Completion time"},
        {"Hora de inicio", "Hora de finalización"},
        {"Heure de début", "Heure de fin"},
    ),
    "surveygizmo": ({"Time Started", "Date Submitted", "Status"}, {"Response ID", "Time Started"}),
    "eusurvey": ({"Contribution ID"}, {"Contribution Id"}),
}
TIMINGS: Final = ("interviewtime", "total time")
# The tools' own columns: what identifies people is kept only as strings to be found in open
# answers; what is ignored is dropped unread. In small letters.
OWN: Final[dict[Tool, dict[Own, tuple[str, ...]]]] = {
    "surveymonkey": {
        "respondent": ("respondent id", "respondentid"),
        "started": ("start date",),
        "submitted": ("end date",),
        "personal": ("ip address", "email address", "first name", "last name"),
        "ignored": ("collector id", "custom data 1", "custom data"),
    },
    "limesurvey": {
        "respondent": ("id", "response id"),
        "started": ("startdate", "date started"),
        "submitted": ("submitdate", "date submitted"),
        "language": ("startlanguage", "start language"),
        "personal": ("ipaddr", "ip address", "firstname", "first name", "lastname", "last name",
                     "email", "email address"),
        "ignored": ("lastpage", "last page", "seed", "datestamp", "date last action", "refurl",
                    "referrer url", "token", "access code", *TIMINGS),
    },
    "qualtrics": {
        "respondent": ("_recordid", "responseid"),
        "started": ("startdate",),
        "submitted": ("enddate",),
        "language": ("userlanguage", "q_language"),
        "personal": ("ipaddress", "recipientlastname", "recipientfirstname", "recipientemail",
                     "emailaddress", "name", "locationlatitude", "locationlongitude"),
        "ignored": ("status", "progress", "duration", "duration (in seconds)", "finished",
                    "recordeddate", "externaldatareference", "externalreference", "responseset",
                    "locationaccuracy", "distributionchannel"),
    },
    "kobo": {
        "respondent": ("_uuid", "key"),
        "started": ("start",),
        "submitted": ("_submission_time", "submissiondate"),
        "personal": ("_submitted_by", "username", "phonenumber"),
        "ignored": ("end", "today", "deviceid", "simserial", "subscriberid", "__version__", "_id",
                    "_validation_status", "_notes", "_status", "_tags", "_index", "_geolocation",
                    "instanceid", "instancename", "meta/instanceid", "meta/instancename",
                    "meta-instanceid", "meta-instancename", "submittername", "status",
                    "formdef_version", "formversion", "submitterid", "attachmentspresent",
                    "attachmentsexpected", "reviewstate", "edits", "_parent_index",
                    "meta/rootuuid", "rootuuid", "meta/deprecatedid", "audit"),
    },
    "google_forms": {
        "submitted": ("timestamp", "marca temporal", "horodateur"),
        "personal": ("email address", "username", "dirección de correo electrónico",
                     "adresse e-mail", "nombre de usuario", "nom d'utilisateur"),
    },
    "microsoft_forms": {
        "respondent": ("id",),
        "started": ("start time", "hora de inicio", "heure de début"),
        "submitted": ("completion time", "hora de finalización", "heure de fin"),
        "language": ("language", "idioma", "langue"),
        "personal": ("email", "name", "correo electrónico", "nombre", "adresse de messagerie",
                     "nom"),
        "ignored": ("last modified time", "hora de la última modificación",
                    "heure de la dernière modification", "total points", "quiz feedback"),
    },
    "surveygizmo": {
        "respondent": ("response id",),
        "started": ("time started",),
        "submitted": ("date submitted",),
        "language": ("language",),
        "personal": ("ip address", "contact email", "contact name"),
        "ignored": ("status", "contact id", "legacy comments", "comments", "referer", "sessionid",
                    "user agent", "extended user agent", "extended referer", "longitude",
                    "latitude", "country", "city", "state/region", "postal", "tags", "link name"),
    },
    "eusurvey": {
        "respondent": ("contribution id",),
        "started": ("creation date",),
        "submitted": ("last update",),
        "language": ("languages", "language"),
        "personal": ("user name", "invitation number"),
    },
}  # fmt: skip


def _own(tool: Tool, header: str) -> Own | None:
    header = header.casefold()
    return next((role for role, known in OWN.get(tool, {}).items() if header in known), None)


def _owned(tool: Tool, fields: Sequence[Field]) -> tuple[Field, ...]:
    """Tell the tool's own columns: those at the start and at the end, the first of a name.

    A question may be called as one of them is: it stands between other questions.
    """
    headers = [one.names[0].casefold() for one in fields]
    timed = min((headers.index(one) for one in TIMINGS if one in headers), default=len(headers))
    found = [
        "ignored" if tool == "limesurvey" and place > timed and TIMING.fullmatch(header)
        else _own(tool, header)
        for place, header in enumerate(headers)
    ]  # fmt: skip
    ends = [place for place, own in enumerate(found) if own is None and headers[place]]
    first, last = (ends[0], ends[-1]) if ends else (len(fields), -1)
    return tuple(
        replace(one, own=own)
        if (place < first or place > last) and headers.index(headers[place]) == place
        else one
        for place, (one, own) in enumerate(zip(fields, found, strict=True))
    )


# How long a question or a group of LimeSurvey took, behind the time of the whole.
TIMING: Final = re.compile(r"(?:question|group) ?time:? .*|grouptime\d*|[\w-]+time")


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
        own = _own("qualtrics", identifier[1]) if identifier else None
        named.append(text if re.fullmatch(r"V\d+", code) else code)
        fields.append(Field(place, names, tuple(one for one in block if one), parts, own))
    if _is_import_row(head[2] if len(head) > 2 else ()):
        return tuple(fields)
    owned = _owned("qualtrics", [Field(place, (name,)) for place, name in enumerate(named)])
    return tuple(replace(one, own=other.own) for one, other in zip(fields, owned, strict=True))


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
