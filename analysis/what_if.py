"""What a rule would have done with other bounds: when it would have fired, for which key, how bad."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.period import NANO
from analysis.summaries import Key
from analysis.tuning import Course, Value
from processors.rule_state import Band, RuleState
from processors.rules import Rule


@dataclass(frozen=True, slots=True)
class Firing:
    """From firing to its end, or to the last value when `ended` is false; the worst severity of that time."""

    key: Key
    start_unix_nano: int
    end_unix_nano: int
    level: str
    severity: str
    ended: bool = True


def firings(found: Iterable[Course], rule: Rule, bands: Sequence[Band]) -> list[Firing]:
    """Of all keys, oldest first: Prometheus' state machine over the values, with the rule's own `for`."""
    made = [one for course in found for one in _of_key(course.key, course.values, rule, bands)]
    return sorted(made, key=lambda one: (one.start_unix_nano, one.key))


def _of_key(key: Key, values: Sequence[Value], rule: Rule, bands: Sequence[Band]) -> Iterable[Firing]:
    for_nano, keep_nano = int(rule.settings.for_ * NANO), int(rule.settings.keep_firing_for * NANO)
    state = RuleState.of(bands)
    began, worst = 0, 0
    for one in values:
        was = state.firing
        state.advance(bands, one.judged(bands), one.time_unix_nano, for_nano=for_nano, keep_nano=keep_nano)
        if was is None and state.firing is not None:
            began, worst = one.time_unix_nano, state.firing
        elif was is not None and state.firing is None:
            yield Firing(key, began, one.time_unix_nano, bands[worst].level, bands[worst].severity)
        if state.firing is not None:
            worst = max(worst, state.firing)
    if state.firing is not None:
        end = values[-1].time_unix_nano
        yield Firing(key, began, end, bands[worst].level, bands[worst].severity, ended=False)
