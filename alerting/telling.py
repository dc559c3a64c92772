"""Telling: decisions become notifications, one for each receiver, in the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from alerting.alert import Alert
from alerting.journal import Journal
from alerting.notification import MOST_ALERTS, AlertView, Notification, NotificationKind, worst_of
from alerting.outbox import Outbox
from alerting.routing import Route
from alerting.rule_note import RuleNote
from alerting.settings import AlertingSettings

Due = Sequence[tuple[Alert, str]]
NOT_CONFIGURED = "not configured"


class Telling:
    def __init__(
        self,
        settings: AlertingSettings,
        notes: Mapping[str, RuleNote],
        problems: Mapping[str, str],
        outbox: Outbox,
        journal: Journal,
    ) -> None:
        self._settings = settings
        self._notes = notes
        self._problems = problems
        self._outbox = outbox
        self._journal = journal

    def firing(  # noqa: PLR0917  # one for each part of the message
        self,
        route: Route,
        kind: NotificationKind,
        shown: Sequence[Alert],
        due: Due,
        ended: dict[str, list[Alert]],
        now: int,
    ) -> None:
        """To the receivers of the route; what has ended goes along to those who were told of it."""
        threads = _threads(shown, now)
        receivers = list(dict.fromkeys((*route.settings.receivers, *self._further(shown))))
        sent = {}
        for receiver in receivers:
            over = ended.pop(receiver, []) if self._settings.receivers[receiver].send_resolved else []
            alerts = [*shown, *over]
            number = self._queue(receiver, kind, alerts, due[0][1], now, route=route.name, threads=threads)
            if number is not None:
                sent[receiver] = number
                for alert in over:
                    self._tell_of(alert, "it has ended", {receiver: number}, [receiver], now, route.name)
            for alert in shown:
                if receiver not in self._problems:
                    alert.receivers[receiver] = route.name
        nobody = self.nobody(route)
        for alert, cause in due:
            alert.decided.pop(route.name, None)
            if nobody is not None:
                alert.decided[route.name] = ": ".join(nobody)
            self._tell_of(alert, cause, sent, receivers, now, route.name)

    def nobody(self, route: Route) -> tuple[str, str] | None:
        """The decision when none of its receivers can be told."""
        names = route.settings.receivers
        if any(name not in self._problems for name in names):
            return None
        return NOT_CONFIGURED, ", ".join(names) or "the route has no receiver"

    def resolved(self, route: Route, receiver: str, alerts: Sequence[Alert], now: int) -> None:
        settings = self._settings.receivers.get(receiver)
        if settings is None or not settings.send_resolved:
            for alert in alerts:
                self._journal.alert(alert, "not told", f"{receiver}: send_resolved is off", now, route=route.name)
            return
        threads = tuple(dict.fromkeys(alert.thread for alert in alerts if alert.thread))
        reason = alerts[0].resolved_reason or "it has ended"
        number = self._queue(receiver, "resolved", alerts, reason, now, route=route.name, threads=threads)
        for alert in alerts:
            sent = {receiver: number} if number is not None else {}
            self._tell_of(alert, "it has ended", sent, [receiver], now, route.name)

    def escalation(self, route: str, receivers: Iterable[str], alert: Alert, reason: str, now: int) -> None:
        sent = {}
        named = list(receivers)
        for receiver in named:
            number = self._queue(receiver, "escalation", [alert], reason, now, route=route, threads=(alert.thread,))
            if number is not None:
                sent[receiver] = number
                alert.receivers.setdefault(receiver, route)
        self._tell_of(alert, reason, sent, named, now, route, outcome="escalated")

    def digest(
        self, receivers: Iterable[str], alerts: Sequence[Alert], held: Mapping[str, int], reason: str, now: int
    ) -> None:
        for receiver in receivers:
            self._queue(receiver, "digest", alerts, reason, now, held=held)
        self._journal.channel("digest", reason, now, alerts=[alert.name for alert in alerts[:MOST_ALERTS]])

    def _further(self, shown: Iterable[Alert]) -> list[str]:
        """The receivers of the levels that these alerts have reached."""
        levels = {
            "critical": self._settings.escalation.critical.levels,
            "high": self._settings.escalation.high.levels,
        }
        return [
            receiver
            for alert in shown
            for level in levels.get(alert.severity, ())[: alert.escalated]
            for receiver in level
        ]

    def _queue(  # private, and each call names what is not obvious
        self,
        receiver: str,
        kind: NotificationKind,
        alerts: Sequence[Alert],
        reason: str,
        now: int,
        *,
        route: str = "",
        threads: tuple[str, ...] = (),
        held: Mapping[str, int] | None = None,
    ) -> int | None:
        """The notification's number; None when the receiver can't be told."""
        if receiver in self._problems:
            return None
        views = tuple(self._view(alert, (held or {}).get(alert.id, 0)) for alert in alerts[:MOST_ALERTS])
        firing = [alert for alert in alerts if alert.status == "firing"] or list(alerts)
        number = self._outbox.next_id
        notification = Notification(
            id=number,
            receiver=receiver,
            kind=kind,
            severity=worst_of(firing),
            alerts=views,
            reason=reason,
            created_unix_nano=now,
            route=route,
            more=max(0, len(alerts) - MOST_ALERTS),
            threads=threads,
        )
        if not self._outbox.add(notification, [alert.id for alert in alerts]):
            return None
        self._outbox.next_id += 1
        return number

    def _tell_of(  # noqa: PLR0917  # as above
        self,
        alert: Alert,
        cause: str,
        sent: Mapping[str, int],
        receivers: Sequence[str],
        now: int,
        route: str,
        *,
        outcome: str = "notified",
    ) -> None:
        if sent:
            content = {"receivers": list(sent), "notifications": list(sent.values()), "route": route}
            self._journal.alert(alert, outcome, cause, now, **content)
        for receiver in receivers:
            if receiver in self._problems:
                lacks = f"{receiver}: {self._problems[receiver]}"
                self._journal.alert(alert, NOT_CONFIGURED, lacks, now, route=route)
            elif receiver not in sent:
                size = self._settings.delivery.queue_size
                self._journal.alert(alert, "queue full", f"{receiver}: {size} notifications wait already", now)

    def _view(self, alert: Alert, held: int) -> AlertView:
        note = self._notes.get(alert.rule) or RuleNote(alert.rule)
        return AlertView(
            id=alert.id,
            rule=alert.rule,
            key=alert.key,
            labels=alert.labels,
            severity=alert.severity,
            status=alert.status,
            value=alert.value,
            unit=alert.unit,
            band=alert.band,
            bands=note.bands,
            summary=alert.summary,
            samples=alert.samples,
            window_seconds=alert.window_seconds,
            firing_since=alert.firing_since,
            resolved_at=alert.resolved_at,
            resolved_reason=alert.resolved_reason,
            stale=alert.stale_since is not None,
            traces=alert.traces,
            next_steps=note.next_steps,
            indicator=note.indicator,
            held=held,
        )


def _threads(shown: Sequence[Alert], now: int) -> tuple[str, ...]:
    """Those that the alerts have; a new one for alerts that have none yet."""
    known = [alert.thread for alert in shown if alert.thread]
    own = known[0] if known else f"{shown[0].id}.{now // 1_000_000}"
    for alert in shown:
        alert.thread = alert.thread or own
    return tuple(dict.fromkeys((own, *known)))
