"""Export requests over either transport, and what came back."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.support.otlp import PROTOBUF
from tests.support.sidecar import Sidecar

TRACE_SERVICE = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    headers: dict[str, str]
    body: bytes

    def status(self) -> Status:
        return Status.FromString(self.body)

    def success(self) -> ExportTraceServiceResponse:
        return ExportTraceServiceResponse.FromString(self.body)


def post(
    sidecar: Sidecar,
    body: bytes,
    headers: dict[str, str] | None = None,
    path: str = "/v1/traces",
    method: str = "POST",
) -> Answer:
    connection = sidecar.connect()
    try:
        connection.request(method, path, body, PROTOBUF if headers is None else headers)
        return read(connection)
    finally:
        connection.close()


def read(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, response.read())


def channel(sidecar: Sidecar, **options: int) -> grpc.Channel:
    given = [(f"grpc.{name}", value) for name, value in options.items()]
    return grpc.insecure_channel(sidecar.endpoints["grpc"], given)


def call(
    sidecar: Sidecar,
    body: bytes,
    method: str = TRACE_SERVICE,
    *,
    metadata: Sequence[tuple[str, str]] = (),
    compression: grpc.Compression = grpc.Compression.NoCompression,
) -> bytes:
    """The answer's bytes; raise grpc.RpcError."""
    with channel(sidecar) as open_channel:
        export: Any = open_channel.unary_unary(method)
        answer: bytes = export(body, timeout=20, metadata=metadata, compression=compression)
        return answer


def failure(sidecar: Sidecar, body: bytes, method: str = TRACE_SERVICE, **options: Any) -> Any:
    """The error that the call ends with: code(), details(), trailing_metadata()."""
    try:
        call(sidecar, body, method, **options)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")
