"""`forecourt store export` and `forecourt store import`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from operations.options import config_options, json_instead_of
from operations.period import period_options


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["otlp-jsonl", "parquet", "csv"]),
    required=True,
    help="What the files are.",
)
@click.option(
    "--output", required=True, metavar="PLACE", help="A folder, a file for one stream, or - for the terminal."
)
@click.option(
    "--stream", "streams", multiple=True, help="Only this stream; may be said again.  [default: all there are]"
)
@click.option("--service", "services", multiple=True, help="Only of this service; may be said again.")
@click.option("--trace-id", default="", help="Only of this trace: its spans, or what --stream names.")
@click.option("--gzip", "packed", is_flag=True, help="Compress JSON lines or CSV.")
@click.option("--overwrite", is_flag=True, help="Also where there is a file already.")
@period_options
@config_options
@json_instead_of("text")
def export(**given: Any) -> None:
    """Write records as files for others, by the time when they happened.

    otlp-jsonl: traces.jsonl, metrics.jsonl and logs.jsonl as OpenTelemetry's file exporter writes them. The Collector's
    otlpjsonfile receiver reads them, Jaeger's pages take a file of traces, and so does `forecourt store import`.
    parquet and csv: any stream, with the columns that `forecourt sql` shows.

    Example: forecourt store export --format parquet --last 24h --output yesterday/
    """
    from operations.store_files.exporting import run  # noqa: PLC0415  # a quarter of a second

    run(**given)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["otlp-jsonl"]),
    default="otlp-jsonl",
    show_default=True,
    help="What the files are.",
)
@click.option("--again", is_flag=True, help="Also what was taken in before.")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken in.")
@config_options
@json_instead_of("text")
def import_(**given: Any) -> None:
    """Take in FILES of OTLP JSON lines (- is standard input; gzip and zstd are unpacked), each once.

    They are checked, redacted and limited as what is received. Their records keep the times that they tell: they enter
    derived streams and rollups, and never a live alert. What can't be read is told with its line; the rest goes on.

    Example: forecourt store import yesterday/traces.jsonl yesterday/logs.jsonl.gz
    """
    from operations.store_files.importing import run  # noqa: PLC0415  # a quarter of a second

    run(**given)
