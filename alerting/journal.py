"""The journal: every change of an alert and every decision about telling it, with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from alerting.alert import Alert

JUDGED = frozenset({"pending", "inactive", "firing", "rose", "fell", "resolved"})
"""What the stream `alerts` has from judging already."""


class Entry(NamedTuple):
    """`notifications` are the ids of what was queued, or whose fate this tells."""

    id: int
    time_unix_nano: int
    alert: str
    rule: str
    outcome: str
    reason: str
    content: Mapping[str, Any]


class Journal:
    """Entries since they were last taken."""

    def __init__(self) -> None:
        self.next_id = 1
        self._entries: list[Entry] = []

    def alert(self, alert: Alert, outcome: str, reason: str, now: int, **content: Any) -> None:
        """Something about one alert; what stood there at that moment goes with it."""
        about = {
            "key": dict(alert.key),
            "severity": alert.severity,
            "status": alert.status,
            "value": alert.value,
            "unit": alert.unit,
            "summary": alert.summary,
            **content,
        }
        self._add(Entry(self.next_id, now, alert.id, alert.rule, outcome, reason, about))

    def channel(self, outcome: str, reason: str, now: int, **content: Any) -> None:
        """Something about a notification, or about none."""
        self._add(Entry(self.next_id, now, "", "", outcome, reason, content))

    def _add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.next_id += 1

    @property
    def entries(self) -> list[Entry]:
        return self._entries

    def written(self, count: int) -> None:
        """The first so many are in the state database."""
        del self._entries[:count]
