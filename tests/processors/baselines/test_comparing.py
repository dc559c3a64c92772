"""A baseline as it is kept, and what a comparison with it says of a world that is known."""

from __future__ import annotations

import math
import random
from typing import Any

import orjson
import pytest

from benchmarks.baselines import Source, alerts_a_week, all_slower, delays, flagged, tail_slower
from processors.baselines.baseline import MOST_WINDOWS, Baseline, BaselineError, Subject, learn
from processors.baselines.comparing import Finding, compare
from processors.baselines.hours import NIGHT, WORKING
from processors.baselines.settings import BaselineSettings
from processors.baselines.windows import Window
from processors.rollups import Summary
from tests.processors.baselines.weeks import (
    NINE,
    SETTINGS,
    baseline_of,
    closed,
    minute_of,
    orders,
    usual_day,
    values,
    windows_of,
)

NOON = 12 * 60


def recent(seed: int, times: float = 1.0, *, minutes: int = 25, errors: int = 0, start: int = NOON) -> list[Window]:
    chance = random.Random(seed)  # noqa: S311  # the same each time
    made = [closed(start + at, values(chance, times=times), errors) for at in range(minutes)]
    return windows_of(map(minute_of, made), baseline_of([]).hours, 30)


def found(windows: list[Window], baseline: Baseline | None = None) -> dict[str, Finding]:
    findings = compare(baseline or baseline_of(usual_day(failing=0.01)), {orders(): windows}, SETTINGS)
    return {one.measure: one for one in findings}


def through_json(baseline: Baseline) -> Baseline:
    return Baseline.from_json(orjson.loads(orjson.dumps(baseline.to_json())))


def test_what_is_as_it_was_is_called_so() -> None:
    said = found(recent(7))
    assert list(said) == ["p50", "p95", "p99", "error_rate"]
    assert [one.level for one in said.values()] == [""] * 4
    assert (said["p50"].hours, said["p50"].windows, said["p50"].samples) == ((WORKING,), 5, 1000)
    assert said["p50"].then == pytest.approx(math.exp(-2), rel=0.02)


@pytest.mark.parametrize(("times", "level"), [(1.15, "low"), (1.35, "medium"), (1.8, "high")])
def test_how_much_slower_says_how_bad(times: float, level: str) -> None:
    """With the ratio, an interval around the truth, and what it was and is."""
    median = found(recent(8, times))["p50"]
    assert (median.level, median.p < 0.01) == (level, True)
    assert median.low < times < median.high
    assert median.now == pytest.approx(median.then * median.ratio)
    assert median.ratio == pytest.approx(times, rel=0.07)


def test_being_faster_is_never_a_finding() -> None:
    assert not [one for one in found(recent(9, 0.4)).values() if one.level]


def test_errors_are_compared_too_if_there_are_five() -> None:
    """One a minute of forty is two and a half times as often; four of a thousand are nothing."""
    more = found(recent(10, errors=1))["error_rate"]
    assert (more.level, more.now) == ("high", pytest.approx(25 / 1000))
    assert more.ratio == pytest.approx(more.now / more.then)
    never = baseline_of(usual_day())
    few = [window._replace(errors=errors) for window, errors in zip(recent(10), (1, 1, 1, 1, 0), strict=True)]
    assert found(few, never)["error_rate"].level == ""
    assert found([one._replace(errors=1) for one in few], never)["error_rate"].level == "high"


def test_what_nobody_would_notice_is_no_finding() -> None:
    """Twice as long, and still five milliseconds."""

    def milliseconds(seed: int, times: float, minutes: range) -> list[Summary]:
        chance = random.Random(seed)  # noqa: S311  # the same each time
        return [closed(at, [one / 60 for one in values(chance, times=times)]) for at in minutes]

    usual = baseline_of(milliseconds(1, 1, range(NINE, NINE + 200)))
    now = windows_of(map(minute_of, milliseconds(2, 2, range(NOON, NOON + 25))), usual.hours, 30)
    assert found(now, usual)["p50"].ratio == pytest.approx(2, rel=0.1)
    assert not found(now, usual)["p50"].level
    assert found(now, usual)["p99"].level  # 7 ms became 14


