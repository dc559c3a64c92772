"""`--last 24h`, or `--from` and `--to`: which part of the records a command reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from analysis.period import Period
from operations.durations import DURATION

ALL = "all there is"
"""A period that begins with the first record."""
_NANO = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_NANO = 2**63 - 1
"""In the year 2262; the columns have no room for more."""


@dataclass(frozen=True, slots=True)
class OpenPeriod:
    """From `start` on and before `end`, in nanoseconds since 1970; to the last record if `end` is None."""

    start_unix_nano: int = 0
    end_unix_nano: int | None = None


class _Moment(click.ParamType[int]):
    """Nanoseconds since 1970; what no record can have becomes the first or last time that one can."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"{value!r} is not a time, for example 2026-11-23, 2026-11-23T10:30 or 2026-11-23T10:30:00Z", param, ctx
            )
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        since = moment - _EPOCH
        nano = (since.days * 86400 + since.seconds) * _NANO + since.microseconds * 1000
        return min(max(0, nano), _LAST_NANO)


MOMENT = _Moment()


def period_options(command: Callable[..., Any], default: str = ALL) -> Callable[..., Any]:
    """Adds the options; `period_of` and `definite_period` read them."""
    last = f"So long before now, for example 24h.  [default: {default}]"
    for option in (
        click.option("--to", "until", type=MOMENT, help="The end; UTC unless it says otherwise."),
        click.option("--from", "since", type=MOMENT, help="The beginning, for example 2026-11-23T10:30."),
        click.option("--last", type=DURATION, help=last),
    ):
        command = option(command)
    return command


def period_of(last: float | None, since: int | None, until: int | None) -> OpenPeriod:
    """All there is without options; raise click.UsageError for those that exclude each other."""
    if last is not None and (since is not None or until is not None):
        raise click.UsageError("--last excludes --from and --to")
    if last is not None and last <= 0:
        raise click.UsageError("--last needs some time, for example --last 24h")
    if last is not None:
        return OpenPeriod(max(0, time.time_ns() - int(last * 1e9)), None)
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--from is not before --to")
    return OpenPeriod(since or 0, until)


def definite_period(last: float | None, since: int | None, until: int | None, default_seconds: float) -> Period:
    """The default length up to now without options; raise click.UsageError as `period_of`, or for what is to come."""
    now = time.time_ns()
    if last is None and since is None:
        end = until if until is not None else now
        return Period(max(0, end - int(default_seconds * 1e9)), end)
    given = period_of(last, since, until)
    if given.end_unix_nano is None and given.start_unix_nano >= now:
        raise click.UsageError("--from is not before now")
    return Period(given.start_unix_nano, given.end_unix_nano if given.end_unix_nano is not None else now)
