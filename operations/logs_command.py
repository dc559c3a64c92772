"""`forecourt logs`."""

from __future__ import annotations

from typing import Any

import click

from operations.durations import DURATION
from operations.lazy_group import Later, LazyGroup
from operations.reading import answer, reading_options

_LIMIT = click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many rows.")
_SERVICE = click.option("--service", help="Only of this service.")


_LATER = {"import": Later("operations.import_command", "import_", "Take in the logs of others.")}


@click.group(cls=LazyGroup, later=_LATER)
def logs() -> None:
    """Read the records with their meaning: errors in groups, slow queries and requests, events; or follow them."""


@logs.command()
@reading_options("1h", follow=True)
@click.option("--level", default="info", show_default=True, help="The least severity: debug, info, warn, error, fatal.")
@click.option("--contains", help="Only lines with this text.")
@_SERVICE
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many lines.")
def show(**given: Any) -> None:
    """Log records, oldest first; with --follow they go on as they arrive.

    Example: forecourt logs show --level warn --follow
    """
    answer("logs:records", given)


@logs.command()
@click.argument("trace_id")
@reading_options("24h")
def trace(**given: Any) -> None:
    """What one request did: its spans below each other, how long each took, its queries, errors and log lines.

    Example: forecourt logs trace 4bf92f3577b34da6a3ce929d0e0e4736
    """
    answer("traces:tree", given)


@logs.command()
@reading_options("1h", follow=True)
@_SERVICE
@_LIMIT
def errors(**given: Any) -> None:
    """Errors by type and normalised message: count, trend, first and last seen, routes, the trace of the last.

    Example: forecourt logs errors --last 1h
    """
    answer("errors:groups", given)


@logs.command("slow-queries")
@reading_options("1h", follow=True)
@click.option("--threshold", type=DURATION, default="1000ms", show_default=True, help="What counts as slow.")
@_LIMIT
def slow_queries(**given: Any) -> None:
    """Statements without their values that took long, with their count, routes and a trace.

    Example: forecourt logs slow-queries --threshold 500ms --last 24h
    """
    answer("database:slow", given)


@logs.command()
@reading_options("1h", follow=True)
@click.option("--threshold", type=DURATION, default="2s", show_default=True, help="What counts as slow.")
@_LIMIT
def performance(**given: Any) -> None:
    """The slowest requests, with their routes and traces.

    Example: forecourt logs performance --threshold 5s --last 3h
    """
    answer("requests:slow", given)


@logs.command()
@reading_options("24h", follow=True)
@click.option("--suspicious", is_flag=True, help="What an operator should look at, in place of the events.")
@click.option("--summary", is_flag=True, help="Events by name, with their outcomes.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many events.")
def security(**given: Any) -> None:
    """Security events, or who is suspicious: brute force, spraying, a login after many failures, refusals.

    Example: forecourt logs security --suspicious --last 24h
    """
    answer("security:events", given)


@logs.command()
@reading_options("24h", follow=True)
@click.option("--summary", is_flag=True, help="Events by name, with their outcomes.")
@click.option("--event", multiple=True, help="Only this event, or those whose names begin with it.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many events.")
def business(**given: Any) -> None:
    """Business events as they were, or counted by name.

    Example: forecourt logs business --summary
    """
    answer("events:business", given)


@logs.command()
@reading_options("24h", follow=True)
@click.option("--event", multiple=True, help="Only this event, or those whose names begin with it.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many events.")
def system(**given: Any) -> None:
    """What services did: started, stopped, restarted, fell silent, hung; and what the sidecar did.

    Example: forecourt logs system --last 7days
    """
    answer("events:system", given)
