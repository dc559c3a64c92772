from __future__ import annotations

import errno
import gzip
import os
import signal
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from storage import compression, upkeep
from storage.inventory import Piece, inventory
from storage.manifest import Manifest, summarize
from storage.names import OWN_FOLDER, hour_of, parse_segment_name, segments
from storage.reader import read, unread
from storage.retention import Ages, Policy, next_for_room, plan
from storage.upkeep import Upkeep

NANO = 1_000_000_000
HOUR = 3600 * NANO
DAY = 24 * HOUR
NOW = 1_795_435_200 * NANO
"""2026-11-23T12:00:00Z."""


def line(number: int, time: int) -> bytes:
    record = {"time_unix_nano": time, "received_unix_nano": time, "number": number, "padding": "x" * 200}
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


class Folder:
    """Segments of given ages in hours, each with ten records; closed ones stand in the manifest."""

    def __init__(self, path: Path, **policy: Any) -> None:
        self.logs, self.archive = path / "logs", path / "archive"
        (self.logs / OWN_FOLDER).mkdir(parents=True)
        self.manifest = Manifest.load(self.logs / OWN_FOLDER / "manifest.json")
        self.policy = Policy(self.archive, **{"floor_bytes": 0, **policy})
        self.numbers: list[int] = []

    def put(self, stream: str, age_hours: int, *, closed: bool = True, form: str = "plain") -> Path:
        began = NOW - age_hours * HOUR
        folder = (self.archive if form == "archived" else self.logs) / stream
        folder.mkdir(parents=True, exist_ok=True)
        first = len(self.numbers)
        self.numbers += range(first, first + 10)
        content = b"".join(line(number, began + number) for number in range(first, first + 10))
        plain = folder / f"{hour_of(began)}.jsonl"
        plain.write_bytes(content)
        if closed:
            summary = summarize(plain, lambda: False)
            assert summary is not None
            self.manifest.add(plain, summary)
        if form != "plain":
            packed = plain.with_name(f"{plain.name}.gz")
            packed.write_bytes(gzip.compress(content))
            plain.unlink()
            if summary := self.manifest.get(plain):
                self.manifest.discard(plain)
                self.manifest.add(packed, summary)
            plain = packed
        self.manifest.save()
        os.utime(plain, ns=(NOW - HOUR, NOW - HOUR))
        return plain

    def upkeep(self, free: Callable[[], int] = lambda: 1 << 60) -> Upkeep:
        return Upkeep(self.logs, self.policy, self.manifest, free_bytes=lambda _folder: free())

    def planned(self) -> list[str]:
        steps = plan(inventory(self.logs, self.archive), self.policy, NOW, self._closed)
        return [f"{step.act} {step.piece.path.name}: {step.reason}" for step in steps]

    def _closed(self, piece: Piece) -> bool:
        return self.manifest.get(piece.path) is not None

    def read(self) -> list[int]:
        """As every reader does: each segment once, whatever it lies there as."""
        found = []
        for folder in (self.logs, self.archive):
            for stream in sorted({piece.stream for piece in inventory(self.logs, self.archive)}):
                for name, path in segments(folder / stream):
                    if folder == self.archive and any(
                        (self.logs / stream / f"{str(name).removesuffix('.gz')}{ending}").exists()
                        for ending in ("", ".gz")
                    ):
                        continue
                    with gzip.open(path) if name.compressed else path.open("rb") as file:
                        found += [orjson.loads(one)["number"] for one in file]
        return sorted(found)

    def age(self) -> None:
        """What was written by the machine's clock is as old as the rest."""
        for piece in inventory(self.logs, self.archive):
            os.utime(piece.path, ns=(NOW - HOUR, NOW - HOUR))

    def names(self) -> list[str]:
        pieces = inventory(self.logs, self.archive)
        return [f"{'archive/' if piece.archived else ''}{piece.path.name}" for piece in pieces]


def test_segments_are_compressed_archived_and_deleted_by_age(tmp_path: Path) -> None:
    """Each at its time after its hour is over, and with its reason."""
    folder = Folder(tmp_path)
    for age in (0, 1, 24 * 7, 24 * 7 + 1, 24 * 7 + 2):
        folder.put("traces", age)
    for age in (24 * 30 + 1, 24 * 30 + 2):
        folder.put("traces", age, form="compressed")
    for age in (24 * 90 + 1, 24 * 90 + 2):
        folder.put("traces", age, form="archived")
    assert folder.planned() == [
        "delete 2026-08-25T10.jsonl.gz: older than 90 days",
        "archive 2026-10-24T10.jsonl.gz: older than 30 days",
        "compress 2026-11-16T10.jsonl: older than 7 days",
    ]


