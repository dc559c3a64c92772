"""`forecourt store`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from operations.durations import DURATION, SIZE
from operations.lazy_group import Later, LazyGroup
from operations.options import config_options, json_instead_of

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
_STREAMS = click.option("--stream", "streams", multiple=True, help="Only this stream; may be said again.")

_LATER = {
    "export": Later("operations.store_files_commands", "export", "Write records as files for others."),
    "import": Later("operations.store_files_commands", "import_", "Take in files of OTLP JSON lines."),
}


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    return json_instead_of("text")(config_options(command))


@click.group(cls=LazyGroup, later=_LATER)
def store() -> None:
    """The records on disk: how much, whether whole, and what becomes of old ones."""


@store.command()
@_options
def usage(**given: Any) -> None:
    """How much each stream holds, and how fast it grows.

    Example: forecourt store usage
    """
    from operations.store_answers import tell_usage  # noqa: PLC0415  # a quarter of a second

    tell_usage(**given)


@store.command()
@_STREAMS
@click.option("--rotation", is_flag=True, help="Only whether old segments were compressed, archived and deleted.")
@_options
def verify(**given: Any) -> None:
    """Read every segment to its end; exit code 1 when one is damaged, or not what the manifest says.

    Example: forecourt store verify --stream metrics
    """
    from operations.store_answers import tell_verified  # noqa: PLC0415  # a quarter of a second

    tell_verified(**given)


@store.command()
@_DRY_RUN
@click.option("--floor", type=SIZE, help="Free disk to keep, in place of the configured, for example 2GiB.")
@_options
def maintain(**given: Any) -> None:
    """Compress, archive and delete old segments, as the collector does by itself every five minutes.

    Example: forecourt store maintain --dry-run
    """
    from operations.store_answers import tell_maintained  # noqa: PLC0415  # a quarter of a second

    tell_maintained(**given)


@store.command()
@click.option("--older-than", type=DURATION, required=True, help="For example 30days.")
@_STREAMS
@_DRY_RUN
@_options
def prune(**given: Any) -> None:
    """Forget resolved alerts, the notification log, expired silences; of telemetry only the streams that you name.

    Example: forecourt store prune --older-than 30days
    """
    from operations.store_answers import tell_pruned  # noqa: PLC0415  # a quarter of a second

    tell_pruned(**given)


@store.command()
@click.option("--retry", metavar="NAME", help="Send again what this exporter has set aside.")
@_options
def exporters(**given: Any) -> None:
    """How far each exporter is with sending records on, what it has set aside, and why.

    Example: forecourt store exporters
    """
    from operations.exporter_answers import tell_exporters  # noqa: PLC0415  # a quarter of a second

    tell_exporters(**given)
