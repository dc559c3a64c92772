"""Who did what on the pages, as rows of the state database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from storage.state import State

_LAST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`by_whom` and `role` are empty for somebody who is not known; `id` is 0 until it is written."""

    time_unix_nano: int
    by_whom: str
    role: str
    address: str
    action: str
    detail: Mapping[str, Any]
    outcome: str
    id: int = 0


def record(state: State, entry: AuditEntry) -> None:
    """Raise StateError."""
    detail = orjson.dumps(dict(entry.detail)).decode()
    with state.transaction() as connection:
        connection.execute(
            "INSERT INTO audit (time_unix_nano, by_whom, role, address, action, detail, outcome)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (entry.time_unix_nano, entry.by_whom, entry.role, entry.address, entry.action, detail, entry.outcome),
        )


def entries(state: State, limit: int, before_id: int | None = None) -> list[AuditEntry]:
    """The newest first, those written before the one with this id if there is one; raise StateError."""
    found = state.rows(
        "SELECT time_unix_nano, by_whom, role, address, action, detail, outcome, id FROM audit"
        " WHERE id < ? ORDER BY id DESC LIMIT ?",
        (_LAST_ID if before_id is None else before_id, max(0, limit)),
    )
    return [
        AuditEntry(time, by_whom, role, address, action, orjson.loads(detail), outcome, number)
        for time, by_whom, role, address, action, detail, outcome, number in found
    ]


def prune(state: State, before_unix_nano: int) -> int:
    """Drop what is older; how many rows. Raise StateError."""
    with state.transaction() as connection:
        return connection.execute("DELETE FROM audit WHERE time_unix_nano < ?", (before_unix_nano,)).rowcount
