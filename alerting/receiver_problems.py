"""Which receivers are not configured, and why: their addresses and keys come from the environment of the sidecar."""

from __future__ import annotations

from collections.abc import Mapping

from alerting.channels import channels
from alerting.settings import AlertingSettings
from storage.state import State


def save(state: State, problems: Mapping[str, str]) -> None:
    """Empty for one that is configured; those of before are forgotten. Raise StateError."""
    with state.transaction() as connection:
        connection.execute("DELETE FROM receiver_problems")
        connection.executemany("INSERT INTO receiver_problems VALUES (?, ?)", problems.items())


def receiver_problems(state: State | None, settings: AlertingSettings) -> dict[str, str]:
    """As the sidecar that runs sees them, else as this process does. Raise StateError."""
    runs = state is not None and state.collector_lives()
    known = dict(state.rows("SELECT receiver, problem FROM receiver_problems")) if state and runs else {}
    return {
        name: known[name] if name in known else channel.problem() or "" for name, channel in channels(settings).items()
    }
