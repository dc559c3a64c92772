"""The spans of a trace as they called each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from analysis.period import NANO


class TraceLog(NamedTuple):
    """A log record of a trace; `cut` tells what of it is not here."""

    time_unix_nano: int
    severity: str
    severity_number: int
    body: str
    attributes: dict[str, Any]
    span_id: str
    cut: tuple[str, ...]


@dataclass(slots=True)
class SpanNode:
    """A span; its `children` begin in order, and so do its `logs`."""

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
    logs: list[TraceLog] = field(default_factory=list)
    children: list[SpanNode] = field(default_factory=list)
    status_message: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    """Each with `time_unix_nano`, `name` and `attributes`."""
    links: list[dict[str, Any]] = field(default_factory=list)
    """Each with `trace_id`, `span_id` and `attributes`."""
    resource: dict[str, Any] = field(default_factory=dict)
    """The attributes of who sent it."""
    scope: str = ""
    """The name and version of the instrumentation."""
    cut: list[str] = field(default_factory=list)
    """What of it is not here, each as a sentence."""

    @property
    def seconds(self) -> float:
        return self._nanos / NANO

    @property
    def self_seconds(self) -> float:
        """While no child was at work."""
        cursor, busy = self.start_unix_nano, 0
        for child in sorted(self.children, key=lambda one: one.start_unix_nano):
            start, end = max(child.start_unix_nano, cursor), min(child.end_unix_nano, self.end_unix_nano)
            if end > start:
                busy += end - start
                cursor = end
        return (self._nanos - busy) / NANO

    @property
    def _nanos(self) -> int:
        return max(0, self.end_unix_nano - self.start_unix_nano)


def entry(roots: Sequence[SpanNode]) -> SpanNode | None:
    """Where the trace began: the first span that was called by none, else the first whose caller is not known."""
    return next((root for root in roots if not root.parent_span_id), roots[0] if roots else None)


def each(roots: Iterable[SpanNode]) -> Iterator[SpanNode]:
    """Every span, parents before their children."""
    waiting = list(roots)[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children[::-1]


def tree(nodes: Iterable[SpanNode], by_id: Mapping[str, SpanNode]) -> list[SpanNode]:
    """The roots, all others put below their parents; who is above itself is a root too.

    Ids come from outside and may go in a circle.
    """
    circling = _in_circles(by_id)
    roots = []
    for node in sorted(nodes, key=lambda one: (one.start_unix_nano, one.span_id)):
        parent = by_id.get(node.parent_span_id)
        if parent is None or node.span_id in circling:
            roots.append(node)
        else:
            parent.children.append(node)
    return roots


def _in_circles(by_id: Mapping[str, SpanNode]) -> set[str]:
    """The spans that are above themselves."""
    known: set[str] = set()
    circling: set[str] = set()
    for start in by_id:
        path: dict[str, int] = {}
        cursor = start
        while cursor in by_id and cursor not in known and cursor not in path:
            path[cursor] = len(path)
            cursor = by_id[cursor].parent_span_id
        if cursor in path:
            circling.update(list(path)[path[cursor] :])
        known.update(path)
    return circling
