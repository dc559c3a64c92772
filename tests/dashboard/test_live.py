"""Pages that are open move by themselves: one rendering for all who look, sent when something has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.engine import Engine, QueryError
from collector.http_server import HttpServer, endpoint_of, listen
from dashboard import live as live_module
from dashboard import shown as shown_module
from dashboard.application import application
from dashboard.live import changes, event
from dashboard.page import Asked, NotThereError, Page
from dashboard.pages import overview
from dashboard.records import Records, TooLongError
from dashboard.rendering import environment
from dashboard.shown import Renderer, Shown, Wanted
from dashboard.site import Site
from storage.manifest import StoreFormatError
from storage.state import StateError
from tests.dashboard.opening import WEEK_END, Opening
from tests.dashboard.standing import judged, publish

PATIENCE_SECONDS = 20.0


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), PATIENCE_SECONDS))


async def first(count: int, render: Callable[[], Awaitable[Shown]], every_seconds: float = 0.0) -> list[bytes]:
    stream = changes(render, every_seconds, lambda: True)
    found: list[bytes] = []
    while len(found) < count:
        found.append(await anext(stream))
    return found


def one_after_another(*texts: str) -> Callable[[], Awaitable[Shown]]:
    """The last one for ever."""
    left = list(texts)

    async def render() -> Shown:
        return Shown(left.pop(0) if len(left) > 1 else left[0])

    return render


def test_only_what_has_changed_is_sent() -> None:
    """What was there when the page was opened comes first: the page may be older than the stream."""

    async def test() -> None:
        found = await first(
            4, one_after_another("<p>1</p>", "<p>1</p>", "<p>1</p>", "<p>2</p>", "<p>2</p>", "<p>1</p>")
        )
        assert found == [b"retry: 3000\n\n", *(event("content", f"<p>{one}</p>") for one in (1, 2, 1))]

    run(test)


def test_who_is_let_in_no_more_is_told_no_more() -> None:
    """The stream of somebody who has logged out ends."""
    admitted = [True, True, False]

    async def test() -> None:
        stream = changes(one_after_another("one", "two", "three"), 0.0, lambda: admitted.pop(0))
        assert [one async for one in stream][1:] == [event("content", "one"), event("content", "two")]

    run(test)


def test_where_nothing_changes_the_connection_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a comment now and then, which no page takes for an event."""
    monkeypatch.setattr(live_module, "_ALIVE_SECONDS", 0.003)
    rendered: list[int] = []

    async def render() -> Shown:
        rendered.append(1)
        return Shown("same")

    async def test() -> None:
        found = await first(4, render, 0.001)
        assert found[1:] == [event("content", "same"), b": nothing new\n\n", b": nothing new\n\n"]
        assert len(rendered) == 7

    run(test)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("one", b"event: content\ndata: one\n\n"),
        ("", b"event: content\ndata: \n\n"),
        ("a\nb\r\nc\n\nd", b"event: content\ndata: a\ndata: b\ndata: c\ndata: \ndata: d\n\n"),
        ("data: x\nevent: y", b"event: content\ndata: data: x\ndata: event: y\n\n"),
        ("\r\rx", b"event: content\ndata: \ndata: \ndata: x\n\n"),
    ],
)
def test_a_text_is_one_event_whatever_its_lines(text: str, sent: bytes) -> None:
    """No line of it begins another event."""
    assert event("content", text) == sent


class Counted:
    """A page that asks the records one question, and says how often it was asked."""

    def __init__(self, folder: Path, *faults: Exception) -> None:
        self.faults = list(faults)
        self.contents = self.questions = 0
        site = Site(folder, None, clock=lambda: WEEK_END)
        self.page = Page("/counted", "Counted", "problem.html.j2", self.content, refresh="5s")
        self.renderer = Renderer(site, Records(folder, None, site.own_folder, 2**29), environment())

    def wanted(self, **query: str) -> Wanted:
        return Wanted(self.page, "/counted", tuple(query.items()), (), may_operate=True)

    async def content(self, asked: Asked) -> dict[str, Any]:
        self.contents += 1
        if self.faults:
            raise self.faults.pop(0)
        return {"title": "Counted", "problem": str(await asked.records.ask(self.question))}

    def question(self, _engine: Engine) -> int:
        self.questions += 1
        return self.questions


