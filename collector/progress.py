"""Whether the sidecar does its work: receives, syncs, judges."""

from __future__ import annotations

import time
from collections.abc import Callable

from collector.judge import Judge
from processors.judgement import TICK_NANO
from storage import StoreStatistics

_LATE_NANO = 2 * TICK_NANO + TICK_NANO // 2
"""Two ticks, and half of one until the second is judged."""


class Progress:
    """`beat` is called by the loop that receives, at least each second."""

    def __init__(
        self, statistics: Callable[[], StoreStatistics], judge: Judge, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._statistics = statistics
        self._judge = judge
        self._clock = clock
        self._beat = self._synced = clock()
        self._written = -1

    def beat(self) -> None:
        self._beat = self._clock()

    def problem(self) -> str:
        """What has made no progress in the last two ticks; empty when all is well."""
        now = self._clock()
        store = self._statistics()
        written = sum(store.written_bytes.values())
        if written != self._written or not store.queue_bytes:
            self._written, self._synced = written, now
        if now - self._beat > _LATE_NANO:
            return f"receiving has stood still for {(now - self._beat) / 1e9:.0f} s"
        if store.failure is not None:
            return f"the store refuses writes: {store.failure}"
        if now - self._synced > _LATE_NANO:
            return f"nothing was synced for {(now - self._synced) / 1e9:.0f} s"
        if self._judge.failed or now - self._judge.judgement.tick_unix_nano > _LATE_NANO:
            return "judging stands still"
        return ""
