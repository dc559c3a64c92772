"""A database: whether it answers, and for SQLite whether its file is whole."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from collector.probes.finding import Finding, State
from collector.settings import SqlProbeSettings

_SQLITE = "sqlite:///"


class SqlProbe:
    """SQLite is opened read-only; everything else by its SQLAlchemy URL."""

    kind = "sql"

    def __init__(self, settings: SqlProbeSettings) -> None:
        self.name = settings.name
        self.unhealthy_after = settings.unhealthy_after
        self._url = settings.url.get_secret_value()
        self._timeout = settings.timeout
        self._check_seconds = settings.quick_check_interval
        self._checked = -settings.quick_check_interval
        self._damage = ""
        self._engine: Any = None

    def look(self) -> Finding:
        if self._url.startswith("sqlite"):
            return self._look_at_file(Path(unquote(self._url.partition(_SQLITE)[2].partition("?")[0])))
        return self._look_at_server()

    def _look_at_file(self, path: Path) -> Finding:
        if not path.is_file():
            return Finding("down", f"{path} does not exist")
        try:
            connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=self._timeout)
            try:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                self._check(connection)
            finally:
                connection.close()
        except sqlite3.Error as error:
            return Finding(_state_of(error), str(error))
        return Finding("corrupt", self._damage) if self._damage else Finding("up", "answers")

    def _check(self, connection: sqlite3.Connection) -> None:
        """Read the whole file, but not each time."""
        if time.monotonic() - self._checked < self._check_seconds:
            return
        (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        self._damage = "" if result == "ok" else str(result)
        self._checked = time.monotonic()

    def _look_at_server(self) -> Finding:
        try:
            import sqlalchemy  # noqa: PLC0415  # only for those who have a server
        except ImportError:
            return Finding("down", "needs SQLAlchemy and a driver beside Forecourt: pip install sqlalchemy")
        if self._engine is None:
            self._engine = sqlalchemy.create_engine(self._url, poolclass=sqlalchemy.pool.NullPool)
        try:
            with self._engine.connect() as connection:
                connection.execute(sqlalchemy.text("SELECT 1"))
        except sqlalchemy.exc.SQLAlchemyError as error:
            return Finding("down", str(getattr(error, "orig", None) or error).splitlines()[0])
        return Finding("up", "answers")


def _state_of(error: sqlite3.Error) -> State:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "locked"
    return "corrupt" if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) else "down"
