"""What people change from a page: done, told in a line, written down with who did it; or refused with the reason."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alerting import records
from alerting.alert import alert_id
from alerting.records import Acknowledged
from alerting.silence import Silence
from dashboard import operating
from dashboard.access import audit as audit_of_pages
from dashboard.access.identity import Identity, own_name
from dashboard.operating import Operating, Operator
from dashboard.records import Records
from dashboard.settings import DashboardSettings
from dashboard.site import Site
from storage import audit
from storage.audit import AuditEntry
from storage.state import CollectorRow, StateError
from tests.dashboard.access.visiting import OPERATOR, USERS, VIEWER
from tests.dashboard.opening import Opening
from tests.dashboard.standing import silences, state_of, tell
from tests.support.incident import Incident, nano
from tests.support.notifications import Asked, answering
from tests.support.notifying import Notifying, evaluation, settings_of, wait

NOW = nano(1800)
HOUR_NANO = 3600 * 1_000_000_000
DOWN = alert_id("down", (("service.name", "app"),))
SILENCE = {"kind": "silence", "matchers": "alertname = down", "for": "2h", "comment": "works"}


class Acting(Opening):
    """Sends forms as htmx does, with the token that the pages carry."""

    def do(self, path: str, data: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Any:
        page = self.whole("/alerts")
        (csrf,) = re.findall(r'<meta name="csrf" content="([^"]+)">', page.text)
        return self.post(path, data=dict(data or {}), headers={"X-CSRF-Token": csrf, **(headers or {})})

    def told(self, path: str, data: Mapping[str, str] | None = None) -> str:
        """The line that the page shows when it was done."""
        answer = self.do(path, data)
        assert (answer.status_code, answer.text) == (204, ""), answer.text
        trigger = json.loads(answer.headers["HX-Trigger"])
        assert trigger == {"told": trigger["told"], "changed": True}
        return str(trigger["told"])

    def refused(self, path: str, data: Mapping[str, str] | None = None) -> tuple[int, str]:
        answer = self.do(path, data)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        return answer.status_code, answer.text

    def log_in(self, token: str) -> None:
        (csrf,) = re.findall(r'name="csrf" value="([^"]+)"', self.whole("/login").text)
        assert self.post("/login", data={"csrf": csrf, "token": token}).status_code == 303


WITH_USERS = DashboardSettings.model_validate({"users": USERS})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One alert fires, one is pending, one is over."""
    incident = Incident().fire("down", "critical").fire("disk", "medium").until(100)
    tell(tmp_path, incident.end("disk").pend("slow").until(1000))
    return tmp_path


def written(folder: Path) -> list[AuditEntry]:
    """The audit's rows, the oldest first."""
    with closing(state_of(folder)) as state:
        return audit.entries(state, 100)[::-1]


def row(action: str, detail: Mapping[str, Any], outcome: str = "ok", number: int = 1) -> AuditEntry:
    return AuditEntry(NOW, own_name(), "operate", "127.0.0.1", action, detail, outcome, number)


def acknowledgements(folder: Path) -> list[Acknowledged]:
    with closing(state_of(folder)) as state:
        return records.acknowledgements(state)


def test_what_fires_is_acknowledged(folder: Path) -> None:
    """With who and why for the sidecar to take, and a row of the audit."""
    with Acting(folder, NOW) as pages:
        told = pages.told(f"/alerts/{DOWN}/acknowledge", {"note": "on it"})
    assert told == "down {service.name=app}: acknowledged"
    assert acknowledgements(folder) == [Acknowledged(1, DOWN, own_name(), "on it", NOW)]
    detail = {"alert": DOWN, "name": "down {service.name=app}", "note": "on it"}
    assert written(folder) == [row("acknowledge", detail)]


def test_a_note_is_cut(folder: Path) -> None:
    """A message has room for some of it."""
    with Acting(folder, NOW) as pages:
        pages.told(f"/alerts/{DOWN}/acknowledge", {"note": "n" * 5000})
    assert [one.note for one in acknowledgements(folder)] == ["n" * 500]


