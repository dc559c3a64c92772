from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from dashboard.compression import CompressedFiles

STYLE = b"body { color: black }\n" * 200


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    (tmp_path / "app.css").write_bytes(STYLE)
    return TestClient(Starlette(routes=[Mount("/static", CompressedFiles(directory=tmp_path))]))


def test_a_browser_gets_a_file_in_fewer_bytes(client: TestClient) -> None:
    """The same file, of the same type; whoever keeps it for others keeps both forms apart."""
    answer = client.get("/static/app.css", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert answer.content == STYLE  # the client has unpacked it
    told = answer.headers
    assert (told["content-encoding"], told["vary"]) == ("gzip", "Accept-Encoding")
    assert told["content-type"] == "text/css; charset=utf-8"
    assert int(told["content-length"]) == len(gzip.compress(STYLE)) < len(STYLE) / 10


@pytest.mark.parametrize("accepted", ["", "br", "identity", "gzip;q=0", "gzip; q=0, br"])
def test_who_does_not_take_gzip_gets_it_as_it_is(client: TestClient, accepted: str) -> None:
    """And a cache is told that there is another form."""
    answer = client.get("/static/app.css", headers={"Accept-Encoding": accepted})
    assert answer.content == STYLE
    assert "content-encoding" not in answer.headers
    assert (answer.headers["vary"], answer.headers["content-length"]) == ("Accept-Encoding", str(len(STYLE)))


def test_what_is_known_already_is_not_sent_again(client: TestClient) -> None:
    """By the tag of either form, which is not the same: their bytes differ."""
    packed = client.get("/static/app.css", headers={"Accept-Encoding": "gzip"}).headers["etag"]
    plain = client.get("/static/app.css", headers={"Accept-Encoding": "identity"}).headers["etag"]
    assert packed == f"W/{plain}"
    for tag in (packed, plain):
        answer = client.get("/static/app.css", headers={"Accept-Encoding": "gzip", "If-None-Match": tag})
        assert (answer.status_code, answer.content, answer.headers["vary"]) == (304, b"", "Accept-Encoding")


def test_a_file_that_was_changed_is_packed_anew(client: TestClient, tmp_path: Path) -> None:
    """As after an upgrade under a running process."""
    packed = {"Accept-Encoding": "gzip"}
    before = client.get("/static/app.css", headers=packed).headers["etag"]
    (tmp_path / "app.css").write_bytes(b"p { color: red }\n")
    os.utime(tmp_path / "app.css", (1, 1))
    answer = client.get("/static/app.css", headers=packed)
    assert answer.content == b"p { color: red }\n"
    assert answer.headers["etag"] != before


def test_parts_heads_and_what_is_not_there_are_as_ever(client: TestClient) -> None:
    """A part is one of the file itself."""
    packed = {"Accept-Encoding": "gzip"}
    part = client.get("/static/app.css", headers={**packed, "Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"body")
    head = client.head("/static/app.css", headers=packed)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(STYLE)))
    assert client.get("/static/none.css", headers=packed).status_code == 404
