"""The lines that are chosen, of all streams and writers in the order of their arrival, each once."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, MutableMapping, Sequence
from typing import NamedTuple

import orjson

from operations.once import Once
from operations.stored_segments import Part, Selection
from storage.manifest import DAMAGED

_PASSED_OVER = 20_000
"""Lines that are not chosen, after which their end is told all the same."""


class Found(NamedTuple):
    """A chosen line, or with an empty one how far reading has come; first what the streams are merged by."""

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


def found(
    selection: Selection, sequences: Sequence[Sequence[Part]], unread: MutableMapping[str, str]
) -> Iterator[Found]:
    """By their arrival; segments that can't be read to their end are put into `unread` with the reason."""
    once = {parts[0].stream: Once() for parts in sequences}
    readers = [
        _Reader(selection, number, once[parts[0].stream], unread).read(parts) for number, parts in enumerate(sequences)
    ]
    return readers[0] if len(readers) == 1 else heapq.merge(*readers)


class _Reader:
    """Of the segments of one stream and writer."""

    def __init__(self, selection: Selection, number: int, once: Once, unread: MutableMapping[str, str]) -> None:
        self._selection = selection
        self._number = number
        self._once = once
        self._unread = unread
        self._received = 0

    def read(self, parts: Sequence[Part]) -> Iterator[Found]:
        for part in parts:
            try:
                yield from self._of(part)
            except DAMAGED as error:
                self._unread[f"{part.stream}/{part.path.name}"] = str(error) or type(error).__name__

    def _of(self, part: Part) -> Iterator[Found]:
        """What was dealt with before is looked at again for what a client had sent twice."""
        number, stream, segment, start = self._number, part.stream, part.segment, part.start
        needle = self._selection.trace_id.encode()
        end = unreadable = repeated = passed = 0
        for line, size in part.lines():
            end += size
            passed += 1
            told = _told(line) if needle in line else _OTHERS
            if told is None:
                unreadable += end > start
            elif told is not _OTHERS:
                self._received = told.received
                if self._is_again(told):
                    repeated += end > start
                elif end > start and self._wants(told):
                    happened = min(told.received, told.happened)
                    yield Found(told.received, number, stream, segment, end, line, happened, unreadable, repeated)
                    unreadable = repeated = passed = 0
            if passed >= _PASSED_OVER and end > start:
                yield Found(self._received, number, stream, segment, end, b"", 0, unreadable, repeated)
                unreadable = repeated = passed = 0
        if passed and end > start:
            yield Found(self._received, number, stream, segment, end, b"", 0, unreadable, repeated)

    def _is_again(self, told: _Told) -> bool:
        batch_id, index = told.batch_id, told.batch_index
        return type(batch_id) is str and type(index) is int and self._once.seen(batch_id, index)

    def _wants(self, told: _Told) -> bool:
        wanted = self._selection
        return (
            (wanted.period is None or wanted.period.holds(told.happened))
            and (not wanted.services or (type(told.service) is str and told.service in wanted.services))
            and (not wanted.trace_id or told.trace_id == wanted.trace_id)
        )


class _Told(NamedTuple):
    """What a line tells; `happened` is as it was sent, else observed, else its arrival, in nanoseconds since 1970."""

    received: int
    happened: int
    service: object
    trace_id: object
    batch_id: object
    batch_index: object


_OTHERS = _Told(0, 0, None, None, None, None)
"""In place of what a line tells that does not hold the chosen trace id."""


def _told(line: bytes) -> _Told | None:
    """None for no record."""
    try:
        record = orjson.loads(line)
        received = record["received_unix_nano"]
        time = record["time_unix_nano"] or record.get("observed_time_unix_nano") or received
        trace_id, batch_id = record.get("trace_id"), record.get("batch_id")
        told = _Told(received, time, record.get("service"), trace_id, batch_id, record.get("batch_index"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return told if type(received) is int and type(time) is int and time >= 0 else None
