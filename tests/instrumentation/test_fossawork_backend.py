"""The example backend, started as it is with `forecourt run`, its driver, and a real sidecar: the counts must agree."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from processors.settings import ThresholdSettings
from tests.support.backend import EXAMPLES, Backend, fossawork
from tests.support.sidecar import UntracedSidecar

_SPEC = importlib.util.spec_from_file_location("driver", EXAMPLES / "fossawork_backend" / "driver.py")
assert _SPEC is not None
assert _SPEC.loader is not None
driver = importlib.util.module_from_spec(_SPEC)
__import__("sys").modules["driver"] = driver
_SPEC.loader.exec_module(driver)

ROUNDS = 3


class Watched:
    """What a scenario left behind: the driver's tally and the sidecar's records."""

    def __init__(self, folder: Path, scenario: str, protocol: str = "http/protobuf") -> None:
        with UntracedSidecar(folder / "sidecar") as sidecar:
            endpoint = sidecar.url("grpc" if protocol == "grpc" else "http")
            settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
            with fossawork(folder, settings) as backend:
                self.tally = _drive(backend, scenario)
                backend.stop()
            self.spans = list(sidecar.records("traces"))
            self.logs = list(sidecar.records("logs"))
            self.points = list(sidecar.records("metrics"))
        self.written = b"".join(path.read_bytes() for path in sidecar.logs.rglob("*.jsonl"))
        self.output = "".join(backend.output)

    @property
    def servers(self) -> list[dict[str, Any]]:
        return [span for span in self.spans if span["kind"] == "SERVER"]

    def outcomes(self, name: str) -> Counter[str]:
        """Of the spans and of the log records with this event name, as rules count them."""
        found = [span for span in self.spans if span["name"] == f"fossa.{name}"]
        found += [record for record in self.logs if record.get("event_name") == f"fossa.{name}"]
        return Counter(record["attributes"]["event.outcome"] for record in found)


def _drive(backend: Backend, scenario: str) -> Any:
    made = driver.Driver(backend.url, scenario)
    for number in range(ROUNDS):
        made.round(number)
    made.close()
    return made.tally


@pytest.fixture(scope="module", params=["http/protobuf", "grpc"])
def normal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A quiet afternoon, over either protocol."""
    return Watched(tmp_path_factory.mktemp("normal"), "normal", request.param)


def test_every_request_is_exactly_one_server_span(normal: Watched) -> None:
    """As many as the driver sent, with the statuses it saw, roots of their traces, each id once."""
    statuses = Counter(span["attributes"]["http.response.status_code"] for span in normal.servers)
    assert statuses == normal.tally.statuses
    assert len({span["span_id"] for span in normal.spans}) == len(normal.spans)
    assert [span for span in normal.servers if "parent_span_id" in span] == []
    assert [span for span in normal.spans if span["name"].endswith((" http send", " http receive"))] == []


def test_a_quiet_afternoon_alarms_nobody(normal: Watched) -> None:
    """One round of mistakes is too little to count, and with the next they are less than the rule's 2 %."""
    rule = ThresholdSettings().rules["http.server.4xx_rate"]
    refused = sum(count for status, count in normal.tally.statuses.items() if 400 <= status < 500)
    assert 0 < refused < rule.minimum_failures
    requests_a_round = (normal.tally.requests - 1 - refused) / ROUNDS
    assert 2 * refused / (requests_a_round * driver.ROUNDS_BETWEEN_MISTAKES) < 0.02


def test_every_server_span_has_a_route_template(normal: Watched) -> None:
    """Also the 401 of a middleware, the mounted app and the streamed answer; only what no route takes has none."""
    routes = Counter((span["attributes"].get("http.route"), span["name"]) for span in normal.servers)
    assert routes == Counter(
        {
            ("/faults", "PUT /faults"): 1,
            ("/api/auth/login", "POST /api/auth/login"): ROUNDS,
            ("/health", "GET /health"): ROUNDS,
            ("/reports/weekly/{week}", "GET /reports/weekly/{week}"): ROUNDS,
            (None, "GET"): 1,
            ("/api/v1/work-orders/", "GET /api/v1/work-orders/"): ROUNDS + 2,
            ("/api/v1/work-orders/{number}", "GET /api/v1/work-orders/{number}"): 3 * ROUNDS + 1,
            ("/api/v1/work-orders/stream", "GET /api/v1/work-orders/stream"): ROUNDS,
            ("/api/v1/work-orders/export", "GET /api/v1/work-orders/export"): ROUNDS,
            ("/api/v1/automation/process-visit", "POST /api/v1/automation/process-visit"): ROUNDS,
            ("/api/v1/automation/jobs", "POST /api/v1/automation/jobs"): ROUNDS,
            ("/api/v1/work-orders/scrape", "POST /api/v1/work-orders/scrape"): ROUNDS,
        }
    )


