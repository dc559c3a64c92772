"""Storm caps: how many notices in which time, and what was held back meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from alerting.settings import RateSettings, StormSettings

Cap = Literal["same_alert", "total_alerts"]
CAPS: tuple[Cap, ...] = ("same_alert", "total_alerts")
_NANO = 1_000_000_000


class Candidate(NamedTuple):
    """An alert that a notice would be about."""

    alert: str
    rule: str
    severity: str


@dataclass(slots=True)
class Held:
    """What one cap holds back since it was hit."""

    since: int
    until: int
    alerts: dict[str, int] = field(default_factory=dict)
    """How many notices of each alert."""
    receivers: set[str] = field(default_factory=set)
    announced: bool = False


class StormCaps:
    """Runbook, "Alert Storm Prevention". A notice is one decision of a route, to however many receivers it goes."""

    def __init__(self, settings: StormSettings) -> None:
        self._settings = settings
        self._same: dict[str, deque[int]] = {}
        self._total: deque[tuple[int, list[str]]] = deque()
        self.held: dict[Cap, Held] = {}

    def over_same(self, alert: str, now: int) -> bool:
        """Whether a further notice of this alert is too many."""
        times = self._same.get(alert)
        if times is None:
            return False
        _forget(times, now - _window(self._settings.same_alert))
        return len(times) >= self._settings.same_alert.max_count

    def over_total(self, candidates: Iterable[Candidate], now: int) -> bool:
        """Whether a further notice is too many; a critical one passes if its rule has had none in that time."""
        settings = self._settings.total_alerts
        while self._total and self._total[0][0] <= now - _window(settings):
            self._total.popleft()
        if len(self._total) < settings.max_count:
            return False
        heard = {rule for _, rules in self._total for rule in rules}
        return not any(one.severity == "critical" and one.rule not in heard for one in candidates)

    def count(self, candidates: Iterable[Candidate], now: int) -> None:
        """A notice has gone out that is about these."""
        rules = set()
        for one in candidates:
            self._same.setdefault(one.alert, deque()).append(now)
            rules.add(one.rule)
        self._total.append((now, sorted(rules)))

    def hold(self, cap: Cap, alerts: Iterable[str], receivers: Iterable[str], now: int) -> None:
        """A notice was held back; the digest will name its alerts."""
        held = self.held.get(cap)
        if held is None:
            held = self.held[cap] = Held(now, now + _window(getattr(self._settings, cap)))
        held.receivers.update(receivers)
        for alert in alerts:
            held.alerts[alert] = held.alerts.get(alert, 0) + 1

    def due(self, now: int) -> list[tuple[Cap, Held, bool]]:
        """The digests to send now, and whether each closes its window."""
        found: list[tuple[Cap, Held, bool]] = []
        for cap, held in list(self.held.items()):
            if now >= held.until:
                found.append((cap, self.held.pop(cap), True))
            elif not held.announced:
                held.announced = True
                found.append((cap, held, False))
        return found

    def forget(self, now: int) -> None:
        """Drop what no window reaches."""
        horizon = now - _window(self._settings.same_alert)
        for alert, times in list(self._same.items()):
            _forget(times, horizon)
            if not times:
                del self._same[alert]

    def shift(self, nano: int) -> None:
        """The clock has stepped."""
        self._same = {alert: deque(time + nano for time in times) for alert, times in self._same.items()}
        self._total = deque((time + nano, rules) for time, rules in self._total)
        for held in self.held.values():
            held.since, held.until = held.since + nano, held.until + nano

    def to_state(self) -> dict[str, Any]:
        held = {
            cap: [one.since, one.until, one.alerts, sorted(one.receivers), one.announced]
            for cap, one in self.held.items()
        }
        same = {alert: list(times) for alert, times in self._same.items()}
        return {"same": same, "total": [list(one) for one in self._total], "held": held}

    def restore(self, content: Mapping[str, Any]) -> None:
        self._same = {alert: deque(times) for alert, times in content["same"].items()}
        self._total = deque((time, rules) for time, rules in content["total"])
        for cap, (since, until, alerts, receivers, announced) in content["held"].items():
            if cap in CAPS:
                self.held[cap] = Held(since, until, dict(alerts), set(receivers), announced)


def _window(rate: RateSettings) -> int:
    return int(rate.time_window * _NANO)


def _forget(times: deque[int], horizon: int) -> None:
    while times and times[0] <= horizon:
        times.popleft()
