"""Notifications to hand to channels, and a server that answers as it is told."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from alerting.evidence import Evidence, Sample
from alerting.notification import AlertView, Notification, NotificationKind

START = 1_795_435_200_000_000_000
"""2026-11-23T12:00:00Z."""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def view(**given: Any) -> AlertView:
    default: dict[str, Any] = {
        "id": "bf3fbe8026",
        "rule": "http.server.error_rate",
        "key": (("service.name", "backend"),),
        "labels": {"service.name": "backend", "alertname": "http.server.error_rate"},
        "severity": "critical",
        "status": "firing",
        "value": 0.113,
        "unit": "ratio",
        "band": "critical",
        "bands": ("> 1%", "> 5%", "> 10%"),
        "summary": "11.3 % of requests fail",
        "samples": 214,
        "window_seconds": 300.0,
        "firing_since": START,
        "resolved_at": 0,
        "resolved_reason": "",
        "stale": False,
        "traces": (TRACE,),
        "next_steps": ("forecourt logs errors --last 1h",),
        "indicator": "http.server.errors",
    }
    return AlertView(**{**default, **given})


def ended(**given: Any) -> AlertView:
    over = {
        "status": "resolved",
        "resolved_at": START + 600_000_000_000,
        "resolved_reason": "the condition holds no more",
    }
    return view(**{**over, **given})


def notification(*alerts: AlertView, kind: NotificationKind = "firing", **given: Any) -> Notification:
    default: dict[str, Any] = {
        "id": 7,
        "receiver": "mail",
        "kind": kind,
        "severity": alerts[0].severity if alerts else "critical",
        "alerts": alerts,
        "reason": "it is new",
        "created_unix_nano": START + 125_000_000_000,
        "route": "critical",
        "threads": ("bf3fbe8026.1795435200000",),
    }
    return Notification(**{**default, **given})


def evidence(_alert: AlertView, _now: int) -> Evidence:
    minutes = (*[0.004] * 50, None, None, 0.02, 0.04, 0.06, 0.08, 0.09, 0.1, 0.11, 0.113)
    sample = Sample("ValueError: no such pump", TRACE, "/api/jobs", 18)
    return Evidence(minutes, 0.004, 0.1, 0.001, ("POST /api/jobs: 18 of 20 failed",), (sample,))


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.body.decode()))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def answering(answer: Callable[[Asked], Answer]) -> Iterator[str]:
    """The address of a server on loopback that answers each request so."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Asked(self.command, self.path, dict(self.headers), body)
            status, headers, content = answer(asked)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  # the library's name

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that the end waits for them, and no socket is left
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
