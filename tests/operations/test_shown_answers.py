"""What people see of an answer, beside its JSON: bars where the time went, shares, and as many rows as asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner

from operations.cli import main
from tests.support.stored import HOUR, store

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PERIOD = ("--from", "2026-11-23T12:00", "--to", "2026-11-23T13:00")


def shown(folder: Path, command: str) -> list[str]:
    """Without the line that tells the time."""
    done = CliRunner().invoke(main, [*command.split(), "--logs", str(folder), *PERIOD], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()[1:]


def span(number: int, parent: str, start_ms: int, took_ms: int, **given: Any) -> dict[str, Any]:
    start = HOUR + start_ms * 1_000_000
    times = {"time_unix_nano": start, "end_time_unix_nano": start + took_ms * 1_000_000, "duration_ms": float(took_ms)}
    ids = {"trace_id": TRACE, "span_id": f"{number:016x}", "parent_span_id": parent}
    return {**times, **ids, "name": f"step {number}", "kind": "INTERNAL", "status": "UNSET", "attributes": {}, **given}


def test_a_span_s_bar_lies_where_its_time_was(tmp_path: Path) -> None:
    """Of 24 places; each span below its parent, and what failed says so."""
    spans = span(1, "", 0, 1000), span(2, f"{1:016x}", 500, 250), span(3, f"{1:016x}", 990, 10, status="ERROR")
    store(tmp_path, "traces", *spans)
    assert shown(tmp_path, f"logs trace {TRACE}") == [
        f"{'█' * 24}      1 s  step 1",
        f"{' ' * 12}{'█' * 6}         250 ms    step 2",
        f"{' ' * 23}█    10 ms    step 3  failed",
    ]


def test_the_share_that_failed_is_of_its_uses(tmp_path: Path) -> None:
    """One of four requests is a quarter, whatever else was used."""
    told = {"method": "GET", "response_time": 0.1}
    mine = [{**told, "route": "/a", "status_code": status} for status in (500, 200, 200, 200)]
    store(tmp_path, "performance", *mine, {**told, "route": "/b", "status_code": 200})
    _, *rows = shown(tmp_path, "stats features")
    assert [row.split()[1:6] for row in rows] == [
        ["/a", "route", "4", "80", "%"],
        ["/b", "route", "1", "20", "%"],
    ]
    assert [" ".join(row.split()[6:8]) for row in rows] == ["25 %", "0 %"]


def test_logins_are_shown_of_as_many_as_asked_for(tmp_path: Path) -> None:
    """Those with the most failures; all are counted above."""
    tries = [("anna", "192.0.2.1"), ("anna", "192.0.2.1"), ("bert", "192.0.2.2")]
    told = {"event": "auth.login", "outcome": "failure", "trace_id": ""}
    attributes = ({"user.id": user, "client.address": address} for user, address in tries)
    store(tmp_path, "security", *({**told, "attributes": one} for one in attributes))
    counted, _, address, _, user = shown(tmp_path, "security auth --limit 1")
    assert counted == "0 logins succeeded, 3 failed"
    assert [line.split()[:3] for line in (address, user)] == [["192.0.2.1", "2", "0"], ["anna", "2", "0"]]
