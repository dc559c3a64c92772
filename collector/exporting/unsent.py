"""What of a stream was not sent yet, in parts that make a request each; segments are read in whatever form they are."""

from __future__ import annotations

import errno
import gzip
import re
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from collector.exporting.stream_folder import StreamFolder
from storage.holding import left_of, unpacked_bytes
from storage.names import SegmentName
from storage.ranges import WHOLE, Range, Ranges
from storage.reader import plain_name

Order = Literal["oldest_first", "newest_first"]

_LIST_SECONDS = 0.5
"""Folders are looked through no more often while there is something to read."""
_LONGEST_LINE_BYTES = 64 * 2**20
_HEAD_BYTES = 2**10
"""Of a line; `received_unix_nano` is among its first fields."""
_RECEIVED = re.compile(rb'"received_unix_nano":\s*(\d{1,19})')
_LOOKS = 3
"""At a folder, when retention changes it meanwhile."""


class UnreadableError(Exception):
    """A damaged segment: nothing of it can be read from `start` on."""

    def __init__(self, message: str, segment: str, start: int) -> None:
        super().__init__(message)
        self.segment = segment
        self.start = start


@dataclass(frozen=True, slots=True)
class Part:
    """Whole lines of a segment, from byte `start` to `stop` of it uncompressed."""

    segment: str
    path: Path
    start: int
    content: bytes

    @property
    def stop(self) -> int:
        return self.start + len(self.content)

    @property
    def lines(self) -> list[bytes]:
        """Without their newlines."""
        return self.content.split(b"\n")[:-1]

    def still_there(self) -> bool:
        """Whether the segment holds just this: what a full disk refused is cut off again, and others take its place."""
        if self.path.suffix == ".gz":
            return True
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                return file.read(len(self.content)) == self.content
        except FileNotFoundError:  # compressed meanwhile: it was closed, and nothing is cut off of a closed one
            return True


