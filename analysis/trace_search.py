"""Which traces there were: found by what their spans say, and by how long and how well they went as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from analysis.engine import Engine
from analysis.period import DAY_NANO, HOUR_NANO, MINUTE_NANO, NANO, Period
from analysis.traces import ENDED

Order = Literal["newest", "slowest", "failed"]
Status = Literal["", "error", "ok"]

_ID = re.compile(r"[0-9a-f]{32}")
_LEAST_PART_NANO = 6 * HOUR_NANO
_MOST_PARTS = 8
"""Of one part every trace is in memory at once, with about 150 bytes; each part lists the segments anew."""
_EVER_NANO = 2**62
_CROSSING_NANO = 10 * MINUTE_NANO
"""So much longer than in its part of the period a trace may be, to be told whole."""
_LIGHT = ("performance", "errors", "security", "business")
_STEPS: tuple[tuple[tuple[str, ...], int, int], ...] = (
    (("traces",), HOUR_NANO, 0),
    (_LIGHT, DAY_NANO, HOUR_NANO),
    (("traces",), DAY_NANO, HOUR_NANO),
    (_LIGHT, _EVER_NANO, DAY_NANO),
    (("traces",), 7 * DAY_NANO, DAY_NANO),
    (("traces",), _EVER_NANO, 7 * DAY_NANO),
)
"""Where a trace is looked for: in which streams, and since how long ago until how long ago."""
_TEXT = 256
_MOST_SERVICES = 20
_IS_ENTRY = "(coalesce(parent_span_id, '') = '' OR kind IN ('SERVER', 'CONSUMER'))"
_SPANS = f"""
    SELECT *, hash(trace_id) AS trace, {ENDED} - event_unix_nano AS took, {ENDED} AS ended,
        coalesce(parent_span_id, '') = '' AS is_root, coalesce(status, '') = 'ERROR' AS failed
    FROM traces WHERE length(trace_id) = 32
"""  # noqa: S608  # our own expressions
_TOOK = "coalesce(max(took) FILTER (WHERE is_root), max(ended) - min(event_unix_nano))"
_ROOT = f"""
    {{'service': left(coalesce(service, ''), {_TEXT}), 'name': left(coalesce(name, ''), {_TEXT}),
      'code': try_cast(coalesce(attr(attributes, 'http.response.status_code'), attr(attributes, 'http.status_code'))
              AS INTEGER)}}
"""
_RANK = "CASE WHEN is_root THEN (0, -took, span_id) ELSE (1, event_unix_nano, span_id) END"
_STATUSES: dict[Status, str] = {"": "true", "error": "bool_or(failed)", "ok": "NOT bool_or(failed)"}
_ORDERS: dict[Order, str] = {
    "newest": "begins DESC",
    "slowest": "whole_took DESC",
    "failed": "any_failed DESC, whole_took DESC",
}


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """What is empty lets everything through.

    One span has to fulfil all of `service`, `name` and `attributes`, the trace as a whole the rest. `name` is a part of
    a span's name or route, in any case; `attributes` are of the span or of who sent it; `error` has any failed span.
    """

    service: str = ""
    name: str = ""
    status: Status = ""
    at_least_seconds: float = 0.0
    below_seconds: float | None = None
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """`seconds` are of its root, the longest span that was called by none, else from its beginning to its last end.

    `service`, `name` and `status_code` (of HTTP) are the root's, else its first span's; texts at most 256 characters.
    """

    trace_id: str
    start_unix_nano: int
    seconds: float
    service: str
    name: str
    status_code: int | None
    spans: int
    errors: int
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """What a search can name: services by name, entry spans the most frequent first."""

    services: tuple[str, ...]
    names: tuple[str, ...]


class _Candidate(NamedTuple):
    """Times in nanoseconds."""

    trace: int
    begins: int
    ends: int
    took: int
    failed: bool


def search_traces(
    engine: Engine, period: Period, wanted: TraceFilter, *, order: Order = "newest", limit: int = 50
) -> list[TraceSummary]:
    """At most `limit`; `failed` has those with a failed span first, then the slowest.

    Six hours or an eighth are asked at a time, so that memory is bounded; what crosses a border is judged by its parts.
    """
    found: dict[int, _Candidate] = {}
    for part in newest_first(period):
        for one in _candidates(engine, part, wanted, order, limit):
            found.setdefault(one.trace, one)
        if order == "newest" and len(found) >= limit:
            break
    return _summaries(engine, period, _first(found.values(), order)[:limit])


def services_and_names(engine: Engine, period: Period, limit: int = 200) -> Choices:
    """At most `limit` of each, of the period's last six hours."""
    recent = Period(max(period.start_unix_nano, period.end_unix_nano - _LEAST_PART_NANO), period.end_unix_nano)
    rows = engine.sql(
        f"""
        WITH found AS (
            SELECT left(service, {_TEXT}) AS service, CASE WHEN {_IS_ENTRY} THEN left(name, {_TEXT}) END AS name
            FROM traces
        ), counted AS (
            SELECT service, name, count(*) AS times FROM found GROUP BY GROUPING SETS ((service), (name))
            HAVING service <> '' OR name <> ''
        ), placed AS (
            SELECT *, row_number() OVER (PARTITION BY service IS NULL ORDER BY times DESC, service, name) AS place
            FROM counted
        )
        SELECT service, name FROM placed WHERE place <= ? ORDER BY times DESC, service, name
        """,  # noqa: S608  # our own expressions
        (limit,),
        recent,
    ).rows
    services = sorted(service for service, _ in rows if service)
    return Choices(tuple(services), tuple(name for _, name in rows if name))


