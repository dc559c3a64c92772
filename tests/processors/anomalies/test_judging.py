"""From rollups to incidents: what makes a point, what is told of it, and when that is over."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from processors.anomalies.judging import AnomalyJudging
from processors.anomalies.settings import AnomalySettings
from tests.processors.anomalies.days import (
    BUCKET,
    DAY,
    REQUEST_LABELS,
    Days,
    counted,
    events,
    nano,
    requests,
    traffic,
    used,
)

WEEK = 7 * DAY
HOUR = 3600


def busy(until: int = WEEK + DAY, **settings: Any) -> Days:
    """Requests for a week and a day."""
    return Days("request_rate", settings).each(until, traffic())


def times(factor: float) -> Any:
    return lambda at: [counted(at, round(300 * factor))]


def test_what_is_unlike_all_days_before_is_told_with_view_value_and_usual_range() -> None:
    """In words that need no page beside them."""
    days = busy()
    days.each(days.now + BUCKET, times(5))
    assert days.told == [f"{WEEK + DAY + BUCKET} firing medium"]
    (transition,) = days.transitions
    assert transition.rule == "anomaly.request_rate"
    assert transition.key == (("service.name", "app"),)
    assert transition.summary == (
        "the rate of requests is 5 per second, usually 0.8433 to 1.163 per second (view: value)"
    )
    assert transition.reason == "score 0.93 of at least 0.8, view value"
    evaluation = days.evaluation
    assert (evaluation.status, evaluation.severity, evaluation.band) == ("firing", "medium", "warning")
    assert evaluation.detail == "score 0.93, value: usually 0.8433 to 1.163 per second"
    assert (evaluation.value, evaluation.unit, evaluation.samples, evaluation.window_seconds) == (5.0, "1/s", 1500, 300)


def test_an_incident_clears_by_level() -> None:
    """Three points in the range that was usual when it began; a score of 0 alone ends nothing."""
    days = busy().each(WEEK + DAY + HOUR, times(5))
    assert days.evaluation.status == "firing"
    days.each(days.now + 4 * BUCKET, times(1))
    assert days.told == [f"{WEEK + DAY + BUCKET} firing medium", f"{WEEK + DAY + HOUR + 3 * BUCKET} resolved medium"]
    assert days.transitions[-1].reason == "back in the usual range for 3 points"
    assert (days.evaluation.status, days.evaluation.band, days.evaluation.severity) == ("inactive", "normal", "")


def test_an_incident_clears_by_time() -> None:
    """What lasts six hours is the new usual; it is one incident all the while."""
    days = busy().each(WEEK + DAY + 12 * HOUR, times(5))
    assert days.told == [
        f"{WEEK + DAY + BUCKET} firing medium",
        f"{WEEK + DAY + BUCKET + 6 * HOUR} resolved medium",
    ]
    assert days.transitions[-1].reason == "it has lasted for 6h: this is the new usual"


def test_learning_shows_and_never_notifies() -> None:
    """In the first week everything is new."""
    days = busy(3 * DAY)
    days.each(days.now + BUCKET, times(5))
    evaluation = days.evaluation
    assert (evaluation.band, evaluation.status) == ("warning", "inactive")
    assert evaluation.detail.startswith("learning, day 4 of 7; score 0.9")
    assert days.told == []
    short = Days("request_rate", {"learning": "6h"}).each(9 * HOUR, traffic())
    assert short.each(9 * HOUR + BUCKET, times(9)).told == [f"{9 * HOUR + BUCKET} firing medium"]


@pytest.mark.parametrize(("points", "told"), [(7 * 288, 0), (7 * 288 + 1, 1)])
@pytest.mark.untraced
def test_learning_ends_after_seven_days(points: int, told: int) -> None:
    """Of watching: time in which nobody looked is none."""
    until = points * BUCKET  # the bucket in which it was first seen makes no point
    assert len(busy(until).each(until + BUCKET, times(5)).told) == told
    halves = busy(until // 2 - until // 2 % BUCKET)
    halves.judging.postpone(WEEK * 1_000_000_000)
    halves.now += WEEK
    halves.each(halves.now + BUCKET, times(1)).each(halves.now + 2 * BUCKET, times(5))
    assert halves.told == []


def test_before_the_first_value_there_is_no_data() -> None:
    """Which is neither fine nor bad."""
    days = Days("request_rate").each(BUCKET, traffic())
    evaluation = days.evaluation
    assert (evaluation.value, evaluation.band, evaluation.detail) == (None, "no data", "waits for its first value")


def test_where_nothing_at_all_is_known_nobody_looked() -> None:
    """Not even of the host: the sidecar was away, or its records are lost."""
    days = busy()
    before = days.evaluation.value
    days.each(days.now + 12 * BUCKET, lambda _: [])
    assert (days.evaluation.value, days.told) == (before, [])


def test_no_requests_are_zero_requests() -> None:
    """Of a service that was there before."""
    days = busy()
    days.each(days.now + BUCKET, lambda at: [used(at, "host.disk", 0.5)])
    assert days.evaluation.value == 0.0
    assert days.told == [f"{WEEK + DAY + BUCKET} firing medium"]


def test_where_nobody_looked_nothing_is_zero() -> None:
    """Buckets that touch the time of a restart are left out, and what came in them too."""
    days = busy()
    gap = 2 * HOUR + 100
    days.again().judging.postpone(gap * 1_000_000_000)
    days.judging.take(counted(days.now + BUCKET, 7))
    days.now += 2 * HOUR
    days.each(days.now + BUCKET, times(0.1))
    assert days.evaluation.value == pytest.approx(1.0, abs=0.2)
    days.each(days.now + BUCKET, times(1.02))
    assert days.evaluation.value == pytest.approx(1.02)
    assert days.told == []


def test_time_in_which_nobody_looked_ends_no_incident() -> None:
    """Its six hours go on where they were."""
    days = busy().each(WEEK + DAY + HOUR, times(5))
    days.again().judging.postpone(8 * HOUR * 1_000_000_000)
    days.now += 8 * HOUR
    days.each(days.now + HOUR, times(5))
    assert len(days.told) == 1
    days.each(days.now + 6 * HOUR, times(5))
    assert len(days.told) == 2


def test_a_bucket_is_judged_40_seconds_after_its_end() -> None:
    """When its last minute has been closed."""
    days = Days("cpu", minimum_count=1)
    days.tick(10)
    days.judging.take(used(30, "host.cpu", 0.5))
    days.tick(330)
    assert days.evaluation.value is None
    days.tick(340)
    assert (days.evaluation.value, days.evaluation.time_unix_nano) == (0.5, nano(340))
    days.tick(350)
    assert days.evaluation.time_unix_nano == nano(350)


def test_what_comes_after_its_bucket_was_judged_is_counted() -> None:
    """And changes nothing."""
    days = busy()
    before = days.evaluation.value
    days.judging.take(counted(days.now - 30, 1_000_000))
    days.tick(days.now + 100)
    assert (days.judging.late, days.evaluation.value) == (1, before)


def test_too_few_samples_wait_for_more() -> None:
    """Up to an hour; then what little there was says nothing."""
    days = Days("response_time_p95")
    few = lambda at: [requests(at, [0.2] * 12)]  # noqa: E731
    days.each(2 * BUCKET, few)
    assert days.evaluation.value is None
    days.each(3 * BUCKET, few)
    assert (days.evaluation.value, days.evaluation.samples, days.evaluation.window_seconds) == (0.2, 36, 900)
    days.each(3 * BUCKET + 2 * HOUR, lambda at: [requests(at, [0.2])])
    assert (days.evaluation.value, days.evaluation.band) == (None, "no data")
    assert days.evaluation.detail == "learning, day 1 of 7; 12 samples of at least 30 within an hour"


@pytest.mark.parametrize(
    ("watch", "summaries", "value", "unit"),
    [
        ("response_time_p95", [requests(0, [0.1] * 90), requests(60, [2.0] * 10, route="/b")], 2.0, "s"),
        ("error_rate", [counted(0, 50, errors=5), counted(60, 50, errors=0, route="/b")], 0.05, "ratio"),
        ("cpu", [used(0, "host.cpu", 0.2, 0.4), used(60, "host.cpu", 0.6)], 0.4, "ratio"),
        ("memory", [used(0, "host.memory", 0.5, 0.5), used(60, "host.memory", 0.8)], 0.6, "ratio"),
        (
            "sync_duration",
            [events(0, "fossa.work_order.sync", [10, 20, 0, 0]), events(0, "work_order.sync", [30])],
            20.0,
            "s",
        ),
        ("automation_success", [events(0, "form_automation.job", [1] * 10, errors=2)], 0.8, "ratio"),
    ],
)
def test_what_is_watched_by_default(watch: str, summaries: list[Any], value: float, unit: str) -> None:
    """Each from rollups of its own indicator; others do not disturb it."""
    days = Days(watch)
    strangers = [events(0, "other", [5] * 100, errors=100), used(0, "host.disk", 0.9)]
    days.each(BUCKET, lambda _: [*summaries, *strangers])
    assert days.evaluation.value == pytest.approx(value, rel=0.02)
    assert (days.evaluation.unit, days.evaluation.rule) == (unit, f"anomaly.{watch}")


def test_events_that_took_no_time_have_no_duration() -> None:
    """Moments among them would make every median 0."""
    days = Days("own", indicator="events", statistic="p50")
    days.each(BUCKET, lambda at: [events(at, "work_order.sync", [8, 9, 10, 0, 0, 0, 0])])
    assert (days.evaluation.value, days.evaluation.samples) == (pytest.approx(9, rel=0.02), 3)


def test_failed_logins_are_counted_and_their_absence_is_zero() -> None:
    """Successful ones say that there might have been some."""
    days = Days("failed_logins").each(
        2 * BUCKET, lambda at: [events(at, "auth.login", [0] * 9, errors=4), events(at, "data.export", [0], errors=1)]
    )
    assert days.evaluation.value == 4
    assert days.each(3 * BUCKET, lambda at: [used(at, "host.disk", 0.5)]).evaluation.value == 0


def test_a_handful_of_failed_logins_is_no_anomaly() -> None:
    """Twice as many as ever is still few: a change below `least_change` has no weight."""
    logins = lambda failed: lambda at: [events(at, "auth.login", [0] * 20, errors=failed)]  # noqa: E731
    days = Days("failed_logins").each(WEEK + DAY, logins(0))
    days.each(days.now + BUCKET, logins(1)).each(days.now + HOUR, logins(0))
    assert days.told == []
    days.each(days.now + BUCKET, logins(20))
    assert [line.split()[1] for line in days.told] == ["firing"]


def test_a_service_is_one_series_and_routes_are_by_choice() -> None:
    """Each is judged by its own past."""
    both = lambda at: [counted(at, 300), counted(at, 30, route="/rare"), counted(at, 5, service="other")]  # noqa: E731
    assert [one.key for one in Days("request_rate").each(BUCKET, both).evaluations] == [
        (("service.name", "app"),),
        (("service.name", "other"),),
    ]
    routes = Days("request_rate", {"by_route": ["request_rate"]}).each(2 * BUCKET, both)
    assert {one.key[-1][1]: one.value for one in routes.evaluations if len(one.key) > 1 and one.key[0][1] == "app"} == {
        "/orders": 1.0,
        "/rare": 0.1,
    }
    assert len(routes.evaluations) == 5


def test_there_is_room_for_so_many_series() -> None:
    """What is beyond is counted."""
    days = Days("request_rate", {"max_series": 2})
    days.each(BUCKET, lambda at: [counted(at, 1, service=f"service {number}") for number in range(5)])
    assert (len(days.evaluations), days.judging.overflowed) == (2, 3)


def test_only_minutes_count() -> None:
    """Hours and days say the same again."""
    days = Days("request_rate")
    days.each(2 * BUCKET, lambda at: [counted(at, 300), counted(at, 300)._replace(resolution="1h")])
    assert days.evaluation.value == 1.0


def test_while_frozen_detectors_learn_and_nothing_is_told() -> None:
    """As when history is read."""
    days = Days("request_rate").each(WEEK + DAY, traffic(), frozen=True)
    days.each(days.now + BUCKET, times(5), frozen=True)
    assert (days.told, days.evaluation.band) == ([], "warning")
    days.each(days.now + HOUR, times(1)).each(days.now + BUCKET, times(20))
    assert [line.split()[1] for line in days.told] == ["firing"]


@pytest.mark.untraced
def test_a_restart_changes_nothing() -> None:
    """In the middle of a bucket, of learning or of an incident."""
    whole = busy().each(WEEK + DAY + HOUR, times(5)).each(WEEK + DAY + 2 * HOUR, times(1))
    parts = Days("request_rate")
    make = traffic()
    for until in (BUCKET, DAY, WEEK + DAY):
        parts.each(until, make).again()
    parts.each(WEEK + DAY + HOUR, times(5)).again().judging.take(counted(parts.now, 300))
    parts.again().tick(parts.now + 100)
    parts.now -= 100
    parts.each(parts.now + BUCKET, lambda _: []).again().each(WEEK + DAY + 2 * HOUR, times(1))
    assert parts.told == whole.told
    assert parts.evaluations == whole.evaluations


def test_a_watch_that_measures_something_else_begins_anew() -> None:
    """What was usual of one thing says nothing of another; a changed bound alone forgets nothing."""
    days = busy(DAY)
    state = orjson.loads(orjson.dumps(days.judging.to_state()))
    for change, series in (({"least_change": 1}, 1), ({"statistic": "count"}, 0), ({"enabled": False}, 0)):
        judging = AnomalyJudging(AnomalySettings.model_validate({"watches": {"request_rate": change}}))
        judging.restore(state)
        assert len(judging.judge(nano(days.now + 50), frozen=False)[0]) == series


def test_a_clock_that_is_set_back_is_no_gap_and_no_flood() -> None:
    """Judging goes on from the earlier time."""
    days = busy()
    days.judging.take(counted(days.now, 1_000_000))
    days.judging.take(counted(days.now - 2 * HOUR + BUCKET, 1_000_000))
    days.judging.postpone(-2 * HOUR * 1_000_000_000)
    days.now -= 2 * HOUR
    days.each(days.now + 2 * HOUR + BUCKET, times(1.01))
    assert (days.told, days.evaluation.value, days.judging.late) == ([], pytest.approx(1.01), 1)


def test_descriptions_tell_what_to_do_next() -> None:
    """One for each watch."""
    judging = AnomalyJudging(AnomalySettings())
    described = {one.name: one for one in judging.descriptions}
    assert list(described) == [f"anomaly.{name}" for name in AnomalySettings().watches]
    for name, one in described.items():
        assert one.bounds == ("score >= 0.8",)
        assert one.labels == {"category": "anomaly"}
        assert one.next_steps[-1] == f"forecourt runbook alert {name}"
        assert all(step.startswith("forecourt ") for step in one.next_steps)
    assert AnomalyJudging(AnomalySettings(enabled=False)).descriptions == ()


def test_a_tick_without_a_bucket_costs_next_to_nothing_and_a_series_stays_small() -> None:
    """Under 10 KB in the state; the detector is a fifth of that."""
    days = busy(WEEK, learning="1days")
    (series,) = orjson.loads(orjson.dumps(days.judging.to_state()))["series"]
    assert len(orjson.dumps(series)) < 10_000
    p95 = Days("response_time_p95").each(DAY, lambda at: [requests(at, [0.001 * 1.1**n for n in range(90)])])
    (series,) = orjson.loads(orjson.dumps(p95.judging.to_state()))["series"]
    assert len(orjson.dumps(series)) < 10_000


def test_a_key_of_labels_that_a_watch_has_no_more_is_forgotten() -> None:
    """Its silence would be no requests."""
    labels = [*REQUEST_LABELS]
    by_route = Days("request_rate", by=labels).each(WEEK + DAY, traffic())
    by_service = Days("request_rate")
    by_service.judging.restore(orjson.loads(orjson.dumps(by_route.judging.to_state())))
    by_service.now = by_route.now
    by_service.each(by_service.now + 4 * BUCKET, traffic())
    assert by_service.told == []
    assert [one.key for one in by_service.evaluations] == [(("service.name", "app"),)]


def test_who_has_long_been_silent_makes_room() -> None:
    """A client that calls itself something else each time keeps nobody from being watched."""
    days = Days("request_rate", {"max_series": 3})
    names = iter(range(100))
    days.each(3 * BUCKET, lambda at: [counted(at, 9, service=f"job-{next(names)}")])
    days.each(4 * BUCKET, lambda at: [counted(at, 300)])
    assert days.judging.overflowed == 1
    days.each(4 * HOUR, lambda at: [counted(at, 300), counted(at, 9, service="job-0")])
    assert (("service.name", "app"),) in [one.key for one in days.evaluations]
