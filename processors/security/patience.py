"""Sightings that wait until nothing before them can come any more: what asks for few must not judge half of it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from processors.security.sighting import Sighting

_MOST = 10_000


class Patience:
    """In the order in which they happened; of labels only those that are `asked` for are kept, as text."""

    def __init__(self, lateness_nano: int, asked: Iterable[str]) -> None:
        self._lateness_nano = lateness_nano
        self._asked = frozenset(asked)
        self._waiting: list[tuple[int, int, Sighting]] = []
        self._number = 0
        """Tells those of one moment apart."""

    def wait(self, seen: Sighting) -> None:
        kept = {name: seen.label(name) for name in self._asked & seen.labels.keys()}
        self._number += 1
        heapq.heappush(self._waiting, (seen.time_unix_nano, self._number, seen._replace(labels=kept)))

    def settle(self, now_unix_nano: int) -> Iterator[Sighting]:
        """Those that have waited long enough."""
        until = now_unix_nano - self._lateness_nano
        while self._waiting and (self._waiting[0][0] <= until or len(self._waiting) > _MOST):
            yield heapq.heappop(self._waiting)[2]

    def to_state(self) -> list[Sequence[Any]]:
        return [list(seen) for _, _, seen in sorted(self._waiting, key=lambda one: one[:2])]

    def restore(self, content: Iterable[Sequence[Any]]) -> None:
        for seen in content:
            self.wait(Sighting(*seen))
