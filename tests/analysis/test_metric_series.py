"""A metric as lines of a chart: what it stood at, what it grew by, how its values are spread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from analysis import metric_points
from analysis.engine import Engine, QueryError
from analysis.metric_series import MetricSeries, Statistic, metric_series
from analysis.period import MINUTE_NANO, NANO, Period

NOON = 1_795_435_200 * NANO
"""2026-11-23T12:00:00Z."""
PERIOD = Period(NOON, NOON + 4 * MINUTE_NANO)
LONG_AGO = NOON - 24 * 60 * MINUTE_NANO
EMPTY = MetricSeries("", "auto", [], 0)

Point = dict[str, Any]


def point(minute: float, **given: Any) -> Point:
    """At so many minutes after noon; its batch is that of its time."""
    time = NOON + round(minute * MINUTE_NANO)
    record = {
        "time_unix_nano": time,
        "received_unix_nano": time,
        "service": "app",
        "name": "m",
        "start_time_unix_nano": 0,
    }
    return {**record, "attributes": {}, "resource": {"attributes": {}}, "scope": {"name": "s"}, **given}


def gauge(minute: float, value: Any, **given: Any) -> Point:
    return point(minute, type="gauge", value=value, **given)


def counter(minute: float, value: Any, **given: Any) -> Point:
    told = {"type": "sum", "temporality": "CUMULATIVE", "monotonic": True, "start_time_unix_nano": LONG_AGO}
    return point(minute, **{**told, "value": value, **given})


def histogram(minute: float, counts: Any, total: float = 0.0, **given: Any) -> Point:
    told = {
        "type": "histogram",
        "temporality": "CUMULATIVE",
        "start_time_unix_nano": LONG_AGO,
        "bounds": [0.1, 0.5, 1.0],
    }
    count = sum(counts) if isinstance(counts, list) else 0
    return point(minute, **{**told, "count": count, "sum": total, "bucket_counts": counts, **given})


def put(folder: Path, *points: Point) -> Engine:
    path = folder / "metrics" / "2026-11-23T12.jsonl"
    path.parent.mkdir(parents=True)
    lines = [{"batch_id": f"{number:x}", "batch_index": 0, **one} for number, one in enumerate(points)]
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    return Engine(folder)


def asked(engine: Engine, statistic: Statistic = "auto", **more: Any) -> MetricSeries:
    return metric_series(engine, PERIOD, 4, "m", statistic=statistic, **more)


def one(engine: Engine, statistic: Statistic = "auto") -> list[float | None]:
    """The values of the only series."""
    ((labels, values),) = asked(engine, statistic).series
    assert labels == {}
    return values


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("mean", [2.0, None, 10.0, 30.0]),
        ("min", [1.0, None, 10.0, 20.0]),
        ("max", [3.0, None, 10.0, 40.0]),
        ("last", [3.0, 3.0, 10.0, 20.0]),
        ("count", [2, None, 1, 2]),
    ],
)
def test_gauges_tell_what_was_measured(tmp_path: Path, statistic: Statistic, expected: list[float | None]) -> None:
    """The last value stands for some minutes; of the rest a part without points has nothing."""
    values = ((0.1, 1), (0.9, 3), (2.5, 10), (3.2, 40), (3.8, 20))
    engine = put(tmp_path, *(gauge(minute, value, unit="By") for minute, value in values))
    unit = "1" if statistic == "count" else "By"
    assert asked(engine, statistic) == MetricSeries(unit, statistic, [({}, expected)], 0)


def test_a_last_value_is_given_up_after_five_minutes(tmp_path: Path) -> None:
    """Nobody knows what became of it."""
    engine = put(tmp_path, gauge(0.5, 7))
    (series,) = metric_series(engine, Period(NOON, NOON + 8 * MINUTE_NANO), 8, "m", statistic="last").series
    assert series == ({}, [7.0] * 6 + [None, None])


def test_a_last_value_from_just_before_the_period_holds_in_it(tmp_path: Path) -> None:
    """Else each chart would begin with a hole."""
    assert one(put(tmp_path, gauge(-1, 7), gauge(2.5, 8)), "last") == [7.0, 7.0, 8.0, 8.0]


def test_gauges_of_several_senders_are_one_crowd_and_sums_that_may_fall_add_up(tmp_path: Path) -> None:
    """Two hosts that are half full are not full; two queues of five are ten waiting."""
    gauges = [gauge(0.5, 0.25, service="a"), gauge(0.5, 0.75, service="b")]
    sums = [counter(0.5, value, name="waiting", monotonic=False, service=name) for name, value in (("a", 5), ("b", 6))]
    engine = put(tmp_path, *gauges, *sums)
    assert asked(engine) == MetricSeries("", "mean", [({}, [0.5, None, None, None])], 0)
    assert one(engine, "last") == [0.5] * 4
    waiting = metric_series(engine, PERIOD, 4, "waiting")
    assert (waiting.statistic, waiting.series) == ("last", [({}, [11.0] * 4)])
    assert metric_series(engine, PERIOD, 4, "waiting", statistic="mean").series == [({}, [11.0, None, None, None])]


def test_a_counter_is_told_as_its_rate(tmp_path: Path) -> None:
    """Between two points it grew evenly, wherever parts begin; the last part ends where the points do."""
    engine = put(tmp_path, *(counter(minute - 0.5, 600 * minute, unit="By") for minute in range(4)))
    assert asked(engine) == MetricSeries("By/s", "rate", [({}, [10.0, 10.0, 10.0, None])], 0)
    assert asked(engine, "count") == MetricSeries("By", "count", [({}, [600.0, 600.0, 600.0, None])], 0)


def test_a_rate_has_no_holes_where_points_come_more_seldom_than_parts(tmp_path: Path) -> None:
    """Exports each minute, parts of fifteen seconds."""
    engine = put(tmp_path, *(counter(minute, 60 * minute) for minute in range(-1, 4)))
    (series,) = metric_series(engine, PERIOD, 16, "m").series
    assert series == ({}, [1.0] * 12 + [None] * 4)


@pytest.mark.parametrize("told", [True, False], ids=["with another start", "without a word"])
def test_a_counter_that_begins_anew_has_grown_from_zero(tmp_path: Path, *, told: bool) -> None:
    """Whether its sender says so or its value just fell."""
    anew = {"start_time_unix_nano": NOON + 2 * MINUTE_NANO} if told else {}
    points = [counter(-0.5, 1000), counter(0.5, 1010), counter(1.5, 1030), counter(2.5, 6, **anew)]
    assert one(put(tmp_path, *points, counter(3.5, 8, **anew)), "count") == [10.0, 20.0, 6.0, 2.0]


def test_what_a_counter_had_before_anybody_looked_is_not_of_the_period(tmp_path: Path) -> None:
    """A total of a year is no spike at the first point; one that began within the period counts whole."""
    old = [counter(1.2, 10**9, service="old"), counter(1.8, 10**9 + 5, service="old")]
    new = counter(1.5, 7, service="new", start_time_unix_nano=NOON + MINUTE_NANO)
    found = asked(put(tmp_path, *old, new), "count", by=("service",))
    assert found.series == [
        ({"service": "new"}, [None, 7.0, None, None]),
        ({"service": "old"}, [None, 5.0, None, None]),
    ]
    single = put(tmp_path / "single", counter(1.5, 10**9))
    assert asked(single, "count").series == []


def test_deltas_add_up_and_count_once(tmp_path: Path) -> None:
    """However often they were sent."""
    delta = {"temporality": "DELTA"}
    points = [
        counter(
            minute, 30, start_time_unix_nano=NOON + round((minute - 0.5) * MINUTE_NANO), batch_id=f"d{minute}", **delta
        )
        for minute in (0.5, 1, 1.5, 2)
    ]
    engine = put(tmp_path, *points, points[0], points[3])
    assert one(engine, "count") == [30.0, 60.0, 30.0, None]
    assert one(engine) == [1.0, 1.0, None, None]


def test_a_delta_that_does_not_say_since_when_goes_on_from_the_last_one(tmp_path: Path) -> None:
    """Or says what can't be; of the first one nothing but its part is known."""
    starts = (0, LONG_AGO, NOON + 60 * MINUTE_NANO)
    points = [
        counter(minute, 60, start_time_unix_nano=start, temporality="DELTA")
        for minute, start in zip((0.5, 1.5, 2.5), starts, strict=True)
    ]
    assert one(put(tmp_path, *points)) == [1.5, 1.0, 1.0, None]


