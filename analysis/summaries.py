"""Sums over long ranges: from rollups by day, by hour and minute beside them, and raw where there are none yet."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from analysis.engine import Engine
from analysis.limited import parsed
from analysis.period import DAY_NANO, HOUR_NANO, MINUTE_NANO, Period
from processors.histogram import Histogram
from processors.window import OVERFLOW_LABEL

Key = tuple[str, ...]
"""The values of an indicator's labels, in the order of their names in the rollups."""


class Sample(NamedTuple):
    """A raw value that no rollup holds yet."""

    time_unix_nano: int
    key: Key
    value: float
    failed: bool


Raw = Callable[[Engine, Period], Iterable[Sample]]
Group = Callable[[Key], Key | None]
"""The key under which another one is summed; None leaves it out."""


class Cell(NamedTuple):
    """One line of a rollup, or one raw value; `histogram` is as it stands in the lines."""

    indicator: str
    start_unix_nano: int
    key: Key
    errors: int
    histogram: Mapping[str, Any]


@dataclass(slots=True)
class Total:
    """A sum of cells."""

    count: int = 0
    errors: int = 0
    histogram: Histogram = field(default_factory=Histogram)

    def add(self, cell: Cell) -> None:
        self.count += cell.histogram["count"]
        self.errors += cell.errors
        _add(self.histogram, cell.histogram)

    def merge(self, other: Total) -> None:
        self.count += other.count
        self.errors += other.errors
        self.histogram.merge(other.histogram)


def _add(histogram: Histogram, content: Mapping[str, Any]) -> None:
    """As merging `Histogram.from_json(content)`, in half the time: a day of minutes has tens of thousands."""
    histogram.count += content["count"]
    histogram.sum += content["sum"]
    histogram.min = min(histogram.min, content.get("min", math.inf))
    histogram.max = max(histogram.max, content.get("max", -math.inf))
    histogram.zeros += content.get("zeros", 0)
    for mine, theirs in ((histogram.buckets, content["buckets"]), (histogram.negative, content.get("negative", ()))):
        for bucket, count in theirs:
            mine[bucket] = mine.get(bucket, 0) + count


_RESOLUTIONS = (("rollups_1d", DAY_NANO), ("rollups_1h", HOUR_NANO), ("rollups", MINUTE_NANO))
_LENGTHS = dict(_RESOLUTIONS)


def totals(engine: Engine, indicator: str, period: Period, raw: Raw | None = None) -> dict[Key, Total]:
    """By key; `raw` tells what rollups do not hold yet. Begins and ends at whole minutes where rollups are read."""
    found: dict[Key, Total] = {}
    for cell in _Rollups(engine, (indicator,), raw).cells(period, _RESOLUTIONS):
        if cell.key not in found:
            found[cell.key] = Total()
        found[cell.key].add(cell)
    return found


def course(
    engine: Engine, indicator: str, parts: Sequence[Period], raw: Raw | None = None, *, group: Group | None = None
) -> dict[Key, list[Total]]:
    """By key, or the one that `group` gives for it, one sum for each of the adjoining `parts`."""
    return _courses(_Rollups(engine, (indicator,), raw), parts, group)[indicator]


def courses(engine: Engine, indicators: Sequence[str], parts: Sequence[Period]) -> dict[str, dict[Key, list[Total]]]:
    """By indicator what `course` tells; rollups are read once for all of them."""
    return _courses(_Rollups(engine, indicators, None), parts, None)


def _courses(rollups: _Rollups, parts: Sequence[Period], group: Group | None) -> dict[str, dict[Key, list[Total]]]:
    whole = Period(parts[0].start_unix_nano, parts[-1].end_unix_nano)
    fitting = [one for one in _RESOLUTIONS if all(part.start_unix_nano % one[1] == 0 for part in parts[1:])]
    starts = [part.start_unix_nano for part in parts]
    found: dict[str, dict[Key, list[Total]]] = {indicator: {} for indicator in rollups.indicators}
    for cell in rollups.cells(whole, fitting or _RESOLUTIONS[-1:]):
        key = cell.key if group is None else group(cell.key)
        if key is None:
            continue
        by_key = found[cell.indicator]
        if key not in by_key:
            by_key[key] = [Total() for _ in parts]
        by_key[key][max(0, bisect_right(starts, cell.start_unix_nano) - 1)].add(cell)
    return found


def key_of(text: str | None) -> Key | None:
    """The `key` of a line; empty for what had no room for one, None for what is none."""
    found = parsed(text)
    if not isinstance(found, dict):
        return None
    return () if OVERFLOW_LABEL in found else tuple(map(str, found.values()))


