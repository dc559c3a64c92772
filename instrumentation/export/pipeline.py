from __future__ import annotations

import logging
import os
import threading
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from instrumentation.export.attributes import AttributeEncoder
from instrumentation.export.log_encoding import LogEncoder, LogItem
from instrumentation.export.request import Scope, Scopes, request, resource_message
from instrumentation.export.span_encoding import SpanEncoder
from instrumentation.export.transport import Signal
from instrumentation.redaction import Redactor

logger = logging.getLogger(__name__)

_DELAY_SECONDS = 1.0
_QUEUED_RECORDS = 20_000
_QUEUED_CHARACTERS = 16 << 20
"""Of log bodies; with `_QUEUED_RECORDS` the bound on memory when the encoding thread gets no time."""
_BATCH_RECORDS = 512
_TURN_RECORDS = 32
"""After so many the thread lets the others run: the GIL is handed over only every 5 ms otherwise."""
_SHUTDOWN_SECONDS = 3.0


OWN_THREADS = frozenset({"forecourt-encode", "forecourt-send", "OtelPeriodicExportingMetricReader"})
"""Whose log records must not be exported, or each export would cause the next."""


class Outlet(Protocol):
    """Takes requests and returns at once."""

    def send(self, signal: Signal, body: bytes) -> None: ...
    def flush(self, timeout_seconds: float) -> bool: ...
    def keep(self) -> None: ...
    def shutdown(self, timeout_seconds: float) -> None: ...
    def after_fork(self) -> None: ...


class Pipeline:
    """Takes spans and log records from the app's threads; one thread of its own redacts, encodes and hands them on.

    What does not fit is dropped and counted: the app never waits. After a fork the child starts with empty queues,
    a thread and a `service.instance.id` of its own.
    """

    def __init__(self, resource: Mapping[str, Any], schema_url: str, redactor: Redactor, delivery: Outlet) -> None:
        self.delivery = delivery
        self.resource = dict(resource)
        self.dropped = 0
        self._schema_url = schema_url
        self._redactor = redactor
        self._close_by: float | None = None
        self._closed = False
        self._start_afresh()
        if hasattr(os, "register_at_fork"):
            child = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: (again := child()) and again())

    def _start_afresh(self) -> None:
        self._spans: deque[ReadableSpan] = deque()
        self._logs: deque[LogItem] = deque()
        self._characters = 0
        self._wake = threading.Event()
        self._encoding = threading.Lock()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self.attributes = AttributeEncoder(self._redactor)
        self._scopes = Scopes(self.attributes)
        self._span_encoder = SpanEncoder(self.attributes)
        self._log_encoder = LogEncoder(self.attributes)
        self.resource_bytes = resource_message(self.resource, self.attributes).SerializeToString()

    def _after_fork(self) -> None:
        self.resource["service.instance.id"] = str(uuid.uuid4())
        self.delivery.after_fork()
        self._start_afresh()

    def add_span(self, span: ReadableSpan) -> None:
        if len(self._spans) >= _QUEUED_RECORDS or self._closed:
            self.dropped += 1
            return
        self._spans.append(span)
        self._added(len(self._spans))

    def add_log(self, item: LogItem) -> None:
        size = len(item.body) if item.body.__class__ is str else 0
        if len(self._logs) >= _QUEUED_RECORDS or self._characters + size > _QUEUED_CHARACTERS or self._closed:
            self.dropped += 1
            return
        self._characters += size
        self._logs.append(item)
        self._added(len(self._logs))

    def _added(self, queued: int) -> None:
        if self._thread is None:
            self._start()
        if queued == _BATCH_RECORDS:
            self._wake.set()
        elif self._close_by is not None and threading.current_thread().name not in OWN_THREADS:
            self._flush_or_keep()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                # Not before the first record: a server that loads the app and then forks has no thread to lose.
                thread = threading.Thread(target=self._run, name="forecourt-encode", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            self._wake.wait(_DELAY_SECONDS)
            self._wake.clear()
            try:
                self._encode_all()
            except Exception:  # the thread must outlive whatever a record holds
                logger.exception("a batch could not be encoded")

    def _encode_all(self) -> None:
        with self._encoding:
            while self._spans:
                self._encode("traces", self._spans, self._encode_span)
            while self._logs:
                self._encode("logs", self._logs, self._encode_log)

    def _encode(self, signal: Signal, queue: deque[Any], encode: Callable[[Any], tuple[Scope, bytes]]) -> None:
        scopes: dict[Scope, list[bytes]] = {}
        records = min(len(queue), _BATCH_RECORDS)
        for number in range(1, records + 1):
            try:
                scope, encoded = encode(queue.popleft())
            except Exception:  # one record's strange value must not cost the others
                self.dropped += 1
                logger.exception("a record could not be encoded")
                continue
            scopes.setdefault(scope, []).append(encoded)
            if number % _TURN_RECORDS == 0:
                time.sleep(0)
        self.delivery.send(signal, request(self.resource_bytes, self._schema_url, scopes))

    def _encode_span(self, span: ReadableSpan) -> tuple[Scope, bytes]:
        return self._scopes.of(span.instrumentation_scope), self._span_encoder.encode(span)

    def _encode_log(self, item: LogItem) -> tuple[Scope, bytes]:
        if item.body.__class__ is str:
            self._characters -= len(item.body)
        return self._scopes.named(item.scope), self._log_encoder.encode(item)

    def flush(self, timeout_seconds: float) -> bool:
        """Encode what is queued and have it delivered or spooled; whether all was delivered in time."""
        deadline = time.monotonic() + timeout_seconds
        self._encode_all()
        return self.delivery.flush(max(0.0, deadline - time.monotonic()))

    def close_soon(self) -> None:
        """The process is about to end, perhaps by a signal that runs no exit handler: nothing may wait from now on."""
        self._close_by = time.monotonic() + _SHUTDOWN_SECONDS
        self._flush_or_keep()

    def _flush_or_keep(self) -> None:
        left = (self._close_by or 0.0) - time.monotonic()
        if not self.flush(max(0.0, left)):
            self.delivery.keep()

    def shutdown(self, timeout_seconds: float = _SHUTDOWN_SECONDS) -> None:
        deadline = time.monotonic() + timeout_seconds
        self._encode_all()
        self._closed = True
        self.delivery.shutdown(max(0.1, deadline - time.monotonic()))


class PipelineSpanProcessor(SpanProcessor):
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def on_end(self, span: ReadableSpan) -> None:
        if span.context.trace_flags.sampled:
            self._pipeline.add_span(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._pipeline.flush(timeout_millis / 1000)


class PipelineLogProcessor(LogRecordProcessor):
    """For records made through the OpenTelemetry API; those of `logging` come shorter ways."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        record = log_record.log_record
        scope = log_record.instrumentation_scope
        self._pipeline.add_log(
            LogItem(
                scope=scope.name if scope else "",
                time_unix_nano=record.timestamp or 0,
                observed_time_unix_nano=record.observed_timestamp or time.time_ns(),
                severity_number=record.severity_number.value if record.severity_number else 0,
                severity_text=record.severity_text or "",
                body=record.body,
                attributes=record.attributes or {},
                place=None,
                trace_id=record.trace_id or 0,
                span_id=record.span_id or 0,
                trace_flags=int(record.trace_flags or 0),
                event_name=record.event_name or "",
            )
        )

    def shutdown(self) -> None:
        """The pipeline is shut down by its owner, after the metrics."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._pipeline.flush(timeout_millis / 1000)
