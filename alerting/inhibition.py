"""Inhibition: while one alert fires, others that follow from it tell nobody (Alertmanager's `inhibit_rules`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alerting.alert import Alert
from alerting.settings import InhibitSettings
from processors.matchers import Matcher, parse_matchers

Labels = Mapping[str, str]


class Inhibition:
    """Knows the sources that fire."""

    def __init__(self, rules: Iterable[InhibitSettings]) -> None:
        self._rules = [(_matcher(rule.source_matchers), _matcher(rule.target_matchers), rule.equal) for rule in rules]
        self._sources: list[dict[tuple[str, ...], list[Alert]]] = [{} for _ in self._rules]

    def advance(self, firing: Iterable[Alert]) -> None:
        """Take these for what fires now."""
        self._sources = [{} for _ in self._rules]
        for alert in firing:
            labels = alert.matching
            for (source, _, equal), known in zip(self._rules, self._sources, strict=True):
                if source(labels):
                    known.setdefault(_values(labels, equal), []).append(alert)

    def inhibiting(self, target: Alert) -> Alert | None:
        """The alert because of which this one is quiet. What is on both sides of a rule is not quiet by it."""
        labels = target.matching
        for (source, matches, equal), known in zip(self._rules, self._sources, strict=True):
            if not known or not matches(labels) or source(labels):
                continue
            for alert in known.get(_values(labels, equal), ()):
                if alert.id != target.id:
                    return alert
        return None


def _matcher(texts: tuple[str, ...]) -> Matcher:
    matcher = parse_matchers(texts)[1]
    if matcher is None:
        raise ValueError("an inhibition needs matchers")
    return matcher


def _values(labels: Labels, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in names)
