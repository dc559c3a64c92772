"""Requests: which routes are slow or fail, and who was hit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from analysis.bands import band_of
from analysis.engine import Engine
from analysis.latency import EVERY_ROUTE, LatencyMap, RouteFilter, latency_map, route_course
from analysis.period import DAY_NANO, HOUR_NANO, Period
from analysis.requests import INDICATOR, RequestTimes, response_times
from analysis.route_requests import Request, requests_of
from analysis.usual import usual_p95
from dashboard.bands import band_ranges, rules_of
from dashboard.charts import Line, bars, heatmap, lines
from dashboard.page import Asked, Page
from processors.evaluation import format_value
from processors.rules import Rule

_MOST_ROUTES = 200
_MAP_PARTS = 48
_RAW_NANO = 24 * HOUR_NANO
"""Beyond this nobody reads every request to list the slowest."""
_REQUESTS = 100
_MILLI = 1_000_000
_MOST_NAME = 1000
"""Of what an address names."""
_PLACES = (("from", "from"), ("to", "to"), ("least", "low"), ("most", "high"))
"""In the address of a cell: parameter and what a chart puts there."""
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
    address: str
    """Of its page; empty where its name is too long for one."""
    band: str
    """Of p95."""
    error_band: str
    """Of the share that failed; empty where there are too few to judge by."""
    per_second: float
    requests_change: float | None
    p95_change: float | None
    usual_change: float | None = None
    """Of p95 against what the baseline says is usual."""


async def listed(asked: Asked) -> dict[str, Any]:
    period, ask = asked.view.period, asked.records.ask
    now, before, cells, usual = await asyncio.gather(
        ask(response_times, period),
        ask(response_times, _before(period)),
        ask(_map, asked.view.parts(_MAP_PARTS), EVERY_ROUTE),
        asked.known({}, usual_p95, INDICATOR, asked.site.judging.baselines.active),
    )
    whole, *routes = now
    wanted = asked.text("route").lower()
    sort = asked.choice("sort", tuple(_SORTS))
    shown = sorted(
        (one for one in routes if wanted in f"{one.method} {one.route}".lower()), key=_SORTS[sort], reverse=True
    )
    earlier = {_key(one): one for one in before[1:]}
    return {
        "whole": _row(asked, whole, before[0], period),
        "rows": [
            _row(asked, one, earlier.get(_key(one)), period, usual.get(_key(one))) for one in shown[:_MOST_ROUTES]
        ],
        "hidden": max(0, len(shown) - _MOST_ROUTES),
        "sort": sort,
        "has_baseline": bool(usual),
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


def _key(one: RequestTimes) -> tuple[str, ...]:
    return one.service or "", one.method or "", one.route or ""


def _row(
    asked: Asked, one: RequestTimes, before: RequestTimes | None, period: Period, usual: float | None = None
) -> Row:
    rules = rules_of(asked.site)
    return Row(
        one,
        _address(asked, one),
        _band(rules.get("http.server.p95"), one),
        _error_band(rules.get("http.server.error_rate"), one),
        one.requests / period.seconds,
        _change(one.requests, before.requests if before else None),
        _change(one.p95, before.p95 if before else None),
        _change(one.p95, usual),
    )


def _band(rule: Rule | None, one: RequestTimes) -> str:
    """Fewer requests than the rule asks for are judged by nobody."""
    if rule is None or one.p95 is None or one.requests < rule.settings.minimum_count:
        return "no data"
    return band_of(rule.bands, one.p95)


def _error_band(rule: Rule | None, one: RequestTimes) -> str:
    if rule is None or one.error_rate is None:
        return ""
    enough = one.requests >= rule.settings.minimum_count and one.errors >= rule.settings.minimum_failures
    return band_of(rule.bands, one.error_rate) if enough else ""


def _address(asked: Asked, one: RequestTimes) -> str:
    """A name that is empty stands in it too: it is that of requests without one."""
    names = {"service": one.service or "", "method": one.method or "", "route": one.route or ""}
    if any(len(name) > _MOST_NAME for name in names.values()):
        return ""
    path = asked.view.link("/requests/route")
    return f"{path}{'&' if '?' in path else '?'}{urlencode(names)}"


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
        attributes=f"http.route={only.route}" if only.route else None,
    )
    return heatmap(
        [part.start_unix_nano // _MILLI for part in parts],
        rows,
        cells.counts,
        bounds_seconds=bounds if rows else (),
        opens=_with_places(opens),
    )


def _with_places(link: str) -> str:
    """A route may have braces too, which are none of them."""
    for name, place in _PLACES:
        link = link.replace(f"{name}=%7B{place}%7D", f"{name}={{{place}}}")
    return link


async def one(asked: Asked) -> dict[str, Any]:
    """Of the route that `service`, `method` and `route` name."""
    names = (asked.query.get(name) for name in ("service", "method", "route"))
    only = RouteFilter(*(None if name is None else name[:_MOST_NAME] for name in names))
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
        "title": _title(only),
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


def _title(only: RouteFilter) -> str:
    route = "(no route)" if only.route == "" else only.route
    return " ".join(filter(None, (only.method, route))) or "every route"


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
