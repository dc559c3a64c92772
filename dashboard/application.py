"""The pages as one ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import Scope

from dashboard import access, actions, api, jaeger
from dashboard.compression import CompressedFiles
from dashboard.exposition import exposition_route
from dashboard.live import changes
from dashboard.page import Page
from dashboard.pages import MENU, PAGES
from dashboard.presence import WhilePresent
from dashboard.records import Records
from dashboard.rendering import environment
from dashboard.shown import Renderer, Shown, Wanted
from dashboard.site import Site
from dashboard.tail import tail_route
from dashboard.view import RANGES, REFRESHES, View, ViewError, instant

_STATIC = Path(__file__).parent / "static"
_MOST_QUERY = 40
_MOST_ID = 100
_OF_TIME = frozenset({"last", "from", "from_", "to", "path", "before", "batch", "index"})
_MOST_VALUE = 4000
_Endpoint = Callable[[Request], Awaitable[Response]]


def application(site: Site, *, security_port: int | None = None) -> Starlette:
    """Who comes to `security_port` begins at the page of security."""
    templates = environment()
    records = Records(site.folder, site.archive, site.own_folder, site.settings.memory_limit)
    pages = Pages(Renderer(site, records, templates), security_port)
    present = [Middleware(WhilePresent)]
    routes: list[BaseRoute] = [
        Route("/", pages.front),
        Route("/traces/by-id", pages.by_id),
        *(Route(page.path, pages.endpoint(page), name=page.title, middleware=present) for page in PAGES),
        Route("/live", pages.live),
        tail_route(site, templates),
        *actions.routes(site, records),
        *access.routes(site, templates),
        Mount("/api/v1", api.application(site, records)),
        Mount("/api", jaeger.application(site, records)),
        exposition_route(site, records),
        Mount("/static", _Static(directory=_STATIC)),
    ]
    return Starlette(
        routes=routes,
        middleware=access.middleware(site),
        exception_handlers={HTTPException: pages.refused, ViewError: pages.misasked},
    )


class _Static(CompressedFiles):
    """Asked for again each time, which costs nothing on loopback: after an upgrade no old script meets a new page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response


class Pages:
    """Addresses and what they answer."""

    def __init__(self, renderer: Renderer, security_port: int | None) -> None:
        self._renderer = renderer
        self._security_port = security_port
        self._find = Router([Route(page.path, _nothing, name=str(number)) for number, page in enumerate(PAGES)])

    async def front(self, request: Request) -> Response:
        port = (request.scope.get("server") or (None, None))[1]
        first = "/security" if self._security_port is not None and port == self._security_port else "/overview"
        return RedirectResponse(first + (f"?{request.url.query}" if request.url.query else ""), 307)

    async def by_id(self, request: Request) -> Response:
        """From the field that takes a trace's id."""
        wanted = request.query_params.get("trace", "").strip()[:_MOST_ID]
        return RedirectResponse(f"/traces/{quote(wanted, safe='')}" if wanted else "/traces", 303)

    def endpoint(self, page: Page) -> _Endpoint:
        async def show(request: Request) -> Response:
            wanted = _wanted(page, request, request.url.path, request.path_params)
            if request.headers.get("hx-request"):
                shown = await self._renderer.content(wanted)
                return HTMLResponse(shown.html)  # htmx shows nothing of another status
            return self._whole(request, wanted, await self._renderer.content_soon(wanted))

        return show

    def _whole(self, request: Request, wanted: Wanted, shown: Shown | None) -> Response:
        view = self._renderer.view(wanted)
        identity = request.state.identity
        address = str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
        html = self._renderer.layout(
            "layout.html.j2",
            page=wanted.page,
            shown=shown.html if shown else None,
            view=view,
            link=view.link,
            menu=MENU,
            identity=identity,
            address=address,
            earlier=_moved(request, view, -view.period.nanos // 2),
            later=_later(request, view),
            ranges=RANGES,
            refreshes=REFRESHES,
        )
        return HTMLResponse(html, shown.status if shown else 200)

    async def live(self, request: Request) -> Response:
        """Of the page whose path is `path`; the rest of the query is the page's own."""
        path = request.query_params.get("path", "")
        page, names = self._page_of(path)
        if page is None:
            return PlainTextResponse(f"{path[:200]}: no page\n", 404)
        wanted = _wanted(page, request, path, names, apart="path")
        view = self._renderer.view(wanted)
        if view.refresh_seconds is None:
            return Response(status_code=204)  # which tells an EventSource to stay away
        door = request.state.door
        stream = changes(lambda: self._renderer.content(wanted), view.refresh_seconds, lambda: door.admits(request))
        return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    def _page_of(self, path: str) -> tuple[Page | None, dict[str, str]]:
        scope = {"type": "http", "path": path, "method": "GET", "root_path": ""}
        for number, route in enumerate(self._find.routes):
            match, child = route.matches(scope)
            if match.value:
                return PAGES[number], child.get("path_params", {})
        return None, {}

    async def refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # the only kind that comes here
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
        if error.status_code != 404 or request.url.path.startswith("/static/"):  # noqa: PLR2004  # not found
            return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)
        return self._problem(
            request, "No such page", "Nothing lies at this address. The overview leads to all there is.", 404
        )

    async def misasked(self, request: Request, error: Exception) -> Response:
        return self._problem(request, "The address can't be read", str(error), 400)

    def _problem(self, request: Request, title: str, problem: str, status: int) -> Response:
        if request.headers.get("hx-request") or request.url.path == "/live":
            return PlainTextResponse(f"{problem}\n", status)
        html = self._renderer.layout("refused.html.j2", title=title, problem=problem)
        return HTMLResponse(html, status)


def _wanted(page: Page, request: Request, path: str, names: dict[str, str], *, apart: str = "") -> Wanted:
    given = [(name, value[:_MOST_VALUE]) for name, value in request.query_params.items() if name != apart]
    return Wanted(
        page,
        path,
        tuple(sorted(given[:_MOST_QUERY])),
        tuple(sorted(names.items())),
        bool(request.state.identity.may_operate),
    )


def _later(request: Request, view: View) -> str:
    """Half the time after, at most until now; empty where that is reached."""
    left = view.now_unix_nano - view.period.end_unix_nano
    return _moved(request, view, min(left, view.period.nanos // 2)) if not view.moves and left > 0 else ""


def _moved(request: Request, view: View, by_nanos: int) -> str:
    """The same page and filters at another time."""
    period = view.period.shifted(by_nanos)
    kept = {name: value for name, value in request.query_params.items() if name not in _OF_TIME}
    start, end = map(instant, (period.start_unix_nano, period.end_unix_nano))
    return view.link(request.url.path, **kept, from_=start, to=end)


async def _nothing(_request: Request) -> Response:
    return Response()
