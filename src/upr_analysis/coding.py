"""From words to codes: each pattern of the codebook found in the open responses, as verbatim spans.

Matching ignores case, accents, and kinds of apostrophe and hyphen, and keeps to word boundaries of
any script. Positions are Unicode code points of the stored text, the end exclusive.
"""

import hashlib
from collections import Counter
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from upr_analysis.codebook import Codebook
from upr_analysis.matching import Matcher
from upr_analysis.patterns import fold
from upr_analysis.privacy import PLACEHOLDERS

MACHINE: Final = "codebook"  # the coder that the patterns are
PEOPLE: Final = "export"  # the coder of codings that the export holds
CONSENSUS: Final = "consensus"  # what several coders make of a response together
OUTCOMES: Final = (
    "coded", "none_applies", "disputed", "nothing_to_say", "redacted", "failed", "blank",
    "not_asked",
)  # fmt: skip
CODING_COLUMNS: Final = (
    "coder", "respondent", "question", "theme", "code", "start", "end", "quote", "text_hash",
    "codebook_version",
)  # fmt: skip


class DictionaryCoder:
    """Finds a codebook's patterns in texts.

    A response in a language that the codebook has patterns for is searched with those; one in any
    other language with all of them.
    """

    def __init__(self, codebook: Codebook) -> None:
        self._codes = [code.name for code in codebook.codes]
        languages = sorted({tag for code in codebook.codes for tag in code.patterns})
        self._patterns = {
            tag: [code.patterns.get(tag, ()) for code in codebook.codes] for tag in languages
        }
        self._matchers = {
            tag: Matcher(patterns, codebook.negations.get(tag, ()))
            for tag, patterns in self._patterns.items()
        }

    def find(self, texts: pd.Series, languages: pd.Series) -> pd.DataFrame:
        """Return a row a match: place of the text, code, start, end; of a code without overlap.

        In the order of texts and, in each, of the codebook. A span takes in combining marks that
        follow its last letter, so that it ends between characters as a reader sees them.
        """
        found = []
        tags = languages.astype("object").to_numpy()
        known = np.array([tag in self._matchers for tag in tags], dtype=bool)
        for tag in self._matchers:
            rows = np.flatnonzero((tags == tag) | ~known)
            found.append(self._matched(tag, texts, rows))
        matches = pd.concat([_NO_MATCHES, *found], ignore_index=True)
        if not known.all() and len(self._matchers) > 1:
            told = known[matches["text"]]
            matches = pd.concat([matches[told], _distinct(matches[~told])], ignore_index=True)
        matches = matches.sort_values(["text", "code", "start"], kind="stable", ignore_index=True)
        return matches.assign(code=np.array([*self._codes, ""], dtype=object)[matches["code"]])

    def _matched(self, tag: str, texts: pd.Series, rows: np.ndarray) -> pd.DataFrame:
        column = pa.array(texts.iloc[rows], type=pa.large_string())
        found = self._matchers[tag].find(column)
        return pd.DataFrame(
            {"text": rows[found.text], "code": found.code, "start": found.start, "end": found.end}
        )

    def spans(self, text: str, language: str) -> list[tuple[str, int, int]]:
        """Return (code, start, end) of each match in one text."""
        found = self.find(pd.Series([text], dtype="str"), pd.Series([language]))
        return list(found[["code", "start", "end"]].itertuples(index=False, name=None))


_NO_MATCHES: Final = pd.DataFrame(
    {name: np.zeros(0, dtype=np.int64) for name in ("text", "code", "start", "end")}
)


def _distinct(matches: pd.DataFrame) -> pd.DataFrame:
    """Keep of one code's overlapping spans (found by several languages' patterns) the first."""
    ordered = matches.sort_values(
        ["text", "code", "start", "end"], ascending=[True, True, True, False], ignore_index=True
    )
    kept, key, free = [], None, -1
    for text, code, start, end in ordered.itertuples(index=False, name=None):
        is_free = (text, code) != key or start >= free
        kept.append(is_free)
        if is_free:
            key, free = (text, code), end
    return ordered[kept]


def pattern_use(open_responses: pd.DataFrame, codebook: Codebook) -> pd.DataFrame:
    """Return of each pattern how often it stands in the answers and how often it is what is coded.

    A row a code, language and pattern: `matches` by itself, `coded` where no longer pattern of its
    code stands in its place.
    """
    answered = open_responses[open_responses["state"] == "answered"]
    tags = answered["language"].astype("object").to_numpy()
    languages = {tag for code in codebook.codes for tag in code.patterns}
    known = np.array([tag in languages for tag in tags], dtype=bool)
    rows = []
    for tag in sorted(languages):
        of_code = [code.patterns.get(tag, ()) for code in codebook.codes]
        alone = [(pattern,) for patterns in of_code for pattern in patterns]
        texts = pa.array(answered["text"][(tags == tag) | ~known], type=pa.large_string())
        negations = codebook.negations.get(tag, ())
        by_itself = np.bincount(Matcher(alone, negations).find(texts).code, minlength=len(alone))
        found = Matcher(of_code, negations).find(texts)
        coded = Counter(zip(found.code.tolist(), found.pattern.tolist(), strict=True))
        places = [
            (number, place, code.name, pattern)
            for number, code in enumerate(codebook.codes)
            for place, pattern in enumerate(code.patterns.get(tag, ()))
        ]
        rows += [
            (name, tag, pattern, int(matches), coded[number, place])
            for (number, place, name, pattern), matches in zip(places, by_itself, strict=True)
        ]
    return pd.DataFrame(rows, columns=["code", "language", "pattern", "matches", "coded"])


