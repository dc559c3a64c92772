from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from opentelemetry.sdk.trace import Tracer
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from instrumentation import instrument
from instrumentation.capture.statements import describe
from instrumentation.testing import Telemetry


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A SQLite file with a pool of two."""
    made = create_engine(f"sqlite:///{tmp_path / f'{tmp_path.name}.db'}", pool_size=1, max_overflow=1, pool_timeout=5)
    instrument()
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER PRIMARY KEY, owner TEXT)"))
    yield made
    made.dispose()


def test_each_statement_is_one_span(telemetry: Telemetry, engine: Engine, tmp_path: Path) -> None:
    """Named by what it does to what; no span for a connection; the text only if it was slow or failed."""
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO orders (owner) VALUES (:owner)"), [{"owner": "a"}, {"owner": "b"}])
        connection.execute(text("SELECT * FROM orders WHERE owner = 'bob@example.com'"))
    spans = [span for span in telemetry.spans() if span.kind == "CLIENT"]
    assert [span.name for span in spans[-2:]] == ["INSERT orders", "SELECT orders"]
    assert spans[-1].attributes == {
        "db.system.name": "sqlite",
        "db.namespace": f"{tmp_path.name}.db",
        "db.query.summary": "SELECT orders",
        "db.operation.name": "SELECT",
        "db.collection.name": "orders",
    }


def test_a_failed_statement_says_why_and_shows_no_value(telemetry: Telemetry, engine: Engine) -> None:
    """Type, message and text without literals; the app gets its exception."""
    with engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("SELECT password FROM nowhere WHERE token = 'abcdefgh' AND n = 42"))
    (span,) = telemetry.spans("SELECT nowhere")
    assert (span.status, span.attributes["error.type"]) == ("ERROR", "OperationalError")
    assert span.attributes["db.query.text"] == "SELECT password FROM nowhere WHERE token = ? AND n = ?"


def test_durations_and_the_pool_are_measured(telemetry: Telemetry, engine: Engine, tmp_path: Path) -> None:
    """Connections used and idle, the most there can be, and how long one was waited for."""
    first, second = engine.connect(), engine.connect()
    releasing = threading.Timer(0.3, first.close)
    releasing.start()
    with engine.connect() as third:
        third.execute(text("SELECT 1"))
        counts = {
            point.attributes["db.client.connection.state"]: point.value
            for point in telemetry.points("db.client.connection.count")
            if point.attributes["db.client.connection.pool.name"] == f"{tmp_path.name}.db"
        }
    second.close()
    assert counts == {"used": 2, "idle": 0}
    (limit,) = [
        point
        for point in telemetry.points("db.client.connection.max")
        if point.attributes["db.client.connection.pool.name"] == f"{tmp_path.name}.db"
    ]
    assert limit.value == 2
    waited = [
        point
        for point in telemetry.points("db.client.connection.wait_time")
        if point.attributes["db.client.connection.pool.name"] == f"{tmp_path.name}.db"
    ]
    assert waited[0].sum >= 0.25
    durations = telemetry.points("db.client.operation.duration")
    assert {"SELECT", "CREATE orders"} <= {point.attributes["db.query.summary"] for point in durations}


def test_a_pool_that_is_replaced_is_watched_too(telemetry: Telemetry, engine: Engine, tmp_path: Path) -> None:
    """`dispose` makes a new one."""
    engine.dispose()
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    limits = [
        point.value
        for point in telemetry.points("db.client.connection.max")
        if point.attributes["db.client.connection.pool.name"] == f"{tmp_path.name}.db"
    ]
    assert limits == [2]  # and the old one is not counted any more


def test_asking_twice_makes_one_span_a_statement(telemetry: Telemetry, engine: Engine) -> None:
    """By name, for all, and by name again."""
    instrument(engine=engine)
    instrument()
    instrument(engine=[engine, engine])
    started = []
    with mock.patch.object(Tracer, "start_span", autospec=True, side_effect=Tracer.start_span) as start_span:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        started = [call.args[1] for call in start_span.call_args_list]
    assert started == ["SELECT"]
    assert len(telemetry.spans("SELECT")) == 1


def test_asynchronous_engines_and_sessions(telemetry: Telemetry, tmp_path: Path) -> None:
    """Their statements go through the same events."""

    async def main() -> None:
        made = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'async.db'}")
        async with made.connect() as connection:
            await connection.execute(text("SELECT 1"))
        await made.dispose()

    instrument()
    asyncio.run(main())
    with Session(create_engine("sqlite://")) as session:
        session.execute(text("SELECT 2"))
    assert [span.attributes["db.namespace"] for span in telemetry.spans("SELECT")] == ["async.db", ":memory:"]


@pytest.mark.parametrize(
    ("sql", "summary", "shown"),
    [
        ("SELECT 1", "SELECT", "SELECT ?"),
        ("select * from users where name = 'O''Brien' and age > 42", "SELECT users", None),
        ('SELECT * FROM "main"."work_orders" w', "SELECT work_orders", 'SELECT * FROM "main"."work_orders" w'),
        ("INSERT OR REPLACE INTO t2 (a, b) VALUES (?, ?)", "INSERT t2", "INSERT OR REPLACE INTO t2 (a, b) VALUES (?)"),
        ("UPDATE users SET password='hunter2' WHERE id=7", "UPDATE users", "UPDATE users SET password=? WHERE id=?"),
        ("DELETE FROM `a`.`b` WHERE x IN (1, 2, 3)", "DELETE b", "DELETE FROM `a`.`b` WHERE x IN (?)"),
        ("-- by bob@example.com\n/* token=abc */ SELECT x FROM t", "SELECT t", "SELECT x FROM t"),
        ("WITH r AS (SELECT 1) SELECT * FROM r", "WITH r", "WITH r AS (SELECT ?) SELECT * FROM r"),
        ("PRAGMA table_info('users')", "PRAGMA table_info", "PRAGMA table_info(?)"),
        ("SELECT $$secret$$, E'x', 1.5e10, -3, 0xFF FROM t1", "SELECT t1", "SELECT ?, E?, ?, ?, ? FROM t1"),
        ("SELECT * FROM t WHERE a = 'cut off", "SELECT t", "SELECT * FROM t WHERE a = ?"),
        ("COMMIT", "COMMIT", "COMMIT"),
        ("", "", ""),
        ("(SELECT a FROM x) UNION (SELECT b FROM y)", "SELECT x", "(SELECT a FROM x) UNION (SELECT b FROM y)"),
        ("SELECT col1, t2.col3 FROM t2 WHERE p = :name_1 AND q = %s", "SELECT t2", None),
    ],
)
def test_statements_are_described_without_their_values(sql: str, summary: str, shown: str | None) -> None:
    """Operation and first table, literals as `?`, comments left out."""
    statement = describe(sql)
    assert statement.summary == summary
    if shown is not None:
        assert statement.text == shown
    assert not any(secret in statement.text for secret in ("hunter2", "O''Brien", "42", "bob@", "secret", "cut off"))


def test_a_hostile_statement_costs_little() -> None:
    """Quotes, comments and digits without end take linear time, and what is shown is cut."""
    for piece in ("'", "/*", "--", "1", "$a$", "(?,", "((", "'a'"):
        assert len(describe("SELECT " + piece * 50_000).text) <= 2000
