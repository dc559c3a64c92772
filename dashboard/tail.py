"""Log records as they arrive, for whoever has them followed on a page: read once, filtered for each."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from analysis.log_search import LogFilter, LogLine, line_of, matches
from dashboard.live import event
from dashboard.pages.logs import log_filter, with_details
from dashboard.site import Site
from dashboard.view import View, view_of
from storage.following import Follower

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_ALIVE_LOOKS = 30
_MOST_WAITING = 500
"""Records that a viewer may be behind; what is beyond is left out, and said to be."""
_BRIEF = 1000
"""Characters that are kept of what is too long to be shown whole."""


class Viewer:
    """The records that one page waits for."""

    def __init__(self, wanted: LogFilter) -> None:
        self._wanted = wanted
        self._waiting: deque[tuple[LogLine, bool]] = deque()
        self.left_out = 0

    def offer(self, record: Mapping[str, Any]) -> None:
        if not matches(record, self._wanted):
            return
        self._waiting.append(_kept(line_of(record)))
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.popleft()
            self.left_out += 1

    def take(self) -> tuple[list[tuple[LogLine, bool]], int]:
        """What has come since the last time, each with whether it is whole, and how many more were left out."""
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]  # more may be coming in
        left_out = self.left_out
        self.left_out = 0
        return taken, left_out


def _kept(line: LogLine) -> tuple[LogLine, bool]:
    ((_, whole),) = with_details([line])
    if whole:
        return line, True
    return replace(line, body=line.body[:_BRIEF], exception=line.exception[:_BRIEF], attributes={}), False


class Tail:
    """One reader of the folder as long as anybody looks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._viewers: set[Viewer] = set()
        self._reading: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()

    @property
    def reads(self) -> bool:
        return self._reading is not None and not self._reading.done()

    async def join(self, viewer: Viewer) -> None:
        """From when it returns on the viewer gets all that comes."""
        self._viewers.add(viewer)
        if not self.reads:
            self._begun = asyncio.Event()
            self._reading = asyncio.create_task(self._read(self._begun))
        await self._begun.wait()

    def leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)

    def _offer(self, follower: Follower, viewers: Iterable[Viewer]) -> None:
        """In a thread: texts of others may be long."""
        for stored in follower.poll():
            for viewer in viewers:
                viewer.offer(stored.record)

    async def _read(self, begun: asyncio.Event) -> None:
        try:
            follower = await asyncio.to_thread(Follower, self._folder, ("logs",))
            begun.set()
            while self._viewers:
                await asyncio.to_thread(self._offer, follower, tuple(self._viewers))
                await asyncio.sleep(_LOOK_SECONDS)
        except OSError as error:  # who looks is told by the end of the stream, and comes again
            _log.warning("the log records can't be followed any more: %s", error)
        finally:
            begun.set()


def tail_route(site: Site, templates: jinja2.Environment) -> Route:
    """`GET /logs/tail`, with the filters of the page Logs."""
    tail = Tail(site.folder)

    async def follow(request: Request) -> Response:
        wanted, problem = log_filter(dict(request.query_params))
        if problem:
            return PlainTextResponse(f"{problem}\n", 400)
        view = view_of({"zone": request.query_params.get("zone", "")}, site.clock())
        door = request.state.door
        return _Followed(_lines(tail, Viewer(wanted), templates, view, lambda: door.admits(request)))

    return Route("/logs/tail", follow)


class _Followed(StreamingResponse):
    """Its lines end with it, also when the last one could not be sent."""

    def __init__(self, lines: AsyncGenerator[bytes, None]) -> None:
        super().__init__(lines, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._lines.aclose()


async def _lines(
    tail: Tail, viewer: Viewer, templates: jinja2.Environment, view: View, admits: Callable[[], bool]
) -> AsyncGenerator[bytes, None]:
    template = templates.get_template("log_tail.html.j2")
    quiet = 0
    try:
        await tail.join(viewer)
        yield b"retry: 3000\n\n"
        while tail.reads and admits():
            lines, left_out = viewer.take()
            if left_out:
                yield event("left-out", str(left_out))
            for line, whole in lines:
                yield event("line", template.render(one=line, detailed=whole, view=view, link=view.link))
            quiet = 0 if lines else quiet + 1
            if quiet % _ALIVE_LOOKS == _ALIVE_LOOKS - 1:
                yield b": nothing new\n\n"
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        tail.leave(viewer)
