from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import wait
from pathlib import Path

import orjson
import pytest

from storage import FolderInUseError, Store, StoreError, StoreFormatError
from storage.manifest import Manifest
from tests.storage.records import HOUR, NOON, Clock, line, numbers, segment_names

Open = Callable[..., Store]


def test_what_is_acknowledged_is_in_the_file(opened: Open, tmp_path: Path) -> None:
    """When the future is done the lines are readable, in the order in which they came."""
    store = opened()
    for number in range(3):
        store.append("traces", line(number), [NOON]).result(5)
        assert numbers(tmp_path / "logs") == list(range(number + 1))


@pytest.mark.parametrize("durability", ["synced", "written"])
def test_requests_of_many_streams_in_one_group_all_arrive(opened: Open, tmp_path: Path, durability: str) -> None:
    """Requests that share a group land each in its own stream, with either durability."""
    store = opened(durability=durability)
    futures = [store.append(stream, line(n), [NOON]) for n in range(50) for stream in ("traces", "logs")]
    assert not wait(futures, 10).not_done
    store.close()
    assert numbers(tmp_path / "logs", "traces") == list(range(50))
    assert numbers(tmp_path / "logs", "logs") == list(range(50))


def test_each_hour_has_its_own_segment_and_the_clock_may_step_either_way(
    opened: Open, tmp_path: Path, clock: Clock
) -> None:
    """A closed segment is never opened again: a clock that goes back starts the next number of that hour."""
    store = opened()
    for number, hour in enumerate([0, 1, 0, 1, 1]):
        clock.now = NOON + hour * HOUR
        store.append("traces", line(number), [NOON]).result(5)
    store.close()
    assert segment_names(tmp_path / "logs") == [
        "2026-11-23T12.1.jsonl",
        "2026-11-23T12.jsonl",
        "2026-11-23T13.1.jsonl",
        "2026-11-23T13.jsonl",
    ]
    assert sorted(numbers(tmp_path / "logs")) == [0, 1, 2, 3, 4]


def test_a_restart_within_the_hour_takes_the_next_number(opened: Open, tmp_path: Path) -> None:
    """Neither a plain, nor a gzipped, nor an archived segment's name is used twice."""
    folder = tmp_path / "logs"
    for number in range(3):
        store = opened()
        store.append("traces", line(number), [NOON]).result(5)
        store.close()
    plain = folder / "traces" / "2026-11-23T12.1.jsonl"
    plain.with_name(plain.name + ".gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    (folder / "traces" / "2026-11-23T12.2.jsonl").unlink()  # as if moved to an archive: the manifest knows it
    store = opened()
    store.append("traces", line(3), [NOON]).result(5)
    assert segment_names(folder) == [
        "2026-11-23T12.1.jsonl.gz",
        "2026-11-23T12.3.jsonl",
        "2026-11-23T12.jsonl",
    ]


def _delete(path: Path) -> None:
    path.unlink()


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"")
    other.replace(path)


def _truncate(path: Path) -> None:
    path.write_bytes(b"")


