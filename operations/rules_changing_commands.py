"""`forecourt rules review|tune|enable`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from operations.options import CONFIG
from operations.reading import answer, reading_options


@click.command()
@reading_options("30days")
def review(**given: Any) -> None:
    """Every rule with its alerts: which are noisy, which flap, which are silent, and what to do about it.

    Example: forecourt rules review --last 30days
    """
    answer("rule_review:review", given)


@click.command()
@click.argument("names", metavar="[RULE]...", nargs=-1)
@reading_options("30days")
@click.option(
    "--a-week", type=click.FloatRange(0.1), default=1.0, show_default=True, help="How many alerts are bearable."
)
@click.option("--write", is_flag=True, help="Change the configuration file; its comments stay.")
def tune(**given: Any) -> None:
    """Propose bounds from the past, with the alerts that both would have brought; none is ever made stricter.

    Example: forecourt rules tune http.server.p95 --last 30days
    """
    answer("rule_tuning:tune", given)


@click.command()
@click.argument("group", metavar="[GROUP]", default="")
@click.option("--disable", is_flag=True, help="Switch them off instead.")
@click.option("--write", is_flag=True, help="Change the configuration file; its comments stay.")
@CONFIG
def enable(group: str, disable: bool, write: bool, config: Path | None) -> None:  # noqa: FBT001  # click's
    """Switch the rules of GROUP on (http, host, db, security …), or list the groups.

    Example: forecourt rules enable security
    """
    from operations.rule_groups import change_group, tell_groups  # noqa: PLC0415  # a quarter of a second

    if group:
        change_group(group, config, enabled=not disable, write=write)
    else:
        tell_groups(config)
