"""Answers of a few rows: which ones, of whom, and whether there are more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alerting.alert import alert_id
from tests.dashboard.api.asking import Client, site_of
from tests.dashboard.standing import tell
from tests.support.incident import Incident
from tests.support.stored import HOUR, store

NOW = HOUR / 1e9 + 1800


def client(folder: Path) -> Client:
    return Client(site_of(folder, now=NOW))


@pytest.mark.parametrize(("limit", "pages"), [(2, [["e", "d"], ["c", "b"], ["a"]]), (4, [["e", "d", "c", "b"], ["a"]])])
def test_the_last_page_of_log_records_says_that_it_is_the_last(
    tmp_path: Path, limit: int, pages: list[list[str]]
) -> None:
    """`next` leads from page to page, each record once, and is null when nothing is left."""
    told = {"severity": "INFO", "severity_number": 9, "trace_id": "", "attributes": {}, "scope": {}}
    store(tmp_path, "logs", *({**told, "body": body} for body in "abcde"))
    asking, found, before = client(tmp_path), [], ""
    while before is not None:
        page: dict[str, Any] = asking.asked("/logs", limit=limit, before=before)
        found.append([one["body"] for one in page["records"]])
        before = page["next"]
    assert found == pages


def test_of_a_long_story_the_end_is_told(tmp_path: Path) -> None:
    """Oldest first, and how much was before."""
    tell(tmp_path, Incident().fire("down").until(100).end("down").until(300))
    asking, number = client(tmp_path), alert_id("down", (("service.name", "app"),))
    whole = asking.asked(f"/alerts/{number}/story")["story"]
    end = asking.asked(f"/alerts/{number}/story", limit=2)
    assert (end["story"], end["earlier"]) == (whole[-2:], len(whole) - 2)


def test_errors_of_one_service_are_counted_alone(tmp_path: Path) -> None:
    """And listed, as many as are asked for; what is left out is counted too."""
    kinds = {"message": "no pump", "trace_id": "", "route": "/"}
    mine = [{**kinds, "service": "shop", "error_type": kind} for kind in ("KeyError", "KeyError", "ValueError")]
    store(tmp_path, "errors", *mine, {**kinds, "service": "app", "error_type": "OSError"})
    told = client(tmp_path).asked("/errors", service="shop", limit=1)
    assert (told["errors"], [one["error_type"] for one in told["groups"]], told["left_out"]) == (3, ["KeyError"], 1)


def test_requests_are_judged_by_their_worst_and_only_if_there_are_enough(tmp_path: Path) -> None:
    """A p99 in a band puts the route into it; of a day ago nothing is known."""
    times = [0.1] * 39 + [20.0]
    told = {"method": "GET", "route": "/", "status_code": 200}
    store(tmp_path, "performance", *({**told, "response_time": seconds} for seconds in times))
    asking = client(tmp_path)
    told_now = asking.asked("/requests")
    (route,) = told_now["routes"]
    assert (route["bands"]["p95"], route["bands"]["p99"], route["band"]) == ("normal", "warning", "warning")
    assert (route["day_before"], told_now["all"]["day_before"]) == (None, None)
    (few,) = asking.asked("/requests", minimum=41)["routes"]
    assert (few["band"], few["requests"]) == ("no data", 40)
