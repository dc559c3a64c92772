"""Log records are followed as they arrive, each viewer's own, and nobody's slowness costs more than a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from starlette.types import ASGIApp, Message

from analysis.log_search import LogFilter
from dashboard import tail as tail_module
from dashboard.application import application
from dashboard.rendering import environment
from dashboard.site import Site
from dashboard.tail import Tail, Viewer
from dashboard.view import view_of
from storage.following import Follower
from tests.dashboard.opening import read
from tests.support.stored import HOUR, stored

WAIT_SECONDS = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "_LOOK_SECONDS", 0.01)


def line(number: int, **more: Any) -> dict[str, Any]:
    return {"severity": "INFO", "severity_number": 9, "body": f"line {number}.", "scope": {"name": "orders"}, **more}


def append(folder: Path, *records: dict[str, Any]) -> None:
    """As the sidecar does, to the segment of the hour."""
    path = folder / "logs" / "2026-11-23T12.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        for record in records:
            file.write(orjson.dumps(stored(0, record), option=orjson.OPT_APPEND_NEWLINE))


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not holds():  # noqa: ASYNC110  # what comes has no event
            await asyncio.sleep(0.01)


class Visitor:
    """Has `address` open; reads no more while `reading` is not set."""

    def __init__(self, app: ASGIApp, address: str) -> None:
        self.status = 0
        self.body = b""
        self.reading = asyncio.Event()
        self.reading.set()
        self._gone = asyncio.Event()
        self._app, self._place = app, urlsplit(address)
        self._task = asyncio.create_task(self._visit())

    async def _visit(self) -> None:
        scope = {
            "type": "http",
            "asgi": {"spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": self._place.path,
            "raw_path": self._place.path.encode(),
            "query_string": self._place.query.encode(),
            "headers": [(b"host", b"127.0.0.1:9090")],
            "server": ("127.0.0.1", 9090),
            "client": ("127.0.0.1", 50_000),
        }
        asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Message:
            if (first := next(asked, None)) is not None:
                return first
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            self.status = message.get("status", self.status)
            self.body += message.get("body", b"")
            await self.reading.wait()

        await self._app(scope, receive, send)

    async def opened(self) -> Visitor:
        await until(lambda: b"\n\n" in self.body or self._task.done())
        return self

    async def leave(self) -> None:
        self._gone.set()
        await self.ended()

    async def ended(self) -> None:
        await asyncio.wait_for(self._task, WAIT_SECONDS)

    def events(self) -> Iterator[tuple[str, str]]:
        for block in self.body.decode().split("\n\n"):
            fields = [one.partition(": ") for one in block.split("\n")]
            names = [value for name, _, value in fields if name == "event"]
            data = "\n".join(value for name, _, value in fields if name == "data")
            yield from ((name, data) for name in names)

    def said(self) -> list[str]:
        """The summaries of the lines that came."""
        return [read(data).opened[0].rsplit(" app ", 1)[1] for name, data in self.events() if name == "line"]


def run(test: Callable[[], Awaitable[None]]) -> None:
    """To its end, when nobody looks any more and nothing goes on."""

    async def alone() -> None:
        await test()
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})

    asyncio.run(alone())


def app_of(folder: Path) -> ASGIApp:
    return application(Site(folder, None, clock=lambda: HOUR))


def test_two_viewers_get_the_records_that_they_ask_for(tmp_path: Path) -> None:
    """What was there before is not told; what comes is, once and in its order, to each as filtered."""
    append(tmp_path, line(0), line(1, severity="ERROR", severity_number=17))

    async def test() -> None:
        app = app_of(tmp_path)
        every = await Visitor(app, "/logs/tail").opened()
        errors = await Visitor(app, "/logs/tail?level=ERROR&text=LINE&logger=orders").opened()
        append(tmp_path, line(2), line(3, severity="ERROR", severity_number=17))
        await until(lambda: len(every.said()) == 2)
        append(tmp_path, line(4, severity="FATAL", severity_number=21), line(5, scope={}, severity_number=17), line(6))
        await until(lambda: len(every.said()) == 5)
        await until(lambda: len(errors.said()) == 2)
        assert every.said() == [f"line {number}." for number in (2, 3, 4, 5, 6)]
        assert errors.said() == ["line 3.", "line 4."]
        assert (every.status, every.body.startswith(b"retry: 3000\n\n")) == (200, True)
        await every.leave()
        append(tmp_path, line(7, severity_number=17))
        await until(lambda: len(errors.said()) == 3)
        await errors.leave()

    run(test)


def test_a_line_is_the_one_that_the_page_of_logs_shows(tmp_path: Path) -> None:
    """It opens, leads to its trace and to what was said around it, in the zone that was chosen; nothing of it runs."""
    hostile = "<script>1</script>\n\nevent: content\r\ndata: x\u2028\x00"

    async def test() -> None:
        visitor = await Visitor(app_of(tmp_path), "/logs/tail?zone=Europe/Berlin").opened()
        append(tmp_path, line(1, body=hostile, trace_id="ab" * 16, attributes={hostile: hostile}))
        await until(lambda: b"</details>\n" in visitor.body)
        ((name, data),) = visitor.events()
        shown = read(data)
        assert (name, shown.elements["script"], shown.elements["details"]) == ("line", 0, 1)
        assert shown.opened[0].startswith("13:00:00.000 ○ INFO app <script>1</script> event: content data: x")
        assert shown.links["ab" * 16] == f"/traces/{'ab' * 16}?zone=Europe%2FBerlin"
        assert shown.links["Around this record"].startswith("/logs/around?zone=Europe%2FBerlin&time=")
        await visitor.leave()

    run(test)


def test_a_quiet_stream_is_kept_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment comes now and then, so that no proxy takes the connection for dead; the browser passes over it."""
    monkeypatch.setattr(tail_module, "_ALIVE_LOOKS", 3)

    async def test() -> None:
        visitor = await Visitor(app_of(tmp_path), "/logs/tail").opened()
        await until(lambda: visitor.body.count(b"\n\n") >= 3)
        assert visitor.body.startswith(b"retry: 3000\n\n" + 2 * b": nothing new\n\n")
        assert list(visitor.events()) == []
        await visitor.leave()

    run(test)


