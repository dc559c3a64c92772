"""What is watched unless the operator says otherwise. `otel-config.yaml` shows the same."""

from __future__ import annotations

from typing import Any

_REQUESTS = {"indicator": "http.server.response_time"}
_RESPONSE_STEPS = ["forecourt stats response-times --last 6h", "forecourt logs slow-queries --last 6h"]
_RESOURCE_STEPS = ["forecourt stats resources --last 6h"]

DEFAULT_WATCHES: dict[str, dict[str, Any]] = {
    "request_rate": {
        **_REQUESTS,
        "statistic": "rate",
        "least_change": 0.1,
        "title": "the rate of requests",
        "next_steps": ["forecourt stats response-times --last 6h", "forecourt check health"],
    },
    "response_time_p95": {
        **_REQUESTS,
        "statistic": "p95",
        "minimum_count": 30,
        "least_change": "50ms",
        "title": "the p95 of response times",
        "next_steps": _RESPONSE_STEPS,
    },
    "error_rate": {
        **_REQUESTS,
        "statistic": "failure_ratio",
        "minimum_count": 20,
        "least_change": "2%",
        "title": "the share of failed requests",
        "next_steps": ["forecourt logs errors --last 6h", "forecourt stats errors --last 6h"],
    },
    "query_time": {
        "indicator": "db.query.response_time",
        "statistic": "p95",
        "minimum_count": 30,
        "least_change": "20ms",
        "title": "the p95 of query times",
        "next_steps": ["forecourt stats database --last 6h", "forecourt logs slow-queries --last 6h"],
    },
    "cpu": {
        "indicator": "host.cpu",
        "statistic": "mean",
        "by": ["host.name"],
        "minimum_count": 3,
        "least_change": "10%",
        "title": "the use of the processors",
        "next_steps": _RESOURCE_STEPS,
    },
    "memory": {
        "indicator": "host.memory",
        "statistic": "mean",
        "by": ["host.name"],
        "minimum_count": 3,
        "least_change": "5%",
        "title": "the use of memory",
        "next_steps": ["forecourt stats memory --last 6h"],
    },
    "failed_logins": {
        "indicator": "events",
        "where": ['event.name =~ "(fossa[.])?auth[.]login"'],
        "statistic": "failures",
        "least_change": 5,
        "title": "the number of failed logins in 5 minutes",
        "next_steps": ["forecourt security failed-logins --within 6h"],
    },
    "sync_duration": {
        "indicator": "events",
        "where": ['event.name =~ "(fossa[.])?work_order[.]sync"'],
        "statistic": "mean",
        "minimum_count": 3,
        "least_change": "5s",
        "title": "the mean duration of work order syncs",
        "next_steps": ["forecourt stats sync"],
    },
    "automation_success": {
        "indicator": "events",
        "where": ['event.name =~ "(fossa[.])?form_automation[.]job"'],
        "statistic": "success_ratio",
        "minimum_count": 10,
        "least_change": "20%",
        "title": "the share of form automation jobs that succeed",
        "next_steps": ["forecourt stats automation --success"],
    },
}
