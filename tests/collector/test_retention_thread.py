"""Retention's thread in the collector, and what others ask of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from collector import retention as retention_module
from collector.retention import Retention
from storage import State
from storage.names import OWN_FOLDER
from storage.retention import Policy
from storage.upkeep import Done, Upkeep


class _Stumbling(Upkeep):
    """Its first pass meets a fault of ours."""

    passes = 0

    def run(self, *_given: object, **_named: object) -> Done:
        _Stumbling.passes += 1
        if _Stumbling.passes == 1:
            raise ZeroDivisionError
        went_on.set()
        return Done()


went_on = threading.Event()


def test_a_fault_of_ours_does_not_end_retention_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and the next pass is made: else the disk would fill, and nobody know why."""
    (tmp_path / OWN_FOLDER).mkdir()
    State.open(tmp_path / OWN_FOLDER / "state.db").close()
    monkeypatch.setattr(retention_module, "_FIRST_SECONDS", 0.0)
    monkeypatch.setattr(retention_module, "_EVERY_SECONDS", 0.0)
    retention = Retention(tmp_path, Policy(tmp_path / "archive"), lambda _policy: _Stumbling.__new__(_Stumbling))
    retention.start()
    assert went_on.wait(10)
    retention.stop()
    assert "retention stumbled; it is tried again in 5 minutes" in caplog.text
