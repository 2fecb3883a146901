"""What a cell of a closed question says: which option, or whether one was ticked."""

from collections.abc import Iterable
from typing import Final

from upr_analysis.questionnaire import Choice

# What stands in the column of one option, folded, besides the option's own words.
TICKED: Final = frozenset(
    [
        "1",
        "1.0",
        "true",
        "yes",
        "y",
        "x",
        "checked",
        "selected",
        "oui",
        "sí",
        "si",
        "ja",
        "sim",
        "quoted",
    ]
)
UNTICKED: Final = frozenset(
    ("0", "0.0", "false", "no", "n", "non", "nein", "não", "unchecked", "not checked",
     "not selected", "unselected", "not quoted", "-")
)  # fmt: skip


def fold_label(text: str) -> str:
    """Return a label for comparison: case, white space and curly quotes made equal."""
    text = text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    return " ".join(text.casefold().split())


def spellings(choices: Iterable[Choice]) -> dict[str, str]:
    """Return every folded spelling of the options -> option name."""
    choices = list(choices)
    written = {
        fold_label(text): choice.name
        for choice in choices
        for text in (*choice.label.values(), choice.label_as_asked or "", *choice.also)
        if text
    }
    # a name is a spelling too, unless another option is written so
    return {fold_label(choice.name): choice.name for choice in choices} | written
