"""A consultation is drafted from an export, reviewed, and runs; nothing that stands is lost."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from workbooks import write_xlsx

from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Questionnaire, read_questionnaire
from upr_analysis.scaffold import found_consultation

KINDS = ("Household", "Farm", "School")
HEADER = (
    "Timestamp,Who are you?,Which problems do you have?,What should be done?,"
    "In which countries do you work?,How many people live with you?,Your e-mail"
)


def line(n: int) -> str:
    problems = ("Taste", "Taste, Price", "Price, Pressure", "Pressure", "Taste, Pressure", "")[
        n % 6
    ]
    words = (
        "" if n % 5 == 0 else f"Please repair the pipe at the well number {n} as soon as you can"
    )
    land = ("Kenya", "Uganda, Kenya", "Sénégal", "Perú")[n % 4]
    mail = f"r{n}@example.org" if n % 3 == 0 else ""
    when = f"6/{n % 28 + 1}/2026 9:0{n % 10}:00"
    return f'{when},{KINDS[n % 3]},"{problems}",{words},"{land}",{n % 7},{mail}'


EXPORT = "\n".join([HEADER, *map(line, range(1, 61))]) + "\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("data", "params"):
        (tmp_path / name).mkdir()
    return tmp_path


def write(folder: Path, text: str = EXPORT, encoding: str = "utf-8") -> Path:
    path = folder / "answers.csv"
    path.write_bytes(text.encode(encoding))
    return path


def kinds(questionnaire: Questionnaire) -> dict[str, tuple[str, str | None]]:
    return {one.label["en"]: (one.kind, one.role) for one in questionnaire.survey}


def test_types_roles_options_and_groupings_are_drafted(root):
    done = found_consultation(write(root), root / "data" / "water", root)
    assert done.problems == ()
    drafted = read_questionnaire(done.folder)
    assert drafted.format == "google_forms"
    assert kinds(drafted) == {
        "Timestamp": ("datetime", "submitted"),
        "Who are you?": ("select_one", "stakeholder_type"),
        "Which problems do you have?": ("select_multiple", None),
        "What should be done?": ("text", None),
        "In which countries do you work?": ("text", "country"),
        "How many people live with you?": ("integer", None),
        "Your e-mail": ("text", "contact"),
    }
    labels = {one.label["en"] for one in drafted.options("Q3")}
    assert labels == {"Taste", "Price", "Pressure"}
    assert [grouping.name for grouping in drafted.groupings] == ["stakeholder", "region"]
    assert drafted.question("Timestamp").date_format == "%m/%d/%Y %H:%M:%S"


def test_no_answer_in_words_and_no_contact_stands_in_what_is_drafted(root):
    done = found_consultation(write(root), root / "data" / "water", root)
    for path in (*done.folder.glob("*.yml"), done.folder / "README.md", done.params):
        text = path.read_text(encoding="utf-8")
        assert "repair the pipe" not in text
        assert "@example" not in text
    assert (done.folder / "export.csv").stat().st_mode & 0o077 == 0


def test_a_drafted_consultation_runs_to_its_appendix(tiny, tiny_upr):
    export = write(tiny)
    done = tiny_upr("init", export, "data/water")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == (tiny / "data" / "water").resolve()
    assert "7 columns, 7 questions" in done.stderr
    assert "repair the pipe" not in done.stdout + done.stderr
    done = tiny_upr("run", "params/water.yml", "--quiet")
    assert done.returncode == 0, done.stderr
    index = Path(done.stdout.strip())
    assert "Which problems do you have?" in index.read_text(encoding="utf-8")
    estimates = (index.parent.parent / "tables" / "estimates.csv").read_text(encoding="utf-8")
    assert '"Q3.taste"' in estimates


def test_what_stands_is_never_overwritten(root):
    export = write(root)
    done = found_consultation(export, root / "data" / "water", root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"questionnaire.yml is there already; nothing was"):
        found_consultation(export, root / "data" / "water", root)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    (done.folder / "questionnaire.yml").unlink()
    (done.folder / "codebook.yml").write_text("mine")
    found_consultation(done.folder / "export.csv", root / "data" / "water", root)
    assert (done.folder / "codebook.yml").read_text() == "mine"


@pytest.mark.parametrize(
    ("folder", "text", "message"),
    [
        ("elsewhere/water", EXPORT, "is no folder of data/: say data/water"),
        ("data/Water 2026", EXPORT, "is no name: use small letters"),
        ("data/water", "", "is empty"),
        ("data/water", HEADER + "\n", "holds a header and no answers"),
        ("data/water", EXPORT + "1,2", "row 62 has 2 cells"),
    ],
)
def test_bad_input_is_one_message_and_nothing_is_written(root, folder, text, message):
    export = write(root, text)
    before = sorted(root.rglob("*"))
    with pytest.raises(InputError, match=message):
        found_consultation(export, root / folder, root)
    assert sorted(root.rglob("*")) == before


def test_a_guessed_encoding_is_marked_for_review(root):
    export = write(root, EXPORT.replace("Please", "Désolés et très déçus"), "cp1252")
    done = found_consultation(export, root / "data" / "water", root)
    text = (done.folder / "questionnaire.yml").read_text(encoding="utf-8")
    assert "encoding: cp1252  # REVIEW" in text


FORM = {
    "survey": [
        ["type", "name", "label::English (en)", "label::French (fr)", "relevant"],
        ["start", "start", "", "", ""],
        ["select_one kind", "who", "Who are you?", "Qui êtes-vous ?", ""],
        ["begin_group", "more", "", "", ""],
        ["select_multiple ways or_other", "how", "How?", "Comment ?", "${who} = 'farm'"],
        ["text", "why", "Why?", "Pourquoi ?", "${who} = 'farm' and ${how} != ''"],
        ["decimal", "litres", "Litres a day?", "Litres par jour ?", ""],
        ["end_group", "", "", "", ""],
        ["note", "thanks", "Thank you", "Merci", ""],
    ],
    "choices": [
        ["list_name", "name", "label::English (en)", "label::French (fr)"],
        ["kind", "household", "Household", "Ménage"],
        ["kind", "farm", "Farm", "Ferme"],
        ["ways", "letter", "By letter", "Par lettre"],
        ["ways", "phone", "By telephone", "Par téléphone"],
    ],
}
KOBO = (
    "start;who;more/how;more/how/letter;more/how/phone;more/how/other;more/why;_uuid\n"
    "2026-06-01T10:00:00;farm;letter phone;1;1;0;so;u1\n"
    "2026-06-01T11:00:00;household;;;;;;u2\n"
    "2026-06-01T12:00:00;farm;letter;1;0;0;;u3\n"
)


def test_an_xlsform_is_the_questionnaire(root):
    export = write(root, KOBO)
    form = write_xlsx(root / "form.xlsx", FORM)
    done = found_consultation(export, root / "data" / "kobo", root, form, "fr")
    assert done.problems == ()
    drafted = read_questionnaire(done.folder)
    assert {one.name: one.label["fr"] for one in drafted.survey if one.is_closed} == {
        "who": "Qui êtes-vous ?", "how": "Comment ?",
    }  # fmt: skip
    assert [one.name for one in drafted.options("how")] == ["letter", "phone", "other"]
    assert drafted.question("how").relevant == "${who} = 'farm'"
    assert drafted.question("why").relevant is None  # not of the kind that is understood
    assert drafted.question("litres").optional_column
    text = (done.folder / "questionnaire.yml").read_text(encoding="utf-8")
    assert "REVIEW: asked where ${who} = 'farm' and ${how} != ''" in text
    assert [one.role for one in drafted.survey if one.role] == [
        "respondent", "started", "stakeholder_type",
    ]  # fmt: skip


def test_help_says_what_is_recognised():
    done = subprocess.run(
        [sys.executable, "-m", "upr_analysis", "init", "--help"],
        capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    for tool in ("SurveyMonkey", "LimeSurvey", "Qualtrics", "KoboToolbox", "xlsx", "SPSS"):
        assert tool in done.stdout


def test_no_header_and_no_option_breaks_what_is_drafted(root):
    odd = [
        'He said: "yes" # {no}',
        "line\u2028break\x85",
        "\ufeffمن أنت؟",
        "emoji 😀, [a]: b > c",
        "- x",
    ]
    header = ",".join(f'"{text.replace(chr(34), chr(34) * 2)}"' for text in odd)
    cell = '"*&!|>%@` \u2028, ""a""" '.strip()
    export = write(root, "\n".join([header, *[",".join([cell] * len(odd))] * 12]) + "\n")
    done = found_consultation(export, root / "data" / "odd", root)
    assert done.problems == ()
    assert len(read_questionnaire(done.folder).survey) == len(odd)


