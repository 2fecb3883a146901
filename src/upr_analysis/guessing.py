"""What kind of answers a column holds, guessed from its header and its cells, with how sure.

For drafting a questionnaire that a person reviews; a run never guesses.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import pandas as pd

from upr_analysis.marks import (
    FRACTION,
    TICKED,
    UNTICKED,
    WHOLE,
    ZONE,
    fold_label,
    with_plain_digits,
)
from upr_analysis.places import resolve
from upr_analysis.privacy import EMAIL, is_phone, plain_copy
from upr_analysis.questionnaire import MOST_OPTIONS as MOST_BITS

Kind = Literal[
    "respondent",
    "datetime",
    "language",
    "country",
    "contact",
    "select_one",
    "select_multiple",
    "text",
    "integer",
    "decimal",
    "ignored",
]
MOST_OPTIONS: Final = 40  # of a list that a person could choose from
LONGEST_LIST: Final = 100  # options, where each was chosen by many: states, provinces
# Points of scales and the like, that tell nothing of whoever chose them.
COMMONPLACE: Final = re.compile(
    r"\d{1,2}|"
    r"(?:(?:very|somewhat|strongly|totally|rather|quite|mostly|not|not at all|neither|nor|more|"
    r"less|than|once|a|an|day|week|month|year|or|très|plutôt|pas|du tout|tout à fait|muy|nada|poco|"
    r"totalmente|de|en)[ ,]*)*"
    r"(?:yes|no|maybe|agree|disagree|neutral|undecided|never|rarely|seldom|sometimes|often|always|"
    r"usually|occasionally|daily|weekly|monthly|yearly|poor|fair|good|bad|excellent|low|medium|high|"
    r"important|likely|unlikely|satisfied|dissatisfied|useful|easy|difficult|oui|non|peut-être|"
    r"d['’]accord|jamais|rarement|parfois|souvent|toujours|bon|mauvais|moyen|importante?|"
    r"satisfaite?|sí|quizás|(?:de |des)?acuerdo|nunca|a veces|a menudo|siempre|bueno|malo|regular|"
    r"none of (?:these|the above)|don['’]t know|not sure|prefer not to (?:say|answer))",
    re.IGNORECASE,
)
SENTENCE: Final = 10  # words, more than which few options have
SHORT_LIST: Final = 7  # options, of which one may well have been chosen by one respondent only
LONG_NUMBER: Final = 8  # digits
DOTTED: Final = r"[0-9]{1,3}(?:\.[0-9]{3})+"
THOUSANDS: Final = r"[0-9]{1,3}(?:,[0-9]{3})+"
FEWEST: Final = 3  # respondents who give the same answer, for it to be an option
DATES: Final = (  # tried in this order; the first is what most tools write
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M", "%m/%d/%y %H:%M",
    "%m/%d/%y %H:%M:%S",
    "%m/%d/%y %I:%M:%S %p", "%m/%d/%Y", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%y %H:%M",
    "%d/%m/%Y", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %I:%M:%S %p", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y",
    "%H:%M:%S", "%b %d, %Y %I:%M:%S %p",
)  # fmt: skip
CONTACT: Final = re.compile(
    r"e-?mail|courriel|correo electr|t[ée]l[ée]phone|tel[ée]fono|\bphone\b|ip address|"
    r"(?:first|last|full|your|contact|votre|su) (?:name|nom|nombre)|(?:^|/)(?:name|nom|nombre)$|"
    r"\bapellidos?\b|\bpr[ée]nom\b|to be contacted|contact (?:details|person|information)|"
    r"contacted about|whatsapp|\blatitude\b|\blongitude\b|\btel\b|\bmobile\b|\bcell ?phone\b|"
    r"\bsignal (?:number|account)|\bpassport\b|\bpasaporte\b|\bsurname\b|\b(?:family|last) name\b|"
    r"\bname of (?:the )?(?:person|respondent|interviewee)|^interviewee$|^contact$|^mail$|^correo$|"
    r"\bhome address\b|\bdate of birth\b|\bdate de naissance\b|\bfecha de nacimiento\b",
    re.IGNORECASE,
)
COORDINATES: Final = re.compile(r"-?\d{1,3}\.\d{3,}[ ,;]+-?\d{1,3}\.\d{3,}(?: .*)?")
COUNTRY: Final = re.compile(
    r"\bcountr(?:y|ies)\b|\bpays\b|\bpa[íi]s(?:es)?\b|\bstate under review\b|"
    r"\bwhere (?:do|are|is) (?:you|your)\b.*\b(?:live|work|based|located|resid)|"
    r"\brecommending state\b|\bnationalit|\bnacionalidad\b",
    re.IGNORECASE,
)
IDENTIFIER: Final = re.compile(
    r"^$|\b(?:id|uuid|token|key|identifier|identifiant|identificador|folio|record|row)\b|_id$",
    re.IGNORECASE,
)
COUNTED: Final = re.compile(  # asks for a number, not for a point of a scale
    r"\bhow (?:many|long|old)\b|\bnumber of\b|\byears?\b|\bage\b|\brank|\bpercent|"
    r"\bcu[áa]nt[oa]s\b|\bcombien\b|\ba[ñn]os?\b|\bedad\b|\b[âa]ge\b|\bannée\b|\bduration\b",
    re.IGNORECASE,
)
SCALE: Final = re.compile(
    r"\bscale\b|\bescala\b|\béchelle\b|\brate\b|\blikely\b|\bprobable\b", re.IGNORECASE
)
WEIGHT: Final = re.compile(r"\bweights?\b|\bpoids\b|\bponderaci|\bpeso\b", re.IGNORECASE)


@dataclass(frozen=True)
class Guess:
    """What a column holds; `sure` from 0 to 1, and why; options and how they are joined."""

    kind: Kind
    sure: float
    why: str
    options: tuple[str, ...] = ()
    write_ins: bool = False  # some answers are no option
    separator: str | None = None
    date_format: str | None = None


def guess(header: str, cells: pd.Series, separators: Sequence[str]) -> Guess:
    """Return what a column holds by its header and its cells (n,), text."""
    counts = Counter(cell for cell in cells.str.strip() if cell)
    shown = Counter({cell: n for cell, n in counts.items() if fold_label(cell) not in NOT_SHOWN})
    if not counts:
        if asks_for_contact(header):
            return Guess("contact", 0.8, "asks for personal data; nobody gave any")
        return Guess("ignored", 0.9, "holds nothing")
    tests = (_contact, _identifier, _number, _moment, _country)
    found = next(
        (one for test in tests if (one := test(header, shown or counts, len(cells)))), None
    )
    return (
        found
        or (_several(shown, separators) or _one(shown) if shown else None)
        or text_guess(counts)
    )


def text_guess(counts: Counter[str]) -> Guess:
    """Return that a column holds words, by its cells with how often each is given."""
    answered, distinct = counts.total(), len(counts)
    words = sum(len(text.split()) * times for text, times in counts.items()) / answered
    sure = 0.95 if words > 5 and distinct > 0.7 * answered else 0.6
    return Guess("text", sure, f"{distinct} different among {answered}, {words:.0f} words each")


def _contact(header: str, counts: Counter[str], rows: int) -> Guess | None:
    looks_so = sum(
        times
        for text, times in counts.items()
        if EMAIL.search(text)
        or COORDINATES.fullmatch(text)
        or (len(text) < 30 and is_phone(plain_copy(text)) and "+" in text)
    )
    if looks_so > counts.total() / 2:
        return Guess("contact", 0.98, "holds e-mail addresses, telephone numbers or coordinates")
    is_answer = all(fold_label(text) in MARKS for text in counts)  # may we call you? yes
    if asks_for_contact(header) and not is_answer:
        return Guess("contact", 0.8, "asks for personal data")
    return None


def asks_for_contact(header: str) -> bool:
    """Whether a header, a label or a name in code asks for personal data."""
    return CONTACT.search(header.replace("_", " ")) is not None


def _identifier(header: str, counts: Counter[str], rows: int) -> Guess | None:
    if len(counts) < max(2, rows) or not IDENTIFIER.search(header):
        return None
    if any(len(text.split()) > 1 or len(text) > 80 for text in counts):
        return None
    return Guess("respondent", 0.95, "another in every row, without spaces")


def _number(header: str, counts: Counter[str], rows: int) -> Guess | None:
    """Numbers, or a scale of them; a few that are none are left for a person to look at."""
    plain = {text: with_plain_digits(text).replace(",", ".") for text in counts}
    whole = [text for text in counts if re.fullmatch(rf"{WHOLE}|{DOTTED}", plain[text])]
    fractions = [text for text in counts if re.fullmatch(FRACTION, plain[text])]
    fit = sum(counts[text] for text in {*whole, *fractions}) / counts.total()
    if fit < 0.9:
        return None
    sure = 0.95 if fit == 1 else 0.6
    odd = "" if fit == 1 else f"; {1 - fit:.0%} are none"
    if sum(len(text) >= LONG_NUMBER for text in whole) > len(counts) / 2 > counts.total() / 4:
        return Guess("contact", 0.7, "long numbers, most of them given once: telephones, papers?")
    dotted = [text for text in counts if "." in text]
    if any(re.fullmatch(THOUSANDS, text) for text in counts) or (
        dotted and all(re.fullmatch(DOTTED, text) for text in dotted)
    ):
        sure, odd = 0.5, f"{odd}; 1,000 or 1.000 among them: thousands, or decimals?"
    if len(whole) < len(fractions) and sum(counts[text] for text in whole) < 0.95 * counts.total():
        return Guess("decimal", sure, "numbers with a fraction" + odd)
    values = sorted({int(re.sub(r"\.(?=\d{3})|\.0+$", "", plain[text])) for text in whole})
    on_scale = values[0] in (0, 1) and values[-1] <= 10 and len(values) > 1
    asks_for_number = COUNTED.search(header) and not SCALE.search(header)
    if on_scale and not asks_for_number and counts.total() >= 2 * len(values):
        options = tuple(sorted(whole, key=lambda text: float(plain[text])))
        return Guess("select_one", 0.8 * sure, "points of a scale" + odd, options, fit < 1)
    return Guess("integer", sure, "whole numbers" + odd)


def _moment(header: str, counts: Counter[str], rows: int) -> Guess | None:
    sample = pd.Series(list(counts)[:500]).map(with_plain_digits)
    sample = sample.str.replace(ZONE, "", regex=True)
    if not sample.str.contains(r"\d", regex=True).mean() > 0.95:
        return None
    if sample.str.match(r"\d{4}-\d\d-\d\d").all():
        parsed = pd.to_datetime(sample, errors="coerce", format="ISO8601", utc=True)
        return Guess("datetime", 0.98, "dates as 2021-06-14") if parsed.notna().all() else None
    fitting = [
        form for form in DATES if pd.to_datetime(sample, errors="coerce", format=form).notna().all()
    ]
    if not fitting:
        return None
    unsure = any(form.startswith("%d/%m") for form in fitting) and fitting[0].startswith("%m")
    why = "day or month first cannot be told" if unsure else "dates of one form"
    return Guess("datetime", 0.5 if unsure else 0.95, why, date_format=fitting[0])


def _country(header: str, counts: Counter[str], rows: int) -> Guess | None:
    asked = COUNTRY.search(header) is not None
    common = counts.most_common(300)
    if not asked and max(len(text) for text, _ in common) > 60:
        return None
    known = sum(
        times for text, times in common if (read := resolve(text)).places and not read.unknown
    ) / sum(times for _, times in common)
    if asked and known >= 0.5:
        return Guess("country", 0.6 + 0.4 * known, f"{known:.0%} are understood as places")
    if known >= 0.8 and len(counts) > 2:
        return Guess("country", 0.6, f"{known:.0%} are understood as places")
    return None


def _several(counts: Counter[str], separators: Sequence[str]) -> Guess | None:
    """Options joined in one cell: the same pieces again and again, in more ways than pieces."""
    for separator in dict.fromkeys((*separators, ", ", ";", "; ", " | ")):
        options, covered, joined = pieces_of(counts, separator)
        if 2 <= len(options) < MOST_BITS and joined >= 0.05 and covered >= 0.6:
            combinations = {cell for cell in counts if separator.strip() in cell}
            if len(combinations) > 1 and len(counts) > len(options):
                sure = min(0.95, 0.4 + 0.6 * covered * min(1, 5 * joined))
                why = f"{len(options)} options joined in {len(combinations)} ways"
                mark = separator.strip() or separator
                sizes = [len(cell.strip(mark).split(mark)) for cell in counts.elements()]
                if sizes.count(len(options)) > 0.9 * len(sizes):
                    sure, why = 0.4, f"each answer holds all {len(options)}: is it a ranking?"
                return Guess("select_multiple", sure, why, options, covered < 1, separator)
    return None


def pieces_of(counts: Counter[str], separator: str) -> tuple[tuple[str, ...], float, float]:
    """Split cells by a separator.

    Returns the pieces that several respondents gave, most often given first, the share of all
    pieces that these are, and the share of cells that hold more than one. Pieces that always stand
    side by side are one option that holds the separator.
    """
    mark = separator.strip() or separator
    rows = [
        ([piece.strip() for piece in cell.split(mark) if piece.strip()], times)
        for cell, times in counts.items()
    ]
    rows = _glued(rows, separator)
    given = Counter[str]()
    for pieces, times in rows:
        given.update(dict.fromkeys(pieces, times))
    answered = counts.total()
    least = max(2, min(FEWEST, answered // 10), answered // 100)
    options = tuple(piece for piece, times in given.most_common() if times >= least)
    covered = sum(given[piece] for piece in options) / max(1, given.total())
    joined = sum(times for pieces, times in rows if len(pieces) > 1) / answered
    return options, covered, joined


def _glued(rows: list[tuple[list[str], int]], separator: str) -> list[tuple[list[str], int]]:
    """Join pieces that never stand without each other, as often as there are such."""
    for _ in range(5):
        alone, together = Counter[str](), Counter[tuple[str, str]]()
        for pieces, times in rows:
            alone.update(dict.fromkeys(pieces, times))
            together.update(dict.fromkeys(pairwise(pieces), times))
        pairs = {
            (one, two)
            for (one, two), times in together.items()
            if times >= FEWEST
            and times == alone[two]
            and (times == alone[one] or (two[0].islower() and not one[0].islower()))
        }
        if not pairs:
            break
        rows = [(_glue(pieces, pairs, separator), times) for pieces, times in rows]
    return rows


def _glue(pieces: list[str], pairs: set[tuple[str, str]], separator: str) -> list[str]:
    glued: list[str] = []
    for piece in pieces:
        last = glued[-1].rpartition(separator)[2] if glued else ""
        if glued and (last, piece) in pairs:
            glued[-1] += separator + piece
        else:
            glued.append(piece)
    return glued


def _one(counts: Counter[str]) -> Guess | None:
    """One of a list: few answers that are given again and again, and perhaps some write-ins."""
    answered = counts.total()
    least = max(2, min(FEWEST, answered // 10), answered // 200)
    common = [text for text, times in counts.most_common() if times >= least]
    covered = sum(counts[text] for text in common) / answered
    long = sum(len(text) for text in common) / max(1, len(common)) > 150
    if not common or long:
        return None
    everything = len(counts) <= LONGEST_LIST and answered >= 3 * len(counts)
    if len(common) > MOST_OPTIONS and not (everything and answered >= 10 * len(counts)):
        return None
    once = sum(times == 1 for times in counts.values())
    if everything and (once <= 0.25 * len(counts) or len(counts) <= SHORT_LIST):
        options = tuple(t for t, n in counts.most_common() if n > 1 or COMMONPLACE.fullmatch(t))
        left_out = len(counts) - len(options)
        sure, why = 0.95, f"{len(options)} answers, given again and again"
        if left_out:
            sure, why = 0.7, f"{why}; {left_out} that one respondent gave are left out"
        if any(len(text.split()) > SENTENCE or text.endswith(".") for text in options):
            sure, why = 0.5, f"{why}; sentences are among them: is it a list?"
        return Guess("select_one", sure, why, options, write_ins=left_out > 0)
    if covered >= 0.6 and answered / len(counts) >= 1.5:
        why = f"{len(common)} answers are {covered:.0%} of all, the others are write-ins"
        return Guess("select_one", 0.4 + 0.5 * covered, why, tuple(common), write_ins=True)
    return None


def are_ticks(block: Sequence[str], columns: Sequence[tuple[Sequence[str], pd.Series]]) -> bool:
    """Whether columns (names, cells) under a heading are the options of one select-all question.

    Each then holds marks only: the option's own words, or words for yes and no. Where columns are
    headed by codes, other words are a mark as `tool_words` has it. A column of what one respondent
    wrote is none, so that a block for contact details is no question with options.
    """
    return any((cells != "").any() for _, cells in columns) and all(
        not _beside_marks(names, cells) or tool_words(block, names, cells)
        for names, cells in columns
    )


def _beside_marks(names: Sequence[str], cells: pd.Series) -> set[str]:
    """Return what a column holds besides its own words and words for yes and no, folded."""
    own = {fold_label(name) for name in names}
    return {fold_label(cell) for cell in cells.unique()} - {""} - own - MARKS - NOT_SHOWN


def tool_words(block: Sequence[str], names: Sequence[str], cells: pd.Series) -> str:
    """Return the option's words where a column headed by a code holds them as its mark, else "".

    They are the tool's and nobody's own if several respondents have them, fewer beside a tool's
    words for not selected; and if they are no address or number, nor under such a heading.
    """
    said = cells[cells.map(fold_label).isin(_beside_marks(names, cells))]
    if said.nunique() != 1 or any(map(asks_for_contact, (*block, *names))):
        return ""
    words = str(said.iloc[0])
    is_contact = EMAIL.search(words) or is_phone(plain_copy(words))
    coded = all(re.fullmatch(r"[A-Za-z_]*\d+", name) for name in names)
    beside = set(map(fold_label, cells.unique())) & NOT_SELECTED
    several = len(said) >= (2 if beside else FEWEST)
    return words if coded and not is_contact and several else ""


MARKS: Final = TICKED | UNTICKED
# Of the words for no those that nobody types.
NOT_SELECTED: Final = frozenset({"not selected", "unselected", "not checked", "unchecked"})
NOT_SHOWN: Final = frozenset({"na", "n/a"})  # what tools write where a question was not shown
