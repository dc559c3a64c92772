"""Which services sent spans lately, and what these were called."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from analysis.engine import Engine
from analysis.period import DAY_NANO, HOUR_NANO, Period

_BORDERS_HOURS = (1, 2, 4, 8, 16, 24, *(24 * days for days in (2, 4, 8, 16, 32, 64, 128, 366)))
_ENOUGH_SPANS = 200_000
"""Of the newest: a day of a busy backend would take a minute to read."""
_MOST_SERVICES = 1000
_MOST_NAMES = 1000
"""Of one service, the most frequent."""
_TEXT = 512
_OF_SPANS = ("http.server.response_time", "db.query.response_time")
"""Indicators whose rollups tell of services that had spans."""


@dataclass(frozen=True, slots=True)
class Operation:
    """`kind` is INTERNAL, SERVER, CLIENT, PRODUCER or CONSUMER, or whatever was sent instead."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class SpanNames:
    """By service, in order."""

    operations: dict[str, tuple[Operation, ...]]

    @property
    def services(self) -> list[str]:
        return list(self.operations)


def span_names(engine: Engine, now_unix_nano: int) -> SpanNames:
    """Of the last day, operations of its newest 200,000 spans or a little more; names of at most 512 characters.

    Rollups tell of the services that only had older ones. Where the last day has none, as in a backup, the newest time
    that has any is told of. Raise QueryError.
    """
    counted: dict[str, Counter[Operation]] = defaultdict(Counter)
    spans, since = 0, max(0, now_unix_nano - DAY_NANO)
    for part in _parts(now_unix_nano):
        if spans >= _ENOUGH_SPANS or (counted and part.start_unix_nano < since):
            break
        for service, name, kind, count in _rows(engine, part):
            counted[service][Operation(name, kind)] += count
            spans += count
    for service in _of_rollups(engine, Period(since, now_unix_nano)):
        counted[service].update()
    return SpanNames({service: _in_order(counted[service]) for service in sorted(counted)[:_MOST_SERVICES]})


def _parts(now_unix_nano: int) -> Iterator[Period]:
    """The newest first; what a clock that is a little ahead has sent is of now."""
    ends = now_unix_nano + HOUR_NANO
    for hours in _BORDERS_HOURS:
        start = max(0, now_unix_nano - hours * HOUR_NANO)
        yield Period(start, ends)
        ends = start


def _rows(engine: Engine, period: Period) -> Iterable[tuple[Any, ...]]:
    """Service, name, kind and how often."""
    return engine.sql(
        """
        WITH counted AS (
            SELECT service, name, coalesce(kind, '') AS of_kind, count(*) AS times FROM traces
            WHERE service <> '' AND length(service) <= ? AND name <> '' AND length(name) <= ?
            GROUP BY service, name, of_kind
        ), ranked AS (
            SELECT *, row_number() OVER (PARTITION BY service ORDER BY times DESC, name, of_kind) AS place FROM counted
        )
        SELECT service, name, of_kind, times FROM ranked WHERE place <= ?
        """,
        (_TEXT, _TEXT, _MOST_NAMES),
        period,
    )


def _of_rollups(engine: Engine, period: Period) -> Iterator[str]:
    rows = engine.sql(
        """
        SELECT DISTINCT attr(key, 'service.name') AS service FROM rollups_1h
        WHERE indicator IN (?, ?) AND service <> '' AND length(service) <= ?
        """,
        (*_OF_SPANS, _TEXT),
        period,
    )
    return (service for (service,) in rows)


def _in_order(counted: Counter[Operation]) -> tuple[Operation, ...]:
    found = (operation for operation, _ in counted.most_common(_MOST_NAMES))
    return tuple(sorted(found, key=lambda one: (one.name, one.kind)))
