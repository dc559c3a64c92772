"""Pushover, as https://pushover.net/api and https://pushover.net/api/receipts describe it."""

from __future__ import annotations

from typing import Any

import orjson

from alerting.channels.channel import ChannelError, ReceiptState
from alerting.channels.http import Answer, call
from alerting.message import Messages
from alerting.notification import Delivery, Notification
from alerting.plain_text import plain
from alerting.settings import PushoverSettings, secret

_TITLE, _MESSAGE, _URL = 250, 1024, 512
"""Characters that the API takes."""
_EMERGENCY = 2
_OVER_LIMIT = 429
_NANO = 1_000_000_000


class Pushover:
    def __init__(self, settings: PushoverSettings, messages: Messages) -> None:
        self._settings = settings
        self._messages = messages

    def problem(self) -> str:
        if not self._settings.token.get_secret_value() and self._settings.token_file is None:
            return "its token is empty (PUSHOVER_TOKEN)"
        return "" if self._settings.user.get_secret_value() else "its user is empty (PUSHOVER_USER)"

    def send(self, notification: Notification) -> Delivery:
        answer = self._post("messages", self._fields(notification))
        _refuse(answer, notification.created_unix_nano)
        receipt = str(_content(answer).get("receipt", ""))
        left = answer.headers.get("X-Limit-App-Remaining", "")
        return Delivery("accepted" + (f", {plain(left, 10)} messages left this month" if left else ""), receipt)

    def look(self, receipt: str) -> ReceiptState:
        settings = self._settings
        url = f"{settings.url}/1/receipts/{receipt}.json"
        answer = call("GET", url, timeout=settings.timeout, params={"token": self._token})
        answer.refuse(_errors(answer))
        content = _content(answer)
        by = content.get("acknowledged_by_device") or content.get("acknowledged_by") or "Pushover"
        return ReceiptState(
            f"Pushover ({plain(by, 60)})" if content.get("acknowledged") == 1 else "", content.get("expired") == 1
        )

    def cancel(self, receipt: str) -> None:
        answer = self._post(f"receipts/{receipt}/cancel", {"token": self._token})
        answer.refuse(_errors(answer))

    @property
    def _token(self) -> str:
        return secret(self._settings.token, self._settings.token_file)

    def _post(self, path: str, fields: dict[str, Any]) -> Answer:
        return call("POST", f"{self._settings.url}/1/{path}.json", timeout=self._settings.timeout, data=fields)

    def _fields(self, notification: Notification) -> dict[str, Any]:
        settings = self._settings
        message = self._messages.message(notification)
        priority = settings.priority.get(notification.severity, 0)  # type: ignore[call-overload]  # any text may come
        if notification.kind in {"resolved", "digest", "test"}:
            priority = min(priority, 0)
        fields = {
            "token": self._token,
            "user": settings.user.get_secret_value(),
            "title": message.title[:_TITLE],
            "message": message.short[:_MESSAGE] or message.title[:_MESSAGE],
            "url": message.link[:_URL],
            "url_title": "Open it on the dashboard",
            "priority": priority,
            "timestamp": notification.created_unix_nano // _NANO,
        }
        if settings.device:
            fields["device"] = settings.device
        if priority == _EMERGENCY:
            fields |= {"retry": int(settings.retry), "expire": int(settings.expire)}
        return fields


def _refuse(answer: Answer, now_unix_nano: int) -> None:
    """Raise ChannelError unless it was taken; a month's limit is over when the API says so."""
    if answer.status == _OVER_LIMIT:
        reset = answer.headers.get("X-Limit-App-Reset", "")
        wait = max(0.0, int(reset) - now_unix_nano / _NANO) if reset.isdigit() else None
        limit = plain(answer.headers.get("X-Limit-App-Limit", "?"), 10)
        problem = f"the month's limit of {limit} messages is reached: {_errors(answer)}"
        raise ChannelError(problem, permanent=False, retry_after=wait)
    answer.refuse(_errors(answer))
    if _content(answer).get("status") != 1:
        raise ChannelError(f"answered no success: {_errors(answer) or answer.text}", permanent=True)


def _errors(answer: Answer) -> str:
    """What the API says is wrong, and where to mend it."""
    content = _content(answer)
    errors = content.get("errors")
    said = "; ".join(plain(error) for error in errors) if isinstance(errors, list) else ""
    if content.get("token") == "invalid":
        return f"{said}. Check PUSHOVER_TOKEN"
    return f"{said}. Check PUSHOVER_USER" if content.get("user") == "invalid" else said


def _content(answer: Answer) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
