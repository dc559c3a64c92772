"""`stats response-times` and `logs performance`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from alerting.plain_text import plain
from analysis.json_values import as_json, period_json
from analysis.period import DAY_NANO
from analysis.requests import INDICATOR, RequestTimes, SlowRequest, response_times, slow_requests
from operations.reading import Answer, Following, Reading
from operations.tables import (
    band_text,
    change_text,
    moment,
    period_text,
    seconds_text,
    share_text,
    show_table,
    worst_band,
)

if TYPE_CHECKING:
    from analysis.bands import Bands

_NO_ROUTE = "(no route)"
"""Of what was refused before the app looked for one, or does not exist."""
_Name = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class _Judged:
    now: RequestTimes
    before: RequestTimes | None
    bands: Mapping[str, str]

    @property
    def band(self) -> str:
        return worst_band(list(self.bands.values()))


def times(reading: Reading, service: str | None, route: str | None, minimum: int) -> Answer:
    """Routes with their percentiles, against the bands and the same time a day (or the period) before."""
    period = reading.period
    earlier = period.shifted(-DAY_NANO) if period.nanos <= DAY_NANO else period.before()
    bands = reading.bands
    before = {_name(one): one for one in response_times(reading.engine, earlier)}
    found = [
        _Judged(one, _known(before.get(_name(one))), _bands(bands, one, minimum))
        for one in response_times(reading.engine, period)
        if one.service is None or (_asked(one.service, service) and _asked(one.route or "", route))
    ]
    content = {**period_json(period), "all": _json(found[0]), "routes": [_json(one) for one in found[1:]]}

    def show() -> None:
        click.echo(period_text(period))
        if not found[0].now.requests:
            click.echo("no requests")
            return
        show_table(
            _COLUMNS, map(_row, found), right=_COLUMNS[1:-1], spare=("Δ requests", "p50", "max", "Δ p95", "mean")
        )
        click.echo(f"Δ against {period_text(earlier)}")

    return Answer(content, show)


def _name(one: RequestTimes) -> _Name:
    return one.service, one.method, one.route


def _known(one: RequestTimes | None) -> RequestTimes | None:
    return one if one and one.requests else None


def _asked(value: str, wanted: str | None) -> bool:
    return wanted is None or wanted in value


def _bands(bands: Bands, one: RequestTimes, minimum: int) -> dict[str, str]:
    """Too few requests are judged by nobody."""
    if one.requests < minimum:
        return {"p95": "no data", "p99": "no data", "mean": "no data"}
    return {name: bands.band(INDICATOR, name, getattr(one, name)) for name in ("p95", "p99", "mean")}


def _json(judged: _Judged) -> dict[str, Any]:
    before = None if judged.before is None else as_json(judged.before, error_rate=judged.before.error_rate)
    return as_json(
        judged.now, error_rate=judged.now.error_rate, band=judged.band, bands=dict(judged.bands), day_before=before
    )


_COLUMNS = (
    "route",
    "requests",
    "errors",
    "mean",
    "p50",
    "p95",
    "p99",
    "max",
    "Δ requests",
    "Δ p95",
    "band",
)


def _row(judged: _Judged) -> Sequence[object]:
    one, before = judged.now, judged.before
    name = Text("all requests", "bold") if one.service is None else plain(f"{one.method} {one.route or _NO_ROUTE}", 60)
    return (
        name,
        f"{one.requests:,}",
        share_text(one.error_rate),
        band_text(seconds_text(one.mean), judged.bands["mean"]),
        seconds_text(one.p50),
        band_text(seconds_text(one.p95), judged.bands["p95"]),
        band_text(seconds_text(one.p99), judged.bands["p99"]),
        seconds_text(one.max),
        change_text(one.requests, before.requests if before else None),
        change_text(one.p95, before.p95 if before else None),
        band_text(judged.band, judged.band),
    )


def slow(reading: Reading, threshold: float, limit: int) -> Answer:
    """The slowest requests, and the routes that they went to."""
    period = reading.period
    found = slow_requests(reading.engine, period, threshold, limit)
    whole = next(iter(response_times(reading.engine, period)))
    routes = Counter(f"{one.method} {one.route}" for one in found)
    content = {
        **period_json(period),
        "threshold_seconds": threshold,
        "requests": whole.requests,
        "slow": [as_json(one) for one in found],
        "routes": dict(routes.most_common()),
    }

    def show() -> None:
        click.echo(period_text(period))
        more = " or more" if len(found) == limit else ""
        click.echo(f"{len(found)}{more} of {whole.requests:,} requests took longer than {seconds_text(threshold)}")
        if found:
            columns = ("time", "took", "status", "route", "user", "trace")
            show_table(columns, map(_slow_row, found), right=("took", "status"), spare=("user", "status"))

    def line(record: Mapping[str, Any]) -> str | None:
        if (record.get("response_time") or 0.0) <= threshold:
            return None
        named = ("service", "method", "route", "status_code", "response_time", "trace_id", "user")
        one = SlowRequest(record["time_unix_nano"], *(record.get(name) for name in named))  # type: ignore[arg-type]  # as stored
        return "  ".join(map(str, _slow_row(one)))

    return Answer(content, show, following=Following(("performance",), line))


def _slow_row(one: SlowRequest) -> Sequence[object]:
    route = plain(f"{one.method} {one.route or _NO_ROUTE}", 60)
    status = str(one.status_code or "none")
    return (
        moment(one.time_unix_nano),
        seconds_text(one.seconds),
        status,
        route,
        plain(one.user or "", 30),
        one.trace_id or "",
    )
