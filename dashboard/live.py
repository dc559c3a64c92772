"""Pages that move: what has changed is sent to whoever has the page open, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import blake2b

from dashboard.shown import Shown

_ALIVE_SECONDS = 15.0
"""Proxies cut connections on which nothing happens."""


def event(name: str, text: str) -> bytes:
    """As https://html.spec.whatwg.org/multipage/server-sent-events.html has it."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n".encode()


async def changes(
    render: Callable[[], Awaitable[Shown]], every_seconds: float, admits: Callable[[], bool] = lambda: True
) -> AsyncIterator[bytes]:
    """The content when it is another than the last one, the one that the page has already first, while it `admits`."""
    last = b""
    quiet = 0.0
    yield b"retry: 3000\n\n"
    while admits():
        shown = await render()
        digest = blake2b(shown.html.encode(), digest_size=16).digest()
        if digest != last:
            last, quiet = digest, 0.0
            yield event("content", shown.html)
        elif quiet >= _ALIVE_SECONDS:
            quiet = 0.0
            yield b": nothing new\n\n"
        await asyncio.sleep(every_seconds)
        quiet += every_seconds
