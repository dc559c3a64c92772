"""`forecourt config`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from operations.configuration import load
from operations.settings_file import FILE_NAME, ConfigurationError, packaged_default


@click.group()
def config() -> None:
    """Check, show and write the configuration file."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Say whether FILE can be used, and where not.

    Example: forecourt config check otel-config.yaml
    """
    try:
        source = load(file)
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error
    for warning in source.warnings:
        click.echo(f"{file}: warning: {warning}", err=True)
    click.echo(f"{file}: ok")


@config.command()
@click.option("--config", "file", type=click.Path(path_type=Path), help="The configuration file.")
def show(file: Path | None) -> None:
    """Print the configuration in force, defaults filled in and secrets masked.

    Example: forecourt config show --config otel-config.yaml
    """
    try:
        source = load(file)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    content: Any = json.loads(source.configuration.model_dump_json(exclude_none=True, by_alias=True))
    click.echo(f"# in force: {source.name}")
    click.echo(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), nl=False)


@config.command()
@click.argument("file", type=click.Path(path_type=Path), default=FILE_NAME)
def init(file: Path) -> None:
    """Write the default configuration, every key explained, to FILE (otel-config.yaml).

    Example: forecourt config init
    """
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(packaged_default())
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror or error}") from error
    click.echo(f"{file}: written")
