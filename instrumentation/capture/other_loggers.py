from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from types import FrameType
from typing import Any

import wrapt
from opentelemetry.trace import get_current_span

from instrumentation.capture.log_items import SEVERITY_TEXTS, exception_attributes, severity_number
from instrumentation.export.log_encoding import LogItem

Take = Callable[[LogItem], None]

_MOST_FRAMES = 40


def capture_loguru(take: Take) -> str | None:
    """When the app imports it; what keeps it from being captured, or None."""
    return _when_imported("loguru", lambda loguru: _add_sink(loguru.logger, take))


def capture_structlog(take: Take) -> str | None:
    """When the app imports it; what keeps it from being captured, or None."""
    return _when_imported("structlog", lambda structlog: _wrap_bound_loggers(structlog.BoundLoggerBase, take))


def _when_imported(library: str, capture: Callable[[Any], None]) -> str | None:
    # Not imported by us: an app that does not use it shall pay nothing for it.
    if find_spec(library) is None:
        return "not installed"
    wrapt.register_post_import_hook(capture, library)
    return None


def _add_sink(logger: Any, take: Take) -> None:
    def sink(message: Any) -> None:
        if not _is_running(logging.Logger.handle.__code__):
            take(_loguru_item(message.record))

    logger.add(sink, level=0, format="{message}", catch=True)


def _loguru_item(record: Mapping[str, Any]) -> LogItem:
    context = get_current_span().get_span_context()
    attributes = dict(record["extra"])
    if record["exception"] and record["exception"].value:
        attributes |= exception_attributes(record["exception"].value)
    return LogItem(
        scope=record["name"] or "",
        time_unix_nano=int(record["time"].timestamp() * 1e6) * 1000,
        observed_time_unix_nano=time.time_ns(),
        severity_number=severity_number(record["level"].no),
        severity_text=SEVERITY_TEXTS.get(record["level"].name, record["level"].name),
        body=record["message"],
        attributes=attributes,
        place=(record["file"].path, record["function"], record["line"]),
        trace_id=context.trace_id,
        span_id=context.span_id,
        trace_flags=context.trace_flags,
    )


def comes_from_loguru() -> bool:
    """Whether the app's own sink passes a loguru record on to `logging`: it was taken already."""
    loguru = sys.modules.get("loguru._logger")
    return loguru is not None and _is_running(loguru.Logger._log.__code__)  # noqa: SLF001


def _is_running(code: Any) -> bool:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return False
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False


def _wrap_bound_loggers(base: Any, take: Take) -> None:
    original = base._proxy_to_logger  # noqa: SLF001  # documented for wrapper classes
    if hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def proxy_to_logger(self: Any, method_name: str, event: str | None = None, *args: Any, **values: Any) -> Any:
        if not isinstance(self._logger, logging.Logger):  # those come through `logging`
            take(_structlog_item(self, method_name, event, args, values))
        return original(self, method_name, event, *args, **values)

    base._proxy_to_logger = proxy_to_logger  # noqa: SLF001


def _structlog_item(
    bound: Any, method_name: str, event: str | None, args: tuple[Any, ...], values: Mapping[str, Any]
) -> LogItem:
    context = get_current_span().get_span_context()
    level = "error" if method_name == "exception" else method_name
    number = logging.getLevelName(level.upper())
    attributes = {**bound._context, **values}  # noqa: SLF001
    error = attributes.pop("exc_info", method_name == "exception")
    error = sys.exc_info()[1] if error is True else error
    if isinstance(error, BaseException):
        attributes |= exception_attributes(error)
    now = time.time_ns()
    return LogItem(
        scope=str(attributes.pop("logger", "structlog")),
        time_unix_nano=now,
        observed_time_unix_nano=now,
        severity_number=severity_number(number if isinstance(number, int) else logging.INFO),
        severity_text=SEVERITY_TEXTS.get(level.upper(), level.upper()),
        body=str(event) % args if args else event,
        attributes=attributes,
        place=None,
        trace_id=context.trace_id,
        span_id=context.span_id,
        trace_flags=context.trace_flags,
    )
