"""A trace as a tree: who called whom, what was asked, what was raised, what was logged meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from analysis import limited_columns, traces
from analysis.engine import Engine
from analysis.period import HOUR_NANO, Period
from analysis.span_tree import each, entry
from analysis.traces import SpanNode, TraceLog, trace, whole_trace
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
    told = {"body": "no such pump 7", "severity": "ERROR", "severity_number": 17, "attributes": {"pump": 7}}
    told |= {"span_id": "b", "time_unix_nano": NOW + 50 * MS}
    write(folder, "logs", told, {**told, "trace_id": "other"}, {**told, "span_id": "unknown"})
    return folder


def test_spans_are_below_who_called_them_in_the_order_of_their_beginnings(tmp_path: Path) -> None:
    """A span that was sent again counts once."""
    (root,) = trace(Engine(recorded(tmp_path)), TRACE, PERIOD)
    assert outline([root]) == [["GET /orders", ["load", "SELECT u", "SELECT t"]]]
    (load,) = root.children
    assert (root.seconds, load.seconds) == (0.1, 0.08)
    assert (root.error, load.children[1].detail) == ("ValueError: no such pump", "SELECT a FROM t WHERE b = ?")
    assert load.logs == [TraceLog(NOW + 50 * MS, "ERROR", 17, "no such pump 7", {"pump": 7}, "b", ())]


def test_spans_without_their_parent_and_ids_that_go_in_a_circle_are_all_there(tmp_path: Path) -> None:
    """A parent may be lost or another service's; and ids are what somebody sends."""
    lost, above, own = span("lost", "x", "gone", 5, 1), span("above", "0", "", 6, 1), span("self", "3", "3", 2, 1)
    circle = span("p", "1", "2", 1, 9), span("q", "2", "1", 1, 2)
    write(tmp_path, "traces", span("below", "4", "2", 0, 1), lost, *circle, own, above)
    roots = trace(Engine(tmp_path), TRACE, PERIOD)
    assert outline(roots) == ["p", ["q", "below"], "self", "lost", "above"]
    assert [node.name for node in each(roots)] == ["p", "q", "below", "self", "lost", "above"]
    begun = entry(roots)
    assert begun is not None
    assert begun.name == "above"
    assert entry(roots[:1]) is roots[0]
    assert entry([]) is None


def test_a_span_is_told_with_all_that_it_carries(tmp_path: Path) -> None:
    """What the page shows when it is opened."""
    event = {"time_unix_nano": NOW + MS, "name": "retry", "attributes": {"attempt": 2}, "dropped_attributes_count": 1}
    link = {"trace_id": "f" * 32, "span_id": "e" * 16, "attributes": {"why": "batch"}, "flags": 1}
    write(
        tmp_path,
        "traces",
        span(
            "send",
            "a",
            "",
            0,
            1,
            status_message="gone",
            attributes={"url.full": "http://b/", "tags": ["x", None], "n": 2.0},
            events=[event],
            links=[link],
            resource={"attributes": {"service.version": "1.2"}},
            scope={"name": "http", "version": "0.1"},
        ),
    )
    (node,) = trace(Engine(tmp_path), TRACE, PERIOD)
    assert node == SpanNode(
        span_id="a",
        parent_span_id="",
        service="app",
        name="send",
        kind="INTERNAL",
        status="",
        start_unix_nano=NOW,
        end_unix_nano=NOW + MS,
        detail="http://b/",
        error="",
        status_message="gone",
        attributes={"url.full": "http://b/", "tags": ["x", None], "n": 2.0},
        events=[{"time_unix_nano": NOW + MS, "name": "retry", "attributes": {"attempt": 2}}],
        links=[{"trace_id": "f" * 32, "span_id": "e" * 16, "attributes": {"why": "batch"}}],
        resource={"service.version": "1.2"},
        scope="http 0.1",
    )


def test_log_records_of_no_span_are_told_beside_the_tree_and_each_once(tmp_path: Path) -> None:
    """Written outside of any span, or within one that was lost; sent twice by the client."""
    write(tmp_path, "traces", span("only", "a", "", 0, 1))
    said = {"severity": "INFO", "severity_number": 9, "time_unix_nano": NOW}
    free = {**said, "body": "free", "batch_index": 0}
    lost = {**said, "body": "lost", "span_id": "b", "batch_index": 1}
    again = {**free, "received_unix_nano": NOW + 5}
    alone = {**said, "body": "of no batch", "batch_id": None, "batch_index": None}
    write(tmp_path, "logs", free, lost, again, alone, alone, {**said, "body": None, "span_id": "a"})
    found = whole_trace(Engine(tmp_path), TRACE, PERIOD)
    assert found.loose_logs == [
        TraceLog(NOW, "INFO", 9, "free", {}, "", ()),
        TraceLog(NOW, "INFO", 9, "lost", {}, "b", ()),
        TraceLog(NOW, "INFO", 9, "of no batch", {}, "", ()),
        TraceLog(NOW, "INFO", 9, "of no batch", {}, "", ()),
    ]
    assert [line.body for line in found.roots[0].logs] == [""]
    assert (found.spans, found.hidden_spans, found.cut) == (1, 0, ())


