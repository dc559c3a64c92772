"""A deployment is a start with another version, whether its service stopped before or runs on beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.deployments import Deployment, deployments, versions
from analysis.engine import Engine
from analysis.period import DAY_NANO, HOUR_NANO, Period
from tests.support.course import Course, log, nano, point
from tests.support.stored import HOUR, store

PERIOD = Period(HOUR, HOUR + HOUR_NANO)


def started(version: Any, at: int, service: str = "app", event: str = "service.started", **more: Any) -> dict[str, Any]:
    attributes = {"service.version": version, **more}
    return {"event": event, "time_unix_nano": HOUR + at, "service": service, "attributes": attributes}


def changed(version: Any, before: Any, at: int, service: str = "app") -> dict[str, Any]:
    return started(version, at, service, "service.version_changed", **{"service.version.before": before})


def told(folder: Path, *records: dict[str, Any]) -> list[tuple[int, str, str, str]]:
    found = deployments(Engine(store(folder, "system", *records)), PERIOD)
    return [(one.time_unix_nano - HOUR, one.service, one.version, one.previous) for one in found]


def test_a_new_version_beside_the_old_one_is_told_once(tmp_path: Path) -> None:
    """As the judge tells it: by its first start, not by those of the other processes."""
    records = (started("1", 1), started("2", 5), changed("2", "1", 5), started("2", 6), started("2", 7))
    assert told(tmp_path, *records) == [(5, "app", "2", "1")]


def test_a_service_that_stopped_before_its_new_version_started_is_told_too(tmp_path: Path) -> None:
    """The usual restart: the judge knows no other version then; a restart of the same version is nothing new."""
    stop = {"event": "fossa.service.stopped", "time_unix_nano": HOUR + 3, "attributes": {}}
    records = (started("1", 1), stop, started("2", 5), started("2", 6, event="service.restarted"), started("1", 9))
    assert told(tmp_path, *records) == [(9, "app", "1", "2"), (5, "app", "2", "1")]


def test_what_ran_before_the_period_is_known_for_thirty_days(tmp_path: Path) -> None:
    """Else the only change of a day would be a first start; and a first start is no change."""
    before = (started("0", -29 * DAY_NANO), started("1", -28 * DAY_NANO), started("0", -31 * DAY_NANO, "new"))
    records = (*before, started("2", 5), started("1", 6, "new"), started("9", 2 * HOUR_NANO))
    assert told(tmp_path, *records) == [(5, "app", "2", "1")]


def test_what_the_judge_knew_before_is_taken_from_it(tmp_path: Path) -> None:
    """Where no start of the old version is recorded any more."""
    records = (started("2", 5), changed("2", "1", 5), started("2", 6, "web"), changed("2", None, 6, "web"))
    assert told(tmp_path, *records) == [(6, "web", "2", ""), (5, "app", "2", "1")]


def test_the_version_that_started_last_is_the_one_that_runs(tmp_path: Path) -> None:
    store(
        tmp_path,
        "system",
        started("1", -DAY_NANO, "old"),
        started("1", 1),
        started("2", 5),
        started("3", 2 * HOUR_NANO),
    )
    assert versions(Engine(tmp_path), PERIOD) == {"old": "1", "app": "2"}
    assert versions(Engine(tmp_path / "none"), PERIOD) == {}


def test_hostile_versions_are_no_more_than_long_names(tmp_path: Path) -> None:
    """Null, empty and of other types; other events say nothing."""
    odd = [started(version, at) for at, version in enumerate([None, "", 1, {"a": 1}, "x" * 10**6])]
    other = {"event": "service.absent", "attributes": {"service.version": "7"}}
    nameless = {**started("1", 8), "service": None}
    found = told(tmp_path, *odd, other, {"event": None, "attributes": None}, nameless, started("2", 9))
    assert found == [
        (9, "app", "2", "x" * 256),
        (4, "app", "x" * 256, '{"a":1}'),
        (3, "app", '{"a":1}', "1"),
    ]


def test_it_is_what_judging_writes(tmp_path: Path) -> None:
    """Of an app that says that it stops, and comes back with another version."""
    one, other = (
        {"service.instance.id": name, "service.version": version} for name, version in (("a", "1"), ("b", "2"))
    )
    stop = log(60, event_name="fossa.service.stopped", attributes={"event.outcome": "success"}, resource=one)
    judged = Course("service.absent").feed([point(1, "m", {"value": 1}, resource=one), stop], until=100)
    judged.feed([point(101, "m", {"value": 1}, resource=other)], until=200)
    engine = Engine(store(tmp_path, "system", *judged.lines()["system"]))
    assert deployments(engine, PERIOD) == [Deployment(nano(101), "app", "2", "1")]
