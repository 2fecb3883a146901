"""Codebooks and coded answers as other programs exchange them: REFI-QDA 1.5, and csv for codebooks.

The standard's code has a name and a Description. What it has no place for stands in the Description
behind the definition, a line a field (`Include: ...`, `Patterns (fr): ...; ...`), for people to
read and to edit; what XML cannot hold, or would be taken for such a line, is written as `\\u` and
four hex digits. A last code that cannot be given, ABOUT, describes the codebook.

Positions are Unicode code points of a text file without its byte order mark, the end exclusive.
ATLAS.ti counts a line end of two characters as one, so its texts are read with one. Source:
qdasoftware.org, REFI-QDA standard 1.5 (2019), schema Project-mrt2019.xsd.
"""

import csv
import io
import re
import struct
import uuid
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree as ET

import pandas as pd
from defusedxml.ElementTree import fromstring
from pydantic import BaseModel

from upr_analysis.codebook import Code, Codebook, Theme
from upr_analysis.documents import as_model
from upr_analysis.patterns import fold
from upr_analysis.problems import InputError, did_you_mean

ORIGIN: Final = "upr_analysis"
ABOUT: Final = "About this codebook"
UNDEFINED: Final = "Not defined in the codebook that this was read from."
LOOSE: Final = {  # the theme of codes that stand under no other
    "label": {"en": "Codes without a theme"},
    "definition": "Codes that the codebook that this was read from puts under no other.",
}
MOST_UNPACKED: Final = 500 * 10**6  # bytes
DAMAGED: Final = (  # what zipfile raises, NotImplementedError and UnicodeDecodeError among them
    zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, ValueError, EOFError, OSError,
)  # fmt: skip
NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:QDA-XML:project:1.0")
LISTS: Final = ("patterns", "nothing_to_say", "negations")
PER_LANGUAGE: Final = ("label", "title", *LISTS)
# what XML 1.0 cannot hold or changes, and white space that a program may trim
ODD: Final = r"[\\\x00-\x08\x0b-\x1f\ufffe\uffff]|\A\s|\s\Z"
ESCAPED: Final = re.compile(r"\\u((?!d[89a-f])[0-9a-f]{4})")
# kinds of a table's rows that are not codes -> the column that holds them
KINDS: Final = {"title": "label", "nothing_to_say": "patterns", "negations": "patterns"}
COLUMNS: Final = {  # of a table -> whose they are, and the field
    "kind": ("row", "kind"),
    "theme": ("theme", "name"),
    **{f"theme_{name}": ("theme", name) for name in ("label", "definition", "source", "sensitive")},
    "code": ("code", "name"),
    **{name: ("code", name) for name in Code.model_fields if name != "name"},
}
RISKY: Final = re.compile(r"\A(?=[=+\-@\t\r\n]|'?\Z|'['=+\-@\t\r\n])")  # gets an apostrophe
MARKED: Final = re.compile(r"\A'(?=['=+\-@\t\r\n]|\Z)")  # has one

EMPTIED: Final = "should have at least 1 item after"  # said of a theme with a code that is wrong

Key = tuple[str, str | None]  # a field or column, and its language where it has several


@dataclass(frozen=True)
class Project:
    """What a project of this or another program holds of coded text.

    `sources`: source (GUID), name, text, which is missing where the archive does not hold it.
    `codings`: coder, source, code, start, end, which are missing where all of it was coded.
    `skipped`: sources that are pdf, picture, audio or video; nothing of them is read.
    """

    codebook: Codebook
    sources: pd.DataFrame
    codings: pd.DataFrame
    skipped: int


def write_codebook(codebook: Codebook, consultation: str) -> bytes:
    """Return a codebook as `.qdc`; GUIDs follow from consultation and name."""
    root = ET.Element("CodeBook", xmlns="urn:QDA-XML:codebook:1.0", origin=ORIGIN)
    _write_codes(root, codebook, consultation)
    return _as_xml(root)


