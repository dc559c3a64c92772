"""`forecourt maintain`: each list is carried out whole, step by step, and as often as one likes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from operations import store_answers
from operations.cli import main
from storage.names import stream_folders
from tests.support.week import Week


@pytest.fixture
def logs(week: Week, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A day of the week, small enough to be maintained again and again; reports are written beside it."""
    folder = tmp_path / "logs"
    for stream in stream_folders(week.logs):
        (folder / stream.name).mkdir(parents=True)
        for path in sorted(stream.iterdir())[-24:]:
            shutil.copy(path, folder / stream.name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store_answers, "_GRACE_SECONDS", 0.0)
    return folder


def carried_out(name: str, logs: Path) -> Any:
    result = CliRunner().invoke(main, ["maintain", name, "--json", "--logs", str(logs)], catch_exceptions=False)
    steps = orjson.loads(result.stdout)["steps"]
    assert result.exit_code == int(any(_failed(step) for step in steps)), result.output
    return steps


def _failed(step: dict[str, Any]) -> bool:
    return bool(step["exit_code"]) and not (step["command"].startswith("forecourt check") and step["exit_code"] == 1)


@pytest.mark.parametrize("name", ["weekly", "monthly"])
def test_a_list_is_carried_out_and_again(name: str, logs: Path) -> None:
    """Every step is well both times, and the second time finds nothing to change."""
    first, second = carried_out(name, logs), carried_out(name, logs)
    assert [step["exit_code"] for step in (*first, *second)] == [0] * (len(first) + len(second))
    assert [step["command"] for step in first] == [step["command"] for step in second]
    assert len(list(logs.parent.glob(f"forecourt-{name}-*.html"))) == 1


def test_daily_says_what_is_wrong_and_goes_on(logs: Path) -> None:
    """Where no sidecar ever ran there is no history, and the check fails; the steps after it are done all the same."""
    steps = carried_out("daily", logs)
    codes = {" ".join(step["command"].split()[1:3]): step["exit_code"] for step in steps}
    assert (codes["alerts history"], codes["check self"]) == (1, 2)
    assert codes["store maintain"] == codes["store verify"] == codes["rules review"] == 0
    assert len(steps) == 5


def test_each_step_is_reported_for_people(logs: Path) -> None:
    result = CliRunner().invoke(main, ["maintain", "weekly", "--logs", str(logs)], catch_exceptions=False)
    heads = re.findall(r"^== forecourt (\w+ \w+).*: done$", result.stdout, re.MULTILINE)
    assert heads == ["report weekly", "rules tune", "store prune", "dashboard export"]
