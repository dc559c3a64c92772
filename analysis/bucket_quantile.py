"""A quantile of what histograms with explicit buckets have counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from math import isfinite, isnan

from processors.histogram import Histogram, of_explicit

MOST_BOUNDS = 1000

Bounds = tuple[float, ...]
"""Upper bounds, ascending; the last bucket has none, so there is one count more."""


def is_histogram(bounds: Sequence[object], counts: Sequence[object]) -> bool:
    """Whether they are what a sender may say of buckets: at most 1,000, their counts whole and not negative."""
    numbers = [bound for bound in bounds if isinstance(bound, int | float) and isfinite(bound)]
    return (
        0 < len(bounds) == len(numbers) == len(counts) - 1 <= MOST_BOUNDS
        and all(low < high for low, high in pairwise(numbers))
        and all(isinstance(count, int) and count >= 0 for count in counts)
    )


def bucket_quantile(q: float, counted: Mapping[Bounds, Sequence[int]]) -> float | None:
    """The q-quantile (0 to 1), None of nothing; several are merged, within 1.6 %, if their bounds differ.

    Linear within its bucket, as Prometheus has it (histogram_quantile, prometheus/promql/quantile.go): the first bucket
    starts at 0, or is all at its bound if that is not above 0; what is above the last bound counts as that.
    """
    filled = {bounds: counts for bounds, counts in counted.items() if any(counts)}
    if len(filled) > 1:
        return _merged(q, filled)
    return next((_linear(q, bounds, counts) for bounds, counts in filled.items()), None)


def _linear(q: float, bounds: Bounds, counts: Sequence[int]) -> float:
    rank = q * sum(counts)
    until = list(accumulate(counts))
    index = next(index for index, mark in enumerate(until) if counts[index] and mark >= rank)
    if index == len(bounds):
        return bounds[-1]
    high = bounds[index]
    low = bounds[index - 1] if index else min(0.0, high)
    return low + (high - low) * (rank - until[index] + counts[index]) / counts[index]


def _merged(q: float, counted: Mapping[Bounds, Sequence[int]]) -> float | None:
    whole = Histogram()
    for bounds, counts in counted.items():
        whole.merge(of_explicit(bounds, counts, {}))
    value = whole.quantile(q)
    return None if isnan(value) else value
