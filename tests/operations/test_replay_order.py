"""In which order, when and how often a replay gives each record, however often it is stopped."""

from __future__ import annotations

import gzip
import io
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.period import Period
from operations.once import Once
from operations.replaying import progress, replay, run
from operations.replaying.journal import Journal, unfinished
from operations.replaying.pace import Pace, shift_to_now
from operations.replaying.progress import Signs
from operations.replaying.replay import Replay
from operations.replaying.sending import Delivery, StoppedError
from operations.replaying.wanted import Wanted
from operations.stored_lines import found
from operations.stored_segments import Part, Positions, sequences
from storage import lock as storage_lock
from tests.support.stored import HOUR

SECOND = 1_000_000_000
WHOLE = Period(HOUR - 3600 * SECOND, HOUR + 7200 * SECOND)


def wanted_of(folder: Path, **given: Any) -> Wanted:
    asked: dict[str, Any] = {
        "folder": folder / "logs",
        "archive": folder / "archive",
        "signals": ("traces", "metrics", "logs"),
        "services": frozenset(),
        "period": WHOLE,
        "endpoint": "http://viewer.example:4318",
        "moves": False,
        "shift_to_now": False,
        "identity": {},
    }
    return Wanted(**{**asked, **given})


def line(number: int, *, arrived: float, happened: float | None = None, batch: str = "") -> bytes:
    time = HOUR + int((arrived if happened is None else happened) * SECOND)
    record = {"time_unix_nano": time, "received_unix_nano": HOUR + int(arrived * SECOND), "service": "app"}
    return orjson.dumps({**record, "number": number, "batch_id": batch or f"{number}", "batch_index": 0}) + b"\n"


def write(folder: Path, name: str, *lines: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(b"".join(lines)) if path.suffix == ".gz" else b"".join(lines))


def number(given: bytes) -> int:
    return int(orjson.loads(given)["number"])


def planned(wanted: Wanted, positions: Positions | None = None) -> list[list[Part]]:
    return sequences(wanted.selection, wanted.signals, positions or {})


def told(wanted: Wanted, positions: dict[str, dict[str, int]] | None = None) -> list[int]:
    return [number(one.line) for one in found(wanted.selection, planned(wanted, positions), {}) if one.line]


def test_streams_and_writers_come_in_the_order_of_arrival(tmp_path: Path) -> None:
    """Plain, compressed or archived, across the hours."""
    write(tmp_path, "logs/traces/2026-11-23T12.jsonl", line(1, arrived=1), line(4, arrived=4))
    write(tmp_path, "logs/traces/2026-11-23T12.2.jsonl", line(6, arrived=6))
    write(tmp_path, "logs/traces/2026-11-23T12.east.jsonl.gz", line(2, arrived=2), line(5, arrived=5))
    write(tmp_path, "archive/logs/2026-11-23T11.jsonl.gz", line(0, arrived=0))
    write(tmp_path, "logs/logs/2026-11-23T12.jsonl", line(3, arrived=3), line(7, arrived=7))
    assert told(wanted_of(tmp_path)) == list(range(8))


def test_a_service_that_is_no_text_is_nobodys(tmp_path: Path) -> None:
    """Such a line stops no replay."""
    odd = [line(number, arrived=number).replace(b'"app"', odd) for number, odd in ((1, b'{"a":1}'), (2, b'["app"]'))]
    write(tmp_path, "logs/traces/2026-11-23T12.jsonl", *odd, line(3, arrived=3))
    assert told(wanted_of(tmp_path, services=frozenset({"app"}))) == [3]


def test_what_arrives_during_a_replay_waits_for_the_next(tmp_path: Path) -> None:
    """A segment is read as far as it went when it was listed; one that is compressed meanwhile is found."""
    write(tmp_path, "logs/traces/2026-11-23T12.jsonl", line(0, arrived=0), line(1, arrived=1))
    wanted = wanted_of(tmp_path)
    parts = planned(wanted)
    path = tmp_path / "logs/traces/2026-11-23T12.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + line(2, arrived=2))
    assert [number(one.line) for one in found(wanted.selection, parts, {})] == [0, 1]
    path.unlink()
    write(tmp_path, "archive/traces/2026-11-23T12.jsonl.gz", whole)
    unread: dict[str, str] = {}
    assert [number(one.line) for one in found(wanted.selection, parts, unread)] == [0, 1]
    assert unread == {}
    (tmp_path / "archive/traces/2026-11-23T12.jsonl.gz").unlink()
    assert list(found(wanted.selection, parts, unread)) == []
    assert unread["traces/2026-11-23T12.jsonl"].endswith("was removed before it was read")


