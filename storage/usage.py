"""How much lies where, and how fast it grows."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

from storage.inventory import Piece, inventory
from storage.manifest import DAMAGED, Manifest
from storage.names import OWN_FOLDER, SegmentName

_DAY_NANO = 86_400_000_000_000
_CHUNK = 1 << 20


@dataclass(slots=True)
class Usage:
    """Of a stream, in bytes as they lie there; `records` are lines where the manifest does not know a segment."""

    stream: str
    segments: int = 0
    records: int = 0
    plain_bytes: int = 0
    compressed_bytes: int = 0
    archived_bytes: int = 0
    last_day_bytes: int = 0
    oldest_hour: str = ""
    newest_hour: str = ""

    @property
    def bytes(self) -> int:
        return self.plain_bytes + self.compressed_bytes + self.archived_bytes

    def add(self, piece: Piece, records: int, now_unix_nano: int, *, again: bool) -> None:
        """`again` where another form of the segment lies there, as for a minute after it was compressed."""
        self.segments += not again
        self.records += records
        if piece.archived:
            self.archived_bytes += piece.bytes
        elif piece.name.compressed:
            self.compressed_bytes += piece.bytes
        else:
            self.plain_bytes += piece.bytes
        if now_unix_nano - piece.ends_unix_nano < _DAY_NANO:
            self.last_day_bytes += piece.bytes
        self.oldest_hour = min(filter(None, (self.oldest_hour, piece.name.hour)))
        self.newest_hour = max(self.newest_hour, piece.name.hour)


def _lines(piece: Piece) -> int:
    """None of what retention has moved meanwhile, or can't be read: verify says so."""
    try:
        with gzip.open(piece.path) if piece.name.compressed else piece.path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK), b""))
    except DAMAGED:
        return 0


def usage(folder: Path, archive: Path | None, now_unix_nano: int) -> list[Usage]:
    """The largest stream first; raise StoreFormatError, or OSError."""
    manifest = Manifest.load(folder / OWN_FOLDER / "manifest.json")
    found: dict[str, Usage] = {}
    seen: set[tuple[str, SegmentName]] = set()
    for piece in inventory(folder, archive):
        known = manifest.get(piece.path)
        again = piece.segment in seen
        seen.add(piece.segment)
        records = 0 if again else known.records if known else _lines(piece)
        found.setdefault(piece.stream, Usage(piece.stream)).add(piece, records, now_unix_nano, again=again)
    return sorted(found.values(), key=lambda one: (-one.bytes, one.stream))
