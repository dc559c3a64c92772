"""An alert's labels and annotations as Prometheus' tools want them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from alerting.notification import AlertView
from alerting.plain_text import plain
from processors.evaluation import format_value


def label_name(name: str) -> str:
    """Prometheus' classic alphabet: `service.name` becomes `service_name`."""
    shown = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    return f"_{shown}" if shown[:1].isdigit() else shown


def string_labels(alert: AlertView) -> dict[str, str]:
    named = {label_name(name): plain(value, 500) for name, value in alert.labels.items()}
    return {name: value for name, value in {**named, "severity": alert.severity}.items() if value}


def notes_of(alert: AlertView) -> dict[str, str]:
    """Its annotations."""
    found = {
        "summary": plain(alert.summary, 500),
        "value": format_value(alert.value, alert.unit),
        "next_steps": "; ".join(plain(step) for step in alert.next_steps),
        "trace_ids": " ".join(plain(trace, 32) for trace in alert.traces),
    }
    return {name: text for name, text in found.items() if text}


def rfc3339(time_unix_nano: int) -> str:
    seconds, rest = divmod(time_unix_nano, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"