class _Clock:
    """Moves only by being waited for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waited: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waited.append(round(seconds, 6))
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("speed", "sent"),
    [
        (None, [0.0, 0.0, 0.0, 0.0, 0.0]),
        (Fraction(1), [0.0, 0.0, 10.0, 10.0, 3600.0]),
        (Fraction(10), [0.0, 0.0, 1.0, 1.0, 360.0]),
        (Fraction(1, 2), [0.0, 0.0, 20.0, 20.0, 7200.0]),
    ],
)
def test_records_come_at_their_pace(tmp_path: Path, speed: Fraction | None, sent: list[float]) -> None:
    """By when they happened: late ones at once, a clock that is ahead counts as its arrival, gaps are waited for."""
    write(
        tmp_path,
        "logs/traces/2026-11-23T12.jsonl",
        line(0, arrived=5, happened=0),
        line(1, arrived=6, happened=-60),
        line(2, arrived=10, happened=3000),
        line(3, arrived=12, happened=1),
        line(4, arrived=3601, happened=3600),
    )
    clock = _Clock()
    at: dict[int, float] = {}

    def deliver(_signal: str, lines: Sequence[bytes], _shift: int) -> Delivery:
        at.update({number(one): clock.now - 100 for one in lines})
        return Delivery(len(lines))

    wanted = wanted_of(tmp_path)
    _replay(wanted, Journal(tmp_path / "journal", WHOLE, shift_nano=0), deliver, Pace(speed, clock.wait, clock))
    assert [at[each] for each in range(5)] == sent


def _replay(
    wanted: Wanted,
    journal: Journal,
    deliver: Callable[[str, Sequence[bytes], int], Delivery],
    pace: Pace | None = None,
) -> Replay:
    running = Replay(
        wanted,
        journal,
        deliver,
        pace or Pace(None, lambda _: None),
        shift=lambda _: 0,
        save=lambda journal: journal.save(HOUR),
        signs=Signs(1),
    )
    running.run(planned(wanted, journal.positions))
    return running


def test_what_is_sent_together_stays_below_half_a_second(tmp_path: Path) -> None:
    """At 1x a thousand records a second are some requests a second, none of them early."""
    lines = [line(each, arrived=each / 1000) for each in range(2000)]
    write(tmp_path, "logs/traces/2026-11-23T12.jsonl", *lines)
    clock = _Clock()
    sizes: list[int] = []

    def deliver(_signal: str, lines: Sequence[bytes], _shift: int) -> Delivery:
        sizes.append(len(lines))
        assert all(clock.now - 100 >= number(one) / 1000 for one in lines)
        return Delivery(len(lines))

    wanted = wanted_of(tmp_path)
    _replay(wanted, Journal(tmp_path / "journal", WHOLE, shift_nano=0), deliver, Pace(Fraction(1), clock.wait, clock))
    assert sizes == [1, 500, 500, 500, 499]
    assert clock.waited == [0.5, 0.5, 0.5, 0.5]


@given(st.integers(0, 10**6), st.fractions(Fraction(1, 1000), 1000), st.integers(0, 10**6))
def test_nothing_is_moved_into_the_future(first: int, speed: Fraction, at: int) -> None:
    """At any speed a record that is sent at its pace has happened by then; as fast as it goes the period ends now."""
    period = Period(HOUR, HOUR + 2 * 10**6 * SECOND)
    happened = HOUR + first * SECOND
    shift = shift_to_now(happened, period, speed, HOUR * 2)
    later = happened + min(at, 2 * 10**6 - first) * SECOND
    assert later + shift <= HOUR * 2 + (later - happened) / speed + 1
    assert period.end_unix_nano + shift_to_now(happened, period, None, HOUR * 2) == HOUR * 2


INDEXES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 8)), max_size=60)


@given(INDEXES)
def test_each_index_of_a_batch_is_new_once(pairs: list[tuple[str, int]]) -> None:
    """In whatever order they come."""
    once, seen = Once(), set[tuple[str, int]]()
    for pair in pairs:
        assert once.seen(*pair) == (pair in seen)
        seen.add(pair)


def test_what_is_remembered_of_batches_is_bounded() -> None:
    """The oldest are forgotten; a batch with slices of others between costs no more than one without."""
    once = Once()
    for each in range(100_000):
        assert not once.seen(f"{each}", 0)
        assert not once.seen("interleaved", each)
    assert len(once._batches) <= 32_768
    assert once.seen("99999", 0)
    assert not once.seen("0", 0)
    assert len(once._batches["interleaved"]) <= 2


@given(
    parts=st.lists(st.tuples(st.sampled_from(["traces", "logs"]), st.integers(0, 5), st.booleans()), max_size=24),
    stops=st.lists(st.integers(0, 4), max_size=12),
    compressed=st.booleans(),
)
@example(parts=[("traces", client, True) for client in (0, 1, 0, 2)], stops=[1], compressed=True)
@example(parts=[("traces", client, True) for client in (0, 1, 0, 2)], stops=[1], compressed=False)
def test_however_often_it_is_stopped_each_record_is_sent_once(
    parts: list[tuple[str, int, bool]], stops: list[int], *, compressed: bool
) -> None:
    """And repeats of clients are not, though they lie on the other side of a stop; each request is as it was."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lines: dict[str, list[bytes]] = {}
        for at, (stream, client, is_read) in enumerate(parts):
            made = line(at, arrived=at, batch=f"{stream}{client}") if is_read else b"no record\n"
            lines.setdefault(stream, []).append(made)
        for stream, given_lines in lines.items():
            middle = len(given_lines) // 2
            suffix = ".gz" if compressed else ""
            write(folder, f"logs/{stream}/2026-11-23T12.jsonl{suffix}", *given_lines[:middle])
            write(folder, f"logs/{stream}/2026-11-23T12.2.jsonl", *given_lines[middle:])
        whole = _requests(folder, [])
        assert _requests(folder, stops) == whole
        expected = {(stream, client) for stream, client, is_read in parts if is_read}
        assert Counter(each for _, request in whole for each in request).total() == len(expected)


