"""Records that a client sent again because it did not hear our OK: the same batch id and index, seen already."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

_REMEMBERED = 8192
"""Batches; a client that retries does it soon."""


class Repeats:
    """Remembers which indexes of the last batches were seen, as the first of each range and the one behind its last."""

    def __init__(self) -> None:
        self._batches: OrderedDict[str, list[int]] = OrderedDict()
        self._batch_id: str | None = None
        self._edges: list[int] = []
        """Of the batch that is being read, ascending."""
        self.count = 0

    def seen(self, batch_id: str, index: int) -> bool:
        """Whether this record was seen before; now it is."""
        if batch_id != self._batch_id:
            self._batch_id, self._edges = batch_id, self._edges_of(batch_id)
        edges = self._edges
        if not edges or index > edges[-1]:
            edges += (index, index + 1)
            return False
        if index == edges[-1]:
            edges[-1] = index + 1
            return False
        place = bisect_right(edges, index)
        if place % 2:
            self.count += 1
            return True
        _fill(edges, place, index)
        return False

    def _edges_of(self, batch_id: str) -> list[int]:
        edges = self._batches.get(batch_id)
        if edges is None:
            edges = self._batches[batch_id] = []
            if len(self._batches) > _REMEMBERED:
                self._batches.popitem(last=False)
        return edges

    def to_state(self) -> Any:
        return [
            (batch_id, [edges[at : at + 2] for at in range(0, len(edges), 2)])
            for batch_id, edges in self._batches.items()
        ]

    def restore(self, content: Iterable[Any]) -> None:
        self._batch_id = None
        self._batches = OrderedDict(
            (batch_id, [edge for ends in sorted(ranges) for edge in ends]) for batch_id, ranges in content
        )


def _fill(edges: list[int], place: int, index: int) -> None:
    """Put an index where it is missing, between the ranges before and behind `place`."""
    before = place > 0 and edges[place - 1] == index
    behind = edges[place] == index + 1
    edges[place - before : place + behind] = [*(() if before else (index,)), *(() if behind else (index + 1,))]
