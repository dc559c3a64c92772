"""`forecourt replay` asked for what it can't do, or for nothing to be done."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from operations.replaying.target import refuse_own
from storage import State
from storage.names import OWN_FOLDER
from storage.state import CollectorRow
from tests.support.replaying import WHOLE, replayed, span
from tests.support.stored import store


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECOURT_STATE_DIR", str(tmp_path / "state"))


def test_a_dry_run_sends_nothing_and_needs_no_receiver(tmp_path: Path) -> None:
    """It counts what would be sent; nothing to send is no failure."""
    logs = store(tmp_path / "logs", "traces", *map(span, range(3)))
    done = replayed("http://127.0.0.1:9", logs, "--dry-run", "--speed", "1x")
    assert (done.exit_code, done.stdout) == (0, "3 records (traces 3) would be sent to http://127.0.0.1:9\n")
    nothing = replayed("http://127.0.0.1:9", logs, period=("--from", "2030-01-01", "--to", "2030-01-02"))
    assert (nothing.exit_code, nothing.stdout.startswith("0 records sent")) == (0, True)
    assert list((tmp_path / "state" / "replay").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--last", "1h", "--from", "2026-11-23"], "--last excludes --from and --to"),
        ([], "which part of the records?"),
        (["--to", "2026-11-23"], "which part of the records?"),
        ([*WHOLE, "--speed", "1/0"], "'1/0' is not a speed"),
        ([*WHOLE, "--speed", "-1x"], "'-1x' is not a speed"),
        ([*WHOLE, "--speed", "1e9999x"], "'1e9999x' is not a speed"),
        ([*WHOLE, "--header", "secret"], "--header: expected KEY=VALUE"),
        ([*WHOLE, "--insecure"], "--insecure is for --protocol grpc"),
        ([*WHOLE, "--to-endpoint", "127.0.0.1:14318"], "'127.0.0.1:14318' is not a URL"),
        ([*WHOLE, "--to-endpoint", "host", "--protocol", "grpc"], "'host' is not HOST:PORT"),
        ([*WHOLE, "--to-endpoint", "http://[::1"], "Invalid IPv6 URL"),
        ([*WHOLE, "--signal", "errors"], "'errors' is not one of"),
        ([*WHOLE, "--logs", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_a_wrong_replay_is_one_clear_line(tmp_path: Path, arguments: list[str], told: str) -> None:
    """A usage error, before anything is sent."""
    logs = store(tmp_path / "logs", "traces", span(1))
    done = replayed("http://127.0.0.1:9", logs, *arguments, period=())
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert "secret" not in done.stderr


def test_a_place_for_the_position_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FORECOURT_STATE_DIR", str(tmp_path / "file"))
    done = replayed("http://127.0.0.1:9", store(tmp_path / "logs", "traces", span(1)))
    assert (done.exit_code, "FORECOURT_STATE_DIR names another place" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("endpoint", "own", "is_own"),
    [
        ("http://localhost:4318", "127.0.0.1:4318", True),
        ("127.0.0.1:4318", "0.0.0.0:4318", True),
        ("http://[::1]:4318", "[::]:4318", True),
        ("http://127.0.0.1:14318", "127.0.0.1:4318", False),
        ("http://192.0.2.1:4318", "0.0.0.0:4318", False),
        ("http://no-such-host.invalid:4318", "0.0.0.0:4318", False),
        ("http://127.0.0.1", "127.0.0.1:80", True),
    ],
)
def test_only_the_folders_own_receiver_is_refused(tmp_path: Path, endpoint: str, own: str, *, is_own: bool) -> None:
    """However it is called; not that of another machine at the same port, nor one that ran once."""
    state = State.open(_made(tmp_path / OWN_FOLDER) / "state.db")
    row = CollectorRow(os.getpid(), "1", {"http": own, "health": endpoint}, 1, None)
    state.record_start(row)
    if is_own:
        with pytest.raises(click.UsageError, match="its http receiver"):
            refuse_own(tmp_path, endpoint)
        state.record_stop(2)
    refuse_own(tmp_path, endpoint)
    state.close()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
