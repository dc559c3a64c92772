"""`logs errors` and `stats errors`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from alerting.chart import sparkline
from alerting.plain_text import plain
from analysis.errors import ErrorGroup, error_groups
from analysis.json_values import as_json, period_json
from operations.reading import Answer, Following, Reading
from operations.tables import moment, period_text, show_table

_COLUMNS = ("count", "trend", "type", "message", "routes", "first", "last", "trace")


def groups(reading: Reading, service: str | None, limit: int) -> Answer:
    """By type and normalised message, the most frequent first."""
    period = reading.period
    found = [one for one in error_groups(reading.engine, period) if service is None or one.service == service]
    count = sum(one.count for one in found)
    shown = found[:limit]
    content = {**period_json(period), "errors": count, "groups": [_json(one) for one in shown]}

    def show() -> None:
        click.echo(period_text(period))
        if not found:
            click.echo("no errors")
            return
        click.echo(f"{count:,} error{'' if count == 1 else 's'} in {len(found)} group{'' if len(found) == 1 else 's'}")
        show_table(_COLUMNS, map(_row, shown), right=("count",), spare=("first", "routes", "last", "trend"))
        if len(found) > limit:
            click.echo(f"… and {len(found) - limit} more groups; see them with --limit {len(found)}")

    def line(record: Mapping[str, Any]) -> str | None:
        if service is not None and record["service"] != service:
            return None
        told = f"{plain(record['error_type'], 60)}: {plain(record['message'], 200)}"
        on = f"  on {plain(record['route'], 60)}" if record["route"] else ""
        trace = f"  trace {record['trace_id']}" if record["trace_id"] else ""
        return f"{moment(record['time_unix_nano'])}  {told}{on}{trace}"

    return Answer(content, show, following=Following(("errors",), line))


def _json(group: ErrorGroup) -> dict[str, Any]:
    return as_json(
        group,
        routes=dict(group.routes.most_common()),
        example=None if group.example is None else as_json(group.example),
    )


def _row(group: ErrorGroup) -> Sequence[object]:
    named = [route for route, _ in group.routes.most_common(2) if route]
    return (
        f"{group.count:,}",
        sparkline(group.trend),
        plain(group.error_type, 40),
        plain(group.message, 70),
        plain(", ".join(named), 50),
        moment(group.first_unix_nano),
        moment(group.last_unix_nano),
        group.example.trace_id if group.example else "",
    )
