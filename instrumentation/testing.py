"""For the tests of apps: what would have been sent, as it would have been sent, redaction included.

In a conftest.py: `from instrumentation.testing import telemetry`, then

    def test_a_login_is_recorded(telemetry):
        TestClient(app).post("/login", …)
        assert telemetry.events("auth.login")[0].attributes["event.outcome"] == "success"
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status as StatusMessage

from instrumentation import application
from instrumentation.events import event_name
from instrumentation.export.transport import Signal

__all__ = ["Log", "Point", "Span", "Telemetry", "captured", "telemetry"]


@dataclass(frozen=True, slots=True)
class Span:
    """`kind` and `status` by the names of the record fields: SERVER, ERROR …; ids in hex; duration in seconds."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_span_id: str
    status: str
    attributes: dict[str, Any]
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class Log:
    body: Any
    severity: str
    scope: str
    event_name: str
    trace_id: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """The value of a gauge or sum; the count of a histogram, whose sum is beside it."""

    name: str
    value: float
    sum: float
    attributes: dict[str, Any]


class Telemetry:
    """Everything since it was made or last cleared."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self.bodies: list[tuple[Signal, bytes]] = []
        """The requests as they would have left, OTLP in protobuf."""

    # What a delivery does.
    def send(self, signal: Signal, body: bytes) -> None:
        self.bodies.append((signal, body))

    def flush(self, timeout_seconds: float) -> bool:  # noqa: ARG002  # as a delivery has it
        return True

    def keep(self) -> None:
        """It is kept."""

    def after_fork(self) -> None:
        self.bodies.clear()

    def shutdown(self, timeout_seconds: float) -> None:
        """Nothing waits."""

    def clear(self) -> None:
        self._pipeline.flush(1.0)
        self.bodies.clear()

    def spans(self, name: str | None = None) -> list[Span]:
        """In the order in which they ended."""
        found = []
        for body in self._bodies("traces"):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                found += [_span(span) for scope in resource.scope_spans for span in scope.spans]
        return [span for span in found if name is None or span.name == name]

    def logs(self, scope: str | None = None) -> list[Log]:
        """`scope` is the logger's name."""
        found = []
        for body in self._bodies("logs"):
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                for group in resource.scope_logs:
                    found += [_log(group.scope.name, record) for record in group.log_records]
        return [log for log in found if scope is None or log.scope == scope]

    def events(self, name: str) -> list[Log]:
        return [log for log in self.logs() if log.event_name == event_name(name)]

    def points(self, name: str) -> list[Point]:
        """The data points of this metric as they are now."""
        self.bodies = [(signal, body) for signal, body in self.bodies if signal != "metrics"]
        application.flush(1.0)
        found = []
        for body in self._bodies("metrics"):
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                metrics = [
                    metric for group in resource.scope_metrics for metric in group.metrics if metric.name == name
                ]
                found += [_point(metric.name, point) for metric in metrics for point in _points(metric)]
        return found

    def _bodies(self, wanted: Signal) -> list[bytes]:
        self._pipeline.flush(1.0)
        return [body for signal, body in self.bodies if signal == wanted]


@contextmanager
def captured() -> Iterator[Telemetry]:
    """While this lasts nothing leaves the process; instruments it, if nobody has."""
    pipeline = application.current_pipeline()
    found, before = Telemetry(pipeline), pipeline.delivery
    pipeline.flush(1.0)
    pipeline.delivery = found
    try:
        yield found
    finally:
        pipeline.flush(1.0)
        pipeline.delivery = before


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What the app sends during the test."""
    with captured() as found:
        yield found


def _span(span: SpanMessage) -> Span:
    return Span(
        name=span.name,
        kind=SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        status=StatusMessage.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        attributes=_attributes(span.attributes),
        duration_seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )


def _log(scope: str, record: Any) -> Log:
    return Log(
        body=_value(record.body),
        severity=record.severity_text,
        scope=scope,
        event_name=record.event_name,
        trace_id=record.trace_id.hex(),
        attributes=_attributes(record.attributes),
    )


def _points(metric: Any) -> Any:
    return getattr(metric, metric.WhichOneof("data")).data_points


def _point(name: str, point: Any) -> Point:
    if hasattr(point, "count"):
        return Point(name, point.count, point.sum, _attributes(point.attributes))
    value = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
    return Point(name, value, value, _attributes(point.attributes))


def _attributes(pairs: Any) -> dict[str, Any]:
    given: list[KeyValue] = list(pairs)
    return {pair.key: _value(pair.value) for pair in given}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(element) for element in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind) if kind else None
