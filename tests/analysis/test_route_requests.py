"""Which requests a route had: in the order that is asked for, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from analysis.engine import Engine
from analysis.latency import RouteFilter
from analysis.period import HOUR_NANO, Period
from analysis.route_requests import Order, Request, Status, requests_of

NOW = 1_795_435_200 * 1_000_000_000
"""2026-11-23T12:00:00Z."""
PERIOD = Period(NOW, NOW + HOUR_NANO)
EVERY = RouteFilter()


def line(trace_id: str, at: int, seconds: float | None, status: int | None, route: str = "/a") -> dict[str, Any]:
    """Served at so many nanoseconds after noon."""
    told = {"service": "app", "method": "GET", "route": route, "trace_id": trace_id}
    return {**told, "time_unix_nano": NOW + at, "response_time": seconds, "status_code": status}


def put(folder: Path, *lines: dict[str, Any]) -> Engine:
    path = folder / "performance" / "2026-11-23T12.jsonl"
    path.parent.mkdir()
    base = {"received_unix_nano": NOW, "batch_id": "b"}
    numbered = [{**base, "batch_index": number, **one} for number, one in enumerate(lines)]
    path.write_bytes(b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in numbered))
    return Engine(folder)


@pytest.fixture
def served(tmp_path: Path) -> Engine:
    again = {"batch_index": 7}
    return put(
        tmp_path,
        line("ok", 1, 0.2, 200),
        line("lost", 2, 3.0, None),
        line("moved", 3, 0.1, 301),
        line("missing", 4, 9.0, 404),
        {**line("broken", 5, 0.5, 503), **again},
        {**line("broken", 5, 0.5, 503), **again},
        line("other", 6, 0.7, 200, "/b"),
    )


def traces(found: list[Request]) -> list[str]:
    return [one.trace_id for one in found]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("slowest", ["missing", "lost", "other", "broken", "ok", "moved"]),
        ("failed", ["lost", "broken", "missing", "other", "ok", "moved"]),
        ("newest", ["other", "broken", "missing", "moved", "lost", "ok"]),
    ],
)
def test_the_order_is_the_one_asked_for_and_what_was_written_twice_is_one(
    served: Engine, order: Order, expected: list[str]
) -> None:
    """Failed are those without response and those with a status of 500 or more."""
    assert traces(requests_of(served, PERIOD, EVERY, order=order)) == expected
    assert traces(requests_of(served, PERIOD, EVERY, order=order, limit=3)) == expected[:3]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("2xx", ["other", "ok"]),
        ("3xx", ["moved"]),
        ("4xx", ["missing"]),
        ("5xx", ["broken"]),
        ("none", ["lost"]),
    ],
)
def test_a_class_of_statuses_has_its_own(served: Engine, status: Status, expected: list[str]) -> None:
    assert traces(requests_of(served, PERIOD, EVERY, order="newest", status=status)) == expected


def test_a_cell_of_the_map_opens_its_requests(served: Engine) -> None:
    """From its lower bound on, below its upper one, of its route."""
    found = requests_of(served, PERIOD, EVERY, order="newest", at_least_seconds=0.2, below_seconds=0.7)
    assert traces(found) == ["broken", "ok"]
    only = RouteFilter("app", "GET", "/b")
    assert traces(requests_of(served, PERIOD, only, order="newest")) == ["other"]
    assert requests_of(served, PERIOD, RouteFilter(route="/b' OR '1'='1"), order="newest") == []
    assert requests_of(served, Period(NOW + 7, NOW + HOUR_NANO), EVERY, order="newest") == []


def test_a_request_is_told_whole(tmp_path: Path) -> None:
    """Its fields as they are; what is missing, of another type or megabytes long is no fault."""
    whole = {"response_bytes": 512, "user": "ann", "client_address": "192.0.2.7"}
    huge = {"user": "u" * 2_000_000, "route": "<script>" * 1000, "response_bytes": "many"}
    engine = put(
        tmp_path,
        {**line("whole", 1, 0.25, 200), **whole},
        {**line("huge", 2, 0.1, 200), **huge},
        {"time_unix_nano": NOW, "batch_id": None, "batch_index": 0},
        {"time_unix_nano": NOW, "batch_id": None, "batch_index": 0, "response_time": "long", "method": {"a": 1}},
    )
    assert requests_of(engine, PERIOD, EVERY, order="newest") == [
        Request(NOW + 2, "app", "GET", ("<script>" * 32)[:256], 200, 0.1, None, "huge", "u" * 256, None),
        Request(NOW + 1, "app", "GET", "/a", 200, 0.25, 512, "whole", "ann", "192.0.2.7"),
        Request(NOW, "", "", "", None, 0.0, None, "", None, None),
        Request(NOW, "", '{"a":1}', "", None, 0.0, None, "", None, None),
    ]
