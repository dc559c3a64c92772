"""What a page tells of one alert is of that one, whatever else there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerting.alert import alert_id
from dashboard.pages import alerts
from tests.dashboard.opening import Opening
from tests.dashboard.standing import judged, measure, tell
from tests.support.incident import Incident, nano

NOW = nano(1800)


@pytest.mark.parametrize(("of", "value"), [("app", 0.25), ("shop", 0.75)])
def test_its_chart_has_the_values_of_its_own_key(tmp_path: Path, of: str, value: float) -> None:
    """Not those of another that the same rule measures."""
    tell(tmp_path, Incident().fire("down", of="app").fire("down", of="shop").until(20))
    measured = (("app", 0.25), ("shop", 0.75))
    measure(tmp_path, [judged("down", number, of=name, time_unix_nano=NOW) for name, number in measured])
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown(f"/alerts/{alert_id('down', (('service.name', of),))}")
    (chart,) = shown.charts.values()
    assert [line["values"] for line in chart["series"]] == [[value]]


def test_of_a_long_story_the_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened last, and how much was before it."""
    monkeypatch.setattr(alerts, "_MOST_SHOWN", 2)
    tell(tmp_path, Incident().fire("down").until(100).end("down").until(300))
    address = f"/alerts/{alert_id('down', (('service.name', 'app'),))}"
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown(address)
        monkeypatch.undo()
        whole = pages.shown(address, zone="Europe/Berlin")
    ((_, *told),), ((_, *every),) = shown.tables, whole.tables
    assert [row[1:] for row in told] == [row[1:] for row in every[:2]]
    assert len(every) > 2
    assert f"{len(every) - 2} earlier" in shown.text


def test_only_what_could_be_quieter_is_advised_on(tmp_path: Path) -> None:
    """An alert that came once and stayed is not among the noise."""
    incident = Incident().fire("down", "critical")
    for start in (100, 400, 700):
        incident.until(start).fire("disk", "medium").until(start + 100).end("disk").until(start + 200)
    tell(tmp_path, incident)
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/alerts")
    assert "disk {service.name=app}: 3 times, 1 min 40 s in the middle. mostly over within 5 min" in shown.text
    assert shown.text.count(" in the middle. ") == 1
