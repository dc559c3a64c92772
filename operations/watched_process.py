"""A process beside the collector: started, watched and ended, and never waited for."""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from enum import Enum, auto
from pathlib import Path

_log = logging.getLogger("forecourt")

_FIRST_DELAY_SECONDS = 1.0
_LAST_DELAY_SECONDS = 60.0
_LONG_LIFE_SECONDS = 60.0
"""Whoever has lived so long did not fail at the start."""
_STOP_SECONDS = 5.0
_TERMINATE = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM)
_ROOT = Path(__file__).resolve().parent.parent
_QUIET = {"GRPC_VERBOSITY": "ERROR"}
"""Unless somebody wants to hear more: gRPC's core tells of each attempt to connect, several a minute."""


def _python_path() -> str:
    return os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))


class _Event(Enum):
    SERVE = auto()
    """Anew, with the configuration as it stands now."""
    REST = auto()
    DUE = auto()
    """It has ended by itself, and the delay is over."""
    END = auto()


class _Child:
    """Its standard input ends when this process does, however that comes; it ends itself then."""

    def __init__(self, command: list[str], ended: queue.SimpleQueue[_Event | _Child]) -> None:
        self._began = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603  # our own command line
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**_QUIET, **os.environ, "PYTHONPATH": _python_path()},
            start_new_session=os.name != "nt",  # Ctrl-C is for the collector, which ends this one
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._ended = ended
        self._waiting = threading.Thread(target=self._wait, name="a process ends", daemon=True)
        self._waiting.start()

    def _wait(self) -> None:
        self._process.wait()
        self._ended.put(self)

    @property
    def code(self) -> int | None:
        return self._process.returncode

    @property
    def life_seconds(self) -> float:
        return time.monotonic() - self._began

    def stop(self) -> None:
        """Ask it to end, and insist after five seconds."""
        if self._process.poll() is None:
            self._process.send_signal(_TERMINATE)
        self._waiting.join(_STOP_SECONDS)
        if self._waiting.is_alive():
            self._process.kill()
            self._waiting.join()
        assert self._process.stdin is not None  # noqa: S101  # it is a pipe
        self._process.stdin.close()


class WatchedProcess:
    """One thread does it all; whoever calls goes on at once, but for `close`."""

    def __init__(self, command: str, config: Path | None, name: str, meanwhile: str) -> None:
        """`command` is one of `forecourt` that takes --watched; `meanwhile` says what its absence means."""
        chosen = ["--config", str(config)] if config is not None else []
        # -P: a folder of the same name where it is started must not be taken for ours.
        self._command = [sys.executable, "-P", "-m", "operations", command, "--watched", *chosen]
        self._name = name
        self._meanwhile = meanwhile
        self._events: queue.SimpleQueue[_Event | _Child] = queue.SimpleQueue()
        self._child: _Child | None = None
        self._delay_seconds = _FIRST_DELAY_SECONDS
        self._due: float | None = None
        """When it is started again, by the monotonic clock."""
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)
        self._thread.start()

    def serve(self, *, wanted: bool) -> None:
        """With the configuration as it stands now, in the place of one that runs; or no more."""
        self._events.put(_Event.SERVE if wanted else _Event.REST)

    def close(self) -> None:
        """Return when it has ended, within six seconds."""
        self._events.put(_Event.END)
        self._thread.join()

    def _watch(self) -> None:
        while (event := self._next()) is not _Event.END:
            if isinstance(event, _Child):
                self._ended(event)
            elif event is _Event.DUE:
                self._start()
            else:
                self._stop()
                if event is _Event.SERVE:
                    self._delay_seconds = _FIRST_DELAY_SECONDS
                    self._start()
        self._stop()

    def _next(self) -> _Event | _Child:
        try:
            return self._events.get(timeout=None if self._due is None else max(0.0, self._due - time.monotonic()))
        except queue.Empty:
            return _Event.DUE

    def _start(self) -> None:
        self._due = None
        try:
            self._child = _Child(self._command, self._events)
        except OSError as error:
            self._again_later(f"the {self._name} can't be started: {error}")

    def _stop(self) -> None:
        self._due = None
        if self._child is not None:
            child, self._child = self._child, None
            child.stop()

    def _ended(self, child: _Child) -> None:
        if child is not self._child:
            return  # it was asked to
        self._child = None
        child.stop()
        if child.life_seconds >= _LONG_LIFE_SECONDS:
            self._delay_seconds = _FIRST_DELAY_SECONDS
        self._again_later(f"the {self._name} ended ({_told(child.code)})")

    def _again_later(self, reason: str) -> None:
        _log.warning("%s; %s in %.0f s", reason, self._meanwhile, self._delay_seconds)
        self._due = time.monotonic() + self._delay_seconds
        self._delay_seconds = min(2 * self._delay_seconds, _LAST_DELAY_SECONDS)


def _told(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def web_process(config: Path | None) -> WatchedProcess:
    """That serves the pages."""
    return WatchedProcess("dashboard", config, "web process", "records are received as before, the pages come back")


def forwarding_process(config: Path | None) -> WatchedProcess:
    """That sends on what exporters are configured for."""
    return WatchedProcess(
        "forward", config, "forwarding process", "records are kept as before, sending them on goes on"
    )