def test_server_spans_say_who_and_how_much(normal: Watched) -> None:
    """Address, size of the answer, and for those who logged in user and session, hashed."""
    for span in normal.servers:
        assert span["attributes"]["client.address"] == "127.0.0.1"
        assert span["attributes"]["http.response.body.size"] > 0
    authenticated = [span for span in normal.servers if span["name"] == "POST /api/v1/automation/jobs"]
    assert len({span["attributes"]["user.id"] for span in authenticated}) == ROUNDS
    assert len({span["attributes"]["session.id"] for span in authenticated}) == ROUNDS
    assert b"tech1@example.com" not in normal.written


def test_trace_ids_agree_between_requests_logs_and_queries(normal: Watched) -> None:
    """Each query of a request and each of its log records carries the request's trace."""
    traces = {span["trace_id"] for span in normal.servers}
    queries = [span for span in normal.spans if span["kind"] == "CLIENT" and "parent_span_id" in span]
    assert len(queries) > 5 * ROUNDS
    assert {span["trace_id"] for span in queries} <= traces
    started = [record for record in normal.logs if record["body"] == "Request started"]
    assert len(started) == normal.tally.requests
    assert {record["trace_id"] for record in started} == traces
    access = [record for record in normal.logs if record["scope"]["name"] == "uvicorn.access"]
    assert {record["trace_id"] for record in access} == traces


def test_queries_have_a_summary_a_duration_and_no_path_of_the_database(normal: Watched) -> None:
    """`SELECT work_orders`, not the name of a file; `connect` is no query."""
    queries = [span for span in normal.spans if span["kind"] == "CLIENT"]
    selects = [span for span in queries if span["name"] == "SELECT work_orders"]
    assert len(selects) == 5 * ROUNDS + 1
    assert selects[0]["attributes"] == {
        "db.system.name": "sqlite",
        "db.namespace": "fossawork.db",
        "db.query.summary": "SELECT work_orders",
        "db.operation.name": "SELECT",
        "db.collection.name": "work_orders",
    }
    assert all(span["duration_ms"] > 0 for span in selects)
    assert [span["name"] for span in queries if "connect" in span["name"] or "/" in span["name"]] == []


def test_logins_visits_syncs_jobs_and_exports_agree_with_what_was_done(normal: Watched) -> None:
    """Found in the backend by the table, without an edit in it."""
    tally = normal.tally
    assert normal.outcomes("auth.login") == tally.logins
    assert normal.outcomes("auth.token.rejected") == {"failure": tally.rejected_tokens}
    assert normal.outcomes("form_automation.job") == {"success": tally.visits}
    assert normal.outcomes("form_automation.dispenser") == {"success": 2 * tally.visits}
    assert normal.outcomes("work_order.sync") == {"success": tally.syncs}
    assert normal.outcomes("job_queue.job") == {"success": tally.jobs}
    assert normal.outcomes("data.export") == {"success": tally.exports}
    assert normal.outcomes("session.activity") == {"success": ROUNDS}


def test_metrics_follow_the_stable_conventions(normal: Watched) -> None:
    """Histograms are exponential, in seconds, counted once; the host, the process, the pool and the loop are there."""
    newest = {}
    for point in normal.points:
        newest[point["name"], str(sorted(point["attributes"].items()))] = point
    durations = [point for (name, _), point in newest.items() if name == "http.server.request.duration"]
    assert sum(point["count"] for point in durations) == normal.tally.requests
    assert {point["type"] for point in durations} == {"exponential_histogram"}
    refused = [point for point in durations if point["attributes"]["http.response.status_code"] == 401]
    assert {point["attributes"]["http.route"] for point in refused} == {"/api/v1/work-orders/"}
    names = {name for name, _ in newest}
    assert names >= {
        "db.client.operation.duration",
        "db.client.connection.count",
        "db.client.connection.max",
        "db.client.connection.wait_time",
        "fossa.operation.duration",
        "fossa.operation.count",
        "system.cpu.utilization",
        "system.memory.utilization",
        "system.filesystem.utilization",
        "system.network.io",
        "process.memory.usage",
        "process.thread.count",
        "process.event_loop.lag",
        "process.event_loop.heartbeat.age",
    }
    (largest,) = [point["value"] for (name, _), point in newest.items() if name == "db.client.connection.max"]
    assert largest == 10


