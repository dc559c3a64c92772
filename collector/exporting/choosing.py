"""Which lines of a part are sent: all of them, or those of the traces that sampling keeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

import orjson

from collector.exporting.delivery import Piece
from collector.exporting.tail_sampling import TailSampler
from collector.exporting.unsent import Part, UnreadableError, Unsent
from storage.names import SegmentName, parse_segment_name
from storage.ranges import WHOLE, Ranges

_LOOKBACK_BYTES = 16 * 2**20
"""Read again before the first part: traces that were half sent when the process ended."""


class Chosen(NamedTuple):
    """Lines to send, and how many of the part are left out."""

    piece: Piece
    left_out: int


class Choice(Protocol):
    @property
    def undecided(self) -> int:
        """Traces that were sent without a decision: there were too many at a time to remember them."""

    def choose(self, part: Part) -> Chosen | None:
        """Of the part, or of its beginning; None while nothing of it can be decided."""


class Everything:
    undecided = 0

    def choose(self, part: Part) -> Chosen:
        lines = part.lines
        return Chosen(Piece(lines, _ends(part.start, lines), part.start, part.stop), 0)


class WholeTraces:
    """Looks ahead by `wait_seconds` of arrival, so that each trace is decided by all that came of it."""

    def __init__(
        self, sampler: TailSampler, ahead: Unsent, wait_seconds: float, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """`ahead` reads the same as whoever sends, from the same place on, or from before it."""
        self._sampler = sampler
        self._ahead = ahead
        self._wait_nano = int(wait_seconds * 1e9)
        self._clock = clock
        self._observed_nano = 0
        """Of arrival: all before it has been observed."""

    @property
    def undecided(self) -> int:
        return self._sampler.forgotten

    def choose(self, part: Part) -> Chosen | None:
        lines = part.lines
        records = [_parsed(line) for line in lines]
        self._observe(max(map(_received, records), default=0) + self._wait_nano)
        horizon, now = self._observed_nano - self._wait_nano, self._clock()
        # What came before the clock was put back is not waited for: it would hold up the rest for as long.
        waits = (index for index, record in enumerate(records) if horizon < _received(record) <= now)
        ready = next(waits, len(records))
        if not ready:
            return None
        ends = _ends(part.start, lines[:ready])
        kept = [index for index, record in enumerate(records[:ready]) if record is None or self._sampler.keep(record)]
        piece = Piece([lines[index] for index in kept], [ends[index] for index in kept], part.start, ends[-1])
        return Chosen(piece, ready - len(kept))

    def _observe(self, until_nano: int) -> None:
        """What came until then, or all that there is."""
        self._observed_nano = min(self._observed_nano, self._clock())  # which may have been put back
        while self._observed_nano < until_nano:
            began = self._clock()
            try:
                part = self._ahead.next()
            except UnreadableError as error:
                self._ahead.done(error.segment, error.start, WHOLE)
                continue
            if part is None:
                self._observed_nano = max(self._observed_nano, began)
                return
            received = 0
            for line in part.lines:
                record = _parsed(line)
                if record is not None:
                    self._sampler.observe(record)
                received = max(received, _received(record))
            self._ahead.done(part.segment, part.start, part.stop)
            self._observed_nano = max(self._observed_nano, min(received, began))


def looking_back(sent: Mapping[str, Ranges]) -> dict[str, Ranges]:
    """What counts as observed at a start: what was sent, but for the last megabytes of all of it."""
    found = {segment: Ranges(ranges) for segment, ranges in sent.items()}
    left = _LOOKBACK_BYTES
    for segment in sorted(found, key=_place, reverse=True):
        stop = max((stop for _, stop in found[segment]), default=0)
        if stop < WHOLE:
            start = max(0, stop - left)
            found[segment].remove(start, stop)
            left -= stop - start
        if not left:
            break
    return found


def _place(segment: str) -> SegmentName:
    """In their order."""
    return parse_segment_name(segment) or SegmentName(segment)


def _ends(start: int, lines: list[bytes]) -> list[int]:
    return list(accumulate((len(line) + 1 for line in lines), initial=start))[1:]


def _parsed(line: bytes) -> dict[str, Any] | None:
    """None where the line is no record: it is passed over, and counted, when it is sent."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _received(record: Mapping[str, Any] | None) -> int:
    value = (record or {}).get("received_unix_nano")
    return value if isinstance(value, int) else 0
