"""A folder as an operator has it, and the moment at which the recorded week ends."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from operations import reading, rules_commands, store_answers
from storage import State
from storage.names import OWN_FOLDER, segments, stream_folders
from tests.conftest import ROOT
from tests.support.week import END, NANO, Week

_HOURS = 4


def operator_folder(week: Week, folder: Path) -> Path:
    """The configuration, and records of the week's last hours in `logs`, where nothing of them matters to anybody."""
    shutil.copy(ROOT / "otel-config.yaml", folder)
    for stream in stream_folders(week.logs):
        (folder / "logs" / stream.name).mkdir(parents=True)
        for _, path in list(segments(stream))[-_HOURS:]:
            shutil.copy(path, folder / "logs" / stream.name)
    (folder / "logs" / OWN_FOLDER).mkdir()
    shutil.copy(week.logs / OWN_FOLDER / "manifest.json", folder / "logs" / OWN_FOLDER)
    State.open(folder / "logs" / OWN_FOLDER / "state.db").close()
    return folder


def work_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of the recorded week; who would wait for more hears Ctrl-C."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(time, "time_ns", lambda: END * NANO)
    monkeypatch.setattr(store_answers, "_GRACE_SECONDS", 0.0)
    for module in (reading, rules_commands):
        monkeypatch.setattr(module, "time", SimpleNamespace(**{**vars(time), "sleep": _ctrl_c}))


def _ctrl_c(_seconds: float) -> None:
    raise KeyboardInterrupt
