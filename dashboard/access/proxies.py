"""Requests that proxies have sent on: who asks, as those proxies tell that the operator trusts."""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Iterable
from typing import TypeAlias

from starlette.datastructures import Headers
from starlette.types import Scope

_log = logging.getLogger(__name__)

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([0-9.]+):\d{1,5}")
_OF_PROXIES = frozenset({b"forwarded", b"via", b"x-real-ip"})
_MOST_PROXIES = 20
_UNKNOWN = (
    "a proxy at %s sends requests on, and extensions.dashboard.trusted_proxies does not name it: logins are limited "
    "and written down as if all of them came from there"
)


def is_forwarded(scope: Scope) -> bool:
    """Whether a header says that the request comes from somewhere else than its connection."""
    return any(name in _OF_PROXIES or name.startswith(b"x-forwarded-") for name, _ in scope["headers"])


class Proxies:
    """Those whose `X-Forwarded-For` and `X-Forwarded-Proto` count; `Forwarded` (RFC 7239) does not, which few send."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = [ipaddress.ip_network(one) for one in trusted]
        self._told = False

    def seen_through(self, scope: Scope) -> Scope:
        """With the client and the scheme that the proxies tell; as it is where nobody trusted has sent it."""
        nearest = _address((scope.get("client") or ("",))[0])
        if nearest is None or not self._trusts(nearest):
            self._tell(nearest, scope)
            return scope
        headers = Headers(scope=scope)
        secure = [one.strip().lower() for one in headers.getlist("x-forwarded-proto")] == ["https"]
        client = self._client(nearest, ",".join(headers.getlist("x-forwarded-for")))
        return {**scope, "client": (str(client), 0), **({"scheme": "https"} if secure else {})}

    def _tell(self, nearest: _Address | None, scope: Scope) -> None:
        """Once, and of what runs on this machine alone: from others, anybody may send such headers."""
        if not self._told and nearest is not None and nearest.is_loopback and is_forwarded(scope):
            self._told = True
            _log.warning(_UNKNOWN, nearest)

    def _client(self, nearest: _Address, told: str) -> _Address:
        """The first from the right that is not trusted: what stands left of it, anybody may have written."""
        client = nearest
        for text in reversed(told.rsplit(",", _MOST_PROXIES)):
            found = _address(text.strip())
            if found is None:
                break
            client = found
            if not self._trusts(client):
                break
        return client

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


def _address(text: str) -> _Address | None:
    """With or without a port; an IPv4 address that is written as an IPv6 one is the IPv4 one."""
    with_port = _WITH_PORT.fullmatch(text)
    try:
        found = ipaddress.ip_address((with_port[1] or with_port[2]) if with_port else text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