def read_codebook(data: bytes, where: str) -> Codebook:
    """Read a `.qdc`, ours or another program's; `where` names it in the InputError.

    Names become valid ones (folded, numbered where they meet) and stay as the English label. A code
    at the top with others under it is a theme, and those under it, however deep, are its codes;
    codable, it is the first of them, too. One with none under it goes to a theme for such. What is
    in between and not codable is left out. A missing definition is said to be missing.
    """
    root = _parse_xml(data, where)
    if root.tag != "CodeBook":
        raise InputError(f"{where} holds no codebook of REFI-QDA: export it as .qdc.")
    return _read_codes(root, "", where)[0]


def write_codebook_table(codebook: Codebook) -> str:
    """Return a codebook as csv, a row a code with its theme's columns, safe in a spreadsheet.

    A column a field and language. Rows of another `kind` hold what is the codebook's, the title
    under `label_...`, the rest under `patterns_...`. A text that is there but empty is `'`.
    """
    rows: list[dict[Key, str]] = []
    for kind, column in KINDS.items():
        cells: dict[Key, str] = {("kind", None): kind}
        cells |= {(column, tag): text for (name, tag), text in _cells(codebook) if name == kind}
        rows.append(cells)
    for theme in codebook.themes:
        shared: dict[Key, str] = {("kind", None): "code", ("theme", None): theme.name}
        shared |= {("theme_definition", None): theme.definition}
        shared |= {(f"theme_{name}", tag): text for (name, tag), text in _cells(theme)}
        for code in theme.codes:
            own: dict[Key, str] = {("code", None): code.name, ("definition", None): code.definition}
            rows.append(shared | own | dict(_cells(code)))
    always: list[Key] = [(c, None) for c, (_, name) in COLUMNS.items() if name not in PER_LANGUAGE]
    order = list(COLUMNS)
    keys = dict.fromkeys([*always, *(key for row in rows for key in row)])
    columns = sorted(keys, key=lambda key: order.index(key[0]))
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(name if tag is None else f"{name}_{tag}" for name, tag in columns)
    for row in rows:
        writer.writerow(RISKY.sub("'", row[key]) if key in row else "" for key in columns)
    return stream.getvalue()


def read_codebook_table(text: str, where: str) -> Codebook:
    """Read a table as `write_codebook_table` writes it; InputError with all problems.

    Columns without cells may be missing, those of a theme be filled in its first row only. The
    separator is a comma, or what stands behind a first column `kind`.
    """
    text = text.removeprefix("\ufeff")
    opening = re.match(r'(?:"kind"|kind)([;\t])', text)
    try:
        lines = csv.reader(
            io.StringIO(text, newline=""), delimiter=opening[1] if opening else ",", strict=True
        )
        header, *rows = list(lines) or [[]]
    except csv.Error as error:
        raise InputError(f"{where} is no csv ({error}): save it again as csv.") from error
    keys = _keys(header, where)
    content: dict[str, Any] = {"title": {"en": ""}}
    themes: dict[str, dict[str, Any]] = {}
    places: dict[str, tuple[int, str]] = {}  # in the codebook -> row, and which columns
    problems = list[str]()
    for number, row in enumerate(rows, start=2):
        cells = {key: MARKED.sub("", c) for key, c in zip(keys, row, strict=False) if c}
        if any(row[len(keys) :]):
            problems.append(f"{where} row {number} has more cells than there are columns.")
        kind = cells.pop(("kind", None), "code")
        if kind in KINDS:
            told = (((kind, tag), c) for (name, tag), c in cells.items() if name == KINDS[kind])
            content |= _content(told)
        elif kind != "code":
            known = did_you_mean(kind, KINDS) or f": it is code, {', '.join(KINDS)}"
            problems.append(f"{where} row {number}, column kind: {kind!r} is no kind of row{known}")
        elif cells:
            theme, code = (
                _content(
                    ((COLUMNS[name][1], tag), cell)
                    for (name, tag), cell in cells.items()
                    if COLUMNS[name][0] == owner
                )
                for owner in ("theme", "code")
            )
            name = theme.get("name", "")
            first = themes.setdefault(name, theme | {"codes": []})
            place = f"themes.{list(themes).index(name)}"
            places.setdefault(place, (number, "theme"))
            places[f"{place}.codes.{len(first['codes'])}"] = number, "code"
            first["codes"].append(code)
            problems += [
                f"{where} row {number}, column theme_{field}: theme {name!r} has another in a row "
                "before: leave it blank, or write the same."
                for field in theme
                if theme[field] != first.get(field)
            ]
    try:
        codebook = as_model(content | {"themes": list(themes.values())}, Codebook, where)
    except InputError as error:
        problems += [_in_table(one, places) for one in error.problems if EMPTIED not in one]
    if problems:
        raise InputError(problems)
    return codebook


