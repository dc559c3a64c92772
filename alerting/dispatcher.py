"""The dispatcher: who is told of which alert, when, or why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alerting.alert import Acknowledgement, Alert, Told
from alerting.grouping import Group, Groups
from alerting.inhibition import Inhibition
from alerting.journal import Journal
from alerting.lifecycle import Change, Lifecycle
from alerting.notification import NotificationKind, Queued, worst_first
from alerting.outbox import Outbox
from alerting.routing import GroupKey, Route, Routes
from alerting.rule_note import RuleNote
from alerting.settings import AlertingSettings
from alerting.severity import rank
from alerting.silence import Silence, Silences, describe
from alerting.storm import Candidate, Cap, Held, StormCaps
from alerting.telling import NOT_CONFIGURED, Due, Telling
from processors.evaluation import Evaluation, Transition
from processors.quantities import format_duration

_NANO = 1_000_000_000
_STEP_NANO = 1 * _NANO
"""A clock that goes back further than this has been set."""
_FLAPPING = "it begins and ends again and again: quiet until it is stable"

Decision = tuple[str, str]
"""Outcome and reason."""


class Dispatcher:
    """Owned by one thread; reads no clock. `problems` says of each receiver that is not configured what it lacks."""

    def __init__(self, settings: AlertingSettings, notes: Mapping[str, RuleNote], problems: Mapping[str, str]) -> None:
        self._settings = settings
        self._problems = problems
        self.journal = Journal()
        self.lifecycle = Lifecycle(notes, settings.flapping)
        self.silences = Silences()
        self.storm = StormCaps(settings.storm)
        self.outbox = Outbox(settings.delivery, self.journal)
        self.groups = Groups()
        self._routes = Routes(settings.routes)
        self._inhibition = Inhibition(settings.inhibit_rules)
        self._telling = Telling(settings, notes, problems, self.outbox, self.journal)
        self._by_id: dict[str, Alert] = {}
        self.changed: dict[str, Alert] = {}
        """Alerts that are to be saved."""
        self.tick = 0
        self.now = 0
        self._sources_changed = True
        self._saved_rest: dict[str, Any] = {}

    def take(self, tick_unix_nano: int, evaluations: Iterable[Evaluation], transitions: Iterable[Transition]) -> None:
        """What was judged at a tick; one that was taken before is passed over, so judging may repeat itself."""
        if tick_unix_nano <= self.tick:
            return
        self.tick = tick_unix_nano
        for change in self.lifecycle.take(tick_unix_nano, evaluations, transitions):
            self._happened(change)

    def advance(self, now_unix_nano: int) -> None:
        """Decide all that is due."""
        if self.now and now_unix_nano < self.now - _STEP_NANO:
            self._shift(now_unix_nano - self.now)
        self.now = now_unix_nano
        self._settle(now_unix_nano)
        for silence in self.silences.advance(now_unix_nano):
            self._silence_ended(silence, now_unix_nano)
        if self._sources_changed:
            self._inhibition.advance(alert for alert in self._by_id.values() if alert.status == "firing")
            self._sources_changed = False
        for key, group in self.groups.due(now_unix_nano):
            self._flush(key, group, now_unix_nano)
        self._escalate(now_unix_nano)
        for cap, held, closing in self.storm.due(now_unix_nano):
            self._digest(cap, held, now_unix_nano, closing=closing)
        self.storm.forget(now_unix_nano)

    def _settle(self, now: int) -> None:
        changes, dropped = self.lifecycle.settle(now)
        for change in changes:
            self._happened(change)
        for alert in dropped:
            del self._by_id[alert.id]
            self.changed[alert.id] = alert

    def acknowledge(self, alert_id: str, by: str, note: str, now: int) -> bool:
        """Somebody sees to it; whether it fires."""
        alert = self._by_id.get(alert_id)
        if alert is None or alert.status != "firing":
            return False
        alert.acknowledged = Acknowledgement(by, note, now)
        self._note(Change(alert, "acknowledged", f"by {by}" + (f": {note}" if note else ""), now))
        self._stop_ringing(alert)
        return True

    def ring(self, queued: Queued) -> None:
        """A message of it rings now: no longer if its alerts have ended or are seen to meanwhile."""
        for name in queued.alert_ids:
            alert = self._by_id.get(name)
            if alert is not None and (alert.status != "firing" or alert.acknowledged is not None):
                self._stop_ringing(alert)

    def knows(self, alert_id: str) -> bool:
        """Whether it is, or was a moment ago, more than normal."""
        return alert_id in self._by_id

    def restore(self, alert: Alert) -> None:
        """Take an alert of the last run up."""
        self.lifecycle.alerts[alert.rule, alert.key] = alert
        self._by_id[alert.id] = alert
        routes = [*self._routes.of(alert.matching)] if alert.status == "firing" else []
        for name in set(alert.receivers.values()) if alert.status != "firing" else ():
            route = self._routes.get(name)
            routes += [route] if route else []
        for route in routes:
            self.groups.rejoin(alert, route.group(alert.matching))

    def _happened(self, change: Change) -> None:
        """What follows from a change of an alert."""
        alert, event, reason, now = change
        self._by_id[alert.id] = alert
        self._sources_changed = True
        self._note(change)
        if event == "firing":
            self._place(alert, now)
        elif event in {"rose", "fell"}:
            self._place(alert, now, urgent=event == "rose")
        elif event == "flapping":
            alert.resume = _FLAPPING
            self.groups.hurry(alert, now)
        elif event == "stable" and alert.status == "firing":
            alert.resume = f"{reason} and still fires"
            self.groups.hurry(alert, now)
        elif event in {"resolved", "stable"}:
            self._over(alert, now)

    def _note(self, change: Change) -> None:
        self.changed[change.alert.id] = change.alert
        self.journal.alert(change.alert, change.event, change.reason, change.time_unix_nano)

    def _place(self, alert: Alert, now: int, *, urgent: bool = False) -> None:
        routes = self._routes.of(alert.matching)
        names = {route.name for route in routes}
        alert.decided = {name: decision for name, decision in alert.decided.items() if name in names}
        if not routes:
            self._decide(alert, "", ("no route", "no route matches it"), now)
        for route, due in self.groups.place(alert, routes, now, urgent=urgent).items():
            if due > now and not alert.told:
                waits = format_duration(round((due - now) / _NANO))
                self._decide(alert, route, ("grouped", f"waits {waits} for others of its group"), now)

    def _over(self, alert: Alert, now: int) -> None:
        """It has ended: whoever was told hears so, and nothing rings on."""
        self._stop_ringing(alert)
        if alert.flapping_since is not None:
            return
        if not alert.receivers:
            only = "its beginning was only named in a digest" if alert.told else "it ended before anybody was told"
            self._decide(alert, "", ("not told", only), now)
            self._close(alert)
            return
        for name in set(alert.receivers.values()):
            route = self._routes.get(name)
            if route is None:
                alert.receivers = {one: by for one, by in alert.receivers.items() if by != name}
            else:
                self.groups.expect(alert, route, now)

    def _stop_ringing(self, alert: Alert) -> None:
        """Withdraw receipts all of whose alerts are over or seen to."""
        for queued in self.outbox.ringing(alert.id):
            alerts = [self._by_id.get(name) for name in queued.alert_ids]
            if all(one is None or one.status != "firing" or one.acknowledged for one in alerts):
                self.outbox.cancel(queued.alert_ids)

    def _close(self, alert: Alert) -> None:
        """The episode is over and told."""
        self.groups.leave(alert)
        alert.told.clear()
        alert.receivers.clear()
        alert.decided.clear()
        alert.peak = alert.thread = alert.resume = ""
        alert.acknowledged, alert.escalated = None, 0
        self.changed[alert.id] = alert

    def _silence_ended(self, silence: Silence, now: int) -> None:
        """What it kept quiet and still fires is told."""
        self.journal.channel("silence ended", f"{silence.id}: {describe(silence)}", now, silence=silence.id)
        for alert in self.lifecycle.alerts.values():
            if alert.status == "firing" and self.silences.concerns(silence, alert.matching):
                alert.resume = f"silence {silence.id} has ended and it still fires"
                self.groups.hurry(alert, now)

    def _flush(self, key: GroupKey, group: Group, now: int) -> None:
        """Tell what there is to tell of one group."""
        route = self._routes.get(key.route)
        if route is None:  # of another configuration
            for alert in list(group.members.values()):
                self.groups.leave(alert)
            self.groups.forget(key)
            return
        shown, due = self._sift(route, group, now)
        due, held = self._under_caps(route, due, now)
        shown = [alert for alert in shown if alert.id not in held]
        ended = self._ended(key, group, now)
        told = bool(due or ended)
        if due:
            kind: NotificationKind = "flapping" if all(cause == _FLAPPING for _, cause in due) else "firing"
            self._telling.firing(route, kind, shown, due, ended, now)
            for alert in shown:
                self._was_told(alert, route, now)
        for receiver, alerts in ended.items():
            self._telling.resolved(route, receiver, alerts, now)
        for alert in list(group.members.values()):
            if alert.status != "firing" and not alert.receivers:
                self._close(alert)
        self.groups.flushed(key, route, now, told=told)

    def _sift(self, route: Route, group: Group, now: int) -> tuple[list[Alert], Due]:
        """The alerts that may be shown, and those that are the cause of telling."""
        shown: list[Alert] = []
        due: list[tuple[Alert, str]] = []
        for alert in worst_first([one for one in group.members.values() if one.status == "firing"]):
            blocked = self._blocked(alert, now)
            if blocked is not None:
                self._decide(alert, route.name, blocked, now)
                continue
            shown.append(alert)
            cause = _cause(alert, route, now)
            nobody = self._telling.nobody(route)
            if not cause and nobody is None and alert.decided.get(route.name, "").startswith(NOT_CONFIGURED):
                cause = "nobody could be told of it before"
            if cause:
                due.append((alert, cause))
            else:
                told = f"it was told already; again after {format_duration(route.repeat / _NANO)}"
                self._decide(alert, route.name, nobody or ("repeated too soon", told), now)
        return shown, due

    def _blocked(self, alert: Alert, now: int) -> Decision | None:
        known = rank(alert.severity) <= rank(alert.peak)
        if alert.flapping_since is not None and alert.resume != _FLAPPING and known:
            return "flapping", "it begins and ends too often; quiet until it is stable"
        silence = self.silences.muting(alert.matching, now)
        if silence is not None:
            return "silenced", f"by silence {silence.id} of {silence.created_by}: {silence.comment}"
        source = self._inhibition.inhibiting(alert)
        if source is not None:
            return "inhibited", f"by alert {source.id}: {source.name}"
        if alert.acknowledged is not None:
            alert.resume = ""
            return "acknowledged", f"by {alert.acknowledged.by}"
        return None

    def _under_caps(self, route: Route, due: Due, now: int) -> tuple[Due, set[str]]:
        """Those that the storm caps let pass, and the ids of those that wait for a digest."""
        held: set[str] = set()
        for alert, _ in due:
            if self.storm.over_same(alert.id, now):
                self._hold("same_alert", alert, route, now)
                held.add(alert.id)
        passing = [(alert, cause) for alert, cause in due if alert.id not in held]
        candidates = [Candidate(alert.id, alert.rule, alert.severity) for alert, _ in passing]
        if candidates and self.storm.over_total(candidates, now):
            for alert, _ in passing:
                self._hold("total_alerts", alert, route, now)
            held |= {alert.id for alert, _ in passing}
            passing = []
        elif candidates:
            self.storm.count(candidates, now)
        return passing, held

    def _hold(self, cap: Cap, alert: Alert, route: Route, now: int) -> None:
        rate = getattr(self._settings.storm, cap)
        reason = f"{cap}: {rate.max_count} in {format_duration(rate.time_window)} have been told; it is in the digest"
        self._decide(alert, route.name, ("capped", reason), now)
        self.storm.hold(cap, [alert.id], route.settings.receivers, now)
        known = alert.told.get(route.name)
        alert.told[route.name] = Told(now, alert.severity, digest=known is None or known.digest)
        self._peaks(alert, now)

    def _ended(self, key: GroupKey, group: Group, now: int) -> dict[str, list[Alert]]:
        """Whom to tell of which ends, by receiver."""
        found: dict[str, list[Alert]] = {}
        for alert in worst_first([one for one in group.members.values() if one.status != "firing"]):
            if alert.flapping_since is not None:
                continue
            silence = self.silences.muting(alert.matching, now)
            if silence is not None and silence.kind == "emergency":
                self._decide(alert, key.route, ("silenced", f"by silence {silence.id}"), now)
                alert.receivers.clear()
                continue
            for receiver, route in list(alert.receivers.items()):
                if route == key.route:
                    del alert.receivers[receiver]
                    found.setdefault(receiver, []).append(alert)
        return found

    def _was_told(self, alert: Alert, route: Route, now: int) -> None:
        alert.told[route.name] = Told(now, alert.severity)
        self._peaks(alert, now)

    def _peaks(self, alert: Alert, now: int) -> None:
        if rank(alert.severity) > rank(alert.peak):
            alert.peak, alert.peak_at, alert.escalated = alert.severity, now, 0
        alert.resume = ""
        self.changed[alert.id] = alert

    def _escalate(self, now: int) -> None:
        """What nobody has acknowledged in time goes to the next level."""
        steps = {"critical": self._settings.escalation.critical, "high": self._settings.escalation.high}
        if not any(step.levels for step in steps.values()):
            return
        for alert in self.lifecycle.alerts.values():
            step = steps.get(alert.severity)
            if alert.status != "firing" or step is None or not alert.peak or alert.acknowledged is not None:
                continue
            after = int(step.after * _NANO) * (alert.escalated + 1)
            if alert.escalated >= len(step.levels) or now - alert.peak_at < after or self._blocked(alert, now):
                continue
            level = step.levels[alert.escalated]
            alert.escalated += 1
            waited = format_duration(step.after * alert.escalated)
            reason = f"level {alert.escalated + 1}: nobody has acknowledged it for {waited}"
            route = next(iter(alert.told), "")
            self._telling.escalation(route, level, alert, reason, now)
            self.changed[alert.id] = alert

    def _digest(self, cap: Cap, held: Held, now: int, *, closing: bool) -> None:
        alerts = [self._by_id[name] for name in held.alerts if name in self._by_id]
        rate = getattr(self._settings.storm, cap)
        limit = f"more than {rate.max_count} in {format_duration(rate.time_window)}"
        which = "notices of the same alert" if cap == "same_alert" else "notices in all"
        if closing:
            since = format_duration(round((now - held.since) / _NANO))
            reason = f"{sum(held.alerts.values())} were held back within {since}: {limit} {which}"
        else:
            left = format_duration(round((held.until - now) / _NANO))
            reason = f"{limit} {which}: further ones are held back for {left} and then summed up"
        self._telling.digest(sorted(held.receivers), worst_first(alerts), held.alerts, reason, now)

    def _decide(self, alert: Alert, route: str, decision: Decision, now: int) -> None:
        """Written down when it is not what was decided last time."""
        if alert.decided.get(route) != f"{decision[0]}: {decision[1]}":
            alert.decided[route] = f"{decision[0]}: {decision[1]}"
            self.changed[alert.id] = alert
            self.journal.alert(alert, decision[0], decision[1], now, route=route)

    def _shift(self, nano: int) -> None:
        """The clock was set back: what waits so long still waits so long, or it would wait for the step too."""
        self.journal.channel("clock stepped back", f"by {-nano / _NANO:.0f} s; timers go on", self.now + nano)
        self.lifecycle.shift(nano)
        self.groups.shift(nano)
        self.storm.shift(nano)
        self.outbox.shift(nano)
        self.tick = min(self.tick, self.now + nano)
        self.changed.update(self._by_id)

    @property
    def has_changed(self) -> bool:
        """Whether there is something to save; that time goes on is none."""
        rows = self.changed or self.groups.changed or self.outbox.changed or self.journal.entries
        return bool(rows) or self._rest() != self._saved_rest

    def saved(self) -> None:
        """All of it is in the state database."""
        self._saved_rest = self._rest()

    def _rest(self) -> dict[str, Any]:
        return {"storm": self.storm.to_state(), "silences": self.silences.active}

    def to_state(self) -> dict[str, Any]:
        """What has no row of its own."""
        return {"tick": self.tick, "now": self.now, **self._rest()}

    def resume(self, content: Mapping[str, Any]) -> None:
        """Go on from a state, after its alerts were restored."""
        self.tick, self.now = content["tick"], content["now"]
        self.storm.restore(content["storm"])
        self.silences.resume(content["silences"])


def _cause(alert: Alert, route: Route, now: int) -> str:
    """Why it is to be told on this route now; empty if it is not."""
    if alert.resume:
        return alert.resume
    told = alert.told.get(route.name)
    if told is None and alert.told and rank(alert.severity) < rank(alert.peak):
        # A fall of severity brought it to this route: silently.
        told = alert.told[route.name] = Told(max(one.at for one in alert.told.values()), alert.severity)
    if told is None:
        return "it is new" if not alert.peak or rank(alert.severity) <= rank(alert.peak) else "it got worse"
    if rank(alert.severity) > rank(alert.peak):
        return "it got worse"
    if now - told.at >= route.repeat:
        return f"it still fires after {format_duration(route.repeat / _NANO)}"
    return ""
