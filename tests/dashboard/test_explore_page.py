"""Any metric is drawn with its values, by its attributes, beside others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.period import HOUR_NANO, MINUTE_NANO, NANO, Period
from dashboard.view import instant
from tests.dashboard.opening import Opening
from tests.support.stored import HOUR, store
from tests.support.week import DAY, END, START, Week

DISK, MEMORY = "system.filesystem.utilization", "process.memory.usage"


@pytest.fixture(scope="module")
def pages(week: Week) -> Iterator[Opening]:
    with Opening(week.logs) as opened:
        yield opened


def means(points: Sequence[tuple[float, float]], parts: Sequence[Period]) -> list[float | None]:
    found = []
    for part in parts:
        values = [value for at, value in points if part.holds(round(at * NANO))]
        found.append(sum(values) / len(values) if values else None)
    return found


def gauge(number: int, **more: Any) -> dict[str, Any]:
    told = {"name": "pool", "type": "gauge", "unit": "1", "value": number, "attributes": {}, "resource": {}}
    return {"time_unix_nano": HOUR + number * MINUTE_NANO, **told, **more}


def test_a_gauge_is_drawn_as_it_was_measured(week: Week, pages: Opening) -> None:
    """The mean of each part of the time, under its name and statistic."""
    period = Period((START + DAY) * NANO, (START + DAY) * NANO + 15 * HOUR_NANO)
    asked = {"from_": instant(period.start_unix_nano), "to": instant(period.end_unix_nano)}
    shown = pages.shown("/explore", **asked, metric=DISK)
    chart = shown.charts["metric-1"]
    parts = period.cut(90)
    assert chart["times"] == [part.start_unix_nano // 1_000_000 for part in parts]
    (line,) = chart["series"]
    assert (line["name"], line["values"]) == (DISK, pytest.approx(means(week.disk, parts)))
    assert f"{DISK} (mean) Values" in shown.text
    largest = pages.shown("/explore", **asked, metric=DISK, statistic="max").charts["metric-1"]["series"][0]
    assert largest["values"][0] == max(value for at, value in week.disk if parts[0].holds(round(at * NANO)))


def test_what_there_is_stands_below_and_leads_to_charts(week: Week, pages: Opening) -> None:
    """Each metric with its services, attributes and points; one can be added to those that are drawn."""
    shown = pages.shown("/explore", last="24h", metric=DISK)
    points = str(sum(END - DAY <= at < END for at, _ in week.disk))
    assert shown.tables[0][1:] == [
        [MEMORY, "gauge", "1", "fossawork-backend", "", points, "Add"],
        [DISK, "gauge", "1", "forecourt", "system.filesystem.mountpoint, system.filesystem.state", points, ""],
    ]
    both = pages.shown(shown.links["Add"])
    assert both.fields["metric"] == f"{DISK}, {MEMORY}"
    names = [line["name"] for line in both.charts["metric-1"]["series"]]
    assert names == [DISK, MEMORY]
    by = pages.shown(shown.links["system.filesystem.mountpoint"])
    assert (by.fields["by"], by.charts["metric-1"]["series"][0]["name"]) == ("system.filesystem.mountpoint", "/")
    found = pages.shown("/explore", last="24h", find="MEMORY")
    assert [row[0] for row in found.tables[0][1:]] == [MEMORY]


def test_series_are_split_and_narrowed_by_attributes(tmp_path: Path) -> None:
    """One line for each value, the largest first; `where` leaves the others out."""
    points = [
        *(gauge(number, attributes={"pool": "main"}) for number in range(1, 4)),
        *(gauge(10 * number, attributes={"pool": "jobs"}, time_unix_nano=HOUR + MINUTE_NANO) for number in range(1, 4)),
        gauge(7, name="bytes", unit="By"),
    ]
    with Opening(store(tmp_path, "metrics", *points), HOUR + 30 * MINUTE_NANO) as pages:
        split = pages.shown("/explore", last="1h", metric="pool,bytes", by="pool", statistic="max")
        narrow = pages.shown("/explore", last="1h", metric="pool", where="pool=main", by="service")
        nothing = pages.shown("/explore", last="1h", metric="pool,none", where="pool=other")
        many = pages.shown("/explore", last="1h", metric="pool,a,b,c,d")
    told = {
        chart["unit"]: [(line["name"], max(filter(None, line["values"]))) for line in chart["series"]]
        for chart in split.charts.values()
    }
    assert told == {"1": [("jobs", 30), ("main", 3)], "By": [("(none)", 7)]}
    assert [line["name"] for line in narrow.charts["metric-1"]["series"]] == ["app"]
    assert {name: narrow.fields[name] for name in ("metric", "by", "where", "statistic")} == {
        "metric": "pool",
        "by": "service",
        "where": "pool=main",
        "statistic": "auto",
    }
    sentence = "○ no data {}: nothing of it in this time with these attributes."
    assert [sentence.format(name) in nothing.text for name in ("pool", "none")] == [True, True]
    assert "The first 4 are shown." in many.text


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"where": "pool"},
            "▲ not understood 'pool' is no attribute, expected name=value, for example http.route=/api/orders",
        ),
        ({"last": "30days"}, "▲ too long Choose at most 7 days above: every data point of the time is read."),
    ],
)
def test_what_can_t_be_drawn_is_told(pages: Opening, asked: dict[str, str], sentence: str) -> None:
    """With what was expected; what there is stays below, with what was typed in the form."""
    shown = pages.shown("/explore", metric=DISK, **{"last": "24h", **asked})
    assert (shown.alerts, shown.charts) == ([sentence], {})
    assert (len(shown.tables[0]), shown.fields["metric"]) == (3, DISK)
    assert shown.fields["where"] == asked.get("where", "")


def test_another_statistic_than_the_one_asked_for_is_told(pages: Opening) -> None:
    """A gauge has no p95; what is drawn instead is said, and nothing where it is what was asked for."""
    told = "○ no p95 system.filesystem.utilization can't tell it: its mean is shown."
    shown = {name: pages.shown("/explore", last="24h", metric=DISK, statistic=name).text for name in ("p95", "mean")}
    assert {name: told in text for name, text in shown.items()} == {"p95": True, "mean": False}


def test_without_metrics_it_says_where_they_come_from(tmp_path: Path) -> None:
    """An app sends them, a sidecar measures them."""
    (tmp_path / "metrics").mkdir()
    with Opening(tmp_path) as pages:
        shown = pages.shown("/explore", statistic="median")
    assert "No metric in this time. The app sends its metrics once a minute;" in shown.text
    assert (shown.tables, shown.charts, shown.fields["statistic"]) == ([], {}, "auto")