def write_project(
    codebook: Codebook,
    open_responses: pd.DataFrame,
    codings: pd.DataFrame,
    consultation: str,
    questions: Mapping[str, str],
) -> bytes:
    """Return a `.qdpx` of each response that was answered or coded: it holds their full texts.

    A source is called `<respondent> <question>`; a set of sources for each question says what was
    asked (`questions`: name -> text). The same input gives the same bytes. ValueError where a
    coding is of a code or a response that there is not.
    """
    columns = ["respondent", "question", "start", "end", "coder", "code"]
    given: dict[tuple[str, str], list[Any]] = {}
    ordered = codings[columns].drop_duplicates().sort_values(columns)  # whole responses last
    for respondent, question, *coding in ordered.itertuples(index=False, name=None):
        given.setdefault((respondent, question), []).append(coding)
    unknown = sorted(set(codings["code"]) - set(codebook.theme_of))
    responses = zip(open_responses["respondent"], open_responses["question"], strict=True)
    if unknown or not given.keys() <= set(responses):
        raise ValueError(f"Codings of unknown codes ({', '.join(unknown)}) or unknown responses.")
    users, sources, sets = ET.Element("Users"), ET.Element("Sources"), ET.Element("Sets")
    for coder in sorted(set(codings["coder"])):
        ET.SubElement(users, "User", guid=_guid(consultation, "user", coder), name=_escape(coder))
    parts = dict[str, bytes]()
    set_of = dict[str, ET.Element]()
    wanted = open_responses[["respondent", "question", "text", "state"]]
    for respondent, question, text, state in wanted.itertuples(index=False, name=None):
        own = given.get((respondent, question), [])
        if state == "answered" or own:
            guid = _guid(consultation, "source", respondent, question)
            name = _escape(f"{respondent} {question}")
            _write_source(sources, guid, name, own, consultation)
            # a second mark, lest one of the text's own be taken for the file's
            mark = "\ufeff" if text.startswith("\ufeff") else ""
            parts[f"sources/{guid}.txt"] = (mark + text).encode()
            if question not in set_of:
                same = _guid(consultation, "question", question)
                set_of[question] = ET.SubElement(sets, "Set", guid=same, name=question)
                asked = ET.SubElement(set_of[question], "Description")
                asked.text = _escape(questions.get(question, ""))
            ET.SubElement(set_of[question], "MemberSource", targetGUID=guid)
    root = ET.Element("Project", xmlns="urn:QDA-XML:project:1.0", name=_escape(consultation))
    root.set("origin", ORIGIN)
    book = ET.Element("CodeBook")
    _write_codes(book, codebook, consultation)
    root.extend(part for part in (users, book, sources, sets) if len(part))
    stream = io.BytesIO()
    # not compressed: how far a machine's zlib compresses would show in the bytes
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for path, content in {"project.qde": _as_xml(root), **parts}.items():
            part = zipfile.ZipInfo(path)
            part.create_system, part.external_attr = 3, 0o600 << 16
            archive.writestr(part, content)
    return stream.getvalue()


def _write_source(
    parent: ET.Element, guid: str, name: str, codings: list[Any], consultation: str
) -> None:
    source = ET.SubElement(parent, "TextSource", guid=guid, name=name)
    source.set("plainTextPath", f"internal://{guid}.txt")
    coded = dict[str, ET.Element]()
    for start, end, coder, code in codings:
        span = "" if pd.isna(start) else f"{start}-{end}"
        if span not in coded:
            places = {"startPosition": str(start), "endPosition": str(end)}
            selection = ("PlainTextSelection", {"guid": _guid(guid, span), **places})
            coded[span] = ET.SubElement(source, *selection) if span else source
        coding = ET.SubElement(coded[span], "Coding", guid=_guid(guid, span, coder, code))
        coding.set("creatingUser", _guid(consultation, "user", coder))
        ET.SubElement(coding, "CodeRef", targetGUID=_guid(consultation, "code", code))


