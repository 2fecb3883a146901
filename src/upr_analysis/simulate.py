"""Invented exports: a survey that nobody answered, in the survey tool's own format.

`simulation.yml` of a consultation says what is dealt. A block of respondents holds exactly the
counts of its decks, whatever the seed, so that what agrees with a published figure agrees by
construction and proves nothing. Answers to different questions are dealt independently of each
other, but that what is written follows from the themes that concern the writer. Each block is made
from the seed and its own number and written before the next: ten million respondents need no more
memory than one block.

Run as `python -m upr_analysis.simulate data/upr-2021 export.csv --seed 2021`.
"""

import csv
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import Field

from upr_analysis.codebook import Codebook, read_codebook
from upr_analysis.documents import Strict, label, read_model
from upr_analysis.patterns import fold
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Questionnaire, read_questionnaire, relevance

Deck = dict[str, int]  # what is dealt -> to how many respondents of a block
ByLanguage = dict[str, tuple[str, ...]]
SKIPPED: Final = "skipped"
ALONE: Final = (SKIPPED, "none")  # cards of a select-all question that go with no other
TOOL_COLUMNS: Final = (
    *("Respondent ID", "Collector ID", "Start Date", "End Date", "IP Address"),
    *("Email Address", "First Name", "Last Name", "Custom Data 1"),
)
MOMENT: Final = "%m/%d/%Y %I:%M:%S %p"
DOCUMENTATION_NETWORKS: Final = ("192.0.2", "198.51.100", "203.0.113")  # RFC 5737: nobody's
COLLECTORS: Final = {True: "405512391", False: "405512387"}  # invited by e-mail, by a web link
INVITED: Final = 0.12  # share of those invited by e-mail, whom the tool knows by name
FIRST_ID: Final = 12_714_000_000
ANSWERED_BY_PARTIAL: Final = 3  # questions before it stops
FAULTS: Final = ("test entry", "exact duplicate", "near duplicate", "empty", "partial")


class Simulation(Strict):
    """`simulation.yml`: the decks of a block and the words that answers are made of."""

    block: int = Field(gt=0)
    first_day: datetime
    days: int = Field(gt=0)
    profiles: Deck
    places: dict[str, ByLanguage]
    one: dict[str, Deck]
    several: dict[str, Deck]
    concerns: Deck
    concerned_by: dict[str, dict[str, tuple[str, ...]]]
    open: dict[str, Deck]
    codes: dict[str, dict[str, int]]
    shapes: dict[str, float]
    sentences: dict[str, ByLanguage]
    openings: ByLanguage
    closings: ByLanguage
    nothing: ByLanguage
    beside: ByLanguage
    other: dict[str, ByLanguage]
    oddities: tuple[tuple[str, str, str], ...]
    people: dict[str, tuple[str, ...]]
    test_words: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """What was asked, what is dealt, and which theme a code is of."""

    questionnaire: Questionnaire
    simulation: Simulation
    codebook: Codebook


@dataclass(eq=False)  # two who answer alike are still two
class Person:
    """One invented respondent: the text of each cell, and what it follows from."""

    language: str
    began: datetime
    contact: dict[str, str]
    cells: dict[str, str]  # called as `export_columns` does
    chosen: dict[str, str] = field(default_factory=dict)  # single-choice question -> option
    concerns: set[str] = field(default_factory=set)


def read_survey(folder: Path) -> Survey:
    """Read a consultation that can be simulated; InputError says what does not fit."""
    path = folder / "simulation.yml"
    survey = Survey(read_questionnaire(folder), read_model(path, Simulation), read_codebook(folder))
    try:
        Block(survey, random.Random(0))
    except (LookupError, ValueError) as error:
        raise InputError(f"{path} cannot be dealt ({error}): correct the name or count.") from error
    return survey


def export_columns(questionnaire: Questionnaire) -> dict[str, tuple[str, str]]:
    """Return the two headers of each cell of a row, in the order of SurveyMonkey's export.

    A cell is called after its question or the tool's column, or `Q2.women` for an option of a
    select-all question, or `Q2.other` for the words behind "other".
    """
    language = questionnaire.export_language
    columns = {name: (name, "") for name in TOOL_COLUMNS}
    for question in questionnaire.survey:
        header = questionnaire.header(question, language)
        top, _, part = header.partition(" > ")
        choices = questionnaire.options(question)
        if question.kind == "select_multiple":
            for choice in choices:
                columns[f"{question.name}.{choice.name}"] = top, label(choice.label, language)
        elif top not in TOOL_COLUMNS:
            columns[question.name] = top, "Response" if choices else part or "Open-Ended Response"
        if any(choice.name == "other" for choice in choices):
            columns[f"{question.name}.other"] = top, "Other (please specify)"
    return columns


