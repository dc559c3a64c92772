"""`forecourt dashboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from operations.lazy_group import Later, LazyGroup
from operations.options import config_options

_LATER = {
    "export": Later(
        "operations.dashboard_export_command",
        "export",
        "Write dashboards for Grafana from the rules in force.",
    ),
}


@click.group(cls=LazyGroup, later=_LATER, invoke_without_command=True, subcommand_metavar="[COMMAND [ARGS]...]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="One page server on another port than configured; 0 takes any that is free.",
)
@click.option("--security", is_flag=True, help="Only the one that begins with the page of security.")
@config_options
@click.option("--watched", is_flag=True, hidden=True)
@click.pass_context
def dashboard(context: click.Context, /, **given: Any) -> None:
    """Serve the pages until Ctrl-C, with and without a sidecar: after a crash, or over an archive.

    A running sidecar serves them by itself. Records are only read; their folder may be read-only.

    Example: forecourt dashboard --logs backup/logs --port 0
    """
    command = context.invoked_subcommand
    if command is None:
        _serve(**given)
    elif any(value is not None and value is not False for value in given.values()):
        raise click.UsageError(
            f"these options are for serving the pages; say those of {command} behind its name", context
        )


def _serve(*, port: int | None, security: bool, logs: Path | None, config: Path | None, watched: bool) -> None:
    if watched:
        from operations.dashboard_watched import serve_watched  # noqa: PLC0415  # half a second

        serve_watched(config)
    else:
        from operations.dashboard_run import serve_standalone  # noqa: PLC0415  # half a second

        serve_standalone(config, logs, port, security=security)
