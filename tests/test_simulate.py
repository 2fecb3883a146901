"""The invented export: made again byte for byte, exact in what it is built to agree with."""

import csv
import hashlib
import io
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from upr_analysis.exports import read_export
from upr_analysis.problems import InputError
from upr_analysis.simulate import (
    FAULTS,
    Survey,
    export_columns,
    main,
    read_survey,
    simulate,
    write_export,
)

FOLDER = Path(__file__).parent.parent / "data" / "upr-2021"
NAMES = ("simulation.yml", "questionnaire.yml", "codebook.yml")


@pytest.fixture(scope="module")
def survey() -> Survey:
    return read_survey(FOLDER)


def answers(survey: Survey, rows: list[list[str]], question: str) -> list[str]:
    """The cells of a question's own column, read by its headers."""
    cells = [column.cell for column in export_columns(survey.questionnaire)]
    return [row[cells.index((question, ""))] for row in rows]


def spoilt(folder: Path, old: str, new: str) -> Path:
    """A copy of the consultation whose simulation.yml has `new` for `old`."""
    for name in NAMES:
        text = (FOLDER / name).read_text(encoding="utf-8")
        if name == "simulation.yml":
            assert text.count(old) == 1
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_committed_export_is_made_again_byte_for_byte(tmp_path: Path) -> None:
    main(FOLDER, tmp_path / "export.csv")
    assert (tmp_path / "export.csv").read_bytes() == (FOLDER / "export.csv").read_bytes()


def test_hash_of_the_committed_export_is_among_the_invented() -> None:
    digest = hashlib.sha256((FOLDER / "export.csv").read_bytes()).hexdigest()
    assert digest in (FOLDER / "invented.sha256").read_text(encoding="utf-8").splitlines()


def test_layout_is_that_of_the_survey_tool() -> None:
    content = (FOLDER / "export.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfRespondent ID,Collector ID,Start Date,End Date,")
    assert content.endswith(b"\r\n")
    top, below, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert len(rows) == 123 + len(FAULTS)
    assert {len(row) for row in rows} == {len(top)} == {len(below)}
    assert top[8:12] == [
        "Custom Data 1",
        "What type of stakeholder are you?",
        "",
        "What is your focus or area of activity?",
    ]
    assert below[8:12] == [
        "",
        "Response",
        "Other (please specify)",
        "Civil and political rights",
    ]
    assert below[-3:] == ["Name", "Organisation", "E-mail"]


def test_a_tick_is_the_label_of_its_option() -> None:
    _, below, *rows = csv.reader((FOLDER / "export.csv").open(encoding="utf-8-sig", newline=""))
    place = below.index("Environment")
    assert Counter(row[place] for row in rows)["Environment"] >= 40
    assert {row[place] for row in rows} == {"", "Environment"}


@pytest.mark.parametrize("seed", [0, 7, 2021])
def test_every_seed_deals_the_published_counts(survey: Survey, seed: int) -> None:
    rows = list(simulate(survey, seed=seed, with_faults=False))
    kinds = Counter(answers(survey, rows, "Q1"))
    kept = Counter(answers(survey, rows, "Q16"))
    base = len(rows) - kept.pop("")
    some_or_all = kept["Yes, all of them"] + kept["Yes, some of them"]
    assert len(rows) == 123
    assert kinds["National NGO"] / len(rows) > 0.5
    assert (some_or_all, base) == (94, 119)
    assert round(100 * some_or_all / base) == 79


def test_another_seed_gives_other_answers(survey: Survey) -> None:
    assert list(simulate(survey, seed=1)) != list(simulate(survey, seed=2))


def test_a_thousand_respondents_have_the_shape_of_a_block(survey: Survey) -> None:
    rows = list(simulate(survey, respondents=1000, with_faults=False))
    one_block = list(simulate(survey, with_faults=False))
    assert len(rows) == 1000
    assert len({row[0] for row in rows}) == 1000
    for question in ("Q1", "Q4", "Q13", "Q16", "Q19", "Q20"):
        large = Counter(answers(survey, rows, question))
        for answer, count in Counter(answers(survey, one_block, question)).items():
            # eight whole blocks and at most one block's cards among the sixteen that are left
            assert 8 * count <= large[answer] <= 8 * count + min(count, 16)


