"""The one table of published numbers, from which tables, figures, comparisons and claims are made.

One row a number. `n` of `base` respondents is a share of `value` percent; a row of another measure
(a test, an effect) has its number in `value` and no `n`.
"""

from typing import Final

import pandas as pd

COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "id": ("string", "stable name of the number: its table, item and group"),
    "table": ("string", "the table that it stands in: question, or question.group_by"),
    "measure": ("string", "share, median, test or effect"),
    "question": ("string", "question, or `themes` or `codes` for what open answers raised"),
    "item": ("string", "option, theme or code; empty for a number about the whole table"),
    "group_by": ("string", "grouping; empty for all respondents"),
    "group": ("string", "group of the grouping; not_stated for those in none; empty for all"),
    "filter": ("string", "who was counted; empty for everyone"),
    "weighted": ("bool", "whether weights were used"),
    "base_kind": ("string", "asked, answered or eligible"),
    "n": ("Int64", "respondents counted; missing where suppressed or not a count"),
    "base": ("Int64", "respondents in the denominator"),
    "value": ("Float64", "percent of the base (0-100) for a share, else the number itself"),
    "low": ("Float64", "lower end of the 95 % interval"),
    "high": ("Float64", "upper end of the 95 % interval"),
    "method": ("string", "how the number, its interval or its p came about"),
    "p": ("Float64", "p-value of a test"),
    "p_adjusted": ("Float64", "p-value adjusted for the number of tests in its family"),
    "suppressed": ("bool", "withheld to protect respondents"),
    "source": ("string", "real or invented"),
}
NOT_STATED: Final = "not_stated"
# What stands in `question` where no question was asked: what open answers raised.
THEMES: Final = "themes"
CODES: Final = "codes"
RECOMMENDATIONS: Final = "recommendations"


def estimates_frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Make a frame of the declared columns from rows that may leave out what does not apply."""
    blanks: dict[str, object] = {"string": "", "bool": False, "Int64": None, "Float64": None}
    columns = {
        name: pd.Series([row.get(name, blanks[dtype]) for row in rows], dtype=dtype)
        for name, (dtype, _) in COLUMNS.items()
    }
    return pd.DataFrame(columns)


def estimate_id(question: str, item: str = "", group_by: str = "", group: str = "") -> str:
    """Return the stable id of a number, as `Q13.yes` or `Q13.yes.region.africa`."""
    return ".".join(part for part in (question, item, group_by, group) if part)
