"""OTLP receivers on loopback that do what a test tells them, one behaviour for each request, and what they saw.

    with scripted_http([http_answer(503, headers={"Retry-After": "1"}), http_hang()]) as server:
        ...  # server.url, server.taken
    with scripted_grpc([grpc_refusal(grpc.StatusCode.UNAVAILABLE, "away", retry_after_seconds=2)]) as server:
        ...  # server.endpoint, server.taken

After the last behaviour every request is taken. `taken` has the requests that were acknowledged with a success,
`received` all that arrived; `behaviours` may be added to while the server runs. What hangs or drips ends with the
server, after a minute at the latest.
"""

from __future__ import annotations

import gzip
import socket
import ssl
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

import grpc
import zstandard
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.signals import SIGNALS

PROTOBUF = "application/x-protobuf"
_SECONDS = 60
_MOST_BODY_BYTES = 128 * 2**20
_PATHS = {signal.path: signal.name for signal in SIGNALS}
_METHODS = {f"/{signal.service}/Export": signal.name for signal in SIGNALS}
_INFLATE: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body, _MOST_BODY_BYTES),
    "identity": bytes,
}


@dataclass(frozen=True, slots=True)
class Received:
    """`headers` (or metadata) by their lower-cased names; `body` is decompressed."""

    signal: str
    path: str
    headers: Mapping[str, Any]
    body: bytes


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`act` answers; `takes` tells whether that is a success."""

    act: Callable[..., Any]
    takes: bool = False


@dataclass(slots=True)
class Script:
    """`url` of the one over HTTP, `endpoint` (HOST:PORT) of both."""

    behaviours: deque[Behaviour]
    endpoint: str = ""
    url: str = ""
    taken: list[Received] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def next(self, received: Received, otherwise: Behaviour) -> Behaviour:
        behaviour = self.behaviours.popleft() if self.behaviours else otherwise
        self.received.append(received)
        if behaviour.takes:
            self.taken.append(received)
        return behaviour


def http_answer(
    status: int = 200, body: bytes = b"", *, kind: str = PROTOBUF, headers: Mapping[str, str] | None = None
) -> Behaviour:
    """A whole answer; one of 2xx takes the request."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(status)  # no Date nor Server of its own
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return Behaviour(act, takes=200 <= status < 300)


def http_raw(*parts: bytes) -> Behaviour:
    """These bytes, whatever they are, and the end of the connection, unannounced; without any there is no answer."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        for part in parts:
            handler.wfile.write(part)
        handler.close_connection = True

    return Behaviour(act)


def http_half(body: bytes = b"") -> Behaviour:
    """A success that breaks off: 100 bytes more are promised than come."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {PROTOBUF}\r\nContent-Length: {len(body) + 100}\r\n\r\n"
    return http_raw(head.encode(), body)


def http_hang() -> Behaviour:
    """Never an answer."""
    return Behaviour(lambda handler: handler.server.script.over.wait(_SECONDS))


def http_drip(answer: bytes = b"HTTP/1.1 200 OK\r\nX-Slow: " + 1000 * b"x", *, at_once: int = 0) -> Behaviour:
    """The first `at_once` bytes together, and then one each 20 ms; by default a header that does not end."""

    def act(handler: Any) -> None:
        handler.wfile.write(answer[:at_once])
        for byte in answer[at_once:]:
            handler.wfile.write(bytes([byte]))
            if handler.server.script.over.wait(0.02):
                return
        handler.close_connection = True

    return Behaviour(act)


def http_endless() -> Behaviour:
    """A success whose body has no end; 256 MiB are the end of this one."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {PROTOBUF}\r\n\r\n".encode()
    return http_raw(head, *(256 * [bytes(2**20)]))


def grpc_answer(body: bytes = b"") -> Behaviour:
    return Behaviour(lambda _context, _script: body, takes=True)


def grpc_refusal(
    code: grpc.StatusCode, details: str = "", *, retry_after_seconds: float | None = None, trailer: bytes | None = None
) -> Behaviour:
    """With a RetryInfo when there is something to wait for; `trailer` in place of the status' details."""

    def act(context: grpc.ServicerContext, _script: Script) -> NoReturn:
        status = trailer
        if retry_after_seconds is not None:
            status = _retry_status(code, details, retry_after_seconds)
        if status is not None:
            context.set_trailing_metadata((("grpc-status-details-bin", status),))
        context.abort(code, details)

    return Behaviour(act)


def grpc_hang() -> Behaviour:
    """Never an answer."""

    def act(_context: grpc.ServicerContext, script: Script) -> bytes:
        script.over.wait(_SECONDS)
        return b""

    return Behaviour(act)


@contextmanager
def scripted_http(
    behaviours: Iterable[Behaviour] = (), *, port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Script]:
    """Every path is taken; HTTP/1.1, so connections are kept."""
    script = Script(deque(behaviours))
    with _HttpServer(("127.0.0.1", port), script, tls) as server:
        script.endpoint = f"127.0.0.1:{server.server_port}"
        script.url = f"{'https' if tls else 'http'}://{script.endpoint}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield script
        finally:
            script.over.set()
            server.shutdown()
            thread.join()
            server.cut()


@contextmanager
def scripted_grpc(
    behaviours: Iterable[Behaviour] = (),
    *,
    port: int = 0,
    credentials: grpc.ServerCredentials | None = None,
    max_message_bytes: int = 64 * 2**20,
) -> Iterator[Script]:
    """The Export methods of the three signals; what is larger than `max_message_bytes` gRPC itself refuses."""
    script = Script(deque(behaviours))
    options = [("grpc.max_receive_message_length", max_message_bytes), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(8), [_GrpcHandler(script)], options=options)
    where = f"127.0.0.1:{port}"
    bound = server.add_secure_port(where, credentials) if credentials else server.add_insecure_port(where)
    script.endpoint = f"127.0.0.1:{bound}"
    server.start()
    try:
        yield script
    finally:
        script.over.set()
        server.stop(0).wait()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = False
    """So that the end waits for them."""

    def __init__(self, address: tuple[str, int], script: Script, tls: ssl.SSLContext | None) -> None:
        self.script = script
        self._open: list[socket.socket] = []
        super().__init__(address, _HttpHandler)
        if tls is not None:  # the handshake is made where the connection is read: a bad one stops nobody else
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.settimeout(_SECONDS)
        self._open.append(connection)
        self.script.connections += 1
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # the client has gone, or trusts nobody
            super().handle_error(request, client_address)

    def cut(self) -> None:
        for connection in self._open:
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def do_POST(self) -> None:  # the library's
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(min(int(headers.get("content-length", 0)), _MOST_BODY_BYTES))
        body = _INFLATE[headers.get("content-encoding", "identity")](body)
        received = Received(_PATHS.get(self.path, ""), self.path, headers, body)
        self.server.script.next(received, http_answer()).act(self)

    def log_message(self, *_given: Any) -> None:
        """Nobody reads it."""


class _GrpcHandler(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs only
    def __init__(self, script: Script) -> None:
        self._script = script

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        method = handler_call_details.method
        if method not in _METHODS:
            return None

        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            received = Received(_METHODS[method], method, dict(context.invocation_metadata()), body)
            answer: bytes = self._script.next(received, grpc_answer()).act(context, self._script)
            return answer

        return grpc.unary_unary_rpc_method_handler(export)


def _retry_status(code: grpc.StatusCode, details: str, seconds: float) -> bytes:
    packed = AnyMessage()
    packed.Pack(RetryInfo(retry_delay=Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))))
    status: bytes = Status(code=code.value[0], message=details, details=[packed]).SerializeToString()
    return status
