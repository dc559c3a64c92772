"""Signs of life on stderr: a bar on a terminal, else a line every ten seconds."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from alerting.plain_text import plain

_EVERY_SECONDS = 10.0
_STEP_SECONDS = 0.25


class Signs:
    """Used as a context; `bytes_in_all` is what has to be read."""

    def __init__(self, bytes_in_all: int) -> None:
        console = Console(stderr=True)
        self._is_terminal = console.is_terminal
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        self._progress = Progress(
            *columns, TimeRemainingColumn(), console=console, transient=True, disable=not self._is_terminal
        )
        self._task = self._progress.add_task("replaying", total=bytes_in_all or 1)
        self._records = self._bytes = 0
        self._all = bytes_in_all
        self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self, size: int, records: int) -> None:
        self._records += records
        self._bytes += size
        self._progress.update(self._task, advance=size, description=f"{self._records:,} records")
        self._beat()

    def wait(self, seconds: float) -> None:
        """In small steps, telling meanwhile how far it is."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(_STEP_SECONDS, left))
            self._beat()

    def tell(self, line: str) -> None:
        click.echo(plain(line), err=True)

    def _beat(self) -> None:
        now = time.monotonic()
        if self._is_terminal or now - self._told < _EVERY_SECONDS:
            return
        self._told = now
        share = min(99, 100 * self._bytes // self._all) if self._all else 0
        click.echo(f"{self._records:,} records, {share} %", err=True)
