"""Data points as lines of the stream `metrics`; a field at its default is left out, but those that every line has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from collector.decoding.envelope import read_resource, read_scope
from collector.decoding.request import Request, Scoped
from collector.decoding.values import number, numbers

TEMPORALITIES = {0: "UNSPECIFIED", 1: "DELTA", 2: "CUMULATIVE"}


def data_points(message: Any, request: Request) -> Iterator[Scoped]:
    """The data points of each metric, with what they share."""
    for resource_metrics in message.resource_metrics:
        resource = read_resource(resource_metrics.resource, resource_metrics.schema_url, request.values)
        for scope_metrics in resource_metrics.scope_metrics:
            scope = read_scope(scope_metrics.scope, scope_metrics.schema_url, request.values)
            for metric in scope_metrics.metrics:
                kind = metric.WhichOneof("data")
                if kind is not None:
                    points = getattr(metric, kind).data_points
                    yield Scoped(resource, scope, points, _metric(metric, kind, request))


def _metric(metric: Any, kind: str, request: Request) -> dict[str, Any]:
    text = request.values.text
    content: dict[str, Any] = {"name": text(metric.name)}
    if metric.description:
        content["description"] = text(metric.description)
    if metric.unit:
        content["unit"] = text(metric.unit)
    if metric.metadata:
        content["metadata"] = request.values.attributes(metric.metadata)[0]
    content["type"] = kind
    data = getattr(metric, kind)
    if kind in {"sum", "histogram", "exponential_histogram"}:
        content["temporality"] = TEMPORALITIES.get(data.aggregation_temporality, data.aggregation_temporality)
    if kind == "sum":
        content["monotonic"] = data.is_monotonic
    return content


def point_record(point: Any, shared: Scoped, request: Request, index: int) -> tuple[dict[str, Any], int]:
    """The line's content and the event time."""
    time = point.time_unix_nano or request.received_unix_nano
    attributes, dropped = request.values.attributes(point.attributes)
    record: dict[str, Any] = {
        "timestamp": request.timestamps(time),
        "time_unix_nano": point.time_unix_nano,
        "received_unix_nano": request.received_unix_nano,
        "service": shared.resource.service,
        **(shared.metric or {}),
        "start_time_unix_nano": point.start_time_unix_nano,
    }
    if point.flags:
        record["flags"] = point.flags
    kind = record["type"]
    _VALUES[kind](record, point)
    if kind != "summary" and point.exemplars:
        record["exemplars"] = [_exemplar(exemplar, request) for exemplar in point.exemplars]
    record["batch_id"] = request.batch_id
    record["batch_index"] = index
    record["attributes"] = attributes
    if dropped:
        record["dropped_attributes_count"] = dropped
    record["resource"] = shared.resource.json
    record["scope"] = shared.scope.json
    return record, time


def _add_number(record: dict[str, Any], point: Any) -> None:
    kind = point.WhichOneof("value")
    if kind == "as_double":
        record["value"] = number(point.as_double)
    elif kind == "as_int":
        record["value"] = point.as_int


def _add_distribution(record: dict[str, Any], point: Any) -> None:
    record["count"] = point.count
    if point.HasField("sum"):
        record["sum"] = number(point.sum)
    if point.HasField("min"):
        record["min"] = number(point.min)
    if point.HasField("max"):
        record["max"] = number(point.max)


def _add_histogram(record: dict[str, Any], point: Any) -> None:
    _add_distribution(record, point)
    record["bounds"] = numbers(point.explicit_bounds)
    record["bucket_counts"] = list(point.bucket_counts)


def _add_exponential_histogram(record: dict[str, Any], point: Any) -> None:
    _add_distribution(record, point)
    record["scale"] = point.scale
    record["zero_count"] = point.zero_count
    record["zero_threshold"] = number(point.zero_threshold)
    for side in ("positive", "negative"):
        if point.HasField(side):
            buckets = getattr(point, side)
            record[side] = {"offset": buckets.offset, "bucket_counts": list(buckets.bucket_counts)}


def _add_summary(record: dict[str, Any], point: Any) -> None:
    record["count"] = point.count
    record["sum"] = number(point.sum)
    record["quantile_values"] = [
        {"quantile": number(value.quantile), "value": number(value.value)} for value in point.quantile_values
    ]


_VALUES: dict[str, Callable[[dict[str, Any], Any], None]] = {
    "gauge": _add_number,
    "sum": _add_number,
    "histogram": _add_histogram,
    "exponential_histogram": _add_exponential_histogram,
    "summary": _add_summary,
}


def _exemplar(exemplar: Any, request: Request) -> dict[str, Any]:
    content: dict[str, Any] = {"time_unix_nano": exemplar.time_unix_nano}
    _add_number(content, exemplar)
    if exemplar.trace_id:
        content["trace_id"] = exemplar.trace_id.hex()
    if exemplar.span_id:
        content["span_id"] = exemplar.span_id.hex()
    if exemplar.filtered_attributes:
        content["attributes"] = request.values.attributes(exemplar.filtered_attributes)[0]
    return content
