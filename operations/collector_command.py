"""`forecourt collector`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from collector.service import Collector
from operations.configuration import ConfigurationError, Source, load
from storage import FolderInUseError, StateError, StoreFormatError

_log = logging.getLogger("forecourt")
_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="The configuration file.")
def collector(config: Path | None) -> None:
    """Receive OTLP over gRPC and HTTP and keep every record as JSON lines, until Ctrl-C.

    Example: forecourt collector --config otel-config.yaml
    """
    try:
        source = load(config)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    _log_to_stderr(source)
    try:
        configuration = source.configuration
        _run(_serve(Collector(configuration, configuration.exporters.jsonl, configuration.alerting)))
    except (OSError, FolderInUseError, StoreFormatError, StateError) as error:
        raise click.ClickException(str(error)) from error


def _log_to_stderr(source: Source) -> None:
    logging.basicConfig(
        level=source.configuration.service.telemetry.logs.level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    _log.info("configuration: %s", source.name)
    for warning in source.warnings:
        _log.warning("%s: %s", source.name, warning)
    _log.info("records: %s", source.configuration.exporters.jsonl.path.absolute())


def _run(serving: Coroutine[Any, Any, None]) -> None:
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if sys.platform != "win32":
        try:
            import uvloop  # noqa: PLC0415  # not on every platform
        except ImportError:
            pass
        else:
            factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serving)


async def _serve(running: Collector) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None:
            # Not the loop's own handlers: Windows has none.
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopping.set))
    await running.run(stopping)
    _log.info("stopped")
