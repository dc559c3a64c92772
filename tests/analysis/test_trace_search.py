"""Traces are found by what one span says and by how the whole went, and by their id whenever they were."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from analysis.engine import Engine
from analysis.period import DAY_NANO, HOUR_NANO, MINUTE_NANO, Period
from analysis.trace_search import (
    Choices,
    Order,
    TraceFilter,
    TraceSummary,
    find_trace,
    search_traces,
    services_and_names,
)
from storage.names import hour_of

NOW = 1_795_435_200 * 1_000_000_000
"""2026-11-23T12:00:00Z."""
MS = 1_000_000
DAY = Period(NOW - DAY_NANO, NOW)


def trace_id(number: int) -> str:
    return f"{number:032x}"


def span(trace: int, own: str, parent: str | None, start: int, milliseconds: int, **more: Any) -> dict[str, Any]:
    """Begun at so many nanoseconds before noon."""
    begun = NOW - start
    ids = {"trace_id": trace_id(trace), "span_id": own, "parent_span_id": parent, "name": f"span {own}"}
    times = {"time_unix_nano": begun, "end_time_unix_nano": begun + milliseconds * MS}
    return {"service": "app", "kind": "INTERNAL", "attributes": {}, **ids, **times, **more}


def put(folder: Path, stream: str, *records: dict[str, Any]) -> Engine:
    """Each in the segment of its hour."""
    segments: dict[Path, bytes] = defaultdict(bytes)
    for number, record in enumerate(records):
        time = record["time_unix_nano"]
        line = {"received_unix_nano": time, "batch_id": "b", "batch_index": number, **record}
        path = folder / stream / f"{hour_of(time)}.jsonl"
        segments[path] += orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    for path, content in segments.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return Engine(folder)


def numbers(found: list[TraceSummary]) -> list[int]:
    return [int(one.trace_id, 16) for one in found]


@pytest.fixture
def day(tmp_path: Path) -> Engine:
    """Four traces hours apart: a slow one, one that failed within, a quick one, one whose root is not here."""
    order = {"http.route": "/orders/{id}", "http.response.status_code": 200}
    asked = {"db.system.name": "sqlite", "user.id": "ann"}
    return put(
        tmp_path,
        "traces",
        span(1, "a", None, 20 * HOUR_NANO, 9000, name="GET /orders/{id}", kind="SERVER", attributes=order),
        span(1, "b", "a", 20 * HOUR_NANO - MS, 50, name="SELECT orders", service="database", attributes=asked),
        span(2, "c", "", 9 * HOUR_NANO, 300, name="POST /login", attributes={"http.response.status_code": "401"}),
        span(2, "d", "c", 9 * HOUR_NANO - MS, 5, name="check", status="ERROR", attributes={"user.id": "bob"}),
        span(2, "d", "c", 9 * HOUR_NANO - MS, 5, name="check", status="ERROR", attributes={"user.id": "bob"}),
        span(3, "e", None, 2 * HOUR_NANO, 20, name="job", resource={"attributes": {"host.name": "one"}}),
        span(4, "g", "f", HOUR_NANO - 9 * MS, 700, name="late", service="other"),
        span(4, "f", "gone", HOUR_NANO, 40, name="GET /orders/{id}", kind="SERVER", attributes=order),
    )


def test_a_trace_is_summed_up_by_its_root_or_by_its_first_span(day: Engine) -> None:
    """A span that was sent twice counts once; without root it lasts from its first beginning to its last end."""
    assert search_traces(day, DAY, TraceFilter()) == [
        TraceSummary(trace_id(4), NOW - HOUR_NANO, 0.709, "app", "GET /orders/{id}", 200, 2, 0, ("app", "other")),
        TraceSummary(trace_id(3), NOW - 2 * HOUR_NANO, 0.02, "app", "job", None, 1, 0, ("app",)),
        TraceSummary(trace_id(2), NOW - 9 * HOUR_NANO, 0.3, "app", "POST /login", 401, 2, 1, ("app",)),
        TraceSummary(trace_id(1), NOW - 20 * HOUR_NANO, 9.0, "app", "GET /orders/{id}", 200, 2, 0, ("app", "database")),
    ]


@pytest.mark.parametrize(
    ("order", "expected"), [("newest", [4, 3, 2, 1]), ("slowest", [1, 4, 2, 3]), ("failed", [2, 1, 4, 3])]
)
def test_the_first_come_in_the_order_that_is_asked_for(day: Engine, order: Order, expected: list[int]) -> None:
    """However many of a long time are wanted."""
    for limit in (1, 2, 3, 50):
        assert numbers(search_traces(day, DAY, TraceFilter(), order=order, limit=limit)) == expected[:limit]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (TraceFilter(service="database"), [1]),
        (TraceFilter(name="select ORD"), [1]),
        (TraceFilter(name="orders/{ID}"), [4, 1]),
        (TraceFilter(attributes=(("user.id", "ann"),)), [1]),
        (TraceFilter(attributes=(("http.response.status_code", "200"), ("http.route", "/orders/{id}"))), [4, 1]),
        (TraceFilter(attributes=(("host.name", "one"),)), [3]),
        (TraceFilter(service="app", attributes=(("user.id", "ann"),)), []),
        (TraceFilter(name="GET", attributes=(("user.id", "ann"),)), []),
        (TraceFilter(status="error"), [2]),
        (TraceFilter(status="ok"), [4, 3, 1]),
        (TraceFilter(name="check", status="error", at_least_seconds=0.3), [2]),
        (TraceFilter(at_least_seconds=0.3, below_seconds=9), [4, 2]),
        (TraceFilter(service="database", at_least_seconds=9, below_seconds=9.001), [1]),
        (TraceFilter(service="app' OR '1'='1", name="%", attributes=(("a'b", "_"),)), []),
    ],
)
def test_one_span_fulfils_what_is_asked_of_spans_and_the_whole_the_rest(
    day: Engine, wanted: TraceFilter, expected: list[int]
) -> None:
    assert numbers(search_traces(day, DAY, wanted)) == expected


@pytest.mark.parametrize(
    ("key", "told", "asked"),
    [
        ("a/b~c", "x", "x"),
        ("$.n", 7, "7"),
        ("", True, "true"),
        ("deep", {"a": [1]}, '{"a":[1]}'),
        ("q'\"", "é\n", "é\n"),
    ],
)
def test_any_attribute_can_be_asked_for(tmp_path: Path, key: str, told: Any, asked: str) -> None:
    """Keys are what somebody sends; values are compared as text."""
    with_it, without = span(1, "a", None, 10, 1, attributes={key: told}), span(2, "b", None, 10, 1)
    engine = put(tmp_path, "traces", with_it, without)
    assert numbers(search_traces(engine, DAY, TraceFilter(attributes=((key, asked),)))) == [1]


def test_what_a_broken_sender_sends_hides_nothing(tmp_path: Path) -> None:
    """No end, an end before the beginning, attributes that are none, names of megabytes, ids of any length."""
    records = [
        span(1, "a", None, 10 * MS, 0, end_time_unix_nano=0, attributes=None, name="n" * 2_000_000),
        span(2, "b", None, 20 * MS, -500, attributes="text", service="s" * 70_000, status=None, kind=7),
        span(3, "c", None, 30 * MS, 0, end_time_unix_nano=2**63 - 1, attributes=[1], resource="?", scope=7),
        span(4, "d", "d", 40 * MS, 5, name=None, service=None, attributes={"http.status_code": "9" * 40}),
        {**span(5, "e", None, 50 * MS, 5), "trace_id": "f" * 3_000_000},
        {**span(6, "f", None, 60 * MS, 5), "trace_id": None},
        {**span(7, "", None, 70 * MS, 1), "span_id": None},
    ]
    found = search_traces(put(tmp_path, "traces", *records), DAY, TraceFilter(name="", attributes=()))
    assert [(int(one.trace_id, 16), len(one.name), len(one.service), one.status_code) for one in found] == [
        (1, 256, 3, None),
        (2, 6, 256, None),
        (3, 6, 3, None),
        (4, 0, 0, None),
        (7, 5, 3, None),
    ]
    assert [one.seconds for one in found[:2]] == [0.0, 0.0]
    assert [(one.spans, one.services) for one in found[3:]] == [(1, ("",)), (1, ("app",))]


def test_a_trace_of_many_spans_and_services_is_told_in_short(tmp_path: Path) -> None:
    """All are counted, twenty services are named."""
    below = [span(1, f"{number}", "root", 5 * MS, 1, service=f"s{number:04d}") for number in range(10_000)]
    engine = put(tmp_path, "traces", span(1, "root", None, 6 * MS, 4, service="s0000"), *below)
    (found,) = search_traces(engine, DAY, TraceFilter())
    assert (found.spans, found.seconds, found.services) == (10_001, 0.004, tuple(f"s{n:04d}" for n in range(20)))


def test_a_trace_across_the_border_of_two_parts_is_one(tmp_path: Path) -> None:
    """Six hours are looked at, at a time."""
    root, inner = span(1, "a", None, 6 * HOUR_NANO + MS, 5), span(1, "b", "a", 6 * HOUR_NANO - MS, 1)
    engine = put(tmp_path, "traces", root, inner, span(2, "c", None, 10, 1))
    for order in ("newest", "slowest"):
        found = search_traces(engine, DAY, TraceFilter(), order=order)
        assert sorted((one.trace_id, one.spans, one.seconds) for one in found) == [
            (trace_id(1), 2, 0.005),
            (trace_id(2), 1, 0.001),
        ]


def test_a_search_offers_services_and_the_spans_that_traces_begin_with(tmp_path: Path) -> None:
    """Of the last six hours, so that a long time is not read for a form."""
    seldom = span(1, "a", None, HOUR_NANO, 1, name="seldom", service="two")
    often = [span(n, "b", "gone", 2 * HOUR_NANO, 1, name="often", kind="SERVER", service="one") for n in (2, 3, 4)]
    within = [span(2, f"{n}", "b", 2 * HOUR_NANO, 1, name="within", service="base") for n in range(9)]
    earlier = span(5, "c", "", 8 * HOUR_NANO, 1, name="earlier", service="three")
    nameless = span(6, "d", "", HOUR_NANO, 1, name=None, service=None)
    engine = put(tmp_path, "traces", seldom, *often, *within, earlier, nameless)
    assert services_and_names(engine, DAY) == Choices(("base", "one", "two"), ("often", "seldom"))
    assert services_and_names(engine, DAY, limit=1) == Choices(("base",), ("often",))
    assert services_and_names(engine, Period(0, NOW - 7 * HOUR_NANO)) == Choices(("three",), ("earlier",))
    assert services_and_names(engine, Period(0, HOUR_NANO)) == Choices((), ())


@pytest.mark.parametrize("ago_hours", [-1, 0, 0.3, 1, 5, 72, 960])
@pytest.mark.parametrize("is_request", [True, False])
def test_a_trace_is_found_by_its_id_whenever_it_was(tmp_path: Path, ago_hours: float, *, is_request: bool) -> None:
    """From its beginning to its end with a minute around it, be it in the small streams or not."""
    ago = int(ago_hours * HOUR_NANO)
    root, inner = span(7, "a", None, ago, 2000), span(7, "b", "a", ago - 1000 * MS, 1)
    engine = put(tmp_path, "traces", root, inner, span(8, "c", None, 10, 1))
    if is_request:
        put(tmp_path, "performance", {"time_unix_nano": NOW - ago + 2000 * MS, "trace_id": trace_id(7)})
    expected = Period(NOW - ago - MINUTE_NANO, NOW - ago + 2000 * MS + 1 + MINUTE_NANO)
    assert find_trace(engine, trace_id(7).upper(), NOW) == expected


def test_a_trace_whose_spans_are_gone_is_where_its_error_was(tmp_path: Path) -> None:
    """Streams may be kept for different times."""
    engine = put(tmp_path, "errors", {"time_unix_nano": NOW - 9 * DAY_NANO, "trace_id": trace_id(7)})
    when = NOW - 9 * DAY_NANO
    assert find_trace(engine, trace_id(7), NOW) == Period(when - MINUTE_NANO, when + 1 + MINUTE_NANO)


@pytest.mark.parametrize("text", ["", "abc", "g" * 32, "0" * 33, "' OR trace_id <> '", "٣" * 32, f"{7:032x}\n"])
def test_what_is_no_id_is_nowhere(day: Engine, text: str) -> None:
    assert find_trace(day, text, NOW) is None


def test_an_unknown_id_is_nowhere(day: Engine) -> None:
    assert find_trace(day, "f" * 32, NOW) is None
