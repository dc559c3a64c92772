"""The questions of the dashboards in PromQL, all of them about metrics that `/metrics` has.

Counters grow once a minute, so rates are over 5 minutes.
"""

from __future__ import annotations

import json

from dashboard.exposition.families import (
    ALERT_FIRING,
    EVENTS,
    QUERIES,
    QUERY_ERRORS,
    REQUEST_ERRORS,
    REQUESTS,
    RULE_BAND,
    RULE_VALUE,
    Family,
)

_WINDOW = "[5m]"
OF_SERVICE = 'service_name=~"$service"'
SERVICES = f"label_values({REQUESTS.name}_count, service_name)"
"""What the variable `service` is asked with, which is Grafana's and no PromQL."""


def rate(family: Family, by: str = "", where: str = OF_SERVICE) -> str:
    """How many each second; of a histogram its samples."""
    name = f"{family.name}_count" if family.kind == "histogram" else f"{family.name}_total"
    return f"sum{_by(by)} (rate({name}{{{where}}}{_WINDOW}))"


def quantile(family: Family, q: float, by: str = "", where: str = OF_SERVICE) -> str:
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({q:g}, sum by ({labels}) (rate({family.name}_bucket{{{where}}}{_WINDOW})))"


def mean(family: Family, by: str, where: str = "") -> str:
    """Of the samples of a histogram."""
    of = f"{{{where}}}" if where else ""
    total, count = (f"sum{_by(by)} (rate({family.name}_{part}{of}{_WINDOW}))" for part in ("sum", "count"))
    return f"{total} / {count}"


def request_failures(by: str = "") -> str:
    """The share of requests that fail."""
    return f"{rate(REQUEST_ERRORS, by)} / {rate(REQUESTS, by)}"


def query_failures() -> str:
    return f"{rate(QUERY_ERRORS)} / {rate(QUERIES)}"


def successes(by: str) -> str:
    """The share of events that succeed."""
    return f"{rate(EVENTS, by, _with('outcome', 'success'))} / {rate(EVENTS, by)}"


def if_known(expression: str) -> str:
    """Without what is no number, as a share or a quantile of nothing."""
    return f"{expression} >= 0"


def slowest(family: Family, by: str) -> str:
    return f"topk(10, {if_known(quantile(family, 0.95, by))})"


def failed_in_an_hour(by: str) -> str:
    """Events; whole numbers, which an increase is not by itself."""
    where = _with("outcome", "failure")
    return f"round(sum{_by(by)} (increase({EVENTS.name}_total{{{where}}}[1h]))) > 0"


def value_of(rule: str) -> str:
    return f"{RULE_VALUE.name}{{rule={json.dumps(rule, ensure_ascii=False)}}}"


def firing() -> str:
    return ALERT_FIRING.name


def out_of_band() -> str:
    return f'{RULE_BAND.name}{{band=~"warning|critical"}} == 1'


def _with(label: str, value: str) -> str:
    return f'{OF_SERVICE}, {label}="{value}"'


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""
