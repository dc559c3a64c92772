"""Sends through the Python SDK what the tests count: python_sdk.py grpc|http, the endpoint from the environment."""

import importlib
import logging
import sys

from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporters = f"opentelemetry.exporter.otlp.proto.{sys.argv[1]}"
resource = Resource.create({"service.name": "python"})

traces = TracerProvider(resource=resource)
span_exporter = importlib.import_module(f"{exporters}.trace_exporter").OTLPSpanExporter()
traces.add_span_processor(BatchSpanProcessor(span_exporter))
metric_exporter = importlib.import_module(f"{exporters}.metric_exporter").OTLPMetricExporter()
metrics = MeterProvider([PeriodicExportingMetricReader(metric_exporter)], resource=resource)
logs = LoggerProvider(resource=resource)
log_exporter = importlib.import_module(f"{exporters}._log_exporter").OTLPLogExporter()
logs.add_log_record_processor(BatchLogRecordProcessor(log_exporter))

log = logging.getLogger("sender")
log.addHandler(LoggingHandler(logger_provider=logs))
for number in range(100):
    with traces.get_tracer("sender").start_as_current_span(f"work {number}", attributes={"number": number}):
        log.warning("working on %d", number)
meter = metrics.get_meter("sender")
meter.create_counter("orders").add(3)
meter.create_histogram("duration").record(0.25)
for provider in (traces, metrics, logs):
    assert provider.force_flush()
    provider.shutdown()
