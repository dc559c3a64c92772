"""A report as values: each section is a question that a command and a page answer too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.availability import Availability, availability, gaps
from analysis.bands import Bands
from analysis.engine import Engine
from analysis.errors import error_groups
from analysis.events import event_counts
from analysis.failed_logins import failed_logins
from analysis.host import parts_of, trends
from analysis.json_values import as_json, period_json
from analysis.period import Period
from analysis.queries import query_times
from analysis.requests import INDICATOR, RequestTimes, response_times, traffic
from analysis.security import login_failures, rate_limits

AVAILABILITY_TARGET = 0.995
TARGETS = {"mean": 1.0, "p95": 2.0, "p99": 5.0}
"""Seconds (the runbook's response time targets)."""
_TOP = 10
_CHART_PARTS = 56


def report(engine: Engine, period: Period, title: str, bands: Bands, alerts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that happened in the period, against the one before; `alerts` is what alerting tells of it."""
    before = period.before()
    whole, *routes = response_times(engine, period)
    earlier, *_ = response_times(engine, before)
    return {
        "title": title,
        **period_json(period),
        "seconds": period.seconds,
        "availability": _available(availability(engine, period), period),
        "requests": _requests(whole, earlier),
        "routes": [_route(one, bands) for one in sorted(routes, key=lambda one: -(one.p95 or 0))[:_TOP]],
        "chart": _chart(engine, period),
        "errors": [
            as_json(one, routes=dict(one.routes.most_common(3)), example=as_json(one.example) if one.example else None)
            for one in error_groups(engine, period)[:_TOP]
        ],
        "queries": [as_json(one) for one in sorted(query_times(engine, period), key=lambda one: -one.p95)[:_TOP]],
        "business": [
            as_json(one, success_rate=one.success_rate)
            for one in event_counts(engine, period, "business")
            if one.success_rate is not None
        ],
        "alerts": dict(alerts),
        "security": _security(engine, period),
        "capacity": [as_json(one) for one in trends(engine, period)],
        "gaps": [period_json(one) for one in gaps(engine, period)],
    }


def _available(found: Sequence[Availability], period: Period) -> dict[str, Any]:
    """The backend's is the app's; its budget is what the target leaves."""
    backend = next((one for one in found if one.target == "backend"), None)
    allowed = (1 - AVAILABILITY_TARGET) * period.seconds
    down = backend.down_seconds if backend else 0.0
    return {
        "target": AVAILABILITY_TARGET,
        "backend": backend.up if backend else None,
        "watched": backend.watched_seconds / period.seconds if backend else 0.0,
        "down_seconds": down,
        "budget_seconds": allowed,
        "budget_left": 1 - down / allowed if backend else None,
        "outages": [as_json(one) for one in backend.outages] if backend else [],
        "targets": [{"target": one.target, "up": one.up, "down_seconds": one.down_seconds} for one in found],
    }


def _requests(whole: RequestTimes, earlier: RequestTimes) -> dict[str, Any]:
    return {
        **as_json(whole, error_rate=whole.error_rate),
        "targets": dict(TARGETS),
        "met": {name: (value := getattr(whole, name)) is not None and value < TARGETS[name] for name in TARGETS},
        "before": as_json(earlier, error_rate=earlier.error_rate) if earlier.requests else None,
    }


def _route(one: RequestTimes, bands: Bands) -> dict[str, Any]:
    return as_json(one, error_rate=one.error_rate, band=bands.band(INDICATOR, "p95", one.p95, one.requests))


def _chart(engine: Engine, period: Period) -> list[dict[str, Any]]:
    parts = parts_of(period, _CHART_PARTS)
    return [
        {**period_json(part), "requests": one.requests, "errors": one.errors, "p95": one.p95}
        for part, one in zip(parts, traffic(engine, parts), strict=True)
    ]


def _security(engine: Engine, period: Period) -> dict[str, Any]:
    told = login_failures(engine, period)
    limited = rate_limits(engine, period)
    return {
        "failed_logins": len(told),
        "offenders": [as_json(one) for one in failed_logins(told)[:_TOP]],
        "rate_limited": sum(one.hits for one in limited),
        "rate_limited_addresses": len(limited),
    }
