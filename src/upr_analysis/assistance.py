"""What the machine does for those who code: it proposes and suggests, and decides nothing.

Patterns proposed for the codebook are accepted or refused one by one; codes suggested for answers
come on a sheet that a person goes through; candidate themes are for reading.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from upr_analysis.agreement import Estimate
from upr_analysis.codebook import Codebook
from upr_analysis.codes import Work
from upr_analysis.coding import MACHINE
from upr_analysis.codings import UNIT, put_in_place
from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.evaluation import EVALUATION
from upr_analysis.grids import read_grid
from upr_analysis.problems import InputError
from upr_analysis.proposals import COLUMNS, proposals_of, with_decisions
from upr_analysis.suggestions import (
    Suggested,
    Suggester,
    expected_gain,
    learning_curve,
    most_useful,
    near_duplicates,
    scores,
)
from upr_analysis.workspace import inert

if TYPE_CHECKING:
    from upr_analysis.discovery import Intrusion

PATTERNS: Final = "patterns.csv"
SUGGESTIONS: Final = "suggestions.csv"
NEXT: Final = "next.csv"
REFUSED: Final = "refused_patterns.csv"
YES: Final = ("yes", "y", "oui", "sí", "si")
ITEMS: Final = "intrusion_items.csv"
KEY: Final = "intrusion_key.csv"
CANDIDATES: Final = "candidates.csv"
NO: Final = ("no", "n", "non")
CURVE: Final = (25, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12800)  # coded answers
CURVE_SEEDS: Final = 5
HELD_OUT: Final = 0.25  # of the judged answers, by which the learning curve is measured


def judged_by_people(work: Work) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the answers that people judged, and the codes that count of them.

    InputError where nobody judged any.
    """
    coded = work.coded
    units = pd.MultiIndex.from_frame(coded.judged[UNIT])
    answers = work.open_responses
    answers = answers[pd.MultiIndex.from_frame(answers[UNIT]).isin(units)]
    answers = answers[answers["state"] == "answered"].reset_index(drop=True)
    counted = coded.codings[coded.codings["counts"] & (coded.codings["coder"] != MACHINE)]
    if counted.empty:
        raise InputError(
            f"{work.parameters.consultation}: nobody has coded any answer: `upr codes sheet` makes "
            "sheets to code on; a question of the role codes holds codes that came with the export."
        )
    return answers, counted[[*UNIT, "code"]].drop_duplicates()


@dataclass(frozen=True)
class Proposing:
    """Patterns that are being proposed: a table a code, and of how many codes."""

    work: Work
    codes: Iterator[pd.DataFrame]
    number: int

    def write(self, found: Sequence[pd.DataFrame]) -> tuple[Path, int]:
        """Write what was not refused before to decide upon; returns the file and how many."""
        table = pd.concat(found, ignore_index=True)
        keys = ["code", "language", "pattern"]
        refused = pd.MultiIndex.from_frame(_refused(self.work)[keys])
        table = table[~pd.MultiIndex.from_frame(table[keys]).isin(refused)]
        # what is kept, or dropped without an effect, asks for no decision
        decides = (table["change"] == "add") | ((table["change"] == "drop") & (table["breaks"] > 0))
        table = table[decides]
        text = table.map(inert).to_csv(index=False, quoting=1, lineterminator="\n")
        return self.work.write(PATTERNS, text), len(table)


def propose_patterns(work: Work) -> Proposing:
    """Begin to propose patterns for the codes that people gave."""
    answers, given = judged_by_people(work)
    tables = proposals_of(answers, given, work.codebook)
    return Proposing(work, tables, given["code"].nunique())


def _refused(work: Work) -> pd.DataFrame:
    path = work.consultation / REFUSED
    if not path.exists():
        return pd.DataFrame(columns=["code", "language", "pattern"], dtype="str")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def decide(work: Work) -> tuple[int, int, int]:
    """Put the accepted patterns into codebook.yml; returns accepted, refused and undecided.

    Comments and order of the codebook stay. InputError names the row of what is no decision, and
    nothing is then changed.
    """
    path = work.folder / PATTERNS
    if not path.exists():
        raise InputError(f"{path} is not there: `upr codes propose` makes it.")
    grid, _ = read_grid(path)
    if tuple(grid.row(0)) != COLUMNS:
        raise InputError(f"{path} has other columns than {', '.join(COLUMNS)}: make it again.")
    rows = [dict(zip(COLUMNS, grid.row(place), strict=True)) for place in range(1, len(grid))]
    said = [row["decision"].strip().casefold() for row in rows]
    problems = [
        f"{path} row {line}: the decision is neither yes nor no."
        for line, word in zip(grid.numbers[1:], said, strict=True)
        if word not in ("", *YES, *NO)
    ]
    if problems:
        raise InputError(problems)
    languages = {tag for code in work.codebook.codes for tag in code.patterns}
    default = next(iter(languages)) if len(languages) == 1 else "en"
    codes = {code.name for code in work.codebook.codes}
    if gone := sorted({row["code"] for row in rows} - codes):
        raise InputError(
            f"{path}: {len(gone)} codes are no longer in the codebook: `upr codes propose` again."
        )
    for row in rows:
        row["pattern"] = row["pattern"].removeprefix("'")
    changed = [row for row in rows if row["change"] != "keep"]
    words = [word for row, word in zip(rows, said, strict=True) if row["change"] != "keep"]
    accepted = [
        (row["code"], row["language"] or default, row["pattern"], row["change"])
        for row, word in zip(changed, words, strict=True)
        if word in YES
    ]
    refused = [row for row, word in zip(changed, words, strict=True) if word in NO]
    if accepted:
        _rewrite_codebook(work.consultation / "codebook.yml", accepted)
    if refused:
        both = pd.concat([_refused(work), pd.DataFrame(refused)[["code", "language", "pattern"]]])
        text = both.drop_duplicates().to_csv(index=False, quoting=1, lineterminator="\n")
        put_in_place(work.consultation / REFUSED, text)
    return len(accepted), len(refused), len(changed) - len(accepted) - len(refused)


