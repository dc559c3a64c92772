"""The three signals and what the protocol calls their parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse


@dataclass(frozen=True, slots=True)
class Signal:
    name: str
    """As in the stream, the pipeline and the path: traces, metrics or logs."""
    records: str
    """As in the Collector's metrics: spans, metric_points or log_records."""
    service: str
    response: type[Any]
    rejected_field: str
    rejected_key: str

    @property
    def path(self) -> str:
        return f"/v1/{self.name}"


TRACES = Signal(
    "traces",
    "spans",
    "opentelemetry.proto.collector.trace.v1.TraceService",
    ExportTraceServiceResponse,
    "rejected_spans",
    "rejectedSpans",
)
METRICS = Signal(
    "metrics",
    "metric_points",
    "opentelemetry.proto.collector.metrics.v1.MetricsService",
    ExportMetricsServiceResponse,
    "rejected_data_points",
    "rejectedDataPoints",
)
LOGS = Signal(
    "logs",
    "log_records",
    "opentelemetry.proto.collector.logs.v1.LogsService",
    ExportLogsServiceResponse,
    "rejected_log_records",
    "rejectedLogRecords",
)
SIGNALS = (TRACES, METRICS, LOGS)
