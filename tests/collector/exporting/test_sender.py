"""A sender's thread on a real folder, with a viewer that does what a test tells it."""

from __future__ import annotations

import gzip
import logging
import os
import threading
import time
from contextlib import ExitStack, closing
from itertools import accumulate

import pytest

from collector.exporting import progress
from collector.exporting.http_target import HttpTarget
from collector.exporting.settings import OtlpHttpSettings
from collector.exporting.target import Failure, SendError, Taken
from storage import State, exporter_rows
from storage import state as state_module
from storage.exporter_rows import ExporterRow, Outcome
from storage.holding import held_in
from storage.names import OWN_FOLDER
from storage.ranges import WHOLE, Ranges
from tests.support.hostile_receiver import http_answer, http_half, http_hang, scripted_http
from tests.support.scripted_target import ScriptedTarget, numbers_of, span
from tests.support.sender_folder import KEY, LONGEST_SECONDS, NOW, Folder, until

FIRST, SECOND, THIRD = "2026-11-23T10.jsonl", "2026-11-23T11.jsonl", "2026-11-23T12.jsonl"
AWAY = SendError("nobody listens", Failure.AGAIN)
MALFORMED = SendError("no such field", Failure.MALFORMED)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a database that others hold."""
    monkeypatch.setattr(state_module, "_BUSY_TIMEOUT_SECONDS", 0.02)


def test_everything_is_sent_once(folder: Folder) -> None:
    """What is there and what comes meanwhile; the next start has nothing to do but what is new."""
    folder.spans(FIRST, 1, 2, 3)
    folder.compress(FIRST)
    folder.spans(SECOND, 4, 5)
    target = ScriptedTarget()
    with folder.sending(target):
        until(lambda: len(target.taken) == 5)
        folder.spans(SECOND, 6)
        folder.spans(THIRD, 7)
        until(lambda: folder.row().sent_records == 7 and folder.idle())
    assert target.taken == [1, 2, 3, 4, 5, 6, 7]
    assert target.closed
    assert folder.row()._replace(looked_unix_nano=0) == ExporterRow(*KEY, sent_records=7, sent_unix_nano=NOW)
    folder.spans(THIRD, 8)
    target.taken.clear()
    with folder.sending(target):
        until(lambda: folder.row().sent_records == 8)
    assert target.taken == [8]


def test_nothing_is_lost_nor_sent_twice_over_http(folder: Folder) -> None:
    """By a viewer that is overloaded, breaks off, hangs and takes only some."""
    folder.spans(FIRST, *range(50))
    overloaded = http_answer(503, headers={"Retry-After": "0"})
    hostile = [overloaded, http_half(), http_answer(502), http_hang(), http_answer(429)]
    with scripted_http(hostile) as server:
        settings = OtlpHttpSettings.model_validate({"endpoint": server.url, "timeout": "500ms"})
        row = folder.send_all(HttpTarget(settings))
        assert [numbers_of(one.body) for one in server.taken] == [list(range(50))]
        assert len(server.received) == 6
    assert (row.sent_records, row.failed_requests, row.set_aside_records) == (50, 5, 0)


def test_what_a_viewer_says_it_has_not_taken_is_counted(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused for good, as the protocol has it; the viewer's reason is told."""
    folder.spans(FIRST, 1, 2, 3)
    target = ScriptedTarget(lambda _numbers: Taken(2, "too old"))
    row = folder.send_all(target)
    problem = "2 records were refused for good: too old"
    assert row == ExporterRow(
        *KEY, sent_records=1, rejected_records=2, sent_unix_nano=NOW, problem=problem, problem_unix_nano=NOW
    )
    assert f"otlp_http/viewer traces: {problem}" in caplog.messages
    assert len(target.requests) == 1


