"""`forecourt security`."""

from __future__ import annotations

from typing import Any

import click

from operations.durations import DURATION
from operations.lazy_group import LazyGroup
from operations.reading import answer, reading_options


@click.group(cls=LazyGroup)
def security() -> None:
    """Who knocks: logins, failed logins, refusals by the rate limit."""


@security.command()
@reading_options("24h", follow=True)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many rows.")
def auth(**given: Any) -> None:
    """Logins by address and by user, those with the most failures first.

    Example: forecourt security auth --last 24h
    """
    answer("security:auth", given)


@security.command("failed-logins")
@reading_options("24h")
@click.option("--threshold", type=click.IntRange(1), default=5, show_default=True, help="So many failures …")
@click.option("--within", type=DURATION, default="15min", show_default=True, help="… within so long a time.")
def failed_logins(**given: Any) -> None:
    """Addresses and users that failed too often; an episode is over when it has held no more for so long.

    Example: forecourt security failed-logins --threshold 5 --within 15min --last 7days
    """
    answer("security:failed", given)


@security.command("rate-limits")
@reading_options("24h", follow=True)
@click.option("--top-ips", type=click.IntRange(1), default=10, show_default=True, help="At most so many addresses.")
def rate_limits(**given: Any) -> None:
    """Addresses that the rate limit refused, the most frequent first.

    Example: forecourt security rate-limits --top-ips 10
    """
    answer("security:limits", given)


@security.group(cls=LazyGroup)
def anomalies() -> None:
    """Attacks and oddities: what, by which rule, on what evidence, and how to let it be."""


_AT_MOST = click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")


@anomalies.command("auth")
@reading_options("24h")
@_AT_MOST
def anomalies_auth(**given: Any) -> None:
    """Guessed and sprayed passwords, stolen lists of them, and logins that succeeded after it.

    Example: forecourt security anomalies auth --last 24h
    """
    answer("attacks:auth", given)


@anomalies.command("user")
@reading_options("24h")
@_AT_MOST
def anomalies_user(**given: Any) -> None:
    """Logins that are odd for their user: new networks, new browsers, unusual hours.

    Example: forecourt security anomalies user --last 7days
    """
    answer("attacks:user", given)


@anomalies.command("access")
@reading_options("24h")
@_AT_MOST
def anomalies_access(**given: Any) -> None:
    """Addresses that scan for paths or run into the rate limit, and what your own rules are about.

    Example: forecourt security anomalies access --last 24h
    """
    answer("attacks:access", given)


@anomalies.command("data")
@reading_options("24h")
@_AT_MOST
def anomalies_data(**given: Any) -> None:
    """Exports that are more, or more often, than usual.

    Example: forecourt security anomalies data --last 24h
    """
    answer("attacks:data", given)
