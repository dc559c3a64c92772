from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest
from opentelemetry import metrics, trace

from instrumentation.capture.http_clients import CLIENTS, capture_client
from instrumentation.testing import telemetry

__all__ = ["telemetry"]

_given_back: set[str] = set()
_own_lines = logging.getLogger("forecourt")


@pytest.fixture(autouse=True)
def _the_process_is_given_back() -> Iterator[None]:
    """It is instrumented once and for good; other tests want HTTP clients that add no header, and no log but theirs."""
    _own_lines.removeFilter(_is_not_of_delivery)
    for library in _given_back:
        assert capture_client(library, trace.get_tracer_provider(), metrics.get_meter_provider()) is None
    yield
    for library, (module, name) in CLIENTS.items():
        imported = sys.modules.get(f"opentelemetry.instrumentation.{module}")
        client = getattr(imported, name)() if imported else None
        if client is not None and client.is_instrumented_by_opentelemetry:
            client.uninstrument()
            _given_back.add(library)
    _own_lines.addFilter(_is_not_of_delivery)


def _is_not_of_delivery(record: logging.LogRecord) -> bool:
    """What is left of a test is tried on, and nobody answers."""
    return record.module != "delivery"
