"""The names of segments and of the folder that holds what is not a segment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

OWN_FOLDER = ".forecourt"
"""Below the store's folder: lock, manifest, state.db and torn tails."""

_NAME = re.compile(
    r"(?P<hour>\d{4}-\d{2}-\d{2}T\d{2})"
    r"(?:\.(?P<writer>[A-Za-z_-][A-Za-z0-9_-]*))?"
    r"(?:\.(?P<number>[1-9]\d*))?"
    r"\.jsonl(?P<gz>\.gz)?",
)


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """`2026-11-23T10.jsonl`, `2026-11-23T10.2.jsonl`, `2026-11-23T10.east.2.jsonl.gz`."""

    hour: str
    """UTC, as `2026-11-23T10`."""
    writer: str = ""
    number: int = 0
    """Counts up when a name was already taken or its segment abandoned; 0 is not written."""
    compressed: bool = False

    def __str__(self) -> str:
        parts = [self.hour, self.writer, str(self.number or "")]
        return ".".join(filter(None, parts)) + (".jsonl.gz" if self.compressed else ".jsonl")


def parse_segment_name(name: str) -> SegmentName | None:
    """Read a file's name; None when it is no segment's."""
    found = _NAME.fullmatch(name)
    if found is None or not _is_hour(found["hour"]):
        return None
    return SegmentName(
        hour=found["hour"],
        writer=found["writer"] or "",
        number=int(found["number"] or 0),
        compressed=found["gz"] is not None,
    )


def _is_hour(text: str) -> bool:
    try:
        datetime.fromisoformat(f"{text}:00:00+00:00")
    except ValueError:
        return False
    return True


def hour_of(unix_nano: int) -> str:
    return datetime.fromtimestamp(unix_nano // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H")


def stream_folders(folder: Path) -> list[Path]:
    """The folders of the streams that exist below the store's `folder`, by name."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name != OWN_FOLDER)


def segments(stream_folder: Path) -> Iterator[tuple[SegmentName, Path]]:
    """The segments of one stream, oldest first; other files are passed over.

    For a minute a segment lies there plain and compressed: the plain one is it.
    """
    found: dict[SegmentName, tuple[SegmentName, Path]] = {}
    for name, path in sorted(segment_files(stream_folder)):
        found.setdefault(replace(name, compressed=False), (name, path))
    yield from found.values()


def segment_files(stream_folder: Path) -> Iterator[tuple[SegmentName, Path]]:
    """Every file that has a segment's name, in no order."""
    if not stream_folder.is_dir():
        return
    for path in stream_folder.iterdir():
        name = parse_segment_name(path.name)
        if name is not None:
            yield name, path
