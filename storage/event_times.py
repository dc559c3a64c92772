"""The range of event times in a segment, in bounded memory however wrong the senders' clocks are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_MAX_BUCKETS = 2048
_FIRST_WIDTH_NANO = 1_000_000_000
_SPREAD = 0.01


@dataclass(frozen=True, slots=True)
class EventTimeRange:
    """Nanoseconds since 1970. All but one record in a hundred at each end lie in `low` to `high`."""

    minimum: int
    low: int
    high: int
    maximum: int


class EventTimes:
    """Counts event times in buckets that double in width when there are too many of them."""

    def __init__(self) -> None:
        self._width = _FIRST_WIDTH_NANO
        self._buckets: Counter[int] = Counter()
        self._minimum = 2**64
        self._maximum = 0

    def add(self, times_unix_nano: Iterable[int]) -> None:
        times = list(times_unix_nano)
        if not times:
            return
        self._minimum = min(self._minimum, *times)
        self._maximum = max(self._maximum, *times)
        width = self._width
        self._buckets.update([time // width for time in times])
        while len(self._buckets) > _MAX_BUCKETS:
            self._widen()

    def _widen(self) -> None:
        self._width *= 2
        wider: Counter[int] = Counter()
        for bucket, count in self._buckets.items():
            wider[bucket // 2] += count
        self._buckets = wider

    def range(self) -> EventTimeRange | None:
        """The range so far; None before the first time."""
        records = self._buckets.total()
        if not records:
            return None
        buckets = sorted(self._buckets)
        skipped = int(records * _SPREAD)
        low = self._bucket_at(buckets, skipped) * self._width
        high = (self._bucket_at(buckets[::-1], skipped) + 1) * self._width - 1
        return EventTimeRange(
            self._minimum,
            max(low, self._minimum),
            min(high, self._maximum),
            self._maximum,
        )

    def _bucket_at(self, buckets: list[int], skipped: int) -> int:
        for bucket in buckets:
            skipped -= self._buckets[bucket]
            if skipped < 0:
                return bucket
        return buckets[-1]
