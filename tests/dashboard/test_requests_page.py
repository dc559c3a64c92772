"""Requests: numbers are those of the requests that there were, and each way on leads to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from analysis.period import HOUR_NANO, NANO, Period
from dashboard.view import instant
from processors.evaluation import format_value
from processors.judging_settings import JudgingSettings
from tests.dashboard.opening import Opening, Shown
from tests.support.stored import HOUR, store
from tests.support.week import DAY, END, OUTAGE, ROUTES, SERVICE, SLOW, START, Query, Request, Week

FEW = JudgingSettings.model_validate({"thresholds": {"rules": {"http.server.p95": {"minimum_count": 1}}}})
"""Of each route the recorded week has twenty requests an hour."""
LOGIN = {"service": SERVICE, "method": "GET", "route": "/api/auth/login"}


@pytest.fixture(scope="module")
def pages(week: Week) -> Iterator[Opening]:
    with Opening(week.logs) as opened:
        yield opened


def within(week: Week, period: Period, route: str = "") -> list[Request]:
    """By their end, as they are counted."""
    found = (one for one in week.requests if period.holds(round(one.at * 1e6) * 1000))
    return [one for one in found if route in ("", one.route)]


def times(period: Period) -> dict[str, str]:
    return {"from_": instant(period.start_unix_nano), "to": instant(period.end_unix_nano)}


def failed(requests: Sequence[Request]) -> int:
    return sum(one.status >= 500 for one in requests)


def took(requests: Sequence[Request], quantile: float) -> str:
    return format_value(float(np.quantile([one.seconds for one in requests], quantile)), "s")


SORTED: dict[str, Callable[[Sequence[Request]], float]] = {
    "requests": len,
    "errors": failed,
    "p95": lambda found: float(np.quantile([one.seconds for one in found], 0.95)),
    "p99": lambda found: float(np.quantile([one.seconds for one in found], 0.99)),
}


def column(shown: Shown, name: str) -> list[str]:
    head, *rows = shown.tables[0]
    return [row[head.index(name)] for row in rows]


def test_each_route_has_its_requests_failures_and_times(week: Week, pages: Opening) -> None:
    """Of six hours exactly; the busiest first, and all of them together above."""
    period = Period((START + DAY) * NANO, (START + DAY) * NANO + 6 * HOUR_NANO)
    shown = pages.shown("/requests", **times(period))
    every = within(week, period)
    tiles = [f"Requests {len(every):,}", f"p50 {took(every, 0.5)}", f"p95 {took(every, 0.95)}"]
    tiles += [f"p99 {took(every, 0.99)}", f"Failed {format_value(failed(every) / len(every), 'ratio')}"]
    assert [tile for tile in tiles if tile not in shown.text] == []
    by_route = sorted(((route, within(week, period, route)) for route in ROUTES), key=lambda one: -len(one[1]))
    expected = [
        [f"GET {route}", f"{len(of):,}", took(of, 0.5), took(of, 0.95), took(of, 0.99)] for route, of in by_route
    ]
    head, *rows = shown.tables[0]
    assert head[:3] == ["route", "requests ▾", "failed"]
    assert [[row[0], row[1], row[3], row[4], row[5]] for row in rows] == expected
    assert [row[2].split()[0] for row in rows] == [str(failed(of)) for _, of in by_route]


def test_a_route_is_seen_beside_itself_a_day_before(week: Week, pages: Opening) -> None:
    """In the slow hour each is far above, its band says how bad it is; on the first day there is nothing to compare."""
    slow = Period(int(SLOW[0]) * NANO, int(SLOW[1]) * NANO)
    with Opening(week.logs, judging=FEW) as lenient:
        shown = lenient.shown("/requests", **times(slow))
    before = {route: within(week, slow.shifted(-DAY * NANO), route) for route in ROUTES}
    for row in shown.tables[0][1:]:
        route = row[0].removeprefix("GET ")
        now = np.quantile([one.seconds for one in within(week, slow, route)], 0.95)
        change = now / np.quantile([one.seconds for one in before[route]], 0.95) - 1
        band = "■ critical" if now > 10 else "▲ warning" if now > 3 else "● normal"
        assert (row[6], row[8]) == (band, f"▲ {change * 100:+.0f} %")
    assert {row[6] for row in shown.tables[0][1:]} & {"■ critical", "▲ warning"}
    first = pages.shown("/requests", **times(Period(START * NANO, START * NANO + HOUR_NANO)))
    assert [row[7:] for row in first.tables[0][1:]] == [[]] * len(ROUTES)


def test_a_route_with_few_requests_is_in_no_band(week: Week, pages: Opening) -> None:
    """Fewer than its rule asks for are never fine, and never bad; all routes together are enough."""
    slow = times(Period(int(SLOW[0]) * NANO, int(SLOW[1]) * NANO))
    shown = pages.shown("/requests", **slow)
    assert {row[6] for row in shown.tables[0][1:]} == {"○ no data"}
    assert "▲ warning" in shown.text.partition("By route")[0]
    off = JudgingSettings.model_validate({"thresholds": {"rules": {"http.server.p95": {"enabled": False}}}})
    with Opening(week.logs, judging=off) as unjudged:
        assert "● normal" not in unjudged.shown("/requests", **slow).text


@pytest.mark.parametrize(
    ("sort", "title"), [("requests", "requests ▾"), ("p95", "p95 ▾"), ("p99", "p99 ▾"), ("errors", "failed ▾")]
)
def test_a_column_s_head_sorts_by_it(week: Week, pages: Opening, sort: str, title: str) -> None:
    """The link of a head shows the largest of it first, and says that it is sorted so."""
    period = Period(OUTAGE[0] * NANO, OUTAGE[1] * NANO)
    plain = pages.shown("/requests", **times(period))
    name = title.removesuffix(" ▾")
    shown = pages.shown(plain.links[name] if name in plain.links else plain.links[title])
    assert title in shown.tables[0][0]
    values = [SORTED[sort](within(week, period, row[0].removeprefix("GET "))) for row in shown.tables[0][1:]]
    assert values == sorted(values, reverse=True)


def test_routes_are_found_by_a_part_of_their_name(pages: Opening) -> None:
    """Large or small; where none has it the page says what to do."""
    shown = pages.shown("/requests", last="24h", route="AUTH")
    assert column(shown, "route") == ["GET /api/auth/login"]
    assert (shown.fields["route"], shown.fields["last"]) == ("AUTH", "24h")
    nothing = pages.shown("/requests", last="24h", route="nowhere")
    assert nothing.tables == []
    assert "No request in this time of such a route. Choose another time above" in nothing.text


def test_the_page_of_a_route_tells_of_it_alone(week: Week, pages: Opening) -> None:
    """Its requests with their times, statuses, users and traces, the slowest first."""
    period = Period((END - 3 * 3600) * NANO, END * NANO)
    found = sorted(within(week, period, LOGIN["route"]), key=lambda one: -one.seconds)
    listed = pages.shown("/requests", **times(period))
    shown = pages.shown(listed.links["GET /api/auth/login"])
    assert f"GET /api/auth/login {SERVICE}" in shown.text
    assert f"{len(found)} requests, {failed(found)} failed." in shown.text
    rows = [[format_value(one.seconds, "s"), one.user, f"{one.trace_id[:8]}…"] for one in found[:100]]
    assert [[row[1], row[3], row[5]] for row in shown.tables[0][1:]] == rows
    assert shown.links[f"{found[0].trace_id[:8]}…"].startswith(f"/traces/{found[0].trace_id}?from=")
    counted = sum(count for _, _, count in shown.charts["route-map"]["cells"])
    per_second = shown.charts["route-rate"]["series"]
    parts = [*shown.charts["route-rate"]["times"], END * 1000]
    lengths = [(end - start) / 1000 for start, end in pairwise(parts)]
    told = sum(sum(one["values"][part] for one in per_second) * length for part, length in enumerate(lengths))
    assert (counted, round(told, 6)) == (len(found), len(found))


def test_requests_of_a_route_are_ordered_and_chosen_by_status(week: Week, pages: Opening) -> None:
    """In the outage: the newest first, and those with an answer of one kind only."""
    period = Period((OUTAGE[0] - 7200) * NANO, OUTAGE[1] * NANO)
    found = within(week, period, LOGIN["route"])
    newest = pages.shown("/requests/route", **times(period), **LOGIN, order="newest")
    assert [row[5][:8] for row in newest.tables[0][1:]] == [one.trace_id[:8] for one in reversed(found)][:100]
    broken = pages.shown("/requests/route", **times(period), **LOGIN, status="5xx")
    assert [row[2] for row in broken.tables[0][1:]] == [
        f"■ {one.status}" for one in sorted(found, key=lambda one: -one.seconds) if one.status >= 500
    ]
    assert (broken.fields["status"], broken.fields["route"], broken.fields["order"]) == (
        "5xx",
        "/api/auth/login",
        "slowest",
    )
    first = pages.shown("/requests/route", **times(period), **LOGIN, order="failed").tables[0][1]
    assert first[2] == "■ 503"
    assert "No such request" in pages.shown("/requests/route", **times(period), **LOGIN, status="3xx").text


def test_a_cell_of_the_map_leads_to_its_traces(week: Week, pages: Opening) -> None:
    """What the chart puts into the address finds the traces of that time, length and route, and of no longer route."""
    route = "/api/v1/work-orders/"
    period = Period((END - 3 * 3600) * NANO, END * NANO)
    chart = pages.shown("/requests/route", **times(period), **{**LOGIN, "route": route}).charts["route-map"]
    starts = [time * 1_000_000 for time in [*chart["times"], END * 1000]]
    assert len(chart["cells"]) > 20
    for place, row, count in chart["cells"][:12]:
        part, (low, high) = Period(*starts[place : place + 2]), chart["bounds"][row : row + 2]
        assert count == sum(low <= one.seconds < high for one in within(week, part, route))
        opens = chart["opens"].replace("{from}", instant(part.start_unix_nano))
        opens = (
            opens.replace("{to}", instant(part.end_unix_nano)).replace("{low}", str(low)).replace("{high}", str(high))
        )
        found = [link[8:40] for link in pages.shown(opens).every_link if link.startswith("/traces/")]
        assert sorted(found) == sorted(traces_of(week, part, low, high, route))


def traces_of(week: Week, part: Period, low: float, high: float, route: str) -> list[str]:
    """Of such a route, begun in that time, whose longest span took so long."""
    queries = {one.trace_id: one for one in week.queries}
    found = []
    for one in week.requests:
        query = queries.get(one.trace_id)
        spans: list[Request | Query] = [one, *([query] if query else [])]
        begun = min(round(span.at * 1e6) * 1000 - round(span.seconds * 1e9) for span in spans)
        if one.route == route and part.holds(begun) and low <= max(span.seconds for span in spans) < high:
            found.append(one.trace_id)
    return found


def test_a_route_s_braces_are_no_places_of_the_chart(tmp_path: Path) -> None:
    """A route /moves/{from}/{to} stays itself in the address of a cell."""
    told = {"method": "GET", "route": "/moves/{from}/{to}", "status_code": 200, "response_time": 0.1}
    with Opening(store(tmp_path, "performance", told), HOUR + 60 * NANO) as pages:
        listed = pages.shown("/requests")
        shown = pages.shown(listed.links["GET /moves/{from}/{to}"])
    assert shown.charts["route-map"]["opens"] == (
        "/traces?from={from}&to={to}&least={low}&most={high}&order=slowest&service=app"
        "&attributes=http.route%3D%2Fmoves%2F%7Bfrom%7D%2F%7Bto%7D"
    )


def test_requests_without_a_route_have_a_page_of_their_own(tmp_path: Path) -> None:
    """What matched no route is not mixed up with what did, there or in its form."""
    known = {"method": "GET", "route": "/known", "status_code": 200, "response_time": 0.1, "trace_id": "1" * 32}
    unknown = {"method": "GET", "route": "", "status_code": 404, "response_time": 0.2, "trace_id": "2" * 32}
    with Opening(store(tmp_path, "performance", known, unknown, unknown), HOUR + 60 * NANO) as pages:
        shown = pages.shown(pages.shown("/requests").links["GET (no route)"])
    assert "GET (no route) app 2 requests, 0 failed." in shown.text
    assert [row[2] for row in shown.tables[0][1:]] == ["▲ 404", "▲ 404"]
    assert shown.fields["route"] == ""


def test_of_a_long_time_single_requests_are_not_listed(pages: Opening) -> None:
    """A week is told by its sums, with a sentence on how to see each."""
    shown = pages.shown("/requests/route", last="7days", **LOGIN)
    assert "Choose at most 24 hours above: every request of the time is read." in shown.text
    assert shown.tables == []


def test_a_week_is_told_from_its_sums(week: Week, pages: Opening) -> None:
    """Each request counts once."""
    shown = pages.shown("/requests", last="7days")
    assert f"Requests {len(week.requests):,}" in shown.text
    counts = {route: sum(one.route == route for one in week.requests) for route in ROUTES}
    assert {row[0]: row[1] for row in shown.tables[0][1:]} == {
        f"GET {route}": f"{count:,}" for route, count in counts.items()
    }


@pytest.mark.parametrize(
    "address", ["/requests?sort=x&route=%00%3Cb%3E", "/requests/route?order=x&status=9xx&route=%00"]
)
def test_what_no_page_can_ask_for_falls_back(pages: Opening, address: str) -> None:
    """An order that there is not is the first one, a route that there is not has no requests."""
    shown = pages.shown(f"{address}&last=1h")
    assert "No request in this time" in shown.text or "No such request in this time." in shown.text
