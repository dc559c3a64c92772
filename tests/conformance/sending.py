"""What these tests send, and how they find it again."""

from __future__ import annotations

import json
import socket
from typing import Any

from tests.support.export import TRACE_SERVICE
from tests.support.otlp import span_id
from tests.support.sidecar import Sidecar

MIB = 2**20
METHODS = {
    "traces": TRACE_SERVICE,
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


def json_request(*spans: dict[str, Any], **others: Any) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}], **others}]}).encode()


def json_span(number: int, **fields: Any) -> dict[str, Any]:
    return {"traceId": f"{number + 1:032x}", "spanId": span_id(number), "name": f"span {number}", **fields}


def kept(sidecar: Sidecar, *numbers: int) -> bool:
    ids = {record["span_id"] for record in sidecar.records("traces")}
    return {span_id(number) for number in numbers} <= ids


def record_of(sidecar: Sidecar, number: int) -> dict[str, Any]:
    (record,) = [record for record in sidecar.records("traces") if record["span_id"] == span_id(number)]
    return record


class Occupied:
    """A connection that has reserved nearly all of the bytes in flight and sends no body yet."""

    def __init__(self, sidecar: Sidecar, length: int = MIB - 100) -> None:
        host, port = sidecar.endpoints["http"].split(":")
        self._socket = socket.create_connection((host, int(port)))
        head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
        self._socket.sendall(head.encode() + b"Content-Type: application/x-protobuf\r\nExpect: 100-continue\r\n\r\n")
        # The answer to Expect shows that the body is being waited for, so its bytes are reserved.
        assert b"100 Continue" in self._socket.recv(1000)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._socket.close()
