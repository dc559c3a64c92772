from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from instrumentation.export.spool import FolderSpool, MemorySpool, Spool, Waiting
from tests.conftest import ROOT

NOW = time.time_ns()


def _folder(path: Path, byte_limit: int = 1000, age: float = 3600.0) -> FolderSpool:
    return FolderSpool(path, byte_limit=byte_limit, age_limit_seconds=age)


def _drain(spool: Spool) -> list[bytes]:
    bodies = []
    while entry := spool.oldest():
        bodies.append(spool.read(entry).body)
        spool.remove(entry)
    return bodies


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_what_waits_comes_back_oldest_first(tmp_path: Path, kind: str) -> None:
    """By the time at which it was made, whenever it was put in, with its signal."""
    spool: Spool = _folder(tmp_path) if kind == "folder" else MemorySpool(1000)
    spool.add(Waiting(NOW + 2, "logs", b"second"))
    spool.add(Waiting(NOW + 1, "traces", b"first"))
    spool.add(Waiting(NOW + 3, "metrics", b"third"))
    entry = spool.oldest()
    assert entry is not None
    assert spool.read(entry) == Waiting(NOW + 1, "traces", b"first")
    assert _drain(spool) == [b"first", b"second", b"third"]
    assert spool.oldest() is None


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_over_the_bound_the_oldest_goes_first_and_is_counted(tmp_path: Path, kind: str) -> None:
    """Bytes, not requests, are bounded."""
    spool: Spool = _folder(tmp_path) if kind == "folder" else MemorySpool(1000)
    for number in range(5):
        spool.add(Waiting(NOW + number, "logs", bytes([number]) * 300))
    assert spool.dropped == 2
    assert [body[0] for body in _drain(spool)] == [2, 3, 4]


def test_what_is_too_old_is_given_up(tmp_path: Path) -> None:
    """A day, by default, is the longest that anything waits."""
    spool = _folder(tmp_path, age=60.0)
    now = time.time_ns()
    spool.add(Waiting(now - 120 * 10**9, "logs", b"old"))
    spool.add(Waiting(now, "logs", b"new"))
    assert (_drain(spool), spool.dropped) == ([b"new"], 1)


def test_a_process_takes_over_from_one_that_is_no_more_and_from_no_other(tmp_path: Path) -> None:
    """What a living process has in the spool it will send itself."""
    code = (
        "import sys, pathlib, time; from instrumentation.export.spool import FolderSpool, Waiting;"
        "spool = FolderSpool(pathlib.Path(sys.argv[1]), byte_limit=1000, age_limit_seconds=60);"
        "spool.add(Waiting(time.time_ns(), 'traces', b'left')); print('ready', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"ready\n"
    spool = _folder(tmp_path)
    spool.adopt()
    assert spool.oldest() is None
    other.kill()
    other.communicate()
    spool.adopt()
    assert _drain(spool) == [b"left"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_is_not_ours_in_the_folder_stays(tmp_path: Path) -> None:
    """Files and folders of other names are neither sent nor removed."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "x.traces").write_bytes(b"mine")
    (tmp_path / "README").write_text("mine")
    spool = _folder(tmp_path)
    spool.adopt()
    assert spool.oldest() is None
    assert (tmp_path / "notes" / "x.traces").exists()


def test_files_are_for_this_user_alone(tmp_path: Path) -> None:
    """Telemetry is nobody else's."""
    spool = _folder(tmp_path / "spool")
    spool.add(Waiting(NOW, "logs", b"x"))
    if os.name == "posix":
        assert (tmp_path / "spool").stat().st_mode & 0o077 == 0


def test_a_file_that_was_given_up_meanwhile_is_passed_over(tmp_path: Path) -> None:
    """Another process may keep the bounds between the look and the read."""
    spool = _folder(tmp_path)
    spool.add(Waiting(NOW, "logs", b"x"))
    entry = spool.oldest()
    assert entry is not None
    spool.remove(entry)
    with pytest.raises(FileNotFoundError):
        spool.read(entry)
    spool.remove(entry)
