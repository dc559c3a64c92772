"""Cumulative points become deltas: resets, gaps, repeats, new series, changing scales."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from processors.cumulative import Deltas
from processors.histogram import Histogram
from processors.observation import MetricObservation
from tests.support.course import point


def counter(at: float, value: float, *, start: float = -1000, **given: Any) -> MetricObservation:
    return point(at, "c", {"value": value}, type="sum", temporality="CUMULATIVE", monotonic=True, start=start, **given)


def grown(*points: MetricObservation) -> list[float | None]:
    deltas = Deltas(100)
    return [deltas.number(one) for one in points]


def test_a_counter_tells_what_it_grew_by() -> None:
    """The first point of a process that was there before us tells nothing."""
    assert grown(counter(10, 5), counter(20, 7), counter(30, 7)) == [None, 2, 0]


def test_a_new_start_time_is_a_reset() -> None:
    """All of it came since then; so it is when the value fell without a new start."""
    assert grown(counter(10, 5), counter(20, 3, start=15)) == [None, 3]
    assert grown(counter(10, 5), counter(20, 3)) == [None, 3]


def test_a_series_that_begins_while_we_watch_counts_from_its_beginning() -> None:
    """The first failure of a route is a failure."""
    old = counter(10, 5, attributes={"route": "/a"})
    assert grown(old, counter(20, 1, start=15, attributes={"route": "/b"})) == [None, 1]


def test_what_comes_again_or_out_of_order_counts_once() -> None:
    """By its time."""
    assert grown(counter(10, 5), counter(20, 9), counter(20, 9), counter(15, 7), counter(30, 10)) == [None, 4, 0, 0, 1]


def test_after_a_long_gap_nobody_knows_when_it_grew() -> None:
    """A spike at the end of an outage would be a lie."""
    assert grown(counter(10, 5), counter(1000, 500), counter(1010, 501)) == [None, None, 1]


def test_deltas_are_taken_as_they_are() -> None:
    """No memory is needed."""
    one = point(10, "c", {"value": 3}, type="sum", temporality="DELTA", monotonic=True)
    assert grown(one, one._replace(time_unix_nano=one.time_unix_nano + 1)) == [3, 3]


def test_series_beyond_the_cap_are_counted() -> None:
    """Not remembered."""
    deltas = Deltas(2)
    for name in "abc":
        deltas.number(counter(10, 1, attributes={"route": name}))
    assert deltas.overflowed == 1


def explicit(at: float, counts: list[int], **given: Any) -> MetricObservation:
    content = {"count": sum(counts), "sum": float(sum(counts)), "bounds": [1.0, 2.0], "bucket_counts": counts}
    return point(at, "h", content, type="histogram", temporality="CUMULATIVE", start=-1000, **given)


def exponential(at: float, scale: int, offset: int, counts: list[int]) -> MetricObservation:
    content = {
        "count": sum(counts),
        "sum": float(sum(counts)),
        "scale": scale,
        "zero_count": 0,
        "zero_threshold": 0.0,
        "positive": {"offset": offset, "bucket_counts": counts},
    }
    return point(at, "h", content, type="exponential_histogram", temporality="CUMULATIVE", start=-1000)


def grown_histogram(*points: MetricObservation) -> list[int | None]:
    deltas = Deltas(100)
    found = [deltas.histogram(one) for one in points]
    return [one.count if one is not None else None for one in found]


def test_histograms_grow_bucket_by_bucket() -> None:
    """And their sums with them."""
    deltas = Deltas(100)
    assert deltas.histogram(explicit(10, [5, 5, 5])) is None
    more = deltas.histogram(explicit(20, [5, 7, 5]))
    assert isinstance(more, Histogram)
    assert (more.count, more.sum) == (2, 2.0)
    assert 1 <= more.quantile(0.5) <= 2
    assert grown_histogram(explicit(10, [5, 5, 5]), explicit(20, [1, 0, 0])) == [None, 1]


def test_a_lowered_scale_folds_the_old_buckets() -> None:
    """Senders do so when values spread wider."""
    assert grown_histogram(exponential(10, 3, 8, [1, 2, 3, 4]), exponential(20, 2, 4, [3, 7, 0, 5])) == [None, 5]


@pytest.mark.parametrize("name", ["counter", "histogram"])
def test_what_was_known_survives_a_restart(name: str) -> None:
    """The difference over it is told."""
    deltas = Deltas(100)
    first, second = (
        (counter(10, 5), counter(20, 9)) if name == "counter" else (explicit(10, [1, 1, 1]), explicit(20, [1, 5, 1]))
    )
    _ = deltas.number(first) if name == "counter" else deltas.histogram(first)
    again = Deltas(100)
    again.restore(orjson.loads(orjson.dumps(deltas.to_state())))
    if name == "counter":
        assert again.number(second) == 4
    else:
        grew = again.histogram(second)
        assert grew is not None
        assert grew.count == 4


def test_silent_series_are_forgotten() -> None:
    """A process that is gone does not fill the memory."""
    deltas = Deltas(1)
    deltas.number(counter(10, 5))
    deltas.forget(counter(20, 0).time_unix_nano)
    deltas.number(counter(30, 5, attributes={"route": "/b"}))
    assert deltas.overflowed == 0
