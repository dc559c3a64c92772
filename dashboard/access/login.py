"""Logging in and out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.access import audit
from dashboard.access.bodies import form_of
from dashboard.access.door import Door, address_of
from dashboard.access.origins import local_path
from dashboard.site import Site

_ACTION = "log in"


def routes(site: Site, templates: jinja2.Environment) -> list[Route]:
    """For behind the guard, which has looked at the forms' origin already."""
    entry = Entry(site, templates)
    return [
        Route("/login", entry.ask, methods=["GET"]),
        Route("/login", entry.log_in, methods=["POST"]),
        Route("/logout", entry.log_out, methods=["POST"]),
    ]


class Entry:
    """The page, and what its form asks."""

    def __init__(self, site: Site, templates: jinja2.Environment) -> None:
        self._site = site
        self._templates = templates

    async def ask(self, request: Request) -> Response:
        path = local_path(request.query_params.get("next", "/"))
        if request.state.identity.logged_in or not self._site.settings.users:
            return RedirectResponse(path, 303)
        return self._page(request, path)

    async def log_in(self, request: Request) -> Response:
        door, address, now = _door(request), address_of(request), self._site.clock()
        form = await form_of(request)
        path = local_path(str(form.get("next", "/")))
        if not door.users:
            return RedirectResponse(path, 303)
        if wait := door.attempts.wait_seconds(address, now):
            await door.refusals.limited(address, _ACTION)
            error = f"Too many attempts. Try again in {-(-wait // 60)} min."
            return self._page(request, path, error, 429, {"Retry-After": str(wait)})
        name = door.users.named_by(str(form.get("token", "")).strip())
        if name is None:
            door.attempts.failed(address, now)
            await door.refusals.failed(address, _ACTION)
            return self._page(request, path, "No user has this token.", 401, {"WWW-Authenticate": "Bearer"})
        door.attempts.succeeded(address)
        detail = door.refusals.take_left_out()
        await asyncio.to_thread(audit.record, self._site, door.users.identity(name), address, _ACTION, detail, "ok")
        cookie = door.set_cookie(request, door.sessions.issue(name, now))
        return RedirectResponse(path, 303, headers={"Set-Cookie": cookie})

    async def log_out(self, request: Request) -> Response:
        door, identity = _door(request), request.state.identity
        if identity.logged_in:
            ended = {"session": door.sessions.end(door.cookie_of(request))}
            await asyncio.to_thread(audit.record, self._site, identity, address_of(request), audit.LOG_OUT, ended, "ok")
        return RedirectResponse("/login", 303, headers={"Set-Cookie": door.set_cookie(request, "")})

    def _page(
        self, request: Request, path: str, error: str = "", status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        html = self._templates.get_template("login.html.j2").render(
            csrf=request.state.identity.csrf, next=path, error=error
        )
        return HTMLResponse(html, status, headers=headers)


def _door(request: Request) -> Door:
    door: Door = request.state.door
    return door
