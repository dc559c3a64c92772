from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.exporting import delivery
from collector.exporting.delivery import Delivery, Piece, Settled
from collector.exporting.pauses import Pauses
from collector.exporting.progress import StoppedError
from collector.exporting.settings import RetrySettings
from collector.exporting.target import Failure, SendError, Taken
from tests.support.scripted_target import ScriptedTarget, span

AWAY = SendError("nobody listens", Failure.AGAIN)
LARGE = SendError("too large", Failure.TOO_LARGE)
MALFORMED = SendError("no such field", Failure.MALFORMED)
OWN_FAULT = SendError("its disk is full", Failure.MALFORMED, own_fault=True)
LATE = SendError("no answer within 5 s", Failure.AGAIN, late=True)
REFUSED = SendError("unknown token", Failure.REFUSED)
START = 1000
"""Where the part begins in its segment, in bytes."""


def piece(lines: Iterable[bytes]) -> Piece:
    held = list(lines)
    ends = list(accumulate((len(line) + 1 for line in held), initial=START))[1:]
    return Piece(held, ends, START, ends[-1] if ends else START)


def spans(count: int) -> Piece:
    return piece(span(number) for number in range(count))


def listed(*answers: Taken | SendError | None) -> ScriptedTarget:
    """These answers in turn, and the last of them for ever."""
    left = list(answers)
    return ScriptedTarget(lambda _numbers: left.pop(0) if len(left) > 1 else left[0])


def refusing(bad: set[int], error: SendError = MALFORMED) -> ScriptedTarget:
    return ScriptedTarget(lambda numbers: error if bad & set(numbers) else None)


class Clock(threading.Event):
    """A stopping event by which time passes; it is set after `most` waits."""

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.now = 0.0
        self.waits: list[float] = []
        self._most = most

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self.now += timeout
        return len(self.waits) >= self._most

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(delivery, "time", made)
    return made


def settings(**given: Any) -> RetrySettings:
    return RetrySettings.model_validate({"randomization_factor": 0, **given})


def until(stopping: threading.Event) -> Callable[[float], None]:
    """To wait as whoever sends does."""

    def wait(seconds: float) -> None:
        if stopping.wait(seconds):
            raise StoppedError

    return wait


class Run:
    """A Delivery with what it told of its failures."""

    def __init__(self, target: ScriptedTarget, clock: threading.Event | None = None, **retry: Any) -> None:
        self.failures: list[str] = []
        self.target = target
        stopping = clock or Clock()
        self._delivery = Delivery("traces", target, settings(**retry), until(stopping), self.failures.append)

    def __call__(self, part: Piece) -> list[Settled]:
        settled = list(self._delivery.deliver(part))
        assert_whole(part, settled)
        return settled


def assert_whole(part: Piece, settled: list[Settled]) -> None:
    """One after the other the pieces are all of the part, each with the lines that stand there."""
    assert [line for one in settled for line in one.piece.lines] == list(part.lines)
    assert [end for one in settled for end in one.piece.ends] == list(part.ends)
    borders = [one.piece.start for one in settled] + [settled[-1].piece.stop]
    assert borders == [part.start, *(one.piece.stop for one in settled)]
    for one in settled:
        assert not one.piece.ends or one.piece.ends[-1] <= one.piece.stop


def told(settled: list[Settled]) -> list[tuple[list[int], str]]:
    return [([int(orjson.loads(line)["name"]) for line in one.piece.lines], one.refusal) for one in settled]


def test_what_is_taken_is_settled_with_what_was_said() -> None:
    """In one request; lines that are no record are counted beside it."""
    run = Run(listed(Taken(1, "one was too old")))
    (settled,) = run(piece([span(0), b"", b"\r", b"{torn", b"[]", b"{}", span(1)]))
    assert (settled.records, settled.unreadable, settled.taken) == (2, 5, Taken(1, "one was too old"))
    assert (run.target.requests, run.failures, settled.refusal) == ([[0, 1]], [], "")


