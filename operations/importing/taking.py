"""Where requests go: to the sidecar that runs on the folder, else into the folder as the sidecar would do it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import urllib3
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from collector.decoding import Decoder, MalformedBodyError
from collector.decoding_settings import decoding_limits
from collector.intake import Decode
from collector.judge import Judge
from collector.signals import Signal
from instrumentation.redaction import Redactor
from operations.alert_state import is_running
from operations.configuration import Configuration
from storage import FolderInUseError, State, Store
from storage.lock import FolderLock
from storage.names import OWN_FOLDER

_RETRIES = urllib3.Retry(total=8, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), allowed_methods=None)
_OK, _BAD_REQUEST = 200, 400


class Taken(NamedTuple):
    """Everything is on disk but `rejected` records, for the reason in `message`."""

    rejected: int
    message: str


Take = Callable[[Signal, bytes], Taken]
"""Raise MalformedBodyError, StoreError, OSError or urllib3's HTTPError."""


@contextmanager
def opened(configuration: Configuration, folder: Path) -> Iterator[Take]:
    """Raise FolderInUseError, StoreFormatError, StateError or OSError."""
    endpoint = _endpoint(folder)
    with _folder(configuration, folder) if endpoint is None else _sidecar(configuration, endpoint) as take:
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


def _endpoint(folder: Path) -> str | None:
    """Where the sidecar of the folder takes OTLP over HTTP; None when none runs."""
    path = folder / OWN_FOLDER / "state.db"
    if not path.is_file():
        return None
    state = State.open(path)
    try:
        row = state.collector() if is_running(state) else None
    finally:
        state.close()
    if row is not None and "http" not in row.endpoints:
        raise OSError("the running sidecar has no OTLP/HTTP receiver (receivers.otlp.protocols.http) to import through")
    return None if row is None else row.endpoints["http"]


@contextmanager
def _sidecar(configuration: Configuration, endpoint: str) -> Iterator[Take]:
    extension = configuration.extensions.bearertokenauth
    tokens = extension.values() if extension else ()
    headers = {"Content-Type": "application/x-protobuf"} | ({"Authorization": f"Bearer {tokens[0]}"} if tokens else {})
    http = configuration.receivers.otlp.protocols.http
    scheme = "https" if http is not None and http.tls is not None else "http"
    with urllib3.PoolManager(retries=_RETRIES, timeout=30.0) as pool:

        def take(signal: Signal, body: bytes) -> Taken:
            answer = pool.request("POST", f"{scheme}://{endpoint}{signal.path}", body=body, headers=headers)
            if answer.status == _BAD_REQUEST:
                raise MalformedBodyError(_reason(answer.data))
            if answer.status != _OK:
                raise OSError(f"the sidecar answers {answer.status} to {signal.path}: {_reason(answer.data)}")
            partial = signal.response.FromString(answer.data).partial_success
            return Taken(getattr(partial, signal.rejected_field), partial.error_message)

        yield take


def _reason(answer: bytes) -> str:
    try:
        return str(Status.FromString(answer).message)
    except DecodeError:
        return answer[:200].decode(errors="replace")


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
