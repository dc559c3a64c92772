"""Where no sidecar judges, nothing that does not fire is taken for quiet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from analysis.period import DAY_NANO
from dashboard.page import Asked, Content
from dashboard.pages import alerts, security
from dashboard.records import Records
from dashboard.view import view_of
from processors.judging_settings import JudgingSettings
from tests.dashboard.opening import Opening
from tests.dashboard.standing import judged, publish, tell
from tests.support.incident import Incident
from tests.support.stored import HOUR

NANO = 1_000_000_000
NOW = HOUR + 1800 * NANO


def content(of: Content, pages: Opening, **query: str) -> dict[str, Any]:
    """What a page is given to show."""
    site = pages.site

    async def found() -> dict[str, Any]:
        records = Records(site.folder, None, site.own_folder, site.settings.memory_limit)
        view = view_of(query, NOW, last="24h")
        return await of(Asked(site, records, view, query, {}, "", may_operate=False))

    return asyncio.run(found())


@pytest.mark.parametrize(("seconds_ago", "running"), [(0, True), (120, False)])
def test_whether_a_sidecar_judges_now(tmp_path: Path, seconds_ago: int, *, running: bool) -> None:
    """Its process may live and hang: what the API and the page say follows what it has judged, not its process."""
    publish(tmp_path, NOW - seconds_ago * NANO, judged("host.cpu", 0.3))
    with Opening(tmp_path, NOW) as pages:
        assert pages.get("/api/v1/alerts").json()["running"] is running
        problem = content(alerts.listed, pages)["problem"]
    assert problem == ("" if running else "the sidecar is not running, or far behind: its last values are 120 s old")


def test_nobody_attacks_only_where_somebody_looks(tmp_path: Path) -> None:
    """Not without a sidecar, not where the rules of security are off, and not of a time that is over."""
    publish(tmp_path, NOW, judged("host.cpu", 0.3))
    past = {"from": "2026-11-23T12:00:00Z", "to": "2026-11-23T12:10:00Z"}
    off = JudgingSettings.model_validate({"security": {"enabled": False}})
    with Opening(tmp_path, NOW) as pages:
        assert [content(security.content, pages, **query)["now"] for query in ({}, past)] == ["normal", "no data"]
    with Opening(tmp_path, NOW, judging=off) as pages:
        assert content(security.content, pages)["now"] == "no data"
    publish(tmp_path, NOW, stopped_unix_nano=NOW - NANO)
    with Opening(tmp_path, NOW) as pages:
        found = content(security.content, pages)
    assert found["firing"] == []
    problem = "the sidecar is not running. Start it with: forecourt collector"
    assert (found["now"], found["problem"]) == ("no data", problem)


def test_an_attack_that_lasts_for_weeks_goes_on(tmp_path: Path) -> None:
    """Though its beginning is further back than the history that is read."""
    rule = "auth.failed_logins"
    incident = Incident()
    incident.fire(rule, "high").until(20)
    tell(tmp_path, incident)
    now = NOW + 9 * DAY_NANO
    publish(tmp_path, now, judged("host.cpu", 0.3))
    with Opening(tmp_path, now) as pages:
        shown = pages.shown("/security")
    assert "Attacks now 1 ■ firing" in shown.text
    assert f"{rule} is bad since 2026-11-23 12:00:10" in shown.text
