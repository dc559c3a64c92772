"""One look at the overview answers whether it is well, now and at any time before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alerting.alert import alert_id
from alerting.history import fired
from dashboard.rendering import NONE
from processors.judging_settings import JudgingSettings
from storage.names import OWN_FOLDER
from storage.state import State
from tests.dashboard.opening import WEEK_END, Opening, Shown
from tests.dashboard.standing import judged, measure, publish, tell
from tests.support.incident import Incident, nano
from tests.support.stored import HOUR, store
from tests.support.week import END, OUTAGE, START, Week, iso

NANO = 1_000_000_000
NOW = HOUR + 1800 * NANO
"""Half an hour into the segment of tests/support/stored.py, and half an hour after an incident begins."""
WELL = {"http.server.p95": 0.2, "http.server.error_rate": 0.001, "host.cpu": 0.3}


def look(target: str, state: str = "up", minutes_ago: float = 1, **given: Any) -> dict[str, Any]:
    """What a probe has found."""
    at = NOW - int(minutes_ago * 60 * NANO)
    told = {"target": target, "kind": "http", "state": state, "latency_ms": 12.5, "detail": f"status of {target}"}
    return {"time_unix_nano": at, "received_unix_nano": at, "service": "forecourt", **told, **given}


def well(folder: Path, *others: Any) -> None:
    """A sidecar that has judged just now, and probes that were answered."""
    publish(folder, NOW, *(judged(rule, value) for rule, value in WELL.items()), *others)
    looks = [look(target, minutes_ago=minutes) for minutes in (10, 1) for target in ("backend", "database", "ldap")]
    store(folder, "health", *looks)


def overview(folder: Path, **query: object) -> Shown:
    with Opening(folder, NOW) as pages:
        return pages.shown("/overview", **query)


def verdict(shown: Shown) -> tuple[str, str]:
    """The words, and the band that colours them."""
    card = shown.html.split('<section class="verdict card ')[1]
    band = card.partition('"')[0]
    return card.split("</span> ")[1].partition("</p>")[0], band


def tile(shown: Shown, title: str) -> str:
    return next(text for text in shown.links if text.startswith(f"{title} "))


def test_all_is_well(tmp_path: Path) -> None:
    """Said in so many words, with what answered when, and each value in its band."""
    well(tmp_path)
    shown = overview(tmp_path)
    assert verdict(shown) == ("All is well", "normal")
    assert "● backend up 12.5 ms ● database up 12.5 ms ● ldap up 12.5 ms" in shown.text
    assert tile(shown, "Response time p95") == "Response time p95 200 ms ● normal warning > 3s"
    assert tile(shown, "CPU") == "CPU 30 % ● normal warning > 70%"
    assert tile(shown, "Memory") == f"Memory {NONE} ○ no data warning > 80% nothing measured"
    assert "Firing" not in shown.text
    assert shown.links[tile(shown, "CPU")] == "/rules/host.cpu"


@pytest.mark.parametrize(
    ("found", "words", "band"),
    [
        ({"backend": "down"}, "backend is down", "critical"),
        ({"backend": "down", "database": "corrupt"}, "backend, database are down", "critical"),
        ({"ldap": "down"}, "Something is not as it should be", "warning"),
        ({"database": "locked"}, "Something is not as it should be", "warning"),
    ],
)
def test_what_does_not_answer_is_named(tmp_path: Path, found: dict[str, str], words: str, band: str) -> None:
    """Without the backend or the database nothing works; anything else is a warning."""
    well(tmp_path)
    states = {"backend": "up", "database": "up", "ldap": "up", **found}
    store(tmp_path, "health", *(look(target, state) for target, state in states.items()))
    assert verdict(overview(tmp_path)) == (words, band)


def test_since_when_it_is_down(tmp_path: Path) -> None:
    """The first look that found it so, not the last."""
    well(tmp_path)
    store(tmp_path, "health", *(look("backend", "up" if ago > 5 else "down", ago) for ago in range(9, 0, -1)))
    assert "■ backend down since 12:25:00" in overview(tmp_path).text


@pytest.mark.parametrize("state", ["up", "down"])
def test_a_look_that_is_long_ago_tells_nothing(tmp_path: Path, state: str) -> None:
    """After a quarter of an hour nobody knows whether the backend answers, and all is well only if somebody knows."""
    publish(tmp_path, NOW, judged("host.cpu", 0.3))
    store(tmp_path, "health", look("backend", state, 16), look("ldap", minutes_ago=1))
    shown = overview(tmp_path)
    assert verdict(shown) == ("Nobody knows whether backend is up", "no-data")
    assert "○ backend unknown since 12:14:00 ● ldap up 12.5 ms" in shown.text


def test_what_others_can_do_without_may_be_looked_at_no_more(tmp_path: Path) -> None:
    """It is told as unknown, and spoils nothing: somebody may have taken it out of the configuration."""
    publish(tmp_path, NOW, judged("host.cpu", 0.3))
    store(tmp_path, "health", look("ldap", "down", 16), look("odd", "", 1))
    shown = overview(tmp_path)
    assert verdict(shown) == ("All is well", "normal")
    assert "○ ldap unknown since 12:14:00 ○ odd since 12:29:00" in shown.text


def test_only_what_is_unknown_is_not_well(tmp_path: Path) -> None:
    """A sidecar that has measured nothing yet, and a look that is long ago."""
    publish(tmp_path, NOW)
    store(tmp_path, "health", look("ldap", minutes_ago=16))
    assert verdict(overview(tmp_path)) == ("Nothing has been measured yet", "no-data")


@pytest.mark.parametrize(
    ("severity", "words", "band"),
    [
        ("critical", "Something needs you now", "critical"),
        ("high", "Something needs you now", "critical"),
        ("medium", "Something is not as it should be", "warning"),
        ("low", "Something is not as it should be", "warning"),
    ],
)
def test_an_alert_that_fires(tmp_path: Path, severity: str, words: str, band: str) -> None:
    """It stands at the top, with a link to it; one that is pending does not."""
    well(tmp_path)
    tell(tmp_path, Incident().fire("down", severity).pend("slow", "critical").until(20))
    shown = overview(tmp_path, zone="Europe/Berlin")
    assert verdict(shown) == (words, band)
    assert f"Firing {severity} down {{service.name=app}} down is bad since 13:00:10" in shown.text
    link = f"/alerts/{alert_id('down', (('service.name', 'app'),))}?zone=Europe%2FBerlin"
    assert shown.links["down {service.name=app}"] == link
    assert "slow {" not in shown.text


def test_of_many_alerts_the_worst_are_shown(tmp_path: Path) -> None:
    """And how many there are besides."""
    well(tmp_path)
    incident = Incident()
    for number in range(11):
        incident.fire(f"rule{number}", "low")
    tell(tmp_path, incident.fire("down", "critical").until(20))
    shown = overview(tmp_path)
    assert shown.text.index("critical down") < shown.text.index("low rule0")
    assert shown.links["and 4 more"] == "/alerts"


@pytest.mark.parametrize(
    ("value", "level", "words", "band"),
    [
        (4.0, "warning", "Something is not as it should be", "warning"),
        (12.0, "critical", "Something needs you now", "critical"),
    ],
)
def test_a_tile_in_a_band(tmp_path: Path, value: float, level: str, words: str, band: str) -> None:
    """It colours the verdict, and says its bound, though no alert fires yet."""
    well(tmp_path, judged("http.server.p99", value + 5, level))
    shown = overview(tmp_path)
    mark, bound = {"warning": ("▲", "warning > 7s"), "critical": ("■", "critical > 15s")}[level]
    assert verdict(shown) == (words, band)
    assert tile(shown, "Response time p99") == f"Response time p99 {value + 5:g} s {mark} {level} {bound}"


def test_a_tile_shows_its_worst_key_and_the_last_hour(tmp_path: Path) -> None:
    """With a small chart of what the collector has kept."""
    disks = [judged("host.disk", 0.5, of="/"), judged("host.disk", 0.85, "warning", of='/d"<b>')]
    well(tmp_path, *disks)
    at = (
        judged("host.disk", value, of='/d"<b>', time_unix_nano=NOW - ago * 60 * NANO)
        for ago, value in ((30, 0.5), (0, 0.85))
    )
    measure(tmp_path, at)
    shown = overview(tmp_path)
    assert tile(shown, "Disk") == 'Disk 85 % ▲ warning warning > 80% /d"<b> and 1 more'
    assert "<b>" not in shown.html
    assert shown.elements["path"] == 1


def test_without_a_sidecar_nobody_judges(tmp_path: Path) -> None:
    """What the records tell is shown, and how to start one."""
    well(tmp_path)
    publish(tmp_path, NOW, judged("http.server.p95", 99, "critical"), stopped_unix_nano=NOW - NANO)
    shown = overview(tmp_path)
    assert verdict(shown) == ("Nobody is judging: this is what the records tell", "no-data")
    assert "the sidecar is not running. Start it with: forecourt collector" in shown.text
    assert tile(shown, "Response time p95") == f"Response time p95 {NONE} ○ no data warning > 3s nothing measured"


def test_without_a_sidecar_nobody_looks(tmp_path: Path) -> None:
    """What answered when it was there is unknown since; what did not is told as it was."""
    publish(tmp_path, NOW, stopped_unix_nano=NOW - NANO)
    store(tmp_path, "health", look("backend"), look("database", "locked"), look("ldap", "down"))
    shown = overview(tmp_path)
    states = "○ backend unknown since 12:29:00 ▲ database locked since 12:29:00 ▲ ldap down since 12:29:00"
    assert states in shown.text


@pytest.mark.parametrize("seconds", [-3600, -41, 41])
def test_values_of_another_time_are_not_of_now(tmp_path: Path, seconds: int) -> None:
    """Be they old, or of a time to come, as after the clock was set back."""
    well(tmp_path)
    publish(tmp_path, NOW - seconds * NANO, judged("http.server.p95", 0.2))
    assert verdict(overview(tmp_path)) == ("Nobody is judging: this is what the records tell", "no-data")


@pytest.mark.parametrize("damage", ["no database", "another version", "a damaged page"])
def test_without_a_state_database_the_records_tell(tmp_path: Path, damage: str) -> None:
    """One that is damaged, or of another version, is said to be so, and the rest of the page stands."""
    well(tmp_path, *(judged("host.disk", 0.1, of=f"/{number}") for number in range(500)))
    spoil(tmp_path / OWN_FOLDER / "state.db", damage)
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/overview")
        assert "be shown</h2>" not in pages.shown("/requests").html
        assert pages.get("/api/v1/status").status_code == 503
    assert verdict(shown) == ("Nobody is judging: this is what the records tell", "no-data")
    assert "state.db: " in shown.text
    assert "○ backend unknown" in shown.text


def spoil(path: Path, damage: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if damage == "another version":
            connection.execute("PRAGMA user_version = 1")
    if damage != "another version":
        kept = path.read_bytes()[: 8192 if damage == "a damaged page" else 0]
        path.write_bytes(kept + b"x" * (path.stat().st_size - len(kept)))


def test_a_sidecar_that_has_fallen_silent_is_not_believed(tmp_path: Path) -> None:
    """Its last values are too old to be how it is now."""
    well(tmp_path)
    publish(tmp_path, NOW - 120 * NANO, judged("http.server.p95", 99, "critical"))
    shown = overview(tmp_path)
    assert verdict(shown) == ("Nobody is judging: this is what the records tell", "no-data")
    assert "its last values are 120 s old" in shown.text


def test_nothing_was_measured_yet(tmp_path: Path) -> None:
    """A sidecar that has just begun; what to do next is said."""
    publish(tmp_path, NOW)
    shown = overview(tmp_path)
    assert verdict(shown) == ("Nothing has been measured yet", "no-data")
    assert (
        "No request was recorded in this time. Send the telemetry of an app: forecourt run your_app:app" in shown.text
    )
    assert "No service has changed its version in 30 days." in shown.text


def test_an_empty_folder_is_a_page_all_the_same(tmp_path: Path) -> None:
    """Before anything was ever recorded."""
    shown = overview(tmp_path)
    assert verdict(shown) == ("Nobody is judging: this is what the records tell", "no-data")
    assert f"no sidecar has run on {tmp_path}. Start one with: forecourt collector" in shown.text


def test_a_view_of_the_past_shows_what_fired_then(tmp_path: Path) -> None:
    """Not what fires now; how it ended is one click away."""
    well(tmp_path)
    incident = Incident().fire("down", "critical").until(100).end("down").until(800).fire("slow").until(900)
    tell(tmp_path, incident)
    shown = overview(tmp_path, from_="2026-11-23T12:00:00Z", to="2026-11-23T12:10:00Z")
    assert "Alerts of this time critical down {service.name=app} down is bad since 12:00:10" in shown.text
    assert "slow {service.name=app}" not in shown.text
    assert "Firing" not in shown.text
    quiet = overview(tmp_path, from_="2026-11-23T12:05:00Z", to="2026-11-23T12:10:00Z")
    assert "down {service.name=app}" not in quiet.text
    assert verdict(quiet) == ("This is what the records tell of that time", "no-data")


def test_an_alert_that_began_before_the_view_belongs_to_it(tmp_path: Path) -> None:
    """As long as it had not ended when the view begins."""
    well(tmp_path)
    tell(tmp_path, Incident().fire("down", "critical").until(900))
    shown = overview(tmp_path, from_="2026-11-23T12:05:00Z", to="2026-11-23T12:10:00Z")
    assert "Alerts of this time critical down {service.name=app}" in shown.text


def test_an_alert_that_fires_for_weeks_belongs_to_each_of_them(tmp_path: Path) -> None:
    """And one that ended long ago does not."""
    tell(tmp_path, Incident().fire("down", "critical").fire("slow").until(100).end("slow").until(900))
    later = HOUR + 40 * 86_400 * NANO
    with closing(State.reading(tmp_path / OWN_FOLDER / "state.db")) as state:
        found = fired(state, later, later + 3600 * NANO, later + 7200 * NANO)
    assert [(one.rule, one.severity, one.ended_at) for one in found] == [("down", "critical", 0)]


def test_deployments_stand_in_their_table_and_in_the_charts(tmp_path: Path) -> None:
    """Newest first, with what ran before; each opens the half hours around it."""
    well(tmp_path)
    starts = [("2.0", "service.started", 5), ("2.1<b>", "service.started", 10), ("2.1<b>", "service.started", 12)]
    told = [
        {
            "time_unix_nano": HOUR + minutes * 60 * NANO,
            "event": event,
            "service": "shop",
            "attributes": {"service.version": version},
        }
        for version, event, minutes in starts
    ]
    store(tmp_path, "system", *told)
    shown = overview(tmp_path)
    assert shown.tables == [[["when", "service", "version", "before"], ["12:10:00", "shop", "2.1<b>", "2.0"]]]
    assert shown.links["12:10:00"] == "/overview?from=2026-11-23T11%3A40%3A00.000Z&to=2026-11-23T12%3A40%3A00.000Z"
    mark = {"time": (HOUR + 600 * NANO) // 1_000_000, "text": "shop 2.1<b>"}
    assert shown.charts["requests-chart"]["marks"] == [mark]
    assert shown.charts["latency-chart"]["marks"] == [mark]


def test_requests_of_the_recorded_week(week: Week) -> None:
    """As many as there were, failed ones apart, and a click opens those of a part."""
    with Opening(week.logs) as pages:
        shown = pages.shown("/overview", last="7days")
    chart = shown.charts["requests-chart"]
    spans = [later - earlier for earlier, later in zip(chart["times"], [*chart["times"][1:], END * 1000], strict=True)]
    answered, failed = (
        sum(value * span / 1000 for value, span in zip(line["values"], spans, strict=True)) for line in chart["series"]
    )
    failures = sum(one.status >= 500 for one in week.requests)
    assert (round(answered), round(failed)) == (len(week.requests) - failures, failures)
    assert [line["name"] for line in chart["series"]] == ["answered", "failed"]
    assert chart["opens"] == "/requests?from={from}&to={to}"
    assert [line["name"] for line in shown.charts["host-chart"]["series"]] == ["disk /"]
    assert [band["label"] for band in shown.charts["latency-chart"]["bands"]] == ["warning > 3s", "critical > 10s"]
    assert verdict(shown)[0] == "Nobody is judging: this is what the records tell"
    assert "○ backend unknown since" in shown.text


def test_tiles_of_the_past_come_from_the_rollups(week: Week) -> None:
    """In the outage the backend was down, and the disk as full as it was then."""
    often = JudgingSettings.model_validate({"thresholds": {"rules": {"host.disk": {"minimum_count": 1}}}})
    with Opening(week.logs, WEEK_END, judging=often) as pages:
        shown = pages.shown("/overview", from_=iso(OUTAGE[0]), to=iso(OUTAGE[1]))
    assert verdict(shown) == ("backend was down", "critical")
    disk = 0.6 + 0.02 * (OUTAGE[1] - START) / 86_400
    assert tile(shown, "Disk").startswith(f"Disk {disk * 100:.3g} % ● normal warning > 80% host, /")
    assert tile(shown, "Form automation").startswith(f"Form automation {NONE} ○ no data")


def test_the_whole_page_has_its_title_and_menu(tmp_path: Path) -> None:
    """And moves by itself every ten seconds, unless it shows a time that is over."""
    well(tmp_path)
    tell(tmp_path, Incident().fire("down").until(20))
    assert nano(0) == HOUR
    with Opening(tmp_path, NOW) as pages:
        now = pages.whole("/overview")
        past = pages.whole("/overview", from_=iso(START), to=iso(END))
    assert (now.status_code, past.status_code) == (200, 200)
    assert "<title>Overview · Forecourt</title>" in now.text
    assert 'href="/overview" data-key="o" aria-current="page"' in now.text
    assert 'data-live="10.0"' in now.text
    assert "data-live" not in past.text.partition("<main")[2].partition(">")[0]
