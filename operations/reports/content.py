"""A report of the folder and the time that a command reads."""

from __future__ import annotations

from typing import Any

from alerting.summary import summary
from analysis import report as recorded
from operations.answers.rule_review import episodes_of
from operations.reading import Reading


def report(reading: Reading, title: str) -> dict[str, Any]:
    """Everything that happened in the reading's period, against the one before."""
    rules = (name for name, rule in reading.thresholds.rules.items() if rule.enabled)
    alerts = summary(episodes_of(reading), rules)
    return recorded.report(reading.engine, reading.period, title, reading.bands, alerts)
