"""Whether every segment can be read to its end, and is what the manifest says."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from storage.inventory import Piece, inventory
from storage.manifest import DAMAGED, Manifest, event_time
from storage.names import OWN_FOLDER, SegmentName


@dataclass(slots=True)
class Verified:
    """A stream's segments; `problems` name the segment and what is wrong with it."""

    stream: str
    segments: int = 0
    records: int = 0
    bytes: int = 0
    corrupt_lines: int = 0
    problems: list[str] = field(default_factory=list)


def verify(folder: Path, archive: Path | None, streams: Iterable[str] = ()) -> Iterator[Verified]:
    """Each stream, or those that are named, once it is read through; raise StoreFormatError, or OSError."""
    manifest = Manifest.load(folder / OWN_FOLDER / "manifest.json")
    by_stream: dict[str, list[Piece]] = {}
    for piece in inventory(folder, archive):
        by_stream.setdefault(piece.stream, []).append(piece)
    wanted = list(streams) or sorted(by_stream)
    for stream in wanted:
        verified = Verified(stream)
        seen: set[tuple[str, SegmentName]] = set()
        for piece in by_stream.get(stream, ()):
            _verify(piece, manifest, verified, again=piece.segment in seen)
            seen.add(piece.segment)
        yield verified


def _verify(piece: Piece, manifest: Manifest, verified: Verified, *, again: bool) -> None:
    """`again` where another form of the segment was read: it has the same records."""
    verified.segments += not again
    verified.bytes += piece.bytes
    known = manifest.get(piece.path)
    try:
        records, corrupt, size, torn = _read(piece.path)
    except FileNotFoundError:  # retention was there meanwhile: its other form is read
        verified.segments -= not again
        verified.bytes -= piece.bytes
        return
    except DAMAGED as error:
        verified.problems.append(f"{piece.path}: can't be read to its end: {error}")
        return
    if not again:
        verified.records += records
        verified.corrupt_lines += corrupt
    if corrupt and (known is None or corrupt > known.corrupt):
        verified.problems.append(f"{piece.path}: {corrupt} lines are no records")
    if torn and (known is not None or piece.name.compressed):
        verified.problems.append(f"{piece.path}: is closed, but its last line is not whole")
    if known is not None and (known.records, known.bytes) != (records, size):
        told = f"{known.records} records in {known.bytes} bytes"
        verified.problems.append(f"{piece.path}: has {records} records in {size} bytes, the manifest says {told}")


def _read(path: Path) -> tuple[int, int, int, bool]:
    """Records, lines that are none, bytes unpacked, and whether the last line is not whole (and not counted)."""
    records = corrupt = size = 0
    torn = False
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                torn = True
            elif event_time(line) is not None:
                records += 1
            else:
                corrupt += 1
            size += len(line)
    return records, corrupt, size, torn
