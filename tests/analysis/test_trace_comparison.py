"""What was different this time: a trace beside one as they mostly are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from analysis.engine import Engine
from analysis.period import HOUR_NANO, Period
from analysis.span_tree import SpanNode
from analysis.trace_comparison import Difference, compare, normal_like
from analysis.traces import Trace

NOW = 1_795_435_200 * 1_000_000_000
"""2026-11-23T12:00:00Z."""
MS = 1_000_000
PERIOD = Period(NOW, NOW + HOUR_NANO)


def node(name: str, start_ms: int, end_ms: int, *children: SpanNode, own: str = "", parent: str = "") -> SpanNode:
    times = (start_ms * MS, end_ms * MS)
    return SpanNode(own, parent, "app", name, "SERVER", "", *times, "", "", children=list(children))


def trace_of(*roots: SpanNode) -> Trace:
    return Trace(list(roots), [], 0, 0, ())


def recorded(folder: Path, *spans: dict[str, Any]) -> Engine:
    """Requests of a trace each, a second apart, unless they say otherwise."""
    path = folder / "traces" / "2026-11-23T12.jsonl"
    path.parent.mkdir(parents=True)
    lines = []
    for number, one in enumerate(spans):
        start = NOW + number * 1000 * MS
        line: dict[str, Any] = {"service": "app", "name": "GET /a", "kind": "SERVER", "span_id": f"{number:x}"}
        line |= {"trace_id": f"{number:032x}", "time_unix_nano": start, "received_unix_nano": start, **one}
        line["end_time_unix_nano"] = line["time_unix_nano"] + line.pop("ms", 10) * MS
        lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    path.write_bytes(b"".join(lines))
    return Engine(folder)


def test_a_normal_one_took_as_long_as_most_of_its_kind_and_nothing_in_it_failed(tmp_path: Path) -> None:
    """Not another route, another service, a failed one, one within another trace, or itself."""
    engine = recorded(
        tmp_path,
        {"ms": 10},
        {"ms": 40},
        {"ms": 30},
        {"ms": 31, "status": "ERROR"},
        {"ms": 32},
        {"trace_id": f"{4:032x}", "name": "SELECT", "parent_span_id": "4", "status": "ERROR"},
        {"ms": 1, "name": "GET /b"},
        {"ms": 1, "service": "other"},
        {"ms": 1, "kind": "CLIENT"},
        {"ms": 1, "parent_span_id": "ffff"},
        {"ms": 1, "trace_id": None},
        {"ms": 1, "trace_id": ""},
        {"ms": 50},
        {"ms": 400},
    )
    root = node("GET /a", 0, 400, own="d")
    assert normal_like(engine, PERIOD, root) == f"{2:032x}", "of an even number the shorter one"
    assert normal_like(engine, PERIOD, node("GET /a", 0, 1)) == f"{1:032x}", "one that is not recorded is not left out"
    assert normal_like(engine, PERIOD, root, limit=1) == f"{12:032x}", "the newest are asked"
    assert normal_like(engine, PERIOD, node("GET /a", 0, 1, parent="gone")) == f"{9:032x}"
    assert normal_like(engine, PERIOD, node("GET /c", 0, 1)) == ""
    assert normal_like(engine, PERIOD.before(), root) == ""


def test_an_odd_one_out_is_not_normal(tmp_path: Path) -> None:
    """Most are quick, three of a hundred are not."""
    engine = recorded(tmp_path, *({"ms": 900 if number < 3 else number} for number in range(100)))
    assert normal_like(engine, PERIOD, node("GET /a", 0, 900, own="0"), limit=1000) == f"{52:032x}"


def test_spans_are_compared_by_name_with_what_they_did_themselves() -> None:
    """The largest change first, whichever way it goes; what only one has counts against nothing."""
    one = trace_of(node("r", 0, 100, node("q", 10, 40), node("q", 40, 80), node("new", 80, 81)))
    other = trace_of(node("r", 0, 50, node("q", 10, 15)), node("old", 50, 55))
    assert compare(one, other) == [
        Difference("app", "q", 2, 1, 0.07, 0.005),
        Difference("app", "r", 1, 1, 0.029, 0.045),
        Difference("app", "old", 0, 1, 0.0, 0.005),
        Difference("app", "new", 1, 0, 0.001, 0.0),
    ]
    assert [round(one.change_seconds, 6) for one in compare(one, other)] == [0.065, -0.016, -0.005, 0.001]
    assert compare(trace_of(), trace_of()) == []
