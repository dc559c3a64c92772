"""Metrics: any of them, by any attribute, several on one chart."""

from __future__ import annotations

import asyncio
from typing import Any

from analysis.engine import Engine
from analysis.metric_names import metric_names
from analysis.metric_series import MetricSeries, metric_series
from analysis.period import DAY_NANO, Period
from dashboard.charts import Line, lines
from dashboard.page import Asked, Page
from dashboard.pages.traces import attributes_of

STATISTICS = ("auto", "mean", "min", "max", "last", "rate", "count", "p50", "p95", "p99")
_PARTS = 90
_MOST_METRICS = 4
_MOST_SERIES = 12
_MOST_NAMES = 300
_LONGEST_NANO = 7 * DAY_NANO
_MILLI = 1_000_000
_KNOWN_UNITS = frozenset({"", "1", "s", "ms", "By", "ratio", "%"})
"""That the axis tells."""


async def content(asked: Asked) -> dict[str, Any]:
    period = asked.view.period
    chosen = tuple(filter(None, (name.strip() for name in asked.query.get("metric", "")[:2000].split(","))))
    statistic = asked.choice("statistic", STATISTICS)
    by = tuple(filter(None, (name.strip() for name in asked.text("by").split(","))))[:4]
    narrow = period.nanos <= _LONGEST_NANO
    try:
        where, problem = attributes_of(asked.text("where")), ""
    except ValueError as error:
        where, problem = (), str(error)
    drawn = chosen[:_MOST_METRICS] if narrow and not problem else ()
    names, series = await asyncio.gather(
        asked.records.ask(metric_names, period if narrow else _end_of(period)),
        asyncio.gather(*(asked.records.ask(_series, period, name, statistic, by=by, where=where) for name in drawn)),
    )
    wanted = asked.text("find").lower()
    shown = [one for one in names if wanted in f"{one.name} {one.description} {' '.join(one.services)}".lower()]
    return {
        "names": shown[:_MOST_NAMES],
        "hidden": max(0, len(shown) - _MOST_NAMES),
        "known": {one.name: one for one in names},
        "chosen": chosen,
        "charts": _charts(period, list(zip(chosen, series, strict=False))),
        "left_out": sum(one.left_out for one in series),
        "instead": [
            (name, one.statistic)
            for name, one in zip(chosen, series, strict=False)
            if one.series and statistic not in {"auto", one.statistic}
        ],
        "empty": [name for name, one in zip(chosen, series, strict=False) if not one.series],
        "problem": problem,
        "narrow": narrow,
        "statistic": statistic,
        "statistics": STATISTICS,
        "by": ", ".join(by),
        "where": asked.text("where"),
        "find": asked.text("find"),
        "attributes": sorted({key for one in names if one.name in chosen for key in one.attributes}),
        "most": _MOST_METRICS,
    }


PAGE = Page("/explore", "Metrics", "explore.html.j2", content, refresh="30s")


def _end_of(period: Period) -> Period:
    return Period(period.end_unix_nano - DAY_NANO, period.end_unix_nano)


def _series(
    engine: Engine,
    period: Period,
    name: str,
    statistic: Any,
    *,
    by: tuple[str, ...],
    where: tuple[tuple[str, str], ...],
) -> MetricSeries:
    return metric_series(engine, period, _PARTS, name, statistic=statistic, by=by, where=where, most=_MOST_SERIES)


def _charts(period: Period, found: list[tuple[str, MetricSeries]]) -> list[dict[str, Any]]:
    """One for each unit."""
    times = [part.start_unix_nano // _MILLI for part in period.cut(_PARTS)]
    by_unit: dict[str, list[tuple[str, MetricSeries]]] = {}
    for name, one in found:
        if one.series:
            by_unit.setdefault(one.unit, []).append((name, one))
    charts = []
    for unit, members in by_unit.items():
        drawn = [
            Line(_label(name, one, labels, several=len(members) > 1), values)
            for name, one in members
            for labels, values in one.series
        ]
        title = ", ".join(f"{name} ({one.statistic})" for name, one in members)
        charts.append(
            {
                "title": title,
                "note": "" if unit in _KNOWN_UNITS else unit[:20],
                "spec": lines(times, drawn, unit=unit or "1"),
            }
        )
    return charts


def _label(name: str, one: MetricSeries, labels: dict[str, str], *, several: bool) -> str:
    told = ", ".join(f"{value or '(none)'}" for value in labels.values())
    return " ".join(filter(None, (name if several or not told else "", told))) or one.statistic
