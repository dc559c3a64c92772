"""Where in the browser a request comes from, as https://www.w3.org/TR/fetch-metadata/ and RFC 6454 tell it."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from starlette.requests import Request

_DEFAULT_PORTS = {"http": "80", "https": "443"}
_LOCAL = re.compile(r"/(?!/)[!-\[\]-~]*")
"""Printable ASCII without the backslash, which browsers take for a slash."""
_MOST_CHARACTERS = 2000
_NO_PLACES = frozenset({"/login", "/logout"})


def is_own(request: Request) -> bool:
    """Whether nothing says that a page of somebody else has sent it; programs say nothing at all."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or _is_same(origin, request)


def is_embedded_elsewhere(request: Request) -> bool:
    """Whether a page of somebody else asks for it other than by a link: no such page has a reason to."""
    if request.headers.get("sec-fetch-site") not in {"cross-site", "same-site"}:
        return False
    return not _is_link(request)


def is_link_elsewhere(request: Request) -> bool:
    """Whether somebody follows a link on another site: cookies that are SameSite=Strict stay at home then."""
    return request.headers.get("sec-fetch-site") == "cross-site" and _is_link(request)


def local_path(text: str) -> str:
    """A path and query on this server to go on to; "/" where it is none."""
    if len(text) > _MOST_CHARACTERS or not _LOCAL.fullmatch(text) or text.partition("?")[0] in _NO_PLACES:
        return "/"
    return text


def asked_path(request: Request) -> str:
    """Path and query as they were asked for, if they are such that one can go on to them."""
    path = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    query = request.scope.get("query_string", b"")
    return local_path((path + (b"?" + query if query else b"")).decode("latin-1"))


def shown_path(request: Request) -> str:
    """As `asked_path`, and for a part of a page that htmx asks for, that of the page."""
    address = request.headers.get("hx-current-url")
    if address is None:
        return asked_path(request)
    try:
        found = urlsplit(address)
    except ValueError:
        return "/"
    return local_path(found.path + (f"?{found.query}" if found.query else ""))


def _is_link(request: Request) -> bool:
    mode, destination = (request.headers.get(f"sec-fetch-{name}", "") for name in ("mode", "dest"))
    return request.method in {"GET", "HEAD"} and mode == "navigate" and destination in {"document", ""}


def _is_same(origin: str, request: Request) -> bool:
    scheme, _, authority = origin.partition("://")
    if scheme not in _DEFAULT_PORTS or (request.scope["scheme"] == "https" and scheme != "https"):
        return False  # a proxy that ends TLS before us makes it the other way round
    return _with_port(authority, scheme) == _with_port(request.headers.get("host", ""), scheme)


def _with_port(authority: str, scheme: str) -> str:
    has_port = re.search(r":\d+$", authority) is not None
    return authority.lower() if has_port else f"{authority.lower()}:{_DEFAULT_PORTS[scheme]}"
