"""Which service called which, told by spans whose parent is another service's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from analysis.engine import Engine
from analysis.period import MINUTE_NANO, Period
from analysis.trace_search import newest_first

_BEFORE_NANO = 10 * MINUTE_NANO
"""So long before its child a parent may have begun."""
_AFTER_NANO = MINUTE_NANO
"""So much later by the clock of another machine."""
_TEXT = 512
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Dependency:
    """`calls` is the number of spans of `child` that a span of `parent` is above."""

    parent: str
    child: str
    calls: int


def dependencies(engine: Engine, period: Period) -> list[Dependency]:
    """The most frequent first, at most 10,000; a span that was sent twice counts once. Raise QueryError.

    Six hours or an eighth are asked at a time, so that memory is bounded.
    """
    calls: Counter[tuple[str, str]] = Counter()
    for part in newest_first(period):
        for parent, child, count in _calls(engine, part):
            calls[parent, child] += count
    found = sorted(calls.items(), key=lambda one: (-one[1], one[0]))
    return [Dependency(*pair, count) for pair, count in found[:_MOST]]


def _calls(engine: Engine, period: Period) -> list[tuple[str, str, int]]:
    around = Period(max(0, period.start_unix_nano - _BEFORE_NANO), period.end_unix_nano + _AFTER_NANO)
    rows = engine.sql(
        """
        WITH spans AS MATERIALIZED (
            SELECT hash(trace_id, span_id) AS own, event_unix_nano AS time, left(service, $1) AS service,
                CASE WHEN parent_span_id <> '' THEN hash(trace_id, parent_span_id) END AS above
            FROM traces WHERE span_id <> '' AND service <> ''
        )
        SELECT parents.service, children.service, count(DISTINCT children.own)
        FROM spans AS children JOIN spans AS parents ON parents.own = children.above
        WHERE children.service <> parents.service AND children.time >= $2 AND children.time < $3
        GROUP BY ALL
        """,
        (_TEXT, period.start_unix_nano, period.end_unix_nano),
        around,
    )
    return [(parent, child, count) for parent, child, count in rows]
