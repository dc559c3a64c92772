"""Time, and what goes wrong with it: too little data, late data, restarts, clocks; and state that survives."""

from __future__ import annotations

from typing import Any

import pytest

from processors.rollups import STREAMS
from tests.support.course import Course, event, gauge, log, nano, operation, point, probe, query, request, span

QUEUE = {
    "metric": "queue.length",
    "statistic": "last",
    "bands": [{"level": "warning", "when": "> 5", "severity": "low"}],
}


def queue(value: float) -> Any:
    return lambda at: gauge(at, "queue.length", value)


def course(**changes: Any) -> Course:
    return Course("queue", {"queue": {**QUEUE, **changes}})


def test_a_condition_must_hold_for_its_time() -> None:
    """A peak that is shorter is pending and passes."""
    told = (
        course(**{"for": "1min"})
        .each(0, 60, queue(9), 10)
        .each(60, 120, queue(1), 10)
        .each(120, 300, queue(9), 10)
        .told
    )
    assert told == ["10 pending low", "70 inactive low", "130 pending low", "190 firing low"]


def test_an_alert_may_be_kept_firing() -> None:
    """A value that comes and goes is one alert."""
    flapping = course(keep_firing_for="1min")
    for number in range(6):
        flapping.each(number * 40, number * 40 + 40, queue(9 if number % 2 else 1), 10)
    flapping.each(240, 400, queue(1), 10)
    assert flapping.told == ["50 firing low", "310 resolved low"]


def test_it_clears_at_another_level_than_it_fires() -> None:
    """Between the two nothing changes."""
    bands = [{"level": "warning", "when": "> 5", "clear": "< 3", "severity": "low"}]
    told = course(bands=bands).each(0, 50, queue(6), 10).each(50, 100, queue(4), 10).each(100, 150, queue(2), 10).told
    assert told == ["10 firing low", "110 resolved low"]
    assert course(bands=bands).each(0, 100, queue(4), 10).told == []


def test_too_few_samples_are_no_data_and_never_fine() -> None:
    """The value is not told, and why is."""
    few = Course("http.server.p95").each(0, 20, lambda at: request(at, seconds=20))
    evaluation = few.evaluation
    assert (evaluation.value, evaluation.band, evaluation.detail) == (None, "no data", "20 samples of at least 30")


def test_an_alert_outlives_missing_data_for_half_an_hour() -> None:
    """Silence does not mean that it got better; nor does it alarm for ever."""
    firing = course().each(0, 100, queue(9), 10).feed([], until=2000)
    assert firing.told == ["10 firing low"]
    assert (firing.evaluation.status, firing.evaluation.band) == ("firing", "no data")
    firing.feed([], until=3000)
    assert firing.told == ["10 firing low", "2200 resolved low"]
    assert firing.lines()["alerts"][-1]["reason"] == "no_data"


def test_a_gauge_counts_for_five_minutes() -> None:
    """Its last value is as good as a new one for so long, and then there is none."""
    once = course().feed([gauge(1, "queue.length", 3)], until=300)
    assert once.evaluation.value == 3
    once.feed([], until=330)
    assert not [one for one in once.judgement.evaluations if one.rule == "queue"]


def test_what_comes_late_enters_its_window_and_what_is_too_late_only_rollups() -> None:
    """Two minutes are borne; what a spool brings hours later is not judged as if it were now."""
    slow = [request(100 + second, seconds=20, received=200) for second in range(40)]
    late = Course("http.server.p95").each(0, 99, request).feed(slow, until=210)
    assert late.evaluation.value == pytest.approx(20, rel=0.02)
    old = [request(-7200 + second, seconds=20, received=200) for second in range(40)]
    too_late = Course("http.server.p95").each(0, 99, request).feed(old, until=210)
    assert too_late.evaluation.value < 1
    assert too_late.judgement.late_records == 40
    too_late.feed([], until=600)
    rollups = [line for line in too_late.lines()["rollups"] if line["indicator"] == "http.server.response_time"]
    assert sum(line["count"] for line in rollups if line["resolution"] == "1min") == 139


