"""Windows of 5 minutes, each merged with the next until it holds enough requests."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from processors.baselines.hours import Hours
from processors.histogram import Histogram, lower_bound

WINDOW_NANO = 300 * 1_000_000_000
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
LEAST_OF = {"p50": 0, "p95": 0, "p99": 100}
"""Requests below which a window tells nothing of the quantile; the runbook's minimum for p99."""
_LONGEST_NANO = 144 * WINDOW_NANO
"""What has not come together within 12 hours says nothing of any of them."""
_THIRD = 1 / 3


class Window(NamedTuple):
    """Quantiles are in seconds, in the order of `QUANTILES`; nan where there were too few requests."""

    start_unix_nano: int
    end_unix_nano: int
    hours: str
    samples: int
    errors: int
    quantiles: tuple[float, ...]

    @property
    def seconds(self) -> float:
        return (self.end_unix_nano - self.start_unix_nano) / 1e9

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds

    def to_state(self) -> list[Any]:
        """JSON has no nan."""
        return [*self[:-1], [None if math.isnan(value) else value for value in self.quantiles]]

    @classmethod
    def from_state(cls, content: Sequence[Any]) -> Window:
        start, end, hours, samples, errors, quantiles = content
        told = tuple(math.nan if value is None else value for value in quantiles)
        return cls(start, end, hours, samples, errors, told)


class Minute(NamedTuple):
    """What a closed minute of one key held."""

    start_unix_nano: int
    samples: int
    errors: int
    histogram: Histogram


class _Cell:
    """A sum of minutes, and how it stands in the state."""

    __slots__ = ("_stored", "errors", "histogram", "samples")

    def __init__(self, samples: int = 0, errors: int = 0, histogram: Histogram | None = None) -> None:
        self.samples = samples
        self.errors = errors
        self.histogram = histogram or Histogram()
        self._stored: orjson.Fragment | None = None

    def merge(self, samples: int, errors: int, histogram: Histogram) -> None:
        self.samples += samples
        self.errors += errors
        self.histogram.merge(histogram)
        self._stored = None

    def to_state(self) -> orjson.Fragment:
        if self._stored is None:
            content = [self.samples, self.errors, self.histogram.to_json()]
            self._stored = orjson.Fragment(orjson.dumps(content))
        return self._stored

    @classmethod
    def from_state(cls, content: Sequence[Any]) -> _Cell:
        samples, errors, histogram = content
        return cls(samples, errors, Histogram.from_json(histogram))


class Gathering:
    """Of one key: minutes go in, in any order within a window; whole windows come out."""

    def __init__(self, hours: Hours, minimum: int) -> None:
        self.hours = hours
        self._minimum = minimum
        self._open: dict[int, _Cell] = {}
        """By the beginnings of the 5 minutes."""
        self._start = 0
        self._whole: _Cell | None = None
        """What has been merged so far, from `_start` on."""

    def take(self, minute: Minute) -> None:
        start = minute.start_unix_nano - minute.start_unix_nano % WINDOW_NANO
        cell = self._open.get(start)
        if cell is None:
            cell = self._open[start] = _Cell()
        cell.merge(minute.samples, minute.errors, minute.histogram)

    def close(self, end_unix_nano: int) -> Iterator[Window]:
        """The windows that are whole with the 5 minutes that ended by then."""
        for start in sorted(start for start in self._open if start + WINDOW_NANO <= end_unix_nano):
            window = self._conclude(start, self._open.pop(start))
            if window is not None:
                yield window

    def _conclude(self, start: int, cell: _Cell) -> Window | None:
        end, hours = start + WINDOW_NANO, self.hours.of(start)
        if self._whole is None or end - self._start > _LONGEST_NANO or self.hours.of(self._start) != hours:
            self._start, self._whole = start, cell
        else:
            self._whole.merge(cell.samples, cell.errors, cell.histogram)
        whole = self._whole
        if whole.samples < self._minimum:
            return None
        self._whole = None
        return Window(self._start, end, hours, whole.samples, whole.errors, quantiles_of(whole.histogram))

    @property
    def waiting(self) -> int:
        """Requests that are in no window yet."""
        return (self._whole.samples if self._whole else 0) + sum(cell.samples for cell in self._open.values())

    def forget_after(self, time_unix_nano: int) -> None:
        self._open = {start: cell for start, cell in self._open.items() if start <= time_unix_nano}
        if self._start > time_unix_nano:
            self._whole = None

    def to_state(self) -> Any:
        whole = None if self._whole is None else self._whole.to_state()
        return [self._start, whole, [[start, cell.to_state()] for start, cell in self._open.items()]]

    def restore(self, content: Sequence[Any]) -> None:
        self._start, whole, cells = content
        self._whole = None if whole is None else _Cell.from_state(whole)
        self._open = {start: _Cell.from_state(cell) for start, cell in cells}


def quantiles_of(histogram: Histogram) -> tuple[float, ...]:
    """In the order of `QUANTILES`, placed so that few requests have the same median as many.

    Rank q (n + 1/3) + 1/3, counted from 1 (Hyndman and Fan, American Statistician 50, 1996, definition 8): otherwise a
    route would get slower by being called more often. Within a bucket values are taken as evenly spread.
    """
    count = histogram.count
    ranks = {name: min(max(q * (count + _THIRD) + _THIRD, 1), count) for name, q in QUANTILES.items()}
    wanted = sorted({whole for rank in ranks.values() for whole in (math.floor(rank), math.ceil(rank))})
    values = _at_ranks(histogram, wanted) if count else {}
    return tuple(
        _between(rank, values) if count > LEAST_OF[name] - 1 and count else math.nan for name, rank in ranks.items()
    )


def _between(rank: float, values: dict[int, float]) -> float:
    low, high = values[math.floor(rank)], values[math.ceil(rank)]
    return low + (high - low) * (rank - math.floor(rank))


def _at_ranks(histogram: Histogram, ranks: Sequence[int]) -> dict[int, float]:
    """The values at ascending ranks, counted from 1; what is below zero counts as zero."""
    found: dict[int, float] = {}
    waiting = iter(ranks)
    rank = next(waiting, None)
    seen = histogram.zeros + sum(histogram.negative.values())
    while rank is not None and rank <= seen:
        found[rank] = 0.0
        rank = next(waiting, None)
    for bucket in sorted(histogram.buckets):
        held = histogram.buckets[bucket]
        low = max(lower_bound(bucket), histogram.min)
        high = min(lower_bound(bucket + 1), histogram.max)
        while rank is not None and rank <= seen + held:
            found[rank] = low + (high - low) * (rank - seen - 0.5) / held
            rank = next(waiting, None)
        seen += held
    return found