def test_where_nothing_can_be_said_it_says_why() -> None:
    def why(windows: list[Window], baseline: Baseline | None = None) -> str:
        (one,) = found(windows, baseline).values()
        return one.insufficient

    few = baseline_of(usual_day(minutes=95))
    assert why(recent(1, minutes=20)) == "4 windows of at least 30 requests, 5 are needed"
    assert why(recent(1, minutes=5)) == "1 window of at least 30 requests, 5 are needed"
    assert why([]) == "0 windows of at least 30 requests, 5 are needed"
    assert why(recent(1), few) == "the baseline has 19 windows of working hours, 20 are needed"
    assert why(recent(1, start=22 * 60)) == "the baseline has 0 windows of night, 20 are needed"
    (new,) = compare(baseline_of([]), {orders("/new"): recent(1)}, SETTINGS)
    assert (new.subject, new.insufficient) == (orders("/new"), "not in the baseline")


def test_each_window_is_held_against_its_own_hours() -> None:
    """Nights are twice as slow: at seven in the evening nothing changes, and what gets slower then is seen."""
    chance = random.Random(3)  # noqa: S311  # as above
    days = [
        closed(at, values(chance, times=1 if at < 19 * 60 else 2)) for at in range(NINE, 23 * 60) if at % 5 in {0, 1, 2}
    ]
    usual = baseline_of(days)

    def evening(times: float) -> dict[str, Finding]:
        made = [closed(at, values(chance, times=times * (1 if at < 1140 else 2))) for at in range(1130, 1155)]
        return found(windows_of(map(minute_of, made), usual.hours, 30), usual)

    assert evening(1)["p50"].hours == (WORKING, NIGHT)
    assert evening(1)["p50"].ratio == pytest.approx(1, abs=0.1)
    assert not [one for one in evening(1).values() if one.level]
    assert evening(1.6)["p50"].level == "high"


@pytest.mark.untraced
def test_many_routes_make_no_false_finding_likelier() -> None:
    """Sixty routes that are as they were: without a correction one comparison in two would find something."""
    alarms = 0
    for seed in range(6):
        day = [one for number in range(60) for one in _of_route(seed, number, range(NINE, NINE + 150, 1))]
        usual = baseline_of(day)
        now = {
            orders(f"/{number}"): windows_of(
                map(minute_of, _of_route(seed + 100, number, range(NOON, NOON + 25))), usual.hours, 30
            )
            for number in range(60)
        }
        alarms += any(one.level for one in compare(usual, now, SETTINGS))
    assert alarms <= 1


def _of_route(seed: int, number: int, minutes: range) -> list[Summary]:
    chance = random.Random(seed * 1000 + number)  # noqa: S311  # as above
    return [closed(at, values(chance, 8), subject=orders(f"/{number}")) for at in minutes]


def test_a_baseline_keeps_the_busiest_keys_and_windows_of_the_whole_time() -> None:
    windows = [Window(at, at + 300, WORKING, 40, 0, (0.1, 0.2, 0.3)) for at in range(0, 3000 * 300, 300)]
    busy, idle = orders("/busy"), orders("/idle")
    settings = BaselineSettings(max_keys=1)
    given = {idle: windows[:1], busy: windows, orders("/none"): []}
    made = learn("x", given, settings, start_unix_nano=0, end_unix_nano=1, created_unix_nano=1)
    assert list(made.keys) == [busy]
    kept = made.keys[busy][WORKING]
    assert len(kept) == MOST_WINDOWS
    assert (kept[0], kept[-1]) == (windows[0], windows[-15])


