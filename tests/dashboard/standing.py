"""How things stand on a folder of records: what a sidecar has judged, told, measured and left in its state database."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from alerting import records
from alerting.silence import Silence
from collector.value_history import ValueHistory
from processors.evaluation import Evaluation
from storage import State
from storage.names import OWN_FOLDER
from storage.state import CollectorRow, Published
from tests.support.incident import Incident
from tests.support.notifying import evaluation

NANO = 1_000_000_000
BOUNDS_OF_KEYS = {"host.cpu": "host.name", "host.memory": "host.name", "host.disk": "system.filesystem.mountpoint"}


def state_of(folder: Path) -> State:
    """To be closed; made where there is none."""
    (folder / OWN_FOLDER).mkdir(parents=True, exist_ok=True)
    return State.open(folder / OWN_FOLDER / "state.db")


def judged(rule: str, value: float | None, band: str = "normal", of: str = "", **given: Any) -> Evaluation:
    """An evaluation as of the threshold judge."""
    key = ((BOUNDS_OF_KEYS.get(rule, "service.name"), of),) if of else ()
    told = {"value": value, "band": band, "severity": "", "status": "inactive", "summary": "", "traces": ()}
    return evaluation(rule, of=of, **{"key": key, "time_unix_nano": 0, **told, **given})


def publish(
    folder: Path,
    now_unix_nano: int,
    *evaluations: Evaluation,
    endpoints: Mapping[str, str] | None = None,
    stopped_unix_nano: int | None = None,
) -> None:
    """As of a sidecar that began an hour ago, and has just looked."""
    row = CollectorRow(os.getpid(), "0.1.0", endpoints or {}, now_unix_nano - 3600 * NANO, stopped_unix_nano)
    with closing(state_of(folder)) as state:
        state.record_start(row)
        told = Published(now_unix_nano, [one.to_json() for one in evaluations])
        state.save_checkpoint(now_unix_nano, b"", (), told)


def measure(folder: Path, evaluations: Iterable[Evaluation]) -> None:
    """Written as the collector writes the values of charts."""
    history = ValueHistory()
    history.take(evaluations)
    with closing(state_of(folder)) as state:
        history.save(state)


def tell(folder: Path, incident: Incident) -> None:
    """All that alerting knows and has written down."""
    with closing(state_of(folder)) as state:
        records.save(incident.dispatcher, state)


def silences(folder: Path) -> list[Silence]:
    with closing(state_of(folder)) as state:
        return records.silences(state)
