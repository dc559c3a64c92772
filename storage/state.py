"""`state.db`: beside the segments, the only thing that Forecourt's processes share."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from storage.migrations import MIGRATIONS

_NETWORK_FILE_SYSTEMS = frozenset(
    {"afpfs", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "nfs", "nfs4", "smb3", "smbfs", "webdav"},
)
_BUSY_TIMEOUT_SECONDS = 5.0
_UPGRADE = "Upgrade it: pip install --upgrade forecourt"


class StateError(Exception):
    """The state database can't be used as it is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class CollectorRow:
    """The collector that runs, or ran last, on this folder. Times are nanoseconds since 1970."""

    pid: int
    version: str
    endpoints: Mapping[str, str]
    started_unix_nano: int
    stopped_unix_nano: int | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What judging goes on from after a restart."""

    saved_unix_nano: int
    content: bytes
    segment_bytes: Mapping[str, Mapping[str, int]]
    """Of received streams up to where they are judged, of derived ones up to where they follow from that."""


@dataclass(frozen=True, slots=True)
class Published:
    """All evaluations of one tick, as JSON values."""

    time_unix_nano: int
    evaluations: list[dict[str, Any]]


class State:
    """One connection; used by the thread that opened it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> State:
        """Make or migrate the database, readable by its owner only; raise StateError."""
        refuse_network_drive(path.parent)
        with suppress(FileExistsError):
            # Never opened apart from SQLite once it exists: closing it would drop the locks of this whole process.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None)
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
            _migrate(connection, path)
        except sqlite3.Error as error:
            raise StateError(f"{path}: {error}. {_way_out(error)}") from error
        return cls(connection)

    @classmethod
    def reading(cls, path: Path) -> State:
        """As it is, also where nobody may write: nothing is made, migrated or changed. Raise StateError."""
        refuse_network_drive(path.parent)
        try:
            connection = _connected_for_reading(path)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            raise StateError(f"{path}: {error}") from error
        if version != len(MIGRATIONS):
            connection.close()
            raise StateError(
                f"{path}: version {version} was written by another Forecourt; this one reads {len(MIGRATIONS)}. "
                + (_UPGRADE if version > len(MIGRATIONS) else "Start its collector once: forecourt collector")
            )
        return cls(connection)

    def record_start(self, row: CollectorRow) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO collector VALUES (1, ?, ?, ?, ?, ?)",
            (
                row.pid,
                row.version,
                orjson.dumps(dict(row.endpoints)).decode(),
                row.started_unix_nano,
                row.stopped_unix_nano,
            ),
        )

    def record_stop(self, stopped_unix_nano: int) -> None:
        self._connection.execute("UPDATE collector SET stopped_unix_nano = ?", (stopped_unix_nano,))

    def collector(self) -> CollectorRow | None:
        found = self.rows("SELECT pid, version, endpoints, started_unix_nano, stopped_unix_nano FROM collector")
        if not found:
            return None
        pid, version, endpoints, started, stopped = found[0]
        return CollectorRow(pid, version, _content(endpoints), started, stopped)

    def collector_lives(self) -> bool:
        """Whether a collector owns this folder now."""
        row = self.collector()
        return row is not None and row.stopped_unix_nano is None and process_lives(row.pid)

    def save_checkpoint(
        self,
        saved_unix_nano: int,
        content: bytes,
        changed_bytes: Iterable[tuple[str, str, int]],
        evaluations: Published | None,
    ) -> None:
        """In one transaction; `changed_bytes` are stream, segment and bytes of what changed since the last one."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?)", (saved_unix_nano, content))
            connection.executemany("INSERT OR REPLACE INTO segment_bytes VALUES (?, ?, ?)", changed_bytes)
            if evaluations is not None:
                told = orjson.dumps(evaluations.evaluations).decode()
                row = (evaluations.time_unix_nano, told)
                connection.execute("INSERT OR REPLACE INTO evaluations VALUES (1, ?, ?)", row)

    def forget_segments(self, gone: Iterable[tuple[str, str]]) -> None:
        """Streams and segments that are no more."""
        with self.transaction() as connection:
            connection.executemany("DELETE FROM segment_bytes WHERE stream = ? AND segment = ?", gone)

    def checkpoint(self) -> Checkpoint | None:
        found = self._connection.execute("SELECT saved_unix_nano, content FROM checkpoint").fetchone()
        if found is None:
            return None
        lengths: dict[str, dict[str, int]] = {}
        for stream, segment, length in self._connection.execute("SELECT stream, segment, bytes FROM segment_bytes"):
            lengths.setdefault(stream, {})[segment] = length
        return Checkpoint(found[0], found[1], lengths)

    def published(self) -> Published | None:
        """The evaluations of the last tick; None before the first."""
        found = self.rows("SELECT time_unix_nano, content FROM evaluations")
        return Published(found[0][0], _content(found[0][1])) if found else None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Raise StateError, with nothing changed, when the database refuses."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:  # a full disk has ended it already
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StateError(f"state.db: {error}") from error

    def rows(self, text: str, parameters: Iterable[Any] = ()) -> list[Any]:
        """What a SELECT finds; raise StateError."""
        try:
            return self._connection.execute(text, tuple(parameters)).fetchall()
        except sqlite3.Error as error:
            raise StateError(f"state.db: {error}") from error

    def each(self, text: str) -> Iterator[Any]:
        """What a SELECT finds, one row at a time; raise StateError."""
        try:
            yield from self._connection.execute(text)
        except sqlite3.Error as error:
            raise StateError(f"state.db: {error}") from error

    def data_version(self) -> int:
        """Another number after another connection has changed something."""
        ((version,),) = self.rows("PRAGMA data_version")
        return int(version)

    def close(self) -> None:
        self._connection.close()


def _connected_for_reading(path: Path) -> sqlite3.Connection:
    """Where not even the log's index can be made, and nobody writes, the file alone is read."""
    address = path.absolute().as_uri()
    try:
        return _answering(f"{address}?mode=ro")
    except sqlite3.OperationalError:
        if os.access(path.parent, os.W_OK) or not path.is_file():
            raise
        return _answering(f"{address}?mode=ro&immutable=1")


