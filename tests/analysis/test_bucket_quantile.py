"""Quantiles of counted buckets: as Prometheus tells them, and of several histograms as of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.bucket_quantile import bucket_quantile, is_histogram
from processors.histogram import RELATIVE_ERROR

BOUNDS = (0.1, 0.5, 1.0)
counts = st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any)
few = st.lists(st.integers(0, 40), min_size=4, max_size=4).filter(any)


@pytest.mark.parametrize(
    ("bounds", "counted", "q", "expected"),
    [
        (BOUNDS, (10, 0, 0, 0), 0.5, 0.05),
        (BOUNDS, (0, 10, 0, 0), 0.0, 0.1),
        (BOUNDS, (0, 10, 0, 0), 0.25, 0.2),
        (BOUNDS, (5, 5, 0, 0), 0.5, 0.1),
        (BOUNDS, (5, 0, 5, 0), 0.75, 0.75),
        (BOUNDS, (1, 0, 0, 9), 0.95, 1.0),
        (BOUNDS, (1, 1, 1, 1), 1.0, 1.0),
        ((-2.0, 4.0), (10, 0, 0), 0.5, -2.0),
        ((-2.0, 4.0), (0, 10, 0), 0.5, 1.0),
        (BOUNDS, (0, 0, 0, 0), 0.5, None),
    ],
)
def test_a_quantile_is_linear_in_its_bucket(
    bounds: tuple[float, ...], counted: tuple[int, ...], q: float, expected: float | None
) -> None:
    """The first bucket starts at 0 unless its bound is below; above the last bound there is nothing but it."""
    assert bucket_quantile(q, {bounds: counted}) == (expected if expected is None else pytest.approx(expected))


@given(counts, st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_a_higher_quantile_is_never_a_lower_value(counted: list[int], asked: list[float]) -> None:
    told = [bucket_quantile(q, {BOUNDS: counted}) for q in sorted(asked)]
    assert told == sorted(told)  # type: ignore[type-var]
    assert all(value is not None and 0 <= value <= BOUNDS[-1] for value in told)


def laid_out(bounds: Sequence[float], counted: Sequence[int]) -> list[float]:
    """Values of which the buckets tell, evenly in each."""
    edges = [0.0, *bounds, bounds[-1]]
    return [
        low + (high - low) * (index + 0.5) / count
        for low, high, count in zip(edges, edges[1:], counted, strict=False)
        for index in range(count)
    ]


@given(few, few, st.floats(0, 1))
def test_histograms_with_other_bounds_are_told_as_one(one: list[int], other: list[int], q: float) -> None:
    """As if all their values had been kept."""
    fine = (0.1, 0.2, 0.4)
    expected = float(np.quantile(laid_out(BOUNDS, one) + laid_out(fine, other), q))
    assert bucket_quantile(q, {BOUNDS: one, fine: other}) == pytest.approx(expected, rel=RELATIVE_ERROR)


@pytest.mark.parametrize(
    ("bounds", "counted", "expected"),
    [
        ([0.1, 1], [0, 5, 2], True),
        ([], [3], False),
        ([0.1], [3], False),
        ([1.0, 0.1], [0, 5, 2], False),
        ([0.1, 0.1], [0, 5, 2], False),
        ([0.1, float("inf")], [0, 5, 2], False),
        ([0.1, None], [0, 5, 2], False),
        ([0.1, 1.0], [0, -5, 2], False),
        ([0.1, 1.0], [0, 5.0, 2], False),
        ([float(bound) for bound in range(1001)], [1] * 1002, False),
    ],
)
def test_what_a_sender_says_is_looked_at_first(bounds: list[object], counted: list[object], *, expected: bool) -> None:
    assert is_histogram(bounds, counted) is expected
