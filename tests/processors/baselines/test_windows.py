"""Windows: merged until they hold enough, in the class of hours that they lie in, comparable whatever their size."""

from __future__ import annotations

import math
import os
import random
import statistics
import time
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.baselines.hours import NIGHT, WEEKEND, WORKING, Hours
from processors.baselines.settings import BaselineSettings
from processors.baselines.windows import Gathering, Minute, quantiles_of
from processors.histogram import RELATIVE_ERROR, of_values
from tests.processors.baselines.weeks import windows_of

MONDAY = 1_795_392_000
"""2026-11-23T00:00:00Z."""
MINUTE = 60
HOURS = Hours("07:00-19:00", "UTC")


def nano(seconds: float) -> int:
    return round((MONDAY + seconds) * 1_000_000_000)


def minute(at: float, samples: int, value: float = 0.1, errors: int = 0) -> Minute:
    return Minute(nano(at), samples, errors, of_values([value] * samples))


def told(minutes: list[Minute], minimum: int = 30) -> list[tuple[float, float, int, int]]:
    """Beginning and end in minutes of the Monday, samples, errors."""
    return [
        ((one.start_unix_nano - nano(0)) / 60e9, (one.end_unix_nano - nano(0)) / 60e9, one.samples, one.errors)
        for one in windows_of(minutes, HOURS, minimum)
    ]


def test_five_minutes_are_a_window_where_they_hold_enough() -> None:
    minutes = [minute(at * MINUTE, 10, errors=at % 2) for at in range(600, 610)]
    assert told(minutes) == [(600, 605, 50, 2), (605, 610, 50, 3)]


def test_few_requests_are_merged_with_the_next_until_there_are_thirty() -> None:
    """Over minutes without any too; what is too little at the end is in no window."""
    minutes = [minute(at * MINUTE, 12) for at in (600, 611, 640, 700, 705)]
    assert told(minutes) == [(600, 645, 36, 0)]
    assert told([*minutes, minute(720 * MINUTE, 6)]) == [(600, 645, 36, 0), (700, 725, 30, 0)]


def test_hours_of_two_classes_are_never_one_window() -> None:
    """At seven, work begins; nor is half a day one window."""
    assert told([minute(410 * MINUTE, 29), minute(420 * MINUTE, 29)]) == []
    assert told([minute(410 * MINUTE, 29), minute(420 * MINUTE, 29), minute(425 * MINUTE, 1)]) == [(420, 430, 30, 0)]
    weekend = 5 * 1440
    assert told([minute(weekend * MINUTE, 29), minute((weekend + 720) * MINUTE, 29)]) == []


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 40)), max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_minutes_does_not_matter_and_each_request_is_counted_once(
    given_minutes: list[tuple[int, int]], chance: random.Random
) -> None:
    minutes = [minute((600 + at) * MINUTE, samples) for at, samples in given_minutes]
    found = told(minutes)
    shuffled = list(minutes)
    chance.shuffle(shuffled)
    assert told(shuffled) == found
    rest = sum(samples for _, samples in given_minutes) - sum(samples for _, _, samples, _ in found)
    assert all(samples >= 30 for _, _, samples, _ in found)
    assert 0 <= rest < 30
    assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_closing_step_by_step_gives_the_same_windows_and_survives_a_restart() -> None:
    minutes = [minute(at * MINUTE, 7, value=0.05 + at / 1e4) for at in range(600, 690)]
    gathering, found = Gathering(HOURS, 30), []
    for number, one in enumerate(minutes):
        gathering.take(one)
        found += gathering.close(one.start_unix_nano + 60_000_000_000)
        if number % 7 == 3:
            state = gathering.to_state()
            gathering = Gathering(HOURS, 30)
            gathering.restore(_through_json(state))
    assert found == windows_of(minutes, HOURS, 30)
    assert gathering.waiting == 0


def _through_json(state: object) -> list[object]:
    content = orjson.loads(orjson.dumps(state))
    assert isinstance(content, list)
    return content


