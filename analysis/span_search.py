"""Traces found by one of their spans, as Jaeger finds them: names in full, attributes and how it ended as its tags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from analysis.engine import Engine
from analysis.period import HOUR_NANO, MINUTE_NANO, Period
from analysis.trace_search import newest_first
from analysis.trace_spans import StoredTrace, stored_traces
from analysis.traces import ENDED

_CROSSING_NANO = 10 * MINUTE_NANO
"""So long before and after the span that was found the rest of its trace is looked for."""
_DERIVED = {
    "error": "CASE WHEN status = 'ERROR' THEN 'true' END",
    "span.kind": "CASE WHEN kind IN ('INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER') THEN lower(kind) END",
    "otel.status_code": "CASE WHEN status IN ('OK', 'ERROR') THEN status END",
    "otel.status_description": "nullif(status_message, '')",
    "otel.scope.name": "json_extract_string(scope, '/name')",
    "otel.scope.version": "json_extract_string(scope, '/version')",
    "w3c.tracestate": "nullif(trace_state, '')",
}
"""Tags that Jaeger makes of what is no attribute."""
_OWN = "attr(attributes, ?)"
_OF_SENDER = "attr(json_extract(resource, '/attributes'), ?)"
_OF_EVENTS = "list_contains(list_transform(json_extract(events, '$[*].attributes'), lambda one: attr(one, ?)), ?)"
_EVENT = "list_contains(json_extract_string(events, '$[*].name'), ?)"


@dataclass(frozen=True, slots=True)
class SpanFilter:
    """One span has to fulfil all of it; an operation that is empty, and no duration, let every span through.

    Durations are in nanoseconds, both ends included. `tags` are attributes of the span, of who sent it or of an event
    of it, and what Jaeger makes a tag of, such as `error`; their values are compared as text.
    """

    service: str
    operation: str = ""
    at_least_nano: int = 0
    at_most_nano: int | None = None
    tags: tuple[tuple[str, str], ...] = ()


class _Seen(NamedTuple):
    """By its spans that were looked for, the first and the last; in nanoseconds."""

    trace_id: str
    first: int
    last: int


def find_traces(engine: Engine, period: Period, wanted: SpanFilter, limit: int) -> list[StoredTrace]:
    """The newest by the span that was found, each whole as far as ten minutes reach; raise QueryError."""
    found: dict[str, _Seen] = {}
    for part in _parts(period):
        for one in _seen(engine, part, wanted, limit):
            found.setdefault(one.trace_id, one)
        if len(found) >= limit:
            break
    newest = list(found.values())[:limit]
    if not newest:
        return []
    start = max(0, min(one.first for one in newest) - _CROSSING_NANO)
    whole = Period(start, max(one.last for one in newest) + _CROSSING_NANO)
    return stored_traces(engine, tuple(one.trace_id for one in newest), whole)


def _parts(period: Period) -> Iterator[Period]:
    """The newest first; most searches end with the last hour, whose records are read in a sixth of the time."""
    recent = max(period.start_unix_nano, period.end_unix_nano - HOUR_NANO)
    yield Period(recent, period.end_unix_nano)
    yield from newest_first(Period(period.start_unix_nano, recent))


def _seen(engine: Engine, period: Period, wanted: SpanFilter, limit: int) -> list[_Seen]:
    conditions, values = _matching(wanted)
    rows = engine.sql(
        f"""
        SELECT trace_id, min(event_unix_nano), max(event_unix_nano) AS newest FROM traces
        WHERE length(trace_id) = 32 AND {" AND ".join(conditions)}
        GROUP BY trace_id ORDER BY newest DESC, trace_id LIMIT ?
        """,  # noqa: S608  # our own expressions
        [*values, limit],
        period,
    )
    return [_Seen(*row) for row in rows]


def _matching(wanted: SpanFilter) -> tuple[list[str], list[object]]:
    """What is asked of a span, and the values of its question marks."""
    conditions = ["service = ?"]
    given: list[object] = [wanted.service]
    if wanted.operation:
        conditions.append("name = ?")
        given.append(wanted.operation)
    if wanted.at_least_nano:
        conditions.append(f"{ENDED} - event_unix_nano >= ?")
        given.append(wanted.at_least_nano)
    if wanted.at_most_nano is not None:
        conditions.append(f"{ENDED} - event_unix_nano <= ?")
        given.append(wanted.at_most_nano)
    for key, value in wanted.tags:
        places, also = _places(key, value)
        conditions.append(f"coalesce({' OR '.join(places)}, false)")
        given += also
    return conditions, given


def _places(key: str, value: str) -> tuple[list[str], list[str]]:
    """Where a tag may stand, each with its question marks."""
    places, values = [f"{_OWN} = ?", f"{_OF_SENDER} = ?", _OF_EVENTS], [key, value] * 3
    if derived := _DERIVED.get(key):
        places.append(f"{derived} = ?")
        values.append(value)
    if key == "event":
        places.append(_EVENT)
        values.append(value)
    return places, values
