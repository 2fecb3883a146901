"""The invented export: made again byte for byte, exact in what it is built to agree with."""

import csv
import hashlib
import io
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from upr_analysis.documents import label
from upr_analysis.exports import read_export
from upr_analysis.simulate import FAULTS, export_columns, main, read_survey, simulate

FOLDER = Path(__file__).parent.parent / "data" / "upr-2021"
NAMES = ("simulation.yml", "questionnaire.yml", "codebook.yml")
SURVEY = read_survey(FOLDER)
COLUMNS = list(export_columns(SURVEY.questionnaire))


def answers(rows: list[list[str]], cell: str) -> list[str]:
    """What each row holds in one column."""
    return [row[COLUMNS.index(cell)] for row in rows]


def ticks(rows: list[list[str]], question: str) -> list[list[str]]:
    """The options that each row ticks of a select-all question."""
    places = [n for n, cell in enumerate(COLUMNS) if cell.startswith(f"{question}.")]
    return [[COLUMNS[n].partition(".")[2] for n in places if row[n]] for row in rows]


def spoilt(folder: Path, old: str, new: str) -> Path:
    """A copy of the consultation whose simulation.yml has `new` for `old`."""
    for name in NAMES:
        text = (FOLDER / name).read_text(encoding="utf-8")
        if name == "simulation.yml":
            assert text.count(old) == 1
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    return list(simulate(SURVEY, with_faults=False))


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


def test_export_is_read_without_a_problem(tmp_path: Path) -> None:
    main(FOLDER, tmp_path / "export.csv", respondents=300, seed=4)
    export = read_export([tmp_path / "export.csv"], SURVEY.questionnaire)
    assert export.rows == 300 + len(FAULTS)
    assert export.answers["started"].str.fullmatch(r"06/\d\d/2021 \d\d:\d\d:\d\d [AP]M").all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers())
def test_every_seed_deals_exactly_what_is_declared(seed: int) -> None:
    rows, dealt = list(simulate(SURVEY, seed=seed, with_faults=False)), SURVEY.simulation
    for name, deck in dealt.one.items():
        found = Counter(answers(rows, name))
        for choice in SURVEY.questionnaire.options(name):
            if choice.name != "other":
                assert found[label(choice.label, "en")] == deck[choice.name]
    for name, deck in dealt.several.items():
        found = Counter(option for ticked in ticks(rows, name) for option in ticked)
        assert found == Counter({option: n for option, n in deck.items() if option != "skipped"})
    for name, deck in dealt.open.items():
        assert answers(rows, name).count("") == deck["skipped"]


def test_what_is_dealt_agrees_with_what_was_published() -> None:
    kinds, kept = SURVEY.simulation.one["Q1"], SURVEY.simulation.one["Q16"]
    assert sum(kinds.values()) == 123
    assert round(100 * kinds["national_ngo"] / 123) == 54
    assert round(100 * (kept["all"] + kept["some"]) / (123 - kept["skipped"])) == 79


def test_same_seed_gives_the_same_answers_and_another_seed_others() -> None:
    assert list(simulate(SURVEY, seed=1)) == list(simulate(SURVEY, seed=1))
    assert list(simulate(SURVEY, seed=1)) != list(simulate(SURVEY, seed=2))


def test_a_thousand_respondents_have_the_shape_of_a_block(rows: list[list[str]]) -> None:
    many = list(simulate(SURVEY, respondents=1000, with_faults=False))
    assert len(many) == 1000
    assert len({row[0] for row in many}) == 1000
    for question in ("Q1", "Q4", "Q13", "Q16", "Q19", "Q20"):
        large = Counter(answers(many, question))
        for answer, count in Counter(answers(rows, question)).items():
            # eight whole blocks and at most one block's cards among the sixteen that are left
            assert 8 * count <= large[answer] <= 8 * count + min(count, 16)


@pytest.mark.parametrize("respondents", [0, 1, 2, 122, 124])
def test_any_number_of_respondents_can_be_had(respondents: int) -> None:
    valid = list(simulate(SURVEY, respondents, with_faults=False))
    assert len(valid) == respondents
    assert len(list(simulate(SURVEY, respondents))) == respondents + bool(respondents) * len(FAULTS)


