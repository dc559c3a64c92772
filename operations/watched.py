"""What a process does that the collector starts beside itself."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import psutil

_NICER = 10
_NICEST = 19


def step_back() -> None:
    """Whoever receives goes first."""
    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        process.nice(min(_NICEST, process.nice() + _NICER))


def on_input_end(stop: Callable[[], None]) -> None:
    """Call `stop` in a thread of its own when standard input ends: the collector holds the other end of it."""

    def wait() -> None:
        with suppress(OSError):
            while os.read(sys.stdin.fileno(), 1024):
                pass
        stop()

    threading.Thread(target=wait, name="collector lives", daemon=True).start()
