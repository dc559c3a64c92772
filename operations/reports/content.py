"""A report of the folder and the time that a command reads."""

from __future__ import annotations

from typing import Any

from alerting import history
from alerting.summary import summary
from analysis import report as recorded
from operations.reading import Reading
from storage import State
from storage.names import OWN_FOLDER


def report(reading: Reading, title: str) -> dict[str, Any]:
    """Everything that happened in the reading's period, against the one before."""
    rules = (name for name, rule in reading.thresholds.rules.items() if rule.enabled)
    alerts = summary(_episodes(reading), rules)
    return recorded.report(reading.engine, reading.period, title, reading.bands, alerts)


def _episodes(reading: Reading) -> list[history.Episode]:
    """From the state database, which keeps them ninety days."""
    path = reading.folder / OWN_FOLDER / "state.db"
    if not path.is_file():
        return []
    state = State.open(path)
    try:
        return history.episodes(history.journal(state, reading.period.start_unix_nano, reading.period.end_unix_nano))
    finally:
        state.close()
