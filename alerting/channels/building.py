"""Channels from their settings."""

from __future__ import annotations

from alerting.channels.alertmanager import Alertmanager
from alerting.channels.apprise import Apprise
from alerting.channels.channel import Channel
from alerting.channels.desktop import Desktop
from alerting.channels.email import Email
from alerting.channels.pushover import Pushover
from alerting.channels.webhook import Webhook
from alerting.evidence import Gather, nothing
from alerting.message import Messages
from alerting.settings import AlertingSettings, ReceiverSettings


def channels(settings: AlertingSettings, gather: Gather = nothing) -> dict[str, Channel]:
    """One for each receiver, also those that lack something."""
    messages = Messages(settings.link, settings.templates, gather)
    return {name: _channel(name, receiver, settings, messages) for name, receiver in settings.receivers.items()}


def _channel(name: str, receiver: ReceiverSettings, settings: AlertingSettings, messages: Messages) -> Channel:
    if receiver.email is not None:
        return Email(receiver.email, settings.smtp, messages)
    if receiver.pushover is not None:
        return Pushover(receiver.pushover, messages)
    if receiver.webhook is not None:
        return Webhook(receiver.webhook, messages)
    if receiver.alertmanager is not None:
        return Alertmanager(receiver.alertmanager, settings.link, _lasts(name, settings))
    if receiver.apprise is not None:
        return Apprise(receiver.apprise, messages)
    return Desktop(receiver.desktop, messages) if receiver.desktop is not None else _none(name)


def _none(name: str) -> Channel:
    raise ValueError(f"alerting.receivers.{name}: has no channel")


def _lasts(name: str, settings: AlertingSettings) -> float:
    """One and a half times the longest time until it is told again."""
    repeats = [
        route.repeat_interval + route.group_interval for route in settings.routes.values() if name in route.receivers
    ]
    return 1.5 * max(repeats, default=3600.0)
