"""`forecourt sql`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from operations.period import ALL
from operations.reading import answer, reading_options, with_output


@click.command()
@click.argument("text", metavar="SELECT")
@reading_options(ALL)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "markdown", "parquet"]),
    default="table",
    show_default=True,
    help="How the rows come.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file in place of the terminal.")
def sql(**given: Any) -> None:
    """Ask the records in SQL: each stream is a view (traces, logs, metrics, performance, errors, security …).

    Besides its fields a view has `timestamp` (UTC) and `event_unix_nano`; attr(attributes, 'http.route') is an
    attribute as text. With --last or --from the views hold only that time, which is faster. Nothing can be changed.

    Example: forecourt sql "SELECT route, count(*) FROM performance GROUP BY route" --last 1h
    """
    answer("sql:rows", with_output(given))
