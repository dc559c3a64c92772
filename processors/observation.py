"""What rules see of a record: small tuples, made while decoding or from a stored line alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Attributes = Mapping[str, Any]

POINT_FIELDS = (
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
"""The fields of a stored data point that hold its value."""


@dataclass(frozen=True, slots=True)
class Projection:
    """The attributes that the configured rules ask for; `generation` grows whenever the set changes."""

    generation: int = 0
    span: frozenset[str] = frozenset()
    log: frozenset[str] = frozenset()
    metric: frozenset[str] = frozenset()
    resource: frozenset[str] = frozenset()


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
    attributes: Attributes
    resource: Attributes


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
    attributes: Attributes
    resource: Attributes


class MetricObservation(NamedTuple):
    """`point` holds those of POINT_FIELDS that the data point has."""

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
    attributes: Attributes
    resource: Attributes


Observation = SpanObservation | LogObservation | MetricObservation


def project(attributes: Attributes, wanted: Iterable[str]) -> dict[str, Any]:
    return {key: attributes[key] for key in wanted if key in attributes}


def observe_span(record: Mapping[str, Any], resource: Attributes, projection: Projection) -> SpanObservation:
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
        project(record["attributes"], projection.span),
        resource,
    )


def observe_log(record: Mapping[str, Any], resource: Attributes, projection: Projection) -> LogObservation:
    return LogObservation(
        record["service"],
        record["severity_number"],
        record.get("event_name", ""),
        record["body"],
        record["time_unix_nano"] or record["observed_time_unix_nano"] or record["received_unix_nano"],
        record["received_unix_nano"],
        record.get("trace_id", ""),
        record.get("span_id", ""),
        project(record["attributes"], projection.log),
        resource,
    )


def observe_point(record: Mapping[str, Any], resource: Attributes, projection: Projection) -> MetricObservation:
    return MetricObservation(
        record["service"],
        record["name"],
        record.get("unit", ""),
        record["type"],
        record.get("temporality", ""),
        record.get("monotonic", False),
        record["start_time_unix_nano"],
        record["time_unix_nano"],
        record["received_unix_nano"],
        project(record, POINT_FIELDS),
        project(record["attributes"], projection.metric),
        resource,
    )


_OBSERVERS: dict[str, Callable[[Mapping[str, Any], Attributes, Projection], Observation]] = {
    "traces": observe_span,
    "logs": observe_log,
    "metrics": observe_point,
}


def observe(stream: str, record: Mapping[str, Any], projection: Projection) -> Observation:
    """The observation that decoding made of the same record; `stream` is traces, logs or metrics."""
    resource = project(record["resource"]["attributes"], projection.resource)
    return _OBSERVERS[stream](record, resource, projection)
