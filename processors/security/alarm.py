"""An alarm of one rule and key: from when its condition first held until it has not for a whole window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from processors.evaluation import Evaluation, Status, Transition, format_value

_TRACES = 3
_CEASED = "it has ceased"
_RANKS = ("", "low", "medium", "high", "critical")
Key = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Alarm:
    """Times are those of events, in nanoseconds since 1970."""

    rule: str
    key: Key
    lasts_nano: int
    first_unix_nano: int
    last_unix_nano: int
    severity: str
    count: int
    """Of all that it is about."""
    distinct: int = 0
    total: float = 0.0
    traces: list[str] = field(default_factory=list)
    told: str = ""
    """The severity with which it fires; empty before it does."""
    fired_unix_nano: int = 0
    note: str = ""

    def joins(self, other: Alarm) -> None:
        """The condition holds then too, and perhaps it got worse."""
        self.first_unix_nano = min(self.first_unix_nano, other.first_unix_nano)
        self.last_unix_nano = max(self.last_unix_nano, other.last_unix_nano)
        self.severity = worst((self.severity, other.severity))
        self.distinct = max(self.distinct, other.distinct)
        self.total = max(self.total, other.total)

    def belongs(self, other: Alarm) -> bool:
        """Whether that is of the same episode."""
        begins, ends = self.first_unix_nano - self.lasts_nano, self.last_unix_nano + self.lasts_nano
        return other.first_unix_nano <= ends and other.last_unix_nano >= begins

    def seen(self, trace_id: str) -> None:
        if trace_id and trace_id not in self.traces:
            self.traces = (
                [*self.traces[1 - _TRACES :], trace_id] if len(self.traces) >= _TRACES else [*self.traces, trace_id]
            )

    def over(self, now_unix_nano: int) -> bool:
        return now_unix_nano > self.last_unix_nano + self.lasts_nano

    def text(self, template: str, unit: str) -> str:
        """The rule's summary with labels, `count`, `distinct` and `total` filled in."""
        found = template
        numbers = {
            "count": f"{self.count:,}",
            "distinct": f"{self.distinct:,}",
            "total": format_value(self.total, unit),
        }
        for name, content in (*numbers.items(), *self.key):
            found = found.replace("{" + name + "}", content)
        return f"{found}; {self.note}" if self.note else found

    def to_state(self) -> list[Any]:
        return [
            self.rule,
            self.key,
            self.lasts_nano,
            self.first_unix_nano,
            self.last_unix_nano,
            self.severity,
            self.count,
            self.distinct,
            self.total,
            self.traces,
            self.told,
            self.fired_unix_nano,
            self.note,
        ]

    @classmethod
    def from_state(cls, content: Iterable[Any]) -> Alarm:
        rule, key, *rest = content
        return cls(rule, tuple((label, value) for label, value in key), *rest)


@dataclass(frozen=True, slots=True)
class Told:
    """How a rule speaks of its alarms."""

    summary: str
    unit: str
    measure: str
    """Which number is the value: count, distinct or total."""
    window_seconds: float


