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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from pydantic import Field

from upr_analysis.codebook import Codebook, read_codebook
from upr_analysis.coding import fold
from upr_analysis.documents import Strict, label, read_model
from upr_analysis.problems import InputError
from upr_analysis.questionnaire import Question, Questionnaire, read_questionnaire, relevance

Card = TypeVar("Card")
Deck = dict[str, int]  # what is dealt -> respondents of a block to whom it is
ByLanguage = dict[str, tuple[str, ...]]
SKIPPED: Final = "skipped"
ALONE: Final = "none"  # the option of a select-all question that is ticked alone
TOOL_COLUMNS: Final = (
    *("Respondent ID", "Collector ID", "Start Date", "End Date", "IP Address"),
    *("Email Address", "First Name", "Last Name", "Custom Data 1"),
)
MOMENT: Final = "%m/%d/%Y %I:%M:%S %p"
DOCUMENTATION_NETWORKS: Final = ("192.0.2", "198.51.100", "203.0.113")  # RFC 5737: nobody's
COLLECTORS: Final = {True: "405512391", False: "405512387"}  # invited by e-mail, by a web link
FIRST_ID: Final = 12_714_000_000
FAULTS: Final = ("test entry", "exact duplicate", "near duplicate", "empty", "partial")
INVITED: Final = 0.12  # share of those invited by e-mail, whom the tool knows by name
CONTACT_GIVEN: Final = 0.92  # share of those asked for a contact field who fill it in
MISSPELT_WORD: Final = re.compile(r"(?<![^ ])[^\W\d_]{7,}(?![^ ])")


class Oddity(Strict):
    """A text that tests what handles it, once in a block, where somebody can write it.

    `{Q6}` in it is what the writer answers to Q6; `needs` are questions that the writer answers
    too. Where `words` are given, it is so many words of ordinary sentences.
    """

    question: str
    language: str
    text: str = ""
    needs: tuple[str, ...] = ()
    words: int = 0


class Simulation(Strict):
    """`simulation.yml`: the decks of a block and the words that answers are made of."""

    block: int = Field(gt=0)
    first_day: datetime
    days: int = Field(gt=0)
    profiles: dict[str, Deck]
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
    oddities: tuple[Oddity, ...]
    people: dict[str, tuple[str, ...]]
    test_words: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """What was asked, which codes answers may raise, and what is dealt."""

    questionnaire: Questionnaire
    codebook: Codebook
    simulation: Simulation


@dataclass(eq=False)  # two who answer alike are still two
class Person:
    """One invented respondent: the text of each cell, and what it follows from."""

    language: str
    began: datetime
    ended: datetime
    contact: dict[str, str]
    cells: dict[str, str]  # question, tool's column, "Q2.women" for a tick, "Q2.other" for words
    chosen: dict[str, str] = field(default_factory=dict)
    concerns: set[str] = field(default_factory=set)


def read_survey(folder: Path) -> Survey:
    """Read a consultation's questionnaire, codebook and simulation, and deal a block to try.

    InputError names what does not fit.
    """
    path = folder / "simulation.yml"
    simulation = read_model(path, Simulation)
    survey = Survey(read_questionnaire(folder), read_codebook(folder), simulation)
    try:
        Block(survey, random.Random(0))
    except (LookupError, ValueError) as error:
        raise InputError(f"{path} cannot be dealt: {error}: correct its names and counts.") from error
    return survey


def export_columns(questionnaire: Questionnaire) -> dict[str, tuple[str, str]]:
    """Return the cell and the two headers of each column of SurveyMonkey's export."""
    language = questionnaire.export_language
    columns = {name: (name, "") for name in TOOL_COLUMNS}
    for question in questionnaire.survey:
        header = question.column or question.label_as_asked or label(question.label, language)
        top, _, part = header.partition(" > ")
        choices = questionnaire.options(question)
        if question.kind == "select_multiple":
            for choice in choices:
                columns[f"{question.name}.{choice.name}"] = top, label(choice.label, language)
        elif top not in TOOL_COLUMNS:
            columns[question.name] = top, "Response" if choices else part or "Open-Ended Response"
        if any(choice.role == "other" for choice in choices):
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
            person.cells["Start Date"] = person.began.strftime(MOMENT)
            person.cells["End Date"] = person.ended.strftime(MOMENT)
            yield [person.cells.get(cell, "") for cell in columns]


