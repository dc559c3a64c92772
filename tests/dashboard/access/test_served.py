"""The same through a real server, by requests that no client would write."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from collector.http_server import HttpServer, endpoint_of, listen
from dashboard.site import Site
from tests.dashboard.access.visiting import USERS, application_of, site_of

NAME = b"Host: localhost\r\n"
GONE = b"and gone"


def _answers(site: Site, *requests: bytes) -> list[bytes]:
    """Each on a connection of its own: all that comes back until the server closes it; nothing if it goes at once."""

    async def ask() -> list[bytes]:
        bound = listen("127.0.0.1:0")
        host, _, port = endpoint_of(bound).rpartition(":")
        server = HttpServer(application_of(site), [bound])
        await server.start()
        try:
            return [await asyncio.to_thread(_answer, (host, int(port)), request) for request in requests]
        finally:
            await server.stop(1)

    return asyncio.run(ask())


def _answer(address: tuple[str, int], request: bytes) -> bytes:
    with socket.create_connection(address, 20) as connection:
        connection.sendall(request)
        if request.endswith(GONE):
            return b""
        with connection.makefile("rb") as file:
            return file.read()


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (b"", 400),
        (b"Host: attacker.example\r\n", 421),
        (b"Host: localhost\r\nHost: attacker.example\r\n", 400),
        (b"Host: <script>alert(1)</script>\r\n", 421),
        (b"Host: \xff\xfe\r\n", 421),
        (b"Host: localhost\r\nX-Forwarded-Host: attacker.example\r\n", 200),
    ],
)
def test_a_hostile_host_gets_no_page(tmp_path: Path, name: bytes, status: int) -> None:
    """And what it is stands in no header of the answer."""
    (answer,) = _answers(site_of(tmp_path), b"GET /overview HTTP/1.1\r\nConnection: close\r\n" + name + b"\r\n")
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert _status(answer) == status
    assert b"script>" not in head
    assert b"content-type: text/" in head or status == 200


@pytest.mark.parametrize(
    "target",
    [
        b"/overview%0d%0aSet-Cookie:%20a=b",
        b"/x?next=%0d%0aSet-Cookie:%20a=b",
        b"//attacker.example/%0a",
        b"/login?next=%0d%0aSet-Cookie:%20a=b",
    ],
)
def test_an_address_adds_no_header(tmp_path: Path, target: bytes) -> None:
    """Whatever it holds, the only cookie is ours, and the way leads to the login."""
    request = b"GET " + target + b" HTTP/1.1\r\nConnection: close\r\n" + NAME + b"\r\n"
    (answer,) = _answers(site_of(tmp_path, users=USERS), request)
    lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    found = [line for line in lines if line.lower().startswith((b"set-cookie", b"location"))]
    assert found
    ours = (b"set-cookie: forecourt_session_", b"location: /login")
    assert [line for line in found if not line.startswith(ours)] == []


def test_a_body_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    """In pieces whose number nobody tells, before anything has read them."""
    piece = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    head = b"POST /overview HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    start = head + b"Content-Type: text/plain\r\n" + NAME + b"\r\n"
    (answer,) = _answers(site_of(tmp_path), start + piece * 17)
    assert _status(answer) == 413


def test_who_goes_away_in_the_middle_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says nothing of it, and the next is answered."""
    head = b"POST /overview HTTP/1.1\r\nContent-Length: 100\r\n" + NAME + b"\r\n"
    page = b"GET /overview HTTP/1.1\r\nConnection: close\r\n" + NAME + b"\r\n"
    _, answer = _answers(site_of(tmp_path), head + GONE, page)
    assert _status(answer) == 200
    assert caplog.text == ""
