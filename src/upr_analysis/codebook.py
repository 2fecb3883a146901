"""The qualitative codebook: themes, their codes, and the words by which a code is recognised.

Patterns (`patterns` says how they are written) stand under their language, and a response is
searched with those of the language that it is in.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from upr_analysis.documents import Label, Strict, read_model
from upr_analysis.patterns import parse_pattern

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Source = Literal["survey", "dialogue", "both", "unstated"]


class Code(Strict):
    """One code of a theme ("theme code" on screen)."""

    name: Name
    label: Label
    definition: str = Field(min_length=1)
    include: str = ""
    exclude: str = ""
    example: str = ""
    source: Source = "unstated"
    patterns: dict[str, tuple[str, ...]] = {}  # language -> patterns

    @model_validator(mode="after")
    def _patterns_can_match(self) -> "Code":
        bad = []
        for language, patterns in self.patterns.items():
            for pattern in patterns:
                try:
                    parse_pattern(pattern)
                except ValueError as error:
                    bad.append(f"code {self.name}, {language}: {error}")
        if bad:
            raise ValueError("; ".join(bad) + ".")
        return self


class Theme(Strict):
    """A theme: what several codes have in common."""

    name: Name
    label: Label
    definition: str = Field(min_length=1)
    source: Source = "unstated"
    sensitive: bool = False  # shown overall only, never crossed, never quoted
    codes: tuple[Code, ...] = Field(min_length=1)


class Codebook(Strict):
    """All themes of a consultation and the ways of saying that there is nothing to say."""

    title: Label
    themes: tuple[Theme, ...]
    nothing_to_say: dict[str, tuple[str, ...]] = {}  # language -> whole answers
    negations: dict[str, tuple[str, ...]] = {}  # language -> words, for patterns with `!`

    @property
    def codes(self) -> tuple[Code, ...]:
        """Every code, in the order of the themes."""
        return tuple(code for theme in self.themes for code in theme.codes)

    @property
    def theme_of(self) -> dict[str, Theme]:
        """The theme of each code's name."""
        return {code.name: theme for theme in self.themes for code in theme.codes}

    @property
    def version(self) -> str:
        """The first 12 hex digits of the content's SHA-256: codings name it."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    @model_validator(mode="after")
    def _names_are_distinct(self) -> "Codebook":
        names = [code.name for code in self.codes] + [theme.name for theme in self.themes]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"two codes or themes are called {', '.join(repeated)}: rename one.")
        return self


def read_codebook(folder: Path) -> Codebook:
    """Read `codebook.yml` of a consultation's folder; InputError with all problems.

    Without the file there are no themes, as where nothing was asked in words.
    """
    path = folder / "codebook.yml"
    return read_model(path, Codebook) if path.exists() else Codebook(title={"en": ""}, themes=())
