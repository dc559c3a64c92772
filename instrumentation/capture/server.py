from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from fastapi import FastAPI
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, detach, set_value
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from instrumentation.capture.client_address import client_address
from instrumentation.capture.routes import route_of
from instrumentation.capture.span_of_exception import remember_span
from instrumentation.capture.users import Users
from instrumentation.settings import Network

logger = logging.getLogger("forecourt")

_SEEN = "forecourt.exchange"
"""In the scope of a request that an outer app, which shares its scope with those mounted in it, has already."""
_UNAUTHORIZED = 401
"""Then nobody has looked whether the token is true."""
_UNKNOWN_ROUTE = frozenset({404, 405})


class Exchange:
    """One request or connection, from the first byte in to the last byte out."""

    __slots__ = ("address", "body_bytes", "scope", "session", "span", "user_agent")

    def __init__(self, scope: Scope, address: str | None, session: str | None) -> None:
        self.scope = scope
        self.address = address
        self.session = session
        self.span: Span | None = None
        self.body_bytes = 0
        self.user_agent = _header(scope, b"user-agent")

    def sender(self) -> dict[str, str]:
        known = {
            "client.address": self.address,
            "user_agent.original": self.user_agent,
            "session.id": self.session,
        }
        return {key: value for key, value in known.items() if value}


_exchange: ContextVar[Exchange | None] = ContextVar("forecourt_exchange", default=None)


def current_sender() -> dict[str, Any]:
    """What is known of who sent the request that is being handled."""
    exchange = _exchange.get()
    return exchange.sender() if exchange else {}


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


class ServerSpanProcessor(SpanProcessor):
    """Gives the server span what whoever makes it does not know."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002  # the SDK's signature
        if span.kind is not SpanKind.SERVER:
            return
        exchange = _exchange.get()
        if exchange is None or exchange.span is not None:
            return
        exchange.span = span
        span.set_attributes(exchange.sender())


class ServerShim:
    """Outermost around an app: each request starts in an empty context, and its span ends complete.

    uvicorn starts a connection's next request in the context of the last one, so that whatever span was current there
    would become its parent.
    """

    def __init__(
        self,
        app: FastAPI,
        inner: ASGIApp,
        *,
        trusted_proxies: Iterable[Network] = (),
        excluded: Iterable[str] = (),
        users: Users | None,
        on_loop: Callable[[asyncio.AbstractEventLoop], None],
        on_shutdown: Callable[[], None],
    ) -> None:
        self._app = app
        self._inner = inner
        self._trusted = tuple(trusted_proxies)
        self._excluded = frozenset(excluded)
        self._users = users
        self._on_loop = on_loop
        self._on_shutdown = on_shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] not in {"http", "websocket"} or _SEEN in scope:
            await self._inner(scope, receive, send)
        else:
            await self._exchange(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._on_loop(asyncio.get_running_loop())

        async def send_and_flush(message: Message) -> None:
            if message["type"] in {"lifespan.shutdown.complete", "lifespan.shutdown.failed"}:
                # Before the server hears it: what ends the process next may be a signal.
                await asyncio.get_running_loop().run_in_executor(None, self._on_shutdown)
            await send(message)

        await self._inner(scope, receive, send_and_flush)

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._on_loop(asyncio.get_running_loop())
        exchange = self._begin(scope)
        scope[_SEEN] = exchange
        token, own = attach(self._context(scope)), _exchange.set(exchange)
        try:
            await self._inner(scope, receive, self._watched(exchange, send))
        except BaseException as error:
            if exchange.span:
                remember_span(error, exchange.span.get_span_context())
            raise
        finally:
            del scope[_SEEN]
            _exchange.reset(own)
            detach(token)

    def _context(self, scope: Scope) -> Context:
        if scope["path"] not in self._excluded:
            return Context()
        scope["fastapi.telemetry"] = None  # as FastAPI marks what it leaves out itself
        return set_value(_SUPPRESS_INSTRUMENTATION_KEY, value=True, context=Context())

    def _begin(self, scope: Scope) -> Exchange:
        try:
            session = self._users.session(scope) if self._users else None
            return Exchange(scope, client_address(scope, self._trusted), session)
        except Exception:
            logger.exception("a request's sender could not be told")
            return Exchange({**scope, "headers": []}, None, None)

    def _watched(self, exchange: Exchange, send: Send) -> Send:
        async def watched(message: Message) -> None:
            try:
                kind = message["type"]
                if kind == "http.response.start":
                    self._response_started(exchange, message)
                elif kind == "http.response.body":
                    exchange.body_bytes += len(message.get("body", b""))
                    if not message.get("more_body") and exchange.span:
                        exchange.span.set_attribute("http.response.body.size", exchange.body_bytes)
                elif kind == "websocket.accept":
                    self._name_user(exchange)
            except Exception:
                logger.exception("a response could not be described")
            await send(message)

        return watched

    def _response_started(self, exchange: Exchange, message: Message) -> None:
        span = exchange.span
        if span is None:
            return
        if message["status"] not in _UNKNOWN_ROUTE:
            self._fill_route(exchange, span)
        if message["status"] != _UNAUTHORIZED:
            self._name_user(exchange)
        if self._users:
            self._users.response(exchange.scope, message, span, exchange.session)

    def _fill_route(self, exchange: Exchange, span: Span) -> None:
        """A middleware that answers by itself leaves no route behind."""
        native: Any = exchange.scope.get("fastapi.telemetry")
        if (span.attributes or {}).get("http.route") or getattr(native, "route", None):
            return
        route = route_of(self._app, exchange.scope)
        if route is None:
            return
        span.set_attribute("http.route", route)
        span.update_name(f"{exchange.scope['method']} {route}")
        if native is not None:
            native.route = route  # which is where the native duration metric takes it from

    def _name_user(self, exchange: Exchange) -> None:
        user = self._users.user(exchange.scope) if self._users and exchange.span else None
        if user and exchange.span:
            exchange.span.set_attribute("user.id", user)
