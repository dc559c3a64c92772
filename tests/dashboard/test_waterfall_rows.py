"""What a row of the waterfall says of its span, however deep it lies and however it failed."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.span_tree import SpanNode, tree
from dashboard.waterfall import Waterfall, waterfall


def drawn(*nodes: SpanNode) -> Waterfall:
    return waterfall(tree(nodes, {one.span_id: one for one in nodes}))


def node(number: int, parent: int, status: str = "UNSET", **more: Any) -> SpanNode:
    ids = f"{number:016x}", f"{parent:016x}" if parent else ""
    made = SpanNode(*ids, "app", f"step {number}", "INTERNAL", status, 1_000, 2_000, "", "")
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_no_row_is_indented_further_than_there_is_room() -> None:
    """Twelve steps; what lies deeper stands below them, in its order."""
    rows = drawn(*(node(number, number - 1) for number in range(1, 16))).rows
    assert [row.depth for row in rows] == [*range(13), 12, 12]
    assert [row.node.name for row in rows] == [f"step {number}" for number in range(1, 16)]


@pytest.mark.parametrize(
    ("given", "failed"),
    [({"status": "ERROR"}, True), ({"error": "KeyError: 7"}, True), ({"status": "OK"}, False), ({}, False)],
)
def test_what_raised_failed_though_nobody_set_its_status(given: dict[str, Any], failed: bool) -> None:  # noqa: FBT001  # a case
    """An exception that was recorded is enough."""
    (row,) = drawn(node(1, 0, **given)).rows
    assert row.failed is failed
