"""Log records as they arrive, for whoever has them followed on a page: read once, filtered for each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from analysis.log_search import LogFilter, line_of, matches
from dashboard.live import event
from dashboard.pages.logs import log_filter
from dashboard.site import Site
from dashboard.view import View, view_of
from storage.following import Follower

_LOOK_SECONDS = 0.5
_ALIVE_LOOKS = 30
_MOST_WAITING = 500
"""Records that a viewer may be behind; what is beyond is left out, and said to be."""


class Viewer:
    """The records that one page waits for."""

    def __init__(self, wanted: LogFilter) -> None:
        self._wanted = wanted
        self._waiting: deque[Mapping[str, Any]] = deque()
        self.left_out = 0

    def offer(self, record: Mapping[str, Any]) -> None:
        if not matches(record, self._wanted):
            return
        self._waiting.append(record)
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.popleft()
            self.left_out += 1

    def take(self) -> tuple[list[Mapping[str, Any]], int]:
        """What has come since the last time, and how many more were left out."""
        taken, left_out = list(self._waiting), self.left_out
        self._waiting.clear()
        self.left_out = 0
        return taken, left_out


class Tail:
    """One reader of the folder as long as anybody looks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._viewers: set[Viewer] = set()
        self._reading: asyncio.Task[None] | None = None

    def join(self, viewer: Viewer) -> None:
        self._viewers.add(viewer)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())

    def leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)

    async def _read(self) -> None:
        follower = await asyncio.to_thread(Follower, self._folder, ("logs",))
        while self._viewers:
            for stored in await asyncio.to_thread(lambda: list(follower.poll())):
                for viewer in self._viewers:
                    viewer.offer(stored.record)
            await asyncio.sleep(_LOOK_SECONDS)


def tail_route(site: Site, templates: jinja2.Environment) -> Route:
    """`GET /logs/tail`, with the filters of the page Logs."""
    tail = Tail(site.folder)

    async def follow(request: Request) -> Response:
        wanted, problem = log_filter(dict(request.query_params))
        if problem:
            return PlainTextResponse(f"{problem}\n", 400)
        view = view_of({"zone": request.query_params.get("zone", "")}, site.clock())
        lines = _lines(tail, Viewer(wanted), templates, view)
        return StreamingResponse(lines, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    return Route("/logs/tail", follow)


async def _lines(tail: Tail, viewer: Viewer, templates: jinja2.Environment, view: View) -> AsyncIterator[bytes]:
    template = templates.get_template("log_tail.html.j2")
    tail.join(viewer)
    quiet = 0
    try:
        yield b"retry: 3000\n\n"
        while True:
            records, left_out = viewer.take()
            if left_out:
                yield event("left-out", str(left_out))
            for record in records:
                yield event("line", template.render(one=line_of(record), view=view, link=view.link))
            quiet = 0 if records else quiet + 1
            if quiet % _ALIVE_LOOKS == _ALIVE_LOOKS - 1:
                yield b": nothing new\n\n"
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        tail.leave(viewer)
