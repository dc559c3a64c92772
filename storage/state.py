"""`state.db`: beside the segments, the only thing that Forecourt's processes share."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil

_NETWORK_FILE_SYSTEMS = frozenset(
    {"afpfs", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "nfs", "nfs4", "smb3", "smbfs", "webdav"},
)
_BUSY_TIMEOUT_SECONDS = 5.0

MIGRATIONS = (
    """
    CREATE TABLE collector (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        pid INTEGER NOT NULL,
        version TEXT NOT NULL,
        endpoints TEXT NOT NULL,
        started_unix_nano INTEGER NOT NULL,
        stopped_unix_nano INTEGER
    ) STRICT
    """,
)
"""Each is applied once, in order; `PRAGMA user_version` counts those that were."""


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


class State:
    """One connection; used by the thread that opened it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> State:
        """Make or migrate the database, readable by its owner only; raise StateError."""
        refuse_network_drive(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        try:
            connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            _migrate(connection, path)
        except sqlite3.Error as error:
            raise StateError(f"{path}: {error}. Move the file away; it is made anew.") from error
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
        found = self._connection.execute(
            "SELECT pid, version, endpoints, started_unix_nano, stopped_unix_nano FROM collector",
        ).fetchone()
        if found is None:
            return None
        pid, version, endpoints, started, stopped = found
        return CollectorRow(pid, version, orjson.loads(endpoints), started, stopped)

    def close(self) -> None:
        self._connection.close()


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    (applied,) = connection.execute("PRAGMA user_version").fetchone()
    if applied > len(MIGRATIONS):
        connection.execute("ROLLBACK")
        connection.close()
        raise StateError(
            f"{path}: version {applied} was written by a newer Forecourt; this one knows up to version "
            f"{len(MIGRATIONS)}. Upgrade it: pip install --upgrade forecourt",
        )
    for statement in MIGRATIONS[applied:]:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("COMMIT")


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
