"""The judges together: spikes that rest on a detector, weeks learnt from files, and replays of them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from alerting.lifecycle import Lifecycle
from alerting.rule_note import note_of
from alerting.settings import FlappingSettings
from collector.learning import learn
from collector.stored_observations import fill_windows
from operations.backtest import Backtest
from operations.period import OpenPeriod
from processors.anomalies.settings import AnomalySettings
from processors.judgement import Judgement
from processors.judges import Judges, JudgesSettings
from processors.judging_settings import JudgingSettings
from processors.rollups import Summary, summary_of_line
from processors.security.settings import SecuritySettings
from processors.settings import ThresholdSettings
from storage.names import hour_of
from tests.processors.anomalies.days import BUCKET, DAY, counted, events, nano
from tests.support.attacks import CHROME
from tests.support.course import event
from tests.support.course import nano as course_nano

LEARNT = 8 * DAY
OTHERS = JudgesSettings(security=SecuritySettings(), anomalies=AnomalySettings())


def _judgement(others: JudgesSettings = OTHERS) -> Judgement:
    return Judgement(ThresholdSettings().model_copy(update={"rules": {}}), others=others)


def _logins(until_unix_nano: int, days: int) -> Iterator[tuple[int, Summary]]:
    """Up to three failed logins in each five minutes: when they are told, and the minute that holds them."""
    chance = random.Random(7)  # noqa: S311  # sample data
    start = until_unix_nano - days * DAY * 10**9
    for bucket in range(days * DAY // BUCKET):
        begin = start + bucket * BUCKET * 10**9
        failed = chance.randrange(4)
        summary = events(0, "fossa.auth.login", [0.0] * (failed + 5), errors=failed)
        yield begin + (BUCKET + 40) * 10**9, summary._replace(start_unix_nano=begin)


def _learnt(judgement: Judgement) -> Judgement:
    for told, summary in _logins(course_nano(0), LEARNT // DAY):
        judgement.judges.take(summary)
        judgement.judges.judge(told, frozen=True)
    return judgement


def _fail(judgement: Judgement, count: int) -> dict[str, Any]:
    """So many people fail once each, wherever they are, in the five minutes after the start."""
    judgement.advance(course_nano(0))
    for number in range(count):
        who = {"user.id": f"user-{number % 7}", "client.address": f"192.0.2.{number}"}
        one = event(60 + number, "auth.login", "failure", **who)
        judgement.advance(one.received_unix_nano)
        judgement.observe(one)
    judgement.advance(course_nano(BUCKET + 60))
    return {one.rule: one for one in judgement.transitions if one.status == "firing"}


@pytest.mark.untraced
def test_a_spike_of_failed_logins_is_what_the_detector_has_not_seen() -> None:
    """Wherever from and whoever: high, where the detector by itself would be medium."""
    told = _fail(_learnt(_judgement()), 40)
    spike, anomaly = told["security.failed_logins.spike"], told["anomaly.failed_logins"]
    assert (spike.severity, spike.key, spike.value) == ("high", (("service.name", "app"),), 40.0)
    assert spike.summary == "40 failed logins within 5 minutes, far more than usual"
    assert anomaly.severity == "medium"


def test_fewer_than_twenty_are_no_spike_nor_are_more_before_anything_is_learnt() -> None:
    assert "security.failed_logins.spike" not in _fail(_learnt(_judgement()), 19)
    assert "security.failed_logins.spike" not in _fail(_judgement(), 40)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ten-days")
    end = nano(0)
    closed = list(_logins(end, 10))
    for bucket in range(-10 * DAY // BUCKET, 0):
        begin, quiet = bucket * BUCKET, -7200 <= bucket * BUCKET < -3600
        summary = counted(begin, 1 if quiet else 300 + bucket % 11)
        closed.append((nano(begin + BUCKET + 30), summary))
    for told, summary in sorted(closed, key=lambda one: one[0]):
        _put(folder, "rollups", told, _line(summary, told))
    for day in range(9):
        login = {"event": "fossa.auth.login", "outcome": "success", "service": "app", "trace_id": ""}
        who = {"user.id": "jo", "client.address": "192.0.2.7", "user_agent.original": CHROME}
        time = nano(-day * DAY - 4000)
        _put(folder, "security", time, {**login, "time_unix_nano": time, "attributes": who})
    return folder


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    """Ten days of rollups and of logins, as a sidecar has left them; on the last one requests stop."""
    return Path(shutil.copytree(recorded, tmp_path / "ten-days"))


def _line(summary: Summary, told: int) -> dict[str, Any]:
    return {"time_unix_nano": summary.start_unix_nano, "service": "forecourt", **summary.fields(), "told": told}


def _put(folder: Path, stream: str, received: int, record: dict[str, Any]) -> None:
    path = folder / stream / f"{hour_of(received)}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as file:
        file.write(orjson.dumps({**record, "received_unix_nano": received}, option=orjson.OPT_APPEND_NEWLINE))


def test_a_line_of_a_rollup_is_the_summary_that_it_was_made_of() -> None:
    summary = counted(60, 17, errors=3)
    assert summary_of_line(orjson.loads(orjson.dumps(_line(summary, 0))))._asdict() | {"histogram": 0} == (
        summary._asdict() | {"histogram": 0}
    )
    assert summary_of_line(_line(summary, 0)).histogram.to_json() == summary.histogram.to_json()


def test_a_sidecar_without_a_state_learns_from_the_records_and_tells_nothing_of_them(folder: Path) -> None:
    """The week of learning is over at once, places are known, and what was odd then is over."""
    judgement = _judgement()
    fill_windows(judgement, folder, {}, nano(0), lambda: False)
    evaluations, transitions = judgement.judges.judge(nano(10), frozen=False)
    assert transitions == []
    rate = next(one for one in evaluations if one.rule == "anomaly.request_rate")
    assert (rate.band, rate.detail) == ("normal", "")
    assert judgement.judges.security.users.is_known("jo", "192.0.2.9", nano(0))
    assert not judgement.judges.security.users.is_known("jo", "198.51.100.9", nano(0))
    assert not judgement.judges.unlearnt


@pytest.mark.untraced
def test_what_is_learnt_outlives_a_restart(folder: Path) -> None:
    """The state goes through JSON; one without judges, as a version before left it, has all to learn."""
    before = _judgement()
    fill_windows(before, folder, {}, nano(0), lambda: False)
    state = _saved(before)
    after = _judgement()
    after.restore(state)
    assert not after.judges.unlearnt
    assert _saved(after)["judges"] == state["judges"]
    old = _judgement()
    old.restore({name: value for name, value in state.items() if name != "judges"})
    assert old.judges.unlearnt


@pytest.mark.untraced
def test_learning_that_was_cut_off_is_made_up_for(folder: Path) -> None:
    """By a stop, which takes nothing over, and by a kill, of which a checkpoint tells."""
    cut = _judgement()
    asked = iter([False] * 2000)
    fill_windows(cut, folder, {}, nano(0), lambda: next(asked, True))
    assert cut.judges.unlearnt
    assert cut.judges.judge(nano(10), frozen=True)[0] == []
    again = _judgement()
    again.restore(_saved(cut))
    assert again.judges.unlearnt


@pytest.mark.untraced
def test_a_watch_that_is_switched_on_later_learns_then_and_the_others_keep_what_they_know(folder: Path) -> None:
    """Also one that was off for a while."""
    without = AnomalySettings.model_validate({"watches": {"request_rate": {"enabled": False}}})
    first = _judgement(JudgesSettings(security=SecuritySettings(), anomalies=without))
    fill_windows(first, folder, {}, nano(0), lambda: False)
    then = _judgement()
    then.restore(_saved(first))
    assert then.judges.unlearnt
    known = {one.rule for one in then.judges.judge(nano(10), frozen=True)[0]}
    assert "anomaly.failed_logins" in known
    assert "anomaly.request_rate" not in known
    fill_windows(then, folder, {}, nano(0), lambda: False)
    found = {one.rule: one.detail for one in then.judges.judge(nano(20), frozen=True)[0]}
    assert found.keys() == known | {"anomaly.request_rate"}
    assert set(found.values()) == {""}
    assert not then.judges.unlearnt


def _saved(judgement: Judgement) -> Any:
    return orjson.loads(orjson.dumps(judgement.to_state(), option=orjson.OPT_NON_STR_KEYS))


@pytest.mark.parametrize(
    "damaged",
    [
        {"stream": "security", "time_unix_nano": 1e30},
        {"stream": "security", "time_unix_nano": None},
        {"stream": "rollups", "histogram": {"count": 1, "sum": 1.0, "buckets": [["x", 1]]}},
        {"stream": "rollups", "histogram": {"count": 1, "sum": "x", "buckets": [[1, 1]]}},
        {"stream": "rollups", "errors": -1},
        {"stream": "rollups", "key": "x"},
        {"stream": "rollups", "time_unix_nano": 2**63},
    ],
    ids=str,
)
@pytest.mark.untraced
def test_a_damaged_line_is_passed_over(folder: Path, damaged: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """And said; what is learnt can be saved."""
    event = {"event": "auth.login", "outcome": "success", "attributes": {"user.id": "jo"}, "time_unix_nano": nano(0)}
    line = event if damaged["stream"] == "security" else _line(counted(-600, 3), 0)
    changed = {name: value for name, value in damaged.items() if name != "stream"}
    _put(folder, damaged["stream"], nano(-5000), {**line, **changed})
    judgement = _judgement()
    fill_windows(judgement, folder, {}, nano(0), lambda: False)
    assert "a line is no record of its stream" in caplog.text
    assert _saved(judgement)["judges"]["learnt"]


def test_a_segment_that_cannot_be_read_costs_what_is_in_it(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "business" / "2026-11-20T00.jsonl").mkdir(parents=True)
    judgement = _judgement()
    fill_windows(judgement, folder, {}, nano(0), lambda: False)
    assert "not everything of the last four weeks could be read" in caplog.text
    assert not judgement.judges.unlearnt


def test_an_attack_that_is_over_is_over_for_alerting_too() -> None:
    """At once and with its reason, though nothing is evaluated any more."""
    rule = {"event": "auth.login", "outcome": "failure", "count": 2, "within": "3min", "severity": "low"}
    default = {name: {"enabled": False} for name in SecuritySettings().rules}
    settings = SecuritySettings.model_validate({"rules": {**default, "mine": rule}})
    judgement = _judgement(JudgesSettings(security=settings))
    notes = {one.name: note_of(one) for one in judgement.descriptions}
    lifecycle = Lifecycle(notes, FlappingSettings())
    told: list[tuple[float, str, str]] = []

    def take(tick: int, evaluations: Any, transitions: Any) -> None:
        changes = lifecycle.take(tick, evaluations, transitions)
        told.extend(((tick - course_nano(0)) / 10**9, change.event, change.reason) for change in changes)

    judgement.on_evaluated = take
    judgement.advance(course_nano(0))
    for number in range(3):
        judgement.observe(event(number, "auth.login", "failure", **{"client.address": "192.0.2.1"}))
    judgement.advance(course_nano(400))
    assert told == [(10.0, "firing", "the condition holds"), (190.0, "resolved", "it has ceased")]


def test_learning_stops_when_the_sidecar_does(folder: Path) -> None:
    judges = Judges(OTHERS, 120.0)
    learn(judges, folder, nano(0), lambda: True)
    assert judges.judge(nano(0), frozen=True)[0] == []


@pytest.mark.untraced
def test_a_backtest_replays_detectors_by_the_stored_rollups(folder: Path) -> None:
    """Learnt from the days before the period; the same as it would have been live."""
    period = OpenPeriod(nano(-DAY), nano(0))
    settings = JudgingSettings()
    backtest = Backtest(settings.thresholds, folder, period, others=settings.others(), now_unix_nano=nano(0))
    told = [one for one in backtest.run() if one.rule == "anomaly.request_rate"]
    assert [(one.status, one.severity) for one in told] == [("firing", "medium"), ("resolved", "medium")]
    began, ended = (one.time_unix_nano for one in told)
    assert began == nano(-7200 + BUCKET + 40)
    assert nano(-3600) < ended <= nano(-3600 + 5 * BUCKET)


def test_what_was_over_long_ago_is_not_carried_through_the_weeks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attack an hour for ten days: while learning no more are held than last."""
    for hour in range(-240, 0):
        for each in range(6):
            time = nano(hour * 3600 + each)
            who = {"user.id": f"u{hour}", "client.address": f"10.1.{-hour}.1"}
            line = {"event": "auth.login", "outcome": "failure", "time_unix_nano": time, "attributes": who}
            _put(tmp_path, "security", time, line)
    judges, most = Judges(OTHERS, 120.0), 0
    judge = judges.judge

    def counted_judge(now: int, *, frozen: bool) -> Any:
        nonlocal most
        most = max(most, len(judges.security.alarms))
        return judge(now, frozen=frozen)

    monkeypatch.setattr(judges, "judge", counted_judge)
    learn(judges, tmp_path, nano(0))
    assert 0 < most < 10
    assert judges.security.alarms == []
