from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from storage.state import MIGRATIONS, CollectorRow, State, StateError
from tests.conftest import ROOT

ROW = CollectorRow(4711, "0.1.0", {"grpc": "127.0.0.1:4317"}, 1, None)


def test_the_collectors_start_and_stop_are_read_back(tmp_path: Path) -> None:
    """Another process learns from the file who runs, since when and where it listens."""
    state = State.open(tmp_path / "state.db")
    assert state.collector() is None
    state.record_start(ROW)
    other = State.open(tmp_path / "state.db")
    assert other.collector() == ROW
    state.record_stop(2)
    assert other.collector() == CollectorRow(4711, "0.1.0", {"grpc": "127.0.0.1:4317"}, 1, 2)
    state.record_start(ROW)
    assert other.collector() == ROW
    state.close()
    other.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_the_owner_may_read_the_state(tmp_path: Path) -> None:
    """The database and its log are made with mode 0600 whatever the umask says."""
    State.open(tmp_path / "state.db").close()
    assert stat.S_IMODE((tmp_path / "state.db").stat().st_mode) == 0o600


def test_the_database_is_in_wal_mode_and_knows_its_version(tmp_path: Path) -> None:
    """Readers never block the sidecar, and a later version sees which migrations were applied."""
    State.open(tmp_path / "state.db").close()
    connection = sqlite3.connect(tmp_path / "state.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    connection.close()


def test_a_later_migration_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older file is brought forward by just the statements that it lacks."""
    state = State.open(tmp_path / "state.db")
    state.record_start(ROW)
    state.close()
    monkeypatch.setattr("storage.state.MIGRATIONS", (*MIGRATIONS, "CREATE TABLE further (id INTEGER) STRICT"))
    state = State.open(tmp_path / "state.db")
    assert state.collector() == ROW
    state.close()
    connection = sqlite3.connect(tmp_path / "state.db")
    assert connection.execute("SELECT count(*) FROM further").fetchone() == (0,)
    connection.close()


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A version that is not known is never written to; the message says what to do."""
    path = tmp_path / "state.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateError) as refused:
        State.open(path)
    assert str(refused.value) == (
        f"{path}: version 99 was written by a newer Forecourt; this one knows up to version "
        f"{len(MIGRATIONS)}. Upgrade it: pip install --upgrade forecourt"
    )


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """Garbage in place of the database gives the path and the way out, and is not overwritten."""
    path = tmp_path / "state.db"
    path.write_bytes(b"no database at all, but long enough to be looked at as one" * 20)
    with pytest.raises(StateError, match=r"state\.db: file is not a database\. Move the file away"):
        State.open(path)
    assert path.read_bytes().startswith(b"no database")


class Mount(NamedTuple):
    mountpoint: str
    fstype: str
    opts: str


@pytest.mark.parametrize(("fstype", "opts"), [("nfs4", "rw"), ("CIFS", "rw"), ("NTFS", "rw,remote")])
def test_a_network_drive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fstype: str, opts: str) -> None:
    """SQLite's locks can't be relied upon there, and the message names the folder and the setting."""
    mounts = [Mount("/", "ext4", "rw"), Mount(str(tmp_path), fstype, opts)]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounts)
    folder = tmp_path / "logs"
    folder.mkdir()
    with pytest.raises(StateError) as refused:
        State.open(folder / "state.db")
    assert str(refused.value) == (
        f"{folder}: is on a network drive ({fstype}), where SQLite's WAL mode loses data. Point "
        "exporters.jsonl.path at a folder on a local disk."
    )


def test_what_one_process_reads_never_harms_what_another_has_open(tmp_path: Path) -> None:
    """SQLite's locks are the process's: opening the file beside it would drop them, and the log with it."""
    path = tmp_path / "state.db"
    first, second = State.open(path), State.open(path)
    code = f"from pathlib import Path; from storage import State; print(State.open(Path({str(path)!r})).checkpoint())"

    def read_elsewhere() -> str:
        return subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True).stdout

    assert read_elsewhere() == "None\n"
    second.save_checkpoint(1, b"content", [("traces", "2026-11-23T10.jsonl", 7)], None)
    found = first.checkpoint()
    assert read_elsewhere() == f"{found}\n"
    for state in (first, second):
        state.close()


def test_reading_changes_nothing_and_makes_nothing(tmp_path: Path) -> None:
    """Whoever only looks sees what is there, also while somebody writes, and can't write."""
    path = tmp_path / "state.db"
    with pytest.raises(StateError, match=r"state\.db"):
        State.reading(path)
    assert list(tmp_path.iterdir()) == []
    writer = State.open(path)
    writer.record_start(ROW)
    reader = State.reading(path)
    assert reader.collector() == ROW
    writer.record_stop(2)
    assert reader.collector() == CollectorRow(4711, "0.1.0", {"grpc": "127.0.0.1:4317"}, 1, 2)
    with pytest.raises(StateError, match="readonly"), reader.transaction() as connection:
        connection.execute("DELETE FROM collector")
    reader.close()
    writer.close()


def test_reading_an_archive_needs_no_right_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder is read only, as on a medium or for another user, its last state is read all the same."""
    path = tmp_path / "state.db"
    writer = State.open(path)
    writer.record_start(ROW)
    writer.close()
    real = sqlite3.connect

    def connect(address: object, **given: object) -> sqlite3.Connection:
        # As SQLite does where it can make no index of its log: root may write everywhere, so a test can't forbid it.
        if "immutable" not in str(address):
            raise sqlite3.OperationalError("unable to open database file")
        return real(address, **given)  # type: ignore[call-overload,no-any-return]  # as it was called

    monkeypatch.setattr(sqlite3, "connect", connect)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StateError):
        State.open(path)
    assert State.reading(path).collector() == ROW


@pytest.mark.parametrize(("version", "way_out"), [(1, "forecourt collector"), (999, "pip install --upgrade forecourt")])
def test_reading_another_version_says_what_to_do(tmp_path: Path, version: int, way_out: str) -> None:
    """An older one is migrated by its collector, a newer one wants a newer Forecourt; neither is touched."""
    path = tmp_path / "state.db"
    State.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(StateError, match=way_out):
        State.reading(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)


def test_what_another_user_owns_is_not_to_be_moved_away(tmp_path: Path) -> None:
    """A file that can't be opened is a matter of rights; only one that is damaged is made anew."""
    (tmp_path / "state.db").mkdir()  # nobody may open that, not even root
    with pytest.raises(
        StateError, match=r"unable to open database file\. Run this as the user whom the folder belongs to"
    ):
        State.open(tmp_path / "state.db")


def test_many_may_make_it_at_the_same_moment(tmp_path: Path) -> None:
    """As a command does that is typed while the first collector starts."""
    for number in range(30):
        path = tmp_path / f"{number}.db"
        together = threading.Barrier(8)

        def opened(path: Path = path, together: threading.Barrier = together) -> None:
            together.wait()
            State.open(path).close()

        with ThreadPoolExecutor(8) as pool:
            for made in [pool.submit(opened) for _ in range(8)]:
                made.result()
