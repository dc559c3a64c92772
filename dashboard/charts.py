"""Charts as the JSON that static/charts.js draws: texts of others cut, numbers finite, links that stay on this site."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from alerting.plain_text import plain

_NAME = 80
_MOST_SERIES = 40
_MOST_ROWS = 100
_MOST_MARKS = 50
_MOST_ITEMS = 2000
Tone = Literal["", "good", "warning", "critical", "muted"]


@dataclass(frozen=True, slots=True)
class Line:
    """A value for each time, None where nothing was measured; `tone` gives a colour by meaning instead of by turn."""

    name: str
    values: Sequence[float | None]
    dashed: bool = False
    area: bool = False
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class BandRange:
    """From `low` to `high` in the chart's unit; None is open on that side."""

    level: Literal["warning", "critical"]
    low: float | None
    high: float | None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment, such as a deployment."""

    time_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """A span in row number `row`; `level` is a severity or a band, `link` is opened by a click."""

    row: int
    start_ms: int
    end_ms: int
    level: str
    label: str
    link: str = ""


def lines(
    times_ms: Sequence[int],
    series: Sequence[Line],
    *,
    unit: str,
    bands: Sequence[BandRange] = (),
    marks: Sequence[Mark] = (),
    stacked: bool = False,
    logarithmic: bool = False,
    opens: str = "",
) -> dict[str, Any]:
    """Values over time, in a unit of OpenTelemetry; `opens` is a local address with {from} and {to} (RFC 3339).

    Raise ValueError for values that do not match the times, and for an address that leaves this site.
    """
    return {
        "kind": "lines",
        **_course(times_ms, series, unit, marks, opens),
        "bands": [
            {"level": one.level, "low": _number(one.low), "high": _number(one.high), "label": plain(one.label, _NAME)}
            for one in bands
        ],
        "stacked": stacked,
        "logarithmic": logarithmic,
    }


def bars(
    times_ms: Sequence[int], series: Sequence[Line], *, unit: str, marks: Sequence[Mark] = (), opens: str = ""
) -> dict[str, Any]:
    """Stacked bars, each from its time to the next; otherwise as `lines`."""
    return {"kind": "bars", **_course(times_ms, series, unit, marks, opens)}


def heatmap(
    times_ms: Sequence[int],
    rows: Sequence[str],
    cells: Sequence[Sequence[int]],
    *,
    bounds_seconds: Sequence[float] = (),
    opens: str = "",
) -> dict[str, Any]:
    """Counts by time, then by row, lowest row first.

    Rows have names, or are ranges with one bound more than rows; then `opens` may hold {low} and {high} (seconds) too.
    Raise ValueError for cells that do not match times and rows.
    """
    count = len(bounds_seconds) - 1 if bounds_seconds else len(rows)
    if len(cells) != len(times_ms) or any(len(column) != max(0, count) for column in cells):
        raise ValueError(f"cells do not match: expected {len(times_ms)} times of {max(0, count)} rows")
    shown = [
        (column, row, int(count)) for column, counts in enumerate(cells) for row, count in enumerate(counts) if count
    ]
    return {
        "kind": "heatmap",
        "times": list(times_ms),
        "rows": [] if bounds_seconds else [plain(row, _NAME) for row in rows],
        "bounds": list(bounds_seconds),
        "cells": shown,
        "opens": local(opens),
    }


def timeline(rows: Sequence[str], items: Iterable[TimelineItem], *, start_ms: int, end_ms: int) -> dict[str, Any]:
    """Spans by row, the first row at the top; what lies in no row or outside of the time is left out."""
    names = [plain(row, _NAME) for row in rows[:_MOST_ROWS]]
    shown = [
        one
        for one in items
        if 0 <= one.row < len(names)
        and one.start_ms <= end_ms
        and one.end_ms >= start_ms
        and one.start_ms <= one.end_ms
    ]
    return {
        "kind": "timeline",
        "rows": names,
        "items": [
            {
                "row": one.row,
                "start": max(start_ms, one.start_ms),
                "end": min(end_ms, one.end_ms),
                "level": plain(one.level, _NAME),
                "label": plain(one.label, _NAME),
                "link": local(one.link),
            }
            for one in shown[:_MOST_ITEMS]
        ],
        "start": start_ms,
        "end": end_ms,
    }


def local(address: str) -> str:
    """The address, or ValueError when it is not a path of this site."""
    if address and (not address.startswith("/") or address[1:2] in {"/", "\\"} or not address.isprintable()):
        raise ValueError(f"{address[:_NAME]!r}: expected a path of these pages, beginning with one /")
    return address


def _course(
    times_ms: Sequence[int], series: Sequence[Line], unit: str, marks: Sequence[Mark], opens: str
) -> dict[str, Any]:
    for one in series:
        if len(one.values) != len(times_ms):
            raise ValueError(f"{plain(one.name, _NAME)}: {len(one.values)} values for {len(times_ms)} times")
    return {
        "times": list(times_ms),
        "unit": plain(unit, _NAME),
        "series": [
            {
                "name": plain(one.name, _NAME),
                "values": [_number(value) for value in one.values],
                "dashed": one.dashed,
                "area": one.area,
                "tone": one.tone,
            }
            for one in series[:_MOST_SERIES]
        ],
        "left_out": max(0, len(series) - _MOST_SERIES),
        "marks": [{"time": one.time_ms, "text": plain(one.text, _NAME)} for one in marks[:_MOST_MARKS]],
        "opens": local(opens),
    }


def _number(value: float | None) -> float | None:
    """JSON has no infinity and no NaN."""
    return value if value is not None and math.isfinite(value) else None