def test_order_within_a_window_does_not_matter() -> None:
    """Whichever sender exports first."""
    requests = [request(at, seconds=at / 10, received=60) for at in range(60)]
    one = Course("http.server.p95").feed(requests, until=70).evaluation
    other = Course("http.server.p95").feed(reversed(requests), until=70).evaluation
    assert (one.value, one.samples) == (other.value, other.samples)


def test_a_restart_neither_fires_nor_resolves_anything_by_itself() -> None:
    """What fired fires on; what was pending waits as long as it had to; a silence that we slept through is none."""
    firing = course().each(0, 100, queue(9), 10).restarted(seconds_away=3600)
    firing.each(3700, 4000, queue(9), 10)
    assert firing.told == ["10 firing low"]
    assert firing.evaluation.status == "firing"
    pending = course(**{"for": "5min"}).each(0, 100, queue(9), 10).restarted(seconds_away=3600)
    pending.each(3700, 4200, queue(9), 10)
    assert pending.told == ["10 pending low", "4020 firing low"]
    absent = Course("service.absent").each(0, 600, queue(1), 10).restarted(seconds_away=3600)
    absent.each(4200, 4500, queue(1), 10)
    assert absent.told == []


def test_after_a_restart_two_minutes_are_grace() -> None:
    """What was so bad while we were away has time to be told about, and is said to be held back."""
    graced = course().each(0, 100, queue(1), 10).restarted(seconds_away=600).each(700, 800, queue(9), 10)
    assert (graced.told, graced.evaluation.detail) == ([], "grace after a restart")
    assert graced.each(800, 900, queue(9), 10).told == ["820 firing low"]


def test_a_short_restart_is_as_if_there_had_been_none() -> None:
    """Windows and states come back from the checkpoint."""
    whole = Course("http.server.p95").each(0, 400, lambda at: request(at, seconds=4))
    cut = Course("http.server.p95").each(0, 200, lambda at: request(at, seconds=4))
    cut.restarted(seconds_away=10).each(200, 400, lambda at: request(at, seconds=4))
    assert cut.told == whole.told == ["30 pending low", "150 firing low"]
    assert (cut.evaluation.value, cut.evaluation.samples) == (whole.evaluation.value, whole.evaluation.samples)


def test_a_record_that_is_sent_again_counts_once() -> None:
    """The client did not hear our OK."""
    requests = [request(at, status=500) for at in range(50)]
    twice = Course("http.server.error_rate").feed([*requests, *requests], until=60)
    assert twice.evaluation.samples == 50
    assert twice.judgement.repeated_records == 50
    assert len(twice.lines()["performance"]) == 50


def test_more_keys_than_there_is_room_for_share_one_that_says_so() -> None:
    """An id in a label neither fills the memory nor vanishes."""
    by = {"metric": "queue.length", "statistic": "count", "by": ["queue"], "bands": QUEUE["bands"]}
    crowded = Course("queue", {"queue": by})
    crowded.settings = crowded.settings.model_copy(update={"max_keys": 10})
    crowded.judgement = type(crowded.judgement)(crowded.settings)
    crowded.each(0, 100, lambda at: gauge(at, "queue.length", 1, queue=f"queue {at}"))
    assert len(crowded.keys) == 11
    assert ("otel.metric.overflow=true",) in crowded.keys
    assert crowded.judgement.overflowed_samples == 90


@pytest.mark.parametrize("ahead", [30, 3600])
def test_a_clock_that_is_ahead_is_told_and_put_right(ahead: int) -> None:
    """A record can't have happened after it arrived."""
    shifted = Course("http.server.p95")
    shifted.feed([request(at + ahead, seconds=4, received=at) for at in range(400)], until=400)
    assert shifted.told == ["30 pending low", "150 firing low"]
    assert shifted.judgement.skewed_clocks() == {"app": pytest.approx(ahead)}
    (told,) = [line for line in shifted.lines()["system"] if line["event"] == "clock.skewed"]
    assert told["attributes"]["seconds_ahead"] == ahead


