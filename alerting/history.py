"""Questions about what has happened, answered from the state database."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from alerting.alert import Alert, format_alert
from alerting.journal import Entry
from alerting.records import entry_of
from alerting.severity import rank
from storage.state import State

_NANO = 1_000_000_000
_SHORT_NANO = 300 * _NANO
"""An alert that ends sooner hardly needed anybody."""
_GAP_NANO = 600 * _NANO
"""Between two storms."""
_WEEK_NANO = 7 * 86_400 * _NANO
_MANY = 3
_MOST = 0.8


@dataclass(slots=True)
class Episode:
    """From firing to its end, or to now when `ended_at` is 0. Times are nanoseconds since 1970."""

    id: str
    rule: str
    key: dict[str, str]
    severity: str
    began_at: int
    ended_at: int = 0
    value: float | None = None
    unit: str = "1"
    summary: str = ""
    reason: str = ""
    notified: int = 0
    """How often somebody was told of it."""
    acknowledged: str = ""
    acknowledged_at: int = 0
    held_back: dict[str, int] = field(default_factory=dict)
    """Decisions not to tell, by outcome."""

    @property
    def name(self) -> str:
        return format_alert(self.rule, tuple(self.key.items()))


@dataclass(frozen=True, slots=True)
class Pattern:
    """How an alert behaves over time; `hours` counts beginnings by hour of day (UTC)."""

    id: str
    name: str
    episodes: int
    firing_seconds: float
    median_seconds: float
    notified: int
    acknowledged: int
    short: int
    """Episodes that ended within 5 minutes."""
    hours: tuple[int, ...]
    advice: str


@dataclass(slots=True)
class Storm:
    """Notices that the caps held back, one after the other."""

    began_at: int
    ended_at: int
    held: int = 0
    alerts: dict[str, int] = field(default_factory=dict)
    caps: set[str] = field(default_factory=set)


def alerts(state: State, *, ended: bool) -> list[Alert]:
    """Those that are pending or firing, the worst first; with `ended` also those that were."""
    found = [Alert.from_json(orjson.loads(content)) for (content,) in state.rows("SELECT content FROM alerts")]
    shown = [alert for alert in found if ended or alert.status in {"pending", "firing"}]
    return sorted(shown, key=lambda one: (one.status not in {"firing", "pending"}, -rank(one.severity), one.name))


def find(state: State, text: str) -> list[Alert]:
    """By the beginning of its id, or by its rule."""
    rows = state.rows("SELECT content FROM alerts WHERE substr(id, 1, ?) = ? OR rule = ?", (len(text), text, text))
    return [Alert.from_json(orjson.loads(content)) for (content,) in rows]


def story(state: State, alert_id: str) -> list[Entry]:
    """All that was written down about an alert and the notifications that told of it, oldest first."""
    own = [entry_of(row) for row in state.rows("SELECT * FROM alert_journal WHERE alert = ? ORDER BY id", (alert_id,))]
    numbers = {number for entry in own for number in entry.content.get("notifications", ())}
    first = own[0].id if own else 0
    others = state.rows("SELECT * FROM alert_journal WHERE alert = '' AND id > ? ORDER BY id", (first,))
    told = [entry for entry in map(entry_of, others) if entry.content.get("notification") in numbers]
    return sorted((*own, *told), key=lambda entry: entry.id)


def journal(state: State, start_unix_nano: int, end_unix_nano: int | None) -> list[Entry]:
    """All that was written down in a time, oldest first."""
    end = end_unix_nano if end_unix_nano is not None else 2**63 - 1
    rows = state.rows(
        "SELECT * FROM alert_journal WHERE time_unix_nano >= ? AND time_unix_nano < ? ORDER BY id",
        (start_unix_nano, end),
    )
    return [entry_of(row) for row in rows]


def episodes(entries: Iterable[Entry]) -> list[Episode]:
    """Of these entries, oldest first."""
    open_: dict[str, Episode] = {}
    found: list[Episode] = []
    for entry in entries:
        if not entry.alert:
            continue
        episode = open_.get(entry.alert)
        if entry.outcome == "firing":
            episode = open_[entry.alert] = _episode(entry)
            found.append(episode)
        elif episode is not None:
            _continue(episode, entry)
            if entry.outcome == "resolved":
                del open_[entry.alert]
    return found


def fired(state: State, start_unix_nano: int, end_unix_nano: int, now_unix_nano: int) -> list[Episode]:
    """Episodes that lasted at any moment of the time, oldest first, each with what was told up to a week before it."""
    first = max(0, start_unix_nano - _WEEK_NANO)
    found = episodes([*_still_firing(state, first), *journal(state, first, now_unix_nano + 1)])
    return [one for one in found if one.began_at < end_unix_nano and (one.ended_at or now_unix_nano) > start_unix_nano]


def _still_firing(state: State, time_unix_nano: int) -> list[Entry]:
    """The beginnings of what fired at that moment."""
    rows = state.rows(
        "SELECT * FROM alert_journal WHERE outcome = 'firing' AND id IN (SELECT max(id) FROM alert_journal"
        " WHERE time_unix_nano < ? AND outcome IN ('firing', 'resolved') GROUP BY alert) ORDER BY id",
        (time_unix_nano,),
    )
    return [entry_of(row) for row in rows]


def _episode(entry: Entry) -> Episode:
    content = entry.content
    return Episode(
        entry.alert,
        entry.rule,
        dict(content.get("key", {})),
        str(content.get("severity", "")),
        entry.time_unix_nano,
        value=content.get("value"),
        unit=str(content.get("unit", "1")),
        summary=str(content.get("summary", "")),
    )


def _continue(episode: Episode, entry: Entry) -> None:
    severity = str(entry.content.get("severity", ""))
    if rank(severity) > rank(episode.severity):
        episode.severity = severity
    if entry.outcome in {"notified", "escalated"}:
        episode.notified += 1
    elif entry.outcome == "acknowledged" and entry.reason.startswith("by ") and not episode.acknowledged:
        episode.acknowledged, episode.acknowledged_at = entry.reason.removeprefix("by "), entry.time_unix_nano
    elif entry.outcome in {"silenced", "inhibited", "capped", "flapping", "no route", "queue full"}:
        episode.held_back[entry.outcome] = episode.held_back.get(entry.outcome, 0) + 1
    elif entry.outcome == "resolved":
        episode.ended_at, episode.reason = entry.time_unix_nano, entry.reason


def patterns(found: Iterable[Episode], now_unix_nano: int) -> list[Pattern]:
    """By alert, those with the most episodes first."""
    by_alert: dict[str, list[Episode]] = {}
    for episode in found:
        by_alert.setdefault(episode.id, []).append(episode)
    made = [_pattern(group, now_unix_nano) for group in by_alert.values()]
    return sorted(made, key=lambda one: (-one.episodes, -one.firing_seconds))


def _pattern(group: Sequence[Episode], now: int) -> Pattern:
    durations = [((one.ended_at or now) - one.began_at) / _NANO for one in group]
    hours = Counter(one.began_at // _NANO // 3600 % 24 for one in group)
    short = sum(one.ended_at != 0 and one.ended_at - one.began_at < _SHORT_NANO for one in group)
    return Pattern(
        id=group[0].id,
        name=group[0].name,
        episodes=len(group),
        firing_seconds=sum(durations),
        median_seconds=statistics.median(durations),
        notified=sum(one.notified for one in group),
        acknowledged=sum(bool(one.acknowledged) for one in group),
        short=short,
        hours=tuple(hours.get(hour, 0) for hour in range(24)),
        advice=_advice(group, short, hours),
    )


def _advice(group: Sequence[Episode], short: int, hours: Counter[int]) -> str:
    if len(group) < _MANY:
        return ""
    if short >= _MOST * len(group):
        return "mostly over within 5 min: a longer `for` would spare you most of it"
    hour, count = hours.most_common(1)[0]
    if count >= _MOST * len(group):
        return f"nearly always at {hour:02d}h UTC: look what runs then"
    if not any(one.acknowledged for one in group):
        return "nobody has ever acknowledged it: does it need anybody?"
    return ""


def storms(entries: Iterable[Entry]) -> list[Storm]:
    """Of these entries, oldest first."""
    found: list[Storm] = []
    for entry in entries:
        if entry.outcome != "capped":
            continue
        if not found or entry.time_unix_nano - found[-1].ended_at > _GAP_NANO:
            found.append(Storm(entry.time_unix_nano, entry.time_unix_nano))
        storm = found[-1]
        storm.ended_at = entry.time_unix_nano
        storm.held += 1
        name = format_alert(entry.rule, tuple(entry.content.get("key", {}).items()))
        storm.alerts[name] = storm.alerts.get(name, 0) + 1
        storm.caps.add(entry.reason.split(":")[0])
    return found


def waiting(state: State) -> list[dict[str, Any]]:
    """Notifications that no channel has taken yet, oldest first."""
    rows = state.rows(
        "SELECT id, receiver, severity, attempts, created_unix_nano, due_unix_nano, answer FROM notifications"
        " WHERE status = 'queued' ORDER BY id"
    )
    names = ("id", "receiver", "severity", "attempts", "created_unix_nano", "due_unix_nano", "answer")
    return [dict(zip(names, row, strict=True)) for row in rows]
