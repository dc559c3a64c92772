"""A closed segment compressed, moved and compared, so that a crash at any point leaves all of it readable."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from storage.sync import sync_file, sync_folder

_CHUNK = 1 << 20
_LEVEL = 6
_TRAILER_BYTES = 8
_SIZE_MODULUS = 1 << 32


class SpoiltError(Exception):
    """What was written does not read back as what it was made of; the old file stays."""


class StoppedError(Exception):
    """Nobody waits for the rest: what there was of it is removed."""


def compress(plain: Path, target: Path, scratch: Path, stopped: Callable[[], bool]) -> int:
    """Make `target` of `plain`, by way of a file in the folder `scratch`; its bytes.

    Raise OSError, SpoiltError, or StoppedError once `stopped` says so: a segment can take half a minute.

    Written, read back and compared, synced, renamed: `target` is whole from the moment that it exists.
    """
    fresh = scratch / f"{plain.parent.name}-{target.name}.new"
    try:
        with plain.open("rb") as source, fresh.open("wb") as file:
            size, checksum = _compress_into(source, file, stopped)
            file.flush()
            sync_file(file.fileno())
        if _read_back(fresh) != (size, checksum):
            raise SpoiltError(f"{fresh}: does not read back as {plain}; the disk may be failing")
        return _put(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)


def _compress_into(source: BinaryIO, file: BinaryIO, stopped: Callable[[], bool]) -> tuple[int, int]:
    size = checksum = 0
    # Without name and time the same content gives the same file.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0) as packed:
        while chunk := source.read(_CHUNK):
            if stopped():
                raise StoppedError
            packed.write(chunk)
            size += len(chunk)
            checksum = zlib.crc32(chunk, checksum)
    return size, checksum


def _read_back(path: Path) -> tuple[int, int]:
    """Bytes and CRC-32 of what it unpacks to."""
    size = checksum = 0
    with gzip.open(path, "rb") as packed:
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            checksum = zlib.crc32(chunk, checksum)
    return size, checksum


def _put(fresh: Path, target: Path) -> int:
    size = fresh.stat().st_size
    fresh.replace(target)
    sync_folder(target.parent)
    return size


def move(source: Path, target: Path, scratch: Path) -> None:
    """Put `source` at `target`; raise OSError or SpoiltError.

    On another file system by way of a file in `scratch`, and the source stays beside its copy: readers may have it
    open.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # a rename would take its place
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        sync_folder(target.parent)
        sync_folder(source.parent)
        return
    scratch.mkdir(parents=True, exist_ok=True)
    fresh = scratch / f"{source.parent.name}-{target.name}.new"
    try:
        with source.open("rb") as file, fresh.open("wb") as copy:
            shutil.copyfileobj(file, copy, _CHUNK)
            copy.flush()
            sync_file(copy.fileno())
        if not same_bytes(source, fresh):
            raise SpoiltError(f"{fresh}: does not read back as {source}; the disk may be failing")
        _put(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Raise OSError; gone already is gone."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files hold the same."""
    with one.open("rb") as first, other.open("rb") as second:
        while chunk := first.read(_CHUNK):
            if second.read(_CHUNK) != chunk:
                return False
        return not second.read(1)


def packs(packed: Path, plain: Path) -> bool:
    """Whether the compressed file is that plain one's, by the CRC-32 and the size at its end (RFC 1952, 2.3.1)."""
    size = checksum = 0
    with plain.open("rb") as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            checksum = zlib.crc32(chunk, checksum)
    with packed.open("rb") as file:
        if file.seek(0, os.SEEK_END) < _TRAILER_BYTES:
            return False
        file.seek(-_TRAILER_BYTES, os.SEEK_END)
        trailer = file.read()
    return trailer == checksum.to_bytes(4, "little") + (size % _SIZE_MODULUS).to_bytes(4, "little")