def test_a_stream_may_have_ages_of_its_own(tmp_path: Path) -> None:
    """Others keep the general ones."""
    folder = Folder(tmp_path, streams={"health": Ages(3600, 7200, 3 * 3600)})
    for stream in ("health", "traces"):
        for age in (3, 5):
            folder.put(stream, age)
    assert folder.planned() == [
        "delete 2026-11-23T07.jsonl: older than 10800 s",
        "compress 2026-11-23T09.jsonl: older than 3600 s",
    ]


def test_plain_segments_beyond_the_limit_are_compressed_the_oldest_first(tmp_path: Path) -> None:
    """As many as it takes; never the hour that is being written."""
    folder = Folder(tmp_path, plain_limit_bytes=1)
    size = folder.put("traces", 3).stat().st_size
    folder.put("logs", 2)
    folder.put("traces", 0)
    told = "plain segments exceed plain_limit"
    assert folder.planned() == [f"compress 2026-11-23T09.jsonl: {told}", f"compress 2026-11-23T10.jsonl: {told}"]
    folder.policy = Policy(folder.archive, plain_limit_bytes=3 * size, floor_bytes=0)
    assert folder.planned() == [f"compress 2026-11-23T09.jsonl: {told}"]


def test_an_open_segment_is_never_touched(tmp_path: Path) -> None:
    """What the manifest does not know is somebody's, however old, however full the disk is."""
    folder = Folder(tmp_path, plain_limit_bytes=1)
    folder.put("traces", 24 * 100, closed=False)
    folder.put("traces", 0)
    done = folder.upkeep(lambda: 0).run(NOW, {})
    assert done.steps == []
    assert folder.names() == ["2026-08-15T12.jsonl", "2026-11-23T12.jsonl"]


def test_what_judging_has_not_read_stays_as_it_is(tmp_path: Path) -> None:
    """Its position counts bytes of the plain segment."""
    folder = Folder(tmp_path)
    path = folder.put("traces", 24 * 8)
    size = path.stat().st_size
    assert folder.upkeep().run(NOW, {"traces": {path.name: size - 1}}).steps == []
    assert folder.upkeep().run(NOW, {"traces": {}}).steps == []
    assert [step.act for step in folder.upkeep().run(NOW, {"traces": {path.name: size}}).steps] == ["compress"]


def test_the_plain_segment_goes_a_minute_after_the_compressed_one_came(tmp_path: Path) -> None:
    """Whoever listed it before still finds it; each reader takes just one of the two."""
    folder = Folder(tmp_path)
    plain = folder.put("traces", 24 * 8)
    folder.upkeep().run(NOW, {})
    packed = plain.with_name(f"{plain.name}.gz")
    assert (plain.exists(), packed.exists(), folder.read()) == (True, True, folder.numbers)
    assert [path for _, path in segments(plain.parent)] == [plain]
    assert len(list(read(unread(folder.logs, ["traces"], {})))) == 10
    os.utime(packed, ns=(NOW, NOW))
    assert folder.upkeep().run(NOW + 59 * NANO, {}).steps == []
    (step,) = folder.upkeep().run(NOW + 60 * NANO, {}).steps
    assert (step.act, step.reason) == ("remove", "it is there compressed")
    assert (plain.exists(), folder.read()) == (False, folder.numbers)
    known = folder.manifest.get(packed)
    assert known is not None
    assert known.records == 10
    assert folder.upkeep().run(NOW + DAY, {}).steps == []