def read_project(data: bytes, where: str) -> Project:
    """Read a `.qdpx` of any program; nothing is written to disk.

    Codes are called as `read_codebook` calls them, coders as the project does ("" if it does not
    say who). InputError names each position that its text does not have, and each coding of a code
    that there is not.
    """
    parts = _unpack(data, where)
    documents = [name for name in parts if name.endswith(".qde") and "/" not in name]
    if len(documents) != 1:
        raise InputError(f"{where} holds {len(documents)} files .qde, not one: export it again.")
    root = _parse_xml(parts[documents[0]], where)
    codebook, names = _read_codes(root, _unescape(root.get("name", "")), where)
    coders = _coders(root)
    sources, codings, problems, skipped = [], [], list[str](), 0
    for source in root.iterfind("Sources/*"):
        if source.tag != "TextSource":
            skipped += 1
            continue
        guid, name = _plain(source), _unescape(source.get("name", ""))
        place = f"{where}: source {name!r}"
        try:
            text = _text(source, parts, root.get("origin", ""))
        except UnicodeDecodeError:
            problems.append(f"{place}: its text is not UTF-8: save it so.")
            continue
        sources.append((guid, name, text))
        for selection in [source, *source.iterfind("PlainTextSelection")]:
            start, end = _positions(selection) if selection is not source else (None, None)
            most = 2**31 if text is None else len(text)
            if start is not None and end is not None and not 0 <= start <= end <= most:
                problems.append(f"{place}: a selection from {start} to {end} is not in its text.")
            for coding in selection.iterfind("Coding"):
                target = _plain(coding.find("CodeRef"), "targetGUID")
                if target not in names:
                    problems.append(f"{place}: a coding's code {target} is none of the codebook's.")
                by = _plain(coding, "creatingUser") or _plain(selection, "creatingUser")
                codings.append((coders.get(by, by), guid, names.get(target), start, end))
    if problems:
        raise InputError(problems)
    columns = ["coder", "source", "code", "start", "end"]
    types = dict.fromkeys(columns[:3], "string") | {"start": "Int64", "end": "Int64"}
    return Project(
        codebook,
        pd.DataFrame(sources, columns=["source", "name", "text"]).astype("string"),
        pd.DataFrame(codings, columns=columns).astype(types),
        skipped,
    )


def _write_codes(parent: ET.Element, codebook: Codebook, consultation: str) -> None:
    codes = ET.SubElement(parent, "Codes")
    for theme in codebook.themes:
        node = _write_code(codes, theme.name, theme, consultation)
        for code in theme.codes:
            _write_code(node, code.name, code, consultation)
    _write_code(codes, ABOUT, codebook, consultation)


def _write_code(
    parent: ET.Element, name: str, model: Code | Theme | Codebook, consultation: str
) -> ET.Element:
    node = ET.SubElement(parent, "Code", guid=_guid(consultation, "code", name), name=name)
    node.set("isCodable", str(isinstance(model, Code)).lower())
    lines = [] if isinstance(model, Codebook) else [_in_lines(_escape(model.definition))]
    for (field, tag), text in _cells(model):
        heading = field.replace("_", " ").capitalize()
        if tag is not None:
            heading += " (" + _escape(tag, "()\n") + ")"
        lines.append(f"{heading}: {_in_lines(text if field in LISTS else _escape(text))}")
    ET.SubElement(node, "Description").text = "\n".join(lines)
    return node


def _read_codes(root: ET.Element, title: str, where: str) -> tuple[Codebook, dict[str, str]]:
    """Return the codebook, and the name of each code's GUID."""
    content: dict[str, Any] = {"title": {"en": title}}
    groups, loose = list[tuple[str, dict[str, Any], list[ET.Element]]](), list[ET.Element]()
    inside = "" if root.tag == "CodeBook" else "CodeBook/"
    for top in root.iterfind(f"{inside}Codes/Code"):
        name = top.get("name", "")
        if top.find("Code") is not None:
            below = [c for c in top.iter("Code") if _is_codable(c) or c.find("Code") is None]
            groups.append((name, _described(top, Theme), below))
        elif name == ABOUT and not _is_codable(top):
            content |= _described(top, Codebook)
        else:
            loose.append(top)
    groups += [("no_theme", LOOSE, loose)] if loose else []
    taken, themes, names = dict[str, int](), list[dict[str, Any]](), dict[str, str]()
    for _, about, elements in groups:
        called = [_free_name(element.get("name", ""), taken) for element in elements]
        names |= {_plain(one): name for one, name in zip(elements, called, strict=True)}
        described = [_described(element, Code) for element in elements]
        codes = [one | {"name": name} for one, name in zip(described, called, strict=True)]
        themes.append(about | {"codes": codes})
    for (name, _, _), theme in zip(groups, themes, strict=True):
        theme["name"] = _free_name(name, taken)
    names.pop("", None)
    return as_model(content | {"themes": themes}, Codebook, where), names


