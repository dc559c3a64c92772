from __future__ import annotations

import base64
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from opentelemetry.sdk.trace import Span
from starlette.types import Message, Scope

from instrumentation.events import record_event
from instrumentation.identity import Hasher

_NAMES = ("id", "user_id", "sub", "username", "email", "identity", "display_name")
_COOKIES = ("session", "sessionid", "session_id", "access_token")
_SESSIONS = 10_000
_FAILED = 400


class Users:
    """Who sent a request, hashed; and what follows: the first sight of a session, data taken along."""

    def __init__(self, hasher: Hasher, exports: Iterable[str]) -> None:
        """`exports` are templates of routes whose answers are data exports, attachment or not."""
        self._hasher = hasher
        self._exports = frozenset(exports)
        self._seen: OrderedDict[str, None] = OrderedDict()

    def session(self, scope: Scope) -> str | None:
        token = _token(scope)
        return self._hasher.hash(token) if token else None

    def user(self, scope: Scope) -> str | None:
        """From `request.state.user`, else `scope["user"]`, else the subject of the token."""
        state = scope.get("state") or {}
        for held in (state.get("user"), state.get("user_id"), scope.get("user")):
            name = _name(held)
            if name:
                return self._hasher.user(name)
        subject = _subject(_token(scope) or "")
        return self._hasher.user(subject) if subject else None

    def response(self, scope: Scope, message: Message, span: Span, session: str | None) -> None:
        headers = {name.lower(): value for name, value in message.get("headers", ())}
        attributes = span.attributes or {}
        known = {
            key: attributes[key]
            for key in ("user.id", "session.id", "client.address", "http.route")
            if key in attributes
        }
        failed = message["status"] >= _FAILED
        if session and not failed and self._is_first_sight(session):
            record_event("session.activity", "success", known)
        attached = headers.get(b"content-disposition", b"").lower().startswith(b"attachment")
        if attached or known.get("http.route") in self._exports:
            size = headers.get(b"content-length", b"")
            measured = {"http.response.body.size": int(size)} if size.isdigit() else {}
            record_event(
                "data.export", "failure" if failed else "success", {**known, **measured, "url.path": scope["path"]}
            )

    def _is_first_sight(self, session: str) -> bool:
        first = session not in self._seen
        self._seen[session] = None
        self._seen.move_to_end(session)
        if len(self._seen) > _SESSIONS:
            self._seen.popitem(last=False)
        return first


def _token(scope: Scope) -> str | None:
    cookies = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return str(token.strip() or scheme)
        if name == b"cookie":
            cookies = value.decode("latin-1")
    if cookies is None:
        return None
    try:
        jar = SimpleCookie(cookies)
    except CookieError:
        return None
    return next((jar[name].value for name in _COOKIES if name in jar), None)


def _subject(token: str) -> str | None:
    """`sub` of a JSON web token (RFC 7519), unverified: who it names, whether or not that is true."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004  # header, payload, signature
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    subject = claims.get("sub") if isinstance(claims, dict) else None
    return str(subject) if subject else None


def _name(user: Any) -> str | None:
    if user is None or isinstance(user, str | int):
        return str(user) if user else None
    if isinstance(user, Mapping):
        held: Mapping[str, Any] = user
    elif state := getattr(user, "_sa_instance_state", None):
        # Asking an expired row for its id would send a query from here; its identity is at hand.
        return str(state.key[1][0]) if state.key else None
    elif not getattr(user, "is_authenticated", True):
        return None
    else:
        held = getattr(user, "__dict__", {})
    return next((str(held[name]) for name in _NAMES if held.get(name)), None)
