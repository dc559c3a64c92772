"""What somebody usually does: sums by time over four weeks, so that who does much every day is no alarm."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from processors.histogram import Histogram

_DAY_NANO = 86_400_000_000_000
_DAYS = 28
_LEARNING_DAYS = 7
"""Before that nobody's habits are known."""


@dataclass(slots=True)
class _Habit:
    since_day: int
    part: int = 0
    amount: float = 0.0
    days: dict[int, Histogram] = field(default_factory=dict)
    stored: orjson.Fragment | None = None
    """As they were saved last, if no part has been closed since."""


class Habits:
    """Of each key the sums of its parts of time in which there was anything. A part counts once the next has begun."""

    def __init__(self, part_nano: int, max_keys: int) -> None:
        self._part_nano = min(part_nano, _DAY_NANO)
        self._max_keys = max_keys
        self._habits: OrderedDict[str, _Habit] = OrderedDict()

    def add(self, key: str, amount: float, time_unix_nano: int, most: float) -> None:
        """What is beyond `most` is no habit: an attack must not raise the bar for the next as far as it likes."""
        day, part = time_unix_nano // _DAY_NANO, time_unix_nano // self._part_nano
        habit = self._habits.get(key)
        if habit is None:
            habit = self._habits[key] = _Habit(day, part)
            if len(self._habits) > self._max_keys:
                self._habits.popitem(last=False)
        self._habits.move_to_end(key)
        if part > habit.part:
            self._close(habit)
            habit.part, habit.amount = part, 0.0
        if part == habit.part:
            habit.amount = min(habit.amount + amount, most)

    def _day_of(self, habit: _Habit) -> int:
        return habit.part * self._part_nano // _DAY_NANO

    def _close(self, habit: _Habit) -> None:
        day = self._day_of(habit)
        habit.stored = None
        habit.days.setdefault(day, Histogram()).add(habit.amount)
        for old in [known for known in habit.days if known <= day - _DAYS]:
            del habit.days[old]

    def p99(self, key: str, time_unix_nano: int) -> float:
        """Over the last 28 days, the part that runs left out; 0 for whom nobody knows long enough."""
        habit = self._habits.get(key)
        day = time_unix_nano // _DAY_NANO
        if habit is None or day - habit.since_day < _LEARNING_DAYS:
            return 0.0
        whole = Histogram()
        for known, amounts in habit.days.items():
            if day - _DAYS < known <= day:
                whole.merge(amounts)
        if habit.part < time_unix_nano // self._part_nano and self._day_of(habit) > day - _DAYS:
            whole.add(habit.amount)  # the next has begun, only not with anything that was added
        return whole.quantile(0.99) if whole.count else 0.0

    def to_state(self) -> list[Any]:
        return [[key, one.since_day, one.part, one.amount, _stored(one)] for key, one in self._habits.items()]

    def restore(self, content: Iterable[Any]) -> None:
        for key, since, part, amount, days in content:
            kept = {day: Histogram.from_json(whole) for day, whole in days}
            self._habits[key] = _Habit(since, part, amount, kept)


def _stored(habit: _Habit) -> orjson.Fragment:
    if habit.stored is None:
        habit.stored = orjson.Fragment(orjson.dumps([[day, whole.to_json()] for day, whole in habit.days.items()]))
    return habit.stored
