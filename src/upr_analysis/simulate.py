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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from pydantic import Field

from upr_analysis.codebook import Codebook, read_codebook
from upr_analysis.coding import fold
from upr_analysis.documents import Strict, label, read_model
from upr_analysis.problems import InputError, did_you_mean
from upr_analysis.questionnaire import Question, Questionnaire, read_questionnaire, relevance

Card = TypeVar("Card")
ByLanguage = dict[str, tuple[str, ...]]
SKIPPED: Final = "skipped"
NOWHERE: Final = "none"  # the profile of those who leave the country question blank
TOOL_COLUMNS: Final = (
    *("Respondent ID", "Collector ID", "Start Date", "End Date", "IP Address"),
    *("Email Address", "First Name", "Last Name", "Custom Data 1"),
)
OTHER_WORDS: Final = "Other (please specify)"
MOMENT: Final = "%m/%d/%Y %I:%M:%S %p"
DOCUMENTATION_NETWORKS: Final = ("192.0.2", "198.51.100", "203.0.113")  # RFC 5737: nobody's
COLLECTORS: Final = {True: "405512391", False: "405512387"}  # invited by e-mail, by a web link
FIRST_ID: Final = 12_714_000_000
FAULTS: Final = ("test entry", "exact duplicate", "near duplicate", "empty", "partial")
INVITED: Final = 0.12  # share of those invited by e-mail, whom the tool knows by name
CONTACT_GIVEN: Final = 0.92  # share of those asked for a contact field who fill it in
LONGEST_WORD_KEPT: Final = 6  # letters up to which a word is not misspelt


class Profile(Strict):
    """So many respondents of a block who write in a language and work in some places."""

    language: str
    places: str
    respondents: int


class Open(Strict):
    """An open question: how many of a block answer, and what answers may raise (code: weight).

    Of those who answer, `nothing` say that there is nothing to say, `beside` write what raises no
    code; the others raise codes of the themes that concern them.
    """

    answered: int
    nothing: int
    beside: int
    codes: dict[str, int] = Field(min_length=1)


class Shapes(Strict):
    """Shares of answers (0-1) that are written in a certain way."""

    misspelt: float
    plain: float  # no capital, no full stop
    opened: float
    closed: float
    listed: float  # of those with several sentences: one a line


class Oddity(Strict):
    """A text that tests what handles it, once a block; `{name}` and the like are the writer's.

    It stands behind an answer of many words, or for the `whole` of it.
    """

    question: str
    language: str
    text: str
    whole: bool = False


class LongAnswer(Strict):
    """One answer of many words, once a block."""

    question: str
    language: str
    words: int


class People(Strict):
    """Parts of invented names of people and organisations."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]


class Simulation(Strict):
    """`simulation.yml`: the decks of a block and the words that answers are made of."""

    block: int = Field(gt=0)
    first_day: date
    days: int = Field(gt=0)
    profiles: tuple[Profile, ...]
    places: dict[str, ByLanguage]
    one: dict[str, dict[str, int]]
    several: dict[str, dict[str, int]]
    concerns: dict[str, int]
    concerned_by: dict[str, dict[str, tuple[str, ...]]]
    open: dict[str, Open]
    shapes: Shapes
    sentences: dict[str, ByLanguage]
    openings: ByLanguage
    closings: ByLanguage
    nothing: ByLanguage
    beside: ByLanguage
    other: dict[str, ByLanguage]
    oddities: tuple[Oddity, ...] = ()
    long_answer: LongAnswer | None = None
    people: People
    test_words: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """What a simulation needs to know: what was asked, what is dealt, which theme a code is of."""

    questionnaire: Questionnaire
    simulation: Simulation
    theme_of: Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """A column of the export: its two headers and the cell of a person that it shows."""

    top: str
    below: str
    cell: tuple[str, str]  # question, or the tool's column; option, "other" or ""


@dataclass
class Person:
    """One invented respondent: what is in each cell, and what it follows from."""

    language: str
    began: datetime
    ended: datetime
    name: str
    organisation: str
    cells: dict[tuple[str, str], str]
    concerns: set[str] = field(default_factory=set)

    def answer(self, question: str) -> str:
        """Return the text of an answer, "" where there is none."""
        return self.cells.get((question, ""), "")

    @property
    def email(self) -> str:
        """An address under a name that is kept for documentation (RFC 2606)."""
        given, _, family = fold(self.name)[0].partition(" ")
        return f"{given}.{family}@{self.organisation.split()[0].lower()}.example.org"


def read_survey(folder: Path) -> Survey:
    """Read a consultation's questionnaire, codebook and simulation; InputError has all problems."""
    questionnaire, codebook = read_questionnaire(folder), read_codebook(folder)
    simulation = read_model(folder / "simulation.yml", Simulation)
    problems = [
        f"simulation.yml: {problem}" for problem in _problems(simulation, questionnaire, codebook)
    ]
    if problems:
        raise InputError(problems)
    theme_of = {code: theme.name for code, theme in codebook.theme_of.items()}
    return Survey(questionnaire, simulation, theme_of)


