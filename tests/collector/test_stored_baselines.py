"""Baselines that are made while the sidecar runs: it judges by them within seconds, and passes over damaged ones."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from collector.stored_baselines import StoredBaselines
from processors.baselines.baseline import Baseline
from processors.baselines.judging import BaselineJudging
from processors.baselines.settings import BaselineSettings
from storage import State, baseline_rows
from storage.baseline_rows import BaselineRow


def _row(name: str, created: int = 1, content: str | None = None) -> BaselineRow:
    baseline = Baseline(name, created, 0, 1, "07:00-19:00", "UTC", {})
    return BaselineRow(name, created, content or orjson.dumps(baseline.to_json()).decode())


class Told(BaselineJudging):
    """Who remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(BaselineSettings())
        self.told: list[list[tuple[str, int]]] = []

    def use(self, baselines: object) -> None:
        assert isinstance(baselines, list)
        self.told.append([(one.name, one.created_unix_nano) for one in baselines])


def test_a_change_is_told_once(tmp_path: Path) -> None:
    """One that is made, made anew and deleted; between them nothing is read."""
    state, judging, stored = State.open(tmp_path / "state.db"), Told(), StoredBaselines()
    stored.tell(judging, state)
    stored.tell(judging, state)
    baseline_rows.add(state, _row("default"))
    stored.tell(judging, state)
    stored.tell(judging, state)
    baseline_rows.put(state, _row("default", 2))
    stored.tell(judging, state)
    baseline_rows.remove(state, "default")
    stored.tell(judging, state)
    state.close()
    assert judging.told == [[], [("default", 1)], [("default", 2)], []]


@pytest.mark.parametrize("content", ["no JSON", "{}", '{"format": 9}'])
def test_one_that_cannot_be_read_is_said_and_left_out(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are judged by."""
    state, judging = State.open(tmp_path / "state.db"), Told()
    baseline_rows.add(state, _row("broken", content=content))
    baseline_rows.add(state, _row("default"))
    StoredBaselines().tell(judging, state)
    state.close()
    assert judging.told == [[("default", 1)]]
    assert "the baseline broken is not judged by" in caplog.text
