"""The judge follows a real store: live, from files, over restarts and refusing disks."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from collector import judge as judge_module
from collector.decoding import Decoder, DecodingLimits
from collector.judge import Judge, Listener
from processors.evaluation import Evaluation
from processors.judgement import GAP_NANO, TICK_NANO, Judgement
from processors.settings import ThresholdSettings
from storage import State, StateError, Store
from storage.names import segments
from tests.crash.test_kill_judging import SPANS, _requests


class Running:
    """A store and its judge, as the collector wires them."""

    def __init__(
        self, folder: Path, thresholds: dict[str, Any] | None = None, listener: Listener | None = None
    ) -> None:
        self.folder = folder
        self.slept_nano = 0
        self.judge = Judge(
            Judgement(ThresholdSettings.model_validate(thresholds or {})), folder, listener=listener, clock=self.clock
        )
        self.store = Store(folder, on_stored=self.judge.stored)
        self._decoder = Decoder(redactor=None, limits=DecodingLimits())

    def clock(self) -> int:
        return time.time_ns() + self.slept_nano

    def tick(self) -> None:
        """The next one is due at once, after what was sent."""
        wait(lambda: self.judge.judged_records > 0 and self.judge.lag_seconds() == 0)
        self.slept_nano += TICK_NANO - self.clock() % TICK_NANO

    def start(self, *, unclean: bool = False) -> None:
        self.store.open(self.judge.recover)
        self.judge.start(self.store.append, unclean=unclean)

    def stop(self) -> None:
        self.judge.stop()
        self.store.close()

    def send(self, number: int, *, late: bool = False) -> None:
        body = _requests(number, late=late)
        projection = self.judge.judgement.projection
        for batch in self._decoder.decode_traces(
            body, projection, encoding="protobuf", received_unix_nano=time.time_ns()
        ):
            self.store.append(batch.stream, batch.lines, batch.times_unix_nano, batch.observations).result(10)

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [
            orjson.loads(line) for _, path in segments(self.folder / stream) for line in path.read_bytes().splitlines()
        ]


@contextmanager
def running(folder: Path, *, unclean: bool = False) -> Iterator[Running]:
    found = Running(folder)
    found.start(unclean=unclean)
    try:
        yield found
    finally:
        found.stop()


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _ids(records: list[dict[str, Any]]) -> Counter[tuple[str, int]]:
    return Counter((record["batch_id"], record["batch_index"]) for record in records)


def test_what_is_stored_is_judged(tmp_path: Path) -> None:
    """And the derived lines are in their streams when it has stopped."""
    with running(tmp_path) as found:
        for number in range(5):
            found.send(number)
    assert _ids(found.records("performance")) == _ids(found.records("traces"))
    assert [line["event"] for line in found.records("system")] == [
        "collector.started",
        "collector.stopped",
    ]


def test_when_it_lags_it_goes_on_from_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue in memory is bounded; nothing is judged twice or left out."""
    monkeypatch.setattr(judge_module, "_QUEUE_RECORDS", 2 * SPANS)
    with running(tmp_path) as found:
        observe = found.judge.judgement.observe

        def slowly(observation: Any) -> None:
            time.sleep(0.0005)
            observe(observation)

        monkeypatch.setattr(found.judge.judgement, "observe", slowly)
        for number in range(60):
            found.send(number)
        assert found.judge.lag_seconds() > 0
        wait(lambda: found.judge.lag_seconds() == 0)
    assert found.judge.drops > 0
    assert _ids(found.records("performance")) == _ids(found.records("traces"))


def test_a_run_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    """Also with what was stored while nobody judged."""
    with running(tmp_path) as found:
        found.send(1)
    with_store_only = Running(tmp_path)
    with_store_only.store.open()
    with_store_only.send(2)
    with_store_only.store.close()
    with running(tmp_path, unclean=True) as again:
        wait(lambda: again.judge.judged_records == SPANS)
        again.send(3)
    assert _ids(again.records("performance")) == _ids(again.records("traces"))
    assert [line["event"] for line in again.records("system")][2] == "collector.restarted"