def test_a_problem_is_told_while_it_lasts(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    """In the row, with what waits and since when; in the log once."""
    folder.put(FIRST, span(1, NOW - 5), span(2, NOW - 4))
    size = (folder.stream / FIRST).stat().st_size
    target = ScriptedTarget(lambda _numbers: AWAY)
    with folder.sending(target):
        until(lambda: folder.row().failed_requests > 5)
        row = folder.row()
        target.answer = lambda _numbers: None
        until(folder.idle)
    assert (row.problem, row.problem_unix_nano, row.sent_records) == ("nobody listens", NOW, 0)
    assert (row.waiting_bytes, row.oldest_unix_nano) == (size, NOW - 5)
    assert caplog.messages == ["otlp_http/viewer traces: nobody listens"]
    assert (folder.row().sent_records, folder.row().waiting_bytes) == (2, 0)
    assert folder.row().failed_requests == len(target.requests) - 1


def test_the_same_problem_is_told_once_whatever_numbers_it_holds(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor do two that take turns, or a receiver with ever other words, fill the log."""
    said = [f"answered 503: request {number:032x} is number {number}" for number in range(20)]
    said += [f"word {'abc'[number % 3] * (number % 40 + 1)}" for number in range(60)]
    left = list(said)
    folder.spans(FIRST, 1)
    folder.send_all(ScriptedTarget(lambda _numbers: SendError(left.pop(0), Failure.AGAIN) if left else None))
    assert caplog.messages[:2] == [f"otlp_http/viewer traces: {one}" for one in (said[0], said[20])]
    assert len(caplog.messages) == 10


def test_what_is_passed_over_and_what_a_viewer_says_to_what_it_takes_is_told(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    """The protocol has words without a rejection too: a warning, or advice."""
    folder.put(FIRST, span(1), b"{torn", b"[]", span(2))
    row = folder.send_all(ScriptedTarget(lambda _numbers: Taken(0, "your SDK is old")))
    assert (row.sent_records, row.unreadable_records, row.problem) == (2, 2, "")
    assert caplog.messages == [
        "otlp_http/viewer traces: all was taken, with the words: your SDK is old",
        f"otlp_http/viewer traces: 2 lines of {FIRST} hold no record and are passed over",
    ]


def test_who_waits_for_a_viewer_looks_at_what_comes_meanwhile(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that asks for a quarter of an hour hides neither how much waits nor since when."""
    monkeypatch.setattr(progress, "_REST_SECONDS", 0.005)
    folder.put(FIRST, span(1, NOW - 5))
    busy = SendError("come back later", Failure.AGAIN, 900.0)
    target = ScriptedTarget(lambda _numbers: busy)
    with folder.sending(target):
        until(lambda: target.requests)
        path = folder.put(FIRST, span(2, NOW - 4))
        until(lambda: folder.row().waiting_bytes == path.stat().st_size)
    assert (folder.row().oldest_unix_nano, len(target.requests)) == (NOW - 5, 1)


@pytest.mark.usefixtures("_impatient")
def test_a_locked_database_is_waited_for(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    """What was acknowledged is written down once that is possible, and not sent again."""
    folder.spans(FIRST, 1, 2)
    target = ScriptedTarget()
    locked = State.open(folder.path / OWN_FOLDER / "state.db")
    with closing(locked), ExitStack() as lock:
        lock.enter_context(locked.transaction())
        with folder.sending(target):
            until(lambda: any("can't write down how far it is" in message for message in caplog.messages))
            assert target.taken == [1, 2]
            lock.close()
            until(lambda: folder.row().sent_records == 2)
    assert target.requests == [[1, 2]]


@pytest.mark.usefixtures("_impatient")
def test_what_was_acknowledged_but_not_written_down_is_sent_again(folder: Folder) -> None:
    """A process that is killed there costs a repeated request and nothing else."""
    folder.spans(FIRST, 1, 2)
    target = ScriptedTarget()
    locked = State.open(folder.path / OWN_FOLDER / "state.db")
    with closing(locked), locked.transaction(), folder.sending(target):
        until(lambda: target.taken)
    assert folder.row().sent_records == 0
    with folder.sending(target):
        until(lambda: folder.row().sent_records)
    assert (target.requests, folder.row().sent_records) == ([[1, 2], [1, 2]], 2)


def test_two_senders_at_a_time_forget_nothing_that_either_has_sent(folder: Folder) -> None:
    """The collector was killed: the sender of its next start is there before the last request of the old one ends."""
    folder.spans(FIRST, *range(4))
    asked, goes_on, stopping = threading.Event(), threading.Event(), threading.Event()

    def slow(_numbers: list[int]) -> None:
        asked.set()
        assert goes_on.wait(LONGEST_SECONDS)

    old = folder.sender(ScriptedTarget(slow), stopping)
    old.start()
    assert asked.wait(LONGEST_SECONDS)
    folder.spans(FIRST, *range(4, 8))
    folder.send_all(ScriptedTarget())
    stopping.set()
    goes_on.set()
    old.join(LONGEST_SECONDS)
    assert folder.row().sent_records == 12
    assert held_in(folder.path).waiting == frozenset()


def test_a_segment_that_is_compressed_meanwhile_is_sent_once(folder: Folder) -> None:
    """Between two of its parts, and while one is on its way."""
    folder.spans(FIRST, *range(100))
    folder.spans(SECOND, 100)

    def answer(numbers: list[int]) -> None:
        if 0 in numbers:
            folder.compress(FIRST)

    target = ScriptedTarget(answer)
    row = folder.send_all(target, sending_queue={"batch_size": "1KiB"})
    assert target.taken == list(range(101))
    assert len(target.requests) > 5
    assert row.sent_records == 101


def test_what_is_set_aside_is_sent_once_it_is_asked_for(folder: Folder) -> None:
    """Just the bad record was; the reason is told until then."""
    path = folder.spans(FIRST, 1, 2, 3)
    target = ScriptedTarget(lambda numbers: MALFORMED if 2 in numbers else None)
    with folder.sending(target):
        until(lambda: folder.row().sent_records == 2)
        (aside,) = exporter_rows.all_set_aside(folder.state)
        assert path.read_bytes()[aside.start : aside.stop] == span(2) + b"\n"
        assert (aside.records, aside.reason, aside.time_unix_nano) == (1, "no such field", NOW)
        assert (folder.row().set_aside_records, folder.row().problem) == (1, "no such field")
        assert target.taken == [1, 3]
        target.answer = lambda _numbers: None
        assert exporter_rows.try_again(folder.state, KEY[0]) == 1
        until(lambda: folder.row().sent_records == 3)
    assert target.taken == [1, 3, 2]
    assert folder.row().set_aside_records == 0


def test_who_waits_for_a_viewer_hears_of_what_is_to_be_sent_again(folder: Folder) -> None:
    """Though the viewer is away: the older record is the first once it is back."""
    folder.spans(FIRST, 1)
    target = ScriptedTarget(lambda _numbers: MALFORMED)
    with folder.sending(target):
        until(lambda: folder.row().set_aside_records == 1)
        target.answer = lambda _numbers: AWAY
        folder.spans(FIRST, 2)
        until(lambda: target.requests[-1] == [2])
        exporter_rows.try_again(folder.state, KEY[0])
        until(lambda: target.requests[-1] == [1, 2])
        target.answer = lambda _numbers: None
        until(lambda: folder.row().sent_records == 2)
    assert target.taken == [1, 2]


@pytest.mark.parametrize("answer", [None, AWAY])
def test_an_exporter_that_is_known_no_more_ends(folder: Folder, answer: SendError | None) -> None:
    """Be its viewer there or away."""
    folder.spans(FIRST, 1)
    target = ScriptedTarget(lambda _numbers: answer)
    with folder.sending(target) as running:
        until(lambda: target.requests)
        exporter_rows.forget_others(folder.state, ())
        running.join(LONGEST_SECONDS)
        assert not running.is_alive()
    assert target.closed


class Recording(threading.Event):
    """Nobody is kept waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return super().wait(0.001)


def test_no_more_records_are_sent_than_its_rate_allows(folder: Folder) -> None:
    """Twenty-five a second are a pause of four seconds behind a hundred."""
    folder.spans(FIRST, *range(100))
    stopping = Recording()
    target = ScriptedTarget()
    running = folder.sender(target, stopping, sending_queue={"rate_limit": 25})
    running.start()
    until(lambda: stopping.waits)
    stopping.set()
    running.join(LONGEST_SECONDS)
    assert target.taken == list(range(100))
    assert 3.0 < stopping.waits[0] <= 4.0


def test_who_waits_for_its_rate_stops_at_once(folder: Folder) -> None:
    """And what was sent before is written down."""
    folder.spans(FIRST, *range(100))
    target = ScriptedTarget()
    began = time.monotonic()
    with folder.sending(target, sending_queue={"rate_limit": 1}):
        until(lambda: folder.row().sent_records == 100)
    assert time.monotonic() - began < LONGEST_SECONDS / 2


def test_the_newest_come_first_where_that_is_wanted(folder: Folder) -> None:
    """Each once, by segments and by parts of them."""
    for number, segment in enumerate((FIRST, SECOND, THIRD)):
        folder.spans(segment, *range(number * 20, number * 20 + 20))
    target = ScriptedTarget()
    folder.send_all(target, sending_queue={"order": "newest_first", "batch_size": "1KiB"})
    assert sorted(target.taken) == list(range(60))
    firsts = [request[0] for request in target.requests]
    assert firsts == sorted(firsts, reverse=True)
    assert target.requests[0][-1] == 59


def test_who_is_stopped_waits_for_the_request_under_way_and_no_longer(folder: Folder) -> None:
    """A viewer that hangs holds up the end for its timeout at most."""
    folder.spans(FIRST, 1)
    with scripted_http([http_hang(), http_hang()]) as server:
        settings = OtlpHttpSettings.model_validate({"endpoint": server.url, "timeout": "300ms"})
        with folder.sending(HttpTarget(settings), retry_on_failure={"initial_interval": "1h", "max_interval": "1h"}):
            until(lambda: server.received)
        assert len(server.received) == 1
    assert (folder.row().sent_records, folder.row().failed_requests) == (0, 1)


def test_what_took_the_place_of_what_was_cut_off_is_sent(folder: Folder) -> None:
    """A full disk refused what had been sent already, and others were written there."""
    path = folder.spans(FIRST, 1, 2)

    def answer(numbers: list[int]) -> None:
        if numbers == [1, 2]:
            path.write_bytes(span(1) + b"\n" + span(30) + b"\n" + span(4) + b"\n")

    target = ScriptedTarget(answer)
    with folder.sending(target):
        until(lambda: folder.row().sent_records == 3)
    assert target.requests == [[1, 2], [1, 30, 4]]


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_what_a_power_cut_took_after_it_was_sent_is_waited_for_by_nobody(folder: Folder, order: str) -> None:
    """Retention goes on once the sender has looked to its end; what is left of it and unsent is sent before."""
    path = folder.spans(FIRST, 1, 2, 3, 4)
    first, second, third, fourth = accumulate(len(span(number)) + 1 for number in (1, 2, 3, 4))
    sent = Ranges([(0, first), (second, fourth)])
    assert exporter_rows.record(folder.state, KEY, Outcome(done=(FIRST, (0, first))), sent, 0)
    os.truncate(path, third)
    folder.compress(FIRST)
    assert held_in(folder.path).waiting == {("traces", FIRST)}
    target = ScriptedTarget()
    with folder.sending(target, sending_queue={"order": order}):
        until(lambda: list(exporter_rows.sent(folder.state, KEY)[FIRST]) == [(0, WHOLE)])
    assert held_in(folder.path).waiting == frozenset()
    assert (target.taken, folder.row().sent_records) == ([2], 1)


def test_a_damaged_segment_is_given_up_and_the_others_are_sent(folder: Folder) -> None:
    """It is told, and tried again with what was set aside."""
    packed = folder.stream / f"{FIRST}.gz"
    packed.write_bytes(gzip.compress(span(1) + b"\n")[:-4])
    folder.spans(SECOND, 2)
    target = ScriptedTarget()
    row = folder.send_all(target)
    (aside,) = exporter_rows.all_set_aside(folder.state)
    assert (aside.segment, aside.start, aside.records) == (FIRST, 0, row.set_aside_records) == (FIRST, 0, 1)
    assert row.problem == aside.reason == f"{packed}: Compressed file ended before the end-of-stream marker was reached"
    packed.write_bytes(gzip.compress(span(1) + b"\n"))
    exporter_rows.try_again(folder.state, KEY[0])
    with folder.sending(target):
        until(lambda: folder.row().sent_records == 2)
    assert target.taken == [2, 1]


def test_a_segment_that_can_not_be_opened_is_told_and_the_others_are_sent(folder: Folder) -> None:
    """It waits until somebody mends that: another owner, or a folder of its name."""
    (folder.stream / FIRST).mkdir()
    folder.spans(SECOND, 1)
    target = ScriptedTarget()
    with folder.sending(target):
        until(lambda: folder.row().problem)
        folder.spans(SECOND, 2)
        until(lambda: folder.row().sent_records == 2)
        assert FIRST in folder.row().problem
        (folder.stream / FIRST).rmdir()
        folder.spans(FIRST, 3)
        until(lambda: folder.row().sent_records == 3)
    assert target.taken == [1, 2, 3]


def test_what_can_not_be_sent_or_need_not_be_is_counted(folder: Folder) -> None:
    """Lines that are no span, and those that sampling leaves out."""
    folder.put(FIRST, span(1), b"{torn", span(2), b"{}", b"")
    sampling = {"policies": [{"name": "one", "type": "latency", "latency": {"threshold": "1h"}}]}
    target = ScriptedTarget()
    with folder.sending(target, tail_sampling=sampling):
        until(lambda: folder.row().unreadable_records)
    row = folder.row()
    assert (row.sent_records, row.sampled_out_records, row.unreadable_records) == (0, 3, 2)
    assert (target.requests, list(exporter_rows.sent(folder.state, KEY)[FIRST])) == (
        [],
        [(0, (folder.stream / FIRST).stat().st_size)],
    )


def test_what_sampling_leaves_out_is_counted_once(folder: Folder) -> None:
    """However many requests the rest is cut into."""
    folder.spans(FIRST, *range(20))
    policy = {"name": "x", "type": "string_attribute", "string_attribute": {"key": "padding", "values": ["x"]}}
    target = ScriptedTarget(lambda numbers: SendError("too large", Failure.TOO_LARGE) if len(numbers) > 1 else None)
    row = folder.send_all(target, tail_sampling={"policies": [policy]})
    assert (target.taken, row.sent_records, row.sampled_out_records) == ([1, 8, 15], 3, 17)


def test_a_fault_of_ours_ends_nothing_for_good(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    """It is told with where it came from, and the same is tried again."""
    folder.spans(FIRST, 1)
    faults = [ZeroDivisionError("ours")]

    def answer(_numbers: list[int]) -> None:
        if faults:
            raise faults.pop()

    target = ScriptedTarget(answer)
    with caplog.at_level(logging.ERROR):
        folder.send_all(target)
    assert (target.taken, target.closed) == ([1], True)
    assert [record.message for record in caplog.records] == ["otlp_http/viewer traces stumbled; it goes on in 0 s"]


def test_the_end_of_an_outage_is_told(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of one that lasted: who reads the log sees that it is over. A short one is not worth a line."""
    caplog.set_level("INFO", "collector.exporting")
    for long_seconds, told in ((60.0, []), (0.0, ["otlp_http/viewer traces: it is taken again, after 0ms"])):
        monkeypatch.setattr(progress, "_LONG_SECONDS", long_seconds)
        monkeypatch.setattr(progress, "format_duration", lambda _seconds: "0ms")
        folder.spans(FIRST, 1)
        answers = [AWAY, AWAY]

        def away_first(_body: bytes, answers: list[SendError] = answers) -> Taken:
            if answers:
                raise answers.pop()
            return Taken()

        before = folder.row().sent_records
        with folder.sending(ScriptedTarget(away_first)):
            until(lambda before=before: folder.row().sent_records > before)
            until(lambda told=told: [one for one in caplog.messages if "again, after" in one] == told)


def test_that_an_exporter_can_not_decide_is_told(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    """More traces at a time than it may remember: they are sent, and the operator hears what to raise."""
    folder.spans(FIRST, *range(30))
    sampling = {"decision_wait": "1s", "num_traces": 3, "policies": [{"name": "all", "type": "always_sample"}]}
    target = ScriptedTarget()
    with folder.sending(target, tail_sampling=sampling):
        until(lambda: len(target.taken) == 30)
        until(lambda: any("without a decision: raise tail_sampling.num_traces" in one for one in caplog.messages))
