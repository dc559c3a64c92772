"""What the server span says of answers that end before they are whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse

from instrumentation import instrument
from instrumentation.testing import Telemetry


def _app() -> FastAPI:
    app = FastAPI()

    async def breaks() -> AsyncIterator[str]:
        yield "a" * 1000
        raise ValueError("stream broke")

    async def endless() -> AsyncIterator[str]:
        while True:
            yield "a" * 1000
            await asyncio.sleep(0)

    def fails() -> None:
        raise ValueError("task broke")

    @app.get("/breaks")
    async def stream_that_breaks() -> StreamingResponse:
        return StreamingResponse(breaks())

    @app.get("/endless")
    async def stream_without_end() -> StreamingResponse:
        return StreamingResponse(endless())

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> str:
        tasks.add_task(fails)
        return "whole"

    return app


async def _ask(app: FastAPI, path: str) -> None:
    """As a client that goes away once it has a thousand bytes."""
    got = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await got.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message.get("body"):
            got.set()

    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "query_string": b"", "headers": []}
    with suppress(ValueError):
        await app({"asgi": {"spec_version": "2.3"}, "client": ("127.0.0.1", 1), **scope}, receive, send)


@pytest.mark.parametrize(
    ("path", "status", "error_type", "size"),
    [
        ("/breaks", "ERROR", "ValueError", None),
        ("/endless", "ERROR", "ConnectionError", None),
        ("/background", "UNSET", None, 7),
    ],
)
def test_what_broke_off_has_an_error_and_no_size(
    telemetry: Telemetry, path: str, status: str, error_type: str | None, size: int | None
) -> None:
    """The sidecar tells by them an answer that failed from one that was left, or was whole before a task failed."""
    app = _app()
    instrument(app)
    asyncio.run(_ask(app, path))
    (span,) = [one for one in telemetry.spans() if one.kind == "SERVER"]
    found = [span.attributes.get(f"http.response.{key}") for key in ("status_code", "body.size")]
    assert (span.status, span.attributes.get("error.type"), *found) == (status, error_type, 200, size)
