"""The same through a real server, by requests that no client would write."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector import http_protocol
from dashboard.access import bodies
from tests.dashboard.access.visiting import GONE, USERS, answers_of, site_of, status_of

NAME = b"Host: localhost\r\n"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (b"", 400),
        (b"Host: attacker.example\r\n", 421),
        (b"Host: localhost\r\nHost: attacker.example\r\n", 400),
        (b"Host: <script>alert(1)</script>\r\n", 421),
        (b"Host: \xff\xfe\r\n", 421),
        (b"Host: localhost\r\nX-Forwarded-Host: attacker.example\r\n", 403),
    ],
)
def test_a_hostile_host_gets_no_page(tmp_path: Path, name: bytes, status: int) -> None:
    """And what it is stands in no header of the answer."""
    (answer,) = answers_of(site_of(tmp_path), b"GET /overview HTTP/1.1\r\nConnection: close\r\n" + name + b"\r\n")
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert status_of(answer) == status
    assert b"script>" not in head
    assert b"content-type: text/plain" in head


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
    (answer,) = answers_of(site_of(tmp_path, users=USERS), request)
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
    (answer,) = answers_of(site_of(tmp_path), start + piece * 17)
    assert status_of(answer) == 413


PAGE = b"GET /overview HTTP/1.1\r\nConnection: close\r\n" + NAME + b"\r\n"
LONG = b"a" * 700_000


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + LONG,
        b"GET / HTTP/1.1\r\nX: " + LONG,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100_000,
        b"GET / HTTP/1.1\r\n" + NAME + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + LONG,
        b"GET / HTTP/1.1\r\n" + NAME + b"\r\nGET / HTTP/1.1\r\nX: " + LONG,
    ],
)
def test_a_head_that_never_ends_is_cut_off(tmp_path: Path, request_: bytes) -> None:
    """Its line, a header, their number, a trailer, that of a second request; the next one is answered."""
    cut, answer = answers_of(site_of(tmp_path), request_, PAGE)
    told = cut.split(b"\r\n\r\n")[-1]
    assert told in {b"", b"The head of the request is larger than 64 KiB."}
    assert status_of(answer) == 200


@pytest.mark.parametrize(
    "begun", [b"", b"GET /over", PAGE.replace(b"close", b"keep-alive") + b"GET /overview HTTP/1.1\r\nX"]
)
def test_a_head_that_trickles_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    """The connection ends; what came whole before is answered."""
    monkeypatch.setattr(http_protocol, "_HEAD_SECONDS", 1.0)
    (answer,) = answers_of(site_of(tmp_path), begun)
    assert answer.startswith(b"HTTP/1.1 200 OK") if begun.startswith(PAGE[:20]) else answer == b""


def test_a_body_that_trickles_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to be logged in to begin one; the connection ends with the answer."""
    monkeypatch.setattr(bodies, "_PATIENCE_SECONDS", 0.1)
    head = b"POST /login HTTP/1.1\r\nContent-Length: 100\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    (answer,) = answers_of(site_of(tmp_path, users=USERS), head + NAME + b"\r\ntoken=")
    assert (status_of(answer), answer.partition(b"\r\n\r\n")[2]) == (408, b"the body took longer than 0.1 s\n")


def test_who_goes_away_in_the_middle_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says nothing of it, and the next is answered."""
    head = b"POST /overview HTTP/1.1\r\nContent-Length: 100\r\n" + NAME + b"\r\n"
    page = b"GET /overview HTTP/1.1\r\nConnection: close\r\n" + NAME + b"\r\n"
    _, answer = answers_of(site_of(tmp_path), head + GONE, page)
    assert status_of(answer) == 200
    assert caplog.text == ""
