"""The recorded traffic of a real backend, judged: counts to the record, percentiles within the histogram's error."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

import orjson
import pytest

from collector.decoding import Decoder, DecodingLimits
from instrumentation.redaction import Redactor
from processors.histogram import RELATIVE_ERROR, Histogram
from processors.judgement import Judgement
from processors.rollups import STREAMS
from processors.settings import ThresholdSettings
from tests.conftest import SHARED_DATA

CLEAN = SHARED_DATA / "otlp" / "clean"
WEBSOCKET = "/api/v1/logs/stream"

pytestmark = [
    pytest.mark.untraced,
    pytest.mark.skipif(not CLEAN.is_dir(), reason="the recordings are not beside this checkout"),
]


@pytest.fixture(scope="module")
def lines() -> dict[str, list[dict[str, Any]]]:
    """The derived streams of the whole recording, judged in the order in which it arrived."""
    judgement = Judgement(ThresholdSettings())
    decoder = Decoder(redactor=Redactor(), limits=DecodingLimits())
    received = 0
    for entry in map(json.loads, (CLEAN / "index.jsonl").read_text().splitlines()):
        received = int(datetime.fromisoformat(entry["received_at"]).timestamp() * 1000) * 1_000_000
        decode = getattr(decoder, f"decode_{entry['signal']}")
        body = (CLEAN / entry["file"]).read_bytes()
        judgement.advance(received)
        for batch in decode(body, judgement.projection, encoding="protobuf", received_unix_nano=received):
            for observation in batch.observations:
                judgement.observe(observation)
    judgement.advance(received + 2 * 86400 * 10**9)
    return {stream: [*map(orjson.loads, content.splitlines())] for stream, content, _ in judgement.lines.take()}


@pytest.fixture(scope="module")
def expected() -> Any:
    return json.loads((CLEAN / "expected.json").read_text())


def test_every_request_is_a_line_of_its_route(lines: dict[str, list[dict[str, Any]]], expected: Any) -> None:
    """But the WebSocket, which is none."""
    routes = Counter(line["route"] for line in lines["performance"])
    wanted = {route: told["count"] for route, told in expected["by_http_route"].items() if route != WEBSOCKET}
    assert routes == {**wanted, "": expected["server_spans_without_http_route"]["count"]}
    statuses = Counter(str(line["status_code"]) for line in lines["performance"])
    websocket = Counter({"200": 1})
    assert statuses == Counter(expected["server_status_codes"]) - websocket


@pytest.mark.parametrize("resolution", ["1min", "1h", "1d"])
def test_rollups_have_each_route_with_its_errors_and_percentiles(
    lines: dict[str, list[dict[str, Any]]], expected: Any, resolution: str
) -> None:
    """Within the histogram's error of the exact ones, at each resolution."""
    counts: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    times: dict[str, Histogram] = defaultdict(Histogram)
    for line in lines[STREAMS[resolution]]:
        if line["indicator"] == "http.server.response_time":
            assert line["resolution"] == resolution
            route = line["key"]["http.route"]
            counts[route] += line["count"]
            errors[route] += line["errors"]
            times[route].merge(Histogram.from_json(line["histogram"]))
    told = {**expected["by_http_route"], "": expected["server_spans_without_http_route"]}
    del told[WEBSOCKET]
    assert counts == {route: one["count"] for route, one in told.items()}
    assert errors == {route: one["errors"] for route, one in told.items() if one["errors"]} | {
        route: 0 for route, one in told.items() if not one["errors"]
    }
    for route, one in told.items():
        for q, name in ((0.5, "p50_ms"), (0.95, "p95_ms"), (0.99, "p99_ms")):
            assert times[route].quantile(q) * 1000 == pytest.approx(one[name], rel=RELATIVE_ERROR), (route, name)


def test_events_are_found_in_the_lines_of_a_backend_without_our_library(
    lines: dict[str, list[dict[str, Any]]], expected: Any
) -> None:
    """The limiter's hits once each, though it logs them twice."""
    events = Counter((line["event"], line["outcome"]) for line in lines["security"])
    assert events["fossa.rate_limit.exceeded", "failure"] == expected["log_records_rate_limited"] == 74
    assert events["fossa.auth.login", "failure"] == 29


def test_the_default_rules_say_what_was_wrong(lines: dict[str, list[dict[str, Any]]]) -> None:
    """Half a minute with failing routes and logins; nothing about the host or the database."""
    told = {(line["rule"], line["severity"]) for line in lines["alerts"] if line["status"] == "firing"}
    assert {
        ("http.server.error_rate", "critical"),
        ("http.server.4xx_rate", "low"),
        ("http.server.5xx_rate", "low"),
        ("auth.success_rate", "high"),
        ("auth.failed_logins", "high"),
    } <= told
    assert {rule for rule, _ in told} <= {
        "http.server.error_rate",
        "http.server.4xx_rate",
        "http.server.5xx_rate",
        "auth.success_rate",
        "auth.failed_logins",
        "service.absent",
    }
