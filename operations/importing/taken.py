"""What became of a request."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

from collector.signals import Signal


class Taken(NamedTuple):
    """Everything is on disk but `rejected` records, for the reason in `message`."""

    rejected: int
    message: str


def counted_records(count: int) -> str:
    """With its verb."""
    return "1 record is" if count == 1 else f"{count:,} records are"


Take = Callable[[Signal, bytes], Taken]
"""Raise MalformedBodyError, StoreError or OSError."""


def broken_off(error: Exception, records: int, *, is_kept: bool) -> str:
    """Why an import ended early, and what now; `is_kept` is whether it is known how far it came."""
    taken = f"; {records:,} records were taken in before that" if records else ""
    goes_on = is_kept and not isinstance(error, EOFError | zlib.error)
    return f"{error}{taken}{'; the same command goes on from there' if goes_on else ''}"
