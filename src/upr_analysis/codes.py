"""The work of coding by people, from sheets to a consensus: what `upr codes` does."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from upr_analysis.codebook import Codebook, read_codebook
from upr_analysis.coding import account
from upr_analysis.codings import (
    TAKEN,
    UNIT,
    Coded,
    add_to_record,
    code_everything,
    consensus,
    in_force,
    is_coder,
    judgements,
    keep_version,
    located,
    read_record,
    read_versions,
    same_coder,
    stale_since,
    standing,
)
from upr_analysis.labels import Labels
from upr_analysis.parameters import Parameters
from upr_analysis.pipeline import Runner
from upr_analysis.problems import InputError, did_you_mean
from upr_analysis.questionnaire import Questionnaire, read_questionnaire
from upr_analysis.reliability import agreement_of_everyone
from upr_analysis.sheets import (
    NONE,
    Read,
    Sheet,
    code_names,
    deal,
    draw_sample,
    read_sheet,
    write_sheet,
)
from upr_analysis.words import say

ADJUDICATION: Final = "adjudication"


@dataclass(frozen=True)
class Work:
    """A consultation's answers and all that people have coded of them, and where sheets go."""

    parameters: Parameters
    consultation: Path
    folder: Path
    questionnaire: Questionnaire
    codebook: Codebook
    labels: Labels
    open_responses: pd.DataFrame
    memberships: pd.DataFrame
    imported: pd.DataFrame

    @property
    def record(self) -> pd.DataFrame:
        """Every judgement that was read back, as it is on disk now."""
        return located(read_record(self.consultation), self.open_responses)

    @property
    def coded(self) -> Coded:
        """What a run would make of it."""
        return code_everything(self.open_responses, self.imported, self.codebook, self.record)

    @property
    def codable(self) -> pd.DataFrame:
        """The answers that hold anything to code."""
        coded = self.coded
        counted = coded.codings[coded.codings["counts"]]
        outcome = account(self.open_responses, counted, coded.judged, self.codebook)
        return self.open_responses[outcome.isin(["coded", "none_applies", "disputed", "failed"])]

    def judged(self) -> pd.DataFrame:
        """Return the judgements that stand."""
        return standing(judgements(self.record), self.open_responses, self.codebook)[0]

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file for its owner only, since it holds words of answers or of coders."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


def begin_work(parameters: Parameters, runner: Runner) -> Work:
    """Return a consultation's answers, cleaned and redacted as a run stores them.

    The steps that lead there are run if their results are not in the store.
    """
    root, outputs = runner.root, runner.store.outputs
    consultation = root / "data" / parameters.consultation
    first, second = runner.results(parameters, "02_clean")
    questionnaire, codebook = read_questionnaire(consultation), read_codebook(consultation)
    if not codebook.themes:
        raise InputError(
            f"{consultation / 'codebook.yml'} holds no code to give: write themes and codes first."
        )
    invented = '"invented"' in (first.folder / "private" / "source.json").read_text("utf-8")
    mark = say("banner.invented.word", parameters.language) if invented else ""
    return Work(
        parameters,
        consultation,
        outputs / "codes" / parameters.name,
        questionnaire,
        codebook,
        Labels(questionnaire, codebook, parameters.language, mark),
        pd.read_parquet(second.folder / "private" / "open_responses.parquet"),
        pd.read_parquet(second.folder / "private" / "memberships.parquet"),
        pd.read_parquet(first.folder / "private" / "imported_codes.parquet"),
    )


