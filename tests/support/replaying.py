"""`forecourt replay` over an hour of spans and log records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from operations.cli import main
from tests.support.stored import HOUR

SECOND = 1_000_000_000
WHOLE = ("--from", "2026-11-23T12:00", "--to", "2026-11-23T13:00")


def span(number: int, **given: Any) -> dict[str, Any]:
    """It happened so many seconds after the hour, and arrived a second later."""
    time = HOUR + number * SECOND
    return {
        "time_unix_nano": time,
        "received_unix_nano": time + SECOND,
        "name": f"span {number}",
        "kind": "SERVER",
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "end_time_unix_nano": time + 1,
        "status": "UNSET",
        "attributes": {},
        "resource": {"attributes": {"service.name": given.get("service", "app")}},
        "scope": {"name": "test"},
        **given,
    }


def log(number: int, **given: Any) -> dict[str, Any]:
    made = {**span(number), "body": f"log {number}", "severity_number": 9, "severity": "INFO"}
    return {**made, "observed_time_unix_nano": made["time_unix_nano"], **given}


def replayed(endpoint: str, logs: Path, *arguments: str, period: Sequence[str] = WHOLE) -> Result:
    given = ["replay", "--to-endpoint", endpoint, "--logs", str(logs), *period, *arguments]
    return CliRunner().invoke(main, given, catch_exceptions=False)


def summary(done: Result) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(done.stdout)
    return told
