"""`logs show`: log records as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import orjson

from alerting.plain_text import plain
from analysis.json_values import as_json, period_json
from operations.reading import Answer, Following, Reading
from operations.tables import moment, period_text

LEVELS = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "fatal": 21, "critical": 21}
"""The first severity number of each (OpenTelemetry, Logs Data Model)."""

_UNSAID = LEVELS["info"]
"""What a record without a severity counts as."""


def least_severity(level: str) -> int:
    """Raise click.UsageError for a level that there is not."""
    number = LEVELS.get(level.lower())
    if number is None:
        raise click.UsageError(f"--level {level!r}: expected one of {', '.join(LEVELS)}")
    return number


def records(reading: Reading, level: str, contains: str | None, service: str | None, limit: int) -> Answer:
    """The last ones of the period, oldest first."""
    found = _last(reading, level, contains, service, limit)
    content = {**period_json(reading.period), "records": [as_json(one) for one in found]}

    def show() -> None:
        if not found:
            click.echo(f"{period_text(reading.period)}: no records")
        for one in found:
            click.echo(line_of(one))

    def line(record: Mapping[str, Any]) -> str | None:
        body = record["body"] if isinstance(record["body"], str) else orjson.dumps(record["body"]).decode()
        if (record.get("severity_number") or _UNSAID) < least_severity(level) or (contains or "") not in body:
            return None
        if service and record["service"] != service:
            return None
        time = record["time_unix_nano"] or record["observed_time_unix_nano"] or record["received_unix_nano"]
        return line_of({**record, "logger": record["scope"].get("name", ""), "time_unix_nano": time})

    return Answer(content, show, following=Following(("logs",), line))


def _last(reading: Reading, level: str, contains: str | None, service: str | None, limit: int) -> list[dict[str, Any]]:
    rows = reading.engine.sql(
        f"""
        SELECT event_unix_nano, severity, service, body, attr(scope, 'name'), trace_id, attributes, batch_id,
               batch_index
        FROM logs
        WHERE coalesce(nullif(severity_number, 0), {_UNSAID}) >= ?
              AND (? = '' OR contains(body, ?)) AND (? = '' OR service = ?)
        ORDER BY event_unix_nano DESC, batch_id, batch_index DESC LIMIT ?
        """,  # noqa: S608  # our own number
        (least_severity(level), contains or "", contains or "", service or "", service or "", 2 * limit),
        reading.period,
    )
    names = ("time_unix_nano", "severity", "service", "body", "logger", "trace_id", "attributes")
    # What a client sent again is there twice; a line without a batch is itself.
    once = {row[-2:] if row[-2] else number: row for number, row in enumerate(rows)}.values()
    found = [dict(zip(names, row, strict=False)) for row in list(once)[:limit]][::-1]
    for one in found:
        one["attributes"] = orjson.loads(one["attributes"]) if one["attributes"] else {}
    return found


def line_of(record: Mapping[str, Any]) -> str:
    """`2026-11-23 10:30:00 ERROR app app.jobs: no such pump (trace 4bf9…)`."""
    trace = f" (trace {plain(record['trace_id'], 32)})" if record.get("trace_id") else ""
    body = record["body"] if isinstance(record["body"], str) else orjson.dumps(record["body"]).decode()
    severity = plain(record["severity"] or "-", 20)
    service, logger = plain(record["service"], 60), plain(record.get("logger") or "-", 60)
    return f"{moment(record['time_unix_nano'])} {severity:<5} {service} {logger}: {plain(body, 500)}{trace}"
