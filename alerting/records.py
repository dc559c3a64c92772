"""Alerting's rows in the state database: saved in one transaction, taken up after a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from alerting.alert import Alert
from alerting.dispatcher import Dispatcher
from alerting.journal import Entry
from alerting.notification import Notification, Queued
from alerting.routing import GroupKey
from alerting.silence import Silence
from storage.state import State


class Acknowledged(NamedTuple):
    """What somebody wrote down at the command line or on a page."""

    id: int
    alert: str
    by: str
    note: str
    time_unix_nano: int


class Command(NamedTuple):
    """What another process asks of the sidecar."""

    id: int
    kind: str
    arguments: dict[str, Any]


def restore(dispatcher: Dispatcher, state: State) -> None:
    """Take up where the last run was, with all that waits to be sent; raise StateError."""
    for route, values, due, flushed in state.rows("SELECT * FROM alert_groups"):
        dispatcher.groups.restore(GroupKey(route, tuple(orjson.loads(values))), due, flushed)
    for (content,) in state.each("SELECT content FROM alerts WHERE known = 1"):
        dispatcher.restore(Alert.from_json(orjson.loads(content)))
    for row in state.each(
        "SELECT content, status, attempts, due_unix_nano, answer, receipt, receipt_open, ended_unix_nano, alerts"
        " FROM notifications WHERE status = 'queued' OR receipt_open = 1 ORDER BY id"
    ):
        content, status, attempts, due, answer, receipt, ringing, ended, alerts = row
        notification = Notification.from_json(orjson.loads(content))
        queued = Queued(notification, status, attempts, due, answer, receipt, bool(ringing), ended)
        queued.alert_ids = tuple(orjson.loads(alerts))
        dispatcher.outbox.restore(queued)
    dispatcher.outbox.next_id = _next_id(state, "notifications")
    dispatcher.journal.next_id = _next_id(state, "alert_journal")
    dispatcher.silences.replace(silences(state))
    for (content,) in state.rows("SELECT content FROM alerting"):
        dispatcher.resume(orjson.loads(content))


def _next_id(state: State, table: str) -> int:
    ((last,),) = state.rows(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608  # one of our own names
    return int(last) + 1


def save(dispatcher: Dispatcher, state: State) -> None:
    """Write what has changed since the last time, all or nothing; raise StateError."""
    if not dispatcher.has_changed:
        return
    alerts, groups, queued = dict(dispatcher.changed), set(dispatcher.groups.changed), dict(dispatcher.outbox.changed)
    entries = list(dispatcher.journal.entries)
    content = orjson.dumps(dispatcher.to_state()).decode()
    with state.transaction() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?)",
            [_alert_row(alert, dispatcher) for alert in alerts.values()],
        )
        _save_groups(connection, dispatcher, groups)
        connection.executemany(
            f"INSERT OR REPLACE INTO notifications VALUES ({', '.join('?' * 14)})",  # noqa: S608  # question marks
            [_notification_row(one) for one in queued.values()],
        )
        connection.executemany("INSERT INTO alert_journal VALUES (?, ?, ?, ?, ?, ?, ?)", map(_journal_row, entries))
        connection.execute("INSERT OR REPLACE INTO alerting VALUES (1, ?)", (content,))
    dispatcher.changed.clear()
    dispatcher.groups.changed.clear()
    dispatcher.outbox.changed.clear()
    dispatcher.journal.written(len(entries))
    dispatcher.saved()


def _alert_row(alert: Alert, dispatcher: Dispatcher) -> tuple[Any, ...]:
    content = orjson.dumps(alert).decode()
    known = int(dispatcher.knows(alert.id))
    return alert.id, alert.rule, alert.status, alert.severity, known, dispatcher.now, content


def _save_groups(connection: sqlite3.Connection, dispatcher: Dispatcher, changed: Iterable[GroupKey]) -> None:
    for key in changed:
        group = dispatcher.groups.get(key)
        name = (key.route, orjson.dumps(key.values).decode())
        if group is None:
            connection.execute("DELETE FROM alert_groups WHERE route = ? AND label_values = ?", name)
        else:
            row = (*name, group.due, group.flushed)
            connection.execute("INSERT OR REPLACE INTO alert_groups VALUES (?, ?, ?, ?)", row)


def _notification_row(queued: Queued) -> tuple[Any, ...]:
    notification = queued.notification
    return (
        notification.id,
        notification.receiver,
        notification.kind,
        notification.severity,
        queued.status,
        notification.created_unix_nano,
        queued.ended_at,
        queued.due,
        queued.attempts,
        queued.answer,
        queued.receipt,
        int(queued.receipt_open),
        orjson.dumps(queued.alert_ids).decode(),
        orjson.dumps(notification).decode(),
    )


def _journal_row(entry: Entry) -> tuple[Any, ...]:
    return (*entry[:-1], orjson.dumps(entry.content).decode())


def journal_after(state: State, last: int, limit: int = 5000) -> list[Entry]:
    """What was written down after this entry, oldest first."""
    found = state.rows("SELECT * FROM alert_journal WHERE id > ? ORDER BY id LIMIT ?", (last, limit))
    return [entry_of(row) for row in found]


def entry_of(row: Sequence[Any]) -> Entry:
    """An entry of the journal from its row."""
    number, time, alert, rule, outcome, reason, content = row
    return Entry(number, time, alert, rule, outcome, reason, orjson.loads(content))


def last_of_journal(state: State) -> int:
    """The number of its last entry; 0 for none."""
    return _next_id(state, "alert_journal") - 1


def silences(state: State) -> list[Silence]:
    """All that are known, also those that have ended."""
    return [
        Silence(name, kind, tuple(orjson.loads(matchers)), by, comment, starts, ends)
        for name, kind, matchers, by, comment, starts, ends in state.rows(
            "SELECT * FROM silences ORDER BY ends_unix_nano"
        )
    ]


def save_silence(state: State, silence: Silence) -> None:
    row = (
        silence.id,
        silence.kind,
        orjson.dumps(silence.matchers).decode(),
        silence.created_by,
        silence.comment,
        silence.starts_at,
        silence.ends_at,
    )
    with state.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO silences VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def save_acknowledgement(state: State, alert: str, by: str, note: str, now_unix_nano: int) -> int:
    """Its number; the sidecar takes it within a second, or when it starts."""
    with state.transaction() as connection:
        row = connection.execute(
            "INSERT INTO acknowledgements (alert, by_whom, note, time_unix_nano) VALUES (?, ?, ?, ?)",
            (alert, by, note, now_unix_nano),
        )
    return int(row.lastrowid or 0)


def acknowledgements(state: State) -> list[Acknowledged]:
    """Those that the sidecar has not taken yet."""
    found = state.rows(
        "SELECT id, alert, by_whom, note, time_unix_nano FROM acknowledgements WHERE taken = 0 ORDER BY id"
    )
    return [Acknowledged(*row) for row in found]


def take_acknowledgements(state: State, taken: Sequence[Acknowledged]) -> None:
    with state.transaction() as connection:
        connection.executemany("UPDATE acknowledgements SET taken = 1 WHERE id = ?", [(one.id,) for one in taken])


def ask(state: State, kind: str, arguments: dict[str, Any], now_unix_nano: int) -> int:
    """Leave a command for the sidecar; its number."""
    with state.transaction() as connection:
        row = connection.execute(
            "INSERT INTO commands (kind, arguments, asked_unix_nano) VALUES (?, ?, ?)",
            (kind, orjson.dumps(arguments).decode(), now_unix_nano),
        )
    return int(row.lastrowid or 0)


def commands(state: State, since_unix_nano: int, kinds: Iterable[str]) -> list[Command]:
    """Those of these kinds that nobody has answered yet; what was asked before is too old to be wanted still."""
    wanted = tuple(kinds)
    found = state.rows(
        "SELECT id, kind, arguments FROM commands WHERE answered_unix_nano IS NULL AND asked_unix_nano >= ?"  # noqa: S608  # question marks
        f" AND kind IN ({', '.join('?' * len(wanted))}) ORDER BY id",
        (since_unix_nano, *wanted),
    )
    return [Command(number, kind, orjson.loads(arguments)) for number, kind, arguments in found]


def answer(state: State, number: int, content: Any, now_unix_nano: int) -> None:
    with state.transaction() as connection:
        connection.execute(
            "UPDATE commands SET answered_unix_nano = ?, answer = ? WHERE id = ?",
            (now_unix_nano, orjson.dumps(content).decode(), number),
        )


def answered(state: State, number: int) -> Any:
    """The answer; None as long as there is none."""
    found = state.rows("SELECT answer FROM commands WHERE id = ?", (number,))
    return orjson.loads(found[0][0]) if found and found[0][0] is not None else None


_ENDED = (
    "FROM alerts WHERE known = 0 AND updated_unix_nano < ?",
    "FROM notifications WHERE status != 'queued' AND receipt_open = 0 AND created_unix_nano < ?",
    "FROM alert_journal WHERE time_unix_nano < ?",
    "FROM silences WHERE ends_unix_nano < ?",
    "FROM acknowledgements WHERE time_unix_nano < ?",
    "FROM commands WHERE asked_unix_nano < ?",
)
"""What is over, by table."""


def prune(state: State, before_unix_nano: int) -> int:
    """Drop what ended before; how many rows."""
    with state.transaction() as connection:
        return sum(connection.execute(f"DELETE {ended}", (before_unix_nano,)).rowcount for ended in _ENDED)


def prunable(state: State, before_unix_nano: int) -> int:
    """How many rows `prune` would drop."""
    return sum(int(state.rows(f"SELECT count(*) {ended}", (before_unix_nano,))[0][0]) for ended in _ENDED)
