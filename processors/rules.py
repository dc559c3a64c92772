"""Rules as they are judged: what each measures, over which windows, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from processors.description import Description
from processors.histogram import Histogram
from processors.indicators import Indicator, known_indicator
from processors.matchers import Matcher, parse_matchers
from processors.rule_state import Band
from processors.settings import BandSettings, Outcomes, RuleSettings, ThresholdSettings
from processors.window import Cell, Key, Windows
from processors.window import Outcomes as LastOutcomes

_PERCENTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_SEVERITIES = ("low", "medium", "high", "critical")
_LABEL_LENGTH = 256
_METRIC = Indicator("metric", "1")
METRIC_PREFIX = "metric:"
"""Before the name of a metric that a rule names by itself."""


class Series:
    """The samples that one or more rules measure: matched, grouped, kept for the longest of their windows."""

    def __init__(self, identity: str, indicator: str, rule: RuleSettings, *, max_keys: int) -> None:
        self.identity = identity
        self.indicator = indicator
        self.by = rule.by
        self._matches: Matcher | None = parse_matchers(rule.where)[1]
        self._failed: Matcher | None = parse_matchers(rule.of)[1]
        self._users: dict[Key, list[tuple[int, str]]] = {}
        self._counts_users = rule.minimum_users > 0
        self.windows: Windows | LastOutcomes
        self._reach_nano = int(_reach(rule) * 1e9)
        if isinstance(rule.window, Outcomes):
            self.windows = LastOutcomes(int(rule.window), rule.within, max_keys=max_keys)
        else:
            self.windows = Windows(_reach(rule), rule.by, distributed=_shares_distribution(rule), max_keys=max_keys)

    def take(self, labels: Mapping[str, Any], value: float, time_unix_nano: int, trace_id: str = "") -> None:
        if self._matches is not None and not self._matches(labels):
            return
        if self._failed is not None:
            value = 1.0 if self._failed(labels) else 0.0
        key = tuple([str(labels.get(label, ""))[:_LABEL_LENGTH] for label in self.by])
        self.windows.add(key, value, time_unix_nano, trace_id)
        if self._counts_users and value > 0:
            user = str(labels.get("user.id") or labels.get("client.address") or "")
            self._users.setdefault(key, []).append((time_unix_nano, user))

    def take_many(self, labels: Mapping[str, Any], values: Histogram, time_unix_nano: int) -> None:
        """Samples that come summed up already; a histogram of outcomes has zeros and ones."""
        if self._matches is not None and not self._matches(labels):
            return
        if self._failed is not None:
            failed = self._failed(labels)
            count, values = values.count, Histogram()
            values.add(1.0 if failed else 0.0, count)
        key = tuple([str(labels.get(label, ""))[:_LABEL_LENGTH] for label in self.by])
        if isinstance(self.windows, Windows):
            self.windows.add_many(key, values, time_unix_nano)

    def users(self, key: Key, since_unix_nano: int) -> int:
        """How many different users failed; where nobody says who, each failure may be another's."""
        recent = [(time, user) for time, user in self._users.get(key, ()) if time >= since_unix_nano]
        unknown = sum(not user for _, user in recent)
        return len({user for _, user in recent if user}) + unknown

    def forget(self, now_unix_nano: int) -> None:
        self.windows.forget(now_unix_nano)
        for key, users in list(self._users.items()):
            self._users[key] = [(time, user) for time, user in users if time >= now_unix_nano - self._reach_nano]
            if not self._users[key]:
                del self._users[key]

    def take_over(self, other: Series) -> None:
        """What the other has seen, in place of what this one has."""
        self.windows, self._users = other.windows, other._users  # its own class

    def to_state(self) -> Any:
        return {"windows": self.windows.to_state(), "users": list(self._users.items())}

    def restore(self, content: Mapping[str, Any]) -> None:
        self.windows.restore(content["windows"])
        self._users = {tuple(key): [(time, user) for time, user in users] for key, users in content["users"]}


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    settings: RuleSettings
    indicator: Indicator
    bands: tuple[Band, ...]
    for_nano: int
    keep_nano: int
    identity: str
    """Of its series: rules that share it look at the same samples."""
    measure: Callable[[Cell, float], float]

    @property
    def description(self) -> Description:
        return describe(self.name, self.settings)

    @property
    def source(self) -> str:
        """The indicator's name, or that of the metric's samples."""
        return self.settings.indicator or f"{METRIC_PREFIX}{self.settings.metric}"

    @property
    def unit(self) -> str:
        statistic = self.settings.statistic
        if statistic in {"count", "failures"}:
            return "1"
        if statistic == "rate":
            return "1/s"
        if statistic == "ratio" or self.settings.indicator is None:
            return "ratio" if statistic == "ratio" else self._unit_of_bands
        return self.indicator.unit

    @property
    def _unit_of_bands(self) -> str:
        """A metric's own unit is not known here; how its bands are written tells."""
        text = self.bands[0].when.text
        if text.endswith("%"):
            return "ratio"
        if text.endswith("B"):
            return "By"
        return "s" if text[-1].isalpha() else "1"


