"""A timeline for alerting: what fires when, and who was told what at which second."""

from __future__ import annotations

from typing import Any

from alerting.dispatcher import Dispatcher
from alerting.notification import Delivery
from alerting.rule_note import RuleNote
from alerting.settings import AlertingSettings
from alerting.silence import Silence
from processors.evaluation import Evaluation

START = 1_795_435_200
"""2026-11-23T12:00:00Z, in seconds."""
NANO = 1_000_000_000
CONFIGURED = {
    "receivers": {
        "mail": {"webhook": {"url": "http://127.0.0.1:9/mail"}},
        "phone": {"webhook": {"url": "http://127.0.0.1:9/phone"}},
        "boss": {"webhook": {"url": "http://127.0.0.1:9/boss"}},
    },
    "routes": {
        "critical": {
            "matchers": ["severity = critical"],
            "receivers": ["mail", "phone"],
            "group_wait": "0s",
            "group_interval": "1min",
            "repeat_interval": "1h",
        },
        "high": {"matchers": ["severity = high"], "receivers": ["mail"]},
        "medium": {"matchers": ["severity = medium"], "receivers": ["mail"]},
        "low": {"matchers": ["severity = low"], "receivers": ["mail"], "group_by": [], "group_interval": "4h"},
    },
}


def nano(seconds: float) -> int:
    """After the start."""
    return START * NANO + round(seconds * NANO)


class Incident:
    """`told` has a line for each notification that a channel took: `SECONDS RECEIVER KIND SEVERITY ALERTS`."""

    def __init__(
        self, problems: dict[str, str] | None = None, labels: dict[str, Any] | None = None, **given: Any
    ) -> None:
        self.settings = AlertingSettings.model_validate({**CONFIGURED, **given})
        self._notes = {
            name: RuleNote(name, (labels or {}).get(name, {}), next_steps=("forecourt check health",))
            for name in ("down", "slow", "errors", "disk", "absent", "logins", *(f"rule{n}" for n in range(100)))
        }
        self._problems = problems or {}
        self.dispatcher = Dispatcher(self.settings, self._notes, self._problems)
        self.severities: dict[tuple[str, str], str] = {}
        self.status: dict[tuple[str, str], str] = {}
        self.without_data: set[tuple[str, str]] = set()
        self.told: list[str] = []
        self.notifications: list[Any] = []
        self.now = 0.0

    def fire(self, rule: str, severity: str = "high", of: str = "app") -> Incident:
        """From the next tick on."""
        self.severities[rule, of], self.status[rule, of] = severity, "firing"
        return self

    def pend(self, rule: str, severity: str = "high", of: str = "app") -> Incident:
        self.severities[rule, of], self.status[rule, of] = severity, "pending"
        return self

    def end(self, rule: str, of: str = "app") -> Incident:
        self.severities[rule, of], self.status[rule, of] = "", "inactive"
        return self

    def lose(self, rule: str, of: str = "app") -> Incident:
        """No data any more."""
        self.without_data.add((rule, of))
        return self

    def find(self, rule: str, of: str = "app") -> Incident:
        self.without_data.discard((rule, of))
        return self

    def silence(self, name: str, until: float, *matchers: str, kind: str = "silence", start: float = 0) -> Incident:
        found = Silence(name, kind, matchers, "anna", "works", nano(start), nano(until))  # type: ignore[arg-type]  # a test's
        self.dispatcher.silences.replace([found])
        return self

    def until(self, seconds: float, every: float = 1.0) -> Incident:
        """Ticks every 10 s, a look every second; channels accept at once."""
        while self.now < seconds:
            self.now += every
            if self.now % 10 == 0:
                self.tick()
            self.look()
        return self

    def tick(self) -> None:
        self.dispatcher.take(nano(self.now), [self._evaluation(rule, of) for rule, of in self.severities], [])

    def look(self) -> None:
        dispatcher = self.dispatcher
        dispatcher.advance(nano(self.now))
        for receiver in self.settings.receivers:
            while (job := dispatcher.outbox.next_job(receiver, nano(self.now))) and job.act == "send":
                self.take(job.queued.notification)

    def take(self, notification: Any) -> None:
        self.dispatcher.outbox.accepted(notification.id, Delivery("accepted"), nano(self.now))
        self.notifications.append(notification)
        names = " ".join(
            alert.rule
            + ("" if alert.key[0][1] == "app" else f"/{alert.key[0][1]}")
            + ("" if alert.status == "firing" else "-")
            for alert in notification.alerts
        )
        self.told.append(f"{self.now:.0f} {notification.receiver} {notification.kind} {notification.severity} {names}")

    def take_told(self) -> list[str]:
        """Since the last call."""
        told, self.told = self.told, []
        return told

    def decisions(self, rule: str) -> list[str]:
        """The outcomes written down about an alert, in order."""
        return [one.outcome for one in self.dispatcher.journal.entries if one.rule == rule]

    def reasons(self, outcome: str) -> list[str]:
        return [one.reason for one in self.dispatcher.journal.entries if one.outcome == outcome]

    def _evaluation(self, rule: str, of: str) -> Evaluation:
        severity, status = self.severities[rule, of], self.status[rule, of]
        value = None if (rule, of) in self.without_data else (0.2 if severity else 0.01)
        return Evaluation(
            rule=rule,
            key=(("service.name", of),),
            value=value,
            unit="ratio",
            band="critical" if severity else "normal",
            severity=severity,
            status=status,  # type: ignore[arg-type]  # a test's
            samples=100,
            window_seconds=300,
            since_unix_nano=0,
            time_unix_nano=nano(self.now),
            traces=("4bf92f3577b34da6a3ce929d0e0e4736",),
            summary=f"{rule} is bad",
        )
