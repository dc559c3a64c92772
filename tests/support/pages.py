"""Where the pages are served, and what a browser is answered there."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from storage import State
from storage.names import OWN_FOLDER
from storage.web_process import WebProcessRow, web_process

WAIT_SECONDS = 30.0


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Fail with `what` when it does not come."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def told_of_pages(logs: Path) -> WebProcessRow | None:
    path = logs / OWN_FOLDER / "state.db"
    if not path.is_file():
        return None
    with closing(State.open(path)) as state:
        return web_process(state)


def pages_of(logs: Path, *, after: int = 0) -> WebProcessRow:
    """The web process that serves this folder, once it does; another one than that with the pid `after`."""
    found: list[WebProcessRow] = []

    def served() -> bool:
        row = told_of_pages(logs)
        if row is not None and row.lives and row.pid != after:
            found.append(row)
        return bool(found)

    wait_until(served, "no web process serves the pages")
    return found[0]


def front(address: str, tls: ssl.SSLContext | None = None) -> tuple[int, str]:
    """The status of `/`, and the page to which it leads."""
    place = urlsplit(address)
    assert place.hostname is not None
    if place.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            place.hostname, place.port, timeout=30, context=tls
        )
    else:
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    with closing(connection):
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("location", "")
