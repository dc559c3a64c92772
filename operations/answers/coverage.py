"""`report coverage` and `report review`: what the monitoring does not see, and how it does itself."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from analysis.events import event_counts
from analysis.json_values import period_json
from analysis.queries import query_times
from analysis.requests import response_times
from operations.answers.rule_review import reviewed
from operations.checks.component import CODES, WORDS
from operations.checks.judged import rules_of
from operations.checks.sidecar import collection, overhead, sidecar
from operations.reading import Answer, Reading, archive_of
from operations.tables import period_text, show_table
from processors.indicators import INDICATORS, indicator_of_event
from processors.matchers import parse_matchers
from processors.rules import Rule
from storage.usage import usage

_REQUESTS = "http.server."
_FEW = 30


@dataclass(frozen=True, slots=True)
class Covered:
    """A thing that could be watched: whether it sends anything, and which rules are about it."""

    kind: str
    name: str
    telemetry: bool
    rules: tuple[str, ...]
    detail: str = ""

    @property
    def missing(self) -> str:
        if not self.telemetry:
            return "no telemetry"
        return "" if self.rules else "no rule"


def coverage(reading: Reading) -> Answer:
    """What lacks something first."""
    found = sorted(_covered(reading), key=lambda one: (not one.missing, one.kind, one.name))
    content = {
        **period_json(reading.period),
        "uncovered": sum(bool(one.missing) for one in found),
        "things": [
            {
                "kind": one.kind,
                "name": one.name,
                "telemetry": one.telemetry,
                "rules": list(one.rules),
                "missing": one.missing or None,
                "detail": one.detail,
            }
            for one in found
        ],
    }

    def show() -> None:
        click.echo(period_text(reading.period))
        lacking = [one for one in found if one.missing]
        click.echo(f"{len(lacking)} of {len(found)} things lack a rule or telemetry")
        if found:
            rows = [
                (one.kind, one.name, one.missing or "covered", ", ".join(one.rules[:3]), one.detail) for one in found
            ]
            show_table(("kind", "name", "coverage", "rules", ""), rows)

    return Answer(content, show)


def _covered(reading: Reading) -> Iterator[Covered]:
    rules = rules_of(reading)
    yield from _routes(reading, rules)
    yield from _jobs(reading, rules)
    yield from _tables(reading, rules)
    yield from _targets(reading, rules)


def _about(rules: Iterable[Rule], prefix: str, labels: dict[str, Any]) -> tuple[str, ...]:
    """The rules of such an indicator whose matchers these labels satisfy."""
    names = []
    for rule in rules:
        if not (rule.settings.indicator or "").startswith(prefix):
            continue
        matches = parse_matchers(rule.settings.where)[1]
        if matches is None or matches(labels):
            names.append(rule.name)
    return tuple(names)


def _routes(reading: Reading, rules: list[Rule]) -> Iterator[Covered]:
    for one in response_times(reading.engine, reading.period)[1:]:
        labels = {"service.name": one.service, "http.request.method": one.method, "http.route": one.route}
        few = f"{one.requests} requests" if one.requests < _FEW else ""
        yield Covered(
            "route", f"{one.method} {one.route}", telemetry=True, rules=_about(rules, _REQUESTS, labels), detail=few
        )


def _jobs(reading: Reading, rules: list[Rule]) -> Iterator[Covered]:
    seen = set()
    for one in event_counts(reading.engine, reading.period, "business"):
        seen.add(indicator_of_event(one.event))
        yield Covered("job", one.event, telemetry=True, rules=_of_event(rules, one.event, one.service))
    for rule in rules:
        indicator = rule.settings.indicator or ""
        event = INDICATORS[indicator].event if indicator in INDICATORS else ""
        if event and indicator not in seen and indicator != "auth.logins":  # they are no job
            yield Covered("job", event, telemetry=False, rules=(rule.name,))


def _of_event(rules: list[Rule], event: str, service: str) -> tuple[str, ...]:
    indicator = indicator_of_event(event)
    direct = tuple(rule.name for rule in rules if indicator and rule.settings.indicator == indicator)
    return direct + _about(rules, "events", {"event.name": event, "service.name": service})


def _tables(reading: Reading, rules: list[Rule]) -> Iterator[Covered]:
    for one in query_times(reading.engine, reading.period):
        labels = {"service.name": one.service, "db.system.name": one.system, "db.query.summary": one.summary}
        yield Covered("table", one.summary, telemetry=True, rules=_about(rules, "db.query.", labels))


def _targets(reading: Reading, rules: list[Rule]) -> Iterator[Covered]:
    receivers = reading.configuration.receivers
    seen = {name for (name,) in reading.engine.sql("SELECT DISTINCT target FROM health", (), reading.period)}
    for kind, check in (("http", receivers.httpcheck), ("tcp", receivers.tcpcheck), ("sql", receivers.sqlcheck)):
        for target in check.targets:
            labels = {"target": target.name, "kind": kind}
            configured = bool(getattr(target, "endpoint", "") or getattr(target, "url", None))
            detail = "" if configured else "has no address"
            known = target.name in seen
            yield Covered("target", target.name, telemetry=known, rules=_about(rules, "probe.", labels), detail=detail)


def review(reading: Reading) -> Answer:
    """Checks of the monitoring itself, rules, storage and coverage on one page."""
    checks = {"self": sidecar(reading), "collection": collection(reading), "overhead": overhead(reading)}
    rules = reviewed(reading)
    things = coverage(reading).content
    stored = usage(reading.folder, archive_of(reading.folder, reading.store), time.time_ns())
    content = {
        **period_json(reading.period),
        "checks": {
            name: {"status": WORDS[one.code], "components": [part.to_json() for part in one.components]}
            for name, one in checks.items()
        },
        "rules": rules,
        "uncovered": [one for one in things["things"] if one["missing"]],
        "stored_bytes": sum(one.bytes for one in stored),
    }

    def show() -> None:
        click.echo(period_text(reading.period))
        for name, one in checks.items():
            click.echo(f"\n{name}: {WORDS[one.code]}")
            for part in one.components:
                if CODES[part.band]:
                    click.echo(f"  {part.line()}")
        click.echo("\nrules")
        for verdict in ("noisy", "flapping", "silent"):
            named = [rule["rule"] for rule in rules if verdict in rule["verdicts"]]
            click.echo(f"  {verdict}: {', '.join(named) or 'none'}")
        click.echo(f"\n{things['uncovered']} things lack a rule or telemetry; see: forecourt report coverage")

    return Answer(content, show)
