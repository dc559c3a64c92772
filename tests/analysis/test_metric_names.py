"""Which metrics there are: what they measure, who sends them, what tells their points apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis import metric_names as names
from analysis.engine import Engine
from analysis.metric_names import MetricName, metric_names
from analysis.period import HOUR_NANO, Period
from tests.support.stored import HOUR, store

PERIOD = Period(HOUR, HOUR + HOUR_NANO)


def point(name: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "gauge", "value": 1, "attributes": {}, **more}


def test_metrics_are_told_by_name_with_all_senders_and_keys(tmp_path: Path) -> None:
    """The key that most points have comes first."""
    pool = {"type": "sum", "unit": "{connection}", "description": "In use"}
    store(
        tmp_path,
        "metrics",
        point("pool", attributes={"state": "used", "pool": "a"}, **pool),
        point("pool", attributes={"state": "idle"}, service="web", **pool),
        point("cpu"),
        point("cpu", time_unix_nano=HOUR - 1),
    )
    assert metric_names(Engine(tmp_path), PERIOD) == [
        MetricName("cpu", "gauge", "", "", ("app",), (), 1),
        MetricName("pool", "sum", "{connection}", "In use", ("app", "web"), ("state", "pool"), 2),
    ]


def test_where_senders_disagree_the_last_one_counts(tmp_path: Path) -> None:
    store(
        tmp_path, "metrics", point("m", unit="s", type="sum"), point("m", unit="ms", description="new", service="web")
    )
    assert metric_names(Engine(tmp_path), PERIOD) == [MetricName("m", "gauge", "ms", "new", ("app", "web"), (), 2)]


def test_hostile_points_are_counted_within_limits(tmp_path: Path) -> None:
    """Names that are none are left out; keys and texts have an end."""
    many = {f"k{number:02}": number for number in range(50)}
    huge = {"unit": "u" * 10**6, "description": "d" * 10**6, "service": "s" * 10**6, "attributes": {"k" * 10**6: 1}}
    store(
        tmp_path,
        "metrics",
        *(point(name) for name in (None, "", "n" * 257)),
        point("m", type=None, unit=None, description=7, attributes=None, service=None),
        point("m", **{**huge, "type": None}),
        *(point("wide", attributes=many) for _ in range(2)),
        point("text", attributes="x"),
        point("list", attributes=["x"]),
    )
    found = {one.name: one for one in metric_names(Engine(tmp_path), PERIOD)}
    assert sorted(found) == ["list", "m", "text", "wide"]
    assert found["m"] == MetricName("m", "", "u" * 256, "d" * 512, ("", "s" * 256), ("k" * 256,), 2)
    assert found["wide"].attributes == tuple(many)[:20]
    assert (found["text"].attributes, found["list"].attributes) == ((), ())


def test_of_too_many_names_the_most_frequent_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name a request must not fill the memory."""
    monkeypatch.setattr(names, "_MOST_ROWS", 2)
    store(tmp_path, "metrics", *(point(name) for name in ("c", "a", "b", "b")))
    assert [(one.name, one.points) for one in metric_names(Engine(tmp_path), PERIOD)] == [("a", 1), ("b", 2)]


def test_where_nothing_was_measured_there_are_no_names(tmp_path: Path) -> None:
    assert metric_names(Engine(tmp_path), PERIOD) == []
