"""The one table of published numbers, from which tables, figures, comparisons and claims are made.

One row a number. `n` of `base` respondents is a share of `value` percent; a row of another measure
(a test, an effect) has its number in `value` and no `n`.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "id": ("string", "stable name of the number: its table, item and group"),
    "table": ("string", "the table that it stands in: question, or question.group_by"),
    "measure": ("string", "share, difference, residual, test, effect or median"),
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
# Groups that are apart from all others of their grouping.
NOT_STATED: Final = "not_stated"  # in none of the declared groups, or did not answer the question
OTHER_ANSWERS: Final = "other_answers"  # answered the question that groups, in none of its groups
APART: Final = (NOT_STATED, OTHER_ANSWERS)
LEFT_BLANK: Final = "left_blank"  # the item of those who were asked and did not answer
# What stands in `question` where no question was asked: what open answers raised.
THEMES: Final = "themes"
CODES: Final = "codes"
RECOMMENDATIONS: Final = "recommendations"


BLANKS: Final[dict[str, object]] = {"string": "", "bool": False, "Int64": None, "Float64": None}


def estimates_frame(columns: Mapping[str, object], size: int) -> pd.DataFrame:
    """Make a frame of the declared columns, each given as (size,) values or one for all.

    What is left out is blank; numbers that are NaN are missing.
    """
    frame = dict[str, Any]()
    for name, (dtype, _) in COLUMNS.items():
        values: Any = columns.get(name, BLANKS[dtype])
        each: Any = [values] * size if np.ndim(values) == 0 else values
        frame[name] = pd.array(each, dtype=dtype)
    return pd.DataFrame(frame)


def estimate_id(question: str, item: str = "", group_by: str = "", group: str = "") -> str:
    """Return the stable id of a number, as `Q13.yes` or `Q13.yes.region.africa`."""
    return ".".join(part for part in (question, item, group_by, group) if part)
