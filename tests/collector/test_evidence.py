"""What messages show besides the alert: values of the last day, affected routes, examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from collector.evidence import EvidenceFinder
from collector.value_history import ValueHistory
from storage import State
from tests.support.notifications import START, view
from tests.support.notifying import NANO, evaluation

MINUTE = 60 * NANO
DAY = 24 * 60 * MINUTE


def _write(folder: Path, stream: str, *records: dict[str, Any]) -> None:
    (folder / stream).mkdir(exist_ok=True)
    lines = b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
    with (folder / stream / "2026-11-23T12.jsonl").open("ab") as file:
        file.write(lines)


def _request(
    route: str, status: int, seconds: float = 0.1, *, at: int = START, service: str = "backend"
) -> dict[str, Any]:
    return {
        "time_unix_nano": at,
        "service": service,
        "method": "GET",
        "route": route,
        "status_code": status,
        "response_time": seconds,
    }


def _error(message: str, *, kind: str = "ValueError", at: int = START, service: str = "backend") -> dict[str, Any]:
    return {
        "time_unix_nano": at,
        "service": service,
        "error_type": kind,
        "message": message,
        "route": "/jobs",
        "trace_id": f"trace of {message}",
    }


@pytest.fixture
def finder(tmp_path: Path) -> EvidenceFinder:
    return EvidenceFinder(tmp_path, ValueHistory())


def test_routes_that_fail_are_named_worst_first(tmp_path: Path, finder: EvidenceFinder) -> None:
    """Of the alert's service, of the last quarter of an hour."""
    _write(
        tmp_path,
        "performance",
        *[_request("/jobs", 500)] * 3,
        *[_request("/jobs", 200)] * 2,
        *[_request("/orders", 0)] * 1,
        *[_request("/fine", 404)] * 9,
        *[_request("/other", 500, service="another")] * 9,
        *[_request("/old", 500, at=START - 20 * MINUTE)] * 9,
    )
    assert finder(view(), START).routes == ("GET /jobs: 3 of 5 failed", "GET /orders: 1 of 1 failed")
    assert finder(view(indicator="http.server.4xx"), START).routes == ("GET /fine: 9 of 9 refused",)


def test_routes_that_are_slow_are_named_with_their_time(tmp_path: Path, finder: EvidenceFinder) -> None:
    """The slowest first."""
    _write(tmp_path, "performance", *[_request("/a", 200, 4.5)] * 3, *[_request("/b", 200, 0.02)] * 5)
    slow = view(indicator="http.server.response_time")
    assert finder(slow, START).routes == (
        "GET /a: 95 % within 4.5 s, 3 requests",
        "GET /b: 95 % within 20 ms, 5 requests",
    )


def test_examples_are_the_most_frequent_errors(tmp_path: Path, finder: EvidenceFinder) -> None:
    """Numbers apart they are the same; one without words gives way to one with."""
    _write(
        tmp_path,
        "errors",
        *[_error(f"no pump {number}") for number in range(5)],
        *[_error("", kind="ValueError")] * 7,
        _error("disk on fire", kind="OSError"),
        _error("elsewhere", service="another"),
        _error("long ago", at=START - 20 * MINUTE),
    )
    samples = finder(view(), START).samples
    assert [(sample.message, sample.count, sample.trace_id) for sample in samples] == [
        ("ValueError: no pump 4", 5, "trace of no pump 4"),
        ("OSError: disk on fire", 1, "trace of disk on fire"),
    ]
    assert finder(view(indicator="host.cpu"), START).samples == ()


def test_only_the_end_of_a_long_stream_is_read(tmp_path: Path, finder: EvidenceFinder) -> None:
    """Torn and foreign lines are passed over."""
    _write(tmp_path, "errors", *[_error("x" * 1000)] * 2000)
    with (tmp_path / "errors" / "2026-11-23T12.jsonl").open("ab") as file:
        file.write(b'[1]\n{"time_unix_nano": 1}\nnonsense\n{"to')
    (sample,) = finder(view(), START).samples
    assert 100 < sample.count < 600


def test_what_is_usual_is_the_median_of_the_day_before_it_began() -> None:
    """And the chart is the last hour, a value a minute."""
    history = ValueHistory()
    for minute in range(-600, 1):
        value = 0.5 if minute > -5 else 0.01 * (1 + minute % 3)
        history.take(
            [evaluation("http.server.error_rate", of="backend", value=value, time_unix_nano=START + minute * MINUTE)]
        )
    found = history.day("http.server.error_rate", view().key, START, recent_since_unix_nano=START - 4 * MINUTE)
    assert found is not None
    assert (found.usual, found.highest, found.lowest) == pytest.approx((0.02, 0.03, 0.01), rel=1e-3)
    assert len(found.minutes) == 60
    assert found.minutes[-1] is None  # it has not ended
    assert found.minutes[-2] == pytest.approx(0.5)


def test_with_less_than_an_hour_nothing_is_usual() -> None:
    """Nobody can know yet."""
    history = ValueHistory()
    for minute in range(30):
        history.take([evaluation("http.server.error_rate", of="backend", time_unix_nano=START + minute * MINUTE)])
    later = START + 30 * MINUTE
    found = history.day("http.server.error_rate", view().key, later, recent_since_unix_nano=later)
    assert found is not None
    assert found.usual is None
    assert history.day("another", (), later, recent_since_unix_nano=later) is None


def test_gaps_are_gaps() -> None:
    """A sidecar that was away has measured nothing."""
    history = ValueHistory()
    for minute in (1, 2, 50, 51):
        history.take([evaluation("r", value=1.0, time_unix_nano=START + minute * MINUTE)])
    found = history.day("r", (("service.name", "app"),), START + 51 * MINUTE, recent_since_unix_nano=START)
    assert found is not None
    assert [value is not None for value in found.minutes][-52:] == [minute in {0, 1, 49, 50} for minute in range(52)]


def test_it_outlives_a_restart(tmp_path: Path) -> None:
    """But not a day."""
    state = State.open(tmp_path / "state.db")
    history = ValueHistory()
    for minute in range(600):
        history.take([evaluation("r", value=float(minute), time_unix_nano=START + minute * MINUTE)])
    history.save(state)
    end = START + 599 * MINUTE
    again = ValueHistory()
    again.restore(state, end)
    key = (("service.name", "app"),)
    assert again.day("r", key, end, recent_since_unix_nano=end) == history.day(
        "r", key, end, recent_since_unix_nano=end
    )
    late = ValueHistory()
    late.restore(state, end + 2 * DAY)
    assert late.day("r", key, end, recent_since_unix_nano=end) is None
    assert state.rows("SELECT count(*) FROM value_history") == [(0,)]
    state.close()
