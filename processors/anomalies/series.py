"""One watch and key: rollups by 5 minutes, the points that they make, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from processors.anomalies.detector import Detector, Score
from processors.anomalies.incident import Incident
from processors.anomalies.watches import Cell, Key, Watch

BUCKET_NANO = 300 * 1_000_000_000
_MERGED_NANO = 3600 * 1_000_000_000
"""So long buckets with too few samples are put together, and so long a point is worth showing."""
_NOTHING = Score(0.0, "", 0.0, 0.0, 0.0)


class Series:
    """Owned by whoever judges; reads no clock."""

    __slots__ = (
        "_buckets",
        "_first",
        "_merged",
        "_merged_from",
        "_stored",
        "detector",
        "incident",
        "key",
        "learned_nano",
        "point_unix_nano",
        "samples",
        "score",
        "seen_unix_nano",
        "since_unix_nano",
        "value",
        "watch",
        "window_nano",
    )

    def __init__(self, watch: Watch, key: Key, first_unix_nano: int) -> None:
        self.watch = watch
        self.key = key
        self._first = first_unix_nano
        self._buckets: dict[int, Cell] = {}
        self._merged = Cell()
        self._merged_from = 0
        self._stored: orjson.Fragment | None = None
        self.detector = Detector(watch.settings.least_change)
        self.incident: Incident | None = None
        self.learned_nano = 0
        self.score = _NOTHING
        self.value: float | None = None
        self.samples = 0
        self.window_nano = BUCKET_NANO
        self.point_unix_nano = 0
        self.seen_unix_nano = first_unix_nano
        self.since_unix_nano = 0

    def take(self, start_unix_nano: int, cell: Cell) -> None:
        """Into the bucket that begins there."""
        self.seen_unix_nano = max(self.seen_unix_nano, start_unix_nano)
        bucket = self._buckets.get(start_unix_nano)
        if bucket is None:
            bucket = self._buckets[start_unix_nano] = Cell()
        bucket.merge(cell)

    @property
    def earliest_unix_nano(self) -> int | None:
        """The bucket that is judged next."""
        return min(self._buckets, default=None)

    def keep(self, earliest: float, latest: float) -> None:
        """Of the buckets to come those that begin within these times."""
        self._buckets = {start: cell for start, cell in self._buckets.items() if earliest <= start <= latest}

    def conclude(self, start_unix_nano: int, *, looked: bool) -> bool:
        """Make a point of the bucket that begins there; whether there is one. Where nobody looked there is none."""
        self._stored = None
        fresh = self._buckets.pop(start_unix_nano, None)
        if not looked:
            return False
        if self.learned_nano:
            self.learned_nano += BUCKET_NANO
        if self.watch.zero_when_empty and start_unix_nano == self._first:
            return False  # it began within
        if fresh is not None and fresh.count:
            self._merged_from = self._merged_from or start_unix_nano
            self._merged.merge(fresh)
        return self._measure(start_unix_nano)

    def _measure(self, start: int) -> bool:
        end = start + BUCKET_NANO
        window = end - (self._merged_from or start)
        value = self.watch.measure(self._merged, window / 1e9)
        if value is None:
            if window >= _MERGED_NANO or not self._merged_from:
                self._give_up(end, window)
            return False
        self.samples, self.window_nano = self._merged.count, window
        self._merged, self._merged_from = Cell(), 0
        self.value, self.point_unix_nano = value, end
        self.learned_nano = self.learned_nano or BUCKET_NANO
        self.score = self.detector.update(start, value)
        return True

    def _give_up(self, end: int, window: int) -> None:
        """Too few for an hour: what is known is too old by now."""
        if end - self.point_unix_nano >= _MERGED_NANO:
            self.value, self.score = None, _NOTHING
            self.samples, self.window_nano = self._merged.count, window
        self._merged, self._merged_from = Cell(), 0

    def to_state(self) -> Any:
        """What is only known from now on stands beside what changes every 5 minutes."""
        if self._stored is None:
            self._stored = orjson.Fragment(orjson.dumps(self._judged()))
        buckets = [[start, cell.to_state()] for start, cell in self._buckets.items()]
        return {"key": self.key, "seen": self.seen_unix_nano, "buckets": buckets, "judged": self._stored}

    def _judged(self) -> Any:
        return {
            "first": self._first,
            "merged": self._merged.to_state(),
            "merged_from": self._merged_from,
            "detector": self.detector.to_state(),
            "incident": None if self.incident is None else self.incident.to_state(),
            "learned": self.learned_nano,
            "score": list(self.score),
            "value": self.value,
            "samples": self.samples,
            "window": self.window_nano,
            "point": self.point_unix_nano,
            "since": self.since_unix_nano,
        }

    def postpone(self, nano: int) -> None:
        """Timers stood still for so long."""
        if self.incident is not None:
            self.incident.postpone(nano)
            self._stored = None

    @classmethod
    def from_state(cls, watch: Watch, content: Mapping[str, Any]) -> Series:
        judged = content["judged"]
        series = cls(watch, tuple((label, value) for label, value in content["key"]), judged["first"])
        series.seen_unix_nano = content["seen"]
        series._buckets = {start: Cell.from_state(cell) for start, cell in content["buckets"]}
        series._merged, series._merged_from = Cell.from_state(judged["merged"]), judged["merged_from"]
        series.detector = Detector.from_state(judged["detector"], watch.settings.least_change)
        series.incident = None if judged["incident"] is None else Incident.from_state(judged["incident"])
        series.learned_nano, series.value, series.score = judged["learned"], judged["value"], Score(*judged["score"])
        series.samples, series.window_nano = judged["samples"], judged["window"]
        series.point_unix_nano, series.since_unix_nano = judged["point"], judged["since"]
        return series
