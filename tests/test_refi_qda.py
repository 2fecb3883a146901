"""Codebooks and coded answers go to other programs and come back: the same, and valid."""

import io
import os
import re
import tracemalloc
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from upr_analysis import refi_qda
from upr_analysis.codebook import Code, Codebook, Theme
from upr_analysis.codebook import read_codebook as codebook_of
from upr_analysis.coding import CODING_COLUMNS
from upr_analysis.problems import InputError
from upr_analysis.refi_qda import (
    read_codebook,
    read_codebook_table,
    read_project,
    write_codebook,
    write_codebook_table,
    write_project,
)

ROOT = Path(__file__).parent.parent
REFI = ROOT / os.environ.get("UPR_SHARED", "../shared") / "data/refi_qda"
XSD, ATLAS = REFI / "Project-mrt2019.xsd", REFI / "skyloom_ATLASti_TestProject.qdpx"
needs_refi = pytest.mark.skipif(
    not XSD.is_file(), reason="the schema of REFI-QDA is not there: set UPR_SHARED"
)

WATER = Codebook(
    title={"en": "Wells", "fr": "Puits"},
    themes=(
        Theme(
            name="services",
            label={"en": "Services"},
            definition="What people are to be served with.",
            sensitive=True,
            codes=(
                Code(
                    name="water",
                    label={"en": "Water", "fr": "Eau"},
                    definition="Water near the home.\nInclude: is no field here.",
                    include="Wells; pumps",
                    source="survey",
                    patterns={"en": ("well*", "clean ~3 water"), "fr": ("puits",)},
                ),
                Code(name="law", label={"en": "Law"}, definition="Laws, and <courts> & judges."),
            ),
        ),
    ),
    nothing_to_say={"en": ("no; nothing", "")},
)


def codebook_schema() -> xmlschema.XMLSchema:
    """Make the codebook's schema of the project's, whose types it has, with sets and an origin."""
    text = XSD.read_text(encoding="utf-8").replace("QDA-XML:project", "QDA-XML:codebook")
    text = text.replace('name="Project" type="ProjectType"', 'name="CodeBook" type="CodeBookType"')
    codes = '<xsd:element name="Codes" type="CodesType"/>'
    sets = '<xsd:element name="Sets" type="SetsType" minOccurs="0"/>'
    origin = '<xsd:attribute name="origin" type="xsd:string"/>'
    return xmlschema.XMLSchema(
        re.sub(rf"{codes}\s*</xsd:sequence>", f"{codes}{sets}</xsd:sequence>{origin}", text)
    )


def names_of(data: bytes) -> dict[str, list[str]]:
    return {t.name: [c.name for c in t.codes] for t in read_codebook(data, "x.qdc").themes}


def test_what_the_standard_has_no_place_for_is_read_by_people_behind_the_definition():
    text = write_codebook(WATER, "wells").decode()
    described = re.findall(r"<Description>(.*?)</Description>", text, re.DOTALL)
    assert described == [
        "What people are to be served with.\nLabel (en): Services\nSensitive: yes",
        "Water near the home.\n\\u0049nclude: is no field here.\nLabel (en): Water\n"
        "Label (fr): Eau\nInclude: Wells; pumps\nSource: survey\n"
        "Patterns (en): well*; clean ~3 water\nPatterns (fr): puits",
        "Laws, and &lt;courts&gt; &amp; judges.\nLabel (en): Law",
        "Title (en): Wells\nTitle (fr): Puits\nNothing to say (en): no\\u003b nothing; ;",
    ]
    assert write_codebook(WATER, "wells") == text.encode()
    assert write_codebook(WATER, "pumps") != text.encode()


odd = st.text(max_size=6) | st.sampled_from(
    [
        "a\r\nSource: both",
        "Label (en): x",
        "Include: y\n",
        "=1+1",
        "'",
        "'=",
        "''",
        "\\u000d",
        "]]>&",
        ";",
    ]
)
tags = st.sampled_from(["en", "fr", "", "a) b", "a\nb"]) | st.text(max_size=3)
labels = st.dictionaries(tags, odd, min_size=1, max_size=3)
words = st.sampled_from(["well*", "l'eau", "clean ~3 water", "good !2", "水"])
names = st.from_regex(r"[a-z][a-z0-9_]{0,4}", fullmatch=True)
sources = st.sampled_from(["survey", "dialogue", "both", "unstated"])


