"""The pages on their sockets, until somebody asks for the end."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping

from collector.http_protocol import BoundedProtocol
from collector.http_server import HttpServer, endpoint_of, listen
from dashboard.settings import PageTlsSettings
from dashboard.site import Site
from operations.event_loop import on_stop_signals
from operations.page_settings import SECURITY
from processors.endpoint import url_of

_GRACE_SECONDS = 1.0
"""Pages that are open get news until they are closed: nobody waits for them."""
_STOP_SECONDS = 4.0
"""A question to the records can take minutes, and nobody hears its answer any more."""


class PageProtocol(BoundedProtocol):
    """A page that is open has a stream without an end: it is told nothing more before uvicorn would log a fault."""

    def shutdown(self) -> None:
        super().shutdown()
        if not self.transport.is_closing():
            self.loop.call_later(_GRACE_SECONDS / 2, self.transport.close)


class PageServer:
    """Made on the loop; from then on whoever asks this process to end sets `stopping`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        # It warns of whatever is no HTTP, as often as anybody sends that.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        on_stop_signals(self.stop)

    async def serve(self, sockets: Mapping[str, socket.socket], ready: Callable[[Mapping[str, str]], None]) -> None:
        """Tell `ready` the addresses; both are by extension. Raise OSError where a certificate can't be used."""
        tls = self._site.settings.tls
        context = _tls_context(tls) if tls else None
        from dashboard.application import application  # noqa: PLC0415  # when it is known that there is a port

        security_port = sockets[SECURITY].getsockname()[1] if SECURITY in sockets else None
        app = application(self._site, security_port=security_port)
        server = HttpServer(app, list(sockets.values()), context, PageProtocol)
        await server.start()
        ready({name: url_of(endpoint_of(bound), secure=tls is not None) for name, bound in sockets.items()})
        await self.stopping.wait()
        await server.stop(_GRACE_SECONDS)

    def stop(self) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self.stopping.is_set():
            return
        self.stopping.set()
        insisting = threading.Timer(_STOP_SECONDS, os._exit, (0,))
        insisting.daemon = True
        insisting.start()


def listen_all(endpoints: Mapping[str, str]) -> dict[str, socket.socket]:
    """On all of them or on none; raise OSError that names the one."""
    bound: dict[str, socket.socket] = {}
    try:
        for name, endpoint in endpoints.items():
            bound[name] = listen(endpoint)
    except OSError:
        for one in bound.values():
            one.close()
        raise
    return bound


def _tls_context(settings: PageTlsSettings) -> ssl.SSLContext:
    """Raise OSError that names the setting."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        raise OSError(f"extensions.dashboard.tls: {settings.cert_file}, {settings.key_file}: {error}") from error
    return context
