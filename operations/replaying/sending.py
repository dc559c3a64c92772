"""One batch of lines delivered: again while the receiver is away, in halves where it takes some of them only."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from collector.encoding.encoder import Encoder
from collector.exporting.target import Failure, SendError, Taken, Target
from processors.quantities import format_duration

_EXTRA_REQUESTS = 32
"""For one batch: one bad record of a thousand is found by twenty."""
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_REASONS = 3
_ALL_REFUSED = 100
"""Records of a first batch: when none of so many is taken, none of the others would be."""


class StoppedError(Exception):
    """The receiver takes nothing any more; the message says why."""


@dataclass(slots=True)
class Delivery:
    """What came of lines; `reasons` are the first of why records were refused."""

    records: int = 0
    refused: int = 0
    unreadable: int = 0
    reasons: list[str] = field(default_factory=list)

    def refuse(self, records: int, reason: str) -> None:
        self.refused += records
        self.note([reason])

    def note(self, reasons: Sequence[str]) -> None:
        new = [reason for reason in reasons if reason not in self.reasons]
        self.reasons += new[: _REASONS - len(self.reasons)]


Deliver = Callable[[str, Sequence[bytes], int], Delivery]
"""Takes the signal, its lines, and by how many nanoseconds their times move."""


def counted(_signal: str, lines: Sequence[bytes], _shift_nano: int) -> Delivery:
    """Nothing is sent."""
    return Delivery(records=len(lines))


class Sender:
    """`tell` gets a line for the operator, `wait` seconds."""

    def __init__(
        self,
        target: Target,
        give_up_after_seconds: float,
        *,
        tell: Callable[[str], None],
        wait: Callable[[float], None],
        monotonic: Callable[[], float] = time.monotonic,
        several_signals: bool = False,
    ) -> None:
        self.requests = 0
        self.bytes = 0
        """Of their bodies, before compression."""
        self._target = target
        self._give_up_after = give_up_after_seconds
        self._tell = tell
        self._wait = wait
        self._monotonic = monotonic
        self._several_signals = several_signals
        self._encoder = Encoder()
        self._taken_signals: set[str] = set()

    def deliver(self, signal: str, lines: Sequence[bytes], shift_nano: int) -> Delivery:
        """Raise StoppedError: then nobody knows how much of it was taken."""
        delivery = Delivery()
        extra = _EXTRA_REQUESTS
        waiting = deque([lines])
        while waiting:
            piece = waiting.popleft()  # the largest: the fewest are lost with a bad one when no requests are left
            may_halve = len(piece) > 1 and extra > 0
            if not self._deliver(signal, piece, shift_nano, delivery, may_halve=may_halve):
                extra -= 2
                middle = len(piece) // 2
                waiting += (piece[:middle], piece[middle:])
        if delivery.records:
            self._taken_signals.add(signal)
        elif delivery.refused >= _ALL_REFUSED and signal not in self._taken_signals:
            raise StoppedError(f"none of the first {delivery.refused:,} records was taken: {delivery.reasons[0]}")
        return delivery

    def _deliver(
        self, signal: str, lines: Sequence[bytes], shift_nano: int, delivery: Delivery, *, may_halve: bool
    ) -> bool:
        """Whether they are dealt with: taken, or refused for good."""
        encoded = self._encoder.encode(signal, lines, shift_nano=shift_nano)
        if encoded.records:
            try:
                taken = self._taken(signal, encoded.body)
            except SendError as error:
                if may_halve:
                    return False
                delivery.refuse(encoded.records, f"{signal}: {error}")
            else:
                refused = min(taken.rejected, encoded.records)
                delivery.records += encoded.records - refused
                if refused:
                    delivery.refuse(refused, f"{signal}: {taken.message or 'no reason was given'}")
        delivery.unreadable += encoded.unreadable
        return True

    def _taken(self, signal: str, body: bytes) -> Taken:
        """Raise SendError when the halves may be taken."""
        pause = _FIRST_PAUSE_SECONDS
        first: float | None = None
        while True:
            self.requests += 1
            self.bytes += len(body)
            try:
                return self._target.send(signal, body)
            except SendError as error:
                if error.failure in {Failure.TOO_LARGE, Failure.MALFORMED}:
                    raise
                if error.failure is Failure.REFUSED:
                    way_out = " (--signal leaves signals out)" if error.unknown_signal and self._several_signals else ""
                    raise StoppedError(f"{signal}: {error}{way_out}") from error
                now = self._monotonic()
                first = now if first is None else first
                seconds = self._pause(error, pause, self._give_up_after - (now - first))
                self._tell(f"{error}; trying again in {seconds:.3g} s")
            self._wait(seconds)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _pause(self, error: SendError, pause: float, left: float) -> float:
        """Raise StoppedError when no time is left for it."""
        asked = error.retry_after_seconds or 0.0
        if left <= 0 or asked > left:
            told = f"; it asks to wait {asked:.3g} s" if asked else ""
            raise StoppedError(f"{error}{told}; given up after {format_duration(self._give_up_after)}") from error
        return max(min(pause, left), asked)
