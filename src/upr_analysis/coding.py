"""From words to codes: each pattern of the codebook found in the open responses, as verbatim spans.

Matching ignores case, accents, and kinds of apostrophe and hyphen, and keeps to word boundaries of
any script. Positions are Unicode code points of the stored text, the end exclusive.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import pandas as pd

from upr_analysis.codebook import Codebook
from upr_analysis.privacy import PLACEHOLDERS

MACHINE: Final = "codebook"  # the coder that the patterns are
PEOPLE: Final = "export"  # the coder of codings that the export holds
OUTCOMES: Final = ("coded", "none_applies", "nothing_to_say", "redacted", "blank", "not_asked")
CODING_COLUMNS: Final = (
    "coder", "respondent", "question", "theme", "code", "start", "end", "quote", "text_hash",
    "codebook_version",
)  # fmt: skip
APOSTROPHES: Final = "'’‘ʼ´`′"
HYPHENS: Final = "-‐‑‒–—−"


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    if character in APOSTROPHES:
        return "'"
    if character in HYPHENS:
        return "-"
    parts = unicodedata.normalize("NFKD", character.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def fold(text: str) -> tuple[str, Sequence[int]]:
    """Return the text for matching, and for each of its characters the place in `text`."""
    if text.isascii():
        return text.lower().replace("`", "'"), range(len(text))
    folded, places = [], []
    for place, character in enumerate(text):
        for part in _fold_character(character):
            folded.append(part)
            places.append(place)
    return "".join(folded), places


def pattern_expression(pattern: str) -> str:
    """Return the regular expression of one codebook pattern, over folded text."""
    words = re.split(r"[ '\-]+", fold(pattern)[0])
    return r"[\s'\-]+".join(
        re.escape(word.removesuffix("*")) + (r"\w*" if word.endswith("*") else "") for word in words
    )


class DictionaryCoder:
    """Finds a codebook's patterns in texts.

    A response in a language that the codebook has patterns for is searched with those; one in any
    other language with all of them.
    """

    def __init__(self, codebook: Codebook) -> None:
        self._languages = sorted({tag for code in codebook.codes for tag in code.patterns})
        self._expressions = {
            language: [
                (code.name, _expression(code.patterns.get(language, ())))
                for code in codebook.codes
                if code.patterns.get(language)
            ]
            for language in self._languages
        }

    def spans(self, text: str, language: str) -> list[tuple[str, int, int]]:
        """Return (code, start, end) of each match, in the codebook's order, without overlap a code.

        A span takes in combining marks that follow its last letter, so that it ends between
        characters as a reader sees them.
        """
        folded, places = fold(text)
        languages = [language] if language in self._expressions else self._languages
        found = []
        for tag in languages:
            for code, expression in self._expressions[tag]:
                for match in expression.finditer(folded):
                    start, end = places[match.start()], places[match.end() - 1] + 1
                    while end < len(text) and unicodedata.combining(text[end]):
                        end += 1
                    found.append((code, start, end))
        return found if len(languages) == 1 else _distinct(found)


def _expression(patterns: Sequence[str]) -> re.Pattern[str]:
    longest = sorted(patterns, key=lambda pattern: -len(pattern))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(pattern_expression, longest))})(?!\w)")


def _distinct(found: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Keep of one code's overlapping spans (found by several languages' patterns) the first."""
    kept: list[tuple[str, int, int]] = []
    for code, start, end in sorted(found, key=lambda span: (span[0], span[1], -span[2])):
        if not kept or kept[-1][0] != code or start >= kept[-1][2]:
            kept.append((code, start, end))
    return kept