def _is_codable(code: ET.Element) -> bool:
    return code.get("isCodable", "").strip() not in ("false", "0")


def _described(element: ET.Element, model: type[BaseModel]) -> dict[str, Any]:
    """Return a Description's fields; a line that is none of the model's belongs to that before."""
    text = element.findtext("Description", "")
    found = [match for match in HEADING.finditer(text) if _field(match) in model.model_fields]
    begins = [match.end() for match in found]
    ends = [*(match.start() for match in found), len(text)]
    pieces = [text[begin:end].strip() for begin, end in zip([0, *begins], ends, strict=True)]
    content: dict[str, Any] = {}
    if model is not Codebook:
        content["label"] = {"en": element.get("name", "")}
        content["definition"] = _unescape(pieces[0]) or UNDEFINED
    cells = []
    for match, piece in zip(found, pieces[1:], strict=True):
        field, tag = _field(match), match[2]
        key = field, None if tag is None else _unescape(tag)
        cells.append((key, piece if field in LISTS else _unescape(piece)))
    return content | _content(cells)


HEADING: Final = re.compile(
    r"^(?:(Label|Title|Patterns|Nothing to say|Negations) \(([^()\n]*)\)|(Include|Exclude|Example"
    r"|Source(?=: (?:survey|dialogue|both)$)|Sensitive(?=: yes$))):",
    re.MULTILINE,
)


def _field(match: re.Match[str]) -> str:
    return (match[1] or match[3]).lower().replace(" ", "_")


def _in_lines(text: str) -> str:
    """Escape what begins a line of a text and would be read as the next field."""
    return HEADING.sub(lambda match: f"\\u{ord(match[0][0]):04x}{match[0][1:]}", text)


def _cells(model: BaseModel) -> Iterator[tuple[Key, str]]:
    """Yield each field that is set, but for name and definition, with its text."""
    elsewhere = {"name", "definition", "codes", "themes"}
    for field, value in model.model_dump(exclude=elsewhere, exclude_defaults=True).items():
        if field in LISTS:
            for tag, items in value.items():
                joined = "; ".join(_escape(item, ";") for item in items)
                yield (field, tag), joined + (";" if items and not items[-1] else "")
        elif field in PER_LANGUAGE:
            yield from (((field, tag), text) for tag, text in value.items())
        else:
            yield (field, None), "yes" if value is True else value


def _content(cells: Iterable[tuple[Key, str]]) -> dict[str, Any]:
    """Return the fields of such cells, as a model takes them."""
    content: dict[str, Any] = {}
    for (field, tag), text in cells:
        if field in LISTS:
            items = [item.strip() for item in text.split(";")]
            items = items if items[-1] else items[:-1]
            content.setdefault(field, {})[tag] = [_unescape(item) for item in items]
        elif field in PER_LANGUAGE:
            content.setdefault(field, {})[tag] = text
        elif field == "sensitive":
            content[field] = {"yes": True, "no": False}.get(text.strip().lower(), text)
        else:
            content[field] = text
    return content


def _keys(header: list[str], where: str) -> list[Key]:
    """Return each column's name and language; InputError names those that there are not."""
    keys, problems = list[Key](), list[str]()
    for place, name in enumerate(header, start=1):
        several = re.fullmatch(r"(theme_label|label|patterns)_(.*)", name, re.DOTALL)
        key = (several[1], several[2]) if several else (name, None)
        if (not several and name not in COLUMNS) or name in PER_LANGUAGE or name == "theme_label":
            hint = did_you_mean(name, COLUMNS) or f": use {', '.join(COLUMNS)}"
            problems.append(f"{where} column {place}: {name!r} is no column of a codebook{hint}")
        elif key in keys:
            problems.append(f"{where} column {place}: {name!r} stands there twice: remove one.")
        keys.append(key)
    if problems:
        raise InputError(problems)
    return keys


