"""How much lies where, and how fast it grows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from storage.inventory import Piece, inventory
from storage.manifest import Manifest
from storage.names import OWN_FOLDER

_DAY_NANO = 86_400_000_000_000


@dataclass(slots=True)
class Usage:
    """Of a stream, in bytes as they lie there; `records` only of segments that the manifest knows."""

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

    def add(self, piece: Piece, records: int, now_unix_nano: int) -> None:
        self.segments += 1
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


def usage(folder: Path, archive: Path | None, now_unix_nano: int) -> list[Usage]:
    """The largest stream first; raise StoreFormatError, or OSError."""
    manifest = Manifest.load(folder / OWN_FOLDER / "manifest.json")
    found: dict[str, Usage] = {}
    for piece in inventory(folder, archive):
        known = manifest.get(piece.path)
        found.setdefault(piece.stream, Usage(piece.stream)).add(piece, known.records if known else 0, now_unix_nano)
    return sorted(found.values(), key=lambda one: (-one.bytes, one.stream))
