from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from opentelemetry import metrics, trace

from instrumentation.capture.http_clients import CLIENTS, capture_client
from instrumentation.testing import telemetry

__all__ = ["telemetry"]

_given_back: set[str] = set()


@pytest.fixture(autouse=True)
def _clients_are_given_back() -> Iterator[None]:
    """A process is instrumented once and for good; other tests in it want HTTP clients that add no header."""
    for library in _given_back:
        assert capture_client(library, trace.get_tracer_provider(), metrics.get_meter_provider()) is None
    yield
    for library, (module, name) in CLIENTS.items():
        imported = sys.modules.get(f"opentelemetry.instrumentation.{module}")
        client = getattr(imported, name)() if imported else None
        if client is not None and client.is_instrumented_by_opentelemetry:
            client.uninstrument()
            _given_back.add(library)
