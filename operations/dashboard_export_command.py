"""`forecourt dashboard export`."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from operations.configuration import load
from operations.grafana.files import texts, write
from operations.options import CONFIG
from operations.settings_file import ConfigurationError
from operations.tables import show_table


@click.command()
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("forecourt-grafana"),
    show_default=True,
    help="The folder for the files.",
)
@click.option("--grafana-folder", default="Forecourt", show_default=True, help="Grafana's folder for the dashboards.")
@click.option(
    "--prometheus-url",
    metavar="URL",
    default="http://127.0.0.1:9190",
    show_default=True,
    help="Where Grafana finds the Prometheus that scrapes the pages' /metrics.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the dashboards by their names, and write nothing.")
@CONFIG
def export(output: Path, grafana_folder: str, prometheus_url: str, as_json: bool, config: Path | None) -> None:  # noqa: FBT001  # click's
    """Write dashboards for Grafana from the rules in force, with their data sources and what Prometheus has to scrape.

    The same configuration gives the same files. Grafana reads them by provisioning, or imports one by one.

    Example: forecourt dashboard export --output grafana
    """
    try:
        configuration = load(config).configuration
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    files = texts(
        configuration.processors,
        configuration.extensions.dashboard,
        output.absolute(),
        prometheus_url=prometheus_url,
        grafana_folder=grafana_folder,
    )
    if as_json:
        shown = {path.name: orjson.Fragment(text) for path, text in files.items() if path.suffix == ".json"}
        click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))
        return
    try:
        done = write(output, files)
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or output}: {error.strerror}. Choose another folder: --output DIR"
        ) from error
    show_table(("file", ""), [(str(output / path), outcome) for path, outcome in done.items()])
