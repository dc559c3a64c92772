"""A small application behind the real access, and browsers and programs that visit it."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from collector.http_server import HttpServer, endpoint_of, listen
from dashboard import access
from dashboard.rendering import environment
from dashboard.settings import DashboardSettings
from dashboard.site import Site
from operations.page_server import PageProtocol
from storage import State, audit
from storage.audit import AuditEntry

NANO = 1_000_000_000
NOW = 1_764_000_000 * NANO
OPERATOR = "token-of-olga-0123456789"
VIEWER = "token-of-viktor-0123456789"
USERS = {"olga": {"token": OPERATOR, "role": "operate"}, "viktor": {"token": VIEWER}}
GONE = b"and gone"
"""The end of a request whose client does not wait for an answer."""


class Clock:
    """Stands still until it is put forward."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * NANO)


def site_of(folder: Path, clock: Clock | None = None, *, state: bool = True, **settings: Any) -> Site:
    """With a state database beside the records, as a sidecar leaves it."""
    site = Site(folder, None, settings=DashboardSettings.model_validate(settings), clock=clock or Clock())
    if state:
        site.own_folder.mkdir(parents=True, exist_ok=True)
        State.open(site.own_folder / "state.db").close()
    return site


def application_of(site: Site) -> Starlette:
    """Whatever is reached answers with who has reached it and what was sent."""
    paths = ("/", "/overview", "/alerts/{alert}/silence", "/static/app.css", "/live", "/logs/tail", "/api/v1/rules")
    return Starlette(
        routes=[
            *access.routes(site, environment()),
            *(Route(path, _echo, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]) for path in paths),
            Route("/cached", _cached),
            Route("/broken", _broken),
        ],
        middleware=access.middleware(site),
    )


class Browser(TestClient):
    """Keeps cookies, follows no redirect by itself, and sends what forms and links of the pages send."""

    def __init__(
        self,
        site: Site,
        *,
        app: Starlette | None = None,
        address: str = "127.0.0.1",
        url: str = "http://127.0.0.1:9090",
    ) -> None:
        super().__init__(
            app or application_of(site),
            base_url=url,
            client=(address, 50_000),
            follow_redirects=False,
            raise_server_exceptions=False,
        )

    def csrf(self) -> str:
        """What the forms of the next page carry."""
        page = self.get("/login")
        if found := re.search(r'name="csrf" value="([^"]*)"', page.text):
            return found[1]
        return str(self.get("/overview").json()["csrf"])

    def log_in(self, token: str, **form: str) -> Any:
        """By the form of the page."""
        return self.post("/login", data={"csrf": self.csrf(), "token": token, **form})


def answer_of(app: ASGIApp, headers: Sequence[tuple[bytes, bytes]], path: str = "/overview") -> tuple[int, str]:
    """Status and body for headers that no well-behaved client sends."""
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(headers),
        "server": ("127.0.0.1", 9090),
        "client": ("127.0.0.1", 50_000),
        "http_version": "1.1",
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask() -> None:
        await app(scope, receive, send)

    asyncio.run(ask())
    return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:]).decode()


def written(site: Site, limit: int = 1000) -> list[AuditEntry]:
    """The audit's rows, the oldest first."""
    state = State.open(site.own_folder / "state.db")
    try:
        return audit.entries(state, limit)[::-1]
    finally:
        state.close()


def answers_of(site: Site, *requests: bytes) -> list[bytes]:
    """Of a real server, each on a connection of its own: all until that is closed; nothing for what ends in GONE."""

    async def ask() -> list[bytes]:
        bound = listen("127.0.0.1:0")
        host, _, port = endpoint_of(bound).rpartition(":")
        server = HttpServer(application_of(site), [bound], None, PageProtocol)
        await server.start()
        try:
            return [await asyncio.to_thread(_answer, (host, int(port)), request) for request in requests]
        finally:
            await server.stop(1)

    return asyncio.run(ask())


def _answer(address: tuple[str, int], request: bytes) -> bytes:
    answer = b""
    with socket.create_connection(address, 20) as connection, suppress(ConnectionError):
        connection.sendall(request)
        while not request.endswith(GONE) and (piece := connection.recv(2**16)):
            answer += piece
    return answer


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def _echo(request: Request) -> Response:
    identity = request.state.identity
    form = await access.form_of(request)
    return JSONResponse(
        {
            "name": identity.name,
            "role": identity.role,
            "csrf": identity.csrf,
            "logged_in": identity.logged_in,
            "form": dict(form),
            "body": (await request.body()).decode("utf-8", "replace")[:100],
        }
    )


async def _cached(_request: Request) -> Response:
    return PlainTextResponse("kept", headers={"Cache-Control": "public, max-age=3600"})


async def _broken(_request: Request) -> Response:
    raise RuntimeError("<b>secret</b>")
