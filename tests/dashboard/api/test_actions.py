"""What people change through the API: who may, what it is answered with, and what is written down."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alerting import records
from storage import State, audit
from storage.names import OWN_FOLDER
from storage.state import CollectorRow
from tests.dashboard.api.asking import NANO, OPERATOR, VIEWER, Client, site_of
from tests.support.incident import START, Incident

NOW = START + 1100


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """What a sidecar left that has stopped: one alert firing, one over, one silenced."""
    incident = Incident().fire("down", "critical").fire("disk", "medium").until(100)
    incident.end("disk").until(1000).silence("s1", 5000, "alertname = slow").fire("slow").until(1100)
    (tmp_path / OWN_FOLDER).mkdir()
    with closing(_state(tmp_path)) as state:
        records.save(incident.dispatcher, state)
        silence = incident.dispatcher.silences.muting({"alertname": "slow"}, NOW * NANO)
        assert silence is not None
        records.save_silence(state, silence)
    return tmp_path


@pytest.fixture
def operator(logs: Path) -> Iterator[Client]:
    with Client(site_of(logs, now=NOW, alerting=Incident().settings), OPERATOR) as client:
        yield client


def _state(logs: Path) -> State:
    return State.open(logs / OWN_FOLDER / "state.db")


def _written(logs: Path) -> list[tuple[str, str, str, str]]:
    with closing(_state(logs)) as state:
        return [(one.by_whom, one.address, one.action, one.outcome) for one in audit.entries(state, 10)[::-1]]


def _sent(client: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    content = None if body is None else json.dumps(body)  # which writes a lone surrogate as an escape
    response = client.request(method, f"/api/v1{path}", content=content, headers={"Content-Type": "application/json"})
    return response.status_code, response.json()


def _id(client: Client, rule: str) -> str:
    found = client.asked("/alerts", ended="true")["alerts"]
    return str(next(one["id"] for one in found if one["rule"] == rule))


def test_alerts_are_listed_and_told_with_their_stories(operator: Client) -> None:
    """What fires the worst first, with who was told; then one, its story, and every episode."""
    answer = operator.asked("/alerts")
    assert (answer["running"], answer["left_out"], answer["waiting"]) == (False, 0, [])
    assert [(one["name"], one["status"], one["severity"], one["receivers"]) for one in answer["alerts"]] == [
        ("down {service.name=app}", "firing", "critical", {"mail": "critical", "phone": "critical"}),
        ("slow {service.name=app}", "firing", "high", {}),
    ]
    number = _id(operator, "down")
    assert operator.asked(f"/alerts/{number}") == answer["alerts"][0]
    story = operator.asked(f"/alerts/{number}/story")
    assert [one["outcome"] for one in story["story"]] == ["firing", "notified", "sent", "sent", "repeated too soon"]
    assert (story["alert"], story["earlier"]) == (answer["alerts"][0], 0)
    assert operator.asked(f"/alerts/{number}/story", limit=2)["earlier"] == 3
    episodes = operator.asked("/alerts/history")["episodes"]
    assert [(one["rule"], one["severity"], one["ended"] is None, one["notified"]) for one in episodes] == [
        ("slow", "high", True, 0),
        ("down", "critical", True, 1),
        ("disk", "medium", False, 1),
    ]
    assert operator.asked("/alerts/0000000000", code=404)["error"].startswith("no alert 0000000000 is known")


def test_an_alert_is_acknowledged(logs: Path, operator: Client) -> None:
    """By whoever the token belongs to; only what fires can be."""
    down, disk = _id(operator, "down"), _id(operator, "disk")
    assert _sent(operator, "POST", f"/alerts/{down}/acknowledge", {"note": "on it"}) == (
        200,
        {"told": "down {service.name=app}: acknowledged"},
    )
    with closing(_state(logs)) as state:
        (taken,) = records.acknowledgements(state)
    assert (taken.alert, taken.by, taken.note) == (down, "olga", "on it")
    status, refused = _sent(operator, "POST", f"/alerts/{disk}/acknowledge", {})
    assert (status, refused["error"].endswith("only what fires can be acknowledged")) == (409, True)
    assert _sent(operator, "POST", "/alerts/nobody/acknowledge", {})[0] == 404
    assert _written(logs) == [("olga", "127.0.0.1", "acknowledge", "ok")]
    (entry,) = operator.asked("/audit")["entries"]
    assert (entry["by_whom"], entry["role"], entry["action"], entry["detail"]["note"]) == (
        "olga",
        "operate",
        "acknowledge",
        "on it",
    )


def test_a_silence_is_made_and_ended(logs: Path, operator: Client) -> None:
    """It lasts as long as was said, and no longer than somebody wants it."""
    given = {"matchers": ['alertname = "disk"'], "seconds": 3600, "comment": "works"}
    status, made = _sent(operator, "POST", "/silences", given)
    assert (status, made["kind"], made["matchers"], made["created_by"], made["comment"]) == (
        201,
        "silence",
        ['alertname = "disk"'],
        "olga",
        "works",
    )
    assert (made["starts"], made["ends"]) == ("2026-11-23T12:18:20.000000000Z", "2026-11-23T13:18:20.000000000Z")
    assert made in operator.asked("/silences")["silences"]
    assert _sent(operator, "DELETE", f"/silences/{made['id']}") == (200, {"told": f"ended: {made['what']}"})
    assert made["id"] not in {one["id"] for one in operator.asked("/silences")["silences"]}
    assert made["id"] in {one["id"] for one in operator.asked("/silences", ended="true")["silences"]}
    assert _sent(operator, "DELETE", f"/silences/{made['id']}") == (
        404,
        {"error": f"no silence {made['id']} is in force"},
    )
    assert [one[2:] for one in _written(logs)] == [("silence", "ok"), ("end silence", "ok")]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"seconds": 60}, 409, "say what to keep quiet: at least one matcher, for example alertname = host.disk"),
        ({"kind": "emergency", "seconds": 90_000}, 409, "for how long: "),
        ({"kind": "maintenance", "matchers": ["a = b"], "seconds": 60}, 409, "maintenance quietens everything"),
        ({"matchers": ["disk"], "seconds": 60}, 422, "body.matchers.0: Value error, 'disk' is not a matcher"),
        ({"matchers": ["a =~ x{99999999999}"], "seconds": 60}, 422, "body.matchers.0: Value error, 'a =~ x"),
        ({"matchers": ["a =~ ("], "seconds": 60}, 422, "body.matchers.0: Value error, 'a =~ ('"),
        ({"matchers": ["a = b"], "seconds": 0}, 422, "body.seconds: Input should be greater than or equal to 1"),
        ({"matchers": ["a = b"]}, 422, "body.seconds: Field required"),
        ({"matchers": ["a = b"], "seconds": 60, "coment": ""}, 422, "body.coment: Extra inputs are not permitted"),
        ({"matchers": ["a = b"], "seconds": 60, "comment": "\ud800"}, 422, "body.comment: Input should be a valid"),
        ([], 422, "body: "),
    ],
)
def test_a_silence_that_cannot_be_is_refused(logs: Path, operator: Client, body: Any, status: int, error: str) -> None:
    """With what was expected, and nothing is kept quiet."""
    before = operator.asked("/silences", ended="true")
    answered, told = _sent(operator, "POST", "/silences", body)
    assert (answered, told["error"][: len(error)]) == (status, error)
    assert operator.asked("/silences", ended="true") == before
    assert _written(logs) == []


def test_a_channel_is_tested_by_the_sidecar(logs: Path, operator: Client) -> None:
    """What the channel really answered; without a sidecar it is said what to start."""
    status, told = _sent(operator, "POST", "/channels/mail/test", {"severity": "high"})
    assert (status, told["error"].endswith("forecourt collector")) == (409, True)
    assert _sent(operator, "POST", "/channels/nobody/test", {}) == (404, {"error": "no receiver nobody is configured"})
    with closing(_state(logs)) as state:
        state.record_start(CollectorRow(os.getpid(), "1", {}, NOW * NANO, None))
    sidecar = threading.Thread(target=_answer_one, args=(logs,))
    sidecar.start()
    answered = _sent(operator, "POST", "/channels/mail/test", {"severity": "high"})
    sidecar.join(20)
    assert answered == (200, {"answers": [{"receiver": "mail", "ok": False, "answer": "refused"}]})
    assert [one[2:] for one in _written(logs)] == [("test channel", "ok")]


def _answer_one(logs: Path) -> None:
    with closing(_state(logs)) as state:
        asked: list[Any] = []
        while not asked:
            asked = records.commands(state, 0, ("send",))
        (command,) = asked
        assert (command.arguments["channel"], command.arguments["severity"]) == ("mail", "high")
        records.answer(state, command.id, [{"receiver": "mail", "ok": False, "answer": "refused"}], NOW * NANO)


CHANGES: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/alerts/x/acknowledge", {}),
    ("POST", "/silences", {"matchers": ["a = b"], "seconds": 60}),
    ("DELETE", "/silences/s1", None),
    ("POST", "/channels/mail/test", {}),
)


@pytest.mark.parametrize(("method", "path", "body"), CHANGES, ids=[path for _, path, _ in CHANGES])
def test_only_who_may_operate_changes_anything(logs: Path, method: str, path: str, body: Any) -> None:
    """Who may only look is told so; who is nobody is asked for a token."""
    site = site_of(logs, now=NOW, alerting=Incident().settings)
    viewer = Client(site, VIEWER)
    refused = "viktor may look, and not change anything: that needs the role operate"
    assert _sent(viewer, method, path, body) == (403, {"error": refused})
    for token in ("", "a-token-of-nobody-at-all"):
        assert _sent(Client(site, token), method, path, body) == (401, {"error": "log in, or send a user's token"})
    assert [one["id"] for one in viewer.asked("/silences")["silences"]] == ["s1"]


def test_who_may_look_sees_all_but_the_audit(logs: Path) -> None:
    """Who changed what is for those who may change something."""
    site = site_of(logs, now=NOW)
    assert len(Client(site, VIEWER).asked("/alerts")["alerts"]) == 2
    assert Client(site, VIEWER).asked("/audit", code=403) == {"error": "who changed what is for the role operate"}
    assert Client(site, "").asked("/alerts", code=401) == {"error": "log in, or send a user's token"}
    assert Client(site, "").asked("/openapi.json", code=401) == {"error": "log in, or send a user's token"}


def test_the_audit_is_read_page_by_page(logs: Path, operator: Client) -> None:
    """Newest first."""
    for number in range(3):
        assert _sent(operator, "POST", "/silences", {"matchers": [f"a = {number}"], "seconds": 60})[0] == 201
    first = operator.asked("/audit", limit=2)
    second = operator.asked("/audit", limit=2, before=first["next"])
    told = [one["detail"]["what"] for one in (*first["entries"], *second["entries"])]
    assert [text.split("a = ")[1][:1] for text in told] == ["2", "1", "0"]
    assert second["next"] is None
    assert len(_written(logs)) == 3
