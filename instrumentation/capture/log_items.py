from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping
from itertools import islice
from typing import Any

from opentelemetry.trace import get_current_span

from instrumentation.capture.span_of_exception import span_of
from instrumentation.export.log_encoding import LogItem

_STANDARD = logging.LogRecord("", 0, "", 0, "", None, None).__dict__.keys() | {"message", "asctime", "taskName"}
_STANDARD_COUNT = len(logging.LogRecord("", 0, "", 0, "", None, None).__dict__)
_NOT_ATTRIBUTES = _STANDARD | {
    *("otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName"),  # copies of what the record has anyway
    "color_message",  # uvicorn's second body, with escape sequences
    *("_record", "_logger", "_name", "_from_structlog"),  # structlog's own
}
SEVERITY_TEXTS = {"WARNING": "WARN", "CRITICAL": "FATAL"}


def log_item(record: logging.LogRecord) -> LogItem:
    """As OTLP has it: `extra` as attributes, exceptions by the semantic conventions, the message formatted."""
    held = record.__dict__
    # What `extra` adds comes after what every record has.
    attributes: dict[str, Any] = {}
    if len(held) > _STANDARD_COUNT:
        added = islice(held.items(), _STANDARD_COUNT, None)
        attributes = {key: value for key, value in added if key not in _NOT_ATTRIBUTES}
    body: Any = record.msg
    if record.args or body.__class__ is not str:
        body = _message(record, attributes)
    current = get_current_span()
    context = current.get_span_context()
    if record.exc_info and record.exc_info[1]:
        attributes |= exception_attributes(record.exc_info[1])
        if not current.is_recording():  # over, or of the request before on the same connection
            context = span_of(record.exc_info[1]) or context
    if record.stack_info:
        attributes["code.stacktrace"] = record.stack_info
    return LogItem(
        record.name,
        int(record.created * 1e6) * 1000,  # a float of seconds holds no more than microseconds
        time.time_ns(),
        severity_number(record.levelno),
        SEVERITY_TEXTS.get(record.levelname, record.levelname),
        body,
        attributes,
        (record.pathname, record.funcName or "", record.lineno),
        context.trace_id,
        context.span_id,
        context.trace_flags,
    )


def _message(record: logging.LogRecord, attributes: dict[str, Any]) -> Any:
    if isinstance(record.msg, Mapping) and not record.args and "event" in record.msg:  # structlog's, not yet rendered
        attributes |= {key: value for key, value in record.msg.items() if key != "event" and not key.startswith("_")}
        return record.msg["event"]
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # arguments that don't fit; `logging` reports that to the app itself
        return f"{record.msg!s} {record.args!r}"


def severity_number(level: int) -> int:
    """DEBUG 5, INFO 9, WARNING 13, ERROR 17, CRITICAL 21, and what lies between them between them."""
    return max(1, min(24, level // 10 * 4 + 1 + min(level % 10, 3)))


def exception_attributes(error: BaseException) -> dict[str, str]:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return {
        "exception.type": name,
        "exception.message": str(error),
        "exception.stacktrace": "".join(traceback.format_exception(error)),
    }
