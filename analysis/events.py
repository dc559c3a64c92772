"""What happened in the business and to its security: events by name, with their outcomes, reasons and times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.engine import Engine
from analysis.limited import parsed_object
from analysis.period import Period

PARTS = 12
_PREFIX = "fossa."


@dataclass(frozen=True, slots=True)
class EventCount:
    """Of one name; times in seconds, None for moments."""

    event: str
    service: str
    count: int
    successes: int
    failures: int
    users: int
    p50: float | None
    p95: float | None
    max: float | None
    first_unix_nano: int
    last_unix_nano: int

    @property
    def success_rate(self) -> float | None:
        """None where nothing succeeded or failed."""
        told = self.successes + self.failures
        return self.successes / told if told else None


@dataclass(slots=True)
class Failures:
    """Of one event for one reason."""

    event: str
    reason: str
    count: int = 0
    last_unix_nano: int = 0
    trace_id: str = ""
    examples: Counter[str] = field(default_factory=Counter)
    """What they were about: a work order, a pump, a queue …"""


@dataclass(frozen=True, slots=True)
class Moment:
    """One event as it was."""

    time_unix_nano: int
    service: str
    event: str
    outcome: str
    seconds: float | None
    trace_id: str
    attributes: dict[str, Any]


USER = "coalesce(attr(attributes, 'user.id'), attr(attributes, 'enduser.id'), attr(attributes, 'user.name'))"
_REASON = """coalesce(attr(attributes, 'event.reason'), attr(attributes, 'error.type'),
    attr(attributes, 'exception.type'), attr(attributes, 'error'), '')"""
_ABOUT = ("work_order.id", "work_order.number", "job.id", "dispenser.id", "form.id", "store.number", "url.path")


def event_counts(engine: Engine, period: Period, stream: str, events: Sequence[str] = ()) -> list[EventCount]:
    """By name, the most frequent first; only `events` and their parts if any are named (with or without `fossa.`)."""
    rows = engine.sql(
        f"""
        SELECT event, service, count(*), count(*) FILTER (WHERE outcome = 'success'),
               count(*) FILTER (WHERE outcome = 'failure'), count(DISTINCT {USER}),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
               percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds), max(seconds),
               min(event_unix_nano), max(event_unix_nano)
        FROM {stream} {_named(events)}
        GROUP BY event, service ORDER BY count(*) DESC, event, service
        """,  # noqa: S608  # our own names and question marks
        _names(events),
        period,
    )
    return [EventCount(event or "", service or "", *told) for event, service, *told in rows]


def failures(engine: Engine, period: Period, stream: str, events: Sequence[str] = ()) -> list[Failures]:
    """By event and reason, the most frequent first."""
    rows = engine.sql(
        f"""
        SELECT coalesce(event, ''), {_REASON}, event_unix_nano, trace_id, attributes
        FROM {stream} {_named(events, "outcome = 'failure'")} ORDER BY event_unix_nano
        """,  # noqa: S608  # our own names and question marks
        _names(events),
        period,
    )
    found: dict[tuple[str, str], Failures] = {}
    for event, reason, time, trace_id, attributes in rows:
        group = found.setdefault((event, reason), Failures(event, reason))
        group.count += 1
        group.last_unix_nano = time
        group.trace_id = trace_id or group.trace_id
        told = parsed_object(attributes)
        group.examples.update(f"{name}={told[name]}" for name in _ABOUT if name in told)
    return sorted(found.values(), key=lambda one: (-one.count, one.event, one.reason))


def event_course(
    engine: Engine, period: Period, stream: str, events: Sequence[str] = (), parts: int = PARTS
) -> list[tuple[int, int]]:
    """Successes and failures in so many equal parts of the period."""
    width = max(1, -(-period.nanos // parts))
    since = f"(event_unix_nano - {period.start_unix_nano})"
    rows = engine.sql(
        f"""
        WITH numbered AS (
            SELECT {since} - {since} % {width} AS begins, outcome
            FROM {stream} {_named(events)}
        )
        SELECT begins, count(*) FILTER (WHERE outcome = 'success'), count(*) FILTER (WHERE outcome = 'failure')
        FROM numbered GROUP BY begins
        """,  # noqa: S608  # our own names, numbers and question marks
        _names(events),
        period,
    )
    found = {begins // width: (successes, failed) for begins, successes, failed in rows}
    return [found.get(part, (0, 0)) for part in range(parts)]


def moments(engine: Engine, period: Period, stream: str, events: Sequence[str] = (), limit: int = 100) -> list[Moment]:
    """The last ones, newest first."""
    rows = engine.sql(
        f"""
        SELECT event_unix_nano, coalesce(service, ''), coalesce(event, ''), coalesce(outcome, ''), seconds,
               coalesce(trace_id, ''), attributes
        FROM {stream} {_named(events)} ORDER BY event_unix_nano DESC LIMIT {limit}
        """,  # noqa: S608  # our own names, numbers and question marks
        _names(events),
        period,
    )
    return [
        Moment(time, service, event, outcome, seconds, trace_id, parsed_object(attributes))
        for time, service, event, outcome, seconds, trace_id, attributes in rows
    ]


def _named(events: Sequence[str], also: str = "true") -> str:
    """A name stands for itself and for all that begins with it and a dot."""
    asked = " OR ".join("event = ? OR substr(event, 1, length(?)) = ?" for _ in range(2 * len(events)))
    return f"WHERE {also}" + (f" AND ({asked})" if asked else "")


def _names(events: Sequence[str]) -> list[str]:
    both = [name for event in events for name in (event, f"{_PREFIX}{event}")]
    return [text for name in both for text in (name, f"{name}.", f"{name}.")]