def test_what_holds_no_record_is_settled_without_a_request() -> None:
    """Nor is there a request for a part of which nothing is to be sent."""
    run = Run(listed(AWAY))
    assert [(one.records, one.unreadable) for one in run(piece([b"", b"{}"]))] == [(0, 2)]
    assert [(one.records, one.unreadable) for one in run(Piece([], [], 5, 10))] == [(0, 0)]
    assert run.target.requests == []


def test_the_same_is_tried_again_after_growing_pauses(clock: Clock) -> None:
    """Up to the longest; after a success they begin anew."""
    run = Run(listed(*5 * [AWAY], None, AWAY, None), clock, initial_interval="2s", multiplier=2, max_interval="10s")
    assert told(run(spans(1))) == [([0], "")]
    assert clock.waits == [2, 4, 8, 10, 10]
    run(spans(1))
    assert clock.waits[5:] == [2]
    assert run.failures == 6 * ["nobody listens"]


def test_a_receiver_is_given_the_time_it_asks_for(clock: Clock) -> None:
    """At least the pause of the settings, and a quarter of an hour at most."""
    asked = [SendError("429", Failure.AGAIN, seconds) for seconds in (30.0, 0.5, 1e9, float("nan"), -5.0)]
    run = Run(listed(*asked, None), clock, initial_interval="1s", multiplier=1)
    run(spans(1))
    assert clock.waits == [30, 1, 900, 1, 1]


def test_pauses_differ_from_sender_to_sender() -> None:
    """So that those who were all refused don't all come back at once."""
    drawn = iter((0.0, 0.5, 1.0))
    pauses = Pauses(settings(initial_interval="10s", randomization_factor=0.5, multiplier=1), lambda: next(drawn))
    assert [pauses.next(None) for _ in range(3)] == [5, 10, 15]


def test_what_is_too_large_is_sent_in_halves_at_once(clock: Clock) -> None:
    """In its order, down to what is taken."""
    run = Run(ScriptedTarget(lambda numbers: LARGE if len(numbers) > 3 else None), clock)
    assert told(run(spans(10))) == [([0, 1], ""), ([2, 3, 4], ""), ([5, 6], ""), ([7, 8, 9], "")]
    assert clock.waits == []


def test_halves_of_what_is_too_large_cost_the_search_nothing() -> None:
    """A viewer that takes little at a time has its bad records found all the same."""
    run = Run(ScriptedTarget(lambda numbers: LARGE if len(numbers) > 3 else MALFORMED if 299 in numbers else None))
    assert [numbers for numbers, refusal in told(run(spans(300))) if refusal] == [[299]]


def test_one_record_that_is_too_large_is_set_aside_alone(clock: Clock) -> None:
    """The others are taken."""
    run = Run(refusing({2}, LARGE), clock)
    assert told(run(spans(4))) == [([0, 1], ""), ([2], "too large"), ([3], "")]
    assert clock.waits == []


def test_the_bad_records_of_a_part_are_found(clock: Clock) -> None:
    """Only these are set aside, byte by byte, without a pause."""
    run = Run(refusing({5, 700, 999}), clock)
    part = spans(1000)
    settled = run(part)
    aside = [one for one in settled if one.refusal]
    assert [(told([one]), one.records) for one in aside] == [([([n], "no such field")], 1) for n in (5, 700, 999)]
    content = b"".join(line + b"\n" for line in part.lines)
    assert [content[one.piece.start - START : one.piece.stop - START] for one in aside] == [
        span(number) + b"\n" for number in (5, 700, 999)
    ]
    assert len(run.target.requests) <= 65
    assert clock.waits == []


