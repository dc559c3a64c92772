"""The row of the state database that tells where the pages are served, and by which process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from storage.state import State, process_lives


@dataclass(frozen=True, slots=True)
class WebProcessRow:
    """The web process that a collector runs, or ran last; `endpoints` are addresses for a browser, by extension.

    Times are nanoseconds since 1970.
    """

    pid: int
    endpoints: Mapping[str, str]
    started_unix_nano: int
    stopped_unix_nano: int | None = None

    @property
    def lives(self) -> bool:
        return self.stopped_unix_nano is None and process_lives(self.pid)


def record_start(state: State, row: WebProcessRow) -> None:
    """In the place of the last one; raise StateError."""
    told = (row.pid, orjson.dumps(dict(row.endpoints)).decode(), row.started_unix_nano, row.stopped_unix_nano)
    with state.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO web_process VALUES (1, ?, ?, ?, ?)", told)


def record_stop(state: State, pid: int, stopped_unix_nano: int) -> None:
    """Unless another has taken its place; raise StateError."""
    with state.transaction() as connection:
        connection.execute("UPDATE web_process SET stopped_unix_nano = ? WHERE pid = ?", (stopped_unix_nano, pid))


def web_process(state: State) -> WebProcessRow | None:
    """None where none has run; raise StateError."""
    rows = state.rows("SELECT pid, endpoints, started_unix_nano, stopped_unix_nano FROM web_process")
    return next(
        (WebProcessRow(pid, orjson.loads(told), started, stopped) for pid, told, started, stopped in rows), None
    )


def served(row: WebProcessRow | None) -> dict[str, str]:
    """Where the pages are now, by extension."""
    return dict(row.endpoints) if row is not None and row.lives else {}
