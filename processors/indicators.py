"""The named quantities that rules may measure, and where each comes from."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

Source = Literal["request", "query", "event", "span", "log", "metric", "pool", "probe", "service"]
"""What an indicator's samples are made of."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One sample for each request, query, event … of its source; an outcome's sample is 1 for a failure, else 0."""

    source: Source
    unit: Literal["s", "1", "days", "ratio"]
    event: str = ""
    """Only events of this name, with FossaWork's prefix or without."""
    succeeds: bool = False
    """Its ratio is that of successes."""


INDICATORS = {
    "http.server.response_time": Indicator("request", "s"),
    "http.server.errors": Indicator("request", "ratio"),
    "http.server.4xx": Indicator("request", "ratio"),
    "http.server.5xx": Indicator("request", "ratio"),
    "auth.logins": Indicator("event", "ratio", event="auth.login", succeeds=True),
    "form_automation.jobs": Indicator("event", "ratio", event="form_automation.job", succeeds=True),
    "work_order.syncs": Indicator("event", "ratio", event="work_order.sync", succeeds=True),
    "job_queue.jobs": Indicator("event", "ratio", event="job_queue.job", succeeds=True),
    "events": Indicator("event", "ratio"),
    "db.query.response_time": Indicator("query", "s"),
    "db.query.errors": Indicator("query", "ratio"),
    "db.pool.utilization": Indicator("pool", "ratio"),
    "host.cpu": Indicator("metric", "ratio"),
    "host.memory": Indicator("metric", "ratio"),
    "host.disk": Indicator("metric", "ratio"),
    "probe.down": Indicator("probe", "1"),
    "probe.corrupt": Indicator("probe", "1"),
    "probe.latency": Indicator("probe", "s"),
    "probe.certificate_days": Indicator("probe", "days"),
    "service.absent": Indicator("service", "1"),
    "spans": Indicator("span", "ratio"),
    "span.duration": Indicator("span", "s"),
    "logs": Indicator("log", "ratio"),
}
"""`spans` and `logs` fail where the status is ERROR, or the severity ERROR or above."""

EVENT_PREFIX = "fossa."
_BY_EVENT = {indicator.event: name for name, indicator in INDICATORS.items() if indicator.event}

_PREFIXES: dict[str, Source] = {"span.": "span", "log.": "log"}
"""`span.NAME` and `log.NAME` are the numbers in that attribute."""


def indicator_of_event(event: str) -> str:
    """The name of the indicator that is about events of this name; empty where none is."""
    return _BY_EVENT.get(event.removeprefix(EVENT_PREFIX), "")


def known_indicator(name: str) -> Indicator:
    """The indicator of that name; raise ValueError that says what there is."""
    if name in INDICATORS:
        return INDICATORS[name]
    for prefix, source in _PREFIXES.items():
        if name.startswith(prefix) and len(name) > len(prefix):
            return Indicator(source, "1")
    close = difflib.get_close_matches(name, INDICATORS, 1)
    hint = f" (did you mean {close[0]!r}?)" if close else f", expected one of {', '.join(INDICATORS)}"
    raise ValueError(f"{name!r} is not an indicator{hint}, span.ATTRIBUTE, log.ATTRIBUTE; for a metric say metric:")
