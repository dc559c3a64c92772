"""A course of events with their times, judged as it would be live."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from processors.judgement import Judgement
from processors.observation import (
    LogObservation,
    MetricObservation,
    Observation,
    ProbeObservation,
    SpanObservation,
    observe,
)
from processors.settings import ThresholdSettings

START = 1_795_435_200
"""2026-11-23T12:00:00Z, in seconds."""
_NANO = 1_000_000_000
_numbers = itertools.count()


def nano(seconds: float) -> int:
    """After the start."""
    return (START * 1000 + round(seconds * 1000)) * 1_000_000


def _batch() -> tuple[str, int]:
    return f"{next(_numbers):016x}", 0


def span(at: float, name: str = "GET /", *, seconds: float = 0.1, **given: Any) -> SpanObservation:
    """A span that ends, and arrives, at `at`."""
    number = next(_numbers)
    return SpanObservation(
        service=given.get("service", "app"),
        name=name,
        kind=given.get("kind", "INTERNAL"),
        status=given.get("status", "UNSET"),
        start_unix_nano=nano(at) - round(seconds * _NANO),
        end_unix_nano=nano(at),
        received_unix_nano=nano(given.get("received", at)),
        trace_id=given.get("trace_id", f"{number:032x}"),
        span_id=f"{number:016x}",
        trace_state=given.get("trace_state", ""),
        status_message="",
        exception=given.get("exception"),
        attributes=given.get("attributes", {}),
        resource=given.get("resource", {}),
        batch_id=_batch()[0],
        batch_index=0,
    )


def request(at: float, *, seconds: float = 0.1, status: int = 200, route: str = "/orders", **given: Any) -> Observation:
    attributes = {"http.request.method": "GET", "http.route": route, **given.pop("attributes", {})}
    if status:
        attributes["http.response.status_code"] = status
    return span(at, f"GET {route}", seconds=seconds, kind="SERVER", attributes=attributes, **given)


def query(at: float, *, seconds: float = 0.01) -> Observation:
    attributes = {"db.system.name": "sqlite", "db.query.summary": "SELECT orders"}
    return span(at, "SELECT orders", seconds=seconds, kind="CLIENT", attributes=attributes)


def operation(at: float, name: str, outcome: str = "success") -> Observation:
    """As `track` sends it."""
    return span(at, f"fossa.{name}", attributes={"event.outcome": outcome})


def log(at: float, body: str = "", *, event_name: str = "", **given: Any) -> LogObservation:
    return LogObservation(
        service=given.get("service", "app"),
        severity_number=given.get("severity_number", 9),
        event_name=event_name,
        body=body,
        time_unix_nano=nano(at),
        received_unix_nano=nano(given.get("received", at)),
        trace_id=given.get("trace_id", ""),
        span_id="",
        scope=given.get("scope", "app.log"),
        attributes=given.get("attributes", {}),
        resource=given.get("resource", {}),
        batch_id=_batch()[0],
        batch_index=0,
    )


def event(at: float, name: str, outcome: str = "success", **attributes: Any) -> Observation:
    """As `event` sends it."""
    return log(at, event_name=f"fossa.{name}", attributes={"event.outcome": outcome, **attributes})


def gauge(at: float, name: str, value: float, service: str = "app", **attributes: Any) -> MetricObservation:
    return point(at, name, {"value": value}, service=service, attributes=attributes)


def point(at: float, name: str, content: dict[str, Any], **given: Any) -> MetricObservation:
    attributes = given.get("attributes", {})
    return MetricObservation(
        service=given.get("service", "app"),
        name=name,
        unit="",
        type=given.get("type", "gauge"),
        temporality=given.get("temporality", ""),
        monotonic=given.get("monotonic", False),
        start_time_unix_nano=nano(given.get("start", 0)),
        time_unix_nano=nano(at),
        received_unix_nano=nano(given.get("received", at)),
        point=content,
        series=orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS),
        attributes=attributes,
        resource=given.get("resource", {"host.name": "host"}),
        batch_id=_batch()[0],
        batch_index=0,
    )


def probe(at: float, target: str, state: str = "up", kind: str = "http", days: float | None = None) -> Observation:
    return ProbeObservation("forecourt", target, kind, state, 0.01, days, 3, nano(at), nano(at), *_batch())


class Course:
    """`told` are the transitions so far, as `SECONDS STATUS SEVERITY`, for one rule."""

    def __init__(self, rule: str, rules: dict[str, Any] | None = None, **settings: Any) -> None:
        self.settings = ThresholdSettings.model_validate({"rules": rules or {}, **settings})
        self.judgement = Judgement(self.settings)
        self.rule = rule
        self.told: list[str] = []

    def feed(self, observations: Iterable[Observation], until: float | None = None) -> Course:
        """In the order of their arrival; rules are evaluated in between, and up to `until`."""
        for observation in sorted(observations, key=lambda one: one.received_unix_nano):
            self.advance(observation.received_unix_nano)
            self.judgement.observe(observation)
        if until is not None:
            self.advance(nano(until))
        return self

    def each(self, start: float, end: float, make: Callable[[float], Observation], every: float = 1.0) -> Course:
        """One observation every so many seconds."""
        count = round((end - start) / every)
        return self.feed((make(start + index * every) for index in range(count)), until=end)

    def advance(self, now: int) -> None:
        self.judgement.advance(now)
        for told in self.judgement.transitions:
            if told.rule == self.rule:
                self.told.append(f"{(told.time_unix_nano - nano(0)) / _NANO:.0f} {told.status} {told.severity}")
        self.judgement.transitions.clear()

    @property
    def evaluation(self) -> Any:
        """The rule's one evaluation of the last tick."""
        (found,) = [one for one in self.judgement.evaluations if one.rule == self.rule]
        return found

    @property
    def keys(self) -> set[tuple[str, ...]]:
        return {tuple(value for _, value in one.key) for one in self.judgement.evaluations if one.rule == self.rule}

    def restarted(self, seconds_away: float) -> Course:
        """Another process that goes on from the state of this one."""
        state = orjson.loads(orjson.dumps(self.judgement.to_state(), option=orjson.OPT_NON_STR_KEYS))
        away = self.judgement.tick_unix_nano + round(seconds_away * _NANO)
        self.judgement = Judgement(self.settings)
        self.judgement.restore(state)
        self.judgement.resume(away)
        return self

    def lines(self) -> dict[str, list[dict[str, Any]]]:
        """The derived records since they were last taken, by stream."""
        return {
            stream: [orjson.loads(line) for line in content.splitlines()]
            for stream, content, _ in self.judgement.lines.take()
        }


__all__ = [
    "START",
    "Course",
    "event",
    "gauge",
    "log",
    "nano",
    "observe",
    "operation",
    "point",
    "probe",
    "query",
    "request",
    "span",
]