@pytest.mark.parametrize("respondents", [0, 1, 2, 122, 124])
def test_any_number_of_respondents_can_be_had(survey: Survey, respondents: int) -> None:
    valid = list(simulate(survey, respondents, with_faults=False))
    assert len(valid) == respondents
    assert len(list(simulate(survey, respondents))) == respondents + bool(respondents) * len(FAULTS)


def test_rows_come_one_block_at_a_time(survey: Survey) -> None:
    first = list(islice(simulate(survey, respondents=10**12), 3))
    assert first == list(islice(simulate(survey), 3))


def test_whoever_answers_a_select_all_question_ticks_something(survey: Survey) -> None:
    cells = [column.cell for column in export_columns(survey.questionnaire)]
    rows = list(simulate(survey, with_faults=False))
    for name, deck in survey.simulation.several.items():
        own = [place for place, cell in enumerate(cells) if cell[0] == name]
        ticked = sum(any(row[place] for place in own) for row in rows)
        asked = 101 if name == "Q5" else 123
        assert ticked == asked - deck["skipped"]


def test_none_of_the_tools_is_ticked_alone(survey: Survey) -> None:
    cells = [column.cell for column in export_columns(survey.questionnaire)]
    own = [place for place, cell in enumerate(cells) if cell[0] == "Q10"]
    none = cells.index(("Q10", "none"))
    alone = [row for row in simulate(survey, with_faults=False) if row[none]]
    assert len(alone) == 18
    assert all(sum(bool(row[place]) for place in own) == 1 for row in alone)


def test_only_those_who_engaged_say_how(survey: Survey) -> None:
    cells = [column.cell for column in export_columns(survey.questionnaire)]
    own = [place for place, cell in enumerate(cells) if cell[0] == "Q5"]
    rows = list(simulate(survey, with_faults=False))
    engaged = answers(survey, rows, "Q4")
    said = [any(row[place] for place in own) for row in rows]
    assert {answer for answer, how in zip(engaged, said, strict=True) if how} == {"Yes"}


def test_contacts_are_from_ranges_kept_for_documentation(survey: Survey) -> None:
    rows = list(simulate(survey))
    addresses = answers(survey, rows, "IP Address")
    mails = answers(survey, rows, "Q20_email") + answers(survey, rows, "Email Address")
    networks = {address.rpartition(".")[0] for address in addresses}
    assert networks == {"192.0.2", "198.51.100", "203.0.113"}
    assert {mail.rpartition(".example.")[2] for mail in mails if mail} == {"org"}


def test_open_questions_are_answered_by_as_many_as_declared(survey: Survey) -> None:
    rows = list(simulate(survey, with_faults=False))
    for name, spec in survey.simulation.open.items():
        assert sum(bool(text) for text in answers(survey, rows, name)) == spec.answered
        assert 0.45 <= spec.answered / 123 <= 0.85


def test_oddities_are_in_the_export(survey: Survey) -> None:
    rows = list(simulate(survey, with_faults=False))
    texts = "\n".join(cell for row in rows for cell in row)
    assert max(len(cell.split()) for row in rows for cell in row) >= 600
    for odd in ("<script>", '=HYPERLINK("http', "$5 and $10", "+41 22", "نحتاج", "👍"):
        assert odd in texts
    assert "{" not in texts


def test_export_is_read_without_a_problem(survey: Survey, tmp_path: Path) -> None:
    write_export(tmp_path / "export.csv", survey, respondents=300, seed=4)
    export = read_export([tmp_path / "export.csv"], survey.questionnaire)
    assert export.rows == 300 + len(FAULTS)
    assert export.answers["started"].str.fullmatch(r"06/\d\d/2021 \d\d:\d\d:\d\d [AP]M").all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("national_ngo: 67", "national_ngo: 66", "Q1 deals to 122 respondents, but a block has"),
        ("national_ngo: 67", "nationl_ngo: 67", "'nationl_ngo' is no option of Q1; did you mean"),
        ("item_six: 8", "item_seven: 8", "'item_seven' is no code of codebook.yml"),
        ("  Q12: {answered", "  Q21: {answered", "'Q21' is no question of questionnaire.yml"),
        ("  several:\n    en:", "  sevral:\n    en:", "no places are called 'several'"),
        ("index: 62", "index: 620", "Q10 deals 'index' to 620, but only 95 can tick it"),
        ("places: world, respondents: 7", "places: world, respondents: 6", "profiles deals to 122"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_survey(spoilt(tmp_path, old, new))
    assert message in "\n".join(error.value.problems)
