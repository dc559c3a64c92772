"""The event loop of the processes that serve."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")


def run_on_loop(serving: Coroutine[Any, Any, None]) -> None:
    """Until it has ended, on uvloop where there is one."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if sys.platform != "win32":
        try:
            import uvloop  # noqa: PLC0415  # not on every platform
        except ImportError:
            pass
        else:
            factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serving)


def on_stop_signals(stop: Callable[[], None]) -> None:
    """Call `stop` in the main thread, in the middle of whatever it does, when somebody asks the process to end."""
    # Not the loop's own handlers: Windows has none.
    for name in _STOP_SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: stop())
