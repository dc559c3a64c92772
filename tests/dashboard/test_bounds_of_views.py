"""Addresses that ask for too much, and records at the edge of what a page can show."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from analysis.period import DAY_NANO, NANO
from dashboard.view import ViewError, instant, view_of
from processors.histogram import RELATIVE_ERROR, of_values
from processors.rollups import Subject, Summary
from tests.dashboard.opening import Opening
from tests.support.stored import HOUR, store

NOW = HOUR + 1800 * NANO


def test_a_time_of_more_than_366_days_is_refused() -> None:
    """However it is asked for; a leap year is not."""
    start = NOW - 400 * DAY_NANO
    ends = [start + days * DAY_NANO for days in (366, 367)]
    year, more = ({"from": instant(start), "to": instant(end)} for end in ends)
    assert view_of(year, NOW).period.seconds == 366 * 86_400
    with pytest.raises(ViewError, match="at most 366 days apart"):
        view_of(more, NOW)
    with pytest.raises(ViewError, match="expected 5s to 366days"):
        view_of({"last": "367days"}, NOW)


@pytest.mark.parametrize("last", ["5s", "5min", "59min", "1h", "25h", "7days", "59days", "366days"])
def test_parts_are_few_and_leave_out_nothing(last: str) -> None:
    """At most sixty, each beginning where the one before has ended."""
    view = view_of({"last": last}, NOW + 6_234_567_890)
    parts = view.parts()
    assert len(parts) <= 60
    assert (parts[0].start_unix_nano, parts[-1].end_unix_nano) == (
        view.period.start_unix_nano,
        view.period.end_unix_nano,
    )
    assert all(one.end_unix_nano == other.start_unix_nano for one, other in pairwise(parts))


def test_traces_that_took_no_time_are_found(tmp_path: Path) -> None:
    """A clock that is too coarse gives spans of nothing, and bars that are as long as nothing."""
    ids = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "1" * 16, "parent_span_id": ""}
    times = {"end_time_unix_nano": HOUR, "duration_ms": 0.0}
    kinds = {"name": "GET /", "kind": "SERVER", "status": "UNSET", "attributes": {}}
    store(tmp_path, "traces", {**ids, **times, **kinds})
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/traces")
    assert "GET /" in shown.text
    assert "0 s" in shown.text


def test_a_route_whose_name_fits_no_address_has_no_page_of_its_own(tmp_path: Path) -> None:
    """It is counted and shown, cut, without a link that nothing would be found by."""
    told: dict[str, Any] = {"method": "GET", "status_code": 200, "response_time": 0.1}
    store(tmp_path, "performance", *({**told, "route": "/" + "x" * length} for length in (999, 1000)))
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/requests")
    assert len(shown.tables[0][1:]) == 2
    assert sum(link.startswith("/requests/route") for link in shown.every_link) == 1


def test_of_a_time_before_all_records_there_is_no_report(tmp_path: Path) -> None:
    """A week that began before 1970 is none."""
    with Opening(tmp_path, NOW) as pages:
        answer = pages.get("/reports?to=1970-01-03T00:00:00Z")
    assert "there is no such time to report on: choose one that ends later" in answer.text


def test_query_times_are_those_of_all_statements_together(tmp_path: Path) -> None:
    """Whichever statement they belong to: one of 1 s and three of 3 s have their middle at 3 s."""
    labels = ("service.name", "db.system.name", "db.query.summary")
    found = []
    for summary, seconds in (("SELECT a", [1.0]), ("SELECT b", [3.0] * 3)):
        subject = Subject("db.query.response_time", labels, ("app", "sqlite", summary))
        told = Summary(subject, "1min", HOUR, 0, of_values(seconds)).fields()
        found.append({"time_unix_nano": HOUR, "service": "forecourt", **told})
    store(tmp_path, "rollups", *found)
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/database")
    (middle,) = [line for chart in shown.charts.values() for line in chart["series"] if line["name"] == "p50"]
    assert [value for value in middle["values"] if value is not None] == [pytest.approx(3.0, rel=RELATIVE_ERROR)]
