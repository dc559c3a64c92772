from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from instrumentation.identity import Hasher, hash_key
from tests.conftest import ROOT


def test_a_hash_tells_two_apart_and_nobody_who_they_are() -> None:
    """The same under the same key, another under another; e-mail addresses without regard to case."""
    one, other = Hasher(b"a" * 32), Hasher(b"b" * 32)
    assert one.user("7") == one.user("7") != one.user("8")
    assert one.user("7") != other.user("7")
    assert one.user("Bob@example.com") == one.e_mail("bob@EXAMPLE.com")
    assert one.user("bob@example.com").startswith("email:")


def test_the_key_comes_from_the_environment_first(tmp_path: Path) -> None:
    """Then no file is written."""
    assert hash_key({"FORECOURT_HASH_KEY": "from outside"}, tmp_path) == b"from outside"
    assert list(tmp_path.iterdir()) == []


def test_all_workers_share_the_file_that_only_this_user_reads(tmp_path: Path) -> None:
    """Eight processes that start at once end up with one key."""
    code = (
        "import sys, pathlib; from instrumentation.identity import hash_key;"
        "print(hash_key({}, pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) for _ in range(8)]
    keys = {worker.communicate()[0] for worker in workers}
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["hash-key"]
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "hash-key").stat().st_mode) == 0o600


def test_where_no_file_can_be_kept_the_app_goes_on_with_a_key_of_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And is told what follows: hashes differ between processes."""
    (tmp_path / "file").write_text("")
    key = hash_key({}, tmp_path / "file")
    assert len(key) == 32
    assert "hashed users differ between processes" in caplog.text
    (tmp_path / "hash-key").write_text("short")
    assert len(hash_key({}, tmp_path)) == 32
    assert "delete it and a new one is made" in caplog.text
