"""Lines that no sidecar would write, in every stream: each page and each answer of the API goes on without them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.schema import STREAMS
from dashboard.pages import PAGES
from processors.histogram import of_values
from tests.dashboard.opening import Opening, address
from tests.support.stored import HOUR

NANO = 1_000_000_000
NOW = HOUR + 1800 * NANO
TRACE = "a" * 32
WRONG = ("null", "-1", '"text"', "[1, [2]]", "{}", '{"a": {"b": null}}', "true", '"\\u0000<b>"')
UNREADABLE = ('"\\ud800"', "1e999", str(2**64), '{"user.id": "\\ud800"}')
"""What one reader of JSON takes and another does not."""
HTTP = {"http.request.method": "GET", "http.route": "/a", "http.response.status_code": 404}
KEY = {"service.name": "app", "http.request.method": "GET", "http.route": "/a"}
ROLLUP = {"resolution": "1min", "key": KEY, "count": 1, "errors": 0, "histogram": of_values([0.1]).to_json()}
WHOLE: dict[str, list[dict[str, Any]]] = {
    "traces": [
        {"name": "GET /a", "kind": "SERVER", "trace_id": TRACE, "span_id": "b" * 16, "attributes": HTTP},
        {"name": "SELECT", "kind": "CLIENT", "duration_ms": 5.0, "attributes": {"db.system.name": "sqlite"}},
    ],
    "logs": [{"severity_number": 17, "body": "hello", "trace_id": TRACE, "attributes": {}}],
    "metrics": [{"name": "m", "type": "gauge", "unit": "1", "value": 1.0, "attributes": {"a": "b"}}],
    "performance": [{"method": "GET", "route": "/a", "status_code": 200, "response_time": 0.1, "user": "anna"}],
    "errors": [{"error_type": "E", "message": "m 5", "trace_id": TRACE}],
    "security": [{"event": "auth.login", "outcome": "failure", "attributes": {"user.id": "anna"}}],
    "business": [{"event": "form_automation.job", "outcome": "failure", "attributes": {"job.id": "7"}}],
    "system": [{"event": "service.started", "attributes": {"service.version": "1"}}],
    "health": [{"target": "backend", "kind": "http", "healthy": True, "state": "up", "latency_ms": 1.0}],
    "alerts": [{"alert": "a", "rule": "r", "status": "firing"}],
    **{
        stream: [
            {"indicator": name, **ROLLUP}
            for name in ("http.server.response_time", "db.query.response_time", "host.disk", "db.pool.utilization")
        ]
        for stream in ("rollups", "rollups_1h", "rollups_1d")
    },
}
NAMES = {
    "{trace}": TRACE,
    "{trace_id}": TRACE,
    "{rule:path}": "http.server.p95",
    "{rule}": "http.server.error_rate",
    "{alert}": "0123456789",
    "{form}": "weekly",
}
ASKED = {
    "/metrics/series": {"name": "m"},
    "/rules/{rule}/backtest": {"when": "> 1%"},
    "/explore": {"metric": "m"},
    "/errors/group": {"type": "E", "message": "m <n>", "service": "app"},
}


def lines_of(stream: str) -> Iterator[str]:
    """Each field of a whole line with each wrong value, and without it; then what is no line."""
    number = 0
    for whole in WHOLE[stream]:
        for field in ("time_unix_nano", "received_unix_nano", "service", "batch_id", "batch_index", *STREAMS[stream]):
            for wrong in (*WRONG, *UNREADABLE, ""):
                number += 1
                at = HOUR - HOUR % (86_400 * NANO) if stream.startswith("rollups") else HOUR + number * NANO // 10
                line = {"time_unix_nano": at, "received_unix_nano": at, "service": "app", "batch_index": number}
                line |= {"batch_id": "b", **whole, field: "@"}
                if not wrong:
                    del line[field]
                yield json.dumps(line).replace('"@"', wrong)
    yield from ("[]", "null", "{", "{}", '{"received_unix_nano": 1}', '{"torn": 1, "rece')


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opening]:
    folder = tmp_path_factory.mktemp("damaged")
    for stream in STREAMS:
        (folder / stream).mkdir()
        (folder / stream / "2026-11-23T12.jsonl").write_text("\n".join(lines_of(stream)))
    with Opening(folder, NOW) as opened:
        yield opened


def named(path: str) -> str:
    for place, name in NAMES.items():
        path = path.replace(place, name)
    return path


@pytest.mark.parametrize("path", [page.path for page in PAGES])
def test_a_page_goes_on_without_damaged_lines(pages: Opening, path: str) -> None:
    """Whatever they hold; a page that an address names nothing on says so."""
    answer = pages.get(address(named(path), last="24h", **ASKED.get(path, {})))
    assert answer.status_code == 200
    assert "be shown</h2>" not in answer.text or path == "/alerts/{alert}"


def test_the_api_goes_on_without_damaged_lines(pages: Opening) -> None:
    """Each of its answers."""
    described = pages.get("/api/v1/openapi.json").json()["paths"]
    asked = [path for path, methods in described.items() if "get" in methods]
    statuses = {}
    for path in asked:
        for stream in ("business", "security"):
            lasting = {"last": "24h"} if "last" in str(described[path]["get"].get("parameters")) else {}
            place = "/api/v1" + named(path).replace("{stream}", stream)
            statuses[place] = pages.get(address(place, **lasting, **ASKED.get(path, {}))).status_code
    without_state = {place for place, status in statuses.items() if status != 200}
    assert without_state == {"/api/v1/alerts/0123456789", "/api/v1/alerts/0123456789/story"}
    assert len(statuses) > 35


def test_what_is_whole_among_damaged_lines_is_counted(tmp_path: Path) -> None:
    """A rollup that adds up to nothing takes nothing with it, and one at an odd time is none."""
    whole = {"time_unix_nano": HOUR, "received_unix_nano": HOUR, "service": "app", **WHOLE["rollups"][0]}
    wrong: list[dict[str, Any]] = [
        {"histogram": {"count": 1, "sum": None, "buckets": [[1, 1]]}},
        {"histogram": {"count": 1, "sum": 1.0, "min": 1.0, "max": 1.0, "buckets": [["a", 1]]}},
        {"histogram": {"count": 1, "sum": 1.0, "min": 1.0, "max": 1.0, "buckets": [[1]]}},
        {"histogram": {"count": "1", "sum": 1.0, "buckets": []}},
        {"histogram": []},
        {"key": None},
        {"key": ["app", "GET", "/a"]},
        {"time_unix_nano": HOUR + 30 * NANO},
        {"time_unix_nano": None},
    ]
    (tmp_path / "rollups").mkdir()
    (tmp_path / "rollups" / "2026-11-23T12.jsonl").write_text(
        "\n".join(json.dumps({**whole, **one}) for one in ({}, *wrong, {}))
    )
    with Opening(tmp_path, NOW) as pages:
        answer = pages.get("/api/v1/requests?last=24h").json()
    assert [(one["route"], one["requests"]) for one in answer["routes"]] == [("/a", 2)]
    assert (answer["all"]["requests"], answer["all"]["max"]) == (2, 0.1)
