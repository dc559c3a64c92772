"""Answers are made for those who wait: whoever leaves ends what they asked for."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READING = frozenset({"GET", "HEAD"})


class WhilePresent:
    """Middleware; what changes something is done to its end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _READING:
            await self._app(scope, receive, send)
            return
        messages: asyncio.Queue[Message] = asyncio.Queue(1)
        answering = asyncio.ensure_future(self._app(scope, messages.get, send))
        leaving = asyncio.ensure_future(_leaving(receive, messages))
        leaving.add_done_callback(lambda _: answering.cancel())
        try:
            await answering
        except asyncio.CancelledError:
            if not leaving.done():
                raise
        finally:
            leaving.cancel()


async def _leaving(receive: Receive, messages: asyncio.Queue[Message]) -> None:
    """Until it has left; what it sends meanwhile is handed on as far as somebody wants it."""
    while (message := await receive())["type"] != "http.disconnect":
        await messages.put(message)
