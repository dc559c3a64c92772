"""What is done on the pages can be read later, by whom and from where."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from alerting.settings import AlertingSettings
from collector.notifier import Notifier
from dashboard.access import audit
from dashboard.access.identity import Identity
from storage import State
from storage.audit import AuditEntry
from tests.dashboard.access.visiting import NANO, NOW, Clock, site_of, written
from tests.support.notifying import wait

OLGA = Identity("olga", "operate", "a-secret", logged_in=True)
DAY = 86_400


def test_an_action_is_a_row(tmp_path: Path) -> None:
    """Of its time, and without anything of the session."""
    site = site_of(tmp_path)
    audit.record(site, OLGA, "192.0.2.1", "silence", {"silence": "s1", "seconds": 60, "of": ["a", "b"]}, "ok")
    assert written(site) == [
        AuditEntry(
            NOW, "olga", "operate", "192.0.2.1", "silence", {"silence": "s1", "seconds": 60, "of": ["a", "b"]}, "ok", 1
        )
    ]
    assert b"a-secret" not in (site.own_folder / "state.db").read_bytes()


def test_rows_are_read_page_by_page(tmp_path: Path) -> None:
    """The newest first; each page begins before the last row of the one before."""
    site = site_of(tmp_path)
    for number in range(5):
        audit.record(site, OLGA, "", f"action {number}", {}, "ok")
    state = State.open(site.own_folder / "state.db")
    first = audit.entries(state, 2)
    pages = [first, audit.entries(state, 2, first[-1].id), audit.entries(state, 2, 2), audit.entries(state, -1)]
    state.close()
    assert [[row.action for row in page] for page in pages] == [
        ["action 4", "action 3"],
        ["action 2", "action 1"],
        ["action 0"],
        [],
    ]


def test_hostile_content_is_written_short_and_plain(tmp_path: Path) -> None:
    """Megabytes, control characters, half a character, what JSON has no form for: one row of a few kilobytes."""
    site = site_of(tmp_path)
    detail = {
        "long": "x" * 5_000_000,
        "escape": "\x1b[2J\r\n\u202edone",
        "half": "\ud800",
        "huge": 2**80,
        "nan": float("nan"),
        "bytes": b"\xff",
        "deep": {"a": {"b": {"c": {"d": 1}}}},
        "many": list(range(1000)),
        "k" * 1000: None,
        **{f"more {number}": number for number in range(1000)},
    }
    audit.record(site, Identity("o\nlga", "view", "", logged_in=True), "a" * 5000, "b" * 5000, detail, "c" * 5000)
    (row,) = written(site)
    assert (row.by_whom, len(row.address), len(row.action), len(row.outcome)) == ("o lga", 100, 100, 500)
    assert len(row.detail) == 20
    assert {name: row.detail[name] for name in ("escape", "half", "huge", "nan", "bytes", "deep")} == {
        "escape": "[2J done",
        "half": "",
        "huge": str(2**80),
        "nan": None,
        "bytes": r"b'\xff'",
        "deep": {"a": "{'b': {'c': {'d': 1}}}"},
    }
    assert (len(row.detail["long"]), row.detail["many"]) == (500, list(range(20)))
    assert len(json.dumps(dict(row.detail))) < 5000


@pytest.mark.parametrize("problem", ["missing", "garbage", "newer"])
def test_where_no_row_can_be_written_the_log_has_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, problem: str
) -> None:
    """As over an archive; nothing is made there, and nobody is kept from what they do."""
    site = site_of(tmp_path, state=False)
    path = site.own_folder / "state.db"
    path.parent.mkdir()
    if problem != "missing":
        path.write_bytes(b"no database at all, but long enough to be looked at as one" * 20)
    if problem == "newer":
        path.unlink()
        State.open(path).close()
        state = State.open(path)
        state.rows("PRAGMA user_version = 999")
        state.close()
    with caplog.at_level(logging.WARNING):
        audit.record(site, OLGA, "192.0.2.1", "log\nin", {"a": "b\nc"}, "ok")
    (told,) = [one.getMessage() for one in caplog.records]
    assert told.startswith(
        f'audit: {{"time_unix_nano":{NOW},"by_whom":"olga","role":"operate","address":"192.0.2.1","action":"log in",'
        '"detail":{"a":"b c"},"outcome":"ok","id":0} (not in the state database: '
    )
    assert path.exists() == (problem != "missing")


def test_rows_of_a_read_only_database_are_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that was mounted to be looked at."""
    site = site_of(tmp_path)
    opened = State.open

    def read_only(path: Path) -> State:
        state = opened(path)
        state.rows("PRAGMA query_only = 1")
        return state

    monkeypatch.setattr(State, "open", read_only)
    with caplog.at_level(logging.WARNING):
        audit.record(site, OLGA, "", "log in", {}, "ok")
    assert "attempt to write a readonly database" in caplog.text
    assert written(site) == []


def test_rows_are_kept_for_ninety_days(tmp_path: Path) -> None:
    """The collector drops older ones, once a day."""
    clock = Clock()
    site = site_of(tmp_path, clock)
    for _ in range(3):
        audit.record(site, OLGA, "", "log in", {}, "ok")
        clock.forward(30 * DAY)
    clock.forward(1)
    notifier = Notifier(AlertingSettings(routes={}), {}, {}, tmp_path, clock=clock)
    notifier.start()
    wait(lambda: len(written(site)) < 3)
    notifier.finish()
    assert [row.time_unix_nano for row in written(site)] == [NOW + 30 * DAY * NANO, NOW + 60 * DAY * NANO]