def test_it_is_kept_as_json_without_loss() -> None:
    """Numbers to five digits; a route is any text."""
    odd = Subject("http.server.response_time", ("app", "GET", '/\x1b[31m"\u202e\n'))
    made = baseline_of([*usual_day(failing=0.02), *(closed(at, [0.2] * 30, subject=odd) for at in range(NINE, 700, 5))])
    back = through_json(made)
    assert through_json(back) == back
    assert (back.name, back.hours.timezone, list(back.keys)) == ("default", "UTC", list(made.keys))
    assert math.isnan(back.keys[odd][WORKING][0].quantiles[2])
    for one, other in zip(made.keys[orders()][WORKING], back.keys[orders()][WORKING], strict=True):
        assert one[:-1] == other[:-1]
        assert one.quantiles == pytest.approx(other.quantiles, rel=1e-4)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"format": 2}, "the baseline 'default' has format 2, this Forecourt knows up to 1. Upgrade it"),
        ({"format": None}, "the baseline 'default' is damaged \\(no format that is known\\); make it anew: forecourt"),
        ({"keys": [["host.cpu", ["a"], {}]]}, "is damaged .*make it anew: forecourt baseline update"),
        ({"keys": [["http.server.response_time", ["a"], {}]]}, "is damaged"),
        ({"keys": [["http.server.response_time", ["a", "b", "c"], {"noon": [[0, 300, 1, 0, 1, 1, 1]]}]]}, "is damaged"),
        ({"keys": [["http.server.response_time", ["a", "b", "c"], {"night": [[0, 300]]}]]}, "is damaged"),
        ({"keys": [["http.server.response_time", ["a", "b", "c"], {"night": [[0, 300, 1, 2, 1, 1, 1]]}]]}, "damaged"),
        ({"keys": [["http.server.response_time", ["a", "b", "c"], {"night": [[0, 300, 9, 2, "", 1, 1]]}]]}, "damaged"),
        ({"keys": 3}, "is damaged"),
        ({"timezone": "Mars"}, "is damaged"),
        ({"working_hours": 7}, "is damaged"),
        ({"created_unix_nano": None}, "is damaged"),
    ],
)
def test_what_is_no_baseline_of_ours_is_refused(changed: dict[str, Any], told: str) -> None:
    """With what to do."""
    content = {**baseline_of(usual_day()).to_json(), **changed}
    with pytest.raises(BaselineError, match=told):
        Baseline.from_json(content)


@pytest.mark.parametrize("content", [None, [], "x", 3, {}])
def test_nor_is_anything_else(content: object) -> None:
    with pytest.raises(BaselineError, match="is damaged"):
        Baseline.from_json(content)


BUSY, QUIET, CACHE = Source(), Source(samples=30), Source(missed=0.1)


@pytest.mark.parametrize("source", [BUSY, QUIET, CACHE], ids=["busy", "quiet", "cache"])
def test_comparisons_cry_wolf_in_three_of_a_hundred_at_most_and_see_one_and_a_half_times(source: Source) -> None:
    """Log-normal latency, sigma 0.5, 8 % noise between windows; the smallest baseline there may be."""
    assert flagged(source, all_slower(1.0), 200, learnt=20) <= 0.03
    assert flagged(source, all_slower(1.5), 60, learnt=20) >= 0.9


def test_comparisons_see_when_only_the_slowest_tenth_got_slower() -> None:
    assert flagged(BUSY, tail_slower(1.5), 200, learnt=20) >= 0.9


@pytest.mark.parametrize("source", [BUSY, Source(memory=0.5), Source(daily=0.2), Source(failed=0.001)])
@pytest.mark.untraced
def test_nobody_is_told_of_a_week_that_is_as_it_was(source: Source, request: pytest.FixtureRequest) -> None:
    """2,016 windows, each tested; where noise lingers, by time of day, and with rare errors too."""
    weeks = 20 if request.config.getoption("--long") else 1
    assert sum(alerts_a_week(source, weeks).values()) <= 0.1


@pytest.mark.untraced
def test_somebody_is_told_soon_enough_of_one_that_is_not() -> None:
    """Twice as slow within three quarters of an hour, and at the highest level; a fifth slower within hours."""
    twice = delays(BUSY, all_slower(2.0), 8, hours=2)
    assert len(twice["high"]) == 8
    assert max(twice["high"]) * 5 <= 45
    assert len(delays(BUSY, all_slower(1.25), 8)["any"]) == 8
