"""Exporters made known to the store."""

from __future__ import annotations

from pathlib import Path

from collector.exporting.settings import QueueSettings
from collector.settings import CollectorSettings
from storage import State, exporter_rows
from storage.names import segments
from storage.reader import plain_name


def register(state: State, folder: Path, settings: CollectorSettings) -> None:
    """Before anything is received: what comes from now on is sent on, whenever that will be. Raise StateError."""
    exporters = settings.exporters.otlp
    wanted = {
        (name, stream): _wanted(exporters[name].sending_queue)
        for name, streams in settings.forwarded().items()
        for stream in streams
    }
    streams = {stream for _, stream in wanted}
    present = {stream: [plain_name(name) for name, _ in segments(folder / stream)] for stream in streams}
    exporter_rows.register(state, wanted, present)


def _wanted(queue: QueueSettings) -> exporter_rows.Wanted:
    return exporter_rows.Wanted(queue.start_at == "beginning", queue.queue_size)
