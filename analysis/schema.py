"""The columns of each stream, with their types: never guessed from the data."""

from __future__ import annotations

_TEXT, _INTEGER, _NUMBER, _JSON, _BOOLEAN = "VARCHAR", "BIGINT", "DOUBLE", "JSON", "BOOLEAN"
_FIRST = {"time_unix_nano": _INTEGER, "received_unix_nano": _INTEGER, "service": _TEXT}
_LAST = {"batch_id": _TEXT, "batch_index": _INTEGER}
_RECEIVED = {**_LAST, "attributes": _JSON, "resource": _JSON, "scope": _JSON, "dropped_attributes_count": _INTEGER}
_EVENT = {"event": _TEXT, "outcome": _TEXT, "seconds": _NUMBER, "trace_id": _TEXT, "attributes": _JSON}

STREAMS: dict[str, dict[str, str]] = {
    "traces": {
        "name": _TEXT,
        "kind": _TEXT,
        "trace_id": _TEXT,
        "span_id": _TEXT,
        "parent_span_id": _TEXT,
        "end_time_unix_nano": _INTEGER,
        "duration_ms": _NUMBER,
        "status": _TEXT,
        "status_message": _TEXT,
        "trace_state": _TEXT,
        "flags": _INTEGER,
        "events": _JSON,
        "links": _JSON,
        **_RECEIVED,
    },
    "logs": {
        "severity": _TEXT,
        "severity_number": _INTEGER,
        "body": _TEXT,
        "event_name": _TEXT,
        "trace_id": _TEXT,
        "span_id": _TEXT,
        "flags": _INTEGER,
        "observed_time_unix_nano": _INTEGER,
        **_RECEIVED,
    },
    "metrics": {
        "name": _TEXT,
        "description": _TEXT,
        "unit": _TEXT,
        "type": _TEXT,
        "temporality": _TEXT,
        "monotonic": _BOOLEAN,
        "start_time_unix_nano": _INTEGER,
        "value": _NUMBER,
        "count": _INTEGER,
        "sum": _NUMBER,
        "min": _NUMBER,
        "max": _NUMBER,
        "bounds": _JSON,
        "bucket_counts": _JSON,
        "flags": _INTEGER,
        "exemplars": _JSON,
        **_RECEIVED,
    },
    "performance": {
        "method": _TEXT,
        "route": _TEXT,
        "status_code": _INTEGER,
        "response_time": _NUMBER,
        "response_bytes": _INTEGER,
        "trace_id": _TEXT,
        "client_address": _TEXT,
        "user_agent": _TEXT,
        "user": _TEXT,
        "session": _TEXT,
        **_LAST,
    },
    "errors": {
        "error_type": _TEXT,
        "message": _TEXT,
        "source": _TEXT,
        "route": _TEXT,
        "trace_id": _TEXT,
        "span_id": _TEXT,
        "stacktrace": _TEXT,
        **_LAST,
    },
    "security": {**_EVENT, **_LAST},
    "business": {**_EVENT, **_LAST},
    "system": {**_EVENT, **_LAST},
    "health": {
        "target": _TEXT,
        "kind": _TEXT,
        "healthy": _BOOLEAN,
        "state": _TEXT,
        "latency_ms": _NUMBER,
        "detail": _TEXT,
        "certificate_days": _NUMBER,
        "unhealthy_after": _INTEGER,
        **_LAST,
    },
    "alerts": {
        "alert": _TEXT,
        "alert_id": _TEXT,
        "rule": _TEXT,
        "key": _JSON,
        "severity": _TEXT,
        "status": _TEXT,
        "value": _NUMBER,
        "summary": _TEXT,
        "reason": _TEXT,
        "decision": _TEXT,
        "journal": _INTEGER,
        "trace_ids": _JSON,
        **_LAST,
    },
    **{
        name: {
            "indicator": _TEXT,
            "key": _JSON,
            "resolution": _TEXT,
            "count": _INTEGER,
            "errors": _INTEGER,
            "sum": _NUMBER,
            "min": _NUMBER,
            "max": _NUMBER,
            "p50": _NUMBER,
            "p95": _NUMBER,
            "p99": _NUMBER,
            "histogram": _JSON,
            **_LAST,
        }
        for name in ("rollups", "rollups_1h", "rollups_1d")
    },
}
"""By stream; `timestamp` and `event_unix_nano`, which each view has too, are made of these."""


def stored_columns(stream: str) -> dict[str, str]:
    """As they stand in the lines of a stream."""
    return {**_FIRST, **STREAMS[stream]}


def event_time(stream: str) -> str:
    """When it happened, in SQL: as sent, else observed, else arrival."""
    observed = "observed_time_unix_nano, " if stream == "logs" else ""
    sent = "nullif(time_unix_nano, 0), "
    return f"coalesce({sent}{'nullif(' + observed[:-2] + ', 0), ' if observed else ''}received_unix_nano)"
