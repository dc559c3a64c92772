"""What is to be told to one receiver, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from alerting.alert import Alert, Key, format_alert
from alerting.severity import rank, worst

NotificationKind = Literal["firing", "resolved", "flapping", "escalation", "digest", "test", "message"]
NotificationStatus = Literal["queued", "sent", "failed"]
MOST_ALERTS = 100
"""That a notification carries; it says how many more there are."""


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert as it was when it was decided to tell it. Times are nanoseconds since 1970."""

    id: str
    rule: str
    key: Key
    labels: Mapping[str, str]
    severity: str
    status: str
    value: float | None
    unit: str
    band: str
    bands: tuple[str, ...]
    summary: str
    samples: int
    window_seconds: float
    firing_since: int
    resolved_at: int
    resolved_reason: str
    stale: bool
    traces: tuple[str, ...]
    next_steps: tuple[str, ...]
    indicator: str = ""
    held: int = 0
    """In a digest: how many notices of it were held back."""

    @property
    def name(self) -> str:
        return format_alert(self.rule, self.key)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> AlertView:
        found = dict(content)
        found["key"] = tuple((label, value) for label, value in found["key"])
        for name in ("bands", "traces", "next_steps"):
            found[name] = tuple(found[name])
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Notification:
    """`alerts` are worst first; `more` counts those that there was no room for."""

    id: int
    receiver: str
    kind: NotificationKind
    severity: str
    alerts: tuple[AlertView, ...]
    reason: str
    created_unix_nano: int
    route: str = ""
    more: int = 0
    text: str = ""
    """Of a message that is about no alert."""
    threads: tuple[str, ...] = ()
    """Of the messages that belong together; the first one is its own."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Notification:
        alerts = tuple(AlertView.from_json(one) for one in content["alerts"])
        return cls(**{**content, "alerts": alerts, "threads": tuple(content["threads"])})

    @property
    def firing(self) -> list[AlertView]:
        return [alert for alert in self.alerts if alert.status == "firing"]

    @property
    def resolved(self) -> list[AlertView]:
        return [alert for alert in self.alerts if alert.status != "firing"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the channel answered when it accepted; `receipt` is one that can be asked about and cancelled."""

    answer: str
    receipt: str = ""


@dataclass(slots=True)
class Queued:
    """A notification on its way: its row in the state database."""

    notification: Notification
    status: NotificationStatus = "queued"
    attempts: int = 0
    due: int = 0
    answer: str = ""
    receipt: str = ""
    receipt_open: bool = False
    """Whether the receiver's channel still rings."""
    ended_at: int = 0
    alert_ids: tuple[str, ...] = field(default_factory=tuple)
    """All that it is about, also those that there was no room for."""


def worst_first(alerts: list[Alert]) -> list[Alert]:
    return sorted(alerts, key=lambda one: (-rank(one.severity), one.firing_since, one.name))


def worst_of(alerts: list[Alert]) -> str:
    return worst([one.severity for one in alerts])
