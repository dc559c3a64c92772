"""Services and their operations are those of the last day, or of as much of it as is quickly read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis import span_names as module
from analysis.engine import Engine
from analysis.period import HOUR_NANO, NANO
from analysis.span_names import Operation, span_names
from tests.support.stored import HOUR, store
from tests.support.week import END, ROUTES, SERVICE, Week


def span(name: str, *, hours: float = 0.1, service: str = "app", kind: str | None = "SERVER") -> dict[str, Any]:
    """So long before the hour."""
    time = HOUR - round(hours * HOUR_NANO)
    return {"name": name, "kind": kind, "service": service, "time_unix_nano": time, "received_unix_nano": time}


def test_operations_are_in_order_and_each_once(tmp_path: Path) -> None:
    """One for each kind; what has no name, or one that nobody can read, is none."""
    store(
        tmp_path,
        "traces",
        *(span("GET /", kind=kind) for kind in ("SERVER", "CLIENT", "SERVER", None)),
        span("ahead", hours=-0.5),
        span("yesterday", hours=23.9),
        span("before that", hours=24.1, service="gone"),
        span("x" * 513),
        span("", service="nameless"),
        span("job", service="a worker", kind="INTERNAL"),
    )
    found = span_names(Engine(tmp_path), HOUR)
    assert found.services == ["a worker", "app"]
    assert found.operations["app"] == (
        *(Operation("GET /", kind) for kind in ("", "CLIENT", "SERVER")),
        Operation("ahead", "SERVER"),
        Operation("yesterday", "SERVER"),
    )


def test_a_busy_day_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest spans have the operations; rollups tell which services had older ones."""
    monkeypatch.setattr(module, "_ENOUGH_SPANS", 3)
    store(tmp_path, "traces", span("now"), span("now"), span("then", hours=1.5), span("early", hours=5, service="old"))
    hour = {"time_unix_nano": HOUR - 6 * HOUR_NANO, "received_unix_nano": HOUR - 5 * HOUR_NANO, "count": 9}
    kept = [
        {"indicator": indicator, "key": {"service.name": service}, **hour}
        for indicator, service in (
            ("http.server.response_time", "old"),
            ("db.query.response_time", "older"),
            ("process.memory", "no spans"),
        )
    ]
    store(tmp_path, "rollups_1h", *kept)
    found = span_names(Engine(tmp_path), HOUR)
    assert found.operations == {
        "app": (Operation("now", "SERVER"), Operation("then", "SERVER")),
        "old": (),
        "older": (),
    }


@pytest.mark.parametrize("days", [1.5, 30, 300])
def test_a_backup_has_the_names_of_its_end(tmp_path: Path, days: float) -> None:
    """Nothing is of the last day there."""
    store(tmp_path, "traces", span("last"), span("before", hours=2000, service="gone"))
    now = HOUR + round(days * 24 * HOUR_NANO)
    assert span_names(Engine(tmp_path), now).operations["app"] == (Operation("last", "SERVER"),)
    assert span_names(Engine(tmp_path), HOUR + 400 * 24 * HOUR_NANO).services == []


def test_the_most_frequent_names_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a sender puts numbers into names, of each service some."""
    monkeypatch.setattr(module, "_MOST_NAMES", 2)
    names = ["often", "often", "again", "again", *(f"once {number}" for number in range(9))]
    store(tmp_path, "traces", *map(span, names), span("quiet", service="other"))
    found = span_names(Engine(tmp_path), HOUR)
    assert [one.name for one in found.operations["app"]] == ["again", "often"]
    assert found.operations["other"] == (Operation("quiet", "SERVER"),)


def test_the_recorded_week_has_its_names(week: Week) -> None:
    """Of its last day."""
    routes = [Operation(f"GET {route}", "SERVER") for route in sorted(ROUTES)]
    events = [Operation(f"fossa.{name}", "INTERNAL") for name in ("form_automation.job", "work_order.sync")]
    expected = (*routes, Operation("SELECT work_orders", "CLIENT"), *events)
    assert span_names(Engine(week.logs), END * NANO).operations == {SERVICE: expected}
