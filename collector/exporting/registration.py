"""Exporters made known to the store, and forgotten."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from collector.exporting.settings import QueueSettings
from collector.settings import CollectorSettings
from storage import State, StateError, exporter_rows
from storage.exporter_rows import ExporterRow
from storage.names import segments
from storage.reader import plain_name

_log = logging.getLogger(__name__)


def register(state: State, folder: Path, settings: CollectorSettings) -> None:
    """Before anything is received: what comes from now on is sent on, whenever that will be. Raise StateError."""
    exporters = settings.exporters.otlp
    wanted = {key: _wanted(exporters[key[0]].sending_queue) for key in _keys(settings)}
    streams = {stream for _, stream in wanted}
    present = {stream: [plain_name(name) for name, _ in segments(folder / stream)] for stream in streams}
    for key in exporter_rows.register(state, wanted, present):
        begins = "all that is there" if wanted[key].from_beginning else "what comes from now on"
        _log.info("%s %s: is new, and begins with %s (sending_queue.start_at)", *key, begins)


def forget_others(state: State, settings: CollectorSettings) -> None:
    """Those that no pipeline lists any more; where the database refuses, with the next start.

    Once the configuration serves: one that can't be used must cost no exporter what it has to send.
    """
    try:
        gone = exporter_rows.forget_others(state, _keys(settings))
    except StateError as error:
        _log.warning("exporters that no pipeline lists any more are not forgotten yet: %s", error)
        return
    for row in gone:
        left = " and ".join(_left(row))
        tell = _log.warning if left else _log.info
        told = f"it is forgotten with {left}" if left else "it is forgotten"
        tell("%s %s: no pipeline lists it any more; %s", row.exporter, row.stream, told)


def _left(row: ExporterRow) -> Iterator[str]:
    if row.waiting_bytes:
        yield f"{row.waiting_bytes:,} bytes of records that were not sent"
    if row.set_aside_records:
        yield f"{row.set_aside_records:,} records that were set aside"


def _keys(settings: CollectorSettings) -> list[exporter_rows.Key]:
    return [(name, stream) for name, streams in settings.forwarded().items() for stream in streams]


def _wanted(queue: QueueSettings) -> exporter_rows.Wanted:
    return exporter_rows.Wanted(queue.start_at == "beginning", queue.queue_size)
