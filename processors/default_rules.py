"""The runbook's table as rules: its numbers, windows and minimums. `otel-config.yaml` shows the same."""

from __future__ import annotations

from typing import Any

_WARNING_LOW = {"level": "warning", "severity": "low"}
_WARNING_MEDIUM = {"level": "warning", "severity": "medium"}
_CRITICAL_HIGH = {"level": "critical", "severity": "high"}
_CRITICAL = {"level": "critical", "severity": "critical"}

_SLOW = {
    "indicator": "http.server.response_time",
    "window": "5min",
    "for": "2min",
    "next_steps": ["forecourt stats response-times --last 1h", "forecourt logs slow-queries --last 1h"],
}
_RATE = {"statistic": "ratio", "window": "5min", "widen_to": "1h", "minimum_count": 20, "minimum_failures": 5}
_OUTCOMES = {
    "statistic": "ratio",
    "window": "50 outcomes",
    "within": "7days",
    "minimum_count": 10,
    "minimum_failures": 3,
}
_HOST = {"where": ["service.name = forecourt"], "statistic": "mean"}
_EXPORTER = {
    "where": ["service.name = forecourt"],
    "by": ["host.name", "exporter", "signal"],
    "next_steps": ["forecourt store exporters"],
}
_REFUSED_STEP = (
    'forecourt sql "SELECT route, status_code, count(*) AS requests FROM performance '
    'WHERE status_code BETWEEN 400 AND 499 GROUP BY 1, 2 ORDER BY 3 DESC" --last 1h'
)
_ERROR_STEPS = ["forecourt logs errors --last 1h", "forecourt stats errors --last 1h"]

