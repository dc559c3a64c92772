"""Records that a client sent again because it did not hear the OK: known by batch id and index."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict

_REMEMBERED_RUNS = 32_768
"""Of indexes without a gap; most batches are one."""


class Once:
    """Remembers the indexes of the last batches as runs, whatever order they come in."""

    def __init__(self) -> None:
        self._batches: OrderedDict[str, list[list[int]]] = OrderedDict()
        self._runs = 0
        self._batch_id = ""
        self._run = [0, -1]
        """First index and the one behind the last of what is being extended."""
        self._limit: float = 0

    def seen(self, batch_id: str, index: int) -> bool:
        """Whether this record came before; now it has."""
        run = self._run
        if index == run[1] and index < self._limit and batch_id == self._batch_id:
            run[1] = index + 1
            return False
        runs = self._batches.get(batch_id)
        if runs is None:
            runs = self._batches[batch_id] = []
        place = bisect_right(runs, [index + 1]) - 1
        if place >= 0 and index < runs[place][1]:
            return True
        if place < 0 or index > runs[place][1]:
            place += 1
            runs.insert(place, [index, index])
            self._runs += 1
            self._forget()
        runs[place][1] = index + 1
        self._batch_id, self._run = batch_id, runs[place]
        self._limit = runs[place + 1][0] if place + 1 < len(runs) else float("inf")
        return False

    def _forget(self) -> None:
        while self._runs > _REMEMBERED_RUNS and len(self._batches) > 1:
            self._runs -= len(self._batches.popitem(last=False)[1])
