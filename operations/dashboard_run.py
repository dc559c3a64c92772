"""`forecourt dashboard` in the foreground: over any folder of records, which are only read."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click

from operations.configuration import Source, load
from operations.event_loop import run_on_loop
from operations.page_server import PageServer, listen_all
from operations.page_settings import DASHBOARD, PAGE_TITLES, SECURITY
from operations.page_site import site_of
from operations.settings_file import ConfigurationError
from processors.endpoint import host_and_port, url_of
from storage import State, StateError
from storage.names import OWN_FOLDER
from storage.web_process import served, web_process


def serve_standalone(config: Path | None, logs: Path | None, port: int | None, *, security: bool) -> None:
    """Until Ctrl-C; raise click.ClickException when it can't start."""
    try:
        source = load(config)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    site = site_of(source, config, logs)
    if not site.folder.is_dir():
        raise click.UsageError(
            f"{site.folder}: no such folder. Name the one with the records (--logs DIR), or start a sidecar: "
            "forecourt collector"
        )
    bound = _listen(source, site.folder, _endpoints(source, port, security=security))

    async def serve() -> None:
        await PageServer(site).serve(bound, ready)

    def ready(addresses: Mapping[str, str]) -> None:
        for name, address in addresses.items():
            click.echo(f"{PAGE_TITLES[name] + ':':<11}{address}")
        click.echo(f"{'records:':<11}{site.folder}\nCtrl-C stops it.")

    try:
        run_on_loop(serve())
    except OSError as error:
        raise click.ClickException(str(error)) from error


def _endpoints(source: Source, port: int | None, *, security: bool) -> dict[str, str]:
    """As configured, or one of them on another port."""
    configured = source.configuration.extensions.page_endpoints()
    if port is None:
        return {SECURITY: configured[SECURITY]} if security else configured
    chosen = SECURITY if security else DASHBOARD
    host, _ = host_and_port(configured[chosen])
    return {chosen: f"[{host}]:{port}" if ":" in host else f"{host}:{port}"}


def _listen(source: Source, folder: Path, endpoints: Mapping[str, str]) -> dict[str, socket.socket]:
    try:
        return listen_all(endpoints)
    except OSError as error:
        running = _running(folder).values()
        secure = source.configuration.extensions.dashboard.tls is not None
        ours = [url for url in (url_of(one, secure=secure) for one in endpoints.values()) if url in running]
        way = f"The running sidecar serves these pages already: {' and '.join(ours)}. Or choose" if ours else "Choose"
        raise click.ClickException(
            f"{error}. {way} another port: --port N, or --port 0 for any that is free"
        ) from error


def _running(folder: Path) -> dict[str, str]:
    """Where the sidecar on this folder serves its pages; nothing too where nobody can tell."""
    path = folder / OWN_FOLDER / "state.db"
    if not path.is_file():
        return {}
    with suppress(StateError):
        state = State.open(path)
        try:
            return served(web_process(state))
        finally:
            state.close()
    return {}
