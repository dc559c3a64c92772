"""Who calls whom is counted by spans whose parent is another service's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.dependencies import Dependency, dependencies
from analysis.engine import Engine
from analysis.period import DAY_NANO, HOUR_NANO, MINUTE_NANO, Period
from tests.support.stored import HOUR, store

DAY = Period(HOUR - DAY_NANO // 2, HOUR + DAY_NANO // 2)


def span(own: str, parent: str, service: str, *, trace: str = "t", time: int = 0) -> dict[str, Any]:
    times = {"time_unix_nano": HOUR + time, "received_unix_nano": HOUR + time}
    return {"trace_id": trace * 32, "span_id": own, "parent_span_id": parent, "service": service, **times}


def test_calls_between_services_are_counted(tmp_path: Path) -> None:
    """Each once however often it was sent, none within a service, and only of the same trace."""
    store(
        tmp_path,
        "traces",
        span("1", "", "web"),
        span("2", "1", "web"),
        *(span(own, "2", "store") for own in ("3", "4", "4")),
        span("5", "3", "bank"),
        span("6", "3", "store"),
        span("7", "gone", "bank"),
        span("8", "2", "bank", trace="u"),
        span("1", "", "web", trace="u"),
        span("3", "1", "store", trace="u"),
        {**span("9", "1", "bank"), "parent_span_id": None, "span_id": None},
    )
    assert dependencies(Engine(tmp_path), DAY) == [Dependency("web", "store", 3), Dependency("store", "bank", 1)]


@pytest.mark.parametrize(
    ("period", "calls"),
    [
        (Period(HOUR - HOUR_NANO, HOUR + HOUR_NANO), 2),
        (Period(HOUR, HOUR + HOUR_NANO), 1),
        (Period(HOUR - HOUR_NANO, HOUR), 1),
        (Period(0, HOUR - HOUR_NANO), 0),
        (Period(HOUR, HOUR), 0),
    ],
)
def test_a_call_counts_when_it_is_made(tmp_path: Path, period: Period, calls: int) -> None:
    """Also where its caller began in the part before; the clock of another machine may be a little behind."""
    store(
        tmp_path,
        "traces",
        span("1", "", "web", time=-9 * MINUTE_NANO),
        span("2", "1", "store", time=1),
        span("3", "", "web", trace="u", time=2),
        span("4", "3", "store", trace="u", time=-1),
    )
    expected = [Dependency("web", "store", calls)] if calls else []
    assert dependencies(Engine(tmp_path), period) == expected


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    """Nor has a time without end."""
    engine = Engine(tmp_path)
    assert [dependencies(engine, period) for period in (DAY, Period(0, 2**62))] == [[], []]
