"""What failed: spans with the status ERROR and log records of ERROR and above, each exception once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from processors.observation import ExceptionObservation, LogObservation, SpanObservation, exception_of

LOG_KEYS = frozenset({"exception.type", "exception.message", "exception.stacktrace", "http.route"})
_PART_OF_A_RESPONSE = "asgi.event.type"
"""Contrib's ASGI instrumentation makes a span of each message, which fails as its request does."""
SPAN_KEYS = frozenset({_PART_OF_A_RESPONSE, "error.type", "http.route"})
SEVERITY_ERROR = 17
"""Severity numbers from here on are errors (OpenTelemetry, Logs Data Model)."""
_REMEMBERED = 4096

Fields = dict[str, Any]


class Errors:
    """An exception that spans and log records of one trace tell alike is one error: the first to come is kept."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def of_span(self, span: SpanObservation) -> Fields | None:
        """As a line of the stream `errors`; None for what is no error, or was told already."""
        if span.status != "ERROR" or _PART_OF_A_RESPONSE in span.attributes:
            return None
        if self._known(span.trace_id, span.exception):
            return None
        return _fields(
            span.exception,
            kind=str(span.attributes.get("error.type", "")),
            message=span.status_message,
            source=span.name,
            observed=span,
        )

    def of_log(self, log: LogObservation) -> Fields | None:
        """As `of_span`."""
        if log.severity_number < SEVERITY_ERROR:
            return None
        exception = exception_of(log.attributes)
        if self._known(log.trace_id, exception):
            return None
        return _fields(exception, kind="", message=str(log.body), source=log.scope, observed=log)

    def _known(self, trace_id: str, exception: ExceptionObservation | None) -> bool:
        if exception is None or not trace_id:
            return False
        said = f"{exception.type.rpartition('.')[2]}: {exception.message}"
        told = (trace_id, hashlib.blake2b(said.encode(errors="replace"), digest_size=8).hexdigest())
        if told in self._seen:
            return True
        self._seen[told] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return False

    def to_state(self) -> Any:
        return list(self._seen)

    def restore(self, content: Iterable[Any]) -> None:
        self._seen = OrderedDict.fromkeys((trace, said) for trace, said in content)


def _fields(
    exception: ExceptionObservation | None,
    *,
    kind: str,
    message: str,
    source: str,
    observed: SpanObservation | LogObservation,
) -> Fields:
    told = exception or ExceptionObservation(kind, message, "")
    fields = {
        "error_type": told.type or kind or "error",
        "message": told.message or message,
        "source": source,
        "route": str(observed.attributes.get("http.route", "")),
        "trace_id": observed.trace_id,
        "span_id": observed.span_id,
    }
    return {**fields, "stacktrace": told.stacktrace} if told.stacktrace else fields
