"""Notifications on this machine's screen, where somebody sits at it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Any

from alerting.channels.channel import ChannelError
from alerting.message import Messages
from alerting.notification import Delivery, Notification
from alerting.plain_text import plain
from alerting.settings import DesktopSettings

_NO_MARKUP = str.maketrans({"<": "\u2039", ">": "\u203a", "&": "\uff06"})
"""Servers differ in whether they read a body as markup; these mean none to any of them."""
_CRITICAL = "critical"


class Desktop:
    def __init__(self, settings: DesktopSettings, messages: Messages) -> None:
        self._settings = settings
        self._messages = messages

    def problem(self) -> str:
        if sys.platform in {"win32", "darwin"}:
            return ""
        bus = os.environ.get("DBUS_SESSION_BUS_ADDRESS") or Path(f"/run/user/{os.getuid()}/bus").exists()
        return "" if bus else "there is no desktop session here (no D-Bus session bus)"

    def send(self, notification: Notification) -> Delivery:
        message = self._messages.message(notification)
        lines = [plain(line) for line in message.short.splitlines()]
        try:
            asyncio.run(
                asyncio.wait_for(
                    _show(
                        plain(message.title).translate(_NO_MARKUP),
                        "\n".join(lines).translate(_NO_MARKUP),
                        urgent=notification.severity == _CRITICAL and notification.kind != "resolved",
                    ),
                    self._settings.timeout,
                )
            )
        except TimeoutError as error:
            raise ChannelError(
                f"the desktop did not answer within {self._settings.timeout:g} s", permanent=False
            ) from error
        except ImportError as error:
            problem = 'desktop-notifier is missing: pip install "forecourt[sidecar]"'
            raise ChannelError(problem, permanent=True) from error
        return Delivery("shown")


async def _show(title: str, body: str, *, urgent: bool) -> None:
    """The library tells failures only to its log."""
    from desktop_notifier import DesktopNotifier, Icon, Urgency  # noqa: PLC0415  # heavy, and needed by nobody else

    shown: list[str] = []
    failures = _Failures()
    logger = logging.getLogger("desktop_notifier")
    logger.addHandler(failures)
    try:
        notifier = DesktopNotifier(app_name="Forecourt", app_icon=Icon(name="dialog-warning"))
        notifier.on_dispatched = shown.append
        await notifier.send(title=title, message=body, urgency=Urgency.Critical if urgent else Urgency.Normal)
        await _hang_up(notifier)
    finally:
        logger.removeHandler(failures)
    if not shown:
        raise ChannelError(f"the desktop did not show it: {failures.last or 'no reason given'}", permanent=False)


async def _hang_up(notifier: Any) -> None:
    """End the connection to D-Bus, which the library would keep with this loop."""
    bus = getattr(getattr(notifier, "_backend", None), "bus", None)
    if bus is not None and bus.connected:
        bus.disconnect()
        await bus.wait_for_disconnect()


class _Failures(logging.Handler):
    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.last = plain(error or record.getMessage(), 200)
