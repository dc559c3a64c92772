"""A sign of life for work that takes more than a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_AFTER_SECONDS = 1.0


@contextmanager
def busy(text: str) -> Iterator[None]:
    """On a terminal's stderr, after a second, until it is done; nothing of it stays there."""
    stream = sys.stderr
    if not stream.isatty():
        yield
        return
    done = threading.Event()
    shown = threading.Thread(target=_show, args=(text, stream, done), name="busy", daemon=True)
    shown.start()
    try:
        yield
    finally:
        done.set()
        shown.join()


def _show(text: str, stream: TextIO, done: threading.Event) -> None:
    if done.wait(_AFTER_SECONDS):
        return
    from rich.console import Console  # noqa: PLC0415  # seldom wanted
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415  # as above

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=stream), transient=True) as progress:
        progress.add_task(text, total=None)
        done.wait()
