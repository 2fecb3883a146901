"""Who is left: test entries, empty and partial responses, duplicates, each by a stated rule.

Nobody is removed in silence: every rule yields a count for the respondent flow and a line a
respondent for the cleaning log, by pseudonym and rule, never by what was answered.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd
from rapidfuzz import fuzz, process

from upr_analysis.marks import fold_label
from upr_analysis.places import groups_of, resolve
from upr_analysis.questionnaire import Questionnaire
from upr_analysis.responses import LOG

TEST_WORDS: Final = frozenset({"test", "testing", "essai", "prueba", "asdf", "test test", "xxx"})
SHORTEST_COMPARED: Final = 100  # characters of open answers below which nothing is a near duplicate
MOST_COMPARED: Final = 5_000  # respondents above which near duplicates are not looked for
REMOVALS: Final = (
    *("test entry", "empty", "partial", "speeder"),
    *("exact duplicate", "near duplicate"),
)


def find_removals(
    respondents: pd.DataFrame,
    open_responses: pd.DataFrame,
    free_texts: pd.DataFrame,
    minimum_answers: int,
    deduplicate: bool,
    near_duplicate: int,
    minimum_seconds: int = 0,
) -> pd.Series:
    """Return why each respondent is removed (n,), indexed like `respondents`; missing if kept.

    The rules in order: *test entry* (every open answer is a word for a test), *empty* (nothing
    answered), *partial* (fewer than `minimum_answers` questions answered), *speeder* (from begun to
    sent in less than `minimum_seconds`, where both times are known to the minute and in order),
    *exact duplicate* (equal answers throughout), *near
    duplicate* (equal single choices and open answers whose similarity is
    at least `near_duplicate` percent). Duplicates need open answers of 100 characters or more, and
    of them the first sent is kept. Among more than 5,000 respondents none near is looked for.
    """
    order = respondents
    if "submitted" in respondents:
        order = respondents.sort_values("submitted", kind="stable")
    words = _joined(open_responses, order["respondent"])
    free = _joined(free_texts, order["respondent"])
    answered = _answers_counted(order)
    why = pd.Series(pd.NA, index=order.index, dtype="string")
    why[(_is_test(open_responses, order["respondent"])).to_numpy()] = "test entry"
    why[why.isna() & (answered == 0)] = "empty"
    why[why.isna() & (answered < minimum_answers)] = "partial"
    if minimum_seconds and is_timed(order):
        took = (order["submitted"] - order["started"]).dt.total_seconds()
        why[why.isna() & (took >= 0) & (took < minimum_seconds)] = "speeder"
    if deduplicate:
        singles = order[_answer_columns(order, only_single=True)].astype("string").fillna("")
        closed = order[_answer_columns(order)].astype("string").fillna("")
        words = words.set_axis(order.index)
        everything = closed.assign(words=words, free=free.to_numpy())
        # few options make equal answers likely: without words of one's own nobody is a duplicate
        left = everything[why.isna() & (words.str.len() >= SHORTEST_COMPARED)]
        why[left.index[left.duplicated()]] = "exact duplicate"
        left = left[why[left.index].isna()]
        if len(left) <= MOST_COMPARED:
            profile = [tuple(row) for row in singles.loc[left.index].itertuples(index=False)]
            for _, alike in left.groupby(pd.Series(profile, left.index, dtype=object), sort=False):
                why[_near_duplicates(alike["words"], near_duplicate)] = "near duplicate"
    return why.reindex(respondents.index)


def is_timed(respondents: pd.DataFrame) -> bool:
    """Whether it is known when responses were begun and sent, and not the days only."""
    if not {"started", "submitted"} <= set(respondents):
        return False
    times = respondents[["started", "submitted"]]
    return bool((times != times.apply(lambda column: column.dt.normalize())).any(axis=None))


def keep(
    table: pd.DataFrame, why: pd.Series, respondents: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the rows of a table that belong to respondents who are kept.

    `why` is find_removals' of `respondents`, which is the table itself where it is not given.
    """
    everyone = table if respondents is None else respondents
    kept = everyone["respondent"][why.isna()]
    return table[table["respondent"].isin(kept)].reset_index(drop=True)


def _answer_columns(respondents: pd.DataFrame, only_single: bool = False) -> list[str]:
    """Return the closed questions' columns, or those of single choices (categories)."""
    names = [str(name) for name in respondents if f"{name}_state" in respondents]
    single = [name for name in names if isinstance(respondents[name].dtype, pd.CategoricalDtype)]
    return single if only_single else names


def _answers_counted(respondents: pd.DataFrame) -> pd.Series:
    states = [column for column in respondents if str(column).endswith("_state")]
    return (respondents[states] == "answered").sum(axis=1)


def _joined(texts: pd.DataFrame, respondents: pd.Series) -> pd.Series:
    """Return each respondent's words, in the order of the questions, as one text (n,)."""
    said = texts[texts["text"] != ""].groupby("respondent")["text"].agg(" ".join)
    return respondents.map(said.to_dict()).astype("string").fillna("").astype("str")


def _is_test(open_responses: pd.DataFrame, respondents: pd.Series) -> pd.Series:
    said = open_responses[open_responses["text"] != ""]
    tests = said["text"].map(lambda text: fold_label(text).strip(".!") in TEST_WORDS)
    only_tests = tests.astype(bool).groupby(said["respondent"]).all()
    return respondents.isin(only_tests.index[only_tests])


