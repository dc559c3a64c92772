"""What exporters have not sent yet: retention waits for it, up to a bound, and counts what it takes all the same."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from storage import exporter_rows
from storage.exporter_rows import Key
from storage.inventory import Piece
from storage.names import OWN_FOLDER, SegmentName, segments
from storage.ranges import WHOLE, Range, Ranges
from storage.reader import plain_name
from storage.state import State

_log = logging.getLogger(__name__)

_TRAILER_BYTES = 4
_EMPTY_BYTES = 100
"""More than compressing nothing makes."""
_CHUNK = 1 << 20

Place = tuple[str, str]
"""A stream, and a segment of it by its name without .gz."""


@dataclass(frozen=True, slots=True)
class Held:
    """Segments of which an exporter has not sent all, or has set something aside."""

    waiting: frozenset[Place] = frozenset()
    """They stay where exporters find them: not archived."""
    kept: frozenset[Place] = frozenset()
    """Those of them that are unsent and within every bound: not deleted either, unless the disk is full."""

    def stays(self, piece: Piece) -> bool:
        return place_of(piece) in self.waiting

    def lives(self, piece: Piece) -> bool:
        return place_of(piece) in self.kept


def place_of(piece: Piece) -> Place:
    return piece.stream, plain_name(piece.name)


def held_in(folder: Path) -> Held:
    """Raise StateError."""
    with closing(State.open(folder / OWN_FOLDER / "state.db")) as state:
        waiting: set[Place] = {(part.stream, part.segment) for part in exporter_rows.all_set_aside(state)}
        kept: set[Place] = set()
        for row in exporter_rows.rows(state):
            key = (row.exporter, row.stream)
            room = row.queue_bytes
            for place, size in _waiting(folder, row.stream, exporter_rows.sent(state, key)):
                waiting.add(place)
                room -= size
                if room >= 0:
                    kept.add(place)
        return Held(frozenset(waiting), frozenset(kept))


def _waiting(folder: Path, stream: str, sent: Mapping[str, Ranges]) -> Iterator[tuple[Place, int]]:
    """The newest first, with the bytes on disk of those that were not begun or not ended."""
    for name, path in reversed(list(segments(folder / stream))):
        plain = plain_name(name)
        if left_of(name, path, sent.get(plain, Ranges())):
            yield (stream, plain), _size(path)


def left_of(name: SegmentName, path: Path, sent: Ranges) -> list[Range]:
    """What of a segment is not sent, in bytes of it uncompressed; to WHOLE where nobody knows how long it is.

    A torn end counts as left: it is no line yet.
    """
    if not name.compressed:
        return list(sent.gaps(_size(path)))
    parts = list(sent)
    if len(parts) == 1 and parts[0][0] == 0 and parts[0][1] < WHOLE and unpacked_bytes(path) == parts[0][1] % 2**32:
        return []
    if not parts and _size(path) < _EMPTY_BYTES and not unpacked_bytes(path):
        return []
    return list(sent.gaps(WHOLE))


def unpacked_bytes(path: Path) -> int:
    """Of a compressed file below 4 GiB, by its last four bytes (RFC 1952, 2.3.1); else its rest; 0 for none."""
    try:
        with path.open("rb") as file:
            file.seek(-_TRAILER_BYTES, 2)
            return int.from_bytes(file.read(), "little")
    except OSError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # compressed or deleted meanwhile
        return 0


@dataclass(slots=True)
class _Going:
    """A segment that is being deleted, in all its forms, and what each exporter loses with it."""

    dropped: Mapping[Key, int]
    paths: list[Path] = field(default_factory=list)

    @property
    def gone(self) -> bool:
        return not any(path.exists() for path in self.paths)


class Deletions:
    """What deleting segments takes from exporters: looked up before, written down as soon as they are gone."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / OWN_FOLDER / "state.db"
        self._going: dict[Place, _Going] = {}

    def before(self, piece: Piece) -> None:
        """Raise StateError."""
        place = place_of(piece)
        if place not in self._going:
            self._going[place] = _Going(self._left(piece))
        self._going[place].paths.append(piece.path)

    def _left(self, piece: Piece) -> dict[Key, int]:
        plain = plain_name(piece.name)
        found: dict[Key, int] = {}
        with closing(State.open(self._path)) as state:
            for row in exporter_rows.rows(state):
                key = (row.exporter, row.stream)
                sent = exporter_rows.sent(state, key) if row.stream == piece.stream else {}
                if row.stream != piece.stream or (piece.archived and plain not in sent):
                    continue  # what waits is not archived: it was there before the exporter
                left = left_of(piece.name, piece.path, sent.get(plain, Ranges()))
                found[key] = lines_in(piece.path, left) if left else 0
        return found

    def settle(self) -> None:
        """Write down what is gone by now; raise StateError."""
        gone = [place for place, going in self._going.items() if going.gone]
        if not gone:
            return
        with closing(State.open(self._path)) as state:
            for place in gone:
                dropped = self._going[place].dropped
                exporter_rows.forget_segment(state, *place, dropped)
                del self._going[place]
                for (exporter, stream), count in dropped.items():
                    if count:
                        _log.error("%s: %d records of %s were deleted before they were sent", exporter, count, stream)


def lines_in(path: Path, parts: Iterable[Range]) -> int:
    """How many lines end in these parts of a segment; of a damaged one as many as can be read."""
    count = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for start, stop in parts:
                file.seek(start)
                left = stop - start
                while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                    count += chunk.count(b"\n")
                    left -= len(chunk)
    except (OSError, EOFError, zlib.error) as error:
        _log.warning("%s could not be read to count what was not sent: %s", path, error)
    return count