def test_the_search_for_bad_records_has_a_bound() -> None:
    """What it has not found by then is set aside with its neighbours; the next part is searched anew."""
    bad = set(range(0, 1000, 10))
    run = Run(refusing(bad))
    settled = run(spans(1000))
    assert len(run.target.requests) <= 67
    assert {number for numbers, refusal in told(settled) if refusal for number in numbers} >= bad
    taken = [number for numbers, refusal in told(settled) if not refusal for number in numbers]
    assert taken
    assert not bad & set(taken)
    assert len([one for one in run(spans(20)) if one.refusal]) == 2


def test_a_target_that_takes_nothing_is_not_searched_for_ever() -> None:
    """After three parts of which it took none each is one request, until it takes something again."""
    target = ScriptedTarget(lambda _numbers: MALFORMED)
    run = Run(target)
    costs = []
    for _ in range(5):
        before = len(target.requests)
        settled = run(spans(100))
        assert all(one.refusal for one in settled)
        costs.append(len(target.requests) - before)
    assert all(cost > 60 for cost in costs[:3])
    assert costs[3:] == [1, 1]
    run(piece([b"{}"]))  # nothing was taken by it
    target.requests.clear()
    run(spans(100))
    assert len(target.requests) == 1
    target.answer = lambda _numbers: None
    run(spans(1))
    target.answer = refusing({3}).answer
    assert [numbers for numbers, refusal in told(run(spans(10))) if refusal] == [[3]]


def test_a_receiver_that_fails_at_everything_is_waited_for(clock: Clock) -> None:
    """After three parts for five minutes, then with a part each half minute, until it takes something."""
    target = ScriptedTarget(lambda _numbers: OWN_FAULT)
    run = Run(target, clock, initial_interval="30s", max_interval="30s")
    for _ in range(3):
        run(spans(2))
    assert clock.waits == []
    assert told(run(spans(2))) == [([0, 1], "its disk is full")]
    assert 300 < clock.now <= 330
    clock.waits.clear()
    assert [told(run(spans(2))) for _ in range(2)] == 2 * [[([0, 1], "its disk is full")]]
    assert clock.waits == [30, 30]
    target.answer = lambda _numbers: None
    run(spans(1))
    target.answer = refusing({1}, OWN_FAULT).answer
    assert told(run(spans(2))) == [([0], ""), ([1], "its disk is full")]


def test_what_has_no_answer_in_time_is_sent_in_halves_at_last(clock: Clock) -> None:
    """A slow receiver takes less at a time; one that has hung costs a few requests more once it is back."""
    slow = ScriptedTarget(lambda numbers: LATE if len(numbers) > 2 else None)
    assert told(Run(slow, clock)(spans(4))) == [([0, 1], ""), ([2, 3], "")]
    assert [len(request) for request in slow.requests] == [4, 4, 4, 2, 2]
    back = Run(listed(*20 * [LATE], None), clock)
    assert told(back(spans(4))) == [([0], ""), ([1], ""), ([2, 3], "")]
    mixed = Run(listed(LATE, LATE, AWAY, LATE, LATE, None), clock)
    assert told(mixed(spans(4))) == [([0, 1, 2, 3], "")]


def test_who_gives_up_after_some_time_does_not_wait_so_long_for_each_half(clock: Clock) -> None:
    """What is late is set aside whole then."""
    run = Run(listed(LATE), clock, initial_interval="10s", multiplier=1, max_elapsed_time="35s")
    assert told(run(spans(4))) == [([0, 1, 2, 3], "no answer within 5 s")]


def test_a_receiver_to_which_everything_is_too_large_is_not_asked_for_each_record() -> None:
    """After three parts of which it took none: one request each."""
    target = ScriptedTarget(lambda _numbers: LARGE)
    run = Run(target)
    costs = []
    for _ in range(5):
        before = len(target.requests)
        assert all(one.refusal for one in run(spans(8)))
        costs.append(len(target.requests) - before)
    assert costs == [15, 15, 15, 1, 1]


