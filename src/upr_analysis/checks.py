"""Everything that can be wrong with a run's inputs, found at once and before anything runs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from upr_analysis.back_coding import SHEET, Decisions, read_decisions
from upr_analysis.cleaning import is_timed, values_of
from upr_analysis.codebook import Codebook, read_codebook
from upr_analysis.coding import pattern_use
from upr_analysis.codings import read_record, read_versions
from upr_analysis.documents import label
from upr_analysis.evaluation import read_evaluation
from upr_analysis.exports import MOST_NAMED, Export, read_export
from upr_analysis.marks import fold_label
from upr_analysis.parameters import (
    Parameters,
    export_files,
    parameter_cell_problems,
    read_parameters,
)
from upr_analysis.places import all_places
from upr_analysis.problems import InputError, did_you_mean
from upr_analysis.questionnaire import (
    MOST_OPTIONS,
    Questionnaire,
    condition,
    read_questionnaire,
    relevance,
)
from upr_analysis.recommendations import Report, read_report
from upr_analysis.responses import Responses, type_responses
from upr_analysis.steps import notebooks
from upr_analysis.workspace import place_corrections

DRAWN_BY_ANY_FONT: Final = re.compile("[\n -~\xa0-\xff\u2010-\u2027]*")


@dataclass(frozen=True)
class Checked:
    """Inputs in which nothing was found wrong."""

    parameters: Parameters
    rows: int
    notes: tuple[str, ...] = ()  # nothing wrong, but worth a look


def check(path: Path, assignments: tuple[str, ...], root: Path) -> Checked:
    """Check parameters, notebooks, questionnaire, codebook, report and export of a run.

    Raises one InputError with every problem found in them.
    """
    problems: list[str] = []
    parameters = _tried(problems, read_parameters, path, assignments)
    problems += parameter_cell_problems(notebooks(root))
    if parameters is None:
        raise InputError(problems)
    responses, unread, others = _check_inputs(parameters, root)
    if problems or others or responses is None:
        raise InputError(problems + others)
    folder = root / "data" / parameters.consultation
    questionnaire = read_questionnaire(folder)
    notes = _notes(responses, questionnaire, read_decisions(folder, questionnaire))
    if parameters.minimum_seconds and not is_timed(responses.respondents):
        notes += ("minimum_seconds: of no response the minutes are known; nobody is too fast.",)
    notes += _pattern_notes(responses, read_codebook(folder))
    return Checked(parameters, len(responses.respondents), unread + notes)


def _notes(
    responses: Responses, questionnaire: Questionnaire, decisions: Decisions
) -> tuple[str, ...]:
    """Return what a researcher should know of answers that can be typed, by question."""
    said = responses.free_texts
    asked, texts = said["question"].str.removesuffix("_other"), said["text"].map(fold_label)
    given = set(zip(asked, texts, strict=True))
    idle = sum(1 for decided in decisions if decided not in given)
    changes = responses.changes
    undeclared = changes.loc[changes["rule"] == "no declared option", "column"].value_counts()
    typed = [
        question.name
        for question in questionnaire.survey
        if question.kind in ("integer", "decimal", "datetime") and question.role is None
    ]
    notes = [
        f"{name}: {count} answers hold words that are no declared option, and count as 'other'."
        for name, count in undeclared.items()
    ]
    notes += [
        f"{one.name} asks for consent, and no option has the role consents: nobody is quoted."
        for one in questionnaire.with_role("consent")
        if not any(choice.role == "consents" for choice in questionnaire.options(one))
    ]
    if idle:
        notes.append(f"{SHEET}: {idle} of {len(decisions)} decided answers are given by nobody.")
    if typed:
        notes.append(
            f"{', '.join(typed)}: numbers and dates are typed and kept, shown in no table."
        )
    return tuple(notes)


def _pattern_notes(responses: Responses, codebook: Codebook) -> tuple[str, ...]:
    """Return which patterns find nothing, nothing of their own, or the same for two codes."""
    use = pattern_use(responses.open_responses, codebook)
    if use.empty:
        return ()
    shared = use.duplicated(["language", "pattern"], keep=False)
    sorts = {
        "find nothing in the answers": use["matches"] == 0,
        "find nothing that a longer one of their code does not": (use["matches"] > 0)
        & (use["coded"] == 0),
        "stand under several codes": shared,
    }
    return tuple(
        f"codebook.yml: {int(those.sum())} of {len(use)} patterns {what}: {_named(use[those])}."
        for what, those in sorts.items()
        if those.any()
    )


def _named(patterns: pd.DataFrame) -> str:
    shown = [
        f"{one.code}.{one.language} {one.pattern!r}"
        for one in patterns.head(MOST_NAMED).itertuples()
    ]
    more = len(patterns) - len(shown)
    return ", ".join(shown) + f" and {more} more" * (more > 0)


def check_together(runs: Sequence[Parameters], root: Path) -> None:
    """Check several runs as `check` does each, an export once; InputError says each problem once.

    That a sweep of hundreds does not type the same answers hundreds of times.
    """
    problems = parameter_cell_problems(notebooks(root))
    seen: set[tuple[str, str]] = set()
    for parameters in runs:
        export = (parameters.consultation, parameters.export)
        _, _, found = _check_inputs(parameters, root, with_export=export not in seen)
        seen.add(export)
        problems += found
    if problems:
        raise InputError(dict.fromkeys(problems))


def _check_inputs(
    parameters: Parameters, root: Path, with_export: bool = True
) -> tuple[Responses | None, tuple[str, ...], list[str]]:
    """Return the typed responses, if any, what was not read, and the problems of the files."""
    problems: list[str] = []
    unread: tuple[str, ...] = ()
    folder = root / "data" / parameters.consultation
    if not folder.is_dir():
        known = [one.name for one in (root / "data").iterdir() if one.is_dir()]
        hint = did_you_mean(parameters.consultation, known)
        missing = f"data/{parameters.consultation} is not there: correct 'consultation'{hint}"
        return None, (), [missing]
    questionnaire = _tried(problems, read_questionnaire, folder)
    codebook = _tried(problems, read_codebook, folder)
    report = _tried(problems, read_report, folder)
    for read in (place_corrections, read_record, read_versions, read_evaluation):
        _tried(problems, read, folder)
    if questionnaire is not None:
        _tried(problems, read_decisions, folder, questionnaire)
        problems += _parameter_problems(parameters, questionnaire)
        problems += _weight_problems(parameters, questionnaire, folder)
        problems += _place_group_problems(questionnaire)
    if codebook is not None:
        problems += _report_problems(report, codebook)
        problems += _size_problems(report, codebook)
        uncoded = questionnaire is not None and questionnaire.open_questions and not codebook.themes
        if uncoded and not (folder / "codebook.yml").exists():
            problems.append(
                f"data/{folder.name}/codebook.yml is not there, but questions are answered in "
                "words: add it (with `themes: []` nothing of them is shown)."
            )
        if questionnaire is not None:
            problems += _published_problems(report, questionnaire, codebook)
            problems += _glyph_problems(parameters, questionnaire, codebook)
            problems += _imported_code_problems(questionnaire, codebook)
    responses = None
    if questionnaire is not None and with_export:
        export = _tried(problems, _read, parameters, root, questionnaire)
        if export is not None:
            unread = export.notes
            responses = _tried(problems, type_responses, export, questionnaire, parameters.seed)
    return responses, unread, problems


def _read(parameters: Parameters, root: Path, questionnaire: Questionnaire) -> Export:
    return read_export(export_files(parameters, root), questionnaire)


def _tried(problems: list[str], read, *arguments):  # type: ignore[no-untyped-def]
    """Return what `read` gives; note its problems and return None where the input is wrong."""
    try:
        return read(*arguments)
    except InputError as error:
        problems.extend(error.problems)
        return None


def _weight_problems(
    parameters: Parameters, questionnaire: Questionnaire, folder: Path
) -> list[str]:
    """Return what is wrong with the margins, or lacks of what weights are to be made of."""
    problems = list[str]()
    if parameters.weights == "given" and not questionnaire.with_role("weight"):
        problems.append("weights: given, but no question has the role weight.")
    if parameters.trim and parameters.weights == "none":
        problems.append("trim cuts weights, but there are none: set weights, or take trim out.")
    if 0 < parameters.trim <= 1:
        problems.append("trim is in mean weights, and some are as heavy: set more than 1, or 0.")
    if parameters.statistic == "pearson_yates" and parameters.sample != "probability":
        problems.append(
            "statistic: pearson_yates corrects the p of chi-square, and respondents who were not "
            "drawn at random have a p by permutation: set statistic: pearson, or sample."
        )
    if parameters.weights == "raked" or (folder / "margins.yml").exists():
        from upr_analysis.margins import read_margins  # slow, and rarely needed

        margins = _tried(problems, read_margins, folder, questionnaire)
        if parameters.weights == "raked" and not problems and not (margins and margins.margins):
            problems.append(
                f"weights: raked, but data/{folder.name}/margins.yml has no margins: write there "
                "how many there are in each group."
            )
    return problems


def _parameter_problems(parameters: Parameters, questionnaire: Questionnaire) -> list[str]:
    problems = []
    led_to = {
        needs[0]: one.name for one in reversed(questionnaire.survey) if (needs := relevance(one))
    }
    made_of, survey = dict[str, str](), questionnaire.source == "survey"
    for name in parameters.group_by:
        try:
            grouping = questionnaire.grouping(name)
        except InputError as error:
            problems.append(f"group_by: {error}")
            continue
        by = grouping.by
        if survey and made_of.setdefault(by, name) != name:
            problems.append(
                f"group_by: {made_of[by]} and {name} are both made of {by}, and the groups of one "
                "would tell what is withheld in the other: cross by one of them."
            )
        secret = {choice.name for choice in questionnaire.options(by) if choice.sensitive}
        asked = questionnaire.question(by)
        if survey and (
            asked.role == "sensitive"
            or (asked.is_closed and any(secret.issuperset(one.of) for one in grouping.groups))
        ):
            problems.append(f"group_by: {name} has a group of a sensitive answer: take it out.")
        if by in led_to and survey:
            problems.append(
                f"group_by: {name} is made of {by}, which decides who is asked {led_to[by]}: the "
                "bases of that would tell what is withheld. Cross by another, or count those who "
                f"gave one answer: where: [{by}=...]."
            )
    conditions = dict[str, str]()
    for text in parameters.where:
        try:
            by = questionnaire.grouping(condition(text, questionnaire)[0]).by
        except InputError as error:
            problems.append(f"where: {error}")
            continue
        alone = questionnaire.question(by).kind != "select_multiple"
        if alone and conditions.setdefault(by, text) != text:
            problems.append(f"where: nobody can be in {conditions[by]} and in {text}: keep one.")
        if survey and by in made_of:
            problems.append(
                f"where: {text} and group_by: {made_of[by]} are of the same question, {by}: take "
                "one of them out."
            )
    closed = [question.name for question in questionnaire.closed_questions]
    problems += [
        f"figures: {name!r} is no closed question{did_you_mean(name, closed)}"
        for name in parameters.figures
        if name not in closed
    ]
    timed = questionnaire.with_role("started") and questionnaire.with_role("submitted")
    if parameters.minimum_seconds and not timed:
        problems.append(
            "minimum_seconds needs to know when a response was begun and sent: no questions have "
            "the roles started and submitted."
        )
    if questionnaire.source == "survey":
        problems += [
            f"{name} is {getattr(parameters, name)}, too low to protect anyone"
            + f" (minimum_cell is {least})" * (least == parameters.minimum_cell)
            + f": set {least} or more (less only where the questionnaire's source is "
            "public_record)."
            for name, least in _floors(parameters).items()
            if getattr(parameters, name) < least
        ]
    return problems


def _floors(parameters: Parameters) -> dict[str, int]:
    """Return the least that each limit may be where people answered."""
    cell = max(3, parameters.minimum_cell)
    return {
        "minimum_cell": 3,
        "minimum_base": cell,
        "minimum_cross": cell,
        "minimum_sensitive": cell,
        "min_width": 2,
    }


def _place_group_problems(questionnaire: Questionnaire) -> list[str]:
    """Return what groupings of places name that their scheme does not have."""
    problems = []
    for grouping in questionnaire.groupings:
        if grouping.scheme == "option":
            continue
        known = {one for place in all_places() for one in values_of(place.code, grouping.scheme)}
        problems += [
            f"questionnaire.yml: grouping {grouping.name} names {value!r}, which {grouping.scheme} "
            f"does not have{did_you_mean(value, known)}"
            for group in grouping.groups
            for value in group.of
            if value not in known
        ]
    return problems


def _report_problems(report: Report | None, codebook: Codebook) -> list[str]:
    if report is None:
        return []
    codes = set(codebook.theme_of)
    themes = {theme.name for theme in codebook.themes}
    unknown = [
        f"report.yml: recommendation {one.number} names the code {code!r}, which is not in the "
        f"codebook{did_you_mean(code, codes)}"
        for one in report.recommendations
        for code in one.codes
        if code not in codes
    ]
    return unknown + [
        f"report.yml: recommendation {one.number} names the theme {one.theme!r}, which is not in "
        f"the codebook{did_you_mean(one.theme, themes)}"
        for one in report.recommendations
        if one.theme not in themes
    ]


def _size_problems(report: Report | None, codebook: Codebook) -> list[str]:
    """Return what has more items than a bit mask holds."""
    sizes = {
        "codebook.yml: codes": len(codebook.codes),
        "codebook.yml: themes": len(codebook.themes),
        "report.yml: recommendations": len(report.recommendations) if report else 0,
    }
    return [
        f"{what} are {size}, and at most {MOST_OPTIONS} can be counted: merge some."
        for what, size in sizes.items()
        if size > MOST_OPTIONS
    ]


def _published_problems(
    report: Report | None, questionnaire: Questionnaire, codebook: Codebook
) -> list[str]:
    """Return published figures whose estimates do not exist, or cannot be added up."""
    items = {
        question.name: {choice.name for choice in questionnaire.options(question)}
        for question in questionnaire.closed_questions
    }
    items |= {"themes": {theme.name for theme in codebook.themes}}
    items |= {"codes": set(codebook.theme_of)}
    exclusive = {one.name for one in questionnaire.closed_questions if one.kind == "select_one"}
    problems = []
    for published in report.published if report else ():
        questions = {name.partition(".")[0] for name in published.estimates}
        known = {f"{question}.{item}" for question in questions for item in items.get(question, ())}
        problems += [
            f"report.yml: {published.name} names the estimate {name!r}, which there is not"
            f"{did_you_mean(name, known)}"
            for name in published.estimates
            if name not in known
        ]
        if len(published.estimates) > 1 and not (len(questions) == 1 and questions <= exclusive):
            problems.append(
                f"report.yml: {published.name} adds up estimates that are not options of one "
                "single-choice question: people would count twice."
            )
    return problems


def _glyph_problems(
    parameters: Parameters, questionnaire: Questionnaire, codebook: Codebook
) -> list[str]:
    """Return labels of figures that hold a character which the figures' font does not have."""
    texts = {
        f"questionnaire.yml: option {question.choice_list}.{choice.name}": choice.label
        for question in questionnaire.closed_questions
        if not parameters.figures or question.name in parameters.figures
        for choice in questionnaire.options(question)
    }
    texts |= {
        f"questionnaire.yml: group {grouping.name}.{group.name}": group.label
        for name in parameters.group_by
        if (grouping := _tried([], questionnaire.grouping, name)) is not None
        for group in grouping.groups
    }
    texts |= {f"codebook.yml: theme {theme.name}": theme.label for theme in codebook.themes}
    texts |= {f"codebook.yml: code {code.name}": code.label for code in codebook.codes}
    labels = {where: label(text, parameters.language) for where, text in texts.items()}
    unusual = {
        where: text for where, text in labels.items() if not DRAWN_BY_ANY_FONT.fullmatch(text)
    }
    if not unusual:
        return []
    from matplotlib.font_manager import findfont  # slow, and rarely needed
    from matplotlib.ft2font import FT2Font

    from upr_analysis.figures import STYLE

    glyphs = FT2Font(findfont(STYLE["font.family"])).get_charmap()
    missing = {
        where: "".join(one for one in dict.fromkeys(text) if ord(one) not in glyphs and one != "\n")
        for where, text in unusual.items()
    }
    return [
        f"{where} has {characters!r} in its label, which the figures' font {STYLE['font.family']} "
        "does not have: say it in words."
        for where, characters in missing.items()
        if characters
    ]


def _imported_code_problems(questionnaire: Questionnaire, codebook: Codebook) -> list[str]:
    codes = set(codebook.theme_of)
    return [
        f"questionnaire.yml: {question.name} has the code {choice.name!r}, which is not in the "
        f"codebook{did_you_mean(choice.name, codes)}"
        for question in questionnaire.with_role("codes")
        for choice in questionnaire.options(question)
        if choice.name not in codes
    ]
