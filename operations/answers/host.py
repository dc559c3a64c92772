"""`stats resources` and `stats memory`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from alerting.chart import sparkline
from alerting.plain_text import plain
from analysis.host import ProcessMemory, Trend, Utilization, process_memory, trends, utilization
from analysis.json_values import as_json, period_json
from operations.reading import Answer, Reading
from operations.tables import band_text, lasted, period_text, share_text, show_table
from processors.evaluation import format_value

if TYPE_CHECKING:
    from analysis.bands import Bands

_COLUMNS = ("what", "of", "now", "mean", "p95", "max", "course", "band")
_UNNAMED = "(no host.name)"
"""What an app tells of its machine may lack its name."""
_SPARE = ("mean", "max", "course")
"""Left out first on a narrow terminal."""
_LEAK_PER_HOUR = 2**20
"""A process that grows by a MiB an hour is said to grow."""


def resources(reading: Reading, trend: bool) -> Answer:  # noqa: FBT001  # from click
    """Processors, memory, disks and pools; with `trend` where they are going."""
    period = reading.period
    bands = reading.bands
    found = utilization(reading.engine, period)
    going = trends(reading.engine, period) if trend else []
    content = {
        **period_json(period),
        "resources": [as_json(one, band=_band(bands, one)) for one in found],
        **({"trends": [as_json(one, told=_going(one)) for one in going]} if trend else {}),
    }

    def show() -> None:
        click.echo(period_text(period))
        if not found:
            click.echo(
                "no measurements yet; they need hostmetrics among the receivers of the metrics pipeline, and a minute"
            )
            return
        show_table(_COLUMNS, [_row(one, _band(bands, one)) for one in found], right=_COLUMNS[2:6], spare=_SPARE)
        for one in going:
            click.echo(f"{one.indicator} {plain(one.of) or _UNNAMED}: {_going(one)}")

    return Answer(content, show)


def _band(bands: Bands, one: Utilization) -> str:
    return bands.band(one.indicator, "mean", one.last)


def _row(one: Utilization, band: str) -> Sequence[object]:
    return (
        one.indicator,
        plain(one.of, 50) or _UNNAMED,
        band_text(share_text(one.last), band),
        share_text(one.mean),
        share_text(one.p95),
        share_text(one.max),
        sparkline(one.course),
        band_text(band, band),
    )


def _going(one: Trend) -> str:
    now = share_text(one.now)
    if one.points < 6:  # noqa: PLR2004  # as in its docstring
        return f"{now}; measurements of so few hours ({one.points}) tell no trend yet"
    slope = f"{one.per_day * 100:+.2f} points a day"
    if one.full_in_days is None:
        return f"{now}, {slope}"
    return f"{now}, {slope}: full in {one.full_in_days:.0f} days"


def memory(reading: Reading) -> Answer:
    """The host's memory, and each process's with its slope."""
    period = reading.period
    bands = reading.bands
    host = utilization(reading.engine, period, ("host.memory",))
    processes = process_memory(reading.engine, period)
    content = {
        **period_json(period),
        "host": [as_json(one, band=_band(bands, one)) for one in host],
        "processes": [as_json(one) for one in processes],
    }

    def show() -> None:
        click.echo(period_text(period))
        if host:
            show_table(_COLUMNS, [_row(one, _band(bands, one)) for one in host], right=_COLUMNS[2:6], spare=_SPARE)
        if processes:
            columns = ("process", "now", "at first", "most", "slope", "course")
            show_table(
                columns, [_process_row(one) for one in processes], right=columns[1:5], spare=("at first", "course")
            )
        if not host and not processes:
            click.echo(f"no measurements of memory in {lasted(period.seconds)}")

    return Answer(content, show)


def _process_row(one: ProcessMemory) -> Sequence[object]:
    slope = "" if one.per_hour is None else f"{'+' if one.per_hour >= 0 else ''}{format_value(one.per_hour, 'By')}/h"
    grows = one.per_hour is not None and one.per_hour > _LEAK_PER_HOUR and one.last > one.first * 1.1
    return (
        plain(f"{one.service} {one.instance}".strip(), 60),
        format_value(one.last, "By"),
        format_value(one.first, "By"),
        format_value(one.max, "By"),
        band_text(slope, "warning" if grows else "normal"),
        sparkline(one.course),
    )
