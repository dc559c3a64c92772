"""Much data: the answers are right, and come at once. With --long a million requests a day, else a twentieth of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from analysis.engine import Engine
from analysis.period import Period
from analysis.requests import response_times, traffic
from operations.cli import main
from processors.histogram import RELATIVE_ERROR
from tests.support.volume import DAY, HOUR, MINUTE, NANO, Volume, record_volume
from tests.support.week import iso

pytestmark = pytest.mark.untraced

END = 1_795_392_000 * NANO
"""2026-11-23T00:00:00Z."""
MONTH = Period(END - 30 * DAY - 20 * MINUTE, END - 20 * MINUTE)
P95 = """
    SELECT attr(attributes, 'http.route') AS route, count(*),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms / 1000)
    FROM traces WHERE kind = 'SERVER' GROUP BY attr(attributes, 'http.route') ORDER BY route
"""


@pytest.fixture(scope="module")
def is_long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory, *, is_long: bool) -> Volume:
    folder = tmp_path_factory.mktemp("volume") / "logs"
    return record_volume(folder, END, daily=1_000_000 if is_long else 50_000, days=31)


def _quick(act: Callable[[], object], seconds: float, *, is_long: bool) -> None:
    """The goal is for a million requests a day and an idle machine; beside other tests processor time has a bound."""
    clock = time.perf_counter if is_long else time.process_time
    taken = []
    for _ in range(5 if is_long else 1):
        began = clock()
        act()
        taken.append(clock() - began)
    assert statistics.median(taken) < (seconds if is_long else 5 * seconds)


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


@pytest.mark.parametrize(("days", "goal"), [(1, 0.3), (30, 1.0)])
def test_response_times_by_route_come_from_rollups(volume: Volume, days: int, goal: float, *, is_long: bool) -> None:
    """Every request counted once, percentiles within the histogram's error, whatever the minute at which they begin."""
    engine = Engine(volume.folder)
    whole, *routes = response_times(engine, Period(END - days * DAY, END))
    assert whole.requests == days * 24 * volume.hourly
    assert whole.errors == days * 24 * volume.failed_hourly
    for one in routes:
        values = volume.seconds[str(one.route)] * (days * 24)
        assert (one.requests, one.p95) == (len(values), pytest.approx(_p95(values), rel=RELATIVE_ERROR))
    odd = Period(MONTH.end_unix_nano - days * DAY, MONTH.end_unix_nano)
    assert response_times(engine, odd)[0].requests == days * 24 * volume.hourly
    _quick(lambda: response_times(engine, odd), goal, is_long=is_long)


@pytest.mark.parametrize(("days", "step", "goal"), [(1, 30 * MINUTE, 1.0), (30, DAY, 1.0)])
def test_the_course_of_all_requests_comes_from_rollups(
    volume: Volume, days: int, step: int, goal: float, *, is_long: bool
) -> None:
    """As a page draws it, between round times and odd ends: each part has the requests of its own minutes."""
    engine = Engine(volume.folder)
    start, end = MONTH.end_unix_nano - days * DAY, MONTH.end_unix_nano
    marks = [start, *range(start - start % step + step, end, step), end]
    parts = [Period(one, other) for one, other in pairwise(marks)]
    found = traffic(engine, parts)
    expected = [part.nanos * volume.hourly / HOUR for part in parts]
    assert [one.requests for one in found] == pytest.approx(expected, abs=1)
    assert sum(one.requests for one in found) == days * 24 * volume.hourly
    assert sum(one.errors for one in found) == days * 24 * volume.failed_hourly
    _quick(lambda: traffic(engine, parts), goal, is_long=is_long)


def test_raw_records_are_asked_too(volume: Volume, *, is_long: bool) -> None:
    """By SQL over all spans of the day, exactly."""
    engine = Engine(volume.folder)
    rows = engine.sql(P95, (), Period(END - DAY, END)).rows
    assert [(route, count) for route, count, _ in rows] == [
        (route, 24 * len(values)) for route, values in sorted(volume.seconds.items())
    ]
    for route, _, p95 in rows:
        assert p95 == pytest.approx(_p95(volume.seconds[route] * 24), rel=1e-6)
    _quick(lambda: engine.sql(P95, (), Period(END - DAY, END)), 2.0, is_long=is_long)


def test_ninety_days_of_segments_are_still_quick(tmp_path: Path, *, is_long: bool) -> None:
    """2,160 files a stream: what is asked of a day does not open those of the others, and all can be counted."""
    volume = record_volume(tmp_path / "logs", END, daily=480, days=90, routes=2, raw_days=90)
    assert len(list((volume.folder / "traces").iterdir())) == 2160

    def asked(*words: str) -> object:
        result = CliRunner().invoke(main, [*words, "--json", "--logs", str(volume.folder)])
        assert result.exit_code == 0, result.output
        return orjson.loads(result.stdout)

    day = ("--from", iso((END - DAY) // NANO), "--to", iso(END // NANO))
    answer = asked("stats", "response-times", *day)
    assert isinstance(answer, dict)
    assert answer["all"]["requests"] == 480
    assert answer["all"]["day_before"]["requests"] == 480
    for words in (("stats", "response-times"), ("logs", "errors"), ("logs", "slow-queries"), ("logs", "performance")):
        _quick(lambda words=words: asked(*words, *day), 0.6, is_long=is_long)  # type: ignore[misc]  # bound now
    counted = ("sql", "SELECT count(*) AS spans FROM traces", "--from", iso((END - 90 * DAY) // NANO))
    assert asked(*counted) == [{"spans": 90 * 480}]
    _quick(lambda: asked(*counted), 3.0, is_long=is_long)