def test_a_refusal_is_borne_for_five_minutes(clock: Clock) -> None:
    """A token may be on its way; what is refused by then is set aside, whole."""
    run = Run(listed(REFUSED), clock, initial_interval="30s")
    assert told(run(spans(3))) == [([0, 1, 2], "unknown token")]
    assert 300 < clock.now <= 330 + 30
    assert {len(request) for request in run.target.requests} == {3}


def test_while_everything_is_refused_each_further_part_is_tried_once(clock: Clock) -> None:
    """No more often than the longest pause; once something is taken patience is as it was."""
    target = ScriptedTarget(lambda _numbers: REFUSED)
    run = Run(target, clock, initial_interval="30s", max_interval="30s")
    run(spans(1))
    target.requests.clear()
    clock.waits.clear()
    assert [told(run(spans(2))) for _ in range(2)] == 2 * [[([0, 1], "unknown token")]]
    assert (len(target.requests), clock.waits) == (2, [30, 30])
    target.answer = lambda _numbers: None
    run(spans(1))
    target.answer = listed(REFUSED, REFUSED, None).answer
    assert told(run(spans(1))) == [([0], "")]


def test_without_retry_whatever_fails_is_set_aside_at_once(clock: Clock) -> None:
    """As it is configured; too large and malformed ones are still taken apart."""
    for error in (AWAY, REFUSED):
        run = Run(listed(error), clock, enabled=False)
        assert told(run(spans(2))) == [([0, 1], str(error))]
        assert len(run.target.requests) == 1
    run = Run(refusing({1}), clock, enabled=False)
    assert told(run(spans(2))) == [([0], ""), ([1], "no such field")]
    assert clock.waits == []


def test_what_was_tried_for_long_enough_is_set_aside(clock: Clock) -> None:
    """By default never."""
    run = Run(listed(AWAY), clock, initial_interval="10s", multiplier=1, max_elapsed_time="35s")
    assert told(run(spans(1))) == [([0], "nobody listens")]
    assert clock.waits == 4 * [10]
    patient = Run(listed(*500 * [AWAY], None), clock)
    assert told(patient(spans(1))) == [([0], "")]


def test_who_is_stopped_while_waiting_ends_at_once() -> None:
    """What was settled before is settled; the rest belongs to the next start."""
    stopping = threading.Event()
    target = ScriptedTarget(lambda numbers: LARGE if len(numbers) > 1 else AWAY if numbers == [1] else None)

    def failed(_message: str) -> None:
        if target.requests[-1] == [1]:
            stopping.set()

    pieces = Delivery("traces", target, settings(), until(stopping), failed).deliver(spans(2))
    assert told([next(pieces)]) == [([0], "")]
    with pytest.raises(StoppedError):
        next(pieces)
    assert target.requests[-1] == [1]


def test_bytes_that_are_left_out_go_with_the_lines_behind_them() -> None:
    """Sampling has left lines out: whatever is halved, the pieces are all of the part."""
    lines = [span(number) for number in range(4)]
    run = Run(refusing({2}))
    settled = run(Piece(lines, [100, 250, 300, 480], 40, 500))
    assert [(one.piece.start, one.piece.stop, bool(one.refusal)) for one in settled] == [
        (40, 250, False),
        (250, 300, True),
        (300, 500, False),
    ]


@given(st.integers(1, 60), st.sets(st.integers(0, 59), max_size=3), st.sampled_from([1, 3, 100]))
def test_each_good_record_is_taken_once_and_each_bad_one_set_aside(count: int, bad: set[int], most: int) -> None:
    """Whichever are bad, and however few a request may hold."""
    target = ScriptedTarget(lambda numbers: LARGE if len(numbers) > most else MALFORMED if bad & set(numbers) else None)
    settled = Run(target)(spans(count))
    taken = [number for numbers, refusal in told(settled) if not refusal for number in numbers]
    aside = [number for numbers, refusal in told(settled) if refusal for number in numbers]
    assert sorted(taken + aside) == list(range(count))
    assert not bad & set(taken)
    assert set(aside) == bad & set(range(count))
