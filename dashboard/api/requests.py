"""How requests were answered."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from analysis.bands import Bands
from analysis.json_values import as_json, period_json
from analysis.latency import RouteFilter, route_course
from analysis.period import DAY_NANO
from analysis.requests import INDICATOR, RequestTimes, response_times, slow_requests
from dashboard.api.question import Limit, OverHour, Parts
from dashboard.api.values import Band, Counts, Model, Moment, OptionalText, Ranged, Seconds, Share, Text

ROUTER = APIRouter(prefix="/requests", tags=["requests"])
_JUDGED = ("p95", "p99", "mean")
_ORDER = ("no data", "normal", "warning", "critical")
_Exactly = Annotated[str | None, Query(max_length=256, description="Only of this one, as /requests has it.")]


class Times(Model):
    """Requests and how long they took."""

    requests: int
    errors: int
    """Answered with a status of 500 or more, or not at all."""
    error_rate: Share = None
    mean: Seconds
    p50: Seconds
    p95: Seconds
    p99: Seconds
    max: Seconds


class Earlier(Times):
    """Of the same route at another time."""

    service: OptionalText
    method: OptionalText
    route: OptionalText


class Judged(Earlier):
    """Of a route, or of all requests where it is null, beside what it was."""

    band: Band
    bands: dict[str, str]
    """Of p95, p99 and mean; `no data` for fewer requests than `minimum`."""
    day_before: Earlier | None
    """A day earlier; of more than a day, the same length before."""


class ByRoute(Ranged):
    all: Judged
    routes: list[Judged]
    """The one with the most requests first."""
    left_out: int
    """Routes beyond the limit."""


class Part(Times):
    """Requests of a part of the time."""

    from_: Moment = Field(alias="from")
    to: Moment


class Traffic(Ranged):
    parts: list[Part]


class SlowRequest(Model):
    time: Moment | None
    service: Text
    method: Text
    route: Text
    status_code: int | None
    """Of HTTP; null where there was no response."""
    seconds: Seconds
    trace_id: Text
    user: OptionalText


class SlowRequests(Ranged):
    threshold_seconds: float
    """Longer than this is slow."""
    requests: int
    """All of the time."""
    slow: list[SlowRequest]
    """The slowest first."""
    routes: Counts


@ROUTER.get("", summary="Response times by route, against bands and the day before")
async def by_route(
    asked: OverHour,
    service: Annotated[str, Query(max_length=256, description="Only services with this text in their names.")] = "",
    route: Annotated[str, Query(max_length=1024, description="Only routes with this text in their names.")] = "",
    minimum: Annotated[int, Query(ge=1, le=10**9, description="Fewer requests are judged by nobody.")] = 30,
    limit: Limit = 100,
) -> ByRoute:
    period = asked.period
    earlier = period.shifted(-DAY_NANO) if period.nanos <= DAY_NANO else period.before()
    before = {_name(one): one for one in await asked.records.ask(response_times, earlier)}
    whole, *routes = [_judged(one, before, asked.bands, minimum) for one in await asked.ask(response_times)]
    shown = [one for one in routes if service in (one["service"] or "") and route in (one["route"] or "")]
    content = {"all": whole, "routes": shown[:limit], "left_out": max(0, len(shown) - limit)}
    return ByRoute.model_validate({**asked.range, **content})


@ROUTER.get("/traffic", summary="Requests, failures and response times over time")
async def traffic(
    asked: OverHour, service: _Exactly = None, method: _Exactly = None, route: _Exactly = None, parts: Parts = 60
) -> Traffic:
    periods = asked.view.parts(parts)
    found = await asked.records.ask(route_course, periods, RouteFilter(service, method, route))
    told = [
        as_json(one, error_rate=one.error_rate, **period_json(part)) for part, one in zip(periods, found, strict=True)
    ]
    return Traffic.model_validate({**asked.range, "parts": told})


@ROUTER.get("/slow", summary="The slowest requests")
async def slow(
    asked: OverHour,
    threshold_seconds: Annotated[
        float, Query(ge=0, le=1e9, allow_inf_nan=False, description="Longer than this is slow, in seconds.")
    ] = 2.0,
    limit: Limit = 20,
) -> SlowRequests:
    found = await asked.ask(slow_requests, threshold_seconds, limit)
    whole, *_ = await asked.ask(response_times)
    routes: dict[str, int] = {}
    for one in found:
        name = f"{one.method} {one.route}"
        routes[name] = routes.get(name, 0) + 1
    content = {"requests": whole.requests, "slow": [as_json(one) for one in found], "routes": routes}
    return SlowRequests.model_validate({**asked.range, "threshold_seconds": threshold_seconds, **content})


def _name(one: RequestTimes) -> tuple[str | None, str | None, str | None]:
    return one.service, one.method, one.route


def _judged(one: RequestTimes, before: dict[Any, RequestTimes], bands: Bands, minimum: int) -> dict[str, Any]:
    told = dict.fromkeys(_JUDGED, "no data")
    if one.requests >= minimum:
        told = {name: bands.band(INDICATOR, name, getattr(one, name)) for name in _JUDGED}
    known = before.get(_name(one))
    return as_json(
        one,
        error_rate=one.error_rate,
        band=max(told.values(), key=_ORDER.index),
        bands=told,
        day_before=as_json(known, error_rate=known.error_rate) if known and known.requests else None,
    )
