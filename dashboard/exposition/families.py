"""The families that `/metrics` may have: their names are an interface, dashboards and alerts of others ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram"]
_SUFFIXES: Mapping[Kind, tuple[str, ...]] = {
    "gauge": ("",),
    "counter": ("_total",),
    "histogram": ("_bucket", "_count", "_sum"),
}
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0)
"""As OpenTelemetry's semantic conventions advise for http.server.request.duration, and two more for slow answers."""
_QUERY_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""As they advise for db.client.operation.duration."""
_JOB_SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)


@dataclass(frozen=True, slots=True)
class Family:
    """`name` is without `_total`, and ends with the unit if there is one; `buckets` are upper bounds, ascending."""

    name: str
    kind: Kind
    meaning: str
    unit: Literal["", "seconds", "ratio"] = ""
    buckets: tuple[float, ...] = ()

    @property
    def samples(self) -> tuple[str, ...]:
        """The names that its lines have."""
        return tuple(f"{self.name}{suffix}" for suffix in _SUFFIXES[self.kind])


@dataclass(frozen=True, slots=True)
class RolledUp:
    """What becomes of an indicator's rollups: `values` of all samples, `failures` of those that failed."""

    values: Family
    failures: Family | None = None
    timed: bool = False
    """A sample of 0 has no duration, and is only counted among the failures or not at all."""


def _histogram(name: str, meaning: str, unit: Literal["seconds", "ratio"], buckets: tuple[float, ...]) -> Family:
    return Family(name, "histogram", meaning, unit, buckets)


REQUESTS = _histogram("http_server_request_duration_seconds", "Time to answer a request", "seconds", _SECONDS)
REQUEST_ERRORS = Family("http_server_request_errors", "counter", "Requests that failed, as the rules count them")
QUERIES = _histogram("db_client_operation_duration_seconds", "Time of a database query", "seconds", _QUERY_SECONDS)
QUERY_ERRORS = Family("db_client_operation_errors", "counter", "Database queries that failed")
EVENTS = Family("forecourt_events", "counter", "Business and security events by outcome: success or failure")
EVENT_DURATIONS = _histogram(
    "forecourt_event_duration_seconds", "Time that an event took, of those that say it", "seconds", _JOB_SECONDS
)
PROBES = _histogram("forecourt_probe_duration_seconds", "Time until a probed target answered", "seconds", _SECONDS)
PROBE_FAILURES = Family("forecourt_probe_failures", "counter", "Looks at a target that found it down")
CPU = _histogram("forecourt_host_cpu_ratio", "Share of time that the processors were busy", "ratio", _SHARES)
MEMORY = _histogram("forecourt_host_memory_ratio", "Share of the memory in use", "ratio", _SHARES)
DISK = _histogram("forecourt_host_disk_ratio", "Share of a filesystem in use", "ratio", _SHARES)
POOL = _histogram("forecourt_db_pool_ratio", "Share of a connection pool in use", "ratio", _SHARES)
METRIC_SAMPLES = Family("forecourt_metric_samples", "counter", "Samples of a metric that a rule names")
METRIC_MEAN = Family("forecourt_metric_mean", "gauge", "Mean of such a metric in its last minute, in the metric's unit")

ROLLED_UP: Mapping[str, RolledUp] = {
    "http.server.response_time": RolledUp(REQUESTS, REQUEST_ERRORS),
    "db.query.response_time": RolledUp(QUERIES, QUERY_ERRORS),
    "events": RolledUp(EVENT_DURATIONS, timed=True),
    "probe.latency": RolledUp(PROBES, PROBE_FAILURES, timed=True),
    "host.cpu": RolledUp(CPU),
    "host.memory": RolledUp(MEMORY),
    "host.disk": RolledUp(DISK),
    "db.pool.utilization": RolledUp(POOL),
}
"""By indicator; what is not here is a metric that a rule names."""

BUILD = Family("forecourt_build_info", "gauge", "1, with the version that answers")
UP = Family("forecourt_up", "gauge", "Whether a sidecar on these records judges now")
EVALUATION_AGE = Family("forecourt_evaluation_age_seconds", "gauge", "Since the rules were evaluated last", "seconds")
RULE_ENABLED = Family("forecourt_rule_enabled", "gauge", "Each rule that is configured; 0 for one that is switched off")
RULE_VALUE = Family("forecourt_rule_value", "gauge", "What a rule measured last, in base units")
RULE_BOUND = Family("forecourt_rule_bound", "gauge", "Where a band of a rule is entered or left, by edge")
RULE_BAND = Family("forecourt_rule_band", "gauge", "1 for the band that a rule is in, 0 for the others")
RULE_SAMPLES = Family("forecourt_rule_samples", "gauge", "Samples behind a rule's value")
RULE_WINDOW = Family("forecourt_rule_window_seconds", "gauge", "Time that a rule's value is of", "seconds")
ALERTS = Family("forecourt_alerts", "gauge", "Alerts by status and severity")
ALERT_FIRING = Family("forecourt_alert_firing", "gauge", "1 for each alert that fires")
ACKNOWLEDGED = Family("forecourt_alerts_acknowledged", "gauge", "Firing alerts that somebody sees to")
SILENCES = Family("forecourt_silences", "gauge", "Silences in force, by kind")
LEFT_OUT = Family("forecourt_exposition_left_out_series", "gauge", "Series of a family that there was no room for")

FAMILIES = (
    *(BUILD, UP, EVALUATION_AGE, RULE_ENABLED, RULE_VALUE, RULE_BOUND, RULE_BAND, RULE_SAMPLES, RULE_WINDOW),
    *(ALERTS, ALERT_FIRING, ACKNOWLEDGED, SILENCES, REQUESTS, REQUEST_ERRORS, QUERIES, QUERY_ERRORS),
    *(EVENTS, EVENT_DURATIONS, PROBES, PROBE_FAILURES, CPU, MEMORY, DISK, POOL, METRIC_SAMPLES, METRIC_MEAN, LEFT_OUT),
)
"""In the order in which they are shown."""
