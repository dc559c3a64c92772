"""Counters and histograms that only grow: what each new line of the rollups says is added once.

They begin at 0 with the first scrape, and again after a time without any: a reset, as after a restart.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from dashboard.exposition.families import (
    EVENTS,
    METRIC_MEAN,
    METRIC_SAMPLES,
    ROLLED_UP,
    Family,
    RolledUp,
)
from dashboard.exposition.labels import OVERFLOW, label_text
from dashboard.exposition.last_lines import last_lines
from dashboard.exposition.openmetrics import Distribution, Exemplar, Lines
from processors.rollups import MINUTE_NANO, Summary, summary_of_line
from storage.following import Follower

T = TypeVar("T")
STREAM = "rollups"
MOST_DISTRIBUTIONS = 500
"""Of one family: each has about twenty lines."""
MOST_COUNTERS = 2000
_LOOK_NANO = 10_000_000_000
_REST_NANO = 15 * MINUTE_NANO
"""Who has not asked for so long begins anew, rather than reading up on all that was missed."""
_CURRENT_NANO = 10 * MINUTE_NANO
PAST_NANO = 60 * MINUTE_NANO
"""What happened so long before it was written is history that was imported, and no load of now."""
_MOST_LINES = 50_000
"""At a time, which takes a second or two; after an import there may be millions."""
_RECENT_BYTES = 256 * 1024


class Kept(Generic[T]):
    """By labels, as many as there is room for; all others share one."""

    def __init__(self, most: int, make: Callable[[], T]) -> None:
        self.values: dict[str, T] = {}
        self._most = most
        self._make = make

    def of(self, labels: str) -> tuple[str, T]:
        """The labels under which it is kept, and what is kept there."""
        if labels not in self.values and len(self.values) >= self._most:
            labels = OVERFLOW
        found = self.values.get(labels)
        if found is None:
            found = self.values[labels] = self._make()
        return labels, found


class Counting:
    """Used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._follower: Follower | None = None
        self._looked = 0
        self.created_unix_nano = 0
        self._begin()

    def _begin(self) -> None:
        self.distributions: dict[str, Kept[Distribution]] = {
            one.values.name: Kept(MOST_DISTRIBUTIONS, _maker(one.values)) for one in ROLLED_UP.values()
        }
        failures = [one.failures.name for one in ROLLED_UP.values() if one.failures]
        self.counters: dict[str, Kept[list[int]]] = {
            name: Kept(MOST_COUNTERS, lambda: [0]) for name in (*failures, EVENTS.name, METRIC_SAMPLES.name)
        }
        self._means: dict[str, tuple[int, float]] = {}

    def look(self, now_unix_nano: int) -> None:
        """Add what was written since the last time; raise OSError."""
        since = now_unix_nano - self._looked
        if self._follower is None or not 0 <= since <= _REST_NANO:
            self._begin()
            self._follower = Follower(self._folder, (STREAM,))
            self.created_unix_nano = now_unix_nano
            # What is known begins at 0, so that its first increase is one.
            for record in last_lines(self._folder / STREAM, _RECENT_BYTES):
                self._take(record, counts=False)
        elif since < _LOOK_NANO:
            return
        self._looked = now_unix_nano
        for stored in islice(self._follower.poll(), _MOST_LINES):
            self._take(stored.record, counts=True)

    def _take(self, record: Mapping[str, Any], *, counts: bool) -> None:
        """What is no rollup by the minute is passed over, or one of long ago."""
        try:
            summary = summary_of_line(record)
            is_past = summary.start_unix_nano < record["received_unix_nano"] - PAST_NANO
        except (KeyError, TypeError, ValueError, AttributeError):
            return
        if is_past or summary.resolution != "1min" or not isinstance(summary.subject.indicator, str):
            return
        pairs = tuple(zip(summary.subject.labels, summary.subject.values, strict=True))
        known = ROLLED_UP.get(summary.subject.indicator)
        if known is None:
            self._take_metric(summary, pairs, counts=counts)
        else:
            self._take_known(known, summary, label_text((), pairs), counts=counts)

    def _take_known(self, known: RolledUp, summary: Summary, labels: str, *, counts: bool) -> None:
        kept = labels
        if not known.timed or summary.histogram.zeros < summary.histogram.count:
            kept, distribution = self.distributions[known.values.name].of(labels)
            if counts:
                _add(distribution, known, summary)
        if known.failures is not None:
            # Where all of them are counted, so that their share is right where there is no room too.
            self._count(known.failures, kept, summary.errors if counts else 0)
        if summary.subject.indicator == "events":
            succeeded = max(0, summary.histogram.count - summary.errors)
            for outcome, count in (("success", succeeded), ("failure", summary.errors)):
                self._count(EVENTS, f'{labels},outcome="{outcome}"', count if counts else 0)

    def _take_metric(self, summary: Summary, pairs: tuple[tuple[str, str], ...], *, counts: bool) -> None:
        labels = label_text((("metric", summary.subject.indicator),), pairs)
        kept = self._count(METRIC_SAMPLES, labels, summary.histogram.count if counts else 0)
        values = summary.histogram
        if kept != OVERFLOW and values.count and math.isfinite(values.sum):
            before = self._means.get(kept, (0, 0.0))
            self._means[kept] = max(before, (summary.start_unix_nano, values.sum / values.count))

    def _count(self, family: Family, labels: str, count: int) -> str:
        kept, counter = self.counters[family.name].of(labels)
        counter[0] += count
        return kept

    def show(
        self, family: Family, lines: Lines, now_unix_nano: int, exemplars: Mapping[str, Exemplar] | None = None
    ) -> bool:
        """Whether it is one of those that are counted here; `exemplars` are a counter's, by labels."""
        if family.name in self.distributions:
            lines.histogram(family, self.distributions[family.name].values, self.created_unix_nano)
        elif family.name in self.counters:
            values = {labels: count for labels, (count,) in self.counters[family.name].values.items()}
            lines.counter(family, values, self.created_unix_nano, exemplars)
        elif family is METRIC_MEAN:
            current = now_unix_nano - _CURRENT_NANO
            lines.gauge(family, {labels: mean for labels, (start, mean) in self._means.items() if start >= current})
        else:
            return False
        return True


def _maker(family: Family) -> Callable[[], Distribution]:
    return lambda: Distribution(len(family.buckets))


def _add(distribution: Distribution, known: RolledUp, summary: Summary) -> None:
    """Of a value only its bucket in the rollup is known, which is 3 % wide."""
    for value, count in summary.histogram:
        if value or not known.timed:
            distribution.counts[bisect_left(known.values.buckets, value)] += count
    if 0 <= summary.histogram.sum < math.inf:
        distribution.sum += summary.histogram.sum
