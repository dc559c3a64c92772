"""Queries: each counts once, in the time in which it ended where sums tell of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.engine import Engine
from analysis.period import HOUR_NANO, MINUTE_NANO, NANO, Period
from analysis.queries import query_times, slow_queries
from processors.histogram import of_values
from tests.support.stored import HOUR, store


def query(number: int, ended: int, seconds: float = 2.0, **given: Any) -> dict[str, Any]:
    """One that ended so many nanoseconds after the hour."""
    began = HOUR + ended - int(seconds * NANO)
    times = {"time_unix_nano": began, "end_time_unix_nano": HOUR + ended, "received_unix_nano": HOUR + ended}
    attributes = {"db.system.name": "sqlite", "db.query.summary": "SELECT a", "db.query.text": "SELECT 1"}
    told = {"kind": "CLIENT", "name": "SELECT a", "attributes": attributes, "duration_ms": seconds * 1000}
    return {**times, **told, "trace_id": f"{number:032x}", "span_id": f"{number:016x}", **given}


def test_what_a_client_sent_again_counts_once(tmp_path: Path) -> None:
    """By batch and place in it; what has neither is told apart by its span."""
    again = [query(number, number * NANO, batch_index=number) for number in (1, 2, 1)]
    bare = [query(number, 9 * NANO, batch_id=None, batch_index=None) for number in (7, 8)]
    engine = Engine(store(tmp_path, "traces", *again, *bare))
    period = Period(HOUR - HOUR_NANO, HOUR + HOUR_NANO)
    (times,) = query_times(engine, period)
    assert (times.queries, times.total_seconds, times.p95) == (4, 8.0, 2.0)
    (slow,) = slow_queries(engine, period, 1000)
    assert (slow.count, slow.total_seconds) == (4, 8.0)


def test_after_the_last_rollup_queries_count_by_their_ends(tmp_path: Path) -> None:
    """As in the rollups: one that began before the last minute was over, and ended after it, is counted."""
    key = {"service.name": "app", "db.system.name": "sqlite", "db.query.summary": "SELECT a"}
    rolled = {"indicator": "db.query.response_time", "key": key, "errors": 0}
    store(tmp_path, "rollups", {**rolled, "time_unix_nano": HOUR, "histogram": of_values([2.0]).to_json()})
    ends = (30 * NANO, MINUTE_NANO + NANO, MINUTE_NANO + 30 * NANO)
    again = [query(3, MINUTE_NANO + 30 * NANO, batch_index=2)]
    store(tmp_path, "traces", *(query(number, end) for number, end in enumerate(ends, 1)), *again)
    (times,) = query_times(Engine(tmp_path), Period(HOUR - 7 * HOUR_NANO, HOUR + HOUR_NANO))
    assert (times.queries, times.total_seconds) == (3, 6.0)
