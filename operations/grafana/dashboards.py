"""The dashboards, from the configuration in force: the same configuration gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dashboard.exposition.families import (
    ACKNOWLEDGED,
    ALERTS,
    CPU,
    DISK,
    EVALUATION_AGE,
    EVENT_DURATIONS,
    EVENTS,
    MEMORY,
    POOL,
    PROBE_FAILURES,
    PROBES,
    QUERIES,
    REQUESTS,
    UP,
)
from operations.grafana.layout import document
from operations.grafana.panels import Panel, Query, Row, chart, stat, table, traces
from operations.grafana.queries import (
    failed_in_an_hour,
    firing,
    if_known,
    mean,
    out_of_band,
    quantile,
    query_failures,
    rate,
    request_failures,
    slowest,
    successes,
    value_of,
)
from operations.grafana.steps import NONE, Bound, Step, bounds_of, steps_of, units_of
from processors.indicators import INDICATORS
from processors.judging_settings import JudgingSettings, KnownRule

_PERCENTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
_BAD, _GOOD = "red", "green"
_LATENCY, _ERRORS = "http.server.p95", "http.server.error_rate"


def dashboards(judging: JudgingSettings) -> dict[str, dict[str, Any]]:
    """By the name of their file."""
    known = _Rules(judging)
    made: Mapping[str, tuple[str, Sequence[Row]]] = {
        "overview": ("Overview", _overview(known)),
        "rules": ("Rules", known.by_group()),
        "traces": ("Traces", _traces()),
        "business": ("Business", _business(known)),
        "host": ("Host", _host(known)),
        "database": ("Database", _database(known)),
    }
    return {
        f"forecourt-{name}.json": document(name, title, rows, one_service=name == "traces")
        for name, (title, rows) in made.items()
    }


class _Rules:
    """The rules that are switched on, in the order of the configuration."""

    def __init__(self, judging: JudgingSettings) -> None:
        self._rules = {name: rule for name, rule in judging.known_rules().items() if rule.enabled}
        self._bounds = bounds_of(judging)
        self._units = units_of(judging)

    def steps(self, name: str) -> Sequence[Step]:
        """Of one that may be switched off."""
        return steps_of(self._bounds.get(name, ()))

    def by_group(self) -> list[Row]:
        found: dict[str, list[Panel]] = {}
        for rule in self._rules.values():
            found.setdefault(_group(rule), []).append(self._panel(rule))
        return [Row(group, panels) for group, panels in found.items()]

    def about(self, wanted: Callable[[KnownRule], bool]) -> list[Panel]:
        """Those with bounds to be drawn."""
        return [self._panel(rule) for rule in self._rules.values() if self._bounds.get(rule.name) and wanted(rule)]

    def _panel(self, rule: KnownRule) -> Panel:
        bounds: Iterable[Bound] = self._bounds.get(rule.name, ())
        note = "\n".join(["; ".join(rule.description.bounds), *(f"- `{step}`" for step in rule.description.next_steps)])
        unit = self._units.get(rule.name, "short")
        return chart(rule.name, [Query(value_of(rule.name))], unit, steps=steps_of(bounds), note=note, width=8)


def _group(rule: KnownRule) -> str:
    """As the runbook has them: security, anomalies and baselines by themselves, the others by what they measure."""
    return rule.description.labels.get("category", "") or rule.name.split(".")[0]


def _source(rule: KnownRule) -> str:
    known = INDICATORS.get(rule.description.indicator)
    return known.source if known is not None else ""


def _percentiles(family_title: str, rules: _Rules) -> Panel:
    queries = [Query(quantile(REQUESTS, q), name, exemplars=True) for q, name in _PERCENTILES]
    note = "A dot is a request: choose it to see its trace. The dashed lines are the bounds of the rule for the p95."
    return chart(family_title, queries, "s", steps=rules.steps(_LATENCY), note=note)


def _overview(rules: _Rules) -> list[Row]:
    errors = rules.steps(_ERRORS)
    alive = (Step(_BAD, None), Step(_GOOD, 1))
    now = [
        stat("Sidecar", UP.name, "short", steps=alive, words=("down", "up")),
        stat("Requests", rate(REQUESTS), "reqps"),
        stat("Failed", if_known(request_failures()), "percentunit", steps=errors),
        stat("p95", if_known(quantile(REQUESTS, 0.95)), "s", steps=rules.steps(_LATENCY)),
        stat("Alerts", f'sum({ALERTS.name}{{status="firing"}})', "short", steps=(*NONE, Step(_BAD, 1))),
        stat("Seen to", ACKNOWLEDGED.name, "short"),
    ]
    course = [
        chart("Requests", [Query(rate(REQUESTS, "service_name"))], "reqps"),
        _percentiles("Response times", rules),
        chart("Failed requests", [Query(request_failures("service_name"))], "percentunit", steps=errors),
        table("Slowest routes (p95)", slowest(REQUESTS, "http_route"), unit="s"),
    ]
    wrong = [
        table("Alerts that fire", firing(), hidden=("Value",)),
        table("Rules out of their normal band", out_of_band(), hidden=("Value",)),
        chart("Since the rules were judged", [Query(EVALUATION_AGE.name, "age")], "s"),
        chart("Alerts by severity", [Query(f'sum by (severity) ({ALERTS.name}{{status="firing"}})')], "short"),
    ]
    return [Row("Now", now), Row("Requests", course), Row("Alerts", wrong)]


def _traces() -> list[Row]:
    one = 'service_name="$service"'  # a single name, which Grafana does not make safe for a pattern
    exemplars = [Query(quantile(REQUESTS, 0.99, "service_name", one), "__auto", exemplars=True)]
    return [
        Row("Response times", [chart("p99 with traces", exemplars, "s", width=24)]),
        Row(
            "Traces",
            [traces("Newest"), traces("Failed", tags="error=true"), traces("Slower than 1 s", least="1s")],
        ),
    ]


def _business(rules: _Rules) -> list[Row]:
    events = [
        chart("Events", [Query(rate(EVENTS, "event_name, outcome"))], "cps"),
        chart("Share that succeeds", [Query(successes("event_name"))], "percentunit"),
        chart("Duration (p95)", [Query(quantile(EVENT_DURATIONS, 0.95, "event_name"))], "s"),
        table("Failed in the last hour", failed_in_an_hour("event_name")),
    ]
    return [Row("Events", events), *_row("Rules", rules.about(lambda rule: _source(rule) == "event"))]


def _host(rules: _Rules) -> list[Row]:
    shares = [
        chart("Processors", [Query(mean(CPU, "host_name"))], "percentunit", steps=rules.steps("host.cpu"), width=8),
        chart("Memory", [Query(mean(MEMORY, "host_name"))], "percentunit", steps=rules.steps("host.memory"), width=8),
        chart(
            "Disks",
            [Query(mean(DISK, "host_name, system_filesystem_mountpoint"))],
            "percentunit",
            steps=rules.steps("host.disk"),
            width=8,
        ),
    ]
    probes = [
        chart("Time to answer", [Query(mean(PROBES, "target"))], "s"),
        chart("Found down", [Query(rate(PROBE_FAILURES, "target", ""))], "cps"),
    ]
    return [
        Row("Resources", shares),
        Row("Probes", probes),
        *_row("Rules", rules.about(lambda rule: _source(rule) in {"metric", "probe", "service"})),
    ]


def _database(rules: _Rules) -> list[Row]:
    queries = [
        chart("Queries", [Query(rate(QUERIES, "service_name"))], "cps"),
        chart(
            "Response times",
            [Query(quantile(QUERIES, q), name) for q, name in _PERCENTILES],
            "s",
            steps=rules.steps("db.query.p95"),
        ),
        chart("Failed queries", [Query(query_failures(), "failed")], "percentunit"),
        table("Slowest queries (p95)", slowest(QUERIES, "db_query_summary"), unit="s"),
        chart(
            "Connection pools",
            [Query(mean(POOL, "service_name, db_client_connection_pool_name"))],
            "percentunit",
            steps=rules.steps("db.pool.utilization"),
        ),
    ]
    return [Row("Queries", queries), *_row("Rules", rules.about(lambda rule: _source(rule) in {"query", "pool"}))]


def _row(title: str, panels: Sequence[Panel]) -> list[Row]:
    return [Row(title, panels)] if panels else []