def test_a_hundred_who_look_cost_one_rendering(tmp_path: Path) -> None:
    """And one question; who looks at another time or may do less has a page of their own."""
    counted = Counted(tmp_path)

    async def test() -> None:
        wanted = counted.wanted()
        found = await asyncio.gather(*(first(2, lambda: counted.renderer.content(wanted)) for _ in range(100)))
        assert {one[1] for one in found} == {found[0][1]}
        assert (counted.contents, counted.questions) == (1, 1)
        await counted.renderer.content(counted.wanted(last="6h"))
        assert counted.contents == 2

    run(test)


def test_a_rendering_is_shared_for_a_moment_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks again later sees what is then."""
    counted = Counted(tmp_path)

    async def test() -> None:
        for seconds, contents in ((60.0, 1), (0.0, 3)):
            monkeypatch.setattr(shown_module, "_SHARED_SECONDS", seconds)
            await counted.renderer.content(counted.wanted())
            await counted.renderer.content(counted.wanted())
            assert counted.contents == contents

    run(test)


@pytest.mark.parametrize(
    ("fault", "status", "title", "told"),
    [
        (QueryError("no <b>such</b> column"), 503, "It can&#39;t be shown", "no &lt;b&gt;such&lt;/b&gt; column"),
        (
            StoreFormatError("written by a newer Forecourt"),
            503,
            "It can&#39;t be shown",
            "written by a newer Forecourt",
        ),
        (StateError("state.db is locked"), 503, "It can&#39;t be shown", "state.db is locked"),
        (TooLongError("Choose a shorter time"), 503, "It can&#39;t be shown", "Choose a shorter time"),
        (PermissionError(13, "Permission denied", "/logs"), 503, "It can&#39;t be shown", "Permission denied"),
        (NotThereError("no such alert"), 404, "Not here", "no such alert"),
    ],
)
def test_what_cannot_be_answered_is_a_page_that_says_so(  # noqa: PLR0917  # a fault, and what is shown of it
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, status: int, title: str, told: str
) -> None:
    """With the status that tells it to programs; asked again it is tried again."""
    monkeypatch.setattr(shown_module, "_SHARED_SECONDS", 0.0)
    counted = Counted(tmp_path, fault)

    async def test() -> None:
        failed = await counted.renderer.content(counted.wanted())
        assert failed.status == status
        assert f"<h2>{title}</h2>" in failed.html
        assert told in failed.html
        again = await counted.renderer.content(counted.wanted())
        assert (again.status, "Counted" in again.html) == (200, True)

    run(test)


def test_a_question_that_fails_is_a_page_with_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a browser with its status, to a page that is open in the place of its content."""
    publish(tmp_path, WEEK_END, judged("host.cpu", 0.1))

    def broken(*_: Any) -> Any:
        raise QueryError("health: <i>damaged</i>. Move the file away")

    monkeypatch.setattr(overview, "last_looks", broken)
    monkeypatch.setattr(shown_module, "_AT_ONCE_SECONDS", PATIENCE_SECONDS)
    with Opening(tmp_path) as pages:
        whole, part = pages.whole("/overview"), pages.get("/overview")
    assert (whole.status_code, part.status_code) == (503, 200)
    for answer in (whole, part):
        assert "health: &lt;i&gt;damaged&lt;/i&gt;. Move the file away" in answer.text
    assert "<title>Overview" in whole.text