@pytest.mark.parametrize(
    ("alert", "status", "told"),
    [
        (
            alert_id("slow", (("service.name", "app"),)),
            409,
            "slow {service.name=app} is pending: only what fires can be acknowledged\n",
        ),
        ("0123456789", 404, "no alert 0123456789; the page Alerts has those that are known\n"),
        (DOWN[:6], 404, f"no alert {DOWN[:6]}; the page Alerts has those that are known\n"),
        ("down", 404, "no alert down; the page Alerts has those that are known\n"),
        ("%27%20OR%201", 404, "no alert ' OR 1; the page Alerts has those that are known\n"),
    ],
)
def test_what_does_not_fire_is_not_acknowledged(folder: Path, alert: str, status: int, told: str) -> None:
    """Nor what is known by a part of its id or by its rule alone: nothing is written down."""
    with Acting(folder, NOW) as pages:
        assert pages.refused(f"/alerts/{alert}/acknowledge") == (status, told)
    assert (acknowledgements(folder), written(folder)) == ([], [])


def test_the_sidecar_takes_an_acknowledgement(tmp_path: Path) -> None:
    """Within a second or two the page of the alert says who it was."""
    with answering(lambda _: ACCEPTED) as url:
        settings = settings_of(receivers={"hook": {"webhook": {"url": url}}})
        with Notifying(tmp_path, settings) as running, Acting(tmp_path, clock=time.time_ns) as pages:
            running.judge(evaluation())
            pages.told(f"/alerts/{DOWN}/acknowledge", {"note": "on it"})
            shown = wait(lambda: (page := pages.shown(f"/alerts/{DOWN}")).text.count("acknowledged by") and page)
    assert f"acknowledged by {own_name()}" in shown.text
    assert "on it" in shown.text


@pytest.mark.parametrize(
    ("given", "kind", "matchers", "seconds", "told"),
    [
        ({}, "silence", ("alertname = down",), 7200, "silenced: alertname = down"),
        (
            {"matchers": ' alertname = down \r\n\r\nservice.name =~ "app.*"\n', "for": "90s"},
            "silence",
            ("alertname = down", 'service.name =~ "app.*"'),
            90,
            'silenced: alertname = down, service.name =~ "app.*"',
        ),
        ({"for": "366days"}, "silence", ("alertname = down",), 366 * 86_400, "silenced: alertname = down"),
        (
            {"kind": "maintenance", "matchers": " \n"},
            "maintenance",
            (),
            7200,
            "silenced: everything but critical security alerts (maintenance)",
        ),
        (
            {"kind": "emergency", "matchers": "", "for": "24h"},
            "emergency",
            (),
            86_400,
            "silenced: everything (emergency mute)",
        ),
    ],
)
def test_silences_of_each_kind(  # noqa: PLR0917  # what is given, and what comes of it
    folder: Path, given: dict[str, str], kind: Any, matchers: tuple[str, ...], seconds: int, told: str
) -> None:
    """From now on, for as long as was asked; in the words of the command line."""
    with Acting(folder, NOW) as pages:
        assert pages.told("/silences", {**SILENCE, **given}) == told
    (made,) = silences(folder)
    end = NOW + seconds * 1_000_000_000
    assert made == Silence(made.id, kind, matchers, own_name(), "works", NOW, end)
    what = told.removeprefix("silenced: ")
    detail = {"silence": made.id, "what": what, "seconds": seconds, "comment": "works"}
    assert written(folder) == [row("silence", detail)]


