"""Baselines in the state database: commands write them, the sidecar judges by them."""

from __future__ import annotations

from typing import NamedTuple

from storage.state import State


class BaselineRow(NamedTuple):
    """`content` is JSON that `processors.baselines` understands; a name has one, made at that time."""

    name: str
    created_unix_nano: int
    content: str


def add(state: State, row: BaselineRow) -> bool:
    """Whether there was none of that name; one that there is stays as it is. Raise StateError."""
    with state.transaction() as connection:
        return connection.execute("INSERT OR IGNORE INTO baselines VALUES (?, ?, ?)", row).rowcount > 0


def put(state: State, row: BaselineRow) -> None:
    """In place of the one of that name; raise StateError."""
    with state.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO baselines VALUES (?, ?, ?)", row)


def remove(state: State, name: str) -> bool:
    """Whether there was one; raise StateError."""
    with state.transaction() as connection:
        return connection.execute("DELETE FROM baselines WHERE name = ?", (name,)).rowcount > 0


def find(state: State, name: str) -> BaselineRow | None:
    """Raise StateError."""
    found = state.rows("SELECT name, created_unix_nano, content FROM baselines WHERE name = ?", (name,))
    return BaselineRow(*found[0]) if found else None


def all_of(state: State) -> list[BaselineRow]:
    """In the order of their names; raise StateError."""
    return [
        BaselineRow(*row) for row in state.rows("SELECT name, created_unix_nano, content FROM baselines ORDER BY name")
    ]


def versions(state: State) -> dict[str, int]:
    """When each was made: another answer when one was added, made anew or deleted. Raise StateError."""
    return dict(state.rows("SELECT name, created_unix_nano FROM baselines"))