def code_responses(open_responses: pd.DataFrame, codebook: Codebook) -> pd.DataFrame:
    """Code every open response that was answered; returns codings (CODING_COLUMNS), one row a span.

    Every span is checked to stand verbatim in the text.
    """
    coder, theme_of = DictionaryCoder(codebook), codebook.theme_of
    rows: list[tuple[object, ...]] = []
    answered = open_responses[open_responses["state"] == "answered"]
    for respondent, question, text, language in zip(
        answered["respondent"], answered["question"], answered["text"], answered["language"],
        strict=True,
    ):  # fmt: skip
        digest = text_hash(text)
        for code, start, end in coder.spans(text, str(language)):
            quote = text[start:end]
            rows.append(
                (MACHINE, respondent, question, theme_of[code].name, code, start, end, quote,
                 digest, codebook.version)
            )  # fmt: skip
    return _codings(rows)


def import_codings(
    imported: pd.DataFrame, open_responses: pd.DataFrame, codebook: Codebook, coder: str = PEOPLE
) -> pd.DataFrame:
    """Return codings of whole responses that people gave: no span, no quote."""
    known = set(codebook.theme_of)
    unknown = sorted(set(imported["code"]) - known)
    if unknown:
        raise ValueError(f"The export's codes {', '.join(unknown)} are not in the codebook.")
    texts = open_responses.set_index(["respondent", "question"])["text"]
    hashes = texts.map(text_hash)
    keys = pd.MultiIndex.from_frame(imported[["respondent", "question"]])
    frame = pd.DataFrame(
        {
            "coder": coder,
            "respondent": imported["respondent"].to_numpy(),
            "question": imported["question"].to_numpy(),
            "theme": imported["code"].map({c: t.name for c, t in codebook.theme_of.items()}),
            "code": imported["code"].to_numpy(),
            "start": pd.NA,
            "end": pd.NA,
            "quote": pd.NA,
            "text_hash": hashes.reindex(keys).to_numpy(),
            "codebook_version": codebook.version,
        }
    )
    return _typed(frame)


def code_everything(
    open_responses: pd.DataFrame, imported: pd.DataFrame, codebook: Codebook
) -> pd.DataFrame:
    """Return the codings of the codebook's patterns and those that people gave in the export."""
    given = import_codings(keep_known(imported, open_responses), open_responses, codebook)
    return pd.concat([code_responses(open_responses, codebook), given], ignore_index=True)


def keep_known(imported: pd.DataFrame, open_responses: pd.DataFrame) -> pd.DataFrame:
    """Return the imported codes of responses that are still there."""
    return imported[imported["respondent"].isin(open_responses["respondent"])]


def text_hash(text: str) -> str:
    """Return the first 16 hex digits of the text's SHA-256: a coding's proof of what it coded."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def account(open_responses: pd.DataFrame, codings: pd.DataFrame, codebook: Codebook) -> pd.Series:
    """Return how each open response ended, one of OUTCOMES, indexed like `open_responses`."""
    nothing = {
        fold(phrase)[0] for phrases in codebook.nothing_to_say.values() for phrase in phrases
    }
    coded = pd.MultiIndex.from_frame(codings[["respondent", "question"]].drop_duplicates())
    keys = pd.MultiIndex.from_frame(open_responses[["respondent", "question"]])
    bare = open_responses["text"].map(lambda text: fold(text)[0].strip(" .!?-'\""))
    outcome = pd.Series("none_applies", index=open_responses.index)
    outcome[bare.isin(nothing)] = "nothing_to_say"
    outcome[open_responses["text"].map(_only_placeholders)] = "redacted"
    outcome[(open_responses["state"] == "skipped").to_numpy()] = "blank"
    outcome[(open_responses["state"] == "not_asked").to_numpy()] = "not_asked"
    outcome[keys.isin(coded)] = "coded"  # even where people coded what is blank here
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


def _codings(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    return _typed(pd.DataFrame(rows, columns=list(CODING_COLUMNS)))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    texts = [column for column in CODING_COLUMNS if column not in ("start", "end")]
    return frame.astype(dict.fromkeys(texts, "string") | {"start": "Int32", "end": "Int32"})
