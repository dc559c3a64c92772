"""When records are due, and by how much their times are moved."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction

from analysis.period import Period

_STEP_NANO = 500_000_000
"""What happens in so much of the replay's time is sent together."""


class Pace:
    """Steps of half a second; a record is due at the end of the step that it happens in, a late one at once."""

    def __init__(
        self, speed: Fraction | None, wait: Callable[[float], None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`speed` None is as fast as it goes; `wait` takes seconds."""
        self._width = None if speed is None else max(1, int(_STEP_NANO * speed))
        self._wait = wait
        self._monotonic = monotonic
        self._step = -1
        self._first = 0
        self._began = 0.0

    def is_due_later(self, happened_unix_nano: int) -> bool:
        """Whether it belongs to a later step than all before; then that step is the one at hand."""
        step = 0 if self._width is None else -(-happened_unix_nano // self._width)
        if step <= self._step:
            return False
        if self._step < 0:
            self._first, self._began = step, self._monotonic()
        self._step = step
        return True

    def hold(self) -> None:
        """Wait until the step at hand is due."""
        due = self._began + (self._step - self._first) * _STEP_NANO / 1e9
        ahead = due - self._monotonic()
        if ahead > 0:
            self._wait(ahead)


def shift_to_now(first_unix_nano: int, period: Period, speed: Fraction | None, now_unix_nano: int) -> int:
    """By how many nanoseconds records move, of which the first happened then; none of the period is in the future.

    As fast as it goes the period ends now; at 1x or slower the first is now; in between the last is as it is sent.
    """
    left = max(0, period.end_unix_nano - first_unix_nano)
    lasts = 0 if speed is None else left * speed.denominator // speed.numerator
    return now_unix_nano - first_unix_nano - max(0, left - lasts)