NO_MATCHER = "'down' is not a matcher, expected for example http.route =~ \"/api/.*\" (=, !=, =~, !~)"
NO_DURATION = "is not a duration, for example 1000ms, 30s, 5min, 2h or 30days"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"matchers": ""}, "say what to keep quiet: at least one matcher, for example alertname = host.disk"),
        (
            {"matchers": "down"},
            NO_MATCHER,
        ),
        (
            {"matchers": "alertname = down\nservice.name =~ ("},
            "'service.name =~ (' has no valid regular expression: missing ), unterminated subpattern at position 0",
        ),
        ({"matchers": "\n".join(["a = b"] * 21)}, "21 matchers, expected at most 20"),
        ({"matchers": "a = " + "b" * 497}, f"a = {'b' * 36} …: 501 characters, expected at most 500"),
        ({"kind": "emergency"}, "emergency quietens everything: it has no matchers"),
        ({"kind": "maintenance"}, "maintenance quietens everything: it has no matchers"),
        ({"kind": "<b>"}, "<b>: expected one of silence, maintenance, emergency"),
        ({"kind": "emergency", "matchers": "", "for": "25h"}, "for how long: emergency lasts 1 s to 1 d"),
        ({"for": "367days"}, "for how long: silence lasts 1 s to 366 d"),
        ({"for": "999ms"}, "for how long: silence lasts 1 s to 366 d"),
        ({"for": "9" * 39 + "h"}, "for how long: silence lasts 1 s to 366 d"),
        ({"for": ""}, "for how long: '' " + NO_DURATION),
        (
            {"for": "for ever"},
            "for how long: 'for ever' is not a duration, for example 1000ms, 30s, 5min, 2h or 30days",
        ),
        ({"for": "-2h"}, "for how long: '-2h' " + NO_DURATION),
    ],
)
def test_a_silence_that_is_none_is_refused(folder: Path, given: dict[str, str], told: str) -> None:
    """There is always something that it is about, and an end; what was expected is said, and nothing is kept."""
    with Acting(folder, NOW) as pages:
        assert pages.refused("/silences", {**SILENCE, **given}) == (409, f"{told}\n")
        without = {name: value for name, value in SILENCE.items() if name != "for"}
        assert pages.refused("/silences", without)[0] == 409
    assert (silences(folder), written(folder)) == ([], [])


def test_a_silence_is_ended(folder: Path) -> None:
    """From that moment on it quietens nothing, and it can be ended once."""
    with Acting(folder, NOW) as pages:
        pages.told("/silences", SILENCE)
        (made,) = silences(folder)
        assert pages.told(f"/silences/{made.id}/end") == "ended: alertname = down"
        assert [one.ends_at for one in silences(folder)] == [NOW]
        assert pages.refused(f"/silences/{made.id}/end") == (404, f"no silence {made.id} is in force\n")
        assert pages.refused("/silences/nobody/end") == (404, "no silence nobody is in force\n")
    ended = row("end silence", {"silence": made.id, "what": "alertname = down"}, number=2)
    assert written(folder)[1:] == [ended]


def test_what_was_written_down_can_be_read_on_the_page(folder: Path) -> None:
    """By those who may operate, with the latest first."""
    with Acting(folder, NOW) as pages:
        pages.told("/silences", {**SILENCE, "comment": "<i>works</i>"})
        pages.told(f"/alerts/{DOWN}/acknowledge")
        shown = pages.shown("/system")
    heads, acknowledged, silenced = shown.tables[-1]
    assert heads == ["time", "who", "from", "what", "outcome"]
    assert [acknowledged[1:3], acknowledged[-1]] == [[own_name(), "127.0.0.1"], "ok"]
    assert acknowledged[3].startswith(f"acknowledge alert={DOWN} name=down {{service.name=app}}")
    assert "comment=<i>works</i>" in silenced[3]
    assert "<i>" not in shown.html


ACCEPTED: tuple[int, dict[str, str], bytes] = (200, {}, b"")
RECEIVERS = {"hook": {"webhook": {"url": "http://127.0.0.1:9/hook"}}, "büro/süd": {"desktop": {}}}


@pytest.mark.parametrize(
    ("receiver", "data", "status", "told"),
    [
        ("hook", {}, 409, "the sidecar is not running, and only it has the channels' secrets: forecourt collector\n"),
        (
            "b%C3%BCro/s%C3%BCd",
            {},
            409,
            "the sidecar is not running, and only it has the channels' secrets: forecourt collector\n",
        ),
        ("nobody", {}, 404, "no receiver nobody is configured\n"),
        ("hook", {"severity": "loud"}, 409, "loud: expected one of critical, high, medium, low\n"),
    ],
)
def test_a_channel_is_tested_by_the_sidecar_alone(
    folder: Path, receiver: str, data: dict[str, str], status: int, told: str
) -> None:
    """Without one it is refused with what to start."""
    with Acting(folder, NOW, alerting=settings_of(receivers=RECEIVERS)) as pages:
        assert pages.refused(f"/channels/{receiver}/test", data) == (status, told)
    assert written(folder) == []


def _started(folder: Path) -> None:
    with closing(state_of(folder)) as state:
        state.record_start(CollectorRow(os.getpid(), "0.1.0", {}, time.time_ns(), None))