def test_an_export_that_stands_is_never_overwritten_nor_a_link_followed(root):
    export = write(root)
    folder = root / "data" / "water"
    folder.mkdir()
    (folder / "export.csv").write_text("Timestamp,Who?\nother answers,Farm\n")
    with pytest.raises(InputError, match="is there already and is another file; nothing was"):
        found_consultation(export, folder, root)
    assert sorted(path.name for path in folder.iterdir()) == ["export.csv"]
    assert "other answers" in (folder / "export.csv").read_text()
    (folder / "export.csv").unlink()
    elsewhere = root / "elsewhere.csv"
    (folder / "export.csv").symlink_to(elsewhere)
    with pytest.raises(InputError, match="is there already"):
        found_consultation(export, folder, root)
    assert not elsewhere.exists()
    (folder / "export.csv").unlink()
    (folder / "README.md.part").write_text("mine")
    done = found_consultation(export, folder, root)
    assert read_questionnaire(done.folder).survey
    assert (folder / "README.md.part").read_text() == "mine"
    assert not list(folder.glob(".*"))
    assert (folder / "export.csv").stat().st_mode & 0o777 == 0o600


def test_a_question_of_a_form_that_has_no_column_is_listed(root, monkeypatch):
    form = write_xlsx(root / "form.xlsx", FORM)
    (root / "notebooks").mkdir()
    (root / "pyproject.toml").write_text("")
    write(root, KOBO)
    done = subprocess.run(
        [sys.executable, "-m", "upr_analysis", "init", "answers.csv", "data/kobo", "--form", form],
        capture_output=True, text=True, check=True, cwd=root,
    )  # fmt: skip
    assert re.search(r"litres +none +decimal", done.stderr)
    assert "not read, columns of kobo itself" not in done.stderr  # all of its own are questions


def test_a_copy_that_cannot_be_finished_leaves_nothing_of_the_answers(root, monkeypatch):
    def refuse(self: Path, mode: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(OSError, match="No space left"):
        found_consultation(write(root), root / "data" / "water", root)
    assert list((root / "data" / "water").iterdir()) == []
