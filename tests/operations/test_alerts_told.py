"""Who knows of an alert, as `alerts list` shows it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from alerting import records
from operations.cli import main
from storage import State
from tests.support.incident import Incident

NOBODY = {"mail": "SMTP_HOST is not set", "phone": "its url is empty"}
TWO_ROUTES = {
    "all": {"receivers": ["phone"], "group_wait": "0s", "continue": True},
    "late": {"receivers": ["mail"], "group_wait": "5min"},
}


def _shown(incident: Incident, folder: Path) -> str:
    (folder / ".forecourt").mkdir()
    with closing(State.open(folder / ".forecourt" / "state.db")) as state:
        records.save(incident.dispatcher, state)
    shown = CliRunner().invoke(main, ["alerts", "list", "--logs", str(folder)], catch_exceptions=False)
    return shown.output.splitlines()[-1].split("  app  ")[1].strip()


@pytest.mark.parametrize(
    ("incident", "shown"),
    [
        (Incident().fire("slow").until(20), "grouped: waits 30s for others of its group"),
        (Incident().fire("slow").until(20).fire("slow", "critical").until(90), "mail, phone"),
        (Incident(routes=TWO_ROUTES).fire("slow").until(90), "phone"),
        (Incident(NOBODY).fire("slow").until(90), "not configured: mail"),
        (Incident(NOBODY).fire("slow", "critical").until(900), "not configured: mail, phone"),
        (Incident({"mail": "x"}, routes=TWO_ROUTES).fire("slow").until(900), "phone"),
    ],
)
def test_told_is_who_was_told_and_else_why_nobody_was(incident: Incident, shown: str, tmp_path: Path) -> None:
    """A route that waits, or can't tell, is no news once another has told somebody."""
    assert _shown(incident, tmp_path) == shown