def _rewrite_codebook(path: Path, accepted: Sequence[tuple[str, str, str, str]]) -> None:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(path.read_text(encoding="utf-8"))
    with_decisions(content, accepted)
    stream = io.StringIO()
    yaml.dump(content, stream)
    text = stream.getvalue()
    as_model(parse_yaml(text, str(path)), Codebook, str(path))
    put_in_place(path, text, mode=path.stat().st_mode & 0o777)


@dataclass(frozen=True)
class Assessed:
    """How good a classifier's suggestions are on answers that it had not seen."""

    scores: pd.DataFrame
    curve: pd.DataFrame
    gain: Estimate  # of micro-F1, by fifty more coded answers


def classify(work: Work, seen: Callable[[str], None]) -> tuple[Suggested, Assessed, pd.DataFrame]:
    """Return suggestions of a classifier for the answers that nobody judged, and how good they are.

    Third, which answers to code next (respondent, question), the most useful first.
    """
    from upr_analysis.classifier import train

    answers, given = judged_by_people(work)
    seed = work.parameters.seed
    seen(f"learning from {len(answers)} answers that people coded")
    classifier = train(work.open_responses, given, work.codebook, seed, answers[UNIT])
    rest = _unread(work, answers)
    suggested = classifier.suggest(rest)
    seen("measuring on answers held out")
    truth = _indicators(answers, given, classifier.codes)
    order = pd.MultiIndex.from_frame(classifier.judged).get_indexer(
        pd.MultiIndex.from_frame(answers[UNIT])
    )
    held_out = classifier.held_out[order] >= classifier.thresholds
    table = scores(truth, held_out, classifier.codes, answers["respondent"].tolist(), seed)
    curve = _curve(work, answers, given, truth, classifier.codes)
    likely = classifier.probabilities(rest)
    keys = [f"{seed}|{one.respondent}|{one.question}" for one in rest.itertuples(index=False)]
    places = most_useful(likely, keys, near_duplicates(rest["text"].tolist()), len(rest))
    return suggested, Assessed(table, curve, expected_gain(curve)), rest.iloc[places][UNIT]


def _unread(work: Work, answers: pd.DataFrame) -> pd.DataFrame:
    codable = work.codable
    judged = pd.MultiIndex.from_frame(answers[UNIT])
    return codable[~pd.MultiIndex.from_frame(codable[UNIT]).isin(judged)].reset_index(drop=True)


def _indicators(answers: pd.DataFrame, given: pd.DataFrame, codes: Sequence[str]) -> np.ndarray:
    """Return which answers (units,) people gave which code, as bools (units, codes)."""
    units = pd.MultiIndex.from_frame(answers[UNIT])
    found = np.zeros((len(answers), len(codes)), dtype=bool)
    rows = units.get_indexer(pd.MultiIndex.from_frame(given[UNIT]))
    columns = pd.Index(codes).get_indexer(pd.Index(given["code"]))
    stands = (rows >= 0) & (columns >= 0)
    found[rows[stands], columns[stands]] = True
    return found


def _curve(
    work: Work,
    answers: pd.DataFrame,
    given: pd.DataFrame,
    truth: np.ndarray,
    codes: Sequence[str],
) -> pd.DataFrame:
    """Return F1 on a quarter of the respondents by how many other answers are coded."""
    from upr_analysis.classifier import train
    from upr_analysis.suggestions import folds

    seed = work.parameters.seed
    fold_of = folds(
        answers["text"].tolist(), answers["respondent"].tolist(), seed, round(1 / HELD_OUT)
    )

    def predict(learn: np.ndarray, speak: np.ndarray) -> np.ndarray:
        some = answers.iloc[learn]
        units = pd.MultiIndex.from_frame(some[UNIT])
        own = given[pd.MultiIndex.from_frame(given[UNIT]).isin(units)]
        learned = train(answers, own, work.codebook, seed, some[UNIT])
        return learned.probabilities(answers.iloc[speak]) >= learned.thresholds

    sizes = [size for size in CURVE if size <= (fold_of > 0).sum()]
    return learning_curve(predict, truth, fold_of == 0, sizes, range(CURVE_SEEDS))


