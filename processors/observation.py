"""What rules see of a record: small tuples, made while decoding or from a stored line alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

Attributes = Mapping[str, Any]

POINT_FIELDS = frozenset(
    (
        "value",
        "count",
        "sum",
        "min",
        "max",
        "bounds",
        "bucket_counts",
        "scale",
        "zero_count",
        "zero_threshold",
        "positive",
        "negative",
        "quantile_values",
        "flags",
    )
)
"""The fields of a stored data point that hold its value."""
OUTCOME = "event.outcome"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Projection:
    """The attributes that the configured rules ask for; `generation` grows whenever the set changes.

    Spans and log records that tell an outcome (`event.outcome`) are events: they keep all their attributes.
    """

    generation: int = 0
    span: frozenset[str] = frozenset()
    log: frozenset[str] = frozenset()
    metric: frozenset[str] = frozenset()
    resource: frozenset[str] = frozenset()
    metrics: frozenset[str] | None = None
    """Names of the metrics whose points are looked at; None for all."""


class ExceptionObservation(NamedTuple):
    """As the event `exception` of a span, or the attributes of a log record, tell it."""

    type: str
    message: str
    stacktrace: str


class SpanObservation(NamedTuple):
    """Times are nanoseconds since 1970, as sent: 0 where the sender gave none."""

    service: str
    name: str
    kind: str | int
    status: str | int
    start_unix_nano: int
    end_unix_nano: int
    received_unix_nano: int
    trace_id: str
    span_id: str
    trace_state: str
    status_message: str
    exception: ExceptionObservation | None
    """The last one that the span recorded."""
    attributes: Attributes
    resource: Attributes
    batch_id: str
    batch_index: int


class LogObservation(NamedTuple):
    """`time_unix_nano` is the event time: as sent, else observed, else arrival."""

    service: str
    severity_number: int
    event_name: str
    body: Any
    time_unix_nano: int
    received_unix_nano: int
    trace_id: str
    span_id: str
    scope: str
    """The logger's name."""
    attributes: Attributes
    resource: Attributes
    batch_id: str
    batch_index: int


class MetricObservation(NamedTuple):
    """`point` holds those of POINT_FIELDS that the data point has; of a metric that no rule looks at it is empty."""

    service: str
    name: str
    unit: str
    type: str
    temporality: str | int
    monotonic: bool
    start_time_unix_nano: int
    time_unix_nano: int
    received_unix_nano: int
    point: Attributes
    series: bytes
    """All attributes, serialised: what tells the series of a metric apart."""
    attributes: Attributes
    resource: Attributes
    batch_id: str
    batch_index: int


class ProbeObservation(NamedTuple):
    """What one look at a target found."""

    service: str
    target: str
    kind: str
    """http, tcp or sql."""
    state: str
    """up, down, unknown (never seen up), or for a database locked or corrupt."""
    latency_seconds: float
    certificate_days: float | None
    unhealthy_after: int
    """Failures in a row that make it down."""
    time_unix_nano: int
    received_unix_nano: int
    batch_id: str
    batch_index: int


Observation = SpanObservation | LogObservation | MetricObservation | ProbeObservation


def project(attributes: Attributes, wanted: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if key in wanted}


def _of_event(attributes: Attributes, wanted: frozenset[str]) -> Attributes:
    return attributes if OUTCOME in attributes else project(attributes, wanted)


def observe_span(
    record: Mapping[str, Any], resource: Attributes, _scope: str, projection: Projection
) -> SpanObservation:
    return SpanObservation(
        record["service"],
        record["name"],
        record["kind"],
        record["status"],
        record["time_unix_nano"],
        record["end_time_unix_nano"],
        record["received_unix_nano"],
        record["trace_id"],
        record["span_id"],
        record.get("trace_state", ""),
        record.get("status_message", ""),
        _exception(record["events"]) if "events" in record else None,
        _of_event(record["attributes"], projection.span),
        resource,
        record["batch_id"],
        record["batch_index"],
    )


def _exception(events: Iterable[Mapping[str, Any]]) -> ExceptionObservation | None:
    found = [event["attributes"] for event in events if event["name"] == "exception"]
    return exception_of(found[-1]) if found else None


def exception_of(attributes: Attributes) -> ExceptionObservation | None:
    """By the semantic conventions for exceptions."""
    kind, message = attributes.get("exception.type", ""), attributes.get("exception.message", "")
    if not kind and not message:
        return None
    return ExceptionObservation(str(kind), str(message), str(attributes.get("exception.stacktrace", "")))


def observe_log(record: Mapping[str, Any], resource: Attributes, scope: str, projection: Projection) -> LogObservation:
    return LogObservation(
        record["service"],
        record["severity_number"],
        record.get("event_name", ""),
        record["body"],
        record["time_unix_nano"] or record["observed_time_unix_nano"] or record["received_unix_nano"],
        record["received_unix_nano"],
        record.get("trace_id", ""),
        record.get("span_id", ""),
        scope,
        _of_event(record["attributes"], projection.log),
        resource,
        record["batch_id"],
        record["batch_index"],
    )


def observe_point(
    record: Mapping[str, Any], resource: Attributes, _scope: str, projection: Projection
) -> MetricObservation:
    looked_at = projection.metrics is None or record["name"] in projection.metrics
    attributes = record["attributes"]
    return MetricObservation(
        record["service"],
        record["name"],
        record.get("unit", ""),
        record["type"],
        record.get("temporality", ""),
        record.get("monotonic", False),
        record["start_time_unix_nano"],
        record["time_unix_nano"] or record["received_unix_nano"],
        record["received_unix_nano"],
        project(record, POINT_FIELDS) if looked_at else _NOTHING,
        orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS) if looked_at else b"",
        project(attributes, projection.metric) if looked_at else _NOTHING,
        resource,
        record["batch_id"],
        record["batch_index"],
    )


def observe_probe(record: Mapping[str, Any]) -> ProbeObservation:
    """From a line of the stream `health`."""
    return ProbeObservation(
        record["service"],
        record["target"],
        record["kind"],
        record["state"],
        record["latency_ms"] / 1000,
        record.get("certificate_days"),
        record["unhealthy_after"],
        record["time_unix_nano"],
        record["received_unix_nano"],
        record["batch_id"],
        record["batch_index"],
    )


_OBSERVERS: dict[str, Callable[[Mapping[str, Any], Attributes, str, Projection], Observation]] = {
    "traces": observe_span,
    "logs": observe_log,
    "metrics": observe_point,
}


def observe(stream: str, record: Mapping[str, Any], projection: Projection) -> Observation:
    """The observation that decoding made of the same record; `stream` is traces, logs, metrics or health."""
    if stream == "health":
        return observe_probe(record)
    resource = project(record["resource"]["attributes"], projection.resource)
    return _OBSERVERS[stream](record, resource, record["scope"]["name"], projection)
