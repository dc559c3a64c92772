"""`forecourt report`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from operations.lazy_group import LazyGroup
from operations.reading import answer, reading_options, with_output

_FORM = click.option(
    "--format",
    "form",
    type=click.Choice(["html", "markdown", "json"]),
    default="html",
    show_default=True,
    help="One HTML file with everything in it, or Markdown, or values.",
)
_OUTPUT = click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="The file, or - for the terminal; without it one named by its day.",
)
_EMAIL = click.option("--email", is_flag=True, help="Send it to the addresses of the receiver `email`.")


def _form_options(command: Callable[..., Any]) -> Callable[..., Any]:
    return _FORM(_OUTPUT(_EMAIL(command)))


@click.group(cls=LazyGroup)
def report() -> None:
    """What happened in a week or a month, and how well the monitoring itself does."""


@report.command()
@_form_options
@reading_options("7days")
def weekly(**given: Any) -> None:
    """The last seven days: availability, response times, errors, business, alerts, security, capacity.

    Example: forecourt report weekly --output week.html
    """
    answer("reports:weekly", with_output(given))


@report.command()
@_form_options
@reading_options("30days")
def monthly(**given: Any) -> None:
    """The last thirty days, as `weekly`.

    Example: forecourt report monthly --format markdown --output month.md
    """
    answer("reports:monthly", with_output(given))


@report.command()
@reading_options("30days")
def review(**given: Any) -> None:
    """The monitoring itself: is it well, which rules are noisy or silent, what it stores, what it misses.

    Example: forecourt report review
    """
    answer("coverage:review", given)


@report.command()
@reading_options("7days")
def coverage(**given: Any) -> None:
    """Routes, jobs, tables and targets without a rule or without telemetry.

    Example: forecourt report coverage
    """
    answer("coverage:coverage", given)