def export_columns(questionnaire: Questionnaire) -> list[Column]:
    """Return the columns of SurveyMonkey's export of all responses, as `exports` reads them."""
    columns = [Column(name, "", (name, "")) for name in TOOL_COLUMNS]
    for question in questionnaire.survey:
        header = question.column or label(question.label, questionnaire.export_language)
        if header not in TOOL_COLUMNS:
            columns += _question_columns(question, header, questionnaire)
    return columns


def simulate(
    survey: Survey, respondents: int = 123, seed: int = 2021, with_faults: bool = True
) -> Iterator[list[str]]:
    """Yield the rows of an export, in the order of its columns.

    `respondents` are valid ones; `with_faults` adds, once, a row of each of FAULTS, which cleaning
    has to remove. A last block that is cut off has its decks' counts only roughly.
    """
    cells = [column.cell for column in export_columns(survey.questionnaire)]
    size, serial = survey.simulation.block, 0
    for number in range(-(-respondents // size)):
        block = _Block(survey, random.Random(f"{seed}/{number}"))
        people = block.people[: respondents - number * size]
        if with_faults and number == 0:
            people = people + block.faults(people)
        for person in sorted(people, key=lambda one: one.began):
            serial += 1
            person.cells["Respondent ID", ""] = str(FIRST_ID + 37 * serial)
            yield [person.cells.get(cell, "") for cell in cells]


def write_export(
    path: Path,
    survey: Survey,
    respondents: int = 123,
    seed: int = 2021,
    with_faults: bool = True,
) -> None:
    """Write an invented export: UTF-8 with a byte order mark, lines ended as the tool ends them."""
    columns = export_columns(survey.questionnaire)
    tops = [column.top for column in columns]
    shown = [top if top != before else "" for top, before in zip(tops, ["", *tops], strict=False)]
    rows = simulate(survey, respondents, seed, with_faults)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerows(chain([shown, [column.below for column in columns]], rows))


def _question_columns(
    question: Question, header: str, questionnaire: Questionnaire
) -> Iterator[Column]:
    top, _, part = header.partition(" > ")
    choices = questionnaire.options(question)
    if question.kind == "select_multiple":
        for choice in choices:
            if choice.role != "other":
                below = label(choice.label, questionnaire.export_language)
                yield Column(top, below, (question.name, choice.name))
    elif question.kind == "select_one":
        yield Column(top, "Response", (question.name, ""))
    else:
        yield Column(top, part or "Open-Ended Response", (question.name, ""))
    if any(choice.role == "other" for choice in choices):
        yield Column(top, OTHER_WORDS, (question.name, "other"))


class _Block:
    """One block of respondents, dealt question by question."""

    def __init__(self, survey: Survey, rng: random.Random) -> None:
        self.survey, self.simulation, self.rng = survey, survey.simulation, rng
        cards = {place: one.respondents for place, one in enumerate(self.simulation.profiles)}
        self.people = [self._arrive(self.simulation.profiles[card]) for card in _dealt(cards, rng)]
        self.chosen = {name: self._choose(name, deck) for name, deck in self.simulation.one.items()}
        for name, deck in self.simulation.several.items():
            self._tick(name, deck)
        self._concern()
        for name, spec in self.simulation.open.items():
            self._write(name, spec)
        self._give_contacts()
        self._add_oddities()

    def faults(self, people: Sequence[Person]) -> list[Person]:
        """Return a row of each of FAULTS, made from the block's valid respondents."""
        talkative = sorted(people, key=lambda one: sum(map(len, one.cells.values())))
        exact, near, test, empty, partial = (
            self._again(talkative[max(place, -len(people))]) for place in (-3, -2, 0, 0, 0)
        )
        for name in self.simulation.open:
            if near.answer(name):
                near.cells[name, ""] = _misspell(near.answer(name), self.rng)
        for name in self.simulation.open:
            test.cells[name, ""] = self.rng.choice(self.simulation.test_words)
        names = [question.name for question in self.survey.questionnaire.survey]
        last = names.index(self._country)
        for person, kept in ((empty, ()), (partial, names[: last + 1])):
            whole = person.cells
            person.cells = {c: text for c, text in whole.items() if c[0] in (*TOOL_COLUMNS, *kept)}
        return [test, exact, near, empty, partial]

    @property
    def _country(self) -> str:
        return self.survey.questionnaire.with_role("country")[0].name

    def _arrive(self, profile: Profile) -> Person:
        """Make a respondent with a name, the tool's own columns and the countries."""
        rng, parts = self.rng, self.simulation.people
        midnight = datetime.combine(self.simulation.first_day, datetime.min.time())
        began = midnight + timedelta(seconds=rng.randrange(self.simulation.days * 86_400))
        ended = began + timedelta(seconds=rng.randrange(300, 5_400))
        given, family = rng.choice(parts.given), rng.choice(parts.family)
        organisation = f"{rng.choice(parts.first)} {rng.choice(parts.second)}"
        person = Person(profile.language, began, ended, f"{given} {family}", organisation, {})
        invited = rng.random() < INVITED
        start, end = _moments(began, ended)
        tool = {"Start Date": start, "End Date": end, "IP Address": self._address()}
        tool |= {"Collector ID": COLLECTORS[invited], "Custom Data 1": profile.language}
        if invited:
            tool |= {"Email Address": person.email, "First Name": given, "Last Name": family}
        person.cells |= {(name, ""): text for name, text in tool.items()}
        if profile.places != NOWHERE:
            written = self.simulation.places[profile.places][profile.language]
            person.cells[self._country, ""] = rng.choice(written)
        return person

    def _again(self, person: Person) -> Person:
        """Return a copy that was sent later, from another address."""
        began = person.ended + timedelta(minutes=self.rng.randrange(5, 600))
        ended = began + timedelta(minutes=4)
        start, end = _moments(began, ended)
        cells = person.cells | {("Start Date", ""): start, ("End Date", ""): end}
        cells["IP Address", ""] = self._address()
        return replace(person, began=began, ended=ended, cells=cells)

    def _address(self) -> str:
        return f"{self.rng.choice(DOCUMENTATION_NETWORKS)}.{self.rng.randrange(1, 255)}"

    def _labels(self, name: str) -> dict[str, str]:
        questionnaire = self.survey.questionnaire
        return {
            choice.name: label(choice.label, questionnaire.export_language)
            for choice in questionnaire.options(name)
        }

    def _other_words(self, name: str, person: Person) -> str:
        return self.rng.choice(self.simulation.other[name][person.language])

    def _choose(self, name: str, deck: Mapping[str, int]) -> list[str]:
        """Deal a single-choice question; returns each respondent's option or SKIPPED."""
        labels, chosen = self._labels(name), _dealt(deck, self.rng)
        for person, option in zip(self.people, chosen, strict=True):
            if option == "other":  # the tool leaves the answer blank and keeps the words
                person.cells[name, "other"] = self._other_words(name, person)
            elif option != SKIPPED:
                person.cells[name, ""] = labels[option]
        return chosen

    def _asked(self, question: Question) -> list[int]:
        needs = relevance(question)
        if needs is None:
            return list(range(len(self.people)))
        chosen = self.chosen[needs[0]]
        return [place for place, option in enumerate(chosen) if option == needs[1]]

    def _tick(self, name: str, deck: Mapping[str, int]) -> None:
        """Deal a select-all question: exact counts, and nobody who answers without a tick."""
        question, labels = self.survey.questionnaire.question(name), self._labels(name)
        alone = _alone(self.survey.questionnaire, name)
        order = self._asked(question)
        self.rng.shuffle(order)
        ticks = {place: {alone} for place in order[: deck.get(alone, 0)]}
        answering = order[len(ticks) : len(order) - deck.get(SKIPPED, 0)]
        counts = {option: count for option, count in deck.items() if option not in (alone, SKIPPED)}
        ticks |= _spread(answering, counts, self.rng)
        for place, ticked in ticks.items():
            cells = self.people[place].cells
            for option in sorted(ticked):
                cells[name, option] = labels[option]
            if "other" in ticked:
                cells[name, "other"] = self._other_words(name, self.people[place])

    def _concern(self) -> None:
        """Deal whom each theme concerns."""
        for theme, count in self.simulation.concerns.items():
            for person in self.rng.sample(self.people, count):
                person.concerns.add(theme)
        for theme, answers in self.simulation.concerned_by.items():
            for question, options in answers.items():
                for person, option in zip(self.people, self.chosen[question], strict=True):
                    if option in options:
                        person.concerns.add(theme)

    def _write(self, name: str, spec: Open) -> None:
        """Deal an open question's kinds of answer and write the answers."""
        themed = spec.answered - spec.nothing - spec.beside
        kinds = {"nothing": spec.nothing, "beside": spec.beside, "themed": themed}
        blank = len(self.people) - spec.answered
        for person, kind in zip(
            self.people, _dealt(kinds | {SKIPPED: blank}, self.rng), strict=True
        ):
            if kind == "nothing":
                person.cells[name, ""] = self.rng.choice(self.simulation.nothing[person.language])
            elif kind != SKIPPED:
                codes = self._raised(person, spec) if kind == "themed" else []
                person.cells[name, ""] = self._compose(person.language, codes)

    def _raised(self, person: Person, spec: Open) -> list[str]:
        theme_of = self.survey.theme_of
        near = {c: weight for c, weight in spec.codes.items() if theme_of[c] in person.concerns}
        if not near:
            return []
        many = self.rng.choice((1, 1, 1, 2, 2, 3))
        return list(dict.fromkeys(self.rng.choices(list(near), list(near.values()), k=many)))

    def _compose(self, language: str, codes: Sequence[str]) -> str:
        """Write an answer: a sentence a code, and the ways in which people write."""
        rng, words, shapes = self.rng, self.simulation, self.simulation.shapes
        parts = [rng.choice(words.sentences[code][language]) for code in codes]
        parts = parts or [rng.choice(words.beside[language])]
        if rng.random() < shapes.closed:
            parts.append(rng.choice(words.closings[language]))
        if len(parts) > 1 and rng.random() < shapes.listed:
            text = "\n".join(f"- {part}" for part in parts)
        else:
            opening = rng.random() < shapes.opened
            text = " ".join([*([rng.choice(words.openings[language])] if opening else []), *parts])
        if rng.random() < shapes.misspelt:
            text = _misspell(text, rng)
        if rng.random() < shapes.plain:
            text = text[:1].lower() + text[1:].rstrip(".")
        return text

    def _give_contacts(self) -> None:
        """Fill in the contact fields of those who are asked for them; some leave one blank."""
        fields = self.survey.questionnaire.with_role("contact")
        for question in fields:
            for place in self._asked(question):
                person = self.people[place]
                texts = {"name": person.name, "organisation": person.organisation}
                text = texts.get(question.name.rpartition("_")[2], person.email)
                if self.rng.random() < CONTACT_GIVEN:
                    person.cells[question.name, ""] = text

    def _add_oddities(self) -> None:
        taken: set[int] = set()
        for oddity in self.simulation.oddities:
            person = self._writer(oddity.question, oddity.language, "{" in oddity.text, taken)
            words = {"name": person.name, "organisation": person.organisation}
            text = oddity.text
            for word, value in (words | {"email": person.email}).items():
                text = text.replace("{" + word + "}", value)
            if not oddity.whole:
                text = f"{person.answer(oddity.question)} {text}"
            person.cells[oddity.question, ""] = text
        long = self.simulation.long_answer
        if long is not None:
            person = self._writer(long.question, long.language, False, taken)
            person.cells[long.question, ""] = self._at_length(long)

    def _writer(self, question: str, language: str, named: bool, taken: set[int]) -> Person:
        """Choose who writes an oddity: of the longer half of the answers, nobody twice."""
        places = [
            place
            for place, person in enumerate(self.people)
            if person.language == language
            and person.answer(question)
            and place not in taken
            and (not named or self._gave_contacts(person))
        ]
        if not places:
            raise InputError(
                f"simulation.yml: nobody is left who writes {language!r} and answers {question}: "
                "take away an oddity, or deal more of them."
            )
        places.sort(key=lambda place: -len(self.people[place].answer(question)))
        place = self.rng.choice(places[: max(1, len(places) // 2)])
        taken.add(place)
        return self.people[place]

    def _gave_contacts(self, person: Person) -> bool:
        fields = self.survey.questionnaire.with_role("contact")
        return all(person.answer(question.name) for question in fields)

    def _at_length(self, long: LongAnswer) -> str:
        """Write sentences of every theme that is not sensitive to single people, in any order."""
        words = self.simulation
        codes = sorted({code for spec in words.open.values() for code in spec.codes})
        pool = [
            sentence
            for code in codes
            if self.survey.theme_of[code] in words.concerns
            for sentence in words.sentences[code][long.language]
        ]
        self.rng.shuffle(pool)
        said: list[str] = []
        while pool and sum(len(sentence.split()) for sentence in said) < long.words:
            said.append(pool.pop())
        return " ".join(said)


def _dealt(deck: Mapping[Card, int], rng: random.Random) -> list[Card]:
    cards = [name for name, count in deck.items() for _ in range(count)]
    rng.shuffle(cards)
    return cards


def _spread(
    places: Sequence[int], counts: Mapping[str, int], rng: random.Random
) -> dict[int, set[str]]:
    """Give each option to exactly so many of `places`, and at least one option to each of them."""
    ticks: dict[int, set[str]] = {place: set() for place in places}
    for option, count in counts.items():
        for place in rng.sample(places, count):
            ticks[place].add(option)
    for ticked in ticks.values():
        if not ticked:
            giver = max(ticks.values(), key=len)
            ticked.add(min(giver))
            giver.remove(min(giver))
    return ticks


def _misspell(text: str, rng: random.Random) -> str:
    """Return the text with two letters of one of its longer words changed about."""
    words = text.split(" ")
    long = [
        place
        for place, word in enumerate(words)
        if word.isalpha() and len(word) > LONGEST_WORD_KEPT
    ]
    if not long:
        return text
    place = rng.choice(long)
    word, at = words[place], rng.randrange(1, len(words[place]) - 2)
    words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


def _moments(began: datetime, ended: datetime) -> tuple[str, str]:
    return began.strftime(MOMENT), ended.strftime(MOMENT)


def _problems(
    simulation: Simulation, questionnaire: Questionnaire, codebook: Codebook
) -> Iterator[str]:
    """Yield what does not fit: names that nothing declares, decks that do not add up."""
    names = [question.name for question in questionnaire.survey]
    dealt = [*simulation.one, *simulation.several, *simulation.open]
    unknown = [name for name in dealt if name not in names]
    for name in unknown:
        yield f"{name!r} is no question of questionnaire.yml{did_you_mean(name, names)}"
    if not unknown:
        yield from _option_problems(simulation, questionnaire)
        yield from _deck_problems(simulation, questionnaire)
    yield from _word_problems(simulation, questionnaire, codebook)


def _option_problems(simulation: Simulation, questionnaire: Questionnaire) -> Iterator[str]:
    for name, deck in (simulation.one | simulation.several).items():
        known = [choice.name for choice in questionnaire.options(name)] + [SKIPPED]
        for option in deck:
            if option not in known:
                yield f"{option!r} is no option of {name}{did_you_mean(option, known)}"


def _deck_problems(simulation: Simulation, questionnaire: Questionnaire) -> Iterator[str]:
    decks = {name: sum(deck.values()) for name, deck in simulation.one.items()}
    decks["profiles"] = sum(one.respondents for one in simulation.profiles)
    for name, count in decks.items():
        if count != simulation.block:
            yield f"{name} deals to {count} respondents, but a block has {simulation.block}."
    for name, deck in simulation.several.items():
        question = questionnaire.question(name)
        needs, alone = relevance(question), _alone(questionnaire, name)
        asked = simulation.one[needs[0]][needs[1]] if needs else simulation.block
        able = asked - deck.get(SKIPPED, 0) - deck.get(alone, 0)
        for option, count in deck.items():
            if option not in (SKIPPED, alone) and count > able:
                yield f"{name} deals {option!r} to {count}, but only {able} can tick it."
    for name, spec in simulation.open.items():
        if not spec.nothing + spec.beside <= spec.answered <= simulation.block:
            yield f"{name} is answered by {spec.answered}: not between its parts and the block."


def _word_problems(
    simulation: Simulation, questionnaire: Questionnaire, codebook: Codebook
) -> Iterator[str]:
    codes = list(codebook.theme_of)
    for code in dict.fromkeys(code for spec in simulation.open.values() for code in spec.codes):
        if code not in codes:
            yield f"{code!r} is no code of codebook.yml{did_you_mean(code, codes)}"
        elif set(simulation.sentences.get(code, {})) != set(questionnaire.languages):
            yield f"the code {code!r} lacks sentences in some language: write some."
    for profile in simulation.profiles:
        if profile.places not in (NOWHERE, *simulation.places):
            hint = did_you_mean(profile.places, simulation.places)
            yield f"no places are called {profile.places!r}, as a profile says{hint}"


def _alone(questionnaire: Questionnaire, name: str) -> str:
    """Return the option of a select-all question that is ticked alone, "" if none is."""
    options = questionnaire.options(name)
    return next((choice.name for choice in options if choice.role == "none"), "")


def main(
    folder: Annotated[Path, typer.Argument(help="the consultation's folder, data/upr-2021 say")],
    export: Annotated[Path, typer.Argument(help="the file to write")],
    respondents: Annotated[int, typer.Option(min=0, help="valid respondents")] = 123,
    seed: Annotated[int, typer.Option(help="start of every random draw")] = 2021,
    faults: Annotated[bool, typer.Option(help="add the rows that cleaning removes")] = True,
) -> None:
    """Write an INVENTED export for a consultation that has a simulation.yml."""
    try:
        write_export(export, read_survey(folder), respondents, seed, faults)
    except InputError as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    typer.run(main)
