"""The lines that are wanted, of all streams and writers in the order of their arrival."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, MutableMapping, Sequence
from functools import partial
from typing import NamedTuple

import orjson

from operations.replaying.once import Once
from operations.replaying.plan import Part
from operations.replaying.wanted import Wanted
from storage.manifest import DAMAGED

_MAX_LINE_BYTES = 64 * 2**20
"""A longer one is no record."""
_PASSED_OVER = 20_000
"""Lines that are not wanted, after which their end is told all the same."""
_NEWLINE = 0x0A


class Found(NamedTuple):
    """A wanted line, or with an empty one how far reading has come; first what the streams are merged by."""

    received_unix_nano: int
    sequence: int
    stream: str
    segment: str
    end: int
    """The offset behind it."""
    line: bytes
    happened_unix_nano: int
    """Its event time, or its arrival where the sender's clock was ahead."""
    unreadable: int
    """Lines since the one before it that are no record."""
    repeated: int
    """Likewise, which a client had sent before."""


def found(wanted: Wanted, sequences: Sequence[Sequence[Part]], unread: MutableMapping[str, str]) -> Iterator[Found]:
    """By their arrival; segments that can't be read to their end are put into `unread` with the reason."""
    once = {stream: Once() for stream in wanted.signals}
    readers = []
    for number, parts in enumerate(sequences):
        reader = _Reader(wanted, number, once[parts[0].stream], unread)
        readers.append(reader.read(parts))
    return readers[0] if len(readers) == 1 else heapq.merge(*readers)


class _Reader:
    """Of the segments of one stream and writer."""

    def __init__(self, wanted: Wanted, number: int, once: Once, unread: MutableMapping[str, str]) -> None:
        self._wanted = wanted
        self._number = number
        self._once = once
        self._unread = unread
        self._received = 0

    def read(self, parts: Sequence[Part]) -> Iterator[Found]:
        for part in parts:
            try:
                yield from self._of(part)
            except DAMAGED as error:
                self._unread[f"{part.stream}/{part.segment}"] = str(error) or type(error).__name__

    def _of(self, part: Part) -> Iterator[Found]:
        """What was sent before is looked at again for what a client had sent twice."""
        number, stream, segment, start = self._number, part.stream, part.segment, part.start
        services, first, last = self._wanted.services, *_bounds(self._wanted)
        seen = self._once.seen
        end = unreadable = repeated = passed = 0
        for line, size in _lines(part):
            end += size
            passed += 1
            told = _told(line)
            if told is None:
                unreadable += end > start
            else:
                received, time, service, batch_id, index = told
                self._received = received
                if type(batch_id) is str and type(index) is int and seen(batch_id, index):
                    repeated += end > start
                elif (
                    end > start
                    and first <= time < last
                    and (not services or (type(service) is str and service in services))
                ):
                    happened = min(received, time)
                    yield Found(received, number, stream, segment, end, line, happened, unreadable, repeated)
                    unreadable = repeated = passed = 0
            if passed >= _PASSED_OVER and end > start:
                yield Found(self._received, number, stream, segment, end, b"", 0, unreadable, repeated)
                unreadable = repeated = passed = 0
        if passed and end > start:
            yield Found(self._received, number, stream, segment, end, b"", 0, unreadable, repeated)


def _bounds(wanted: Wanted) -> tuple[int, int]:
    return wanted.period.start_unix_nano, wanted.period.end_unix_nano


def _told(line: bytes) -> tuple[int, int, object, object, object] | None:
    """Arrival, event time (as sent, else observed, else arrival), service, batch id and index; None for no record."""
    try:
        record = orjson.loads(line)
        received = record["received_unix_nano"]
        time = record["time_unix_nano"] or record.get("observed_time_unix_nano") or received
        told = received, time, record.get("service"), record.get("batch_id"), record.get("batch_index")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return told if type(received) is int and type(time) is int else None


def _lines(part: Part) -> Iterator[tuple[bytes, int]]:
    """Whole ones, with their sizes; an overlong one is empty."""
    size = 0
    overlong = False
    end = part.end
    with part.opened() as file:
        left = end
        for line in iter(partial(file.readline, _MAX_LINE_BYTES), b""):
            size += len(line)
            if line[-1] != _NEWLINE:  # too long, or its end was not written yet
                overlong = len(line) >= _MAX_LINE_BYTES or overlong
                continue
            if left is not None:
                left -= size
                if left < 0:
                    return
            yield (b"" if overlong else line), size
            size, overlong = 0, False
