"""The last sightings of one key, by the time at which they happened, whatever their order of arrival."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

_LAST = "\U0010ffff"

_Entry = tuple[int, str, float]


@dataclass(frozen=True, slots=True)
class Measure:
    """What is counted within a window, and how much of it is kept.

    Of one value (a user, a path) no more than `each` are kept that are older than what may still come late, and no more
    than `most` of all, the newest. Every condition has `most` hold by itself, so that a flood hides nothing.
    """

    within_nano: int
    lateness_nano: int
    each: int
    most: int
    distinct: bool = False
    tries_each: int = 0
    """With it only values of so few sightings are distinct."""
    summed: bool = False


class Counted(NamedTuple):
    """What lies in a trailing window, both its ends included."""

    end_unix_nano: int
    sightings: int
    distinct: int
    total: float


class _Inside:
    """What can't be told from the places of the first and the last sighting."""

    __slots__ = ("_measure", "_tries", "_tries_each", "distinct", "total")

    def __init__(self, entries: list[_Entry], measure: Measure) -> None:
        self._measure = measure
        self._tries_each = measure.tries_each or measure.most
        self._tries = Counter([entry[1] for entry in entries] if measure.distinct else ())
        self.distinct = sum(count <= self._tries_each for count in self._tries.values())
        self.total = float(sum(entry[2] for entry in entries)) if measure.summed else 0.0

    def change(self, entry: _Entry, step: int) -> None:
        """It comes in, or goes out."""
        self.total += step * entry[2]
        if self._measure.distinct:
            before = self._tries[entry[1]]
            after = self._tries[entry[1]] = before + step
            self.distinct += (0 < after <= self._tries_each) - (0 < before <= self._tries_each)


class Window:
    __slots__ = ("_entries", "_stored")

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._stored: orjson.Fragment | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, time_unix_nano: int, value: str, amount: float, measure: Measure) -> None:
        self._stored = None
        entries = self._entries
        entry = (time_unix_nano, value, amount)
        if entries and entry < entries[-1]:
            insort(entries, entry)
        else:
            entries.append(entry)
        self._thin(value, measure)
        if len(entries) > measure.most:
            del entries[0]

    def _thin(self, value: str, measure: Measure) -> None:
        """Drop the oldest of that value, if there are enough of it and nothing before it can come any more."""
        entries = self._entries
        settled = entries[-1][0] - measure.lateness_nano
        if len(entries) <= measure.each or entries[0][0] >= settled:
            return
        same = [index for index, entry in enumerate(entries) if entry[1] == value] if measure.distinct else (0,)
        enough = len(same) > measure.each or not measure.distinct
        if enough and entries[same[0]][0] < settled:
            del entries[same[0]]

    def around(self, time_unix_nano: int, measure: Measure) -> Iterator[Counted]:
        """The windows that hold that moment: that which ends there, and those of later sightings that came before."""
        entries, within = self._entries, measure.within_nano
        first = bisect_left(entries, (time_unix_nano - within, "", 0.0))
        last = bisect_right(entries, (time_unix_nano, _LAST, 0.0))
        inside = _Inside(entries[first:last], measure)
        end = time_unix_nano
        while True:
            yield Counted(end, last - first, inside.distinct, inside.total)
            if last == len(entries) or entries[last][0] > time_unix_nano + within:
                return
            end = entries[last][0]
            while last < len(entries) and entries[last][0] == end:
                inside.change(entries[last], 1)
                last += 1
            while entries[first][0] < end - within:
                inside.change(entries[first], -1)
                first += 1

    def forget(self, before_unix_nano: int) -> bool:
        """Drop what is older; whether anything is left."""
        entries = self._entries
        if entries and entries[0][0] < before_unix_nano:
            self._stored = None
            del entries[: bisect_left(entries, (before_unix_nano, "", 0.0))]
        return bool(entries)

    def forget_after(self, time_unix_nano: int) -> None:
        self._stored = None
        del self._entries[bisect_left(self._entries, (time_unix_nano + 1, "", 0.0)) :]

    def to_state(self) -> orjson.Fragment:
        if self._stored is None:
            self._stored = orjson.Fragment(orjson.dumps(self._entries))
        return self._stored

    @classmethod
    def from_state(cls, content: Any) -> Window:
        window = cls()
        window._entries = [(time, value, amount) for time, value, amount in content]  # its own
        return window
