"""How runs show on the terminal: a line a step on stdout, what goes on now on stderr."""

import sys
import time
from typing import Any, Self

from upr_analysis.steps import STEPS


class Terminal:
    """Progress of one run for a person. Without a terminal no moving line is drawn.

    `quiet` shows nothing; without `lines` no step is printed when it is done.
    """

    def __init__(self, quiet: bool, lines: bool = True) -> None:
        self._quiet = quiet
        self._lines = lines and not quiet
        self._started = time.monotonic()
        self._live: Any = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            self._live = self._drawn()
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def _drawn(self) -> Any:
        from rich.live import Live
        from rich.spinner import Spinner

        self._spinner = Spinner("dots", "checking what changed")
        return Live(self._spinner, **_on_stderr(), transient=True)

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
        if self._live:
            seconds = time.monotonic() - self._started
            self._spinner.update(text=f"{text}  {seconds:.0f} s")


class SweepTerminal(Terminal):
    """Progress of a sweep: a line a run on stdout; on a terminal a bar with an estimate."""

    def __init__(self, runs: int, quiet: bool) -> None:
        super().__init__(quiet)
        self._runs = runs

    def _drawn(self) -> Any:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), "steps,")
        bar = Progress(*columns, TimeRemainingColumn(), "left", **_on_stderr())
        self._task = bar.add_task("checking what changed", total=self._runs * len(STEPS))
        return bar

    def cell(self, run: str, step: str, number: int, of: int) -> None:
        """Show what is at work."""
        if self._live:
            self._live.update(self._task, description=f"{run} {step}")

    def step(self, run: str, step: str, status: str) -> None:
        """Count a step that is done."""
        if self._live:
            self._live.advance(self._task)

    def pages(self, run: str) -> None:
        """Show nothing: it takes less than a step."""

    def outcome(self, outcome: Any) -> None:
        """Print what became of a run."""
        if self._live and outcome.status == "unchanged":
            self._live.advance(self._task, len(STEPS))
        if not self._quiet:
            print(f"{outcome.member.parameters.name}\t{outcome.status}", flush=True)
            if outcome.message:
                print(outcome.message, file=sys.stderr, flush=True)


def _on_stderr() -> dict[str, Any]:
    """Return how to draw on stderr, and let lines on stdout pass where that leads elsewhere."""
    from rich.console import Console

    return {"console": Console(stderr=True), "redirect_stdout": sys.stdout.isatty()}
