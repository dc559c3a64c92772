"""The runbook's indicators as tiles: value, band and course."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis import tuning
from analysis.bands import band_of
from analysis.engine import Engine
from analysis.period import HOUR_NANO, MINUTE_NANO, NANO, Period
from processors.rules import Rule
from storage.value_rows import RecordedValues

SHOWN = (
    "http.server.p95",
    "http.server.p99",
    "http.server.mean",
    "http.server.error_rate",
    "http.server.4xx_rate",
    "http.server.5xx_rate",
    "form_automation.success_rate",
    "work_order.sync.success_rate",
    "auth.success_rate",
    "host.cpu",
    "host.memory",
    "host.disk",
    "db.pool.utilization",
    "db.query.p95",
)
"""Runbook, "Thresholds", in its order."""
TITLES = {
    "http.server.p95": "Response time p95",
    "http.server.p99": "Response time p99",
    "http.server.mean": "Response time, mean",
    "http.server.error_rate": "Failed requests",
    "http.server.4xx_rate": "Refused (4xx)",
    "http.server.5xx_rate": "Failed (5xx)",
    "form_automation.success_rate": "Form automation",
    "work_order.sync.success_rate": "Work order sync",
    "auth.success_rate": "Logins that succeed",
    "host.cpu": "CPU",
    "host.memory": "Memory",
    "host.disk": "Disk",
    "db.pool.utilization": "Connection pool",
    "db.query.p95": "Query time p95",
}
_WORST = {"critical": 3, "warning": 2, "normal": 1, "no data": 0}
Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """`key` is that of the worst; `others` are the further keys, none of them worse."""

    rule: str
    title: str
    key: Mapping[str, str]
    value: float | None
    unit: str
    band: str
    bound: str
    """The first band that it is not in, or the one that it is in."""
    course: tuple[float | None, ...] = ()
    detail: str = ""
    others: int = 0


def live_tiles(
    rules: Mapping[str, Rule], evaluations: Iterable[Mapping[str, Any]], recorded: Iterable[RecordedValues], now: int
) -> list[Tile]:
    """As the sidecar has judged last; the course is that of the last hour."""
    courses = {(one.rule, one.key): one for one in recorded}
    by_rule: dict[str, list[Mapping[str, Any]]] = {}
    for one in evaluations:
        by_rule.setdefault(one["rule"], []).append(one)
    tiles = []
    for rule in _shown(rules):
        found = by_rule.get(rule.name, [])
        worst = max(found, key=lambda one: _badness(rule, one["band"], one["value"]), default=None)
        if worst is None:
            tiles.append(_empty(rule))
            continue
        known = courses.get((rule.name, tuple(worst["key"].items())))
        course = _by_minute(dict(known.minutes), now) if known else ()
        told = _tile(
            rule,
            worst["key"],
            worst["value"],
            worst["band"],
            course=course,
            detail=worst["detail"],
            others=len(found) - 1,
        )
        tiles.append(told)
    return tiles


def recorded_tiles(engine: Engine, rules: Mapping[str, Rule], end_unix_nano: int) -> list[Tile]:
    """As rollups tell of the hour before; what no rollup tells, or nobody has measured lately, has no value."""
    period = Period(end_unix_nano - HOUR_NANO, end_unix_nano)
    known: dict[str, tuning.Minutes] = {}
    return [_recorded(engine, rule, period, known) for rule in _shown(rules)]


def _recorded(engine: Engine, rule: Rule, period: Period, known: dict[str, tuning.Minutes]) -> Tile:
    if not tuning.can_be_tuned(rule):
        return _empty(rule)
    oldest = period.end_unix_nano - int(float(rule.settings.window) * NANO)
    lasts = [(one, _last(one, oldest)) for one in tuning.courses(engine, rule, period, known)]
    if not lasts:
        return _empty(rule)
    course, last = max(lasts, key=lambda one: _badness(rule, _band(rule, one[1]), one[1].value))
    labels = dict(zip(rule.settings.by, course.key, strict=False))
    values = _by_minute({one.time_unix_nano: one.value for one in course.values}, period.end_unix_nano)
    return _tile(rule, labels, last.value, _band(rule, last), course=values, others=len(lasts) - 1)


def _last(course: tuning.Course, oldest_unix_nano: int) -> tuning.Value:
    """Without a value where it is older: nothing of it is in the window any more."""
    last = course.values[-1]
    return last if last.time_unix_nano > oldest_unix_nano else tuning.Value(last.time_unix_nano, None)


def _shown(rules: Mapping[str, Rule]) -> list[Rule]:
    """Those that are there and switched on, in the runbook's order."""
    return [rules[name] for name in SHOWN if name in rules]


def _band(rule: Rule, last: tuning.Value) -> str:
    judged = last.judged(rule.bands)
    return "no data" if judged is None else band_of(rule.bands, judged)


def _badness(rule: Rule, band: str, value: float | None) -> tuple[int, bool, float]:
    """By band, then by value: the further in the direction of the bounds, the worse."""
    downward = bool(rule.bands) and not rule.bands[0].when.upward
    return _WORST.get(band, 0), value is not None, (value or 0.0) * (-1 if downward else 1)


def _tile(rule: Rule, key: Mapping[str, str], value: float | None, band: str, **told: Any) -> Tile:
    return Tile(rule.name, TITLES[rule.name], key, value, rule.unit, band, _bound(rule, band, value), **told)


def _bound(rule: Rule, band: str, value: float | None) -> str:
    inside = [one for one in rule.bands if one.level == band]
    holding = [one for one in inside if value is not None and one.when.holds(value)]
    shown = holding[-1:] or inside or rule.bands
    return f"{shown[0].level} {shown[0].when}" if shown else ""


def _empty(rule: Rule) -> Tile:
    return _tile(rule, {}, None, "no data", detail="nothing measured")


def _by_minute(values: Mapping[int, float | None], end_unix_nano: int) -> tuple[float | None, ...]:
    """Those of the last hour."""
    last = end_unix_nano - end_unix_nano % MINUTE_NANO
    return tuple(values.get(last - number * MINUTE_NANO) for number in reversed(range(60)))
