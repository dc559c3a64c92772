"""How long requests took over time, as a map and as a course: exact where the time is short, else from rollups."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.engine import Engine
from analysis.period import Period
from analysis.requests import FAILED, RAW_NANO, RequestTimes, labels_of, summed, times_of
from analysis.summaries import Key, Total

_BOUNDS = (0.0, *(float(f"{step}e{exponent}") for exponent in range(-4, 5) for step in (1, 2, 5)), 1e5)
_LAST = len(_BOUNDS) - 2
_PARTS = "WITH parts AS (SELECT unnest(?::BIGINT[]) AS begins)"
_EACH_PART = "performance ASOF JOIN parts ON event_unix_nano >= begins"
_BUCKET = " + ".join(f"(response_time >= {bound})::INTEGER" for bound in _BOUNDS[1:-1])


@dataclass(frozen=True, slots=True)
class RouteFilter:
    """Requests of one service, method and route; None lets all through, '' those that tell none."""

    service: str | None = None
    method: str | None = None
    route: str | None = None

    def condition(self) -> tuple[str, list[str]]:
        """For WHERE over `performance`, and the values of its question marks."""
        wanted = {"service": self.service, "method": self.method, "route": self.route}
        given = {column: value for column, value in wanted.items() if value is not None}
        return " AND ".join(["true", *(f"coalesce({column}, '') = ?" for column in given)]), list(given.values())

    def takes(self, key: Key) -> bool:
        """Whether the rollups of a key are among them."""
        told = zip((self.service, self.method, self.route), labels_of(key), strict=True)
        return all(wanted in (None, label) for wanted, label in told)


EVERY_ROUTE = RouteFilter()


@dataclass(frozen=True, slots=True)
class LatencyMap:
    """How many requests each part of a time had in each bucket.

    Bucket i is from bounds[i] on and below bounds[i + 1], in seconds; there is one bound more than buckets.
    No row at either end is empty; without requests there is none. Above 50,000 s all is in one.
    """

    bounds_seconds: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    """By part, then by bucket."""


def latency_map(engine: Engine, parts: Sequence[Period], only: RouteFilter = EVERY_ROUTE) -> LatencyMap:
    """Of the adjoining `parts`."""
    cells = _exact_cells(engine, parts, only) if _is_short(parts) else _rolled_up_cells(engine, parts, only)
    used = sorted({bucket for _, bucket in cells})
    if not used:
        return LatencyMap((), tuple(() for _ in parts))
    rows = range(used[0], used[-1] + 1)
    counts = tuple(tuple(cells[part, row] for row in rows) for part in range(len(parts)))
    return LatencyMap(_BOUNDS[rows.start : rows.stop + 1], counts)


def route_course(engine: Engine, parts: Sequence[Period], only: RouteFilter = EVERY_ROUTE) -> list[RequestTimes]:
    """One for each of the adjoining parts, its labels None."""
    if _is_short(parts):
        return _exact_course(engine, parts, only)
    return [times_of(total) for total in summed(engine, parts, only.takes)]


def _whole(parts: Sequence[Period]) -> Period:
    return Period(parts[0].start_unix_nano, parts[-1].end_unix_nano)


def _is_short(parts: Sequence[Period]) -> bool:
    return _whole(parts).nanos <= RAW_NANO


def _exact_cells(engine: Engine, parts: Sequence[Period], only: RouteFilter) -> Counter[tuple[int, int]]:
    condition, values = only.condition()
    starts = [part.start_unix_nano for part in parts]
    rows = engine.sql(
        f"""
        {_PARTS} SELECT begins, {_BUCKET} AS bucket, count(*) FROM {_EACH_PART}
        WHERE response_time IS NOT NULL AND {condition} GROUP BY begins, bucket
        """,  # noqa: S608  # our own expressions and numbers
        [starts, *values],
        _whole(parts),
    )
    return Counter({(starts.index(begins), bucket): count for begins, bucket, count in rows})


def _rolled_up_cells(engine: Engine, parts: Sequence[Period], only: RouteFilter) -> Counter[tuple[int, int]]:
    cells: Counter[tuple[int, int]] = Counter()
    for part, total in enumerate(summed(engine, parts, only.takes)):
        for seconds, count in total.histogram:
            cells[part, min(_LAST, max(0, bisect_right(_BOUNDS, seconds) - 1))] += count
    return cells


def _exact_course(engine: Engine, parts: Sequence[Period], only: RouteFilter) -> list[RequestTimes]:
    condition, values = only.condition()
    starts = [part.start_unix_nano for part in parts]
    rows = engine.sql(
        f"""
        {_PARTS} SELECT begins, count(*), count(*) FILTER (WHERE {FAILED}), avg(response_time),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY response_time),
               percentile_cont(0.95) WITHIN GROUP (ORDER BY response_time),
               percentile_cont(0.99) WITHIN GROUP (ORDER BY response_time), max(response_time)
        FROM {_EACH_PART} WHERE {condition} GROUP BY begins
        """,  # noqa: S608  # our own expressions
        [starts, *values],
        _whole(parts),
    )
    found = {begins: RequestTimes(None, None, None, *told) for begins, *told in rows}
    return [found.get(start, times_of(Total())) for start in starts]
