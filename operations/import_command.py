"""`forecourt logs import`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from operations.options import config_options, json_instead_of


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--format", "form", type=click.Choice(["sshd", "jsonl", "fossawork"]), required=True, help="Its form.")
@click.option("--service", default="", help="The service that it is of.  [default: the form's name]")
@click.option("--year", type=click.IntRange(1970, 9999), help="Of the last line of a syslog file, which has none.")
@click.option(
    "--timezone", default="local", show_default=True, help="Of times without one: local, UTC, Europe/Berlin …"
)
@click.option("--map", "mapping", multiple=True, metavar="FIELD=KEY", help="Which key of JSON lines has a field.")
@click.option("--again", is_flag=True, help="Also what was taken in before, for example as another format.")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken in.")
@json_instead_of("text")
@config_options
def import_(**given: Any) -> None:
    """Take in the log FILE of another program (- is standard input; gzip and zstd are unpacked), each line once.

    Its records have the times that they tell: they enter derived streams and rollups, and never a live alert. A file
    that was taken in before adds only what is new in it; of one that is being written the unfinished end waits for
    the next time. FIELD is time, body, severity, logger, event, outcome or an attribute.

    Example: forecourt logs import --format sshd /var/log/auth.log
    """
    from operations.importing.run import run  # noqa: PLC0415  # a quarter of a second

    run(**given)
