"""Single requests: the slowest, those that failed, the newest of a route or of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from analysis.engine import Engine
from analysis.latency import RouteFilter
from analysis.period import Period
from analysis.requests import FAILED

Order = Literal["slowest", "failed", "newest"]
Status = Literal["", "2xx", "3xx", "4xx", "5xx", "none"]

_SLOWEST = "seconds DESC"
_ORDERS: dict[Order, str] = {
    "slowest": _SLOWEST,
    "failed": f"({FAILED}) DESC, {_SLOWEST}",
    "newest": "event_unix_nano DESC",
}
_STATUSES: dict[Status, str] = {
    "": "true",
    "2xx": "status_code // 100 = 2",
    "3xx": "status_code // 100 = 3",
    "4xx": "status_code // 100 = 4",
    "5xx": "status_code // 100 = 5",
    "none": "status_code IS NULL",
}


@dataclass(frozen=True, slots=True)
class Request:
    """`status_code` is None where there was no response; texts are at most 256 characters."""

    time_unix_nano: int
    service: str
    method: str
    route: str
    status_code: int | None
    seconds: float
    response_bytes: int | None
    trace_id: str
    user: str | None
    client_address: str | None


def requests_of(
    engine: Engine,
    period: Period,
    only: RouteFilter,
    *,
    order: Order,
    at_least_seconds: float = 0,
    below_seconds: float | None = None,
    status: Status = "",
    limit: int = 100,
) -> list[Request]:
    """At most `limit`, each once; `failed` has those without response or with a status of 500 and above first."""
    condition, names = only.condition()
    longest = [] if below_seconds is None else [below_seconds]
    below = " AND seconds < ?" * len(longest)
    rows = engine.sql(
        f"""
        SELECT batch_id, batch_index, event_unix_nano, {_text("service")}, {_text("method")}, {_text("route")},
               status_code, coalesce(response_time, 0) AS seconds, response_bytes, {_text("trace_id")},
               left(performance.user, 256), left(client_address, 256)
        FROM performance WHERE {_STATUSES[status]} AND {condition} AND seconds >= ?{below}
        ORDER BY {_ORDERS[order]}, event_unix_nano DESC, batch_id, batch_index LIMIT ?
        """,  # noqa: S608  # our own expressions
        [*names, at_least_seconds, *longest, 2 * limit],
        period,
    )
    return [Request(*row) for row in _once(rows)][:limit]


def _text(column: str) -> str:
    return f"left(coalesce({column}, ''), 256)"


def _once(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """What was written again stands beside itself."""
    seen: set[tuple[str, int]] = set()
    for batch_id, batch_index, *told in rows:
        if batch_id is None or (batch_id, batch_index) not in seen:
            seen.add((batch_id, batch_index))
            yield tuple(told)
