"""`/metrics`: what Prometheus is told, in both formats, and that it can always read it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as text_families
from prometheus_client.samples import Sample

from alerting.alert import Acknowledgement
from alerting.records import save_silence
from alerting.silence import Silence
from dashboard.exposition import alerts, counting, rules
from dashboard.exposition.families import FAMILIES, REQUESTS
from dashboard.exposition.labels import label_text
from dashboard.exposition.openmetrics import OPENMETRICS, TEXT
from dashboard.settings import DashboardSettings
from processors.histogram import Histogram, of_values
from processors.rollups import Subject, Summary
from tests.dashboard.opening import Opening
from tests.dashboard.standing import judged, publish, state_of, tell
from tests.support.incident import Incident
from tests.support.stored import HOUR, store

PROMTOOL = shutil.which("promtool")
SECOND = 1_000_000_000
ASKS_FOR_OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
BANDS = ("normal", "warning", "critical", "no data")
openmetrics_families: Any = openmetrics_parser.text_string_to_metric_families  # which has no types
REQUEST = ("service.name", "http.request.method", "http.route")
REQUEST_LABELS = {"service_name": "app", "http_request_method": "GET", "http_route": "/items"}


def rolled(
    indicator: str, key: dict[str, str], values: Iterable[float] | Histogram, errors: int = 0, **given: Any
) -> dict[str, Any]:
    """A line of the stream `rollups`."""
    histogram = values if isinstance(values, Histogram) else of_values(values)
    subject = Subject(indicator, tuple(key), tuple(key.values()))
    return {"service": "forecourt", **Summary(subject, "1min", HOUR, errors, histogram).fields(), **given}


def requests(values: Iterable[float], errors: int = 0, route: str = "/items", **given: Any) -> dict[str, Any]:
    key = dict(zip(REQUEST, ("app", "GET", route), strict=True))
    return rolled("http.server.response_time", key, values, errors, **given)


class Scraped(Opening):
    """Scrapes a folder while time goes on as it is told to; records are written as a sidecar writes them."""

    def __init__(self, folder: Path, **site: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.now = HOUR + 90 * SECOND
        super().__init__(folder, clock=lambda: self.now, **site)

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)

    def append(self, stream: str, *records: dict[str, Any]) -> None:
        path = self.folder / stream / "2026-11-23T12.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            for number, record in enumerate(records):
                times = {"time_unix_nano": HOUR, "received_unix_nano": self.now, "service": "app"}
                line = {**times, "batch_id": "b", "batch_index": number, **record}
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def text(self) -> str:
        answer = self.get("/metrics")
        assert (answer.status_code, answer.headers["content-type"]) == (200, TEXT)
        return str(answer.text)

    def openmetrics(self) -> str:
        answer = self.get("/metrics", headers={"accept": ASKS_FOR_OPENMETRICS})
        assert (answer.status_code, answer.headers["content-type"]) == (200, OPENMETRICS)
        return str(answer.text)

    def samples(self) -> list[Sample]:
        """Of both formats, which say the same but for what only one of them has."""
        found = [one for family in text_families(self.text()) for one in family.samples]
        told = [one for family in openmetrics_families(self.openmetrics()) for one in family.samples]
        kept = [one for one in told if not one.name.endswith("_created")]
        assert [one[:3] for one in kept] == [one[:3] for one in found]
        return told

    def values(self, name: str, **labels: str) -> list[float]:
        """Of the samples of that name that have these labels."""
        return [one.value for one in self.samples() if one.name == name and labels.items() <= one.labels.items()]


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[Scraped]:
    with Scraped(tmp_path / "logs") as opened:
        yield opened


def lint(text: str) -> str:
    """What promtool finds fault with."""
    if PROMTOOL is None:
        pytest.skip("promtool (Debian's package prometheus) is not installed")
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=30
    )
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"exit code {done.returncode}")


def make_busy(scraped: Scraped) -> None:
    """Something of every family."""
    scraped.append("rollups", requests([0.2]))
    scraped.text()
    scraped.wait(20)
    scraped.append(
        "rollups",
        requests([0.2, 0.3, 3.0, 100.0], errors=1),
        rolled("db.query.response_time", {"service.name": "app", "db.system.name": "sqlite"}, [0.002], errors=1),
        rolled("events", {"service.name": "app", "event.name": "auth.login"}, [0.0, 0.0, 2.0], errors=1),
        rolled("probe.latency", {"target": "backend"}, [0.0, 0.01], errors=1),
        rolled("host.cpu", {"host.name": "a"}, [0.25, 0.75]),
        rolled("host.memory", {"host.name": "a"}, [0.5]),
        rolled("host.disk", {"host.name": "a", "system.filesystem.mountpoint": "/"}, [0.5]),
        rolled("db.pool.utilization", {"service.name": "app", "db.client.connection.pool.name": "main"}, [0.5]),
        rolled("queue.length", {"service.name": "app"}, [3.0, 5.0]),
    )
    publish(
        scraped.folder,
        scraped.now - 4 * SECOND,
        judged("http.server.p95", 3.5, "warning", "app", severity="low", status="firing", samples=40),
        judged("host.disk", None, "no data", "/"),
        judged("anomaly.cpu", 0.75, "normal", of="a"),
    )
    tell(scraped.folder, Incident().fire("down", "critical").fire("slow", "high").pend("errors", "low").until(30))


def test_a_folder_that_nothing_was_ever_written_to_says_so(scraped: Scraped) -> None:
    """It can be scraped all the same, and the rules that would be judged are told."""
    assert scraped.values("forecourt_up") == [0.0]
    assert scraped.values("forecourt_rule_enabled", rule="http.server.p95", judge="threshold") == [1.0]
    assert scraped.values("forecourt_rule_value") == []
    assert {one.name for one in scraped.samples()} == {
        "forecourt_build_info",
        "forecourt_up",
        "forecourt_rule_enabled",
        "forecourt_rule_bound",
        "forecourt_exposition_left_out_series",
    }
    assert lint(scraped.text()) == ""


def test_a_busy_one_has_every_family_and_promtool_finds_no_fault(scraped: Scraped) -> None:
    """Each sample has a name of the list that dashboards are made from, and each family of the list is there."""
    make_busy(scraped)
    told = {one.name for one in scraped.samples() if not one.name.endswith("_created")}
    assert told == {name for family in FAMILIES for name in family.samples}
    assert lint(scraped.text()) == ""
    assert scraped.openmetrics().count("# TYPE ") == len(FAMILIES)


def test_a_histogram_grows_by_each_line_of_the_rollups_once(scraped: Scraped) -> None:
    """It begins at 0 with the first scrape; late records add a line more, and a line of an hour repeats its minutes."""
    scraped.append("rollups", requests([9.0, 9.0]))
    count = "http_server_request_duration_seconds_count"
    assert scraped.values(count, **REQUEST_LABELS) == [0.0]
    scraped.wait(15)
    scraped.append("rollups", requests([0.2, 0.3, 3.0, 100.0], errors=1), requests([0.2], resolution="1h"))
    assert scraped.values(count, **REQUEST_LABELS) == [4.0]
    scraped.wait(15)
    assert scraped.values(count) == [4.0]
    scraped.append("rollups", requests([0.2]))
    scraped.wait(15)
    assert scraped.values(count) == [5.0]
    assert scraped.values("http_server_request_duration_seconds_sum") == [pytest.approx(103.7)]
    assert scraped.values("http_server_request_errors_total", **REQUEST_LABELS) == [1.0]
    buckets = scraped.values("http_server_request_duration_seconds_bucket")
    assert buckets == [0, 0, 0, 0, 0, 0, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 5]
    assert len(buckets) == len(REQUESTS.buckets) + 1


def test_after_a_time_without_scrapes_it_begins_anew(scraped: Scraped) -> None:
    """As after a restart: what was missed is not read up, and the moment of creation tells."""
    scraped.append("rollups", requests([0.2]))
    scraped.text()
    first = scraped.values("http_server_request_duration_seconds_created")
    scraped.wait(20)
    scraped.append("rollups", requests([0.2, 0.2]))
    assert scraped.values("http_server_request_duration_seconds_count") == [2.0]
    scraped.wait(16 * 60)
    scraped.append("rollups", requests([0.2]))
    assert scraped.values("http_server_request_duration_seconds_count") == [0.0]
    assert scraped.values("http_server_request_duration_seconds_created") == [first[0] + 980]


def test_what_is_imported_of_the_past_is_no_load_of_now(scraped: Scraped) -> None:
    """Whoever takes a month of history in would otherwise see all of it in one minute."""
    count = "http_server_request_duration_seconds_count"
    scraped.append("rollups", requests([0.2]))
    assert scraped.values(count) == [0.0]
    scraped.wait(15)
    day_before: dict[str, Any] = {"time_unix_nano": HOUR - 24 * 3600 * SECOND}
    scraped.append("rollups", requests([0.2] * 1000, **day_before), requests([0.2], route="/old", **day_before))
    scraped.append("rollups", requests([0.2], time_unix_nano=HOUR - 1800 * SECOND))
    assert scraped.values(count) == [1.0]


def test_a_mass_of_new_lines_is_counted_bit_by_bit(scraped: Scraped, monkeypatch: pytest.MonkeyPatch) -> None:
    """No scrape lasts long, and none of them is lost or counted twice."""
    monkeypatch.setattr(counting, "_MOST_LINES", 3)
    count = "http_server_request_duration_seconds_count"
    scraped.append("rollups", requests([0.2]))
    assert scraped.values(count) == [0.0]
    scraped.append("rollups", *(requests([0.2]) for _ in range(8)))
    seen = []
    for _ in range(4):
        scraped.wait(15)
        seen += scraped.values(count)
    assert seen == [3.0, 6.0, 8.0, 8.0]


def test_events_are_counted_by_outcome_and_timed_where_they_say_how_long(scraped: Scraped) -> None:
    """A target that is down took no time."""
    make_busy(scraped)
    of = {"service_name": "app", "event_name": "auth.login"}
    assert scraped.values("forecourt_events_total", outcome="success", **of) == [2.0]
    assert scraped.values("forecourt_events_total", outcome="failure", **of) == [1.0]
    assert scraped.values("forecourt_event_duration_seconds_count") == [1.0]
    assert scraped.values("forecourt_event_duration_seconds_sum") == [2.0]
    assert scraped.values("forecourt_probe_duration_seconds_count", target="backend") == [1.0]
    assert scraped.values("forecourt_probe_failures_total", target="backend") == [1.0]
    assert scraped.values("forecourt_host_cpu_ratio_sum", host_name="a") == [1.0]
    assert scraped.values("forecourt_metric_samples_total", metric="queue.length") == [2.0]
    assert scraped.values("forecourt_metric_mean", metric="queue.length") == [4.0]


def test_the_mean_of_a_metric_that_nobody_measures_any_more_is_not_told(scraped: Scraped) -> None:
    make_busy(scraped)
    scraped.wait(10 * 60)
    assert scraped.values("forecourt_metric_mean") == []


def test_a_rule_is_told_with_its_value_bounds_and_band(scraped: Scraped) -> None:
    """In base units; a rule without data has a band and no value."""
    make_busy(scraped)
    p95 = {"rule": "http.server.p95", "service_name": "app"}
    assert scraped.values("forecourt_rule_value", **p95) == [3.5]
    assert scraped.values("forecourt_rule_samples", **p95) == [40.0]
    bands = {name: scraped.values("forecourt_rule_band", band=name, **p95) for name in BANDS}
    assert bands == {"normal": [0.0], "warning": [1.0], "critical": [0.0], "no data": [0.0]}
    assert scraped.values("forecourt_rule_value", rule="host.disk") == []
    assert scraped.values("forecourt_rule_band", rule="host.disk", band="no data") == [1.0]
    assert scraped.values("forecourt_rule_value", rule="anomaly.cpu") == [0.75]
    bounds = [
        ({name: one.labels[name] for name in ("band", "level", "severity", "edge", "operator")}, one.value)
        for one in scraped.samples()
        if one.name == "forecourt_rule_bound" and one.labels["rule"] == "http.server.p95"
    ]
    mild = {"band": "0", "level": "warning", "severity": "low"}
    bad = {"band": "1", "level": "critical", "severity": "high"}
    assert bounds == [
        ({**mild, "edge": "enter", "operator": ">"}, 3.0),
        ({**mild, "edge": "leave", "operator": "<"}, 2.0),
        ({**bad, "edge": "enter", "operator": ">"}, 10.0),
    ]


def test_the_sidecar_lives_as_long_as_it_publishes(scraped: Scraped) -> None:
    """What it has judged last is told no more then, and its age is."""
    make_busy(scraped)
    assert (scraped.values("forecourt_up"), scraped.values("forecourt_evaluation_age_seconds")) == ([1.0], [4.0])
    scraped.wait(60)
    assert (scraped.values("forecourt_up"), scraped.values("forecourt_evaluation_age_seconds")) == ([0.0], [64.0])
    assert scraped.values("forecourt_rule_value") == []


def test_alerts_are_counted_and_those_that_fire_are_named(scraped: Scraped) -> None:
    """With what is acknowledged and what is silent."""
    make_busy(scraped)
    counts = {
        (one.labels["status"], one.labels["severity"]): one.value
        for one in scraped.samples()
        if one.name == "forecourt_alerts"
    }
    nothing = dict.fromkeys(product(("pending", "firing"), ("low", "medium", "high", "critical")), 0.0)
    assert counts == {**nothing, ("firing", "critical"): 1.0, ("firing", "high"): 1.0, ("pending", "low"): 1.0}
    firing = [one.labels for one in scraped.samples() if one.name == "forecourt_alert_firing"]
    assert firing == [
        {"rule": "down", "severity": "critical", "service_name": "app"},
        {"rule": "slow", "severity": "high", "service_name": "app"},
    ]
    assert scraped.values("forecourt_alerts_acknowledged") == [0.0]
    acknowledge(scraped.folder, "down")
    assert scraped.values("forecourt_alerts_acknowledged") == [1.0]


def acknowledge(folder: Path, rule: str) -> None:
    """As the sidecar writes it."""
    with closing(state_of(folder)) as state:
        ((content,),) = state.rows("SELECT content FROM alerts WHERE rule = ?", (rule,))
        changed = {**orjson.loads(content), "acknowledged": Acknowledgement("anna", "I see to it", HOUR)}
        with state.transaction() as connection:
            connection.execute("UPDATE alerts SET content = ? WHERE rule = ?", (orjson.dumps(changed).decode(), rule))


def test_silences_in_force_are_counted(scraped: Scraped) -> None:
    """By kind; one that is over or to come is not in force."""
    hour = 3600 * SECOND
    with closing(state_of(scraped.folder)) as state:
        for name, kind, start, end in (
            ("a", "silence", HOUR, HOUR + hour),
            ("b", "silence", HOUR - hour, HOUR),
            ("c", "silence", HOUR + hour, HOUR + 2 * hour),
            ("d", "maintenance", HOUR, HOUR + hour),
        ):
            save_silence(state, Silence(name, kind, (), "anna", "", start, end))  # type: ignore[arg-type]  # its kinds
    kinds = ("silence", "maintenance", "emergency")
    assert [scraped.values("forecourt_silences", kind=kind) for kind in kinds] == [[1.0], [1.0], [0.0]]


def test_the_last_traces_stand_beside_the_buckets_that_they_are_counted_in(scraped: Scraped) -> None:
    """In OpenMetrics only; a failed one beside the errors. What is no trace's id is not told, nor what was imported."""
    scraped.append("rollups", requests([0.2]))
    scraped.text()
    request = {"method": "GET", "route": "/items", "status_code": 200}
    scraped.append(
        "performance",
        {**request, "response_time": 0.2, "trace_id": "a" * 32},
        {**request, "response_time": 0.21, "trace_id": "b" * 32},
        {**request, "response_time": 4.0, "trace_id": "c" * 32, "status_code": 503},
        {**request, "response_time": 100.0, "trace_id": 'x"} 1\nforecourt_up 5'},
        {**request, "response_time": None, "trace_id": "d" * 32},
        {**request, "response_time": 0.2, "trace_id": "e" * 32, "route": "/unknown"},
        {**request, "response_time": 0.2, "trace_id": "f" * 32, "time_unix_nano": HOUR - 24 * 3600 * SECOND},
    )
    found = {
        (one.name.rpartition("_")[2], one.labels.get("le")): (one.exemplar.labels, one.exemplar.value)
        for one in scraped.samples()
        if one.exemplar
    }
    assert found == {
        ("bucket", "0.25"): ({"trace_id": "b" * 32}, 0.21),
        ("bucket", "5.0"): ({"trace_id": "c" * 32}, 4.0),
        ("total", None): ({"trace_id": "c" * 32}, 4.0),
    }
    assert "trace_id" not in scraped.text()


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        (ASKS_FOR_OPENMETRICS, OPENMETRICS),
        ("application/openmetrics-text; version=0.0.1; charset=utf-8", OPENMETRICS),
        ("Application/OpenMetrics-Text", OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0", TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0.0,text/plain", TEXT),
        (
            "text/plain;q=0.5, application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6",
            OPENMETRICS,
        ),
        ("text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.2", TEXT),
        ("text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0", OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0;q=nan,text/plain;q=0.1", TEXT),
        (";;;=,,", TEXT),
    ],
)
def test_the_scraper_gets_the_format_that_it_asks_for(scraped: Scraped, accept: str, content_type: str) -> None:
    """Of two that we have, the one that it wants more, as Prometheus' `scrape_protocols` orders them."""
    assert scraped.get("/metrics", headers={"accept": accept}).headers["content-type"] == content_type


