"""Every word of the interface, in each of its languages, through one look-up."""

import re
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from string import Formatter
from typing import Final

from babel.numbers import format_decimal

from upr_analysis.documents import read_yaml
from upr_analysis.problems import did_you_mean

LANGUAGES: Final = ("en", "fr", "es")
_FILE: Final = Path(__file__).with_name("interface.yml")


def say(key: str, language: str = "en", **values: object) -> str:
    """Return the text of `key` in `language`, its {placeholders} filled from `values`.

    Numbers are written as the language writes them. Raises KeyError naming the nearest key or the
    known languages, and TypeError where `values` are not the text's placeholders.
    """
    texts = interface().get(language)
    if texts is None:
        raise KeyError(f"The interface does not speak {language!r}, only {', '.join(interface())}")
    if key not in texts:
        raise KeyError(f"No text of the interface is called {key!r}{did_you_mean(key, texts)}")
    text = texts[key]
    if placeholders(text) != set(values):
        takes = ", ".join(sorted(placeholders(text))) or "no values"
        raise TypeError(f"{key!r} takes {takes}, not {', '.join(sorted(values)) or 'none'}")
    return text.format(**{name: _written(value, language) for name, value in values.items()})


def number(value: float, language: str = "en", decimals: int = 0) -> str:
    """Return a number as the language writes it, with a true minus sign."""
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    if round(value, decimals) == 0:
        value = 0.0  # no "-0.0"
    return str(format_decimal(value, pattern, locale=language)).replace("-", "\N{MINUS SIGN}")


def placeholders(text: str) -> set[str]:
    """Return the names in braces of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@cache
def interface() -> dict[str, dict[str, str]]:
    """Read interface.yml: language -> key -> text."""
    return {
        language: {key: _spaced(text, language) for key, text in texts.items()}
        for language, texts in read_yaml(_FILE).items()
    }


def _spaced(text: str, language: str) -> str:
    # French sets a space before double punctuation, at which a line must not break.
    if language != "fr":
        return text
    return re.sub(r" (?=[:;?!%»])|(?<=«) ", "\N{NO-BREAK SPACE}", text)


def _written(value: object, language: str) -> str:
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    return number(float(value), language, 0 if isinstance(value, Integral) else 1)
