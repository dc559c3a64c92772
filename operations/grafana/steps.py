"""Bounds and units of rules in Grafana's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from processors.anomalies.watches import compile_watches
from processors.conditions import Condition, parse_condition
from processors.judging_settings import JudgingSettings, KnownRule
from processors.rules import compile_rules

UNITS = {"s": "s", "By": "bytes", "ratio": "percentunit", "1/s": "cps", "days": "d", "1": "short"}
"""By unit of a rule."""
_COLORS = {"low": "yellow", "medium": "orange", "high": "red", "critical": "dark-red"}
_GOOD = "green"


class Step(NamedTuple):
    """The colour from `value` on; None is from the bottom."""

    color: str
    value: float | None


class Bound(NamedTuple):
    condition: Condition
    severity: str


NONE = (Step(_GOOD, None),)


def steps_of(bounds: Iterable[Bound]) -> tuple[Step, ...]:
    """Ascending, as Grafana wants them; where less is worse the worst is at the bottom."""
    known = sorted(bounds, key=lambda one: one.condition.bound)
    upward = [one for one in known if one.condition.upward]
    downward = [one for one in known if not one.condition.upward]
    if not downward:
        return (*NONE, *(Step(_COLORS[one.severity], one.condition.bound) for one in upward))
    colors = [_COLORS[one.severity] for one in downward]
    ends = [one.condition.bound for one in downward]
    falling = [Step(color, start) for color, start in zip([*colors, _GOOD], [None, *ends], strict=True)]
    return (*falling, *(Step(_COLORS[one.severity], one.condition.bound) for one in upward))


def bounds_of(judging: JudgingSettings) -> dict[str, tuple[Bound, ...]]:
    """By rule that is switched on, of those where the value alone tells."""
    found = {
        rule.name: tuple(Bound(band.when, band.severity) for band in rule.bands)
        for rule in compile_rules(judging.thresholds)[0]
    }
    for name, rule in judging.known_rules().items():
        if name not in found and rule.enabled:
            found[name] = tuple(_told(rule, judging))
    return found


def _told(rule: KnownRule, judging: JudgingSettings) -> Iterator[Bound]:
    """Of a rule of security, whose bounds are texts."""
    settings = judging.security.rules.get(rule.name)
    if settings is None:
        return
    worse = getattr(settings, "worse", None)
    severities = (settings.severity, worse.severity if worse is not None else settings.severity)
    for condition, severity in zip(map(parse_condition, rule.description.conditions), severities, strict=False):
        yield Bound(condition, severity)


def units_of(judging: JudgingSettings) -> dict[str, str]:
    """Grafana's, by rule; what is not here is a plain number."""
    found = {rule.name: UNITS[rule.unit] for rule in compile_rules(judging.thresholds)[0]}
    found |= {watch.rule: UNITS[watch.unit] for watch in compile_watches(judging.anomalies)}
    summed = {name: "bytes" for name, rule in judging.security.rules.items() if getattr(rule, "sum", "")}
    return found | summed