def test_who_does_not_read_is_told_how_much_was_left_out(tmp_path: Path) -> None:
    """At most 500 lines wait for each; others get all of theirs meanwhile."""

    async def test() -> None:
        app = app_of(tmp_path)
        slow = await Visitor(app, "/logs/tail").opened()
        slow.reading.clear()
        other = await Visitor(app, "/logs/tail?text=line 1999.").opened()
        append(tmp_path, line(0))
        await until(lambda: slow.said() == ["line 0."])
        append(tmp_path, *(line(number) for number in range(1, 2000)))
        await until(lambda: other.said() == ["line 1999."])
        slow.reading.set()
        await until(lambda: slow.said()[-1] == "line 1999.")
        told = [int(text.removeprefix("line ").removesuffix(".")) for text in slow.said()]
        left_out = [int(data) for name, data in slow.events() if name == "left-out"]
        assert (len(told) in {501, 502}, told == sorted(set(told))) == (True, True)  # the last may have come alone
        assert len(told) + sum(left_out) == 2000
        for visitor in (slow, other):
            await visitor.leave()

    run(test)


def test_who_leaves_while_lines_wait_for_them_is_forgotten(tmp_path: Path) -> None:
    """A connection on which nothing can be sent any more keeps no reader going."""

    async def test() -> None:
        visitor = await Visitor(app_of(tmp_path), "/logs/tail").opened()
        visitor.reading.clear()
        append(tmp_path, line(0), line(1))
        await until(lambda: visitor.said() == ["line 0."])
        await visitor.leave()

    run(test)


def test_what_waits_is_small_however_large_the_records_are() -> None:
    """Of a record of a megabyte its beginning is kept."""
    viewer = Viewer(LogFilter())
    for _ in range(600):
        viewer.offer(stored(0, line(1, body="x" * 100_000, attributes={f"k{n}": "y" * 100_000 for n in range(9)})))
    waiting, left_out = viewer.take()
    assert (len(waiting), left_out) == (500, 100)
    assert {(len(one.body), one.attributes == {}, whole) for one, whole in waiting} == {(1000, True, False)}
    assert viewer.take() == ([], 0)


def test_the_reader_stops_when_nobody_looks_and_begins_again(tmp_path: Path) -> None:
    """Who comes later gets what comes later."""

    async def test() -> None:
        tail = Tail(tmp_path)
        first = Viewer(LogFilter())
        await tail.join(first)
        assert tail.reads
        tail.leave(first)
        await until(lambda: not tail.reads)
        append(tmp_path, line(1))
        second = Viewer(LogFilter())
        await tail.join(second)
        append(tmp_path, line(2))
        got: list[str] = []

        def told() -> bool:
            got.extend(one.body for one, _ in second.take()[0])
            return bool(got)

        await until(told)
        assert (got, first.take()) == (["line 2."], ([], 0))
        tail.leave(second)
        await until(lambda: not tail.reads)

    run(test)


def test_a_folder_that_can_t_be_read_ends_the_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser comes again after three seconds, and then it is followed again."""
    broken = asyncio.Event()

    def poll(_: Follower) -> Iterator[Any]:
        if broken.is_set():
            raise OSError("the disk is gone")
        return iter(())

    monkeypatch.setattr(Follower, "poll", poll)

    async def test() -> None:
        app = app_of(tmp_path)
        visitor = await Visitor(app, "/logs/tail").opened()
        broken.set()
        await visitor.ended()
        assert visitor.body.startswith(b"retry: 3000\n\n")
        broken.clear()
        again = await Visitor(app, "/logs/tail").opened()
        await again.leave()

    run(test)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("level=LOUD", "level=LOUD: expected one of DEBUG, INFO, WARN, ERROR, FATAL\n"),
        ("attributes=x", "'x' is no attribute, expected name=value, for example http.route=/api/orders\n"),
    ],
)
def test_a_wrong_filter_is_refused(tmp_path: Path, query: str, sentence: str) -> None:
    """With the sentence that the page of logs has."""

    async def test() -> None:
        visitor = await Visitor(app_of(tmp_path), f"/logs/tail?{query}").opened()
        await visitor.leave()
        assert (visitor.status, visitor.body.decode()) == (400, sentence)

    run(test)


def test_who_is_let_in_no_more_hears_no_more(tmp_path: Path) -> None:
    """A stream lasts longer than a session: it ends with it, before the next line."""
    site = Site(tmp_path, None)
    admitted = [True]

    async def test() -> None:
        tail, viewer = Tail(tmp_path), Viewer(LogFilter())
        view = view_of({}, site.clock())
        lines = tail_module._lines(tail, viewer, environment(), view, lambda: admitted[0])
        assert await anext(lines) == b"retry: 3000\n\n"
        append(tmp_path, line(0))
        assert b"line 0." in await anext(lines)
        admitted[0] = False
        append(tmp_path, line(1))
        async with asyncio.timeout(10):
            assert [one async for one in lines] == []
        assert not tail._viewers

    run(test)