def _near_duplicates(texts: pd.Series, similarity: int) -> pd.Index:
    """Return the index of each text that an earlier one is similar to."""
    if len(texts) < 2:
        return texts.index[:0]
    scores = process.cdist(
        texts.tolist(), texts.tolist(), scorer=fuzz.ratio, score_cutoff=similarity, dtype=np.uint8
    )
    earlier = np.tril(scores, k=-1) > 0
    return texts.index[np.asarray(earlier.any(axis=1))]


def respondent_flow(received: int, why: pd.Series) -> pd.DataFrame:
    """Return the flow from received to kept: columns step and respondents (in = out + reasons)."""
    removed = [(reason, int((why == reason).sum())) for reason in REMOVALS]
    kept = int(why.isna().sum())
    if received != kept + sum(count for _, count in removed):
        raise AssertionError("respondents received are not those kept and those removed")
    # nobody is too fast where no limit is set
    told = [(reason, count) for reason, count in removed if count or reason != "speeder"]
    rows = [("received", received), *told, ("kept", kept)]
    return pd.DataFrame(rows, columns=["step", "respondents"])


def cleaning_log(
    respondents: pd.DataFrame, why: pd.Series, changes: Iterable[pd.DataFrame]
) -> pd.DataFrame:
    """Return the log: respondent, column, rule, change; a row for each thing that was done.

    A removed respondent has no column. `changes` are what earlier rules noted.
    """
    removed = why.notna()
    gone = pd.DataFrame({"respondent": respondents["respondent"], "rule": why})[removed]
    gone = gone.assign(column="", change="removed")
    together = pd.concat([*changes, gone], ignore_index=True)[LOG].astype("str")
    return together.drop_duplicates(ignore_index=True)


def find_places(
    free_texts: pd.DataFrame, questionnaire: Questionnaire, corrections: dict[str, list[str]]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Resolve the country questions' answers.

    Returns the places (respondent, question, place); what was not understood (question, piece,
    respondents), a list for the researcher, never a guess; and the log's rows.
    """
    questions = [question.name for question in questionnaire.with_role("country")]
    said = free_texts[free_texts["question"].isin(questions)]
    languages = tuple(questionnaire.languages)
    codes, texts = pd.factorize(said["text"])  # each different answer is read once
    found = [resolve(text, languages, corrections) for text in texts]
    places = _one_a_row(said, "place", [one.places for one in found], codes)
    unknown = _one_a_row(said, "piece", [one.unknown for one in found], codes)
    listed = unknown.groupby(["question", "piece"], as_index=False).agg(
        respondents=("respondent", "nunique")
    )
    log = unknown[["respondent", "question"]].rename(columns={"question": "column"})
    return places, listed, log.assign(rule="place not understood", change="listed")


def _one_a_row(
    said: pd.DataFrame, column: str, values: Sequence[Sequence[str]], codes: np.ndarray
) -> pd.DataFrame:
    """Return respondent, question and `column`, a row for each value of the answers (n,)."""
    counts = np.array([len(some) for some in values], dtype=np.int64)
    rows = np.repeat(np.arange(len(codes)), counts[codes])
    flat = np.array([one for some in values for one in some], dtype=object)
    starts = counts.cumsum() - counts
    within = np.arange(len(rows)) - np.repeat(counts[codes].cumsum() - counts[codes], counts[codes])
    picked = flat[starts[codes][rows] + within]
    wide = said[["respondent", "question"]].iloc[rows].reset_index(drop=True)
    wide[column] = pd.Series(picked, dtype="str")
    return wide


def _chosen(respondents: pd.DataFrame, questionnaire: Questionnaire, question: str) -> pd.DataFrame:
    """Return who chose what: columns respondent and value, a row an option that was ticked."""
    answers = respondents[question]
    if questionnaire.question(question).kind == "select_one":
        return pd.DataFrame({"respondent": respondents["respondent"], "value": answers})
    masks = answers.to_numpy()
    parts = [
        pd.DataFrame({"respondent": respondents["respondent"][(masks >> bit) & 1 == 1]}).assign(
            value=choice.name
        )
        for bit, choice in enumerate(questionnaire.options(question))
    ]
    return pd.concat(parts, ignore_index=True)


def values_of(code: str, scheme: str) -> tuple[str, ...]:
    """Return what a grouping of places groups a place by: groups of a scheme, or its own code."""
    return (code,) if scheme == "place" else groups_of(code, scheme)


def memberships(
    respondents: pd.DataFrame, places: pd.DataFrame, questionnaire: Questionnaire
) -> pd.DataFrame:
    """Return who is in which group: columns respondent, grouping, group; never joined onto people.

    A respondent may be in several groups of one grouping (countries in two regions), in none where
    nothing was answered, and is counted once in any total of people.
    """
    parts = []
    for grouping in questionnaire.groupings:
        group_of = {value: group.name for group in grouping.groups for value in group.of}
        if grouping.scheme == "option":
            values = _chosen(respondents, questionnaire, grouping.by)
        else:
            own = places[places["question"] == grouping.by]
            schemes = {code: values_of(code, grouping.scheme) for code in own["place"].unique()}
            values = own.assign(value=own["place"].map(schemes)).explode("value")
        values = values.assign(group=values["value"].map(group_of)).dropna(subset="group")
        parts.append(
            values[["respondent", "group"]].drop_duplicates().assign(grouping=grouping.name)
        )
    columns = ["respondent", "grouping", "group"]
    if not parts:
        return pd.DataFrame({column: pd.Series(dtype="str") for column in columns})
    return pd.concat(parts, ignore_index=True)[columns].astype("str")
