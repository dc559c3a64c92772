"""The web process that a collector starts beside it, and ends."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import click

from operations.configuration import Source
from operations.event_loop import run_on_loop
from operations.page_server import PageServer, listen_all
from operations.page_settings import PAGE_TITLES
from operations.page_site import site_of
from operations.watched import begun, on_input_end
from storage import State, StateError
from storage.web_process import WebProcessRow, record_start, record_stop

_log = logging.getLogger("forecourt")

_FIRST_DELAY_SECONDS = 1.0
_LAST_DELAY_SECONDS = 60.0


def serve_watched(config: Path | None) -> None:
    """Until standard input ends: the collector holds the other end of it. Raise click.ClickException."""
    source = begun(config)
    try:
        run_on_loop(_Watched(source, config).serve())
    except OSError as error:
        raise click.ClickException(str(error)) from error


class _Watched:
    def __init__(self, source: Source, config: Path | None) -> None:
        configuration = source.configuration
        endpoints = configuration.extensions.page_endpoints()
        self._endpoints = {name: endpoints[name] for name in configuration.service.pages}
        self._site = site_of(source, config, None)

    async def serve(self) -> None:
        server = PageServer(self._site)
        on_input_end(server.stop)
        sockets = await self._sockets(server.stopping)
        if not sockets:
            return
        try:
            await server.serve(sockets, self._ready)
        finally:
            self._record(lambda state: record_stop(state, os.getpid(), time.time_ns()))

    async def _sockets(self, stopping: asyncio.Event) -> Mapping[str, socket.socket]:
        """As soon as all ports are free; that one is not is said once."""
        delay = 0.0
        while not stopping.is_set():
            try:
                return listen_all(self._endpoints)
            except OSError as error:
                if not delay:
                    _log.error(  # the message says it all
                        "no pages: %s. Stop what listens there, or choose another endpoint under extensions", error
                    )
            delay = min(2 * delay, _LAST_DELAY_SECONDS) or _FIRST_DELAY_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), delay)
        return {}

    def _ready(self, addresses: Mapping[str, str]) -> None:
        row = WebProcessRow(os.getpid(), addresses, time.time_ns())
        self._record(lambda state: record_start(state, row))
        for name, address in addresses.items():
            _log.info("%s: %s", PAGE_TITLES[name], address)

    def _record(self, change: Callable[[State], None]) -> None:
        """For whoever wants to know where the pages are; that it can't be told stops nobody."""
        try:
            state = State.open(self._site.own_folder / "state.db")
            try:
                change(state)
            finally:
                state.close()
        except StateError as error:
            _log.warning("the addresses of the pages are not told to others: %s", error)
