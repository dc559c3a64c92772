"""The store: many requests share one write and one sync, and none is acknowledged before it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from storage.lock import FolderInUseError, FolderLock
from storage.manifest import DAMAGED, Manifest, summarize
from storage.names import OWN_FOLDER, segments, stream_folders
from storage.recovery import TornTail, cut_tail, recover_tail
from storage.retention import Policy
from storage.stream_writer import Place, StreamWriter
from storage.upkeep import Upkeep

_log = logging.getLogger(__name__)

_GROUP_BYTES = 16 * 1024 * 1024
"""Bytes that share one write; more are queued for the next."""
_HOUR_CHECK_SECONDS = 30.0
"""How late an idle stream's segment is closed after its hour."""


Lengths = Mapping[str, Mapping[str, int]]
"""Bytes of each segment, by stream."""


class StoreError(Exception):
    """The batch is not on disk and may be sent again: the disk is full, failing, or the store is stopping."""


class Stored(NamedTuple):
    """Lines that are on disk now: from `start` to `end` of a segment, in bytes; `tag` is what came with them."""

    stream: str
    segment: str
    start: int
    end: int
    tag: Any


class _Append(NamedTuple):
    stream: str
    lines: bytes
    times_unix_nano: Sequence[int]
    tag: Any
    done: Future[None]


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """A look at the store's numbers; the counters run from its opening."""

    queue_bytes: int
    written_bytes: Mapping[str, int]
    written_records: Mapping[str, int]
    segment_bytes: Mapping[str, int]
    write_failures: int
    abandoned_segments: int
    torn_tails: int
    torn_bytes: int
    failure: str | None
    """Why a stream's last group was refused; None once each stream's last one is on disk."""


@dataclass(slots=True)
class _Tally:
    write_failures: int = 0
    torn: list[TornTail] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


