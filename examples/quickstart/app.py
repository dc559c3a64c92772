"""A small FastAPI app with plain OpenTelemetry: what any app does to send to Forecourt.

Run it beside `forecourt collector`:  uvicorn --app-dir examples/quickstart app:app
"""

import asyncio
import importlib.util
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from opentelemetry import _logs, metrics, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

RESOURCE = Resource.create({"service.name": "quickstart", "service.version": "1.0"})
TRACES = TracerProvider(resource=RESOURCE)
TRACES.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
METRICS = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=RESOURCE)
LOGS = LoggerProvider(resource=RESOURCE)
LOGS.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))

trace.set_tracer_provider(TRACES)
metrics.set_meter_provider(METRICS)
_logs.set_logger_provider(LOGS)

log = logging.getLogger("quickstart")
log.setLevel(logging.INFO)
log.addHandler(LoggingHandler(logger_provider=LOGS))
orders = metrics.get_meter("quickstart").create_counter("work_orders.opened")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    for provider in (TRACES, METRICS, LOGS):
        provider.shutdown()


app = FastAPI(title="Quickstart", lifespan=lifespan)
if importlib.util.find_spec("fastapi.telemetry") is None:
    # From 0.142.4 on FastAPI sends its own server spans as soon as providers exist.
    FastAPIInstrumentor.instrument_app(app)


@app.get("/")
async def home() -> dict[str, str]:
    return {"service": "quickstart"}


@app.get("/work-orders/{number}")
async def work_order(number: int) -> dict[str, int]:
    if number % 10 == 0:
        log.warning("work order %d does not exist", number)
        raise HTTPException(404, f"no work order {number}")
    with trace.get_tracer("quickstart").start_as_current_span("load work order"):
        await asyncio.sleep(0.005 * (number % 7))
    orders.add(1, {"kind": "inspection"})
    log.info("work order %d opened by user@example.com", number)
    return {"number": number, "dispensers": number % 7}


@app.get("/broken")
async def broken() -> None:
    log.error("the database does not answer, password=hunter2")
    raise RuntimeError("the database does not answer")
