from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from opentelemetry import context as opentelemetry_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider, set_span_in_context

from instrumentation.capture.statements import Statements

logger = logging.getLogger("forecourt")

_SCOPE = "forecourt.sqlalchemy"
_SYSTEMS = {"postgres": "postgresql", "mssql": "microsoft.sql_server", "oracle": "oracle.db"}
_HELD = "_forecourt_query"


class DatabaseCapture:
    """Query spans and the metrics of queries and connection pools of SQLAlchemy, by its own events.

    By the semantic conventions of database clients: `db.client.operation.duration` in seconds,
    `db.client.connection.count{state}`, `.max` and `.wait_time` in seconds.
    """

    def __init__(self, tracers: TracerProvider, meters: MeterProvider, slow_statement_seconds: float) -> None:
        self._tracer = tracers.get_tracer(_SCOPE)
        self._slow = slow_statement_seconds
        self._statements = Statements()
        self._pools: weakref.WeakKeyDictionary[Any, tuple[Any, str]] = weakref.WeakKeyDictionary()
        """The pool of each engine, and its name."""
        self._listening: weakref.WeakSet[Any] = weakref.WeakSet()
        self._all = False
        self._engines: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()
        meter = meters.get_meter(_SCOPE)
        self._duration = meter.create_histogram("db.client.operation.duration", "s", "How long queries took.")
        self._wait = meter.create_histogram(
            "db.client.connection.wait_time", "s", "How long a connection was waited for."
        )
        meter.create_observable_up_down_counter(
            "db.client.connection.count", [self._counts], "{connection}", "Connections of the pool, used and idle."
        )
        meter.create_observable_up_down_counter(
            "db.client.connection.max", [self._limits], "{connection}", "The most connections that the pool allows."
        )

    def wants(self, engines: Sequence[Any]) -> bool:
        """Whether `install` would change anything: listening twice would make two spans of a query."""
        named = [getattr(engine, "sync_engine", engine) for engine in engines]
        return not self._all and (
            any(engine not in self._listening for engine in named) or not (named or self._listening)
        )

    def install(self, engines: Sequence[Any]) -> None:
        """For these engines, sync or async, or for all if there are none."""
        from sqlalchemy import event  # noqa: PLC0415  # optional
        from sqlalchemy.engine import Engine  # noqa: PLC0415  # optional

        named = [getattr(engine, "sync_engine", engine) for engine in engines]
        named = [engine for engine in named if engine not in self._listening]
        self._all = not engines
        self._listening.update(named)
        for target in named if engines else [Engine]:
            event.listen(target, "before_cursor_execute", self._before)
            event.listen(target, "after_cursor_execute", self._after)
            event.listen(target, "handle_error", self._failed)
            event.listen(target, "engine_connect", self._connected)
            event.listen(target, "engine_disposed", self._watch_pool)
        for engine in named:
            self._watch_pool(engine)

    def _connected(self, connection: Any, *_: Any) -> None:
        self._watch_pool(connection.engine)

    def _watch_pool(self, engine: Any) -> None:
        pool = engine.pool
        if self._pools.get(engine, (None, ""))[0] is pool:
            return
        try:
            name = _pool_name(engine)
            connect = pool.connect

            def timed() -> Any:
                started = time.perf_counter()
                try:
                    return connect()
                finally:
                    self._wait.record(time.perf_counter() - started, {"db.client.connection.pool.name": name})

            pool.connect = timed
            self._pools[engine] = (pool, name)
        except Exception:
            logger.exception("a connection pool can't be watched")

    def _before(self, connection: Any, _cursor: Any, sql: str, _parameters: Any, context: Any, _many: bool) -> None:  # noqa: FBT001  # SQLAlchemy's signature
        if context is None or opentelemetry_context.get_value(_SUPPRESS_INSTRUMENTATION_KEY):
            return
        try:
            statement = self._statements.describe(sql)
            attributes = {**self._engine_attributes(connection.engine), "db.query.summary": statement.summary}
            if statement.operation:
                attributes["db.operation.name"] = statement.operation
            if statement.collection:
                attributes["db.collection.name"] = statement.collection
            span = self._tracer.start_span(
                statement.summary or str(attributes["db.system.name"]), kind=SpanKind.CLIENT, attributes=attributes
            )
            setattr(context, _HELD, (span, time.perf_counter(), statement.text, attributes))
        except Exception:
            logger.exception("a query could not be traced")

    def _after(self, _connection: Any, _cursor: Any, _sql: str, _parameters: Any, context: Any, _many: bool) -> None:  # noqa: FBT001  # SQLAlchemy's signature
        self._end(context, None)

    def _failed(self, failure: Any) -> None:
        self._end(failure.execution_context, failure.original_exception)

    def _end(self, context: Any, error: BaseException | None) -> None:
        held = getattr(context, _HELD, None)
        if held is None:
            return
        setattr(context, _HELD, None)
        try:
            span, started, text, attributes = held
            seconds = time.perf_counter() - started
            if error is not None:
                attributes = {**attributes, "error.type": type(error).__qualname__}
                _describe_failure(span, error)
            if error is not None or seconds >= self._slow:
                span.set_attribute("db.query.text", text)
            self._duration.record(seconds, attributes, context=set_span_in_context(span))
            span.end()
        except Exception:
            logger.exception("a query could not be traced")

    def _engine_attributes(self, engine: Any) -> dict[str, Any]:
        known = self._engines.get(engine)
        if known is None:
            url = engine.url
            system = _SYSTEMS.get(engine.dialect.name, engine.dialect.name)
            known = {"db.system.name": system, "db.namespace": _namespace(url.database, system)}
            if url.host:
                known["server.address"] = url.host
            if url.port:
                known["server.port"] = url.port
            self._engines[engine] = known
        return known

    def _counts(self, _options: CallbackOptions) -> Iterator[Observation]:
        for pool, name in list(self._pools.values()):
            for state, count in (("used", _number(pool, "checkedout")), ("idle", _number(pool, "checkedin"))):
                if count is not None:
                    named = {"db.client.connection.pool.name": name, "db.client.connection.state": state}
                    yield Observation(count, named)

    def _limits(self, _options: CallbackOptions) -> Iterator[Observation]:
        for pool, name in list(self._pools.values()):
            size, overflow = _number(pool, "size"), getattr(pool, "_max_overflow", None)
            if size is not None and overflow is not None and overflow >= 0:  # -1 is no limit
                yield Observation(size + overflow, {"db.client.connection.pool.name": name})


def _describe_failure(span: Span, error: BaseException) -> None:
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(StatusCode.ERROR, str(error))


def _namespace(database: str | None, system: str) -> str:
    """The database's name; of SQLite's file the name without the folders above it."""
    if system != "sqlite":
        return database or ""
    return PurePath(database).name if database else ":memory:"


def _pool_name(engine: Any) -> str:
    url = engine.url
    place = f"{url.host}:{url.port}/" if url.host else ""
    return f"{place}{_namespace(url.database, engine.dialect.name)}"


def _number(pool: Any, method: str) -> int | None:
    """Pools without a bound, as for SQLite in memory, don't count."""
    counted: Callable[[], int] | None = getattr(pool, method, None)
    return counted() if callable(counted) else None
