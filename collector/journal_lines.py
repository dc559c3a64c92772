"""Alerting's journal as lines of the stream `alerts`."""

from __future__ import annotations

from collections.abc import Iterable

from alerting.alert import format_alert
from alerting.journal import JUDGED, Entry
from processors.derived import OWN_SERVICE, DerivedLines


def tell_journal(lines: DerivedLines, entries: Iterable[Entry], last: int) -> int:
    """Add the entries that judging has not told itself; the number of the last one."""
    for entry in entries:
        last = entry.id
        if entry.outcome in JUDGED:
            continue
        content = dict(entry.content)
        key = content.get("key", {})
        named = {"alert": format_alert(entry.rule, tuple(key.items())), "alert_id": entry.alert} if entry.alert else {}
        fields = {
            **named,
            **({"rule": entry.rule} if entry.rule else {}),
            "decision": entry.outcome,
            "reason": entry.reason,
            "journal": entry.id,
            **content,
        }
        service = key.get("service.name") or OWN_SERVICE
        lines.own(service, "alerts", entry.time_unix_nano, entry.time_unix_nano, fields)
    return last
