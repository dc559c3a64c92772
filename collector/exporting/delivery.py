"""One part of a stream, brought to its target: again later, in halves, or set aside."""

from __future__ import annotations

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
"""So many parts in a row of which nothing was taken: the others aren't searched for the bad ones.

A receiver that calls it a fault of its own is waited for then, like one that refuses.
"""

_MOST_LATE = 3
"""So often in a row without an answer in time: less of it may be answered."""


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
    """For one thread; `wait` waits so many seconds, `on_failure` hears of each attempt that failed."""

    def __init__(
        self,
        signal: str,
        target: Target,
        retry: RetrySettings,
        wait: Callable[[float], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self._signal = signal
        self._target = target
        self._retry = retry
        self._wait = wait
        self._on_failure = on_failure
        self._encoder = Encoder()
        self._pauses = Pauses(retry)
        self._refused_parts = 0
        self._waited_long = False
        self._halves = 0
        self._taken_any = False
        self._refused_any = False

    def deliver(self, part: Piece) -> Iterator[Settled]:
        """Each piece of it once it is done with, in order; what `wait` and `on_failure` raise goes through."""
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
            self._waited_long = False
        elif self._refused_any:
            self._refused_parts += 1

    def _settle(self, piece: Piece) -> Settled | None:
        """None: its halves are to be tried."""
        encoded = self._encoder.encode(self._signal, piece.lines)
        if not encoded.records:
            return Settled(piece, 0, encoded.unreadable, Taken())
        began = time.monotonic()
        late = 0
        while True:
            try:
                taken = self._target.send(self._signal, encoded.body)
            except SendError as error:
                self._on_failure(str(error))
                late = late + 1 if error.late else 0
                if len(piece.lines) > 1 and self._is_too_much(error, late):
                    return None
                if error.failure is Failure.MALFORMED and self._may_search(piece):
                    self._halves += 2
                    return None
                if self._gives_up(error, time.monotonic() - began):
                    return Settled(piece, encoded.records, encoded.unreadable, Taken(), str(error))
                self._wait(self._pauses.next(error.retry_after_seconds))
            else:
                self._pauses.start_again()
                return Settled(piece, encoded.records, encoded.unreadable, taken)

    @property
    def _hopeless(self) -> bool:
        return self._refused_parts >= _HOPELESS_PARTS

    def _is_too_much(self, error: SendError, late: int) -> bool:
        """Whether halves may pass; who gives up after some time shall not wait so long for each of them."""
        if error.failure is Failure.TOO_LARGE:
            return not self._hopeless
        return late >= _MOST_LATE and not self._retry.max_elapsed_time

    def _may_search(self, piece: Piece) -> bool:
        return len(piece.lines) > 1 and self._halves < _MOST_HALVES and not self._hopeless

    def _gives_up(self, error: SendError, tried_seconds: float) -> bool:
        retry = self._retry
        if error.failure is Failure.TOO_LARGE or not retry.enabled:
            return True
        if error.failure is Failure.AGAIN:
            return 0 < retry.max_elapsed_time <= tried_seconds
        if error.failure is Failure.MALFORMED and not (error.own_fault and self._hopeless):
            return True
        if self._waited_long:
            # With a part before: this one was tried, and the next is not tried too soon.
            self._wait(retry.max_interval)
            return True
        self._waited_long = tried_seconds > _REFUSED_PATIENCE_SECONDS
        return self._waited_long