def test_without_its_state_it_goes_on_with_what_comes_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Judging all again would have every old record twice in the derived streams."""
    with running(tmp_path) as found:
        found.send(1)
    for path in (tmp_path / ".forecourt").glob("state.db*"):
        path.unlink()
    with running(tmp_path) as again:
        again.send(2)
    assert _ids(again.records("performance")) == _ids(again.records("traces"))
    assert "no checkpoint, but derived streams" in caplog.text
    before = again.records("performance")
    with running(tmp_path) as later:  # and the start after that cuts nothing back
        later.send(3)
    assert later.records("performance")[: len(before)] == before


def test_derived_lines_wait_for_a_disk_that_refuses_them(tmp_path: Path) -> None:
    """No checkpoint says that they are written until they are."""
    (tmp_path / "performance").write_text("in the way of the folder")
    with running(tmp_path) as found:
        found.send(1)
        wait(lambda: found.store.statistics().write_failures > 1)
        (tmp_path / "performance").unlink()
        wait(lambda: len(found.records("performance")) == SPANS)
    assert _ids(found.records("performance")) == _ids(found.records("traces"))


def test_one_record_that_cannot_be_judged_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is kept in its stream, counted and told."""
    with running(tmp_path) as found:
        observe = found.judge.judgement.observe

        def stumbling(observation: Any) -> None:
            if observation.batch_index == 3:
                raise RuntimeError("a fault of ours")
            observe(observation)

        monkeypatch.setattr(found.judge.judgement, "observe", stumbling)
        found.send(1)
    assert found.judge.failed_records == 1
    assert len(found.records("performance")) == SPANS - 1
    assert "a record could not be judged" in caplog.text


def test_evaluations_are_published_with_their_time(tmp_path: Path) -> None:
    """For commands and pages, at each tick."""
    with running(tmp_path) as found:
        found.send(1)
        found.send(2)
        found.tick()
        wait(lambda: bool(found.judge.judgement.evaluations))
    state = State.open(tmp_path / ".forecourt" / "state.db")
    published = state.published()
    state.close()
    assert published is not None
    assert published.time_unix_nano % 10_000_000_000 == 0
    assert {"http.server.error_rate", "http.server.mean"} <= {one["rule"] for one in published.evaluations}


def test_a_machine_that_slept_is_as_if_it_had_been_restarted(tmp_path: Path) -> None:
    """Timers stood still, and for two minutes nothing begins or ends."""
    with running(tmp_path) as found:
        found.send(1)
        found.send(2)
        wait(lambda: found.judge.judged_records == 2 * SPANS)
        before = found.judge.judgement.tick_unix_nano
        found.slept_nano = 240 * 1_000_000_000
        wait(lambda: found.judge.judgement.tick_unix_nano > before + GAP_NANO)
        found.tick()
        wait(lambda: any(one.detail == "grace after a restart" for one in found.judge.judgement.evaluations))


def test_a_rule_that_is_new_has_its_window_filled_from_what_is_stored(tmp_path: Path) -> None:
    """As if it had been there; the others go on from their checkpoint, and nothing is derived again."""
    with running(tmp_path) as found:
        found.send(1)
        found.send(2)
    new = {
        "indicator": "spans",
        "statistic": "count",
        "bands": [{"level": "warning", "when": "> 1", "severity": "low"}],
    }
    again = Running(tmp_path, {"rules": {"new": new}})
    again.start()
    again.send(3)
    again.tick()
    wait(lambda: any(one.rule == "new" for one in again.judge.judgement.evaluations))
    samples = {one.rule: one.samples for one in again.judge.judgement.evaluations}
    again.stop()
    assert (samples["new"], samples["http.server.mean"]) == (3 * SPANS, 3 * SPANS)
    assert _ids(again.records("performance")) == _ids(again.records("traces"))


def test_a_checkpoint_that_cannot_be_read_costs_the_alerts_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It starts, says so, fills the windows, and derives nothing twice."""
    with running(tmp_path) as found:
        found.send(1)
    connection = sqlite3.connect(tmp_path / ".forecourt" / "state.db")
    connection.execute("UPDATE checkpoint SET content = ?", (b'{"format": 1}',))
    connection.commit()
    connection.close()
    with running(tmp_path) as again:
        again.send(2)
        again.tick()
        wait(lambda: bool(again.judge.judgement.evaluations))
        samples = {one.rule: one.samples for one in again.judge.judgement.evaluations}
    assert samples["http.server.mean"] == 2 * SPANS
    assert "the checkpoint can't be read (KeyError('tick'))" in caplog.text
    assert _ids(again.records("performance")) == _ids(again.records("traces"))


def test_a_judge_that_ends_by_a_fault_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Receiving goes on; health tells."""
    found = Running(tmp_path)
    monkeypatch.setattr(found.judge.judgement, "advance", lambda _now: 1 / 0)
    found.start()
    wait(lambda: found.judge.failed)
    found.send(1)
    found.stop()
    assert len(found.records("traces")) == SPANS
    assert "judging has stopped; what is received is kept, and judged after a restart" in caplog.text


class Listening:
    """Takes each tick, and notes down what it was."""

    def __init__(self) -> None:
        self.ticks: list[int] = []
        self.finished = False

    def evaluated(self, tick_unix_nano: int, _evaluations: object, _transitions: object) -> Future[None]:
        self.ticks.append(tick_unix_nano)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def finish(self) -> None:
        self.finished = True


