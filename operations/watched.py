"""What a process does that the collector starts beside itself."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click
import psutil

from operations.configuration import Source, load
from operations.own_log import log_to_stderr
from operations.settings_file import ConfigurationError

_NICER = 10
_NICEST = 19


def begun(config: Path | None) -> Source:
    """Less urgent than whoever receives, and with a log; raise click.ClickException."""
    _step_back()
    try:
        source = load(config)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    log_to_stderr(source.configuration)
    return source


def _step_back() -> None:
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
