"""Nobody gets further than they may: who asks, from where, and whether they may change anything."""

from __future__ import annotations

import hmac
from html import escape
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.access import bodies, origins
from dashboard.access.door import Door, address_of
from dashboard.access.identity import Identity
from dashboard.access.proxies import Proxies, is_forwarded
from dashboard.access.users import digest
from dashboard.jaeger.answers import refusal as jaeger_refusal
from dashboard.site import Site

_READING = frozenset({"GET", "HEAD"})
_ANYBODY = frozenset({"/login", "/logout"})
_STREAMS = frozenset({"/live", "/logs/tail"})
_ACTION = "use the API"
_NO_COOKIES = "this page is too old, or the browser keeps no cookies: load it again"

_NOT_OURS = "another site's page may not change anything here (a proxy of yours has to hand on the Host header)"
_NO_PROXY = (
    "a proxy has sent this on, and these pages ask for no login: whoever reaches the proxy would get in. Name who may "
    "look under extensions.dashboard.users, and the proxy's address under extensions.dashboard.trusted_proxies"
)


class Guard:
    """Middleware; behind it every request has `request.state.identity`, and has been found to be allowed."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._door = Door(site)
        self._proxies = Proxies(site.settings.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
        elif not self._door.users and is_forwarded(scope):
            await _refusal(Request(scope), HTTPException(403, _NO_PROXY))(scope, receive, send)
        else:
            await self._answer(Request(self._proxies.seen_through(scope)), receive, send)

    async def _answer(self, request: Request, receive: Receive, send: Send) -> None:
        try:
            identity, by_token, cookie = await self._identify(request)
            if response := self._detour(request, identity):
                await response(request.scope, receive, send)
                return
            self._check_place(request, identity)
            receive = await self._check_change(request, identity, receive, by_token=by_token)
        except HTTPException as refused:
            await _refusal(request, refused)(request.scope, receive, send)
            return
        except ClientDisconnect:
            return
        request.state.identity = identity
        request.state.door = self._door
        await self._app(request.scope, receive, _with_cookie(send, cookie))

    async def _identify(self, request: Request) -> tuple[Identity, bool, str]:
        """Who it is, whether a token says so, and the cookie to be set."""
        door, now = self._door, self._door.site.clock()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if door.users and _is_api(request) and scheme.lower() == "bearer":
            return await self._by_token(request, _as_typed(token)), True, ""
        identity = door.sessions.identity_of(door.cookie_of(request), now)
        if identity is not None or not _begins_session(request, needs_login=bool(door.users)):
            return identity or door.sessions.nobody(), False, ""
        cookie = door.sessions.issue(None, now)
        begun = door.sessions.identity_of(cookie, now) or door.sessions.nobody()
        return begun, False, door.set_cookie(request, cookie)

    async def _by_token(self, request: Request, token: str) -> Identity:
        door, address, now = self._door, address_of(request), self._door.site.clock()
        if wait := door.attempts.wait_seconds(address, now):
            await door.refusals.limited(address, _ACTION)
            raise HTTPException(429, "too many wrong tokens: wait, or ask from elsewhere", {"Retry-After": str(wait)})
        name = door.users.named_by(token)
        if name is not None:
            door.attempts.succeeded(address)
            return door.users.identity(name)
        if door.attempts.failed(address, now, digest(token)):
            await door.refusals.failed(address, _ACTION)
        return door.sessions.nobody()

    def _detour(self, request: Request, identity: Identity) -> Response | None:
        """A link on another site brings no cookie along: the browser is asked to come again, now from here."""
        if origins.is_link_elsewhere(request) and not self._door.cookie_of(request) and not identity.logged_in:
            path = origins.asked_path(request)
            if path != "/" or _path(request) == "/":
                address = escape(path)
                return HTMLResponse(
                    f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Forecourt</title>'
                    f'<meta http-equiv="refresh" content="0;url={address}"><p><a href="{address}">Go on</a></p></html>'
                )
        return None

    def _check_place(self, request: Request, identity: Identity) -> None:
        if origins.is_embedded_elsewhere(request):
            raise HTTPException(403, "another site's page may link here and no more")
        is_free = _path(request) in _ANYBODY or (request.method in _READING and _path(request).startswith("/static/"))
        if is_free or not self._door.users or identity.logged_in:
            return
        if _is_api(request) or _path(request) in _STREAMS:
            raise HTTPException(401, "log in, or send a user's token", {"WWW-Authenticate": "Bearer"})
        if request.headers.get("hx-request"):
            raise HTTPException(401, "log in again", {"HX-Redirect": _login(origins.shown_path(request))})
        raise HTTPException(303, headers={"Location": _login(origins.asked_path(request))})

    async def _check_change(self, request: Request, identity: Identity, receive: Receive, *, by_token: bool) -> Receive:
        """What is to be handed on instead of `receive`: the body has been read."""
        bodies.refuse_large(request)
        if request.method in _READING:
            return receive
        if not origins.is_own(request):
            raise HTTPException(403, _NOT_OURS)
        if _path(request) not in _ANYBODY and not identity.may_operate:
            await self._door.refusals.forbidden(identity, address_of(request), f"{request.method} {_path(request)}")
            raise HTTPException(403, f"{identity.name} may look, and not change anything: that needs the role operate")
        given = request.headers.get("x-csrf-token")
        in_form = not by_token and given is None and not _is_api(request) and bodies.is_form(request)
        body = await bodies.read(receive, bodies.LARGEST_FORM if in_form else bodies.LARGEST_BODY)
        if in_form:
            given = str(bodies.fields(body).get("csrf", ""))
        if not by_token and not _is_same(given or "", identity.csrf):
            raise HTTPException(403, _NO_COOKIES)
        return bodies.again(body, receive)


def _as_typed(token: str) -> str:
    """Whoever types one into a command sends UTF-8."""
    return token.strip().encode("latin-1").decode("utf-8", "replace")


def _path(request: Request) -> str:
    """What routes are found by; that of `request.url` can be another one."""
    path: str = request.scope["path"]
    return path


def _is_api(request: Request) -> bool:
    """Whether programs ask, which have a token and no session."""
    return f"{_path(request)}/".startswith("/api/") or _path(request) == "/metrics"


def _is_jaegers(request: Request) -> bool:
    """Whether the path is of Jaeger's API: it lies below /api/ as well."""
    path = f"{_path(request)}/"
    return path.startswith("/api/") and not path.startswith("/api/v1/")


def _begins_session(request: Request, *, needs_login: bool) -> bool:
    """Whether the answer is a whole page, with forms."""
    path = _path(request)
    if request.method not in _READING or request.headers.get("hx-request"):
        return False
    if needs_login:
        return path == "/login"
    return path not in _STREAMS and not _is_api(request) and not path.startswith("/static/")


def _is_same(given: str, csrf: str) -> bool:
    return bool(csrf) and hmac.compare_digest(given.encode("utf-8", "replace"), csrf.encode())


def _login(path: str) -> str:
    return "/login" if path == "/" else f"/login?{urlencode({'next': path})}"


def _refusal(request: Request, refused: HTTPException) -> Response:
    if _is_api(request):
        if _is_jaegers(request):
            return jaeger_refusal(refused.detail, refused.status_code, refused.headers)
        return JSONResponse({"error": refused.detail}, refused.status_code, headers=refused.headers)
    return PlainTextResponse(f"{refused.detail}\n", refused.status_code, headers=refused.headers)


def _with_cookie(send: Send, cookie: str) -> Send:
    if not cookie:
        return send

    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"set-cookie", cookie.encode())]}
        await send(message)

    return send_with_cookie
