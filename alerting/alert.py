"""An alert: known by rule and key, with all that has happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from sys import intern
from typing import Any, Literal

import orjson

Key = tuple[tuple[str, str], ...]
AlertStatus = Literal["inactive", "pending", "firing", "resolved"]


def alert_id(rule: str, key: Key) -> str:
    """The same for the same rule and key, for ever; ten hexadecimal digits."""
    return blake2b(orjson.dumps([rule, key]), digest_size=5).hexdigest()


def format_alert(rule: str, key: Key) -> str:
    """As Prometheus writes a series."""
    labels = ", ".join(f"{label}={value}" for label, value in key)
    return f"{rule} {{{labels}}}" if labels else rule


@dataclass(slots=True)
class Told:
    """What a route has been told of an alert's current episode."""

    at: int
    severity: str
    digest: bool = False
    """Only named among others, when the caps held it back."""


@dataclass(slots=True)
class Acknowledgement:
    by: str
    note: str
    at: int


@dataclass(slots=True)
class Alert:
    """Times are nanoseconds since 1970. An episode lasts from firing to being resolved and told so."""

    id: str
    rule: str
    key: Key
    labels: dict[str, str]
    status: AlertStatus = "inactive"
    severity: str = ""
    value: float | None = None
    unit: str = "1"
    band: str = "no data"
    summary: str = ""
    samples: int = 0
    window_seconds: float = 0.0
    traces: tuple[str, ...] = ()
    pending_since: int = 0
    firing_since: int = 0
    resolved_at: int = 0
    resolved_reason: str = ""
    stale_since: int | None = None
    turns: list[int] = field(default_factory=list)
    """When it began or ended lately."""
    flapping_since: int | None = None
    acknowledged: Acknowledgement | None = None
    told: dict[str, Told] = field(default_factory=dict)
    """By route."""
    peak: str = ""
    """The worst severity that anybody was told in this episode."""
    peak_at: int = 0
    """When it was told first."""
    receivers: dict[str, str] = field(default_factory=dict)
    """Who was told of it and not yet that it is over; and by which route."""
    escalated: int = 0
    """How many further levels were told."""
    thread: str = ""
    """Of its messages."""
    resume: str = ""
    """Why it is to be told again."""
    decided: dict[str, str] = field(default_factory=dict)
    """The last decision by route, so that each is recorded once."""

    @property
    def name(self) -> str:
        return format_alert(self.rule, self.key)

    @property
    def matching(self) -> Mapping[str, str]:
        """What matchers see."""
        return {**self.labels, "severity": self.severity}

    @property
    def open(self) -> bool:
        """Whether somebody is still to hear of it."""
        return self.status == "firing" or bool(self.receivers)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Alert:
        found = dict(content)
        found["key"] = tuple((intern(label), value) for label, value in found["key"])
        # Ten thousand alerts have few different texts; and what is in the key is in the labels too.
        for name in ("rule", "status", "severity", "unit", "band", "summary", "peak"):
            found[name] = intern(found[name])
        known = {value: value for _, value in found["key"]}
        found["labels"] = {name: known.get(value) or intern(value) for name, value in found["labels"].items()}
        found["decided"] = {route: intern(decision) for route, decision in found["decided"].items()}
        found["traces"] = tuple(found["traces"])
        found["told"] = {route: Told(**told) for route, told in found["told"].items()}
        if found["acknowledged"] is not None:
            found["acknowledged"] = Acknowledgement(**found["acknowledged"])
        return cls(**found)
