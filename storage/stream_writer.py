"""The writer of one stream: which segment takes the next group, and what becomes of the last one."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from storage.manifest import Manifest, SegmentSummary
from storage.names import SegmentName, hour_of, segments
from storage.segment import Segment

_log = logging.getLogger(__name__)

_ATTEMPTS = 3
"""How often a group is written again because its file was deleted or replaced under the writer."""


class Place(NamedTuple):
    """The name of a segment and an offset in it, in bytes."""

    segment: str
    start: int


class StreamWriter:
    """Used by the writer's thread only. All methods raise OSError when the disk refuses."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        *,
        clock: Callable[[], int],
        synced: bool,
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._clock = clock
        self._synced = synced
        self._segment: Segment | None = None
        self._last: SegmentName | None = None  # of those that a reader may know
        self.written_bytes = 0
        self.written_records = 0
        self.abandoned = 0

    @property
    def segment_bytes(self) -> int:
        return self._segment.length if self._segment else 0

    def commit(self, lines: bytes, times_unix_nano: Sequence[int]) -> Place:
        """Where the lines are, in the current segment, on disk if `synced`."""
        for _ in range(_ATTEMPTS):
            segment = self._current()
            place = Place(str(segment.name), segment.length)
            try:
                kept = segment.append(lines, times_unix_nano, synced=self._synced)
            finally:
                if not segment.usable:
                    self._abandon(segment)
            if kept:
                self._last = segment.name
                self.written_bytes += len(lines)
                self.written_records += len(times_unix_nano)
                return place
            _log.warning("%s was deleted or replaced while open; its last group is written again", segment.path)
        raise OSError(errno.ESTALE, "the segment was deleted or replaced at each attempt", str(self._folder))

    def close(self) -> None:
        """Close the current segment; its file is never opened for writing again."""
        segment, self._segment = self._segment, None
        if segment is None:
            return
        if segment.close(synced=self._synced):
            self._list(segment)
        else:
            self.abandoned += 1

    def close_if_past(self) -> bool:
        """Close the segment when its hour is over (or the clock was put back); whether it did."""
        if self._segment is None or self._segment.name.hour == hour_of(self._clock()):
            return False
        self.close()
        return True

    def _current(self) -> Segment:
        if self.close_if_past():
            self._save_manifest()
        if self._segment is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._segment = Segment.create(self._folder, self._next_name(hour_of(self._clock())))
        return self._segment

    def _next_name(self, hour: str) -> SegmentName:
        """A name that no segment has or had, in any form."""
        taken = [name.number for name, _ in segments(self._folder) if name.hour == hour and not name.writer]
        taken += self._manifest.numbers(self._folder.name, hour)
        if self._last and self._last.hour == hour:
            taken.append(self._last.number)
        return SegmentName(hour, number=max(taken, default=-1) + 1)

    def _abandon(self, segment: Segment) -> None:
        self._segment = None
        self._last = segment.name  # it may be gone: whoever read in it must not take another for it
        self.abandoned += 1
        if segment.abandon():
            self._list(segment)

    def _list(self, segment: Segment) -> None:
        summary = SegmentSummary(segment.records, segment.length, 0, segment.times.range())
        self._manifest.add(segment.path, summary)

    def _save_manifest(self) -> None:
        try:
            self._manifest.save()
        except OSError as error:
            _log.warning("The manifest could not be saved (%s); it is rebuilt at the next start", error)
