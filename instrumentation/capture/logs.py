from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable

from instrumentation.capture.log_items import log_item
from instrumentation.capture.other_loggers import comes_from_loguru
from instrumentation.export.log_encoding import LogItem
from instrumentation.export.pipeline import OWN_THREADS

Take = Callable[[LogItem], None]
Watch = Callable[[logging.LogRecord, str], None]

_EXPORT = "instrumentation.export"
"""What goes wrong with a record on its way out must not become one."""


class LogTap:
    """Copies each record that a logger lets through, once, whatever handlers there are, now or later.

    A handler on the root would miss loggers that don't propagate (uvicorn's) and vanish with the next `dictConfig`.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._watches: dict[str, Watch] = {}
        self._original = logging.Logger.callHandlers
        self._installed: object = None
        self._taking = True
        self._busy = threading.local()

    def install(self) -> None:
        original = self._original

        @functools.wraps(original)
        def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            self._tap(record)
            original(logger, record)

        self._installed = call_handlers
        logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign,assignment]

    def remove(self) -> None:
        self._taking = False
        if logging.Logger.callHandlers is self._installed:  # somebody may have wrapped it since
            logging.Logger.callHandlers = self._original  # type: ignore[method-assign]

    def watch(self, logger_name: str, watch: Watch) -> None:
        """Have `watch` called with each record of this logger and its message."""
        self._watches[logger_name] = watch

    def _tap(self, record: logging.LogRecord) -> None:
        # What taking a record logs itself would come here again.
        if (
            not self._taking
            or getattr(self._busy, "now", False)
            or record.threadName in OWN_THREADS
            or record.name.startswith(_EXPORT)
        ):
            return
        self._busy.now = True
        try:
            if comes_from_loguru():
                return
            item = log_item(record)
            self._take(item)
            if watch := self._watches.get(record.name):
                watch(record, str(item.body))
        except Exception:  # noqa: BLE001, S110  # a record that can't be copied is still the app's to handle
            pass
        finally:
            self._busy.now = False
