"""Additive summaries by minute, hour and day: late records add a line, and readers sum the histograms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from processors.histogram import Histogram

MINUTE_NANO = 60_000_000_000
_RESOLUTIONS = {"1min": MINUTE_NANO, "1h": 60 * MINUTE_NANO, "1d": 1440 * MINUTE_NANO}
_COARSER = {"1min": "1h", "1h": "1d"}
_CLOSE_AFTER_NANO = {"1min": 30_000_000_000, "1h": 120_000_000_000, "1d": 300_000_000_000}
"""How long after its end a period is written; what comes later is one line more."""
STREAMS = {"1min": "rollups", "1h": "rollups_1h", "1d": "rollups_1d"}
"""By resolution: a reader of months must not have to read through their minutes."""
_OVERFLOW = "otel.metric.overflow"
_MAX_OPEN = 20_000
_END_NANO = 2**63


class Subject(NamedTuple):
    """What is summed up: an indicator and a key of labels and their values."""

    indicator: str
    labels: tuple[str, ...]
    values: tuple[str, ...]


class Summary(NamedTuple):
    """A closed period. Quantiles are those of the histogram."""

    subject: Subject
    resolution: str
    start_unix_nano: int
    errors: int
    histogram: Histogram

    @property
    def stream(self) -> str:
        return STREAMS[self.resolution]

    def fields(self) -> dict[str, Any]:
        """As a line of its stream."""
        values = self.histogram
        return {
            "indicator": self.subject.indicator,
            "key": dict(zip(self.subject.labels, self.subject.values, strict=True)),
            "resolution": self.resolution,
            "count": values.count,
            "errors": self.errors,
            "sum": values.sum,
            "min": values.min,
            "max": values.max,
            "p50": values.quantile(0.5),
            "p95": values.quantile(0.95),
            "p99": values.quantile(0.99),
            "histogram": values.to_json(),
        }


def summary_of_line(record: Mapping[str, Any]) -> Summary:
    """From a line of a stream of rollups; raise KeyError, TypeError, ValueError or AttributeError for what is none."""
    key, start = record["key"], record["time_unix_nano"]
    subject = Subject(record["indicator"], tuple(key), tuple(map(str, key.values())))
    values = Histogram.from_json(record["histogram"])
    counts = (values.count, values.zeros, record["errors"], *values.buckets.values(), *values.negative.values())
    whole = all(isinstance(one, int) for one in (start, *counts, *values.buckets, *values.negative))
    numbers = all(isinstance(one, int | float) for one in (values.sum, values.min, values.max))
    if not whole or not numbers or not 0 <= start < _END_NANO or min(counts) < 0:
        raise ValueError("it has numbers that no rollup has")
    return Summary(subject, record["resolution"], start, record["errors"], values)


class _Cell:
    __slots__ = ("_stored", "errors", "histogram")

    def __init__(self, errors: int = 0, histogram: Histogram | None = None) -> None:
        self.errors = errors
        self.histogram = histogram or Histogram()
        self._stored: orjson.Fragment | None = None

    def add(self, value: float, *, failed: bool) -> None:
        self._stored = None
        self.errors += failed
        self.histogram.add(value)

    def merge(self, histogram: Histogram, errors: int) -> None:
        self._stored = None
        self.errors += errors
        self.histogram.merge(histogram)

    def to_state(self) -> orjson.Fragment:
        if self._stored is None:
            self._stored = orjson.Fragment(orjson.dumps([self.errors, self.histogram.to_json()]))
        return self._stored


class Rollups:
    """The open periods of each resolution."""

    def __init__(self) -> None:
        self._open: dict[str, dict[tuple[Subject, int], _Cell]] = {name: {} for name in _RESOLUTIONS}
        self.overflowed = 0

    def add(self, subject: Subject, value: float, time_unix_nano: int, *, failed: bool = False) -> None:
        self._cell("1min", subject, time_unix_nano - time_unix_nano % MINUTE_NANO).add(value, failed=failed)

    def add_many(self, subject: Subject, values: Histogram, errors: int, time_unix_nano: int) -> None:
        if values.count:
            self._cell("1min", subject, time_unix_nano - time_unix_nano % MINUTE_NANO).merge(values, errors)

    def _cell(self, resolution: str, subject: Subject, start: int) -> _Cell:
        cells = self._open[resolution]
        cell = cells.get((subject, start))
        if cell is None:
            if len(cells) >= _MAX_OPEN and subject.labels != (_OVERFLOW,):
                self.overflowed += 1
                return self._cell(resolution, Subject(subject.indicator, (_OVERFLOW,), ("true",)), start)
            cell = cells[subject, start] = _Cell()
        return cell

    def close(self, now_unix_nano: int) -> Iterator[Summary]:
        """The periods that have ended, each merged into the next coarser one."""
        for resolution, length in _RESOLUTIONS.items():
            cells = self._open[resolution]
            last = now_unix_nano - length - _CLOSE_AFTER_NANO[resolution]
            for subject, start in [known for known in cells if known[1] <= last]:
                cell = cells.pop((subject, start))
                coarser = _COARSER.get(resolution)
                if coarser:
                    whole = start - start % _RESOLUTIONS[coarser]
                    self._cell(coarser, subject, whole).merge(cell.histogram, cell.errors)
                yield Summary(subject, resolution, start, cell.errors, cell.histogram)

    def to_state(self) -> Any:
        return {
            resolution: [[*subject, start, cell.to_state()] for (subject, start), cell in cells.items()]
            for resolution, cells in self._open.items()
        }

    def restore(self, content: Any) -> None:
        for resolution, cells in content.items():
            self._open[resolution] = dict(map(_from_state, cells))


def _from_state(content: Iterable[Any]) -> tuple[tuple[Subject, int], _Cell]:
    indicator, labels, values, start, (errors, histogram) = content
    return (Subject(indicator, tuple(labels), tuple(values)), start), _Cell(errors, Histogram.from_json(histogram))
