"""`security auth|failed-logins|rate-limits` and `logs security`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from alerting.plain_text import plain
from analysis.failed_logins import Offender, failed_logins
from analysis.json_values import as_json, period_json, rfc3339
from analysis.security import Limited, Logins, Suspicion, login_failures, logins, rate_limits, suspicions
from operations.answers.events import following, last_ones, outcomes
from operations.reading import Answer, Reading
from operations.tables import moment, period_text, show_table

_THRESHOLD = 5
_WITHIN_SECONDS = 900.0


def auth(reading: Reading, limit: int) -> Answer:
    """Logins by address and by user, those with the most failures first."""
    period, engine = reading.period, reading.engine
    addresses, users = logins(engine, period), logins(engine, period, by_user=True)
    successes, failures = sum(one.successes for one in users), sum(one.failures for one in users)
    content = {
        **period_json(period),
        "successes": successes,
        "failures": failures,
        "addresses": [as_json(one) for one in addresses[:limit]],
        "users": [as_json(one) for one in users[:limit]],
    }

    def show() -> None:
        click.echo(period_text(period))
        if not users:
            click.echo('no login was told: event("auth.login", outcome=…) does, see docs/instrumentation.md')
            return
        click.echo(f"{successes:,} logins succeeded, {failures:,} failed")
        for title, others, found in (("address", "users", addresses), ("user", "addresses", users)):
            columns = (title, "failed", "succeeded", others, "first", "last")
            show_table(columns, [_login_row(one) for one in found[:limit]], right=columns[1:4], spare=("first",))

    return Answer(content, show, following=following("security", ("auth",)))


def _login_row(one: Logins) -> Sequence[object]:
    first, last = moment(one.first_unix_nano), moment(one.last_unix_nano)
    return plain(one.key or "not said", 50), f"{one.failures:,}", f"{one.successes:,}", one.others or "", first, last


def failed(reading: Reading, threshold: int, within: float) -> Answer:
    """Addresses and users with so many failures within so long a time."""
    period = reading.period
    found = failed_logins(login_failures(reading.engine, period), threshold, within)
    content = [
        {
            "kind": one.kind,
            "key": one.key,
            "failures": one.failures,
            "episodes": one.episodes,
            "first": rfc3339(one.first_unix_nano),
            "last": rfc3339(one.last_unix_nano),
        }
        for one in found
    ]

    def show() -> None:
        click.echo(period_text(period))
        if not found:
            click.echo(f"nobody failed {threshold} times within {within / 60:g} min")
            return
        columns = ("kind", "who", "failures", "episodes", "first", "last")
        show_table(columns, map(_offender_row, found), right=("failures", "episodes"), spare=("first",))

    return Answer(content, show)


def _offender_row(one: Offender) -> Sequence[object]:
    first, last = moment(one.first_unix_nano), moment(one.last_unix_nano)
    return one.kind, plain(one.key, 50), f"{one.failures:,}", one.episodes, first, last


def limits(reading: Reading, top_ips: int) -> Answer:
    """Addresses that the rate limit refused, the most frequent first."""
    period = reading.period
    found = rate_limits(reading.engine, period)
    hits = sum(one.hits for one in found)
    content = {
        **period_json(period),
        "hits": hits,
        "addresses": len(found),
        "top": [as_json(one) for one in found[:top_ips]],
    }

    def show() -> None:
        click.echo(period_text(period))
        if not found:
            click.echo("the rate limit refused nobody")
            return
        click.echo(f"{hits:,} refusals of {len(found):,} addresses")
        columns = ("address", "refused", "paths", "mostly", "users", "first", "last")
        show_table(
            columns, map(_limited_row, found[:top_ips]), right=("refused", "paths", "users"), spare=("users", "first")
        )

    return Answer(content, show, following=following("security", ("rate_limit",)))


def _limited_row(one: Limited) -> Sequence[object]:
    first, last = moment(one.first_unix_nano), moment(one.last_unix_nano)
    address, path = plain(one.address or "not said", 50), plain(one.path or "", 60)
    return address, f"{one.hits:,}", one.paths, path, one.users or "", first, last


def events(reading: Reading, suspicious: bool, summary: bool, limit: int) -> Answer:  # noqa: FBT001  # from click
    """What an operator should look at; or events by name; or the last ones as they were."""
    if suspicious:
        return _suspicious(reading)
    return outcomes(reading, "security", ()) if summary else last_ones(reading, "security", (), limit)


def _suspicious(reading: Reading) -> Answer:
    period = reading.period
    found = suspicions(reading.engine, period, _THRESHOLD, _WITHIN_SECONDS)
    content = {**period_json(period), "suspicious": [as_json(one) for one in found]}

    def show() -> None:
        click.echo(period_text(period))
        if not found:
            click.echo("nothing suspicious")
            return
        columns = ("what", "who", "count", "detail", "first", "last")
        show_table(columns, map(_suspicion_row, found), right=("count",), spare=("first",))

    return Answer(content, show, following=following("security", ()))


def _suspicion_row(one: Suspicion) -> Sequence[object]:
    first, last = moment(one.first_unix_nano), moment(one.last_unix_nano)
    return one.kind, plain(one.key or "not said", 50), f"{one.count:,}", plain(one.detail, 60), first, last
