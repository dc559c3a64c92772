"""Cumulative points become what happened since the point before them, series by series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from processors.histogram import Histogram, of_explicit, of_exponential
from processors.observation import MetricObservation

_MAX_GAP_NANO = 600 * 1_000_000_000
"""Of a longer silence nobody knows when in it the difference happened."""

Series = tuple[str, str, str, str]
"""Service, its instance, the metric's name, all attributes."""


class _Last(NamedTuple):
    start_unix_nano: int
    time_unix_nano: int
    point: Mapping[str, Any]


class Deltas:
    """Knows the last point of at most `max_series` series."""

    def __init__(self, max_series: int) -> None:
        self._max_series = max_series
        self._last: dict[Series, _Last] = {}
        self._watched_since: dict[tuple[str, str], int] = {}
        self.overflowed = 0
        """Points of series that there was no room for."""

    def number(self, point: MetricObservation) -> float | None:
        """What a monotonic sum grew by; None when that can't be told."""
        value = _number(point.point.get("value"))
        if value is None or point.temporality != "CUMULATIVE":
            return value
        known, before = self._before(point)
        if before is None:
            return value if known else None
        grown = value - (_number(before.get("value")) or 0.0)
        return grown if grown >= 0 else value

    def histogram(self, point: MetricObservation) -> Histogram | None:
        """What a histogram grew by; None when that can't be told."""
        content = point.point
        if point.temporality == "CUMULATIVE":
            known, before = self._before(point)
            if before is None and not known:
                return None
            if before is not None:
                content = _difference(content, before, point.type)
        if point.type == "histogram":
            return of_explicit(content["bounds"], content["bucket_counts"], content)
        return of_exponential(content)

    def _before(self, point: MetricObservation) -> tuple[bool, Mapping[str, Any] | None]:
        """Whether the series is known from its beginning, and its last point if it counts on from there."""
        instance = str(point.resource.get("service.instance.id", ""))
        watched_since = self._watched_since.setdefault((point.service, instance), point.received_unix_nano)
        key = (point.service, instance, point.name, point.series.decode())
        last = self._last.get(key)
        if last is None and len(self._last) >= self._max_series:
            self.overflowed += 1
            return False, None
        if last is not None and point.time_unix_nano <= last.time_unix_nano:
            return True, point.point  # sent again, or out of order: nothing new
        self._last[key] = _Last(point.start_time_unix_nano, point.time_unix_nano, point.point)
        if last is None:
            return point.start_time_unix_nano >= watched_since, None
        if point.start_time_unix_nano != last.start_unix_nano:
            return True, None
        if point.time_unix_nano - last.time_unix_nano > _MAX_GAP_NANO:
            return False, None
        return True, last.point

    def forget(self, before_unix_nano: int) -> None:
        """Drop the series that sent nothing since."""
        for key in [key for key, last in self._last.items() if last.time_unix_nano < before_unix_nano]:
            del self._last[key]
        alive = {key[:2] for key in self._last}
        self._watched_since = {key: since for key, since in self._watched_since.items() if key in alive}

    def to_state(self) -> Any:
        return {
            "last": [[key, *last[:2], dict(last.point)] for key, last in self._last.items()],
            "watched_since": [[key, since] for key, since in self._watched_since.items()],
        }

    def restore(self, content: Mapping[str, Iterable[Any]]) -> None:
        self._last = {tuple(key): _Last(start, time, point) for key, start, time, point in content["last"]}
        self._watched_since = {tuple(key): since for key, since in content["watched_since"]}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _difference(now: Mapping[str, Any], before: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What came between; the extremes of a cumulative point are those of all time, so they are left out."""
    total = (_number(now.get("sum")) or 0.0) - (_number(before.get("sum")) or 0.0)
    if kind == "histogram":
        same = now["bounds"] == before["bounds"] and len(now["bucket_counts"]) == len(before["bucket_counts"])
        counts = [a - b for a, b in zip(now["bucket_counts"], before["bucket_counts"], strict=True)] if same else []
        if not same or min(counts, default=0) < 0:
            return dict(now)
        return {"bounds": now["bounds"], "bucket_counts": counts, "sum": total}
    sides = {side: _grown(now, before, side) for side in ("positive", "negative")}
    zeros = now.get("zero_count", 0) - before.get("zero_count", 0)
    if zeros < 0 or any(min(side["bucket_counts"], default=0) < 0 for side in sides.values()):
        return dict(now)
    return {"scale": now["scale"], "zero_count": zeros, "sum": total, **sides}


def _grown(now: Mapping[str, Any], before: Mapping[str, Any], side: str) -> dict[str, Any]:
    """A sender lowers its scale when its buckets run out: the old ones are folded into the new, coarser ones."""
    fold = max(0, before["scale"] - now["scale"])
    counts: dict[int, int] = {}
    for point, sign, shift in ((now, 1, 0), (before, -1, fold)):
        buckets = point.get(side) or {"offset": 0, "bucket_counts": ()}
        for index, count in enumerate(buckets["bucket_counts"], buckets["offset"]):
            counts[index >> shift] = counts.get(index >> shift, 0) + sign * count
    low = min(counts, default=0)
    return {
        "offset": low,
        "bucket_counts": [counts.get(index, 0) for index in range(low, max(counts, default=low) + 1)],
    }
