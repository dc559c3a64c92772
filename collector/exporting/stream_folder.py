"""The segments of a stream that may hold something unsent, without looking through thousands of names each time."""

from __future__ import annotations

import time
from pathlib import Path

from storage.names import SegmentName, segments
from storage.reader import plain_name

_AGAIN_SECONDS = 60.0
"""What is not seen in the folder's time is seen after so long."""
_COARSE_NANO = 2_000_000_000
"""A change so soon after another one may leave the folder's time as it is: FAT counts in two seconds."""
_STILL_NANO = 3600 * 1_000_000_000
"""Nobody writes to a segment that has not changed for so long; should somebody, the next look through finds it."""


class StreamFolder:
    """For one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, tuple[SegmentName, Path]] = {}
        self._finished: set[str] = set()
        self._changed: int | None = None
        self._looked = float("-inf")

    def segments(self) -> list[tuple[SegmentName, Path]]:
        """Oldest first, in whatever form; but for those that were left out."""
        changed = _changed_unix_nano(self._folder)
        if changed != self._changed or time.monotonic() - self._looked > _AGAIN_SECONDS:
            self._look_through(changed)
        return list(self._found.values())

    def _look_through(self, changed: int) -> None:
        self._looked = time.monotonic()
        named = ((plain_name(name), name, path) for name, path in segments(self._folder))
        self._found = {plain: (name, path) for plain, name, path in named if plain not in self._finished}
        self._changed = changed if abs(time.time_ns() - changed) > _COARSE_NANO else None

    def look_again(self) -> None:
        """Something is not where it was."""
        self._changed = None

    def leave_out(self, name: SegmentName, path: Path) -> None:
        """Nothing of it is left; a plain one that may still grow stays."""
        plain = plain_name(name)
        if name.compressed:
            self._finished.add(plain)
        elif time.time_ns() - _changed_unix_nano(path) < _STILL_NANO:
            return
        self._found.pop(plain, None)


def _changed_unix_nano(path: Path) -> int:
    """0 for what is not there."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
