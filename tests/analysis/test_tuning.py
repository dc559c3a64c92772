"""What a rule would have measured, minute by minute, and bounds that cry less and are never stricter."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import orjson
import pytest

from analysis.engine import Engine
from analysis.period import DAY_NANO, MINUTE_NANO, Period
from analysis.tuning import Course, Proposal, Value, can_be_tuned, courses, propose
from analysis.what_if import firings
from processors.histogram import Histogram
from processors.rules import Rule, compile_rules
from processors.settings import ThresholdSettings

START = 1_795_435_200 * 1_000_000_000
"""2026-11-23T12:00:00Z."""
WEEK = Period(START, START + 7 * DAY_NANO)


def rule(**given: Any) -> Rule:
    defaults: dict[str, Any] = {
        "indicator": "http.server.response_time",
        "statistic": "p95",
        "window": "5min",
        "minimum_count": 1,
        "for": "0s",
        "bands": [{"level": "warning", "when": "> 3s", "severity": "low"}],
    }
    settings = ThresholdSettings.model_validate({"rules": {"mine": {**defaults, **given}}})
    return next(one for one in compile_rules(settings)[0] if one.name == "mine")


def measured(values: list[float | None]) -> list[Course]:
    """Minute by minute."""
    told = tuple(Value(START + number * MINUTE_NANO, value) for number, value in enumerate(values))
    return [Course(("app",), told)]


def proposed(values: list[float | None], a_week: float = 1.0, **given: Any) -> Proposal:
    return propose(rule(**given), measured(values), WEEK, a_week)


def bounds(proposal: Proposal) -> list[str]:
    return [str(band.when) for band in proposal.bands]


def spikes(usual: float, peaks: list[float]) -> list[float | None]:
    """Each peak a minute, with half an hour of the usual between."""
    return [value for peak in peaks for value in (*itertools.repeat(usual, 30), peak)]


@pytest.mark.parametrize(
    ("given", "usual", "peaks", "expected"),
    [
        ({}, 1.0, [4.0, 5.0, 6.0, 3.5], "> 5.4s"),
        ({"bands": [{"level": "warning", "when": "> 100ms", "severity": "low"}]}, 0.05, [0.15, 0.2, 0.3], "> 200ms"),
        (
            {"statistic": "ratio", "indicator": "http.server.errors", "bands": [
                {"level": "warning", "when": "> 1%", "severity": "low"}]},
            0.001, [0.02, 0.03, 0.04], "> 3.2%",
        ),
        (
            {"statistic": "count", "bands": [{"level": "warning", "when": "< 10", "severity": "low"}]},
            50.0, [9.0, 7.0, 3.0], "< 6.8",
        ),
    ],
)  # fmt: skip
def test_bounds_move_away_until_they_cry_seldom_enough(
    given: dict[str, Any], usual: float, peaks: list[float], expected: str
) -> None:
    """As little as that takes, in the unit in which they were written."""
    found = proposed(spikes(usual, peaks), **given)
    assert (found.before, found.after, bounds(found)) == (len(peaks), 1, [expected])


@pytest.mark.parametrize("when", ["> 99.5%", "> 0%", "< 0%"])
def test_a_bound_that_can_go_no_further_stays(when: str) -> None:
    """Neither stricter, nor a fault."""
    bands = [{"level": "warning", "when": when, "severity": "low"}]
    usual, peak = (0.5, 1.0) if when != "> 0%" else (0.0, 0.1)
    found = proposed(spikes(usual, [peak] * 4), statistic="ratio", indicator="http.server.errors", bands=bands)
    assert (bounds(found), found.after) == ([when], found.before)


def test_alerts_are_not_made_fewer_by_one_that_never_ends() -> None:
    """A stricter bound would join these four to one."""
    bands = [{"level": "warning", "when": "> 99.5%", "severity": "low"}]
    found = proposed([1.0, 0.992] * 4, statistic="ratio", indicator="http.server.errors", bands=bands)
    assert (found.before, found.after, bounds(found)) == (4, 4, ["> 99.5%"])


def test_what_clears_an_alert_stays_as_far_from_its_bound() -> None:
    """A wider bound with a lower end would fire on for days."""
    bands = [{"level": "warning", "when": "> 80%", "clear": "< 77%", "severity": "medium"}]
    found = proposed(spikes(0.5, [0.82, 0.84, 0.92]), statistic="mean", indicator="host.disk", bands=bands)
    (band,) = found.bands
    assert (str(band.when), str(band.clear), found.after) == ("> 88%", "< 85%", 1)


def test_a_rule_that_cries_seldom_keeps_its_bounds() -> None:
    found = proposed(spikes(1.0, [4.0]))
    assert (found.before, found.after, bounds(found)) == (1, 1, ["> 3s"])


def rolled_up(folder: Path, minutes: dict[int, tuple[int, int, float]]) -> Engine:
    """By minute: how many requests, how many of them failed, and how long each took."""
    lines = []
    for number, (count, errors, seconds) in minutes.items():
        histogram = Histogram()
        histogram.add(seconds, count)
        start = START + number * MINUTE_NANO
        fields = {"indicator": "http.server.response_time", "resolution": "1min", "count": count, "errors": errors}
        key = {"service.name": "app", "http.request.method": "GET", "http.route": "/"}
        times = {"time_unix_nano": start, "received_unix_nano": start, "service": "app"}
        lines.append(orjson.dumps({**times, **fields, "key": key, "histogram": histogram.to_json()}) + b"\n")
    path = folder / "rollups" / "2026-11-23T12.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"".join(lines))
    return Engine(folder)


def values(folder: Path, minutes: dict[int, tuple[int, int, float]], **given: Any) -> list[float | None]:
    (course,) = courses(rolled_up(folder, minutes), rule(**given), WEEK)
    return [one.value for one in course.values]


def test_a_window_is_the_sum_of_its_minutes_and_no_more(tmp_path: Path) -> None:
    """Of five minutes: at the sixth the first is gone."""
    minutes = {number: (1 if number else 100, 0, 1.0) for number in range(7)}
    assert values(tmp_path, minutes, statistic="count") == [100, 101, 102, 103, 104, 5, 5]


def test_too_little_is_no_value_and_few_failures_are_none(tmp_path: Path) -> None:
    """As the rule is judged live."""
    minutes = {0: (9, 9, 1.0), 1: (2, 0, 1.0), 2: (89, 5, 1.0)}
    ratio = {"statistic": "ratio", "indicator": "http.server.errors", "window": "1min"}
    assert values(tmp_path, minutes, **ratio, minimum_count=9, minimum_failures=5) == [
        1.0,
        None,
        pytest.approx(5 / 89),
    ]
    bands = [{"level": "warning", "when": "> 1%", "severity": "low"}]
    mine = rule(**ratio, minimum_count=9, minimum_failures=6, bands=bands)
    (few,) = courses(rolled_up(tmp_path / "few", minutes), mine, WEEK)
    assert [(one.value, one.weak) for one in few.values] == [(1.0, False), (None, False), (5 / 89, True)]
    assert [one.end_unix_nano for one in firings([few], mine, mine.bands)] == [START + 3 * MINUTE_NANO]


def test_where_a_window_has_too_little_the_wider_one_counts(tmp_path: Path) -> None:
    """As it does live: two requests a minute are enough within the hour, and what fails of them is seen."""
    minutes = {number: (2, int(20 <= number < 40), 1.0) for number in range(90)}
    ratio = {"statistic": "ratio", "indicator": "http.server.errors", "window": "5min", "widen_to": "1h"}
    found = values(tmp_path, minutes, **ratio, minimum_count=20, minimum_failures=5)
    assert found[:9] == [None] * 9
    assert (found[9], found[19], found[29], found[39]) == (0.0, 0.0, 10 / 60, 20 / 80)
    assert (found[79], found[89]) == (20 / 120, 10 / 120)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, True),
        ({"statistic": "ratio", "indicator": "http.server.errors", "widen_to": "1h"}, True),
        ({"statistic": "rate"}, False),
        ({"statistic": "last"}, False),
        ({"statistic": "mean", "indicator": "http.server.errors"}, False),
        ({"statistic": "ratio", "of": ["http.route = /a"]}, False),
        ({"by": ["service.name", "http.route"]}, False),
        ({"by": ["http.route"]}, False),
        ({"by": []}, False),
        ({"where": ["service.name = app"]}, False),
        ({"window": "50 outcomes"}, False),
        ({"indicator": "host.cpu", "by": ["host.name"], "where": ["service.name = forecourt"]}, True),
        ({"indicator": "host.cpu", "by": ["host.name"], "where": ["host.name = a"]}, False),
        ({"indicator": "auth.logins", "statistic": "ratio"}, False),
    ],
)
def test_what_rollups_can_not_tell_is_not_reckoned(given: dict[str, Any], *, told: bool) -> None:
    """Other keys, a part of the samples, or a statistic that sums have lost: no number is better than another's."""
    assert can_be_tuned(rule(**given)) is told


def test_every_rule_of_the_default_is_told_or_not() -> None:
    """Those of requests, queries, machines and pools are."""
    rules = compile_rules(ThresholdSettings())[0]
    assert {one.name for one in rules if can_be_tuned(one)} == {
        *("http.server.p95", "http.server.p99", "http.server.mean", "http.server.error_rate"),
        *("host.cpu", "host.memory", "host.disk", "db.pool.utilization", "db.query.p95"),
    }
