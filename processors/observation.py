"""What rules see of a record: small tuples, made while decoding or from a stored line alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Projection:
    """The attributes that the configured rules ask for; `generation` grows whenever the set changes."""

    generation: int = 0
    span: frozenset[str] = frozenset()
    log: frozenset[str] = frozenset()
    metric: frozenset[str] = frozenset()
    resource: frozenset[str] = frozenset()


class SpanObservation(NamedTuple):
    service: str
    name: str
    kind: str
    status: str
    start_unix_nano: int
    end_unix_nano: int
    received_unix_nano: int
    trace_id: str
    span_id: str
    trace_state: str
    attributes: Attributes
    resource: Attributes


class LogObservation(NamedTuple):
    service: str
    severity_number: int
    event_name: str
    body: Any
    time_unix_nano: int
    """The event time: as sent, else observed, else arrival."""
    received_unix_nano: int
    trace_id: str
    span_id: str
    attributes: Attributes
    resource: Attributes


class MetricObservation(NamedTuple):
    service: str
    name: str
    unit: str
    type: str
    temporality: str
    monotonic: bool
    start_time_unix_nano: int
    time_unix_nano: int
    received_unix_nano: int
    point: Attributes
    """The value fields of the record: `value`, or `count`, `sum`, `bounds` …, by the record's names."""
    attributes: Attributes
    resource: Attributes


Observation = SpanObservation | LogObservation | MetricObservation
