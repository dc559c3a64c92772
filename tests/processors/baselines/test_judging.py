"""What is told as windows end: when it begins, how bad it is, when it is over, and why nothing is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from processors.baselines.alarm import Alarm, Alarms
from processors.baselines.baseline import Baseline
from processors.baselines.comparing import Finding
from processors.baselines.judging import BaselineJudging
from processors.baselines.settings import BaselineSettings
from processors.rollups import MINUTE_NANO, Summary
from tests.processors.baselines.weeks import (
    MONDAY,
    NINE,
    SECOND,
    SETTINGS,
    Live,
    baseline_of,
    orders,
    steady,
    usual_day,
)

TIME, ERRORS = "baseline.response_time", "baseline.error_rate"


@pytest.fixture(scope="module")
def usual() -> Baseline:
    """Five hours of a Monday, one request in a hundred failing."""
    return baseline_of(usual_day(failing=0.01))


def test_twice_as_slow_is_told_after_four_windows_that_show_it(usual: Baseline) -> None:
    """Three of the last five must be slow first; it is over when five on end have shown that it is."""
    live = Live(usual).feed(60, steady(2)).feed(60, steady(3, 2)).feed(60, steady(4))
    assert live.told == [f"96 {TIME} firing high", f"156 {TIME} resolved high"]
    begun, over = live.transitions
    assert (begun.key, begun.traces) == (orders().key, ())
    assert begun.reason == "for 4 windows on end"
    assert over.reason == "the condition holds no more"
    assert begun.value == pytest.approx(2, rel=0.05)


def test_what_is_told_can_be_read(usual: Baseline) -> None:
    """Which share of requests, how many times, how sure, from what to what; errors in their own words."""
    live = Live(usual).feed(60, steady(2)).feed(40, steady(3, 2, errors=4))
    summaries = {one.rule: one.summary for one in live.evaluations}
    start, _, rest = summaries[TIME].partition(" of requests take ")
    assert start in {"50 %", "95 %", "99 %"}
    assert rest.startswith(("1.9", "2"))
    assert ' times as long as in the baseline "default" (' in rest
    assert rest.endswith(" now)")
    assert summaries[ERRORS].startswith("requests fail 8.")
    assert summaries[ERRORS].endswith(" times; 1.16 % then, 10 % now)")
    never = Live(baseline_of(usual_day())).feed(60, steady(3, errors=4))
    assert [one.summary for one in never.evaluations] == ['10 % of requests fail, none did in the baseline "default"']


@pytest.mark.parametrize(("times", "severity", "within"), [(1.15, "low", 80), (1.35, "medium", 60)])
def test_the_less_it_is_the_longer_it_must_hold(usual: Baseline, times: float, severity: str, within: float) -> None:
    live = Live(usual).feed(60, steady(2)).feed(180, steady(4, times))
    (first, *_) = live.transitions
    assert (first.status, first.severity) == ("firing", severity)
    assert 40 < (first.time_unix_nano - MONDAY) / 60e9 - NINE - 60 <= within


def test_it_gets_worse_and_better_as_one_alert(usual: Baseline) -> None:
    live = Live(usual).feed(30, steady(2)).feed(90, steady(3, 1.35)).feed(60, steady(4, 2)).feed(90, steady(5, 1.18))
    statuses = [(one.status, one.severity, one.reason) for one in live.transitions]
    assert statuses[:2] == [("firing", "medium", "for 8 windows on end"), ("firing", "high", "it got worse")]
    assert statuses[2][2] == "it got better"
    assert {status for status, _, _ in statuses} == {"firing"}
    begun = live.transitions[0].time_unix_nano
    assert [one.since_unix_nano for one in live.evaluations if one.rule == TIME] == [begun]


def test_between_the_two_bounds_nothing_changes(usual: Baseline) -> None:
    """A fifth slower is too little to begin as high, and too much for high to end."""
    live = Live(usual).feed(30, steady(2)).feed(60, steady(3, 2)).feed(120, steady(4, 1.33))
    assert [one.severity for one in live.transitions] == ["high"]


def test_a_short_peak_is_told_to_nobody(usual: Baseline) -> None:
    """Ten times as slow for ten minutes: two of five windows."""
    live = Live(usual).feed(60, steady(2)).feed(10, steady(3, 10)).feed(60, steady(4))
    assert (live.told, live.evaluations) == ([], [])


def test_errors_have_an_alert_of_their_own(usual: Baseline) -> None:
    live = Live(usual).feed(60, steady(2)).feed(60, steady(3, errors=4)).feed(60, steady(4))
    assert live.told == [f"86 {ERRORS} firing high", f"166 {ERRORS} resolved high"]


def test_what_is_so_each_day_at_this_hour_is_no_news() -> None:
    """From two to four it is always half as slow again; on another morning it is told."""
    days = [
        one for day in range(3) for hour in range(9, 19) for one in _minutes(day, hour, 1.5 if 14 <= hour < 16 else 1.0)
    ]
    usual = baseline_of(days)
    afternoon = Live(usual, begin=13 * 60).feed(60, steady(2)).feed(120, steady(3, 1.5))
    assert afternoon.told == []
    assert [one.rule for one in afternoon.evaluations] == [TIME]
    assert Live(usual).feed(60, steady(2)).feed(120, steady(3, 1.5)).told[0] == f"121 {TIME} firing medium"


def _minutes(day: int, hour: int, times: float) -> Iterator[Summary]:
    made = steady(100 * day + hour, times)
    for minute in range(0, 60, 2):
        yield from made(day * 1440 + hour * 60 + minute)


def test_only_what_is_worth_telling_is_published(usual: Baseline) -> None:
    """Nothing of what is as usual; of what is worse how long it must hold yet; each tick has its time."""
    live = Live(usual).feed(60, steady(2))
    assert live.evaluations == []
    live.feed(26, steady(3, 1.3))
    (one,) = live.evaluations
    assert (one.rule, one.band, one.severity, one.status) == (TIME, "warning", "", "inactive")
    assert one.detail.startswith("for ")
    assert one.detail.endswith(" of 8 windows")
    assert (one.samples, one.window_seconds, one.time_unix_nano) == (1000, 1500, live.now)
    live.feed(30, steady(3, 3))
    (one,) = live.evaluations
    assert (one.band, one.severity, one.status, one.detail) == ("critical", "high", "firing", "")


@pytest.mark.parametrize(
    ("minutes", "count", "told"),
    [
        (20, 40, "insufficient data: 3 windows of at least 30 requests, 5 are needed"),
        (20, 1, "insufficient data: 15 requests of at least 30 for a window"),
        (31, 3, "insufficient data: 3 windows of at least 30 requests, 5 are needed"),
    ],
)
def test_too_little_to_say_anything_is_said(usual: Baseline, minutes: int, count: int, told: str) -> None:
    live = Live(usual).feed(minutes, steady(3, 5, count))
    (one,) = live.evaluations
    assert (one.rule, one.value, one.band, one.detail) == (TIME, None, "no data", told)


def test_hours_that_the_baseline_does_not_know_are_said() -> None:
    """It was made by day; at night nobody can tell, and what fires is over after half an hour without a word."""
    live = Live(baseline_of(usual_day(minutes=590)), begin=18 * 60)
    live.feed(60, steady(3, 3))
    assert live.told == [f"41 {TIME} firing high"]
    live.feed(15, steady(3, 3))
    detail = "insufficient data: the baseline has 0 windows of night, 20 are needed"
    assert [(one.detail, one.status) for one in live.evaluations] == [(detail, "firing")]
    live.feed(60, steady(3, 3))
    assert live.told[1:] == [f"91 {TIME} resolved high"]
    assert live.transitions[-1].reason == "no_data"


def test_silence_is_no_recovery_and_no_alarm_for_ever(usual: Baseline) -> None:
    live = Live(usual).feed(60, steady(3, 3)).feed(100, lambda _: ())
    assert live.told == [f"41 {TIME} firing high", f"91 {TIME} resolved high"]
    assert (live.transitions[-1].reason, live.evaluations) == ("no_data", [])


def test_without_an_active_baseline_nothing_is_said(usual: Baseline) -> None:
    """Nor with one of another name, nor where it is switched off."""
    for live in (
        Live(),
        Live(replace(usual, name="other")),
        Live(usual, BaselineSettings(enabled=False, timezone="UTC")),
    ):
        live.feed(120, steady(3, 3))
        assert (live.told, live.evaluations) == ([], [])
    assert BaselineJudging(BaselineSettings(enabled=False)).descriptions == ()
    named = Live(replace(usual, name="other"), BaselineSettings(active="other", timezone="UTC")).feed(60, steady(3, 3))
    assert named.told == [f"41 {TIME} firing high"]


def test_routes_that_are_new_are_left_alone(usual: Baseline) -> None:
    """As are the overflow of rollups, and coarser rollups of the same."""
    live = Live(usual).feed(60, lambda at: _as_route(at, "/new"))
    assert (live.told, live.evaluations) == ([], [])


def _as_route(at: int, route: str) -> Iterator[Summary]:
    for one in steady(at, 3)(at):
        labels = orders(route).values
        yield one._replace(subject=one.subject._replace(values=labels))
        yield one._replace(subject=one.subject._replace(labels=("otel.metric.overflow",), values=("true",)))
        yield one._replace(resolution="1h")


def test_another_baseline_counts_from_the_next_window_on(usual: Baseline) -> None:
    """One of the slow days: what fires ends; without any it ends too, and says so."""
    slow = baseline_of([one for at in range(NINE, NINE + 300) for one in steady(at, 3)(at)])
    live = Live(usual).feed(60, steady(3, 3))
    live.baselines = [slow]
    live.judging.use(live.baselines)
    live.feed(45, steady(3, 3))
    assert live.told == [f"41 {TIME} firing high", f"81 {TIME} resolved high"]
    gone = Live(usual).feed(60, steady(3, 3))
    gone.judging.use([])
    gone.feed(1, steady(3, 3))
    assert gone.told == [f"41 {TIME} firing high", f"60 {TIME} resolved high"]
    assert gone.transitions[-1].reason == "the baseline does not know it"


@pytest.mark.parametrize("each", [1, 7, 61])
@pytest.mark.parametrize("first_use", [True, False])
@pytest.mark.untraced
def test_a_restart_at_any_moment_changes_nothing(usual: Baseline, each: int, *, first_use: bool) -> None:
    """State and baselines come back in either order."""

    def life(restarts_each: int) -> Live:
        live = Live(usual)
        live.restarts_each, live.first_use = restarts_each, first_use
        live.feed(40, steady(2)).feed(60, steady(3, 2, 13, 2)).feed(60, steady(4, 1, 9))
        return live

    whole, cut = life(0), life(each)
    assert len(whole.told) >= 3
    assert cut.transitions == whole.transitions
    assert cut.evaluations == whole.evaluations


def test_windows_belong_to_the_hours_of_the_baseline_that_they_are_judged_by(usual: Baseline) -> None:
    """One whose work begins later takes half past nine for night."""
    live = Live(usual).feed(60, steady(3))
    live.judging.use([replace(usual, working_hours="11:00-19:00")])
    (one,), _ = live.judging.judge(live.now, frozen=False)
    assert one.detail == "insufficient data: the baseline has 0 windows of night, 20 are needed"


def test_errors_that_may_be_one_burst_are_not_told() -> None:
    """One in a thousand times is by chance: five comparisons see the same burst."""
    burst = Finding(orders(), ("night",), 5, 1000, "error_rate", ratio=3.0, p=0.001, enough=True, level="high")
    alarms, certain = Alarms(), Alarms()
    for _ in range(20):
        alarms.take([burst], SETTINGS)
        certain.take([replace(burst, p=0.00001)], SETTINGS)
    assert (alarms.firing(["error_rate"]), certain.firing(["error_rate"])) == (-1, 2)


@pytest.mark.parametrize(("exceeded", "ratio", "left"), [(1, 1.22, 1), (0, 1.12, 0), (-1, 1.08, -1), (-1, 1.26, 2)])
def test_what_was_high_goes_on_as_what_it_still_is(exceeded: int, ratio: float, left: int) -> None:
    """After five windows below the half of it; above that it stays high."""
    alarm, shares, hold = Alarm(), SETTINGS.levels.shares, SETTINGS.hold.windows
    for _ in range(4):
        alarm.take(2, 1.8, shares, hold)
    for _ in range(4):
        alarm.take(exceeded, ratio, shares, hold)
    assert alarm.firing == 2
    alarm.take(exceeded, ratio, shares, hold)
    assert alarm.firing == left


def test_while_it_is_frozen_nothing_begins_or_ends(usual: Baseline) -> None:
    """Windows are taken in all the same."""
    live = Live(usual).feed(30, steady(2))
    live.frozen = True
    live.feed(60, steady(3, 3))
    assert live.told == []
    assert [one.band for one in live.evaluations] == ["critical"]
    live.frozen = False
    live.feed(30, steady(3, 3))
    assert live.told == [f"106 {TIME} firing high"]


def test_time_in_which_nobody_looked_is_no_silence(usual: Baseline) -> None:
    """Three hours asleep; it fires on, and what is as it was then ends it."""
    live = Live(usual).feed(60, steady(3, 3)).feed(1, lambda _: ())
    live.now += 180 * MINUTE_NANO
    live.judging.postpone(180 * MINUTE_NANO)
    live.feed(20, steady(3, 3))
    assert live.told == [f"41 {TIME} firing high"]
    live.feed(60, steady(4))
    assert [one.status for one in live.transitions] == ["firing", "resolved"]


def test_a_clock_that_is_set_back_takes_the_future_with_it(usual: Baseline) -> None:
    """Its windows are gone, and those that come now are judged."""
    live = Live(usual).feed(120, steady(2))
    live.now -= 90 * MINUTE_NANO
    live.judging.postpone(-90 * MINUTE_NANO)
    live.feed(60, steady(3, 3))
    assert live.judging.late == 0
    assert [one.severity for one in live.transitions] == ["high"]


def test_what_comes_late_and_what_there_is_no_room_for_is_counted(usual: Baseline) -> None:
    """A window is closed 40 s after its end."""
    live = Live(usual).feed(30, steady(2))
    (late,) = steady(3)(NINE + 3)
    live.judging.take(late)
    assert live.judging.late == 1
    two = baseline_of([*usual_day(), *(one for at in range(NINE, 700) for one in _as_route(at, "/other"))])
    small = Live(two, BaselineSettings(max_keys=1, timezone="UTC"))
    small.feed(10, steady(2)).feed(
        10, lambda at: [one for one in _as_route(at, "/other") if one.resolution == "1min"][:1]
    )
    assert small.judging.overflowed == 10


def test_a_window_is_closed_at_the_first_tick_forty_seconds_after_its_end(usual: Baseline) -> None:
    """Ten seconds earlier its last minute has only just come."""
    judging = BaselineJudging(SETTINGS)
    judging.use([usual])
    for at in range(5):
        for one in steady(at, 3)(NINE + at):
            judging.take(one)
    end = MONDAY + (NINE + 5) * MINUTE_NANO

    def windows(seconds: int) -> str:
        evaluations, _ = judging.judge(end + seconds * SECOND, frozen=False)
        return evaluations[0].detail

    assert windows(30) == "insufficient data: 200 requests of at least 30 for a window"
    assert windows(40) == "insufficient data: 1 window of at least 30 requests, 5 are needed"


def test_the_rules_are_described() -> None:
    """Their bounds, from mild to severe, their label, and what to type; the last is their page of the runbook."""
    time, errors = BaselineJudging(SETTINGS).descriptions
    assert (time.name, errors.name) == (TIME, ERRORS)
    assert time.bounds == tuple(f"slower by > {share} % than in the baseline" for share in (10, 20, 50))
    assert errors.bounds[0] == "more errors by > 10 % than in the baseline"
    assert time.labels == errors.labels == {"category": "baseline"}
    assert time.next_steps[0].startswith("forecourt baseline compare")
    assert time.next_steps[-1] == f"forecourt runbook alert {TIME}"
