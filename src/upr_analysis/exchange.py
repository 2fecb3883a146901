"""Codebook and codings to and from other programs: csv, and REFI-QDA's `.qdc` and `.qdpx`."""

import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from ruamel.yaml import YAML

from upr_analysis.codebook import Codebook
from upr_analysis.codes import Work, record_rows
from upr_analysis.coding import MACHINE, PEOPLE, given_codings, text_hash
from upr_analysis.codings import (
    TAKEN,
    codings_by_coder,
    is_coder,
    keep_version,
    rows_of,
    same_coder,
    what_changed,
)
from upr_analysis.problems import InputError
from upr_analysis.refi_qda import (
    Project,
    read_codebook,
    read_codebook_table,
    read_project,
    write_codebook,
    write_codebook_table,
    write_project,
)

SUFFIXES: Final = (".csv", ".qdc", ".qdpx")


@dataclass(frozen=True)
class Imported:
    """What came in: where the codebook was put and how it differs, or judgements by coder."""

    codebook: Path | None = None
    changes: tuple[str, ...] = ()
    judged: dict[str, int] | None = None
    notes: tuple[str, ...] = ()


def export_to(work: Work, target: Path) -> int:
    """Write the codebook (.csv, .qdc) or the whole project with its codings (.qdpx) to a new file.

    A project holds the answers, as stored: it is for its owner only, and so is its file. Returns
    how many judgements stay behind, since the format has no place for them: adjudications, and
    those that no code applies.
    """
    behind = 0
    suffix = _suffix(target)
    if target.exists():
        raise InputError(f"{target} stands: name a file that does not.")
    consultation = work.parameters.consultation
    if suffix == ".csv":
        content = write_codebook_table(work.codebook).encode()
    elif suffix == ".qdc":
        content = write_codebook(work.codebook, consultation)
    else:
        codings = work.coded.codings
        own = codings["coder"].isin([MACHINE, PEOPLE])
        judged = work.judged()
        behind = int(((judged["basis"] == "adjudicated") | (judged["codes"].map(len) == 0)).sum())
        judged = judged[judged["basis"] != "adjudicated"]  # the coder's own is another judgement
        given = codings_by_coder(work.record, judged)
        people = given_codings(given, work.open_responses, work.codebook)
        codings = pd.concat([codings[own], people], ignore_index=True)
        names = {one.name: work.labels.question(one.name) for one in work.questionnaire.survey}
        content = write_project(work.codebook, work.open_responses, codings, consultation, names)
    target.touch(mode=0o600)
    target.write_bytes(content)
    return behind


def import_from(work: Work, source: Path, basis: str, day: str) -> Imported:
    """Read a codebook or the codings of a project that another program wrote.

    A codebook is put beside the sheets, as codebook.yml, for the researcher to compare and take; a
    project's codings go into the record. Its sources are found among the answers by their names,
    as exported, and else by their texts. InputError where a code is not in the codebook.
    """
    suffix = _suffix(source)
    if not source.is_file():
        raise InputError(f"{source} is not there: check the path and its spelling.")
    data = source.read_bytes()
    if suffix == ".qdpx":
        return _take_codings(work, read_project(data, source.name), source.name, basis, day)
    if suffix == ".qdc":
        book = read_codebook(data, source.name)
    else:
        book = read_codebook_table(data.decode("utf-8-sig", errors="replace"), source.name)
    path = work.write("codebook.yml", as_yaml(book))
    return Imported(path, tuple(what_changed(work.codebook, book)))


def as_yaml(codebook: Codebook) -> str:
    """Return a codebook as the text of a codebook.yml, without what is as by default."""
    yaml: Any = YAML(typ="safe", pure=True)
    stream = io.StringIO()
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False
    yaml.allow_unicode, yaml.width = True, 100
    yaml.dump(codebook.model_dump(mode="json", exclude_defaults=True), stream)
    return stream.getvalue()


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            f"{path.name} is none of {', '.join(SUFFIXES)}: a codebook is .csv or .qdc, a project "
            "with codings .qdpx."
        )
    return suffix


def _take_codings(work: Work, project: Project, where: str, basis: str, day: str) -> Imported:
    units = _units_of(work, project.sources)
    codings = project.codings[project.codings["source"].isin(list(units))]
    codings = codings.assign(coder=codings["coder"].map(_coder_name))
    codings = codings[~codings["coder"].isin(TAKEN)]
    for coder in codings["coder"].unique():
        if other := same_coder(coder, work.record):
            raise InputError(f"{where}: {coder!r} codes there, and the record has {other!r}: one.")
    known = {code.name for code in work.codebook.codes}
    if unknown := sorted(set(codings["code"]) - known):
        raise InputError(
            f"{where}: codes {', '.join(unknown)} are not in the codebook: export its codebook as "
            ".qdc, import that first, and add them."
        )
    version, judged = work.codebook.version, Counter[str]()
    keep_version(work.consultation, work.codebook)
    for coder, own in codings.groupby("coder", sort=True):
        judged_by = [
            (*units[source], (code,), "")
            for source, code in zip(own["source"], own["code"], strict=True)
        ]
        rows = rows_of(judged_by, str(coder), basis, version)
        for name in ("start", "end"):
            rows[name] = own[name].astype("string").fillna("").tolist()
        judged[str(coder)] = record_rows(
            work, rows.drop_duplicates(ignore_index=True), day, known=True
        )
    notes = [
        f"{number} sources {why}."
        for why, number in (
            ("are no text and were passed over", project.skipped),
            ("are no answer of this consultation", len(project.sources) - len(units)),
        )
        if number
    ]
    return Imported(judged=dict(judged), notes=tuple(notes))


def _units_of(work: Work, sources: pd.DataFrame) -> dict[str, tuple[str, str, str]]:
    """Return of each source the answer that it is: respondent, question and hash of the text.

    By name, where the text is the same too; else by the text, where one answer alone has it.
    """
    answers = work.open_responses
    hashes = answers["text"].map(text_hash)
    rows = list(zip(answers["respondent"], answers["question"], hashes, strict=True))
    by_name = {
        f"{respondent} {question}": unit for unit in rows for respondent, question in [unit[:2]]
    }
    single = ~hashes.duplicated(keep=False)
    by_text = {digest: unit for unit, digest, one in zip(rows, hashes, single, strict=True) if one}
    found = {}
    for source, name, text in sources[["source", "name", "text"]].itertuples(
        index=False, name=None
    ):
        if pd.isna(text):
            continue
        digest, named = text_hash(text), by_name.get(name)
        unit = named if named and named[2] == digest else by_text.get(digest)
        if unit:
            found[source] = unit
    return found


def _coder_name(name: str) -> str:
    """Return a user of another program as a coder's name here."""
    plain = re.sub(r"[^\w-]+", "_", name).strip("_-")[:40]
    return plain if plain in TAKEN or is_coder(plain) else f"coder_{plain or 'unnamed'}"[:40]
