"""Months of segments are not looked through twice a second, and nothing that comes is missed for that."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.exporting import stream_folder
from collector.exporting.stream_folder import StreamFolder
from storage.names import SegmentName, segments

LONG_AGO = time.time() - 7200


class Looks:
    """How often a folder was looked through."""

    def __init__(self) -> None:
        self.count = 0

    def segments(self, folder: Path) -> Iterator[tuple[SegmentName, Path]]:
        self.count += 1
        return segments(folder)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    counted = Looks()
    monkeypatch.setattr(stream_folder, "segments", counted.segments)
    return counted


def put(folder: Path, name: str) -> Path:
    """A segment, in a folder that was changed long ago."""
    path = folder / name
    path.write_bytes(b"{}\n")
    for one in (path, folder):
        os.utime(one, (LONG_AGO, LONG_AGO))
    return path


def names(folder: StreamFolder) -> list[str]:
    return [path.name for _, path in folder.segments()]


def test_a_folder_in_which_nothing_changes_is_looked_through_once(tmp_path: Path, looks: Looks) -> None:
    """A new segment is seen at once all the same, and one that takes another form."""
    put(tmp_path, "2026-11-23T10.jsonl")
    folder = StreamFolder(tmp_path)
    assert [names(folder) for _ in range(5)] == [["2026-11-23T10.jsonl"]] * 5
    assert looks.count == 1
    (tmp_path / "2026-11-23T11.jsonl").write_bytes(b"")
    assert names(folder) == ["2026-11-23T10.jsonl", "2026-11-23T11.jsonl"]
    (tmp_path / "2026-11-23T10.jsonl").rename(tmp_path / "2026-11-23T10.jsonl.gz")
    assert names(folder) == ["2026-11-23T10.jsonl.gz", "2026-11-23T11.jsonl"]


def test_a_change_right_after_another_is_seen_though_the_folders_time_may_be_the_same(tmp_path: Path) -> None:
    """Some file systems count in steps of two seconds."""
    folder = StreamFolder(tmp_path)
    (tmp_path / "2026-11-23T10.jsonl").write_bytes(b"")
    assert names(folder) == ["2026-11-23T10.jsonl"]
    before = tmp_path.stat().st_mtime_ns
    (tmp_path / "2026-11-23T11.jsonl").write_bytes(b"")
    os.utime(tmp_path, ns=(before, before))
    assert names(folder) == ["2026-11-23T10.jsonl", "2026-11-23T11.jsonl"]


def test_what_is_left_out_stays_out_unless_it_may_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compressed for good; plain and long unchanged until the folder is looked through again; written lately, not."""
    forms = ("08.jsonl.gz", "09.jsonl", "10.jsonl")
    packed, still, lively = (put(tmp_path, f"2026-11-23T{form}") for form in forms)
    os.utime(lively)
    folder = StreamFolder(tmp_path)
    for name, path in folder.segments():
        folder.leave_out(name, path)
    assert names(folder) == [lively.name]
    monkeypatch.setattr(stream_folder, "_AGAIN_SECONDS", 0.0)
    assert names(folder) == [still.name, lively.name]
    assert packed.exists()


def test_a_folder_that_is_not_there_yet_has_nothing(tmp_path: Path) -> None:
    """And something as soon as it is there."""
    folder = StreamFolder(tmp_path / "traces")
    assert names(folder) == []
    (tmp_path / "traces").mkdir()
    put(tmp_path / "traces", "2026-11-23T10.jsonl")
    assert names(folder) == ["2026-11-23T10.jsonl"]
