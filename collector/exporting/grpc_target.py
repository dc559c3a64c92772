"""OTLP/gRPC: a unary call for each request, and what its status means."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Any
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.exporting import answers
from collector.exporting.settings import OtlpGrpcSettings
from collector.exporting.target import Failure, SendError, Taken
from collector.signals import SIGNALS
from processors.endpoint import is_loopback

_METHODS = {signal.name: f"/{signal.service}/Export" for signal in SIGNALS}
_STATUS_KEY = "grpc-status-details-bin"
_MIB = 2**20
_AGAIN = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""The table of OTLP/gRPC, "Failures"."""
_OWN_FAULTS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})
_STUMBLED = _OWN_FAULTS | {grpc.StatusCode.INVALID_ARGUMENT}
"""Never the same again; but one record may be the reason, also of a fault of the receiver's."""
_SIZE_CODES = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OUT_OF_RANGE})
_SIZE_TEXT = re.compile(
    r"larger than max|exceeds (?:the )?(?:configured )?max|(?:message|length|request) (?:is )?too large", re.IGNORECASE
)
"""Of the receivers in C++, Python and Go; Java and .NET; Rust, which says OUT_OF_RANGE."""

_NOT_SO = {
    "WRONG_VERSION_NUMBER": "speaks no TLS: set tls: {insecure: true} if that is meant",
    "Failed parsing HTTP/2": "speaks no gRPC: name its port for gRPC, or use otlp_http",
}
"""What gRPC's core says of another protocol, and what to do."""
_NOT_REACHED = ("failed to connect to all addresses", "errors resolving", "DNS resolution failed")
"""How its core begins where nobody has answered; the reason comes last."""
_ADDRESS = re.compile(r"ipv[46]:(\S+): ")
"""That it has tried: of a name, or of a proxy."""
_NO_TRUST = ("CERTIFICATE_VERIFY_FAILED", "Verification Check failed")


class GrpcTarget:
    """A Target over one channel that reconnects by itself, opened with the first request."""

    def __init__(self, settings: OtlpGrpcSettings) -> None:
        self._settings = settings
        self._endpoint = settings.target
        self._timeout_seconds = settings.timeout
        self._discretion = answers.Discretion(settings.headers)
        self._metadata = tuple(
            _entry(name.lower(), value.get_secret_value()) for name, value in settings.headers.items()
        )
        self._channel: grpc.Channel | None = None
        self._exports: dict[str, Any] = {}

    def send(self, signal: str, body: bytes) -> Taken:
        if self._channel is None:
            self._open()
        try:
            answer = self._exports[signal](body, timeout=self._timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._failure(error) from None  # the cause holds what the other side said, secrets too
        try:
            return answers.taken(signal, answer, self._discretion)
        except ValueError as error:
            raise SendError(
                f"{self._endpoint} is no OTLP receiver: it answered something else", Failure.AGAIN
            ) from error

    def _open(self) -> None:
        """Raise SendError when a file of `tls` can't be read: a fault of one exporter stops no other."""
        try:
            channel = _channel(self._settings)
        except OSError as error:
            raise SendError(f"{self._endpoint} is not asked: {error}", Failure.REFUSED) from error
        self._exports = {signal: channel.unary_unary(method, None, None) for signal, method in _METHODS.items()}
        self._channel = channel

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()

    def _failure(self, error: Any) -> SendError:
        code: grpc.StatusCode = error.code()
        details = error.details() or ""
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            told = f"{self._endpoint} did not answer within {self._timeout_seconds:g} s"
            return SendError(told, Failure.AGAIN, late=True)
        wanted = _retry_after(error.trailing_metadata() or ())
        if code is grpc.StatusCode.UNAVAILABLE and (other := next(filter(details.__contains__, _NOT_SO), None)):
            return SendError(f"{self._endpoint} {_NOT_SO[other]}", Failure.AGAIN)
        if code is grpc.StatusCode.UNAVAILABLE and details.startswith(_NOT_REACHED):
            return SendError(self._unreached(details), Failure.AGAIN)
        said = self._discretion.told(details)
        message = f"{self._endpoint} answered {code.name}" + (f": {said}" if said else "")
        return SendError(
            message,
            _meaning(code, details, wanted),
            wanted,
            unknown_signal=code is grpc.StatusCode.UNIMPLEMENTED,
            own_fault=code in _OWN_FAULTS,
        )

    def _unreached(self, details: str) -> str:
        reason = self._discretion.told(details.removesuffix(": OK").rpartition(": ")[2].rstrip("]."))
        if any(map(details.__contains__, _NO_TRUST)):
            return f"no trust between this side and {self._endpoint}: {reason}"
        found = _ADDRESS.search(details)
        address = unquote(found[1]) if found is not None else self._endpoint
        where = "" if address == self._endpoint else f" at {address}"
        return f"{self._endpoint} can't be reached{where}: {reason}"


def _meaning(code: grpc.StatusCode, details: str, retry_after_seconds: float | None) -> Failure:
    if code in _SIZE_CODES and _SIZE_TEXT.search(details):
        # "CLIENT:" is this side: an answer beyond all measure, of a receiver that may have taken the request
        return Failure.AGAIN if "CLIENT:" in details else Failure.TOO_LARGE
    if code in _AGAIN or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and retry_after_seconds is not None):
        return Failure.AGAIN
    return Failure.MALFORMED if code in _STUMBLED else Failure.REFUSED


def _retry_after(trailers: Any) -> float | None:
    """Seconds of the RetryInfo in the status; None without one."""
    for key, value in trailers:
        if key != _STATUS_KEY:
            continue
        try:
            for detail in Status.FromString(value).details:
                retry = RetryInfo()
                if detail.Unpack(retry):
                    return max(0.0, float(retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9))
        except DecodeError:
            return None
    return None


def _entry(name: str, value: str) -> tuple[str, str | bytes]:
    return (name, value.encode() if name.endswith("-bin") else value)


def _channel(settings: OtlpGrpcSettings) -> grpc.Channel:
    endpoint = settings.target
    compression = grpc.Compression.NoCompression if settings.compression == "none" else grpc.Compression.Gzip
    options = _options(endpoint, settings.tls.server_name_override)
    if not settings.secure:
        return grpc.insecure_channel(endpoint, options, compression)
    files = (settings.tls.ca_file, settings.tls.key_file, settings.tls.cert_file)
    credentials = grpc.ssl_channel_credentials(*(path.read_bytes() if path else None for path in files))
    return grpc.secure_channel(endpoint, credentials, options, compression)


def _options(endpoint: str, server_name: str) -> list[tuple[str, Any]]:
    return [
        ("grpc.primary_user_agent", f"forecourt/{metadata.version('forecourt')}"),
        ("grpc.enable_retries", 0),
        ("grpc.enable_http_proxy", 0 if is_loopback(endpoint) else 1),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", 4 * _MIB),
        # Once it is back, a receiver is found within 5 s.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # Go's servers cut off who pings more often than every 5 minutes; 20 s also bound what is sent into the void.
        ("grpc.keepalive_time_ms", 300_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        *([("grpc.ssl_target_name_override", server_name)] if server_name else []),
    ]