def simulate(
    survey: Survey, respondents: int = 123, seed: int = 2021, with_faults: bool = True
) -> Iterator[list[str]]:
    """Yield the rows of an export, in the order of its columns.

    `respondents` are valid ones; `with_faults` adds, once, a row of each of FAULTS, which cleaning
    has to remove. A last block that is cut off has its decks' counts only roughly.
    """
    columns = export_columns(survey.questionnaire)
    size, serial = survey.simulation.block, 0
    for number in range(-(-respondents // size)):
        block = Block(survey, random.Random(f"{seed}/{number}"))
        people = block.people[: respondents - number * size]
        if with_faults and number == 0:
            people = people + block.faults(people)
        for person in sorted(people, key=lambda one: one.began):
            serial += 1
            person.cells["Respondent ID"] = str(FIRST_ID + 37 * serial)
            yield [person.cells.get(cell, "") for cell in columns]


class Block:
    """One block of respondents, dealt question by question."""

    def __init__(self, survey: Survey, rng: random.Random) -> None:
        self.asked, self.theme_of = survey.questionnaire, survey.codebook.theme_of
        self.words, self.rng = survey.simulation, rng
        self.people = [self._arrive(one) for one in self._deal("profiles", self.words.profiles)]
        for name, deck in self.words.one.items():
            self._choose(name, deck)
        for name, deck in self.words.several.items():
            self._tick(name, deck)
        self._concern()
        for name, deck in self.words.open.items():
            self._answer(name, deck)
        self._give_contacts()
        self._add_oddities()

    def faults(self, people: Sequence[Person]) -> list[Person]:
        """Return a row of each of FAULTS; the duplicates are of who answered most."""
        first = max(people, key=lambda one: len(one.cells))
        test, exact, near, empty = (self._arrive(first.language) for _ in range(4))
        partial = self._arrive(people[0].language)
        begun = [one.name for one in self.asked.survey if one.is_substantive][:ANSWERED_BY_PARTIAL]
        partial.cells |= {
            cell: text for cell, text in people[0].cells.items() if cell.partition(".")[0] in begun
        }
        test.cells |= {name: self.rng.choice(self.words.test_words) for name in self.words.open}
        exact.cells, near.cells = first.cells | exact.cells, first.cells | near.cells
        for name in sorted(near.cells.keys() & self.words.open):
            near.cells[name] = self._misspell(near.cells[name])
        return [test, exact, near, empty, partial]

    def _deal(self, what: str, deck: Deck) -> list[str]:
        """Return a card for each respondent of the block, shuffled."""
        cards = [card for card, count in deck.items() for _ in range(count)]
        if len(cards) != self.words.block:
            raise ValueError(f"{what} deals to {len(cards)} respondents, not {self.words.block}")
        self.rng.shuffle(cards)
        return cards

    def _arrive(self, profile: str) -> Person:
        """Make a respondent with a name, the tool's own columns and the countries."""
        rng, words = self.rng, self.words
        language, _, places = profile.partition(" ")
        began = words.first_day + timedelta(seconds=rng.randrange(words.days * 86_400))
        ended = began + timedelta(seconds=rng.randrange(300, 5_400))
        given, family = rng.choice(words.people["given"]), rng.choice(words.people["family"])
        organisation = f"{rng.choice(words.people['first'])} {rng.choice(words.people['second'])}"
        email = fold(f"{given}.{family}@example.org")[0]  # RFC 2606: kept for documentation
        invited = rng.random() < INVITED
        cells = {"Start Date": began.strftime(MOMENT), "End Date": ended.strftime(MOMENT)}
        cells |= {"Collector ID": COLLECTORS[invited], "Custom Data 1": language}
        cells["IP Address"] = f"{rng.choice(DOCUMENTATION_NETWORKS)}.{rng.randrange(1, 255)}"
        if invited:
            cells |= {"Email Address": email, "First Name": given, "Last Name": family}
        if places:
            country = self.asked.with_role("country")[0].name
            cells[country] = rng.choice(words.places[places][language])
        contact = {"name": f"{given} {family}", "organisation": organisation, "email": email}
        return Person(language, began, contact, cells)

    def _asked(self, name: str) -> list[Person]:
        needs = relevance(self.asked.question(name))
        return [one for one in self.people if not needs or one.chosen[needs[0]] == needs[1]]

    def _choose(self, name: str, deck: Deck) -> None:
        """Deal a single-choice question."""
        for person, option in zip(self._asked(name), self._deal(name, deck), strict=True):
            person.chosen[name] = option
            self._mark(person, name, option, name)

    def _mark(self, person: Person, name: str, option: str, cell: str) -> None:
        """Fill in an option's cell; behind "other" the tool keeps the words alone."""
        if option == "other":
            words = self.words.other[name][person.language]
            person.cells[f"{name}.other"] = self.rng.choice(words)
        elif option != SKIPPED:
            labels = {choice.name: choice.label for choice in self.asked.options(name)}
            person.cells[cell] = label(labels[option], self.asked.export_language)

    def _tick(self, name: str, deck: Deck) -> None:
        """Deal a select-all question: exact counts, and nobody who answers without a tick."""
        people, ticked = self._asked(name), set[Person]()
        for option in sorted(deck, key=lambda option: option not in ALONE):
            if deck[option] > len(people):
                raise ValueError(f"{name} deals {option} to more than the {len(people)} left")
            self.rng.shuffle(people)
            people.sort(key=ticked.__contains__)  # who has no tick yet comes first
            chosen = people[: deck[option]]
            for person in chosen:
                self._mark(person, name, option, f"{name}.{option}")
            if option in ALONE:
                people = people[len(chosen) :]
            else:
                ticked.update(chosen)

    def _concern(self) -> None:
        """Deal whom each theme concerns."""
        for theme, count in self.words.concerns.items():
            for person in self.rng.sample(self.people, count):
                person.concerns.add(theme)
        for name, themes in self.words.concerned_by.items():
            for person in self.people:
                person.concerns.update(themes.get(person.chosen[name], ()))

    def _answer(self, name: str, deck: Deck) -> None:
        """Deal the kinds of answer to an open question and write each."""
        for person, kind in zip(self._asked(name), self._deal(name, deck), strict=True):
            if kind == "nothing":
                person.cells[name] = self.rng.choice(self.words.nothing[person.language])
            elif kind != SKIPPED:
                codes = self._raised(name, person.concerns) if kind == "raising" else []
                person.cells[name] = self._compose(person.language, codes)

    def _raised(self, name: str, concerns: set[str]) -> list[str]:
        """Draw up to three codes of the themes that concern the writer."""
        weights = self.words.codes[name]
        near = [code for code in weights if self.theme_of[code].name in concerns]
        many = self.rng.choice((1, 1, 1, 2, 2, 3))
        drawn = self.rng.choices(near, [weights[code] for code in near], k=many) if near else []
        return list(dict.fromkeys(drawn))

    def _compose(self, language: str, codes: Sequence[str]) -> str:
        """Write an answer: a sentence a code, and the ways in which people write."""
        rng, words, shapes = self.rng, self.words, self.words.shapes
        parts = [rng.choice(words.sentences[code][language]) for code in codes]
        parts = parts or [rng.choice(words.beside[language])]
        if rng.random() < shapes["closed"]:
            parts.append(rng.choice(words.closings[language]))
        listed = len(parts) > 1 and rng.random() < shapes["listed"]
        if not listed and rng.random() < shapes["opened"]:
            parts.insert(0, rng.choice(words.openings[language]))
        text = "\n".join(f"- {part}" for part in parts) if listed else " ".join(parts)
        if rng.random() < shapes["misspelt"]:
            text = self._misspell(text)
        if rng.random() < shapes["plain"]:
            text = text[:1].lower() + text[1:].rstrip(".")
        return text

    def _misspell(self, text: str) -> str:
        """Return the text with two letters of one of its longer words changed about."""
        places = [letter.start() for letter in re.finditer(r"(?<=\w)\w(?=\w{5})", text)]
        at = self.rng.choice(places or [0])
        return text[:at] + text[at : at + 2][::-1] + text[at + 2 :]

    def _give_contacts(self) -> None:
        """Fill in the contact fields of those who are asked for them."""
        for question in self.asked.with_role("contact"):
            for person in self._asked(question.name):
                person.cells[question.name] = person.contact[question.name.rpartition("_")[2]]

    def _add_oddities(self) -> None:
        """Put each odd text, with what the writer answers to `{Q6}`, in the place of an answer."""
        left = list(self.people)
        for name, language, text in self.words.oddities:
            needs = {name, *re.findall(r"{(\w+)}", text)}
            able = [one for one in left if one.language == language and needs <= one.cells.keys()]
            if able:
                person = self.rng.choice(able)
                left.remove(person)  # nobody writes two
                person.cells[name] = text.format_map(person.cells)


def main(
    folder: Annotated[Path, typer.Argument(help="the consultation's folder, data/upr-2021 say")],
    export: Annotated[Path, typer.Argument(help="the file to write")],
    respondents: Annotated[int, typer.Option(min=0, help="valid respondents")] = 123,
    seed: Annotated[int, typer.Option(help="start of every random draw")] = 2021,
    faults: Annotated[bool, typer.Option(help="add the rows that cleaning removes")] = True,
) -> None:
    """Write an INVENTED export for a consultation that has a simulation.yml."""
    try:
        survey = read_survey(folder)
    except InputError as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(2) from error
    tops, belows = zip(*export_columns(survey.questionnaire).values(), strict=True)
    shown = [top if top != before else "" for top, before in zip(tops, ["", *tops], strict=False)]
    with export.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")  # as the tool writes it
        writer.writerows([shown, belows])
        writer.writerows(simulate(survey, respondents, seed, faults))


if __name__ == "__main__":
    typer.run(main)
