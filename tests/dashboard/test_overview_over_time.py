"""The overview's charts show the time that was asked for, and nothing of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from processors.histogram import of_values
from processors.judging_settings import JudgingSettings
from processors.rollups import Subject, Summary
from tests.dashboard.opening import Opening, Shown
from tests.support.stored import HOUR, store

NANO = 1_000_000_000
NOW = HOUR + 1800 * NANO


def overview(folder: Path, **query: object) -> Shown:
    with Opening(folder, NOW) as pages:
        return pages.shown("/overview", **query)


def test_who_looks_at_a_time_that_is_over_is_not_told_who_judges_now(tmp_path: Path) -> None:
    """That no sidecar runs matters to what is now."""
    assert "no sidecar has run on" in overview(tmp_path).text
    past = overview(tmp_path, from_="2026-11-23T12:00:00Z", to="2026-11-23T12:10:00Z")
    assert "no sidecar has run on" not in past.text


def test_a_deployment_of_another_time_is_no_mark(tmp_path: Path) -> None:
    """It stands in the table of the last ones, and in no chart that does not reach it."""
    starts = [("1.0", 1), ("2.0", 5), ("3.0", 25)]
    told = [
        {
            "time_unix_nano": HOUR + minutes * 60 * NANO,
            "event": "service.started",
            "service": "shop",
            "attributes": {"service.version": version},
        }
        for version, minutes in starts
    ]
    store(tmp_path, "system", *told)
    shown = overview(tmp_path, last="10min")
    assert [row[2] for row in shown.tables[0][1:]] == ["3.0", "2.0"]
    mark = {"time": (HOUR + 1500 * NANO) // 1_000_000, "text": "shop 3.0"}
    assert [shown.charts[chart]["marks"] for chart in ("requests-chart", "latency-chart")] == [[mark], [mark]]


def test_a_host_is_drawn_once_though_an_app_measures_it_without_a_name(tmp_path: Path) -> None:
    """Names stand in the chart where there are several hosts; where none says its name the values are there still."""
    store(tmp_path / "one", "rollups", _cpu("web-1", 0.3), _cpu("", 0.9))
    store(tmp_path / "two", "rollups", _cpu("web-1", 0.3), _cpu("web-2", 0.4), _cpu("", 0.9))
    store(tmp_path / "none", "rollups", _cpu("", 0.9))
    drawn = {
        name: {
            line["name"]: [value for value in line["values"] if value is not None]
            for line in overview(tmp_path / name).charts["host-chart"]["series"]
        }
        for name in ("one", "two", "none")
    }
    assert drawn == {"one": {"CPU": [0.3]}, "two": {"CPU web-1": [0.3], "CPU web-2": [0.4]}, "none": {"CPU": [0.9]}}


def test_of_several_disks_the_fullest_stands_in_the_tile(tmp_path: Path) -> None:
    """As the rollups tell of a time that is over; how many others there are stands beside it."""
    store(tmp_path, "rollups", *(_disk(place, share) for place, share in (("/", 0.5), ("/data", 0.95), ("/var", 0.85))))
    often = JudgingSettings.model_validate({"thresholds": {"rules": {"host.disk": {"minimum_count": 1}}}})
    with Opening(tmp_path, NOW, judging=often) as pages:
        shown = pages.shown("/overview", from_="2026-11-23T11:30:00Z", to="2026-11-23T12:03:00Z")
    (disk,) = [text for text in shown.links if text.startswith("Disk ")]
    assert disk.startswith("Disk 95 % ■ critical critical > 90% web-1, /data and 2 more")


def _disk(place: str, share: float) -> dict[str, Any]:
    subject = Subject("host.disk", ("host.name", "system.filesystem.mountpoint"), ("web-1", place))
    told = Summary(subject, "1min", HOUR, 0, of_values([share])).fields()
    return {"time_unix_nano": HOUR, "service": "forecourt", **told}


def _cpu(host: str, share: float) -> dict[str, Any]:
    told = Summary(Subject("host.cpu", ("host.name",), (host,)), "1min", HOUR, 0, of_values([share])).fields()
    return {"time_unix_nano": HOUR, "service": "forecourt", **told}
