"""What people coded: every judgement that was ever read back, and which of them count.

A judgement is all the codes that one coder gave to one answer, none included. The record,
`codings.csv` in the consultation's folder, is only ever added to: a later judgement of the same
coder takes the place of an earlier one, and both stay. It holds no word of an answer.

Beside it `codebook_versions.json` keeps each codebook that people coded by, so that what has
changed since can be said. People read definitions, not patterns: patterns make no judgement stale.
"""

import csv
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from upr_analysis.codebook import Code, Codebook
from upr_analysis.coding import (
    CONSENSUS,
    MACHINE,
    PEOPLE,
    code_responses,
    given_codings,
    keep_known,
    text_hash,
)
from upr_analysis.documents import as_model
from upr_analysis.problems import InputError, did_you_mean

RECORD: Final = "codings.csv"
VERSIONS: Final = "codebook_versions.json"
COLUMNS: Final = (
    "batch", "read_on", "coder", "basis", "respondent", "question", "text_hash",
    "codebook_version", "code", "start", "end", "note",
)  # fmt: skip
UNIT: Final = ["respondent", "question"]
# assisted: the coder saw suggestions; adjudicated: the coder saw what others had given
BASES: Final = ("independent", "assisted", "adjudicated")
CODER: Final = re.compile(r"[^\W\d_][\w-]{0,39}")
TAKEN: Final = (MACHINE, PEOPLE, CONSENSUS)


@dataclass(frozen=True)
class Coded:
    """All codings of a run, and what they rest on.

    `codings` say by `counts` which are counted. `judged` has a row an answer that people judged:
    respondent, question, by (consensus or export), coders, settled. `left_out` counts judgements
    that no longer stand, by reason; `versions` those that do, by version of the codebook.
    """

    codings: pd.DataFrame
    judged: pd.DataFrame
    left_out: Mapping[str, int]
    versions: pd.Series


def is_coder(name: str) -> bool:
    """Whether a coder may be called so: a word of letters, digits, _ and -, not one of ours."""
    return bool(CODER.fullmatch(name)) and name.casefold() not in TAKEN


def same_coder(name: str, record: pd.DataFrame) -> str | None:
    """Return a coder of the record whose name differs by case, or coding of letters, only."""
    plain = unicodedata.normalize("NFC", name).casefold()
    for known in record["coder"].unique():
        if known != name and unicodedata.normalize("NFC", known).casefold() == plain:
            return str(known)
    return None


def read_record(consultation: Path) -> pd.DataFrame:
    """Read a consultation's record of codings (COLUMNS, text but for `batch`), empty without one.

    InputError says where it is not what this package wrote.
    """
    path = consultation / RECORD
    if not path.exists():
        return pd.DataFrame({name: pd.Series(dtype="str") for name in COLUMNS}).astype(
            {"batch": int}
        )
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            head, *rows = csv.reader(stream, strict=True)
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path} is no csv in UTF-8: restore it from a copy.") from error
    if tuple(head) != COLUMNS:
        raise InputError(f"{path} has other columns than {', '.join(COLUMNS)}: restore it.")
    cut = [number for number, row in enumerate(rows, 1) if len(row) != len(COLUMNS)]
    if cut:
        raise InputError(f"{path} row {cut[0]} was cut off: restore it from a copy.")
    record = pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")
    start, end = (pd.to_numeric(record[name], errors="coerce") for name in ("start", "end"))
    whole = (record["start"] == "") & (record["end"] == "")
    wrong = {
        "batch": ~record["batch"].str.fullmatch(r"[0-9]{1,9}"),
        "basis": ~record["basis"].isin(BASES),
        "coder": ~record["coder"].map(is_coder).astype(bool),
        "start": ~(whole | (record["start"].str.fullmatch(r"[0-9]{1,9}") & (start < end))),
    }
    problems = [
        f"{path} row {row + 1}: {name!r} is none that was ever written: restore it."
        for name, rows_of_it in wrong.items()
        for row in rows_of_it[rows_of_it].index[:5]
    ]
    if problems:
        raise InputError(problems)
    return record.astype({"batch": int})


def located(record: pd.DataFrame, open_responses: pd.DataFrame) -> pd.DataFrame:
    """Return the record with each judgement at the answer that it is of, as respondents are now.

    Pseudonyms change with the seed and with the rows of an export; the question and the text of an
    answer do not. Answers of the same words are told apart by pseudonym, and else dealt in order.
    A judgement whose answer is not found stays as it was.
    """
    if record.empty:
        return record
    now: dict[tuple[str, str], list[str]] = {}
    for respondent, question, text in sorted(
        open_responses[[*UNIT, "text"]].itertuples(index=False, name=None)
    ):
        now.setdefault((question, text_hash(text)), []).append(respondent)
    keys = ["batch", "question", "text_hash", "respondent"]
    found = {}
    for key, those in record[keys].drop_duplicates().groupby(keys[:3], sort=True):
        there = now.get((str(key[1]), str(key[2])), [])
        were = sorted(those["respondent"])
        free = iter([name for name in there if name not in were])
        for name in were:
            found[(*key, name)] = name if name in there else next(free, name)
    places = record[keys].itertuples(index=False, name=None)
    return record.assign(respondent=[found[place] for place in places])


