"""What commands do on a terminal: signs of life, following, completion."""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from operations import busy
from operations.cli import main
from storage.names import hour_of

NANO = 1_000_000_000


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_work_over_a_second_shows_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy, "_AFTER_SECONDS", 0.05)
    monkeypatch.setenv("TERM", "xterm")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with busy.busy("Asking the records"):
        time.sleep(0.4)
    assert "Asking the records" in terminal.getvalue()
    assert not [one for one in threading.enumerate() if one.name == "busy"]


def test_quick_work_and_files_show_none(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, file = _Terminal(), io.StringIO()
    for stream in (terminal, file):
        monkeypatch.setattr(sys, "stderr", stream)
        with busy.busy("Asking the records"):
            pass
    assert terminal.getvalue() == file.getvalue() == ""


def _error(number: int, at: int) -> bytes:
    told = {"error_type": "ValueError", "message": f"fault {number}", "service": "app", "source": "app", "route": ""}
    stamp = {"timestamp": "", "time_unix_nano": at, "received_unix_nano": at, "batch_id": f"{number}", "batch_index": 0}
    return orjson.dumps({**stamp, **told, "trace_id": ""}, option=orjson.OPT_APPEND_NEWLINE)


@pytest.mark.parametrize("as_json", [False, True])
def test_following_goes_on_across_rotation_until_ctrl_c(tmp_path: Path, *, as_json: bool) -> None:
    """A line in two writes is told once, whole; a new hour is followed; what was there before is not told again."""
    folder = tmp_path / "logs" / "errors"
    folder.mkdir(parents=True)
    now = time.time_ns()
    first, second = folder / f"{hour_of(now)}.jsonl", folder / f"{hour_of(now + 3600 * NANO)}.jsonl"
    first.write_bytes(_error(1, now))
    command = ["logs", "errors", "--last", "1h", "--follow", "--logs", str(tmp_path / "logs")]
    process = subprocess.Popen(
        [sys.executable, "-m", "operations", *command, *(["--json"] if as_json else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    assert process.stdout is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")))
    reader.start()
    _wait(lambda: "fault" in "".join(lines), "the answer")
    time.sleep(1.5)  # it looks for what is there before it begins to wait
    whole = _error(2, now)
    _append(first, whole[:30])
    time.sleep(1.2)
    _append(first, whole[30:])
    _append(second, _error(3, now))
    _wait(lambda: "fault 3" in "".join(lines), "the record of the new hour")
    packed = gzip.compress(first.read_bytes())
    first.with_name(f"{first.name}.gz").write_bytes(packed)
    first.unlink()
    _append(second, _error(4, now))
    _wait(lambda: "fault 4" in "".join(lines), "what came after retention")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    reader.join()
    watchdog.cancel()
    assert (process.returncode, told) == (0, "")
    text = "".join(lines)
    assert [text.count(f"fault {number}") for number in (2, 3, 4)] == [1, 1, 1]


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _wait(until: object, what: str, seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while not until():  # type: ignore[operator]  # a test's
        assert time.monotonic() < ends, f"{what} did not come"
        time.sleep(0.05)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell], catch_exceptions=False)
    assert "_FORECOURT_COMPLETE" in result.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("forecourt sta", "stats"),
        ("forecourt stats resp", "response-times"),
        ("forecourt logs errors --fo", "--follow"),
    ],
)
def test_words_are_completed(typed: str, offered: str) -> None:
    words = typed.split()
    asked = {"_FORECOURT_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", "from operations.cli import main; main(prog_name='forecourt')"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"plain,{offered}" in done.stdout.splitlines(), done.stderr


def test_what_an_encoding_lacks_is_shown_as_a_question_mark(tmp_path: Path) -> None:
    """As in a pipe on Windows, which has neither sparklines nor the names of all routes."""
    now = time.time_ns()
    segment = tmp_path / "logs" / "errors" / f"{hour_of(now)}.jsonl"
    segment.parent.mkdir(parents=True)
    line = {"time_unix_nano": now, "received_unix_nano": now, "service": "shop", "batch_id": "a", "batch_index": 0}
    segment.write_bytes(orjson.dumps({**line, "error_type": "ValueError", "message": "給油", "route": "/"}) + b"\n")
    command = [sys.executable, "-m", "operations", "logs", "errors", "--last", "1h", "--logs", str(tmp_path / "logs")]
    environ = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, capture_output=True, env=environ, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"?? " in done.stdout
    assert b"ValueError" in done.stdout
