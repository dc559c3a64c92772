"""Who uses the app: users, their sessions, and the features that they use."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.engine import Engine
from analysis.events import USER
from analysis.period import Period

_IDLE_NANO = 30 * 60 * 1_000_000_000
"""A user who comes back after half an hour begins a new session, as web analytics have it."""
_FAILED = "status_code IS NULL OR status_code >= 500"


@dataclass(frozen=True, slots=True)
class UserActivity:
    user: str
    requests: int
    errors: int
    routes: int
    events: int
    logins: int
    failed_logins: int
    first_unix_nano: int
    last_unix_nano: int


@dataclass(frozen=True, slots=True)
class FeatureUse:
    """A route's first part, or an event of the business; `users` only where the app tells them."""

    feature: str
    kind: str
    uses: int
    failures: int
    users: int
    last_unix_nano: int


@dataclass(frozen=True, slots=True)
class Sessions:
    """Times in seconds; `by_hour` counts beginnings by hour of day, UTC."""

    sessions: int
    users: int
    median_seconds: float | None
    p95_seconds: float | None
    mean_requests: float | None
    bounced: int
    """Sessions of a single request."""
    by_hour: tuple[int, ...]


def user_activity(engine: Engine, period: Period) -> list[UserActivity]:
    """The most active first."""
    rows = engine.sql(
        f"""
        WITH acted AS (
            SELECT performance.user AS name, event_unix_nano AS time, 1 AS request, {_FAILED} AS failed, route,
                   0 AS event, 0 AS login, 0 AS refused
            FROM performance WHERE performance.user IS NOT NULL
            UNION ALL
            SELECT {USER}, event_unix_nano, 0, false, NULL, 1, 0, 0 FROM business
            UNION ALL
            SELECT {USER}, event_unix_nano, 0, false, NULL, 1,
                   CASE WHEN event LIKE '%auth.login' AND outcome = 'success' THEN 1 ELSE 0 END,
                   CASE WHEN event LIKE '%auth.login' AND outcome = 'failure' THEN 1 ELSE 0 END
            FROM security
        )
        SELECT name, sum(request), count(*) FILTER (WHERE failed), count(DISTINCT route), sum(event), sum(login),
               sum(refused), min(time), max(time)
        FROM acted WHERE name IS NOT NULL GROUP BY name ORDER BY sum(request) + sum(event) DESC, name
        """,  # noqa: S608  # our own expressions
        (),
        period,
    )
    return [UserActivity(str(row[0]), *map(int, row[1:])) for row in rows]


def feature_use(engine: Engine, period: Period) -> list[FeatureUse]:
    """Routes and events, the most used first."""
    rows = engine.sql(
        f"""
        SELECT coalesce(method, '') || ' ' || route, 'route', count(*), count(*) FILTER (WHERE {_FAILED}),
               count(DISTINCT performance.user), max(event_unix_nano)
        FROM performance WHERE route <> '' GROUP BY method, route
        UNION ALL
        SELECT event, 'event', count(*), count(*) FILTER (WHERE outcome = 'failure'), count(DISTINCT {USER}),
               max(event_unix_nano)
        FROM business WHERE event IS NOT NULL GROUP BY event
        """,  # noqa: S608  # our own expressions
        (),
        period,
    )
    return sorted((FeatureUse(*row) for row in rows), key=lambda one: (-one.uses, one.feature))


def sessions(engine: Engine, period: Period) -> Sessions:
    """By the app's own session ids, else by user with half an hour of rest between two."""
    rows = engine.sql(
        f"""
        WITH acted AS (
            SELECT coalesce(performance.user, '') AS who, coalesce(session, '') AS session, event_unix_nano AS time
            FROM performance WHERE performance.user IS NOT NULL OR session IS NOT NULL
        ), rested AS (
            SELECT who, session, time, time - lag(time) OVER (PARTITION BY who, session ORDER BY time) AS rest
            FROM acted
        ), numbered AS (
            SELECT who, session, time,
                   sum(CASE WHEN rest IS NULL OR (session = '' AND rest > {_IDLE_NANO}) THEN 1 ELSE 0 END)
                   OVER (PARTITION BY who, session ORDER BY time ROWS UNBOUNDED PRECEDING) AS number
            FROM rested
        )
        SELECT who, session, min(time), max(time), count(*) FROM numbered GROUP BY who, session, number
        """,  # noqa: S608  # our own number
        (),
        period,
    ).rows
    users = {who or session for who, session, *_ in rows}
    return _sessions([(first, last, count) for _, _, first, last, count in rows], len(users))


def _sessions(begun: list[tuple[int, int, int]], users: int) -> Sessions:
    seconds = sorted((last - first) / 1e9 for first, last, _ in begun)
    hours = [0] * 24
    for first, _, _ in begun:
        hours[first // 3_600_000_000_000 % 24] += 1
    counts = [count for _, _, count in begun]
    return Sessions(
        len(begun),
        users,
        _quantile(seconds, 0.5),
        _quantile(seconds, 0.95),
        sum(counts) / len(counts) if counts else None,
        sum(count == 1 for count in counts),
        tuple(hours),
    )


def _quantile(ascending: list[float], q: float) -> float | None:
    """Linear between the two nearest ranks, as numpy has it."""
    if not ascending:
        return None
    rank = q * (len(ascending) - 1)
    below = int(rank)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (ascending[above] - ascending[below]) * (rank - below)
