"""What judging a rule gives: a value that alerting, pages and the command line read alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

Band = Literal["normal", "warning", "critical", "no data"]
Status = Literal["inactive", "pending", "firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One rule and key at one moment. `value` is in seconds, bytes or plain, a share is 0 to 1; None without data."""

    rule: str
    key: tuple[tuple[str, str], ...]
    """The rule's `by` labels and their values."""
    value: float | None
    unit: str
    band: Band
    """By the value alone; whether it has lasted long enough is `status`."""
    severity: str
    """Of the alert: empty when neither pending nor firing."""
    status: Status
    samples: int
    window_seconds: float
    """What was looked at; wider than configured where there was too little."""
    since_unix_nano: int
    """When `status` began; 0 when it never changed."""
    time_unix_nano: int
    traces: tuple[str, ...]
    """Examples, worst first."""
    detail: str = ""
    """Why there is no data, or why nothing happens."""
    summary: str = ""
    """In words, where the value is in a band or the alert is pending or firing."""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "key": dict(self.key)}


class Transition(NamedTuple):
    """An alert's status, severity or both have changed; as a line of the stream `alerts`."""

    rule: str
    key: tuple[tuple[str, str], ...]
    status: Status
    severity: str
    value: float | None
    reason: str
    time_unix_nano: int
    summary: str
    traces: tuple[str, ...]


_LONG = (("days", 48 * 3600, 86_400), ("h", 2 * 3600, 3600), ("min", 995, 60))
"""From how many seconds on, and what of them; three digits of seconds are read as such."""
_NEARLY = 1000 / 1024
"""Of a unit: four digits of the smaller one would not be read."""

_MANY, _TOO_MANY = 9_999.5, 1e15
"""Numbers that are read whole, not as powers of ten."""


def format_value(value: float | None, unit: str) -> str:
    """For people: 3.21 s, 45 ms, 6.5 h, 5.2 %, 1.5 GiB, 12, 81,203."""
    if value is None or math.isnan(value):
        return "no value"
    if unit == "s":
        for name, least, size in _LONG:
            if abs(value) >= least:
                return f"{value / size:.3g} {name}"
        return f"{value * 1000:.3g} ms" if abs(value) < 1 and value else f"{value:.3g} s"
    if unit == "ratio":
        return f"{value * 100:.3g} %"
    if unit == "By":
        for name, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
            if abs(value) >= _NEARLY * size:
                return f"{value / size:.3g} {name}"
    return f"{value:,.0f}" if _MANY <= abs(value) < _TOO_MANY else f"{value:.4g}"


def format_key(key: Mapping[str, str]) -> str:
    """As Prometheus writes labels, without the service's own name when it is the only one."""
    return ", ".join(f"{label}={value}" for label, value in key.items())
