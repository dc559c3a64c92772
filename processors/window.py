"""Sliding windows as sums of panes of 10 s, by event time, for a bounded number of keys."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from processors.histogram import Histogram

PANE_NANO = 10_000_000_000
OVERFLOW_LABEL = "otel.metric.overflow"
"""The label of the key that takes what comes after the last key there is room for (OpenTelemetry's metrics SDK)."""

Key = tuple[str, ...]
"""The values of a rule's `by` labels, in their order."""


class Cell:
    """What is known of some samples together. A failure is a sample of 1, a success one of 0."""

    __slots__ = ("_stored", "count", "example", "high", "histogram", "last", "last_unix_nano", "low", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.low = math.inf
        self.high = -math.inf
        self.last = math.nan
        self.last_unix_nano = 0
        self.example = ""
        """The trace of the highest sample."""
        self.histogram: Histogram | None = None
        self._stored: orjson.Fragment | None = None

    def add(self, value: float, time_unix_nano: int, trace_id: str, *, distributed: bool) -> None:
        self._stored = None
        self.count += 1
        self.total += value
        self.low = min(self.low, value)
        if value >= self.high:
            self.high = value
            if trace_id:
                self.example = trace_id
        if time_unix_nano >= self.last_unix_nano:
            self.last, self.last_unix_nano = value, time_unix_nano
        if distributed:
            if self.histogram is None:
                self.histogram = Histogram()
            self.histogram.add(value)

    def add_many(self, values: Histogram, time_unix_nano: int) -> None:
        """Samples that come summed up already."""
        self._stored = None
        self.count += values.count
        self.total += values.sum
        self.low, self.high = min(self.low, values.min), max(self.high, values.max)
        if time_unix_nano >= self.last_unix_nano and values.count:
            self.last, self.last_unix_nano = values.sum / values.count, time_unix_nano
        self.histogram = values if self.histogram is None else self.histogram + values

    def merge(self, other: Cell) -> None:
        self._stored = None
        self.count += other.count
        self.total += other.total
        self.low = min(self.low, other.low)
        if other.high >= self.high:
            self.high = other.high
            self.example = other.example or self.example
        if other.last_unix_nano >= self.last_unix_nano:
            self.last, self.last_unix_nano = other.last, other.last_unix_nano
        if other.histogram is not None:
            if self.histogram is None:
                self.histogram = Histogram()
            self.histogram.merge(other.histogram)

    def to_state(self) -> orjson.Fragment:
        """For the checkpoint; made once for a cell that doesn't change any more."""
        if self._stored is None:
            histogram = self.histogram.to_json() if self.histogram else None
            numbers = [self.count, self.total, self.low, self.high, self.last]
            content = [*map(_finite, numbers), self.last_unix_nano, self.example, histogram]
            self._stored = orjson.Fragment(orjson.dumps(content))
        return self._stored

    @classmethod
    def from_state(cls, content: Sequence[Any]) -> Cell:
        cell = cls()
        count, total, low, high, last, cell.last_unix_nano, cell.example, histogram = content
        cell.count, cell.total = count, total
        cell.low = math.inf if low is None else low
        cell.high = -math.inf if high is None else high
        cell.last = math.nan if last is None else last
        cell.histogram = Histogram.from_json(histogram) if histogram else None
        return cell


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


class Windows:
    """The panes of one measured quantity, for each key."""

    def __init__(self, length_seconds: float, labels: Sequence[str], *, distributed: bool, max_keys: int) -> None:
        self._panes = math.ceil(length_seconds * 1e9 / PANE_NANO)
        self._distributed = distributed
        self._max_keys = max_keys
        self._series: dict[Key, dict[int, Cell]] = {}
        self._overflow: Key = (f"{OVERFLOW_LABEL}=true", *[""] * (len(labels) - 1)) if labels else ()
        self._place: tuple[Key, int] | None = None
        self._placed = Cell()
        self.overflowed = 0
        """Samples that went to the overflow key."""

    def __len__(self) -> int:
        return len(self._series)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._series))

    def add(self, key: Key, value: float, time_unix_nano: int, trace_id: str = "") -> None:
        place = (key, time_unix_nano // PANE_NANO)
        if place != self._place:  # most samples are of the pane and key of the one before
            self._place, self._placed = place, self._cell(*place)
        self._placed.add(value, time_unix_nano, trace_id, distributed=self._distributed)

    def add_many(self, key: Key, values: Histogram, time_unix_nano: int) -> None:
        self._cell(key, time_unix_nano // PANE_NANO).add_many(values, time_unix_nano)

    def _cell(self, key: Key, pane: int) -> Cell:
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= self._max_keys and key != self._overflow:
                self.overflowed += 1
                return self._cell(self._overflow, pane)
            series = self._series[key] = {}
        cell = series.get(pane)
        if cell is None:
            cell = series[pane] = Cell()
        return cell

    def over(self, key: Key, seconds: float, now_unix_nano: int) -> Cell:
        """All samples of the key in the panes of the last `seconds`."""
        last = now_unix_nano // PANE_NANO
        first = last - math.ceil(seconds * 1e9 / PANE_NANO)
        whole = Cell()
        for pane, cell in self._series.get(key, {}).items():
            if first <= pane <= last:
                whole.merge(cell)
        return whole

    def examples(self, key: Key, seconds: float, now_unix_nano: int, limit: int = 3) -> tuple[str, ...]:
        """Traces of the highest samples, highest first; not of samples of 0."""
        first = now_unix_nano // PANE_NANO - math.ceil(seconds * 1e9 / PANE_NANO)
        cells = [
            cell for pane, cell in self._series.get(key, {}).items() if pane >= first and cell.example and cell.high > 0
        ]
        worst = sorted(cells, key=lambda cell: (cell.high, cell.last_unix_nano), reverse=True)
        return tuple(dict.fromkeys(cell.example for cell in worst))[:limit]

    def forget(self, now_unix_nano: int) -> None:
        """Drop the panes that no window reaches any more, and keys without any."""
        self._place = None
        first = now_unix_nano // PANE_NANO - self._panes
        for key, series in list(self._series.items()):
            for pane in [pane for pane in series if pane < first]:
                del series[pane]
            if not series:
                del self._series[key]

    def forget_after(self, now_unix_nano: int) -> None:
        """Drop what happened later than this: the clock has been set back."""
        self._place = None
        last = now_unix_nano // PANE_NANO
        for series in self._series.values():
            for pane in [pane for pane in series if pane > last]:
                del series[pane]

    def to_state(self) -> Any:
        return [
            [key, [[pane, cell.to_state()] for pane, cell in series.items()]] for key, series in self._series.items()
        ]

    def restore(self, content: Iterable[Any]) -> None:
        for key, series in content:
            self._series[tuple(key)] = {pane: Cell.from_state(cell) for pane, cell in series}


class Outcomes:
    """The last `limit` samples of each key, none older than `within_seconds`."""

    def __init__(self, limit: int, within_seconds: float, *, max_keys: int) -> None:
        self._limit = limit
        self._within_nano = int(within_seconds * 1e9)
        self._max_keys = max_keys
        self._last: dict[Key, deque[tuple[int, float, str]]] = {}
        self.overflowed = 0

    def __len__(self) -> int:
        return len(self._last)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._last))

    def add(self, key: Key, value: float, time_unix_nano: int, trace_id: str = "") -> None:
        samples = self._last.get(key)
        if samples is None:
            if len(self._last) >= self._max_keys:
                self.overflowed += 1
                return
            samples = self._last[key] = deque(maxlen=self._limit)
        late = bool(samples) and time_unix_nano < samples[-1][0]
        samples.append((time_unix_nano, value, trace_id))
        if late:
            self._last[key] = deque(sorted(samples), self._limit)

    def over(self, key: Key, now_unix_nano: int) -> Cell:
        whole = Cell()
        for time, value, trace_id in self._last.get(key, ()):
            if time >= now_unix_nano - self._within_nano:
                whole.add(value, time, trace_id, distributed=False)
        return whole

    def examples(self, key: Key, limit: int = 3) -> tuple[str, ...]:
        """Traces of the last failures, newest first."""
        failed = (trace_id for _, value, trace_id in reversed(self._last.get(key, ())) if value > 0 and trace_id)
        return tuple(dict.fromkeys(failed))[:limit]

    def forget(self, now_unix_nano: int) -> None:
        for key, samples in list(self._last.items()):
            while samples and samples[0][0] < now_unix_nano - self._within_nano:
                samples.popleft()
            if not samples:
                del self._last[key]

    def forget_after(self, now_unix_nano: int) -> None:
        """As of Windows; the last outcomes stay the last, with the time of now."""
        for key, samples in self._last.items():
            moved = [(min(time, now_unix_nano), value, trace_id) for time, value, trace_id in samples]
            self._last[key] = deque(moved, self._limit)

    def to_state(self) -> Any:
        return [[key, list(samples)] for key, samples in self._last.items()]

    def restore(self, content: Iterable[Any]) -> None:
        for key, samples in content:
            self._last[tuple(key)] = deque(map(tuple, samples), self._limit)


Labels = Mapping[str, Any]
