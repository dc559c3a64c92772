"""How far each exporter has come: which parts of which segments were sent, and what became of the rest.

The collector registers exporters and counts what retention took from them; the process that sends writes the rest.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from storage.ranges import WHOLE, Range, Ranges
from storage.state import State

Key = tuple[str, str]
"""An exporter and a stream."""


class ExporterRow(NamedTuple):
    """Counts since the exporter was new. Times are nanoseconds since 1970, 0 for none.

    `waiting_bytes` and `oldest_unix_nano` (its arrival) are of what was not sent when it was last looked.
    """

    exporter: str
    stream: str
    sent_records: int = 0
    rejected_records: int = 0
    set_aside_records: int = 0
    dropped_records: int = 0
    sampled_out_records: int = 0
    unreadable_records: int = 0
    failed_requests: int = 0
    sent_unix_nano: int = 0
    problem: str = ""
    problem_unix_nano: int = 0
    waiting_bytes: int = 0
    oldest_unix_nano: int = 0
    looked_unix_nano: int = 0
    generation: int = 0
    """Another once somebody else has changed what counts as sent."""
    queue_bytes: int = 0
    """So much of what was not sent is kept for it by retention."""


class Wanted(NamedTuple):
    """An exporter of the configuration: whether it begins with all that there is, and its `queue_bytes`."""

    from_beginning: bool
    queue_bytes: int


class SetAside(NamedTuple):
    """A part of a segment that was refused for good; its records are where they were."""

    exporter: str
    stream: str
    segment: str
    start: int
    stop: int
    records: int
    reason: str
    time_unix_nano: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step brought: counts by column, the part that is done, what of it was set aside."""

    counts: Mapping[str, int] = field(default_factory=dict)
    done: tuple[str, Range] | None = None
    set_aside: tuple[SetAside, ...] = ()
    problem: tuple[str, int] | None = None
    """The last problem and its time; an empty text once there is none."""
    sent_unix_nano: int = 0


_COLUMNS = ", ".join(ExporterRow._fields)
_STALE_NANO = 60 * 1_000_000_000
"""A sender that lives looks every few seconds, be the viewer away or not."""
_COUNTED = frozenset(name for name in ExporterRow._fields if name.endswith(("_records", "_requests")))


def register(state: State, wanted: Mapping[Key, Wanted], segments: Mapping[str, Iterable[str]]) -> list[Key]:
    """Make what is `wanted` known; those that are new, in their order. Raise StateError.

    For one that is new and begins now the `segments` that there are, by stream, count as sent. What is written down of
    other segments is forgotten: a name may be given again to one of which nothing was acknowledged.
    """
    known = {(row.exporter, row.stream) for row in rows(state)}
    with state.transaction() as connection:
        for key in wanted.keys() & known:
            _forget_segments(connection, key, segments.get(key[1], ()))
        for key in wanted.keys() - known:
            connection.execute("INSERT INTO exporters (exporter, stream) VALUES (?, ?)", key)
            present = () if wanted[key].from_beginning else segments.get(key[1], ())
            whole = ((*key, segment, 0, WHOLE) for segment in present)
            connection.executemany("INSERT OR REPLACE INTO exporter_ranges VALUES (?, ?, ?, ?, ?)", whole)
        connection.executemany(
            "UPDATE exporters SET queue_bytes = ? WHERE exporter = ? AND stream = ?",
            ((one.queue_bytes, *key) for key, one in wanted.items()),
        )
    return sorted(wanted.keys() - known)


def forget_others(state: State, wanted: Collection[Key]) -> list[ExporterRow]:
    """All but those that are `wanted`; how those fared that are known no more. Raise StateError."""
    gone = [row for row in rows(state) if (row.exporter, row.stream) not in wanted]
    with state.transaction() as connection:
        for row in gone:
            for table in ("exporters", "exporter_ranges", "exporter_set_aside"):
                text = f"DELETE FROM {table} WHERE exporter = ? AND stream = ?"  # noqa: S608  # ours
                connection.execute(text, (row.exporter, row.stream))
    return gone


def _forget_segments(connection: sqlite3.Connection, key: Key, segments: Iterable[str]) -> None:
    text = "SELECT DISTINCT segment FROM exporter_ranges WHERE exporter = ? AND stream = ?"
    gone = {segment for (segment,) in connection.execute(text, key)}.difference(segments)
    connection.executemany(
        "DELETE FROM exporter_ranges WHERE exporter = ? AND stream = ? AND segment = ?",
        ((*key, segment) for segment in gone),
    )


def rows(state: State) -> list[ExporterRow]:
    """By exporter and stream; raise StateError."""
    found = state.rows(f"SELECT {_COLUMNS} FROM exporters ORDER BY exporter, stream")  # noqa: S608  # our columns
    return [ExporterRow(*row) for row in found]


def lag_seconds(row: ExporterRow, now_unix_nano: int) -> float:
    """How long the oldest record waits that was not sent; of a sender that has died, for how long it has not looked."""
    since = row.oldest_unix_nano or (row.looked_unix_nano if now_unix_nano - row.looked_unix_nano > _STALE_NANO else 0)
    return max(0.0, (now_unix_nano - since) / 1e9) if since else 0.0


def sent(state: State, key: Key) -> dict[str, Ranges]:
    """What is done of each segment, by its name without .gz; raise StateError."""
    found: dict[str, Ranges] = {}
    text = "SELECT segment, start, stop FROM exporter_ranges WHERE exporter = ? AND stream = ? ORDER BY segment, start"
    for segment, start, stop in state.rows(text, key):
        found.setdefault(segment, Ranges()).add(start, stop)
    return found


