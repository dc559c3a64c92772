"""Whatever was recorded and whatever breaks, an answer is JSON, bounded, and tells nothing of our insides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dashboard import records as records_module
from dashboard.api import hosts
from storage.names import OWN_FOLDER
from tests.dashboard.api.asking import Client, description, site_of
from tests.support.stored import HOUR, store
from tests.support.week import Week

NOW = HOUR // 10**9 + 60
HTML = "<script>alert('1')</script>\u202e\x00\x1b[31m\""
LONG = HTML + "x" * 100_000


def _client(folder: Path) -> Client:
    return Client(site_of(folder, now=NOW))


def test_hostile_log_records_are_cut_and_stay_text(tmp_path: Path) -> None:
    """HTML and control characters come as they are, in JSON; what is longer than anybody reads ends in a mark."""
    attributes = {LONG: LONG, "deep": [[[1]]], **{f"a{number}": number for number in range(500)}}
    record = {"body": LONG, "severity": HTML, "severity_number": 9, "attributes": attributes, "scope": {"name": HTML}}
    response = _client(store(tmp_path, "logs", record)).get("/api/v1/logs")
    assert (response.headers["content-type"], response.headers["x-content-type-options"]) == (
        "application/json",
        "nosniff",
    )
    assert len(response.content) < 40_000
    (found,) = response.json()["records"]
    assert (found["severity"], found["logger"]) == (HTML, HTML)
    assert (found["body"][: len(HTML)], len(found["body"]), found["body"][-1]) == (HTML, 16_384, "…")
    assert len(found["attributes"]) == 128
    assert all(len(name) <= 4096 and len(str(value)) <= 4096 for name, value in found["attributes"].items())


def test_records_without_anything_or_of_wrong_types_are_told(tmp_path: Path) -> None:
    """Nothing of a line is sure to be there."""
    span: dict[str, Any] = {"trace_id": "a" * 32, "span_id": None, "attributes": {"http.route": [1, {"a": None}]}}
    store(tmp_path, "traces", span, {"trace_id": "a" * 32, "name": {"x": 1}, "duration_ms": "long", "events": "none"})
    store(tmp_path, "logs", {}, {"body": {"a": [1]}, "severity_number": "high", "attributes": "none", "service": None})
    store(tmp_path, "errors", {"error_type": None, "message": None}, {"message": 5, "trace_id": {"a": 1}})
    store(tmp_path, "security", {"event": None, "outcome": 7}, {"event": "auth.login", "attributes": None})
    store(tmp_path, "business", {"event": None, "seconds": "long"}, {"event": "a", "attributes": {"job.id": [1]}})
    store(tmp_path, "performance", {"response_time": None}, {"response_time": 1e308, "status_code": "none"})
    store(tmp_path, "health", {"target": "x", "healthy": None, "state": None}, {"target": None, "latency_ms": "x"})
    store(tmp_path, "metrics", {"name": "m", "value": None}, {"name": "m", "value": 1e308}, {"name": None})
    client = _client(tmp_path)
    paths = [path for path, operations in description()["paths"].items() if "get" in operations and "{" not in path]
    paths += [f"/traces/{'a' * 32}", "/events/business", "/events/security", "/events/security/latest"]
    paths += ["/events/business/latest", "/reports/weekly", "/metrics/series?name=m"]
    needing = {"/metrics/series", "/audit"}  # a name, or another role
    answers = {path: client.get(f"/api/v1{path}").status_code for path in paths if path not in needing}
    assert answers == dict.fromkeys(answers, 200)


def test_what_takes_too_long_is_told_with_the_way_out(week: Week, monkeypatch: pytest.MonkeyPatch) -> None:
    """And can be asked again later."""
    monkeypatch.setattr(records_module, "_PATIENCE_SECONDS", 0.0)
    with Client(site_of(week.logs)) as client:
        answer = client.asked("/errors", code=503, last="7days")
        assert "choose a shorter time" in answer["error"].lower()
        monkeypatch.undo()
        assert client.asked("/errors", last="7days")["errors"] == len(week.errors)


def test_a_folder_of_a_newer_version_is_told(tmp_path: Path) -> None:
    """In the words of whoever reads it."""
    (tmp_path / OWN_FOLDER).mkdir()
    (tmp_path / OWN_FOLDER / "manifest.json").write_text('{"format": 99, "segments": {}}')
    assert "99" in _client(tmp_path).asked("/errors", code=503)["error"]


def test_a_fault_of_ours_tells_nothing_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack trace, no message of an exception."""

    def broken(_engine: object, _period: object) -> None:
        raise RuntimeError("/home/olga/secret.py, line 7")

    monkeypatch.setattr(hosts, "last_looks", broken)
    assert _client(tmp_path).asked("/health", code=500) == {
        "error": "It went wrong here. The log of the pages' process says why."
    }


@pytest.mark.parametrize(
    ("path", "code", "error"),
    [
        ("/requests?last=soon", 400, "last=soon: "),
        ("/requests?last=9999days", 400, "last=9999days: expected 5s to 366days"),
        ("/requests?from=2026-11-23&to=2026-11-22", 400, "from=2026-11-23, to=2026-11-22: expected a beginning"),
        ("/requests?from=1969-01-01", 400, "from=1969-01-01: no record can be from then, expected 1970 to 2262"),
        ("/requests?lsat=7days", 422, "lsat: no parameter; there are service, route, minimum, limit, last, from, to"),
        ("/requests?limit=0", 422, "query.limit: Input should be greater than or equal to 1"),
        ("/requests?limit=1001", 422, "query.limit: Input should be less than or equal to 1000"),
        ("/requests/slow?threshold_seconds=nan", 422, "query.threshold_seconds: Input should be a finite number"),
        ("/traces?attribute=anna", 400, "'anna' is no attribute with a value, expected for example user.id=anna"),
        ("/traces/nothing", 422, "path.trace_id: String should match pattern"),
        ("/logs?before=yesterday", 400, "before=yesterday: expected `next` of an answer"),
        ("/logs?level=loud", 422, "query.level: String should match pattern"),
        ("/reports/monthly?to=1970-01-29", 400, "to: expected a time at least 30 days after 1970"),
        ("/rules/nobody", 404, "no rule nobody is configured; /rules has those that are"),
        ("/events/rumours", 422, "path.stream: Input should be 'business' or 'security'"),
        ("/nothing", 404, "nothing lies at this address; /api/v1/openapi.json tells what does"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(tmp_path: Path, path: str, code: int, error: str) -> None:
    """With what was expected."""
    response = _client(tmp_path).get(f"/api/v1{path}")
    assert (response.status_code, response.json()["error"][: len(error)]) == (code, error)


def test_a_wrong_method_is_told_the_right_ones(tmp_path: Path) -> None:
    """All of them, also where each has a place of its own."""
    response = _client(tmp_path).head("/api/v1/silences")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


def test_everything_is_described() -> None:
    """Each parameter in words, each refusal as what it is, and who may ask."""
    document = description()
    assert (document["servers"], document["info"]["title"]) == ([{"url": "/api/v1"}], "Forecourt")
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    operations = [(path, one) for path, each in document["paths"].items() for one in each.values()]
    assert [path for path, one in operations if not one.get("summary") or one["security"] != [{"bearer": []}]] == []
    named = [(path, one) for path, operation in operations for one in operation.get("parameters", ())]
    assert [(path, one["name"]) for path, one in named if not one.get("description")] == []
    for _, operation in operations:
        assert {"400", "401", "403", "422", "429", "503"} <= operation["responses"].keys()
        for status, response in operation["responses"].items():
            model = response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert (model == "Problem") is (status >= "400")