class Alarms:
    """At most so many of each rule; what fires is told once, when it begins, gets worse and ends."""

    def __init__(self, told: Mapping[str, Told], most: int) -> None:
        self._told = told
        self._most = most
        self.alarms: dict[tuple[str, Key], Alarm] = {}
        self.on_over: Callable[[Alarm], None] | None = None
        """Who wants to know of the episodes that have ended."""
        self._ended: list[Alarm] = []
        """Those whose next episode began before a tick saw the end."""
        self.overflowed = 0
        self._of_rule: Counter[str] = Counter()
        """So that a flood of mild ones leaves room for a breach."""

    def raised(self, alarm: Alarm) -> Alarm | None:
        """That of the same episode, which now holds this moment too, or this one; None where there is no room."""
        identity = (alarm.rule, alarm.key)
        known = self.alarms.get(identity)
        if known is not None and known.belongs(alarm):
            known.joins(alarm)
            return known
        if known is not None and alarm.first_unix_nano < known.first_unix_nano:
            return None  # an episode that was over before the one that is known
        if known is None and self._of_rule[alarm.rule] >= self._most:
            self.overflowed += 1
            return None
        if known is not None:
            self._over(known)
            if known.told:
                self._ended.append(known)
        self._of_rule[alarm.rule] += known is None
        self.alarms[identity] = alarm
        return alarm

    def judge(self, now_unix_nano: int, *, frozen: bool) -> tuple[list[Evaluation], list[Transition]]:
        evaluations: list[Evaluation] = []
        transitions: list[Transition] = []
        if not frozen:
            transitions = [self._transition(one, "resolved", now_unix_nano, _CEASED) for one in self._ended]
            self._ended.clear()
        for identity, alarm in list(self.alarms.items()):
            reason, severity = "", alarm.severity
            if not frozen and alarm.told and alarm.over(now_unix_nano):
                self._drop(identity)
                transitions.append(self._transition(alarm, "resolved", now_unix_nano, _CEASED))
                continue
            if not frozen and alarm.told != severity:
                reason = "it got worse" if alarm.told else "the condition holds"
                alarm.fired_unix_nano = alarm.fired_unix_nano or now_unix_nano
                alarm.told = severity
                transitions.append(self._transition(alarm, "firing", now_unix_nano, reason))
            evaluations.append(self._evaluation(alarm, now_unix_nano))
        return evaluations, transitions

    def _drop(self, identity: tuple[str, Key]) -> None:
        self._over(self.alarms.pop(identity))
        self._of_rule[identity[0]] -= 1

    def drop_over(self, now_unix_nano: int) -> None:
        """What nobody was told of and nobody need be: it is learnt from the past."""
        for identity, alarm in list(self.alarms.items()):
            if alarm.over(now_unix_nano):
                self._drop(identity)

    def refuse(self, unwanted: Callable[[Alarm], bool]) -> None:
        """End those that nobody wants to hear of any more."""
        for identity, alarm in list(self.alarms.items()):
            if unwanted(alarm):
                self._drop(identity)
                if alarm.told:
                    self._ended.append(alarm)

    def summary(self, alarm: Alarm) -> str:
        told = self._told[alarm.rule]
        return alarm.text(told.summary, told.unit)

    def _over(self, alarm: Alarm) -> None:
        if self.on_over is not None:
            self.on_over(alarm)

    def _evaluation(self, alarm: Alarm, now: int) -> Evaluation:
        told = self._told[alarm.rule]
        return Evaluation(
            rule=alarm.rule,
            key=alarm.key,
            value=_value(alarm, told),
            unit=told.unit,
            band="critical" if alarm.severity in {"high", "critical"} else "warning",
            severity=alarm.told,
            status="firing" if alarm.told else "inactive",
            samples=alarm.count,
            window_seconds=told.window_seconds,
            since_unix_nano=alarm.fired_unix_nano,
            time_unix_nano=now,
            traces=tuple(alarm.traces),
            detail="" if alarm.told else "grace after a restart",
            summary=self.summary(alarm),
        )

    def _transition(self, alarm: Alarm, status: Status, now: int, reason: str) -> Transition:
        told = self._told[alarm.rule]
        value, traces = _value(alarm, told), tuple(alarm.traces)
        return Transition(alarm.rule, alarm.key, status, alarm.told, value, reason, now, self.summary(alarm), traces)

    def forget_after(self, now_unix_nano: int) -> None:
        """The clock was set back: nothing can have held later than now."""
        for alarm in self.alarms.values():
            alarm.first_unix_nano = min(alarm.first_unix_nano, now_unix_nano)
            alarm.last_unix_nano = min(alarm.last_unix_nano, now_unix_nano)

    def to_state(self) -> dict[str, Any]:
        alarms, ended = self.alarms.values(), self._ended
        return {"alarms": [one.to_state() for one in alarms], "ended": [one.to_state() for one in ended]}

    def restore(self, content: Mapping[str, Any]) -> None:
        """Of rules that there are still."""
        for alarm in self._known(content["alarms"]):
            self.alarms[alarm.rule, alarm.key] = alarm
        self._ended += self._known(content["ended"])
        self._of_rule = Counter(rule for rule, _ in self.alarms)

    def _known(self, content: Iterable[Any]) -> Iterator[Alarm]:
        return (alarm for alarm in map(Alarm.from_state, content) if alarm.rule in self._told)


def rank(severity: str) -> int:
    return _RANKS.index(severity)


def worst(severities: Iterable[str]) -> str:
    return max(severities, key=rank)


def _value(alarm: Alarm, told: Told) -> float:
    return (
        alarm.total if told.measure == "total" else float(alarm.distinct if told.measure == "distinct" else alarm.count)
    )
