"""For providers that the app has set up itself: what leaves through their exporters is redacted too."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import Status

from instrumentation.redaction import Redactor


class RedactingSpanProcessor(SpanProcessor):
    """Redacts a span in place before any processor hears that it ended."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def _on_ending(self, span: Span) -> None:
        # The SDK offers no other place where a span is complete and no exporter has it yet.
        span._name = self._redactor.text(span.name)  # noqa: SLF001
        if span.status.description:
            span._status = Status(span.status.status_code, self._redactor.text(span.status.description))  # noqa: SLF001
        self._redact(span._attributes)  # noqa: SLF001
        for event in span._events:  # noqa: SLF001
            self._redact(event._attributes)  # noqa: SLF001

    def _redact(self, attributes: Any) -> None:
        held: dict[str, Any] = getattr(attributes, "_dict", {})
        for key, value in list(held.items()):
            held[key] = self._redactor.value(key, value)

    def on_end(self, span: ReadableSpan) -> None:
        """Others export it."""


def redact_logs_first(loggers: Any, redactor: Redactor) -> None:
    """Put the redaction before the processors that are there: those that batch take their copy when they are called."""
    loggers.add_log_record_processor(RedactingLogProcessor(redactor))
    every = loggers._multi_log_record_processor  # noqa: SLF001
    with every._lock:  # noqa: SLF001
        *others, ours = every._log_record_processors  # noqa: SLF001
        every._log_record_processors = (ours, *others)  # noqa: SLF001


class RedactingLogProcessor(LogRecordProcessor):
    """Redacts a record in place; batching exporters encode it later."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        record = log_record.log_record
        record.body = self._redactor.value("", record.body)
        record.attributes = {key: self._redactor.value(key, value) for key, value in (record.attributes or {}).items()}

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  # the SDK's signature
        return True
