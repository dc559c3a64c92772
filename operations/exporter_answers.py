"""How far each exporter is, and what was set aside: `forecourt store exporters`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import orjson

from collector.exporting.measures import lag_seconds
from operations.alert_state import folder_of, loaded, opened
from operations.tables import lasted, moment, show_table
from processors.evaluation import format_value
from storage import State, exporter_rows
from storage.exporter_rows import ExporterRow, SetAside

_COLUMNS = ("exporter", "signal", "sent", "waiting", "behind", "set aside", "dropped", "last sent", "last problem")
_MOST_SHOWN = 20
_NONE = "no exporter is configured, or no collector has run with it yet. See docs/exporting.md"


def tell_exporters(*, retry: str | None, config: Path | None, logs: Path | None, as_json: bool) -> None:
    """Raise click.ClickException when nobody has run there, or the state database refuses."""
    with opened(folder_of(loaded(config), logs)) as state:
        if retry is not None:
            click.echo(_tried_again(state, retry))
            return
        rows, aside = exporter_rows.rows(state), exporter_rows.all_set_aside(state)
        lives = state.collector_lives()
    now = time.time_ns()
    if as_json:
        click.echo(orjson.dumps(_content(rows, aside, now), option=orjson.OPT_INDENT_2))
    else:
        _show(rows, aside, now)
        if not lives:
            click.echo("the sidecar is not running: what is not sent waits for its next start")


def _tried_again(state: State, exporter: str) -> str:
    known = sorted({row.exporter for row in exporter_rows.rows(state)})
    if exporter not in known:
        raise click.UsageError(f"no exporter {exporter!r} here, expected one of {', '.join(known) or 'none'}")
    parts = len(exporter_rows.all_set_aside(state, exporter))
    count = exporter_rows.try_again(state, exporter)
    return f"{count} records in {parts} parts are sent again" if parts else "nothing was set aside"


def _content(rows: Iterable[ExporterRow], aside: Iterable[SetAside], now: int) -> dict[str, Any]:
    return {
        "exporters": [{**row._asdict(), "lag_seconds": lag_seconds(row, now)} for row in rows],
        "set_aside": [part._asdict() for part in aside],
    }


def _show(rows: list[ExporterRow], aside: list[SetAside], now: int) -> None:
    if not rows:
        click.echo(_NONE)
        return
    show_table(
        _COLUMNS,
        [
            (
                row.exporter,
                row.stream,
                f"{row.sent_records:,}",
                format_value(float(row.waiting_bytes), "By"),
                lasted(lag_seconds(row, now)) if lag_seconds(row, now) >= 1 else "",
                f"{row.set_aside_records + row.rejected_records:,}",
                f"{row.dropped_records:,}",
                _moment(row.sent_unix_nano),
                f"{_moment(row.problem_unix_nano)} {row.problem}".strip(),
            )
            for row in rows
        ],
        right=_COLUMNS[2:7],
        spare=("dropped", "last sent"),
    )
    for part in aside[-_MOST_SHOWN:]:
        place = f"{part.stream}/{part.segment} bytes {part.start} to {part.stop}"
        click.echo(f"set aside by {part.exporter}: {part.records} records, {place}: {part.reason}")
    if len(aside) > _MOST_SHOWN:
        click.echo(f"and {len(aside) - _MOST_SHOWN} parts before them; all with --json")
    if aside:
        click.echo("once the reason is mended: forecourt store exporters --retry NAME")


def _moment(unix_nano: int) -> str:
    return moment(unix_nano) if unix_nano else ""
