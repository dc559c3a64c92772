"""A file opened as what it holds: plain, or compressed in a form that its first bytes tell.

The Collector's file exporter (`compression: zstd`) writes each message as a zstd frame behind its length of four bytes,
the highest first; with its feature gate `exporter.file.nativeCompression` it writes what `zstd -d` reads.
"""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

PACKED = frozenset({".gz", ".zst", ".zstd"})
"""Endings of what is whole once it is there."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_LENGTH_BYTES = 4
_HEAD_BYTES = _LENGTH_BYTES + len(_ZSTD)
_PROTOBUF = b"\x0a"
"""The tag of the first field of TracesData, MetricsData and LogsData."""
_TEXT = 0x09
"""No text begins with a smaller byte; a length below 150 MB does."""
_READ_BYTES = 1 << 16
_STEP_BYTES = 256
"""Read at a time of what is compressed: four of them may become a block of 128 KiB."""
_WINDOW_BYTES = 128 * 2**20
"""As `zstd -d` allows without being asked."""
_CUT_OFF = "is cut off"
_NOT_JSON = (
    "holds protobuf messages, which do not tell of which signal they are: let the Collector's file exporter write "
    "`format: json`; `compression: zstd` may stay"
)


def opened(path: Path) -> BinaryIO:
    """`-` is standard input. Raise OSError, as one of DAMAGED is raised by reading."""
    source = sys.stdin.buffer if str(path) == "-" else path.open("rb")
    try:
        head, file = _begun(source)
        if head.startswith(_GZIP):
            pieces = _unpacked(_steps(file), partial(zlib.decompressobj, 16 + zlib.MAX_WBITS))
        elif head.startswith(_ZSTD):
            pieces = _unpacked(_steps(file), _zstd)
        elif head[_LENGTH_BYTES:] == _ZSTD:
            pieces = _messages(file)
        else:
            return file
        return _begun(_file(pieces, file))[1]
    except BaseException:
        source.close()
        raise


def _begun(source: BinaryIO) -> tuple[bytes, BinaryIO]:
    """Its first bytes, and a file that begins with them, since a pipe is read but once."""
    head = source.read(_HEAD_BYTES)
    if head and head[0] < _TEXT and head[_LENGTH_BYTES : _LENGTH_BYTES + 1] == _PROTOBUF:
        raise OSError(_NOT_JSON)
    read: Callable[[int], bytes] = source.read1  # type: ignore[attr-defined]  # what is there by now
    return head, _file(chain([head], iter(partial(read, _READ_BYTES), b"")), source)


def _zstd() -> Any:
    return zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()


def _steps(file: BinaryIO, size: int = sys.maxsize) -> Iterator[bytes]:
    left = size
    while left and (step := file.read(min(_STEP_BYTES, left))):
        left -= len(step)
        yield step


def _unpacked(steps: Iterable[bytes], begin: Callable[[], Any]) -> Iterator[bytes]:
    """Of members or frames one after the other (RFC 1952, 2.2; RFC 8878, 3.1); raise one of DAMAGED."""
    frame = None
    for step in steps:
        rest = step
        while rest := rest if frame else rest.lstrip(b"\0"):
            frame = frame or begin()
            try:
                yield frame.decompress(rest)
            except zstandard.ZstdError as error:
                raise OSError(f"not valid zstd: {error}") from error
            rest, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame is not None:
        raise EOFError(_CUT_OFF)


def _messages(file: BinaryIO) -> Iterator[bytes]:
    """Each as a line."""
    while length := file.read(_LENGTH_BYTES):
        is_begun = False
        for piece in filter(None, _unpacked(_steps(file, int.from_bytes(length, "big")), _zstd)):
            if not is_begun and not piece.startswith(b"{"):
                raise OSError(_NOT_JSON)
            is_begun = True
            yield piece
        if not is_begun:
            raise EOFError(_CUT_OFF)
        yield b"\n"


def _file(pieces: Iterator[bytes], source: BinaryIO) -> BinaryIO:
    return io.BufferedReader(_Pieces(pieces, source), _READ_BYTES)


class _Pieces(io.RawIOBase):
    """What an iterator gives, as a file; closing it closes its source."""

    def __init__(self, pieces: Iterator[bytes], source: BinaryIO) -> None:
        self._pieces = pieces
        self._source = source
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def close(self) -> None:
        self._source.close()
        super().close()
