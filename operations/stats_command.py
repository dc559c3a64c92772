"""`forecourt stats`."""

from __future__ import annotations

from typing import Any

import click

from operations.lazy_group import LazyGroup
from operations.reading import answer, reading_options

_LIMIT = click.option("--limit", type=click.IntRange(1), default=30, show_default=True, help="At most so many rows.")


@click.group(cls=LazyGroup)
def stats() -> None:
    """Reckon how the app does: response times, errors, the database, the host, the business, its users."""


@stats.command("response-times")
@reading_options("1h")
@click.option("--service", help="Only services with this text in their names.")
@click.option("--route", help="Only routes with this text in their names.")
@click.option("--minimum", type=click.IntRange(1), default=30, show_default=True, help="Fewer are judged by nobody.")
def response_times(**given: Any) -> None:
    """By route: requests, error rate, percentiles, the bands that they are in, and against the day before.

    Example: forecourt stats response-times --last 24h
    """
    answer("requests:times", given)


@stats.command()
@reading_options("24h")
@click.option("--service", help="Only of this service.")
@_LIMIT
def errors(**given: Any) -> None:
    """Errors by type and normalised message, with their trend.

    Example: forecourt stats errors --last 7days
    """
    answer("errors:groups", given)


@stats.command()
@reading_options("24h")
@_LIMIT
def database(**given: Any) -> None:
    """Kinds of statements: how many, how long they took, in which band; and the connection pools.

    Example: forecourt stats database --last 1h
    """
    answer("database:times", given)


@stats.command()
@reading_options("24h")
def memory(**given: Any) -> None:
    """The host's memory, and each process's with how fast it grows.

    Example: forecourt stats memory --last 24h
    """
    answer("host:memory", given)


@stats.command()
@reading_options("7days")
@click.option("--trend", is_flag=True, help="Where memory and disks are going, and when they are full.")
def resources(**given: Any) -> None:
    """Processors, memory, disks and connection pools.

    Example: forecourt stats resources --trend
    """
    answer("host:resources", given)


@stats.command("work-orders")
@reading_options("24h", follow=True)
@click.option("--failures", is_flag=True, help="Only why they failed.")
@click.option("--times", is_flag=True, help="Only how long they took.")
def work_orders(**given: Any) -> None:
    """Jobs and work orders: how many succeeded, how long they took, why others failed.

    Example: forecourt stats work-orders --failures --last 7days
    """
    answer("events:work_orders", given)


@stats.command()
@reading_options("24h", follow=True)
@click.option("--success", is_flag=True, help="Only how many succeeded.")
def automation(**given: Any) -> None:
    """Form automation: how many jobs succeeded, how long they took, why others failed.

    Example: forecourt stats automation --last 7days
    """
    answer("events:automation", given)


@stats.command()
@reading_options("24h", follow=True)
def sync(**given: Any) -> None:
    """Synchronisation of work orders: how often it succeeded, how long it took, why it failed.

    Example: forecourt stats sync --last 7days
    """
    answer("events:sync", given)


@stats.command()
@reading_options("7days")
@_LIMIT
def users(**given: Any) -> None:
    """Who was active: requests, events, logins.

    Example: forecourt stats users --last 24h
    """
    answer("users:users", given)


@stats.command()
@reading_options("7days")
@_LIMIT
def features(**given: Any) -> None:
    """Which routes and operations are used, how often and by how many users.

    Example: forecourt stats features --last 30days
    """
    answer("users:features", given)


@stats.command()
@reading_options("7days")
def sessions(**given: Any) -> None:
    """How many sessions, how long they are, and at which hours they begin.

    Example: forecourt stats sessions --last 7days
    """
    answer("users:session_lengths", given)
