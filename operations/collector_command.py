"""`forecourt collector`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from operations.lazy_group import LazyGroup
from operations.options import CONFIG, config_options, json_instead_of


@click.group(cls=LazyGroup, invoke_without_command=True)
@CONFIG
@click.pass_context
def collector(context: click.Context, config: Path | None) -> None:
    """Receive OTLP over gRPC and HTTP and keep every record as JSON lines, until Ctrl-C.

    With a command: ask the one that runs.

    Example: forecourt collector --config otel-config.yaml
    """
    if context.invoked_subcommand is None:
        from operations.collector_run import run  # noqa: PLC0415  # half a second

        run(config)


@collector.command()
@json_instead_of("text")
@config_options
def status(**given: Any) -> None:
    """Whether it runs, since when, where it listens, what it judges; exit code 1 when it does not.

    Example: forecourt collector status
    """
    from operations.collector_requests import tell_status  # noqa: PLC0415  # a quarter of a second

    tell_status(**given)


@collector.command("reload")
@config_options
def reload_(**given: Any) -> None:
    """Use the configuration file anew; no record is lost, windows and alerts go on. What is wrong with it is told.

    Example: forecourt collector reload
    """
    from operations.collector_requests import reload  # noqa: PLC0415  # a quarter of a second

    reload(**given)


@collector.command()
@config_options
def stop(**given: Any) -> None:
    """Finish what is in flight and end.

    Example: forecourt collector stop
    """
    from operations.collector_requests import stop as stop_it  # noqa: PLC0415  # a quarter of a second

    stop_it(**given)
