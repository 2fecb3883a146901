"""What a step of the analysis reads and writes, by hand in JupyterLab and under the runner alike.

A step's folder holds `private/` (tables about respondents, never published) and `public/`. Every
table is declared here and checked where a step writes it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd

from upr_analysis.codebook import Codebook, read_codebook
from upr_analysis.documents import as_model, read_yaml
from upr_analysis.estimates import COLUMNS as ESTIMATE_COLUMNS
from upr_analysis.exhibits import Banner, Table
from upr_analysis.labels import Labels
from upr_analysis.parameters import Parameters, export_files, meaning, project_root
from upr_analysis.places import all_places
from upr_analysis.problems import InputError, did_you_mean
from upr_analysis.questionnaire import Questionnaire, read_questionnaire
from upr_analysis.recommendations import Report, read_report
from upr_analysis.steps import READS, SOURCE, STEPS, TICKET, digest_of
from upr_analysis.words import say


@dataclass(frozen=True)
class Declared:
    """A table: the step that writes it, its key, its columns and their meaning.

    `open_ended` tables have further columns, those of the questionnaire.
    """

    step: str
    key: tuple[str, ...]
    columns: dict[str, str]
    open_ended: bool = False


_WHO = {"respondent": "pseudonym, drawn at random"}
_ANSWER = _WHO | {"question": "question of the questionnaire"}
_TEXT = _ANSWER | {"text": "what was written, personal data replaced"}
_RESPONDENTS = _WHO | {"language": "language of the answer"}
_CHANGE = _WHO | {
    "column": "question whose answer it was; none where the respondent was removed",
    "rule": "the rule by which it was done",
    "change": "what was done, never what had been written",
}
TABLES: Final = {
    "typed_respondents": Declared("01_ingest", ("respondent",), _RESPONDENTS, open_ended=True),
    "typed_open_responses": Declared(
        "01_ingest",
        ("respondent", "question"),
        _TEXT | {"language": "language of the answer", "state": "answered, skipped or not_asked"},
    ),
    "free_texts": Declared("01_ingest", ("respondent", "question"), _TEXT),
    "imported_codes": Declared(
        "01_ingest", ("respondent", "question", "code"), _ANSWER | {"code": "code that people gave"}
    ),
    "changes": Declared("01_ingest", (), _CHANGE),
    "respondents": Declared("02_clean", ("respondent",), _RESPONDENTS, open_ended=True),
    "open_responses": Declared(
        "02_clean",
        ("respondent", "question"),
        _TEXT | {"language": "language of the answer", "state": "answered, skipped or not_asked"},
    ),
    "memberships": Declared(
        "02_clean",
        ("respondent", "grouping", "group"),
        _WHO | {"grouping": "grouping of the questionnaire", "group": "group of the grouping"},
    ),
    "flow": Declared(
        "02_clean", ("step",), {"step": "received, why removed, kept", "respondents": "how many"}
    ),
    "cleaning_log": Declared("02_clean", ("respondent", "column", "rule", "change"), _CHANGE),
    "back_coding": Declared(
        "02_clean",
        ("question", "text"),
        {
            "question": "closed question with an option for other answers",
            "text": "what was written behind it, personal data replaced",
            "respondents": "how many wrote it",
            "option": "option decided for it; empty where nothing was",
        },
    ),
    "unknown_places": Declared(
        "02_clean",
        ("question", "piece"),
        {
            "question": "country question",
            "piece": "what was not understood",
            "respondents": "how many wrote it",
        },
    ),
    "codings": Declared(
        "03_thematic_coding",
        (),
        _ANSWER
        | {
            "coder": "who coded: `codebook` for its patterns",
            "theme": "theme of the code",
            "code": "code given",
            "start": "first code point of the span; missing where the whole response was coded",
            "end": "one past the last code point of the span",
            "quote": "the span, verbatim",
            "text_hash": "hash of the text that was coded",
            "codebook_version": "version of the codebook used",
            "counts": "whether it is counted: what people say of an answer counts before patterns",
        },
    ),
    "accounting": Declared(
        "03_thematic_coding",
        ("question",),
        {"question": "open question"}
        | {
            "coded": "at least one code",
            "none_applies": "answered, no code applies",
            "disputed": "coders differ, and no code has more than half of them",
            "nothing_to_say": "answered that there is nothing to say",
            "redacted": "nothing left once personal data were replaced",
            "failed": "nobody read it, and the codebook has no pattern of its language",
            "blank": "asked, not answered",
            "not_asked": "not asked",
        },
    ),
    "agreement": Declared(
        "03_thematic_coding",
        ("between", "language", "code", "statistic"),
        {
            "between": "coders with each other, or patterns with people",
            "language": "language of the answers; empty for all",
            "code": "code; empty for whole sets of codes",
            "statistic": "its name",
            "value": "0 to 1, or below 0; missing where undefined",
            "low": "lower end of the interval",
            "high": "upper end of the interval",
            "positives": "judgements that give the code",
            "answers": "answers that were judged twice",
            "given_to": "respondents to whom any coder gave it",
            "not_given_to": "respondents to whom none did",
            "assessable": "whether 30 judgements or more give it",
        },
    ),
    "quotes": Declared(
        "04_cross_tabs",
        (),
        {
            "code": "code that it shows",
            "language": "language of the answer",
            "text": "words of somebody who agreed to be quoted, personal data replaced",
        },
    ),
    "all_estimates": Declared(
        "04_cross_tabs", ("id",), {name: text for name, (_, text) in ESTIMATE_COLUMNS.items()}
    ),
    "protected": Declared(
        "04_cross_tabs", ("id",), {"id": "number withheld for itself, not to guard another"}
    ),
    "protection": Declared(
        "04_cross_tabs",
        ("table",),
        {
            "table": "table of shares",
            "cells": "cells",
            "shown": "cells shown",
            "withheld": "cells withheld",
            "not_crossed": "cells not crossed at all",
            "status": "how they were chosen",
        },
    ),
}


def check_table(name: str, frame: pd.DataFrame) -> None:
    """Hold a table to its declaration; ValueError names the column or the repeated key."""
    declared = TABLES[name]
    missing = [column for column in declared.columns if column not in frame]
    extra = [column for column in frame if column not in declared.columns]
    if missing or (extra and not declared.open_ended):
        raise ValueError(f"Table {name}: missing columns {missing}, undeclared columns {extra}.")
    if declared.key and frame.duplicated(list(declared.key)).any():
        raise ValueError(f"Table {name} repeats a key ({', '.join(declared.key)}).")


@dataclass(frozen=True)
class Step:
    """A step at work: its parameters, the consultation, and the tables that it reads and writes."""

    name: str
    parameters: Parameters
    declared: tuple[str, ...]  # the parameters that this step's notebook has
    root: Path
    work: Path
    written: list[str] = field(default_factory=list)

    @property
    def consultation(self) -> Path:
        """The consultation's folder."""
        return self.root / "data" / self.parameters.consultation

    @cached_property
    def questionnaire(self) -> Questionnaire:
        """What was asked."""
        return read_questionnaire(self.consultation)

    @cached_property
    def codebook(self) -> Codebook:
        """Themes and codes."""
        return read_codebook(self.consultation)

    @cached_property
    def report(self) -> Report | None:
        """What was published of the consultation, if anything was."""
        return read_report(self.consultation)

    @cached_property
    def labels(self) -> Labels:
        """What questions, options, themes, codes and groups are called in the run's language."""
        codebook = self.codebook if READS[self.name] & {"codebook.yml"} else None
        language = self.parameters.language
        mark = say("banner.invented.word", language) if self.source == "invented" else ""
        return Labels(self.questionnaire, codebook, language, mark, self.parameters.sample)

    @property
    def export_files(self) -> tuple[Path, ...]:
        """The files of the export."""
        return export_files(self.parameters, self.root)

    @property
    def by_hand(self) -> bool:
        """Whether a person runs the notebook, not the runner: what it shows is then private."""
        return not (self.work / TICKET).exists()

    @property
    def source(self) -> str:
        """Where the answers come from: real, or invented as the export's hash says."""
        if self.name == STEPS[0]:
            digest = digest_of(self.export_files)
            return "invented" if is_invented(digest, self.consultation) else "real"
        return str(self.read_json(*SOURCE.split("/private/"))["source"])

    def read(self, table: str) -> pd.DataFrame:
        """Read a table that this or an earlier step wrote."""
        return pd.read_parquet(self._of_earlier(TABLES[table].step, f"private/{table}.parquet"))

    def write(self, table: str, frame: pd.DataFrame) -> None:
        """Check a table and write it where only its owner can read it."""
        check_table(table, frame)
        path = self._path("private", f"{table}.parquet")
        frame.to_parquet(path, index=False)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write facts about the data (no respondent's) beside the private tables."""
        path = self._path("private", name)
        path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def read_json(self, step: str, name: str) -> dict[str, Any]:
        """Read what `write_json` wrote in a step."""
        path = self._of_earlier(step, f"private/{name}")
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content

    def publish(self, name: str, content: pd.DataFrame | bytes) -> None:
        """Write a csv table or an image to what the run may publish."""
        path = self._path("public", name)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            write_csv(content, path)

    def read_published(self, step: str, name: str) -> pd.DataFrame:
        """Read a csv table that a step published, with the estimates' types where it is theirs."""
        return read_estimates(self._of_earlier(step, f"public/{name}"))

    def _of_earlier(self, step: str, name: str) -> Path:
        path = self.work / step / name
        if not path.exists():
            todo = "run that first" if self.by_hand else "declare it in steps.INPUTS"
            raise InputError(f"{self.name} reads {name}, which {step} writes: {todo}.")
        return path

    def _path(self, side: str, name: str) -> Path:
        folder = self.work / self.name / side
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.written.append(f"{side}/{name}")
        return path

    def _repr_html_(self) -> str:
        """Show the parameters in force, under the mark of private or invented pages."""
        language = self.parameters.language
        rows = [
            (name, shown(getattr(self.parameters, name)), meaning(name)) for name in self.declared
        ]
        names = [say(f"column.{key}", language) for key in ("parameter", "value", "meaning")]
        table = Table(
            pd.DataFrame(rows, columns=names),
            caption=say("parameters.caption", language),
            language=language,
            mark=self.labels.mark,
        )
        banner = Banner(say("banner.private.text", language), "private") if self.by_hand else None
        return (banner._repr_html_() if banner else "") + table._repr_html_()

    @property
    def summary(self) -> Table:
        """What this step wrote, as a table."""
        language = self.parameters.language
        sides = {side: say(f"written.{side}", language) for side in ("private", "public")}
        rows = [
            (path.partition("/")[2], sides[path.partition("/")[0]])
            for path in dict.fromkeys(self.written)
        ]
        columns = [say("written.file", language), say("written.side", language)]
        return Table(
            pd.DataFrame(rows, columns=columns),
            caption=say("written.caption", language),
            language=language,
            mark=self.labels.mark,
        )


def begin(name: str, notebook: Mapping[str, object]) -> Step:
    """Begin a step: check its parameters and find the project from the current folder.

    `notebook` are the notebook's own names, `globals()`, of which the parameters are taken and
    `work`, the folder to work in. InputError names each that does not fit.
    """
    values = {one: notebook[one] for one in Parameters.model_fields if one in notebook}
    os.umask(0o077)  # what a step writes is its owner's
    root = project_root(Path.cwd())
    parameters = as_model(values, Parameters, f"notebooks/{name}.ipynb")
    return Step(name, parameters, tuple(values), root, root / str(notebook["work"]))


def is_invented(digest: str, consultation: Path) -> bool:
    """Whether an export's SHA-256 stands among those that the consultation's folder lists."""
    path = consultation / "invented.sha256"
    return path.exists() and digest in path.read_text(encoding="utf-8").split()


def place_corrections(consultation: Path) -> dict[str, list[str]]:
    """Read `places.yml`, a researcher's decisions on places not understood; {} without one."""
    path = consultation / "places.yml"
    content = (read_yaml(path) or {}) if path.exists() else {}
    known = {place.code for place in all_places()}
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no mapping of what was written to places.")
    wrong = [
        f"{path}: {written!r} is given {codes!r}: give a list of codes of places, as [KEN, UGA]"
        f"{did_you_mean(str(codes), known)}"
        for written, codes in content.items()
        if not isinstance(codes, list) or not known.issuperset(map(str, codes))
    ]
    if wrong:
        raise InputError(wrong)
    return content


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a csv that no spreadsheet runs: all quoted, risky text cells led by an apostrophe."""
    safe = frame.copy()
    for column in safe.columns[
        [safe[name].dtype.kind == "O" or safe[name].dtype == "string" for name in safe.columns]
    ]:
        safe[column] = safe[column].map(inert, na_action="ignore")
    safe.to_csv(path, index=False, quoting=1, lineterminator="\n", encoding="utf-8")


def inert(cell: object) -> object:
    """Return a cell that no spreadsheet runs: risky text led by an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r\n" and cell else cell


def read_estimates(path: Path) -> pd.DataFrame:
    """Read a published table of estimates with its declared types."""
    types = {name: dtype for name, (dtype, _) in ESTIMATE_COLUMNS.items()}
    texts = [name for name, dtype in types.items() if dtype == "string"]
    numbers = {name: [""] for name in types if name not in texts}  # a group may be called NA
    return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=numbers)


def check_columns(estimates: pd.DataFrame) -> None:
    """Raise ValueError where a table is not one of estimates, or holds none."""
    if list(estimates.columns) != list(ESTIMATE_COLUMNS) or estimates.empty:
        raise ValueError("no table of estimates")


def shown(value: object) -> str:
    """Return a parameter's value as a reader sees it, a path of this machine by its name only."""
    if isinstance(value, str) and (Path(value).is_absolute() or value.startswith("..")):
        return Path(value).name
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return (
        {True: "yes", False: "no"}.get(value, str(value))
        if isinstance(value, bool)
        else (str(value))
    )
