"""The collector's own way of taking records in, without its servers: for what is imported while none runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.decoding import Decoder
from collector.decoding_settings import decoding_limits
from collector.judge import Judge
from collector.settings import CollectorSettings
from instrumentation.redaction import Redactor
from storage import State, Store
from storage.names import OWN_FOLDER


class Offline:
    """Owns the folder as long as it is open."""

    def __init__(self, store: Store, judge: Judge, decoder: Decoder) -> None:
        self._store = store
        self._judge = judge
        self._decoder = decoder

    def accept_logs(self, body: bytes) -> int:
        """How many records of the request are on disk now; raise MalformedBodyError or StoreError."""
        records = 0
        projection = self._judge.judgement.projection
        now = time.time_ns()
        for batch in self._decoder.decode_logs(body, projection, encoding="protobuf", received_unix_nano=now):
            self._store.append(batch.stream, batch.lines, batch.times_unix_nano, batch.observations).result()
            records += batch.records
        return records


@contextmanager
def opened(settings: CollectorSettings, folder: Path) -> Iterator[Offline]:
    """Judge and store as the collector does; raise FolderInUseError, StoreFormatError, StateError or OSError."""
    judge = Judge(settings.judgement(), folder)
    store = Store(folder, on_stored=judge.stored)
    store.open(judge.recover)
    try:
        State.open(folder / OWN_FOLDER / "state.db").close()
        redactor = Redactor(keys=settings.processors.redaction.keys)
        decoder = Decoder(redactor=redactor, limits=decoding_limits(settings.processors.limits))
        judge.start(store.append, unclean=False, event="import.started")
        try:
            yield Offline(store, judge, decoder)
        finally:
            judge.stop("import.stopped")
    finally:
        store.close()
