"""How long the database takes: by statement, and the slow ones with the route that sent them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from analysis.engine import Engine
from analysis.period import MINUTE_NANO, Period
from analysis.requests import RAW_NANO, route_of_traces
from analysis.summaries import Sample, totals

INDICATOR = "db.query.response_time"
_LONG_NANO = MINUTE_NANO
"""Queries that began so long before a time and ended in it are looked for."""
_TRACES_ASKED = 5000
"""Slow queries whose route is looked up, the slowest first."""
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b0x[0-9a-fA-F]+\b|\b\d+(?:\.\d+)?\b")
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_BLANKS = re.compile(r"\s+")
_SYSTEM = "coalesce(attr(attributes, 'db.system.name'), attr(attributes, 'db.system'))"
_TEXT = "coalesce(attr(attributes, 'db.query.text'), attr(attributes, 'db.statement'), name)"
_SUMMARY = "coalesce(attr(attributes, 'db.query.summary'), attr(attributes, 'db.operation.name'), name)"
_ENDED = "coalesce(nullif(end_time_unix_nano, 0), event_unix_nano)"
_SENT = "hash(batch_id, batch_index, trace_id, span_id, event_unix_nano)"
"""The same of a span that a client sent again."""
_QUERY = f"kind = 'CLIENT' AND {_SYSTEM} IS NOT NULL AND name <> 'connect'"


@dataclass(slots=True)
class SlowQuery:
    """A statement without its values; times in milliseconds."""

    statement: str
    service: str
    system: str
    count: int = 0
    total_seconds: float = 0.0
    max_seconds: float = 0.0
    first_unix_nano: int = 0
    last_unix_nano: int = 0
    routes: Counter[str] = field(default_factory=Counter)
    trace_id: str = ""
    """Of the slowest."""


@dataclass(frozen=True, slots=True)
class QueryTimes:
    """Of one kind of statement; times in seconds."""

    service: str
    system: str
    summary: str
    queries: int
    errors: int
    mean: float
    p50: float
    p95: float
    p99: float
    max: float
    total_seconds: float


def statement_of(text: str) -> str:
    """The statement with `?` for its values, as one line."""
    return _LIST.sub("(?, …)", _LITERAL.sub("?", _BLANKS.sub(" ", text).strip()))


def slow_queries(engine: Engine, period: Period, threshold_ms: float) -> list[SlowQuery]:
    """Statements with a query of at least so many milliseconds; those that took most time first."""
    rows = list(_slow(engine, period, threshold_ms))
    routes = route_of_traces(engine, period, (row[-1] for row in rows[:_TRACES_ASKED]))
    found: dict[tuple[str, str, str], SlowQuery] = {}
    for time, service, system, text, duration_ms, trace_id in rows:
        name = (statement_of(text), service, system)
        query = found.setdefault(name, SlowQuery(*name, first_unix_nano=time, trace_id=trace_id))
        query.count += 1
        query.total_seconds += duration_ms / 1000
        query.max_seconds = max(query.max_seconds, duration_ms / 1000)
        query.first_unix_nano = min(query.first_unix_nano, time)
        query.last_unix_nano = max(query.last_unix_nano, time)
        query.routes[routes.get(trace_id, "")] += 1
    return sorted(found.values(), key=lambda one: -one.total_seconds)


def _slow(engine: Engine, period: Period, threshold_ms: float) -> Iterator[tuple[int, str, str, str, float, str]]:
    """The slowest first, each once: what a client sent again is in the segments twice."""
    rows = engine.sql(
        f"""
        SELECT batch_id, batch_index, event_unix_nano, service, {_SYSTEM}, {_TEXT}, duration_ms, trace_id
        FROM traces WHERE duration_ms >= ? AND {_QUERY}
        ORDER BY duration_ms DESC, trace_id
        """,  # noqa: S608  # our own expressions
        (threshold_ms,),
        period,
    )
    seen: set[tuple[str, int]] = set()
    for batch_id, batch_index, *row in rows:
        if batch_id is None or (batch_id, batch_index) not in seen:
            seen.add((batch_id, batch_index))
            time, service, system, text, duration_ms, trace_id = row
            yield time, service, system, text, duration_ms, trace_id


def query_times(engine: Engine, period: Period) -> list[QueryTimes]:
    """By kind of statement, those that took most time in all first; what a client sent again counts once."""
    found = _exactly(engine, period) if period.nanos <= RAW_NANO else _summed(engine, period)
    return sorted(found, key=lambda one: -one.total_seconds)


def _exactly(engine: Engine, period: Period) -> Iterator[QueryTimes]:
    rows = engine.sql(
        f"""
        WITH queries AS (
            SELECT DISTINCT {_SENT} AS sent, service, {_SYSTEM} AS system, {_SUMMARY} AS summary, status,
                   duration_ms / 1000 AS seconds
            FROM traces WHERE {_QUERY} AND duration_ms IS NOT NULL
        )
        SELECT service, system, summary, count(*), count(*) FILTER (WHERE status = 'ERROR'), avg(seconds),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
               percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds),
               percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds), max(seconds), sum(seconds)
        FROM queries GROUP BY service, system, summary
        """,  # noqa: S608  # our own expressions
        (),
        period,
    )
    return (QueryTimes(*row) for row in rows)


def _summed(engine: Engine, period: Period) -> Iterator[QueryTimes]:
    for key, total in totals(engine, INDICATOR, period, _raw).items():
        if not total.count:
            continue
        service, system, summary = key if len(key) == 3 else ("", "", "(others)")  # noqa: PLR2004  # labels of the indicator
        values = total.histogram
        yield QueryTimes(
            service,
            system,
            summary,
            total.count,
            total.errors,
            values.sum / values.count,
            values.quantile(0.5),
            values.quantile(0.95),
            values.quantile(0.99),
            values.max,
            values.sum,
        )


def _raw(engine: Engine, period: Period) -> Iterator[Sample]:
    """By their ends, as rollups count them."""
    rows = engine.sql(
        f"""
        SELECT DISTINCT {_SENT} AS sent, {_ENDED}, coalesce(service, ''), {_SYSTEM}, coalesce({_SUMMARY}, ''),
               duration_ms / 1000, coalesce(status, '') = 'ERROR'
        FROM traces WHERE {_QUERY} AND duration_ms IS NOT NULL AND {_ENDED} >= ? AND {_ENDED} < ?
        """,  # noqa: S608  # our own expressions
        (period.start_unix_nano, period.end_unix_nano),
        Period(max(0, period.start_unix_nano - _LONG_NANO), period.end_unix_nano),
    )
    for _, time, service, system, summary, seconds, failed in rows:
        yield Sample(time, (service, system, summary), seconds, failed)
