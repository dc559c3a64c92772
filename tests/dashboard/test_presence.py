"""Who closes the connection ends what was asked over it, and nothing that changes something."""

from __future__ import annotations

import asyncio
import importlib
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from analysis.engine import Engine
from dashboard.application import application
from dashboard.presence import WhilePresent
from dashboard.site import Site
from tests.dashboard.jaeger_client import SECOND, span
from tests.support.stored import HOUR, store

jaeger = importlib.import_module("dashboard.jaeger.application")  # whose package has a function of that name
BODY: Message = {"type": "http.request", "body": b"a body", "more_body": False}
GONE: Message = {"type": "http.disconnect"}


def scope(path: str = "/", method: str = "GET") -> Scope:
    parts = {"method": method, "path": path, "raw_path": path.encode(), "query_string": b"service=shop"}
    host = {"headers": [(b"host", b"127.0.0.1:9090")], "server": ("127.0.0.1", 9090), "client": ("127.0.0.1", 50_000)}
    return {"type": "http", "http_version": "1.1", "scheme": "http", "root_path": "", **parts, **host}


class Client:
    """Sends its request, and leaves when it is told to; `told` is what it was answered."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.told: list[Message] = []
        self._sent = False

    async def receive(self) -> Message:
        if not self._sent:
            self._sent = True
            return BODY
        await self.left.wait()
        return GONE

    async def send(self, message: Message) -> None:
        self.told.append(message)


def test_a_client_of_jaegers_that_leaves_ends_its_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search over months does not go on for half a minute when Grafana's user has closed the panel."""
    begun = threading.Semaphore(0)
    ended = threading.Event()

    def endless(engine: Engine, *_: Any) -> None:
        begun.release()
        try:
            engine.sql("SELECT sum(i % 7) FROM range(100000000000000) numbers(i)")
        finally:
            ended.set()

    monkeypatch.setattr(jaeger, "find_traces", endless)
    site = Site(store(tmp_path, "traces", span(1)), None, clock=lambda: HOUR + SECOND)

    async def test() -> None:
        client = Client()
        asked = asyncio.ensure_future(application(site)(scope("/api/traces"), client.receive, client.send))
        assert await asyncio.to_thread(begun.acquire, timeout=10)
        client.left.set()
        async with asyncio.timeout(10):
            await asked
        assert await asyncio.to_thread(ended.wait, 10)
        assert client.told == []

    asyncio.run(test())


def test_who_leaves_a_large_answer_does_not_have_two_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being written takes its memory until it is done, whoever is gone by then."""
    begun, goes_on = threading.Semaphore(0), threading.Event()

    def waiting(*_: Any, **__: Any) -> Response:
        begun.release()
        goes_on.wait(10)
        return Response()

    monkeypatch.setattr(jaeger, "answer", waiting)
    app = application(Site(store(tmp_path, "traces", span(1)), None, clock=lambda: HOUR + SECOND))

    async def test() -> None:
        first, second = Client(), Client()
        asked = [asyncio.ensure_future(app(scope("/api/traces"), one.receive, one.send)) for one in (first, second)]
        assert await asyncio.to_thread(begun.acquire, timeout=10)
        first.left.set()
        await asked[0]
        assert not await asyncio.to_thread(begun.acquire, timeout=0.3)
        goes_on.set()
        await asked[1]
        assert [message["type"] for message in second.told] == ["http.response.start", "http.response.body"]

    asyncio.run(test())


@pytest.mark.parametrize(("method", "told"), [("GET", []), ("HEAD", []), ("POST", [{"type": "done"}])])
def test_what_changes_something_is_done_to_its_end(method: str, told: list[Message]) -> None:
    """Whoever sends it may be gone by then; reading alone ends."""

    async def test() -> None:
        client, begun, goes_on = Client(), asyncio.Event(), asyncio.Event()

        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            begun.set()
            await goes_on.wait()
            await send({"type": "done"})

        asked = asyncio.ensure_future(WhilePresent(app)(scope(method=method), client.receive, client.send))
        await begun.wait()
        client.left.set()
        for _ in range(10):
            await asyncio.sleep(0)
        goes_on.set()
        async with asyncio.timeout(10):
            await asked
        assert client.told == told

    asyncio.run(test())


def test_what_is_asked_is_handed_on_and_faults_are_told() -> None:
    """A body that comes with a question, and an exception, are what they would be without it."""

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        assert await receive() == BODY
        raise ZeroDivisionError

    async def test() -> None:
        client = Client()
        with pytest.raises(ZeroDivisionError):
            await WhilePresent(app)(scope(), client.receive, client.send)

    asyncio.run(test())


def test_the_end_of_the_process_ends_it_too() -> None:
    """Who stops the server is told that it has stopped."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        client = Client()
        asked = asyncio.ensure_future(WhilePresent(app)(scope(), client.receive, client.send))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    asyncio.run(test())