def test_hostile_names_and_values_are_cut_and_escaped(scraped: Scraped) -> None:
    """A megabyte, quotes, line ends, control characters, names of Prometheus' own, numbers that are none."""
    hostile = 'a"b\\c\nforecourt_up 7 # {trace_id="x"}\u202e\u0000\u2028' + "x" * 1_000_000
    key = {"service.name": hostile, "http.request.method": "GET", "http.route": "\U0001f600"}
    told = {"exported__name__": "up", "exported_le": "1", "_9_lives": "cat", "_": "nothing", "exported_rule": "mine"}
    odd = {"__name__": "up", "le": "1", "9 lives": "cat", "": "nothing", "rule": "mine"}
    odd |= {f"l{n}": "v" for n in range(50)}
    scraped.text()
    scraped.wait(20)
    scraped.append(
        "rollups",
        {**requests([0.2]), "key": key},
        {**requests([0.2]), "key": odd},
        {**requests([0.2]), "indicator": ["no", "text"]},
        {**requests([0.2]), "histogram": {"count": "many"}},
        {**requests([0.2]), "histogram": None},
        {**requests([0.2]), "key": None},
        {**requests([0.2]), "errors": -5},
        rolled('metric with\n"blanks"', {"service.name": "app"}, [1.0]),
    )
    no_request = {"response_time": 0.1, "trace_id": "a" * 32, "route": {}}
    scraped.append("performance", {"response_time": "slow"}, {"trace_id": 5}, no_request)
    publish(scraped.folder, scraped.now, judged("host.disk", 0.5, "normal", hostile))
    counted = [one for one in scraped.samples() if one.name == "http_server_request_duration_seconds_count"]
    assert [one.value for one in counted] == [1.0, 1.0]
    shown = counted[0].labels["service_name"]
    assert (shown[:6], len(shown), shown[-1]) == ('a"b\\c ', 200, "…")
    assert (told.items() <= counted[1].labels.items(), len(counted[1].labels)) == (True, 12)
    assert scraped.values("forecourt_up") == [1.0]
    assert lint(scraped.text()) == ""
    assert max(map(len, scraped.openmetrics().splitlines())) < 3000


