"""Cutting a large protobuf request into small ones that together mean the same.

By protobuf's concatenation law a message may be written as several, each with a part of a repeated field:
the parser merges them. So a slice repeats what surrounds its records and holds a run of the records.
Only lengths are walked; what is inside is the parser's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from collector.decoding.batch import MalformedBodyError

SLICE_BYTES = 1_048_576
"""A slice's aim; one that holds a single larger record, or much around its records, is larger."""
MAX_ENVELOPE_BYTES = 4 * SLICE_BYTES
"""Bytes around the records of one slice: resource, scope, schema URLs and what is unknown."""
MAX_RECORD_BYTES = 4 * SLICE_BYTES
"""A larger record is refused unread: parsed, a few bytes of it may take dozens of memory."""
MAX_ENVELOPES = 1_000_000
"""Resources and scopes of one request; no sender makes so many, and each costs time though it holds nothing."""

RECORDS = ((1,), (2,), (2,))
"""The way to spans and log records: field numbers of resource, scope and record."""
POINTS = (*RECORDS, (5, 7, 9, 10, 11), (1,))
"""The way to data points leads through the metric's one data field."""

_VARINT, _FIXED64, _LENGTH, _START_GROUP, _END_GROUP, _FIXED32 = range(6)
_VARINT_BYTES = 10
_GROUP_DEPTH = 100


class Slice(NamedTuple):
    request: bytes
    oversized: bool = False
    """The slice stands for one record over MAX_RECORD_BYTES and holds an empty one in its place."""


@dataclass(slots=True)
class _Message:
    """One message split into its children on the way and everything else."""

    envelope: bytearray = field(default_factory=bytearray)
    children: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Field number, start of the field, start and end of its value."""


class Slicer:
    """Cuts one body; iterating again gives the same slices."""

    def __init__(self, body: bytes, path: Sequence[tuple[int, ...]], slice_bytes: int = SLICE_BYTES) -> None:
        self._body = body
        self._path = path
        self._slice_bytes = slice_bytes
        self._envelopes = 0

    def __iter__(self) -> Iterator[Slice]:
        """Requests of about `slice_bytes`, in the order of the body; raise MalformedBodyError."""
        self._envelopes = 0
        if len(self._body) <= self._slice_bytes:
            yield Slice(self._body)
        else:
            yield from self._pieces(0, len(self._body), 0)

    def _pieces(self, start: int, end: int, level: int) -> Iterator[Slice]:
        message = self._split(start, end, level)
        envelope = bytes(message.envelope)
        room = max(self._slice_bytes, len(envelope))
        run: list[bytes] = []
        size = 0
        for number, field_start, value_start, value_end in message.children:
            length = value_end - field_start
            if run and size + length > room:
                yield Slice(envelope + b"".join(run))
                run, size = [], 0
            if length <= room:
                run.append(self._body[field_start:value_end])
                size += length
                continue
            for piece in self._pieces_of_child(value_start, value_end, level + 1):
                yield Slice(envelope + _tagged(number, piece.request), piece.oversized)
        if run or not message.children:
            yield Slice(envelope + b"".join(run))

    def _pieces_of_child(self, start: int, end: int, level: int) -> Iterator[Slice]:
        if level < len(self._path):
            yield from self._pieces(start, end, level)
        elif end - start > MAX_RECORD_BYTES:
            yield Slice(b"", oversized=True)
        else:
            yield Slice(self._body[start:end])

    def _split(self, start: int, end: int, level: int) -> _Message:
        message = _Message()
        position = start
        while position < end:
            number, value_start, value_end, wire_type = self._field(position, end)
            if number in self._path[level] and wire_type == _LENGTH:
                message.children.append((number, position, value_start, value_end))
            else:
                message.envelope += self._body[position:value_end]
            position = value_end
        self._refuse_excess(message, start, level)
        return message

    def _refuse_excess(self, message: _Message, start: int, level: int) -> None:
        if level + 1 < len(self._path):
            self._envelopes += len(message.children)
        if self._envelopes > MAX_ENVELOPES:
            raise MalformedBodyError(
                f"more than {MAX_ENVELOPES} resources and scopes in one request. Send smaller requests.",
            )
        if len(message.envelope) > MAX_ENVELOPE_BYTES:
            raise MalformedBodyError(
                f"resource or scope at byte {start}: {len(message.envelope)} bytes around the records, expected "
                f"at most {MAX_ENVELOPE_BYTES}. Send fewer or shorter resource attributes.",
            )
        if level == len(RECORDS) and len({number for number, *_ in message.children}) > 1:
            raise MalformedBodyError(f"metric at byte {start}: has two kinds of data points, expected one")

    def _field(self, position: int, end: int, depth: int = 0) -> tuple[int, int, int, int]:
        """Number, start and end of the value, and wire type of the field at `position`."""
        start = position
        tag, position = self._varint(position, end)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value_end = self._varint(position, end)[1]
        elif wire_type == _LENGTH:
            length, position = self._varint(position, end)
            value_end = position + length
        elif wire_type in {_FIXED64, _FIXED32}:
            value_end = position + (8 if wire_type == _FIXED64 else 4)
        elif wire_type == _START_GROUP and depth < _GROUP_DEPTH:
            value_end = self._end_of_group(number, position, end, depth)
        else:
            raise MalformedBodyError(f"byte {start}: wire type {wire_type} is not expected here")
        if value_end > end or number == 0:
            raise MalformedBodyError(f"byte {start}: field {number} is cut off or has no number")
        return number, position, value_end, wire_type

    def _end_of_group(self, number: int, position: int, end: int, depth: int) -> int:
        while True:
            tag, behind = self._varint(position, end)
            if tag & 7 == _END_GROUP:
                if tag >> 3 != number:
                    raise MalformedBodyError(f"byte {position}: a group ends that did not begin")
                return behind
            position = self._field(position, end, depth + 1)[2]

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        body = self._body
        value = 0
        for count in range(_VARINT_BYTES):
            if position >= end:
                break
            byte = body[position]
            position += 1
            value |= (byte & 0x7F) << (7 * count)
            if byte < 0x80:  # noqa: PLR2004  # the continuation bit
                return value, position
        raise MalformedBodyError(f"byte {position}: a number is cut off or too long")


def _tagged(number: int, value: bytes) -> bytes:
    return _encode_varint(number << 3 | _LENGTH) + _encode_varint(len(value)) + value


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004  # seven bits a byte
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
