"""`stats users|features|sessions`."""

from __future__ import annotations

import click

from alerting.chart import sparkline
from alerting.plain_text import plain
from analysis.json_values import as_json, period_json
from analysis.users import feature_use, sessions, user_activity
from operations.reading import Answer, Reading
from operations.tables import lasted, moment, period_text, share_text, show_table


def users(reading: Reading, limit: int) -> Answer:
    """The most active first."""
    period = reading.period
    found = user_activity(reading.engine, period)
    content = {**period_json(period), "active": len(found), "users": [as_json(one) for one in found[:limit]]}

    def show() -> None:
        click.echo(period_text(period))
        click.echo(f"{len(found)} active users" if found else "no user is named in any record")
        if found:
            columns = ("user", "requests", "failed", "routes", "events", "logins", "refused", "first", "last")
            rows = [
                (
                    plain(one.user, 50),
                    f"{one.requests:,}",
                    one.errors,
                    one.routes,
                    one.events,
                    one.logins,
                    one.failed_logins,
                    moment(one.first_unix_nano),
                    moment(one.last_unix_nano),
                )
                for one in found[:limit]
            ]
            show_table(columns, rows, right=columns[1:7], spare=("first", "routes", "events"))

    return Answer(content, show)


def features(reading: Reading, limit: int) -> Answer:
    """Routes and business events, the most used first."""
    period = reading.period
    found = feature_use(reading.engine, period)
    uses = sum(one.uses for one in found)
    content = {**period_json(period), "features": [as_json(one) for one in found[:limit]]}

    def show() -> None:
        click.echo(period_text(period))
        if not found:
            click.echo("nothing was used")
            return
        columns = ("feature", "kind", "uses", "share", "failed", "users", "last")
        rows = [
            (
                plain(one.feature, 70),
                one.kind,
                f"{one.uses:,}",
                share_text(one.uses / uses),
                share_text(one.failures / one.uses),
                one.users or "",
                moment(one.last_unix_nano),
            )
            for one in found[:limit]
        ]
        show_table(columns, rows, right=columns[2:6], spare=("last",))

    return Answer(content, show)


def session_lengths(reading: Reading) -> Answer:
    """How many, how long, and when they begin."""
    period = reading.period
    found = sessions(reading.engine, period)
    content = {**period_json(period), **as_json(found)}

    def show() -> None:
        click.echo(period_text(period))
        if not found.sessions:
            click.echo("no request names a user or a session")
            return
        click.echo(f"{found.sessions:,} sessions of {found.users:,} users")
        click.echo(f"length   median {lasted(found.median_seconds or 0)}, p95 {lasted(found.p95_seconds or 0)}")
        click.echo(f"requests {found.mean_requests:.1f} on average; {found.bounced:,} sessions had only one")
        click.echo(f"by hour  {sparkline(found.by_hour)}  (0 to 23 h UTC)")

    return Answer(content, show)