@pytest.mark.parametrize(("status", "told"), [(200, "hook: sent: answered 200"), (404, "hook: failed: answered 404")])
def test_a_test_tells_what_the_channel_answered(tmp_path: Path, status: int, told: str) -> None:
    """A real message by the channel, with who has sent it; the audit says that it was sent."""
    texts: list[str] = []

    def answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        texts.append(asked.body.decode())
        return status, {}, b""

    with answering(answer) as url:
        settings = settings_of(receivers={"hook": {"webhook": {"url": url}}})
        _started(tmp_path)
        with Notifying(tmp_path, settings), Acting(tmp_path, clock=time.time_ns, alerting=settings) as pages:
            assert pages.told("/channels/hook/test", {"severity": "high"}) == told
    assert f"A test from the dashboard, by {own_name()}" in texts[0]
    (entry,) = written(tmp_path)
    assert (entry.action, entry.detail, entry.outcome) == (
        "test channel",
        {"receiver": "hook", "severity": "high"},
        "ok",
    )


def test_a_sidecar_that_does_not_answer_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, with where to look."""
    monkeypatch.setattr(operating, "_ANSWER_SECONDS", 0.3)
    _started(folder)
    with Acting(folder, NOW, alerting=settings_of(receivers=RECEIVERS)) as pages:
        told = (409, "the sidecar has not answered within 0 s; see its log\n")
        assert pages.refused("/channels/hook/test") == told


@pytest.mark.parametrize(
    ("of", "told"),
    [
        ("app", "app"),
        ("café 🚗", "café 🚗"),
        ('a"\\b', 'a"\\b'),
        ("a\r\nX-Evil: 1\x00\x1b[2J", "a X-Evil: 1 [2J"),
        ("a\u202egnp", "a gnp"),
        ("x" * 5000, "x" * 100_000),
    ],
)
def test_what_is_told_fits_a_header(tmp_path: Path, of: str, told: str) -> None:
    """ASCII alone, one line and short, whatever an alert is called; the page reads it as it was."""
    tell(tmp_path, Incident().fire("down", of=of).until(20))
    name = alert_id("down", (("service.name", of),))
    with Acting(tmp_path, NOW) as pages:
        answer = pages.do(f"/alerts/{name}/acknowledge")
    header = answer.headers["HX-Trigger"]
    assert header.isascii()
    assert header.isprintable()
    assert len(header) < 2000
    whole = f"down {{service.name={told}}}: acknowledged"
    assert json.loads(header)["told"] == (whole if len(whole) <= 300 else whole[:299] + "…")


@pytest.mark.parametrize(
    "path", [f"/alerts/{DOWN}/acknowledge", "/silences", "/silences/s1/end", "/channels/hook/test"]
)
def test_without_the_pages_own_token_nothing_is_done(folder: Path, path: str) -> None:
    """Another site can't send one, and a guess is none."""
    with Acting(folder, NOW) as pages:
        pages.whole("/alerts")
        assert pages.post(path, data=SILENCE).status_code == 403
        for token in ("", "guessed", "ü"):
            answer = pages.post(path, data=SILENCE, headers={b"X-CSRF-Token": token.encode()})
            assert answer.status_code == 403
    assert (acknowledgements(folder), silences(folder), written(folder)) == ([], [], [])


@pytest.mark.parametrize("path", [f"/alerts/{DOWN}/acknowledge", "/silences", "/silences/s1/end"])
def test_nothing_is_changed_by_a_get(folder: Path, path: str) -> None:
    """A link does nothing."""
    with Acting(folder, NOW) as pages:
        assert pages.get(path).status_code in {404, 405}
    assert (acknowledgements(folder), silences(folder), written(folder)) == ([], [], [])