def test_a_clock_that_is_behind_is_told_once_it_is_steadily_so() -> None:
    """And then its records enter their windows; a backlog that catches up is no wrong clock."""
    behind = Course("http.server.p95").feed([request(at - 600, seconds=4, received=at) for at in range(900)], until=900)
    assert behind.judgement.skewed_clocks() == {"app": pytest.approx(-600)}
    assert behind.told[-1].split()[1] == "firing"
    backlog = Course("http.server.p95").feed([request(at / 2, received=300 + at / 4) for at in range(600)], until=500)
    assert backlog.judgement.skewed_clocks() == {}


def test_a_service_that_says_that_it_stops_is_not_missed() -> None:
    """Nor one that never exported at an interval."""
    resource = {"service.instance.id": "one", "telemetry.distro.name": "forecourt"}

    def export(at: float) -> Any:
        return point(at, "queue.length", {"value": 1}, resource=resource)

    stopping = Course("service.absent").each(0, 600, export, 10)
    stopping.feed(
        [log(600, event_name="fossa.service.stopped", attributes={"event.outcome": "success"}, resource=resource)]
    )
    stopping.each(601, 602, export, 1)  # the last values that it sends may come after its word
    stopping.feed([point(602, "process.event_loop.heartbeat.age", {"value": 1}, resource=resource)])
    assert stopping.feed([], until=2000).told == []
    assert [line["event"] for line in stopping.lines()["system"]] == ["service.started", "fossa.service.stopped"]
    assert Course("service.absent").each(0, 600, request, 1).feed([], until=2000).told == []


@pytest.mark.untraced
def test_a_silent_service_is_forgotten_after_a_day() -> None:
    """Somebody has switched it off for good."""
    gone = Course("service.absent").each(0, 600, queue(1), 10)
    for hour in range(1, 30):
        gone.feed([], until=600 + hour * 3600)
    assert [line.split()[1] for line in gone.told] == ["firing", "resolved"]
    assert 24 * 3600 < float(gone.told[1].split()[0]) < 27 * 3600


def test_starts_versions_and_restarts_are_told() -> None:
    """As a line of `system` each."""

    def export(version: str, instance: str) -> Any:
        resource = {"service.instance.id": instance, "service.version": version}
        return lambda at: point(at, "queue.length", {"value": 1}, resource=resource)

    told = Course("service.absent").each(0, 600, export("1", "a"), 10).each(600, 700, export("2", "b"), 10)
    told.feed([], until=1200).each(1200, 1300, export("2", "c"), 10)
    assert [line["event"] for line in told.lines()["system"]] == [
        "service.started",
        "service.started",
        "service.version_changed",
        "service.absent",
        "service.restarted",
        "service.returned",
    ]


def test_a_target_never_seen_healthy_is_unknown() -> None:
    """Nobody is woken for what was never there."""
    unknown = Course("backend.down").each(0, 600, lambda at: probe(at, "backend", "unknown"), 30)
    assert (unknown.told, unknown.keys, unknown.judgement.was_up("backend")) == ([], set(), False)
    unknown.each(600, 660, lambda at: probe(at, "backend"), 30).restarted(5)
    assert unknown.judgement.was_up("backend")


def test_a_locked_database_is_neither_down_nor_corrupt() -> None:
    """Somebody writes to it."""
    for rule in ("database.unreachable", "database.corrupt"):
        locked = Course(rule).each(0, 100, lambda at: probe(at, "db", "up", "sql"), 10)
        assert locked.each(100, 600, lambda at: probe(at, "db", "locked", "sql"), 10).told == []