def lists(items):
    return st.dictionaries(tags, st.lists(items, max_size=3).map(tuple), max_size=2)


@st.composite
def codebooks(draw):
    free = iter(draw(st.lists(names, min_size=12, max_size=12, unique=True)))
    defined = odd.filter(bool)
    themes = [
        Theme(
            name=next(free), label=draw(labels), definition=draw(defined), source=draw(sources),
            sensitive=draw(st.booleans()),
            codes=tuple(
                Code(
                    name=next(free), label=draw(labels), definition=draw(defined),
                    include=draw(odd), exclude=draw(odd), example=draw(odd), source=draw(sources),
                    patterns=draw(lists(words)),
                )
                for _ in range(draw(st.integers(1, 3)))
            ),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]  # fmt: skip
    return Codebook(
        title=draw(labels), themes=tuple(themes),
        nothing_to_say=draw(lists(odd)), negations=draw(lists(odd)),
    )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(codebooks())
def test_any_codebook_comes_back_as_it_was(codebook):
    assert read_codebook(write_codebook(codebook, "c"), "c.qdc") == codebook
    table = write_codebook_table(codebook)
    assert read_codebook_table(table, "c.csv") == codebook
    cells = pd.read_csv(io.StringIO(table, newline=""), dtype=str, keep_default_na=False)
    assert not any(cell[:1] in set("=+-@\t\r\n") for cell in cells.to_numpy().ravel())


@pytest.mark.parametrize("folder", sorted((ROOT / "data").iterdir()), ids=lambda path: path.name)
def test_the_projects_own_codebooks_come_back(folder):
    codebook = codebook_of(folder)
    assert read_codebook(write_codebook(codebook, folder.name), "c.qdc") == codebook
    assert read_codebook_table(write_codebook_table(codebook), "c.csv") == codebook


@needs_refi
@settings(max_examples=40, deadline=None)
@given(codebooks())
def test_what_is_written_is_valid(codebook):
    codes = codebook_schema_once().iter_errors(write_codebook(codebook, "c").decode())
    assert [str(error) for error in codes] == []
    open_responses, codings = coded("Wells \U0001f4a7 & ]]>", [(0, 5)], codebook)
    data = write_project(codebook, open_responses, codings, "c", {"Q1": "Why\x00?"})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        document = archive.read("project.qde").decode()
    assert [str(error) for error in project_schema_once().iter_errors(document)] == []


SCHEMAS: dict[str, xmlschema.XMLSchema] = {}


def codebook_schema_once():
    return SCHEMAS.setdefault("codebook", SCHEMAS.get("codebook") or codebook_schema())


def project_schema_once():
    return SCHEMAS.setdefault("project", SCHEMAS.get("project") or xmlschema.XMLSchema(str(XSD)))


@needs_refi
def test_a_qdc_with_empty_sets_or_without_codes_is_not_valid():
    """What Taguette writes; the schema that ours is held to does refuse it."""
    code = '<Code guid="0D62985D-B147-5D01-A9B5-CAE5DCD98342" name="a" isCodable="true"/>'
    start = '<CodeBook xmlns="urn:QDA-XML:codebook:1.0" origin="Taguette">'
    schema = codebook_schema_once()
    assert schema.is_valid(f"{start}<Codes>{code}</Codes></CodeBook>")
    assert not schema.is_valid(f"{start}<Codes>{code}</Codes><Sets/></CodeBook>")
    assert not schema.is_valid(f"{start}<Codes/></CodeBook>")


FOREIGN = """<CodeBook xmlns="urn:QDA-XML:codebook:0:4"><Codes>
<Code guid="{A0000000-0000-0000-0000-00000000000A}" name="Été &amp; eau" isCodable="true">
  <Description>  Summer.
Source: Smith 2010 </Description>
  <Code guid="B" name="Puits" isCodable="false"><Code guid="C" name="1 pump" isCodable="true">
    <Description/><Code guid="D" name="puits" isCodable="true"/></Code></Code>
  <Code guid="I" name="Empty" isCodable="false"/>
</Code>
<Code guid="E" name="水" isCodable="true"/><Code guid="F" name="الماء" isCodable="true"/>
<Code guid="G" name="Puits" isCodable="true"/>
</Codes><Sets><Set guid="H" name="x"/></Sets></CodeBook>"""


def test_another_programs_codebook_is_flattened_to_themes_and_codes_and_none_is_lost():
    data = FOREIGN.encode()
    assert names_of(data) == {
        "ete_eau_2": ["ete_eau", "code_1_pump", "puits", "empty"],
        "no_theme": ["code", "code_2", "puits_2"],
    }
    theme = read_codebook(data, "x.qdc").themes[0]
    assert theme.codes[0].label == {"en": "Été & eau"}
    assert theme.codes[0].definition == "Summer.\nSource: Smith 2010"
    assert theme.codes[1].definition.startswith("Not defined")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<CodeBook>", b"<Project/>", b"\x00",
        b'<?xml version="1.0" encoding="x"?><CodeBook/>',
        b'<!DOCTYPE a [<!ENTITY e "x">]><CodeBook><Codes>&e;</Codes></CodeBook>',
        write_codebook(WATER, "c").replace(b"clean ~3 water", b"clean (water"),
    ],
)  # fmt: skip
def test_what_is_no_codebook_is_refused_by_name(data):
    with pytest.raises(InputError, match=r"^x\.qdc"):
        read_codebook(data, "x.qdc")


