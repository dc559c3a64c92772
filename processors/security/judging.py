"""Judging security: sightings go in by the time of their event, alarms come out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from processors.anomalies.point import Point
from processors.description import Description
from processors.evaluation import Evaluation, Transition
from processors.matchers import Matcher, parse_matchers
from processors.quantities import format_duration, format_size
from processors.security.addresses import Allowed
from processors.security.alarm import Alarm, Alarms
from processors.security.breach import BreachRule
from processors.security.counting import CountingRule
from processors.security.new_place import NewPlaceRule
from processors.security.settings import (
    BreachSettings,
    CountingSettings,
    NewPlaceSettings,
    RuleSettings,
    SecuritySettings,
    SpikeSettings,
)
from processors.security.sighting import ADDRESS, AGENT, KEYS, LOGIN, REFUSAL, USER, Sighting
from processors.security.spike import SpikeRule
from processors.security.users import Login, Users

_FORGET_NANO = 60_000_000_000
_Rule = CountingRule | BreachRule | NewPlaceRule | SpikeRule


class SecurityJudging:
    """Owned by one thread; reads no clock. Sightings may come in any order within `lateness`."""

    def __init__(self, settings: SecuritySettings, lateness_seconds: float) -> None:
        self._settings = settings
        rules = {name: rule for name, rule in settings.rules.items() if rule.enabled and settings.enabled}
        self._counting = [
            CountingRule(name, rule, settings.max_keys, int(lateness_seconds * 1e9))
            for name, rule in rules.items()
            if isinstance(rule, CountingSettings)
        ]
        self._breach = [BreachRule(name, rule) for name, rule in rules.items() if isinstance(rule, BreachSettings)]
        self._places = [NewPlaceRule(name, rule) for name, rule in rules.items() if isinstance(rule, NewPlaceSettings)]
        self._spikes = [SpikeRule(name, rule) for name, rule in rules.items() if isinstance(rule, SpikeSettings)]
        self._by_event: dict[str, list[CountingRule]] = {}
        for one in self._counting:
            self._by_event.setdefault(one.settings.event, []).append(one)
        self._except: dict[str, Matcher | None] = {
            name: _any_of(rule.except_) if rule.except_ else None for name, rule in rules.items()
        }
        self._rules = rules
        self._allowed = Allowed(settings.allow.addresses)
        self._allowed_users = frozenset(settings.allow.users)
        self._allowed_agents = [re.compile(pattern) for pattern in settings.allow.user_agents]
        self.users = Users(int(lateness_seconds * 1e9), settings.max_keys)
        every: list[_Rule] = [*self._counting, *self._breach, *self._places, *self._spikes]
        self.on_login: Callable[[Login], None] | None = None
        """Who wants to know of each login that succeeded, and what of it is new."""
        self.episodes = Alarms({one.name: one.told for one in every}, settings.max_keys)
        self._forgotten = 0

    @property
    def alarms(self) -> list[Alarm]:
        """Those that hold, or did until lately."""
        return list(self.episodes.alarms.values())

    @property
    def descriptions(self) -> tuple[Description, ...]:
        return tuple(describe(name, rule) for name, rule in self._rules.items())

    @property
    def labels(self) -> frozenset[str]:
        """The attributes that rules look at."""
        if not self._rules:
            return frozenset()
        found: set[str] = set(KEYS)
        for rule in self._rules.values():
            found |= parse_matchers(rule.except_)[0]
            if isinstance(rule, CountingSettings):
                found.update(rule.by, parse_matchers(rule.where)[0], {rule.distinct, rule.sum} - {""})
        return frozenset(found)

    @property
    def evicted(self) -> int:
        """Keys that were dropped because there were too many, and alarms that found no room."""
        windows = sum(one.evicted for one in self._counting) + sum(one.evicted for one in self._breach)
        return windows + self.users.evicted + self.episodes.overflowed

    def wants(self, event: str) -> bool:
        return event in self._by_event or (event == LOGIN and bool(self._rules))

    @property
    def wants_refusals(self) -> bool:
        return REFUSAL in self._by_event

    def take(self, seen: Sighting) -> None:
        if not self.wants(seen.event) or self._is_let_alone(seen):
            return
        for rule in self._by_event.get(seen.event, ()):
            if not rule.matches(seen) or self._is_excepted(rule.name, rule.settings, seen):
                continue
            if rule.is_patient:
                rule.wait(seen)
            else:
                self._count(rule, seen)
        if seen.event == LOGIN and seen.outcome == "success" and seen.user:
            self._logged_in(seen)

    def counts(self, rule: str, seen: Sighting) -> bool:
        """Whether a sighting is among those that such a rule is about."""
        known = next((one for one in self._counting if one.name == rule), None)
        if known is None:
            return seen.event == LOGIN
        return known.settings.event == seen.event and known.matches(seen)

    def _is_let_alone(self, seen: Sighting) -> bool:
        agent = seen.labels.get(AGENT)
        return bool(agent) and any(pattern.search(str(agent)) for pattern in self._allowed_agents)

    def _is_excepted(self, name: str, settings: RuleSettings, seen: Sighting) -> bool:
        matches = self._except[name]
        if matches is not None and matches(seen.labels):
            return True
        known = settings.except_known and seen.user and seen.address
        return bool(known) and self.users.is_known(seen.user, seen.address, seen.time_unix_nano)

    def _count(self, rule: CountingRule, seen: Sighting) -> None:
        alarm = rule.take(seen)
        raised = self._raise(alarm) if alarm is not None else None
        if raised is None:
            return
        raised.count += raised is not alarm
        raised.seen(seen.trace_id)
        for breach in self._breach:
            self._raise_breaches(breach.follow(raised))

    def _logged_in(self, login: Sighting) -> None:
        if login.address:
            for breach in self._breach:
                if not self._is_excepted(breach.name, breach.settings, login):
                    self._raise_breaches(breach.take(login, self.episodes))
        self.users.take(login)

    def _raise_breaches(self, alarms: Iterable[Alarm]) -> None:
        for alarm in alarms:
            raised = self._raise(alarm)
            if raised is not None:
                raised.count = max(raised.count, alarm.count)
                user = dict(alarm.key)[USER]
                usual = self.users.is_usual_hour(user, alarm.first_unix_nano)
                raised.note = "" if usual else f"at an hour at which {user} hardly ever logs in"

    def _raise_unless_excepted(self, alarm: Alarm) -> None:
        """Where `except` has the labels of the alarm to look at and no sighting."""
        if not self._is_excepted_alarm(alarm):
            self._raise(alarm)

    def _raise(self, alarm: Alarm) -> Alarm | None:
        """None for whom nobody wants to hear about."""
        return None if self._is_allowed(alarm) else self.episodes.raised(alarm)

    def _is_allowed(self, alarm: Alarm) -> bool:
        key = dict(alarm.key)
        return key.get(USER, "") in self._allowed_users or key.get(ADDRESS, "") in self._allowed

    def _is_excepted_alarm(self, alarm: Alarm) -> bool:
        """By the labels of its key alone."""
        matches = self._except[alarm.rule]
        return matches is not None and matches(dict(alarm.key))

    def spikes(self, point: Point) -> None:
        """What the detector of anomalies says of five minutes; those of failed logins count."""
        for rule in self._spikes:
            for alarm in rule.take(point):
                self._raise_unless_excepted(alarm)

    def judge(self, now_unix_nano: int, *, frozen: bool) -> tuple[list[Evaluation], list[Transition]]:
        """At each tick; while `frozen` nothing fires or resolves."""
        for patient in self._counting:
            for seen in patient.settle(now_unix_nano):
                self._count(patient, seen)
        for login in self.users.settle(now_unix_nano):
            if self.on_login is not None:
                self.on_login(login)
            for rule in self._places:
                for alarm in rule.take(login):
                    self._raise_unless_excepted(alarm)
        if now_unix_nano - self._forgotten >= _FORGET_NANO:
            for counting in self._counting:
                counting.forget(now_unix_nano)
            for breach in self._breach:
                breach.forget(now_unix_nano)
            self._forgotten = now_unix_nano
        return self.episodes.judge(now_unix_nano, frozen=frozen)

    def forget_after(self, now_unix_nano: int) -> None:
        """Go on after the clock was set back."""
        self._forgotten = min(self._forgotten, now_unix_nano)
        for rule in self._counting:
            rule.forget_after(now_unix_nano)
        for breach in self._breach:
            breach.forget_after(now_unix_nano)
        self.episodes.forget_after(now_unix_nano)

    def forget_alarms(self, over_by_unix_nano: int) -> None:
        """While learning from the past: what was over by then is of no interest."""
        self.episodes.drop_over(over_by_unix_nano)

    def to_state(self) -> dict[str, Any]:
        return {
            "counting": {rule.name: rule.to_state() for rule in self._counting},
            "breach": {rule.name: rule.to_state() for rule in self._breach},
            "users": self.users.to_state(),
            "alarms": self.episodes.to_state(),
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        for rule in self._counting:
            if rule.name in content["counting"]:
                rule.restore(content["counting"][rule.name])
        for breach in self._breach:
            breach.restore(content["breach"].get(breach.name, ()))
        self.users.restore(content["users"])
        self.episodes.restore(content["alarms"])
        self.episodes.refuse(lambda alarm: self._is_allowed(alarm) or self._is_excepted_alarm(alarm))


def describe(name: str, rule: RuleSettings) -> Description:
    return Description(name, _bounds(rule), rule.next_steps, rule.labels, conditions=_conditions(rule))


def _bounds(rule: RuleSettings) -> tuple[str, ...]:
    """In words, as a table shows them."""
    within = f"within {format_duration(rule.within)}"
    if isinstance(rule, BreachSettings):
        return (f"a login {within} after {' or '.join(rule.after)}",)
    if isinstance(rule, NewPlaceSettings):
        return ("a login from a new network with a new browser",)
    if isinstance(rule, SpikeSettings):
        return (f"score >= {rule.score:g} and >= {rule.count} within 5min",)
    return _counts(rule, within)


def _conditions(rule: RuleSettings) -> tuple[str, ...]:
    """Where the value alone tells."""
    if not isinstance(rule, CountingSettings) or rule.own_p99:
        return ()
    if rule.sum:
        return (f"> {format_size(rule.above or 0)}",)
    first = rule.distinct_count if rule.distinct and rule.count == 1 else rule.count
    return (f">= {first}", *([f">= {rule.worse.count}"] if rule.worse is not None else []))


def _counts(rule: CountingSettings, within: str) -> tuple[str, ...]:
    parts = [f">= {rule.count}"] if rule.count > 1 or not (rule.distinct or rule.sum) else []
    if rule.distinct:
        tries = f" of <= {rule.tries_each} each" if rule.tries_each else ""
        parts.append(f">= {rule.distinct_count} {rule.distinct}{tries}")
    if rule.sum:
        parts.append(f"> {format_size(rule.above or 0)}")
    worse = [f">= {rule.worse.count} {within}"] if rule.worse is not None else []
    return (f"{' and '.join(parts)} {within}", *worse)


def _any_of(texts: Iterable[str]) -> Matcher:
    tests = [parse_matchers([text])[1] for text in texts]
    return lambda labels: any(test(labels) for test in tests if test is not None)
