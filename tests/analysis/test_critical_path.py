"""Where the time of a trace went: the spans that it waited for, one after the other."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.critical_path import Segment, critical_path
from analysis.span_tree import SpanNode, each


def node(name: str, start: int, end: int, *children: SpanNode, parent: str = "") -> SpanNode:
    return SpanNode(name, parent, "app", name, "INTERNAL", "", start, end, "", "", children=list(children))


def told(*roots: SpanNode) -> list[tuple[str, int, int]]:
    return [(one.span_id, one.start_unix_nano, one.end_unix_nano) for one in critical_path(roots)]


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (node("r", 0, 10), [("r", 0, 10)]),
        (
            node("r", 0, 100, node("a", 10, 40, node("b", 20, 30)), node("c", 50, 90)),
            [("r", 0, 10), ("a", 10, 20), ("b", 20, 30), ("a", 30, 40), ("r", 40, 50), ("c", 50, 90), ("r", 90, 100)],
        ),
        (
            node("r", 0, 100, node("quick", 10, 50), node("slow", 10, 90)),
            [("r", 0, 10), ("slow", 10, 90), ("r", 90, 100)],
        ),
        (node("r", 0, 100, node("late", 60, 100), node("across", 20, 80)), [("r", 0, 60), ("late", 60, 100)]),
        (node("r", 10, 20, node("a", 0, 15), node("b", 15, 99)), [("a", 10, 15), ("b", 15, 20)]),
        (node("r", 10, 20, node("before", 0, 10), node("after", 20, 30), node("none", 15, 15)), [("r", 10, 20)]),
        (node("r", 0, 20, node("a", 5, 10, node("wild", 0, 99))), [("r", 0, 5), ("wild", 5, 10), ("r", 10, 20)]),
        (node("r", 0, 10, node("short", 5, 10), node("long", 1, 10)), [("r", 0, 1), ("long", 1, 10)]),
        (node("r", 10, 10, node("a", 0, 20)), []),
        (node("r", 10, 0), []),
    ],
    ids=[
        "alone",
        "one after the other",
        "at once: the slower",
        "half at once: the last",
        "clocks that differ",
        "outside or without a length",
        "a grandchild beyond its parent",
        "ending together: the longer",
        "a root without a length",
        "an end before the beginning",
    ],
)
def test_each_moment_belongs_to_the_span_that_was_waited_for(
    root: SpanNode, expected: list[tuple[str, int, int]]
) -> None:
    """From the end backwards: the child that ended last, and its children likewise."""
    assert told(root) == expected


def test_the_trace_begins_where_nobody_called() -> None:
    """Spans whose caller was lost stand beside it."""
    lost = node("lost", 0, 500, parent="gone")
    assert told(lost, node("r", 10, 20)) == [("r", 10, 20)]
    assert told(lost) == [("lost", 0, 500)]
    assert critical_path([]) == []


def test_a_very_deep_trace_has_one_too() -> None:
    """A recursion of an app is no recursion here."""
    deepest = root = node("0", 0, 10_000)
    for number in range(1, 5000):
        child = node(str(number), number, 10_000 - number)
        deepest.children.append(child)
        deepest = child
    path = critical_path([root])
    assert len(path) == 2 * 4999 + 1
    assert path[4999] == Segment("4999", 4999, 5001)


@st.composite
def trees(draw: st.DrawFn) -> SpanNode:
    """Any times, any shape."""
    times = st.integers(0, 60)
    nodes = [node("0", draw(times), draw(times))]
    for number in range(1, draw(st.integers(1, 14))):
        child = node(str(number), draw(times), draw(times))
        nodes[draw(st.integers(0, number - 1))].children.append(child)
        nodes.append(child)
    return nodes[0]


@given(trees())
def test_the_path_covers_the_trace_exactly_once(root: SpanNode) -> None:
    """Adjoining, in order, none empty, each within its own span."""
    path = critical_path([root])
    spans = {one.span_id: one for one in each([root])}
    assert all(one.end_unix_nano == other.start_unix_nano for one, other in pairwise(path))
    for one in path:
        span = spans[one.span_id]
        assert span.start_unix_nano <= one.start_unix_nano < one.end_unix_nano <= span.end_unix_nano
    if root.start_unix_nano < root.end_unix_nano:
        assert (path[0].start_unix_nano, path[-1].end_unix_nano) == (root.start_unix_nano, root.end_unix_nano)
    else:
        assert path == []
