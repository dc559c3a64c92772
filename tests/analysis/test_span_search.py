"""Traces are looked for where the newest are, and no further than it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.engine import Engine, Rows
from analysis.period import DAY_NANO, HOUR_NANO, MINUTE_NANO, Period
from analysis.span_search import SpanFilter, find_traces
from tests.support.stored import HOUR, store

DAY = Period(HOUR - DAY_NANO, HOUR)


class Asked(Engine):
    """Knows what it was asked about."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.periods: list[Period | None] = []

    def sql(
        self, text: str, parameters: Sequence[Any] = (), period: Period | None = None, *, most: int | None = None
    ) -> Rows:
        self.periods.append(period)
        return super().sql(text, parameters, period, most=most)


def span(number: int, time: int) -> dict[str, Any]:
    times = {"time_unix_nano": HOUR + time, "end_time_unix_nano": HOUR + time, "received_unix_nano": HOUR + time}
    return {"trace_id": f"{number:032x}", "span_id": f"{number:016x}", "service": "shop", "name": "GET", **times}


@pytest.fixture
def engine(tmp_path: Path) -> Asked:
    """With trace 1 of half an hour ago, 2 of two hours ago and 3 of twenty."""
    ago = ((1, -HOUR_NANO // 2), (2, -2 * HOUR_NANO), (3, -20 * HOUR_NANO))
    return Asked(store(tmp_path, "traces", *(span(number, time) for number, time in ago)))


def test_the_last_hour_is_enough_where_it_has_as_many_as_are_wanted(engine: Asked) -> None:
    """Of a busy service nobody waits for the hours before it to be read."""
    found = find_traces(engine, DAY, SpanFilter("shop"), 1)
    around = Period(HOUR - HOUR_NANO // 2 - 10 * MINUTE_NANO, HOUR - HOUR_NANO // 2 + 10 * MINUTE_NANO)
    assert ([trace.trace_id for trace in found], engine.periods) == (
        [f"{1:032x}"],
        [Period(HOUR - HOUR_NANO, HOUR), around],
    )


def test_what_is_older_is_found_after_it(engine: Asked) -> None:
    """Each part of the time is read once, and the newest trace comes first."""
    found = find_traces(engine, DAY, SpanFilter("shop"), 10)
    assert [int(trace.trace_id, 16) for trace in found] == [1, 2, 3]
    parts = [period for period in engine.periods[:-1] if period is not None]
    assert [parts[0].end_unix_nano, *(part.start_unix_nano for part in parts)] == [
        HOUR,
        *(part.end_unix_nano for part in parts[1:]),
        HOUR - DAY_NANO,
    ]


def test_a_time_shorter_than_an_hour_is_asked_once(engine: Asked) -> None:
    """And nothing before it."""
    short = Period(HOUR - 40 * MINUTE_NANO, HOUR)
    assert len(find_traces(engine, short, SpanFilter("shop"), 10)) == 1
    assert engine.periods[0] == short
    assert len(engine.periods) == 2