def _in_table(problem: str, places: Mapping[str, tuple[int, str]]) -> str:
    """Say where in a table is what a problem names by its place in the codebook."""

    def located(match: re.Match[str]) -> str:
        number, owner = places[match[1]]
        columns = [column for column, whose in COLUMNS.items() if whose == (owner, match[2])]
        tag = f"_{match[3]}" if match[3] else ""
        return f"row {number}" + "".join(f", column {one}{tag}" for one in columns)

    pattern = r"(themes\.\d+(?:\.codes\.\d+)?)(?:\.(\w+)(?:\.([\w-]+))?)?"
    return re.sub(pattern, located, problem, count=1)


def _escape(text: str, also: str = "") -> str:
    pattern = f"{ODD}|[{also}]" if also else ODD
    return re.sub(pattern, lambda match: f"\\u{ord(match[0]):04x}", text)


def _unescape(text: str) -> str:
    return ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def _free_name(wanted: str, taken: dict[str, int]) -> str:
    """Return a valid name like the wanted one that is free; `taken`: name -> number reached."""
    name = wanted
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        name = re.sub(r"[^a-z0-9]+", "_", fold(wanted)[0]).strip("_") or "code"
        name = name if name[0].isalpha() else f"code_{name}"
    free = name
    while free in taken:
        taken[name] += 1
        free = f"{name}_{taken[name]}"
    taken[free] = 1
    return free


def _guid(*parts: str) -> str:
    return str(uuid.uuid5(NAMESPACE, "\n".join(parts)))


def _plain(element: ET.Element | None, attribute: str = "guid") -> str:
    """Return a GUID as all are compared: without braces, in lower case; "" where there is none."""
    return "" if element is None else element.get(attribute, "").strip().strip("{}").lower()


def _positions(selection: ET.Element) -> tuple[int, int]:
    """Return a selection's start and end, -1 for what is no number."""
    written = [selection.get(f"{one}Position", "").strip() for one in ("start", "end")]
    start, end = (int(one) if re.fullmatch(r"\d{1,10}", one) else -1 for one in written)
    return start, end


def _coders(root: ET.Element) -> dict[str, str]:
    """Return the name of each user's GUID, with the GUID where it has none or not alone."""
    users = {_plain(user): _unescape(user.get("name", "")) for user in root.iterfind("Users/User")}
    called = list(users.values())
    return {
        guid: name if name and called.count(name) == 1 else f"{name} {guid}".strip()
        for guid, name in users.items()
    }


def _text(source: ET.Element, parts: Mapping[str, bytes], origin: str) -> str | None:
    path = source.get("plainTextPath", "").removeprefix("internal://").lstrip("/").lower()
    if f"sources/{path}" not in parts:
        return source.findtext("PlainTextContent")
    text = parts[f"sources/{path}"].decode("utf-8-sig")
    return text.replace("\r\n", "\n") if origin.startswith("ATLAS") else text


def _unpack(data: bytes, where: str) -> dict[str, bytes]:
    """Return the documents and plain texts of an archive, by their names in lower case."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [p for p in archive.infolist() if p.filename.lower().endswith((".qde", ".txt"))]
            if sum(part.file_size for part in parts) > MOST_UNPACKED:
                raise InputError(f"{where} unpacks to more than 500 MB of text: export less of it.")
            return {part.filename.lower(): _read_part(archive, part) for part in parts}
    except DAMAGED as error:
        raise InputError(f"{where} is no archive that can be read: export it as .qdpx.") from error


def _read_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bytes:
    """Read no more than is declared: `ZipFile.read` unpacks all, and then looks."""
    if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile("compressed in a way that cannot be read in part")
    with archive.open(part) as stream:
        return stream.read(part.file_size)


def _parse_xml(data: bytes, where: str) -> ET.Element:
    """Parse what others wrote, without entities; tags come without their namespace."""
    try:
        root: ET.Element = fromstring(data, forbid_dtd=True)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{where} is no XML that can be read: export it again.") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _as_xml(root: ET.Element) -> bytes:
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text
