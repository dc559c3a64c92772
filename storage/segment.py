"""One open segment: it grows by whole groups of lines, or it is abandoned."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from storage.event_times import EventTimes
from storage.lock import is_at
from storage.names import SegmentName
from storage.sync import sync_file, sync_folder, write_all

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)


class Segment:
    """Owned by the writer's thread; `length` is that of the lines that were acknowledged or may be."""

    def __init__(self, path: Path, name: SegmentName, descriptor: int) -> None:
        self.path = path
        self.name = name
        self.length = 0
        self.records = 0
        self.times = EventTimes()
        self.usable = True
        """False once it must not be written again: what follows goes into another segment."""
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path, name: SegmentName) -> Self:
        """Make the file and its name durable; raise FileExistsError or another OSError."""
        path = folder / str(name)
        segment = cls(path, name, os.open(path, _FLAGS, 0o640))
        try:
            sync_folder(folder)
        except OSError:
            segment.abandon()
            raise
        return segment

    def append(self, lines: bytes, times_unix_nano: Sequence[int], *, synced: bool) -> bool:
        """Add whole lines; False when the file is not at its path any more; raise OSError: none was taken."""
        self._write(lines)
        if synced:
            self._sync()
        if not self._in_place(self.length + len(lines)):
            self.usable = False
            return False
        self.length += len(lines)
        self.records += len(times_unix_nano)
        self.times.add(times_unix_nano)
        return True

    def _write(self, lines: bytes) -> None:
        try:
            write_all(self._descriptor, lines)
        except OSError:
            # A later write must not be glued to a fragment of this one.
            try:
                os.ftruncate(self._descriptor, self.length)
            except OSError:
                self.usable = False
            raise

    def _sync(self) -> None:
        try:
            sync_file(self._descriptor)
        except OSError:
            # The kernel may have dropped the pages and call the next sync a success.
            self.usable = False
            raise

    def _in_place(self, length: int) -> bool:
        return os.fstat(self._descriptor).st_size == length and is_at(self._descriptor, self.path)

    def close(self, *, synced: bool) -> bool:
        """Close for good; whether the file holds just its acknowledged lines."""
        try:
            if self.usable and not synced:
                sync_file(self._descriptor)
            return self._in_place(self.length)
        except OSError:
            return False
        finally:
            self._let_go()

    def abandon(self) -> bool:
        """Cut back what was not acknowledged, as far as that works, and close; as `close`."""
        whole = False
        with contextlib.suppress(OSError):
            if os.fstat(self._descriptor).st_size > self.length:
                os.ftruncate(self._descriptor, self.length)
            whole = self._in_place(self.length)
        self._let_go()
        if whole and self.length == 0:
            # A disk that is full at each sync must not leave an empty file for each attempt.
            with contextlib.suppress(OSError):
                self.path.unlink()
            return False
        return whole

    def _let_go(self) -> None:
        self.usable = False
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