def test_a_single_delta_is_no_burst(tmp_path: Path) -> None:
    """Where nobody says how long it took, it counts for the whole part and not for the moment in which it was told."""
    only = counter(1.001, 60, start_time_unix_nano=0, temporality="DELTA")
    assert one(put(tmp_path, only)) == [None, 1.0, None, None]


def test_streams_are_told_apart_by_who_sends_them(tmp_path: Path) -> None:
    """Two processes count on their own; between their points nothing is reset."""
    points = [
        counter(minute, value + minute * 10, resource={"attributes": {"service.instance.id": name}})
        for minute in range(-1, 4)
        for name, value in (("a", 1000), ("b", 50))
    ]
    engine = put(tmp_path, *points)
    assert one(engine, "count") == [20.0, 20.0, 20.0, 20.0]
    by = asked(engine, "count", by=("service.instance.id",)).series
    assert by == [({"service.instance.id": name}, [10.0] * 4) for name in ("a", "b")]


@pytest.mark.parametrize("temporality", ["CUMULATIVE", "DELTA"])
def test_a_histogram_tells_quantiles_mean_and_rate_of_what_came_meanwhile(tmp_path: Path, temporality: str) -> None:
    """Linear within its bucket, whatever there was before."""
    grown = [[10, 0, 0, 0], [0, 10, 0, 0], [5, 5, 0, 0], [0, 0, 0, 10]]
    sums = [0.5, 3.0, 2.0, 40.0]
    counts, total = [50, 50, 50, 50], 100.0
    points = [histogram(-0.5, counts, total, unit="s")]
    for minute, (more, by) in enumerate(zip(grown, sums, strict=True)):
        counts, total = [had + one for had, one in zip(counts, more, strict=True)], total + by
        told = (counts, total) if temporality == "CUMULATIVE" else (more, by)
        start = LONG_AGO if temporality == "CUMULATIVE" else NOON + round((minute - 0.5) * MINUTE_NANO)
        points.append(histogram(minute + 0.5, *told, unit="s", start_time_unix_nano=start, temporality=temporality))
    engine = put(tmp_path, *(one for one in points[temporality == "DELTA" :]))
    assert asked(engine).statistic == "p95"
    assert one(engine, "p50") == pytest.approx([0.05, 0.3, 0.1, 1.0])
    assert one(engine, "p95") == pytest.approx([0.095, 0.48, 0.46, 1.0])
    assert one(engine, "mean") == pytest.approx([0.05, 0.3, 0.2, 4.0])
    assert one(engine, "count") == [10.0] * 4
    assert asked(engine, "rate").unit == "1/s"
    assert one(engine, "rate") == pytest.approx([1 / 6] * 4)


