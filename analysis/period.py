"""The time that a question is about."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

NANO = 1_000_000_000
MINUTE_NANO = 60 * NANO
HOUR_NANO = 3600 * NANO
DAY_NANO = 24 * HOUR_NANO


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` on and before `end`, by event time, in nanoseconds since 1970."""

    start_unix_nano: int
    end_unix_nano: int

    @property
    def nanos(self) -> int:
        return self.end_unix_nano - self.start_unix_nano

    @property
    def seconds(self) -> float:
        return self.nanos / NANO

    def shifted(self, nanos: int) -> Period:
        """The same length, so much later (or earlier)."""
        return Period(self.start_unix_nano + nanos, self.end_unix_nano + nanos)

    def before(self) -> Period:
        """The one of the same length that ends where this one begins."""
        return self.shifted(-self.nanos)

    def cut(self, count: int) -> list[Period]:
        """So many parts, as equal as whole nanoseconds allow."""
        marks = [self.start_unix_nano + self.nanos * index // count for index in range(count + 1)]
        return [Period(start, end) for start, end in pairwise(marks)]

    def holds(self, time_unix_nano: int) -> bool:
        return self.start_unix_nano <= time_unix_nano < self.end_unix_nano