def generation(state: State, key: Key) -> int | None:
    """None where the exporter is not known any more; raise StateError."""
    found = state.rows("SELECT generation FROM exporters WHERE exporter = ? AND stream = ?", key)
    return int(found[0][0]) if found else None


def record(state: State, key: Key, outcome: Outcome, ranges: Ranges | None, of_generation: int) -> bool:
    """In one transaction; `ranges` are what is done of the segment of `outcome.done`, and are added to what is known.

    False, and nothing written, where the generation is another one by now. Raise StateError.
    """
    changes: dict[str, int | str] = {}
    if outcome.problem is not None:
        changes["problem"], changes["problem_unix_nano"] = outcome.problem
    if outcome.sent_unix_nano:
        changes["sent_unix_nano"] = outcome.sent_unix_nano
    counted = {name: count for name, count in outcome.counts.items() if count and name in _COUNTED}
    settings = [*(f"{name} = ?" for name in changes), *(f"{name} = {name} + ?" for name in counted)]
    with state.transaction() as connection:
        if generation(state, key) != of_generation:
            return False
        if settings:
            text = f"UPDATE exporters SET {', '.join(settings)} WHERE exporter = ? AND stream = ?"  # noqa: S608  # our columns
            connection.execute(text, (*changes.values(), *counted.values(), *key))
        if outcome.done is not None and ranges is not None:
            _add(connection, (*key, outcome.done[0]), ranges)
        connection.executemany(
            "INSERT INTO exporter_set_aside (exporter, stream, segment, start, stop, records, reason, time_unix_nano)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            outcome.set_aside,
        )
    return True


def _add(connection: sqlite3.Connection, place: tuple[str, str, str], ranges: Ranges) -> None:
    """To what is there: a sender whose collector was killed may outlive it by a request, beside the next one."""
    where = "FROM exporter_ranges WHERE exporter = ? AND stream = ? AND segment = ?"
    parts = Ranges([*ranges, *connection.execute(f"SELECT start, stop {where}", place)])  # ours
    connection.execute(f"DELETE {where}", place)  # ours
    connection.executemany("INSERT INTO exporter_ranges VALUES (?, ?, ?, ?, ?)", ((*place, *part) for part in parts))


def looked(state: State, key: Key, *, waiting_bytes: int, oldest_unix_nano: int, now_unix_nano: int) -> None:
    """Raise StateError."""
    with state.transaction() as connection:
        connection.execute(
            "UPDATE exporters SET waiting_bytes = ?, oldest_unix_nano = ?, looked_unix_nano = ?"
            " WHERE exporter = ? AND stream = ?",
            (waiting_bytes, oldest_unix_nano, now_unix_nano, *key),
        )


def forget_segment(state: State, stream: str, segment: str, dropped: Mapping[Key, int]) -> None:
    """It was deleted; so many of its records each exporter had not sent. Raise StateError."""
    with state.transaction() as connection:
        connection.execute(
            "UPDATE exporters SET set_aside_records = set_aside_records - gone.records FROM"
            " (SELECT exporter, sum(records) AS records FROM exporter_set_aside WHERE stream = ?1 AND segment = ?2"
            " GROUP BY exporter) AS gone WHERE gone.exporter = exporters.exporter AND exporters.stream = ?1",
            (stream, segment),
        )
        for table in ("exporter_ranges", "exporter_set_aside"):
            connection.execute(f"DELETE FROM {table} WHERE stream = ? AND segment = ?", (stream, segment))  # noqa: S608  # ours
        for key, count in dropped.items():
            connection.execute(
                "UPDATE exporters SET dropped_records = dropped_records + ? WHERE exporter = ? AND stream = ?",
                (count, *key),
            )


def all_set_aside(state: State, exporter: str | None = None) -> list[SetAside]:
    """In their order, of one exporter or of all; raise StateError."""
    columns = ", ".join(SetAside._fields)
    text = f"SELECT {columns} FROM exporter_set_aside WHERE ? IN ('', exporter) ORDER BY id"  # noqa: S608  # our columns
    return [SetAside(*row) for row in state.rows(text, (exporter or "",))]


def last_set_aside(state: State) -> list[SetAside]:
    """The last part of each exporter that has any; raise StateError."""
    columns = ", ".join(SetAside._fields)
    last = "SELECT max(id) FROM exporter_set_aside GROUP BY exporter"
    text = f"SELECT {columns} FROM exporter_set_aside WHERE id IN ({last}) ORDER BY exporter"  # noqa: S608  # our columns
    return [SetAside(*row) for row in state.rows(text)]


def try_again(state: State, exporter: str) -> int:
    """What was set aside counts as not sent; how many records that are. Raise StateError."""
    with state.transaction() as connection:
        parts = all_set_aside(state, exporter)
        done = {stream: sent(state, (exporter, stream)) for stream in {part.stream for part in parts}}
        places = {(part.stream, part.segment): done[part.stream].get(part.segment, Ranges()) for part in parts}
        for part in parts:
            places[part.stream, part.segment].remove(part.start, part.stop)
        connection.execute("DELETE FROM exporter_set_aside WHERE exporter = ?", (exporter,))
        connection.execute(
            "UPDATE exporters SET generation = generation + 1, set_aside_records = 0 WHERE exporter = ?", (exporter,)
        )
        for (stream, segment), ranges in places.items():
            connection.execute(
                "DELETE FROM exporter_ranges WHERE exporter = ? AND stream = ? AND segment = ?",
                (exporter, stream, segment),
            )
            connection.executemany(
                "INSERT INTO exporter_ranges VALUES (?, ?, ?, ?, ?)",
                ((exporter, stream, segment, start, stop) for start, stop in ranges),
            )
    return sum(part.records for part in parts)
