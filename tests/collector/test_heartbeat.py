"""The dead man's switch: pinged while all is well, whatever fires, and not when something stands still."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alerting.channels import ChannelError
from alerting.dead_mans_switch import DeadMansSwitch
from alerting.settings import DeadMansSwitchSettings
from collector.progress import Progress
from storage import StoreStatistics
from tests.support.notifications import Asked, answering
from tests.support.notifying import wait
from tests.support.sidecar import Sidecar

NANO = 1_000_000_000
START = 1_795_435_200 * NANO
STATISTICS = StoreStatistics(0, {"traces": 100}, {}, {}, 0, 0, 0, 0, None)


class Judging:
    """What progress asks of the judge."""

    failed = False

    def __init__(self) -> None:
        self.judgement = self
        self.tick_unix_nano = START


class Course:
    """A sidecar's progress over time, without the sidecar."""

    def __init__(self) -> None:
        self.now = START
        self.statistics = STATISTICS
        self.judge: Any = Judging()
        self.progress = Progress(lambda: self.statistics, self.judge, clock=lambda: self.now)

    def pass_by(self, seconds: int, *, beats: bool = True, judges: bool = True) -> str:
        for _ in range(seconds):
            self.now += NANO
            if beats:
                self.progress.beat()
            if judges:
                self.judge.tick_unix_nano = self.now - self.now % (10 * NANO)
            problem = self.progress.problem()
        return problem


def test_an_idle_sidecar_is_well() -> None:
    """Nothing comes, nothing waits to be synced."""
    assert Course().pass_by(600) == ""


def test_a_loop_that_stands_still_is_noticed() -> None:
    """After two ticks."""
    course = Course()
    assert course.pass_by(24, beats=False) == ""
    assert course.pass_by(10, beats=False) == "receiving has stood still for 34 s"
    assert course.pass_by(1) == ""


def test_judging_that_stands_still_or_has_failed_is_noticed() -> None:
    """However busy the rest is."""
    course = Course()
    assert course.pass_by(34, judges=False) == "judging stands still"
    assert course.pass_by(10) == ""
    course.judge.failed = True
    assert course.pass_by(1) == "judging stands still"


def test_syncing_that_stands_still_is_noticed() -> None:
    """Where something waits and nothing is written, or the disk refuses."""
    course = Course()
    course.statistics = replace(STATISTICS, queue_bytes=10)
    assert course.pass_by(24) == ""
    assert course.pass_by(10).startswith("nothing was synced for ")
    course.statistics = replace(STATISTICS, queue_bytes=10, written_bytes={"traces": 200})
    assert course.pass_by(1) == ""
    course.statistics = replace(STATISTICS, failure="no space left on device")
    assert course.pass_by(1) == "the store refuses writes: no space left on device"


def test_it_is_pinged_at_its_interval_and_sooner_after_a_failure() -> None:
    """A clock that was set back makes it due."""
    switch = DeadMansSwitch(DeadMansSwitchSettings.model_validate({"url": "http://127.0.0.1:9/", "interval": "5min"}))
    assert switch.due(START)
    switch.pinged(START, well=True)
    assert not switch.due(START + 299 * NANO)
    assert switch.due(START + 300 * NANO)
    assert switch.due(START - 3600 * NANO)
    switch.pinged(START, well=False)
    assert not switch.due(START + 9 * NANO)
    assert switch.due(START + 10 * NANO)
    with pytest.raises(ChannelError, match="can't be reached"):
        switch.ping()
    assert not DeadMansSwitch(DeadMansSwitchSettings()).configured


def test_a_running_sidecar_pings(tmp_path: Any) -> None:
    """A GET of the address, as Healthchecks wants it; again when the first was refused."""
    asked: list[Asked] = []

    def answer(one: Asked) -> tuple[int, dict[str, str], bytes]:
        asked.append(one)
        return (500 if len(asked) == 1 else 200), {}, b"OK"

    with answering(answer) as url:
        switch = {"url": f"{url}/ping/5d3b", "interval": "10s"}
        sidecar = Sidecar(tmp_path, {"alerting": {"dead_mans_switch": switch}})
        with sidecar:
            wait(lambda: len(asked) == 2, 30)
        assert "the dead man's switch answered 500: OK" in "".join(sidecar.output)
    assert {(one.method, one.path) for one in asked} == {("GET", "/ping/5d3b")}
