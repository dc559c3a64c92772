"""A stored record back to OTLP: the other direction of decoding, by the table in docs/architecture.md alone."""

from __future__ import annotations

import base64
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
STATUSES = ["UNSET", "OK", "ERROR"]
TEMPORALITIES = ["UNSPECIFIED", "DELTA", "CUMULATIVE"]


def value(content: Any) -> AnyValue:  # noqa: PLR0911  # one return for each kind
    if content is None:
        return AnyValue()
    if isinstance(content, bool):
        return AnyValue(bool_value=content)
    if isinstance(content, str):
        return AnyValue(string_value=content)
    if isinstance(content, int):
        return AnyValue(int_value=content)
    if isinstance(content, float):
        return AnyValue(double_value=content)
    if isinstance(content, list):
        array = AnyValue()
        array.array_value.SetInParent()
        array.array_value.values.extend(value(element) for element in content)
        return array
    if content.keys() == {"bytesValue"}:
        return AnyValue(bytes_value=base64.b64decode(content["bytesValue"]))
    if content.keys() == {"doubleValue"}:
        return AnyValue(double_value=float(content["doubleValue"]))
    pairs = content["kvlistValue"] if content.keys() == {"kvlistValue"} else content
    mapping = AnyValue()
    mapping.kvlist_value.SetInParent()
    mapping.kvlist_value.values.extend(attributes(pairs))
    return mapping


def attributes(content: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value(inner)) for key, inner in content.items()]


def number(content: Any) -> float:
    return float(content["doubleValue"]) if isinstance(content, dict) else float(content)


def resource(record: dict[str, Any]) -> tuple[Resource, str]:
    content = record["resource"]
    message = Resource(
        attributes=attributes(content["attributes"]),
        dropped_attributes_count=content.get("dropped_attributes_count", 0),
    )
    for reference in content.get("entity_refs", []):
        message.entity_refs.add(**reference)
    return message, content.get("schema_url", "")


def scope(record: dict[str, Any]) -> tuple[InstrumentationScope, str]:
    content = record["scope"]
    message = InstrumentationScope(
        name=content["name"],
        version=content.get("version", ""),
        attributes=attributes(content.get("attributes", {})),
        dropped_attributes_count=content.get("dropped_attributes_count", 0),
    )
    return message, content.get("schema_url", "")


def _id(record: dict[str, Any], field: str) -> bytes:
    return bytes.fromhex(record.get(field, ""))


def _enumerator(content: str | int, names: list[str]) -> Any:
    return content if isinstance(content, int) else names.index(content)


def span(record: dict[str, Any]) -> Span:
    message = Span(
        trace_id=_id(record, "trace_id"),
        span_id=_id(record, "span_id"),
        parent_span_id=_id(record, "parent_span_id"),
        trace_state=record.get("trace_state", ""),
        flags=record.get("flags", 0),
        name=record["name"],
        kind=_enumerator(record["kind"], KINDS),
        start_time_unix_nano=record["time_unix_nano"],
        end_time_unix_nano=record["end_time_unix_nano"],
        attributes=attributes(record["attributes"]),
        dropped_attributes_count=record.get("dropped_attributes_count", 0),
        dropped_events_count=record.get("dropped_events_count", 0),
        dropped_links_count=record.get("dropped_links_count", 0),
    )
    message.status.code = _enumerator(record["status"], STATUSES)
    message.status.message = record.get("status_message", "")
    for event in record.get("events", []):
        message.events.add(**{**event, "attributes": attributes(event["attributes"])})
    for link in record.get("links", []):
        ids = {"trace_id": _id(link, "trace_id"), "span_id": _id(link, "span_id")}
        message.links.add(**{**link, **ids, "attributes": attributes(link["attributes"])})
    return message


def log(record: dict[str, Any]) -> LogRecord:
    return LogRecord(
        time_unix_nano=record["time_unix_nano"],
        observed_time_unix_nano=record["observed_time_unix_nano"],
        severity_number=record["severity_number"],
        severity_text=record.get("severity_text", record["severity"]),
        body=value(record["body"]),
        attributes=attributes(record["attributes"]),
        dropped_attributes_count=record.get("dropped_attributes_count", 0),
        flags=record.get("flags", 0),
        trace_id=_id(record, "trace_id"),
        span_id=_id(record, "span_id"),
        event_name=record.get("event_name", ""),
    )


def metric(record: dict[str, Any]) -> Metric:
    """The metric with this one data point."""
    message = Metric(
        name=record["name"],
        description=record.get("description", ""),
        unit=record.get("unit", ""),
        metadata=attributes(record.get("metadata", {})),
    )
    data = getattr(message, record["type"])
    data.SetInParent()
    if "temporality" in record:
        data.aggregation_temporality = _enumerator(record["temporality"], TEMPORALITIES)
    if "monotonic" in record:
        data.is_monotonic = record["monotonic"]
    data.data_points.append(_POINTS[record["type"]](record))
    return message


def _shared(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "start_time_unix_nano": record["start_time_unix_nano"],
        "time_unix_nano": record["time_unix_nano"],
        "flags": record.get("flags", 0),
        "attributes": attributes(record["attributes"]),
    }


def _numeric(record: dict[str, Any]) -> dict[str, Any]:
    if "value" not in record:
        return {}
    content = record["value"]
    return {"as_int": content} if isinstance(content, int) else {"as_double": number(content)}


def _exemplars(record: dict[str, Any]) -> list[Exemplar]:
    return [
        Exemplar(
            time_unix_nano=content["time_unix_nano"],
            trace_id=_id(content, "trace_id"),
            span_id=_id(content, "span_id"),
            filtered_attributes=attributes(content.get("attributes", {})),
            **_numeric(content),
        )
        for content in record.get("exemplars", [])
    ]


def _number_point(record: dict[str, Any]) -> NumberDataPoint:
    return NumberDataPoint(**_shared(record), **_numeric(record), exemplars=_exemplars(record))


def _distribution(record: dict[str, Any]) -> dict[str, Any]:
    present = {key: number(record[key]) for key in ("sum", "min", "max") if key in record}
    return {**_shared(record), "count": record["count"], "exemplars": _exemplars(record), **present}


def _histogram(record: dict[str, Any]) -> HistogramDataPoint:
    return HistogramDataPoint(
        **_distribution(record),
        explicit_bounds=[number(bound) for bound in record["bounds"]],
        bucket_counts=record["bucket_counts"],
    )


def _exponential(record: dict[str, Any]) -> ExponentialHistogramDataPoint:
    message = ExponentialHistogramDataPoint(
        **_distribution(record),
        scale=record["scale"],
        zero_count=record["zero_count"],
        zero_threshold=number(record["zero_threshold"]),
    )
    for side in ("positive", "negative"):
        if side in record:
            getattr(message, side).SetInParent()
            getattr(message, side).offset = record[side]["offset"]
            getattr(message, side).bucket_counts.extend(record[side]["bucket_counts"])
    return message


def _summary(record: dict[str, Any]) -> SummaryDataPoint:
    message = SummaryDataPoint(**_shared(record), count=record["count"], sum=number(record["sum"]))
    for quantile in record["quantile_values"]:
        message.quantile_values.add(quantile=number(quantile["quantile"]), value=number(quantile["value"]))
    return message


_POINTS = {
    "gauge": _number_point,
    "sum": _number_point,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}
