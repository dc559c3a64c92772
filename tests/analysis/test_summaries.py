from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from analysis import requests
from analysis.engine import Engine
from analysis.host import parts_of, utilization
from analysis.period import DAY_NANO, HOUR_NANO, MINUTE_NANO, NANO, Period
from analysis.requests import INDICATOR, response_times
from analysis.summaries import Cell, Total, course, courses, totals
from processors.histogram import RELATIVE_ERROR, Histogram, of_values
from tests.support.week import DAY, END, START, Request, Week

WHOLE = Period(START * NANO, END * NANO)


def within(week: Week, period: Period) -> list[Request]:
    return [one for one in week.requests if period.holds(round(one.at * 1e6) * 1000)]


@pytest.mark.parametrize(
    "period",
    [
        WHOLE,
        Period(WHOLE.start_unix_nano + 90 * MINUTE_NANO, WHOLE.end_unix_nano - 100 * MINUTE_NANO),
        Period(WHOLE.start_unix_nano + DAY_NANO, WHOLE.start_unix_nano + DAY_NANO + 7 * HOUR_NANO),
        Period(WHOLE.start_unix_nano, WHOLE.start_unix_nano + 5 * MINUTE_NANO),
        Period(WHOLE.start_unix_nano - 30 * DAY_NANO, WHOLE.end_unix_nano + 30 * DAY_NANO),
    ],
    ids=["the week", "odd ends", "seven hours", "five minutes", "more than there is"],
)
def test_days_hours_and_minutes_add_up_to_what_happened(week: Week, engine: Engine, period: Period) -> None:
    """Whichever resolutions a range is made of, each request counts once."""
    found = totals(engine, INDICATOR, period)
    expected = within(week, period)
    for (_, _, route), total in found.items():
        seconds = [one.seconds for one in expected if one.route == route]
        assert total.count == total.histogram.count == len(seconds)
        assert total.errors == sum(one.status >= 500 for one in expected if one.route == route)
        assert total.histogram.quantile(0.95) == pytest.approx(np.quantile(seconds, 0.95), rel=RELATIVE_ERROR)
    assert sum(total.count for total in found.values()) == len(expected)


def test_a_course_has_each_part_its_own(week: Week, engine: Engine) -> None:
    """Hours of a day."""
    day = Period(WHOLE.start_unix_nano + 2 * DAY_NANO, WHOLE.start_unix_nano + 3 * DAY_NANO)
    parts = day.cut(24)
    found = course(engine, INDICATOR, parts)
    for index, part in enumerate(parts):
        assert sum(totals[index].count for totals in found.values()) == len(within(week, part))


def test_without_the_coarse_rollups_finer_ones_are_read(week: Week, tmp_path: Path) -> None:
    """As in a folder of an older version, or where they have not been written yet."""
    logs = tmp_path / "logs"
    shutil.copytree(week.logs, logs)
    shutil.rmtree(logs / "rollups_1d")
    for segment in sorted((logs / "rollups_1h").iterdir())[:100]:
        segment.unlink()
    found = totals(Engine(logs), INDICATOR, WHOLE)
    assert sum(total.count for total in found.values()) == len(week.requests)


def test_what_no_rollup_holds_yet_is_read_raw(week: Week, tmp_path: Path) -> None:
    """The last minutes, or everything after judging has stopped."""
    logs = tmp_path / "logs"
    shutil.copytree(week.logs, logs)
    for stream in ("rollups", "rollups_1h", "rollups_1d"):
        for segment in (logs / stream).iterdir():
            if segment.name > "2026-11-22T10":
                segment.unlink()
    whole = response_times(Engine(logs), WHOLE)[0]
    assert whole.requests == len(week.requests)
    assert whole.errors == sum(one.status >= 500 for one in week.requests)


@pytest.mark.parametrize("hours", [5, 7])
def test_short_ranges_are_exact_and_long_ones_nearly(week: Week, engine: Engine, hours: int) -> None:
    """Both tell the same routes; up to six hours the quantiles are numpy's."""
    period = Period(WHOLE.start_unix_nano, WHOLE.start_unix_nano + hours * HOUR_NANO)
    whole, *routes = response_times(engine, period)
    expected = within(week, period)
    assert (whole.service, whole.requests) == (None, len(expected))
    tolerance = 1e-9 if period.nanos <= requests.RAW_NANO else RELATIVE_ERROR
    for one in routes:
        seconds = [request.seconds for request in expected if request.route == one.route]
        told = (one.p50, one.p95, one.p99, one.max, one.mean)
        exact = (*np.quantile(seconds, [0.5, 0.95, 0.99]), max(seconds), np.mean(seconds))
        assert told == pytest.approx(tuple(map(float, exact)), rel=tolerance)
        assert one.requests == len(seconds)