def test_our_own_probes_and_websockets_are_no_requests() -> None:
    """Nor are outgoing calls and the inner spans of a request."""
    other = Course("http.server.error_rate")
    other.each(0, 50, lambda at: request(at, status=500, attributes={"user_agent.original": "forecourt-probe"}))
    other.each(50, 100, lambda at: request(at, seconds=60, attributes={"url.scheme": "ws"}))
    other.each(100, 150, lambda at: span(at, kind="CLIENT", attributes={"http.request.method": "GET"}))
    assert "performance" not in other.lines()
    assert other.keys == set()


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("SERVER", {"http.method": "GET", "http.status_code": 500, "http.route": "/old"}),
        ("INTERNAL", {"http.request.method": "GET", "http.response.status_code": 500, "http.route": "/leaked"}),
        ("SERVER", {"http.request.method": "GET", "http.route": "/no-response"}),
    ],
    ids=["old conventions", "leaked to INTERNAL", "no response"],
)
def test_requests_count_however_they_are_told(kind: str, attributes: dict[str, Any]) -> None:
    """By old and stable conventions, and as the child of a leaked context."""
    counted = Course("http.server.error_rate").each(0, 100, lambda at: span(at, kind=kind, attributes=attributes))
    assert (counted.evaluation.value, counted.evaluation.samples) == (1.0, 100)


SAMPLED = {"trace_state": "vendor=1,ot=th:c;rv:abc"}


def test_a_service_that_samples_is_judged_by_its_histogram_and_never_by_both() -> None:
    """One span in four says nothing of how many there were; the histogram counts all."""

    def exported(at: float) -> Any:
        content = {"count": 100, "sum": 50.0, "bounds": [1.0, 5.0], "bucket_counts": [90, 5, 5]}
        attributes = {"http.request.method": "GET", "http.route": "/orders", "http.response.status_code": 500}
        return point(
            at, "http.server.request.duration", content, type="histogram", temporality="DELTA", attributes=attributes
        )

    sampled = Course("http.server.error_rate").each(0, 60, lambda at: request(at, **SAMPLED))
    sampled.each(60, 120, exported, 10)
    assert (sampled.evaluation.samples, sampled.evaluation.value) == (600, 1.0)
    whole = Course("http.server.error_rate").each(0, 60, lambda at: request(at, trace_state="ot=th:0"))
    whole.each(60, 120, exported, 10)
    assert (whole.evaluation.samples, whole.evaluation.value) == (60, 0.0)


def test_rules_of_ones_own_match_group_and_count() -> None:
    """On the attributes of spans and log records alike."""
    bands = [{"level": "warning", "when": "> 10%", "severity": "low"}]
    checkout = {
        "indicator": "spans",
        "statistic": "ratio",
        "where": ['span.name = "checkout"'],
        "of": ['payment =~ "card|invoice"'],
        "by": ["shop"],
        "bands": bands,
    }
    mine = Course("checkout", {"checkout": checkout})
    for shop, payment in (("a", "card"), ("a", "cash"), ("b", "cash"), ("b", "invoices")):
        mine.each(0, 10, lambda at, s=shop, p=payment: span(at, "checkout", attributes={"shop": s, "payment": p}))  # type: ignore[misc]
    mine.feed([span(5, "other", attributes={"shop": "a", "payment": "card"})], until=20)
    assert {one.key: one.value for one in mine.judgement.evaluations if one.rule == "checkout"} == {
        (("shop", "a"),): 0.5,
        (("shop", "b"),): 0.0,
    }


@pytest.mark.parametrize(
    ("indicator", "statistic", "value"),
    [("log.items", "max", 9.0), ("logs", "count", 10.0), ("logs", "rate", 10 / 300), ("log.items", "sum", 45.0)],
)
def test_numbers_in_attributes_can_be_measured(indicator: str, statistic: str, value: float) -> None:
    """A log record with the number of items, say."""
    rule = {"indicator": indicator, "statistic": statistic, "bands": QUEUE["bands"]}
    mine = Course("mine", {"mine": rule}).each(0, 10, lambda at: log(at, "taken", attributes={"items": int(at)}))
    assert mine.feed([], until=20).evaluation.value == pytest.approx(value)


