"""Rules, their bounds, and the bands that they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dashboard.bands import rules_of
from dashboard.exposition.families import (
    LEFT_OUT,
    RULE_BAND,
    RULE_BOUND,
    RULE_ENABLED,
    RULE_SAMPLES,
    RULE_VALUE,
    RULE_WINDOW,
    Family,
)
from dashboard.exposition.labels import label_text
from dashboard.site import Site
from processors.rule_state import Band

MOST_KEYS = 2000
"""Of all rules together; those beyond are only counted."""
JUDGES = {"thresholds": "threshold", "baselines": "baseline", "anomalies": "anomaly", "security": "security"}
"""By where the configuration has their rules."""
_BANDS = ("normal", "warning", "critical", "no data")
Values = Iterator[tuple[Family, str, object]]
"""Family, labels and value; what is no number is shown to nobody."""


def configured(site: Site) -> Values:
    """What holds whether or not anything is judged."""
    for name, rule in site.judging.known_rules().items():
        labels = label_text((("rule", name), ("judge", JUDGES[rule.way[0]])))
        yield RULE_ENABLED, labels, int(rule.enabled)
    for name, compiled in rules_of(site).items():
        for number, band in enumerate(compiled.bands):
            yield from _bounds((("rule", name), ("band", number), ("level", band.level)), band)


def _bounds(own: tuple[tuple[str, object], ...], band: Band) -> Values:
    for edge, condition in (("enter", band.when), ("leave", band.clear)):
        if condition is not None:
            besides = (("severity", band.severity), ("edge", edge), ("operator", condition.operator))
            yield RULE_BOUND, label_text((*own, *besides)), condition.bound


def measured(evaluations: Iterable[Mapping[str, Any]]) -> Values:
    """As they were published."""
    number = 0
    for number, one in enumerate(evaluations, 1):
        if number <= MOST_KEYS:
            yield from _evaluation(one)
    yield LEFT_OUT, label_text((("family", RULE_VALUE.name),)), max(0, number - MOST_KEYS)


def _evaluation(one: Mapping[str, Any]) -> Values:
    labels = label_text((("rule", one["rule"]),), one["key"].items())
    yield RULE_VALUE, labels, one["value"]
    yield RULE_SAMPLES, labels, one["samples"]
    yield RULE_WINDOW, labels, one["window_seconds"]
    for band in _BANDS:
        yield RULE_BAND, f'{labels},band="{band}"', int(one["band"] == band)
