"""Which version of a service ran when: told by its starts, which the judge writes into the stream `system`."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.engine import Engine
from analysis.period import DAY_NANO, Period

_BEFORE_NANO = 30 * DAY_NANO
"""So long before a period a start still tells what ran when it began."""
_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Deployment:
    """The first start of a service with another version than it had."""

    time_unix_nano: int
    service: str
    version: str
    previous: str


def deployments(engine: Engine, period: Period) -> list[Deployment]:
    """Newest first; of a service that was never seen before, its first version is none."""
    found, _ = _followed(engine, period)
    return sorted(
        (one for one in found if period.holds(one.time_unix_nano)),
        key=lambda one: (-one.time_unix_nano, one.service, one.version),
    )


def versions(engine: Engine, period: Period) -> dict[str, str]:
    """By service the version that it started with last, at the end of the period."""
    _, running = _followed(engine, period)
    return running


def _followed(engine: Engine, period: Period) -> tuple[list[Deployment], dict[str, str]]:
    """From start to start; what ran beside a new version is known to the judge only.

    A service that stops before its new version starts has no `service.version_changed`.
    """
    found: dict[tuple[str, int, str], Deployment] = {}
    running: dict[str, str] = {}
    for time, service, version, previous in _starts(engine, period):
        known = running.get(service) if previous is None else previous
        if known is not None and known != version:
            found.setdefault((service, time, version), Deployment(time, service, version, known))
        running[service] = version
    return list(found.values()), running


def _starts(engine: Engine, period: Period) -> list[tuple[int, str, str, str | None]]:
    """Time, service, version, and where the judge knew it what ran before; a change stands behind its start."""
    looked_at = Period(max(0, period.start_unix_nano - _BEFORE_NANO), period.end_unix_nano)
    return engine.sql(
        f"""
        SELECT event_unix_nano, left(service, {_LENGTH}), left(attr(attributes, 'service.version'), {_LENGTH}),
            CASE WHEN event = 'service.version_changed'
                THEN left(coalesce(attr(attributes, 'service.version.before'), ''), {_LENGTH}) END
        FROM system
        WHERE event IN ('service.started', 'service.restarted', 'service.version_changed')
            AND attr(attributes, 'service.version') <> '' AND service IS NOT NULL
        ORDER BY event_unix_nano, event
        """,  # noqa: S608  # our own numbers
        (),
        looked_at,
    ).rows