def code_responses(open_responses: pd.DataFrame, codebook: Codebook) -> pd.DataFrame:
    """Code every open response that was answered; returns codings (CODING_COLUMNS), one row a span.

    Every span is checked to stand verbatim in the text.
    """
    answered = open_responses[open_responses["state"] == "answered"].reset_index(drop=True)
    found = DictionaryCoder(codebook).find(answered["text"], answered["language"])
    rows = answered.iloc[found["text"]].reset_index(drop=True)
    texts = rows["text"].to_numpy()
    spans = zip(texts, found["start"], found["end"], strict=True)
    quotes = [text[start:end] for text, start, end in spans]
    hashes = {text: text_hash(text) for text in set(texts)}
    themes = {code: theme.name for code, theme in codebook.theme_of.items()}
    return _typed(
        pd.DataFrame(
            {
                "coder": MACHINE,
                "respondent": rows["respondent"],
                "question": rows["question"],
                "theme": found["code"].map(themes),
                "code": found["code"],
                "start": found["start"],
                "end": found["end"],
                "quote": pd.Series(quotes, dtype="string"),
                "text_hash": pd.Series([hashes[text] for text in texts], dtype="string"),
                "codebook_version": codebook.version,
            }
        )
    )


def given_codings(
    given: pd.DataFrame, open_responses: pd.DataFrame, codebook: Codebook
) -> pd.DataFrame:
    """Return codings that people gave: `given` are coder, respondent, question and code.

    With `start` and `end` where they gave the code to a span, missing where to the whole answer.
    ValueError where a code is not in the codebook.
    """
    themes = {code: theme.name for code, theme in codebook.theme_of.items()}
    if unknown := sorted(set(given["code"]) - set(themes)):
        raise ValueError(f"The codes {', '.join(unknown)} are not in the codebook.")
    texts = open_responses.set_index(["respondent", "question"])["text"]
    own = texts.reindex(pd.MultiIndex.from_frame(given[["respondent", "question"]])).tolist()
    frame = given.reindex(columns=list(CODING_COLUMNS)).reset_index(drop=True)
    frame["theme"] = frame["code"].map(themes)
    frame["text_hash"] = list(map(text_hash, own))
    frame["codebook_version"] = codebook.version
    frame["quote"] = [
        pd.NA if pd.isna(start) else text[start:end]
        for text, start, end in zip(own, frame["start"], frame["end"], strict=True)
    ]
    return _typed(frame)


def keep_known(given: pd.DataFrame, open_responses: pd.DataFrame) -> pd.DataFrame:
    """Return the codes given to responses that are still there."""
    return given[given["respondent"].isin(open_responses["respondent"])]


def text_hash(text: str) -> str:
    """Return the first 16 hex digits of the text's SHA-256: a coding's proof of what it coded."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def account(
    open_responses: pd.DataFrame, codings: pd.DataFrame, judged: pd.DataFrame, codebook: Codebook
) -> pd.Series:
    """Return how each open response ended, one of OUTCOMES, indexed like `open_responses`.

    `codings` are those that count; `judged` the responses that people judged, with whether they are
    `settled`. One is disputed to which its coders gave codes, but none more than half of them. One
    failed that nobody judged and in whose language the codebook has no pattern to look for.
    """
    nothing = {
        fold(phrase)[0] for phrases in codebook.nothing_to_say.values() for phrase in phrases
    }
    keys = pd.MultiIndex.from_frame(open_responses[["respondent", "question"]])
    open_ones = judged[~judged["settled"].astype(bool)]
    coded, by_people, disputed = (
        keys.isin(pd.MultiIndex.from_frame(those[["respondent", "question"]]))
        for those in (codings, judged, open_ones)
    )
    tags = {tag for code in codebook.codes for tag, own in code.patterns.items() if own}
    language = open_responses["language"]
    searched = (language.isin(tags) | (language.isna() & bool(tags))).to_numpy(dtype=bool)
    bare = open_responses["text"].map(lambda text: fold(text)[0].strip(" .!?-'\""))
    outcome = pd.Series("none_applies", index=open_responses.index)
    outcome[~(searched | by_people)] = "failed"
    outcome[bare.isin(nothing)] = "nothing_to_say"
    outcome[open_responses["text"].map(_only_placeholders)] = "redacted"
    outcome[(open_responses["state"] == "skipped").to_numpy()] = "blank"
    outcome[(open_responses["state"] == "not_asked").to_numpy()] = "not_asked"
    outcome[disputed] = "disputed"
    outcome[coded] = "coded"  # even where people coded what is blank here
    return outcome.astype(pd.CategoricalDtype(list(OUTCOMES)))


def account_by_question(open_responses: pd.DataFrame, outcome: pd.Series) -> pd.DataFrame:
    """Count how the open responses of each question ended; every response is in one column.

    Raises AssertionError where the counts do not add up to the responses.
    """
    counts = pd.crosstab(open_responses["question"], outcome, dropna=False)
    counts = counts.reindex(columns=list(OUTCOMES), fill_value=0)
    counts = counts.reindex(list(dict.fromkeys(open_responses["question"])))
    if int(counts.to_numpy().sum()) != len(open_responses):
        raise AssertionError("open responses are not those accounted for")
    counts.columns = pd.Index(list(OUTCOMES))
    return counts.rename_axis("question").reset_index()


def _only_placeholders(text: str) -> bool:
    rest = text
    for placeholder in PLACEHOLDERS.values():
        rest = rest.replace(placeholder, "")
    return rest != text and not any(character.isalnum() for character in rest)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    texts = [column for column in CODING_COLUMNS if column not in ("start", "end")]
    return frame.astype(dict.fromkeys(texts, "string") | {"start": "Int32", "end": "Int32"})
