"""Everything that lies in the folder and in its archive, with sizes and ages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from storage.names import SegmentName, parse_segment_name, stream_folders

_NANO = 1_000_000_000
_HOUR_NANO = 3600 * _NANO


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a segment. Times are nanoseconds since 1970."""

    stream: str
    name: SegmentName
    path: Path
    bytes: int
    modified_unix_nano: int
    archived: bool

    @property
    def segment(self) -> tuple[str, SegmentName]:
        """The same for each form that a segment lies there in."""
        return self.stream, replace(self.name, compressed=False)

    @property
    def ends_unix_nano(self) -> int:
        """When the hour of its name was over."""
        began = datetime.fromisoformat(f"{self.name.hour}:00:00+00:00")
        return int(began.timestamp()) * _NANO + _HOUR_NANO


def inventory(folder: Path, archive: Path | None = None) -> list[Piece]:
    """Every segment's files, oldest hour first, then by stream; what vanishes meanwhile is left out."""
    found = [*_pieces(folder, archived=False)]
    if archive is not None:
        found += _pieces(archive, archived=True)
    return sorted(found, key=lambda one: (one.name.hour, one.stream, one.name, one.archived))


def _pieces(folder: Path, *, archived: bool) -> Iterator[Piece]:
    for stream in stream_folders(folder):
        with os.scandir(stream) as entries:
            for entry in entries:
                name = parse_segment_name(entry.name)
                if name is None:
                    continue
                try:
                    stat = entry.stat()
                except FileNotFoundError:
                    continue
                yield Piece(stream.name, name, Path(entry.path), stat.st_size, stat.st_mtime_ns, archived)
