from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.histogram import (
    RELATIVE_ERROR,
    Histogram,
    bucket_of,
    lower_bound,
    of_explicit,
    of_exponential,
    of_values,
)

VALUES = st.lists(st.floats(-1e12, 1e12, allow_nan=False), max_size=50)
QUANTILES = (0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)


def _exact(histogram: Histogram) -> tuple[Any, ...]:
    """All but the sum, which is a float and rounds."""
    return (
        histogram.count,
        histogram.min,
        histogram.max,
        histogram.zeros,
        histogram.buckets,
        histogram.negative,
    )


@given(VALUES, VALUES)
def test_merging_is_commutative_and_the_same_as_adding_all(first: list[float], second: list[float]) -> None:
    """Whatever is summed first, the counts are the same."""
    one, other = of_values(first), of_values(second)
    assert _exact(one + other) == _exact(other + one) == _exact(of_values([*first, *second]))
    assert (one + other).sum == pytest.approx((other + one).sum)


@given(VALUES, VALUES, VALUES)
def test_merging_is_associative(first: list[float], second: list[float], third: list[float]) -> None:
    """Minutes to hours to days, or minutes to days at once."""
    one, two, three = map(of_values, (first, second, third))
    assert _exact((one + two) + three) == _exact(one + (two + three))


@given(VALUES)
def test_a_histogram_reads_back_from_its_line(values: list[float]) -> None:
    """What rollups hold is all of it."""
    histogram = of_values(values)
    again = Histogram.from_json(histogram.to_json())
    assert (*_exact(again), again.sum) == (*_exact(histogram), histogram.sum)


@given(st.floats(1e-300, 1.7e308))
def test_a_value_lies_in_its_bucket(value: float) -> None:
    """From where floats have all their digits to the largest."""
    bucket = bucket_of(value)
    assert lower_bound(bucket) <= value
    assert value < lower_bound(bucket + 1)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).lognormal(-3, 1.5, 20_000),
        np.concatenate(
            [np.random.default_rng(2).normal(0.05, 0.005, 9_000), np.random.default_rng(3).normal(4, 0.3, 900)]
        ),
        np.random.default_rng(4).pareto(1.5, 20_000) + 0.01,
        np.array([3.0]),
        np.array([1.0, 2.0]),
        -np.random.default_rng(5).lognormal(0, 1, 5_000),
    ],
    ids=["log-normal", "bimodal", "Pareto", "one", "two", "negative"],
)
def test_quantiles_are_within_their_error_of_the_exact_ones(values: Any) -> None:
    """Within 1.6 %, against numpy."""
    histogram = of_values(values.tolist())
    for q in QUANTILES:
        exact = float(np.quantile(values, q))
        assert abs(histogram.quantile(q) - exact) <= RELATIVE_ERROR * abs(exact) + 1e-12, q


def test_nothing_has_no_quantile_and_what_is_no_number_is_passed_over() -> None:
    """An empty window is no zero."""
    histogram = of_values([math.nan, math.inf, -math.inf])
    assert histogram.count == 0
    assert math.isnan(histogram.quantile(0.5))


def test_explicit_buckets_are_spread_as_prometheus_assumes() -> None:
    """Counts and sums are exact, quantiles as if values lay evenly in each bucket."""
    point = {"sum": 90.0, "min": 0.0, "max": 3.0}
    histogram = of_explicit([1.0, 2.0], [50, 40, 10], point)
    assert (histogram.count, histogram.sum, histogram.min, histogram.max) == (100, 90.0, 0.0, 3.0)
    assert histogram.quantile(0.25) == pytest.approx(0.5, rel=0.03)
    assert histogram.quantile(0.7) == pytest.approx(1.5, rel=0.03)
    assert histogram.quantile(0.95) == pytest.approx(2.5, rel=0.04)


def test_the_bucket_without_an_end_ends_where_it_begins_unless_the_maximum_is_known() -> None:
    """As histogram_quantile answers."""
    assert of_explicit([1.0], [0, 5], {}).quantile(0.5) == pytest.approx(1.0, rel=RELATIVE_ERROR)
    assert of_explicit([1.0], [0, 5], {"max": 9.0}).max == 9.0


@given(st.integers(3, 8), st.lists(st.floats(1e-4, 1e4), min_size=1, max_size=60))
def test_exponential_buckets_keep_quantiles(scale: int, values: list[float]) -> None:
    """Within the width of the sender's bucket and our own."""
    base = 2.0 ** (2.0**-scale)
    indexes = [math.ceil(math.log(value, base)) - 1 for value in values]
    low = min(indexes)
    counts = [indexes.count(index) for index in range(low, max(indexes) + 1)]
    point = {"scale": scale, "zero_count": 0, "positive": {"offset": low, "bucket_counts": counts}}
    histogram = of_exponential(point)
    assert histogram.count == len(values)
    for q in (0.0, 0.5, 1.0):
        exact = float(np.quantile(values, q, method="inverted_cdf" if q in {0.0, 1.0} else "linear"))
        assert histogram.quantile(q) == pytest.approx(exact, rel=(base - 1) + 2 * RELATIVE_ERROR)
