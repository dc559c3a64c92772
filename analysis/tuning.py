"""What a rule's bounds would have done in the past, minute by minute from rollups, and which would have cried less."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from analysis.engine import Engine
from analysis.period import DAY_NANO, MINUTE_NANO, NANO, Period
from analysis.summaries import Key, Total, minutes
from processors.conditions import Condition, parse_condition
from processors.rule_state import Band, RuleState
from processors.rules import Rule
from processors.settings import Outcomes

_QUANTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_RESPONSE_TIME = ("http.server.response_time", ("service.name",))
_QUERY_TIME = ("db.query.response_time", ("service.name",))
_ROLLUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "http.server.response_time": _RESPONSE_TIME,
    "http.server.errors": _RESPONSE_TIME,
    "db.query.response_time": _QUERY_TIME,
    "db.query.errors": _QUERY_TIME,
    "host.cpu": ("host.cpu", ("host.name",)),
    "host.memory": ("host.memory", ("host.name",)),
    "host.disk": ("host.disk", ("host.name", "system.filesystem.mountpoint")),
    "db.pool.utilization": ("db.pool.utilization", ("service.name", "db.client.connection.pool.name")),
}
"""Indicators of rules: the rollup that tells them, and those of its labels that can make the rule's key."""
_SUMMED = frozenset({*_QUANTILES, "mean", "min", "max", "sum", "count"})
_OF_THE_HOST = ("service.name = forecourt",)
"""Who measures it is not told by rollups: an app on the same machine measures the same."""
_GAP_MINUTES = 2
_FURTHEST_FACTOR = 1000.0


@dataclass(frozen=True, slots=True)
class Value:
    """What a rule measured at the end of a minute; None where too little was in its window.

    `weak` is a rate that is bad by fewer failures than the rule asks for, and in no band.
    """

    time_unix_nano: int
    value: float | None
    weak: bool = False

    def judged(self, bands: Sequence[Band]) -> float | None:
        """What is held against the bands."""
        if not self.weak:
            return self.value
        return -math.inf if bands[0].when.upward else math.inf


@dataclass(frozen=True, slots=True)
class Course:
    """The values of one key of a rule, minute by minute."""

    key: Key
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """For one rule; `bands` are those proposed, equal to the present ones where nothing is to be gained."""

    rule: str
    minutes: int
    usual: tuple[float, float, float]
    """The median, and what 99 % and 99.9 % of the values lie below (above for a bound from below)."""
    before: int
    """Alerts that the present bounds would have brought."""
    after: int
    bands: tuple[Band, ...]


def can_be_tuned(rule: Rule) -> bool:
    """Whether rollups tell what it measures: their indicator, by their labels, of all that they hold."""
    settings = rule.settings
    indicator = str(settings.indicator)
    if indicator not in _ROLLUPS or settings.by != _ROLLUPS[indicator][1] or isinstance(settings.window, Outcomes):
        return False
    where = _OF_THE_HOST if indicator.startswith("host.") else ()
    statistics = {"ratio", "count"} if indicator.endswith(".errors") else _SUMMED
    return settings.where in {(), where} and not settings.of and settings.statistic in statistics


Minutes = dict[Key, list[tuple[int, Total]]]


def courses(engine: Engine, rule: Rule, period: Period, known: dict[str, Minutes] | None = None) -> list[Course]:
    """What the rule would have measured; `known` keeps what was read for other rules of the same rollup."""
    indicator, labels = _ROLLUPS[str(rule.settings.indicator)]
    known = {} if known is None else known
    if indicator not in known:
        known[indicator] = minutes(engine, indicator, period, len(labels))
    return [Course(key, tuple(_values(rule, cells))) for key, cells in known[indicator].items()]


def _values(rule: Rule, cells: Sequence[tuple[int, Total]]) -> Iterator[Value]:
    """As the window is at the end of each minute; one without anything counts as empty for a while."""
    window: deque[tuple[int, Total]] = deque()
    widths = _widths(rule)
    last = 0
    for start, total in cells:
        until = min(start, last + (widths[-1] + _GAP_MINUTES) * MINUTE_NANO)
        for quiet in range(last + MINUTE_NANO, until, MINUTE_NANO):
            if last:
                yield _value(rule, window, quiet, widths)
        window.append((start, total))
        yield _value(rule, window, start, widths)
        last = start


def _widths(rule: Rule) -> tuple[int, ...]:
    """Minutes of its window, and of the wider one that counts where too little is in that."""
    lengths = (float(rule.settings.window), rule.settings.widen_to or 0.0)
    return tuple(sorted({max(1, math.ceil(seconds / 60)) for seconds in lengths if seconds}))


def _value(rule: Rule, window: deque[tuple[int, Total]], minute: int, widths: Sequence[int]) -> Value:
    while window and window[0][0] <= minute - widths[-1] * MINUTE_NANO:
        window.popleft()
    found = Value(minute + MINUTE_NANO, None)
    for width in widths:
        found = _assessed(rule, _since(rule, window, minute - width * MINUTE_NANO), found.time_unix_nano)
        if found.value is not None and not found.weak:
            break
    return found


