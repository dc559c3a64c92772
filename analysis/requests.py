"""How the app's requests were answered: by route, how often, how fast, how many failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from analysis.engine import Engine
from analysis.period import HOUR_NANO, Period
from analysis.summaries import Key, Sample, Total, course, totals

RAW_NANO = 6 * HOUR_NANO
"""Up to this length every record is read and quantiles are exact; beyond it rollups are (error at most 1.6 %)."""
INDICATOR = "http.server.response_time"
FAILED = "status_code IS NULL OR status_code >= 500"
"""In SQL over `performance`."""


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """Of a route, or of all when `route` is None; times in seconds, None without requests."""

    service: str | None
    method: str | None
    route: str | None
    requests: int
    errors: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None

    @property
    def error_rate(self) -> float | None:
        return self.errors / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class SlowRequest:
    time_unix_nano: int
    service: str
    method: str
    route: str
    status_code: int | None
    seconds: float
    trace_id: str
    user: str | None


def response_times(engine: Engine, period: Period) -> list[RequestTimes]:
    """All requests first (its labels are None), then each route, the one with the most requests first."""
    if period.nanos <= RAW_NANO:
        return _exactly(engine, period)
    found = totals(engine, INDICATOR, period, _raw)
    whole = Total()
    for total in found.values():
        whole.merge(total)
    routes = [times_of(total, *labels_of(key)) for key, total in found.items() if total.count]
    return [times_of(whole), *_busiest_first(routes)]


def _exactly(engine: Engine, period: Period) -> list[RequestTimes]:
    rows = engine.sql(
        f"""
        SELECT service, method, route, count(*), count(*) FILTER (WHERE {FAILED}), avg(response_time),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY response_time),
               percentile_cont(0.95) WITHIN GROUP (ORDER BY response_time),
               percentile_cont(0.99) WITHIN GROUP (ORDER BY response_time), max(response_time)
        FROM performance
        GROUP BY GROUPING SETS ((), (service, method, route))
        ORDER BY grouping(service) DESC
        """,  # noqa: S608  # our own names
        (),
        period,
    )
    found = [RequestTimes(*row) for row in rows]
    whole = found[0] if found else times_of(Total())
    return [whole, *_busiest_first(found[1:])]


def _busiest_first(routes: Iterable[RequestTimes]) -> list[RequestTimes]:
    return sorted(routes, key=lambda one: (-one.requests, one.service or "", one.route or "", one.method or ""))


def labels_of(key: Key) -> tuple[str, str, str]:
    """Service, method and route; what overflowed has none."""
    service, method, route = key if len(key) == 3 else ("", "", "(others)")  # noqa: PLR2004  # labels of the indicator
    return service, method, route


def times_of(
    total: Total, service: str | None = None, method: str | None = None, route: str | None = None
) -> RequestTimes:
    """What a sum says; without labels it is of all requests."""
    values = total.histogram
    if not total.count:
        return RequestTimes(service, method, route, 0, 0, None, None, None, None, None)
    return RequestTimes(
        service,
        method,
        route,
        total.count,
        total.errors,
        values.sum / values.count,
        values.quantile(0.5),
        values.quantile(0.95),
        values.quantile(0.99),
        values.max,
    )


def _raw(engine: Engine, period: Period) -> Iterator[Sample]:
    rows = engine.sql(
        f"SELECT event_unix_nano, service, method, route, response_time, {FAILED} FROM performance"  # noqa: S608  # our own names
        " WHERE response_time IS NOT NULL",
        (),
        period,
    )
    for time, service, method, route, seconds, failed in rows:
        yield Sample(time, (service or "", method or "", route or ""), seconds, bool(failed))


def traffic(engine: Engine, parts: Sequence[Period]) -> list[RequestTimes]:
    """Of all requests, one for each of the adjoining parts."""
    return [times_of(total) for total in summed(engine, parts, lambda _: True)]


def summed(engine: Engine, parts: Sequence[Period], takes: Callable[[Key], bool]) -> list[Total]:
    """Of the routes whose key is taken, one for each of the adjoining parts; from rollups."""
    found = course(engine, INDICATOR, parts, _raw, group=lambda key: () if takes(key) else None)
    return found.get((), [Total() for _ in parts])


def slow_requests(engine: Engine, period: Period, longer_than_seconds: float, limit: int) -> list[SlowRequest]:
    """The slowest first."""
    rows = engine.sql(
        """
        SELECT event_unix_nano, service, method, route, status_code, response_time, trace_id, performance.user
        FROM performance WHERE response_time > ? ORDER BY response_time DESC, trace_id LIMIT ?
        """,
        (longer_than_seconds, limit),
        period,
    )
    return [SlowRequest(*row) for row in rows]


def route_of_traces(engine: Engine, period: Period, trace_ids: Iterable[str]) -> dict[str, str]:
    """The route that each trace went through, where it is known."""
    wanted = sorted(set(trace_ids))
    if not wanted:
        return {}
    marks = ", ".join("?" * len(wanted))
    rows = engine.sql(
        f"SELECT trace_id, method, route FROM performance WHERE trace_id IN ({marks})",  # noqa: S608  # question marks
        wanted,
        period,
    )
    return {trace_id: f"{method} {route}" for trace_id, method, route in rows}
