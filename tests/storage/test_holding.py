from __future__ import annotations

import gzip
import logging
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from collector.retention import one_pass, pruned
from storage import State, StateError, exporter_rows
from storage.exporter_rows import Outcome, SetAside, Wanted
from storage.holding import held_in
from storage.manifest import Manifest, summarize
from storage.names import OWN_FOLDER, hour_of
from storage.ranges import WHOLE, Range, Ranges
from storage.retention import Ages, Policy
from storage.upkeep import Upkeep

NANO = 1_000_000_000
HOUR = 3600 * NANO
NOW = 1_795_435_200 * NANO
"""2026-11-23T12:00:00Z."""
KEY = ("otlp_http/viewer", "traces")
RECORDS, LINE = 10, 100
SIZE = RECORDS * LINE
"""Of a plain segment, in bytes."""
AGES = Ages(compress_after=50 * 3600.0, archive_after=60 * 3600.0, delete_after=70 * 3600.0)
PLENTY = 2**40


class Folder:
    """Segments of ten lines of 100 bytes, named by their age in hours, and how far an exporter is with them."""

    def __init__(self, path: Path) -> None:
        self.logs, self.archive = path / "logs", path / "archive"
        (self.logs / OWN_FOLDER).mkdir(parents=True)
        self.manifest = Manifest.load(self.logs / OWN_FOLDER / "manifest.json")
        self.state = State.open(self.logs / OWN_FOLDER / "state.db")

    def export(self, queue_bytes: int = PLENTY, *keys: tuple[str, str]) -> None:
        wanted = Wanted(from_beginning=True, queue_bytes=queue_bytes)
        exporter_rows.register(self.state, dict.fromkeys(keys or (KEY,), wanted), {})

    def put(self, age_hours: int, *, stream: str = "traces", packed: bool = False, archived: bool = False) -> Path:
        folder = (self.archive if archived else self.logs) / stream
        folder.mkdir(parents=True, exist_ok=True)
        plain = folder / f"{hour_of(NOW - age_hours * HOUR)}.jsonl"
        content = b"".join(b'{"n":%d,"x":"' % number + b"x" * 85 + b'"}\n' for number in range(RECORDS))
        assert len(content) == SIZE
        plain.write_bytes(content)
        summary = summarize(plain, lambda: False)
        assert summary is not None
        path = plain.with_name(f"{plain.name}.gz") if packed or archived else plain
        if path != plain:
            path.write_bytes(gzip.compress(content, mtime=0))
            plain.unlink()
        self.manifest.add(path, summary)
        os.utime(path, ns=(NOW - HOUR, NOW - HOUR))
        return path

    def sent(self, path: Path, *parts: Range, key: tuple[str, str] = KEY) -> None:
        segment = path.name.removesuffix(".gz")
        outcome = Outcome(done=(segment, parts[0]))
        assert exporter_rows.record(self.state, key, outcome, Ranges(parts), 0)

    def upkeep(self, free: int, floor: int) -> Upkeep:
        policy = Policy(self.archive, AGES, floor_bytes=floor)
        return Upkeep(self.logs, policy, self.manifest, free_bytes=lambda _folder: free)

    def run(self, *, free: int = PLENTY, floor: int = 0, dry_run: bool = False) -> list[tuple[str, str]]:
        done = one_pass(self.logs, self.upkeep(free, floor), NOW, dry_run=dry_run)
        assert not [failure for failure in done.failures if "nothing left" not in failure]
        return [(step.act, step.piece.path.name) for step in done.steps]

    def held(self) -> tuple[set[str], set[str]]:
        """Names of what waits, and of what is kept."""
        held = held_in(self.logs)
        assert {stream for stream, _ in held.waiting} <= {"traces"}
        return {name for _, name in held.waiting}, {name for _, name in held.kept}

    def dropped(self) -> dict[str, int]:
        return {row.exporter: row.dropped_records for row in exporter_rows.rows(self.state)}

    def ranges(self) -> set[str]:
        """The segments of which anything is written down."""
        return set(exporter_rows.sent(self.state, KEY))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    with closing(made.state):
        yield made


def names(*paths: Path) -> set[str]:
    return {path.name.removesuffix(".gz") for path in paths}


def test_nothing_is_held_where_there_is_no_exporter(folder: Folder) -> None:
    """Retention does what it always did."""
    old, packed = folder.put(80), folder.put(65, packed=True)
    assert folder.held() == (set(), set())
    assert folder.run() == [("delete", old.name), ("archive", packed.name)]