def find_trace(engine: Engine, trace_id: str, now_unix_nano: int) -> Period | None:
    """Where its spans lie, with a minute at both ends; None for what is no trace id (32 hex digits) or was not seen.

    The last hour is looked at first, then what is older; there the small streams tell before the spans are read.
    """
    wanted = trace_id.lower()
    if not _ID.fullmatch(wanted):
        return None
    for streams, since, until in _STEPS:
        end = now_unix_nano - until if until else now_unix_nano + DAY_NANO
        part = Period(max(0, now_unix_nano - since), max(0, end))
        seen = _seen(engine, wanted, streams, part)
        if seen is not None:
            return _widened(_seen(engine, wanted, ("traces",), _widened(seen, HOUR_NANO)) or seen, MINUTE_NANO)
    return None


def _seen(engine: Engine, trace_id: str, streams: Sequence[str], period: Period) -> Period | None:
    """From its first to its last line in these streams."""
    lines = " UNION ALL ".join(
        f"SELECT event_unix_nano AS time, {ENDED if stream == 'traces' else 'event_unix_nano'} AS ended"  # noqa: S608  # our own names
        f" FROM {stream} WHERE trace_id = $1"
        for stream in streams
    )
    found = f"SELECT min(time), max(time), max(ended) FROM ({lines})"  # noqa: S608  # as above
    ((first, last, ended),) = engine.sql(found, (trace_id,), period)
    return None if first is None else Period(first, max(last, min(ended, last + DAY_NANO)) + 1)


def _widened(period: Period, nanos: int) -> Period:
    return Period(max(0, period.start_unix_nano - nanos), period.end_unix_nano + nanos)


def newest_first(period: Period) -> Iterator[Period]:
    """The period in parts of six hours or an eighth, whichever is longer."""
    end = period.end_unix_nano
    length = max(_LEAST_PART_NANO, -(-period.nanos // _MOST_PARTS))
    while end > period.start_unix_nano:
        start = max(period.start_unix_nano, end - length)
        yield Period(start, end)
        end = start


def _candidates(engine: Engine, period: Period, wanted: TraceFilter, order: Order, limit: int) -> Iterator[_Candidate]:
    """The first by their order; traces by the hash of their id, which takes less memory."""
    matches, values = _matching(wanted)
    longest = [] if wanted.below_seconds is None else [wanted.below_seconds * 1e9]
    rows = engine.sql(
        f"""
        SELECT trace, min(event_unix_nano) AS begins, max(ended), {_TOOK} AS whole_took, bool_or(failed) AS any_failed
        FROM ({_SPANS}) GROUP BY trace
        HAVING bool_or({matches}) AND {_STATUSES[wanted.status]} AND whole_took >= ?
            {"AND whole_took < ?" * len(longest)}
        ORDER BY {_ORDERS[order]}, trace LIMIT ?
        """,  # noqa: S608  # our own expressions
        [*values, wanted.at_least_seconds * 1e9, *longest, limit],
        period,
    )
    return (_Candidate(*row) for row in rows)


def _matching(wanted: TraceFilter) -> tuple[str, list[str]]:
    """What is asked of one span, and the values of its question marks."""
    conditions, values = ["true"], []
    if wanted.service:
        conditions.append("service = ?")
        values.append(wanted.service)
    if wanted.name:
        conditions.append("contains(lower(concat_ws(chr(10), name, attr(attributes, 'http.route'))), lower(?))")
        values.append(wanted.name)
    for key, value in wanted.attributes:
        conditions.append("(attr(attributes, ?) = ? OR attr(json_extract(resource, '/attributes'), ?) = ?)")
        values += [key, value, key, value]
    return f"coalesce({' AND '.join(conditions)}, false)", values


def _first(found: Iterable[_Candidate], order: Order) -> list[_Candidate]:
    if order == "newest":
        return sorted(found, key=lambda one: (-one.begins, one.trace))
    return sorted(found, key=lambda one: (order == "failed" and not one.failed, -one.took, one.trace))


def _summaries(engine: Engine, period: Period, wanted: Sequence[_Candidate]) -> list[TraceSummary]:
    """In the same order."""
    if not wanted:
        return []
    ends = min(period.end_unix_nano, max(one.ends for one in wanted) + _CROSSING_NANO)
    begins = max(period.start_unix_nano, min(one.begins for one in wanted) - _CROSSING_NANO)
    rows = engine.sql(
        f"""
        SELECT trace, trace_id, min(event_unix_nano), {_TOOK} / {NANO}, arg_min({_ROOT}, {_RANK}),
               count(DISTINCT coalesce(span_id, '')), count(DISTINCT coalesce(span_id, '')) FILTER (WHERE failed),
               list_slice(list_sort(list(DISTINCT left(coalesce(service, ''), {_TEXT}))), 1, {_MOST_SERVICES})
        FROM ({_SPANS} AND hash(trace_id) IN ({", ".join("?" * len(wanted))})) GROUP BY trace, trace_id
        """,  # noqa: S608  # our own expressions
        [one.trace for one in wanted],
        Period(begins, ends),
    )
    places = {one.trace: place for place, one in enumerate(wanted)}
    return [_summary(row) for row in sorted(rows, key=lambda row: (places[row[0]], row[1]))]


def _summary(row: Sequence[Any]) -> TraceSummary:
    _, trace_id, begins, seconds, root, spans, errors, services = row
    return TraceSummary(
        trace_id, begins, seconds, root["service"], root["name"], root["code"], spans, errors, tuple(services)
    )
