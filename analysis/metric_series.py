"""A metric over time, as lines of a chart: by attributes, in equal parts of a period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from analysis.engine import Engine
from analysis.metric_growth import amounts, growth, means, quantiles, rate
from analysis.metric_levels import LevelStatistic, levels
from analysis.metric_points import LOOKBACK_NANO, Labels, PartOfStream, parts_of_streams
from analysis.period import Period

Statistic = Literal["auto", "mean", "min", "max", "last", "rate", "count", "p50", "p95", "p99"]
Values = list[float | None]
_Form = Literal["gauge", "level", "counter", "flow", "histogram", "summary"]

_FITTING: dict[_Form, tuple[Statistic, ...]] = {
    "gauge": ("mean", "min", "max", "last", "count"),
    "level": ("last", "mean", "min", "max", "count"),
    "counter": ("rate", "count", "last", "mean", "min", "max"),
    "flow": ("rate", "count"),
    "histogram": ("p95", "p50", "p99", "mean", "rate", "count"),
    "summary": ("mean", "rate", "count"),
}
"""What can be told of each, first what is told unless asked. A level is a sum that may fall, a flow a sum of deltas;
of exponential histograms buckets are no columns, so they tell as much as summaries."""
_QUANTILES: dict[Statistic, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_DISTRIBUTIONS = frozenset({"histogram", "summary"})


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """Each series has its labels and a value for each part, None where nothing is known; the largest is first.

    `statistic` is what was told: not what was asked for where that makes no sense. `unit` is UCUM's, of the values.
    `left_out` are series that there was no place for, or that are of another kind than most.
    """

    unit: str
    statistic: Statistic
    series: list[tuple[dict[str, str], Values]]
    left_out: int


@dataclass(frozen=True, slots=True)
class _Parts:
    starts: tuple[int, ...]
    width_nano: int


def metric_series(
    engine: Engine,
    period: Period,
    parts: int,
    name: str,
    *,
    statistic: Statistic = "auto",
    by: tuple[str, ...] = (),
    where: tuple[tuple[str, str], ...] = (),
    most: int = 12,
) -> MetricSeries:
    """A series for each value of the labels `by`: attributes of the points, else of their resource, or `service`.

    Auto is the mean of gauges, the last value of sums that may fall, the rate of other sums, p95 of histograms. Streams
    of sums add up. Raise QueryError where there are too many of them.
    """
    width = max(1, -(-period.nanos // parts))
    buckets = statistic == "auto" or statistic in _QUANTILES
    found = parts_of_streams(engine, period, width, name=name, by=by, where=where, buckets=buckets)
    form = _form_of_most(found)
    if form is None:
        return MetricSeries("", statistic, [], 0)
    told = statistic if statistic in _FITTING[form] else _FITTING[form][0]
    if told in _QUANTILES and not buckets:
        found = parts_of_streams(engine, period, width, name=name, by=by, where=where, buckets=True)
    cut = _Parts(tuple(period.start_unix_nano + index * width for index in range(parts)), width)
    grouped = _by_labels(found, form)
    made = [(labels, _finite(_values(grouped[labels], told, form, cut))) for labels in grouped]
    shown = sorted((one for one in made if any(value is not None for value in one[1])), key=_largest_first)
    others = {one.labels for one in found} - grouped.keys()
    return MetricSeries(
        _unit(found, form, told),
        told,
        [(dict(zip(by, labels, strict=True)), values) for labels, values in shown[:most]],
        max(0, len(shown) - most) + len(others),
    )


def _form(one: PartOfStream) -> _Form:
    if one.type == "gauge":
        return "gauge"
    if one.type == "sum":
        return "flow" if one.delta else "counter" if one.monotonic else "level"
    return "histogram" if one.type == "histogram" else "summary"


def _form_of_most(found: Iterable[PartOfStream]) -> _Form | None:
    points: Counter[_Form] = Counter()
    for one in found:
        points[_form(one)] += one.points
    return max(sorted(points), key=lambda form: points[form], default=None)


def _by_labels(found: Iterable[PartOfStream], form: _Form) -> dict[Labels, list[PartOfStream]]:
    grouped: dict[Labels, list[PartOfStream]] = {}
    for one in found:
        if _form(one) == form:
            grouped.setdefault(one.labels, []).append(one)
    return grouped


def _values(found: Sequence[PartOfStream], statistic: Statistic, form: _Form, cut: _Parts) -> Values:
    count = len(cut.starts)
    if form in {"gauge", "level"} or (form == "counter" and statistic not in {"rate", "count"}):
        return levels(found, _level(statistic), cut.starts, additive=form != "gauge")
    grown = growth(found, cut.starts[0] - LOOKBACK_NANO)
    if statistic == "rate":
        return rate(grown, cut.starts, cut.width_nano)
    if statistic == "count":
        return amounts(grown, count)
    return quantiles(grown, _QUANTILES[statistic], count) if statistic in _QUANTILES else means(grown, count)


def _level(statistic: Statistic) -> LevelStatistic:
    return statistic if statistic in {"mean", "min", "max", "last", "count"} else "last"


def _finite(values: Values) -> Values:
    """The sum of what is nearly infinite may be so."""
    return [value if value is not None and isfinite(value) else None for value in values]


def _largest_first(series: tuple[Labels, Values]) -> tuple[float, Labels]:
    labels, values = series
    return -sum(abs(value) / len(values) for value in values if value is not None), labels


def _unit(found: Iterable[PartOfStream], form: _Form, statistic: Statistic) -> str:
    units = Counter(one.unit for one in found if _form(one) == form)
    unit = max(sorted(units), key=lambda one: units[one])
    counted = form in _DISTRIBUTIONS or (statistic == "count" and form in {"gauge", "level"})
    if statistic == "rate":
        return f"{'1' if counted or not unit else unit}/s"
    return "1" if statistic == "count" and counted else unit
