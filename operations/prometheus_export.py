"""Our rules as Prometheus' own, for a team that outgrows this."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from alerting.channels.labels import label_name
from processors.judgement import TICK_NANO
from processors.rules import Rule, compile_rules
from processors.settings import BandSettings, ThresholdSettings

RULE_VALUE = "forecourt_rule_value"
"""What the sidecar's own metrics show of each rule and key; absent where there is no value."""
_HUMAN = {"ratio": "humanizePercentage", "s": "humanizeDuration", "By": "humanize1024"}
_INVERSE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_BRACES = re.compile(r"\{\{|\}\}")


def prometheus_rules(settings: ThresholdSettings) -> dict[str, Any]:
    """The content of a rule file: an alert for each band, by the values that the sidecar measures.

    A band with `clear` is held by its own alert, which Prometheus shows as the series ALERTS. Without data Prometheus
    ends an alert at once, and we after 30 minutes.
    """
    rules, _ = compile_rules(settings)
    alerts = [alert for rule in rules for alert in _alerts(rule)]
    return {"groups": [{"name": "forecourt", "interval": f"{TICK_NANO // 10**9}s", "rules": alerts}]}


def _alerts(rule: Rule) -> Iterator[dict[str, Any]]:
    settings = rule.settings
    for number, band in enumerate(settings.bands):
        labels = {label_name(name): value for name, value in settings.labels.items()}
        labels |= {"severity": band.severity, "level": band.level, "band": str(number)}
        alert: dict[str, Any] = {"alert": rule.name, "expr": _expression(rule, band, labels)}
        if settings.for_:
            alert["for"] = f"{settings.for_:g}s"
        if settings.keep_firing_for:
            alert["keep_firing_for"] = f"{settings.keep_firing_for:g}s"
        annotations = {"summary": _summary(rule)}
        if settings.next_steps:
            annotations["next_steps"] = "; ".join(map(_literal, settings.next_steps))
        yield {**alert, "labels": labels, "annotations": annotations}


def _expression(rule: Rule, band: BandSettings, labels: dict[str, str]) -> str:
    name = json.dumps(rule.name, ensure_ascii=False)
    value = f"{RULE_VALUE}{{rule={name}}}"
    entered = f"{value} {band.when.operator} {band.when.bound!r}"
    if band.clear is None:
        return entered
    held = f"{value} {_INVERSE[band.clear.operator]} {band.clear.bound!r}"
    own = f'ALERTS{{alertname={name},band="{labels["band"]}"}}'
    besides = ", ".join(("alertname", "alertstate", *labels))
    return f"{entered} or ({held} and ignoring({besides}) {own})"


def _summary(rule: Rule) -> str:
    text = _literal(rule.settings.summary or f"{rule.name} is {{value}}")
    human = _HUMAN.get(rule.unit, "humanize")
    text = text.replace("{value}", f"{{{{ $value | {human} }}}}")
    for label in rule.settings.by:
        text = text.replace("{" + label + "}", f"{{{{ $labels.{label_name(label)} }}}}")
    return text


def _literal(text: str) -> str:
    """Braces that Prometheus must not take for a template."""
    return _BRACES.sub(lambda found: f'{{{{ "{found[0]}" }}}}', text)
