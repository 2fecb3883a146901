"""What the consultation's report recommended and what it published, to stand beside our counts."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from upr_analysis.documents import Label, Strict, read_model


class Recommendation(Strict):
    """One recommendation of the report, in our words, with the codes that speak of it."""

    number: str  # within its section, as "II.3"
    theme: str
    label: Label
    source: Literal["survey", "dialogue", "both", "unstated"] = "unstated"
    codes: tuple[str, ...] = Field(min_length=1)


class Published(Strict):
    """One figure or worded claim that the report published."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    claim: Label
    reported: Label  # as the reader should see it: "123", "over half", "adequate space"
    where: str  # in the report
    estimates: tuple[str, ...] = ()  # ids whose shares are added up
    at_least: float | None = None  # percent, or a count for `count`
    at_most: float | None = None
    unit: Literal["percent", "count", "words"] = "percent"


class Report(Strict):
    """`report.yml` of a consultation."""

    title: Label
    citation: str
    recommendations: tuple[Recommendation, ...] = ()
    published: tuple[Published, ...] = ()


def read_report(folder: Path) -> Report | None:
    """Read `report.yml`; None where the consultation has no published report."""
    path = folder / "report.yml"
    return read_model(path, Report) if path.exists() else None
