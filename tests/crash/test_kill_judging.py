"""The sidecar is killed while it judges: derived streams and rollups end up as if nothing had happened."""

from __future__ import annotations

import http.client
import itertools
import random
import re
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.support.otlp import PROTOBUF
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.untraced

SPANS = 30
_SECOND = 1_000_000_000


def _requests(number: int, *, late: bool) -> bytes:
    """HTTP requests that ended now or, for rollups that close at once, hours ago; each third is an error."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.append(_attribute("service.name", "app"))
    spans = resource_spans.scope_spans.add().spans
    ended = time.time_ns() - (5 * 3600 * _SECOND if late else 0)
    for index in range(SPANS):
        span = spans.add(
            trace_id=(number * SPANS + index + 1).to_bytes(16, "big"),
            span_id=(number * SPANS + index + 1).to_bytes(8, "big"),
            name="GET /orders",
            kind=2,
            start_time_unix_nano=ended - 100_000_000,
            end_time_unix_nano=ended,
        )
        span.attributes.append(_attribute("http.request.method", "GET"))
        span.attributes.append(_attribute("http.route", "/orders"))
        span.attributes.append(KeyValue(key="http.response.status_code", value=AnyValue(int_value=200)))
        if index % 3 == 0:
            span.status.code = 2
    return request.SerializeToString()


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _send(sidecar: Sidecar, numbers: itertools.count[int]) -> None:
    connection = sidecar.connect()
    try:
        while True:
            number = next(numbers)
            connection.request("POST", "/v1/traces", _requests(number, late=number % 2 == 0), PROTOBUF)
            connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        connection.close()


def test_each_stored_record_is_derived_from_once_whenever_it_is_killed(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """In `performance` and `errors` one line each, in rollups one count each."""
    chance = random.Random(4)  # noqa: S311  # moments, not secrets
    numbers = itertools.count()
    sidecar = Sidecar(tmp_path)
    for _ in range(max(4, pytestconfig.getoption("--rounds") // 4)):
        sidecar.start()
        client = threading.Thread(target=_send, args=(sidecar, numbers))
        client.start()
        # Most often around a checkpoint, which comes with each tick and with the start.
        killer = threading.Timer(
            chance.choice([0.05, 0.3, 1.2, 2.5, 11.0 if chance.random() < 0.5 else 1.7]), sidecar.process.kill
        )
        killer.start()
        client.join()
        sidecar.kill()
    with sidecar:
        while _lag(sidecar) > 0:
            time.sleep(0.1)
    stored = {(span["batch_id"], span["batch_index"]) for span in sidecar.records("traces")}
    failed = {
        (span["batch_id"], span["batch_index"]) for span in sidecar.records("traces") if span["status"] == "ERROR"
    }
    assert len(stored) > 4 * SPANS
    assert Counter(_of(sidecar, "performance")) == Counter(stored)
    assert Counter(_of(sidecar, "errors")) == Counter(failed)
    assert _rolled_up(sidecar, tmp_path) == len(stored)


def _lag(sidecar: Sidecar) -> float:
    found = re.search(r"^forecourt_judge_lag_seconds (\S+)$", sidecar.get("metrics", "/metrics"), re.MULTILINE)
    assert found is not None
    return float(found[1])


def _of(sidecar: Sidecar, stream: str) -> list[tuple[str, int]]:
    return [(line["batch_id"], line["batch_index"]) for line in sidecar.records(stream)]


def _rolled_up(sidecar: Sidecar, folder: Path) -> int:
    """In the lines of the finest resolution, and in the minutes that the checkpoint has still open."""
    lines = [line for line in sidecar.records("rollups") if line["resolution"] == "1min"]
    connection = sqlite3.connect(folder / "logs" / ".forecourt" / "state.db")
    (content,) = connection.execute("SELECT content FROM checkpoint").fetchone()
    connection.close()
    state: dict[str, Any] = orjson.loads(content)
    still_open = [
        cell for indicator, _, _, _, cell in state["rollups"]["1min"] if indicator == "http.server.response_time"
    ]
    written = sum(line["count"] for line in lines if line["indicator"] == "http.server.response_time")
    return int(written + sum(histogram["count"] for _, histogram in still_open))
