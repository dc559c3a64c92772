"""How the state database came to have the tables that it has."""

from __future__ import annotations

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
    """
    CREATE TABLE segment_bytes (
        stream TEXT NOT NULL,
        segment TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        PRIMARY KEY (stream, segment)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE checkpoint (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        saved_unix_nano INTEGER NOT NULL,
        content BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE evaluations (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        time_unix_nano INTEGER NOT NULL,
        content TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE alerts (
        id TEXT PRIMARY KEY,
        rule TEXT NOT NULL,
        status TEXT NOT NULL,
        severity TEXT NOT NULL,
        known INTEGER NOT NULL,
        updated_unix_nano INTEGER NOT NULL,
        content TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE alert_groups (
        route TEXT NOT NULL,
        label_values TEXT NOT NULL,
        due_unix_nano INTEGER,
        flushed_unix_nano INTEGER NOT NULL,
        PRIMARY KEY (route, label_values)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE alerting (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        content TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE notifications (
        id INTEGER PRIMARY KEY,
        receiver TEXT NOT NULL,
        kind TEXT NOT NULL,
        severity TEXT NOT NULL,
        status TEXT NOT NULL,
        created_unix_nano INTEGER NOT NULL,
        ended_unix_nano INTEGER NOT NULL,
        due_unix_nano INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        answer TEXT NOT NULL,
        receipt TEXT NOT NULL,
        receipt_open INTEGER NOT NULL,
        alerts TEXT NOT NULL,
        content TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX notifications_open ON notifications (id) WHERE status = 'queued' OR receipt_open = 1",
    """
    CREATE TABLE alert_journal (
        id INTEGER PRIMARY KEY,
        time_unix_nano INTEGER NOT NULL,
        alert TEXT NOT NULL,
        rule TEXT NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT NOT NULL,
        content TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX alert_journal_alert ON alert_journal (alert, id)",
    "CREATE INDEX alert_journal_time ON alert_journal (time_unix_nano)",
    """
    CREATE TABLE silences (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        matchers TEXT NOT NULL,
        created_by TEXT NOT NULL,
        comment TEXT NOT NULL,
        starts_unix_nano INTEGER NOT NULL,
        ends_unix_nano INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE acknowledgements (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        alert TEXT NOT NULL,
        by_whom TEXT NOT NULL,
        note TEXT NOT NULL,
        time_unix_nano INTEGER NOT NULL,
        taken INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    """
    CREATE TABLE commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        arguments TEXT NOT NULL,
        asked_unix_nano INTEGER NOT NULL,
        answered_unix_nano INTEGER,
        answer TEXT
    ) STRICT
    """,
    """
    CREATE TABLE value_history (
        rule TEXT NOT NULL,
        key TEXT NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (rule, key)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE imports (
        bytes INTEGER NOT NULL,
        digest TEXT NOT NULL,
        form TEXT NOT NULL,
        records INTEGER NOT NULL,
        imported_unix_nano INTEGER NOT NULL,
        PRIMARY KEY (bytes, digest)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE baselines (
        name TEXT PRIMARY KEY,
        created_unix_nano INTEGER NOT NULL,
        content TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE web_process (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        pid INTEGER NOT NULL,
        endpoints TEXT NOT NULL,
        started_unix_nano INTEGER NOT NULL,
        stopped_unix_nano INTEGER
    ) STRICT
    """,
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time_unix_nano INTEGER NOT NULL,
        by_whom TEXT NOT NULL,
        role TEXT NOT NULL,
        address TEXT NOT NULL,
        action TEXT NOT NULL,
        detail TEXT NOT NULL,
        outcome TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX audit_time ON audit (time_unix_nano)",
    """
    CREATE TABLE exporters (
        exporter TEXT NOT NULL,
        stream TEXT NOT NULL,
        sent_records INTEGER NOT NULL DEFAULT 0,
        rejected_records INTEGER NOT NULL DEFAULT 0,
        set_aside_records INTEGER NOT NULL DEFAULT 0,
        dropped_records INTEGER NOT NULL DEFAULT 0,
        sampled_out_records INTEGER NOT NULL DEFAULT 0,
        unreadable_records INTEGER NOT NULL DEFAULT 0,
        failed_requests INTEGER NOT NULL DEFAULT 0,
        sent_unix_nano INTEGER NOT NULL DEFAULT 0,
        problem TEXT NOT NULL DEFAULT '',
        problem_unix_nano INTEGER NOT NULL DEFAULT 0,
        waiting_bytes INTEGER NOT NULL DEFAULT 0,
        oldest_unix_nano INTEGER NOT NULL DEFAULT 0,
        looked_unix_nano INTEGER NOT NULL DEFAULT 0,
        generation INTEGER NOT NULL DEFAULT 0,
        queue_bytes INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (exporter, stream)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE exporter_ranges (
        exporter TEXT NOT NULL,
        stream TEXT NOT NULL,
        segment TEXT NOT NULL,
        start INTEGER NOT NULL,
        stop INTEGER NOT NULL,
        PRIMARY KEY (exporter, stream, segment, start)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE exporter_set_aside (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        exporter TEXT NOT NULL,
        stream TEXT NOT NULL,
        segment TEXT NOT NULL,
        start INTEGER NOT NULL,
        stop INTEGER NOT NULL,
        records INTEGER NOT NULL,
        reason TEXT NOT NULL,
        time_unix_nano INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE TABLE receiver_problems (receiver TEXT PRIMARY KEY, problem TEXT NOT NULL) STRICT",
)
"""Each is applied once, in order; `PRAGMA user_version` counts those that were."""
