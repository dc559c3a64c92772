"""How far each exporter is, and what was set aside: `forecourt store exporters`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import orjson

from alerting.plain_text import plain
from operations.alert_state import folder_of, loaded, opened
from operations.tables import lasted, moment, show_table
from processors.evaluation import format_value
from storage import State, exporter_rows
from storage.exporter_rows import ExporterRow, SetAside, lag_seconds

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
        _show(rows, aside, now, lives=lives)
        if rows and not lives:
            click.echo("the sidecar is not running: what is not sent waits for its next start")


def exporters_as_json(rows: Iterable[ExporterRow], now_unix_nano: int) -> list[dict[str, Any]]:
    """All that is known of each, and `lag_seconds`."""
    return [{**row._asdict(), "lag_seconds": lag_seconds(row, now_unix_nano)} for row in rows]


def exporter_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One line of each exporter, from what `exporters_as_json` gives."""
    for name, own in groupby(rows, lambda row: str(row["exporter"])):
        signals = list(own)
        late = max(signals, key=lambda row: float(row["lag_seconds"]))
        behind = lasted(late["lag_seconds"]) if late["lag_seconds"] >= 1 else ""
        aside, dropped = (sum(row[f"{kind}_records"] for row in signals) for kind in ("set_aside", "dropped"))
        told = [
            f"{behind} behind with {late['stream']}" if behind else "up to date",
            f"{aside:,} records set aside" if aside else "",
            f"{dropped:,} dropped" if dropped else "",
            late["problem"] if late["problem_unix_nano"] > late["sent_unix_nano"] else "",
        ]
        yield plain(f"{name}: {', '.join(filter(None, told))}")


def _tried_again(state: State, exporter: str) -> str:
    known = sorted({row.exporter for row in exporter_rows.rows(state)})
    if exporter not in known:
        raise click.UsageError(f"no exporter {exporter!r} here, expected one of {', '.join(known) or 'none'}")
    parts = len(exporter_rows.all_set_aside(state, exporter))
    count = exporter_rows.try_again(state, exporter)
    return f"sent again: {_records(count)} of {parts:,} parts" if parts else "nothing was set aside"


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count:,} records"


def _content(rows: Iterable[ExporterRow], aside: Iterable[SetAside], now: int) -> dict[str, Any]:
    return {
        "exporters": exporters_as_json(rows, now),
        "set_aside": [part._asdict() for part in aside],
    }


def _show(rows: list[ExporterRow], aside: list[SetAside], now: int, *, lives: bool) -> None:
    if not rows:
        click.echo(_NONE)
        return
    sampled = any(row.sampled_out_records for row in rows)
    columns = (*_COLUMNS[:3], "left out", *_COLUMNS[3:]) if sampled else _COLUMNS
    show_table(
        columns,
        [
            (
                row.exporter,
                row.stream,
                f"{row.sent_records:,}",
                *((f"{row.sampled_out_records:,}",) if sampled else ()),
                format_value(float(row.waiting_bytes), "By"),
                _behind(row, now, lives=lives),
                f"{row.set_aside_records + row.rejected_records:,}",
                f"{row.dropped_records:,}",
                _moment(row.sent_unix_nano),
                f"{_moment(row.problem_unix_nano)} {row.problem}".strip(),
            )
            for row in rows
        ],
        right=columns[2:-2],
        spare=("dropped", "last sent"),
    )
    for part in aside[-_MOST_SHOWN:]:
        place = f"{part.stream}/{part.segment} bytes {part.start} to {part.stop}"
        click.echo(f"set aside by {part.exporter}: {_records(part.records)}, {place}: {part.reason}")
    if len(aside) > _MOST_SHOWN:
        click.echo(f"and {len(aside) - _MOST_SHOWN} parts before them; all with --json")
    if aside:
        click.echo("once the reason is mended: forecourt store exporters --retry NAME")


def _behind(row: ExporterRow, now: int, *, lives: bool) -> str:
    """Where nobody sends, that nobody looks says nothing."""
    seconds = lag_seconds(row, now) if lives or row.oldest_unix_nano else 0.0
    return lasted(seconds) if seconds >= 1 else ""


def _moment(unix_nano: int) -> str:
    return moment(unix_nano) if unix_nano else ""
