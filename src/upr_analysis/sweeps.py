"""Many runs that differ in a few parameters: shared steps once, and a page on what they change."""

import itertools
import json
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from upr_analysis.checks import check_together
from upr_analysis.documents import Strict, as_model, read_model, read_yaml
from upr_analysis.parameters import RUN_NAME, RUN_ONLY, Parameters
from upr_analysis.pipeline import Progress, Run, Runner, StepFailed, refuse_taken_name, unchanged
from upr_analysis.problems import InputError, did_you_mean

MOST_RUNS: Final = 10_000
THREADS: Final = 32  # runs under way at once; most of them wait for a step that they share
NOT_AXES: Final = frozenset({*RUN_ONLY, "consultation"})


class Sweep(Strict):
    """A sweep as its file says it: a base, axes, and combinations that are left out."""

    base: str
    axes: dict[str, tuple[Any, ...]]
    exclude: tuple[dict[str, Any], ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Member:
    """A run of a sweep: its parameters, and what it has on each axis."""

    parameters: Parameters
    values: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a member: done, unchanged, refused (by the gate) or failed, and why."""

    member: Member
    status: str
    message: str = ""
    run: Run | None = None


class SweepProgress(Progress, Protocol):
    """Hears how a sweep goes on, beside the steps of its runs."""

    def outcome(self, outcome: Outcome) -> None:
        """Say what became of a run."""


def read_sweep(path: Path, root: Path) -> list[Member]:
    """Read a sweep's file and return its runs, named `<file's stem>--<number>`.

    Numbers count all combinations, so that leaving one out renames no other. InputError holds
    every problem, of the file or of the parameters of any of its runs.
    """
    sweep = read_model(path, Sweep)
    _check_axes(sweep, path)
    base = root / sweep.base
    content = read_yaml(base)
    if not isinstance(content, dict):
        raise InputError(f"{path}: base {sweep.base} holds no mapping of parameters to values.")
    members, problems, used = [], list[str](), set[int]()
    for number, values in enumerate(_combinations(sweep), 1):
        left_out = [place for place, rule in enumerate(sweep.exclude) if _matches(rule, values)]
        used.update(left_out)
        if left_out:
            continue
        name = f"{path.stem}--{number}"
        given = {**content, **values, "name": name, "reason": sweep.reason}
        try:
            members.append(Member(as_model(given, Parameters, str(path)), values))
        except InputError as error:
            problems += error.problems
    problems += [
        f"{path}: exclude names {rule}, which no combination is: correct or remove it."
        for place, rule in enumerate(sweep.exclude)
        if place not in used
    ]
    if problems:
        raise InputError(dict.fromkeys(problems))
    if not members:
        raise InputError(f"{path} leaves no combination: exclude fewer.")
    check_together([member.parameters for member in members], root)
    return members


def _check_axes(sweep: Sweep, path: Path) -> None:
    known = [name for name in Parameters.model_fields if name not in NOT_AXES]
    problems = [
        f"{path}: {name!r} is no axis: take a parameter that sets a step{did_you_mean(name, known)}"
        for name in {**sweep.axes, **{name: 0 for rule in sweep.exclude for name in rule}}
        if name not in known
    ]
    problems += [
        f"{path}: the axis {name!r} has {'no value' if not values else 'a value twice'}: mend it."
        for name, values in sweep.axes.items()
        if len({json.dumps(value) for value in values}) < max(len(values), 1)
    ]
    runs = len(list(itertools.islice(_combinations(sweep), MOST_RUNS + 1)))
    if not sweep.axes:
        problems.append(f"{path} has no axis: name a parameter and its values under 'axes'.")
    if runs > MOST_RUNS:
        problems.append(f"{path} makes more than {MOST_RUNS:,} runs: split it.")
    if not re.match(RUN_NAME, path.stem):
        problems.append(f"{path}: name the file by small letters, digits and hyphens only.")
    if problems:
        raise InputError(problems)


def _combinations(sweep: Sweep) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*sweep.axes.values()):
        yield dict(zip(sweep.axes, values, strict=True))


def _matches(rule: dict[str, Any], values: dict[str, Any]) -> bool:
    return all(name in values and values[name] == value for name, value in rule.items())


def run_sweep(
    members: list[Member], runner: Runner, progress: SweepProgress, replace: bool
) -> list[Outcome]:
    """Make every run; one that fails takes no other with it. Outcomes in the sweep's order.

    What an interrupted sweep left is reused: steps in the store, and runs that would come out the
    same. InputError where a name is taken by a run with other parameters.
    """
    _refuse_taken_names(members, runner, replace)
    runner.warm(members[0].parameters)
    outcomes: dict[str, Outcome] = {}
    with ThreadPoolExecutor(min(len(members), THREADS), "runs") as threads:
        going: dict[Future[Outcome], Member] = {
            threads.submit(_make, member, runner, replace): member for member in members
        }
        try:
            for future in as_completed(going):
                outcome = future.result()
                outcomes[outcome.member.parameters.name] = outcome
                progress.outcome(outcome)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            runner.stop()  # threads that wait for a kernel hear that it ended
            raise
    return [outcomes[member.parameters.name] for member in members]


def _refuse_taken_names(members: list[Member], runner: Runner, replace: bool) -> None:
    taken = []
    for member in members:
        name = member.parameters.name
        try:
            refuse_taken_name(runner.store.runs / name, member.parameters, replace)
        except InputError as error:
            if "damaged" in str(error):
                raise
            taken.append(name)
    if taken:
        raise InputError(
            f"{', '.join(taken)} stand with other parameters: use --replace, or give "
            "the sweep's file another name."
        )


def _make(member: Member, runner: Runner, replace: bool) -> Outcome:
    parameters = member.parameters
    if found := unchanged(parameters, runner.root, runner.store.outputs):
        return Outcome(member, "unchanged", run=found)
    try:
        run = runner.run(parameters, replace)
    except (StepFailed, InputError) as error:
        return Outcome(member, "failed", str(error))
    if run.refusals:
        return Outcome(member, "refused", "\n".join(run.refusals[:3]), run)
    return Outcome(member, "done", run=run)
