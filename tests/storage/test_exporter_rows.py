from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from storage import State, exporter_rows
from storage.exporter_rows import ExporterRow, Outcome, SetAside, Wanted
from storage.ranges import WHOLE, Range, Ranges

VIEWER, LOGS, CLOUD = ("otlp_http/viewer", "traces"), ("otlp_http/viewer", "logs"), ("otlp_grpc/cloud", "traces")
FROM_NOW, FROM_BEGINNING = Wanted(from_beginning=False, queue_bytes=100), Wanted(from_beginning=True, queue_bytes=200)
OLD, NEW = "2026-11-23T11.jsonl", "2026-11-23T12.jsonl"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(State.open(tmp_path / "state.db")) as opened:
        yield opened


def aside(segment: str, start: int, stop: int, records: int = 1, key: tuple[str, str] = VIEWER) -> SetAside:
    return SetAside(*key, segment, start, stop, records, "400 Bad Request", 7)


def sent(state: State, key: tuple[str, str] = VIEWER) -> dict[str, list[Range]]:
    return {segment: list(ranges) for segment, ranges in exporter_rows.sent(state, key).items()}


def done(state: State, segment: str, *parts: Range, asides: tuple[SetAside, ...] = ()) -> None:
    """All of these parts are done of the segment."""
    outcome = Outcome(
        counts={"set_aside_records": sum(part.records for part in asides)}, done=(segment, parts[0]), set_aside=asides
    )
    assert exporter_rows.record(state, VIEWER, outcome, Ranges(parts), 0)


def test_who_is_new_begins_where_it_is_told_to(state: State) -> None:
    """With what comes from now on, or with all that there is; each with its own streams."""
    wanted = {VIEWER: FROM_NOW, LOGS: FROM_NOW, CLOUD: FROM_BEGINNING}
    exporter_rows.register(state, wanted, {"traces": [OLD, NEW], "metrics": [OLD]})
    assert exporter_rows.rows(state) == [
        ExporterRow(*CLOUD, queue_bytes=200),
        ExporterRow(*LOGS, queue_bytes=100),
        ExporterRow(*VIEWER, queue_bytes=100),
    ]
    assert [sent(state, key) for key in wanted] == [{OLD: [(0, WHOLE)], NEW: [(0, WHOLE)]}, {}, {}]


def test_who_is_known_goes_on_where_it_was(state: State) -> None:
    """At the next start only its bound may be another; segments that came meanwhile are not sent yet."""
    exporter_rows.register(state, {VIEWER: FROM_NOW}, {"traces": [OLD]})
    exporter_rows.record(state, VIEWER, Outcome(counts={"sent_records": 5}), None, 0)
    exporter_rows.register(state, {VIEWER: FROM_BEGINNING}, {"traces": [OLD, NEW]})
    assert exporter_rows.rows(state) == [ExporterRow(*VIEWER, sent_records=5, queue_bytes=200)]
    assert sent(state) == {OLD: [(0, WHOLE)]}


def test_who_has_gone_is_forgotten_and_new_when_it_comes_again(state: State) -> None:
    """Its counts, what it had sent and what it had set aside; others keep theirs."""
    exporter_rows.register(state, {VIEWER: FROM_BEGINNING, CLOUD: FROM_NOW}, {"traces": [OLD]})
    done(state, OLD, (0, 50), asides=(aside(OLD, 10, 20),))
    assert exporter_rows.register(state, {CLOUD: FROM_NOW}, {"traces": [OLD]}) == []
    assert exporter_rows.generation(state, VIEWER) == 0
    (gone,) = exporter_rows.forget_others(state, {CLOUD: FROM_NOW})
    assert gone == ExporterRow(*VIEWER, set_aside_records=gone.set_aside_records, queue_bytes=200)
    assert exporter_rows.generation(state, VIEWER) is None
    assert (sent(state), exporter_rows.all_set_aside(state)) == ({}, [])
    assert sent(state, CLOUD) == {OLD: [(0, WHOLE)]}
    again = {VIEWER: FROM_NOW, CLOUD: FROM_NOW}
    assert exporter_rows.register(state, again, {"traces": [OLD, NEW]}) == [VIEWER]
    assert exporter_rows.rows(state)[1] == ExporterRow(*VIEWER, queue_bytes=100)
    assert sent(state) == {OLD: [(0, WHOLE)], NEW: [(0, WHOLE)]}


def test_one_step_is_written_down_with_all_that_it_brought(state: State) -> None:
    """Counts add up, the last problem and time stand, and the parts are added to those before."""
    exporter_rows.register(state, {VIEWER: FROM_BEGINNING, CLOUD: FROM_BEGINNING}, {})
    done(state, OLD, (0, 10))
    counts = {"sent_records": 3, "rejected_records": 1, "generation": 9, "failed_requests": 0}
    part = aside(OLD, 30, 40)
    outcome = Outcome(counts, (OLD, (20, 40)), (part,), ("400", 8), sent_unix_nano=9)
    assert exporter_rows.record(state, VIEWER, outcome, Ranges([(0, 10), (20, 40)]), 0)
    assert exporter_rows.record(state, VIEWER, Outcome({"sent_records": 2}), None, 0)
    expected = ExporterRow(
        *VIEWER,
        sent_records=5,
        rejected_records=1,
        sent_unix_nano=9,
        problem="400",
        problem_unix_nano=8,
        queue_bytes=200,
    )
    assert exporter_rows.rows(state) == [ExporterRow(*CLOUD, queue_bytes=200), expected]
    assert (sent(state), exporter_rows.all_set_aside(state)) == ({OLD: [(0, 10), (20, 40)]}, [part])