def test_what_there_is_no_room_for_is_one_series(scraped: Scraped, monkeypatch: pytest.MonkeyPatch) -> None:
    """With OpenTelemetry's label for it; what has a place keeps it."""
    monkeypatch.setattr(counting, "MOST_DISTRIBUTIONS", 3)
    monkeypatch.setattr(counting, "MOST_COUNTERS", 8)
    scraped.text()
    scraped.wait(20)
    scraped.append("rollups", *(requests([0.2], errors=1, route=f"/r{n}") for n in range(10)))
    count = "http_server_request_duration_seconds_count"
    assert scraped.values(count) == [1.0, 1.0, 1.0, 7.0]
    assert scraped.values(count, otel_metric_overflow="true") == [7.0]
    errors = "http_server_request_errors_total"
    assert scraped.values(errors) == [1.0, 1.0, 1.0, 7.0]
    assert scraped.values(errors, otel_metric_overflow="true") == [7.0]  # or more would fail than there were
    scraped.wait(20)
    scraped.append("rollups", requests([0.2], route="/r2"))
    assert scraped.values(count, http_route="/r2") == [2.0]


def test_keys_of_rules_and_alerts_that_there_is_no_room_for_are_counted(
    scraped: Scraped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not named."""
    monkeypatch.setattr(rules, "MOST_KEYS", 2)
    monkeypatch.setattr(alerts, "MOST_ALERTS", 2)
    publish(scraped.folder, scraped.now, *(judged("http.server.p95", 1.0, of=f"app{n}") for n in range(5)))
    tell(scraped.folder, Incident().fire("down").fire("slow").fire("errors").until(30))
    assert scraped.values("forecourt_rule_value") == [1.0, 1.0]
    assert scraped.values("forecourt_exposition_left_out_series", family="forecourt_rule_value") == [3.0]
    assert next(one for one in scraped.samples() if one.name == "forecourt_alert_firing").labels == {
        "otel_metric_overflow": "true"
    }
    assert scraped.values("forecourt_alert_firing") == [1.0, 1.0, 1.0]


@given(st.lists(st.tuples(st.text(), st.text() | st.integers() | st.none()), max_size=6))
def test_any_labels_make_a_line_that_can_be_read(pairs: list[tuple[str, object]]) -> None:
    """One sample, and the label of ours as it was."""
    text = label_text((("rule", "host.disk"),), pairs)
    for read, end in ((text_families, ""), (openmetrics_families, "# EOF\n")):
        (family,) = read(f"# TYPE a gauge\na{{{text}}} 1.0\n{end}")
        assert [(one.labels["rule"], one.value) for one in family.samples] == [("host.disk", 1.0)]


def test_records_without_rollups_are_no_obstacle(tmp_path: Path) -> None:
    """As over a folder that holds something else."""
    with Scraped(store(tmp_path / "logs", "logs", {"body": "hello"})) as scraped:
        assert scraped.values("forecourt_up") == [0.0]


TOKEN = "token-of-prometheus-0123456789"


def test_who_has_to_log_in_scrapes_with_a_token(tmp_path: Path) -> None:
    """And nobody else does; no cookie is set."""
    settings = DashboardSettings.model_validate({"users": {"prometheus": {"token": TOKEN}}})
    with Scraped(tmp_path / "logs", settings=settings) as scraped:
        headers = {"HX-Request": ""}
        assert scraped.get("/metrics", headers=headers).status_code == 401
        assert scraped.get("/metrics", headers={**headers, "authorization": "Bearer wrong"}).status_code == 401
        answer = scraped.get("/metrics", headers={**headers, "authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
    assert "forecourt_up 0\n" in answer.text


def test_who_need_not_log_in_gets_no_session(scraped: Scraped) -> None:
    """A scraper keeps no cookies."""
    answer = scraped.get("/metrics", headers={"HX-Request": ""})
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
