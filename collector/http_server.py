"""A uvicorn server inside our own event loop, on sockets of ours."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import uvicorn

from collector.http_protocol import BoundedProtocol

_KEEP_ALIVE_SECONDS = 75
"""Longer than exporters pause between batches: a connection closed just then costs them a retry."""


def listen(endpoint: str) -> socket.socket:
    """Bind and listen on HOST:PORT, [IPv6]:PORT too; raise OSError that names the endpoint."""
    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, int(port)))
        bound.listen(1024)
    except OSError as error:
        bound.close()
        raise OSError(f"{endpoint}: can't listen here: {error.strerror or error}") from error
    return bound


def endpoint_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class HttpServer:
    """Serves `app` on `sockets` until `stop`."""

    def __init__(
        self,
        app: Any,
        sockets: Sequence[socket.socket],
        tls: ssl.SSLContext | None = None,
        protocol: type[BoundedProtocol] = BoundedProtocol,
    ) -> None:
        self._sockets = list(sockets)
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            ws="none",
            http=protocol,
            proxy_headers=False,  # an address that anybody may claim is none
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        config.load()
        config.ssl = tls
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._serving = asyncio.create_task(self._server.serve(self._sockets))
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110  # uvicorn has no event
            await asyncio.sleep(0.01)

    async def stop(self, grace_seconds: float) -> None:
        """Accept nothing more, and end when what is in flight is answered or the grace is over."""
        if self._serving is None:
            return
        self._server.config.timeout_graceful_shutdown = max(1, int(grace_seconds))
        self._server.should_exit = True
        await self._serving


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the collector's."""
        yield
