"""Everything else: Slack, Teams, Telegram … by Apprise's URLs."""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

from alerting.channels.channel import ChannelError
from alerting.message import Messages
from alerting.notification import Delivery, Notification
from alerting.plain_text import plain
from alerting.settings import AppriseSettings

_KINDS = {"critical": "failure", "high": "failure", "medium": "warning", "low": "info"}


class Apprise:
    def __init__(self, settings: AppriseSettings, messages: Messages) -> None:
        self._settings = settings
        self._messages = messages

    def problem(self) -> str:
        if not self._urls:
            return "its urls are empty"
        missing = importlib.util.find_spec("apprise") is None
        return 'Apprise is not installed: pip install "forecourt[apprise]"' if missing else ""

    @property
    def _urls(self) -> list[str]:
        return [url.get_secret_value() for url in self._settings.urls if url.get_secret_value()]

    def send(self, notification: Notification) -> Delivery:
        """To each of the URLs; one that was taken is not sent again because another was not."""
        import apprise  # noqa: PLC0415  # optional, and slow to import

        message = self._messages.message(notification)
        kind = "success" if notification.kind == "resolved" else _KINDS.get(notification.severity, "info")
        failed = [
            number
            for number, url in enumerate(self._urls, 1)
            if not self._one(apprise, url, title=message.title, body=message.text, notify_type=kind)
        ]
        if len(failed) == len(self._urls):
            # Apprise tells neither why nor whether it could work later.
            raise ChannelError(f"Apprise could not send it: {_last_words()}", permanent=False)
        refused = f"; URL {', '.join(map(str, failed))} of them failed: {_last_words()}" if failed else ""
        return Delivery(f"taken by {len(self._urls) - len(failed)} of {len(self._urls)}{refused}")

    def _one(self, apprise: Any, url: str, **content: str) -> bool:
        sender = apprise.Apprise()
        if not sender.add(url):
            raise ChannelError("one of its urls is none that Apprise knows", permanent=True)
        return bool(sender.notify(**content, body_format=apprise.NotifyFormat.TEXT))


class _Words(logging.Handler):
    """Keeps what Apprise has logged last: the only place where it says why."""

    last = "no reason given"

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.last = plain(record.getMessage(), 200)


_words = _Words()
logging.getLogger("apprise").addHandler(_words)


def _last_words() -> str:
    return _words.last