def test_no_credential_reaches_a_file(normal: Watched) -> None:
    """The backend logs all headers, its users' credentials and addresses with a token in them."""
    assert driver.PASSWORD.encode() not in normal.written
    assert b"eyJ" not in normal.written
    assert b"made.up.token" not in normal.written
    assert b"[REDACTED]" in normal.written


def test_the_resource_says_who_sends(normal: Watched) -> None:
    """Service, instance and distribution."""
    attributes = normal.spans[0]["resource"]["attributes"]
    assert attributes["service.name"] == "fossawork-backend"
    assert attributes["telemetry.distro.name"] == "forecourt"
    assert attributes["service.instance.id"]


def test_one_line_says_what_is_active(normal: Watched) -> None:
    """And what is not, and why."""
    lines = [line for line in normal.output.splitlines() if "forecourt sends to http://127.0.0.1:" in line]
    assert len({line.partition("forecourt sends")[2] for line in lines}) == 1
    assert "server (spans by FastAPI's own telemetry)" in lines[0]


def test_failed_logins_are_counted(tmp_path: Path) -> None:
    """Each with the user, hashed, and the address."""
    watched = Watched(tmp_path, "failed-logins")
    assert watched.outcomes("auth.login") == watched.tally.logins == {"failure": 5 * ROUNDS, "success": ROUNDS}
    failed = [record for record in watched.logs if record["attributes"].get("event.outcome") == "failure"]
    failed = [record for record in failed if record.get("event_name") == "fossa.auth.login"]
    assert {record["attributes"]["client.address"] for record in failed} == {"127.0.0.1"}
    assert len({record["attributes"]["user.id"] for record in failed}) == ROUNDS
    assert b"wrong-password" not in watched.written


def test_the_rate_limit_is_one_event_a_hit_though_it_fails_open(tmp_path: Path) -> None:
    """Two warnings and an error in the log, no status 429 anywhere, and one event."""
    watched = Watched(tmp_path, "rate-limit")
    hits = watched.tally.logins["success"] - 60
    assert watched.outcomes("rate_limit.exceeded") == {"failure": hits}
    assert watched.tally.statuses[429] == 0
    (event, *_) = [record for record in watched.logs if record.get("event_name") == "fossa.rate_limit.exceeded"]
    assert event["attributes"]["url.path"] == "/api/auth/login"


def test_failures_that_come_back_as_values_are_failures(tmp_path: Path) -> None:
    """A visit is "completed" though no dispenser was filled; a sync returns None though it failed."""
    automation = Watched(tmp_path / "automation", "failing-automation")
    assert automation.outcomes("form_automation.job") == {"failure": automation.tally.visits}
    assert automation.outcomes("form_automation.dispenser") == {"failure": 2 * automation.tally.visits}
    sync = Watched(tmp_path / "sync", "failing-sync")
    assert sync.outcomes("work_order.sync") == {"failure": sync.tally.syncs}
    (failed, *_) = [span for span in sync.spans if span["name"] == "fossa.work_order.sync"]
    assert (failed["status"], failed["status_message"]) == ("ERROR", "WorkFossa does not answer")


def test_exceptions_are_structured_and_belong_to_their_request(tmp_path: Path) -> None:
    """uvicorn logs them when the request is over; the trace is known all the same, and the secret in them is not."""
    watched = Watched(tmp_path, "errors")
    broken = [span for span in watched.servers if span["status"] == "ERROR"]
    assert len(broken) == watched.tally.statuses[500] > 0
    logged = [record for record in watched.logs if record["scope"]["name"] == "uvicorn.error"]
    logged = [record for record in logged if record["severity"] == "ERROR"]
    assert {record["trace_id"] for record in logged} == {span["trace_id"] for span in broken}
    assert {record["attributes"]["exception.type"] for record in logged} == {"RuntimeError"}
    assert driver.PASSWORD.encode() not in watched.written


def test_slow_statements_are_told_without_their_values(tmp_path: Path) -> None:
    """Text only of those that took longer than the threshold, with `?` for literals."""
    watched = Watched(tmp_path, "slow-queries")
    slow = [span for span in watched.spans if "db.query.text" in span["attributes"]]
    assert [span["attributes"]["db.query.text"] for span in slow] == [
        "SELECT sleep(?) FROM work_orders LIMIT ?"
    ] * ROUNDS
    assert all(span["duration_ms"] >= 1000 for span in slow)