def test_what_was_not_sent_waits_in_whatever_form_it_is(folder: Folder) -> None:
    """Plain or compressed, not begun or half sent; what was sent to its end does not."""
    folder.export()
    whole, whole_packed, not_his = folder.put(1), folder.put(2, packed=True), folder.put(3, packed=True)
    begun, begun_packed = folder.put(4), folder.put(5, packed=True)
    new, new_packed = folder.put(6), folder.put(7, packed=True)
    holed = folder.put(8)
    folder.put(9, stream="logs")
    for path in (whole, whole_packed):
        folder.sent(path, (0, SIZE))
    folder.sent(not_his, (0, WHOLE))
    for path in (begun, begun_packed):
        folder.sent(path, (0, LINE))
    folder.sent(holed, (0, LINE), (2 * LINE, SIZE))
    waiting = names(begun, begun_packed, new, new_packed, holed)
    assert folder.held() == (waiting, waiting)


def test_a_compressed_segment_without_a_line_is_waited_for_by_nobody(folder: Folder) -> None:
    """A crash may leave an empty one: nothing of it will ever be sent."""
    folder.export()
    path = folder.logs / "traces" / "2026-11-20T00.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(b""))
    assert folder.held() == (set(), set())


def test_so_much_is_kept_as_the_queue_may_hold_the_newest_of_it(folder: Folder) -> None:
    """By what it takes on disk; older ones wait, but retention waits for them no longer."""
    newest, middle, oldest = folder.put(1), folder.put(2), folder.put(3)
    for queue_bytes, kept in (
        (0, ()),
        (SIZE - 1, ()),
        (SIZE, (newest,)),
        (3 * SIZE - 1, (newest, middle)),
        (3 * SIZE, (newest, middle, oldest)),
    ):
        folder.export(queue_bytes)
        assert folder.held() == (names(newest, middle, oldest), names(*kept))


def test_the_bound_of_each_exporter_is_its_own(folder: Folder) -> None:
    """What one of them may keep is kept, however little the others may."""
    other = ("otlp_grpc/cloud", "traces")
    folder.export(0, KEY, other)
    first, second = folder.put(1), folder.put(2)
    folder.sent(first, (0, SIZE), key=other)
    wanted = {KEY: Wanted(from_beginning=True, queue_bytes=0), other: Wanted(from_beginning=True, queue_bytes=SIZE)}
    exporter_rows.register(folder.state, wanted, {"traces": [first.name, second.name]})
    assert folder.held() == (names(first, second), names(second))


def test_what_waits_is_compressed_but_neither_archived_nor_deleted(folder: Folder) -> None:
    """The sender looks for it in the folder; once it was sent all goes on as ever."""
    folder.export()
    plain, packed, overdue = folder.put(55), folder.put(65, packed=True), folder.put(75, packed=True)
    assert folder.run() == [("compress", plain.name)]
    for path in (packed, overdue):
        folder.sent(path, (0, SIZE))
    assert folder.run() == [("delete", overdue.name), ("archive", packed.name)]
    assert folder.dropped() == {KEY[0]: 0}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("parts", "lost"), [([], 10), ([(0, 4 * LINE)], 6), ([(LINE, 2 * LINE), (900, 1000)], 8)])
def test_beyond_the_bound_what_was_unsent_is_deleted_and_counted_exactly(
    folder: Folder, caplog: pytest.LogCaptureFixture, *, packed: bool, parts: list[Range], lost: int
) -> None:
    """Record by record, and told; what is written down of the segment goes with it."""
    folder.export(0, KEY, ("otlp_grpc/cloud", "traces"), (KEY[0], "logs"))
    path = folder.put(75, packed=packed)
    if parts:
        folder.sent(path, *parts)
    folder.sent(path, (0, SIZE), key=("otlp_grpc/cloud", "traces"))
    assert folder.run(dry_run=True) == [("delete", path.name)]
    assert sum(folder.dropped().values()) == 0
    with caplog.at_level(logging.ERROR):
        assert folder.run() == [("delete", path.name)]
    assert [record.message for record in caplog.records] == [
        f"{KEY[0]}: {lost} records of traces were deleted before they were sent"
    ]
    told = {(row.exporter, row.stream): row.dropped_records for row in exporter_rows.rows(folder.state)}
    assert told == {KEY: lost, ("otlp_grpc/cloud", "traces"): 0, (KEY[0], "logs"): 0}
    assert folder.ranges() == set()


def test_a_segment_that_lies_there_twice_is_counted_once(folder: Folder) -> None:
    """Plain and compressed, as it does for a minute."""
    folder.export(0)
    plain = folder.put(75)
    content = plain.read_bytes()
    packed = folder.put(75, packed=True)
    plain.write_bytes(content)
    folder.sent(plain, (0, 3 * LINE))
    summary = summarize(plain, lambda: False)
    assert summary is not None
    folder.manifest.add(plain, summary)
    assert sorted(folder.run()) == [("delete", plain.name), ("delete", packed.name)]
    assert folder.dropped() == {KEY[0]: 7}


def test_an_archived_segment_from_before_the_exporter_is_nothing_lost(folder: Folder) -> None:
    """It was never among what was to be sent."""
    folder.export()
    archived = folder.put(75, archived=True)
    assert folder.run() == [("delete", archived.name)]
    assert folder.dropped() == {KEY[0]: 0}


