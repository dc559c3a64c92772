"""How exporters fare, as metrics of our own that rules judge."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from collector.measures import Measure, Value, request_of
from storage import State, exporter_rows
from storage.exporter_rows import ExporterRow, lag_seconds
from storage.names import OWN_FOLDER

_SCOPE = "forecourt.exporters"


def rows_in(folder: Path) -> list[ExporterRow]:
    """Raise StateError."""
    with closing(State.reading(folder / OWN_FOLDER / "state.db")) as state:
        return exporter_rows.rows(state)


class ExporterMeasures:
    """Of all exporters that are known to the store; its counters begin at 0: what was dropped before is told."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = time.time_ns()
        self._before: dict[exporter_rows.Key, ExporterRow] = {}

    def begin(self) -> None:
        """Once exporters are registered; raise StateError."""
        self._before = {(row.exporter, row.stream): row for row in rows_in(self._folder)}

    def request(self) -> bytes:
        """An ExportMetricsServiceRequest; raise StateError."""
        now = time.time_ns()
        rows = [self._since(row) for row in rows_in(self._folder)]
        return request_of(_measures(rows, now), _SCOPE, started_unix_nano=self._started, now_unix_nano=now)

    def _since(self, row: ExporterRow) -> ExporterRow:
        before = self._before.get((row.exporter, row.stream), ExporterRow(row.exporter, row.stream))
        return row._replace(
            sent_records=row.sent_records - before.sent_records,
            dropped_records=row.dropped_records - before.dropped_records,
        )


def _measures(rows: Sequence[ExporterRow], now: int) -> Iterator[Measure]:
    def of(values: Sequence[float]) -> list[Value]:
        named = ({"exporter": row.exporter, "signal": row.stream} for row in rows)
        return list(zip(values, named, strict=True))

    yield Measure("forecourt.exporter.lag", "s", of([lag_seconds(row, now) for row in rows]))
    yield Measure("forecourt.exporter.waiting", "By", of([float(row.waiting_bytes) for row in rows]))
    yield Measure("forecourt.exporter.set_aside", "{record}", of([float(row.set_aside_records) for row in rows]))
    yield Measure("forecourt.exporter.sent", "{record}", of([float(row.sent_records) for row in rows]), counter=True)
    dropped = [float(row.dropped_records) for row in rows]
    yield Measure("forecourt.exporter.dropped", "{record}", of(dropped), counter=True)
