"""What several tests share: a small questionnaire, and a project folder to run in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from coders import BOOK, HARD
from filelock import FileLock
from hypothesis import settings

from upr_analysis.codebook import Codebook
from upr_analysis.codes import Work
from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.estimates import BLANKS, COLUMNS, estimates_frame
from upr_analysis.labels import Labels
from upr_analysis.parameters import Parameters
from upr_analysis.questionnaire import Questionnaire

ROOT = Path(__file__).parent.parent
# Crates are keyed by a secret of whoever runs them; tests leave nothing in a user's folders.
settings.register_profile("untimed", deadline=None)  # a busy machine is no defect
settings.load_profile("untimed")
os.environ.setdefault("UPR_PROVENANCE_KEY", "00" * 32)


def estimates_of(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Return estimates of rows that may leave out what does not apply."""
    columns = {
        name: [row.get(name, BLANKS[dtype]) for row in rows] for name, (dtype, _) in COLUMNS.items()
    }
    return estimates_frame(columns, len(rows))


SMALL = """
title: {en: A small consultation}
about: {en: Made for the tests.}
languages: [en, fr]
survey:
  - {name: id, type: text, label: {en: Id}, role: respondent}
  - {name: lang, type: text, label: {en: Lang}, role: language}
  - {name: Q1, type: select_one kind, label: {en: Kind}, role: stakeholder_type}
  - {name: Q2, type: select_multiple tools, label: {en: Tools}}
  - {name: Q3, type: text, label: {en: Countries}, role: country}
  - {name: Q4, type: select_one yes_no, label: {en: Engaged}}
  - {name: Q5, type: select_multiple ways, label: {en: How}, relevant: "${Q4} = 'yes'"}
  - {name: Q6, type: text, label: {en: Why}}
  - {name: Q7, type: text, label: {en: E-mail}, role: contact}
choices:
  kind:
    - {name: ngo, label: {en: NGO, fr: ONG}}
    - {name: state, label: {en: State, fr: État}}
  tools:
    - {name: index, label: {en: Index}}
    - {name: letter, label: {en: "Letter, of the High Commissioner"}}
    - {name: other, label: {en: Other}, role: other}
  yes_no:
    - {name: "yes", label: {en: "Yes"}}
    - {name: "no", label: {en: "No"}}
  ways:
    - {name: alone, label: {en: Alone}}
    - {name: joint, label: {en: "Jointly, with others"}}
groupings:
  - name: kind
    label: {en: Kind}
    by: Q1
    groups:
      - {name: ngo, label: {en: NGO}, of: [ngo]}
      - {name: state, label: {en: State}, of: [state]}
  - name: region
    label: {en: Region where they work}
    by: Q3
    scheme: un_group
    groups:
      - {name: africa, label: {en: Africa}, of: [african]}
      - {name: asia, label: {en: Asia and the Pacific}, of: [asia_pacific]}
"""
HEADER = "Id,Lang,Kind,Tools,Countries,Engaged,How,Why,E-mail"


@pytest.fixture(autouse=True)
def one_process_with_stock_kernels(request, tmp_path_factory: pytest.TempPathFactory):
    """Let no two tests start stock kernels at once: processes race for the same ports."""
    if "papermill" not in request.node.nodeid:
        yield
        return
    with FileLock(tmp_path_factory.getbasetemp().parent / "stock-kernels.lock"):
        yield


@pytest.fixture
def questionnaire() -> Questionnaire:
    return as_model(parse_yaml(SMALL, "small"), Questionnaire, "small")


@pytest.fixture
def export_file(tmp_path: Path):
    """Write rows under the small questionnaire's header; returns the file."""

    def write(*rows: str, header: str = HEADER, encoding: str = "utf-8", end: str = "\n") -> Path:
        path = tmp_path / "export.csv"
        path.write_bytes((end.join([header, *rows]) + end).encode(encoding))
        return path

    return write


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project's notebooks, params and data, to run in and to spoil."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("notebooks", "params", "data"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


CLOSED = """
title: {en: Closed questions only}
about: {en: Made for the tests.}
survey:
  - {name: A, type: select_one yes_no, label: {en: Agreed}}
  - {name: B, type: select_multiple tools, label: {en: Tools}}
choices:
  yes_no: [{name: "yes", label: {en: "Yes"}}, {name: "NA", label: {en: "No"}}]
  tools: [{name: index, label: {en: Index}}, {name: letter, label: {en: Letter}}]
groupings:
  - name: agreed
    label: {en: Agreed}
    by: A
    groups:
      - {name: NA, label: {en: "No"}, of: ["NA"]}
      - {name: "yes", label: {en: "Yes"}, of: ["yes"]}
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project whose consultation runs in a few seconds: two closed questions, 61 rows."""
    folder = tmp_path_factory.mktemp("tiny")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    data = folder / "data" / "tiny"
    data.mkdir(parents=True)
    (data / "questionnaire.yml").write_text(CLOSED)
    (data / "codebook.yml").write_text("title: {en: None}\nthemes: []\n")
    rows = ["Yes,Index", "No,Letter", "Yes,Letter", "Yes,Index"] * 15 + ["No,Index"]
    (data / "export.csv").write_text("Agreed,Tools\n" + "\n".join(rows) + "\n")
    (folder / "params" / "sweeps").mkdir(parents=True)
    (folder / "params" / "tiny.yml").write_text(
        "consultation: tiny\ndate: '2026-01-01'\nminimum_answers: 1\ngroup_by: [agreed]\n"
        "deduplicate: false\n"
    )
    return folder


@pytest.fixture(scope="session")
def tiny_upr(tiny: Path):
    """Run the command in the tiny project."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "upr_analysis", *map(str, arguments)],
            capture_output=True, text=True, cwd=tiny, env=os.environ | environment, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def work(tmp_path, questionnaire) -> Work:
    names = [f"r{n:02}" for n in range(20)]
    texts = [HARD[n] if n < len(HARD) else f"The fee of {n}" for n in range(20)]
    answers = pd.DataFrame(
        {"respondent": names, "question": "Q6", "text": texts, "language": ["en", "fr"] * 10,
         "state": "answered"}
    )  # fmt: skip
    memberships = pd.DataFrame(
        {"respondent": [*names[:12], names[0]], "grouping": "region",
         "group": ["africa"] * 12 + ["asia"]}
    )  # fmt: skip
    codebook = as_model(parse_yaml(BOOK, "small"), Codebook, "small")
    (tmp_path / "data").mkdir()
    return Work(
        Parameters(),
        tmp_path / "data",
        tmp_path / "sheets",
        questionnaire,
        codebook,
        Labels(questionnaire, codebook, "en", ""),
        answers,
        memberships,
        pd.DataFrame({"respondent": [], "question": [], "code": []}, dtype="str"),
    )
