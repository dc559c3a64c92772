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
from storage.ranges import WHOLE

_COLUMNS = (
    *("exporter", "signal", "sent", "left out", "waiting", "behind", "set aside", "rejected", "dropped"),
    *("last sent", "last problem"),
)
_RARE = {"left out": "sampled_out_records", "rejected": "rejected_records"}
"""Columns that are shown where there is something to count."""
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
        kinds = ("set_aside", "rejected", "dropped")
        aside, rejected, dropped = (sum(row[f"{kind}_records"] for row in signals) for kind in kinds)
        told = [
            f"{behind} behind with {late['stream']}" if behind else "up to date",
            f"{aside:,} records set aside" if aside else "",
            f"{rejected:,} rejected" if rejected else "",
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
    told = "1 part" if parts == 1 else f"{parts:,} parts"
    return f"sent again: {_records(count)} of {told}" if parts else "nothing was set aside"


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
    empty = {title for title, count in _RARE.items() if not any(getattr(row, count) for row in rows)}
    columns = [title for title in _COLUMNS if title not in empty]
    cells = [_cells(row, now, lives=lives) for row in rows]
    show_table(
        columns,
        [[one[title] for title in columns] for one in cells],
        right=columns[2:-2],
        spare=("dropped", "last sent"),
    )
    for row in rows:
        if row.unreadable_records:
            lines = f"{row.unreadable_records:,} lines of {row.stream}"
            click.echo(f"passed over by {row.exporter}: {lines}, which hold no record")
    for part in aside[-_MOST_SHOWN:]:
        click.echo(f"set aside by {part.exporter}: {_place(part)}: {part.reason}")
    if len(aside) > _MOST_SHOWN:
        click.echo(f"and {len(aside) - _MOST_SHOWN} parts before them; all with --json")
    if aside:
        click.echo("once the reason is mended: forecourt store exporters --retry NAME")


def _place(part: SetAside) -> str:
    segment = f"{part.stream}/{part.segment}"
    if part.stop >= WHOLE:
        return f"{segment} from byte {part.start} on"
    return f"{_records(part.records)}, {segment} bytes {part.start} to {part.stop}"


def _cells(row: ExporterRow, now: int, *, lives: bool) -> dict[str, str]:
    return {
        "exporter": row.exporter,
        "signal": row.stream,
        "sent": f"{row.sent_records:,}",
        "left out": f"{row.sampled_out_records:,}",
        "waiting": format_value(float(row.waiting_bytes), "By"),
        "behind": _behind(row, now, lives=lives),
        "set aside": f"{row.set_aside_records:,}",
        "rejected": f"{row.rejected_records:,}",
        "dropped": f"{row.dropped_records:,}",
        "last sent": _moment(row.sent_unix_nano),
        "last problem": f"{_moment(row.problem_unix_nano)} {row.problem}".strip(),
    }


def _behind(row: ExporterRow, now: int, *, lives: bool) -> str:
    """Where nobody sends, that nobody looks says nothing."""
    seconds = lag_seconds(row, now) if lives or row.oldest_unix_nano else 0.0
    return lasted(seconds) if seconds >= 1 else ""


def _moment(unix_nano: int) -> str:
    return moment(unix_nano) if unix_nano else ""
