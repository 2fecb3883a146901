"""What several tests share: a small questionnaire, and a project folder to run in."""

import shutil
from pathlib import Path

import pytest

from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.questionnaire import Questionnaire

ROOT = Path(__file__).parent.parent

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