def test_other_bounds_and_fewer_counts_begin_anew(tmp_path: Path) -> None:
    """A new version may lay its buckets otherwise, and a restart may not be told."""
    engine = put(
        tmp_path,
        histogram(-0.5, [100, 0, 0, 0]),
        histogram(0.5, [0, 10, 0, 0]),
        histogram(1.5, [0, 10, 20], bounds=[2.0, 4.0], count=130),
        histogram(2.5, [150, 0, 0], bounds=[2.0, 4.0], count=150),
    )
    assert one(engine, "p50") == pytest.approx([0.3, 4.0, 1.0, None])


def test_labels_are_of_points_else_of_their_resource_and_the_largest_are_shown(tmp_path: Path) -> None:
    """What there is no place for is counted."""
    host = {"attributes": {"host.name": "h", "route": "overruled"}}
    points = [gauge(0.5, value, attributes={"route": f"/{value}"}, resource=host) for value in (1, 5, 3, 4)]
    engine = put(tmp_path, *points, gauge(0.5, 2))
    found = asked(engine, by=("route", "host.name", "service"), most=3)
    shown = [({"route": f"/{value}", "host.name": "h", "service": "app"}, value) for value in (5, 4, 3)]
    assert [(labels, values[0]) for labels, values in found.series] == shown
    assert found.left_out == 2
    assert asked(engine, by=("route",)).series[-1] == ({"route": "/1"}, [1.0, None, None, None])
    assert ({"route": ""}, [2.0, None, None, None]) in asked(engine, by=("route",)).series


def test_only_what_was_asked_for_is_told(tmp_path: Path) -> None:
    """By attributes, by service, and by name."""
    quoted = {"attributes": {"o'\"k/~": "'; DROP"}}
    engine = put(
        tmp_path, gauge(0.5, 1, **quoted), gauge(0.5, 2, service="b", **quoted), gauge(0.5, 4), gauge(0.5, 8, name="n")
    )
    assert asked(engine, where=(("o'\"k/~", "'; DROP"), ("service", "b"))).series == [({}, [2.0, None, None, None])]
    assert asked(engine, where=(("service", "nobody"),)) == EMPTY