def test_rows_come_one_block_at_a_time() -> None:
    first = list(islice(simulate(SURVEY, respondents=10**12), 3))
    assert first == list(islice(simulate(SURVEY), 3))


def test_whoever_answers_a_select_all_question_ticks_something(rows: list[list[str]]) -> None:
    for name, asked in (("Q2", 123), ("Q5", 101), ("Q10", 123)):
        answering = asked - SURVEY.simulation.several[name]["skipped"]
        assert sum(bool(ticked) for ticked in ticks(rows, name)) == answering


def test_none_of_the_tools_is_ticked_alone(rows: list[list[str]]) -> None:
    assert [ticked for ticked in ticks(rows, "Q10") if "none" in ticked] == [["none"]] * 18


def test_only_those_who_engaged_say_how(rows: list[list[str]]) -> None:
    said = zip(answers(rows, "Q4"), ticks(rows, "Q5"), strict=True)
    assert {engaged for engaged, how in said if how} == {"Yes"}


def test_a_tick_is_the_label_of_its_option(rows: list[list[str]]) -> None:
    assert Counter(answers(rows, "Q2.environment")) == {"Environment": 40, "": 83}


def test_contacts_are_from_ranges_kept_for_documentation() -> None:
    rows = list(simulate(SURVEY))
    mails = {*answers(rows, "Q20_email"), *answers(rows, "Email Address")} - {""}
    networks = {address.rpartition(".")[0] for address in answers(rows, "IP Address")}
    assert networks == {"192.0.2", "198.51.100", "203.0.113"}
    assert {mail.partition("@")[2] for mail in mails} == {"example.org"}


def test_oddities_are_in_the_export(rows: list[list[str]]) -> None:
    texts = "\n".join(cell for row in rows for cell in row)
    assert max(len(cell.split()) for row in rows for cell in row) >= 600
    for odd in ("<script>", '=HYPERLINK("http', "$5 and $10", "+41 22", "نحتاج", "👍"):
        assert odd in texts
    assert "{" not in texts


def test_a_named_colleague_is_the_writer(rows: list[list[str]]) -> None:
    names = answers(rows, "Q20_name")
    named = [
        (text, name)
        for text, name in zip(answers(rows, "Q13_why"), names, strict=True)
        if "My colleague" in text
    ]
    [(text, name)] = named
    assert text.endswith(f"My colleague {name} can tell more.")
    assert name


def test_whatever_can_be_said_can_be_said_in_every_language() -> None:
    dealt = SURVEY.simulation
    lists = [dealt.openings, dealt.closings, dealt.nothing, dealt.beside]
    lists += [*dealt.sentences.values(), *dealt.other.values(), *dealt.places.values()]
    for by_language in lists:
        assert set(by_language) == set(SURVEY.questionnaire.languages)
        assert all(by_language.values())


def test_themes_that_concern_people_are_those_of_the_codebook() -> None:
    dealt = SURVEY.simulation
    caused = [
        theme for by in dealt.concerned_by.values() for themes in by.values() for theme in themes
    ]
    assert {*dealt.concerns, *caused} == {theme.name for theme in SURVEY.codebook.themes}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("national_ngo: 67", "national_ngo: 66", "(Q1 deals to 122 respondents, not 123)"),
        ("national_ngo: 67", "nationl_ngo: 67", "('nationl_ngo'): correct the name or count"),
        ("item_six: 8", "item_seven: 8", "simulation.yml cannot be dealt ('item_seven')"),
        ("  Q12: {nothing", "  Q21: {nothing", "No question is called 'Q21'; did you mean"),
        ("  several:\n    en:", "  sevral:\n    en:", "cannot be dealt ('several')"),
        ("index: 62", "index: 620", "Q10 deals index to more than the 95 left"),
        ("en world: 7", "en world: 6", "profiles deals to 122 respondents, not 123"),
        ("accessibility: 104", "accessibility: 1040", "cannot be dealt (Sample larger than"),
        ("days: 21", "dais: 21", "sets 'dais', which nothing declares; did you mean 'days'?"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    with pytest.raises(typer.Exit) as stopped:
        main(spoilt(tmp_path, old, new), tmp_path / "export.csv")
    assert stopped.value.exit_code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "export.csv").exists()