def test_an_archive_on_another_disk_gets_a_copy_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared, synced, and only a minute later the original goes."""
    folder = Folder(tmp_path)
    here = folder.put("traces", 24 * 31, form="compressed")

    def refuse(_path: Path, _target: Path) -> Path:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", refuse)
    folder.upkeep().run(NOW, {})
    there = folder.archive / "traces" / here.name
    assert (here.exists(), there.exists()) == (True, True)
    os.utime(there, ns=(NOW, NOW))
    (step,) = folder.upkeep().run(NOW + 61 * NANO, {}).steps
    assert (step.act, step.reason) == ("remove", "it is there in the archive")
    assert (here.exists(), there.exists(), folder.read()) == (False, True, folder.numbers)
    assert list((folder.archive / OWN_FOLDER).iterdir()) == []


def test_a_compressed_file_that_is_not_the_plain_ones_replaces_nothing(tmp_path: Path) -> None:
    """Somebody put it there; both stay, and it is said."""
    folder = Folder(tmp_path)
    plain = folder.put("traces", 24 * 8)
    packed = plain.with_name(f"{plain.name}.gz")
    packed.write_bytes(gzip.compress(b"other"))
    os.utime(packed, ns=(NOW - HOUR, NOW - HOUR))
    done = folder.upkeep().run(NOW, {})
    assert done.failures == [f"{plain}: {packed} is not the same; move one of the two away"]
    assert plain.exists()


def test_below_the_floor_plain_ones_are_compressed_and_then_the_oldest_deleted(tmp_path: Path) -> None:
    """Until there is room again, and no further."""
    folder = Folder(tmp_path)
    archived = folder.put("traces", 24 * 40, form="archived").stat().st_size
    folder.put("traces", 24 * 20, form="compressed")
    plain = folder.put("traces", 3).stat().st_size
    folder.put("traces", 0)
    free = 2 * plain
    folder.policy = Policy(folder.archive, floor_bytes=free + plain - archived // 2)
    done = folder.upkeep(lambda: free).run(NOW, {})
    assert [step.act for step in done.steps] == ["compress", "remove", "delete"]
    assert folder.names() == ["2026-11-03T12.jsonl.gz", "2026-11-23T09.jsonl.gz", "2026-11-23T12.jsonl"]


def test_a_disk_without_room_for_anything_says_so(tmp_path: Path) -> None:
    """When all that is left is open."""
    folder = Folder(tmp_path, floor_bytes=1000)
    folder.put("traces", 0)
    done = folder.upkeep(lambda: 0).run(NOW, {})
    assert done.failures == ["free disk is below the floor, and there is nothing left to give up"]
    assert next_for_room([], NOW, lambda _piece: True, 0) is None


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_leaves_the_plain_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int) -> None:
    """And nothing half made."""
    folder = Folder(tmp_path)
    plain = folder.put("traces", 24 * 8)

    def fail(_descriptor: int) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(compression, "sync_file", fail)
    done = folder.upkeep().run(NOW, {})
    assert done.failures == [f"{plain}: [Errno {fault}] {os.strerror(fault)}"]
    assert folder.names() == [plain.name]
    assert list((folder.logs / OWN_FOLDER / "compressing").iterdir()) == []


def test_a_disk_that_returns_something_else_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is read back before it replaces anything."""
    folder = Folder(tmp_path)
    plain = folder.put("traces", 24 * 8)
    monkeypatch.setattr(compression, "_read_back", lambda _path: (1, 2))
    (failure,) = folder.upkeep().run(NOW, {}).failures
    assert "does not read back as" in failure
    assert folder.names() == [plain.name]


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    """It only says."""
    folder = Folder(tmp_path)
    folder.put("traces", 24 * 8)
    done = folder.upkeep().run(NOW, {}, dry_run=True)
    assert ([step.act for step in done.steps], folder.names()) == (["compress"], ["2026-11-15T12.jsonl"])


def test_streams_that_are_named_are_pruned(tmp_path: Path) -> None:
    """Closed segments whose hour was over, in whatever form; others stay."""
    folder = Folder(tmp_path)
    folder.put("metrics", 48)
    folder.put("metrics", 72, form="archived")
    folder.put("metrics", 1)
    folder.put("metrics", 60, closed=False)
    folder.put("traces", 48)
    dry = folder.upkeep().prune(["metrics"], NOW - DAY, NOW, {}, dry_run=True)
    done = folder.upkeep().prune(["metrics"], NOW - DAY, NOW, {}, dry_run=False)
    assert [step.piece.path for step in dry.steps] == [step.piece.path for step in done.steps]
    assert folder.names() == ["2026-11-21T00.jsonl", "2026-11-21T12.jsonl", "2026-11-23T11.jsonl"]