def _since(rule: Rule, window: deque[tuple[int, Total]], begins: int) -> Total:
    """The sum of the minutes after one; of a rate the counts alone, since a wide window holds many."""
    whole = Total()
    for start, total in reversed(window):
        if start <= begins:
            break
        if rule.settings.statistic == "ratio":
            whole.count += total.count
            whole.errors += total.errors
        else:
            whole.merge(total)
    return whole


def _assessed(rule: Rule, whole: Total, time_unix_nano: int) -> Value:
    settings = rule.settings
    if whole.count < settings.minimum_count:
        return Value(time_unix_nano, None)
    value = _statistic(rule, whole)
    few = settings.statistic == "ratio" and whole.errors < settings.minimum_failures
    return Value(time_unix_nano, value, few and any(band.when.holds(value) for band in rule.bands))


def _statistic(rule: Rule, whole: Total) -> float:
    statistic, values = rule.settings.statistic, whole.histogram
    if statistic in _QUANTILES:
        return values.quantile(_QUANTILES[statistic])
    told: dict[str, Callable[[], float]] = {
        "ratio": lambda: whole.errors / whole.count,
        "mean": lambda: values.sum / values.count,
        "max": lambda: values.max,
        "min": lambda: values.min,
        "count": lambda: float(whole.count),
        "sum": lambda: values.sum,
    }
    return told[statistic]()


def alerts(found: Sequence[Course], bands: Sequence[Band], rule: Rule) -> int:
    """How often the rule would have begun to fire with these bands, all keys together."""
    for_nano, keep_nano = int(rule.settings.for_ * NANO), int(rule.settings.keep_firing_for * NANO)
    count = 0
    for course in found:
        state = RuleState.of(bands)
        for one in course.values:
            was = state.firing
            state.advance(bands, one.judged(bands), one.time_unix_nano, for_nano=for_nano, keep_nano=keep_nano)
            count += was is None and state.firing is not None
    return count


def propose(rule: Rule, found: Sequence[Course], period: Period, a_week: float) -> Proposal:
    """Bounds with which it would have fired at most `a_week` times a week; nothing is ever made stricter."""
    values = sorted(one.value for course in found for one in course.values if one.value is not None)
    bands = tuple(rule.bands)
    before = alerts(found, bands, rule)
    upward = bands[0].when.upward
    usual = tuple(_at(values, quantile if upward else 1 - quantile) for quantile in (0.5, 0.99, 0.999))
    allowed = max(1, math.floor(a_week * period.nanos / (7 * DAY_NANO)))
    proposed, after = bands, before
    if before > allowed and all(band.when.bound > 0 for band in bands):
        for factor in _factors(values, bands[0].when):
            wider = tuple(_widened(band, factor) for band in bands)
            count = alerts(found, wider, rule)
            if count < after:
                proposed, after = wider, count
            if after <= allowed:
                break
    return Proposal(rule.name, len(values), (usual[0], usual[1], usual[2]), before, after, proposed)


def _at(values: Sequence[float], quantile: float) -> float:
    return values[round(quantile * (len(values) - 1))] if values else math.nan


def _factors(values: Sequence[float], condition: Condition) -> Iterator[float]:
    """Ever further away, to beyond the furthest value that there was."""
    furthest = values[-1] if condition.upward else values[0]
    factor = 1.1
    while not _is_beyond(_moved(condition, factor), furthest, condition) and factor < _FURTHEST_FACTOR:
        yield factor
        factor *= 1.1
    yield factor


def _is_beyond(bound: float, furthest: float, condition: Condition) -> bool:
    return bound > 1.1 * furthest if condition.upward else bound < 0.9 * furthest


def _moved(condition: Condition, factor: float) -> float:
    """Further away by this factor; a share from below in what fails, and never beyond all."""
    share = "%" in condition.text
    if condition.upward:
        return max(condition.bound, min(condition.bound * factor, 0.99)) if share else condition.bound * factor
    return max(0.0, 1 - (1 - condition.bound) * factor) if share else condition.bound / factor


def _widened(band: Band, factor: float) -> Band:
    """What clears it stays as far from its bound as it is."""
    when = _with_bound(band.when, _rounded(band.when, _moved(band.when, factor)))
    if band.clear is None:
        return replace(band, when=when)
    return replace(band, when=when, clear=_with_bound(band.clear, when.bound + band.clear.bound - band.when.bound))


def _rounded(condition: Condition, bound: float) -> float:
    """To two digits, as people write bounds, away from where it was."""
    if bound <= 0:
        return 0.0
    unit = _unit(condition)[1]
    step = 10.0 ** (math.floor(math.log10(bound * unit)) - 1)
    steps = round(bound * unit / step, 6)
    rounded = (math.ceil(steps) if condition.upward else math.floor(steps)) * step / unit
    return min(rounded, max(0.99, condition.bound)) if "%" in condition.text and condition.upward else rounded


def _unit(condition: Condition) -> tuple[str, float]:
    """In which it was written, and how many of them make one."""
    text = condition.text.rstrip()
    if text.endswith("%"):
        return "%", 100.0
    if text.endswith("ms"):
        return "ms", 1000.0
    return ("s", 1.0) if text.endswith("s") else ("", 1.0)


def _with_bound(condition: Condition, bound: float) -> Condition:
    unit, of_one = _unit(condition)
    return parse_condition(f"{condition.operator} {max(0.0, bound) * of_one:.6g}{unit}")
