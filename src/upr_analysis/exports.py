"""Survey tools' files: from bytes to the text of each question's answers, nothing interpreted yet.

Two layouts are known: `csv` (one header row; a select-all question in one column, its options
joined) and `surveymonkey` (two header rows; a select-all question spread over one column an
option).
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pandas as pd
from charset_normalizer import from_bytes

from upr_analysis.documents import label
from upr_analysis.problems import InputError, did_you_mean
from upr_analysis.questionnaire import Question, Questionnaire

# The columns that SurveyMonkey puts before the questions: personal data is kept only as a list of
# strings to be found in open answers, the rest is dropped.
SURVEYMONKEY_PERSONAL: Final = ("IP Address", "Email Address", "First Name", "Last Name")
SURVEYMONKEY_IGNORED: Final = ("Collector ID", "Start Date", "End Date", "Custom Data 1")
SURVEYMONKEY_ANSWER: Final = ("Response", "Open-Ended Response", "")
OTHER: Final = ("other", "autre", "otr", "please specify")  # heads of the words behind "other"
BYTE_ORDER_MARKS: Final = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


@dataclass(frozen=True)
class Export:
    """An export bound to its questionnaire, every cell still text, blank where nothing stands.

    `answers` maps a question to its column (n,), `ticks` a select-all question spread over columns
    to its option columns (n, options), `others` a question to the words behind "other".
    `personal` are the tool's own columns that identify people. `digest` is the SHA-256 of the
    files' bytes in order. `places` say where in the files each row stands, for messages.
    """

    rows: int
    places: tuple[str, ...] = ()
    answers: dict[str, pd.Series] = field(default_factory=dict)
    ticks: dict[str, pd.DataFrame] = field(default_factory=dict)
    others: dict[str, pd.Series] = field(default_factory=dict)
    personal: tuple[pd.Series, ...] = ()
    digest: str = ""


def read_export(files: Sequence[Path], questionnaire: Questionnaire) -> Export:
    """Read the export's files, one after the other, and bind their columns to the questions.

    InputError names every file, column or row that does not fit.
    """
    header_rows = 2 if questionnaire.format == "surveymonkey" else 1
    digest, bodies = hashlib.sha256(), []
    places: list[str] = []
    headers: list[tuple[str, ...]] = []
    for path in files:
        content = path.read_bytes()
        digest.update(content)
        table = _table(path, content, questionnaire)
        if len(table) <= header_rows:
            what = "is empty" if table.empty else "holds a header and no answers"
            raise InputError(f"{path.name} {what}: export the responses again.")
        top = table.iloc[:header_rows]
        found = [tuple(_plain(cell) for cell in top[column]) for column in table.columns]
        if headers and found != headers:
            raise InputError(
                f"{path.name} has other columns than {files[0].name}: one export, one header."
            )
        headers = found
        bodies.append(table.iloc[header_rows:])
        of = f" of {path.name}" if len(files) > 1 else ""
        places += [f"{row}{of}" for row in table.index[header_rows:]]
    body = pd.concat(bodies, ignore_index=True) if len(bodies) > 1 else bodies[0]
    body = body.reset_index(drop=True)
    bind = _bind_surveymonkey if questionnaire.format == "surveymonkey" else _bind_csv
    export = bind(files[0].name, headers, body, questionnaire, digest.hexdigest())
    return replace(export, places=tuple(places))


def _table(path: Path, content: bytes, questionnaire: Questionnaire) -> pd.DataFrame:
    """Read every cell as text, indexed by row; ragged rows and undecodable bytes are errors."""
    if not content.strip():
        return pd.DataFrame()
    marked = [name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)]
    encoding = marked[0] if marked else questionnaire.encoding
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        guess = from_bytes(content).best()
        likely = f"; it looks like {guess.encoding}" if guess else ""
        raise InputError(
            f"{path.name} is not {encoding} (byte {error.start}){likely}: set 'encoding' in "
            "questionnaire.yml."
        ) from error
    except LookupError as error:
        raise InputError(f"questionnaire.yml: no encoding is called {encoding!r}.") from error
    if "\0" in text:
        raise InputError(f"{path.name} holds NUL bytes: is it a csv file?")
    # Not pandas' reader, which fills a row that was cut off with blanks and says nothing.
    try:
        read = enumerate(
            csv.reader(io.StringIO(text, newline=""), delimiter=questionnaire.delimiter), 1
        )
        numbered = {number: row for number, row in read if row}
    except csv.Error as error:
        raise InputError(f"{path.name} is not a csv table ({error}): export it again.") from error
    if not numbered:
        return pd.DataFrame()
    width = len(next(iter(numbered.values())))
    for number, row in numbered.items():
        if len(row) != width:
            raise InputError(
                f"{path.name}: row {number} has {len(row)} cells, and the header {width}: is the "
                "file cut off, or a comma not quoted?"
            )
    return pd.DataFrame(list(numbered.values()), index=list(numbered), dtype="str")


def _plain(text: str) -> str:
    """Return a header with its white space made single and no-break spaces plain."""
    return " ".join(text.split())


def _headers_of(question: Questionnaire, item: Question) -> list[str]:
    language = question.export_language
    return [_plain(item.column or item.label_as_asked or label(item.label, language))]


def _bind_csv(
    file: str,
    headers: list[tuple[str, ...]],
    body: pd.DataFrame,
    questionnaire: Questionnaire,
    digest: str,
) -> Export:
    names = [header[0] for header in headers]
    answers, bound, missing, problems = {}, set[int](), [], []
    for question in questionnaire.survey:
        header = _headers_of(questionnaire, question)[0]
        places = [place for place, name in enumerate(names) if name == header]
        if question.occurrence == "coalesce" and places:
            columns = [body.iloc[:, place] for place in places]
            answers[question.name] = _coalesce(columns)
        elif isinstance(question.occurrence, int) and len(places) >= question.occurrence:
            places = [places[question.occurrence - 1]]
            answers[question.name] = body.iloc[:, places[0]]
            if places[0] in bound:
                problems.append(
                    f"{file}: column {places[0] + 1} is bound twice, again by {question.name}: set "
                    "'occurrence'."
                )
        elif not question.optional_column:
            missing.append(_missing(file, question, header, names))
        bound |= set(places)
    problems += _unknown(
        file, [(n, names[n]) for n in range(len(names)) if n not in bound], questionnaire
    )
    _raise(file, missing, problems, questionnaire)
    return Export(len(body), answers=answers, digest=digest)


def _coalesce(columns: list[pd.Series]) -> pd.Series:
    """Return the first non-blank cell of each row."""
    merged = columns[0]
    for column in columns[1:]:
        merged = merged.where(merged.str.strip() != "", column)
    return merged


def _bind_surveymonkey(
    file: str,
    headers: list[tuple[str, ...]],
    body: pd.DataFrame,
    questionnaire: Questionnaire,
    digest: str,
) -> Export:
    """Bind blocks of columns: one begins at each header that is not blank."""
    blocks: list[tuple[str, list[tuple[int, str]]]] = []
    for place, (top, below) in enumerate(headers):
        if top or not blocks:
            blocks.append((top, []))
        blocks[-1][1].append((place, below))
    export = Export(len(body), digest=digest)
    bound, missing, problems = set[int](), list[str](), list[str]()
    for question in questionnaire.survey:
        wanted, _, part = _headers_of(questionnaire, question)[0].partition(" > ")
        found = [columns for top, columns in blocks if top == wanted]
        if isinstance(question.occurrence, int) and len(found) >= question.occurrence:
            block = found[question.occurrence - 1]
            block = [(place, "") for place, below in block if below == part] if part else block
            bound |= {place for place, _ in block}
            problems += _bind_block(file, question, block, body, questionnaire, export)
        elif not question.optional_column:
            missing.append(_missing(file, question, wanted, [top for top, _ in blocks]))
    tools = {*SURVEYMONKEY_IGNORED, *SURVEYMONKEY_PERSONAL}
    left = [
        (place, top)
        for top, columns in blocks
        for place, below in columns
        if place not in bound and top not in tools and top not in questionnaire.ignored
    ]
    problems += _unknown(file, left, questionnaire)
    _raise(file, missing, problems, questionnaire)
    personal = [
        body.iloc[:, columns[0][0]] for top, columns in blocks if top in (SURVEYMONKEY_PERSONAL)
    ]
    return replace(export, personal=tuple(personal))


def _bind_block(
    file: str,
    question: Question,
    block: list[tuple[int, str]],
    body: pd.DataFrame,
    questionnaire: Questionnaire,
    export: Export,
) -> list[str]:
    """Bind the columns under one question's header into `export`; return what does not fit."""
    choices = questionnaire.options(question)
    options = {
        _plain(text): choice
        for choice in choices
        for text in (*choice.label.values(), choice.label_as_asked or "", *choice.also)
    }
    has_other = any(choice.role == "other" for choice in choices)
    several = question.kind == "select_multiple"
    spread, problems = {}, []
    for place, below in block:
        column = body.iloc[:, place]
        choice = options.get(below)
        if several and choice is not None and choice.role != "other":
            spread[choice.name] = column
        elif below in SURVEYMONKEY_ANSWER and not several:
            export.answers[question.name] = column
        elif (
            has_other
            and question.name not in export.others
            and (choice is not None or below.casefold().startswith(OTHER))
        ):
            export.others[question.name] = column
        else:
            # the second header row of a file that has but one is somebody's answers: no word of it
            problems.append(
                f"{file}: column {place + 1} is no option of {question.name}: declare it in "
                "questionnaire.yml, or is the second header row missing?"
            )
    if several:
        export.ticks[question.name] = pd.DataFrame(spread, index=body.index)
    elif question.name not in export.answers and not problems:
        problems.append(f"{file} has no 'Response' column under the question {question.name}.")
    return problems


