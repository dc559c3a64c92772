"""Requests beside what is usual for them: so many a second, and against the baseline."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from analysis.period import NANO
from analysis.requests import INDICATOR
from processors.baselines.baseline import Subject, learn
from processors.baselines.settings import BaselineSettings
from processors.baselines.windows import WINDOW_NANO, Window
from storage.baseline_rows import BaselineRow, put
from tests.dashboard.opening import Opening, Shown
from tests.dashboard.standing import state_of
from tests.support.stored import HOUR, store

NOW = HOUR + 1800 * NANO


def answered(route: str, seconds: float) -> dict[str, Any]:
    return {"method": "GET", "route": route, "status_code": 200, "response_time": seconds}


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    """Of half an hour with six requests, one a day before, and a baseline that knows one of both routes."""
    usual = {Subject(INDICATOR, ("app", "GET", "/api/Orders")): [_window(0.3)]}
    baseline = learn("default", usual, BaselineSettings(), start_unix_nano=0, end_unix_nano=1, created_unix_nano=1)
    with closing(state_of(tmp_path)) as state:
        put(state, BaselineRow("default", 1, orjson.dumps(baseline.to_json()).decode()))
    store(tmp_path, "performance", *[answered("/api/Orders", 0.6)] * 4, *[answered("/api/new", 0.1)] * 2)
    with Opening(tmp_path, NOW) as pages:
        return pages.shown("/requests", last="30min")


def _window(p95: float) -> Window:
    return Window(0, WINDOW_NANO, "working hours", 60, 0, (0.1, p95, p95))


def test_p95_stands_beside_that_of_the_baseline(shown: Shown) -> None:
    """Of a route that the baseline does not know there is nothing to compare with."""
    assert shown.tables[0][0][-1] == "p95, baseline"
    assert [row[-1] for row in shown.tables[0][1:]] == ["▲ +100 %", "new"]


def test_without_a_baseline_it_has_no_column(tmp_path: Path) -> None:
    """Nor where it is another than the one that is judged by."""
    store(tmp_path, "performance", answered("/", 0.6))
    with Opening(tmp_path, NOW) as pages:
        assert "p95, baseline" not in pages.shown("/requests", last="30min").text


def test_requests_are_told_by_the_second(shown: Shown) -> None:
    """Six in 1,800 seconds."""
    assert "Requests 6 0.00333/s" in shown.text
