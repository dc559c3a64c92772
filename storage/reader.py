"""Reading segments: whole records from an offset on, of several streams in the order of their arrival."""

from __future__ import annotations

import gzip
import heapq
import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from storage.names import SegmentName, segments

_log = logging.getLogger(__name__)

Needles = Mapping[str, tuple[bytes, ...] | None]
"""By stream texts of which a line must hold one; None for all lines."""


class StoredRecord(NamedTuple):
    """A line of a segment; `end` is the offset behind it in the uncompressed file, in bytes."""

    stream: str
    segment: str
    end: int
    record: Mapping[str, Any]

    @property
    def received_unix_nano(self) -> int:
        return int(self.record["received_unix_nano"])


class Span(NamedTuple):
    """A part of a segment that is to be read; to its end if `end` is None."""

    stream: str
    segment: str
    path: Path
    start: int
    end: int | None


def plain_name(name: SegmentName) -> str:
    """The segment's name, be it compressed meanwhile or not."""
    return str(SegmentName(name.hour, name.writer, name.number))


def unread(folder: Path, streams: Iterable[str], known: Mapping[str, Mapping[str, int]]) -> Iterator[Span]:
    """What the segments of the streams hold beyond the bytes that are `known`."""
    for stream in streams:
        for name, path in segments(folder / stream):
            plain = plain_name(name)
            start = known.get(stream, {}).get(plain, 0)
            if (name.compressed and not start) or (not name.compressed and _has_grown(path, start)):
                yield Span(stream, plain, path, start, None)


def _has_grown(path: Path, start: int) -> bool:
    try:
        return path.stat().st_size > start
    except FileNotFoundError:  # compressed meanwhile: it grows no more
        return not start


def read(
    spans: Iterable[Span], needles: Mapping[str, tuple[bytes, ...] | None] | None = None
) -> Iterator[StoredRecord]:
    """All records of the parts, by their arrival; lines that are no record are passed over.

    Of a stream that has `needles` only the lines that hold one of them are parsed; None: all of them.
    """
    wanted = needles or {}
    by_stream: dict[str, list[Span]] = {}
    for span in spans:
        by_stream.setdefault(span.stream, []).append(span)
    parts = [_of_stream(parts, wanted.get(stream)) for stream, parts in by_stream.items()]
    return heapq.merge(*parts, key=lambda stored: stored.received_unix_nano)


def _of_stream(spans: Iterable[Span], needles: tuple[bytes, ...] | None) -> Iterator[StoredRecord]:
    for span in spans:
        yield from _of_segment(span, needles)


def _of_segment(span: Span, needles: tuple[bytes, ...] | None) -> Iterator[StoredRecord]:
    end = span.start
    try:
        for line in _lines(span):
            end += len(line)
            if needles is not None and not any(map(line.__contains__, needles)):
                continue
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(record, dict) and isinstance(record.get("received_unix_nano"), int):
                yield StoredRecord(span.stream, span.segment, end, record)
    except (FileNotFoundError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        _log.warning("%s/%s could not be read beyond byte %d: %s", span.stream, span.segment, end, error)


def _lines(span: Span) -> Iterator[bytes]:
    """Whole ones; raise FileNotFoundError when retention took the segment away, gzip's errors when it is damaged."""
    with _open(span.path) as file:
        file.seek(span.start)
        end = span.start
        for line in file:
            if (span.end is not None and end >= span.end) or not line.endswith(b"\n"):
                return
            end += len(line)
            yield line


def _open(path: Path) -> BinaryIO | gzip.GzipFile:
    """Compressed meanwhile or not."""
    if path.suffix != ".gz":
        try:
            return path.open("rb")
        except FileNotFoundError:
            path = path.with_name(f"{path.name}.gz")
    return gzip.open(path, "rb")