def compile_rules(settings: ThresholdSettings) -> tuple[list[Rule], dict[str, Series]]:
    """The enabled rules, and the series that they need by identity; raise ValueError for what can't be."""
    rules = [_rule(name, rule) for name, rule in settings.rules.items() if rule.enabled]
    longest: dict[str, Rule] = {}
    for rule in rules:
        other = longest.get(rule.identity)
        longest[rule.identity] = rule if other is None else max(other, rule, key=_needs)
    series = {
        identity: Series(identity, rule.source, rule.settings, max_keys=settings.max_keys)
        for identity, rule in longest.items()
    }
    return rules, series


def describe(name: str, rule: RuleSettings) -> Description:
    bounds = tuple(f"{band.when} is {band.severity}" for band in rule.bands)
    conditions = tuple(str(band.when) for band in rule.bands)
    return Description(name, bounds, rule.next_steps, rule.labels, rule.indicator or "", conditions)


def _reach(rule: RuleSettings) -> float:
    """Seconds that samples are kept for."""
    return rule.within if isinstance(rule.window, Outcomes) else max(float(rule.window), rule.widen_to or 0.0)


def _needs(rule: Rule) -> tuple[float, int]:
    return _reach(rule.settings), rule.settings.minimum_users


def _rule(name: str, settings: RuleSettings) -> Rule:
    indicator = known_indicator(settings.indicator) if settings.indicator else _METRIC
    ranked = sorted(settings.bands, key=lambda band: (band.level == "critical", _SEVERITIES.index(band.severity)))
    return Rule(
        name,
        settings,
        indicator,
        tuple(_band(band) for band in ranked),
        int(settings.for_ * 1e9),
        int(settings.keep_firing_for * 1e9),
        _identity(settings),
        _measure(settings, indicator),
    )


def _band(band: BandSettings) -> Band:
    return Band(band.level, band.when, band.clear, band.severity)


def _identity(settings: RuleSettings) -> str:
    """All but the length of a window: percentiles and means share samples, the last outcomes don't."""
    kind = str(settings.window) if isinstance(settings.window, Outcomes) else "panes"
    parts = (
        settings.indicator or f"{METRIC_PREFIX}{settings.metric}",
        kind,
        "distributed" if _shares_distribution(settings) else "",
        "users" if settings.minimum_users else "",
        ",".join(settings.by),
        ",".join(settings.where),
        ",".join(settings.of),
    )
    return "|".join(parts)


def _shares_distribution(settings: RuleSettings) -> bool:
    """What has a duration keeps it for all its rules."""
    if settings.indicator is not None:
        return known_indicator(settings.indicator).unit == "s" or settings.statistic in _PERCENTILES
    return settings.statistic in _PERCENTILES


def _measure(settings: RuleSettings, indicator: Indicator) -> Callable[[Cell, float], float]:
    statistic = settings.statistic
    if statistic in _PERCENTILES:
        return lambda cell, _seconds: _quantile(cell, _PERCENTILES[statistic])
    if statistic == "ratio" and indicator.succeeds:
        return lambda cell, _seconds: 1 - cell.total / cell.count
    if statistic == "rate":
        whole = settings.metric is not None
        return lambda cell, seconds: (cell.total if whole else cell.count) / seconds
    return _STATISTICS[statistic]


_STATISTICS: dict[str, Callable[[Cell, float], float]] = {
    "mean": lambda cell, _seconds: cell.total / cell.count,
    "ratio": lambda cell, _seconds: cell.total / cell.count,
    "min": lambda cell, _seconds: cell.low,
    "max": lambda cell, _seconds: cell.high,
    "last": lambda cell, _seconds: cell.last,
    "sum": lambda cell, _seconds: cell.total,
    "failures": lambda cell, _seconds: cell.total,
    "count": lambda cell, _seconds: float(cell.count),
}


def _quantile(cell: Cell, q: float) -> float:
    return cell.histogram.quantile(q) if cell.histogram else float("nan")
