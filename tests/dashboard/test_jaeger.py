"""Grafana's Jaeger data source and Jaeger's clients ask the pages' port, and get what Jaeger would answer."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import orjson
import pytest

from analysis import trace_spans
from tests.dashboard.jaeger_client import MS, SECOND, Jaeger, Problem, span
from tests.support.stored import HOUR, store
from tests.support.week import END, OUTAGE, SERVICE, START, Week

NOW = HOUR + 3600 * SECOND
LONG = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    """Traces 1 to 6, of which each has something of its own, and one of another service."""
    failed = {"exception.type": "ValueError", "exception.message": "no such pump"}
    event = {"time_unix_nano": HOUR + 3 * SECOND + 1, "name": "exception", "attributes": failed}
    folder = store(
        tmp_path_factory.mktemp("shop"),
        "traces",
        span(1, attributes={"http.response.status_code": 404, "cached": True, "url": "http://a:1/b"}),
        span(2, name="GET /orders/{id}", kind="CLIENT", end_time_unix_nano=HOUR + 2 * SECOND + 1200 * MS),
        span(3, status="ERROR", status_message="broken", events=[event], attributes={"share": 0.5, "list": [1, "b"]}),
        span(3, own="b", parent_span_id="a" * 16, service="store", name="SELECT"),
        span(4, resource={"attributes": {"service.name": "shop", "host.name": "one"}}, trace_state="a=1"),
        span(5, scope={"name": "fastapi", "version": "1.2"}, status="OK"),
        span(6, name="job", kind="INTERNAL", events="none", attributes="none", links={"a": 1}),
        span(7, service="a/b c", name="odd", kind="UNSPECIFIED"),
    )
    with Jaeger(folder, NOW) as client:
        yield client


def test_a_span_is_told_as_jaeger_tells_one_that_came_over_otlp(tmp_path: Path) -> None:
    """Every field of it: the translator of the Collector and the JSON of Jaeger's query service say how."""
    attributes = {
        "http.route": "/orders/{id}",
        "ok": True,
        "count": 3,
        "largest": 2**53 - 1,
        "larger": 2**53,
        "lowest": -(2**63),
        "share": 0.5,
        "whole": 2.0,
        "key": {"bytesValue": base64.b64encode(b"\x00\xff").decode()},
        "not a number": {"doubleValue": "NaN"},
        "list": ["a", 1, None],
        "map": {"a": {"b": 1}},
        "like a form": {"kvlistValue": {"bytesValue": "no bytes"}},
        "none": None,
    }
    link = {"trace_id": "0" * 16 + "00f067aa0ba902b7", "span_id": "c" * 16, "attributes": {"why": "retry"}}
    events = [
        {"time_unix_nano": HOUR + 5 * MS + 999, "name": "exception", "attributes": {"exception.type": "KeyError"}},
        {"time_unix_nano": HOUR + 6 * MS, "name": "named", "attributes": {"event": "its own"}},
    ]
    resource = {"attributes": {"service.name": "shop", "host.name": "one", "process.pid": 7}}
    whole = span(
        0,
        trace_id=LONG,
        parent_span_id="b" * 16,
        end_time_unix_nano=HOUR + 1500 * MS + 999,
        status="ERROR",
        status_message="no such pump",
        trace_state="vendor=1",
        attributes=attributes,
        events=events,
        links=[link],
        resource=resource,
        scope={"name": "fastapi", "version": "1.2"},
    )
    child = span(1, own="d", trace_id=LONG, parent_span_id="a" * 16, kind="UNSPECIFIED", resource=resource, name="work")
    followed = {"trace_id": LONG, "span_id": "a" * 16, "attributes": {"opentracing.ref_type": "follows_from"}}
    child |= {"links": [followed], "end_time_unix_nano": 0}
    with Jaeger(store(tmp_path, "traces", child, whole, whole), NOW) as client:
        (trace,) = client.traces(f"/api/traces/{LONG}")
    text = [
        ("otel.scope.name", "string", "fastapi"),
        ("otel.scope.version", "string", "1.2"),
        ("http.route", "string", "/orders/{id}"),
        ("ok", "bool", True),
        ("count", "int64", 3),
        ("largest", "int64", 9007199254740991),
        ("larger", "int64", "9007199254740992"),
        ("lowest", "int64", "-9223372036854775808"),
        ("share", "float64", 0.5),
        ("whole", "float64", 2.0),
        ("key", "binary", "AP8="),
        ("not a number", "float64", "NaN"),
        ("list", "string", '["a",1,null]'),
        ("map", "string", '{"a":{"b":1}}'),
        ("like a form", "string", '{"bytesValue":"no bytes"}'),
        ("none", "string", ""),
        ("span.kind", "string", "server"),
        ("otel.status_code", "string", "ERROR"),
        ("error", "bool", True),
        ("otel.status_description", "string", "no such pump"),
        ("w3c.tracestate", "string", "vendor=1"),
    ]
    micro = HOUR // 1000
    assert trace.model_dump() == {
        "traceID": LONG,
        "spans": [
            {
                "traceID": LONG,
                "spanID": "a" * 16,
                "operationName": "GET /orders",
                "references": [
                    {"refType": "CHILD_OF", "traceID": LONG, "spanID": "b" * 16},
                    {"refType": "FOLLOWS_FROM", "traceID": "00f067aa0ba902b7", "spanID": "c" * 16},
                ],
                "startTime": micro,
                "duration": 1_500_000,
                "tags": [{"key": key, "type": kind, "value": value} for key, kind, value in text],
                "logs": [
                    {
                        "timestamp": micro + 5000,
                        "fields": [
                            {"key": "event", "type": "string", "value": "exception"},
                            {"key": "exception.type", "type": "string", "value": "KeyError"},
                        ],
                    },
                    {
                        "timestamp": micro + 6000,
                        "fields": [{"key": "event", "type": "string", "value": "its own"}],
                    },
                ],
                "processID": "p1",
                "warnings": None,
            },
            {
                "traceID": LONG,
                "spanID": "d" * 16,
                "operationName": "work",
                "references": [{"refType": "FOLLOWS_FROM", "traceID": LONG, "spanID": "a" * 16}],
                "startTime": micro + 1_000_000,
                "duration": 0,
                "tags": [],
                "logs": [],
                "processID": "p1",
                "warnings": None,
            },
        ],
        "processes": {
            "p1": {
                "serviceName": "shop",
                "tags": [
                    {"key": "host.name", "type": "string", "value": "one"},
                    {"key": "process.pid", "type": "int64", "value": 7},
                ],
            }
        },
        "warnings": None,
    }


