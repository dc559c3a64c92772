"""By which names the pages may be called: a name of somebody else's that leads here is DNS rebinding."""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from alerting.plain_text import plain
from dashboard.site import Site

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:(?P<port>[0-9]{1,5}))?")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Hosts:
    """Middleware that answers 421 to any other name, 400 to none or two (RFC 9112, section 3.2).

    The address at which a connection has come in is right too: nobody needs DNS to write it.
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._endpoint = site.settings.endpoint
        own = self._endpoint.rpartition(":")[0]
        self._known = {name.lower() for name in (*_LOOPBACK, own, *site.settings.allowed_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).getlist("host")
        if len(given) == 1 and self._knows(given[0], scope):
            await self._app(scope, receive, send)
        else:
            await self._refusal(given)(scope, receive, send)

    def _knows(self, host: str, scope: Scope) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].lower()
        return not self._known.isdisjoint((name, host.lower())) or _is_address(name, (scope.get("server") or ("",))[0])

    def _refusal(self, given: list[str]) -> PlainTextResponse:
        if len(given) != 1:
            return PlainTextResponse(f"{len(given)} Host headers, expected one\n", 400)
        return PlainTextResponse(
            f"{plain(given[0], 100)}: these pages don't go by that name. Add it to extensions.dashboard.allowed_hosts "
            f"in the configuration, or use {self._endpoint}\n",
            421,
        )


def _is_address(name: str, address: str) -> bool:
    try:
        came_in = ipaddress.ip_address(address)
        return ipaddress.ip_address(name.strip("[]")) in (came_in, getattr(came_in, "ipv4_mapped", None))
    except ValueError:
        return False
