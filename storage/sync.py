"""What it takes on each system until bytes, and the names of files, survive a power cut."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path


def sync_file(descriptor: int) -> None:
    """Return once the file's bytes are on the device, as far as the device honours flushes; raise OSError.

    Linux: fdatasync (it flushes the length too). macOS: F_FULLFSYNC, since fsync there stops at the
    drive's cache. Windows: fsync, which is FlushFileBuffers.
    """
    if sys.platform == "darwin":
        _full_sync(descriptor)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def _full_sync(descriptor: int) -> None:
    import fcntl  # noqa: PLC0415  # absent on Windows

    full_sync = getattr(fcntl, "F_FULLFSYNC", None)
    try:
        if full_sync is None:
            os.fsync(descriptor)
        else:
            fcntl.fcntl(descriptor, full_sync)
    except OSError as error:
        # Network and some external drives don't know F_FULLFSYNC; fsync is the best that they have.
        if error.errno not in {errno.ENOTSUP, errno.EINVAL}:
            raise
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make creations, renames and removals in `folder` durable; raise OSError.

    Windows has no such call: NTFS journals names by itself.
    """
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step: a crash leaves the old file or the new one; raise OSError.

    The new one has the mode of the old one, and its owner where we may give it.
    """
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o640)
    try:
        _take_after(descriptor, path)
        write_all(descriptor, content)
        sync_file(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(path)
    sync_folder(path.parent)


def _take_after(descriptor: int, path: Path) -> None:
    if os.name == "nt":
        return
    try:
        old = path.stat()
    except FileNotFoundError:
        return
    os.fchmod(descriptor, old.st_mode & 0o7777)
    with suppress(PermissionError):
        os.fchown(descriptor, old.st_uid, old.st_gid)


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte, however short the single writes are; raise OSError."""
    rest = memoryview(content)
    while rest:
        written = os.write(descriptor, rest)
        if written == 0:
            raise OSError(errno.EIO, "the file takes no more bytes")
        rest = rest[written:]
