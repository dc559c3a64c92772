"""Requests to the sidecar that runs on the folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import urllib3
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from collector.decoding import MalformedBodyError
from collector.signals import Signal
from operations.alert_state import is_running
from operations.configuration import Configuration
from operations.importing.taken import Take, Taken
from storage import State, StateError
from storage.names import OWN_FOLDER

_OK, _BAD_REQUEST = 200, 400
_BUSY = frozenset({429, 502, 503, 504})
_TIMEOUT_SECONDS = 30.0
_PATIENCE_SECONDS = 60.0
"""A sidecar that is away for longer is not just reloading or restarting."""
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 4.0


def endpoint_of(folder: Path) -> str | None:
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
def to_sidecar(configuration: Configuration, folder: Path, endpoint: str) -> Iterator[Take]:
    with urllib3.PoolManager(retries=False, timeout=_TIMEOUT_SECONDS) as pool:
        yield _Sidecar(configuration, folder, endpoint, pool).take


class _AwayError(OSError):
    """The sidecar does not take anything now."""


class _Sidecar:
    """The OTLP receiver of a running sidecar, at whatever port it is after a reload."""

    def __init__(self, configuration: Configuration, folder: Path, endpoint: str, pool: urllib3.PoolManager) -> None:
        extension = configuration.extensions.bearertokenauth
        tokens = extension.values() if extension else ()
        self._headers = {"Content-Type": "application/x-protobuf"}
        self._headers |= {"Authorization": f"Bearer {tokens[0]}"} if tokens else {}
        http = configuration.receivers.otlp.protocols.http
        self._scheme = "https" if http is not None and http.tls is not None else "http"
        self._folder = folder
        self._endpoint: str | None = endpoint
        self._pool = pool

    def take(self, signal: Signal, body: bytes) -> Taken:
        until = time.monotonic() + _PATIENCE_SECONDS
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._sent(signal, body)
            except _AwayError as error:
                if time.monotonic() >= until:
                    raise OSError(str(error)) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            with suppress(StateError):  # it is being moved
                self._endpoint = endpoint_of(self._folder)

    def _sent(self, signal: Signal, body: bytes) -> Taken:
        if self._endpoint is None:
            raise _AwayError("the sidecar has stopped meanwhile")
        url = f"{self._scheme}://{self._endpoint}{signal.path}"
        try:
            answer = self._pool.request("POST", url, body=body, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise _AwayError(f"the sidecar does not answer: {error}") from error
        if answer.status == _BAD_REQUEST:
            raise MalformedBodyError(_reason(answer.data))
        told = f"the sidecar answers {answer.status} to {signal.path}: {_reason(answer.data)}"
        if answer.status in _BUSY:
            raise _AwayError(told)
        if answer.status != _OK:
            raise OSError(told)
        partial = signal.response.FromString(answer.data).partial_success
        return Taken(getattr(partial, signal.rejected_field), partial.error_message)


def _reason(answer: bytes) -> str:
    try:
        return str(Status.FromString(answer).message)
    except DecodeError:
        return answer[:200].decode(errors="replace")
