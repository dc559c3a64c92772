"""Attacks as a running sidecar sees them: over OTLP, through its checkpoint, to alerts and commands."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from operations.cli import main
from tests.support.sidecar import Sidecar

SECONDS = 40.0
JSON = {"Content-Type": "application/json"}


def _attributes(given: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = {int: "intValue", str: "stringValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in given.items()]


def _resource() -> dict[str, Any]:
    return {"attributes": _attributes({"service.name": "app"})}


def _logins(user: str, address: str, outcomes: Iterable[str]) -> bytes:
    """As the library sends them, a moment ago."""
    now = time.time_ns()
    records = [
        {
            "timeUnixNano": str(now - 1_000_000_000 + number),
            "severityNumber": 9,
            "body": {"stringValue": f"fossa.auth.login {outcome}"},
            "eventName": "fossa.auth.login",
            "attributes": _attributes(
                {
                    "event.name": "fossa.auth.login",
                    "event.outcome": outcome,
                    "user.id": user,
                    "client.address": address,
                }
            ),
        }
        for number, outcome in enumerate(outcomes)
    ]
    return json.dumps({"resourceLogs": [{"resource": _resource(), "scopeLogs": [{"logRecords": records}]}]}).encode()


def _refusals(address: str, paths: Iterable[str]) -> bytes:
    """As that backend answers unknown paths: 401."""
    now = time.time_ns()
    spans = [
        {
            "traceId": f"{number + 1:032x}",
            "spanId": f"{number + 1:016x}",
            "name": "GET",
            "kind": 2,
            "startTimeUnixNano": str(now - 2_000_000_000 + number),
            "endTimeUnixNano": str(now - 1_000_000_000 + number),
            "attributes": _attributes(
                {
                    "http.request.method": "GET",
                    "http.response.status_code": 401,
                    "url.path": path,
                    "client.address": address,
                }
            ),
        }
        for number, path in enumerate(paths)
    ]
    return json.dumps({"resourceSpans": [{"resource": _resource(), "scopeSpans": [{"spans": spans}]}]}).encode()


def _send(sidecar: Sidecar, path: str, body: bytes) -> None:
    connection = sidecar.connect()
    connection.request("POST", path, body, JSON)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read() or b"{}")) == (200, {})
    connection.close()


def _firing(sidecar: Sidecar) -> dict[str, dict[str, Any]]:
    """What is published now, of security, by rule."""
    with sqlite3.connect(f"file:{sidecar.logs}/.forecourt/state.db?mode=ro", uri=True) as state:
        row = state.execute("SELECT content FROM evaluations").fetchone()
    published = json.loads(row[0]) if row else []
    return {one["rule"]: one for one in published if one["rule"].startswith("security.") and one["status"] == "firing"}


def _wait_for(sidecar: Sidecar, rules: set[str]) -> dict[str, dict[str, Any]]:
    deadline = time.monotonic() + SECONDS
    while not rules <= (found := _firing(sidecar)).keys():
        assert time.monotonic() < deadline, f"{sorted(found)} fire, expected {sorted(rules)}: {sidecar.output[-5:]}"
        time.sleep(0.2)
    return found


def test_an_attack_is_told_live_outlives_a_kill_and_is_explained(tmp_path: Path) -> None:
    """Guessing that gets in; the alert goes on after a crash; commands say the same of the records."""
    sidecar = Sidecar(tmp_path)
    with sidecar:
        _send(sidecar, "/v1/logs", _logins("jo", "2001:db8::1", ["failure"] * 6))
        found = _wait_for(sidecar, {"security.guessing.user", "security.guessing.address"})
        assert found["security.guessing.address"]["key"] == {"client.address": "2001:db8::/64"}
        assert found["security.guessing.address"]["severity"] == "high"
        assert found["security.guessing.user"]["summary"] == "6 failed logins as jo"
        sidecar.kill()
    with sidecar:
        # The graces of a restart hold nothing back that was told before; what is new waits two minutes.
        assert _wait_for(sidecar, {"security.guessing.address"})["security.guessing.address"]["samples"] == 6
        _send(sidecar, "/v1/logs", _logins("jo", "2001:db8::2", ["success"]))
        config = ("--config", str(sidecar.configuration))
        deadline = time.monotonic() + SECONDS
        while True:
            told = CliRunner().invoke(main, ["security", "anomalies", "auth", "--json", *config])
            rules = {one["rule"]: one for one in json.loads(told.stdout)["episodes"]}
            if "security.breach" in rules:
                break
            assert time.monotonic() < deadline, told.output
            time.sleep(0.3)
        assert rules["security.breach"]["key"] == {"user.id": "jo", "client.address": "2001:db8::/64"}
        assert rules["security.breach"]["severity"] == "critical"
        alerts = [line for line in sidecar.records("alerts") if line["rule"] == "security.guessing.address"]
        assert [line["status"] for line in alerts if "status" in line and "decision" not in line] == ["firing"]


def test_scanning_is_told_and_no_failed_login(tmp_path: Path) -> None:
    """That backend answers 401 to every unknown path."""
    with Sidecar(tmp_path) as sidecar:
        _send(sidecar, "/v1/traces", _refusals("198.51.100.9", (f"/.env{number}" for number in range(45))))
        found = _wait_for(sidecar, {"security.scanning"})
        assert set(found) == {"security.scanning"}
        assert (found["security.scanning"]["value"], found["security.scanning"]["severity"]) == (45.0, "medium")
        told = CliRunner().invoke(main, ["security", "anomalies", "access", "--config", str(sidecar.configuration)])
        assert "198.51.100.9 asked for 45 paths that it was refused or that are not there" in told.stdout
        checked = CliRunner().invoke(main, ["check", "security", "--config", str(sidecar.configuration)])
        assert checked.exit_code == 1
        assert "WARNING: security.scanning {client.address=198.51.100.9} is 45" in checked.stdout