@given(st.lists(st.floats(1e-4, 100), min_size=100, max_size=300))
@pytest.mark.untraced
def test_quantiles_are_those_of_the_values(values: list[float]) -> None:
    """As numpy has them in the definition that does not depend on how many there are, within a bucket's width."""
    expected = np.quantile(values, [0.5, 0.95, 0.99], method="median_unbiased")
    assert quantiles_of(of_values(values)) == pytest.approx(tuple(expected), rel=2 * RELATIVE_ERROR)


@pytest.mark.untraced
def test_a_route_does_not_get_slower_by_being_called_more_often() -> None:
    """The middle of p95 over many windows is the same with 30 requests and with 600; p99 asks for a hundred."""
    chance = random.Random(5)  # noqa: S311  # the same each time

    def middle(samples: int) -> float:
        drawn = [quantiles_of(of_values(chance.lognormvariate(-2, 0.5) for _ in range(samples)))[1] for _ in range(400)]
        return statistics.median(drawn)

    assert middle(30) == pytest.approx(middle(600), rel=0.04)
    assert math.isnan(quantiles_of(of_values([0.1] * 99))[2])
    assert quantiles_of(of_values([0.1] * 100)) == pytest.approx((0.1, 0.1, 0.1))
    assert all(map(math.isnan, quantiles_of(of_values([]))))
    assert quantiles_of(of_values([0.0] * 40)) == pytest.approx((0.0, 0.0, math.nan), nan_ok=True)


@pytest.mark.parametrize(
    ("at", "zone", "hours"),
    [
        ("2026-11-23T06:59:59", "UTC", NIGHT),
        ("2026-11-23T07:00:00", "UTC", WORKING),
        ("2026-11-23T18:59:59", "UTC", WORKING),
        ("2026-11-23T19:00:00", "UTC", NIGHT),
        ("2026-11-28T12:00:00", "UTC", WEEKEND),
        ("2026-11-27T23:59:59", "UTC", NIGHT),
        ("2026-07-06T05:30:00", "Europe/Berlin", WORKING),
        ("2026-12-07T05:30:00", "Europe/Berlin", NIGHT),
        ("2026-11-27T23:30:00", "Europe/Berlin", WEEKEND),
        ("2026-11-29T23:30:00", "Europe/Berlin", NIGHT),
    ],
)
def test_classes_of_hours_follow_the_clock_on_the_wall(at: str, zone: str, hours: str) -> None:
    """Summer and winter; the weekend begins at the midnight of that place."""
    moment = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("UTC"))
    assert Hours("07:00-19:00", zone).of(int(moment.timestamp()) * 1_000_000_000) == hours


@pytest.mark.skipif(os.name == "nt", reason="Windows can't change the zone of a process")
def test_local_is_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        for zone, hours in (("Asia/Tokyo", WORKING), ("America/New_York", WEEKEND)):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert Hours("07:00-19:00", "local").of(nano(3600)) == hours  # one o'clock on Monday in Greenwich
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("changed", "told_of_it"),
    [
        ({"working_hours": "7-19"}, "'7-19' are not hours of a day, expected for example 07:00-19:00"),
        ({"working_hours": "19:00-07:00"}, "'19:00-07:00' are not hours of a day"),
        ({"timezone": "Mars/Olympus"}, "'Mars/Olympus' is no time zone here, expected local or"),
        ({"timezone": "../passwd"}, "'../passwd' is no time zone here"),
        ({"indicators": ["host.cpu"]}, "there are no baselines of 'host.cpu', expected some of http.server"),
        ({"levels": {"low": "50%"}}, "levels must ascend: low, medium, high"),
        ({"levels": {"low": "ten"}}, "'ten' is not a share, expected for example 20%"),
    ],
)
def test_wrong_settings_are_told(changed: dict[str, object], told_of_it: str) -> None:
    with pytest.raises(ValidationError, match=told_of_it.replace(".", r"\.").replace("/", r"\/")):
        BaselineSettings.model_validate(changed)


def test_settings_are_written_as_they_are_read() -> None:
    settings = BaselineSettings.model_validate({"levels": {"low": "12.5%"}, "floor": "2ms"})
    written = settings.model_dump()
    assert (written["levels"]["low"], written["levels"]["high"], written["floor"]) == ("12.5%", "50%", "2ms")
    assert BaselineSettings.model_validate(written) == settings
