"""How a run shows on the terminal: a line a step on stdout, what goes on now on stderr."""

import time
from types import TracebackType

from rich.console import Console
from rich.status import Status


class Terminal:
    """Progress for a person; `quiet` prints nothing. Without a terminal no moving line is drawn."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True)
        self._status: Status | None = None
        self._started = time.monotonic()

    def __enter__(self) -> "Terminal":
        if not self._quiet and self._console.is_terminal:
            self._status = self._console.status("checking what changed")
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

    def cell(self, step: str, number: int, of: int) -> None:
        """Show the cell that begins."""
        if self._status:
            seconds = time.monotonic() - self._started
            self._status.update(f"{step}  cell {number} of {of}  {seconds:.0f} s")

    def step(self, step: str, status: str) -> None:
        """Print a step that is done, for people and scripts alike."""
        if not self._quiet:
            print(f"{step}\t{status}", flush=True)

    def page(self) -> None:
        """Show that the pages are made."""
        if self._status:
            self._status.update("making the appendix")
