from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

_SCOPE = "forecourt.event_loop"
_BEAT_SECONDS = 0.5


class EventLoopPulse:
    """How late the event loop is, and how long ago it last ran: a thread exports this, also when the loop hangs."""

    def __init__(self, meters: MeterProvider) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last_beat = 0.0
        self._latest = 0.0
        meter = meters.get_meter(_SCOPE)
        meter.create_observable_gauge(
            "process.event_loop.lag", [self._lag], "s", "The latest that a timer was since the last export."
        )
        meter.create_observable_gauge(
            "process.event_loop.heartbeat.age",
            [self._age],
            "s",
            "How long ago the loop last ran; a hung one gets older.",
        )

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called on the loop, with each request."""
        if loop is not self._loop:
            self._loop = loop
            self._beat(loop, loop.time())

    def _beat(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        if loop is not self._loop or loop.is_closed():
            return
        now = loop.time()
        self._latest = max(self._latest, now - due)
        self._last_beat = time.monotonic()
        loop.call_at(now + _BEAT_SECONDS, self._beat, loop, now + _BEAT_SECONDS)

    def _lag(self, _options: CallbackOptions) -> Iterator[Observation]:
        if self._is_running():
            latest, self._latest = self._latest, 0.0
            yield Observation(max(0.0, latest, self._overdue()))

    def _age(self, _options: CallbackOptions) -> Iterator[Observation]:
        if self._is_running():
            yield Observation(time.monotonic() - self._last_beat)

    def _overdue(self) -> float:
        return time.monotonic() - self._last_beat - _BEAT_SECONDS

    def _is_running(self) -> bool:
        return self._loop is not None and self._loop.is_running()
