"""Any metric, by its name."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from analysis.json_values import as_json, period_json
from analysis.metric_names import metric_names
from analysis.metric_series import Statistic, metric_series
from dashboard.api.question import Limit, OverHour, Pairs, Parts, pairs_of
from dashboard.api.values import Labels, Model, Moment, Number, Ranged, Text

ROUTER = APIRouter(prefix="/metrics", tags=["metrics"])


class MetricName(Model):
    name: Text
    type: Text
    """gauge, sum, histogram, exponential_histogram or summary."""
    unit: Text
    """As UCUM has it."""
    description: Text
    services: list[Text]
    attributes: list[Text]
    """The keys of its points, the most frequent first."""
    points: int


class MetricNames(Ranged):
    metrics: list[MetricName]
    left_out: int
    """Names beyond the limit."""


class Part(Model):
    from_: Moment = Field(alias="from")
    to: Moment


class Line(Model):
    labels: Labels
    values: list[Number]
    """One for each part, in the answer's unit; null without any."""


class MetricSeries(Ranged):
    name: Text
    unit: Text
    """As UCUM has it, of the statistic."""
    statistic: Statistic
    """What was reckoned: what `auto` chose, or what there is of such a metric instead."""
    parts: list[Part]
    series: list[Line]
    """The largest first."""
    left_out: int
    """Series beyond the limit."""


@ROUTER.get("", summary="Which metrics there are")
async def names(
    asked: OverHour,
    contains: Annotated[str, Query(max_length=256, description="Only names with this text, in any case.")] = "",
    limit: Limit = 500,
) -> MetricNames:
    found = [one for one in await asked.ask(metric_names) if contains.lower() in one.name.lower()]
    told = [as_json(one) for one in found[:limit]]
    return MetricNames.model_validate({**asked.range, "metrics": told, "left_out": max(0, len(found) - limit)})


@ROUTER.get("/series", summary="A metric over time")
async def series(
    *,
    asked: OverHour,
    name: Annotated[str, Query(min_length=1, max_length=256, description="As /metrics has it.")],
    statistic: Annotated[
        Statistic, Query(description="auto: the mean of gauges, the rate of counters, the p95 of histograms.")
    ] = "auto",
    by: Annotated[
        list[Annotated[str, Query(min_length=1, max_length=256)]],
        Query(max_length=5, description="A line for each value of this attribute, or of `service`."),
    ] = [],  # noqa: B006  # FastAPI makes a new one
    where: Pairs = [],  # noqa: B006  # as above
    parts: Parts = 60,
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many lines.")] = 12,
) -> MetricSeries:
    found = await asked.ask(
        metric_series, parts, name, statistic=statistic, by=tuple(by), where=pairs_of(where), most=limit
    )
    content = {
        "name": name,
        "unit": found.unit,
        "statistic": found.statistic,
        "parts": [period_json(part) for part in asked.period.cut(parts)],
        "series": [{"labels": labels, "values": values} for labels, values in found.series],
        "left_out": found.left_out,
    }
    return MetricSeries.model_validate({**asked.range, **content})
