from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator

import aiohttp
import httpx
import pytest
import requests
import urllib3

from instrumentation import instrument
from instrumentation.testing import Telemetry


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Answers 418 to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(418)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()


def _by_requests(url: str) -> None:
    requests.get(url, timeout=5)


def _by_httpx(url: str) -> None:
    httpx.get(url)


def _by_urllib3(url: str) -> None:
    urllib3.PoolManager().request("GET", url)


def _by_aiohttp(url: str) -> None:
    async def main() -> None:
        async with aiohttp.ClientSession() as session, session.get(url):
            pass

    asyncio.run(main())


@pytest.mark.parametrize("call", [_by_requests, _by_httpx, _by_urllib3, _by_aiohttp])
def test_a_call_is_one_span_by_the_stable_conventions(telemetry: Telemetry, server: str, call: object) -> None:
    """Method, address without its secrets, status and server, and the duration in seconds."""
    assert callable(call)
    instrument()
    call(f"{server}/orders?api_key=abcdefgh&page=2")
    (span,) = telemetry.spans()
    assert (span.kind, span.attributes["http.request.method"]) == ("CLIENT", "GET")
    assert span.attributes["http.response.status_code"] == 418
    assert span.attributes["url.full"] == f"{server}/orders?api_key=[REDACTED]&page=2"
    assert span.attributes["server.address"] == "127.0.0.1"
    durations = telemetry.points("http.client.request.duration")
    assert any(point.attributes.get("http.response.status_code") == 418 for point in durations)
