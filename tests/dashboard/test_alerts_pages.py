"""Alerts as they stand, when what fired, why, and who was told."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alerting import records
from alerting.alert import alert_id
from alerting.settings import AlertingSettings
from alerting.silence import Silence
from dashboard import shown as shown_module
from processors.matchers import parse_matchers
from tests.dashboard.opening import Opening
from tests.dashboard.standing import measure, state_of, tell
from tests.support.incident import CONFIGURED, Incident, nano
from tests.support.notifications import answering
from tests.support.notifying import Notifying, evaluation, settings_of, wait

RECEIVERS: Any = CONFIGURED["receivers"]
NO_ROUTES = AlertingSettings(routes={})
NOW = nano(1800)
NANO = 1_000_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HOSTILE = "\"'><script>alert(1)</script>&\x00\x1b[2J\u202e\r\n" + "x" * 100_000
SHOWN = "\"'><script>alert(1)</script>& [2J"
"""What is left of it on a line, at the beginning."""


def named(rule: str, of: str = "app") -> str:
    return alert_id(rule, (("service.name", of),))


def story() -> Incident:
    """Two fire, the first acknowledged; one is pending; one has come and gone three times."""
    incident = Incident().fire("down", "critical").pend("errors", "medium").until(60)
    incident.dispatcher.acknowledge(named("down"), "anna", "on it", nano(60))
    for start in (100, 400, 700):
        incident.until(start).fire("disk", "medium").until(start + 100).end("disk").until(start + 200)
    return incident.until(1000).fire("slow", "high").until(1200)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tell(tmp_path, story())
    return tmp_path


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole page waits for its content, and has its status."""
    monkeypatch.setattr(shown_module, "_AT_ONCE_SECONDS", 20.0)


def silence(folder: Path, name: str, *matchers: str, kind: Any = "silence", start: float = 0, end: int = 7200) -> None:
    with closing(state_of(folder)) as state:
        records.save_silence(state, Silence(name, kind, matchers, "anna", "<i>works</i>", nano(start), nano(end)))


def test_what_fires_and_what_may_soon(folder: Path) -> None:
    """The worst first, with its value, since when, and who knows."""
    with Opening(folder, NOW) as pages:
        shown = pages.shown("/alerts")
    firing, pending = shown.tables[:2]
    assert firing == [
        ["severity", "alert", "value", "since", "told", "acknowledge"],
        ["critical", "down {service.name=app} down is bad", "20 %", "12:00:10 29 min 50 s", "acknowledged by anna", ""],
        ["high", "slow {service.name=app} slow is bad", "20 %", "12:16:50 13 min 10 s", "mail", "Acknowledge"],
    ]
    assert [row[:2] for row in pending[1:]] == [["medium", "errors {service.name=app} errors is bad"]]
    assert "Firing: 2" in shown.text
    assert "Pending: 1 in a band, not yet for long enough" in shown.text
    assert shown.links["down {service.name=app}"] == f"/alerts/{named('down')}"


def test_what_is_pending_anew_is_so_since_then(tmp_path: Path) -> None:
    """Not since it fired an hour before."""
    incident = Incident().fire("down", "critical").until(100).end("down").until(1000)
    tell(tmp_path, incident.pend("down", "critical").until(1200))
    with Opening(tmp_path, NOW) as pages:
        (pending, _) = pages.shown("/alerts").tables
        one = pages.shown(f"/alerts/{named('down')}")
    assert pending[1][3] == "12:16:50 13 min 10 s"
    assert "status pending, since 2026-11-23 12:16:50; ended 2026-11-23 12:01:50: the condition passed" in one.text


def test_the_history_has_every_episode(folder: Path) -> None:
    """The latest first, with how long each lasted; those that go on say so."""
    with Opening(folder, NOW) as pages:
        shown = pages.shown("/alerts")
    history = shown.tables[2]
    assert history[0] == ["began", "lasted", "severity", "alert", "value", "told"]
    assert [(row[0], row[1], row[2], row[3].partition(" ")[0]) for row in history[1:]] == [
        ("12:16:50", "13 min 10 s so far", "high", "slow"),
        ("12:11:50", "1 min 40 s", "medium", "disk"),
        ("12:06:50", "1 min 40 s", "medium", "disk"),
        ("12:01:50", "1 min 40 s", "medium", "disk"),
        ("12:00:10", "29 min 50 s so far", "critical", "down"),
    ]
    assert "History: 5" in shown.text
    assert history[-1][-1] == "1\N{MULTIPLICATION SIGN}, acknowledged by anna: on it"
    assert "disk {service.name=app}: 3 times, 1 min 40 s in the middle. mostly over within 5 min" in shown.text