def test_nothing_is_written_by_one_who_has_not_heard_of_a_change(state: State) -> None:
    """Nor for an exporter that is not known any more: what counts as sent was changed by somebody else."""
    exporter_rows.register(state, {VIEWER: FROM_BEGINNING}, {})
    exporter_rows.try_again(state, VIEWER[0])
    before = exporter_rows.rows(state)
    outcome = Outcome({"sent_records": 1}, (OLD, (0, 10)), (aside(OLD, 0, 10),), ("x", 1), 1)
    assert not exporter_rows.record(state, VIEWER, outcome, Ranges([(0, 10)]), 0)
    assert not exporter_rows.record(state, CLOUD, outcome, Ranges([(0, 10)]), 0)
    assert (exporter_rows.rows(state), sent(state), exporter_rows.all_set_aside(state)) == (before, {}, [])
    assert exporter_rows.record(state, VIEWER, outcome, Ranges([(0, 10)]), 1)


def test_what_was_set_aside_counts_as_not_sent_once_it_is_tried_again(state: State) -> None:
    """Just that, of all streams of this exporter; whoever sends learns of it by the generation."""
    exporter_rows.register(state, {VIEWER: FROM_BEGINNING, LOGS: FROM_BEGINNING, CLOUD: FROM_BEGINNING}, {})
    done(state, OLD, (0, 100), asides=(aside(OLD, 10, 20), aside(OLD, 90, 100, 4)))
    done(state, NEW, (0, WHOLE), asides=(aside(NEW, 60, WHOLE, 0),))
    others = aside(OLD, 0, 5, key=CLOUD)
    exporter_rows.record(state, CLOUD, Outcome({"set_aside_records": 1}, set_aside=(others,)), None, 0)
    of_logs = Outcome({"set_aside_records": 2}, (OLD, (0, 9)), (aside(OLD, 0, 9, 2, LOGS),))
    exporter_rows.record(state, LOGS, of_logs, Ranges([(0, 9)]), 0)
    assert len(exporter_rows.all_set_aside(state, VIEWER[0])) == 4
    assert exporter_rows.try_again(state, VIEWER[0]) == 7
    assert (sent(state), sent(state, LOGS)) == ({OLD: [(0, 10), (20, 90)], NEW: [(0, 60)]}, {})
    assert exporter_rows.all_set_aside(state) == [others]
    told = {(row.exporter, row.stream): (row.generation, row.set_aside_records) for row in exporter_rows.rows(state)}
    assert told == {CLOUD: (0, 1), LOGS: (1, 0), VIEWER: (1, 0)}
    assert exporter_rows.try_again(state, VIEWER[0]) == 0


def test_much_that_is_tried_again_holds_up_nobody(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts as sent is read once, not for each of the segments, while nobody else may write."""
    exporter_rows.register(state, {VIEWER: FROM_BEGINNING}, {})
    names = [f"2026-11-{day:02}T10.jsonl" for day in range(1, 31)]
    for name in names:
        done(state, name, (0, 100), asides=(aside(name, 10, 20),))
    reads: list[tuple[Any, ...]] = []
    sent_of = exporter_rows.sent
    monkeypatch.setattr(exporter_rows, "sent", lambda *given: reads.append(given) or sent_of(*given))
    exporter_rows.try_again(state, VIEWER[0])
    assert len(reads) == 1
    assert sent(state) == {name: [(0, 10), (20, 100)] for name in names}


def test_a_deleted_segment_is_forgotten_and_what_was_lost_with_it_counted(state: State) -> None:
    """For each exporter of its stream; the same name of another stream stays."""
    exporter_rows.register(state, {VIEWER: FROM_BEGINNING, LOGS: FROM_BEGINNING, CLOUD: FROM_BEGINNING}, {})
    done(state, OLD, (0, 10), asides=(aside(OLD, 0, 5, 3), aside(OLD, 5, 10)))
    done(state, NEW, (0, 10), asides=(aside(NEW, 0, 10, 2),))
    exporter_rows.record(state, LOGS, Outcome(done=(OLD, (0, 5))), Ranges([(0, 5)]), 0)
    exporter_rows.forget_segment(state, "traces", OLD, {VIEWER: 3, CLOUD: 0})
    exporter_rows.forget_segment(state, "traces", "2026-11-23T10.jsonl", {VIEWER: 4})
    assert (sent(state), sent(state, LOGS)) == ({NEW: [(0, 10)]}, {OLD: [(0, 5)]})
    assert exporter_rows.all_set_aside(state) == [aside(NEW, 0, 10, 2)]
    told = {
        (row.exporter, row.stream): (row.dropped_records, row.set_aside_records) for row in exporter_rows.rows(state)
    }
    assert told == {CLOUD: (0, 0), LOGS: (0, 0), VIEWER: (7, 2)}


def test_how_much_waits_is_told_beside_the_counts(state: State) -> None:
    """It is what was found when it was last looked."""
    exporter_rows.register(state, {VIEWER: FROM_BEGINNING}, {})
    exporter_rows.looked(state, VIEWER, waiting_bytes=5, oldest_unix_nano=6, now_unix_nano=7)
    (row,) = exporter_rows.rows(state)
    assert row == ExporterRow(*VIEWER, waiting_bytes=5, oldest_unix_nano=6, looked_unix_nano=7, queue_bytes=200)


def test_what_is_written_down_of_a_segment_that_is_no_more_is_forgotten_at_a_start(state: State) -> None:
    """Its name may be given to another one, which is sent whole then."""
    exporter_rows.register(state, {VIEWER: FROM_BEGINNING}, {})
    done(state, OLD, (0, 10))
    done(state, NEW, (0, 10))
    exporter_rows.register(state, {VIEWER: FROM_BEGINNING}, {"traces": [NEW]})
    assert sent(state) == {NEW: [(0, 10)]}
