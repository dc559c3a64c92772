"""A session of requests whose sockets can be cut from another thread."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from collector.exporting.settings import ClientTlsSettings


class Wires:
    """The sockets of a session; once cut, what waits for one ends, and no new one lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._over = False

    def add(self, wire: Any) -> None:
        wire = getattr(wire, "socket", wire)  # of TLS within the TLS of a proxy
        with self._lock:
            self._sockets = [one for one in self._sockets if one.fileno() >= 0] + [wire]
            if self._over:
                _shut(wire)

    def cut(self) -> None:
        with self._lock:
            self._over = True
            for wire in self._sockets:
                _shut(wire)


def session(tls: ClientTlsSettings, wires: Wires) -> requests.Session:
    """Shows and trusts what the settings say; keeps one connection for each address."""
    pools = _pools(wires, verified=not tls.insecure_skip_verify)
    named = {"server_hostname": tls.server_name_override} if tls.server_name_override else {}
    made = _Session()
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    made.mount("http://", _Adapter(pools))
    made.mount("https://", _Adapter(pools, **named))
    made.auth = lambda request: request  # or ~/.netrc would take the place of a configured Authorization
    return made


def _shut(wire: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(wire, socket.SHUT_RDWR)  # an SSLSocket's own takes the TLS from under its reader


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: requests would read the body, however long, to look where it leads, followed or not."""


class _Adapter(HTTPAdapter):
    def __init__(self, pools: dict[str, type[HTTPConnectionPool]], **tls: Any) -> None:
        self._pools = pools
        self._tls = tls
        super().__init__(pool_maxsize=1)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **named: Any) -> None:  # noqa: FBT001, FBT002  # the library's
        super().init_poolmanager(connections, maxsize, block, **named, **self._tls)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: Any, **named: Any) -> Any:
        proxies: Any = super().proxy_manager_for(proxy, **named, **self._tls)
        proxies.pool_classes_by_scheme = self._pools
        return proxies


def _pools(wires: Wires, *, verified: bool) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            wires.add(self.sock)

    class Secured(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            wires.add(self.sock)
            if not verified:
                self.is_verified = True  # as the operator wants it: no warning for every connection

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecuredPool(HTTPSConnectionPool):
        ConnectionCls = Secured

    return {"http": PlainPool, "https": SecuredPool}