def test_an_exception_that_span_and_log_tell_is_one_error() -> None:
    """Another one of the same trace is another."""
    from processors.observation import ExceptionObservation  # noqa: PLC0415  # only here

    raised = ExceptionObservation("app.errors.Broken", "it broke", "Traceback …")
    failed = span(1, "GET /", kind="SERVER", status="ERROR", exception=raised, trace_id="a" * 32)
    logged = {"exception.type": "Broken", "exception.message": "it broke"}
    told = [
        failed,
        log(2, "failed", severity_number=17, trace_id="a" * 32, attributes=logged),
        log(
            3, "failed again", severity_number=17, trace_id="a" * 32, attributes={**logged, "exception.message": "else"}
        ),
        log(4, "no exception", severity_number=17, trace_id="a" * 32),
        log(5, "only a warning", severity_number=13, trace_id="a" * 32, attributes=logged),
    ]
    errors = Course("queue").feed(told, until=10).lines()["errors"]
    assert [(line["error_type"], line["message"]) for line in errors] == [
        ("app.errors.Broken", "it broke"),
        ("Broken", "else"),
        ("error", "no exception"),
    ]


def test_the_messages_of_a_failed_response_are_no_errors_of_their_own() -> None:
    """Contrib makes a span of each; the request is the error."""
    told = [
        span(1, "GET / http send", status="ERROR", attributes={"asgi.event.type": "http.response.start"}),
        span(1, "GET /", kind="SERVER", status="ERROR", attributes={"error.type": "500", "http.route": "/"}),
    ]
    errors = Course("queue").feed(told, until=10).lines()["errors"]
    assert [(line["source"], line["error_type"], line["route"]) for line in errors] == [("GET /", "500", "/")]


def test_rules_may_group_requests_by_what_the_resource_says() -> None:
    """By version, say, or by host."""
    rule = {"indicator": "http.server.errors", "statistic": "ratio", "by": ["service.version"], "bands": QUEUE["bands"]}
    versions = Course("versions", {"versions": rule})
    for version, status in (("1", 200), ("2", 500)):
        resource = {"service.version": version}
        versions.each(0, 10, lambda at, s=status, r=resource: request(at, status=s, resource=r))  # type: ignore[misc]
    versions.feed([], until=20)
    found = {one.key: one.value for one in versions.judgement.evaluations if one.rule == "versions"}
    assert found == {(("service.version", "1"),): 0.0, (("service.version", "2"),): 1.0}


