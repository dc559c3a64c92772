"""What a trace waited for: the chain of spans without which it would have ended sooner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.span_tree import SpanNode, entry


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a trace's time, and the span that it waited for."""

    span_id: str
    start_unix_nano: int
    end_unix_nano: int


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A span as far as it lies in all above it."""

    node: SpanNode
    start: int
    end: int


def critical_path(roots: Sequence[SpanNode]) -> list[Segment]:
    """The segments of the trace's entry, adjoining and in order: all its time, none without a length.

    From its end backwards each moment belongs to the child that ended last before it, and within that to its children
    (Eichler et al., "Critical path analysis", as Jaeger shows it). What lies outside its parent counts as far as it
    is within.
    """
    root = entry(roots)
    found: list[Segment] = []
    waiting: list[_Stretch | Segment] = []
    if root is not None:
        waiting.append(_Stretch(root, root.start_unix_nano, root.end_unix_nano))
    while waiting:
        part = waiting.pop()
        if isinstance(part, Segment):
            found.append(part)
        else:
            waiting.extend(reversed(_backwards(part)))
    return found[::-1]


def _backwards(whole: _Stretch) -> list[_Stretch | Segment]:
    """Its own segments and the stretches of its children, from its end to its beginning."""
    found: list[_Stretch | Segment] = []
    cursor = whole.end
    span_id = whole.node.span_id
    for child in _last_first(whole):
        if child.end > cursor:
            continue
        if child.end < cursor:
            found.append(Segment(span_id, child.end, cursor))
        found.append(child)
        cursor = child.start
    if whole.start < cursor:
        found.append(Segment(span_id, whole.start, cursor))
    return found


def _last_first(whole: _Stretch) -> list[_Stretch]:
    """Of several that end at once the longest."""
    inside = [
        _Stretch(child, max(child.start_unix_nano, whole.start), min(child.end_unix_nano, whole.end))
        for child in whole.node.children
    ]
    lasting = [one for one in inside if one.start < one.end]
    return sorted(lasting, key=lambda one: (-one.end, one.start, one.node.span_id))
