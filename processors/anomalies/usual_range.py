"""The range in which a value has been for four weeks."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

_WEEKS = 4
_GROWTH = 1.5
"""Widths that a range grows by at a point: a spike does not blind it to the next one."""
_LEAST_WIDTH = 0.01
"""Of the largest absolute value: a range that is narrower counts as so wide."""


class UsualRange:
    """Minimum and maximum of each week; the oldest of them is forgotten when a new one begins."""

    __slots__ = ("_least", "_weeks", "high", "low")

    def __init__(self, least: float = 0.0) -> None:
        """A range narrower than `least` counts as so wide."""
        self._weeks: list[list[Any]] = []  # week, low, high
        self._least = least
        self.low = 0.0
        self.high = 0.0

    def excess(self, value: float) -> float:
        """How far outside it is, in widths; at most 200."""
        if self.low <= value <= self.high or not self._weeks:
            return 0.0
        width = self._width(value)
        if value > self.high:
            beyond = value - max(self.high, self.low + width)
        else:
            beyond = min(self.low, self.high - width) - value
        return beyond / width if beyond > 0 else 0.0

    def _width(self, value: float) -> float:
        largest = max(abs(value), abs(self.low), abs(self.high))
        return max(self.high - self.low, self._least, _LEAST_WIDTH * largest, sys.float_info.min)

    def learn(self, week: int, value: float, *, at_once: bool) -> float:
        """Take the value in, all of it `at_once` where nothing is usual yet; how far the range has followed it."""
        weeks = self._weeks
        if not weeks:
            weeks.append([week, value, value])
            self.low = self.high = value
            return value
        if week != weeks[-1][0]:
            self._turn(week, value)
        followed = value if at_once else self._toward(value)
        last = weeks[-1]
        if followed < last[1]:
            last[1] = followed
            self.low = min(self.low, followed)
        elif followed > last[2]:
            last[2] = followed
            self.high = max(self.high, followed)
        return followed

    def _turn(self, week: int, value: float) -> None:
        """A clock that was set back renames the last week; after a long silence what was last known is kept."""
        weeks = self._weeks
        if week < weeks[-1][0]:
            weeks[-1][0] = week
            return
        weeks[:] = [known for known in weeks if known[0] > week - _WEEKS] or weeks[-1:]
        self.low, self.high = min(known[1] for known in weeks), max(known[2] for known in weeks)
        inside = min(max(value, self.low), self.high)
        weeks.append([week, inside, inside])

    def _toward(self, value: float) -> float:
        if self.low <= value <= self.high:
            return value
        width = max(self.high - self.low, _LEAST_WIDTH * max(abs(self.low), abs(self.high)))
        step = _GROWTH * (width or _LEAST_WIDTH * abs(value))
        return min(value, self.high + step) if value > self.high else max(value, self.low - step)

    def to_state(self) -> Any:
        return self._weeks

    def restore(self, content: Iterable[Iterable[Any]]) -> None:
        self._weeks = [list(week) for week in content]
        if self._weeks:
            self.low, self.high = min(week[1] for week in self._weeks), max(week[2] for week in self._weeks)
