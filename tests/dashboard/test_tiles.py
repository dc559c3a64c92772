"""Each indicator of the runbook has a tile with its worst key: as judged now, or as the records tell of then."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.engine import Engine
from analysis.period import HOUR_NANO, MINUTE_NANO
from collector.value_history import ValueHistory
from dashboard.tiles import SHOWN, TITLES, Tile, live_tiles, recorded_tiles
from processors.evaluation import Evaluation
from processors.histogram import RELATIVE_ERROR, of_values
from processors.rules import Rule, compile_rules
from processors.settings import ThresholdSettings
from processors.window import OVERFLOW_LABEL
from storage.value_rows import recorded_values
from tests.dashboard.standing import judged, state_of
from tests.support.stored import store
from tests.support.week import END, HOUR, NANO, OUTAGE, SERVICE, SLOW, START, Week

NOW = END * NANO


def rules(**given: Any) -> Mapping[str, Rule]:
    return {one.name: one for one in compile_rules(ThresholdSettings.model_validate({"rules": given}))[0]}


def live(*evaluations: Evaluation, **given: Any) -> dict[str, Tile]:
    return {one.rule: one for one in live_tiles(rules(**given), [one.to_json() for one in evaluations], [], NOW)}


@pytest.fixture(scope="module")
def engine(week: Week) -> Engine:
    return Engine(week.logs, None)


def recorded(engine: Engine, end: float, **given: Any) -> dict[str, Tile]:
    return {one.rule: one for one in recorded_tiles(engine, rules(**given), int(end) * NANO)}


def test_every_indicator_has_its_tile_in_the_runbooks_order() -> None:
    """Also those that nothing has measured, with their first bound."""
    found = list(live().values())
    assert [one.rule for one in found] == list(SHOWN)
    assert [one.title for one in found] == list(TITLES.values())
    assert {(one.value, one.band, one.detail, one.course, one.others) for one in found} == {
        (None, "no data", "nothing measured", (), 0)
    }
    assert (found[0].bound, found[0].unit) == ("warning > 3s", "s")


def test_a_rule_that_is_off_has_no_tile() -> None:
    """Nobody judges it."""
    assert "host.cpu" not in live(**{"host.cpu": {"enabled": False}})


def test_the_worst_key_stands_for_all() -> None:
    """By band first, then by how far it has gone; the number of the others is told."""
    disks = [
        judged("host.disk", 0.20, of="/"),
        judged("host.disk", 0.81, "warning", of="/data"),
        judged("host.disk", 0.85, "warning", of="/logs"),
        judged("host.disk", None, "no data", of="/gone"),
    ]
    tile = live(*disks)["host.disk"]
    assert (tile.key, tile.value, tile.band, tile.bound, tile.others) == (
        {"system.filesystem.mountpoint": "/logs"},
        0.85,
        "warning",
        "warning > 80%",
        3,
    )
    calm = live(*(judged("host.disk", value, of=f"/{value}") for value in (0.1, 0.6, 0.3)))["host.disk"]
    assert (calm.value, calm.band, calm.bound, calm.others) == (0.6, "normal", "warning > 80%", 2)


def test_where_less_is_worse_the_least_stands_for_all() -> None:
    """A share of successes."""
    syncs = [judged("work_order.sync.success_rate", value, of=str(value)) for value in (0.99, 0.985, 1.0)]
    tile = live(*syncs, **{"work_order.sync.success_rate": {"by": ["service.name"]}})["work_order.sync.success_rate"]
    assert (tile.value, tile.band, tile.bound) == (0.985, "normal", "warning < 98%")


@pytest.mark.parametrize(
    ("value", "band", "bound"),
    [
        (1.0, "normal", "warning > 3s"),
        (4.0, "warning", "warning > 3s"),
        (2.5, "warning", "warning > 3s"),
        (12.0, "critical", "critical > 10s"),
        (12.0, "normal", "warning > 3s"),
        (None, "no data", "warning > 3s"),
    ],
)
def test_the_band_is_that_of_the_judge(value: float | None, band: str, bound: str) -> None:
    """It knows what has not cleared yet, and what rests on too little to be told of."""
    tile = live(judged("http.server.p95", value, band))["http.server.p95"]
    assert (tile.value, tile.band, tile.bound) == (value, band, bound)


def test_the_worst_of_two_critical_bounds_is_named() -> None:
    """The error rate has two: what is beyond both is beyond the further one."""
    tile = live(judged("http.server.error_rate", 0.2, "critical"))["http.server.error_rate"]
    assert tile.bound == "critical > 10%"
    assert live(judged("http.server.error_rate", 0.07, "critical"))["http.server.error_rate"].bound == "critical > 5%"


def test_the_course_is_that_of_the_key_in_the_last_hour(tmp_path: Path) -> None:
    """Minute by minute as the collector kept it, up to now, with a gap where nothing was measured."""
    history = ValueHistory()
    for minutes, value in ((70, 0.9), (59, 0.25), (2, 0.5), (0, 0.75)):
        at = NOW - minutes * MINUTE_NANO + 10 * NANO
        history.take([judged("host.disk", value, of="/", time_unix_nano=at)])
        history.take([judged("host.disk", 0.1, of="/data", time_unix_nano=at)])
    with closing(state_of(tmp_path)) as state:
        history.save(state)
        kept = recorded_values(state)
    told = [one.to_json() for one in (judged("host.disk", 0.75, of="/"), judged("host.disk", 0.1, of="/data"))]
    tile = {one.rule: one for one in live_tiles(rules(), told, kept, NOW + 30 * NANO)}["host.disk"]
    assert tile.course == (0.25, *(None,) * 56, 0.5, None, 0.75)


def test_of_a_time_that_is_over_the_rollups_tell(week: Week, engine: Engine) -> None:
    """The value is that of the last window before the end, as the rule measures it."""
    end = SLOW[1]
    slow = [one.seconds for one in week.requests if end - 300 <= one.at < end]
    tile = recorded(engine, end, **{"http.server.p95": {"minimum_count": 1}})["http.server.p95"]
    exact = float(np.quantile(slow, 0.95, method="inverted_cdf"))
    assert tile.value == pytest.approx(exact, rel=3 * RELATIVE_ERROR)
    assert tile.band == ("critical" if exact > 10 else "warning")
    assert exact > 3
    assert (tile.key, tile.others, tile.detail) == ({"service.name": SERVICE}, 0, "")


def test_what_rests_on_too_few_requests_has_no_value(engine: Engine) -> None:
    """The recorded week has one request in 45 s, and the rule needs thirty."""
    tile = recorded(engine, SLOW[1])["http.server.p95"]
    assert (tile.value, tile.band) == (None, "no data")
    assert len(tile.course) == 60


def test_a_value_that_has_left_its_window_is_none(tmp_path: Path) -> None:
    """As the judge has it: a quarter of an hour after the last request nobody knows how long one takes."""
    minutes = {minute: minute for minute in range(10, 41)}
    engine = rolled_up(tmp_path, "host.memory", {"host.name": "a"}, minutes)
    at = {end: recorded(engine, START + end * 60)["host.memory"] for end in (41, 44, 46, 60)}
    assert [(tile.value, tile.band) for tile in at.values()] == [
        (0.38, "normal"),
        (0.38, "normal"),
        (None, "no data"),
        (None, "no data"),
    ]
    assert at[60].key == {"host.name": "a"}


def test_the_course_of_then_has_its_gaps(tmp_path: Path) -> None:
    """Each minute of the hour in its place, also where none was measured."""
    engine = rolled_up(tmp_path, "host.memory", {"host.name": "a"}, {**dict.fromkeys(range(5), 10), 50: 20})
    course = recorded(engine, START + 3600, **{"host.memory": {"minimum_count": 1}})["host.memory"].course
    known = {minute: value for minute, value in enumerate(course) if value is not None}
    assert known == pytest.approx({**dict.fromkeys(range(9), 0.1), 50: 0.2})
    assert len(course) == 60


def test_what_had_no_room_for_a_key_has_none(tmp_path: Path) -> None:
    """No machine is called "true"."""
    engine = rolled_up(tmp_path, "host.memory", {OVERFLOW_LABEL: "true"}, dict.fromkeys(range(10), 10))
    tile = recorded(engine, START + 600)["host.memory"]
    assert (dict(tile.key), tile.band) == ({}, "normal")
    assert tile.value == pytest.approx(0.1)


def test_a_rate_by_too_few_failures_is_told_and_in_no_band(tmp_path: Path) -> None:
    """Four of twenty are a fifth, not nothing, and no reason to call anybody."""
    key = {"service.name": "app", "http.request.method": "GET", "http.route": "/"}
    engine = rolled_up(tmp_path, "http.server.response_time", key, dict.fromkeys(range(20), 10), errors=4)
    tile = recorded(engine, START + 20 * 60)["http.server.error_rate"]
    assert (tile.value, tile.band, tile.bound) == (0.2, "normal", "warning > 1%")


def rolled_up(folder: Path, indicator: str, key: dict[str, str], percents: dict[int, int], errors: int = 0) -> Engine:
    """One sample in each of these minutes after the beginning of the week, the first of them failed."""
    times = [START * NANO + minute * MINUTE_NANO for minute in percents]
    lines = [
        {
            "time_unix_nano": at,
            "received_unix_nano": at,
            "indicator": indicator,
            "key": key,
            "errors": int(number < errors),
            "histogram": of_values([percent / 100]).to_json(),
        }
        for number, (at, percent) in enumerate(zip(times, percents.values(), strict=True))
    ]
    store(folder, "rollups", *lines)
    return Engine(folder)


def test_disks_are_told_apart(week: Week, engine: Engine) -> None:
    """By host and mount point, with the values of the whole hour."""
    end = START + 5 * 86_400
    tile = recorded(engine, end, **{"host.disk": {"minimum_count": 1}})["host.disk"]
    (last,) = [value for at, value in week.disk if end - 300 <= at < end]
    assert tile.value == pytest.approx(last)
    assert (tile.key, tile.band, tile.bound, tile.unit) == (
        {"host.name": "host", "system.filesystem.mountpoint": "/"},
        "normal",
        "warning > 80%",
        "ratio",
    )
    known = [one for one in tile.course if one is not None]
    hour = [value for at, value in week.disk if end - HOUR <= at < end]
    assert [min(known), max(known)] == pytest.approx([min(hour), max(hour)])


def test_failures_of_then_are_in_their_band(engine: Engine) -> None:
    """In the middle of the outage every request failed."""
    given = {"http.server.error_rate": {"minimum_count": 1, "minimum_failures": 1}}
    tile = recorded(engine, OUTAGE[1], **given)["http.server.error_rate"]
    assert (tile.value, tile.band, tile.bound) == (1.0, "critical", "critical > 10%")
    before = recorded(engine, OUTAGE[0] - 60, **given)["http.server.error_rate"]
    assert before.value is not None
    assert before.value < 1


def test_what_no_rollup_tells_has_no_value(engine: Engine) -> None:
    """Success rates of the business are kept by the sidecar alone; nothing was recorded before the week."""
    found = recorded(engine, END)
    assert (found["form_automation.success_rate"].value, found["auth.success_rate"].band) == (None, "no data")
    before = recorded_tiles(engine, rules(), START * NANO - HOUR_NANO)
    assert {(one.value, one.band) for one in before} == {(None, "no data")}
    assert [one.rule for one in before] == list(SHOWN)
