"""What a message shows besides the alert itself; the wiring knows where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alerting.notification import AlertView


@dataclass(frozen=True, slots=True)
class Sample:
    """An error that happened, as an example."""

    message: str
    trace_id: str
    route: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """Values are in the alert's unit."""

    minutes: tuple[float | None, ...] = ()
    """The last hour, oldest first; None where nothing was measured."""
    usual: float | None = None
    """The median of the last 24 hours."""
    highest: float | None = None
    lowest: float | None = None
    routes: tuple[str, ...] = ()
    """The affected ones, in words, worst first."""
    samples: tuple[Sample, ...] = ()


Gather = Callable[[AlertView, int], Evidence]
"""For an alert, at a time in nanoseconds since 1970."""


def nothing(_alert: AlertView, _now_unix_nano: int) -> Evidence:
    """Where there is no history."""
    return Evidence()