DEFAULT_RULES: dict[str, dict[str, Any]] = {
    "http.server.p95": {
        **_SLOW,
        "statistic": "p95",
        "minimum_count": 30,
        "bands": [
            {**_WARNING_LOW, "when": "> 3s", "clear": "< 2s"},
            {**_CRITICAL_HIGH, "when": "> 10s"},
        ],
        "summary": "95 % of requests take up to {value}",
    },
    "http.server.p99": {
        **_SLOW,
        "statistic": "p99",
        "minimum_count": 100,
        "bands": [
            {**_WARNING_LOW, "when": "> 7s", "clear": "< 5s"},
            {**_CRITICAL_HIGH, "when": "> 15s"},
        ],
        "summary": "99 % of requests take up to {value}",
    },
    "http.server.mean": {
        **_SLOW,
        "statistic": "mean",
        "minimum_count": 30,
        "bands": [
            {**_WARNING_LOW, "when": "> 2s", "clear": "< 1s"},
            {**_CRITICAL_HIGH, "when": "> 5s"},
        ],
        "summary": "a request takes {value} on average",
    },
    "http.server.error_rate": {
        **_RATE,
        "indicator": "http.server.errors",
        "bands": [
            {**_WARNING_LOW, "when": "> 1%"},
            {**_CRITICAL_HIGH, "when": "> 5%"},
            {**_CRITICAL, "when": "> 10%"},
        ],
        "summary": "{value} of requests fail",
        "next_steps": _ERROR_STEPS,
    },
    "http.server.4xx_rate": {
        **_RATE,
        "indicator": "http.server.4xx",
        "bands": [{**_WARNING_LOW, "when": "> 2%"}],
        "summary": "{value} of requests are refused with 4xx",
        "next_steps": [_REFUSED_STEP],
    },
    "http.server.5xx_rate": {
        **_RATE,
        "indicator": "http.server.5xx",
        "bands": [{**_WARNING_LOW, "when": "> 0.5%"}],
        "summary": "{value} of requests are answered with 5xx",
        "next_steps": _ERROR_STEPS,
    },
    "form_automation.success_rate": {
        **_OUTCOMES,
        "indicator": "form_automation.jobs",
        "bands": [{**_WARNING_MEDIUM, "when": "< 95%"}, {**_CRITICAL_HIGH, "when": "< 90%"}],
        "summary": "{value} of the last form automation jobs succeeded",
        "next_steps": ["forecourt stats automation --success"],
    },
    "work_order.sync.success_rate": {
        **_OUTCOMES,
        "indicator": "work_order.syncs",
        "bands": [{**_WARNING_LOW, "when": "< 98%"}, {**_CRITICAL_HIGH, "when": "< 95%"}],
        "summary": "{value} of the last work order syncs succeeded",
        "next_steps": ["forecourt stats sync"],
    },
    "auth.success_rate": {
        "labels": {"category": "security"},
        "indicator": "auth.logins",
        "statistic": "ratio",
        "window": "1h",
        "minimum_count": 20,
        "minimum_failures": 5,
        "minimum_users": 2,
        "bands": [{**_WARNING_LOW, "when": "< 99%"}, {**_CRITICAL_HIGH, "when": "< 95%"}],
        "summary": "{value} of logins succeed",
        "next_steps": ["forecourt security failed-logins --within 1h"],
    },
    "auth.failed_logins": {
        "labels": {"category": "security"},
        "indicator": "auth.logins",
        "statistic": "failures",
        "window": "15min",
        "bands": [{**_CRITICAL_HIGH, "when": ">= 20", "clear": "< 10"}],
        "summary": "{value} logins failed within 15 minutes",
        "next_steps": ["forecourt security failed-logins --threshold 5 --within 15min"],
    },
    "host.cpu": {
        **_HOST,
        "indicator": "host.cpu",
        "by": ["host.name"],
        "window": "10min",
        "minimum_count": 10,
        "bands": [{**_WARNING_LOW, "when": "> 70%"}, {**_CRITICAL_HIGH, "when": "> 85%"}],
        "summary": "the processors are busy {value} of the time",
        "next_steps": ["forecourt stats resources --last 1h"],
    },
    "host.memory": {
        **_HOST,
        "indicator": "host.memory",
        "by": ["host.name"],
        "window": "5min",
        "minimum_count": 5,
        "bands": [
            {**_WARNING_MEDIUM, "when": "> 80%", "clear": "< 77%"},
            {**_CRITICAL_HIGH, "when": "> 90%", "clear": "< 87%"},
        ],
        "summary": "{value} of the memory is in use",
        "next_steps": ["forecourt stats memory --last 1h"],
    },
    "host.disk": {
        **_HOST,
        "indicator": "host.disk",
        "by": ["host.name", "system.filesystem.mountpoint"],
        "window": "5min",
        "minimum_count": 2,
        "bands": [
            {**_WARNING_MEDIUM, "when": "> 80%", "clear": "< 77%"},
            {**_CRITICAL_HIGH, "when": "> 90%", "clear": "< 87%"},
        ],
        "summary": "the disk is {value} full",
        "next_steps": ["forecourt stats resources --trend", "forecourt store maintain"],
    },
    "db.pool.utilization": {
        "indicator": "db.pool.utilization",
        "statistic": "mean",
        "by": ["service.name", "db.client.connection.pool.name"],
        "window": "5min",
        "minimum_count": 3,
        "bands": [{**_WARNING_LOW, "when": "> 80%"}, {**_CRITICAL_HIGH, "when": "> 90%"}],
        "summary": "{value} of the connection pool is in use",
        "next_steps": ["forecourt stats database --last 1h"],
    },
    "db.query.p95": {
        "indicator": "db.query.response_time",
        "statistic": "p95",
        "window": "5min",
        "minimum_count": 50,
        "bands": [{**_WARNING_LOW, "when": "> 100ms"}, {**_CRITICAL_HIGH, "when": "> 500ms"}],
        "summary": "95 % of queries take up to {value}",
        "next_steps": ["forecourt logs slow-queries --last 1h"],
    },
    "backend.down": {
        "indicator": "probe.down",
        "statistic": "last",
        "where": ["target = backend"],
        "by": ["target"],
        "bands": [{**_CRITICAL, "when": "> 0"}],
        "summary": "the backend does not answer",
        "next_steps": ["forecourt check health", "forecourt logs errors --last 1h"],
    },
    "service.absent": {
        "indicator": "service.absent",
        "statistic": "last",
        "bands": [{**_CRITICAL, "when": "> 0"}],
        "summary": "the service has fallen silent without saying that it stops",
        "next_steps": ["forecourt check health", "forecourt logs errors --last 1h"],
    },
    "service.hung": {
        "metric": "process.event_loop.heartbeat.age",
        "statistic": "last",
        "by": ["service.name", "service.instance.id"],
        "bands": [{**_CRITICAL, "when": "> 30s"}],
        "summary": "the event loop has stood still for {value} although its process lives",
        "next_steps": ["forecourt logs errors --last 1h"],
    },
    "database.unreachable": {
        "indicator": "probe.down",
        "statistic": "last",
        "where": ["kind = sql"],
        "by": ["target"],
        "bands": [{**_CRITICAL, "when": "> 0"}],
        "summary": "the database can't be reached",
        "next_steps": ["forecourt check health"],
    },
    "database.corrupt": {
        "indicator": "probe.corrupt",
        "statistic": "last",
        "by": ["target"],
        "bands": [{**_CRITICAL, "when": "> 0"}],
        "summary": "the database is damaged",
        "next_steps": ["stop the backend and restore the last backup; keep the damaged file"],
    },
    "service.down": {
        "indicator": "probe.down",
        "statistic": "last",
        "where": ["target != backend", "kind != sql"],
        "by": ["target"],
        "bands": [{"level": "warning", "when": "> 0", "severity": "low"}],
        "summary": "{target} does not answer",
        "next_steps": ["forecourt check health"],
    },
    "certificate.expires": {
        "indicator": "probe.certificate_days",
        "statistic": "last",
        "by": ["target"],
        "window": "2h",
        "bands": [{**_WARNING_LOW, "when": "< 14"}, {**_CRITICAL_HIGH, "when": "< 3"}],
        "summary": "the certificate of {target} expires in {value} days",
        "next_steps": ["renew the certificate"],
    },
    "exporter.behind": {
        **_EXPORTER,
        "metric": "forecourt.exporter.lag",
        "statistic": "last",
        "bands": [
            {**_WARNING_LOW, "when": "> 15min", "clear": "< 1min"},
            {"level": "critical", "when": "> 6h", "severity": "medium"},
        ],
        "summary": "{exporter} is {value} behind with {signal}",
    },
    "exporter.set_aside": {
        **_EXPORTER,
        "metric": "forecourt.exporter.set_aside",
        "statistic": "last",
        "bands": [{**_WARNING_LOW, "when": "> 0"}],
        "summary": "{exporter} has refused {value} records of {signal} for good",
    },
    "exporter.dropped": {
        **_EXPORTER,
        "metric": "forecourt.exporter.dropped",
        "statistic": "sum",
        "window": "1h",
        "bands": [{**_CRITICAL_HIGH, "when": "> 0"}],
        "summary": "{value} records of {signal} were deleted before {exporter} had them",
    },
}
for _name, _rule in DEFAULT_RULES.items():
    _rule["next_steps"] = [*_rule["next_steps"], f"forecourt runbook alert {_name}"]  # each has a page of its own
