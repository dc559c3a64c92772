"""Alerts that fire, whatever rule of whatever kind they are of."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from alerting.alert import Alert
from alerting.history import alerts
from analysis.published import published
from operations.checks.component import Checked, Component
from operations.reading import Reading
from storage import State
from storage.names import OWN_FOLDER

_BANDS = {"critical": "critical", "high": "critical"}


def firing(reading: Reading, told: Iterable[Component]) -> Checked:
    """Those that no component has `told`: critical and high ones are critical, others a warning. Raise StateError."""
    if published(reading.chosen_folder, reading.now_unix_nano).problem:
        return Checked([])
    known = {_identity(one.component, one.key) for one in told if one.band in {"warning", "critical"}}
    with closing(State.reading(reading.chosen_folder / OWN_FOLDER / "state.db")) as state:
        found = [one for one in alerts(state, ended=False) if one.status == "firing"]
    return Checked([_component(one) for one in found if _identity(one.rule, dict(one.key)) not in known])


def _identity(rule: str, key: dict[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
    return rule, frozenset(key.items())


def _component(alert: Alert) -> Component:
    band = _BANDS.get(alert.severity, "warning")
    return Component(alert.rule, band, alert.value, alert.unit, dict(alert.key), alert.summary or "firing")
