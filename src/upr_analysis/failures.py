"""What made a notebook stop, in one line that holds no word of an answer."""

import errno
import re
from collections.abc import Callable
from typing import Final

from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

MOST_SAID: Final = 300  # characters of an error's message
COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
FRAME: Final = re.compile(r"^ *(?:Cell In\[|File .*?\bupr_analysis/\w+\.py|File )", re.MULTILINE)


def explain(error: Exception, number: Callable[[int], int]) -> str:
    """Return what happened as the rest of a sentence that the notebook's name begins.

    `number` gives the cell of the notebook for one of the notebook as executed, from 1.

    A message is shown only where this package raised it, or where it stands in the cell as it is:
    what others quote of their input could be someone's answer. Raises what it cannot explain.
    """
    if isinstance(error, PapermillExecutionError):
        return f"stopped in cell {number(error.cell_index + 1)}: {error.ename}{_said(error)}"
    if isinstance(error, DeadKernelError) or "kernel died" in str(error).lower():
        return (
            "stopped: its kernel was ended from outside, most often for want of memory. Make room "
            "and start again; steps that are done are kept."
        )
    if isinstance(error, (RuntimeError, TimeoutError)):
        return f"stopped: its kernel did not start or did not answer ({error})."
    raise error


def _said(error: PapermillExecutionError) -> str:
    message = " ".join(str(error.evalue).split())[:MOST_SAID]
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        if f"[Errno {number}]" in message:
            return ": the disk is full, or a limit was reached. Make room and start again."
    trace = COLOURS.sub("", "\n".join(error.traceback))
    of_the_cell = error.ename == "SyntaxError" and trace.lstrip().startswith("Cell In[")
    if of_the_cell or message in " ".join(error.source.split()) or _raised_here(trace):
        return f": {message}"
    return " (what it says is not shown here, since it could hold an answer)."


def _raised_here(trace: str) -> bool:
    """Whether the innermost frame is this package's, at a `raise`."""
    frames = list(FRAME.finditer(trace))
    if not frames or "upr_analysis" not in frames[-1][0]:
        return False
    lines = re.findall(r"^-+> *\d+ (.*)$", trace[frames[-1].start() :], re.MULTILINE)
    return bool(lines) and lines[-1].lstrip().startswith("raise ")
