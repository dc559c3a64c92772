"""The last sightings of one key, by the time at which they happened, whatever their order of arrival."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson


class Counted(NamedTuple):
    """What lies in a trailing window, both its ends included."""

    end_unix_nano: int
    sightings: int
    distinct: int
    total: float


class Window:
    """Of one value (a user, a path) no more than `each` are kept, the newest: they are enough for any condition."""

    __slots__ = ("_entries", "_stored", "count", "summed")

    def __init__(self) -> None:
        self._entries: list[tuple[int, str, float]] = []
        self._stored: orjson.Fragment | None = None
        self.count = 0
        """Of all that came in, also of those that are not kept any more."""
        self.summed = False

    def add(self, time_unix_nano: int, value: str, amount: float, *, each: int) -> None:
        self._stored = None
        self.count += 1
        self.summed = self.summed or amount > 0
        entries = self._entries
        entry = (time_unix_nano, value, amount)
        if entries and entry < entries[-1]:
            insort(entries, entry)
        else:
            entries.append(entry)
        if len(entries) > each:
            same = [index for index, (_, known, _) in enumerate(entries) if known == value]
            if len(same) > each:
                del entries[same[0]]

    def ends(self, time_unix_nano: int, within_nano: int) -> Iterator[int]:
        """The ends of the windows that hold that moment: it itself, and those of later sightings that came before."""
        entries = self._entries
        yield time_unix_nano
        for index in range(bisect_right(entries, (time_unix_nano, "\U0010ffff", 0.0)), len(entries)):
            if entries[index][0] > time_unix_nano + within_nano:
                return
            yield entries[index][0]

    def over(self, end_unix_nano: int, within_nano: int, *, distinct: bool, tries_each: int) -> Counted:
        """With `tries_each` only values of so few sightings are distinct."""
        entries = self._entries
        first = bisect_left(entries, (end_unix_nano - within_nano, "", 0.0))
        last = bisect_left(entries, (end_unix_nano + 1, "", 0.0))
        if not distinct and not self.summed:
            return Counted(end_unix_nano, last - first, 0, 0.0)
        inside = entries[first:last]
        values = 0
        if distinct and tries_each:
            tries = Counter(value for _, value, _ in inside)
            values = sum(count <= tries_each for count in tries.values())
        elif distinct:
            values = len({value for _, value, _ in inside})
        return Counted(end_unix_nano, len(inside), values, sum(amount for _, _, amount in inside))

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
            self._stored = orjson.Fragment(orjson.dumps([self.count, self.summed, self._entries]))
        return self._stored

    @classmethod
    def from_state(cls, content: Any) -> Window:
        window = cls()
        window.count, window.summed, entries = content
        window._entries = [(time, value, amount) for time, value, amount in entries]  # its own
        return window
