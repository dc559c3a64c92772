from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from instrumentation.export.spool import Spool, Waiting
from instrumentation.export.transport import Outcome, Signal, Transport

logger = logging.getLogger("forecourt")

_MEMORY_BYTES = 8 << 20
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 30.0
_REPORT_SECONDS = 60.0
_ADOPT_SECONDS = 60.0
_SEND_SECONDS = 10.0
_START_IT = "Is the sidecar running? Start it with: forecourt collector"


class Delivery:
    """Sends requests in the order in which they were given, one at a time; what can't be sent now goes to the spool.

    While the sidecar is away it is tried again after 1 s, then less and less often, at least every 30 s; what lies in
    the spool goes first.
    """

    def __init__(self, make_transport: Callable[[], Transport], spool: Spool, fallback: Spool) -> None:
        """`fallback` takes what the spool can't write."""
        self.refused = 0
        self._make_transport = make_transport
        self._spool, self._fallback = spool, fallback
        self._spools = (spool, fallback)
        self._last_report = -_REPORT_SECONDS
        self._reported_away = False
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._transport = self._make_transport()
        self._queue: deque[Waiting] = deque()
        self._queued_bytes = 0
        self._in_hand: Waiting | None = None
        self._changed = threading.Condition()
        self._stop_at: float | None = None
        self._thread: threading.Thread | None = None
        self._delay = 0.0
        self._try_again = 0.0
        self._adopt_at = 0.0

    def after_fork(self) -> None:
        self._spool.after_fork()
        self._fallback.after_fork()
        self._start_afresh()

    @property
    def dropped(self) -> int:
        """Requests that were given up: refused for good, or over the spool's bounds."""
        return self.refused + sum(spool.dropped for spool in {id(s): s for s in self._spools}.values())

    def send(self, signal: Signal, body: bytes) -> None:
        """Return at once."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="forecourt-send", daemon=True)
                self._thread.start()
            self._queue.append(Waiting(time.time_ns(), signal, body))
            self._queued_bytes += len(body)
            while self._queued_bytes > _MEMORY_BYTES:
                self._keep(self._take())
            self._changed.notify_all()

    def _take(self) -> Waiting:
        waiting = self._queue.popleft()
        self._queued_bytes -= len(waiting.body)
        return waiting

    def _keep(self, waiting: Waiting) -> None:
        try:
            self._spool.add(waiting)
        except OSError as error:
            self._fallback.add(waiting)
            self._report(f"the spool can't be written, so requests wait in memory: {error}")

    def _run(self) -> None:
        with suppress_http_instrumentation():
            while self._stop_at is None:
                with self._changed:
                    self._changed.wait_for(lambda: self._queue or self._stop_at, self._idle_seconds())
                try:
                    self._work()
                except Exception as error:  # noqa: BLE001  # whatever a disk or a server does, the thread goes on
                    self._report(f"requests could not be sent: {error!r}")
                    time.sleep(_FIRST_DELAY_SECONDS)
        self._transport.close()

    def _idle_seconds(self) -> float:
        until = self._try_again if self._delay else self._adopt_at
        return min(max(0.0, until - time.monotonic()), _ADOPT_SECONDS)

    def _work(self) -> None:
        now = time.monotonic()
        if now >= self._adopt_at:
            self._adopt_at = now + _ADOPT_SECONDS
            self._spool.adopt()
        waiting = self._stop_at is None and now < self._try_again
        if waiting or not self._send_all():
            self._keep_all()
        with self._changed:
            self._changed.notify_all()

    def _send_all(self) -> bool:
        return self._send_kept(self._spool) and self._send_kept(self._fallback) and self._send_queued()

    def _keep_all(self) -> None:
        with self._changed:
            if self._in_hand:
                self._keep(self._in_hand)
                self._in_hand = None
            while self._queue:
                self._keep(self._take())

    def _send_kept(self, spool: Spool) -> bool:
        """Whether the spool is empty now."""
        while entry := spool.oldest():
            try:
                waiting = spool.read(entry)
            except FileNotFoundError:
                continue  # given up for the bounds
            if not self._done_with(waiting):
                return False
            spool.remove(entry)
        return True

    def _send_queued(self) -> bool:
        while True:
            with self._changed:
                if not self._queue:
                    return True
                self._in_hand = self._take()
            if not self._done_with(self._in_hand):
                return False
            with self._changed:
                self._in_hand = None

    def _done_with(self, waiting: Waiting) -> bool:
        seconds = _SEND_SECONDS if self._stop_at is None else self._stop_at - time.monotonic()
        if seconds <= 0:
            return False
        outcome = self._transport.send(waiting.signal, waiting.body, seconds)
        if outcome.kind == "later":
            self._away(outcome)
            return False
        self._delay = 0.0
        self._try_again = 0.0
        if outcome.kind == "refused":
            self.refused += 1
            self._report(f"{outcome.detail}: these {waiting.signal} are given up")
        elif outcome.detail:
            self._report(outcome.detail)
        elif self._reported_away:
            self._reported_away = False
            logger.info("the sidecar answers again; what waited for it is being sent")
        return True

    def _away(self, outcome: Outcome) -> None:
        self._delay = min(max(_FIRST_DELAY_SECONDS, self._delay * 2), _LONGEST_DELAY_SECONDS)
        self._try_again = time.monotonic() + max(self._delay, min(outcome.retry_after_seconds, _LONGEST_DELAY_SECONDS))
        until = f"it does. {_START_IT}" if outcome.silent else "it is taken"
        self._reported_away |= self._report(f"{outcome.detail}; telemetry waits in {self._spool} until {until}")

    def _report(self, message: str) -> bool:
        """One line a minute, whatever happens."""
        now = time.monotonic()
        if now < self._last_report + _REPORT_SECONDS:
            return False
        self._last_report = now
        given_up = f" (requests given up so far: {self.dropped})" if self.dropped else ""
        logger.warning("%s%s", message, given_up)
        return True

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until nothing is in memory alone; whether all was delivered."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue and self._in_hand is None, timeout_seconds)
            left = bool(self._queue or self._in_hand)
        return not left and self._spool.oldest() is None and self._fallback.oldest() is None

    def keep(self) -> None:
        """Put what is in memory into the spool now, even what is being sent: arriving twice is better than never."""
        self._keep_all()

    def shutdown(self, timeout_seconds: float) -> None:
        """Send what is left until the time is up, then leave it in the spool for the next process."""
        with self._changed:
            self._stop_at = time.monotonic() + timeout_seconds
            self._changed.notify_all()
        if self._thread:
            self._thread.join(timeout_seconds)
        self._keep_all()
