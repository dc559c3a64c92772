"""Options that mean the same wherever they stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

CONFIG = click.option("--config", type=click.Path(path_type=Path), help="The configuration file.")
LOGS = click.option("--logs", type=click.Path(path_type=Path), help="The folder of the records.")


def json_instead_of(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--json`, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=f"JSON instead of {what}.")


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config` and `--logs`."""
    return CONFIG(LOGS(command))
