"""What answered when it was looked at last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from analysis.engine import Engine
from analysis.health import LastLook, last_looks
from analysis.period import NANO, Period

START = 1_795_392_000 * NANO


def _engine(folder: Path, *looks: dict[str, Any]) -> Engine:
    path = folder / "health" / "2026-11-23T00.jsonl"
    path.parent.mkdir(parents=True)
    lines = [
        {"received_unix_nano": START + one["at"] * NANO, "time_unix_nano": START + one["at"] * NANO, **one}
        for one in looks
    ]
    path.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in lines))
    return Engine(folder)


def test_the_last_look_counts_and_since_when_it_is_so(tmp_path: Path) -> None:
    """Each target as it was last, since the first look that found the same; critical ones first."""
    engine = _engine(
        tmp_path,
        {"at": 0, "target": "smtp", "kind": "tcp", "state": "up", "latency_ms": 3.0, "detail": "open"},
        {"at": 0, "target": "backend", "kind": "http", "state": "up", "latency_ms": 12.0, "detail": "200"},
        {"at": 30, "target": "backend", "kind": "http", "state": "down", "latency_ms": 5000.0, "detail": "timed out"},
        {"at": 60, "target": "backend", "kind": "http", "state": "down", "latency_ms": 5000.0, "detail": "timed out"},
    )
    found = last_looks(engine, Period(START, START + 3600 * NANO))
    assert found == [
        LastLook("backend", "http", "down", 5000.0, "timed out", None, START + 60 * NANO, START + 30 * NANO),
        LastLook("smtp", "tcp", "up", 3.0, "open", None, START, START),
    ]
    assert [one.band for one in found] == ["critical", "normal"]


def test_what_is_not_critical_warns(tmp_path: Path) -> None:
    """A target that others can do without, a locked database and a certificate that ends soon are warnings."""
    engine = _engine(
        tmp_path,
        {"at": 0, "target": "frontend", "kind": "http", "state": "down"},
        {"at": 0, "target": "shop", "kind": "http", "state": "up", "certificate_days": 3.0},
        {"at": 0, "target": "store", "kind": "sql", "state": "locked"},
        {"at": 0, "target": "orders", "kind": "sql", "state": "corrupt"},
    )
    found = last_looks(engine, Period(START, START + 3600 * NANO))
    assert {one.target: one.band for one in found} == {
        "frontend": "warning",
        "shop": "warning",
        "store": "warning",
        "orders": "critical",
    }


def test_a_state_that_nobody_knows_is_not_well() -> None:
    """Neither what has none, nor what was up when it was looked at last."""
    up = LastLook("backend", "http", "up", 12.0, "200", 3.0, START + 60 * NANO, START)
    assert up.band == "warning"
    gone = up.unknown()
    assert (gone.state, gone.since_unix_nano, gone.band) == ("unknown", up.time_unix_nano, "no data")
    assert LastLook("backend", "http", "", None, "", None, START, START).band == "no data"