def ask(work: Work, suggester: Suggester) -> Suggested:
    """Return what another suggester says of the answers that nobody judged."""
    coded = work.coded
    return suggester.suggest(_unread(work, coded.judged))


def keep_suggestions(
    work: Work, suggested: Suggested, following: pd.DataFrame | None = None
) -> Path:
    """Write suggestions with their evidence, and what to code next, for their owner only.

    InputError where nothing was suggested because everything failed: what stands is then kept.
    """
    if suggested.codes.empty and len(suggested.failed):
        raise InputError(
            f"All {len(suggested.failed)} answers failed, and nothing was suggested: suggestions "
            "made before are left as they are."
        )
    if following is not None:
        work.write(NEXT, following.to_csv(index=False, lineterminator="\n"))
    found = suggested.codes.merge(work.open_responses[[*UNIT, "text"]], on=UNIT)
    spans = zip(found["text"], found["start"], found["end"], strict=True)
    quotes = ["" if pd.isna(start) else text[start:end] for text, start, end in spans]
    found = found.assign(quote=quotes, probability=found["probability"].round(3))
    text = found.drop(columns="text").map(inert).to_csv(index=False, lineterminator="\n")
    return work.write(SUGGESTIONS, text)


def keep_evaluation(work: Work, assessed: Assessed) -> Path:
    """Put how good the classifier is where a run shows it: numbers only, no word of an answer."""
    judged = len(judged_by_people(work)[0])
    content = {
        "judged": judged,
        "codebook_version": work.codebook.version,
        "scores": json.loads(assessed.scores.to_json(orient="records")),
        "curve": json.loads(assessed.curve.to_json(orient="records")),
        "gain_of_50": [None if np.isnan(one) else one for one in vars(assessed.gain).values()],
    }
    path = work.consultation / EVALUATION
    put_in_place(path, json.dumps(content, indent=1) + "\n", mode=0o644)
    return path


def suggested_codes(work: Work) -> dict[tuple[str, str], list[str]]:
    """Return the codes that were suggested last, by (respondent, question)."""
    path = work.folder / SUGGESTIONS
    if not path.exists():
        raise InputError(f"{path} is not there: `upr codes suggest` makes it.")
    found = pd.read_csv(path, dtype=str, keep_default_na=False)
    given: dict[tuple[str, str], list[str]] = {}
    for respondent, question, code in found[[*UNIT, "code"]].drop_duplicates().to_numpy():
        given.setdefault((respondent, question), []).append(code)
    return given


def next_answers(work: Work) -> pd.DataFrame:
    """Return the answers to code next, most useful first, as the last suggestions have them."""
    path = work.folder / NEXT
    if not path.exists():
        raise InputError(f"{path} is not there: `upr codes suggest` makes it.")
    units = pd.read_csv(path, dtype=str, keep_default_na=False)
    return units.merge(work.codable, on=UNIT)


def discover(work: Work, number: int | None) -> tuple[pd.DataFrame, Mapping[str, str], Path]:
    """Return candidate themes of the answers that no code covers, and why a language has none.

    Third, the file that holds them; beside it stand items of word intrusion and their key.
    """
    from upr_analysis.discovery import candidates, word_intrusion

    coded = work.coded.codings
    found = candidates(work.codable, coded[coded["counts"]], work.parameters.seed, number)
    rows = [
        (one.language, "; ".join(one.terms), one.answers, one.respondents, round(one.stability, 2))
        for one in found.candidates
    ]
    columns = ["language", "terms", "answers", "respondents", "stability"]
    table = pd.DataFrame(rows, columns=columns)
    items, key = word_intrusion(found.candidates, work.parameters.seed)
    for name, frame in ((ITEMS, items.assign(intruder="")), (KEY, key), (CANDIDATES, table)):
        path = work.write(name, frame.to_csv(index=False, lineterminator="\n"))
    return table, found.reasons, path


def score_intrusion(work: Work) -> "Intrusion":
    """Return how often the intruding word was found, of the items that somebody filled in."""
    from upr_analysis.discovery import intrusion_score

    for name in (ITEMS, KEY):
        if not (work.folder / name).exists():
            raise InputError(f"{work.folder / name} is not there: `upr codes discover` makes it.")
    grid, _ = read_grid(work.folder / ITEMS)  # a spreadsheet may have saved it in its own way
    head = grid.row(0)
    given = pd.DataFrame([grid.row(place) for place in range(1, len(grid))], columns=head)
    if not {"item", "intruder"} <= set(head):
        raise InputError(f"{work.folder / ITEMS} needs the columns item and intruder.")
    key = pd.read_csv(work.folder / KEY, dtype=str, keep_default_na=False)
    filled = given[given["intruder"] != ""].rename(columns={"intruder": "word"})
    if filled.empty:
        raise InputError(
            f"{work.folder / ITEMS}: no item is filled in: write into its last column the "
            "word that does not belong with the others."
        )
    return intrusion_score(filled, key)
