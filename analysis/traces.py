"""One trace: its spans as a tree, and the log records that belong to it."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from analysis.engine import Engine
from analysis.period import Period

_MAX_SPANS = 2000


@dataclass(slots=True)
class SpanNode:
    """A span; its `children` begin in order. `logs` are its records, as time, severity and body."""

    span_id: str
    parent_span_id: str
    service: str
    name: str
    kind: str
    status: str
    start_unix_nano: int
    end_unix_nano: int
    detail: str
    """The statement of a query, the address of a call."""
    error: str
    """What was raised, where something was."""
    logs: list[tuple[int, str, str]] = field(default_factory=list)
    children: list[SpanNode] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return max(0, self.end_unix_nano - self.start_unix_nano) / 1e9


def trace(engine: Engine, trace_id: str, period: Period) -> list[SpanNode]:
    """Its spans without a parent here, by their beginning; a span sent twice counts once."""
    rows = engine.sql(
        """
        SELECT span_id, coalesce(parent_span_id, ''), service, name, kind, coalesce(status, ''), event_unix_nano,
            coalesce(end_time_unix_nano, event_unix_nano),
            coalesce(attr(attributes, 'db.query.text'), attr(attributes, 'url.full'), ''), events
        FROM traces WHERE trace_id = ? ORDER BY event_unix_nano LIMIT ?
        """,
        (trace_id, _MAX_SPANS),
        period,
    )
    told = [(*row[:-1], _raised(row[-1])) for row in reversed(rows.rows)]
    nodes = {one[0]: SpanNode(*one) for one in told}
    for time, span_id, severity, body in engine.sql(
        "SELECT event_unix_nano, coalesce(span_id, ''), severity, body FROM logs WHERE trace_id = ?"
        " ORDER BY event_unix_nano LIMIT ?",
        (trace_id, _MAX_SPANS),
        period,
    ):
        if span_id in nodes:
            nodes[span_id].logs.append((time, severity or "", str(body or "")))
    return _tree(nodes)


def _tree(nodes: dict[str, SpanNode]) -> list[SpanNode]:
    roots = []
    for node in sorted(nodes.values(), key=lambda one: (one.start_unix_nano, one.span_id)):
        parent = nodes.get(node.parent_span_id)
        if parent is None or _is_below(node, parent, nodes):
            roots.append(node)
        else:
            parent.children.append(node)
    return roots


def _is_below(node: SpanNode, parent: SpanNode, nodes: dict[str, SpanNode]) -> bool:
    """Whether the parent is the node itself or below it: ids from outside may go in a circle."""
    seen: set[str] = set()
    above: SpanNode | None = parent
    while above is not None and above.span_id not in seen:
        if above is node:
            return True
        seen.add(above.span_id)
        above = nodes.get(above.parent_span_id)
    return False


def _raised(events: str | None) -> str:
    for event in orjson.loads(events) if events else ():
        attributes = event.get("attributes") or {}
        if event.get("name") == "exception":
            return f"{attributes.get('exception.type', '')}: {attributes.get('exception.message', '')}"
    return ""