def _delete_folder(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()


@pytest.mark.skipif(os.name == "nt", reason="Windows forbids removing an open file")
@pytest.mark.parametrize("remove", [_delete, _replace, _truncate, _delete_folder])
def test_a_group_whose_file_was_taken_away_is_written_again(
    opened: Open, tmp_path: Path, remove: Callable[[Path], None]
) -> None:
    """A deleted, replaced or emptied segment is noticed before the acknowledgement."""
    store = opened()
    store.append("traces", line(0), [NOON]).result(5)
    remove(tmp_path / "logs" / "traces" / "2026-11-23T12.jsonl")
    store.append("traces", line(1), [NOON]).result(5)
    store.append("traces", line(2), [NOON]).result(5)
    assert numbers(tmp_path / "logs")[-2:] == [1, 2]
    assert (tmp_path / "logs" / "traces" / "2026-11-23T12.1.jsonl").exists()
    assert store.statistics().abandoned_segments == 1


def test_a_second_owner_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    """Another process can't open the folder, and its message names who has it and the way out."""
    code = (
        "import sys; from pathlib import Path; from storage import Store\n"
        "Store(Path(sys.argv[1])).open(); print('open', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(FolderInUseError) as refused:
            Store(tmp_path).open()
        other.kill()
    assert refused.value.pid == other.pid
    assert str(refused.value) == (
        f"{tmp_path}: in use by the collector with pid {other.pid}. Stop that one first, or give this one a "
        "folder of its own (exporters.jsonl.path)."
    )
    store = Store(tmp_path)  # the dead one's lock is gone with it
    store.open()
    store.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows forbids removing an open file")
def test_a_deleted_lock_is_taken_anew(opened: Open, tmp_path: Path) -> None:
    """Removing the lock's file does not let a second owner in for longer than until the next group."""
    store = opened()
    (tmp_path / "logs" / ".forecourt" / "lock").unlink()
    store.append("traces", line(0), [NOON]).result(5)
    with pytest.raises(FolderInUseError):
        Store(tmp_path / "logs").open()


def test_a_closed_store_takes_nothing_more(opened: Open) -> None:
    """After close a batch is refused rather than lost in a queue that nobody writes."""
    store = opened()
    store.close()
    with pytest.raises(StoreError, match="the store is stopping"):
        store.append("traces", line(0), [NOON]).result(5)


def test_close_writes_what_is_queued(opened: Open, tmp_path: Path) -> None:
    """Everything accepted before close is on disk after it, and the manifest lists it."""
    store = opened()
    futures = [store.append("logs", line(number), [NOON + number]) for number in range(200)]
    store.close()
    assert all(future.done() for future in futures)
    assert numbers(tmp_path / "logs", "logs") == list(range(200))
    manifest = orjson.loads((tmp_path / "logs" / ".forecourt" / "manifest.json").read_bytes())
    entry = manifest["segments"]["logs/2026-11-23T12.jsonl"]
    assert manifest["format"] == 1
    assert (entry["records"], entry["corrupt"]) == (200, 0)
    assert entry["times"] == {"minimum": NOON, "low": NOON, "high": NOON + 199, "maximum": NOON + 199}


def test_a_lost_manifest_is_rebuilt_from_the_segments(opened: Open, tmp_path: Path) -> None:
    """After the manifest was deleted the next run lists the same segments with the same numbers."""
    store = opened()
    for number in range(5):
        store.append("traces", line(number, time=NOON + number), [NOON + number]).result(5)
    store.close()
    path = tmp_path / "logs" / ".forecourt" / "manifest.json"
    before = path.read_bytes()
    path.unlink()
    opened().close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "segments": 3}'])
def test_a_spoilt_manifest_is_rebuilt(opened: Open, tmp_path: Path, content: bytes) -> None:
    """Whatever stands in the manifest, the store opens and lists its segments anew."""
    store = opened()
    store.append("traces", line(1), [NOON]).result(5)
    store.close()
    path = tmp_path / "logs" / ".forecourt" / "manifest.json"
    before = path.read_bytes()
    path.write_bytes(content)
    opened().close()
    assert path.read_bytes() == before


def test_a_newer_format_is_refused(opened: Open, tmp_path: Path) -> None:
    """A folder of a newer Forecourt is left alone, and the message says what to do."""
    opened().close()
    path = tmp_path / "logs" / ".forecourt" / "manifest.json"
    path.write_bytes(b'{"format": 2, "segments": {}}')
    with pytest.raises(StoreFormatError) as refused:
        Store(tmp_path / "logs").open()
    assert str(refused.value) == (
        f"{path}: format 2 was written by a newer Forecourt; this one reads up to format 1. Upgrade it "
        "(pip install --upgrade forecourt), or point exporters.jsonl.path at another folder."
    )
    assert path.read_bytes() == b'{"format": 2, "segments": {}}'


def test_the_range_of_a_segment_is_of_event_times(opened: Open, tmp_path: Path) -> None:
    """Pruning works on when things happened, so the manifest holds event times, not arrival."""
    store = opened()
    store.append("traces", line(0, time=NOON - HOUR), [NOON - HOUR]).result(5)
    store.close()
    summary = Manifest.load(tmp_path / "logs" / ".forecourt" / "manifest.json").get(
        tmp_path / "logs" / "traces" / "2026-11-23T12.jsonl"
    )
    assert summary is not None
    assert summary.times is not None
    assert summary.times.maximum == NOON - HOUR


def test_an_idle_stream_is_closed_after_its_hour(
    opened: Open, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a further record the segment is closed and listed once its hour is over."""
    monkeypatch.setattr("storage.store._HOUR_CHECK_SECONDS", 0.01)
    store = opened()
    store.append("traces", line(0), [NOON]).result(5)
    clock.now = NOON + HOUR
    store.append("logs", line(0), [NOON]).result(5)
    manifest = tmp_path / "logs" / ".forecourt" / "manifest.json"
    while not manifest.exists():
        os.sched_yield() if hasattr(os, "sched_yield") else None
    assert list(orjson.loads(manifest.read_bytes())["segments"]) == ["traces/2026-11-23T12.jsonl"]


@pytest.mark.parametrize("time", ["1e30", "-1", "18446744073709551616"])
def test_a_time_that_no_clock_can_show_keeps_nobody_out(opened: Open, tmp_path: Path, time: str) -> None:
    """The line is no record; the manifest is saved, and the folder can be opened again."""
    folder = tmp_path / "logs" / "traces"
    folder.mkdir(parents=True)
    (folder / "2026-11-20T10.jsonl").write_bytes(line(1) + b'{"time_unix_nano": %s}\n' % time.encode())
    for _ in range(2):
        store = opened()
        store.wait_until_listed()
        store.close()
    known = Manifest.load(tmp_path / "logs" / ".forecourt" / "manifest.json").get(folder / "2026-11-20T10.jsonl")
    assert known is not None
    assert (known.records, known.corrupt) == (1, 1)
