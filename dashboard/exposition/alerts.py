"""Alerts, silences, and when anybody judged last, from the state database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from alerting.records import silences
from dashboard.exposition.families import ACKNOWLEDGED, ALERT_FIRING, ALERTS, EVALUATION_AGE, SILENCES
from dashboard.exposition.labels import OVERFLOW, label_text
from dashboard.exposition.rules import Values
from dashboard.site import Site
from storage.state import State, StateError

MOST_ALERTS = 2000
_STATUSES = ("pending", "firing")
_SEVERITIES = ("low", "medium", "high", "critical")
_KINDS = ("silence", "maintenance", "emergency")
_NANO = 1_000_000_000


class _Count(NamedTuple):
    status: str
    severity: str
    alerts: int
    acknowledged: int


def alerting(site: Site, now_unix_nano: int) -> list[tuple[Any, str, object]]:
    """What is known now; nothing where there is no database, or one that can't be read."""
    path = site.own_folder / "state.db"
    if not path.is_file():
        return []
    try:
        state = State.reading(path)
        try:
            return [*_counts(state), *_firing(state), *_silences(state, now_unix_nano), *_age(state, now_unix_nano)]
        finally:
            state.close()
    except StateError:
        return []


def _counts(state: State) -> Values:
    rows = state.rows(
        "SELECT status, severity, count(*), sum(json_extract(content, '$.acknowledged.at') IS NOT NULL) FROM alerts"
        " WHERE status IN ('pending', 'firing') GROUP BY status, severity"
    )
    found = [_Count(*row) for row in rows]
    numbers = {(one.status, one.severity): one.alerts for one in found}
    for status in _STATUSES:
        for severity in _SEVERITIES:
            labels = label_text((("status", status), ("severity", severity)))
            yield ALERTS, labels, numbers.get((status, severity), 0)
    firing = [one for one in found if one.status == "firing"]
    yield ACKNOWLEDGED, "", sum(one.acknowledged for one in firing)
    if (beyond := sum(one.alerts for one in firing) - MOST_ALERTS) > 0:
        yield ALERT_FIRING, OVERFLOW, beyond


def _firing(state: State) -> Values:
    rows = state.rows("SELECT content FROM alerts WHERE status = 'firing' ORDER BY rule, id LIMIT ?", (MOST_ALERTS,))
    for alert in _contents(content for (content,) in rows):
        own = (("rule", alert.get("rule", "")), ("severity", alert.get("severity", "")))
        yield ALERT_FIRING, label_text(own, _pairs(alert.get("key"))), 1


def _contents(rows: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for content in rows:
        try:
            alert = orjson.loads(content)
        except orjson.JSONDecodeError:
            continue
        if isinstance(alert, dict):
            yield alert


def _pairs(key: object) -> Iterator[tuple[str, object]]:
    """As an alert's key stands in the database: a list of pairs."""
    for one in key if isinstance(key, list) else ():
        if isinstance(one, list) and len(one) > 1:
            yield str(one[0]), one[1]


def _silences(state: State, now_unix_nano: int) -> Values:
    active = [one.kind for one in silences(state) if one.active(now_unix_nano)]
    for kind in _KINDS:
        yield SILENCES, label_text((("kind", kind),)), sum(one == kind for one in active)


def _age(state: State, now_unix_nano: int) -> Values:
    for (time_unix_nano,) in state.rows("SELECT time_unix_nano FROM evaluations"):
        yield EVALUATION_AGE, "", max(0, now_unix_nano - time_unix_nano) / _NANO