def test_what_was_deleted_before_a_pass_broke_off_is_counted(folder: Folder) -> None:
    """Each is written down before the next is begun."""
    folder.export(0)
    first, second = folder.put(76), folder.put(75)
    upkeep = folder.upkeep(PLENTY, 0)
    found = []

    def on_step(step: object) -> None:
        found.append(step)
        if len(found) == 2:
            raise StateError("the disk is gone")

    with suppress(StateError):
        one_pass(folder.logs, upkeep, NOW, dry_run=False, on_step=on_step)
    assert (first.exists(), second.exists()) == (False, True)
    assert folder.dropped() == {KEY[0]: 10}


def test_what_was_deleted_is_written_down_while_the_pass_goes_on(folder: Folder) -> None:
    """A process that is killed in the midst of it forgets what it was at, not all that it did."""
    folder.export(0)
    for age in (77, 76, 75):
        folder.put(age)
    seen: list[int] = []
    upkeep = folder.upkeep(PLENTY, 0)
    one_pass(folder.logs, upkeep, NOW, dry_run=False, on_step=lambda _step: seen.append(folder.dropped()[KEY[0]]))
    assert (seen, folder.dropped()) == ([0, 0, 10], {KEY[0]: 30})


def test_a_full_disk_takes_what_waits_last_of_all(folder: Folder) -> None:
    """Newer ones that were sent go first, and then the oldest that were not, with a count."""
    folder.export()
    waiting, newer, sent = (folder.put(age, packed=True) for age in (40, 39, 38))
    folder.sent(sent, (0, SIZE))
    size = waiting.stat().st_size
    assert folder.run(free=0, floor=1, dry_run=True) == [("delete", sent.name)]
    assert folder.run(free=0, floor=1) == [("delete", sent.name)]
    assert folder.dropped() == {KEY[0]: 0}
    assert folder.run(free=0, floor=size + 1) == [("delete", waiting.name), ("delete", newer.name)]
    assert folder.dropped() == {KEY[0]: 20}


def test_a_full_disk_takes_what_is_beyond_the_bound_before_what_was_kept(folder: Folder) -> None:
    """The queue's bound says what is worth more."""
    oldest, kept = folder.put(40, packed=True), folder.put(39, packed=True)
    folder.export(kept.stat().st_size)
    assert folder.held() == (names(oldest, kept), names(kept))
    assert folder.run(free=0, floor=1) == [("delete", oldest.name)]


def test_pruning_waits_for_no_exporter_but_counts(folder: Folder) -> None:
    """Somebody asked for it; what a dry run would do is not counted."""
    folder.export()
    old, young = folder.put(10), folder.put(5)
    folder.sent(old, (0, 2 * LINE))
    for dry_run, lost in ((True, 0), (False, 8)):
        done = pruned(folder.logs, folder.upkeep(PLENTY, 0), ["traces"], NOW - 8 * HOUR, NOW, dry_run=dry_run)
        assert [step.piece.path for step in done.steps] == [old]
        assert folder.dropped() == {KEY[0]: lost}
    assert (old.exists(), young.exists()) == (False, True)


def test_of_a_damaged_segment_as_much_is_counted_as_can_be_read(folder: Folder) -> None:
    """It is deleted all the same."""
    folder.export(0)
    path = folder.put(75, packed=True)
    path.write_bytes(path.read_bytes()[:-6])
    assert folder.run() == [("delete", path.name)]
    assert folder.dropped()[KEY[0]] in range(RECORDS + 1)
    assert folder.ranges() == set()


def test_what_was_set_aside_is_not_archived_and_deleted_in_its_time(folder: Folder) -> None:
    """A retry looks for it in the folder; it was not lost, so nothing counts as dropped."""
    folder.export()
    packed, overdue = folder.put(65, packed=True), folder.put(75, packed=True)
    for path in (packed, overdue):
        segment = path.name.removesuffix(".gz")
        part = SetAside(*KEY, segment, 0, LINE, 1, "no name", NOW)
        outcome = Outcome({"set_aside_records": 1}, (segment, (0, SIZE)), (part,))
        assert exporter_rows.record(folder.state, KEY, outcome, Ranges([(0, SIZE)]), 0)
    assert folder.run() == [("delete", overdue.name)]
    assert (packed.exists(), folder.dropped()) == (True, {KEY[0]: 0})


def test_a_dry_run_says_that_an_exporter_still_waits_for_it(folder: Folder) -> None:
    """By age and for room alike; what was sent goes without a word."""
    folder.export(0)
    unsent, sent = folder.put(75, packed=True), folder.put(76, packed=True)
    folder.sent(sent, (0, SIZE))
    done = one_pass(folder.logs, folder.upkeep(PLENTY, 0), NOW, dry_run=True)
    told = {step.piece.path.name: step.reason.partition(",")[2] for step in done.steps}
    assert told == {unsent.name: " though an exporter has not sent all of it", sent.name: ""}