class Block:
    """One block of respondents, dealt question by question."""

    def __init__(self, survey: Survey, rng: random.Random) -> None:
        self.asked, self.words, self.rng = survey.questionnaire, survey.simulation, rng
        self.theme_of = {code: theme.name for code, theme in survey.codebook.theme_of.items()}
        self.country = self.asked.with_role("country")[0].name
        decks = self.words.profiles.items()
        profiles = {(language, at): n for language, deck in decks for at, n in deck.items()}
        self.people = [self._arrive(*profile) for profile in self._deal("profiles", profiles)]
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
        """Return a row of each of FAULTS, made from valid respondents."""
        by_length = sorted(people, key=lambda one: sum(map(len, one.cells.values())))
        exact, near, test, empty, partial = (
            self._again(by_length[place:][0]) for place in (-3, -2, 0, 0, 0)
        )
        for name in self.words.open:
            if name in near.cells:
                near.cells[name] = self._misspell(near.cells[name])
        for name in self.words.open:
            test.cells[name] = self.rng.choice(self.words.test_words)
        names = [*TOOL_COLUMNS, *(question.name for question in self.asked.survey)]
        for person, last in ((empty, TOOL_COLUMNS[-1]), (partial, self.country)):
            kept = names[: names.index(last) + 1]
            for cell in [cell for cell in person.cells if cell.partition(".")[0] not in kept]:
                del person.cells[cell]
        return [test, exact, near, empty, partial]

    def _again(self, person: Person) -> Person:
        """Return a copy that was sent later, from another address."""
        began = person.ended + timedelta(minutes=self.rng.randrange(5, 600))
        cells = person.cells | {"IP Address": self._address()}
        return replace(person, began=began, ended=began + timedelta(minutes=4), cells=cells)

    def _address(self) -> str:
        return f"{self.rng.choice(DOCUMENTATION_NETWORKS)}.{self.rng.randrange(1, 255)}"

    def _deal(self, what: str, deck: Mapping[Card, int]) -> list[Card]:
        """Return a card for each respondent of the block, shuffled."""
        cards = [card for card, count in deck.items() for _ in range(count)]
        if len(cards) != self.words.block:
            raise ValueError(f"{what} deals to {len(cards)} respondents, not {self.words.block}")
        self.rng.shuffle(cards)
        return cards

    def _arrive(self, language: str, places: str) -> Person:
        """Make a respondent with a name, the tool's own columns and the countries."""
        rng, words = self.rng, self.words
        began = words.first_day + timedelta(seconds=rng.randrange(words.days * 86_400))
        ended = began + timedelta(seconds=rng.randrange(300, 5_400))
        parts = ("given", "family", "first", "second")
        given, family, house, kind = (rng.choice(words.people[part]) for part in parts)
        user, domain = fold(f"{given}.{family}")[0], house.split()[0].lower()
        email = f"{user}@{domain}.example.org"  # RFC 2606: kept for documentation
        invited = rng.random() < INVITED
        cells = {"IP Address": self._address(), "Custom Data 1": language}
        cells["Collector ID"] = COLLECTORS[invited]
        if invited:
            cells |= {"Email Address": email, "First Name": given, "Last Name": family}
        if places != SKIPPED:
            cells[self.country] = rng.choice(words.places[places][language])
        contact = {"name": f"{given} {family}", "organisation": f"{house} {kind}", "email": email}
        return Person(language, began, ended, contact, cells)

    def _choose(self, name: str, deck: Deck) -> None:
        """Deal a single-choice question."""
        for person, option in zip(self.people, self._deal(name, deck), strict=True):
            person.chosen[name] = option
            self._mark(person, name, option, name)

    def _mark(self, person: Person, name: str, option: str, cell: str) -> None:
        """Fill in an option's cell; for "other" the tool keeps the words alone."""
        if option == "other":
            words = self.words.other[name][person.language]
            person.cells[f"{name}.other"] = self.rng.choice(words)
        elif option != SKIPPED:
            labels = {choice.name: choice.label for choice in self.asked.options(name)}
            person.cells[cell] = label(labels[option], self.asked.export_language)

    def _asked(self, question: Question) -> list[Person]:
        needs = relevance(question)
        return [one for one in self.people if not needs or one.chosen[needs[0]] == needs[1]]

    def _tick(self, name: str, deck: Deck) -> None:
        """Deal a select-all question: exact counts, and nobody who answers without a tick."""
        people = self._asked(self.asked.question(name))
        self.rng.shuffle(people)
        people = people[: len(people) - deck.get(SKIPPED, 0)]
        alone = deck.get(ALONE, 0)
        ticks: dict[Person, set[str]] = {one: {ALONE} for one in people[:alone]}
        counts = {option: n for option, n in deck.items() if option not in (ALONE, SKIPPED)}
        ticks |= self._spread(people[alone:], counts)
        for person, ticked in ticks.items():
            for option in sorted(ticked):
                self._mark(person, name, option, f"{name}.{option}")

    def _spread(self, people: Sequence[Person], counts: Deck) -> dict[Person, set[str]]:
        """Give each option to exactly so many people, and at least one to each of them."""
        ticks: dict[Person, set[str]] = {one: set() for one in people}
        for option, count in counts.items():
            for person in self.rng.sample(people, count):
                ticks[person].add(option)
        for ticked in ticks.values():
            if not ticked:
                giver = max(ticks.values(), key=len)
                ticked.add(min(giver))
                giver.remove(min(giver))
        return ticks

    def _concern(self) -> None:
        """Deal whom each theme concerns."""
        for theme, count in self.words.concerns.items():
            for person in self.rng.sample(self.people, count):
                person.concerns.add(theme)
        for theme, answers in self.words.concerned_by.items():
            for person in self.people:
                if any(person.chosen[name] in options for name, options in answers.items()):
                    person.concerns.add(theme)

    def _answer(self, name: str, deck: Deck) -> None:
        """Deal an open question: who has nothing to say, writes beside it or raises codes."""
        weights = {code: (self.theme_of[code], n) for code, n in self.words.codes[name].items()}
        for person, kind in zip(self.people, self._deal(name, deck), strict=True):
            near = {c: n for c, (theme, n) in weights.items() if theme in person.concerns}
            codes = []
            if kind == "raising" and near:
                many = self.rng.choice((1, 1, 1, 2, 2, 3))
                codes = self.rng.choices(list(near), list(near.values()), k=many)
            if kind == "nothing":
                person.cells[name] = self.rng.choice(self.words.nothing[person.language])
            elif kind != SKIPPED:
                person.cells[name] = self._compose(person.language, list(dict.fromkeys(codes)))

    def _compose(self, language: str, codes: Sequence[str]) -> str:
        """Write an answer: a sentence a code, and the ways in which people write."""
        rng, words, shapes = self.rng, self.words, self.words.shapes
        parts = [rng.choice(words.sentences[code][language]) for code in codes]
        parts = parts or [rng.choice(words.beside[language])]
        if rng.random() < shapes["closed"]:
            parts.append(rng.choice(words.closings[language]))
        if len(parts) > 1 and rng.random() < shapes["listed"]:
            text = "\n".join(f"- {part}" for part in parts)
        else:
            opening = rng.random() < shapes["opened"]
            text = " ".join([*([rng.choice(words.openings[language])] if opening else []), *parts])
        if rng.random() < shapes["misspelt"]:
            text = self._misspell(text)
        if rng.random() < shapes["plain"]:
            text = text[:1].lower() + text[1:].rstrip(".")
        return text

    def _misspell(self, text: str) -> str:
        """Return the text with two letters of one of its longer words changed about."""
        words = list(MISSPELT_WORD.finditer(text))
        if not words:
            return text
        word = self.rng.choice(words)
        at = word.start() + self.rng.randrange(1, len(word[0]) - 2)
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]

    def _give_contacts(self) -> None:
        """Fill in the contact fields of those who are asked for them; some leave one blank."""
        for question in self.asked.with_role("contact"):
            for person in self._asked(question):
                if self.rng.random() < CONTACT_GIVEN:
                    part = question.name.rpartition("_")[2]
                    person.cells[question.name] = person.contact[part]

    def _add_oddities(self) -> None:
        """Put each odd text into one of the longer answers; nobody writes two."""
        writers = list(self.people)
        for odd in self.words.oddities:
            needs = (odd.question, *odd.needs)
            able = [
                one
                for one in writers
                if one.language == odd.language and all(name in one.cells for name in needs)
            ]
            able.sort(key=lambda one: -len(one.cells[odd.question]))
            if able:
                person = self.rng.choice(able[: max(1, len(able) // 2)])
                writers.remove(person)
                text = self._at_length(odd) if odd.words else odd.text.format_map(person.cells)
                person.cells[odd.question] = text

    def _at_length(self, odd: Oddity) -> str:
        """Write sentences of every theme that is not sensitive to single people, in any order."""
        words = self.words
        pool = [
            sentence
            for code in sorted(words.sentences)
            if self.theme_of[code] in words.concerns
            for sentence in words.sentences[code][odd.language]
        ]
        self.rng.shuffle(pool)
        said = ""
        while pool and len(said.split()) < odd.words:
            said = f"{said} {pool.pop()}"
        return said.strip()


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
    # a byte order mark, and lines ended as the tool ends them
    with export.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerows([shown, belows])
        writer.writerows(simulate(survey, respondents, seed, faults))


if __name__ == "__main__":
    typer.run(main)