def test_who_may_only_look_changes_nothing(folder: Path) -> None:
    """The forms are not there, and sent all the same they are refused; who operates is written down by name."""
    with Acting(folder, NOW, settings=WITH_USERS) as pages:
        pages.log_in(VIEWER)
        shown = pages.shown("/alerts")
        assert "Acknowledge" not in shown.text
        assert "matchers" not in shown.fields
        assert "Who did what here" not in pages.shown("/system").text
        assert pages.refused(f"/alerts/{DOWN}/acknowledge") == (
            403,
            "viktor may look, and not change anything: that needs the role operate\n",
        )
    assert acknowledgements(folder) == []
    with Acting(folder, NOW, settings=WITH_USERS) as pages:
        pages.log_in(OPERATOR)
        assert "Acknowledge" in pages.shown("/alerts").text
        assert "Who did what here" in pages.shown("/system").text
        pages.told(f"/alerts/{DOWN}/acknowledge")
    assert [one.by for one in acknowledgements(folder)] == ["olga"]
    assert [(one.by_whom, one.action) for one in written(folder) if one.action == "acknowledge"] == [
        ("olga", "acknowledge")
    ]


@pytest.mark.parametrize(
    ("referer", "location"),
    [
        ("http://127.0.0.1:9090/alerts?last=7days&zone=UTC", "/alerts?last=7days&zone=UTC"),
        (f"http://127.0.0.1:9090/alerts/{DOWN}", f"/alerts/{DOWN}"),
        (None, "/alerts"),
        ("", "/alerts"),
        ("http://attacker.example/alerts?a=b", "/alerts"),
        ("http://127.0.0.1:9090@attacker.example/", "/alerts"),
        ("http://127.0.0.1:9090//attacker.example/", "/"),
        ("http://127.0.0.1:9090/\\attacker.example/", "/"),
        ("javascript:alert(1)", "/alerts"),
        ("http://[", "/alerts"),
    ],
)
def test_a_form_without_htmx_leads_back_to_its_page(folder: Path, referer: str | None, location: str) -> None:
    """To ours alone, whatever the browser says where it came from."""
    headers = {"HX-Request": "", **({} if referer is None else {"Referer": referer})}
    with Acting(folder, NOW) as pages:
        answer = pages.do(f"/alerts/{DOWN}/acknowledge", headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, location)
    assert len(acknowledgements(folder)) == 1


@pytest.mark.parametrize("path", [f"/alerts/{DOWN}/acknowledge", "/silences", "/silences/s1/end"])
def test_over_an_archive_nothing_can_be_changed(tmp_path: Path, path: str) -> None:
    """No database is made there; what would is said."""
    with Acting(tmp_path, NOW) as pages:
        status, told = pages.refused(path, SILENCE)
    assert (status, told) == (409, f"no sidecar has run on {tmp_path}. Start one with: forecourt collector\n")
    assert not list(tmp_path.rglob("state.db"))


def test_what_was_done_is_written_down_whoever_goes_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the pages are ended in that moment."""
    begun, go_on, told = threading.Event(), threading.Event(), threading.Event()
    save, record = records.save_acknowledgement, audit_of_pages.record

    def slow(*given: Any) -> int:
        begun.set()
        go_on.wait(20)
        return save(*given)

    def recorded(*given: Any) -> None:
        record(*given)
        told.set()

    monkeypatch.setattr(records, "save_acknowledgement", slow)
    monkeypatch.setattr(audit_of_pages, "record", recorded)
    site = Site(folder, None, clock=lambda: NOW)
    acting = Operating(site, Records(folder, None, site.own_folder, 2**29))
    who = Operator(Identity(own_name(), "operate", "", logged_in=False), "127.0.0.1")

    async def go_away() -> None:
        action = asyncio.create_task(acting.acknowledge(who, DOWN, ""))
        await asyncio.to_thread(begun.wait, 20)
        action.cancel()
        await asyncio.wait([action])
        go_on.set()

    asyncio.run(go_away())
    assert told.wait(20)
    assert [one.alert for one in acknowledgements(folder)] == [DOWN]
    assert written(folder) == [row("acknowledge", {"alert": DOWN, "name": "down {service.name=app}", "note": ""})]


def test_what_the_database_refuses_is_told_and_written_down(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit has the reason as the outcome."""

    def full(*_: Any) -> None:
        raise StateError("state.db: database or disk is full")

    monkeypatch.setattr(records, "save_silence", full)
    with Acting(folder, NOW) as pages:
        assert pages.refused("/silences", SILENCE) == (409, "state.db: database or disk is full\n")
    assert [(one.action, one.outcome) for one in written(folder)] == [("silence", "state.db: database or disk is full")]
