"""How runs show on the terminal: a line a step on stdout, what goes on now on stderr."""

import sys
import time
from types import TracebackType
from typing import Any


class Terminal:
    """Progress of one run for a person. Without a terminal no moving line is drawn."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
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
        if not self._quiet:
            print(f"{step}\t{status}", flush=True)

    def pages(self, run: str) -> None:
        """Show that the pages are made."""
        self._show("making the appendix")

    def _show(self, text: str) -> None:
        if self._status:
            self._status.update(f"{text}  {time.monotonic() - self._started:.0f} s")