def test_a_table_has_a_row_a_code():
    header, *rows = write_codebook_table(WATER).splitlines()
    assert header.startswith('"kind","theme","theme_label_en","theme_definition","theme_source"')
    assert rows[0].startswith('"title","","","","","","","Wells","Puits"')
    assert '"services","Services","What people are to be served with.","","yes","law"' in rows[-1]


def test_a_table_made_by_hand_is_read():
    text = (
        "kind;theme;theme_label_en;theme_definition;code;label_en;definition;patterns_en\r\n"
        ";t;Theme;D;a;A;d;well*\r\n;t;;;b;B;'=d;\r\n;;;;;;;\r\n"
    )
    found = read_codebook_table(text, "c.csv")
    assert [(code.name, code.definition) for code in found.codes] == [("a", "d"), ("b", "=d")]
    assert found.codes[0].patterns == {"en": ("well*",)}


def test_all_that_is_wrong_with_a_table_is_said_with_row_and_column():
    text = (
        "kind,theme,theme_label_en,theme_definition,theme_sensitive,code,label_en,definition,source,"
        "patterns_en\n"
        "code,t,T,D,perhaps,a,A,d,survei,\ncode,t,other,,,b,B,,,(x\nkode,t,,,,,,,,,x\n"
    )
    with pytest.raises(InputError) as caught:
        read_codebook_table(text, "c.csv")
    said = "\n".join(caught.value.problems)
    for place in (
        "row 2, column theme_sensitive", "row 2, column source", "row 3, column theme_label",
        "lacks 'row 3, column definition'", "row 4, column kind",
    ):  # fmt: skip
        assert place in said
    assert "row 4 has more cells" in said
    assert len(caught.value.problems) == 6
    with pytest.raises(InputError, match="column 2: 'lable_en' is no column") as caught:
        read_codebook_table("kind,lable_en,kind\n", "c.csv")
    assert len(caught.value.problems) == 2


def coded(text, spans, codebook=WATER):
    """Make one answer, with each span coded by two and the whole by one of them."""
    answers = [("r1", "Q1", text, "en", "answered"), ("r2", "Q1", "", "en", "skipped")]
    names = ["respondent", "question", "text", "language", "state"]
    code = codebook.codes[0].name if codebook.codes else None
    spans = [*((who, *span) for span in spans for who in ("Ann", "B\n")), ("Ann", pd.NA, pd.NA)]
    rows = [(who, "r1", "Q1", "t", code, start, end, "", "", "") for who, start, end in spans]
    codings = pd.DataFrame(rows if code else [], columns=list(CODING_COLUMNS))
    codings = codings.astype({"start": "Int32", "end": "Int32"})
    return pd.DataFrame(answers, columns=names), codings


