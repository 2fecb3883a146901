"""What is wrong with an input: said all at once, each with its place and the next step."""

from collections.abc import Iterable

from pydantic import ValidationError


class InputError(Exception):
    """An input that a person can mend; `problems` holds one line for each thing to mend."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest known word, or "" if none is near."""
    from rapidfuzz import process

    match = process.extractOne(word, list(known), score_cutoff=70)
    return f"; did you mean {match[0]!r}?" if match else ""


def from_validation(where: str, error: ValidationError, known: Iterable[str] = ()) -> list[str]:
    """Turn a pydantic error into one line a problem.

    `where` is the file as the user named it; `known` are the names to suggest from where a name
    is unknown.
    """
    lines = []
    for item in error.errors(include_url=False):
        place = _path(item["loc"])
        if item["type"] == "extra_forbidden":
            name = str(item["loc"][-1])
            parent = _path(item["loc"][:-1])
            inside = f" in {parent}" if parent else ""
            lines.append(
                f"{where} sets {name!r}{inside}, which nothing declares{did_you_mean(name, known)}"
            )
        elif item["type"] == "missing":
            lines.append(f"{where} lacks {place!r}: add it.")
        elif item["type"] == "value_error":
            at = f"{place}: " if place else ""
            lines += [f"{where}: {at}{line}" for line in str(item["ctx"]["error"]).splitlines()]
        else:
            shown = repr(item["input"])
            shown = shown if len(shown) <= 60 else shown[:57] + "..."
            lines.append(f"{where}: {place}: {item['msg']}, not {shown}.")
    return lines


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)
