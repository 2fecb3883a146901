"""Why a step ran again, in words: which of the things that its results depend on differ."""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from upr_analysis.steps import WRITES
from upr_analysis.workspace import TABLES

SAME: Final = "the same"


def explain_steps(
    one: dict[str, Any], other: dict[str, Any], counts: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Return each step with why its results may differ; `counts` are words to add, by step."""
    found = [{step["step"]: step for step in record["steps"]} for record in (one, other)]
    for step in dict.fromkeys([*found[0], *found[1]]):
        first, second = (steps.get(step) for steps in found)
        if not first or not second:
            yield step, f"in {(one if first else other)['name']} only"
        elif first["key"] == second["key"]:
            yield step, SAME
        else:
            wrote = [_written_by(step, record.get("files", {})) for record in (one, other)]
            why = _why(first.get("depends", {}), second.get("depends", {}))
            why += "; what it wrote is the same" * bool(wrote[0] and wrote[0] == wrote[1])
            yield step, why + (f"; {counts[step]}" if counts.get(step) else "")


def _why(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Return in words which dependencies of a step differ, of the kinds that both runs recorded."""
    found = {kind: list(differing(one[kind], other[kind])) for kind in one if kind in other}
    said = [f"`{name}` {written(x)} to {written(y)}" for name, x, y in found.get("parameters", [])]
    if found.get("cells"):
        said += _changed_cells(one["cells"], other["cells"])
    said += [f"{name} {_verb(x, y)}" for name, x, y in found.get("consultation", [])]
    said += ["another export"] if found.get("export") else []
    said += _changed_modules(found.get("modules", []))
    said += [f"{name} {written(x)} to {written(y)}" for name, x, y in found.get("versions", [])]
    inputs = [name for name, *_ in found.get("inputs", [])]
    read = [f"reads {', '.join(f'another {name}' for name in inputs)}"] if inputs else []
    if inputs and not said:
        earlier = dict.fromkeys(name.partition("/")[0] for name in inputs)
        return f"follows from {' and '.join(earlier)}: {read[0]}"
    return "; ".join(said + read) or "its key differs, and the runs do not record why"


def _changed_cells(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Say which code cells changed; one that was put between two others changes neither."""
    first, second = ([cells[at] for at in sorted(cells, key=int)] for cells in (one, other))
    said: list[str] = []
    for tag, a, b, c, d in SequenceMatcher(None, first, second, False).get_opcodes():
        both = min(b - a, d - c) if tag == "replace" else 0
        said += [f"code cell {place + 1} of its notebook changed" for place in range(c, c + both)]
        if tag != "equal":
            said += [f"code cell {place + 1} removed" for place in range(a + both, b)]
            said += [f"code cell {place + 1} added" for place in range(c + both, d)]
    return said


def _changed_modules(found: list[tuple[str, Any, Any]]) -> list[str]:
    said = []
    for verb in ("changed", "added", "removed"):
        names = [name for name, x, y in found if _verb(x, y) == verb]
        modules = [name for name in names if not Path(name).suffix]
        if modules:
            said.append(f"the module{'s' * (len(modules) > 1)} {', '.join(modules)} {verb}")
        said += [f"the package's {name} {verb}" for name in names if name not in modules]
    return said


def _written_by(step: str, files: Mapping[str, str]) -> dict[str, str]:
    patterns = [f"private/{name}.parquet" for name, table in TABLES.items() if table.step == step]
    patterns += WRITES.get(step, ())
    return {n: digest for n, digest in files.items() if any(fnmatch(n, one) for one in patterns)}


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Return name and both values of what differs; None stands for what one does not have."""
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield name, one.get(name), other.get(name)


def _verb(one: Any, other: Any) -> str:
    return "added" if one is None else "removed" if other is None else "changed"


def written(value: Any) -> str:
    """Return a parameter's value, a version or a count as one would type it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return {None: "not set", "": "empty"}.get(value, str(value))
