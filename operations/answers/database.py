"""`logs slow-queries` and `stats database`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from alerting.chart import sparkline
from alerting.plain_text import plain
from analysis.host import utilization
from analysis.json_values import as_json, period_json
from analysis.queries import INDICATOR, QueryTimes, SlowQuery, query_times, slow_queries, statement_of
from operations.reading import Answer, Following, Reading
from operations.tables import band_text, moment, period_text, seconds_text, share_text, show_table

if TYPE_CHECKING:
    from analysis.bands import Bands


_SPARE = ("system", "mean", "p50", "errors", "max")
"""Left out first on a narrow terminal."""


def slow(reading: Reading, threshold: float, limit: int) -> Answer:
    """Statements without their values, those that took most time first."""
    period = reading.period
    found = slow_queries(reading.engine, period, threshold * 1000)
    count = sum(one.count for one in found)
    content = {
        **period_json(period),
        "threshold_seconds": threshold,
        "queries": count,
        "statements": [as_json(one, routes=dict(one.routes.most_common())) for one in found[:limit]],
    }

    def show() -> None:
        click.echo(period_text(period))
        click.echo(f"{count:,} queries took {seconds_text(threshold)} or longer")
        if found:
            columns = ("count", "total", "max", "statement", "routes", "last", "trace of the slowest")
            show_table(
                columns, map(_slow_row, found[:limit]), right=("count", "total", "max"), spare=("last", "max", "total")
            )

    def line(record: Mapping[str, Any]) -> str | None:
        attributes = record["attributes"]
        system = attributes.get("db.system.name") or attributes.get("db.system")
        if record["kind"] != "CLIENT" or not system or record["duration_ms"] < threshold * 1000:
            return None
        text = attributes.get("db.query.text") or attributes.get("db.statement") or record["name"]
        told = plain(statement_of(str(text)), 120)
        taken = seconds_text(record["duration_ms"] / 1000)
        return f"{moment(record['time_unix_nano'])}  {taken}  {told}  trace {record['trace_id']}"

    return Answer(content, show, following=Following(("traces",), line))


def _slow_row(one: SlowQuery) -> Sequence[object]:
    named = [f"{route} ({count})" for route, count in one.routes.most_common(2) if route]
    return (
        f"{one.count:,}",
        seconds_text(one.total_seconds),
        seconds_text(one.max_seconds),
        plain(one.statement, 90),
        plain(", ".join(named), 60),
        moment(one.last_unix_nano),
        one.trace_id,
    )


def times(reading: Reading, limit: int) -> Answer:
    """Kinds of statements with their percentiles, and how much of the connection pools is in use."""
    period = reading.period
    bands = reading.bands
    found = query_times(reading.engine, period)
    pools = utilization(reading.engine, period, ("db.pool.utilization",))
    content = {
        **period_json(period),
        "queries": sum(one.queries for one in found),
        "statements": [_json(one, bands) for one in found[:limit]],
        "pools": [as_json(one, band=bands.band("db.pool.utilization", "mean", one.mean)) for one in pools],
    }

    def show() -> None:
        click.echo(period_text(period))
        if not found:
            click.echo("no queries")
        else:
            columns = ("statement", "system", "queries", "errors", "mean", "p50", "p95", "p99", "max", "total", "band")
            show_table(columns, [_row(one, bands) for one in found[:limit]], right=columns[2:-1], spare=_SPARE)
        for pool in pools:
            told = f"mean {share_text(pool.mean)}, at most {share_text(pool.max)}"
            click.echo(f"pool {plain(pool.of)}: {told} in use  {sparkline(pool.course)}")

    return Answer(content, show)


def _json(one: QueryTimes, bands: Bands) -> dict[str, Any]:
    return as_json(one, band=bands.band(INDICATOR, "p95", one.p95, one.queries))


def _row(one: QueryTimes, bands: Bands) -> Sequence[object]:
    band = bands.band(INDICATOR, "p95", one.p95, one.queries)
    return (
        plain(one.summary, 60),
        one.system,
        f"{one.queries:,}",
        f"{one.errors:,}",
        seconds_text(one.mean),
        seconds_text(one.p50),
        band_text(seconds_text(one.p95), band),
        seconds_text(one.p99),
        seconds_text(one.max),
        seconds_text(one.total_seconds),
        band_text(band, band),
    )