def _answering(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),):
        return  # whoever only looks waits for nobody who writes
    connection.execute("BEGIN IMMEDIATE")
    (applied,) = connection.execute("PRAGMA user_version").fetchone()
    if applied > len(MIGRATIONS):
        connection.execute("ROLLBACK")
        connection.close()
        raise StateError(
            f"{path}: version {applied} was written by a newer Forecourt; this one knows up to version "
            f"{len(MIGRATIONS)}. {_UPGRADE}",
        )
    for statement in MIGRATIONS[applied:]:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("COMMIT")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Two who make the same file at once: the second is refused, not made to wait, by SQLite."""
    until = time.monotonic() + _BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _content(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise StateError(f"state.db: {error}") from error


def _way_out(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return "Move the file away; it is made anew, without silences, baselines and how far exporters were."
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return "Run this as the user whom the folder belongs to, or let this one write there."
    return "Nothing was changed; try again when that is over."


def process_lives(pid: int) -> bool:
    """A zombie does not: it only waits for its parent to be told."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def refuse_network_drive(folder: Path) -> None:
    """Raise StateError where SQLite's locks can't be relied upon."""
    kind = network_file_system(folder)
    if kind is not None:
        raise StateError(
            f"{folder}: is on a network drive ({kind}), where SQLite's WAL mode loses data. Point "
            "exporters.jsonl.path at a folder on a local disk.",
        )


def network_file_system(folder: Path) -> str | None:
    """The type of network file system that `folder` lies on; None when it is local or unknown."""
    absolute = folder.resolve()
    mounts = {Path(part.mountpoint): part for part in psutil.disk_partitions(all=True)}
    for parent in (absolute, *absolute.parents):
        part = mounts.get(parent)
        if part is not None:
            remote = part.fstype.lower() in _NETWORK_FILE_SYSTEMS or "remote" in part.opts.split(",")
            return part.fstype if remote else None
    return None
