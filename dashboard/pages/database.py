"""Database: how long queries take, which are slow, and how full the pool is."""

from __future__ import annotations

import asyncio
from typing import Any

from analysis.engine import Engine
from analysis.period import HOUR_NANO, Period
from analysis.queries import INDICATOR, query_times, slow_queries
from analysis.summaries import Total, course
from dashboard.bands import band_ranges
from dashboard.charts import Line, lines
from dashboard.page import Asked, Page

_TOP = 25
_DEFAULT_MS = 100.0
_RAW_NANO = 24 * HOUR_NANO
"""Beyond this nobody reads every query to find the slow ones."""
_MILLI = 1_000_000


async def content(asked: Asked) -> dict[str, Any]:
    period, parts = asked.view.period, asked.view.parts(minutes=True)
    threshold = max(0.0, asked.number("longer", _DEFAULT_MS) or 0.0)
    searched = period.nanos <= _RAW_NANO
    times, totals, pool, slow = await asyncio.gather(
        asked.records.ask(query_times, period),
        asked.records.ask(_course, parts),
        asked.records.ask(_pool, parts),
        asked.records.ask(slow_queries, period, threshold) if searched else _nothing(),
    )
    starts = [part.start_unix_nano // _MILLI for part in parts]
    return {
        "times": times[:_TOP],
        "kinds": len(times),
        "queries": sum(one.queries for one in times),
        "slow": slow[:_TOP],
        "slow_count": len(slow),
        "searched": searched,
        "threshold": threshold,
        "latency": lines(
            starts,
            [
                Line(name, [one.histogram.quantile(quantile) if one.count else None for one in totals])
                for name, quantile in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
            ],
            unit="s",
            bands=band_ranges(asked.site, "db.query.p95"),
        ),
        "pool": lines(
            starts,
            [Line(name, values) for name, values in pool],
            unit="ratio",
            bands=band_ranges(asked.site, "db.pool.utilization"),
        ),
        "has_pool": bool(pool),
    }


PAGE = Page("/database", "Database", "database.html.j2", content)


async def _nothing() -> list[Any]:
    return []


def _course(engine: Engine, parts: tuple[Period, ...]) -> list[Total]:
    found = [Total() for _ in parts]
    for totals in course(engine, INDICATOR, parts).values():
        for whole, total in zip(found, totals, strict=True):
            whole.merge(total)
    return found


def _pool(engine: Engine, parts: tuple[Period, ...]) -> list[tuple[str, tuple[float | None, ...]]]:
    """The mean of each part, by pool."""
    found = []
    for key, totals in sorted(course(engine, "db.pool.utilization", parts).items()):
        values = tuple(one.histogram.sum / one.count if one.count else None for one in totals)
        found.append((" ".join(filter(None, key)), values))
    return found