TEXTS = st.text(max_size=8) | st.sampled_from(
    ["a\U0001f4a7b", "e\u0301t\u0301", "الماء والقانون", "a\r\nb\rc", "]]>&<", "\ufeffx", "\x00"]
)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_selections_come_back_where_they_were(data):
    text = data.draw(TEXTS)
    place = st.integers(0, len(text))
    spans = data.draw(st.lists(st.tuples(place, place).map(sorted).map(tuple), unique=True))
    open_responses, codings = coded(text, spans)
    written = write_project(WATER, open_responses, codings, "c", {})
    assert write_project(WATER, open_responses, codings[::-1], "c", {}) == written
    found = read_project(written, "c.qdpx")
    assert found.codebook == WATER
    assert found.sources[["name", "text"]].to_numpy().tolist() == [["r1 Q1", text]]
    read = found.codings.drop(columns="source").astype(object).fillna(-1)
    expected = codings[["coder", "code", "start", "end"]].astype(object).fillna(-1)
    assert set(read.itertuples(index=False, name=None)) == set(
        expected.itertuples(index=False, name=None)
    )
    assert len(read) == len(expected)


def test_a_project_holds_answers_by_question_and_nothing_of_the_clock():
    data = write_project(WATER, *coded("wells", []), "c", {"Q1": "Why?"})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        root = ET.fromstring(archive.read("project.qde"))
    (source,), (asked,) = root.findall(".//{*}TextSource"), root.findall(".//{*}Set")
    assert [part.filename for part in parts] == ["project.qde", f"sources/{source.get('guid')}.txt"]
    assert {part.date_time for part in parts} == {(1980, 1, 1, 0, 0, 0)}
    assert not any("Date" in name for element in root.iter() for name in element.attrib)
    assert (asked.get("name"), asked.findtext("{*}Description")) == ("Q1", "Why?")
    assert asked.find("{*}MemberSource").get("targetGUID") == source.get("guid")


def test_nothing_is_written_of_what_is_not_there():
    open_responses, codings = coded("wells", [])
    with pytest.raises(ValueError, match="unknown codes"):
        write_project(WATER, open_responses, codings.assign(code="rain"), "c", {})
    with pytest.raises(ValueError, match="unknown responses"):
        write_project(WATER, open_responses.tail(1), codings, "c", {})


