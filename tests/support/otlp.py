"""Export requests with spans that a test can find again by their ids."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

START = 1_795_435_200_000_000_000
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def trace_request(numbers: Iterable[int], *, attributes: int = 3, size: int = 10, start: int = START) -> bytes:
    """One request with a span for each number; its span id is the number."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="sender")))
    spans = resource_spans.scope_spans.add().spans
    for number in numbers:
        span = spans.add(
            trace_id=(number + 1).to_bytes(16, "big"),
            span_id=(number + 1).to_bytes(8, "big"),
            name=f"span {number}",
            kind=2,
            start_time_unix_nano=start + number,
            end_time_unix_nano=start + number + 1_000_000,
        )
        for key in range(attributes):
            span.attributes.append(
                KeyValue(key=f"attribute.{key}", value=AnyValue(string_value=f"{number} " + "x" * size))
            )
    return request.SerializeToString()


def span_id(number: int) -> str:
    return f"{number + 1:016x}"
