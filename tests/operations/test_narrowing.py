"""Options that narrow an answer down leave out all else, in what is recorded and in what is followed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from operations import reading
from operations.cli import main
from storage.following import Follower
from tests.support.stored import store

PERIOD = ("--from", "2026-11-23T12:00", "--to", "2026-11-23T13:00")
Asked = Callable[..., Any]


def request(route: str, seconds: float, service: str = "app") -> dict[str, Any]:
    return {"method": "GET", "route": route, "status_code": 200, "response_time": seconds, "service": service}


def error(number: int, service: str) -> dict[str, Any]:
    kinds = {"error_type": f"Kind{number}", "message": f"fault {number}", "route": "/", "source": "log"}
    return {**kinds, "trace_id": "", "service": service}


def said(body: str, severity: int, service: str = "app", **given: Any) -> dict[str, Any]:
    told = {"severity": "X", "severity_number": severity, "body": body, "trace_id": "", "attributes": {}}
    return {**told, "service": service, "scope": {"name": "log"}, "observed_time_unix_nano": 1, **given}


def query(text: str, milliseconds: float, kind: str = "CLIENT") -> dict[str, Any]:
    attributes = {"db.system.name": "sqlite", "db.query.text": text}
    return {"kind": kind, "duration_ms": milliseconds, "attributes": attributes, "name": "q", "trace_id": "a" * 32}


def happened(event: str) -> dict[str, Any]:
    return {"event": event, "outcome": "success", "attributes": {}, "trace_id": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store(tmp_path, "performance", request("/a", 0.5), request("/ab", 1.5), request("/b", 2.5, "shop"))
    store(tmp_path, "errors", *[error(number, "shop" if number % 2 else "app") for number in range(5)])
    bodies = [("no pump", 17), ("a pump", 9), ("pump of none", 0), ("pump in trace", 1)]
    store(tmp_path, "logs", *(said(body, level) for body, level in bodies), said("pump", 17, "shop"))
    queries = (query("SELECT 1", 50.0), query("SELECT 2 FROM a", 150.0), query("SELECT 3 FROM b", 150.0, "SERVER"))
    store(tmp_path, "traces", *queries)
    store(tmp_path, "business", *map(happened, ("fossa.work_order.sync", "fossa.work_orders", "work_order")))
    return tmp_path


def ask(folder: Path, command: str) -> Any:
    done = CliRunner().invoke(
        main, [*command.split(), "--json", "--logs", str(folder), *PERIOD], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return orjson.loads(done.stdout)


@pytest.mark.parametrize(
    ("options", "routes"),
    [("--service sho", ["/b"]), ("--route b", ["/ab", "/b"]), ("--service app --route b", ["/ab"]), ("--route c", [])],
)
def test_response_times_of_a_service_and_a_route(folder: Path, options: str, routes: list[str]) -> None:
    """By a part of their names, both at once too; all requests stay above them."""
    told = ask(folder, f"stats response-times {options}")
    assert (sorted(one["route"] for one in told["routes"]), told["all"]["requests"]) == (routes, 3)


@pytest.mark.parametrize("command", ["stats errors", "logs errors"])
def test_errors_of_a_service_and_as_many_as_asked_for(folder: Path, command: str) -> None:
    """They are counted without those of others, and what is not shown is counted too."""
    told = ask(folder, f"{command} --service app --limit 2")
    assert (told["errors"], [one["service"] for one in told["groups"]]) == (3, ["app", "app"])
    given = [*command.split(), "--service", "app", "--limit", "2", "--logs", str(folder), *PERIOD]
    shown = CliRunner().invoke(main, given).stdout
    assert shown.endswith("… and 1 more groups; see them with --limit 3\n")


@pytest.mark.parametrize(
    ("options", "bodies"),
    [
        ("--level trace", ["no pump", "a pump", "pump of none", "pump in trace", "pump"]),
        ("", ["no pump", "a pump", "pump of none", "pump"]),
        ("--level error --service app", ["no pump"]),
        ("--contains pump.of", []),
        ("--contains no --service app", ["no pump", "pump of none"]),
        ("--limit 2", ["pump of none", "pump"]),
    ],
)
def test_log_records_by_level_text_and_service(folder: Path, options: str, bodies: list[str]) -> None:
    """One without a level counts as INFO; the last ones of so many, oldest first."""
    assert [one["body"] for one in ask(folder, f"logs show {options}")["records"]] == bodies


def test_a_record_that_was_sent_again_is_shown_once(tmp_path: Path) -> None:
    """The same batch and place; what has no batch is itself."""
    sent = [said("twice", 9, batch_index=7)] * 2
    store(tmp_path, "logs", *sent, *[said("by hand", 9, batch_id=None, batch_index=None)] * 2)
    assert [one["body"] for one in ask(tmp_path, "logs show")["records"]] == ["twice", "by hand", "by hand"]


@pytest.fixture
def followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The lines that come after the answer: all that lies there, as if it came just now."""
    plain = Follower.__init__

    def from_the_beginning(self: Follower, place: Path, streams: tuple[str, ...]) -> None:
        plain(self, place, streams)
        self._known = {stream: {} for stream in streams}

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Follower, "__init__", from_the_beginning)

    def follow(command: str) -> list[str]:
        before = CliRunner().invoke(main, [*command.split(), "--last", "1s", "--logs", str(folder)]).stdout
        monkeypatch.setattr(reading, "time", SimpleNamespace(**{**vars(time), "sleep": interrupted}))
        given = [*command.split(), "--last", "1s", "--follow", "--logs", str(folder)]
        return CliRunner().invoke(main, given, catch_exceptions=False).stdout.splitlines()[len(before.splitlines()) :]

    return follow


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        ("logs performance --threshold 1500ms", ["GET /b"]),
        ("logs performance --threshold 1s", ["GET /ab", "GET /b"]),
        ("logs errors --service shop", ["fault 1", "fault 3"]),
        ("logs show --level warn --service app", ["log: no pump"]),
        ("logs show --contains none", ["log: pump of none"]),
        ("logs slow-queries --threshold 100ms", ["SELECT ? FROM a"]),
        ("logs business --event work_order", ["fossa.work_order.sync", "work_order"]),
        ("logs business --event fossa.work_orders", ["fossa.work_orders"]),
    ],
)
def test_what_is_followed_is_narrowed_down_too(followed: Asked, command: str, seen: list[str]) -> None:
    """A line for each record that the answer would have had."""
    lines = followed(command)
    assert [told in line for told, line in zip(seen, lines, strict=True)] == [True] * len(seen)
