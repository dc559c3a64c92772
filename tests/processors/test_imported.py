"""What is taken in from a file tells the past: it is derived and rolled up, and changes nothing of what is now."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from processors.judgement import Judgement
from processors.observation import observe
from processors.presence import HEARTBEAT_METRIC, IMPORTED
from processors.settings import ThresholdSettings
from tests.support.course import Course, nano, point

NANO = 1_000_000_000
NOW = 1_795_435_200 * NANO
RESOURCE = {"service.name": "fossawork-backend", "service.instance.id": "i-1", "service.version": "1"}


def stored(stream: str, number: int, time: int, *, imported: bool, **fields: Any) -> tuple[str, dict[str, Any]]:
    mark = {IMPORTED: True} if imported else {}
    return stream, {
        "time_unix_nano": time,
        "received_unix_nano": NOW + number * NANO // 10,
        "service": "fossawork-backend",
        "trace_id": "ab" * 16,
        "span_id": "cd" * 8,
        "batch_id": stream,
        "batch_index": number,
        "attributes": {},
        "resource": {"attributes": {**mark, **RESOURCE}},
        "scope": {"name": ""},
        **fields,
    }


def span(number: int, time: int, name: str, kind: str, attributes: dict[str, Any], *, imported: bool) -> Any:
    end = {"name": name, "kind": kind, "end_time_unix_nano": time + 20 * NANO, "duration_ms": 20000.0}
    return stored("traces", number, time, imported=imported, **end, status="ERROR", attributes=attributes)


def past(*, imported: bool) -> list[Any]:
    """Of an hour two days ago: slow requests that fail, jobs that fail, refusals, a heartbeat, counters that grow."""
    found = []
    for number in range(200):
        time = NOW - 2 * 86400 * NANO + number * 15 * NANO
        request = {"http.request.method": "GET", "http.route": "/a", "http.response.status_code": 500}
        job = {"event.name": "fossa.form_automation.job", "event.outcome": "failure"}
        found += [
            span(3 * number, time, "GET /a", "SERVER", request, imported=imported),
            span(3 * number + 1, time, "job", "INTERNAL", job, imported=imported),
            span(3 * number + 2, time, "SELECT", "CLIENT", {"db.system.name": "sqlite"}, imported=imported),
        ]
        gauge = {"type": "gauge", "start_time_unix_nano": 0, "value": 0.5}
        growing = {"type": "sum", "monotonic": True, "temporality": "CUMULATIVE", "start_time_unix_nano": 1}
        found += [
            stored("metrics", 2 * number, time, imported=imported, name=HEARTBEAT_METRIC, **gauge),
            stored("metrics", 2 * number + 1, time, imported=imported, name="jobs", value=number, **growing),
        ]
    return found


def judged(*, imported: bool) -> tuple[Judgement, list[tuple[str, dict[str, Any]]]]:
    judgement = Judgement(ThresholdSettings())
    judgement.advance(NOW)
    for stream, record in past(imported=imported):
        judgement.advance(record["received_unix_nano"])
        judgement.observe(observe(stream, record, judgement.projection))
    judgement.advance(NOW + 1800 * NANO)
    judgement.close_rollups(NOW + 1800 * NANO)
    taken = judgement.lines.take()
    return judgement, [(stream, orjson.loads(line)) for stream, lines, _ in taken for line in lines.splitlines()]


def test_the_past_of_an_app_begins_no_alert_and_tells_of_no_service() -> None:
    """Neither that a service has come, nor that it is missed; no clock is thought wrong, and nothing was late."""
    judgement, derived = judged(imported=True)
    assert [(one.rule, one.status) for one in judgement.transitions] == []
    assert [record for stream, record in derived if stream == "system"] == []
    assert (judgement.skewed_clocks(), judgement.late_records) == ({}, 0)
    assert all(evaluation.key.get("service.name") is None for evaluation in judgement.evaluations)


def test_the_past_of_an_app_is_derived_and_rolled_up_at_its_time() -> None:
    """As much of it as of what had come when it happened."""
    _, derived = judged(imported=True)
    counted = Counter(stream for stream, _ in derived)
    assert (counted["performance"], counted["errors"], counted["business"]) == (200, 600, 200)
    rolled = [record for stream, record in derived if stream == "rollups"]
    assert max(record["time_unix_nano"] for record in rolled) < NOW - 86400 * NANO
    totals: Counter[str] = Counter()
    for record in rolled:
        totals[record["indicator"]] += record["count"]
    assert (totals["http.server.response_time"], totals["db.query.response_time"], totals["events"]) == (200, 200, 200)


def test_counters_of_a_file_and_of_the_app_that_runs_go_on_each_from_its_own_last_point() -> None:
    """The older ones are rolled up at their time, and the rule sees the newer ones alone."""
    growing = {"type": "sum", "monotonic": True, "temporality": "CUMULATIVE"}
    bands = [{"level": "warning", "when": "> 1000", "severity": "low"}]
    course = Course("jobs", {"jobs": {"metric": "jobs", "statistic": "count", "bands": bands}})
    resource = {"service.instance.id": "i-1"}
    then = -2 * 86400
    for number in range(20):
        at = number * 30.0
        file = {IMPORTED: True, **resource}
        course.feed([point(at, "jobs", {"value": number}, **growing, resource=resource)])
        old = point(then + at, "jobs", {"value": 1000 * number}, **growing, start=then, received=at, resource=file)
        course.feed([old])
    course.feed([], until=900)
    course.judgement.close_rollups(nano(900))
    lines = [orjson.loads(line) for _, lines, _ in course.judgement.lines.take() for line in lines.splitlines()]
    rolled: Counter[bool] = Counter()
    for line in lines:
        if line.get("indicator") == "jobs" and line["resolution"] == "1min":
            rolled[line["time_unix_nano"] < nano(-86400)] += line["sum"]
    assert (course.told, rolled) == ([], {True: 19000, False: 19})
