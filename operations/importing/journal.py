"""What was imported before, and what was being sent when an import ended: the table `imports` of the state database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from operations.importing.reading import Imported, where_it_ended
from storage import State
from storage.names import OWN_FOLDER

_SENDING = -1
"""In place of a number of records: nobody knows whether they arrived. Sent again as they were they count once."""


@dataclass(frozen=True, slots=True)
class Before:
    """Where an earlier import of a file ended, and where the chunk ends that it was sending then, if any."""

    ended: Imported = field(default_factory=lambda: Imported(0, ""))
    sending: int = 0


class Journal:
    """Of one import into one folder."""

    def __init__(self, state: State, form: str) -> None:
        self._state = state
        self._form = form

    def before(self, file: Path) -> Before:
        """By the content of the file, whatever its name; raise what reading it does."""
        rows = self._state.rows("SELECT bytes, digest, records FROM imports")
        ended = where_it_ended(file, [Imported(size, digest) for size, digest, records in rows if records >= 0])
        begun = where_it_ended(file, [Imported(size, digest) for size, digest, _ in rows])
        return Before(ended, begun.bytes)

    def sending(self, imported: Imported) -> None:
        """Up to here, from now on."""
        self._write(imported, _SENDING)

    def sent(self, imported: Imported, records: int) -> None:
        self._write(imported, records)

    def _write(self, imported: Imported, records: int) -> None:
        row = (imported.bytes, imported.digest, self._form, records, time.time_ns())
        with self._state.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO imports VALUES (?, ?, ?, ?, ?)", row)


@contextmanager
def opened(folder: Path, form: str) -> Iterator[Journal]:
    """Raise StateError."""
    state = State.open(folder / OWN_FOLDER / "state.db")
    try:
        yield Journal(state, form)
    finally:
        state.close()


def known(folder: Path, file: Path, form: str) -> Before:
    """Without making a state database where there is none."""
    if not (folder / OWN_FOLDER / "state.db").is_file():
        return Before()
    with opened(folder, form) as journal:
        return journal.before(file)
