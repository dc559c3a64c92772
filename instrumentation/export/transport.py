from __future__ import annotations

import gzip
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import urllib3
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")

_RESPONSES: Mapping[str, type[Message]] = {
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
    "logs": ExportLogsServiceResponse,
}
_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_NOT_THIS_BATCH = frozenset({400, 413, 414, 415, 422, 431, 500, 501, 505})
"""Statuses that the same bytes would get again (OTLP, "Failures" of OTLP/HTTP); a wrong token can be put right."""
_GRPC_NOT_THIS_BATCH = frozenset({"INVALID_ARGUMENT", "OUT_OF_RANGE", "DATA_LOSS", "ALREADY_EXISTS", "INTERNAL"})
_GRPC_SILENCE = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED"})
_NOT_FOUND = 404
_UNIMPLEMENTED = b"\x08\x0c"
"""How a google.rpc.Status of code 12 begins: with it the sidecar answers for a signal that it does not take."""
_LONGEST_ANSWER = 1 << 16
_ONCE = urllib3.Retry(total=False)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the requests of one signal go."""

    url: str
    """For HTTP the whole address; for gRPC scheme, host and port."""
    protocol: Literal["http/protobuf", "grpc"] = "http/protobuf"
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 10.0
    gzip: bool = False
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`delivered` is done with; `refused` will never be taken; `later` is worth another try."""

    kind: Literal["delivered", "refused", "later"]
    detail: str = ""
    retry_after_seconds: float = 0.0
    silent: bool = False
    """Whether nobody answered."""


class Transport(Protocol):
    def send(self, signal: Signal, body: bytes, timeout_seconds: float) -> Outcome: ...
    def close(self) -> None: ...


class HttpTransport:
    """OTLP/HTTP with protobuf over a connection that is kept."""

    def __init__(self, targets: Mapping[Signal, Target]) -> None:
        self._targets = targets
        self._pools: dict[Signal, urllib3.PoolManager] = {}

    def send(self, signal: Signal, body: bytes, timeout_seconds: float) -> Outcome:
        target = self._targets[signal]
        headers = {"Content-Type": "application/x-protobuf", "User-Agent": "Forecourt", **target.headers}
        if target.gzip:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        try:
            answer = self._pool(signal).request(
                "POST",
                target.url,
                body=body,
                headers=headers,
                timeout=min(timeout_seconds, target.timeout_seconds),
                retries=_ONCE,
                redirect=False,
                preload_content=False,
            )
            content = answer.read(_LONGEST_ANSWER)
            whole = not answer.read(1)
            answer.release_conn() if whole else answer.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Outcome("later", f"{target.url} does not answer: {_reason(error)}", silent=True)
        return _http_outcome(signal, target.url, answer.status, answer.headers, content)

    def _pool(self, signal: Signal) -> urllib3.PoolManager:
        pool = self._pools.get(signal)
        if pool is None:
            pool = self._pools[signal] = urllib3.PoolManager(maxsize=1, **_tls(self._targets[signal]))
        return pool

    def close(self) -> None:
        for pool in self._pools.values():
            pool.clear()


def _tls(target: Target) -> dict[str, Any]:
    if not target.url.startswith("https"):
        return {}
    context = ssl.create_default_context(cafile=target.ca_file)
    if target.certificate_file:
        context.load_cert_chain(target.certificate_file, target.key_file)
    return {"ssl_context": context}


def _reason(error: BaseException) -> str:
    return str(getattr(error, "reason", None) or error).rpartition(": ")[2] or type(error).__name__


def _http_outcome(signal: Signal, url: str, status: int, headers: Mapping[str, str], content: bytes) -> Outcome:
    if status // 100 == 2:  # noqa: PLR2004  # the class of successes
        return _success(signal, url, headers.get("Content-Type", ""), content)
    if status == _NOT_FOUND and content.startswith(_UNIMPLEMENTED):
        return _not_taken(signal, url)
    detail = f"{url} answers {status}"
    if status in _NOT_THIS_BATCH:
        return Outcome("refused", detail)
    after = headers.get("Retry-After", "")
    return Outcome("later", detail, float(after) if after.isdecimal() else 0.0)


def _not_taken(signal: Signal, url: str) -> Outcome:
    """Waiting would keep the other signals from being sent."""
    return Outcome("refused", f"{url}: the sidecar takes no {signal} (service.pipelines of its configuration has none)")


def _success(signal: Signal, url: str, content_type: str, content: bytes) -> Outcome:
    if content_type.startswith("application/json"):
        return Outcome("delivered")
    try:
        response: Any = _RESPONSES[signal].FromString(content)
    except DecodeError:
        return Outcome("later", f"{url} is no OTLP receiver: it answers a success of type {content_type or 'none'}")
    if content and not content_type.startswith("application/x-protobuf"):
        return Outcome("later", f"{url} is no OTLP receiver: it answers a success of type {content_type or 'none'}")
    partial = response.partial_success.error_message if response.HasField("partial_success") else ""
    return Outcome("delivered", f"{url} took a part: {partial}" if partial else "")


class GrpcTransport:
    """OTLP/gRPC; `grpc` is imported with the first request, since its threads don't survive a fork."""

    def __init__(self, targets: Mapping[Signal, Target]) -> None:
        self._targets = targets
        self._calls: dict[Signal, Callable[..., bytes]] = {}
        self._channels: list[Any] = []

    def send(self, signal: Signal, body: bytes, timeout_seconds: float) -> Outcome:
        import grpc  # noqa: PLC0415  # see above

        target = self._targets[signal]
        compression = grpc.Compression.Gzip if target.gzip else grpc.Compression.NoCompression
        metadata = [(name.lower(), value) for name, value in target.headers.items()]
        try:
            call = self._calls.get(signal) or self._call(signal)
            content = call(
                body,
                timeout=min(timeout_seconds, target.timeout_seconds),
                metadata=metadata,
                compression=compression,
            )
        except grpc.RpcError as error:
            code = error.code().name
            if code == "UNIMPLEMENTED":
                return _not_taken(signal, target.url)
            kind: Literal["refused", "later"] = "refused" if code in _GRPC_NOT_THIS_BATCH else "later"
            return Outcome(kind, f"{target.url} answers {code}", silent=code in _GRPC_SILENCE)
        return _success(signal, target.url, "application/x-protobuf", content)

    def _call(self, signal: Signal) -> Callable[..., bytes]:
        import grpc  # noqa: PLC0415  # see above

        target = self._targets[signal]
        address = urlsplit(target.url)
        if address.scheme == "https":
            channel = grpc.secure_channel(address.netloc, _grpc_credentials(target))
        else:
            channel = grpc.insecure_channel(address.netloc or target.url)
        self._channels.append(channel)
        call: Callable[..., bytes] = channel.unary_unary(_METHODS[signal], None, None)
        self._calls[signal] = call
        return call

    def close(self) -> None:
        for channel in self._channels:
            channel.close()


def _grpc_credentials(target: Target) -> Any:
    import grpc  # noqa: PLC0415  # see above

    def content(path: str | None) -> bytes | None:
        if path is None:
            return None
        with open(path, "rb") as file:  # noqa: PTH123  # one line
            return file.read()

    return grpc.ssl_channel_credentials(
        content(target.ca_file), content(target.key_file), content(target.certificate_file)
    )