def test_what_takes_a_while_comes_after_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The menu is there at once, and the place of the content asks for it."""
    monkeypatch.setattr(shown_module, "_AT_ONCE_SECONDS", 0.0)
    with Opening(tmp_path) as pages:
        whole = pages.whole("/overview?last=6h&zone=Europe/Berlin")
        assert whole.status_code == 200
        assert 'hx-get="/overview?last=6h&amp;zone=Europe/Berlin" hx-trigger="load"' in whole.text
        assert "Reading the records" in whole.text
        assert "Is it well?" not in whole.text
        assert "Is it well?" in pages.get("/overview?last=6h&zone=Europe/Berlin").text


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("last=soon", "last=soon: 'soon' is not a duration, for example 1000ms, 30s, 5min, 2h or 30days"),
        ("last=1s", "last=1s: expected 5s to 366days"),
        ("from=yesterday", "from=yesterday: no time, expected for example 2026-11-23T10:30:00Z"),
        ("zone=../etc/passwd", "zone=../etc/passwd: no time zone, expected for example UTC or Europe/Berlin"),
        ("refresh=1s", "refresh=1s: expected off, or 2s to 1day"),
        ("zone=%3Cb%3E", "zone=<b>: no time zone"),
    ],
)
def test_an_address_that_cannot_be_read(tmp_path: Path, query: str, told: str) -> None:
    """What was expected is said: as a page, to a page that is open, and in the place of a stream."""
    with Opening(tmp_path) as pages:
        answers = [
            pages.whole(f"/overview?{query}"),
            pages.get(f"/overview?{query}"),
            pages.whole(f"/live?path=/overview&{query}"),
        ]
    assert [one.status_code for one in answers] == [400, 400, 400]
    escaped = told.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")
    assert escaped in answers[0].text
    assert all(one.text.startswith(told) for one in answers[1:])
    assert all(one.headers["content-type"] == "text/plain; charset=utf-8" for one in answers[1:])


@pytest.mark.parametrize("path", ["", "/nowhere", "/static/app.css", "//", "/live", "/rules", "/login", "\x00" * 300])
def test_only_pages_are_live(tmp_path: Path, path: str) -> None:
    """Anything else is not found, and not repeated at length."""
    with Opening(tmp_path) as pages:
        answer = pages.get("/live", params={"path": path, "refresh": "off"})
    assert answer.status_code == (204 if path == "/rules" else 404)
    assert len(answer.text) <= 210


async def _ask(host: str, port: int, query: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A connection on which this was asked, and the head of the answer."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET /live?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return reader, writer, await reader.readuntil(b"\r\n\r\n")


async def _left(*writers: asyncio.StreamWriter) -> None:
    """As a browser closes its connections."""
    for writer in writers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def _served(folder: Path, now: Callable[[], int]) -> tuple[HttpServer, str, int]:
    bound = listen("127.0.0.1:0")
    host, _, port = endpoint_of(bound).rpartition(":")
    server = HttpServer(application(Site(folder, None, clock=now)), [bound])
    await server.start()
    return server, host, int(port)


def test_who_has_a_page_open_sees_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a real server: the content at once, and again when a value has changed; the next who opens it too."""
    monkeypatch.setattr(shown_module, "_SHARED_SECONDS", 0.05)
    publish(tmp_path, WEEK_END, judged("host.cpu", 0.25))

    async def test() -> None:
        server, host, port = await _served(tmp_path, lambda: WEEK_END)
        reader, writer, head = await _ask(host, port, "path=/rules/host.cpu&refresh=2s")
        assert b"content-type: text/event-stream" in head.lower()
        await reader.readuntil(b"25 %")
        await asyncio.to_thread(publish, tmp_path, WEEK_END, judged("host.cpu", 0.75, "warning"))
        await reader.readuntil(b"75 %")
        await _left(writer)
        await server.stop(1)

    run(test)


def test_a_stream_ends_when_its_viewer_goes(tmp_path: Path) -> None:
    """Nothing is asked for those who closed the page; the others stay."""

    async def test() -> None:
        server, host, port = await _served(tmp_path, lambda: WEEK_END)
        viewers = [await _ask(host, port, f"path=/{name}&refresh=2s") for name in ("overview", "alerts", "rules")]
        for reader, _, _ in viewers:
            await reader.readuntil(b"event: content")
        running = server._server.server_state.tasks
        assert len(running) == 3
        await _left(*(writer for _, writer, _ in viewers[:2]))
        while len(running) > 1:
            await asyncio.wait(list(running), return_when=asyncio.FIRST_COMPLETED)
        await _left(viewers[2][1])
        await server.stop(1)

    run(test)


def test_a_view_that_does_not_move_has_no_stream(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A browser is told not to come back for it; a time that is over stays as it was."""

    async def test() -> None:
        server, host, port = await _served(tmp_path, lambda: WEEK_END)
        for query in ("refresh=off", "from=2026-11-16T00:00:00Z&to=2026-11-17T00:00:00Z", "refresh=off"):
            _, writer, head = await _ask(host, port, f"path=/overview&{query}")
            assert head.startswith(b"HTTP/1.1 204 ")
            await _left(writer)
        await server.stop(1)

    run(test)
    assert caplog.text == ""