def _histogram_of(text: str | None) -> Mapping[str, Any] | None:
    """Of a line, where it adds up: one that is damaged must not take the sum of all others with it."""
    content = parsed(text)
    try:
        return content if _adds_up(content) else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _adds_up(content: Mapping[str, Any]) -> bool:
    """Whether it is what `_add` takes; a sum of all its whole numbers is the cheapest look at each of them."""
    count = content["count"]
    whole = count + content.get("zeros", 0)
    for side in (content["buckets"], content.get("negative", ())):
        for bucket, times in side:
            whole += bucket + times
    numbers = [content[name] for name in (("sum", "min", "max") if count else ("sum",))]
    return isinstance(whole, int) and count >= 0 and all(isinstance(one, int | float) for one in numbers)


def minutes(engine: Engine, indicator: str, period: Period, labels: int) -> dict[Key, list[tuple[int, Total]]]:
    """By the first so many labels: each minute that has anything, with its sum, in order."""
    found: dict[Key, dict[int, Total]] = {}
    for cell in _Rollups(engine, (indicator,), None).lines("rollups", period, only=True)[0]:
        found.setdefault(cell.key[:labels], {}).setdefault(cell.start_unix_nano, Total()).add(cell)
    return {key: sorted(totals.items(), key=lambda one: one[0]) for key, totals in found.items()}


@dataclass(frozen=True, slots=True)
class _Rollups:
    """Of some indicators; `raw` is for one alone."""

    engine: Engine
    indicators: Sequence[str]
    raw: Raw | None

    def cells(self, period: Period, resolutions: Sequence[tuple[str, int]]) -> Iterator[Cell]:
        """From the coarsest rollups that have been written for a part of the period, and from finer ones around it."""
        (stream, length), finer = resolutions[0], resolutions[1:]
        inner = _inner(period, length, whole=bool(finer))
        lines, starts = self.lines(stream, inner)
        yield from lines
        start = period.start_unix_nano
        for written in _adjoining(starts, length) if finer else _between(starts, length):
            if finer:
                yield from self._beside(Period(start, written.start_unix_nano), finer)
            start = written.end_unix_nano
        yield from self._beside(Period(start, period.end_unix_nano), finer)

    def _beside(self, period: Period, finer: Sequence[tuple[str, int]]) -> Iterator[Cell]:
        if period.nanos <= 0:
            return
        if finer:
            yield from self.cells(period, finer)
        elif self.raw is not None:
            for sample in self.raw(self.engine, period):
                histogram = Histogram()
                histogram.add(sample.value)
                errors = int(sample.failed)
                yield Cell(self.indicators[0], sample.time_unix_nano, sample.key, errors, histogram.to_json())

    def lines(self, stream: str, period: Period, *, only: bool = False) -> tuple[Iterator[Cell], set[int]]:
        """Those of the indicators; and, but for `only`, the starts of all steps that have a line of any indicator.

        Both from one reading: a step that is written in between must not count as one without requests.
        """
        if period.nanos <= 0:
            return iter(()), set()
        ours = f"indicator IN ({', '.join('?' * len(self.indicators))})"
        rows = self.engine.sql(
            f"""
            SELECT time_unix_nano, CASE WHEN {ours} THEN indicator END, key, errors,
                   CASE WHEN {ours} THEN histogram END
            FROM {stream} WHERE time_unix_nano % {_LENGTHS[stream]} = 0 AND {ours if only else "true"}
            """,  # noqa: S608  # our own names
            [*self.indicators] * (3 if only else 2),
            period,
        )
        return _cells(rows), {row[0] for row in rows}


def _cells(rows: Iterable[tuple[Any, ...]]) -> Iterator[Cell]:
    """Those that can be read."""
    known = _Keys()
    for start, indicator, text, errors, histogram in rows:
        if indicator is None:
            continue
        key, content = known[text], _histogram_of(histogram)
        if key is not None and content is not None:
            yield Cell(indicator, start, key, errors or 0, content)


class _Keys(dict[str | None, Key | None]):
    """Few are known, and stand in many lines."""

    def __missing__(self, text: str | None) -> Key | None:
        key = self[text] = key_of(text)
        return key


def _inner(period: Period, length: int, *, whole: bool) -> Period:
    """The whole steps of a resolution that lie in the period; of the finest also the one in which it begins."""
    start = period.start_unix_nano
    first = -(-start // length) * length if whole else start - start % length
    return Period(first, period.end_unix_nano // length * length)


def _between(starts: set[int], length: int) -> list[Period]:
    """Of the finest resolution all between the first and the last are complete: an empty minute has no line."""
    return [Period(min(starts), max(starts) + length)] if starts else []


def _adjoining(starts: set[int], length: int) -> list[Period]:
    """Adjoining steps as one: a coarse one without any line may have been lost, or never made; finer ones tell."""
    found: list[Period] = []
    for start in sorted(starts):
        if found and found[-1].end_unix_nano == start:
            found[-1] = Period(found[-1].start_unix_nano, start + length)
        else:
            found.append(Period(start, start + length))
    return found
