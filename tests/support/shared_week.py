"""The recorded week, written once for all processes of a test run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.lock import FolderInUseError, FolderLock
from tests.support.untraced import untraced
from tests.support.week import Week, known_week, record_week

ROOT = Path(__file__).parent.parent.parent
_WAIT_SECONDS = 120.0


def shared_week(factory: pytest.TempPathFactory) -> Week:
    """A copy of this process's own."""
    run = factory.getbasetemp()
    shared = (run.parent if "PYTEST_XDIST_WORKER" in os.environ else run) / "shared-week"
    shared.mkdir(exist_ok=True)
    with _alone(shared / "lock"):
        if not (shared / "written").exists():
            command = [sys.executable, "-m", "tests.support.shared_week", str(shared)]
            subprocess.run(command, cwd=ROOT, env=untraced(), check=True)
    week = known_week(factory.mktemp("week"))
    shutil.copytree(shared / "logs", week.logs)
    return week


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = FolderLock(path)
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            lock.acquire()
        except FolderInUseError:
            assert time.monotonic() < deadline, f"{path}: another test process writes for too long"
            time.sleep(0.05)
        else:
            break
    try:
        yield
    finally:
        lock.release()


def main() -> None:
    """FOLDER: write it there."""
    folder = Path(sys.argv[1])
    record_week(folder)
    (folder / "written").touch()


if __name__ == "__main__":
    main()
