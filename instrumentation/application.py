from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
from starlette.types import ASGIApp

from instrumentation import events
from instrumentation.capture.database import DatabaseCapture
from instrumentation.capture.event_loop import EventLoopPulse
from instrumentation.capture.fastapi_app import capture_app, is_captured, release_app
from instrumentation.capture.fossawork import RATE_LIMIT_LOGGER, FossaWork, rate_limit_logged
from instrumentation.capture.http_clients import CLIENTS, capture_client, use_stable_conventions
from instrumentation.capture.logs import LogTap
from instrumentation.capture.other_loggers import capture_loguru, capture_structlog
from instrumentation.capture.scheduler import capture_scheduler
from instrumentation.capture.server import ServerShim, ServerSpanProcessor, current_sender
from instrumentation.capture.system import capture_system
from instrumentation.capture.users import Users
from instrumentation.export.log_encoding import LogItem, as_record
from instrumentation.export.pipeline import Pipeline
from instrumentation.foreign import RedactingSpanProcessor, redact_logs_first
from instrumentation.identity import Hasher, hash_key
from instrumentation.providers import provide
from instrumentation.redaction import Redactor
from instrumentation.settings import Settings, resolve, state_folder

logger = logging.getLogger("forecourt")

_SHUTDOWN_SECONDS = 4.0
_OPENTELEMETRY_HANDLERS = ("opentelemetry.sdk._logs", "opentelemetry.instrumentation.logging")


