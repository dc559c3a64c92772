"""A team's own Alertmanager, by its v2 API: it groups, silences and routes in its own way."""

from __future__ import annotations

from typing import Any

from alerting.channels.http import call
from alerting.channels.labels import notes_of, rfc3339, string_labels
from alerting.notification import AlertView, Delivery, Notification
from alerting.settings import AlertmanagerSettings

_ANNOUNCED = frozenset({"firing", "resolved", "flapping", "escalation"})


class Alertmanager:
    """What fires is announced for `lasts_seconds`: longer than until it is told again."""

    def __init__(self, settings: AlertmanagerSettings, link: str, lasts_seconds: float) -> None:
        self._settings = settings
        self._link = link.rstrip("/")
        self._lasts = lasts_seconds

    def problem(self) -> str:
        return "" if self._settings.url else "its url is empty"

    def send(self, notification: Notification) -> Delivery:
        if notification.kind not in _ANNOUNCED and notification.kind != "test":
            return Delivery("nothing to announce: Alertmanager knows its alerts already")
        alerts = [self._alert(alert, notification) for alert in notification.alerts] or [self._test(notification)]
        url = f"{self._settings.url.rstrip('/')}/api/v2/alerts"
        answer = call("POST", url, timeout=self._settings.timeout, json=alerts)
        answer.refuse()
        return Delivery(f"answered {answer.status}")

    def _alert(self, alert: AlertView, notification: Notification) -> dict[str, Any]:
        ends = alert.resolved_at if alert.status != "firing" else self._until(notification)
        return {
            "labels": string_labels(alert),
            "annotations": notes_of(alert),
            "startsAt": rfc3339(alert.firing_since),
            "endsAt": rfc3339(ends),
            "generatorURL": f"{self._link}/alerts/{alert.id}",
        }

    def _test(self, notification: Notification) -> dict[str, Any]:
        return {
            "labels": {"alertname": "forecourt.test", "severity": notification.severity},
            "annotations": {"summary": notification.text},
            "startsAt": rfc3339(notification.created_unix_nano),
            "endsAt": rfc3339(notification.created_unix_nano + 60_000_000_000),
        }

    def _until(self, notification: Notification) -> int:
        return notification.created_unix_nano + int(self._lasts * 1e9)
