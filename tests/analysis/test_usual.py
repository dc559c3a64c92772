"""What a baseline says is usual."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from analysis.requests import INDICATOR
from analysis.usual import usual_p95
from processors.baselines.baseline import Subject, learn
from processors.baselines.settings import BaselineSettings
from processors.baselines.windows import WINDOW_NANO, Window
from storage.baseline_rows import BaselineRow, put
from storage.state import State

ORDERS = ("app", "GET", "/orders")
NAN = float("nan")


def _window(number: int, p95: float) -> Window:
    start = number * WINDOW_NANO
    return Window(start, start + WINDOW_NANO, "working hours", 60, 0, (0.1, p95, NAN))


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(tmp_path / "state.db")


def test_it_is_the_median_of_the_windows(state: State) -> None:
    """Of each route the middle window, those without a value apart; other indicators are not requests."""
    windows = {
        Subject(INDICATOR, ORDERS): [_window(number, p95) for number, p95 in enumerate((0.2, 0.9, 0.3, NAN))],
        Subject("db.query.response_time", ("app", "sqlite", "SELECT orders")): [_window(0, 0.5)],
    }
    baseline = learn(
        "default", windows, BaselineSettings(), start_unix_nano=0, end_unix_nano=10**15, created_unix_nano=1
    )
    put(state, BaselineRow("default", 1, orjson.dumps(baseline.to_json()).decode()))
    assert usual_p95(state, INDICATOR, "default") == {ORDERS: 0.3}


def test_without_a_baseline_nothing_is_usual(state: State) -> None:
    """No baseline, and one that can't be read, say nothing."""
    assert usual_p95(state, INDICATOR, "default") == {}
    put(state, BaselineRow("default", 1, '{"name": "default", "format": 99}'))
    assert usual_p95(state, INDICATOR, "default") == {}
    put(state, BaselineRow("default", 1, "not json"))
    assert usual_p95(state, INDICATOR, "default") == {}
