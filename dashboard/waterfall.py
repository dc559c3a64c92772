"""A trace as rows of bars: what called what, how long each took, and what it waited for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.critical_path import Segment, critical_path
from analysis.span_tree import SpanNode

WIDTH = 1000
"""Of the drawing; it is stretched to the room that there is."""
_LEAST_WIDTH = 2.0
_DEEPEST = 12
_COLOURS = 8
_DETAIL_CHARACTERS = 500_000
"""Of all spans together that stand in the page; what is beyond is shown when one asks for that span."""


@dataclass(frozen=True, slots=True)
class Bar:
    """In units of the drawing."""

    x: float
    width: float


_WHOLE = Bar(0.0, float(WIDTH))


@dataclass(frozen=True, slots=True)
class Row:
    """One span; `colour` is that of its service, from 1; `critical` where the whole waited for it."""

    node: SpanNode
    depth: int
    bar: Bar
    critical: tuple[Bar, ...]
    colour: int
    offset_seconds: float
    detailed: bool

    @property
    def failed(self) -> bool:
        return self.node.status == "ERROR" or bool(self.node.error)


@dataclass(frozen=True, slots=True)
class Waterfall:
    """`services` have the number of their colour."""

    rows: tuple[Row, ...]
    start_unix_nano: int
    seconds: float
    services: tuple[tuple[str, int], ...]
    critical_seconds: tuple[tuple[str, float], ...]
    """What the critical path spent where, most first."""


def waterfall(roots: Sequence[SpanNode], *, asked_span: str = "") -> Waterfall:
    """Depth first, children by their beginning; the details of `asked_span` are always there."""
    nodes = list(_walk(roots))
    start = min((node.start_unix_nano for node, _ in nodes), default=0)
    end = max((node.end_unix_nano for node, _ in nodes), default=0)
    length = max(1, end - start)
    path = critical_path(roots)
    parts: dict[str, list[Segment]] = {}
    for one in path:
        parts.setdefault(one.span_id, []).append(one)
    services = {name: index for index, name in enumerate(dict.fromkeys(node.service for node, _ in nodes))}
    room = _DETAIL_CHARACTERS
    rows = []
    for node, depth in nodes:
        room -= _characters(node)
        bar = _bar(node.start_unix_nano, node.end_unix_nano, start, length)
        waited = parts.get(node.span_id, ()) if node.span_id else ()
        rows.append(
            Row(
                node,
                min(depth, _DEEPEST),
                bar,
                tuple(_bar(one.start_unix_nano, one.end_unix_nano, start, length, bar) for one in waited),
                services[node.service] % _COLOURS + 1,
                (node.start_unix_nano - start) / 1e9,
                room > 0 or (node.span_id == asked_span != ""),
            )
        )
    return Waterfall(
        tuple(rows),
        start,
        length / 1e9,
        tuple((name, index % _COLOURS + 1) for name, index in services.items()),
        _spent(nodes, path),
    )


def _walk(roots: Sequence[SpanNode]) -> Iterator[tuple[SpanNode, int]]:
    waiting = [(root, 0) for root in reversed(roots)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in reversed(node.children)]


def _bar(start: int, end: int, whole_start: int, length: int, within: Bar = _WHOLE) -> Bar:
    """Wide enough to be seen, and not beyond its limits."""
    low, high = within.x, within.x + within.width
    x = round(min(max(low, (start - whole_start) / length * WIDTH), high - _LEAST_WIDTH), 1)
    return Bar(x, round(min(max(_LEAST_WIDTH, (end - start) / length * WIDTH), high - x), 1))


def _characters(node: SpanNode) -> int:
    """About what its details take."""
    told = (*node.attributes.items(), *node.resource.items(), *((event, "") for event in node.events))
    return sum(len(str(name)) + len(str(value)) + 120 for name, value in told)


def _spent(nodes: Sequence[tuple[SpanNode, int]], path: Sequence[Segment]) -> tuple[tuple[str, float], ...]:
    names = {node.span_id: f"{node.service}: {node.name}" for node, _ in nodes}
    spent: dict[str, float] = {}
    for one in path:
        name = names.get(one.span_id, "")
        spent[name] = spent.get(name, 0.0) + (one.end_unix_nano - one.start_unix_nano) / 1e9
    return tuple(sorted(spent.items(), key=lambda one: -one[1]))
