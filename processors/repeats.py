"""Records that a client sent again because it did not hear our OK: the same batch id and index, seen already."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

_REMEMBERED = 8192
"""Batches; a client that retries does it soon."""


class Repeats:
    """Remembers which indexes of the last batches were seen, as ranges."""

    def __init__(self, *, gaps: bool = False) -> None:
        """With `gaps` records between others may be missing for good, as in a reading that passes some over."""
        self._gaps = gaps
        self._batches: OrderedDict[str, list[list[int]]] = OrderedDict()
        self._batch_id = ""
        self._range = [0, 0]
        """First index and the one behind the last of what is being extended."""
        self._next = -1
        self.count = 0

    def seen(self, batch_id: str, index: int) -> bool:
        """Whether this record was seen before; now it is."""
        if index == self._next and batch_id == self._batch_id:
            self._next = self._range[1] = index + 1
            return False
        if self._gaps and batch_id == self._batch_id and index > self._next >= 0:
            self._next = self._range[1] = index + 1
            return False
        ranges = self._batches.get(batch_id)
        if ranges is None:
            ranges = self._batches[batch_id] = []
            if len(self._batches) > _REMEMBERED:
                self._batches.popitem(last=False)
        if any(first <= index < end for first, end in ranges):
            self.count += 1
            return True
        self._range = [index, index + 1]
        # With more than one range the next index may lie in another.
        self._batch_id, self._next = batch_id, -1 if ranges else index + 1
        ranges.append(self._range)
        return False

    def to_state(self) -> Any:
        return list(self._batches.items())

    def restore(self, content: Iterable[Any]) -> None:
        self._batches = OrderedDict((batch_id, ranges) for batch_id, ranges in content)