def test_each_tick_is_told_to_who_listens(tmp_path: Path) -> None:
    """And that there will be no more."""
    listening = Listening()
    found = Running(tmp_path, listener=listening)
    found.start()
    found.send(1)
    found.tick()
    wait(lambda: bool(listening.ticks))
    found.stop()
    assert all(tick % 10_000_000_000 == 0 for tick in listening.ticks)
    assert listening.finished
    assert found.judge.judgement.transitions == []


def test_a_clock_that_is_set_back_does_not_stop_judging(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The next tick is that of the new time."""
    listening = Listening()
    found = Running(tmp_path, listener=listening)
    found.start()
    found.send(1)
    found.tick()
    wait(lambda: bool(listening.ticks))
    before = listening.ticks[-1]
    found.slept_nano = -3600 * 1_000_000_000
    wait(lambda: "the clock was set back by 3" in caplog.text)
    found.tick()
    wait(lambda: listening.ticks[-1] < before)
    found.stop()
    assert before - listening.ticks[-1] > 3500 * 1_000_000_000
    assert "the clock was set back by 3" in caplog.text


def _decide(folder: Path, *numbers: int) -> None:
    """As alerting does."""
    state = State.open(folder / ".forecourt" / "state.db")
    with state.transaction() as connection:
        for number in numbers:
            row = (number, time.time_ns(), "", "", "sent", "taken", '{"receiver": "mail"}')
            connection.execute("INSERT INTO alert_journal VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    state.close()


def test_each_decision_is_in_the_stream_once(tmp_path: Path) -> None:
    """Also when the stream was cut back to the last checkpoint after a crash."""
    with running(tmp_path) as found:
        _decide(tmp_path, 1, 2)
        wait(lambda: len(found.records("alerts")) == 2)
    before = (tmp_path / "alerts").glob("*.jsonl")
    (segment,) = before
    with segment.open("ab") as file:
        file.write(b'{"journal": 3, "received_unix_nano": 1}\n')  # written after the checkpoint of the crash
    _decide(tmp_path, 3, 4)
    with running(tmp_path, unclean=True) as again:
        wait(lambda: len(again.records("alerts")) == 4)
    assert [record["journal"] for record in again.records("alerts")] == [1, 2, 3, 4]
    assert again.records("alerts")[0]["decision"] == "sent"


def test_a_state_database_that_refuses_does_not_end_judging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Decisions come to their stream when it answers again."""
    answers = judge_module.journal_after

    def refuse(_state: State, _last: int) -> list[Any]:
        raise StateError("state.db: disk I/O error")

    with running(tmp_path) as found:
        monkeypatch.setattr(judge_module, "journal_after", refuse)
        _decide(tmp_path, 1)
        wait(lambda: "alerting's decisions come to the stream later" in caplog.text)
        found.send(1)
        monkeypatch.setattr(judge_module, "journal_after", answers)
        wait(lambda: len(found.records("alerts")) == 1)
        assert not found.judge.failed
    assert len(found.records("traces")) == SPANS


class Refusing(Listening):
    """Can save nothing."""

    def evaluated(self, tick_unix_nano: int, _evaluations: object, _transitions: object) -> Future[None]:
        self.ticks.append(tick_unix_nano)
        done: Future[None] = Future()
        done.set_exception(StateError("state.db: disk is full"))
        return done


def test_no_checkpoint_goes_beyond_what_alerting_has_saved(tmp_path: Path) -> None:
    """Or a crash would lose an alert between the two."""
    refusing = Refusing()
    found = Running(tmp_path, listener=refusing)
    found.start()
    found.send(1)
    found.tick()
    wait(lambda: bool(refusing.ticks))
    found.stop()
    state = State.open(tmp_path / ".forecourt" / "state.db")
    checkpoint = state.checkpoint()
    state.close()
    assert checkpoint is not None
    assert orjson.loads(checkpoint.content)["tick"] < refusing.ticks[0]


def test_of_a_flood_of_evaluations_the_worst_are_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads them must not have to read ten thousand."""
    monkeypatch.setattr(judge_module, "_MOST_PUBLISHED", 2)
    found = Running(tmp_path)
    judgement = found.judge.judgement
    judgement._tick = 10 * judge_module.GAP_NANO
    judgement.evaluations = [_evaluation(severity) for severity in ("", "low", "critical", "medium")]
    published = found.judge._published()
    assert published is not None
    assert [one["severity"] for one in published.evaluations] == ["critical", "medium"]


def _evaluation(severity: str) -> Evaluation:
    return Evaluation("r", (), 1.0, "1", "warning", severity, "firing", 1, 1.0, 0, 0, ())
