"""What the running sidecar has judged last; where none runs, the backend asked directly and the records themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from analysis.bands import band_of
from analysis.failed_logins import failed_logins
from analysis.period import DAY_NANO, MINUTE_NANO, Period
from analysis.published import published
from analysis.security import login_failures, tells_of_logins
from collector.probes import HttpProbe
from operations.checks.component import Checked, Component
from operations.reading import Reading
from processors.histogram import Histogram
from processors.indicators import EVENT_PREFIX, INDICATORS
from processors.rules import Rule, compile_rules

_PERFORMANCE = (
    "http.server.response_time",
    "http.server.errors",
    "http.server.4xx",
    "http.server.5xx",
    "db.query.response_time",
    "db.pool.utilization",
)
_HOST = ("host.cpu", "host.memory", "host.disk")
_BUSINESS = ("form_automation.jobs", "work_order.syncs", "job_queue.jobs")
_LOOKS = 5
_MIN_OUTCOMES = 10


def performance(reading: Reading) -> Checked:
    """Response times, failures, queries and the connection pool."""
    return _judged(reading, lambda rule: rule.settings.indicator in _PERFORMANCE, _asked_directly)


def host(reading: Reading) -> list[Component]:
    """Processor, memory and disks of each machine that tells of them; nothing where nobody judges."""
    return _judged(reading, lambda rule: rule.settings.indicator in _HOST, lambda *_: []).components


def business(reading: Reading) -> Checked:
    """Success rates of what the business does."""
    return _judged(reading, lambda rule: rule.settings.indicator in _BUSINESS, _last_outcomes)


def security(reading: Reading) -> Checked:
    """The rules about security, the attacks that go on, and who failed to log in too often just now."""
    judged = _judged(reading, lambda rule: rule.settings.labels.get("category") == "security", lambda *_: [])
    return Checked([*judged.components, *_attacks(reading), _offenders(reading)], judged.problem)


def _attacks(reading: Reading) -> list[Component]:
    """An attack that goes on is an evaluation; where none does there is nothing to say but that."""
    judged = published(reading.chosen_folder, reading.now_unix_nano)
    known = reading.judging.known_rules()
    rules = {name: rule for name, rule in known.items() if rule.way[0] == "security" and rule.enabled}
    if judged.problem or not rules:
        return []
    return [
        Component(
            one["rule"],
            one["band"],
            one["value"],
            one["unit"],
            one["key"],
            one["summary"],
            rules[one["rule"]].description.bounds[0],
        )
        for one in judged.evaluations
        if one["rule"] in rules
    ] or [Component("attacks", "normal", detail=f"none by {len(rules)} rules")]


def rules_of(reading: Reading) -> list[Rule]:
    rules, _ = compile_rules(reading.thresholds)
    return rules


def _judged(
    reading: Reading,
    wanted: Callable[[Rule], bool],
    otherwise: Callable[[Reading, list[Rule]], list[Component]],
) -> Checked:
    rules = [rule for rule in rules_of(reading) if wanted(rule)]
    judged = published(reading.chosen_folder, reading.now_unix_nano)
    if judged.problem:
        return Checked(otherwise(reading, rules), judged.problem)
    by_name = {rule.name: rule for rule in rules}
    found = [one for one in judged.evaluations if one["rule"] in by_name]
    return Checked([_component(one, by_name[one["rule"]]) for one in found])


def _component(evaluation: dict[str, Any], rule: Rule) -> Component:
    return Component(
        evaluation["rule"],
        evaluation["band"],
        evaluation["value"],
        evaluation["unit"],
        evaluation["key"],
        evaluation["detail"],
        bound(rule, evaluation["band"]),
    )


def bound(rule: Rule, band: str) -> str:
    """What the band asks of the value; of a normal one what it would take to leave it."""
    if band == "normal":
        return f"{rule.bands[0].level} {rule.bands[0].when}"
    return next((str(one.when) for one in reversed(rule.bands) if one.level == band), "")


def _asked_directly(reading: Reading, rules: list[Rule]) -> list[Component]:
    """A few looks at the backend, by the bands of the mean response time."""
    mean = next((rule for rule in rules if rule.name == "http.server.mean"), None)
    targets = [one for one in reading.configuration.receivers.httpcheck.targets if one.name == "backend"]
    found = []
    for target in targets:
        if not target.endpoint or mean is None:
            continue
        probe, taken, detail, up = HttpProbe(target), Histogram(), "", True
        for _ in range(_LOOKS):
            started = time.perf_counter()
            finding = probe.look()
            taken.add(time.perf_counter() - started)
            detail, up = finding.detail, up and finding.state == "up"
        seconds = taken.sum / taken.count
        band = band_of(mean.bands, seconds) if up else "critical"
        told = bound(mean, band) if up else ""
        found.append(Component(mean.name, band, seconds, "s", {"target": target.name}, detail, told))
    return found


def _last_outcomes(reading: Reading, rules: list[Rule]) -> list[Component]:
    """The last fifty of each kind within a week, from the records."""
    if not reading.chosen_folder.is_dir():
        return []
    now = reading.now_unix_nano
    found = []
    for rule in rules:
        event = INDICATORS[rule.settings.indicator or ""].event
        rows = reading.engine.sql(
            "SELECT outcome FROM business WHERE event IN (?, ?) AND outcome IN ('success', 'failure')"
            " ORDER BY event_unix_nano DESC LIMIT ?",
            (event, EVENT_PREFIX + event, int(rule.settings.window)),
            Period(now - 7 * DAY_NANO, now),
        ).rows
        failures = sum(outcome == "failure" for (outcome,) in rows)
        found.append(_of_outcomes(rule, len(rows), failures))
    return found


def _of_outcomes(rule: Rule, count: int, failures: int) -> Component:
    if count < max(rule.settings.minimum_count, _MIN_OUTCOMES):
        return Component(rule.name, "no data", detail=f"{count} outcomes of at least {rule.settings.minimum_count}")
    rate = 1 - failures / count
    band = band_of(rule.bands, rate) if failures >= rule.settings.minimum_failures else "normal"
    return Component(rule.name, band, rate, "ratio", detail=f"the last {count}", bound=bound(rule, band))


def _offenders(reading: Reading) -> Component:
    if not reading.chosen_folder.is_dir():
        return Component("failed logins", "no data", detail="there are no records")
    now = reading.now_unix_nano
    if not tells_of_logins(reading.engine, Period(now - 7 * DAY_NANO, now)):
        return Component("failed logins", "no data", detail='nobody tells of logins, as event("auth.login") does')
    told = failed_logins(login_failures(reading.engine, Period(now - 15 * MINUTE_NANO, now)))
    worst = ", ".join(f"{one.key} {one.failures} times" for one in told[:3])
    detail = f"within 15 min: {worst}" if told else "nobody failed 5 times within 15 min"
    return Component("failed logins", "warning" if told else "normal", float(len(told)), detail=detail)
