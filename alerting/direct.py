"""What somebody asks for by hand: a message to a channel, a test of every route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from alerting.notification import Notification, NotificationKind
from alerting.routing import Routes
from alerting.rule_note import RuleNote
from alerting.settings import CHANNELS, AlertingSettings
from alerting.severity import SEVERITIES


class Direct(NamedTuple):
    """A notification in the making."""

    receiver: str
    route: str
    kind: NotificationKind
    severity: str
    text: str

    def notification(self, number: int, now_unix_nano: int) -> Notification:
        return Notification(
            id=number,
            receiver=self.receiver,
            kind=self.kind,
            severity=self.severity,
            alerts=(),
            reason="somebody asked for it",
            created_unix_nano=now_unix_nano,
            route=self.route,
            text=self.text,
        )


def direct_messages(settings: AlertingSettings, channel: str, severity: str, message: str) -> list[Direct]:
    """To a receiver by its name, or to those that get this severity by a kind of channel; raise ValueError."""
    if channel in settings.receivers:
        return [Direct(channel, "", "message", severity, message)]
    if channel not in CHANNELS:
        known = ", ".join((*CHANNELS, *settings.receivers))
        raise ValueError(f"{channel!r} is neither a channel nor a receiver; expected one of {known}")
    of_kind = [name for name, receiver in settings.receivers.items() if receiver.channel == channel]
    routed = _receivers_of(settings, {"severity": severity})
    chosen = [name for name in of_kind if name in routed] or of_kind
    if not chosen:
        raise ValueError(f"no receiver of the configuration uses {channel}")
    return [Direct(name, "", "message", severity, message) for name in chosen]


def route_tests(settings: AlertingSettings, notes: Mapping[str, RuleNote], rules: str) -> list[Direct]:
    """One for each route and receiver; of a group of rules only for the routes that its alerts would take."""
    chosen = [note for note in notes.values() if belongs(note, rules)] if rules else []
    if rules and not chosen:
        raise ValueError(f"no rule is called {rules!r} or belongs to such a group")
    routes = Routes(settings.routes)
    taken = {
        route.name: severity
        for note in chosen
        for severity in SEVERITIES
        for route in routes.of({**note.labels, "alertname": note.name, "severity": severity})
    }
    found = []
    for name, route in settings.routes.items():
        if rules and name not in taken:
            continue
        severity = taken.get(name) or _severity_of(settings, name)
        about = f"route {name}" + (f" for the {rules} rules" if rules else "")
        text = f"This is a test of {about}; nothing is wrong"
        found += [Direct(receiver, name, "test", severity, text) for receiver in route.receivers]
    return found


def belongs(note: RuleNote, group: str) -> bool:
    """Whether a rule has this name, this category, or begins with this word."""
    return group in {note.name, note.labels.get("category"), note.name.split(".")[0]}


def _receivers_of(settings: AlertingSettings, labels: Mapping[str, str]) -> list[str]:
    return [receiver for route in Routes(settings.routes).of(labels) for receiver in route.settings.receivers]


def _severity_of(settings: AlertingSettings, name: str) -> str:
    """The worst severity that takes this route."""
    routes = Routes(settings.routes)
    takes = [one for one in SEVERITIES if any(route.name == name for route in routes.of({"severity": one}))]
    return takes[-1] if takes else "low"
