"""Every address of the pages and of their APIs: who gets there, and that looking changes nothing."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from dashboard.application import application
from tests.dashboard.access.visiting import OPERATOR, USERS, VIEWER, Browser, Clock, site_of

CHANGING = {
    ("POST", "/login"),
    ("POST", "/logout"),
    ("POST", "/alerts/{alert}/acknowledge"),
    ("POST", "/silences"),
    ("POST", "/silences/{silence}/end"),
    ("POST", "/channels/{receiver:path}/test"),
    ("POST", "/api/v1/alerts/{alert}/acknowledge"),
    ("POST", "/api/v1/silences"),
    ("DELETE", "/api/v1/silences/{silence}"),
    ("POST", "/api/v1/channels/{receiver:path}/test"),
}
ENDLESS = {"/live", "/logs/tail"}
ANYBODY = {"/login", "/static/x"}
PROGRAMS = ("/api", "/metrics")


def _routes(routes: Iterable[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
    """Methods and paths; what can't be looked into fails."""
    for route in routes:
        if isinstance(route, Mount) and route.routes:
            yield from _routes(route.routes, before + route.path)
        elif isinstance(route, Mount):
            yield "GET", f"{before}{route.path}/x"
        elif included := getattr(route, "original_router", None):
            yield from _routes(included.routes, before)  # as FastAPI has them
        else:
            assert isinstance(route, Route)
            yield from (
                (method, before + route.path) for method in route.methods or ("any method",) if method != "HEAD"
            )


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    return application(site_of(tmp_path, Clock(), users=USERS))


def _asked(app: Starlette) -> list[tuple[str, str]]:
    """With something in each place."""
    return sorted({(method, re.sub(r"\{[^}]+\}", "x", path)) for method, path in _routes(app.routes)})


def _browser(app: Starlette, folder: Path, token: str = "") -> Browser:
    browser = Browser(site_of(folder, users=USERS), app=app)
    if token:
        assert browser.log_in(token).status_code == 303
    return browser


def test_what_changes_something_is_this(app: Starlette) -> None:
    """Whoever adds an address that does adds it here."""
    assert {one for one in _routes(app.routes) if one[0] != "GET"} == CHANGING


def test_without_a_login_no_address_tells_anything(app: Starlette, tmp_path: Path) -> None:
    """Pages lead to the login, programs and streams are told to send a token; styles are for the page of the login."""
    browser = _browser(app, tmp_path)
    for method, path in _asked(app):
        answer = browser.request(method, path)
        if path in ANYBODY or path == "/logout":
            expected = {("GET", "/login"): 200, ("GET", "/static/x"): 404}.get((method, path), 403)
        else:
            expected = 401 if path.startswith(PROGRAMS) or path in ENDLESS else 303
        assert (method, path, answer.status_code) == (method, path, expected)


def test_who_may_look_changes_nothing_anywhere(app: Starlette, tmp_path: Path) -> None:
    """With the right form's token, and with a token of a program."""
    browser = _browser(app, tmp_path, VIEWER)
    csrf = re.findall(r'<meta name="csrf" content="([^"]+)">', browser.get("/overview").text)[0]
    for headers in ({"X-CSRF-Token": csrf}, {"Authorization": f"Bearer {VIEWER}"}):
        for method, path in _asked(app):
            if method != "GET" and path not in {"/login", "/logout"}:
                answer = browser.request(method, path, headers=headers, json={"seconds": 60})
                assert (method, path, answer.status_code) == (method, path, 403)


def test_looking_changes_nothing(app: Starlette, tmp_path: Path) -> None:
    """Each address, asked by somebody who may do everything: the state database is as before, and no file more."""
    with _browser(app, tmp_path, OPERATOR) as browser:
        before = _kept(tmp_path)
        for method, path in _asked(app):
            if method == "GET" and path not in ENDLESS:
                assert (path, browser.get(path).status_code) != (path, 500)
        assert _kept(tmp_path) == before


def _kept(folder: Path) -> tuple[list[str], list[str]]:
    files = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if "state.db" not in path.name]
    with closing(sqlite3.connect(folder / ".forecourt" / "state.db")) as database:
        return files, list(database.iterdump())
