"""Where requests go: to the sidecar that runs on the folder, else into the folder as the sidecar would do it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from collector.decoding import Decoder
from collector.decoding_settings import decoding_limits
from collector.intake import Decode
from collector.judge import Judge
from collector.signals import Signal
from instrumentation.redaction import Redactor
from operations.configuration import Configuration
from operations.importing.sidecar import endpoint_of, to_sidecar
from operations.importing.taken import Take, Taken
from storage import FolderInUseError, State, Store
from storage.lock import FolderLock
from storage.names import OWN_FOLDER


@contextmanager
def opened(configuration: Configuration, folder: Path) -> Iterator[Take]:
    """Raise FolderInUseError, StoreFormatError, StateError or OSError."""
    endpoint = endpoint_of(folder)
    with _folder(configuration, folder) if endpoint is None else to_sidecar(configuration, folder, endpoint) as take:
        yield take


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Two imports of the same file at once would both find it new."""
    lock = FolderLock(folder / OWN_FOLDER / "import.lock")
    try:
        lock.acquire()
    except FolderInUseError as error:
        raise click.ClickException(f"another import into {folder} runs (pid {error.pid}); wait for its end") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _folder(configuration: Configuration, folder: Path) -> Iterator[Take]:
    """Judged and stored as the collector does it, with the folder's lock."""
    judge = Judge(configuration.judgement(), folder)
    store = Store(folder, on_stored=judge.stored)
    store.open(judge.recover)
    try:
        State.open(folder / OWN_FOLDER / "state.db").close()
        decoders = _decoders(configuration)
        judge.start(store.append, unclean=False, event="import.started")
        try:

            def take(signal: Signal, body: bytes) -> Taken:
                rejected, messages = 0, dict[str, None]()
                decode, projection = decoders[signal.name], judge.judgement.projection
                for batch in decode(body, projection, encoding="protobuf", received_unix_nano=time.time_ns()):
                    store.append(batch.stream, batch.lines, batch.times_unix_nano, batch.observations).result()
                    rejected += batch.rejected
                    messages |= {batch.rejection: None} if batch.rejection else {}
                return Taken(rejected, "; ".join(messages))

            yield take
        finally:
            judge.stop("import.stopped")
    finally:
        store.close()


def _decoders(configuration: Configuration) -> Mapping[str, Decode]:
    """One for each signal, as the collector has them: each remembers attributes of its own."""

    def made() -> Decoder:
        redactor = Redactor(keys=configuration.processors.redaction.keys)
        return Decoder(redactor=redactor, limits=decoding_limits(configuration.processors.limits))

    return {"traces": made().decode_traces, "metrics": made().decode_metrics, "logs": made().decode_logs}