def add_to_record(consultation: Path, rows: pd.DataFrame, day: str) -> int:
    """Add judgements as one batch; returns its number. `rows` have COLUMNS but batch and read_on.

    The record is written beside itself and put in place whole, for its owner only.
    """
    record = read_record(consultation)
    batch = int(record["batch"].max()) + 1 if len(record) else 1
    new = rows.assign(batch=batch, read_on=day)[list(COLUMNS)]
    whole = pd.concat([record, new], ignore_index=True)
    text = whole.to_csv(index=False, quoting=1, lineterminator="\n")
    put_in_place(consultation / RECORD, text)
    return batch


def put_in_place(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file beside itself and put it in place whole, for its owner only by default."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=mode)
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def read_versions(consultation: Path) -> dict[str, Codebook]:
    """Read the codebooks that people have coded by, by version; {} where nobody has."""
    path = consultation / VERSIONS
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        books = {name: as_model(book, Codebook, f"{path} {name}") for name, book in content.items()}
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path} is no JSON that this package wrote: restore it.") from error
    return books


def keep_version(consultation: Path, codebook: Codebook) -> None:
    """Keep a codebook that people are going to code by, if it is not kept yet."""
    books = read_versions(consultation)
    if codebook.version not in books:
        books[codebook.version] = codebook
        content = {name: book.model_dump(mode="json") for name, book in books.items()}
        text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)
        put_in_place(consultation / VERSIONS, text + "\n")


def what_changed(before: Codebook, now: Codebook) -> list[str]:
    """Return what differs for a person who codes: codes added, removed or described otherwise."""
    old, new = ({code.name: code for code in book.codes} for book in (before, now))
    lines = [f"{name} was removed" for name in old if name not in new]
    lines += [f"{name} was added" for name in new if name not in old]
    for name in old.keys() & new.keys():
        parts = [part for part in _MEANT if getattr(old[name], part) != getattr(new[name], part)]
        if parts:
            lines.append(f"{name}: {', '.join(parts)} changed")
    return sorted(lines)


_MEANT: Final = [name for name in Code.model_fields if name not in ("name", "patterns", "source")]


def stale_versions(
    record: pd.DataFrame, codebook: Codebook, books: Mapping[str, Codebook]
) -> dict[str, list[str]]:
    """Return what changed since, of each version in the record that means something else now."""
    found = {}
    for version in sorted(set(record["codebook_version"]) - {codebook.version}):
        book = books.get(version)
        changes = what_changed(book, codebook) if book else ["that codebook was not kept"]
        if changes:
            found[version] = changes
    return found


def stale_since(consultation: Path, codebook: Codebook) -> dict[str, list[str]]:
    """Return `stale_versions` of a consultation's record and of the codebooks kept with it."""
    return stale_versions(read_record(consultation), codebook, read_versions(consultation))


