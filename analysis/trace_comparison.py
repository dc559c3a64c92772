"""A trace beside a normal one: which spans there are more of, and which took longer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.engine import Engine
from analysis.period import Period
from analysis.span_tree import SpanNode, each
from analysis.traces import ENDED, Trace

_NEWEST = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """Spans of one service and name in both traces; seconds are those in which no child was at work, summed."""

    service: str
    name: str
    one_spans: int
    other_spans: int
    one_seconds: float
    other_seconds: float

    @property
    def change_seconds(self) -> float:
        """How much longer they took in the first."""
        return self.one_seconds - self.other_seconds


def normal_like(engine: Engine, period: Period, root: SpanNode, *, limit: int = _NEWEST) -> str:
    """The id of a trace that begins as this one does, without a failed span, and took about as long as they mostly do.

    It is the one in the middle of the newest `limit`; '' if there is none.
    """
    rows = engine.sql(
        f"""
        SELECT trace_id, {ENDED} - event_unix_nano AS took
        FROM traces
        WHERE {" AND ".join(f"coalesce({column}, '') = ?" for column in ("service", "name", "kind"))}
            AND (coalesce(parent_span_id, '') = '') = ? AND coalesce(span_id, '') <> ? AND length(trace_id) = 32
            AND trace_id NOT IN (SELECT trace_id FROM traces WHERE status = 'ERROR' AND trace_id IS NOT NULL)
        ORDER BY event_unix_nano DESC, trace_id LIMIT ?
        """,  # noqa: S608  # our own expressions
        (root.service, root.name, root.kind, not root.parent_span_id, root.span_id, limit),
        period,
    )
    return _middle(dict(rows.rows))


def _middle(durations: dict[str, int]) -> str:
    """The trace of the median; of an even number the shorter one."""
    found = sorted(durations, key=lambda one: (durations[one], one))
    return found[(len(found) - 1) // 2] if found else ""


def compare(one: Trace, other: Trace) -> list[Difference]:
    """By service and name, the largest change first."""
    mine, theirs = _summed(each(one.roots)), _summed(each(other.roots))
    nothing = (0, 0.0)
    found = []
    for name in mine.keys() | theirs.keys():
        (spans, seconds), (their_spans, their_seconds) = mine.get(name, nothing), theirs.get(name, nothing)
        found.append(Difference(*name, spans, their_spans, seconds, their_seconds))
    return sorted(found, key=lambda of: (-abs(of.change_seconds), of.service, of.name))


def _summed(nodes: Iterable[SpanNode]) -> dict[tuple[str, str], tuple[int, float]]:
    """How many of each service and name, and their own seconds."""
    found: dict[tuple[str, str], tuple[int, float]] = {}
    for node in nodes:
        name = (node.service, node.name)
        spans, seconds = found.get(name, (0, 0.0))
        found[name] = (spans + 1, seconds + node.self_seconds)
    return found
