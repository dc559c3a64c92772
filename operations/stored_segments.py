"""Which segments hold what is chosen of the records, by whom they were written, and where their lines end."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, cast

from analysis.period import Period
from analysis.segment_files import SegmentFiles
from storage.manifest import Manifest, SegmentSummary
from storage.names import OWN_FOLDER, parse_segment_name
from storage.reader import plain_name

_MAX_LINE_BYTES = 64 * 2**20
"""A longer one is no record: no receiver takes so much at once."""
_NEWLINE = 0x0A
_BUFFER_BYTES = 1 << 17
_SIZE_BYTES = 4
"""At the end of a gzip file: its uncompressed size modulo 2**32 (RFC 1952, 2.3.1)."""

Positions = Mapping[str, Mapping[str, int]]
"""By stream and segment the bytes, uncompressed, that were dealt with."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Records of a folder and its archive by event time, service and trace; what is not said takes all."""

    folder: Path
    archive: Path | None = None
    period: Period | None = None
    services: frozenset[str] = frozenset()
    trace_id: str = ""


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

    def lines(self) -> Iterator[tuple[bytes, int]]:
        """Whole ones from the segment's beginning, with their sizes; an overlong one is empty; raise one of DAMAGED."""
        size = 0
        overlong = False
        with self._opened() as file:
            left = self.end
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

    def _opened(self) -> BinaryIO:
        """Wherever it lies meanwhile; raise OSError."""
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


def sequences(
    selection: Selection, streams: Iterable[str], positions: Positions = MappingProxyType({}), *, exact: bool = False
) -> list[list[Part]]:
    """For each stream and writer its segments, oldest first; raise StoreFormatError.

    `exact` takes also those of another time in which less than a hundredth happened in the period: one sender's wrong
    clock would have all of them read. What is done is left out, but for the one before the first that is not: a client
    may have sent again what is in it.
    """
    found: dict[tuple[str, str], list[Part]] = {}
    for stream in streams:
        for path in _paths(selection, stream, exact=exact):
            name = parse_segment_name(path.name)
            if name is None:
                continue
            segment = plain_name(name)
            start = positions.get(stream, {}).get(segment, 0)
            part = Part(stream, segment, path, selection.archive, start, _bytes(path))
            found.setdefault((stream, name.writer), []).append(part)
    return [left for parts in found.values() if (left := _left(parts))]


def _paths(selection: Selection, stream: str, *, exact: bool) -> list[Path]:
    files = SegmentFiles(selection.folder, selection.archive)
    period = selection.period
    if period is None or not exact:
        return files.find(stream, period).paths
    manifest = Manifest.load(selection.folder / OWN_FOLDER / "manifest.json")
    return [path for path in files.find(stream, None).paths if _may_hold(manifest.get(path), period)]


def _may_hold(known: SegmentSummary | None, period: Period) -> bool:
    if known is None:
        return True
    times = known.times
    return times is not None and times.minimum < period.end_unix_nano and times.maximum >= period.start_unix_nano


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
