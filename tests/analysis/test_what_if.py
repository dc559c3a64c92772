"""What other bounds would have done."""

from __future__ import annotations

from dataclasses import replace

from analysis.period import MINUTE_NANO
from analysis.tuning import Course, Value
from analysis.what_if import Firing, firings
from processors.conditions import parse_condition
from processors.rules import Rule, compile_rules
from processors.settings import ThresholdSettings


def _rule() -> Rule:
    return next(one for one in compile_rules(ThresholdSettings())[0] if one.name == "http.server.p95")


def _course(*seconds: float | None) -> list[Course]:
    return [Course(("app",), tuple(Value(minute * MINUTE_NANO, one) for minute, one in enumerate(seconds)))]


def test_it_fires_where_the_rule_would_have() -> None:
    """From the minute that the bound has held for `for`, to the first minute below what clears it."""
    rule = _rule()
    found = firings(_course(1, 4, 4, 4, 12, 12, 12, 2.5, 1, 1, 1, 1, 1, 1), rule, rule.bands)
    assert [(one.key, one.start_unix_nano // MINUTE_NANO, one.level, one.severity) for one in found] == [
        (("app",), 3, "critical", "high")
    ]
    assert found[0].ended
    assert found[0].end_unix_nano // MINUTE_NANO >= 8


def test_other_bounds_fire_less_or_more() -> None:
    """A higher bound would have said nothing; what still fires at the end is told as such."""
    rule = _rule()
    values = _course(1, 4, 4, 4, 4)
    higher = tuple(replace(band, when=parse_condition("> 20s"), clear=None) for band in rule.bands)
    assert firings(values, rule, higher) == []
    assert firings(values, rule, rule.bands) == [
        Firing(("app",), 3 * MINUTE_NANO, 4 * MINUTE_NANO, "warning", "low", ended=False)
    ]


def test_a_quiet_time_fires_nothing() -> None:
    """Without values nothing fires."""
    rule = _rule()
    assert firings(_course(None, None, None), rule, rule.bands) == []
    assert firings([Course(("app",), ())], rule, rule.bands) == []
