"""How runs show on the terminal: a line a step on stdout, what goes on now on stderr."""

import sys
import time
from types import TracebackType
from typing import Any

from upr_analysis.steps import STEPS


class Terminal:
    """Progress of one run for a person. Without a terminal no moving line is drawn."""

    def __init__(self, quiet: bool, lines: bool = True) -> None:
        self._quiet = quiet
        self._lines = lines and not quiet
        self._started = time.monotonic()
        self._status: Any = None

    def __enter__(self) -> "Terminal":
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("checking what changed")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status:
            self._status.stop()

    def cell(self, run: str, step: str, number: int, of: int) -> None:
        """Show the cell that begins."""
        self._show(f"{step}  cell {number} of {of}")

    def step(self, run: str, step: str, status: str) -> None:
        """Print a step that is done, for people and scripts alike."""
        if self._lines:
            print(f"{step}\t{status}", flush=True)

    def pages(self, run: str) -> None:
        """Show that the pages are made."""
        self._show("making the appendix")

    def _show(self, text: str) -> None:
        if self._status:
            self._status.update(f"{text}  {time.monotonic() - self._started:.0f} s")


class SweepTerminal:
    """Progress of a sweep: a line a run on stdout; on a terminal a bar with an estimate."""

    def __init__(self, runs: int, quiet: bool) -> None:
        self._quiet = quiet
        self._runs = runs
        self._bar: Any = None

    def __enter__(self) -> "SweepTerminal":
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), "steps,")
            self._bar = Progress(
                *columns, TimeRemainingColumn(), "left", console=Console(stderr=True)
            )
            self._task = self._bar.add_task("runs", total=self._runs * len(STEPS))
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def cell(self, run: str, step: str, number: int, of: int) -> None:
        """Show what is at work."""
        if self._bar:
            self._bar.update(self._task, description=f"{run} {step}")

    def step(self, run: str, step: str, status: str) -> None:
        """Count a step that is done."""
        if self._bar:
            self._bar.advance(self._task)

    def pages(self, run: str) -> None:
        """Nothing: it takes less than a step."""

    def outcome(self, outcome: Any) -> None:
        """Print what became of a run."""
        if self._bar and outcome.status == "unchanged":
            self._bar.advance(self._task, len(STEPS))
        if not self._quiet:
            print(f"{outcome.member.parameters.name}\t{outcome.status}", flush=True)
            if outcome.message:
                print(outcome.message, file=sys.stderr, flush=True)