def test_what_nobody_sends_on_purpose_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    """Nulls, wrong types, no end, an end before the beginning, no id."""
    odd: dict[str, Any] = {"attributes": None, "events": {"name": 1}, "links": "x", "resource": [1], "scope": 7}
    bare = {"service": None, "name": None, "kind": None, "status": None, "parent_span_id": None}
    events = [None, {"name": 3, "attributes": [1], "time_unix_nano": "x"}]
    write(
        tmp_path,
        "traces",
        span("", "a", "", 0, -5, **odd) | bare,
        span("endless", "b", "a", 1, 0, attributes=[1], events=events, links=[{}]) | {"end_time_unix_nano": 0},
        span("nameless", "", "a", 2, 1),
        span("nameless too", "", "", 3, 1, scope={"name": ["x"]}),
    )
    root, second = trace(Engine(tmp_path), TRACE, PERIOD)
    assert root == SpanNode("a", "", "", "", "", "", NOW, NOW, "", "", children=root.children)
    endless, nameless = root.children
    assert (endless.seconds, endless.attributes) == (0.0, {})
    assert endless.events == [{"time_unix_nano": 0, "name": "", "attributes": {}}]
    assert endless.links == [{"trace_id": "", "span_id": "", "attributes": {}}]
    assert (nameless.name, second.name) == ("nameless", "nameless too")


def test_of_a_huge_trace_the_first_spans_and_records_are_there_and_the_rest_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand spans are no page; what was sent twice takes nobody's place."""
    monkeypatch.setattr(traces, "_MAX_SPANS", 3)
    monkeypatch.setattr(traces, "_MAX_LOGS", 2)
    spans = [span(f"s{number}", f"{number}", "0" if number else "", number, 1) for number in range(5)]
    write(tmp_path, "traces", spans[0], *spans, spans[1], spans[1], spans[2])
    write(tmp_path, "logs", *({"body": f"l{number}", "time_unix_nano": NOW + number} for number in range(3)))
    found = whole_trace(Engine(tmp_path), TRACE, PERIOD)
    assert outline(found.roots) == [["s0", "s1", "s2"]]
    assert [line.body for line in found.loose_logs] == ["l0", "l1"]
    assert (found.spans, found.hidden_spans) == (5, 2)
    assert found.cut == ("2 spans more began later and are not shown", "only the first 2 log records are shown")


def test_details_are_left_out_where_there_is_too_much_of_them_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one line or of all; names, times and the beginnings of bodies are there all the same."""
    monkeypatch.setattr(limited_columns, "_MOST_TOGETHER", 60)
    monkeypatch.setattr(limited_columns, "_MOST_OF_ONE", 50)
    noted: dict[str, Any] = {"attributes": {"db.query.text": "SELECT 1"}}
    too_much: dict[str, Any] = {"attributes": {"db.query.text": "SELECT" * 10}}
    write(
        tmp_path,
        "traces",
        span("one", "a", "", 0, 1, **too_much),
        *(span("of many", own, "a", number, 1, **noted) for number, own in enumerate("bcd", 1)),
    )
    said = [too_much, noted, {**noted, "body": "b" * 5000}, noted]
    write(tmp_path, "logs", *({"time_unix_nano": NOW + number, **one} for number, one in enumerate(said)))
    found = whole_trace(Engine(tmp_path), TRACE, PERIOD)
    spans = [(one.name, one.detail, one.attributes, one.cut) for one in each(found.roots)]
    none = "are not shown: there is too much of them"
    assert spans == [
        ("one", "", {}, [f"its attributes, events and links {none}"]),
        ("of many", "SELECT 1", noted["attributes"], []),
        ("of many", "SELECT 1", noted["attributes"], []),
        ("of many", "", {}, [f"its attributes, events and links {none}"]),
    ]
    assert [(one.body, one.attributes, one.cut) for one in found.loose_logs] == [
        ("", {}, (f"its attributes {none}",)),
        ("", noted["attributes"], ()),
        ("b" * 4096, noted["attributes"], ("body: 4,096 of 5,000 characters are shown",)),
        ("", {}, (f"its attributes {none}",)),
    ]


def test_what_a_span_did_itself_is_its_time_without_that_of_its_children() -> None:
    """Children may work at once, begin before it and end after it."""

    def node(start: int, end: int, *children: SpanNode) -> SpanNode:
        return SpanNode("", "", "app", "n", "INTERNAL", "", start * MS, end * MS, "", "", children=list(children))

    assert node(0, 100, node(40, 60), node(-5, 10), node(50, 70), node(90, 120)).self_seconds == 0.05
    assert node(0, 100).self_seconds == 0.1
    assert node(100, 0, node(0, 50)).self_seconds == 0.0
    assert node(0, 10, node(-5, 50)).self_seconds == 0.0


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
