"""What would lose records, or end retention, where the folder or the disk is not as one hopes."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path

import pytest

from storage import Store, compression
from storage.manifest import Manifest
from storage.names import OWN_FOLDER, parse_segment_name
from storage.reader import Span, read, unread
from storage.verify import verify
from tests.storage.test_retention import DAY, HOUR, NANO, NOW, Folder

FLOOR = "free disk is below the floor, and there is nothing left to give up"


def test_an_archive_that_is_the_folder_itself_costs_nothing(tmp_path: Path) -> None:
    """By a link, say: no file is its own copy."""
    folder = Folder(tmp_path)
    packed = folder.put("traces", 24 * 8, form="compressed")
    folder.archive.symlink_to(folder.logs)
    done = folder.upkeep().run(NOW, {})
    assert packed.exists()
    same = folder.archive / "traces" / packed.name
    assert done.failures == [
        f"{packed}: {same} is this very file; point exporters.jsonl.retention.archive elsewhere",
    ]


def test_a_full_disk_does_not_empty_an_archive_on_another_one(tmp_path: Path) -> None:
    """It would make no room here."""
    folder = Folder(tmp_path, floor_bytes=1000)
    kept = folder.put("traces", 24 * 40, form="archived")
    given_up = folder.put("traces", 24 * 20, form="compressed")
    upkeep = folder.upkeep(lambda: 0)
    upkeep._disk_of = lambda path: 1 if path == folder.archive else 2
    done = upkeep.run(NOW, {})
    assert ([step.act for step in done.steps], done.failures) == (["delete"], [FLOOR])
    assert (kept.exists(), given_up.exists()) == (True, False)


def test_what_has_no_room_to_be_compressed_is_deleted_the_oldest_first(tmp_path: Path) -> None:
    """A disk that is full to the last byte gets room again."""
    folder = Folder(tmp_path, floor_bytes=1000)
    oldest, newer = folder.put("traces", 5), folder.put("traces", 3)
    done = folder.upkeep(lambda: 0).run(NOW, {})
    assert [(step.act, step.piece.path) for step in done.steps] == [("delete", oldest)]
    assert (oldest.exists(), newer.exists(), done.failures) == (False, True, [])


def test_no_more_is_deleted_than_lacks_where_the_disk_tells_late_what_was_freed(tmp_path: Path) -> None:
    """As some file systems do, and each as long as a reader has the file open."""
    folder = Folder(tmp_path)
    packed = [folder.put("traces", age, form="compressed") for age in (9, 8, 7, 6)]
    lacking = packed[0].stat().st_size + 1
    folder = _with_floor(folder, lacking)
    folder.upkeep(lambda: 0).run(NOW, {})
    assert [path.exists() for path in packed] == [False, False, True, True]


def _with_floor(folder: Folder, floor_bytes: int) -> Folder:
    policy = folder.policy
    folder.policy = type(policy)(policy.archive, floor_bytes=floor_bytes)
    return folder


def test_a_name_of_no_hour_is_no_segments(tmp_path: Path) -> None:
    """Whoever put it there does not end retention."""
    folder = Folder(tmp_path)
    plain = folder.put("traces", 24 * 8)
    (plain.parent / "2026-13-45T99.jsonl").touch()
    assert parse_segment_name("2026-13-45T99.jsonl") is None
    assert [step.act for step in folder.upkeep().run(NOW, {}).steps] == ["compress"]


def test_a_stop_does_not_wait_for_a_segment_to_be_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left as it was, without a trace of the half that was made; the next run makes it whole."""
    folder = Folder(tmp_path)
    plain = folder.put("traces", 24 * 8)
    monkeypatch.setattr(compression, "_CHUNK", 100)
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    done = folder.upkeep().run(NOW, {}, stopped=stopped)
    assert (done.steps, done.failures, folder.names()) == ([], [], [plain.name])
    assert list((folder.logs / OWN_FOLDER / "compressing").iterdir()) == []
    assert [step.act for step in folder.upkeep().run(NOW, {}).steps] == ["compress"]


