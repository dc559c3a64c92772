"""Parts of a segment, as bytes from a start to a stop: which are done, and what is left."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Range = tuple[int, int]

WHOLE = 2**62
"""A stop beyond any segment: all of it, however long it is."""


class Ranges:
    """Grows by what is added; touching parts are one."""

    def __init__(self, parts: Iterable[Range] = ()) -> None:
        self._parts: list[Range] = []
        for start, stop in parts:
            self.add(start, stop)

    def add(self, start: int, stop: int) -> None:
        first = bisect_left(self._parts, start, key=lambda part: part[1])
        last = first
        while last < len(self._parts) and self._parts[last][0] <= stop:
            start, stop = min(start, self._parts[last][0]), max(stop, self._parts[last][1])
            last += 1
        if start < stop:
            self._parts[first:last] = [(start, stop)]

    def remove(self, start: int, stop: int) -> None:
        first = last = bisect_right(self._parts, start, key=lambda part: part[1])
        kept: list[Range] = []
        while last < len(self._parts) and self._parts[last][0] < stop:
            one, other = self._parts[last]
            kept += [(one, start)] if one < start else []
            kept += [(stop, other)] if other > stop else []
            last += 1
        self._parts[first:last] = kept

    def gaps(self, end: int) -> Iterator[Range]:
        """What is left below `end`, from the first on."""
        position = 0
        for start, stop in self._parts:
            if position >= end:
                return
            if start > position:
                yield position, min(start, end)
            position = stop
        if position < end:
            yield position, end

    def __iter__(self) -> Iterator[Range]:
        return iter(self._parts)
