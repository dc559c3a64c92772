"""What a replay tells at its end, for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
import orjson

from alerting.plain_text import plain
from analysis.period import NANO, Period
from operations.replaying.replay import Result


@dataclass(frozen=True, slots=True)
class Ended:
    """`problem` is why it ended early, empty when it did not; `before` what earlier runs had sent, by signal."""

    result: Result
    endpoint: str
    period: Period
    shift_nano: int
    requests: int
    bytes: int
    seconds: float
    before: Mapping[str, int]
    problem: str
    dry_run: bool

    @property
    def records_per_second(self) -> float:
        return self.result.delivery.records / self.seconds if self.seconds > 0 else 0.0

    @property
    def exit_code(self) -> int:
        return 1 if self.problem or not self.result.is_whole else 0


def show(ended: Ended, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(_content(ended), option=orjson.OPT_INDENT_2))
        return
    result, delivery = ended.result, ended.result.delivery
    parts = ", ".join(f"{signal} {count:,}" for signal, count in result.records.items() if count)
    records = f"{_counted(delivery.records, 'record')}{f' ({parts})' if parts else ''}"
    if ended.dry_run:
        click.echo(f"{records} would be sent to {ended.endpoint}")
    else:
        speed = f"{ended.seconds:.1f} s, {ended.records_per_second:,.0f} records/s"
        click.echo(f"{records} sent to {ended.endpoint}: {_counted(ended.requests, 'request')}, {speed}")
    before = sum(ended.before.values())
    if before:
        click.echo(f"{_counted(before, 'record')} had been sent before")
    _show_left_out(result)


def _show_left_out(result: Result) -> None:
    """On stderr."""
    delivery = result.delivery
    if result.repeated:
        click.echo(f"{result.repeated:,} that a client had sent again were sent once", err=True)
    if delivery.unreadable:
        lines = _counted(delivery.unreadable, "line")
        click.echo(f"{lines} passed over, being no record; see: forecourt store verify", err=True)
    if delivery.refused:
        click.echo(f"{_counted(delivery.refused, 'record')} refused for good:", err=True)
    for reason in delivery.reasons:
        click.echo(f"  {plain(reason)}", err=True)
    for segment, reason in result.unread.items():
        click.echo(f"{segment} could not be read to its end: {plain(reason)}", err=True)


def _content(ended: Ended) -> dict[str, Any]:
    result, delivery = ended.result, ended.result.delivery
    return {
        "endpoint": ended.endpoint,
        "from_unix_nano": ended.period.start_unix_nano,
        "to_unix_nano": ended.period.end_unix_nano,
        "shift_nano": ended.shift_nano,
        "dry_run": ended.dry_run,
        "finished": not ended.problem,
        "problem": ended.problem,
        "records": dict(result.records),
        "sent_before": dict(ended.before),
        "refused": delivery.refused,
        "reasons": delivery.reasons,
        "unreadable_lines": delivery.unreadable,
        "repeated": result.repeated,
        "unread_segments": result.unread,
        "requests": ended.requests,
        "bytes": ended.bytes,
        "seconds": round(ended.seconds, 3),
        "records_per_second": round(ended.records_per_second, 1),
    }


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def told_period(period: Period) -> str:
    start, end = (_moment(one) for one in (period.start_unix_nano, period.end_unix_nano))
    return f"{start} to {end}"


def _moment(unix_nano: int) -> str:
    return datetime.fromtimestamp(unix_nano // NANO, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
