"""What of the past, that is sent again, says of which services are there now."""

from __future__ import annotations

from typing import Any

from processors.presence import HEARTBEAT_METRIC
from tests.support.course import Course, log, point, request

RESOURCE = {"service.instance.id": "one", "telemetry.distro.name": "forecourt"}


def beat(at: float, behind: float = 0.0) -> Any:
    return point(at - behind, HEARTBEAT_METRIC, {"value": 1}, received=at, resource=RESOURCE)


def test_a_replay_of_the_past_begins_no_watch() -> None:
    """Its end is no silence of the service; that its times are behind is told once, however they vary a little."""
    replayed = Course("service.absent")
    replayed.each(0, 600, lambda at: beat(at, 566 + at // 60 % 2 * 3), 10)
    replayed.feed([request(at - 566, received=at, resource=RESOURCE) for at in range(600, 660)])
    replayed.feed([log(at - 566, received=at, resource=RESOURCE) for at in range(660, 720)], until=3600)
    assert (replayed.told, replayed.keys) == ([], set())
    assert [line["event"] for line in replayed.lines()["system"]] == ["clock.skewed"]


def test_a_backlog_keeps_a_known_service_present() -> None:
    """Who sends what waited in its spool is there."""
    away = Course("service.absent").each(0, 600, beat, 10)
    away.each(600, 1200, lambda at: beat(at, 300), 10)
    assert (away.told, away.keys) == ([], {("app",)})
    assert away.feed([], until=1500).told == ["1320 firing critical"]


def test_a_record_without_a_time_tells_of_now() -> None:
    """Some senders give none."""
    timeless = Course("service.absent")
    timeless.each(0, 600, lambda at: beat(at)._replace(time_unix_nano=0), 10)
    assert timeless.feed([], until=900).told == ["720 firing critical"]
