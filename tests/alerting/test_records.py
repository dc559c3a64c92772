"""What is saved is what is restored, and rows that are too old go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting import records
from alerting.alert import Alert, alert_id
from alerting.dispatcher import Dispatcher
from alerting.notification import Notification
from storage import State
from tests.conftest import ROOT
from tests.support.incident import Incident, nano
from tests.support.notifications import ended, notification, view


def _again(incident: Incident, folder: Path) -> Dispatcher:
    """Another dispatcher, as after a restart."""
    state = State.open(folder / "state.db")
    records.save(incident.dispatcher, state)
    fresh = Dispatcher(incident.settings, incident._notes, {})
    records.restore(fresh, state)
    state.close()
    return fresh


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["down", "slow", "disk"]),
        st.sampled_from(["critical", "high", "low", ""]),
        st.integers(1, 90),
    ),
    min_size=1,
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=ACTIONS, after=ACTIONS)
@pytest.mark.untraced
def test_a_restart_changes_nothing(
    tmp_path: Path, before: list[tuple[str, str, int]], after: list[tuple[str, str, int]]
) -> None:
    """Whatever had happened and whatever comes: who is told what, and when, is the same."""
    (tmp_path / "state.db").unlink(missing_ok=True)
    straight, restarted = Incident(), Incident()
    for incident in (straight, restarted):
        _play(incident, before)
    restarted.dispatcher = _again(restarted, tmp_path)
    for incident in (straight, restarted):
        _play(incident, after)
    assert restarted.told == straight.told


def _play(incident: Incident, actions: list[tuple[str, str, int]]) -> None:
    for rule, severity, ticks in actions:
        incident.fire(rule, severity) if severity else incident.end(rule)
        incident.until(incident.now + ticks * 10, every=5)


def test_a_notification_is_what_it_was() -> None:
    """Through its row."""
    whole = notification(view(), ended(traces=("a", "b")), more=3, text="x")
    assert Notification.from_json(whole.to_json()) == whole


def test_an_alerts_id_is_of_its_rule_and_key() -> None:
    """And the same for ever: people have it in their mail."""
    assert alert_id("http.server.error_rate", (("service.name", "fossawork-backend"),)) == "bf3fbe8026"
    incident = Incident().fire("down", "critical").until(30)
    (alert,) = incident.dispatcher.lifecycle.alerts.values()
    assert Alert.from_json(alert.to_json()) == alert


def test_old_rows_are_dropped_and_open_ones_are_not(tmp_path: Path) -> None:
    """What fires or waits is kept, however old."""
    incident = Incident().fire("down", "critical").fire("slow").until(100)
    incident.end("slow").until(8000)
    state = State.open(tmp_path / "state.db")
    records.save(incident.dispatcher, state)
    assert records.prune(state, nano(50)) > 0
    assert records.prune(state, nano(9000)) > 0
    assert state.rows("SELECT rule, known FROM alerts") == [("down", 1)]
    assert state.rows("SELECT count(*) FROM alert_journal") == [(0,)]
    records.save_silence(state, records.Silence("s", "silence", ("a = b",), "me", "", 0, nano(10)))
    records.save_acknowledgement(state, "x", "me", "", nano(5))
    records.ask(state, "test", {}, nano(5))
    assert records.prune(state, nano(20)) == 3
    state.close()


@pytest.mark.untraced
def test_ten_thousand_alerts_load_in_a_second_and_50_mb(tmp_path: Path) -> None:
    """In a process of their own, without coverage; of CPU, since others use this machine too."""
    incident = Incident()
    for number in range(10_000):
        incident.fire("down", "critical", of=f"app{number}")
    incident.now = 10
    incident.tick()
    incident.look()
    state = State.open(tmp_path / "state.db")
    records.save(incident.dispatcher, state)
    state.rows("DELETE FROM notifications")
    state.close()
    command = [sys.executable, str(ROOT / "benchmarks" / "telling.py"), str(tmp_path / "state.db")]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    answers = [
        subprocess.run(command, check=True, capture_output=True, text=True, env=plain).stdout.split() for _ in range(3)
    ]
    assert min(float(busy) for _, busy, _ in answers) < 1.0
    assert min(float(size) for *_, size in answers) < 50e6