def test_a_run_writes_the_manifest_at_most_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is megabytes for 90 days: once a segment would be gigabytes at the first run on an old folder."""
    folder = Folder(tmp_path)
    for age in range(30):
        folder.put("traces", 24 * 91 + age)
        folder.put("logs", 24 * 8 + age)
    saved: list[int] = []
    save = Manifest.save

    def counted(manifest: Manifest) -> None:
        saved.append(1)
        save(manifest)

    monkeypatch.setattr(Manifest, "save", counted)
    assert len(folder.upkeep().run(NOW, {}).steps) == 60
    assert len(saved) == 1
    manifest = Manifest.load(folder.logs / OWN_FOLDER / "manifest.json")
    known = [manifest.get(path) for path in (folder.logs / "logs").iterdir()]
    assert [one.records for one in known if one is not None] == [10] * 60


def test_nothing_in_the_archive_is_overwritten(tmp_path: Path) -> None:
    """Two sidecars that share one: the second is told, and keeps its own."""
    source, target = tmp_path / "logs" / "a.gz", tmp_path / "archive" / "a.gz"
    for path in (source, target):
        path.parent.mkdir()
        path.write_text(path.parent.name)
    with pytest.raises(FileExistsError) as caught:
        compression.move(source, target, tmp_path)
    assert caught.value.errno == errno.EEXIST
    assert (source.read_text(), target.read_text()) == ("logs", "archive")


def test_a_reader_finds_what_was_compressed_since_it_looked(tmp_path: Path) -> None:
    """Retention may remove the plain segment between the listing and the reading."""
    folder = Folder(tmp_path)
    first, second = folder.put("traces", 24 * 9), folder.put("traces", 24 * 8)
    found = read(unread(folder.logs, ["traces"], {}))
    numbers = [next(found).record["number"]]
    folder.upkeep().run(NOW, {})
    for path in (first, second):
        os.utime(path.with_name(f"{path.name}.gz"), ns=(NOW, NOW))
    folder.upkeep().run(NOW + 60 * NANO, {})
    assert (first.exists(), second.exists()) == (False, False)
    numbers += [stored.record["number"] for stored in found]
    assert numbers == folder.numbers


def test_a_segment_that_vanishes_or_is_damaged_ends_no_reading(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What can be read of it is, the rest is said, and the next one is read."""
    folder = Folder(tmp_path)
    packed = folder.put("traces", 24 * 9, form="compressed")
    folder.put("traces", 24 * 8)
    packed.write_bytes(packed.read_bytes()[:-12])
    gone = Span("traces", "2026-11-14T11.jsonl", packed.with_name("2026-11-14T11.jsonl"), 0, None)
    found = [stored.record["number"] for stored in read([gone, *unread(folder.logs, ["traces"], {})])]
    assert found[-10:] == folder.numbers[10:]
    assert "traces/2026-11-14T11.jsonl could not be read beyond byte 0: [Errno 2]" in caplog.text
    assert "Compressed file ended before the end-of-stream marker" in caplog.text


def test_a_lost_manifest_is_rebuilt_from_compressed_segments_too(tmp_path: Path) -> None:
    """A damaged one of them does not keep the others out."""
    folder = Folder(tmp_path)
    packed = folder.put("traces", 24 * 9, form="compressed")
    damaged = folder.put("traces", 24 * 8, form="compressed")
    plain = folder.put("traces", 24)
    damaged.write_bytes(gzip.compress(b"{}\n" * 1000)[:-9])
    (folder.logs / OWN_FOLDER / "manifest.json").unlink()
    store = Store(folder.logs)
    store.open()
    store.wait_until_listed()
    store.close()
    manifest = Manifest.load(folder.logs / OWN_FOLDER / "manifest.json")
    known = [manifest.get(path) for path in (packed, damaged, plain)]
    assert [one and (one.records, one.times is not None) for one in known] == [(10, True), None, (10, True)]


def test_verify_reads_what_retention_left_of_a_segment(tmp_path: Path) -> None:
    """A file that goes between the listing and the reading is no fault."""
    folder = Folder(tmp_path)
    first, second = folder.put("logs", 24 * 8), folder.put("traces", 24 * 8)
    reading = verify(folder.logs, folder.archive)
    assert next(reading).stream == "logs"
    second.unlink()
    (traces,) = reading
    assert (first.exists(), traces.problems, traces.segments, traces.bytes) == (True, [], 0, 0)


def test_times_of_an_archived_segment_are_known_as_those_of_the_plain_one(tmp_path: Path) -> None:
    """Compressing, moving and removing leave the manifest's entry as it is."""
    folder = Folder(tmp_path)
    plain = folder.put("traces", 24 * 31)
    before = folder.manifest.get(plain)
    folder.upkeep().run(NOW, {})
    for now in (DAY, 2 * DAY, 3 * DAY):
        for path in (folder.logs / "traces").iterdir():
            os.utime(path, ns=(NOW - HOUR, NOW - HOUR))
        folder.upkeep().run(NOW + now, {})
    archived = folder.archive / "traces" / f"{plain.name}.gz"
    assert (archived.exists(), plain.exists(), before is not None) == (True, False, True)
    assert folder.manifest.get(archived) == before
