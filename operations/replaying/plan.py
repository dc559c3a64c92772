"""Which segments are read, by whom they were written, and from where on."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from analysis.segment_files import SegmentFiles
from operations.replaying.wanted import Wanted
from storage.names import parse_segment_name
from storage.reader import plain_name

_BUFFER_BYTES = 1 << 17
_SIZE_BYTES = 4
"""At the end of a gzip file: its uncompressed size modulo 2**32 (RFC 1952, 2.3.1)."""

Positions = Mapping[str, Mapping[str, int]]
"""By stream and segment the bytes, uncompressed, that were dealt with."""


@dataclass(frozen=True, slots=True)
class Part:
    """A segment from the offset `start` on, in bytes as they are uncompressed."""

    stream: str
    segment: str
    path: Path
    archive: Path | None
    start: int
    size: int | None
    """What it holds now; None when that can't be told."""

    @property
    def end(self) -> int | None:
        """Of one that may grow, where it ended when it was listed."""
        return None if self.path.suffix == ".gz" else self.size

    @property
    def is_done(self) -> bool:
        if self.size is None:
            return False
        return self.start == self.size or (self.path.suffix != ".gz" and self.start > self.size)

    def opened(self) -> BinaryIO:
        """From its beginning, wherever it lies meanwhile; raise OSError."""
        names = [self.path.name] if self.path.suffix == ".gz" else [self.path.name, f"{self.path.name}.gz"]
        folders = [self.path.parent] + ([self.archive / self.stream] if self.archive else [])
        for path in (folder / name for folder in folders for name in names):
            try:
                return _opened(path)
            except FileNotFoundError:
                continue
        raise FileNotFoundError(f"{self.path} was removed before it was read")


def _opened(path: Path) -> BinaryIO:
    if path.suffix != ".gz":
        return path.open("rb", buffering=_BUFFER_BYTES)
    return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", gzip.open(path, "rb")), _BUFFER_BYTES))


def sequences(wanted: Wanted, positions: Positions) -> list[list[Part]]:
    """For each stream and writer its segments, oldest first; raise StoreFormatError.

    What is done is left out, but for the one before the first that is not: a client may have sent again what is in it.
    """
    files = SegmentFiles(wanted.folder, wanted.archive)
    found: dict[tuple[str, str], list[Part]] = {}
    for stream in wanted.signals:
        for path in files.find(stream, wanted.period).paths:
            name = parse_segment_name(path.name)
            if name is None:
                continue
            segment = plain_name(name)
            start = positions.get(stream, {}).get(segment, 0)
            part = Part(stream, segment, path, wanted.archive, start, _bytes(path))
            found.setdefault((stream, name.writer), []).append(part)
    return [left for parts in found.values() if (left := _left(parts))]


def _left(parts: list[Part]) -> list[Part]:
    first = next((index for index, part in enumerate(parts) if not part.is_done), len(parts))
    before = parts[max(0, first - 1) : first] if first < len(parts) else []
    return before + [part for part in parts[first:] if not part.is_done]


def _bytes(path: Path) -> int | None:
    try:
        size = path.stat().st_size
        if path.suffix != ".gz":
            return size
        with path.open("rb") as file:
            file.seek(max(0, size - _SIZE_BYTES), os.SEEK_SET)
            return int.from_bytes(file.read(), "little")
    except OSError:  # it is told when it is read
        return None
