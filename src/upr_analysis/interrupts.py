"""Ctrl-C that is not lost where Python drops an exception: in a destructor or a callback."""

import signal
import threading
from types import FrameType
from typing import Final

_ASKED: Final = threading.Event()


def listen() -> None:
    """End on Ctrl-C and SIGTERM alike; what a shell told to ignore Ctrl-C goes on ignoring it."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _ASKED.set()
    raise KeyboardInterrupt


def end_if_asked() -> None:
    """Raise KeyboardInterrupt if it was asked for and lost."""
    if _ASKED.is_set():
        raise KeyboardInterrupt
