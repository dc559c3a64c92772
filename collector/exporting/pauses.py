"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Callable

from collector.exporting.settings import RetrySettings

_LONGEST_ASKED_SECONDS = 900.0
"""Whatever a receiver asks for: it may be wrong, or an enemy."""


class Pauses:
    """Growing ones, as the Collector's retry_on_failure has them; for one thread."""

    def __init__(self, settings: RetrySettings, draw: Callable[[], float] = random.random) -> None:
        """`draw` gives numbers from 0 to 1."""
        self._settings = settings
        self._draw = draw
        self._next = settings.initial_interval

    def next(self, asked_seconds: float | None) -> float:
        """Seconds: at least what the receiver asked for, up to a quarter of an hour."""
        settings = self._settings
        spread = 1 + settings.randomization_factor * (2 * self._draw() - 1)
        pause = min(self._next, settings.max_interval) * spread
        self._next = min(self._next * settings.multiplier, settings.max_interval)
        return max(pause, min(asked_seconds or 0.0, _LONGEST_ASKED_SECONDS))

    def start_again(self) -> None:
        self._next = self._settings.initial_interval
