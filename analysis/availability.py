"""How much of the time a target answered, and how much of it anybody looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.engine import Engine
from analysis.period import HOUR_NANO, Period

_LONGEST_NANO = 300_000_000_000
"""Between two looks; after a longer time nobody knows what was."""


@dataclass(frozen=True, slots=True)
class Outage:
    start_unix_nano: int
    end_unix_nano: int
    detail: str


@dataclass(frozen=True, slots=True)
class Availability:
    """Of one target: `up` as a share of the time that it was looked at, None when nobody looked."""

    target: str
    up: float | None
    watched_seconds: float
    down_seconds: float
    outages: tuple[Outage, ...]


def availability(engine: Engine, period: Period) -> list[Availability]:
    """By target; each look counts until the next one, at most five minutes."""
    rows = engine.sql(
        """
        SELECT target, event_unix_nano, healthy, detail FROM health
        WHERE target IS NOT NULL AND healthy IS NOT NULL ORDER BY target, event_unix_nano
        """,
        (),
        period,
    )
    looks: dict[str, list[tuple[int, bool, str]]] = {}
    for target, time, healthy, detail in rows:
        looks.setdefault(target, []).append((time, bool(healthy), detail or ""))
    return [_of_target(target, seen, period) for target, seen in looks.items()]


def _of_target(target: str, looks: Sequence[tuple[int, bool, str]], period: Period) -> Availability:
    ends = [time for time, _, _ in looks[1:]] + [period.end_unix_nano]
    watched = down = 0
    outages: list[Outage] = []
    for (time, healthy, detail), following in zip(looks, ends, strict=True):
        until = min(following, time + _LONGEST_NANO)
        watched += until - time
        if healthy:
            continue
        down += until - time
        if outages and outages[-1].end_unix_nano == time:
            outages[-1] = Outage(outages[-1].start_unix_nano, until, outages[-1].detail)
        else:
            outages.append(Outage(time, until, detail))
    return Availability(target, 1 - down / watched if watched else None, watched / 1e9, down / 1e9, tuple(outages))


def gaps(engine: Engine, period: Period) -> list[Period]:
    """Whole hours of the period in which nothing at all was recorded, adjoining ones as one."""
    rows = engine.sql("SELECT DISTINCT event_unix_nano - event_unix_nano % ? FROM rollups", (HOUR_NANO,), period)
    seen = {begins // HOUR_NANO for (begins,) in rows}
    first, last = -(-period.start_unix_nano // HOUR_NANO), period.end_unix_nano // HOUR_NANO
    found: list[Period] = []
    for hour in range(first, last):
        if hour in seen:
            continue
        start = hour * HOUR_NANO
        if found and found[-1].end_unix_nano == start:
            found[-1] = Period(found[-1].start_unix_nano, start + HOUR_NANO)
        else:
            found.append(Period(start, start + HOUR_NANO))
    return found