class Instrumentation:
    """Everything that one process captures and where it goes; there is one of it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._active: list[str] = []
        self._inactive: list[str] = []
        self._details: dict[str, str] = {}
        self._apps: list[Any] = []
        self._fossawork: FossaWork | None = None
        self._said_that_it_stops = False
        use_stable_conventions()
        hasher = Hasher(hash_key(os.environ, state_folder()))
        redactor = Redactor(keys=settings.redact, e_mail=hasher.e_mail)
        self._providers = provide(settings, redactor)
        self._redactor = redactor
        self._pulse = EventLoopPulse(self._providers.meters) if settings.on("event_loop") else None
        self._users = Users(hasher, settings.exports) if settings.on("users") else None
        self._database = DatabaseCapture(
            self._providers.tracers, self._providers.meters, settings.slow_statement_seconds
        )
        self._tap = LogTap(self._take_log)
        self._count_losses()
        events.describe_with(hasher.user, current_sender, self._take_log)
        self._start()

    def _start(self) -> None:
        self._attach_to_providers()
        self._part("logs", self._capture_logs)
        self._part("loguru", lambda: capture_loguru(self._take_log))
        self._part("structlog", lambda: capture_structlog(self._take_log))
        for library in CLIENTS:
            self._part(library, lambda library=library: capture_client(library, *self._tracers_and_meters()))
        self._part("system", lambda: capture_system(self._providers.meters))
        self._capture_fossawork()

    def _count_losses(self) -> None:
        """What never reached the sidecar, for whoever does not read the log."""
        meter, pipeline = self._providers.meters.get_meter("forecourt"), self.pipeline
        meter.create_observable_counter(
            "forecourt.export.dropped_records",
            [lambda _: [Observation(pipeline.dropped)]],
            "{record}",
            "Spans and log records that found the queue full or could not be encoded.",
        )
        meter.create_observable_counter(
            "forecourt.export.dropped_requests",
            [lambda _: [Observation(getattr(pipeline.delivery, "dropped", 0))]],
            "{request}",
            "Requests that were refused for good, or given up for the bounds of the spool.",
        )

    def _tracers_and_meters(self) -> tuple[Any, Any]:
        return self._providers.tracers, self._providers.meters

    def _part(self, name: str, capture: Any) -> None:
        """Have it captured and note what became of that; what goes wrong with one part leaves the others alone."""
        if not self.settings.on(name):
            self._inactive.append(f"{name} (turned off)")
            return
        try:
            obstacle = capture()
        except Exception as error:
            logger.debug("%s can't be captured", name, exc_info=True)
            obstacle = f"{type(error).__name__}: {error}"
        if obstacle:
            self._inactive.append(f"{name} ({obstacle})")
        else:
            self._active.append(name + self._details.get(name, ""))

    def _attach_to_providers(self) -> None:
        tracers, loggers = self._providers.tracers, self._providers.loggers
        if isinstance(tracers, TracerProvider):
            tracers.add_span_processor(ServerSpanProcessor())
        if "traces" not in self._providers.ours and isinstance(tracers, TracerProvider):
            tracers.add_span_processor(RedactingSpanProcessor(self._redactor))
        if "logs" not in self._providers.ours and isinstance(loggers, LoggerProvider):
            redact_logs_first(loggers, self._redactor)

    def _capture_logs(self) -> str | None:
        handlers = [handler for known in _loggers() for handler in known.handlers]
        if any(type(handler).__module__.startswith(_OPENTELEMETRY_HANDLERS) for handler in handlers):
            return "a handler of OpenTelemetry's is there already"
        self._tap.install()
        return None

    def _take_log(self, item: LogItem) -> None:
        if "logs" in self._providers.ours:
            self._providers.pipeline.add_log(item)
        else:
            self._providers.loggers.get_logger(item.scope).emit(as_record(item))

    def _capture_fossawork(self) -> None:
        if not self.settings.on("fossawork"):
            self._inactive.append("fossawork (turned off)")
            return
        self._tap.watch(RATE_LIMIT_LOGGER, rate_limit_logged)
        capture_scheduler()
        self._fossawork = FossaWork()
        self._fossawork.install()

    def add(self, app: Any, engines: Sequence[Any]) -> None:
        """An app and engines, at any time; what is there already stays as it is."""
        if app is not None and not is_captured(app):
            self._part("server", lambda: self._capture_server(app))
        if self._database.wants(engines):
            self._part("sqlalchemy", lambda: self._capture_database(engines))

    def _capture_database(self, engines: Sequence[Any]) -> str | None:
        try:
            self._database.install(engines)
        except ImportError:
            return "not installed"
        return None

    def _capture_server(self, app: Any) -> str | None:
        if not isinstance(app, FastAPI):
            return f"{type(app).__name__} is no FastAPI app"
        made_by = capture_app(
            app,
            lambda inner: self._shim(app, inner),
            *self._tracers_and_meters(),
            operation_spans=self.settings.operation_spans,
        )
        self._apps.append(app)
        self._details["server"] = f" (spans by {made_by})"
        return None

    def _shim(self, app: Any, inner: ASGIApp) -> ASGIApp:
        return ServerShim(
            app,
            inner,
            trusted_proxies=self.settings.trusted_proxies,
            excluded=self.settings.excluded,
            users=self._users,
            on_loop=self._pulse.watch if self._pulse else lambda _loop: None,
            on_shutdown=self.close_soon,
        )

    @property
    def pipeline(self) -> Pipeline:
        return self._providers.pipeline

    def report(self) -> None:
        """One line: what is active, what is not and why, and where it goes."""
        url = self.settings.targets["traces"].url.removesuffix("/v1/traces")
        active, inactive = list(self._active), list(self._inactive)
        if self._fossawork:
            (active if self._fossawork.active else inactive).append(f"fossawork ({self._fossawork})")
        foreign = sorted({"traces", "metrics", "logs"} - self._providers.ours - self.settings.disabled)
        where = f"to {url}"
        if foreign:
            where += f", but {', '.join(foreign)} through the providers that the app has set up"
        not_active = f"; not active: {', '.join(inactive)}" if inactive else ""
        logger.info("forecourt sends %s: %s%s", where, ", ".join(active), not_active)

    def flush(self, timeout_seconds: float = _SHUTDOWN_SECONDS) -> bool:
        """Send what there is now; whether the sidecar has all of it."""
        self._collect_metrics(timeout_seconds)
        return self.pipeline.flush(timeout_seconds)

    def _collect_metrics(self, timeout_seconds: float) -> None:
        if flush := getattr(self._providers.meters, "force_flush", None):
            flush(timeout_seconds * 1000)

    def close_soon(self) -> None:
        """The server says that it stops; a signal may end the process before any exit handler runs."""
        try:
            self._collect_metrics(1.0)
            self._say_that_it_stops()
            self.pipeline.close_soon()
        except Exception:
            logger.exception("telemetry could not be flushed")

    def _say_that_it_stops(self) -> None:
        """Once, so that its silence from here on alarms nobody."""
        if not self._said_that_it_stops:
            self._said_that_it_stops = True
            events.record_event("service.stopped", "success", {})

    def shutdown(self) -> None:
        started = time.monotonic()
        self._say_that_it_stops()
        self._tap.remove()
        for app in self._apps:
            release_app(app)
        if "metrics" in self._providers.ours:
            self._providers.meters.shutdown(_SHUTDOWN_SECONDS * 250)  # type: ignore[attr-defined]  # ours is the SDK's
        left = max(0.5, _SHUTDOWN_SECONDS - (time.monotonic() - started))
        self._providers.pipeline.shutdown(left)


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [logging.root, *(found for found in known if isinstance(found, logging.Logger))]


_lock = threading.RLock()
_current: Instrumentation | None = None
_ended = False


def instrument(
    app: Any = None,
    *,
    engine: Any = None,
    service_name: str | None = None,
    endpoint: str | None = None,
    spool: str | Path | Literal[True, False] | None = None,
    spool_bytes: int | None = None,
    spool_seconds: float | None = None,
    redact: Iterable[str] | None = None,
    trusted_proxies: Iterable[str] | None = None,
    exports: Iterable[str] | None = None,
    excluded: Iterable[str] | None = None,
    slow_statement_seconds: float | None = None,
    metric_interval_seconds: float | None = None,
    operation_spans: bool | None = None,
    disabled: Iterable[str] | None = None,
) -> None:
    """Have this FastAPI app send traces, metrics and logs to the sidecar. Anywhere before its first request, or later.

    `engine` is one SQLAlchemy engine or a list of them, sync or async; without it all engines are captured. What is not
    given comes from the environment, else from a default; docs/instrumentation.md lists both. A second call adds an app
    or engines and changes nothing else. Raises nothing: what can't be captured is told in the one line that it logs.
    """
    given = {key: value for key, value in locals().items() if key not in {"app", "engine"}}
    engines = engine if isinstance(engine, list | tuple) else [engine] if engine is not None else []
    with _lock:
        try:
            if current := _prepare(given):
                current.add(app, engines)
                current.report()
        except Exception:
            logger.exception("forecourt could not instrument the app, which goes on without")


def instrument_libraries() -> None:
    """Capture what there is beside the app, before it is imported: what it imports by name is captured then."""
    with _lock:
        try:
            if current := _prepare({}):
                current.add(None, [])
        except Exception:
            logger.exception("forecourt could not instrument the app, which goes on without")


def _prepare(given: Mapping[str, Any]) -> Instrumentation | None:
    global _current  # noqa: PLW0603  # there is one per process
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        logger.info("forecourt sends nothing: OTEL_SDK_DISABLED is true")
    elif _ended:
        logger.warning("forecourt was shut down in this process and can't be started again")
    elif _current is None:
        _show_own_lines()
        _current = Instrumentation(resolve(given, os.environ))
        atexit.register(shutdown)
    return _current


def _show_own_lines() -> None:
    """An app without any handler would see neither the line that tells what is active nor that the sidecar is away."""
    if not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s:     %(message)s"))
        logger.addHandler(handler)


def current_pipeline() -> Pipeline:
    """Of this process, which is instrumented now if it was not."""
    with _lock:
        current = _prepare({"spool": False}) if _current is None else _current
        if current is None:
            message = "there is nothing to capture: OTEL_SDK_DISABLED is true, or shutdown() was called"
            raise RuntimeError(message)
        return current.pipeline


def flush(timeout_seconds: float = _SHUTDOWN_SECONDS) -> bool:
    """Send what there is now and wait for it; whether the sidecar has all of it."""
    with _lock:
        return _current.flush(timeout_seconds) if _current else True


def shutdown() -> None:
    """Send what is left, within 5 s, and stop; what can't be sent waits in the spool for the next process."""
    global _current, _ended  # noqa: PLW0603  # there is one per process
    with _lock:
        current, _current = _current, None
        _ended = _ended or current is not None
    if current is None:
        return
    atexit.unregister(shutdown)
    try:
        current.shutdown()
    except Exception:
        logger.exception("forecourt could not end in order")