def archive_of(document: str, **files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Project.qde", document)
        for name, content in files.items():
            archive.writestr(f"Sources/{name}.txt", content)
    return stream.getvalue()


def document(inside: str, origin: str = "NVivo") -> str:
    users = "<Users>" + "".join(f'<User guid="{n}" name="Kim"/>' for n in ("U1", "U2")) + "</Users>"
    codes = '<CodeBook><Codes><Code guid="C" name="A" isCodable="true"/></Codes></CodeBook>'
    return (
        f'<Project name="P" origin="{origin}">{users}{codes}<Sources>{inside}</Sources></Project>'
    )


def selection(start: object, end: object, code: str = "C", user: str = "u1") -> str:
    return (
        f'<PlainTextSelection guid="S" startPosition="{start}" endPosition="{end}" '
        f'creatingUser="{{{user}}}"><Coding guid="K"><CodeRef targetGUID="{code}"/></Coding>'
        "</PlainTextSelection>"
    )


def test_line_ends_are_two_code_points_but_one_in_a_project_of_atlas_ti():
    inside = f'<TextSource guid="T" plainTextPath="internal://T.txt">{selection(0, 4)}</TextSource>'
    text = "\ufeffa\r\nb".encode()
    for origin, expected in (("NVivo", "a\r\nb"), ("ATLAS.ti Win 23", "a\nb")):
        data = archive_of(document(inside, origin), T=text)
        if origin == "NVivo":
            assert read_project(data, "p").sources["text"].tolist() == [expected]
        else:
            with pytest.raises(InputError, match="selection from 0 to 4 is not in its text"):
                read_project(data, "p")


def test_coders_of_one_name_stay_apart_and_sources_that_are_no_text_are_counted():
    inside = (
        '<TextSource guid="T" name="t"><PlainTextContent>abc</PlainTextContent>'
        f"{selection(0, 1)}{selection(0, 1, user='U2')}</TextSource><PDFSource guid='X'/>"
    )
    found = read_project(archive_of(document(inside)), "p")
    assert found.skipped == 1
    assert found.codings["coder"].tolist() == ["Kim u1", "Kim u2"]


def test_every_position_and_code_that_is_not_there_is_said():
    spans = [(0, 4), (2, 1), (-1, 2), ("x", 1), (0, 10**30)]
    inside = "".join(selection(*span) for span in spans) + selection(0, 3, "Z")
    content = "<PlainTextContent>abc</PlainTextContent>"
    data = archive_of(document(f'<TextSource guid="T" name="t">{content}{inside}</TextSource>'))
    with pytest.raises(InputError) as caught:
        read_project(data, "p.qdpx")
    assert len(caught.value.problems) == 6
    assert all(problem.startswith("p.qdpx: source 't': ") for problem in caught.value.problems)


def test_hostile_archives_are_refused(monkeypatch):
    good = write_project(WATER, *coded("wells", [(0, 5)]), "c", {})
    with zipfile.ZipFile(two := io.BytesIO(good), "a") as archive:
        archive.writestr("b.qde", "<Project/>")
    bomb = archive_of(document(""), T=b"0" * 10**6)
    lies = bomb.replace((10**6).to_bytes(4, "little"), b"\x09\0\0\0")  # declares 9 bytes
    with zipfile.ZipFile(other := io.BytesIO(), "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("project.qde", document(""))
    source = '<TextSource guid="T" plainTextPath="internal://T.txt"/>'
    monkeypatch.setattr(refi_qda, "MOST_UNPACKED", 10**5)
    assert len(read_project(good, "p.qdpx").codings) == 3
    for data, said in (
        (b"", "no archive"),
        (good[:-30], "no archive"),
        (good.replace(b"startPosition", b"startPositiom", 1), "no archive"),  # its sum is wrong
        (bomb, "unpacks to more"),
        (lies, "no archive"),
        (other.getvalue(), "no archive"),
        (archive_of("<Project"), "no XML"),
        (archive_of('<!DOCTYPE a [<!ENTITY e "x">]><Project name="&e;"/>'), "no XML"),
        (two.getvalue(), "2 files .qde"),
        (archive_of(document(source), T=b"\xff\xfe"), "not UTF-8"),
    ):
        with pytest.raises(InputError, match=rf"^p\.qdpx.*{said}"):
            read_project(data, "p.qdpx")
    tracemalloc.start()
    with pytest.raises(InputError):
        read_project(lies, "p.qdpx")
    assert tracemalloc.get_traced_memory()[1] < 5 * 10**5
    tracemalloc.stop()


@needs_refi
def test_a_real_project_of_atlas_ti_is_read_as_a_plain_count_has_it():
    found = read_project(ATLAS.read_bytes(), "atlas.qdpx")
    with zipfile.ZipFile(ATLAS) as archive:
        text = archive.read("Project.qde").decode()
    codes = ET.fromstring(text).findall(".//{*}CodeBook/{*}Codes/{*}Code")
    labels = [code.label["en"] for code in found.codebook.codes]
    assert labels == [code.get("name") for code in codes]
    assert len(labels) == 14
    texts = re.findall(r"<TextSource\b[^>]*?(?:/>|>.*?</TextSource>)", text, re.DOTALL)
    assert len(found.sources) == len(texts) == 6
    assert len(found.codings) == sum(one.count("<CodeRef") for one in texts)
    assert found.skipped == len(re.findall(r"<(?:PDF|Picture|Audio|Video)Source\b", text)) == 6
    assert found.sources["text"].isna().all()  # the archive holds no file
    assert set(found.codings["coder"]) == {"Friedrich Markgraf"}
    spans = found.codings[["start", "end"]].drop_duplicates().to_numpy().tolist()
    assert [139, 195] in spans  # a sentence of 56 characters, by its name: the end is exclusive
    assert read_codebook(write_codebook(found.codebook, "a"), "a.qdc") == found.codebook
