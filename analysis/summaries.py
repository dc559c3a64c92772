"""Sums over long ranges: from rollups by day, by hour and minute beside them, and raw where there are none yet."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from analysis.engine import Engine
from analysis.period import DAY_NANO, HOUR_NANO, MINUTE_NANO, Period
from processors.histogram import Histogram

Key = tuple[str, ...]
"""The values of an indicator's labels, in the order of their names in the rollups."""


class Sample(NamedTuple):
    """A raw value that no rollup holds yet."""

    time_unix_nano: int
    key: Key
    value: float
    failed: bool


Raw = Callable[[Engine, Period], Iterable[Sample]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of a rollup, or one raw value."""

    start_unix_nano: int
    key: Key
    count: int
    errors: int
    histogram: Histogram


@dataclass(slots=True)
class Total:
    """A sum of cells."""

    count: int = 0
    errors: int = 0
    histogram: Histogram = field(default_factory=Histogram)

    def add(self, cell: Cell) -> None:
        self.count += cell.count
        self.errors += cell.errors
        self.histogram.merge(cell.histogram)

    def merge(self, other: Total) -> None:
        self.count += other.count
        self.errors += other.errors
        self.histogram.merge(other.histogram)


_RESOLUTIONS = (("rollups_1d", DAY_NANO), ("rollups_1h", HOUR_NANO), ("rollups", MINUTE_NANO))


def totals(engine: Engine, indicator: str, period: Period, raw: Raw | None = None) -> dict[Key, Total]:
    """By key; `raw` tells what rollups do not hold yet. Begins and ends at whole minutes where rollups are read."""
    found: dict[Key, Total] = {}
    for cell in _cells(engine, indicator, period, _RESOLUTIONS, raw):
        found.setdefault(cell.key, Total()).add(cell)
    return found


def course(engine: Engine, indicator: str, parts: Sequence[Period], raw: Raw | None = None) -> dict[Key, list[Total]]:
    """By key one sum for each of the adjoining `parts`."""
    whole = Period(parts[0].start_unix_nano, parts[-1].end_unix_nano)
    fitting = [one for one in _RESOLUTIONS if all(part.start_unix_nano % one[1] == 0 for part in parts[1:])]
    starts = [part.start_unix_nano for part in parts]
    found: dict[Key, list[Total]] = {}
    for cell in _cells(engine, indicator, whole, fitting or _RESOLUTIONS[-1:], raw):
        index = max(0, bisect_right(starts, cell.start_unix_nano) - 1)
        found.setdefault(cell.key, [Total() for _ in parts])[index].add(cell)
    return found


def key_of(text: str) -> Key:
    """The `key` of a line."""
    return tuple(map(str, orjson.loads(text).values()))


def minutes(engine: Engine, indicator: str, period: Period, labels: int) -> dict[Key, list[tuple[int, Total]]]:
    """By the first so many labels: each minute that has anything, with its sum, in order."""
    found: dict[Key, dict[int, Total]] = {}
    for cell in _lines(engine, "rollups", indicator, period):
        found.setdefault(cell.key[:labels], {}).setdefault(cell.start_unix_nano, Total()).add(cell)
    return {key: sorted(totals.items(), key=lambda one: one[0]) for key, totals in found.items()}


def _cells(
    engine: Engine, indicator: str, period: Period, resolutions: Sequence[tuple[str, int]], raw: Raw | None
) -> Iterator[Cell]:
    """From the coarsest rollups that have been written for a part of the period, and from finer ones around it."""
    (stream, length), finer = resolutions[0], resolutions[1:]
    inner = _inner(period, length, whole=bool(finer))
    start = period.start_unix_nano
    for written in _written(engine, stream, length, inner, gaps=bool(finer)):
        if finer:
            yield from _beside(engine, indicator, Period(start, written.start_unix_nano), finer, raw)
        yield from _lines(engine, stream, indicator, written)
        start = written.end_unix_nano
    yield from _beside(engine, indicator, Period(start, period.end_unix_nano), finer, raw)


def _beside(
    engine: Engine, indicator: str, period: Period, finer: Sequence[tuple[str, int]], raw: Raw | None
) -> Iterator[Cell]:
    if period.nanos <= 0:
        return
    if finer:
        yield from _cells(engine, indicator, period, finer, raw)
    elif raw is not None:
        for sample in raw(engine, period):
            histogram = Histogram()
            histogram.add(sample.value)
            yield Cell(sample.time_unix_nano, sample.key, 1, int(sample.failed), histogram)


def _inner(period: Period, length: int, *, whole: bool) -> Period:
    """The whole steps of a resolution that lie in the period; of the finest also the one in which it begins."""
    start = period.start_unix_nano
    first = -(-start // length) * length if whole else start - start % length
    return Period(first, period.end_unix_nano // length * length)


def _written(engine: Engine, stream: str, length: int, inner: Period, *, gaps: bool) -> list[Period]:
    """The steps that have any line, adjoining ones as one.

    Of the finest resolution (no `gaps`) all between the first and the last are complete: an empty minute has no line.
    A coarser step without any may have been lost, or never made; finer ones tell.
    """
    if inner.nanos <= 0:
        return []
    if not gaps:
        ((first, last),) = engine.sql(f"SELECT min(time_unix_nano), max(time_unix_nano) FROM {stream}", (), inner)  # noqa: S608  # our own names
        return [] if first is None else [Period(first, last + length)]
    rows = engine.sql(f"SELECT DISTINCT time_unix_nano FROM {stream} ORDER BY time_unix_nano", (), inner)  # noqa: S608  # as above
    found: list[Period] = []
    for (start,) in rows:
        if found and found[-1].end_unix_nano == start:
            found[-1] = Period(found[-1].start_unix_nano, start + length)
        else:
            found.append(Period(start, start + length))
    return found


def _lines(engine: Engine, stream: str, indicator: str, period: Period) -> Iterator[Cell]:
    found = engine.sql(
        f"SELECT time_unix_nano, key, count, errors, histogram FROM {stream} WHERE indicator = ?",  # noqa: S608  # our own names
        (indicator,),
        period,
    )
    for start, key, count, errors, histogram in found:
        yield Cell(
            start,
            key_of(key),
            count,
            errors or 0,
            Histogram.from_json(orjson.loads(histogram)),
        )