@pytest.mark.parametrize(
    ("asked_for", "made", "told"),
    [("rate", gauge, "mean"), ("p95", counter, "rate"), ("max", histogram, "p95")],
)
def test_what_makes_no_sense_of_a_metric_is_not_told(
    tmp_path: Path, asked_for: Statistic, made: Any, told: str
) -> None:
    """Something else is, and it is said what."""
    value = [1, 2, 3, 4] if made is histogram else 1
    assert asked(put(tmp_path, made(-0.5, value), made(0.5, value)), asked_for).statistic == told


def test_a_metric_that_is_two_things_is_told_as_what_it_mostly_is(tmp_path: Path) -> None:
    """Two libraries may use one name; what is left out is counted."""
    engine = put(tmp_path, gauge(0.5, 1), gauge(1.5, 2), counter(0.5, 9, service="other"))
    assert asked(engine, by=("service",)) == MetricSeries("", "mean", [({"service": "app"}, [1.0, 2.0, None, None])], 1)


def test_hostile_points_cost_themselves_only(tmp_path: Path) -> None:
    """Wrong types, nulls, what is no number, and what is nearly infinite."""
    nothing: list[Any] = [None, "x", {"doubleValue": "NaN"}, {"doubleValue": "Infinity"}, "NaN", "-Infinity", [], {}]
    gauges = [gauge(0.2, value) for value in (*nothing, "Infinity")] + [gauge(0.3, 1.7e308), gauge(0.5, 4.0)]
    odd = [
        gauge(0.5, 6.0, attributes=one, resource=one, scope=one, unit=one, start_time_unix_nano=one) for one in nothing
    ]
    engine = put(tmp_path, *gauges, *odd, gauge(0.5, 5.0, batch_id=None, batch_index=None))
    expected: dict[Statistic, float] = {"count": 10, "min": 4.0, "max": 6.0, "mean": 5.7}
    for statistic, value in expected.items():
        assert asked(engine, statistic, by=("a",)).series == [({"a": ""}, [value, None, None, None])]
    huge = put(tmp_path / "huge", *(gauge(0.5, 9e307, batch_id=str(number)) for number in range(4)))
    assert asked(huge).series == []


@pytest.mark.parametrize(
    ("bounds", "counts"),
    [
        (None, None),
        ([0.1], [1]),
        ([0.5, 0.1], [1, 2, 3]),
        ([0.1, {"doubleValue": "Infinity"}], [1, 2, 3]),
        ([0.1, None], [1, 2, 3]),
        (["0.1", "0.5"], [1, 2, 3]),
        ([0.1, 0.5], [1, -2, 3]),
        ([0.1, 0.5], [1, 2.5, "3"]),
        ([], [5]),
        ("text", "more text"),
        ({"a": 1}, {"b": 2}),
    ],
)
def test_what_are_no_buckets_have_no_quantiles(tmp_path: Path, bounds: Any, counts: Any) -> None:
    """They are left out; the others of the metric are told."""
    broken = {"bounds": bounds, "bucket_counts": counts, "count": 6, "service": "broken"}
    engine = put(
        tmp_path,
        histogram(-0.5, [0, 0, 0, 0]),
        histogram(0.5, [0, 10, 0, 0]),
        histogram(-0.5, [], **broken),
        histogram(0.5, [], **broken),
    )
    assert one(engine, "p50") == pytest.approx([0.3, None, None, None])


def test_of_exponential_histograms_and_summaries_the_mean_is_told(tmp_path: Path) -> None:
    """Their buckets are in the records, but no columns."""
    for kind in ("exponential_histogram", "summary"):
        points = [
            histogram(minute, None, total, type=kind, count=count)
            for minute, count, total in ((-0.5, 2, 1.0), (0.5, 6, 9.0))
        ]
        assert asked(put(tmp_path / kind, *points)) == MetricSeries("", "mean", [({}, [2.0, None, None, None])], 0)


def test_too_many_series_are_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One identity a request must not fill the memory."""
    monkeypatch.setattr(metric_points, "MOST_ROWS", 3)
    engine = put(tmp_path, *(gauge(0.5, 1, attributes={"id": number}) for number in range(4)))
    with pytest.raises(QueryError, match=r"m has too many series for one chart\. Choose a shorter time, or one value"):
        asked(engine)


def test_nothing_is_told_of_what_there_is_not(tmp_path: Path) -> None:
    assert asked(Engine(tmp_path)) == EMPTY
    assert asked(put(tmp_path, gauge(-3, 1), gauge(4, 1))) == MetricSeries("", "mean", [], 0)
