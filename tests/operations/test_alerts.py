"""`forecourt alerts` and `forecourt silence`, with and without a running sidecar."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from alerting import records
from operations.cli import main
from storage import State
from storage.state import CollectorRow
from tests.support.incident import Incident
from tests.support.notifications import answering
from tests.support.pages import wait_until
from tests.support.pushover import TOKEN, USER, PushoverCloud
from tests.support.sidecar import UntracedSidecar
from tests.support.smtp import Mailbox, smtp_server

DOWN = "down {service.name=app}"


def run(*arguments: str, code: int = 0) -> str:
    done: Result = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done.output


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """What a sidecar left that has stopped: one alert firing, one over, one silenced."""
    incident = Incident().fire("down", "critical").fire("disk", "medium").until(100)
    incident.end("disk").until(1000).silence("s1", 5000, "alertname = slow").fire("slow").until(1100)
    (tmp_path / ".forecourt").mkdir()
    state = State.open(tmp_path / ".forecourt" / "state.db")
    records.save(incident.dispatcher, state)
    state.close()
    return tmp_path


def _id(logs: Path, rule: str) -> str:
    found = json.loads(run("alerts", "list", "--all", "--json", "--logs", str(logs)))["alerts"]
    return str(next(one["id"] for one in found if one["rule"] == rule))


def test_list_shows_what_fires_the_worst_first(logs: Path) -> None:
    """And who knows, or why nobody does."""
    shown = run("alerts", "list", "--logs", str(logs))
    lines = shown.splitlines()
    assert lines[0] == "the sidecar is not running; this is how it left things"
    assert [line.split()[1:3] for line in lines[2:]] == [["critical", "firing"], ["high", "firing"]]
    assert lines[2].rstrip().endswith("mail, phone")
    assert "silenced: by silence s1 of anna: works" in lines[3]
    assert "disk" in run("alerts", "list", "--all", "--logs", str(logs))


def test_show_and_why_tell_the_whole_story(logs: Path) -> None:
    """By the beginning of the id, or the rule."""
    number = _id(logs, "down")
    shown = run("alerts", "show", number[:4], "--logs", str(logs))
    assert DOWN in shown
    assert "told    mail, phone" in shown
    story = run("alerts", "why", "down", "--logs", str(logs))
    said = [" ".join(line.split()[2:]) for line in story.splitlines() if line.startswith("2026")]
    assert said == [
        "firing critical 20 % the condition has held long enough",
        "notified critical 20 % it is new; route critical: mail, phone",
        "sent critical mail: accepted",
        "sent critical phone: accepted",
        "repeated too soon critical 20 % route critical: it was told already; again after 1h",
    ]
    told = json.loads(run("alerts", "why", "down", "--json", "--logs", str(logs)))
    assert [one["outcome"] for one in told["story"]] == ["firing", "notified", "sent", "sent", "repeated too soon"]


def test_history_has_every_episode(logs: Path) -> None:
    """From when to when, and why it was not told."""
    shown = run("alerts", "history", "--from", "2026-11-23T11:00", "--to", "2026-11-24", "--logs", str(logs))
    rows = [line.split() for line in shown.splitlines()[1:]]
    assert [(row[0], row[1]) for row in rows] == [
        ("2026-11-23", time_) for time_ in ("12:00:10", "12:00:10", "12:16:50")
    ]
    assert "still fires" in shown
    assert "silenced" in shown
    found = json.loads(run("alerts", "history", "--json", "--logs", str(logs)))
    assert [(one["rule"], one["severity"], one["notified"], one["ended_at"] > 0) for one in found] == [
        ("down", "critical", 1, False),
        ("disk", "medium", 1, True),
        ("slow", "high", 0, False),
    ]
    assert run("alerts", "history", "--last", "1min", "--logs", str(logs)) == "no alert fired in this time\n"


def test_patterns_name_what_is_only_noise(tmp_path: Path) -> None:
    """Seven short episodes, nobody ever needed."""
    incident = Incident(flapping={"transitions": 100})
    for number in range(7):
        incident.fire("slow").until(number * 1800 + 130, every=10).end("slow").until((number + 1) * 1800, every=10)
    (tmp_path / ".forecourt").mkdir()
    state = State.open(tmp_path / ".forecourt" / "state.db")
    records.save(incident.dispatcher, state)
    state.close()
    (found,) = json.loads(run("alerts", "patterns", "--json", "--logs", str(tmp_path)))
    assert (found["episodes"], found["short"], found["notified"], found["median_seconds"]) == (7, 7, 7, 130.0)
    assert found["advice"] == "mostly over within 5 min: a longer `for` would spare you most of it"
    assert found["hours"][12:16] == [2, 2, 2, 1]
    assert "mostly over within 5 min" in run("alerts", "patterns", "--logs", str(tmp_path))


def test_storms_are_what_the_caps_held_back(tmp_path: Path) -> None:
    """How many notices, of which alerts."""
    incident = Incident()
    for number in range(25):
        incident.fire(f"rule{number}", "high")
    incident.until(60)
    (tmp_path / ".forecourt").mkdir()
    state = State.open(tmp_path / ".forecourt" / "state.db")
    records.save(incident.dispatcher, state)
    state.close()
    (storm,) = json.loads(run("alerts", "storms", "--json", "--logs", str(tmp_path)))
    assert (storm["held"], len(storm["alerts"]), storm["caps"]) == (5, 5, ["total_alerts"])
    assert "total_alerts" in run("alerts", "storms", "--logs", str(tmp_path))
    assert run("alerts", "storms", "--last", "1min", "--logs", str(tmp_path)).startswith("no storm")


def test_without_a_sidecar_an_acknowledgement_waits(logs: Path) -> None:
    """And an alert that does not fire can't be acknowledged."""
    said = run("alerts", "ack", "down", "--by", "anna", "--note", "on it", "--logs", str(logs))
    assert said == f"{DOWN}: noted; it counts when the sidecar runs again\n"
    state = State.open(logs / ".forecourt" / "state.db")
    (one,) = records.acknowledgements(state)
    assert (one.by, one.note) == ("anna", "on it")
    state.close()
    assert "does not fire; it is resolved" in run("alerts", "ack", "disk", "--logs", str(logs), code=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["alerts", "show", "nothing"], "no alert's id begins with 'nothing'"),
        (["alerts", "history", "--last", "1day", "--from", "2026-01-01"], "--last excludes --from and --to"),
        (["alerts", "history", "--last", "yesterday"], "'yesterday' is not a duration"),
        (["silence", "add", "--for", "2h"], "say what to keep quiet: MATCHERS, or --maintenance, or --emergency"),
        (["silence", "add", "mount =~ (a+)+b", "--for", "2h"], "may take for ever to match"),
        (["silence", "add", "a = b"], "say until when: --for 2h, or --to TIME; every silence has an end"),
        (["silence", "add", "a ~ b", "--for", "2h"], "'a ~ b' is not a matcher"),
        (["silence", "add", "a = b", "--to", "2020-01-01"], "it would end before it begins, or has ended already"),
        (["silence", "add", "--emergency", "--for", "2days"], "an emergency mute lasts at most 24h"),
        (["silence", "add", "a = b", "--all", "--for", "2h"], "--all belongs to --maintenance"),
        (["silence", "end"], "say which: an ID, or --all"),
        (["silence", "end", "zz"], "no silence in force begins with 'zz'"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(logs: Path, arguments: list[str], says: str) -> None:
    """A usage error is 2, everything else 1."""
    done = CliRunner().invoke(main, [*arguments, "--logs", str(logs)])
    assert done.exit_code in {1, 2}
    assert says in done.output
    assert "Traceback" not in done.output


def test_a_folder_without_a_sidecar_says_so(tmp_path: Path) -> None:
    """Nothing is made there."""
    assert "no sidecar has run on" in run("alerts", "list", "--logs", str(tmp_path), code=1)
    assert list(tmp_path.iterdir()) == []


def test_silences_without_a_sidecar(tmp_path: Path) -> None:
    """They wait for it, listed and ended as any."""
    logs = tmp_path / "logs"
    logs.mkdir()
    made = run(
        "silence", "add", "alertname = disk", "--for", "2h", "--by", "anna", "--reason", "moving", "--logs", str(logs)
    )
    number = made.split(":")[0]
    assert f"End it earlier with: forecourt silence end {number}" in made
    run("silence", "add", "--maintenance", "--for", "1h", "--logs", str(logs))
    run("silence", "add", "--emergency", "--logs", str(logs))
    everything = run("silence", "add", "--maintenance", "--all", "--for", "1h", "--logs", str(logs))
    assert "alertname =~ .*" in everything
    listed = run("silence", "list", "--logs", str(logs))
    assert "alertname = disk" in listed
    assert "everything but critical security alerts (maintenance)" in listed
    assert "everything (emergency mute)" in listed
    assert run("silence", "end", number[:5], "--logs", str(logs)) == f"{number}: ended (alertname = disk)\n"
    assert len(json.loads(run("silence", "list", "--json", "--logs", str(logs)))) == 3
    assert len(json.loads(run("silence", "list", "--all", "--json", "--logs", str(logs)))) == 4
    assert run("silence", "end", "--all", "--logs", str(logs)).count("ended") == 3
    assert run("silence", "list", "--logs", str(logs)) == "nothing is silenced\n"
    assert run("silence", "end", "--all", "--logs", str(logs)) == "nothing was silenced\n"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    found = Mailbox()
    with smtp_server(found) as port:
        yield found, port


def _configuration(port: int, url: str) -> dict[str, Any]:
    return {
        "alerting": {
            "smtp": {"host": "localhost", "port": port, "security": "none", "sender": "forecourt@example.com"},
            "receivers": {
                "email": {"email": {"to": "ops@example.com"}},
                "email-critical": {"email": {"to": "ops@example.com, oncall@example.com"}},
                "pushover": {"pushover": {"token": TOKEN, "user": USER, "url": url}},
                "desktop": {"webhook": {"url": ""}},
            },
            "escalation": {"critical": {"after": "5min", "levels": [["email"]]}},
        }
    }


def test_route_says_who_would_be_told_without_telling(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    """And which silence would keep it quiet."""
    path = tmp_path / "otel-config.yaml"
    path.write_text(yaml.safe_dump(_configuration(mailbox[1], "http://127.0.0.1:9")))
    said = run("alerts", "route", "--severity", "critical", "--label", "alertname=backend.down", "--config", str(path))
    assert said == (
        "route critical: at once, again every 1h, grouped by alertname, service.name\n"
        "  email-critical (email to ops@example.com, oncall@example.com)\n"
        "  pushover (pushover)\n"
        "  desktop (webhook)  not configured: its url is empty\n"
        "if nobody acknowledges it within 5min: email\n"
    )
    (tmp_path / "logs").mkdir()
    run("silence", "add", "alertname = backend.down", "--for", "1h", "--config", str(path))
    again = run("alerts", "route", "--label", "alertname=backend.down", "--config", str(path))
    assert again.startswith("nobody now: silence ")
    found = json.loads(run("alerts", "route", "--severity", "low", "--json", "--config", str(path)))
    assert found["routes"][0]["receivers"][0]["receiver"] == "email"
    assert "is not a label" in run("alerts", "route", "--label", "x", "--config", str(path), code=2)
    assert mailbox[0].mails == []


def test_send_and_test_without_a_sidecar(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    """The command sends by itself, and reports what each channel answered."""
    cloud = PushoverCloud()
    path = tmp_path / "otel-config.yaml"
    with answering(cloud) as url:
        path.write_text(yaml.safe_dump(_configuration(mailbox[1], url)))
        said = run("alerts", "send", "--channel", "pushover", "--message", "System down", "--config", str(path))
        assert "sent: accepted, 7495 messages left this month" in said
        assert cloud.messages[0]["title"] == "[CRITICAL] System down"
        answers = json.loads(run("alerts", "test", "--rules", "security", "--json", "--config", str(path)))
        assert {(one["route"], one["receiver"]) for one in answers if one["ok"]} == {
            ("critical", "email-critical"),
            *((route, receiver) for route in ("high", "medium", "low") for receiver in ("email", "pushover")),
            ("critical", "pushover"),
        }
        mailbox[0].answer = "554 no"
        failed = run("alerts", "send", "--channel", "email", "--message", "x", "--config", str(path), code=1)
        assert "failed: answered 554 no" in failed
    assert (
        mailbox[0].subjects()[0] == "[TEST] This is a test of route critical for the security rules; nothing is wrong"
    )
    assert "neither a channel nor a receiver" in run(
        "alerts", "send", "--channel", "fax", "--message", "x", "--config", str(path), code=2
    )
    assert "no rule is called 'fax'" in run("alerts", "test", "--rules", "fax", "--config", str(path), code=2)


def test_with_a_running_sidecar_it_does_the_telling(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    """It has the secrets; a silence and an acknowledgement are taken within a second."""
    with answering(PushoverCloud()) as url, UntracedSidecar(tmp_path, _configuration(mailbox[1], url)) as sidecar:
        config = str(sidecar.configuration)
        answers = json.loads(run("alerts", "test", "--json", "--config", config))
        assert sum(one["ok"] for one in answers) == 8
        said = run(
            "alerts", "send", "--channel", "email-critical", "--severity", "low", "--message", "hi", "--config", config
        )
        assert "sent: accepted for ops@example.com, oncall@example.com" in said
        assert run("alerts", "list", "--config", config) == "nothing fires\n"
        run("silence", "add", "--maintenance", "--for", "1h", "--config", config)
        page = sidecar.get("metrics", "/metrics")
        assert 'forecourt_notifications_total{receiver="email-critical"} 2.0' in page
    decisions = [record for record in sidecar.records("alerts") if "decision" in record]
    assert [one["decision"] for one in decisions].count("sent") == 9
    assert {one["receiver"] for one in decisions} == {"email", "email-critical", "pushover"}


def test_a_sidecar_that_ends_while_it_is_asked_is_not_waited_for(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    """What was asked of it is said to be unanswered, and by whom."""
    path = tmp_path / "otel-config.yaml"
    path.write_text(yaml.safe_dump(_configuration(mailbox[1], "http://127.0.0.1:9")))
    (tmp_path / "logs" / ".forecourt").mkdir(parents=True)
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as sidecar,
        closing(State.open(tmp_path / "logs" / ".forecourt" / "state.db")) as state,
    ):
        state.record_start(CollectorRow(sidecar.pid, "0", {}, 1, None))

        def ends_when_asked() -> None:
            with closing(State.open(tmp_path / "logs" / ".forecourt" / "state.db")) as seen:
                wait_until(lambda: records.commands(seen, 0, ["send"]), "nobody has asked")
            sidecar.kill()

        ending = threading.Thread(target=ends_when_asked)
        ending.start()
        said = run("alerts", "send", "--channel", "email", "--message", "x", "--config", str(path), code=1)
        ending.join()
    assert said == "Error: the sidecar ended before it answered; see its log, then ask again\n"
    assert mailbox[0].mails == []
