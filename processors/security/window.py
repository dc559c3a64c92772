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


def _values(entries: list[_Entry]) -> int:
    return len({value for _, value, _ in entries})


class Window:
    __slots__ = ("_entries", "_stored")

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._stored: orjson.Fragment | None = None

    def add(self, time_unix_nano: int, value: str, amount: float, measure: Measure) -> bool:
        """Whether it is kept."""
        self._stored = None
        entries = self._entries
        entry = (time_unix_nano, value, amount)
        if entries and entry < entries[-1]:
            insort(entries, entry)
        else:
            entries.append(entry)
        self._thin(value, measure)
        if len(entries) <= measure.most:
            return True
        dropped = entries.pop(0)
        return dropped is not entry

    def _thin(self, value: str, measure: Measure) -> None:
        """Drop the oldest of that value, if enough of it are older than whatever may still come."""
        entries = self._entries
        settled = bisect_left(entries, (entries[-1][0] - measure.lateness_nano, "", 0.0))
        if settled <= measure.each:
            return
        same = [at for at in range(settled) if entries[at][1] == value] if measure.distinct else range(settled)
        if len(same) > measure.each:
            del entries[same[0]]

    def newest(self, time_unix_nano: int, measure: Measure) -> int:
        """The end of the last window that holds that moment."""
        index = bisect_right(self._entries, (time_unix_nano + measure.within_nano, _LAST, 0.0))
        return max(self._entries[index - 1][0], time_unix_nano) if index else time_unix_nano

    def over(self, end_unix_nano: int, measure: Measure) -> Counted:
        first, last = self._places(end_unix_nano, measure)
        if measure.tries_each or measure.summed:
            inside = _Inside(self._entries[first:last], measure)
            return Counted(end_unix_nano, last - first, inside.distinct, inside.total)
        return Counted(end_unix_nano, last - first, _values(self._entries[first:last]) if measure.distinct else 0, 0.0)

    @property
    def values(self) -> int:
        """Different ones that are kept."""
        return _values(self._entries)

    def around(self, time_unix_nano: int, measure: Measure) -> Iterator[Counted]:
        """The windows that hold that moment: that which ends there, and those of later sightings that came before."""
        entries, within = self._entries, measure.within_nano
        first, last = self._places(time_unix_nano, measure)
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

    def _places(self, end_unix_nano: int, measure: Measure) -> tuple[int, int]:
        first = bisect_left(self._entries, (end_unix_nano - measure.within_nano, "", 0.0))
        return first, bisect_right(self._entries, (end_unix_nano, _LAST, 0.0))

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
