"""What the sidecar measures itself, as an OTLP request to its own intake."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric, NumberDataPoint

from processors.derived import OWN_SERVICE

Value = tuple[float, dict[str, str]]
"""And its attributes."""


@dataclass(frozen=True, slots=True)
class Measure:
    name: str
    unit: str
    values: Iterable[Value]
    counter: bool = False


def request_of(measures: Iterable[Measure], scope_name: str, *, started_unix_nano: int, now_unix_nano: int) -> bytes:
    """An ExportMetricsServiceRequest of what can be measured here; counters run since `started_unix_nano`."""
    message = ExportMetricsServiceRequest()
    resource = message.resource_metrics.add()
    own = {"service.name": OWN_SERVICE, "host.name": socket.gethostname()}
    resource.resource.attributes.extend(_attributes(own))
    scope = resource.scope_metrics.add()
    scope.scope.name = scope_name
    for measure in measures:
        metric = _metric(measure, now_unix_nano, started_unix_nano)
        if metric is not None:
            scope.metrics.append(metric)
    return message.SerializeToString()


def _metric(measure: Measure, now: int, started: int) -> Metric | None:
    try:
        values = list(measure.values)
    except (OSError, psutil.Error, AttributeError):  # what this system does not tell
        return None
    metric = Metric(name=measure.name, unit=measure.unit)
    if measure.counter:
        metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        metric.sum.is_monotonic = True
    points = metric.sum.data_points if measure.counter else metric.gauge.data_points
    for value, attributes in values:
        start = started if measure.counter else 0
        points.append(
            NumberDataPoint(
                attributes=_attributes(attributes), start_time_unix_nano=start, time_unix_nano=now, as_double=value
            )
        )
    return metric if values else None


def _attributes(named: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in named.items()]
