"""The collector as a process: turn after turn, each with the configuration that was good when it began."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from pathlib import Path
from typing import Any

import click

from collector.control import RefusedError
from collector.service import Collector, Turn
from operations.configuration import Source, load
from operations.event_loop import on_stop_signals, run_on_loop
from operations.own_log import log_to_stderr
from operations.settings_file import ConfigurationError
from operations.watched_process import WatchedProcess, forwarding_process, web_process
from storage import FolderInUseError, StateError, StoreFormatError

_log = logging.getLogger("forecourt")
_RELOAD_SIGNAL = "SIGHUP"
_RELOAD_SECONDS = 30.0
_FAULTS = (OSError, FolderInUseError, StoreFormatError, StateError)


def run(config: Path | None) -> None:
    """Until it is asked to stop; raise click.ClickException when it can't start."""
    try:
        source = load(config)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    log_to_stderr(source.configuration)
    _tell(source)
    pages, forwarding = web_process(config), forwarding_process(config)
    try:
        run_on_loop(Process(config, source, pages, forwarding).serve())
    except _FAULTS as error:
        raise click.ClickException(str(error)) from error
    finally:
        forwarding.close()
        pages.close()


def _tell(source: Source) -> None:
    _log.info("configuration: %s", source.name)
    for warning in source.warnings:
        _log.warning("%s: %s", source.name, warning)
    _log.info("records: %s", source.configuration.exporters.jsonl.path.absolute())


class Process:
    """Signals and requests come from other threads; turns are changed on the loop."""

    def __init__(self, config: Path | None, source: Source, pages: WatchedProcess, forwarding: WatchedProcess) -> None:
        self._config = config
        self._source = source
        self._pages = pages
        self._forwarding = forwarding
        self._next: Source | None = None
        self._turn = Turn()
        self._taken: set[int] = set()
        self._reloading = threading.Lock()
        self._came_up = threading.Event()
        self._problem = ""
        """Why the new configuration could not be used, when it could not."""
        self._ends = False
        """Whether somebody has asked it to stop: no turn begins any more."""

    async def serve(self) -> None:
        """Raise as Collector.run when the first turn can't start."""
        self._loop = asyncio.get_running_loop()
        self._listen_to_signals()
        reloaded = False
        while True:
            # Until a new configuration serves, a turn with the last one comes after it.
            tried = self._next is not None
            self._turn = Turn(ready=self._ready, reloaded=reloaded, taken=self._taken, reloads=tried)
            try:
                await self._collector().run(self._turn)
            except _FAULTS as error:
                if self._next is None or self._ends:
                    raise
                _log.exception("the new configuration can't be used; going back to the last one")
                self._problem, self._next = str(error), None
                continue
            if self._ends or not self._turn.reloads:
                _log.info("stopped")
                return
            reloaded = True

    def _collector(self) -> Collector:
        source = self._next or self._source
        configuration = source.configuration
        handlers = {"reload": self._reload_asked, "stop": self._stop_asked}
        return Collector(configuration, configuration.exporters.jsonl, configuration.alerting, handlers)

    def _ready(self) -> None:
        fresh = self._next is not None or not self._turn.reloaded
        if self._next is not None:
            self._source, self._next = self._next, None
            self._turn.reloads = False
        if fresh:
            self._pages.serve(wanted=bool(self._source.configuration.service.pages))
            self._forwarding.serve(wanted=bool(self._source.configuration.forwarded()))
        self._came_up.set()

    def _listen_to_signals(self) -> None:
        on_stop_signals(self._stop)
        if hasattr(signal, _RELOAD_SIGNAL):
            signal.signal(getattr(signal, _RELOAD_SIGNAL), lambda *_: self._reload_by_signal())

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        """Also while a turn ends for a reload: it is the last one then."""
        self._ends = True
        self._pages.serve(wanted=False)
        self._forwarding.serve(wanted=False)
        self._turn.reloads = False
        self._turn.stopping.set()

    def _stop_asked(self, _arguments: dict[str, Any]) -> str:
        self._stop()
        return "stopping"

    def _reload_by_signal(self) -> None:
        def reload() -> None:
            try:
                self._reload_asked({})
            except RefusedError as error:
                _log.error("not reloaded: %s", error)  # the message says it all

        threading.Thread(target=reload, name="reload", daemon=True).start()

    def _reload_asked(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        """Return when the new one serves, with what is odd in it; raise RefusedError when the last one goes on."""
        with self._reloading:
            try:
                source = load(self._config)
            except ConfigurationError as error:
                raise RefusedError(str(error)) from error
            self._came_up.clear()
            self._problem = ""
            self._loop.call_soon_threadsafe(self._change_to, source)
            if not self._came_up.wait(_RELOAD_SECONDS):
                raise RefusedError(f"the collector is not ready after {_RELOAD_SECONDS:.0f} s; see its log")
            if self._problem:
                raise RefusedError(f"{self._problem}. The last configuration is in use again")
            _tell(source)
            return {"configuration": source.name, "warnings": list(source.warnings)}

    def _change_to(self, source: Source) -> None:
        if self._ends:
            return
        self._next = source
        self._turn.reloads = True
        self._turn.stopping.set()
