"""A trace as a tree: who called whom, what was asked, what was raised, what was logged meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner

from analysis.engine import Engine
from analysis.period import HOUR_NANO, Period
from analysis.traces import SpanNode, trace
from operations.cli import main

NOW = 1_795_435_200 * 1_000_000_000
"""2026-11-23T12:00:00Z."""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
MS = 1_000_000
PERIOD = Period(NOW, NOW + HOUR_NANO)


def write(folder: Path, stream: str, *records: dict[str, Any]) -> None:
    path = folder / stream / "2026-11-23T12.jsonl"
    path.parent.mkdir(parents=True)
    base = {"trace_id": TRACE, "service": "app", "batch_id": "b", "received_unix_nano": NOW}
    lines = [{**base, "batch_index": number, **one} for number, one in enumerate(records)]
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))


def span(name: str, own: str, parent: str, start_ms: int, length_ms: int, **more: Any) -> dict[str, Any]:
    start = NOW + start_ms * MS
    ids = {"name": name, "span_id": own, "parent_span_id": parent, "kind": "INTERNAL"}
    return {**ids, "time_unix_nano": start, "end_time_unix_nano": start + length_ms * MS, **more}


def outline(nodes: list[SpanNode]) -> list[Any]:
    return [[node.name, *outline(node.children)] if node.children else node.name for node in nodes]


def recorded(folder: Path) -> Path:
    """A request that asks twice, fails, and logs why; sent twice, as clients do."""
    statement = {"db.query.text": "SELECT a FROM t WHERE b = ?"}
    raised = {"name": "exception", "attributes": {"exception.type": "ValueError", "exception.message": "no such pump"}}
    request = span("GET /orders", "a", "", 0, 100, status="ERROR", events=[raised])
    asked = span("SELECT t", "c", "b", 30, 40, attributes=statement)
    second = span("SELECT u", "d", "b", 20, 5)
    write(folder, "traces", asked, request, span("load", "b", "a", 10, 80), second, asked)
    told = {"body": "no such pump 7", "severity": "ERROR", "span_id": "b", "time_unix_nano": NOW + 50 * MS}
    write(folder, "logs", told, {**told, "trace_id": "other"}, {**told, "span_id": "unknown"})
    return folder


def test_spans_are_below_who_called_them_in_the_order_of_their_beginnings(tmp_path: Path) -> None:
    """A span that was sent again counts once."""
    (root,) = trace(Engine(recorded(tmp_path)), TRACE, PERIOD)
    assert outline([root]) == [["GET /orders", ["load", "SELECT u", "SELECT t"]]]
    (load,) = root.children
    assert (root.seconds, load.seconds) == (0.1, 0.08)
    assert (root.error, load.children[1].detail) == ("ValueError: no such pump", "SELECT a FROM t WHERE b = ?")
    assert load.logs == [(NOW + 50 * MS, "ERROR", "no such pump 7")]


def test_spans_without_their_parent_and_ids_that_go_in_a_circle_are_all_there(tmp_path: Path) -> None:
    """A parent may be lost or another service's; and ids are what somebody sends."""
    lost = span("lost", "x", "gone", 5, 1)
    write(tmp_path, "traces", lost, span("p", "1", "2", 0, 9), span("q", "2", "1", 1, 2), span("self", "3", "3", 2, 1))
    found = trace(Engine(tmp_path), TRACE, PERIOD)

    def names(nodes: list[SpanNode]) -> list[str]:
        return [name for node in nodes for name in (node.name, *names(node.children))]

    assert sorted(names(found)) == ["lost", "p", "q", "self"]


def test_what_is_unknown_is_no_tree(tmp_path: Path) -> None:
    assert trace(Engine(recorded(tmp_path)), "f" * 32, PERIOD) == []
    assert trace(Engine(tmp_path), TRACE, Period(NOW - HOUR_NANO, NOW)) == []


def test_the_tree_is_drawn_with_bars_and_its_json_is_flat(tmp_path: Path) -> None:
    given = ["logs", "trace", TRACE.upper(), "--logs", str(recorded(tmp_path)), "--from", "2026-11-23T12"]
    given += ["--to", "2026-11-23T13"]
    assert CliRunner().invoke(main, given).stdout.splitlines() == [
        "2026-11-23 12:00:00 UTC, 100 ms, 4 spans of app",
        "████████████████████████   100 ms  GET /orders  failed",
        "                                    ValueError: no such pump",
        "  ███████████████████       80 ms    load",
        "                                      ERROR no such pump 7",
        "    █                        5 ms      SELECT u",
        "       ██████████           40 ms      SELECT t",
        "                                        SELECT a FROM t WHERE b = ?",
    ]
    told = orjson.loads(CliRunner().invoke(main, [*given, "--json"]).stdout)
    assert [(one["depth"], one["name"], one["seconds"]) for one in told["spans"]] == [
        (0, "GET /orders", 0.1),
        (1, "load", 0.08),
        (2, "SELECT u", 0.005),
        (2, "SELECT t", 0.04),
    ]
