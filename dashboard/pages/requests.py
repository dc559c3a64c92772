"""Requests: which routes are slow or fail, and who was hit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.bands import band_of
from analysis.engine import Engine
from analysis.latency import EVERY_ROUTE, LatencyMap, RouteFilter, latency_map, route_course
from analysis.period import DAY_NANO, HOUR_NANO, Period
from analysis.requests import RequestTimes, response_times
from analysis.route_requests import Request, requests_of
from dashboard.bands import band_ranges, rules_of
from dashboard.charts import Line, bars, heatmap, lines
from dashboard.page import Asked, Page
from processors.evaluation import format_value

_MOST_ROUTES = 200
_MAP_PARTS = 48
_RAW_NANO = 24 * HOUR_NANO
"""Beyond this nobody reads every request to list the slowest."""
_REQUESTS = 100
_MILLI = 1_000_000
_ORDERS = ("slowest", "failed", "newest")
_STATUSES = ("", "2xx", "3xx", "4xx", "5xx", "none")
_SORTS: dict[str, Callable[[RequestTimes], float]] = {
    "requests": lambda one: one.requests,
    "errors": lambda one: one.errors,
    "rate": lambda one: one.error_rate or 0.0,
    "p50": lambda one: one.p50 or 0.0,
    "p95": lambda one: one.p95 or 0.0,
    "p99": lambda one: one.p99 or 0.0,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A route beside itself a day before; shares are changes, None where there was nothing to compare with."""

    times: RequestTimes
    band: str
    per_second: float
    requests_change: float | None
    p95_change: float | None


async def listed(asked: Asked) -> dict[str, Any]:
    period, ask = asked.view.period, asked.records.ask
    now, before, cells = await asyncio.gather(
        ask(response_times, period),
        ask(response_times, _before(period)),
        ask(_map, asked.view.parts(_MAP_PARTS), EVERY_ROUTE),
    )
    whole, *routes = now
    wanted = asked.text("route").lower()
    sort = asked.choice("sort", tuple(_SORTS))
    shown = sorted(
        (one for one in routes if wanted in f"{one.method} {one.route}".lower()), key=_SORTS[sort], reverse=True
    )
    earlier = {(one.service, one.method, one.route): one for one in before[1:]}
    return {
        "whole": _row(asked, whole, before[0], period),
        "rows": [
            _row(asked, one, earlier.get((one.service, one.method, one.route)), period) for one in shown[:_MOST_ROUTES]
        ],
        "hidden": max(0, len(shown) - _MOST_ROUTES),
        "sort": sort,
        "sorts": tuple(_SORTS),
        "route": asked.text("route"),
        "map": _heatmap(asked, cells, EVERY_ROUTE),
        "before": "the same time a day before" if period.nanos <= DAY_NANO else "the time before it",
        "services": len({one.service for one in routes}) > 1,
    }


PAGE = Page("/requests", "Requests", "requests.html.j2", listed)


def _before(period: Period) -> Period:
    """The same time a day before; of what is longer than a day, the one just before."""
    return period.shifted(-DAY_NANO) if period.nanos <= DAY_NANO else period.before()


def _map(engine: Engine, parts: tuple[Period, ...], only: RouteFilter) -> LatencyMap:
    return latency_map(engine, parts, only)


def _course(engine: Engine, parts: tuple[Period, ...], only: RouteFilter) -> list[RequestTimes]:
    return route_course(engine, parts, only)


def _row(asked: Asked, one: RequestTimes, before: RequestTimes | None, period: Period) -> Row:
    rule = rules_of(asked.site).get("http.server.p95")
    band = "no data" if one.p95 is None else band_of(rule.bands, one.p95) if rule else "normal"
    return Row(
        one,
        band,
        one.requests / period.seconds,
        _change(one.requests, before.requests if before else None),
        _change(one.p95, before.p95 if before else None),
    )


def _change(now: float | None, before: float | None) -> float | None:
    return now / before - 1 if now is not None and before else None


def _heatmap(asked: Asked, cells: LatencyMap, only: RouteFilter) -> dict[str, Any]:
    parts = asked.view.parts(_MAP_PARTS)
    bounds = cells.bounds_seconds
    rows = [f"up to {format_value(high, 's')}" for high in bounds[1:]]
    opens = asked.view.link(
        "/traces",
        from_="{from}",
        to="{to}",
        least="{low}",
        most="{high}",
        order="slowest",
        service=only.service,
        name=only.route,
    )
    return heatmap(
        [part.start_unix_nano // _MILLI for part in parts],
        rows,
        cells.counts,
        bounds_seconds=bounds if rows else (),
        opens=_with_places(opens),
    )


def _with_places(link: str) -> str:
    """Where a chart puts its values in."""
    return link.replace("%7B", "{").replace("%7D", "}")


async def one(asked: Asked) -> dict[str, Any]:
    """Of the route that `service`, `method` and `route` name."""
    only = RouteFilter(*(asked.query.get(name, "")[:1000] or None for name in ("service", "method", "route")))
    parts, period = asked.view.parts(), asked.view.period
    order, status = asked.choice("order", _ORDERS), asked.choice("status", _STATUSES)
    listable = period.nanos <= _RAW_NANO
    course, cells, found = await asyncio.gather(
        asked.records.ask(_course, parts, only),
        asked.records.ask(_map, asked.view.parts(_MAP_PARTS), only),
        asked.records.ask(_requests, period, only, order, status) if listable else _nothing(),
    )
    return {
        "only": only,
        "title": " ".join(filter(None, (only.method, only.route))) or "every route",
        "requests": sum(one.requests for one in course),
        "errors": sum(one.errors for one in course),
        "rate": _rate(parts, course),
        "latency": _latency(asked, parts, course),
        "map": _heatmap(asked, cells, only),
        "found": found,
        "listable": listable,
        "order": order,
        "orders": _ORDERS,
        "status": status,
        "statuses": _STATUSES,
        "most": _REQUESTS,
    }


ONE = Page("/requests/route", "Route", "route.html.j2", one, section="/requests")


async def _nothing() -> list[Request]:
    return []


def _requests(engine: Engine, period: Period, only: RouteFilter, order: Any, status: Any) -> list[Request]:
    return requests_of(engine, period, only, order=order, status=status, limit=_REQUESTS)


def _rate(parts: Sequence[Period], course: Sequence[RequestTimes]) -> dict[str, Any]:
    answered = [(one.requests - one.errors) / part.seconds for one, part in zip(course, parts, strict=True)]
    failed = [one.errors / part.seconds for one, part in zip(course, parts, strict=True)]
    times = [part.start_unix_nano // _MILLI for part in parts]
    return bars(times, [Line("answered", answered), Line("failed", failed, tone="critical")], unit="1/s")


def _latency(asked: Asked, parts: Sequence[Period], course: Sequence[RequestTimes]) -> dict[str, Any]:
    return lines(
        [part.start_unix_nano // _MILLI for part in parts],
        [
            Line("p50", [one.p50 for one in course]),
            Line("p95", [one.p95 for one in course]),
            Line("p99", [one.p99 for one in course]),
        ],
        unit="s",
        bands=band_ranges(asked.site, "http.server.p95"),
    )
