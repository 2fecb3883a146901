"""Words behind "other" given back to the options that they mean: a researcher's sheet, replayed.

A run leaves the sheet in `private/back_coding.csv`, a row for each different answer. With options
written into its last column it goes into the consultation's folder, and every later run applies it.
"""

from itertools import compress
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from upr_analysis.grids import read_grid
from upr_analysis.marks import fold_label
from upr_analysis.problems import InputError, did_you_mean
from upr_analysis.questionnaire import Questionnaire
from upr_analysis.responses import LOG

SHEET: Final = "back_coding.csv"
COLUMNS: Final = ("question", "text", "respondents", "option")

Decisions = dict[tuple[str, str], tuple[str, ...]]  # (question, folded text) -> options


def read_decisions(consultation: Path, questionnaire: Questionnaire) -> Decisions:
    """Read a consultation's sheet, {} without one; InputError names every line that does not fit.

    Several options of a select-all question stand with spaces between them; without an option a
    row is undecided.
    """
    path = consultation / SHEET
    if not path.exists():
        return {}
    try:
        grid, _ = read_grid(path)  # a spreadsheet may have saved it in its own way
    except InputError as error:
        raise InputError(
            f"{path} cannot be read ({error.problems[0].partition(': set ')[0]}): save it as csv "
            "in UTF-8."
        ) from error
    header = grid.row(0)
    if not {"question", "text", "option"} <= set(header):
        raise InputError(f"{path} needs the columns question, text and option.")
    rows = [dict(zip(header, grid.row(place), strict=True)) for place in range(1, len(grid))]
    decisions: Decisions = {}
    problems = []
    names = {question.name: question for question in questionnaire.closed_questions}
    for line, row in zip(grid.numbers[1:], rows, strict=True):
        if not any(row.values()):
            continue
        question = names.get(row["question"])
        options = tuple(row["option"].split())
        if question is None:
            # a cell may have slipped here from the next column: no word of it is shown
            hint = did_you_mean(row["question"], names)
            problems.append(f"{path} line {line}: 'question' names no closed question{hint}")
            continue
        known = [choice.name for choice in questionnaire.options(question)]
        unknown = [option for option in options if option not in known]
        problems += [
            f"{path} line {line}: {question.name} has no such option{did_you_mean(one, known)}"
            for one in unknown
        ]
        if len(options) > 1 and question.kind == "select_one":
            problems.append(f"{path} line {line}: {question.name} takes one option only.")
        text = row["text"]
        text = text[1:] if text[:1] == "'" and text[1:2] in "=+-@" else text
        if options and decisions.setdefault((question.name, fold_label(text)), options) != options:
            problems.append(f"{path} line {line}: the same answer is given two options.")
    if problems:
        raise InputError(problems)
    return decisions


def back_coding_sheet(
    free_texts: pd.DataFrame, questionnaire: Questionnaire, decisions: Decisions
) -> pd.DataFrame:
    """Return a row for each different answer behind "other": what was decided, or blank."""
    asked = {f"{question.name}_other": question.name for question in questionnaire.closed_questions}
    said = free_texts[free_texts["question"].isin(asked)]
    said = said.assign(question=said["question"].map(asked), text=said["text"].str.strip())
    sheet = said.groupby(["question", "text"], as_index=False, sort=True).agg(
        respondents=("respondent", "nunique")
    )
    options = [
        " ".join(decisions.get((question, fold_label(text)), ()))
        for question, text in zip(sheet["question"], sheet["text"], strict=True)
    ]
    return sheet.assign(option=pd.Series(options, dtype="str"))[list(COLUMNS)]


def back_code(
    respondents: pd.DataFrame,
    free_texts: pd.DataFrame,
    questionnaire: Questionnaire,
    decisions: Decisions,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Give answers behind "other" the options decided for them.

    A single choice keeps an option that was chosen beside the words. Returns the respondents, the
    free texts that are left, and the log's rows.
    """
    respondents, changes = respondents.copy(), []
    left = np.ones(len(free_texts), dtype=bool)
    row_of = pd.Series(range(len(respondents)), index=respondents["respondent"])
    for question in questionnaire.closed_questions:
        own = (free_texts["question"] == f"{question.name}_other").to_numpy()
        said = free_texts[own]
        given = [decisions.get((question.name, fold_label(text)), ()) for text in said["text"]]
        decided = np.array([bool(options) for options in given], dtype=bool)
        if question.kind == "select_one":
            other = {one.name for one in questionnaire.options(question) if one.role == "other"}
            answered = respondents[question.name].iloc[row_of[said["respondent"]]]
            decided &= answered.isin(other).to_numpy()
        if not decided.any():
            continue
        left[np.flatnonzero(own)[decided]] = False
        choices = questionnaire.options(question)
        names = [choice.name for choice in choices]
        answers = respondents[question.name].copy()
        others = sum(1 << place for place, one in enumerate(choices) if one.role == "other")
        for name, options in zip(
            said["respondent"][decided], compress(given, decided), strict=True
        ):
            row = answers.index[row_of[name]]
            if question.kind == "select_one":
                answers[row] = options[0]
            else:
                chosen = sum(1 << names.index(option) for option in options)
                answers[row] = (int(answers[row]) & ~others) | chosen
        respondents[question.name] = answers
        log = pd.DataFrame({"respondent": said["respondent"][decided], "column": question.name})
        changes.append(log.assign(rule=SHEET, change="counted as an option"))
    log = pd.concat(changes, ignore_index=True) if changes else pd.DataFrame(columns=LOG, dtype=str)
    return respondents, free_texts[left].reset_index(drop=True), log