class Store:
    """The one owner of a folder of segments. `append` may be called from any thread and never blocks."""

    def __init__(
        self,
        folder: Path,
        *,
        durability: str = "synced",
        clock: Callable[[], int] = time.time_ns,
        on_commit: Callable[[float], None] = lambda _seconds: None,
        on_stored: Callable[[Stored], None] = lambda _stored: None,
    ) -> None:
        """`on_stored` is called by the writing thread, in the order in which lines come into each stream."""
        self._folder = folder
        self._own_folder = folder / OWN_FOLDER
        self._synced = durability == "synced"
        self._clock = clock
        self._on_commit = on_commit
        self._on_stored = on_stored
        self._lock = FolderLock(self._own_folder / "lock")
        self._manifest = Manifest(self._own_folder / "manifest.json", {})
        self._writers: dict[str, StreamWriter] = {}
        self._tally = _Tally()
        self._pending: deque[_Append] = deque()
        self._queue_bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._threads = (
            threading.Thread(target=self._write_until_closed, name="store-writer"),
            threading.Thread(target=self._list_old_segments, name="store-manifest", daemon=True),
        )

    def open(self, lengths: Callable[[], Lengths] = dict) -> None:
        """Own the folder, mend what a crash left, cut the streams of `lengths` back to them, start.

        `lengths` is asked once the folder is owned: of each stream the segments and their bytes; a segment that is not
        named is cut whole. Raise FolderInUseError, StoreFormatError, or OSError; what `lengths` raises goes through.
        """
        (self._own_folder / "torn").mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self._manifest = Manifest.load(self._own_folder / "manifest.json")
            self._recover()
            self._cut_back(lengths())
        except BaseException:
            self._lock.release()
            raise
        self._unlisted = self._manifest.unlisted(self._folder)
        for thread in self._threads:
            thread.start()

    def append(self, stream: str, lines: bytes, times_unix_nano: Sequence[int], tag: Any = None) -> Future[None]:
        """Queue whole lines; the future is done when they are on disk and fails with StoreError."""
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # a caller that gives up can't take back what is being written
        with self._changed:
            if self._closing:
                done.set_exception(StoreError("the store is stopping"))
                return done
            self._pending.append(_Append(stream, lines, times_unix_nano, tag, done))
            self._queue_bytes += len(lines)
            self._changed.notify()
        return done

    def statistics(self) -> StoreStatistics:
        writers = dict(self._writers)
        return StoreStatistics(
            queue_bytes=self._queue_bytes,
            written_bytes={stream: writer.written_bytes for stream, writer in writers.items()},
            written_records={stream: writer.written_records for stream, writer in writers.items()},
            segment_bytes={stream: writer.segment_bytes for stream, writer in writers.items()},
            write_failures=self._tally.write_failures,
            abandoned_segments=sum(writer.abandoned for writer in writers.values()),
            torn_tails=len(self._tally.torn),
            torn_bytes=sum(tail.bytes for tail in self._tally.torn),
            failure=next(iter(self._tally.failures.copy().values()), None),
        )

    def upkeep(self, policy: Policy) -> Upkeep:
        """Retention on this folder; to be run by one thread at a time."""
        return Upkeep(self._folder, policy, self._manifest)

    def wait_until_listed(self) -> None:
        """Return once the manifest has what the last run left unlisted."""
        self._threads[1].join()

    def close(self) -> None:
        """Write what is queued, close the segments and give the folder free; again is harmless."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify()
        try:
            for thread in self._threads:
                thread.join()
            for writer in self._writers.values():
                writer.close()
            self._save_manifest()
        finally:
            self._lock.release()

    def _recover(self) -> None:
        for stream in stream_folders(self._folder):
            for name, path in segments(stream):
                if name.compressed or self._manifest.get(path) is not None:
                    continue
                torn = recover_tail(path, self._own_folder / "torn")
                if torn is not None:
                    self._tally.torn.append(torn)
                    _log.warning("%s: %d bytes of a torn tail moved to %s", path, torn.bytes, torn.kept_in)

    def _cut_back(self, lengths: Lengths) -> None:
        """What came after the last checkpoint is derived again."""
        for stream, known in lengths.items():
            for name, path in segments(self._folder / stream):
                length = known.get(str(name), 0)
                if name.compressed or path.stat().st_size <= length:
                    continue
                cut = cut_tail(path, length, self._own_folder / "torn")
                self._manifest.discard(path)
                if not length:
                    path.unlink()
                _log.info("%s: %d bytes since the last checkpoint moved to %s", path, cut.bytes, cut.kept_in)

    def _list_old_segments(self) -> None:
        """Read what the last run left unlisted; nobody waits for it."""
        for path in self._unlisted:
            try:
                summary = summarize(path, lambda: self._closing)
            except DAMAGED as error:
                _log.warning("%s could not be read for the manifest (%s); the next start tries again", path, error)
                continue
            if summary is None:
                return
            self._manifest.add(path, summary)
        if self._unlisted:
            self._save_manifest()

    def _write_until_closed(self) -> None:
        while True:
            with self._changed:
                if not self._pending and not self._closing:
                    self._changed.wait(_HOUR_CHECK_SECONDS)
                if self._closing and not self._pending:
                    return
                group = self._take_group()
            self._commit(group)
            if not group:
                self._close_past_hours()

    def _take_group(self) -> list[_Append]:
        group: list[_Append] = []
        size = 0
        while self._pending and size < _GROUP_BYTES:
            group.append(self._pending.popleft())
            size += len(group[-1].lines)
        return group

    def _commit(self, group: Iterable[_Append]) -> None:
        for stream, appends in groupby(sorted(group, key=attrgetter("stream")), key=attrgetter("stream")):
            requests = list(appends)
            failure = self._commit_stream(stream, requests)
            with self._changed:
                self._queue_bytes -= sum(len(request.lines) for request in requests)
            for request in requests:
                if failure is None:
                    request.done.set_result(None)
                else:
                    request.done.set_exception(failure)

    def _commit_stream(self, stream: str, requests: list[_Append]) -> StoreError | None:
        started = time.perf_counter()
        try:
            lines = b"".join(request.lines for request in requests)
            times = [time for request in requests for time in request.times_unix_nano]
            self._lock.renew()
            place = self._writer(stream).commit(lines, times)
        except Exception as error:  # noqa: BLE001  # the clients must hear of it and the thread must live
            self._tally.write_failures += 1
            self._tally.failures[stream] = str(error)
            _log_failure(stream, error)
            return StoreError(f"{stream}: {error}")
        self._tally.failures.pop(stream, None)
        self._on_commit(time.perf_counter() - started)
        self._tell(requests, place)
        return None

    def _tell(self, requests: list[_Append], place: Place) -> None:
        start = place.start
        for request in requests:
            end = start + len(request.lines)
            self._on_stored(Stored(request.stream, place.segment, start, end, request.tag))
            start = end

    def _writer(self, stream: str) -> StreamWriter:
        if stream not in self._writers:
            self._writers[stream] = StreamWriter(
                self._folder / stream,
                self._manifest,
                clock=self._clock,
                synced=self._synced,
            )
        return self._writers[stream]

    def _close_past_hours(self) -> None:
        past = [writer for writer in self._writers.values() if writer.close_if_past()]
        if past:
            self._save_manifest()

    def _save_manifest(self) -> None:
        try:
            self._manifest.save()
        except OSError as error:
            _log.warning("The manifest could not be saved (%s); it is rebuilt at the next start", error)


def _log_failure(stream: str, error: Exception) -> None:
    if isinstance(error, OSError | FolderInUseError):
        _log.error("%s: a group was refused, clients are told to retry: %s", stream, error)
    else:
        _log.error("%s: a group was refused because of a fault of ours", stream, exc_info=error)
