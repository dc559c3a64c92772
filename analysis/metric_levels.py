"""What gauges and sums stood at, in each part of a period."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.metric_points import PartOfStream
from analysis.period import MINUTE_NANO

LevelStatistic = Literal["mean", "min", "max", "last", "count"]
_HELD_NANO = 5 * MINUTE_NANO
"""So long a last value stands for what came no more (Prometheus, query.lookback-delta)."""


@dataclass(slots=True)
class _Level:
    """Of one stream in one part."""

    points: int
    sum: float
    min: float
    max: float
    last: float
    last_unix_nano: int

    @property
    def mean(self) -> float:
        return self.sum / self.points

    def add(self, other: _Level) -> None:
        self.points += other.points
        self.sum += other.sum
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        if other.last_unix_nano >= self.last_unix_nano:
            self.last, self.last_unix_nano = other.last, other.last_unix_nano


_Part = dict[str, _Level]
"""By stream."""
_OF_GAUGES: dict[LevelStatistic, Callable[[Sequence[_Level]], float]] = {
    "mean": lambda found: sum(one.sum for one in found) / sum(one.points for one in found),
    "min": lambda found: min(one.min for one in found),
    "max": lambda found: max(one.max for one in found),
    "last": lambda found: sum(one.last for one in found) / len(found),
    "count": lambda found: sum(one.points for one in found),
}
_OF_SUMS: dict[LevelStatistic, Callable[[Sequence[_Level]], float]] = {
    "mean": lambda found: sum(one.mean for one in found),
    "min": lambda found: sum(one.min for one in found),
    "max": lambda found: sum(one.max for one in found),
    "last": lambda found: sum(one.last for one in found),
    "count": lambda found: sum(one.points for one in found),
}


def levels(
    found: Iterable[PartOfStream], statistic: LevelStatistic, starts: Sequence[int], *, additive: bool
) -> list[float | None]:
    """For each part that begins at one of `starts`; None without points.

    Streams of sums add up (`additive`), those of gauges are one crowd; `last` holds for five minutes.
    """
    parts = _by_part(found, len(starts))
    if statistic == "last":
        _hold(parts, starts)
    judged = (_OF_SUMS if additive else _OF_GAUGES)[statistic]
    return [judged(list(part.values())) if part else None for part in parts[1:]]


def _by_part(found: Iterable[PartOfStream], count: int) -> list[_Part]:
    """What came before the period is the first."""
    parts: list[_Part] = [{} for _ in range(count + 1)]
    for one in found:
        level = _Level(one.points, one.sum, one.min, one.max, one.last.amount, one.last.time_unix_nano)
        known = parts[one.part + 1].setdefault(one.stream, level)
        if known is not level:
            known.add(level)
    return parts


def _hold(parts: Sequence[_Part], starts: Sequence[int]) -> None:
    held: _Part = {}
    for part, start in zip(parts[1:], starts, strict=True):
        held.update(parts[0] if start == starts[0] else {})
        held = {stream: level for stream, level in held.items() if start - level.last_unix_nano <= _HELD_NANO}
        for stream, level in held.items():
            part.setdefault(stream, level)
        held.update(part)
