"""Traces are found, opened by their id alone, and set beside a normal one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from analysis.period import HOUR_NANO, MINUTE_NANO, NANO
from dashboard import shown as shown_module
from dashboard.view import instant
from processors.evaluation import format_value
from tests.dashboard.opening import Opening, Shown, read
from tests.support.stored import HOUR, store
from tests.support.week import END, SERVICE, SLOW, Query, Request, Week

MS = 1_000_000
NOW = HOUR + 10 * MINUTE_NANO


@pytest.fixture(scope="module")
def pages(week: Week) -> Iterator[Opening]:
    with Opening(week.logs) as opened:
        yield opened


def span(trace: int, number: int, parent: int, start_ms: int, took_ms: int, **more: Any) -> dict[str, Any]:
    """So long after the hour; `parent` 0 is none."""
    begun = HOUR + start_ms * MS
    ids = {
        "trace_id": f"{trace:032x}",
        "span_id": f"{number:016x}",
        "parent_span_id": f"{parent:016x}" if parent else "",
    }
    told = {"name": f"step {number}", "kind": "INTERNAL", "status": "UNSET", "attributes": {}, **ids, **more}
    return {"time_unix_nano": begun, "end_time_unix_nano": begun + took_ms * MS, **told}


def times(start: float, end: float) -> dict[str, str]:
    return {"from_": instant(round(start * NANO)), "to": instant(round(end * NANO))}


def traces_of(week: Week, start: float, end: float) -> list[tuple[Request, Query | None, float, float]]:
    """Requests, what they asked, and when and how long their traces were; by their beginning."""
    queries = {one.trace_id: one for one in week.queries}
    found = []
    for one in week.requests:
        query = queries.get(one.trace_id)
        begun = min(one.at - one.seconds, query.at - query.seconds if query else one.at)
        if start <= begun < end:
            found.append((one, query, begun, max(one.seconds, query.seconds if query else 0.0)))
    return found


def ids(shown: Shown) -> list[str]:
    """Of the traces of a list, in its order."""
    return [link[8:40] for link in shown.every_link if link.startswith("/traces/")]


def facts(shown: Shown) -> list[list[str]]:
    """Name, duration and spans of each row."""
    return [[row[1], row[2], row[4]] for row in shown.tables[0][1:]]


def test_the_slowest_traces_come_first(week: Week, pages: Opening) -> None:
    """Of the slow hour the longest ones, each with its name, its length and its spans."""
    asked = times(*SLOW)
    shown = pages.shown("/traces", **asked, order="slowest", attributes="http.request.method=GET")
    found = sorted(traces_of(week, *SLOW), key=lambda one: -one[3])
    assert ids(shown) == [one.trace_id for one, *_ in found[:50]]
    one, query, _, seconds = found[0]
    assert facts(shown)[0] == [f"GET {one.route} {SERVICE}", format_value(seconds, "s"), "2" if query else "1"]
    assert shown.text.count("50 or more traces") == 1
    assert shown.fields["order"] == "slowest"


def test_what_is_asked_for_is_what_is_listed(week: Week, pages: Opening) -> None:
    """By length, name and attributes of one span; the newest first, and all of it stands in the form again."""
    start, end = END - 6 * 3600, END
    asked = {"least": "60ms", "most": "0.2", "name": "AUTH/login", "attributes": "user.id=user-3", "service": SERVICE}
    shown = pages.shown("/traces", **times(start, end), **asked)
    expected = [
        one.trace_id
        for one, _, _, seconds in reversed(traces_of(week, start, end))
        if one.route == "/api/auth/login" and one.user == "user-3" and 0.06 <= seconds < 0.2
    ]
    assert (ids(shown), len(expected) > 2) == (expected, True)
    assert {name: shown.fields[name] for name in asked} == asked
    assert "No such trace in this time." in pages.shown("/traces", **times(start, end), service="nobody").text


def test_a_failed_trace_comes_first_where_that_is_asked_for(tmp_path: Path) -> None:
    """It says how many of its spans failed; the others come by their length, or not at all."""
    spans = [
        span(1, 1, 0, 0, 900),
        span(2, 2, 0, 1000, 30, name="GET /orders", attributes={"http.response.status_code": 500}),
        span(2, 3, 2, 1010, 5, status="ERROR", service="database"),
        span(3, 4, 0, 2000, 60),
    ]
    with Opening(store(tmp_path, "traces", *spans), NOW) as pages:
        first = pages.shown("/traces", order="failed")
        assert [int(one, 16) for one in ids(first)] == [2, 1, 3]
        assert first.tables[0][1] == [
            "12:00:01.000",
            "GET /orders app, database",
            "30 ms",
            "",
            "2",
            "■ 1 failed 500",
        ]
        assert [int(one, 16) for one in ids(pages.shown("/traces", status="error"))] == [2]
        assert [int(one, 16) for one in ids(pages.shown("/traces", status="ok"))] == [3, 1]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"least": "abc"}, "'abc' is not a duration, for example 1000ms, 30s, 5min, 2h or 30days"),
        ({"most": "5 parsecs"}, "'5 parsecs' is not a duration, for example 1000ms, 30s, 5min, 2h or 30days"),
        ({"least": "nan"}, "nan is no number of seconds, expected for example 0.3 or 300ms"),
        ({"least": "-1"}, "-1 is no number of seconds, expected for example 0.3 or 300ms"),
        (
            {"attributes": "user.id"},
            "'user.id' is no attribute, expected name=value, for example http.route=/api/orders",
        ),
    ],
)
def test_what_can_t_be_understood_is_told(pages: Opening, asked: Mapping[str, str], sentence: str) -> None:
    """With what was expected, nothing found, and everything that was typed still in the form."""
    shown = pages.shown("/traces", **asked, status="error", name="orders")
    assert shown.alerts == [f"▲ not understood {sentence}"]
    assert ids(shown) == []
    typed = {**asked, "status": "error", "name": "orders"}
    assert {name: shown.fields[name] for name in typed} == typed


def test_a_trace_opens_by_its_id_alone(week: Week, pages: Opening) -> None:
    """Whenever it was: with its query beneath its request, and the statement that was run."""
    one = next(one for one in week.requests if any(query.trace_id == one.trace_id for query in week.queries))
    query = next(query for query in week.queries if query.trace_id == one.trace_id)
    shown = pages.shown(f"/traces/{one.trace_id.upper()}")
    assert f"GET {one.route} {SERVICE} trace {one.trace_id} Copy began" in shown.text
    assert "2 spans" in shown.text
    assert [summary for summary in shown.opened if summary != "resource"] == [
        f"GET {one.route} {SERVICE} {format_value(one.seconds, 's')}",
        f"SELECT work_orders {SERVICE} {format_value(query.seconds, 's')}",
    ]
    assert ["db.query.text", query.text, "Copy"] in [row for table in shown.tables for row in table]
    logs = pages.shown(shown.links["Its logs"])
    assert logs.fields["trace"] == one.trace_id


def test_its_logs_stand_at_the_trace(week: Week, pages: Opening) -> None:
    """The error of a failed request is told in its trace, and its logs are one step away."""
    error = week.errors[0]
    shown = pages.shown(f"/traces/{error.trace_id}")
    assert "Logs of it at no span ■ ERROR" in shown.text
    logs = pages.shown(shown.links["Its logs"])
    assert [summary.split(" ", 2)[2] for summary in logs.opened if "failed" in summary] == [
        f"■ ERROR {SERVICE} failed ■ exception"
    ]


@pytest.mark.parametrize(
    ("trace_id", "sentence"),
    [
        ("f" * 32, f"no span of trace {'f' * 32} was found. It may have been deleted by age, or never sent;"),
        ("xyz", "no span of trace xyz was found: a trace id has 32 hexadecimal digits."),
        ("%3Cb%3E%00", "no span of trace <b> was found: a trace id has 32 hexadecimal digits."),
    ],
)
def test_an_id_that_nobody_knows_is_not_found(
    pages: Opening, monkeypatch: pytest.MonkeyPatch, trace_id: str, sentence: str
) -> None:
    """A whole page with 404 and a sentence; within a page only the sentence, which htmx shows with 200."""
    monkeypatch.setattr(shown_module, "_AT_ONCE_SECONDS", 30.0)
    whole = pages.whole(f"/traces/{trace_id}")
    assert (whole.status_code, "<nav" in whole.text) == (404, True)
    (told,) = read(whole.text[whole.text.index("<main") : whole.text.index("</main>") + 7]).alerts
    assert told.startswith(f"Not here {sentence}")
    assert told.endswith("Logs can be searched for it too")
    inner = pages.get(f"/traces/{trace_id}")
    assert (inner.status_code, read(inner.text).alerts) == (200, [told])


def test_the_field_for_an_id_leads_to_the_trace(pages: Opening) -> None:
    """Whatever is typed there stays one part of a path of this site."""
    leads = {
        "": "/traces",
        "  ABC ": "/traces/ABC",
        "../../logout": "/traces/..%2F..%2Flogout",
        "//evil.example": "/traces/%2F%2Fevil.example",
        "x\r\nSet-Cookie: a": "/traces/x%0D%0ASet-Cookie%3A%20a",
    }
    for typed, leading in leads.items():
        answer = pages.get("/traces/by-id", params={"trace": typed})
        assert (answer.status_code, answer.headers["location"]) == (303, leading)


def test_a_trace_without_spans_is_told_by_its_logs(tmp_path: Path) -> None:
    """Its spans were not sampled: no duration is made up, and its logs are found."""
    trace_id = "c" * 32
    line = {"trace_id": trace_id, "severity": "ERROR", "severity_number": 17, "body": "it broke"}
    store(tmp_path, "logs", line)
    store(tmp_path, "errors", {"trace_id": trace_id, "error_type": "E", "message": "it broke"})
    with Opening(tmp_path, HOUR + 3 * HOUR_NANO) as pages:
        shown = pages.shown(f"/traces/{trace_id}")
        assert "No span of it is here. It is known by other records: see its logs." in shown.text
        assert "took" not in shown.text
        assert "it broke" in pages.shown(shown.links["Its logs"]).text
        compared = pages.whole(f"/traces/{trace_id}/compare")
        assert (compared.status_code, "has no span here, so there is nothing to compare" in compared.text) == (
            404,
            True,
        )


def test_a_slow_trace_is_set_beside_a_normal_one(tmp_path: Path) -> None:
    """The one in the middle of its kind that failed nowhere; what differs most is told first."""
    order = {"name": "GET /orders", "kind": "SERVER"}
    spans = [
        *(span(number, 10 * number, 0, 1000 * number, 40 + number, **order) for number in (1, 2, 3)),
        *(span(number, 10 * number + 1, 10 * number, 1000 * number + 5, 10, name="SELECT") for number in (1, 2, 3)),
        span(4, 40, 0, 4000, 20, **order, status="ERROR"),
        span(5, 50, 0, 5000, 500, **order),
        *(span(5, 51 + number, 50, 5010 + 100 * number, 90, name="SELECT") for number in range(4)),
    ]
    with Opening(store(tmp_path, "traces", *spans), NOW) as pages:
        opened = pages.shown(f"/traces/{5:032x}")
        shown = pages.shown(opened.links["Compare with a normal one"])
        named = pages.shown(f"/traces/{5:032x}/compare", with_=f"{1:032x}")
        alone = pages.shown(f"/traces/{4:032x}/compare", with_=f"{4:032x}")
    assert "What differs: 500 ms here, 42 ms there" in shown.text
    assert shown.tables[0][1:] == [
        ["SELECT app", "4", "1", "360 ms", "10 ms", "▲ +350 ms"],
        ["GET /orders app", "1", "1", "140 ms", "32 ms", "▲ +108 ms"],
    ]
    assert shown.links["A normal one"] == f"/traces/{2:032x}"
    assert "500 ms here, 41 ms there" in named.text
    assert "No other trace of this kind without errors was recorded within half a day." in alone.text


@pytest.mark.untraced
def test_two_thousand_spans_are_shown_soon_and_not_too_large(tmp_path: Path) -> None:
    """Attributes that have no room are shown when one asks for their span, and then they are there."""
    details = {f"key.{number}": "v" * 60 for number in range(20)}
    spans = [span(1, 1, 0, 0, 30_000), *(span(1, n, 1 + n // 40, n, 7, attributes=details) for n in range(2, 2001))]
    with Opening(store(tmp_path, "traces", *spans), NOW) as pages:
        began = process_time()
        answer = pages.get(f"/traces/{1:032x}")
        assert process_time() - began < 2
        assert len(answer.text) < 2_500_000
        shown = read(answer.text)
        assert (shown.elements["li"], "2,000 spans" in shown.text) == (2000, True)
        assert sum(row[0] == "key.0" for table in shown.tables for row in table) < 1000
        last = [link for link in shown.every_link if "span=" in link][-1]
        asked = pages.shown(last.split("#")[0])
        assert sum(row[0] == "key.0" for table in asked.tables for row in table) >= 1
    assert f'<details open id="{last.split("#")[1]}">' in asked.html


def test_only_the_last_hours_offer_names(week: Week, pages: Opening) -> None:
    """The fields know the services and the routes that there were."""
    shown = pages.shown("/traces", last="24h")
    assert f'<option value="{SERVICE}">' in shown.html
    names = {f"GET {one.route}" for one in week.requests if one.at >= END - 6 * 3600}
    assert [name for name in names if f'<option value="{name}">' not in shown.html] == []
