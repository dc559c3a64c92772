from __future__ import annotations

import os
import re
import shutil
import time
from bisect import insort
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol

import psutil

from instrumentation.export.transport import SIGNALS, Signal

_PROCESS = re.compile(r"\d+-\d+")
_REQUEST = re.compile(r"\d{20}-\d{8}\.(?:traces|metrics|logs)")

Entry = str
"""A name that only the spool which gave it understands."""


class Waiting(NamedTuple):
    """An encoded request, and when it was made."""

    time_unix_nano: int
    signal: Signal
    body: bytes


class Spool(Protocol):
    """Requests that wait for the sidecar, oldest first, bounded in bytes and age."""

    dropped: int
    """Requests that were given up for the bounds."""

    def add(self, waiting: Waiting) -> None: ...
    def oldest(self) -> Entry | None: ...
    def read(self, entry: Entry) -> Waiting: ...
    def remove(self, entry: Entry) -> None: ...
    def adopt(self) -> None: ...
    def after_fork(self) -> None: ...


class MemorySpool:
    def __init__(self, byte_limit: int) -> None:
        self.dropped = 0
        self._limit = byte_limit
        self._held: list[tuple[Entry, Waiting]] = []
        self._number = count()

    def add(self, waiting: Waiting) -> None:
        insort(self._held, (f"{waiting.time_unix_nano:020}-{next(self._number):08}", waiting))
        while sum(len(held.body) for _, held in self._held) > self._limit:
            del self._held[0]
            self.dropped += 1

    def oldest(self) -> Entry | None:
        return self._held[0][0] if self._held else None

    def read(self, entry: Entry) -> Waiting:
        if self.oldest() != entry:
            raise FileNotFoundError(entry)
        return self._held[0][1]

    def remove(self, entry: Entry) -> None:
        if self.oldest() == entry:
            del self._held[0]

    def adopt(self) -> None:
        """Memory leaves nothing behind."""

    def after_fork(self) -> None:
        # What the parent holds the parent sends.
        self._held.clear()

    def __str__(self) -> str:
        return "memory"


class FolderSpool:
    """Files of OTLP bytes, `<folder>/<process>/<time>-<number>.<signal>`; raises OSError where that can't be written.

    Each process writes into a folder of its own; what a process left that is no more, the next one takes over.
    """

    def __init__(self, folder: Path, *, byte_limit: int, age_limit_seconds: float) -> None:
        self.dropped = 0
        self._folder = folder
        self._byte_limit = byte_limit
        self._age_limit = age_limit_seconds
        self._number = count()
        self._own = folder / _process_name()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._probe()

    def _probe(self) -> None:
        self._own.mkdir(mode=0o700, exist_ok=True)
        self._own.rmdir()

    def add(self, waiting: Waiting) -> None:
        self._own.mkdir(mode=0o700, exist_ok=True, parents=True)  # somebody may have cleaned up
        path = self._own / f"{waiting.time_unix_nano:020}-{next(self._number):08}.{waiting.signal}"
        unfinished = path.with_suffix(".tmp")
        try:
            unfinished.write_bytes(waiting.body)
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        self._keep_bounds()

    def _keep_bounds(self) -> None:
        files = sorted(self._files(), key=lambda path: path.name)
        sizes = [_size(path) for path in files]
        total, oldest_time = sum(sizes), time.time_ns() - int(self._age_limit * 1e9)
        for path, size in zip(files, sizes, strict=True):
            if total <= self._byte_limit and _time(path) >= oldest_time:
                break
            path.unlink(missing_ok=True)
            total -= size
            self.dropped += 1

    def _files(self) -> Iterator[Path]:
        for process in self._processes():
            for path in process.iterdir():
                if _REQUEST.fullmatch(path.name):
                    yield path

    def _processes(self) -> Iterator[Path]:
        for path in self._folder.iterdir():
            if _PROCESS.fullmatch(path.name) and path.is_dir():
                yield path

    def oldest(self) -> Entry | None:
        try:
            names = os.listdir(self._own)  # noqa: PTH208  # names alone
        except FileNotFoundError:
            return None
        return min(filter(_REQUEST.fullmatch, names), default=None)

    def read(self, entry: Entry) -> Waiting:
        """Raise FileNotFoundError if it was given up meanwhile."""
        path = self._own / entry
        return Waiting(_time(path), next(signal for signal in SIGNALS if entry.endswith(signal)), path.read_bytes())

    def remove(self, entry: Entry) -> None:
        (self._own / entry).unlink(missing_ok=True)

    def adopt(self) -> None:
        """Take over what processes left that are no more."""
        for left in self._processes():
            if left == self._own or _is_alive(left.name):
                continue
            for path in left.iterdir():
                if _REQUEST.fullmatch(path.name):
                    self._own.mkdir(mode=0o700, exist_ok=True)
                    path.replace(self._own / path.name)
            shutil.rmtree(left, ignore_errors=True)
        self._keep_bounds()

    def after_fork(self) -> None:
        self._own = self._folder / _process_name()

    def __str__(self) -> str:
        return str(self._folder)


def _process_name() -> str:
    process = psutil.Process()
    return f"{process.pid}-{int(process.create_time() * 1000)}"


def _is_alive(name: str) -> bool:
    pid, _, created = name.partition("-")
    try:
        return int(psutil.Process(int(pid)).create_time() * 1000) == int(created)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _time(path: Path) -> int:
    return int(path.name.partition("-")[0])
