"""What other processes ask of the running collector by a row of the state database: reload, stop, retention."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alerting import records
from storage import State, StateError
from storage.names import OWN_FOLDER

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_OLD_NANO = 60 * 1_000_000_000
"""Whoever asked longer ago has given up."""

Handler = Callable[[dict[str, Any]], Any]


class RefusedError(Exception):
    """What was asked can't be done as it stands; the message says why."""


class Control:
    """Each request is handled in a thread of its own, so that a long one keeps no other waiting."""

    def __init__(self, folder: Path, handlers: Mapping[str, Handler], clock: Callable[[], int] = time.time_ns) -> None:
        self._path = folder / OWN_FOLDER / "state.db"
        self._handlers = handlers
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self, taken: set[int]) -> None:
        """`taken` are requests that are being handled already, and those that will be."""
        self._taken = taken
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        state = State.open(self._path)
        try:
            version = -1
            while not self._stopping.is_set():
                try:
                    if (found := state.data_version()) != version:
                        self._look(state)
                        version = found
                except StateError as error:
                    _log.warning("requests of other processes wait: %s", error)
                self._stopping.wait(_LOOK_SECONDS)
        finally:
            state.close()

    def _look(self, state: State) -> None:
        for command in records.commands(state, self._clock() - _OLD_NANO, self._handlers):
            if command.id not in self._taken:
                self._taken.add(command.id)
                threading.Thread(target=self._handle, args=(command,), name=command.kind, daemon=True).start()

    def _handle(self, command: records.Command) -> None:
        try:
            answer = {"ok": True, "answer": self._handlers[command.kind](command.arguments)}
        except (RefusedError, OSError, StateError, TypeError, ValueError) as error:
            answer = {"ok": False, "error": str(error)}
        self.answer(command.id, answer)

    def answer(self, number: int, content: Any) -> None:
        """Write it down; raise nothing: whoever asked hears nothing then, and says so."""
        try:
            state = State.open(self._path)
            try:
                records.answer(state, number, content, self._clock())
            finally:
                state.close()
        except StateError as error:
            _log.warning("an answer could not be written: %s", error)