def _raise(file: str, missing: list[str], others: list[str], questionnaire: Questionnaire) -> None:
    """Raise what does not fit, if anything; in one line where the header is no header at all."""
    if len(missing) > len(questionnaire.survey) / 2:
        # the first row may then be somebody's answers: no word of it is shown
        raise InputError(
            f"{file}: {len(missing)} of {len(questionnaire.survey)} declared columns are missing. "
            f"Is it the right file, with its header, separated by {questionnaire.delimiter!r} "
            "('delimiter' in questionnaire.yml)?"
        )
    if missing or others:
        raise InputError([*missing, *others])


def _missing(file: str, question: Question, header: str, names: list[str]) -> str:
    return (
        f"{file} has no column {_short(header)!r} for {question.name}: correct 'column' in "
        f"questionnaire.yml{did_you_mean(header, [name for name in names if name])}"
    )


def _unknown(file: str, columns: list[tuple[int, str]], questionnaire: Questionnaire) -> list[str]:
    known = [_headers_of(questionnaire, question)[0] for question in questionnaire.survey]
    ignored = {_plain(header) for header in questionnaire.ignored}
    return [
        f"{file}: column {place + 1} ({_short(header)!r}) is no question of questionnaire.yml: "
        f"declare it, or list it under 'ignored'{did_you_mean(header, known)}"
        for place, header in columns
        if header not in ignored
    ]


def _short(header: str) -> str:
    return header if len(header) <= 60 else header[:57] + "..."
