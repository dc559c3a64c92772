from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from opentelemetry import _logs, metrics, propagate, trace
from opentelemetry._logs import LoggerProvider as ApiLoggerProvider
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.metrics import MeterProvider as ApiMeterProvider
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import TracerProvider as ApiTracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from instrumentation.export.delivery import Delivery
from instrumentation.export.metric_export import ForkingMetricReader, PipelineMetricExporter
from instrumentation.export.pipeline import Pipeline, PipelineLogProcessor, PipelineSpanProcessor
from instrumentation.export.spool import FolderSpool, MemorySpool, Spool
from instrumentation.export.transport import GrpcTransport, HttpTransport, Outcome, Signal, Target, Transport
from instrumentation.redaction import Redactor
from instrumentation.settings import Settings

logger = logging.getLogger("forecourt")

_DEFERRED = ("ProxyTracerProvider", "_ProxyMeterProvider", "ProxyLoggerProvider")
_MEMORY_SPOOL_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Providers:
    tracers: ApiTracerProvider
    meters: ApiMeterProvider
    loggers: ApiLoggerProvider
    pipeline: Pipeline
    ours: frozenset[Signal]
    """The signals whose providers were made here; the others the app has set up itself, exporters and all."""


def provide(settings: Settings, redactor: Redactor) -> Providers:
    """The global providers: those there are, else ones that send through a pipeline of ours."""
    configure_from_file(os.environ)
    resource = make_resource(settings)
    pipeline = Pipeline(resource.attributes, resource.schema_url, redactor, _delivery(settings))
    tracers, meters, loggers = trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()
    ours: set[Signal] = set()
    if _is_deferred(tracers) and settings.on("traces"):
        ours.add("traces")
        made = TracerProvider(resource=resource, shutdown_on_exit=False)
        made.add_span_processor(PipelineSpanProcessor(pipeline))
        trace.set_tracer_provider(made)
        tracers = made
    if _is_deferred(meters) and settings.on("metrics"):
        ours.add("metrics")
        meters = MeterProvider([_reader(settings, pipeline)], resource=resource, shutdown_on_exit=False)
        metrics.set_meter_provider(meters)
    if _is_deferred(loggers) and settings.on("logs"):
        ours.add("logs")
        loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
        loggers.add_log_record_processor(PipelineLogProcessor(pipeline))
        _logs.set_logger_provider(loggers)
    return Providers(tracers, meters, loggers, pipeline, frozenset(ours))


def configure_from_file(environ: Mapping[str, str]) -> None:
    """Apply OTEL_CONFIG_FILE, OpenTelemetry's declarative configuration, unless somebody has already."""
    path = environ.get("OTEL_CONFIG_FILE")
    if not path or not _is_deferred(trace.get_tracer_provider()):
        return
    try:
        from opentelemetry.configuration import configure_sdk, load_config_file  # noqa: PLC0415  # an extra

        configure_sdk(load_config_file(path))
        if propagate.extract({}) is None:
            # A file without a propagator leaves one that answers None, on which FastAPI's telemetry breaks requests.
            standard = [TraceContextTextMapPropagator(), W3CBaggagePropagator()]
            propagate.set_global_textmap(CompositePropagator(standard))
    except ImportError:
        logger.warning("OTEL_CONFIG_FILE is set, but not read: pip install opentelemetry-configuration")
    except Exception as error:  # noqa: BLE001  # whatever is wrong with the file, the app starts
        logger.warning("OTEL_CONFIG_FILE=%s can't be used, so the defaults are: %s", path, error)


def make_resource(settings: Settings) -> Resource:
    """The SDK's, from OTEL_RESOURCE_ATTRIBUTES and the process, and who instruments here."""
    named = {"service.name": settings.service_name} if settings.service_name else {}
    distro = {"telemetry.distro.name": "forecourt", "telemetry.distro.version": own_version()}
    return Resource.create({**named, **distro, "process.pid": os.getpid()})


def own_version() -> str:
    try:
        return version("forecourt")
    except PackageNotFoundError:
        return "unknown"


def _is_deferred(provider: Any) -> bool:
    """Whether nobody has set one: the API has no question for that."""
    return type(provider).__name__ in _DEFERRED


def _reader(settings: Settings, pipeline: Pipeline) -> MetricReader:
    return ForkingMetricReader(
        PipelineMetricExporter(pipeline), export_interval_millis=settings.metric_interval_seconds * 1000
    )


def _delivery(settings: Settings) -> Delivery:
    fallback = MemorySpool(_MEMORY_SPOOL_BYTES)
    return Delivery(lambda: EachItsTransport(settings.targets), _spool(settings) or fallback, fallback)


def _spool(settings: Settings) -> Spool | None:
    if settings.spool is None:
        return None
    name = settings.service_name or "unknown_service"
    folder = settings.spool / "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
    try:
        return FolderSpool(folder, byte_limit=settings.spool_bytes, age_limit_seconds=settings.spool_seconds)
    except OSError as error:
        logger.warning("the spool %s can't be written, so what can't be sent waits in memory: %s", folder, error)
        return None


class EachItsTransport:
    """Signals may be told to go different ways."""

    def __init__(self, targets: Mapping[Signal, Target]) -> None:
        make: dict[str, Callable[[Mapping[Signal, Target]], Transport]] = {
            "http/protobuf": HttpTransport,
            "grpc": GrpcTransport,
        }
        self._by_protocol = {protocol: make[protocol](targets) for protocol in {t.protocol for t in targets.values()}}
        self._of = {signal: self._by_protocol[target.protocol] for signal, target in targets.items()}

    def send(self, signal: Signal, body: bytes, timeout_seconds: float) -> Outcome:
        return self._of[signal].send(signal, body, timeout_seconds)

    def close(self) -> None:
        for transport in self._by_protocol.values():
            transport.close()


def enrich(tracers: ApiTracerProvider, processor: SpanProcessor) -> bool:
    """Whether the provider takes a processor: one that is not the SDK's may not."""
    add = getattr(tracers, "add_span_processor", None)
    if not callable(add):
        return False
    add(processor)
    return True
