from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider
from starlette.types import ASGIApp, Receive, Scope, Send

from instrumentation.capture.routes import route_of

logger = logging.getLogger("forecourt")

_SHIM = "_forecourt_shim"
_KNOWN_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})


def capture_app(
    app: FastAPI,
    make_shim: Callable[[ASGIApp], ASGIApp],
    tracers: TracerProvider,
    meters: MeterProvider,
    *,
    operation_spans: bool,
) -> str:
    """Have each request of the app go through the shim first; by what its spans are made.

    FastAPI's own telemetry where it has it (since 0.142.4), else the contrib middleware; what the app has set up itself
    stays. At any time, also when the app serves already: `FastAPI.__call__` is the way in for every server.
    """
    _let_calls_through_shim()
    inner: ASGIApp = functools.partial(_original_call, app)
    config: Any = getattr(app, "_telemetry", None)
    if getattr(app, "_is_instrumented_by_opentelemetry", False):
        made_by = "the app's own FastAPIInstrumentor"
    elif isinstance(config, dict) and hasattr(app, "_native_telemetry"):
        made_by = "FastAPI's own telemetry" if config.get("tracing") else "nobody: FastAPI(telemetry=…) has tracing off"
        config["operation_spans"] = bool(config.get("operation_spans")) and operation_spans
        config["auto_configure"] = False  # would export everything a second time
    else:
        made_by = "OpenTelemetry's ASGI middleware"
        inner = _contrib(app, inner, tracers, meters)
    setattr(app, _SHIM, make_shim(inner))
    return made_by


def is_captured(app: FastAPI) -> bool:
    return hasattr(app, _SHIM)


def release_app(app: FastAPI) -> None:
    if is_captured(app):
        delattr(app, _SHIM)


_original_call = FastAPI.__call__


def _let_calls_through_shim() -> None:
    if FastAPI.__call__ is not _original_call:
        return

    @functools.wraps(_original_call)
    async def call(self: FastAPI, scope: Scope, receive: Receive, send: Send) -> None:
        shim = self.__dict__.get(_SHIM)
        if shim is None:
            await _original_call(self, scope, receive, send)
        else:
            await shim(scope, receive, send)

    FastAPI.__call__ = call  # type: ignore[method-assign]


def _contrib(app: FastAPI, inner: ASGIApp, tracers: TracerProvider, meters: MeterProvider) -> ASGIApp:
    def details(scope: Any) -> tuple[str, dict[str, str]]:
        route = route_of(app, scope)
        method = scope.get("method", "WS") if scope.get("method", "GET") in _KNOWN_METHODS else "HTTP"
        return (f"{method} {route}", {"http.route": route}) if route else (method, {})

    traced: Any = OpenTelemetryMiddleware(
        inner,
        default_span_details=details,
        exclude_spans=["receive", "send"],
        tracer_provider=tracers,
        meter_provider=meters,
    )

    async def unless_excluded(scope: Scope, receive: Receive, send: Send) -> None:
        excluded = "fastapi.telemetry" in scope
        await (inner if excluded else traced)(scope, receive, send)

    return unless_excluded
