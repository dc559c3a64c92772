"""The machine and the pools: how full, how busy, and where it is going."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.engine import Engine
from analysis.period import DAY_NANO, HOUR_NANO, MINUTE_NANO, Period
from analysis.summaries import Key, Total, course, key_of

INDICATORS = ("host.cpu", "host.memory", "host.disk", "db.pool.utilization")
_PARTS = 24
_MIN_POINTS = 6
"""Fewer parts with values tell no trend."""
_FLAT_PER_DAY = 0.0005
"""A twentieth of a percentage point a day is no trend."""
_HORIZON_DAYS = 400
_MIN_LASTED_NANO = 600_000_000_000
"""Within ten minutes a process's memory tells no trend."""


@dataclass(frozen=True, slots=True)
class Utilization:
    """Of one resource, as shares of 1; `course` has its mean in equal parts of the period, None without values."""

    indicator: str
    of: str
    samples: int
    last: float
    mean: float
    p95: float
    max: float
    course: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """A line through the hourly means by least squares; `per_day` in shares of 1 a day."""

    indicator: str
    of: str
    now: float
    per_day: float
    full_in_days: float | None
    """Until 100 %; None when it does not grow, or not within 400 days."""
    points: int


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """Bytes in use by the processes of a service; `per_hour` is the slope by least squares, None for too little."""

    service: str
    instance: str
    samples: int
    first: float
    last: float
    max: float
    per_hour: float | None
    course: tuple[float | None, ...]


def utilization(engine: Engine, period: Period, indicators: Sequence[str] = INDICATORS) -> list[Utilization]:
    """Of each host, disk and pool."""
    parts = parts_of(period, _PARTS)
    found = []
    for indicator in indicators:
        latest = _latest(engine, indicator, period)
        for key, totals in sorted(course(engine, indicator, parts).items()):
            whole = Total()
            for total in totals:
                whole.merge(total)
            means = tuple(total.histogram.sum / total.count if total.count else None for total in totals)
            values = whole.histogram
            if not whole.count:
                continue
            last = latest[key] if key in latest else next(mean for mean in reversed(means) if mean is not None)
            found.append(
                Utilization(
                    indicator,
                    of_key(key),
                    whole.count,
                    last,
                    values.sum / values.count,
                    values.quantile(0.95),
                    values.max,
                    means,
                )
            )
    return found


def _latest(engine: Engine, indicator: str, period: Period) -> dict[Key, float]:
    """The mean of the last minute, of what was measured within the last hour."""
    rows = engine.sql(
        "SELECT key, max_by(sum / count, time_unix_nano) FROM rollups WHERE indicator = ? AND count > 0 GROUP BY key",
        (indicator,),
        Period(max(period.start_unix_nano, period.end_unix_nano - HOUR_NANO), period.end_unix_nano),
    )
    return {key: value for text, value in rows if (key := key_of(text)) is not None}


def of_key(key: Sequence[str]) -> str:
    """The last label that says anything: the disk of a host, the pool of a service."""
    return " ".join(filter(None, key))


def parts_of(period: Period, count: int) -> list[Period]:
    """About so many equal parts of whole minutes, hours or days; the first and the last are what lies in the period."""
    length = max(1, period.nanos // count)
    unit = next((one for one in (DAY_NANO, HOUR_NANO) if length >= one), MINUTE_NANO)
    width = -(-length // unit) * unit
    begins = min(unit, HOUR_NANO)
    starts = range(period.start_unix_nano // begins * begins, period.end_unix_nano, width)
    first = period.start_unix_nano - period.start_unix_nano % MINUTE_NANO
    return [Period(max(start, first), min(start + width, period.end_unix_nano)) for start in starts]


def trends(engine: Engine, period: Period) -> list[Trend]:
    """Of memory and disks, those that are full first sooner before others."""
    parts = parts_of(period, max(1, period.nanos // HOUR_NANO))
    found = []
    for indicator in ("host.disk", "host.memory"):
        for key, totals in course(engine, indicator, parts).items():
            points = [
                ((part.start_unix_nano - parts[0].start_unix_nano) / DAY_NANO, total.histogram.sum / total.count)
                for part, total in zip(parts, totals, strict=True)
                if total.count
            ]
            if points:
                found.append(_trend(indicator, of_key(key), points))
    return sorted(found, key=lambda one: one.full_in_days if one.full_in_days is not None else float("inf"))


def _trend(indicator: str, of: str, points: Sequence[tuple[float, float]]) -> Trend:
    now = points[-1][1]
    per_day = slope(points) if len(points) >= _MIN_POINTS else None
    full: float | None = None
    if per_day is not None and per_day > _FLAT_PER_DAY:
        days = (1 - now) / per_day
        full = days if days <= _HORIZON_DAYS else None
    return Trend(indicator, of, now, per_day or 0.0, full, len(points))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line through points (x, y) by least squares; 0 where all lie at one x."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def process_memory(engine: Engine, period: Period) -> list[ProcessMemory]:
    """By process, the largest first; from the metric `process.memory.usage`."""
    rows = engine.sql(
        """
        SELECT service, attr(attr(resource, 'attributes'), 'service.instance.id'), event_unix_nano, value
        FROM metrics
        WHERE name IN ('process.memory.usage', 'forecourt.process.memory.usage') AND value IS NOT NULL
        ORDER BY event_unix_nano
        """,
        (),
        period,
    )
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for service, instance, time, value in rows:
        found.setdefault((service, instance or ""), []).append((time, value))
    made = [_memory(*process, points, period) for process, points in found.items()]
    return sorted(made, key=lambda one: -one.last)


def _memory(service: str, instance: str, points: Sequence[tuple[int, float]], period: Period) -> ProcessMemory:
    values = [value for _, value in points]
    lasted = points[-1][0] - points[0][0]
    hours = [((time - points[0][0]) / HOUR_NANO, value) for time, value in points]
    tells = len(points) >= _MIN_POINTS and lasted >= _MIN_LASTED_NANO
    parts = period.cut(_PARTS)
    return ProcessMemory(
        service,
        instance,
        len(points),
        values[0],
        values[-1],
        max(values),
        slope(hours) if tells else None,
        tuple(_mean([value for time, value in points if part.holds(time)]) for part in parts),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
