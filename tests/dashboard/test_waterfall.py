"""Bars lie where the time went, whatever spans claim of themselves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.span_tree import SpanNode, each, tree
from dashboard.waterfall import WIDTH, Bar, Waterfall, waterfall

START = 1_795_435_200 * 1_000_000_000
MS = 1_000_000


def node(number: int, parent: int, start_ms: float, took_ms: float, service: str = "app", **more: Any) -> SpanNode:
    """`number` 0 is a span without an id."""
    begun = START + round(start_ms * MS)
    ids = (f"{number:016x}" if number else "", f"{parent:016x}" if parent else "")
    made = SpanNode(*ids, service, f"step {number}", "INTERNAL", "UNSET", begun, begun + round(took_ms * MS), "", "")
    for name, value in more.items():
        setattr(made, name, value)
    return made


def drawn(*nodes: SpanNode, **asked: str) -> Waterfall:
    return waterfall(tree(nodes, {one.span_id: one for one in nodes if one.span_id}), **asked)


@st.composite
def traces(draw: st.DrawFn) -> list[SpanNode]:
    """Callers may be unknown, above themselves, later than what they call, and without an id."""
    count = draw(st.integers(1, 12))
    any_time = st.one_of(st.integers(0, 20), st.floats(0, 1000, allow_nan=False), st.just(3_600_000))
    return [
        node(
            draw(st.sampled_from((number, number, 0))),
            draw(st.integers(0, count + 1)),
            draw(any_time),
            draw(any_time),
            draw(st.sampled_from(("app", "database", "queue"))),
        )
        for number in range(1, count + 1)
    ]


def ends_within(bar: Bar, low: float, high: float) -> bool:
    return low - 1e-6 <= bar.x and bar.x + bar.width <= high + 1e-6 and bar.width >= 2 - 1e-6


@given(traces())
def test_every_span_has_a_row_and_every_bar_its_place(nodes: list[SpanNode]) -> None:
    """No bar leaves the drawing, none is too narrow to be seen, what was waited for lies within its span's bar."""
    by_id = {one.span_id: one for one in nodes if one.span_id}
    roots = tree(nodes, by_id)
    found = waterfall(roots)
    assert [id(row.node) for row in found.rows] == [id(one) for one in each(roots)]
    assert len(found.rows) == len(nodes)
    assert all(ends_within(row.bar, 0, WIDTH) for row in found.rows)
    assert all(ends_within(one, row.bar.x, row.bar.x + row.bar.width) for row in found.rows for one in row.critical)
    depths = {id(one): 0 for one in roots}
    for row in found.rows:
        depths.update((id(child), depths[id(row.node)] + 1) for child in row.node.children)
        assert row.depth == min(12, depths[id(row.node)])
    for row in found.rows:
        exact = (row.node.start_unix_nano - found.start_unix_nano) / 1e9 / found.seconds * WIDTH
        assert row.bar.x == pytest.approx(exact, abs=2.1)
        assert row.offset_seconds * 1e9 == pytest.approx(row.node.start_unix_nano - found.start_unix_nano, abs=1)


def test_bars_are_as_long_as_their_spans() -> None:
    """A request of 100 ms that asks for 40 ms and then calls for 30 ms waits for all of the three in turn."""
    found = drawn(
        node(1, 0, 0, 100),
        node(2, 1, 10, 40, "database", name="SELECT"),
        node(3, 1, 60, 30, "payments", status="ERROR"),
    )
    assert [(row.node.name, row.depth, row.bar, row.critical, row.colour, row.failed) for row in found.rows] == [
        ("step 1", 0, Bar(0.0, 1000.0), (Bar(0.0, 100.0), Bar(500.0, 100.0), Bar(900.0, 100.0)), 1, False),
        ("SELECT", 1, Bar(100.0, 400.0), (Bar(100.0, 400.0),), 2, False),
        ("step 3", 1, Bar(600.0, 300.0), (Bar(600.0, 300.0),), 3, True),
    ]
    assert (found.start_unix_nano, found.seconds) == (START, 0.1)
    assert found.services == (("app", 1), ("database", 2), ("payments", 3))
    assert found.critical_seconds == (
        ("database: SELECT", 0.04),
        ("app: step 1", 0.03),
        ("payments: step 3", 0.03),
    )


def test_a_short_wait_at_the_end_stays_in_its_bar() -> None:
    """A tenth of a millisecond of an hour is drawn, and not beyond the end of its span."""
    found = drawn(node(1, 0, 0, 3_600_000), node(2, 1, 3_599_999, 0.9), node(3, 1, 1000, 1))
    assert [(row.bar, row.critical) for row in found.rows[1:]] == [
        (Bar(0.3, 2.0), (Bar(0.3, 2.0),)),
        (Bar(998.0, 2.0), (Bar(998.0, 2.0),)),
    ]


def test_colours_begin_again_after_eight_services() -> None:
    """Each service has one, in the order in which they come."""
    found = drawn(*(node(number, 0, number, 1, f"service {number}") for number in range(1, 11)))
    assert [colour for _, colour in found.services] == [1, 2, 3, 4, 5, 6, 7, 8, 1, 2]
    assert [row.colour for row in found.rows] == [1, 2, 3, 4, 5, 6, 7, 8, 1, 2]


def test_of_too_many_details_the_first_are_shown_and_the_asked_ones() -> None:
    """Half a million characters of attributes; the span that was asked for has its own wherever it stands."""
    nodes = [node(number, 0, number, 1, attributes={"text": "x" * 4000}) for number in range(1, 301)]
    assert [row.node.name for row in drawn(*nodes).rows if row.detailed][-1] == "step 121"
    asked = drawn(*nodes, asked_span=f"{250:016x}")
    assert [row.node.name for row in asked.rows if row.detailed][-2:] == ["step 121", "step 250"]


def test_spans_without_an_id_are_shown_with_what_fits() -> None:
    """They share no critical path and are asked for by nobody."""
    nodes = [node(0, 0, number, 1, attributes={"text": "x" * 4000}) for number in range(300)]
    found = drawn(*nodes)
    assert (sum(row.detailed for row in found.rows), {row.critical for row in found.rows}) == (121, {()})


def test_nothing_is_drawn_of_no_spans() -> None:
    """A trace of which only logs are left."""
    assert waterfall([]) == Waterfall((), 0, 1e-9, (), ())
