"""What each rule measured in the last hour and day, for the charts in messages."""

from __future__ import annotations

import math
import statistics
import threading
from array import array
from collections.abc import Iterable
from typing import NamedTuple

import orjson

from alerting.alert import Key
from processors.evaluation import Evaluation
from storage.state import State
from storage.value_rows import MINUTE_NANO, MINUTES, SLOT_NANO, SLOTS

_LEAST_SLOTS = 12
"""An hour: with less nobody knows what is usual."""
_MOST_SERIES = 5000


class Day(NamedTuple):
    """`minutes` are those of the last hour, oldest first; the rest is over the last 24 h, but for a recent part."""

    minutes: tuple[float | None, ...]
    usual: float | None
    highest: float | None
    lowest: float | None


class _Ring:
    """Values by time; a slot that was passed over holds none."""

    __slots__ = ("last", "nano", "values")

    def __init__(self, slots: int, nano: int) -> None:
        self.values = array("f", [math.nan] * slots)
        self.nano = nano
        self.last = 0

    def put(self, time_unix_nano: int, value: float) -> None:
        slot = time_unix_nano // self.nano
        for passed in range(max(self.last + 1, slot - len(self.values) + 1), slot):
            self.values[passed % len(self.values)] = math.nan
        self.values[slot % len(self.values)] = value
        self.last = slot

    def between(self, start_unix_nano: int, end_unix_nano: int) -> list[float]:
        """Oldest first; NaN where nothing was measured."""
        first, last = start_unix_nano // self.nano, end_unix_nano // self.nano
        return [self._at(slot) for slot in range(first, last + 1)]

    def _at(self, slot: int) -> float:
        known = self.last - len(self.values) < slot <= self.last
        return self.values[slot % len(self.values)] if known else math.nan


class ValueHistory:
    """Written by one thread, read by any; 1.5 KB for each rule and key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[tuple[str, Key], tuple[_Ring, _Ring]] = {}
        self._changed: set[tuple[str, Key]] = set()

    def take(self, evaluations: Iterable[Evaluation]) -> None:
        with self._lock:
            for one in evaluations:
                if one.value is None or not math.isfinite(one.value):
                    continue
                identity = (one.rule, one.key)
                rings = self._series.get(identity)
                if rings is None:
                    if len(self._series) >= _MOST_SERIES:
                        continue
                    rings = self._series[identity] = (_Ring(MINUTES, MINUTE_NANO), _Ring(SLOTS, SLOT_NANO))
                # The tick closes the time before it.
                rings[0].put(one.time_unix_nano - 1, one.value)
                rings[1].put(one.time_unix_nano - 1, one.value)
                self._changed.add(identity)

    def day(self, rule: str, key: Key, now_unix_nano: int, *, recent_since_unix_nano: int) -> Day | None:
        """None for what was never measured; what came after `recent_since` is not part of what is usual."""
        with self._lock:
            rings = self._series.get((rule, key))
            if rings is None:
                return None
            minutes = rings[0].between(now_unix_nano - (MINUTES - 1) * MINUTE_NANO, now_unix_nano)
            # Windows reach back, and the slot in which it began is part of it.
            slots = rings[1].between(now_unix_nano - SLOTS * SLOT_NANO, recent_since_unix_nano - 2 * SLOT_NANO)
        before = [value for value in slots if not math.isnan(value)]
        shown = tuple(None if math.isnan(value) else value for value in minutes)
        if len(before) < _LEAST_SLOTS:
            return Day(shown, None, None, None)
        return Day(shown, statistics.median(before), max(before), min(before))

    def save(self, state: State) -> None:
        """What has changed since the last time; raise StateError."""
        with self._lock:
            rows = [
                (rule, orjson.dumps(key).decode(), _content(self._series[rule, key])) for rule, key in self._changed
            ]
            changed, self._changed = self._changed, set()
        try:
            with state.transaction() as connection:
                connection.executemany("INSERT OR REPLACE INTO value_history VALUES (?, ?, ?)", rows)
        except BaseException:
            self._changed |= changed
            raise

    def restore(self, state: State, now_unix_nano: int) -> None:
        """Take the last run's up, and drop what is older than a day; raise StateError."""
        gone = []
        for rule, key, content in state.rows("SELECT rule, key, content FROM value_history"):
            rings = _rings(orjson.loads(content))
            if now_unix_nano // SLOT_NANO - rings[1].last > SLOTS:
                gone.append((rule, key))
            else:
                self._series[rule, tuple((label, value) for label, value in orjson.loads(key))] = rings
        if not gone:
            return
        with state.transaction() as connection:
            connection.executemany("DELETE FROM value_history WHERE rule = ? AND key = ?", gone)


def _content(rings: tuple[_Ring, _Ring]) -> bytes:
    return orjson.dumps([[ring.last, [None if math.isnan(v) else v for v in ring.values]] for ring in rings])


def _rings(content: list[list[object]]) -> tuple[_Ring, _Ring]:
    found = []
    for (last, values), slots, nano in zip(content, (MINUTES, SLOTS), (MINUTE_NANO, SLOT_NANO), strict=True):
        ring = _Ring(slots, nano)
        if isinstance(last, int) and isinstance(values, list) and len(values) == slots:
            ring.last, ring.values = last, array("f", [math.nan if value is None else value for value in values])
        found.append(ring)
    return found[0], found[1]
