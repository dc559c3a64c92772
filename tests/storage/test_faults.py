"""The disk refuses at the Nth call, for every N: nothing acknowledged is lost or glued to a fragment."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from storage import Store, StoreError
from tests.storage.records import HOUR, NOON, Clock, line

GROUPS = 6
ATTEMPTS = 12


class Fault:
    """Makes calls number `first` to `last` of some functions of `os` fail; the others reach the system."""

    def __init__(self, first: int, last: int, failing: Callable[..., Any]) -> None:
        self._first, self._last, self._failing = first, last, failing
        self._lock = threading.Lock()
        self.calls = 0

    def wrap(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                self.calls += 1
                fails = self._first <= self.calls <= self._last
            return self._failing(real, *arguments) if fails else real(*arguments, **options)

        return call


def _raising(code: int) -> Callable[..., Any]:
    def fail(_real: Callable[..., Any], *_arguments: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


def _short_write(real: Callable[..., int], descriptor: int, content: bytes) -> int:
    return real(descriptor, content[: max(1, len(content) // 3)])


def _half_then_full(real: Callable[..., int], descriptor: int, content: bytes) -> int:
    real(descriptor, content[: len(content) // 2])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _no_bytes(_real: Callable[..., int], _descriptor: int, _content: bytes) -> int:
    return 0


CASES = {
    "write-full": (("write",), _raising(errno.ENOSPC)),
    "write-error": (("write",), _raising(errno.EIO)),
    "write-short": (("write",), _short_write),
    "write-half-then-full": (("write",), _half_then_full),
    "write-nothing": (("write",), _no_bytes),
    "sync-error": (("fsync", "fdatasync"), _raising(errno.EIO)),
    "sync-full": (("fsync", "fdatasync"), _raising(errno.ENOSPC)),
    "open-full": (("open",), _raising(errno.ENOSPC)),
    "open-too-many": (("open",), _raising(errno.EMFILE)),
    "open-forbidden": (("open",), _raising(errno.EACCES)),
    "rename-error": (("replace",), _raising(errno.EIO)),
    "rename-full": (("replace",), _raising(errno.ENOSPC)),
    "stat-error": (("fstat", "stat"), _raising(errno.EIO)),
}


@contextmanager
def _faulty(names: tuple[str, ...], fault: Fault, *, truncate_fails: bool) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            if hasattr(os, name):
                patch.setattr(os, name, fault.wrap(getattr(os, name)))
        if truncate_fails:
            patch.setattr(os, "ftruncate", _always_fails)
        yield


def _always_fails(*_arguments: Any) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def _send_all(store: Store, clock: Clock, acknowledged: list[int]) -> None:
    """Send like a client: again and again until it is acknowledged; the hour changes in the middle."""
    for number in range(GROUPS):
        clock.now = NOON + (number // 3) * HOUR
        for _ in range(ATTEMPTS):
            try:
                store.append("traces", line(number, size=300), [NOON]).result(10)
            except StoreError:
                continue
            acknowledged.append(number)
            break


def _read(folder: Path) -> list[int]:
    found = []
    for path in (folder / "traces").glob("*.jsonl"):
        content = path.read_bytes()
        assert content == b"" or content.endswith(b"\n"), path
        found += [orjson.loads(text)["number"] for text in content.splitlines()]
    return found


@pytest.mark.parametrize("truncate_fails", [False, True])
@pytest.mark.parametrize("lasting", [1, 3])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.untraced
def test_a_disk_that_refuses_at_the_nth_call_loses_nothing_acknowledged(
    tmp_path: Path, case: str, lasting: int, *, truncate_fails: bool
) -> None:
    """For every N the client gets all its groups acknowledged, each is in the files and each line parses."""
    names, failing = CASES[case]
    nth = 0
    reached = True
    while reached:
        nth += 1
        folder = tmp_path / str(nth)
        clock = Clock()
        store = Store(folder, clock=clock)
        store.open()
        fault = Fault(nth, nth + lasting - 1, failing)
        acknowledged: list[int] = []
        with _faulty(names, fault, truncate_fails=truncate_fails):
            _send_all(store, clock, acknowledged)
            store.close()
        reached = fault.calls >= nth
        again = Store(folder, clock=clock)
        again.open()
        again.append("traces", line(GROUPS), [NOON]).result(10)
        again.close()
        assert acknowledged == list(range(GROUPS)), nth
        assert {*_read(folder)} == set(range(GROUPS + 1)), nth
    assert nth > (1 if case.startswith("rename") else GROUPS)


def test_a_full_disk_is_told_and_forgotten_once_it_has_room(tmp_path: Path) -> None:
    """While the disk is full each group is refused with the reason, and the store says so until one fits."""
    store = Store(tmp_path, clock=Clock())
    store.open()
    fault = Fault(1, 2, _raising(errno.ENOSPC))
    with _faulty(("write",), fault, truncate_fails=False):
        refused = store.append("traces", line(0), [NOON]).exception(5)
        assert isinstance(refused, StoreError)
        assert str(refused) == "traces: [Errno 28] No space left on device"
        assert store.statistics().failure == "[Errno 28] No space left on device"
        store.append("logs", line(0), [NOON]).exception(5)
        store.append("logs", line(0), [NOON]).result(5)
        assert store.statistics().failure == "[Errno 28] No space left on device"
        store.append("traces", line(0), [NOON]).result(5)
    assert store.statistics().failure is None
    assert store.statistics().write_failures == 2
    store.close()


def test_a_disk_that_is_full_at_every_sync_leaves_no_heap_of_empty_files(tmp_path: Path) -> None:
    """Delayed allocation reports a full disk at the sync: a hundred attempts leave not one file behind."""
    store = Store(tmp_path, clock=Clock())
    store.open()
    # The folder of a new segment is synced with fsync; only the data's sync fails here.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.segment.sync_file", _always_fails)
        for _ in range(100):
            assert store.append("traces", line(0), [NOON]).exception(5) is not None
    assert list((tmp_path / "traces").iterdir()) == []
    store.append("traces", line(1), [NOON]).result(5)
    store.close()
    assert [path.read_bytes() for path in (tmp_path / "traces").iterdir()] == [line(1)]


def test_a_name_is_not_given_again_to_what_a_reader_may_know(tmp_path: Path) -> None:
    """Who has read in a segment of which nothing was acknowledged must not take the next one for it."""
    store = Store(tmp_path, clock=Clock())
    store.open()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.segment.sync_file", _always_fails)
        assert store.append("traces", line(0), [NOON]).exception(5) is not None
    store.append("traces", line(1), [NOON]).result(5)
    store.close()
    assert [path.name for path in (tmp_path / "traces").iterdir()] == ["2026-11-23T12.1.jsonl"]


def test_after_a_failed_sync_the_segment_is_never_written_again(tmp_path: Path) -> None:
    """The kernel may have dropped the pages: what follows goes into another file, acknowledged lines stay."""
    store = Store(tmp_path, clock=Clock())
    store.open()
    store.append("traces", line(0), [NOON]).result(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.segment.sync_file", _always_fails)
        assert store.append("traces", line(1), [NOON]).exception(5) is not None
    store.append("traces", line(2), [NOON]).result(5)
    store.close()
    assert (tmp_path / "traces" / "2026-11-23T12.jsonl").read_bytes() == line(0)
    assert (tmp_path / "traces" / "2026-11-23T12.1.jsonl").read_bytes() == line(2)


def test_an_unexpected_fault_of_ours_refuses_the_group_and_the_store_lives_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in the writer must neither hang the clients nor end the writer's thread."""
    store = Store(tmp_path, clock=Clock())
    store.open()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.stream_writer.StreamWriter.commit", lambda *_: 1 // 0)
        refused = store.append("traces", line(0), [NOON]).exception(5)
    assert str(refused) == "traces: integer division or modulo by zero"
    assert "fault of ours" in caplog.text
    store.append("traces", line(1), [NOON]).result(5)
    store.close()


def test_a_refused_write_is_cut_off_and_the_segment_goes_on(tmp_path: Path) -> None:
    """Half a group on a full disk leaves no trace, and the same segment takes the next group."""
    store = Store(tmp_path, clock=Clock())
    store.open()
    store.append("traces", line(0), [NOON]).result(5)
    with _faulty(("write",), Fault(1, 1, _half_then_full), truncate_fails=False):
        assert store.append("traces", line(1), [NOON]).exception(5) is not None
    segment = tmp_path / "traces" / "2026-11-23T12.jsonl"
    assert segment.read_bytes() == line(0)
    store.append("traces", line(2), [NOON]).result(5)
    store.close()
    assert segment.read_bytes() == line(0) + line(2)