def make_sheets(
    work: Work,
    coders: Sequence[str],
    size: int | None,
    overlap: float,
    by: Sequence[str],
    shown: Sequence[str],
    replace: bool,
    following: pd.DataFrame | None = None,
    suggested: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> list[tuple[Path, int]]:
    """Write a sheet for each coder; returns each with its number of answers.

    Answers that one of them has judged already, by today's definitions, are not drawn again. `by`
    are groupings that the sample is stratified by, beside question and language; `shown` those in
    view of the coders. Of `following`, if given, the first are taken, and no sample is drawn. Where
    codes are `suggested`, answers with such are drawn, and what comes back is not independent.
    """
    _refuse_names(work, coders)
    _refuse_unknown_groupings(work, [*by, *shown])
    if not replace:
        for coder in coders:
            _refuse_standing(work.folder / f"{coder}.xlsx")
    judged = work.judged()
    stale = list(stale_since(work.consultation, work.codebook))
    done = judged[judged["coder"].isin(coders) & ~judged["codebook_version"].isin(stale)]
    fresh = work.codable if following is None else following
    if fresh.empty:
        raise InputError("No answer holds anything to code, or none of those listed is there now.")
    fresh = fresh[~pd.MultiIndex.from_frame(fresh[UNIT]).isin(pd.MultiIndex.from_frame(done[UNIT]))]
    if suggested is not None:
        units = fresh[UNIT].itertuples(index=False, name=None)
        fresh = fresh[[unit in suggested for unit in units]]
        if fresh.empty:
            raise InputError(
                "No code is suggested for an answer that these coders have not judged."
            )
    if fresh.empty:
        raise InputError("These coders have judged every answer that holds anything to code.")
    groups = {name: _groups(work, name, fresh) for name in dict.fromkeys([*by, *shown])}
    seed = work.parameters.seed
    fresh = fresh.assign(**groups)
    if following is None:
        sample = draw_sample(fresh, size, seed, ["question", "language", *by])
    else:
        sample = fresh.head(size or len(fresh))
    keep_version(work.consultation, work.codebook)
    made = []
    for coder, answers in deal(sample, coders, overlap, seed).items():
        view = {f"group: {work.labels.grouping(name)}": answers[name].tolist() for name in shown}
        basis = "independent"
        if suggested is not None:
            basis = "assisted"
            units = answers[UNIT].itertuples(index=False, name=None)
            view["suggested"] = [_in_words(suggested[unit], work) for unit in units]
        sheet = Sheet(coder, basis, work.codebook.version, answers, view)
        made.append((put_sheet(work, sheet, coder, replace), len(answers)))
    return made


def _refuse_names(work: Work, coders: Sequence[str]) -> None:
    """Raise InputError where a coder is named twice, or otherwise than the record has it."""
    wrong = [name for name in coders if not is_coder(name)]
    if wrong or len({name.casefold() for name in coders}) < len(coders):
        raise InputError(
            f"--coder {wrong[0] if wrong else coders[0]!r}: name each coder once, by one word of "
            f"letters, digits, - and _ that begins with a letter and is not {', '.join(TAKEN)}."
        )
    for name in coders:
        if other := same_coder(name, work.record):
            raise InputError(f"--coder {name!r}: the record has {other!r}: write it like that.")


def put_sheet(work: Work, sheet: Sheet, name: str, replace: bool) -> Path:
    """Write a sheet; InputError where one of that name stands, unless it is to be replaced."""
    if not replace:
        _refuse_standing(work.folder / f"{name}.xlsx")
    return work.write(f"{name}.xlsx", write_sheet(sheet, work.codebook, work.labels))


def _in_words(codes: Iterable[str], work: Work) -> str:
    names = code_names(work.codebook, work.labels)
    return "; ".join(names[code] for code in codes if code in names) or NONE


def _refuse_standing(path: Path) -> None:
    if path.exists():
        raise InputError(
            f"{path} stands, perhaps with a coder's work: read it back with `upr codes read` and "
            "move it away, or make it anew with --replace."
        )


def _refuse_unknown_groupings(work: Work, names: Iterable[str]) -> None:
    known = [grouping.name for grouping in work.questionnaire.groupings]
    unknown = [
        f"No grouping is called {name!r}{did_you_mean(name, known)}"
        for name in names
        if name not in known
    ]
    if unknown:
        raise InputError(unknown)


def _groups(work: Work, grouping: str, answers: pd.DataFrame) -> "pd.Series[str]":
    """Return for each answer the groups that its respondent is in, by their labels."""
    own = work.memberships[work.memberships["grouping"] == grouping]
    names = {group: work.labels.group(grouping, group) for group in own["group"].unique()}
    named = own.assign(group=own["group"].map(names))
    joined = named.groupby("respondent")["group"].agg("; ".join)
    return answers["respondent"].map(joined).fillna("")


def take_back(work: Work, paths: Sequence[Path]) -> list[tuple[Read, int]]:
    """Read sheets into the record, all or none; returns each with the judgements that are new.

    InputError holds what is wrong with any of them, and nothing is then recorded.
    """
    reads, problems = [], list[str]()
    for path in paths:
        if not path.is_file():
            problems.append(f"{path} is not there: check the path and its spelling.")
            continue
        try:
            reads.append(read_sheet(path, work.open_responses, work.codebook, work.labels))
        except InputError as error:
            problems += error.problems
    problems += _contradictions(reads)
    versions = {*read_versions(work.consultation), work.codebook.version}
    for read in reads:
        if read.version not in versions:
            problems.append(
                f"The sheet of {read.coder} says that it is of codebook {read.version!r}, which "
                "none is: restore that cell of its page About."
            )
        if other := same_coder(read.coder, work.record):
            problems.append(f"The record has {other!r}: write the coder {read.coder!r} like that.")
    if problems:
        raise InputError(problems)
    return [(read, record_rows(work, read.rows, today())) for read in reads]


def _contradictions(reads: Sequence[Read]) -> list[str]:
    """Return what one coder's sheets, read together, say differently of an answer."""
    said: dict[tuple[str, ...], frozenset[str]] = {}
    problems = []
    for read in reads:
        for key, own in read.rows.groupby(["coder", "basis", *UNIT], sort=False):
            codes = frozenset(own["code"])
            if said.setdefault(tuple(map(str, key)), codes) != codes:
                problems.append(f"Two sheets of {read.coder} differ on one answer: read one.")
    return list(dict.fromkeys(problems))


def today() -> str:
    """Return the day, as the record has it."""
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def record_rows(work: Work, rows: pd.DataFrame, day: str, known: bool = False) -> int:
    """Add to the record what is new in a coder's judgements; returns how many answers that are.

    With `known` a judgement is not new that stands with another basis, codebook or note: it comes
    back from a program that knows none of them, and no adjudication.
    """
    record, key, said = work.record, [*_KNOWN, "basis", "codebook_version"], [*_SAID, "note"]
    if known:
        record, key, said = record[record["basis"] != "adjudicated"], _KNOWN, _SAID
    new = _unlike(rows, record, key, said)
    if len(new):
        add_to_record(work.consultation, new, day)
    return len(new[UNIT].drop_duplicates())


_KNOWN: Final = ["coder", *UNIT, "text_hash"]
_SAID: Final = ["code", "start", "end"]


def _unlike(
    rows: pd.DataFrame, record: pd.DataFrame, key: list[str], said: list[str]
) -> pd.DataFrame:
    """Return the rows of judgements that differ in what is `said` from those in force of `key`."""
    if rows.empty:
        return rows

    def all_of(table: pd.DataFrame) -> dict[tuple[str, ...], frozenset[tuple[str, ...]]]:
        return {
            tuple(map(str, one)): frozenset(own[said].itertuples(index=False, name=None))
            for one, own in table.groupby(key, sort=False)
        }

    before = all_of(in_force(record))
    new = {one for one, own in all_of(rows).items() if before.get(one) != own}
    keys = rows[key].itertuples(index=False, name=None)
    return rows[[tuple(map(str, one)) in new for one in keys]]


def make_adjudication(work: Work, by: str, replace: bool) -> tuple[Path, int] | None:
    """Write a sheet of the answers on which coders differ; None where they differ on none.

    Each coder's codes stand beside the answer.
    """
    if not is_coder(by):
        raise InputError(f"--by {by!r}: name who decides by one word that begins with a letter.")
    judged = work.judged()
    together = consensus(judged)
    open_units = pd.MultiIndex.from_frame(together.loc[~together["settled"].astype(bool), UNIT])
    units = pd.MultiIndex.from_frame(work.open_responses[UNIT])
    answers = work.open_responses[units.isin(open_units)]
    if answers.empty:
        return None
    keys = pd.MultiIndex.from_frame(answers[UNIT])
    view = {}
    for coder, those in judged.groupby("coder", sort=True):
        codes = dict(zip(pd.MultiIndex.from_frame(those[UNIT]), those["codes"], strict=True))
        view[f"given by {coder}"] = [
            _in_words(sorted(codes[unit]), work) if unit in codes else "" for unit in keys
        ]
    keep_version(work.consultation, work.codebook)
    sheet = Sheet(by, "adjudicated", work.codebook.version, answers, view)
    return put_sheet(work, sheet, ADJUDICATION, replace), len(answers)


def how_far(work: Work) -> list[str]:
    """Return how far coding has come, a line each: by coder, twice coded, in dispute, stale."""
    judged = work.judged()
    together, codable = consensus(judged), work.codable
    lines = [
        f"{coder}: {len(those)} answers ({', '.join(sorted(set(those['basis'])))})"
        for coder, those in judged.groupby("coder", sort=True)
    ]
    twice = int((together["coders"] > 1).sum())
    open_ones = int((~together["settled"].astype(bool)).sum())
    lines.append(
        f"{len(together)} of {len(codable)} answers that hold anything to code are coded by "
        f"people, {twice} by two or more; {open_ones} are in dispute."
    )
    lines += [f"Left out, {why}: {number}." for why, number in sorted(work.coded.left_out.items())]
    stale = stale_since(work.consultation, work.codebook)
    for version, changes in stale.items():
        number = int((judged["codebook_version"] == version).sum())
        lines.append(f"Stale: {number} judgements by codebook {version}: {'; '.join(changes)}.")
    return lines


def agreement_of(work: Work) -> pd.DataFrame:
    """Return how far coders agree with each other, and the patterns with them (private)."""
    record, seed = work.record, work.parameters.seed
    return agreement_of_everyone(work.coded, record, work.open_responses, work.codebook, seed)