def in_force(record: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the judgements in force: each coder's last of an answer.

    Of adjudications of an answer it is the last, whoever's it is.
    """
    whose = record["coder"].where(record["basis"] != "adjudicated", "")
    last = record.groupby([whose, *UNIT])["batch"].transform("max")
    return record[record["batch"] == last]


def judgements(record: pd.DataFrame) -> pd.DataFrame:
    """Return the judgements in force, a row a coder and answer, `codes` a frozenset."""
    kept = ["coder", "basis", *UNIT, "text_hash", "codebook_version"]
    rows = [
        (*key, frozenset(filter(None, those["code"])))
        for key, those in in_force(record).groupby(kept, sort=True)
    ]
    return pd.DataFrame(rows, columns=[*kept, "codes"])


def standing(
    judged: pd.DataFrame, open_responses: pd.DataFrame, codebook: Codebook
) -> tuple[pd.DataFrame, Counter[str]]:
    """Return the judgements of answers as they are now, and how many are left out by reason."""
    now = open_responses.set_index(UNIT)["text"].map(text_hash)
    hashes = now.reindex(pd.MultiIndex.from_frame(judged[UNIT])).to_numpy()
    known = {code.name for code in codebook.codes}
    units = list(judged[UNIT].itertuples(index=False, name=None))
    # all judgements of the answer: what is left of them would be one side of it only
    gone = {unit for unit, codes in zip(units, judged["codes"], strict=True) if not codes <= known}
    reasons = [
        "answer no longer there" if not isinstance(now_hash, str)
        else "answer changed since" if now_hash != was
        else "code no longer in the codebook" if unit in gone
        else ""
        for now_hash, was, unit in zip(hashes, judged["text_hash"], units, strict=True)
    ]  # fmt: skip
    stands = pd.Series([not reason for reason in reasons], index=judged.index, dtype=bool)
    return judged[stands], Counter(filter(None, reasons))


def consensus(judged: pd.DataFrame) -> pd.DataFrame:
    """Return what people make of each answer together: respondent, question, codes, coders,
    settled.

    An adjudication decides. Else a code counts that more than half of the coders gave; where they
    differ, it is not `settled`.
    """
    rows = []
    for (respondent, question), those in judged.groupby(UNIT, sort=True):
        decided = those[those["basis"] == "adjudicated"]
        votes = (decided if len(decided) else those)["codes"].tolist()
        counts = Counter(code for codes in votes for code in codes)
        codes = frozenset(code for code, number in counts.items() if 2 * number > len(votes))
        coders = int((those["basis"] != "adjudicated").sum())
        rows.append((respondent, question, codes, coders, len(set(votes)) == 1))
    return pd.DataFrame(rows, columns=[*UNIT, "codes", "coders", "settled"])


def independent(judged: pd.DataFrame) -> pd.DataFrame:
    """Return judgements by which agreement may be measured: made without sight of any other."""
    return judged[judged["basis"] == "independent"]


def code_everything(
    open_responses: pd.DataFrame, imported: pd.DataFrame, codebook: Codebook, record: pd.DataFrame
) -> Coded:
    """Return every coding of the run: by patterns, by the export, by each coder and by consensus.

    Where people judged an answer, what they say counts, be it that no code applies; elsewhere the
    patterns. `imported` are the codes that the export holds, `record` those of `read_record`.
    """
    record = located(record, open_responses)
    machine = code_responses(open_responses, codebook)
    imported = keep_known(imported, open_responses).assign(coder=PEOPLE)
    judged, left_out = standing(judgements(record), open_responses, codebook)
    agreed = consensus(judged)
    together = agreed.explode("codes").dropna(subset="codes").rename(columns={"codes": "code"})
    given = [imported, codings_by_coder(record, judged), together.assign(coder=CONSENSUS)]
    people = given_codings(pd.concat(given, ignore_index=True), open_responses, codebook)
    whose = _whose(agreed, imported)
    by = pd.Series(whose["by"].to_numpy(), pd.MultiIndex.from_frame(whose[UNIT]))
    decided = by.reindex(pd.MultiIndex.from_frame(people[UNIT])).to_numpy()
    codings = pd.concat([machine, people], ignore_index=True)
    counted = [*~_among(machine, whose), *(people["coder"] == decided)]
    codings["counts"] = np.array(counted, dtype=bool)
    return Coded(codings, whose, left_out, judged["codebook_version"].value_counts())


def codings_by_coder(record: pd.DataFrame, judged: pd.DataFrame) -> pd.DataFrame:
    """Return the codes of judgements with their spans."""
    rows = in_force(record).merge(judged[["coder", "basis", *UNIT]], on=["coder", "basis", *UNIT])
    rows = rows[rows["code"] != ""].sort_values(["coder", *UNIT, "code", "start"])
    spans = {name: pd.to_numeric(rows[name]).astype("Int32") for name in ("start", "end")}
    return rows[["coder", *UNIT, "code"]].assign(**spans)


def _whose(agreed: pd.DataFrame, imported: pd.DataFrame) -> pd.DataFrame:
    """Return who decides on each answer that people judged: coders before the export."""
    exported = imported[UNIT].drop_duplicates().assign(by=PEOPLE, coders=1, settled=True)
    decided = agreed[[*UNIT, "coders", "settled"]].assign(by=CONSENSUS)
    both = pd.concat([decided[exported.columns], exported]) if len(decided) else exported
    return both.drop_duplicates(UNIT, ignore_index=True)


def _among(rows: pd.DataFrame, units: pd.DataFrame) -> np.ndarray:
    keys = pd.MultiIndex.from_frame(units[UNIT])
    return np.asarray(pd.MultiIndex.from_frame(rows[UNIT]).isin(keys))


def rows_of(
    judged: Iterable[tuple[str, str, str, Sequence[str], str]],
    coder: str,
    basis: str,
    version: str,
) -> pd.DataFrame:
    """Return judgements as rows of the record: each (respondent, question, hash, codes, note).

    A judgement without a code is a row without one.
    """
    rows = [
        (coder, basis, respondent, question, digest, version, code, "", "", note)
        for respondent, question, digest, codes, note in judged
        for code in (codes or ("",))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS[2:]), dtype="str")


def unknown_code(code: str, known: Iterable[str]) -> str:
    """Return what to say of a code that the codebook does not have; no word of an answer."""
    shown = repr(code) if re.fullmatch(r"[a-z][a-z0-9_]{0,39}", code) else "what stands there"
    return f"{shown} is not in the codebook{did_you_mean(code, known)}"