def test_events_go_to_their_streams_with_their_attributes() -> None:
    """Security, business and the system apart."""
    told = Course("queue").feed(
        [
            event(1, "auth.login", "failure", **{"user.id": "u", "client.address": "192.0.2.7"}),
            event(2, "rate_limit.exceeded", "failure"),
            event(3, "data.export"),
            operation(4, "work_order.sync"),
            event(5, "session.activity"),
        ],
        until=10,
    )
    lines = told.lines()
    assert [line["event"] for line in lines["security"]] == [
        "fossa.auth.login",
        "fossa.rate_limit.exceeded",
        "fossa.data.export",
    ]
    assert lines["security"][0]["attributes"] == {"user.id": "u", "client.address": "192.0.2.7"}
    assert [line["event"] for line in lines["business"]] == ["fossa.work_order.sync", "fossa.session.activity"]
    assert lines["business"][0]["seconds"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("Rate limit exceeded for 192.0.2.7 on /api/orders", [("fossa.rate_limit.exceeded", "failure")]),
        ("Rate limit exceeded for 192.0.2.7: 100 requests", []),
        ("WorkFossa verification failed: no such user", [("fossa.auth.login", "failure")]),
        ("API POST /api/auth/login -> 200 (70.81ms)", [("fossa.auth.login", "success")]),
        ("API POST /api/auth/login -> 401 (70.81ms)", []),
        ('[BOT] scheduled_scrape_started | {"user_id": "u1"}', [("fossa.scheduled_scrape_started", "")]),
        ('[BOT] scheduled_scrape_completed | {"user_id": "u1"}', [("fossa.work_order.sync", "success")]),
        ('[BOT] visit_failed | {"user_id": "u1"}', [("fossa.visit", "failure")]),
        ("[BOT] visit_failed | {not json}", []),
    ],
)
def test_lines_of_fossawork_are_events_unless_its_library_tells_them(body: str, told: list[tuple[str, str]]) -> None:
    """From an app without our library; with it they would count twice."""
    lines = Course("queue").feed([log(1, body)], until=10).lines()
    assert [
        (line["event"], line["outcome"]) for line in (*lines.get("security", ()), *lines.get("business", ()))
    ] == told
    ours = {"telemetry.distro.name": "forecourt"}
    assert not {"security", "business"} & Course("queue").feed([log(1, body, resource=ours)], until=10).lines().keys()


@pytest.mark.untraced
def test_rollups_add_up_from_minutes_to_days() -> None:
    """Whenever a record comes, each resolution has it once."""
    busy = Course("http.server.p95").each(0, 7200, lambda at: request(at, status=500 if int(at) % 10 == 0 else 200), 5)
    busy.feed([request(100, received=7300), query(7300)], until=2 * 86400)
    counts: dict[str, list[int]] = {}
    lines = busy.lines()
    for line in (line for stream in STREAMS.values() for line in lines[stream]):
        if line["indicator"] == "http.server.response_time":
            count = counts.setdefault(line["resolution"], [0, 0])
            count[0] += line["count"]
            count[1] += line["errors"]
            assert line["histogram"]["count"] == line["count"]
            assert line["key"] == {"service.name": "app", "http.request.method": "GET", "http.route": "/orders"}
    assert counts == {"1min": [1441, 720], "1h": [1441, 720], "1d": [1441, 720]}


def test_alerts_are_told_with_their_reason() -> None:
    """A transition is a line of `alerts`, before there is any channel."""
    (line,) = course().each(0, 30, queue(9), 10).lines()["alerts"]
    assert {key: line[key] for key in ("alert", "rule", "severity", "status", "value", "summary", "reason")} == {
        "alert": "queue{service.name=app}",
        "rule": "queue",
        "severity": "low",
        "status": "firing",
        "value": 9.0,
        "summary": "queue is 9",
        "reason": "the condition has held long enough",
    }
    assert line["time_unix_nano"] == nano(10)


def test_a_clock_that_is_set_back_keeps_timers_and_windows_right() -> None:
    """What had held for 90 s goes on from there after the grace, and what "will" have happened counts for nothing."""
    pending = course(**{"for": "5min"}).each(0, 100, queue(9), 10)
    pending.judgement.rewind(nano(-3500))
    pending.each(-3500, -3000, queue(9), 10)
    assert pending.told == ["10 pending low", "-3180 firing low"]
    counted = course(statistic="count", window="1h").each(0, 100, queue(9), 10)
    counted.judgement.rewind(nano(-3500))
    counted.each(-3500, -3400, queue(9), 10)
    assert counted.evaluation.value == 10
    outcomes = Course("work_order.sync.success_rate").feed(
        [operation(at, "work_order.sync") for at in range(20)], until=30
    )
    outcomes.judgement.rewind(nano(-3500))
    outcomes.advance(nano(-3480))
    assert outcomes.evaluation.samples == 20
    outcomes.judgement.rewind(nano(0))
    assert outcomes.judgement.tick_unix_nano == nano(-3480)