def test_grafana_saves_the_data_source_and_fills_its_fields(shop: Jaeger) -> None:
    """Services for the test of the connection and the first field, then a service's operations, by name or by kind."""
    assert shop.told("/api/services").model_dump() == {
        "data": ["a/b c", "shop", "store"],
        "total": 3,
        "limit": 0,
        "offset": 0,
        "errors": None,
    }
    names = ["GET /orders", "GET /orders/{id}", "job"]
    assert shop.told("/api/services/shop/operations").data == names
    assert shop.told(f"/api/services/{quote('a/b c', safe='')}/operations").data == ["odd"]
    assert shop.told("/api/services/nobody/operations").data == []
    kinds = [
        {"name": name, "spanKind": kind} for name, kind in zip(names, ("server", "client", "internal"), strict=True)
    ]
    assert shop.told("/api/operations", service="shop").data == kinds
    assert shop.told("/api/operations", service="shop", spanKind="client").data == kinds[1:2]
    assert shop.told("/api/operations", service="a/b c").data == [{"name": "odd", "spanKind": ""}]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [6, 5, 4, 3, 2, 1]),
        ({"operation": "GET /orders"}, [5, 4, 3, 1]),
        ({"operation": "get /orders"}, []),
        ({"minDuration": "1.2s"}, [2]),
        ({"minDuration": "1200001us"}, []),
        ({"maxDuration": "100ms", "limit": 2}, [6, 5]),
        ({"maxDuration": "99999.9us"}, []),
        ({"tags": '{"http.response.status_code":"404","cached":"true"}'}, [1]),
        ({"tags": '{"http.response.status_code":"404","cached":"false"}'}, []),
        ({"tag": "url:http://a:1/b"}, [1]),
        ({"tags": '{"error":"true"}'}, [3]),
        ({"tags": '{"share":"0.5","list":"[1,\\"b\\"]"}'}, [3]),
        ({"tags": '{"span.kind":"client"}'}, [2]),
        ({"tags": '{"otel.status_code":"OK","otel.scope.name":"fastapi"}'}, [5]),
        ({"tags": '{"otel.status_description":"broken"}'}, [3]),
        ({"tags": '{"w3c.tracestate":"a=1","host.name":"one"}'}, [4]),
        ({"tags": '{"event":"exception","exception.type":"ValueError"}'}, [3]),
        ({"service": "store"}, [3]),
        ({"service": "store", "tags": '{"error":"true"}'}, []),
        ({"start": (HOUR + 2 * SECOND) // 1000, "end": (HOUR + 4 * SECOND) // 1000}, [4, 3, 2]),
        ({"lookback": "custom", "end": HOUR // 1000 - 1}, []),
    ],
)
def test_a_search_finds_traces_by_one_span(shop: Jaeger, asked: dict[str, object], found: list[int]) -> None:
    """All of it has to hold for the same span, as Jaeger's storage has it; the newest come first."""
    assert shop.numbers(**{"service": "shop", **asked}) == found


def test_found_traces_are_whole(shop: Jaeger) -> None:
    """With the spans of other services, each with its process."""
    (trace,) = shop.traces(service="store")
    called = [(one.operationName, trace.processes[one.processID].serviceName) for one in trace.spans]
    assert called == [("GET /orders", "shop"), ("SELECT", "store")]


def test_without_times_the_last_two_days_are_searched(tmp_path: Path) -> None:
    """As Jaeger does, which takes no notice of `lookback`; what began some minutes before or after belongs to it."""
    minute, day = 60, 86_400
    rest = [span(at, own, trace_id="2" * 32, service="store") for at, own in ((-9 * minute, "b"), (9 * minute, "c"))]
    old = [span(-2 * day + 3660, trace_id="1" * 32), span(-2 * day + 3540, trace_id="0" * 31 + "1")]
    with Jaeger(store(tmp_path, "traces", span(0, trace_id="2" * 32), *rest, *old), NOW) as client:
        first, second = client.traces(service="shop", lookback="1h")
    assert ([one.spanID[0] for one in first.spans], second.traceID) == (["b", "a", "c"], "1" * 32)


def test_grafana_asks_the_recorded_week(week: Week) -> None:
    """Its addresses as its code makes them: sorted, tags from logfmt as JSON, microseconds here, milliseconds there."""
    failed = [one for one in week.requests if one.status == 503]
    tags = orjson.dumps({"http.response.status_code": "503"}).decode()
    times = {"start": OUTAGE[0] * 10**6, "end": (OUTAGE[1] + 60) * 10**6}
    query = {"limit": 1500, "service": SERVICE, "operation": "GET /api/auth/login", "tags": tags, **times}
    with Jaeger(week.logs, END * SECOND) as client:
        found = client.traces(f"/api/traces?{urlencode(sorted(query.items()))}")
        expected = sorted(one.trace_id for one in failed if one.route == "/api/auth/login")
        assert sorted(one.traceID for one in found) == expected
        slowest = max(week.requests, key=lambda one: one.seconds)
        (trace,) = client.traces(f"/api/traces/{slowest.trace_id}?end={END * 1000}&start={START * 1000}")
        assert max(one.duration for one in trace.spans) == pytest.approx(slowest.seconds * 1e6, abs=2)
        queries = sum(one.trace_id == slowest.trace_id for one in week.queries)
        assert [one.operationName for one in trace.spans].count("SELECT work_orders") == queries
        graph = client.told(f"/api/dependencies?endTs={END * 1000}&lookback={(END - START) * 1000}")
        assert (graph.data, graph.errors) == ([], None)
        begun = {one.trace_id: round(one.at * 1e6) * 1000 - round(one.seconds * 1e9) for one in week.requests}
        newest = sorted(begun, key=lambda trace_id: begun[trace_id])[-100:]
        found = client.traces(service=SERVICE, tags='{"span.kind":"server"}')
        assert {one.traceID for one in found} == set(newest)


def test_dependencies_are_told_for_the_graph_of_services(shop: Jaeger) -> None:
    """Also of one service alone."""
    edge = {"parent": "shop", "child": "store", "callCount": 1}
    assert shop.told("/api/dependencies", endTs=NOW // MS, lookback=3_600_000).data == [edge]
    assert shop.told("/api/dependencies", endTs=NOW // MS, service="store").data == [edge]
    assert shop.told("/api/dependencies", endTs=NOW // MS, service="a/b c").data == []
    assert shop.told("/api/dependencies", endTs=HOUR // MS).data == []


@pytest.mark.parametrize("text", [f"{6:032x}", f"{6:016x}", "6", f"{6:032X}"])
def test_an_id_may_lack_its_leading_zeros(shop: Jaeger, text: str) -> None:
    """And one of 64 bits is told in 16 digits, as Jaeger does."""
    (trace,) = shop.traces(f"/api/traces/{text}")
    assert trace.traceID == f"{6:016x}"


def test_an_id_may_have_large_letters(tmp_path: Path) -> None:
    """Whoever copies it from elsewhere."""
    with Jaeger(store(tmp_path, "traces", span(0, trace_id=LONG)), NOW) as client:
        (trace,) = client.traces(f"/api/traces/{LONG.upper()}")
        assert trace.traceID == LONG


def test_several_traces_are_asked_by_their_ids(shop: Jaeger) -> None:
    """What is not there is told beside what is; one alone that is not there has the status for it."""
    told = shop.told("/api/traces?traceID=5&traceID=ff&traceID=2&traceID=05")
    assert [int(one["traceID"], 16) for one in told.data] == [5, 2]
    assert told.errors == [Problem(msg="trace not found", traceID=f"{255:016x}")]
    gone = shop.get("/api/traces/ff")
    assert (gone.status_code, gone.json()) == (
        404,
        {
            "data": None,
            "total": 0,
            "limit": 0,
            "offset": 0,
            "errors": [{"code": 404, "msg": "trace not found"}],
        },
    )


def test_a_span_that_was_sent_twice_appears_once_and_too_many_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Roots stay, and the warnings of a trace and of a span say what is not there."""
    monkeypatch.setattr(trace_spans, "_MOST_SPANS", 4)
    below = [span(1, own, parent_span_id="a" * 16) for own in "bcd"]
    long = span(2, attributes={"text": "x" * 5000})
    with Jaeger(store(tmp_path, "traces", span(1), span(1), long, *below), NOW) as client:
        first, second = client.traces(service="shop")
    assert [one.spanID[0] for one in (*first.spans, *second.spans)] == ["a", "a", "b"]
    assert first.warnings is None
    assert second.warnings == ["only 4 spans of all traces are shown, maybe not all of this one"]
    assert first.spans[0].warnings == ["attributes, text: 4,096 of 5,000 characters are shown"]
