"""Who knocked: logins, refusals by the rate limit, and what an operator should look at."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.engine import Engine
from analysis.events import USER
from analysis.failed_logins import Failure, failed_logins, spraying
from analysis.period import Period

_TOLD = "coalesce(attr(attributes, 'client.address'), attr(attributes, 'source.address'), '')"
_ADDRESS = f"CASE WHEN lower({_TOLD}) LIKE '::ffff:%.%' THEN substr({_TOLD}, 8) ELSE {_TOLD} END"
"""An IPv4 address that is written as an IPv6 one is the IPv4 one."""
_LOGIN = "(event = 'auth.login' OR event = 'fossa.auth.login')"
_LIMITED = "(event = 'rate_limit.exceeded' OR event = 'fossa.rate_limit.exceeded')"


@dataclass(frozen=True, slots=True)
class Logins:
    """Of one address or user."""

    key: str
    successes: int
    failures: int
    others: int
    """Users at an address, or addresses of a user."""
    first_unix_nano: int
    last_unix_nano: int


@dataclass(frozen=True, slots=True)
class Limited:
    """Of one address: how often it was refused, and where most."""

    address: str
    hits: int
    paths: int
    path: str
    users: int
    first_unix_nano: int
    last_unix_nano: int


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Something that an operator should look at; `count` is how often."""

    kind: str
    key: str
    count: int
    first_unix_nano: int
    last_unix_nano: int
    detail: str


def login_failures(engine: Engine, period: Period) -> list[Failure]:
    """Each failed login, oldest first."""
    rows = engine.sql(
        f"""
        SELECT event_unix_nano, {_ADDRESS}, coalesce({USER}, '')
        FROM security WHERE {_LOGIN} AND outcome = 'failure' ORDER BY event_unix_nano
        """,  # noqa: S608  # our own expressions
        (),
        period,
    )
    return [Failure(*row) for row in rows]


def tells_of_logins(engine: Engine, period: Period) -> bool:
    """Whether any login, failed or not, was told: where none is, that none failed means nothing."""
    return bool(engine.sql(f"SELECT 1 FROM security WHERE {_LOGIN} LIMIT 1", (), period).rows)  # noqa: S608  # our own text


def logins(engine: Engine, period: Period, *, by_user: bool = False) -> list[Logins]:
    """By address or by user, those with the most failures first."""
    one, other = (USER, _ADDRESS) if by_user else (_ADDRESS, USER)
    rows = engine.sql(
        f"""
        SELECT coalesce({one}, ''), count(*) FILTER (WHERE outcome = 'success'),
               count(*) FILTER (WHERE outcome = 'failure'), count(DISTINCT nullif({other}, '')),
               min(event_unix_nano), max(event_unix_nano)
        FROM security WHERE {_LOGIN} GROUP BY coalesce({one}, '')
        ORDER BY count(*) FILTER (WHERE outcome = 'failure') DESC, count(*) DESC, 1
        """,  # noqa: S608  # our own expressions
        (),
        period,
    )
    return [Logins(*row) for row in rows]


def rate_limits(engine: Engine, period: Period) -> list[Limited]:
    """By address, those that were refused most first."""
    rows = engine.sql(
        f"""
        WITH hits AS (
            SELECT {_ADDRESS} AS address, coalesce(attr(attributes, 'url.path'), attr(attributes, 'http.route'), '')
                   AS path, {USER} AS name, event_unix_nano
            FROM security WHERE {_LIMITED}
        ), paths AS (
            SELECT address, path, count(*) AS times FROM hits GROUP BY address, path
        ), most AS (
            SELECT address, max_by(path, times) AS path FROM paths GROUP BY address
        )
        SELECT hits.address, count(*), count(DISTINCT hits.path), max(most.path), count(DISTINCT name),
               min(event_unix_nano), max(event_unix_nano)
        FROM hits JOIN most ON hits.address = most.address
        GROUP BY hits.address ORDER BY count(*) DESC, hits.address
        """,  # noqa: S608  # our own expressions
        (),
        period,
    )
    return [Limited(*row) for row in rows]


def suspicions(engine: Engine, period: Period, threshold: int, within_seconds: float) -> list[Suspicion]:
    """Brute force, spraying, a success after many failures, refusals and refused tokens; the most frequent first."""
    told = login_failures(engine, period)
    found = [
        Suspicion(
            f"failed logins of one {one.kind}",
            one.key,
            one.failures,
            one.first_unix_nano,
            one.last_unix_nano,
            f"{one.episodes} times {threshold} or more within {within_seconds / 60:g} min",
        )
        for one in failed_logins(told, threshold, within_seconds)
    ]
    found += [
        Suspicion(
            "password spraying",
            one.key,
            one.failures,
            one.first_unix_nano,
            one.last_unix_nano,
            f"tries {one.users} users",
        )
        for one in spraying(told, within_seconds=within_seconds)
    ]
    found += _broken_in(engine, period, threshold)
    found += [
        Suspicion(
            "rate limit",
            one.address,
            one.hits,
            one.first_unix_nano,
            one.last_unix_nano,
            f"mostly {one.path}" if one.path else "",
        )
        for one in rate_limits(engine, period)
    ]
    found += _refused_tokens(engine, period)
    return sorted(found, key=lambda one: (one.kind != _BREACH, -one.count))


_BREACH = "login after many failures"


def _broken_in(engine: Engine, period: Period, threshold: int) -> list[Suspicion]:
    """Addresses that got in after so many failures since they last did: somebody may have found a password."""
    rows = engine.sql(
        f"""
        SELECT {_ADDRESS} AS address, outcome, event_unix_nano, coalesce({USER}, '') AS name
        FROM security WHERE {_LOGIN} AND {_ADDRESS} <> '' ORDER BY event_unix_nano
        """,  # noqa: S608  # our own expressions
        (),
        period,
    )
    failed: dict[str, list[int]] = {}
    found: dict[str, Suspicion] = {}
    for address, outcome, time, name in rows:
        if outcome == "failure":
            failed.setdefault(address, []).append(time)
        elif outcome == "success":
            tries = failed.pop(address, [])
            known = found.get(address)
            if len(tries) >= threshold and (known is None or len(tries) > known.count):
                detail = f"then in as {name or 'somebody'}"
                found[address] = Suspicion(_BREACH, address, len(tries), tries[0], time, detail)
    return list(found.values())


def _refused_tokens(engine: Engine, period: Period) -> list[Suspicion]:
    rows = engine.sql(
        f"""
        SELECT {_ADDRESS} AS address, count(*), min(event_unix_nano), max(event_unix_nano), min(event)
        FROM security WHERE outcome = 'failure' AND NOT {_LOGIN} AND NOT {_LIMITED}
        GROUP BY {_ADDRESS}, event ORDER BY count(*) DESC
        """,  # noqa: S608  # our own expressions
        (),
        period,
    )
    return [Suspicion(event, address, count, first, last, "") for address, count, first, last, event in rows]