def _requests(folder: Path, stops: Sequence[int]) -> list[tuple[str, list[int]]]:
    """Those that were taken, by signal, when runs are stopped after so many each."""
    taken: list[tuple[str, list[int]]] = []
    path, wanted = folder / "journal", wanted_of(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "_BATCH_BYTES", 250)
        for after in [*stops, 10**6]:
            left = [after]

            def deliver(signal: str, lines: Sequence[bytes], _shift: int, left: list[int] = left) -> Delivery:
                if not left[0]:
                    raise StoppedError("away")
                left[0] -= 1
                taken.append((signal, [number(one) for one in lines]))
                return Delivery(len(lines))

            journal = unfinished(path, moves=True, now_unix_nano=HOUR) or Journal(path, WHOLE, shift_nano=0)
            try:
                _replay(wanted, journal, deliver)
            except StoppedError:
                continue
            assert sum(journal.sent.values()) == sum(len(request) for _, request in taken)
            break
    path.unlink()
    return sorted(taken)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format":2}', b'{"format":1}', b'{"format":1,"period":7}', b"\xff" * 100]
)
def test_a_spoilt_journal_is_none(tmp_path: Path, content: bytes) -> None:
    """The replay begins anew."""
    path = tmp_path / "journal.json"
    path.write_bytes(content)
    assert unfinished(path, moves=False, now_unix_nano=HOUR) is None


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar on a terminal that leaves nothing behind, a line every ten seconds elsewhere."""
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setenv("TERM", "xterm")
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with Signs(1000) as signs:
        signs.advance(250, 1234)
        signs.wait(25)
        signs.advance(750, 6)
        signs.tell("away\x1b[2J; trying again")
    assert file.getvalue() == "1,234 records, 25 %\n1,234 records, 25 %\naway [2J; trying again\n"
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Signs(1000) as signs:
        signs.advance(500, 1234)
        signs.wait(25)
    assert "1,234 records" in terminal.getvalue()
    assert "\n1,234 records, 50 %" not in terminal.getvalue()


def test_the_end_of_one_replay_lets_no_two_others_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes its file away, which may be the one that the next has just opened."""
    monkeypatch.setenv("FORECOURT_STATE_DIR", str(tmp_path))
    lock = storage_lock._lock
    ended: list[int] = []

    def lock_after_the_end(descriptor: int) -> None:
        lock(descriptor)
        if not ended:
            ended.append(descriptor)
            (file,) = tmp_path.glob("replay/*.lock")
            file.unlink()

    monkeypatch.setattr(storage_lock, "_lock", lock_after_the_end)
    wanted = wanted_of(tmp_path)
    with run._alone(wanted, dry_run=False), pytest.raises(click.ClickException, match="the same replay runs already"):
        run._alone(wanted, dry_run=False).__enter__()
