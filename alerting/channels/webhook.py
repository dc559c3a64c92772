"""A webhook: the JSON that Alertmanager's webhooks have, signed."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

import orjson

from alerting.channels.http import call
from alerting.channels.labels import notes_of, rfc3339, string_labels
from alerting.message import Message, Messages
from alerting.notification import AlertView, Delivery, Notification
from alerting.settings import WebhookSettings, secret

_ZERO = "0001-01-01T00:00:00Z"
"""As Alertmanager writes that there is no end yet."""


class Webhook:
    """With a secret, `X-Forecourt-Signature: sha256=…` is the HMAC of `X-Forecourt-Timestamp`, a dot, and the body."""

    def __init__(self, settings: WebhookSettings, messages: Messages) -> None:
        self._settings = settings
        self._messages = messages

    def problem(self) -> str:
        return "" if self._settings.url.get_secret_value() else "its url is empty"

    def send(self, notification: Notification) -> Delivery:
        body = orjson.dumps(payload(notification, self._messages.message(notification)))
        timestamp = str(notification.created_unix_nano // 1_000_000_000)
        headers = {"Content-Type": "application/json", "User-Agent": "forecourt", "X-Forecourt-Timestamp": timestamp}
        key = secret(self._settings.secret, self._settings.secret_file)
        if key:
            headers["X-Forecourt-Signature"] = f"sha256={signature(key, timestamp, body)}"
        answer = call(
            "POST", self._settings.url.get_secret_value(), timeout=self._settings.timeout, data=body, headers=headers
        )
        answer.refuse()
        return Delivery(f"answered {answer.status}")


def signature(key: str, timestamp: str, body: bytes) -> str:
    """What a receiver compares, in constant time; the timestamp keeps an old message from being sent again."""
    return hmac.new(key.encode(), f"{timestamp}.".encode() + body, sha256).hexdigest()


def payload(notification: Notification, message: Message) -> dict[str, Any]:
    """As https://prometheus.io/docs/alerting/latest/configuration/#webhook_config (version 4), and more."""
    labels = [string_labels(alert) for alert in notification.alerts]
    return {
        "version": "4",
        "receiver": notification.receiver,
        "status": "firing" if notification.firing else "resolved",
        "groupKey": f"{notification.route}:{notification.threads[0] if notification.threads else notification.id}",
        "groupLabels": {},
        "commonLabels": _common(labels),
        "commonAnnotations": {},
        "externalURL": message.link,
        "truncatedAlerts": notification.more,
        "alerts": [_alert(alert) for alert in notification.alerts],
        "kind": notification.kind,
        "severity": notification.severity,
        "reason": notification.reason,
        "title": message.title,
        "text": message.text,
        "notification": notification.id,
    }


def _alert(alert: AlertView) -> dict[str, Any]:
    return {
        "status": "firing" if alert.status == "firing" else "resolved",
        "labels": string_labels(alert),
        "annotations": notes_of(alert),
        "startsAt": rfc3339(alert.firing_since),
        "endsAt": rfc3339(alert.resolved_at) if alert.resolved_at else _ZERO,
        "generatorURL": "",
        "fingerprint": alert.id,
        "value": alert.value,
        "unit": alert.unit,
    }


def _common(labels: list[dict[str, str]]) -> dict[str, str]:
    first = labels[0] if labels else {}
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in labels)}