def test_ninety_days_are_planned_with_one_look_at_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2,160 files: what is planned does not ask the disk again."""
    folder = tmp_path / "logs" / "traces"
    folder.mkdir(parents=True)
    for hour in range(2160):
        (folder / f"{hour_of(NOW - hour * HOUR)}.jsonl.gz").touch()
    pieces = inventory(tmp_path / "logs")
    with monkeypatch.context() as patched:
        for name in ("stat", "open", "iterdir"):
            patched.setattr(Path, name, None)
        steps = plan(pieces, Policy(tmp_path / "archive"), NOW, lambda _piece: True)
    assert len(steps) == 2160 - 722


DEADLY = (
    (compression, "sync_file"),
    (compression, "sync_folder"),
    (compression, "_compress_into"),
    (Path, "replace"),
    (Path, "rename"),
    (Path, "unlink"),
    (Manifest, "save"),
    (Manifest, "add"),
    (Manifest, "discard"),
    (upkeep, "remove"),
)


def _dying(limit: int) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """Each of these ends the process at the call of that number, counted over all of them, before and after it."""
    count = 0

    def wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **given: Any) -> Any:
            nonlocal count
            count += 1
            if count == limit:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*args, **given)
            count += 1
            if count == limit:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counted

    for owner, name in DEADLY:
        yield owner, name, wrapped(getattr(owner, name))


def _run_until_killed(folder: Folder, limit: int, now: int) -> bool:
    """In a process of its own; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        for owner, name, call in list(_dying(limit)):
            setattr(owner, name, call)
        folder.upkeep().run(now, {})
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork to die at each of a hundred steps")
def test_a_kill_at_any_step_loses_nothing(tmp_path: Path) -> None:
    """Killed at each call in turn, then run again: every record once, nothing half made is left, all is done."""
    for limit in range(1, 1000):
        folder = Folder(tmp_path / str(limit))
        folder.put("traces", 24 * 8)
        folder.put("logs", 24 * 8)
        folder.put("traces", 24 * 40, form="compressed")
        folder.put("traces", 24 * 39)
        killed = _run_until_killed(folder, limit, NOW)
        assert folder.read() == folder.numbers, limit
        folder.manifest = Manifest.load(folder.logs / OWN_FOLDER / "manifest.json")
        for hours in (1, 2, 3, 4):
            folder.age()
            folder.upkeep().run(NOW + DAY + hours * HOUR, {})
        assert folder.read() == folder.numbers, limit
        assert folder.names() == [
            "archive/2026-10-14T12.jsonl.gz",
            "archive/2026-10-15T12.jsonl.gz",
            "2026-11-15T12.jsonl.gz",
            "2026-11-15T12.jsonl.gz",
        ], limit
        left = [path.name for path in (folder.logs / OWN_FOLDER).rglob("*.new")]
        assert left == [], limit
        for piece in inventory(folder.logs, folder.archive):
            known = folder.manifest.get(piece.path)
            assert known is not None
            assert known.records == 10
        if not killed:
            break
    assert limit > 30


def test_names_of_segments_in_both_forms_are_one() -> None:
    """The reader's rule rests on it."""
    plain, packed = parse_segment_name("2026-11-23T10.2.jsonl"), parse_segment_name("2026-11-23T10.2.jsonl.gz")
    assert plain is not None
    assert packed is not None
    assert (plain.hour, plain.number) == (packed.hour, packed.number)


def test_nothing_of_the_running_hour_is_touched(tmp_path: Path) -> None:
    """Not even an abandoned segment, which is closed: by no limit, no floor, nor because somebody asks."""
    folder = Folder(tmp_path, plain_limit_bytes=0, floor_bytes=1 << 60)
    path = folder.put("traces", 0)
    assert folder.upkeep(free=lambda: 0).run(NOW, {}).steps == []
    assert folder.upkeep().prune(["traces"], NOW + DAY, NOW, {}, dry_run=False).steps == []
    assert path.exists()


def test_pruning_ends_with_the_hour_and_forgets_what_it_deletes(tmp_path: Path) -> None:
    """An hour that was over at that moment goes, the next stays; what judging has not read stays too."""
    folder = Folder(tmp_path)
    older, newer, unread = folder.put("metrics", 48), folder.put("metrics", 47), folder.put("logs", 72)
    before = NOW - 47 * HOUR
    done = folder.upkeep().prune(["metrics", "logs"], before, NOW, {"logs": {unread.name: 1}}, dry_run=False)
    assert [step.piece.path for step in done.steps] == [older]
    assert (older.exists(), newer.exists(), unread.exists()) == (False, True, True)
    kept = Manifest.load(folder.logs / OWN_FOLDER / "manifest.json")
    assert [kept.get(path) is not None for path in (older, newer, unread)] == [False, True, True]


@pytest.mark.parametrize(("more", "expected"), [(0, []), (-1, ["compress"])])
def test_as_much_as_the_limit_may_be_plain(tmp_path: Path, more: int, expected: list[str]) -> None:
    """And not a byte more."""
    made = Folder(tmp_path / "measured")
    size = sum(made.put("traces", age).stat().st_size for age in (4, 3))
    folder = Folder(tmp_path / "limited", plain_limit_bytes=size + more)
    for age in (4, 3):
        folder.put("traces", age)
    assert [step.act for step in folder.upkeep().run(NOW, {}).steps] == expected


def test_a_disk_that_gives_back_something_else_ends_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The segment stays as it is, the next ones are done."""
    folder = Folder(tmp_path)
    for age in (24 * 9, 24 * 8):
        folder.put("traces", age)
    real, damaged = compression._read_back, [zlib.error("invalid block type")]

    def read_back(path: Path) -> tuple[int, int]:
        if damaged:
            raise damaged.pop()
        return real(path)

    monkeypatch.setattr(compression, "_read_back", read_back)
    done = folder.upkeep().run(NOW, {})
    assert ([step.act for step in done.steps], len(done.failures)) == (["compress"], 1)
    assert folder.read() == folder.numbers
