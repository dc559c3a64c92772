"""One part of a stream, brought to its target: again later, in halves, or set aside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from collector.encoding.encoder import Encoder
from collector.exporting.pauses import Pauses
from collector.exporting.settings import RetrySettings
from collector.exporting.target import Failure, SendError, Taken, Target

_REFUSED_PATIENCE_SECONDS = 300.0
"""A token that is being changed, a viewer that is being set up: the Collector gives up after as long by default."""
_MOST_HALVES = 64
"""Further requests that the search for the bad records of one part may cost."""
_HOPELESS_PARTS = 3
"""So many parts in a row of which nothing was taken: the others aren't searched for the bad ones."""


class StoppedError(Exception):
    """The process ends; what was not acknowledged is sent again by the next one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines to send, where each ends in its segment, and the bytes from `start` to `stop` that they stand for."""

    lines: Sequence[bytes]
    ends: Sequence[int]
    start: int
    stop: int

    def halves(self) -> tuple[Piece, Piece]:
        """Of at least two lines."""
        middle = len(self.lines) // 2
        border = self.ends[middle - 1]
        return (
            Piece(self.lines[:middle], self.ends[:middle], self.start, border),
            Piece(self.lines[middle:], self.ends[middle:], border, self.stop),
        )


@dataclass(frozen=True, slots=True)
class Settled:
    """A piece that is done with; `refusal` says why it was set aside, and is empty when it was taken."""

    piece: Piece
    records: int
    unreadable: int
    taken: Taken
    refusal: str = ""


class Delivery:
    """For one thread; `on_failure` hears of each attempt that failed."""

    def __init__(
        self,
        signal: str,
        target: Target,
        retry: RetrySettings,
        stopping: threading.Event,
        on_failure: Callable[[str], None],
    ) -> None:
        self._signal = signal
        self._target = target
        self._retry = retry
        self._stopping = stopping
        self._on_failure = on_failure
        self._encoder = Encoder()
        self._pauses = Pauses(retry)
        self._refused_parts = 0
        self._halves = 0
        self._taken_any = False
        self._refused_any = False

    def deliver(self, part: Piece) -> Iterator[Settled]:
        """Each piece of it once it is done with, in order; raise StoppedError when told to stop before."""
        self._halves = 0
        self._taken_any = self._refused_any = False
        pieces = [part]
        while pieces:
            piece = pieces.pop()
            settled = self._settle(piece)
            if settled is None:
                pieces += reversed(piece.halves())
            else:
                self._taken_any |= settled.records > 0 and not settled.refusal
                self._refused_any |= bool(settled.refusal)
                yield settled
        if self._taken_any:
            self._refused_parts = 0
        elif self._refused_any:
            self._refused_parts += 1

    def _settle(self, piece: Piece) -> Settled | None:
        """None: its halves are to be tried."""
        encoded = self._encoder.encode(self._signal, piece.lines)
        if not encoded.records:
            return Settled(piece, 0, encoded.unreadable, Taken())
        began = time.monotonic()
        while True:
            try:
                taken = self._target.send(self._signal, encoded.body)
            except SendError as error:
                self._on_failure(str(error))
                if error.failure is Failure.TOO_LARGE and len(piece.lines) > 1:
                    return None
                if error.failure is Failure.MALFORMED and self._may_search(piece):
                    self._halves += 2
                    return None
                if self._gives_up(error.failure, time.monotonic() - began):
                    return Settled(piece, encoded.records, encoded.unreadable, Taken(), str(error))
                self._wait(self._pauses.next(error.retry_after_seconds))
            else:
                self._pauses.start_again()
                return Settled(piece, encoded.records, encoded.unreadable, taken)

    def _may_search(self, piece: Piece) -> bool:
        return len(piece.lines) > 1 and self._halves < _MOST_HALVES and self._refused_parts < _HOPELESS_PARTS

    def _gives_up(self, failure: Failure, tried_seconds: float) -> bool:
        retry = self._retry
        if failure in {Failure.TOO_LARGE, Failure.MALFORMED} or not retry.enabled:
            return True
        if failure is Failure.REFUSED:
            if tried_seconds > _REFUSED_PATIENCE_SECONDS:
                return True
            if not self._refused_parts:
                return False
            # It was waited for long enough with the part before: one attempt more, not too soon.
            self._wait(retry.max_interval)
            return True
        return 0 < retry.max_elapsed_time <= tried_seconds

    def _wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise StoppedError
