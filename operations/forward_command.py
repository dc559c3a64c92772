"""`forecourt forward`: the process that a collector starts beside itself to send records on."""

from __future__ import annotations

from pathlib import Path

import click

from operations.options import CONFIG


@click.command(hidden=True)
@CONFIG
@click.option("--watched", is_flag=True, hidden=True)
def forward(config: Path | None, watched: bool) -> None:  # noqa: FBT001  # click's
    """Send on what the exporters of a running collector are configured for; the collector starts it by itself.

    How far each exporter is: forecourt store exporters
    """
    if not watched:
        raise click.UsageError("a running collector does this by itself; see: forecourt store exporters")
    from operations.forwarding_run import forward_watched  # noqa: PLC0415  # half a second

    forward_watched(config)
