"""How long the database takes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from analysis.host import utilization
from analysis.json_values import as_json
from analysis.queries import INDICATOR, query_times, slow_queries
from dashboard.api.hosts import Utilization
from dashboard.api.question import Limit, OverDay, OverHour
from dashboard.api.values import Band, Counts, Model, Moment, Ranged, Seconds, Text

ROUTER = APIRouter(prefix="/queries", tags=["database"])


class Timed(Model):
    """One kind of statement."""

    service: Text
    system: Text
    summary: Text
    queries: int
    errors: int
    mean: Seconds
    p50: Seconds
    p95: Seconds
    p99: Seconds
    max: Seconds
    total_seconds: Seconds


class Statement(Timed):
    band: Band


class Queries(Ranged):
    queries: int
    statements: list[Statement]
    """Those that took most time first."""
    left_out: int
    """Kinds of statements beyond the limit."""
    pools: list[Utilization]
    """Connection pools, by how much of them is in use."""


class SlowStatement(Model):
    """A statement without its values."""

    statement: Text
    service: Text
    system: Text
    count: int
    total_seconds: Seconds
    max_seconds: Seconds
    first: Moment | None
    last: Moment | None
    routes: Counts
    trace_id: Text
    """Of the slowest."""


class SlowQueries(Ranged):
    threshold_seconds: float
    """As long or longer is slow."""
    queries: int
    statements: list[SlowStatement]
    """Those that took most time first."""
    left_out: int
    """Statements beyond the limit."""


@ROUTER.get("", summary="Query times by kind of statement, and connection pools")
async def times(asked: OverDay, limit: Limit = 30) -> Queries:
    found = await asked.ask(query_times)
    pools = await asked.ask(utilization, ("db.pool.utilization",))
    content = {
        "queries": sum(one.queries for one in found),
        "statements": [
            as_json(one, band=asked.bands.band(INDICATOR, "p95", one.p95, one.queries)) for one in found[:limit]
        ],
        "left_out": max(0, len(found) - limit),
        "pools": [as_json(one, band=asked.bands.band(one.indicator, "mean", one.mean)) for one in pools],
    }
    return Queries.model_validate({**asked.range, **content})


@ROUTER.get("/slow", summary="Slow statements with the routes that sent them")
async def slow(
    asked: OverHour,
    threshold_seconds: Annotated[
        float, Query(ge=0, le=1e9, allow_inf_nan=False, description="As long or longer is slow, in seconds.")
    ] = 1.0,
    limit: Limit = 20,
) -> SlowQueries:
    found = await asked.ask(slow_queries, threshold_seconds * 1000)
    content = {
        "threshold_seconds": threshold_seconds,
        "queries": sum(one.count for one in found),
        "statements": [as_json(one, routes=dict(one.routes.most_common())) for one in found[:limit]],
        "left_out": max(0, len(found) - limit),
    }
    return SlowQueries.model_validate({**asked.range, **content})
