"""An export request as a line of OTLP/JSON, as the specification's file exporter writes it.

https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/; ids are hexadecimal there, not base64
(https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
"""

from __future__ import annotations

import base64
from typing import Any

import orjson
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_REQUESTS: dict[str, type[Any]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
_IDS = ("traceId", "spanId", "parentSpanId")


def json_line(stream: str, body: bytes) -> bytes:
    """Of a serialised request of `traces`, `metrics` or `logs`; ended by a newline."""
    content = MessageToDict(_REQUESTS[stream].FromString(body), use_integers_for_enums=True)
    for resource in next(iter(content.values()), ()):
        for scope in (inner for key, inners in resource.items() if key.startswith("scope") for inner in inners):
            for record in _records(stream, scope):
                _write_ids(record)
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def _records(stream: str, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """All that have ids."""
    if stream == "logs":
        return list(scope.get("logRecords", ()))
    if stream == "traces":
        spans = list(scope.get("spans", ()))
        return [*spans, *(link for span in spans for link in span.get("links", ()))]
    return [
        exemplar
        for metric in scope.get("metrics", ())
        for kind in ("gauge", "sum", "histogram", "exponentialHistogram")
        for point in metric.get(kind, {}).get("dataPoints", ())
        for exemplar in point.get("exemplars", ())
    ]


def _write_ids(record: dict[str, Any]) -> None:
    for field in _IDS:
        if field in record:
            record[field] = base64.b64decode(record[field]).hex()