def test_the_timeline_has_a_row_for_each_alert(folder: Path) -> None:
    """The worst at the top; each span from its beginning to its end, or to now, and leads to its alert."""
    with Opening(folder, NOW) as pages:
        chart = pages.shown("/alerts", last="1h").charts["alerts-timeline"]
    assert chart["rows"] == ["down {service.name=app}", "slow {service.name=app}", "disk {service.name=app}"]
    spans = [(one["row"], one["start"] - nano(0) // 10**6, one["end"] - nano(0) // 10**6) for one in chart["items"]]
    assert spans == [
        (0, 10_000, 1_800_000),
        (1, 1_010_000, 1_800_000),
        (2, 110_000, 210_000),
        (2, 410_000, 510_000),
        (2, 710_000, 810_000),
    ]
    assert {one["link"] for one in chart["items"] if one["row"] == 0} == {f"/alerts/{named('down')}"}
    assert [one["level"] for one in chart["items"]] == ["critical", "high", "medium", "medium", "medium"]
    assert (chart["start"], chart["end"]) == (nano(-1800) // 10**6, nano(1800) // 10**6)


def test_a_time_that_is_over_has_its_own_history(folder: Path) -> None:
    """What began before and went on belongs to it, what came later does not; spans end with the view."""
    with Opening(folder, NOW) as pages:
        shown = pages.shown("/alerts", from_="2026-11-23T12:05:00Z", to="2026-11-23T12:10:00Z")
    assert [row[3].partition(" ")[0] for row in shown.tables[2][1:]] == ["disk", "down"]
    items = shown.charts["alerts-timeline"]["items"]
    assert [(one["start"] - nano(0) // 10**6, one["end"] - nano(0) // 10**6) for one in items] == [
        (300_000, 600_000),
        (410_000, 510_000),
    ]


def test_a_quiet_folder_says_so(tmp_path: Path) -> None:
    """With or without a state database, and nothing is made there."""
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/alerts")
    assert f"○ not judged no sidecar has run on {tmp_path}. Start one with: forecourt collector" in shown.text
    assert "Nothing fired when somebody judged last." in shown.text
    assert "No alert fired in this time." in shown.text
    assert (shown.tables, shown.charts) == ([], {})
    assert not list(tmp_path.rglob("state.db"))


def test_silences_in_force_and_to_come(folder: Path) -> None:
    """In words, with who wants it quiet and why; those that are over are not there."""
    silence(folder, "s1", 'alertname = "down"', "service.name = app")
    silence(folder, "s2", kind="emergency", start=3600)
    silence(folder, "s3", kind="maintenance", end=1800)
    with Opening(folder, NOW) as pages:
        shown = pages.shown("/alerts", zone="Europe/Berlin")
    (table,) = [one for one in shown.tables if one[0][0] == "what"]
    until = "2026-11-23 15:00:00"
    assert table[1:] == [
        ['alertname = "down", service.name = app', until, "anna", "<i>works</i>", "End it"],
        [
            "everything (emergency mute)",
            "2026-11-23 15:00:00 from 2026-11-23 14:00:00",
            "anna",
            "<i>works</i>",
            "End it",
        ],
    ]
    assert "<i>" not in shown.html


def test_what_no_channel_has_taken_yet(tmp_path: Path) -> None:
    """Who waits, how often it was tried, and what the channel said."""
    settings = settings_of(receivers={"hook": {"webhook": {"url": "http://127.0.0.1:9/x"}}})
    with Notifying(tmp_path, settings) as running:
        running.judge(evaluation())
        wait(lambda: "retrying" in running.outcomes())
    with Opening(tmp_path, clock=time.time_ns) as pages:
        shown = pages.shown("/alerts")
    assert "▲ Not delivered yet: 1 critical hook, 1 attempt:" in shown.text


def test_an_alert_tells_what_why_and_what_to_do(folder: Path) -> None:
    """Its value and labels, the story of every decision with the latest first, an example to look at."""
    with Opening(folder, NOW) as pages:
        shown = pages.shown(f"/alerts/{named('down')}", zone="Europe/Berlin")
    assert "critical down {service.name=app} ■ critical 20 % down is bad" in shown.text
    assert "status firing, since 2026-11-23 13:00:10 (29 min 50 s)" in shown.text
    assert "samples 100 in 5 min" in shown.text
    assert "service.name app" in shown.text
    assert "acknowledged by anna 2026-11-23 13:01:00: on it" in shown.text
    assert shown.links[TRACE] == f"/traces/{TRACE}?zone=Europe%2FBerlin"
    (told,) = shown.tables
    assert told[0] == ["time", "what", "severity", "value", "why"]
    assert [row[1] for row in told[1:]][-2:] == ["notified", "firing"]
    assert ["2026-11-23 13:01:00", "acknowledged", "critical", "20 %", "by anna: on it"] in told
    assert told[-1] == ["2026-11-23 13:00:10", "firing", "critical", "20 %", told[-1][4]]
    assert told[-2][4].endswith("mail, phone")
    assert "Acknowledge" not in shown.text


def test_an_alert_that_is_over_says_since_when_and_why(folder: Path) -> None:
    """The last of its episodes."""
    with Opening(folder, NOW) as pages:
        shown = pages.shown(f"/alerts/{named('disk')}")
    told = "resolved, began 2026-11-23 12:11:50; ended 2026-11-23 12:13:30: the condition passed"
    assert f"status {told} samples" in shown.text
    assert "Acknowledge" not in shown.text


@pytest.mark.parametrize("wanted", ["0123456789", "down", named("down")[:5], "%00", "x" * 3000])
@pytest.mark.usefixtures("patient")
def test_an_alert_that_nobody_knows(folder: Path, wanted: str) -> None:
    """A sentence, and where the others are."""
    with Opening(folder, NOW) as pages:
        answer = pages.whole(f"/alerts/{wanted}")
    assert answer.status_code == 404
    assert "is known here. It may have ended more than 90 days ago; Alerts has the others" in answer.text


@pytest.mark.usefixtures("patient")
def test_an_alert_without_any_database_is_told_as_such(tmp_path: Path) -> None:
    """What to start."""
    with Opening(tmp_path, NOW) as pages:
        answer = pages.whole(f"/alerts/{named('down')}")
    assert answer.status_code == 503
    assert "Start one with: forecourt collector" in answer.text


def test_who_is_told_of_an_alert(tmp_path: Path) -> None:
    """By its route, with what a channel lacks, and who comes next when nobody answers."""
    escalation = {"critical": {"after": "15min", "levels": [["boss"]]}}
    receivers = {**RECEIVERS, "mail": {"email": {"to": "ops@example.com"}}}
    settings = AlertingSettings.model_validate({**CONFIGURED, "receivers": receivers, "escalation": escalation})
    tell(tmp_path, Incident().fire("down", "critical").until(20))
    with Opening(tmp_path, NOW, alerting=settings) as pages:
        shown = pages.shown(f"/alerts/{named('down')}")
        assert "critical at once, repeats every 1h" in shown.text
        assert "mail (email) ops@example.com ▲ not configured" in shown.text
        assert "phone (webhook)" in shown.text
        assert "after 15min without acknowledgement: boss" in shown.text
        silence(tmp_path, "s1", "alertname = down")
        assert "▲ silenced by s1: alertname = down" in pages.shown(f"/alerts/{named('down')}", find="again").text


def test_without_a_route_nobody_is_told(tmp_path: Path) -> None:
    """And where routes are made is said."""
    tell(tmp_path, Incident().fire("down", "critical").until(20))
    with Opening(tmp_path, NOW, alerting=NO_ROUTES) as pages:
        shown = pages.shown(f"/alerts/{named('down')}")
    assert "No route takes it. alerting.routes of the configuration says who is told." in shown.text


def test_what_a_rule_measured_of_late(tmp_path: Path) -> None:
    """The last day of this key alone, beside the rule's bands and what to do."""
    key = (("host.name", "a"),)
    firing = evaluation("host.cpu", "high", of="x", key=key, value=0.95)
    with Notifying(tmp_path, settings_of(receivers={"hook": {"webhook": {"url": "http://127.0.0.1:9/x"}}})) as running:
        running.judge(firing)
    values = [(key, 0.5, 900), (key, 0.95, 1500), ((("host.name", "b"),), 0.1, 1500)]
    measure(
        tmp_path,
        [evaluation("host.cpu", of="x", key=key, value=value, time_unix_nano=nano(at)) for key, value, at in values],
    )
    with Opening(tmp_path, clock=time.time_ns) as pages:
        shown = pages.shown(f"/alerts/{alert_id('host.cpu', key)}")
    chart = shown.charts["alert-course"]
    assert chart["series"][0]["values"] == pytest.approx([0.5, 0.95])
    assert chart["times"] == [nano(600) // 10**6, nano(1200) // 10**6]
    assert [one["label"] for one in chart["bands"]] == ["warning > 70%", "critical > 85%"]
    assert shown.links["host.cpu"] == "/rules/host.cpu"
    assert "What to do forecourt stats resources --last 1h" in shown.text


def test_hostile_names_are_shown_as_text(tmp_path: Path) -> None:
    """Escaped and cut, on the list, in the timeline and on the page of the alert."""
    tell(tmp_path, Incident().fire("down", "critical", of=HOSTILE).until(20))
    with Opening(tmp_path, NOW) as pages:
        listed = pages.shown("/alerts")
        one = pages.shown(f"/alerts/{named('down', HOSTILE)}")
    assert listed.tables[0][1][1].startswith(f"down {{service.name={SHOWN}")
    assert listed.charts["alerts-timeline"]["rows"][0].startswith(f"down {{service.name={SHOWN}")
    assert f"down {{service.name={SHOWN}" in one.text
    for shown in (listed, one):
        assert "<script>alert" not in shown.html
        assert "\x1b" not in shown.html
        assert len(shown.html) < 60_000


@pytest.mark.parametrize("of", ["app", 'a "b" c', "a\nb\r\x1b[2J\u202e.*(", " room ", "", "(?s).*", "\\"])
def test_the_dialog_silences_this_alert_and_no_other(tmp_path: Path, of: str) -> None:
    """Its matchers are there already, one a line, whatever the alert is called."""
    tell(tmp_path, Incident().fire("down", "critical", of=of).until(20))
    with Opening(tmp_path, NOW) as pages:
        matchers = pages.shown(f"/alerts/{named('down', of)}").fields["matchers"].splitlines()
    assert len(matchers) == 2
    _, matches = parse_matchers(matchers)
    assert matches is not None
    labels = {"alertname": "down", "service.name": of}
    assert matches(labels)
    assert not matches({**labels, "service.name": f"{of}!"})
    assert not matches({**labels, "alertname": "slow"})


def test_routes_and_channels(tmp_path: Path) -> None:
    """Each channel with what it lacks; the routes in the order in which they are tried."""
    receivers = {**RECEIVERS, "mail": {"email": {"to": "ops@example.com"}}}
    settings = AlertingSettings.model_validate({**CONFIGURED, "receivers": receivers})
    with Opening(tmp_path, NOW, alerting=settings) as pages:
        shown = pages.shown("/alerts/routes")
    channels, routes = shown.tables
    assert [row[:3] for row in channels[1:]] == [
        ["mail", "email", "ops@example.com"],
        ["phone", "webhook", ""],
        ["boss", "webhook", ""],
    ]
    assert channels[1][3].startswith("▲ not configured")
    assert [row[3:] for row in channels[2:]] == [["● configured", "Send a test"]] * 2
    assert [row[:3] for row in routes[1:]] == [
        ["critical", "severity = critical", "mail, phone"],
        ["high", "severity = high", "mail"],
        ["medium", "severity = medium", "mail"],
        ["low", "severity = low", "mail"],
    ]
    assert (routes[1][3:], routes[4][3:]) == (
        ["alertname, service.name", "every 1 h"],
        ["all together", "every 4 h"],
    )


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({}, "critical : mail, phone at once, repeats every 1h"),
        ({"severity": "low", "rule": "host.cpu"}, "low : mail waits 30s, repeats every 4h"),
        ({"severity": "<loud>"}, "critical : mail, phone"),
    ],
)
def test_who_would_be_told_can_be_asked(tmp_path: Path, query: dict[str, str], told: str) -> None:
    """Without telling anybody."""
    with Opening(tmp_path, NOW, alerting=AlertingSettings.model_validate(CONFIGURED)) as pages:
        shown = pages.shown("/alerts/routes", **query)
        assert told in shown.text
        assert shown.fields["severity"] == query.get("severity", "critical").replace("<loud>", "critical")
        silence(tmp_path, "s1", kind="emergency")
        again = pages.shown("/alerts/routes", **query, again="1")
    assert "▲ silenced by s1: everything (emergency mute)" in again.text


def test_nobody_is_told_where_no_route_takes_it(tmp_path: Path) -> None:
    """It says so."""
    with Opening(tmp_path, NOW, alerting=NO_ROUTES) as pages:
        assert "Nobody: no route takes it." in pages.shown("/alerts/routes").text


def test_a_real_delivery_stands_in_the_story(tmp_path: Path) -> None:
    """What the channel answered, by its name."""
    with answering(lambda _: (200, {}, b"")) as url:
        settings = settings_of(receivers={"hook": {"webhook": {"url": url}}})
        with Notifying(tmp_path, settings) as running:
            running.judge(evaluation())
            wait(lambda: "sent" in running.outcomes())
    with Opening(tmp_path, clock=time.time_ns) as pages:
        (told,) = pages.shown(f"/alerts/{named('down')}").tables
    # The notifier may have looked at the group once more meanwhile.
    story = [(row[1], row[4]) for row in told[1:] if row[1] != "repeated too soon"]
    assert [what for what, _ in story] == ["sent", "notified", "firing"]
    assert story[0][1] == "hook: answered 200"
