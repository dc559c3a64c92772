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
