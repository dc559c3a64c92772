"""Receivers that are no sidecar: slow, refusing, silent, or something else altogether."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[socket.socket], None]


def slow(connection: socket.socket) -> None:
    """Takes everything and answers nothing for a minute."""
    connection.settimeout(60)
    while connection.recv(1 << 16):
        time.sleep(0.01)


def garbage(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    connection.sendall(b"\x00\xff\x13 I am a printer\r\n\r\n")


def web_page(connection: socket.socket) -> None:
    """Some other server on our port: 200 to everything."""
    _read(connection)
    page = b"<html>hello</html>"
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)
    )


def endless(connection: socket.socket) -> None:
    """An answer without an end."""
    _read(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n\r\n")
    for _ in range(2000):
        connection.sendall(b"\x0a" * 65536)


def refusing(status: int) -> Answer:
    def refuse(connection: socket.socket) -> None:
        _read(connection)
        connection.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)

    return refuse


def _read(connection: socket.socket) -> None:
    """One whole request."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1 << 16)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(1 << 16)


@contextmanager
def listening(answer: Answer) -> Iterator[str]:
    """The address of a server that treats each connection so."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the client has gone
                answer(self.request)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
