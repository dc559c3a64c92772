from __future__ import annotations

import importlib
import logging
import os
from importlib.util import find_spec
from typing import Any

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, TracerProvider

logger = logging.getLogger("forecourt")

CLIENTS = {
    "requests": ("requests", "RequestsInstrumentor"),
    "httpx": ("httpx", "HTTPXClientInstrumentor"),
    "aiohttp": ("aiohttp_client", "AioHttpClientInstrumentor"),
    "urllib3": ("urllib3", "URLLib3Instrumentor"),
}
"""Library → module and class of the contrib instrumentation."""


def _name_server(span: Span, pool: Any, _request: Any) -> None:
    span.set_attributes({"server.address": pool.host, "server.port": pool.port or _PORTS.get(pool.scheme, 0)})


_PORTS = {"http": 80, "https": 443}
_HOOKS: dict[str, dict[str, Any]] = {"urllib3": {"request_hook": _name_server}}  # which contrib leaves out there


def use_stable_conventions() -> None:
    """Contrib reads this once, at the first use of any of its parts; what the operator set stays."""
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")


def capture_client(library: str, tracers: TracerProvider, meters: MeterProvider) -> str | None:
    """Have this HTTP client send spans and metrics; what keeps it from that, or None."""
    if find_spec(library) is None:
        return "not installed"
    module, name = CLIENTS[library]
    try:
        instrumentor = getattr(importlib.import_module(f"opentelemetry.instrumentation.{module}"), name)()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(tracer_provider=tracers, meter_provider=meters, **_HOOKS.get(library, {}))
    except Exception as error:
        logger.debug("%s can't be captured", library, exc_info=True)
        return f"{type(error).__name__}: {error}"
    return None if instrumentor.is_instrumented_by_opentelemetry else "its version is not supported"
