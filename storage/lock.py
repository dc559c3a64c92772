"""One owner of a store's folder, by a lock that the operating system drops when the owner dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_LOCKED_OFFSET = 1 << 30
"""Windows locks byte ranges against reading too: lock one far behind the pid, which stays readable."""


class FolderInUseError(Exception):
    """Another process owns the folder; `pid` is that one's, or None when it could not be read."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        owner = f"the collector with pid {pid}" if pid else "another collector"
        super().__init__(
            f"{folder}: in use by {owner}. Stop that one first, or give this one a folder of its own "
            "(exporters.jsonl.path).",
        )
        self.folder = folder
        self.pid = pid


class FolderLock:
    """Held from `acquire` to `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raise FolderInUseError, or OSError when the file can't be made."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            raise FolderInUseError(self._path.parent.parent, owner_pid(self._path)) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def renew(self) -> None:
        """Take the lock anew if somebody removed its file; raise as `acquire`."""
        if self._descriptor is None or is_at(self._descriptor, self._path):
            return
        held, self._descriptor = self._descriptor, None
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.acquire()
        os.close(held)

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def owner_pid(path: Path) -> int | None:
    """The pid that the lock file names; None when there is none."""
    try:
        return int(path.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))  # noqa: PTH116  # pairs with fstat
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
