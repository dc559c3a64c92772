"""From the evaluations of a tick to alerts that begin, change and end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from alerting.alert import Alert, Key, alert_id
from alerting.rule_note import RuleNote
from alerting.settings import FlappingSettings
from alerting.severity import rank
from processors.evaluation import Evaluation, Transition

NO_DATA_NANO = 1800 * 1_000_000_000
"""How long a firing alert is held without a value."""
_NANO = 1_000_000_000

Event = Literal[
    "pending", "inactive", "firing", "rose", "fell", "stale", "fresh", "resolved", "flapping", "stable", "acknowledged"
]


class Change(NamedTuple):
    """What happened to an alert, and why."""

    alert: Alert
    event: Event
    reason: str
    time_unix_nano: int


class Lifecycle:
    """Knows each alert that is pending or firing, or that ended lately."""

    def __init__(self, notes: Mapping[str, RuleNote], flapping: FlappingSettings) -> None:
        self._notes = notes
        self._flapping = flapping
        self.alerts: dict[tuple[str, Key], Alert] = {}

    def take(
        self, tick_unix_nano: int, evaluations: Iterable[Evaluation], transitions: Iterable[Transition]
    ) -> list[Change]:
        """The changes of one tick; of an alert that nobody evaluates any more too."""
        reasons = {(one.rule, one.key): one.reason for one in transitions}
        ended = {(one.rule, one.key) for one in transitions if one.status == "resolved"}
        changes: list[Change] = []
        seen = set()
        for evaluation in evaluations:
            identity = (evaluation.rule, evaluation.key)
            alert = self.alerts.get(identity)
            if alert is None and not evaluation.severity:
                continue
            seen.add(identity)
            changes += self._judged(alert or self._new(evaluation), evaluation, reasons.get(identity, ""))
        for identity, alert in list(self.alerts.items()):
            if identity in seen or alert.status not in {"pending", "firing"}:
                continue
            if identity in ended and alert.status == "firing":  # what is over is not evaluated any more
                changes += self._resolve(alert, tick_unix_nano, reasons[identity])
            else:
                changes += self._unseen(alert, tick_unix_nano)
        return changes

    def _new(self, evaluation: Evaluation) -> Alert:
        note = self._notes.get(evaluation.rule)
        labels = {**dict(evaluation.key), **(note.labels if note else {}), "alertname": evaluation.rule}
        alert = Alert(alert_id(evaluation.rule, evaluation.key), evaluation.rule, evaluation.key, labels)
        self.alerts[evaluation.rule, evaluation.key] = alert
        return alert

    def _judged(self, alert: Alert, found: Evaluation, reason: str) -> list[Change]:
        now = found.time_unix_nano
        if found.status == "firing" and found.severity:
            changes = [*_freshness(alert, found.value is None, now), *self._firing(alert, found, reason)]
        elif alert.status == "firing":
            # Judging that lost its state begins with pending: the condition never ceased.
            changes = [] if found.status == "pending" else self._resolve(alert, now, reason or "the condition passed")
        elif found.status == "pending" and found.severity:
            alert.severity = found.severity
            changes = self._pending(alert, now, reason)
        elif alert.status == "pending":
            alert.status = "inactive"
            changes = [Change(alert, "inactive", reason or "the condition passed before its time", now)]
        else:
            changes = []
        if found.value is not None:
            _copy(alert, found)
        return changes

    def _pending(self, alert: Alert, now: int, reason: str) -> list[Change]:
        if alert.status == "pending":
            return []
        alert.status, alert.pending_since = "pending", now
        return [Change(alert, "pending", reason or "the condition holds", now)]

    def _firing(self, alert: Alert, found: Evaluation, reason: str) -> list[Change]:
        now = found.time_unix_nano
        before = alert.severity
        alert.severity = found.severity
        if alert.status != "firing":
            alert.status, alert.firing_since = "firing", now
            alert.resolved_at, alert.resolved_reason = 0, ""
            return [
                Change(alert, "firing", reason or "the condition has held long enough", now),
                *self._turn(alert, now),
            ]
        if rank(found.severity) > rank(before):
            alert.acknowledged = None
            return [Change(alert, "rose", f"{before} → {found.severity}: {reason or 'it got worse'}", now)]
        if rank(found.severity) < rank(before):
            return [Change(alert, "fell", f"{before} → {found.severity}: {reason or 'it got better'}", now)]
        return []

    def _unseen(self, alert: Alert, now: int) -> list[Change]:
        if alert.rule not in self._notes:
            if alert.status == "pending":
                alert.status = "inactive"
                return [Change(alert, "inactive", "its rule is gone", now)]
            return self._resolve(alert, now, "its rule is gone")
        if alert.status == "pending":
            alert.status = "inactive"
            return [Change(alert, "inactive", "no data", now)]
        changes = _freshness(alert, True, now)  # noqa: FBT003  # it is stale
        if alert.stale_since is not None and now - alert.stale_since >= NO_DATA_NANO:
            changes += self._resolve(alert, now, "no_data")
        return changes

    def _resolve(self, alert: Alert, now: int, reason: str) -> list[Change]:
        alert.status, alert.resolved_at, alert.resolved_reason = "resolved", now, reason
        alert.stale_since = None
        return [Change(alert, "resolved", reason, now), *self._turn(alert, now)]

    def _turn(self, alert: Alert, now: int) -> list[Change]:
        """It has begun or ended; too often means that it flaps."""
        settings = self._flapping
        since = now - int(settings.within * _NANO)
        alert.turns = [turn for turn in alert.turns if turn > since] + [now]
        if alert.flapping_since is not None or len(alert.turns) < settings.transitions:
            return []
        alert.flapping_since = now
        return [
            Change(alert, "flapping", f"began or ended {len(alert.turns)} times within {settings.within:.0f} s", now)
        ]

    def settle(self, now: int) -> tuple[list[Change], list[Alert]]:
        """Alerts that flapped and are quiet; and those that nobody needs any more, which are dropped."""
        changes, dropped = [], []
        quiet = int(self._flapping.stable_after * _NANO)
        window = int(self._flapping.within * _NANO)
        for identity, alert in list(self.alerts.items()):
            if alert.flapping_since is not None and now - alert.turns[-1] >= quiet:
                alert.flapping_since = None
                alert.turns.clear()
                changes.append(Change(alert, "stable", "it has not changed for a while", now))
            if alert.status not in {"pending", "firing"} and not alert.open:
                ended = alert.turns[-1] if alert.turns else 0
                if now - ended >= window and alert.flapping_since is None:
                    dropped.append(self.alerts.pop(identity))
        return changes, dropped

    def shift(self, nano: int) -> None:
        """The clock has stepped: what was so long ago is still so long ago."""
        for alert in self.alerts.values():
            alert.turns = [turn + nano for turn in alert.turns]
            alert.flapping_since = None if alert.flapping_since is None else alert.flapping_since + nano
            alert.stale_since = None if alert.stale_since is None else alert.stale_since + nano
            alert.peak_at += nano
            for told in alert.told.values():
                told.at += nano


def _freshness(alert: Alert, stale: bool, now: int) -> list[Change]:  # noqa: FBT001  # what it is about
    if stale and alert.stale_since is None and alert.status == "firing":
        alert.stale_since = now
        return [Change(alert, "stale", "no data; it is held for 30 minutes", now)]
    if not stale and alert.stale_since is not None:
        alert.stale_since = None
        return [Change(alert, "fresh", "there are values again", now)]
    return []


def _copy(alert: Alert, found: Evaluation) -> None:
    alert.value, alert.unit, alert.band = found.value, found.unit, found.band
    alert.samples, alert.window_seconds = found.samples, found.window_seconds
    alert.summary = found.summary or alert.summary
    alert.traces = found.traces or alert.traces