class Unsent:
    """Of one stream below `folder`; `sent` grows by what is `done`. For one thread."""

    def __init__(self, folder: Path, sent: Mapping[str, Ranges], *, order: Order, part_bytes: int) -> None:
        self._folder = StreamFolder(folder)
        self._newest_first = order == "newest_first"
        self._part_bytes = part_bytes
        self._sent = dict(sent)
        self._ended: list[tuple[str, int]] = []
        self._packed = _Packed()
        self._ahead: list[tuple[SegmentName, Path]] = []
        self._listed = 0.0

    def next(self) -> Part | None:
        """What to send now; None when there is nothing. Raise UnreadableError, or OSError."""
        if self._newest_first and time.monotonic() - self._listed > _LIST_SECONDS:
            self._list()
        listed = False
        for _ in range(_LOOKS):
            try:
                part = self._from(self._ahead)
            except FileNotFoundError:  # compressed or deleted meanwhile: what is there now comes in its order
                self._folder.look_again()
                part, listed = None, False
            if part is not None or listed:
                return part
            self._list()
            listed = True
        return None

    def done(self, segment: str, start: int, stop: int) -> Ranges:
        """All that is done of this segment."""
        ranges = self._sent.setdefault(segment, Ranges())
        ranges.add(start, stop)
        return ranges

    def found_ended(self) -> list[tuple[str, int]]:
        """Compressed segments, and from where on nothing was found in them, though nobody knew; each is told once."""
        found, self._ended = self._ended, []
        return found

    def waiting(self) -> tuple[int, int]:
        """Bytes that were not sent, and when the oldest of them came, in nanoseconds since 1970; 0 when none is."""
        total, oldest = 0, 0
        for name, path in self._folder.segments():
            for start, stop in self._gaps(name, path):
                total += max(0, (unpacked_bytes(path) if stop == WHOLE else stop) - start)
                oldest = oldest or self._received(name, path, start)
        return total, oldest

    def close(self) -> None:
        self._packed.close()

    def _list(self) -> None:
        self._listed = time.monotonic()
        found = [(name, path) for name, path in self._folder.segments() if self._gaps(name, path)]
        self._ahead = found[::-1] if self._newest_first else found

    def _gaps(self, name: SegmentName, path: Path) -> list[Range]:
        left = left_of(name, path, self._sent.get(plain_name(name), Ranges()))
        if not left:
            self._folder.leave_out(name, path)
        return left

    def _from(self, found: list[tuple[SegmentName, Path]]) -> Part | None:
        """Raise FileNotFoundError when one of them is not there any more; what can't be opened waits for the others."""
        blocked: OSError | None = None
        for name, path in tuple(found):
            gaps = self._gaps(name, path)
            if not gaps:
                if not name.compressed:
                    path.stat()
                found.remove((name, path))  # what it may grow by is found once the others are done
            for start, stop in reversed(gaps) if self._newest_first else gaps:
                try:
                    part = self._read(name, path, start, stop)
                except FileNotFoundError:
                    raise
                except (EOFError, zlib.error, OSError) as error:
                    if not isinstance(error, OSError) or _is_damage(error):
                        raise UnreadableError(f"{path}: {error}", plain_name(name), start) from error
                    blocked = blocked or error
                    break
                if part is not None:
                    return part
        if blocked is not None:
            raise blocked
        return None

    def _read(self, name: SegmentName, path: Path, start: int, stop: int) -> Part | None:
        """None where no whole line is."""
        plain = plain_name(name)
        size = self._part_bytes
        while True:
            if name.compressed:
                content, ended = self._packed.read(path, start, min(size, stop - start))
                first = start
            else:
                first = max(start, stop - size) if self._newest_first else start
                content, ended = _read(path, first, min(size, stop - first)), size >= stop - start
                if first > start:
                    skipped = content.find(b"\n") + 1
                    first, content = first + skipped, content[skipped:] if skipped else b""
            whole = content[: content.rfind(b"\n") + 1]
            if whole:
                return Part(plain, path, first, whole)
            if not ended and size >= _LONGEST_LINE_BYTES:
                raise UnreadableError(f"{path}: has a line that is longer than {size} bytes", plain, start)
            if ended and name.compressed:
                if content:
                    raise UnreadableError(f"{path}: ends in the middle of a line", plain, start)
                self.done(plain, start, WHOLE)
                self._ended.append((plain, start))
            if ended:
                return None
            size *= 4

    def _received(self, name: SegmentName, path: Path, start: int) -> int:
        """Of the first record there; of one that would have to be unpacked for it, the beginning of its hour."""
        content = b""
        with suppress(OSError):
            content = self._packed.at(path, start) if name.compressed else _read(path, start, _HEAD_BYTES)
        found = _RECEIVED.search(content.partition(b"\n")[0], 0, _HEAD_BYTES)
        if found is not None:
            return int(found[1])
        return int(datetime.fromisoformat(f"{name.hour}:00:00+00:00").timestamp()) * 1_000_000_000


class _Packed:
    """The compressed segment that is being read, open where reading has come to; `_left` begins at `_start`."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._file: gzip.GzipFile | None = None
        self._start = 0
        self._left = b""

    def read(self, path: Path, start: int, size: int) -> tuple[bytes, bool]:
        """The bytes, and whether the file ends with them."""
        if self._file is None or self._path != path or start < self._start:
            self.close()
            self._file = gzip.open(path, "rb")  # noqa: SIM115  # until another is read
            self._path = path
        if start > self._start + len(self._left):
            self._file.seek(start)
            self._start, self._left = start, b""
        self._left = self._left[start - self._start :]
        self._start = start
        if len(self._left) < size:
            self._left += self._file.read(size - len(self._left))
        return self._left[:size], len(self._left) < size

    def at(self, path: Path, start: int) -> bytes:
        """What is known of it without reading."""
        return self._left if self._path == path and self._start == start else b""

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._path, self._start, self._left = None, None, 0, b""


def _is_damage(error: OSError) -> bool:
    """Of the file or of the disk beneath it, which no waiting mends."""
    return isinstance(error, gzip.BadGzipFile) or error.errno == errno.EIO


def _read(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)
