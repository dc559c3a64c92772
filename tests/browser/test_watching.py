"""Whoever watches the pages sees what goes wrong: without that, seeing nothing would prove nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.browser.chromium import Chromium
from tests.browser.finding import faults_of

_FAULTY = """<!doctype html><html lang="en"><title>Faulty</title><body><main>
<img src="http://203.0.113.9/a.png" alt=""><img src="x" alt="" onerror="__ran('an attribute')">
<script>console.warn("careful"); setTimeout(() => { throw new Error("thrown"); }); alert("hello");</script>
<form><input></form><p style="width: 3000px">wide</p></main></body></html>"""
_STRICT = """<!doctype html><html lang="en"><title>Strict</title><body><main>
<script>__ran("never")</script></main></body>"""
Answer = tuple[int, str, str]
"""Status, content security policy and HTML."""
PAGES = {
    "/faulty": (200, "", _FAULTY),
    "/strict": (200, "script-src 'self'", _STRICT),
    "/broken": (500, "", "<main></main>"),
}


@contextmanager
def serving(pages: dict[str, Answer]) -> Iterator[str]:
    """Its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # as http.server has it
            status, policy, html = pages.get(self.path, (404, "", ""))
            self.send_response(status)
            self.send_header("content-security-policy", policy)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_goes_wrong_is_seen(chromium: Chromium) -> None:
    """What ran, what was asked of others, what the policy refused, and what no screen reader could read."""
    with serving(PAGES) as base:
        visitor = chromium.visitor(base)
        told = faults_of(visitor.visit(list(PAGES), {"light": ["label"]}))
        visitor.close()
    for words in (
        "/faulty: error: a text of telemetry ran: an attribute",
        "/faulty: warning: careful",
        "/faulty: exception: thrown",
        "/faulty: dialog: hello",
        "/faulty: request: http://203.0.113.9/a.png",
        "/faulty, light: label: 1x <input>",
        "/faulty, light: 1",
        "/strict: error: policy: script-src-elem inline",
        "/broken: answer: 500",
    ):
        assert any(one.startswith(words) for one in told), (words, told)
    assert not any("never" in one for one in told)
