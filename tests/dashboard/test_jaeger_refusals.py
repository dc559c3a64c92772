"""What can't be answered, who is answered, and what hostile telemetry and questions come to, in Jaeger's API."""

from __future__ import annotations

import importlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response

from dashboard import records as records_module
from dashboard.jaeger.answers import answer
from dashboard.settings import DashboardSettings
from tests.dashboard.jaeger_client import SECOND, Jaeger, Problem, span
from tests.support.stored import HOUR, store
from tests.support.week import END, SERVICE, Week

NOW = HOUR + 3600 * SECOND
application = importlib.import_module("dashboard.jaeger.application")  # whose package has a function of that name
TOKEN = "token-of-viktor-0123456789"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/traces", "parameter 'service' is required"),
        ("/api/operations", "parameter 'service' is required"),
        ("/api/traces?service=a&minDuration=long", "unable to parse param 'minDuration': 'long': no duration"),
        ("/api/traces?service=a&minDuration=1d", "unable to parse param 'minDuration': '1d': no duration"),
        (f"/api/traces?service=a&maxDuration={'9' * 20}h", "unable to parse param 'maxDuration'"),
        ("/api/traces?service=a&minDuration=2s&maxDuration=1s", "'maxDuration' should be greater than 'minDuration'"),
        ("/api/traces?service=a&tags=error", "malformed 'tags' parameter, expected a JSON object of texts"),
        ("/api/traces?service=a&tags=%7B%22a%22:1%7D", "malformed 'tags' parameter, expected a JSON object of texts"),
        ("/api/traces?service=a&tag=error", "malformed 'tag' parameter, expecting key:value, received: error"),
        (f"/api/traces?service=a{'&tag=a%d:1' * 11 % tuple(range(11))}", "11 tags, expected at most 10"),
        ("/api/traces?service=a&limit=0", "invalid parameter: limit must be greater than 0, and at most 1500"),
        ("/api/traces?service=a&limit=1501", "invalid parameter: limit must be greater than 0, and at most 1500"),
        ("/api/traces?service=a&limit=ten", "unable to parse param 'limit': 'ten': expected a whole number"),
        ("/api/traces?service=a&start=now", "unable to parse param 'start': 'now': expected a whole number"),
        ("/api/traces?service=a&start=2&end=1", "invalid parameter: start time must be before end time"),
        (f"/api/traces?service=a&end={NOW}", "unable to parse param 'end': expected microseconds since 1970"),
        ("/api/traces?service=a&raw=maybe", "unable to parse param 'raw': expected true or false"),
        ("/api/traces?traceID=x", "cannot parse traceID 'x': expected 1 to 32 hexadecimal digits"),
        (f"/api/traces?{'&traceID=1' * 21}", "21 parameters 'traceID', expected at most 20"),
        (f"/api/traces/{'a' * 33}", f"cannot parse traceID '{'a' * 33}'"),
        ("/api/traces/1?start=x", "unable to parse param 'start': 'x': expected a whole number"),
        ("/api/dependencies?endTs=x", "unable to parse param 'endTs': 'x': expected a whole number"),
        (
            "/api/dependencies?lookback=-1",
            "unable to parse param 'lookback': expected a number of milliseconds above 0",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_in_jaegers_envelope(tmp_path: Path, path: str, message: str) -> None:
    """With the status, the parameter and what was expected."""
    told = Jaeger(tmp_path, NOW).told(path, code=400)
    assert told.errors is not None
    ((code, text),) = [(one.code, one.msg) for one in told.errors]
    assert (told.data, code, text[: len(message)]) == (None, 400, message)


def test_what_is_not_offered_says_so(tmp_path: Path) -> None:
    """Jaeger's page of monitoring knows 501 as a storage without metrics."""
    client = Jaeger(tmp_path, NOW)
    told = client.told("/api/metrics/latencies?service=shop&quantile=0.95", code=501)
    assert told.errors == [Problem(code=501, msg="metrics querying is currently disabled")]
    assert client.told("/api/v3/services", code=404).data is None
    assert client.get("/api/v1/openapi.json").json()["info"]["title"] == "Forecourt"


def test_it_can_be_told_for_people(tmp_path: Path) -> None:
    """As `prettyPrint` asks."""
    client = Jaeger(tmp_path, NOW)
    plain, pretty = (client.get("/api/services", params=query).text for query in ({}, {"prettyPrint": "true"}))
    assert ("\n" in plain, "\n" in pretty, orjson.loads(plain)) == (False, True, orjson.loads(pretty))


def test_hostile_spans_are_told_within_bounds(tmp_path: Path) -> None:
    """Whatever a sender has put into them, it stays text."""
    html = "<script>alert('1')</script>\u202e\x00\x1b[31m\""
    hostile = {"attributes": {html: [[[html]]]}, "status_message": html * 1000, "scope": {"name": 1}}
    links = [{"trace_id": None, "span_id": 5, "attributes": "x"}]
    odd = {"links": links, "events": [{"name": None, "time_unix_nano": -5}], "parent_span_id": "0" * 16}
    spans = ({**span(1, service=html, name=html), **hostile}, {**span(1, own="b"), **odd}, span(1, span_id=None))
    with Jaeger(store(tmp_path, "traces", *spans), NOW) as client:
        (trace,) = client.traces(service=html)
        assert client.told("/api/services").data == sorted([html, "shop"])
        assert client.numbers(service=html, operation=html, tag=f'{html}:[[["{html}"]]]') == []
    assert sorted(one.operationName for one in trace.spans) == sorted([html, "GET /orders", "GET /orders"])
    assert all(len(str(tag.value)) <= 4096 for one in trace.spans for tag in one.tags)


def test_only_users_are_answered_and_looking_is_enough(tmp_path: Path) -> None:
    """Grafana sends the token in a header of its own; no other site's page may read along."""
    settings = DashboardSettings.model_validate({"users": {"viktor": {"token": TOKEN, "role": "view"}}})
    with Jaeger(store(tmp_path, "traces", span(1)), NOW, settings=settings) as client:
        assert client.get("/api/services").status_code == 401
        client.headers["authorization"] = f"Bearer {TOKEN}"
        answer = client.get("/api/services", headers={"origin": "http://127.0.0.1:3000"})
        assert (answer.status_code, answer.json()["data"]) == (200, ["shop"])
        assert [name for name in answer.headers if name.startswith("access-control")] == []
        elsewhere = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
        assert client.get("/api/services", headers=elsewhere).status_code == 403


def test_what_takes_too_long_is_told(week: Week, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a service that is not available now."""
    monkeypatch.setattr(records_module, "_PATIENCE_SECONDS", 0.0)
    with Jaeger(week.logs, END * SECOND) as client:
        told = client.told("/api/traces", code=503, service=SERVICE)
        assert told.errors is not None
        assert "choose a shorter time" in told.errors[0].msg.lower()


def test_many_ids_are_looked_for_no_longer_than_one_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that is nowhere has everything read, and one request names twenty."""
    monkeypatch.setattr(application, "_BY_IDS_SECONDS", 0.0)
    with Jaeger(store(tmp_path, "traces", span(1)), NOW) as client:
        told = client.told("/api/traces?traceID=1&traceID=2", code=503)
        assert told.errors is not None
        assert told.errors[0].msg == "it takes longer than 0 s. Ask for fewer traces at a time"


def test_large_answers_are_written_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes hundreds of megabytes meanwhile, and who asks eight times must not take them eight times."""
    seen: list[int] = []
    lock = threading.Lock()
    at_work = [0]

    def counting(request: Request, data: Any, **given: Any) -> Response:
        with lock:
            at_work[0] += 1
            seen.append(at_work[0])
        try:
            time.sleep(0.02)  # long enough for the others to come
            return answer(request, data, **given)
        finally:
            with lock:
                at_work[0] -= 1

    monkeypatch.setattr(application, "answer", counting)
    with Jaeger(store(tmp_path, "traces", span(1)), NOW) as client, ThreadPoolExecutor(4) as threads:
        found = [one.result() for one in [threads.submit(client.numbers, service="shop") for _ in range(4)]]
    assert (found, max(seen)) == ([[1]] * 4, 1)


def test_traces_for_people_are_those_for_programs(tmp_path: Path) -> None:
    """Only the blanks between differ."""
    link = {"trace_id": "c" * 32, "span_id": "c" * 16, "attributes": {}}
    with Jaeger(store(tmp_path, "traces", span(1, links=[link]), span(1, own="b"), span(2)), NOW) as client:
        query = {"service": "shop"}
        texts = [client.get("/api/traces", params={**query, **more}).text for more in ({}, {"prettyPrint": "true"})]
    assert texts[0] != texts[1]
    assert orjson.loads(texts[0]) == orjson.loads(texts[1])