def test_a_quiet_time_has_no_numbers(engine: Engine) -> None:
    """Neither zeros nor a fault."""
    for hours in (1, 48):
        quiet = Period(0, hours * HOUR_NANO)
        assert response_times(engine, quiet) == [
            requests.RequestTimes(None, None, None, 0, 0, None, None, None, None, None)
        ]
        assert totals(engine, INDICATOR, quiet) == {}


def test_totals_merge() -> None:
    """As their parts."""
    one, other = Total(1, 1), Total(2, 0)
    one.histogram.add(1.0)
    other.histogram.add(2.0, 2)
    one.merge(other)
    assert (one.count, one.errors, one.histogram.count, one.histogram.sum) == (3, 1, 3, 5.0)


@pytest.mark.parametrize("stream", ["rollups_1d", "rollups_1h"])
def test_a_coarse_step_that_is_missing_is_told_by_finer_ones(week: Week, tmp_path: Path, stream: str) -> None:
    """In the middle too: a lost segment must not make requests fewer."""
    logs = tmp_path / "logs"
    shutil.copytree(week.logs, logs)
    gone = sorted((logs / stream).iterdir())
    for path in gone[2:4]:
        path.unlink()
    period = Period(START * NANO, END * NANO)
    whole = sum(total.count for total in totals(Engine(logs), "http.server.response_time", period).values())
    assert whole == len(week.requests)


def test_parts_of_a_course_hold_nothing_from_before_the_period(week: Week, engine: Engine) -> None:
    """Be it begun within an hour."""
    period = Period((START + 35 * 60) * NANO, (START + 2 * DAY + 35 * 60) * NANO)
    (parts,) = course(engine, "host.disk", parts_of(period, 24)).values()
    mine = [value for at, value in week.disk if period.start_unix_nano <= at * NANO < period.end_unix_nano]
    assert sum(part.count for part in parts) == len(mine)
    (disk,) = utilization(engine, period, ("host.disk",))
    assert disk.last == pytest.approx(mine[-1], rel=1e-9)
    assert disk.samples == len(mine)


def test_several_indicators_are_told_as_each_alone(engine: Engine) -> None:
    """Read at once; one that nobody measures has nothing."""
    parts = WHOLE.cut(7)
    asked = ("host.cpu", "host.disk", INDICATOR, "nothing.like.it")
    found = courses(engine, asked, parts)
    assert list(found) == list(asked)
    for indicator in asked:
        alone = course(engine, indicator, parts)
        assert {key: _told(totals) for key, totals in found[indicator].items()} == {
            key: _told(totals) for key, totals in alone.items()
        }
    assert found["host.disk"]
    assert found["nothing.like.it"] == {}


def test_keys_are_summed_as_they_are_grouped(week: Week, engine: Engine) -> None:
    """All requests but the logins as one; what has no group is left out."""
    parts = WHOLE.cut(7)
    found = course(
        engine, INDICATOR, parts, group=lambda key: None if key[2] == "/api/auth/login" else ("all", "others")
    )
    others = [[one for one in within(week, part) if one.route != "/api/auth/login"] for part in parts]
    assert list(found) == [("all", "others")]
    for total, expected in zip(found["all", "others"], others, strict=True):
        assert (total.count, total.errors) == (len(expected), sum(one.status >= 500 for one in expected))
        assert total.histogram.max == pytest.approx(max(one.seconds for one in expected))


def test_a_line_is_added_as_its_histogram() -> None:
    """Negative values and zeros too, and an empty one changes nothing."""
    lines = [of_values(values) for values in ([-2.0, -0.5, 0.0, 0.0], [], [0.25, 0.3, 7.0])]
    whole, merged = Total(), Histogram()
    for index, line in enumerate(lines):
        whole.add(Cell("of", index, ("a",), 1, line.to_json()))
        merged.merge(line)
    assert (whole.count, whole.errors, whole.histogram.to_json()) == (7, 3, merged.to_json())


def _told(totals: list[Total]) -> list[tuple[int, int, int, float, float]]:
    return [
        (one.count, one.errors, one.histogram.count, one.histogram.max, one.histogram.quantile(0.9) if one.count else 0)
        for one in totals
    ]
