"""A mergeable histogram of any numbers: log-linear buckets, quantiles within 1.6 % of the exact ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

BUCKETS_PER_OCTAVE = 32
RELATIVE_ERROR = 1 / (2 * BUCKETS_PER_OCTAVE)
"""Of a value told from its bucket: half the bucket's width, against the bucket's lower bound, is 1.5625 %."""

_MAX_SPREAD = 512
"""Fine buckets that the count of one coarse bucket is laid over."""


def bucket_of(value: float) -> int:
    """The bucket of a positive finite number: each power of two is cut into 32 of equal width."""
    mantissa, exponent = math.frexp(value)
    return exponent * BUCKETS_PER_OCTAVE + int((mantissa - 0.5) * 2 * BUCKETS_PER_OCTAVE)


def lower_bound(bucket: int) -> float:
    exponent, step = divmod(bucket, BUCKETS_PER_OCTAVE)
    try:
        return math.ldexp(0.5 + step / (2 * BUCKETS_PER_OCTAVE), exponent)
    except OverflowError:
        return math.inf


def _middle(bucket: int) -> float:
    low, high = lower_bound(bucket), lower_bound(bucket + 1)
    return low if math.isinf(high) else (low + high) / 2


class Histogram:
    """Counts are exact and merging is exact; `sum` is a float and rounds like one."""

    __slots__ = ("buckets", "count", "max", "min", "negative", "sum", "zeros")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self.min = math.inf
        self.max = -math.inf
        self.zeros = 0
        self.buckets: dict[int, int] = {}
        self.negative: dict[int, int] = {}
        """Of the absolute values."""

    def add(self, value: float, count: int = 1) -> None:
        """Count a finite value; what is infinite or no number is passed over."""
        if not -math.inf < value < math.inf:
            return
        self.count += count
        self.sum += value * count
        if value < self.min:  # noqa: PLR1730  # for each sample
            self.min = value
        if value > self.max:  # noqa: PLR1730  # as above
            self.max = value
        self._place(value, count)

    def _place(self, value: float, count: int) -> None:
        if value > 0:
            bucket = bucket_of(value)
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        elif value == 0:
            self.zeros += count
        else:
            bucket = bucket_of(-value)
            self.negative[bucket] = self.negative.get(bucket, 0) + count

    def merge(self, other: Histogram) -> None:
        """Take the other's counts in as well."""
        self.count += other.count
        self.sum += other.sum
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        self.zeros += other.zeros
        for mine, theirs in ((self.buckets, other.buckets), (self.negative, other.negative)):
            for bucket, count in theirs.items():
                mine[bucket] = mine.get(bucket, 0) + count

    def __add__(self, other: Histogram) -> Histogram:
        both = Histogram()
        both.merge(self)
        both.merge(other)
        return both

    def quantile(self, q: float) -> float:
        """The q-quantile (0 to 1), linear between the two nearest ranks as numpy has it; nan of nothing."""
        if not self.count:
            return math.nan
        rank = q * (self.count - 1)
        below = math.floor(rank)
        low, high = self._at_ranks(below, min(below + 1, self.count - 1))
        return low + (high - low) * (rank - below)

    def _at_ranks(self, first: int, second: int) -> tuple[float, float]:
        """The values at two ranks, the first not above the second."""
        low: float | None = None
        seen = 0
        for sign, bucket, count in self._ascending():
            seen += count
            if low is None and first < seen:
                low = self._value(sign, bucket)
            if low is not None and second < seen:
                return low, self._value(sign, bucket)
        return self.max, self.max

    def __iter__(self) -> Iterator[tuple[float, int]]:
        """Each bucket's value and count, ascending; no value lies outside `min` and `max`."""
        return ((self._value(sign, bucket), count) for sign, bucket, count in self._ascending())

    def _ascending(self) -> list[tuple[int, int, int]]:
        """Sign, bucket and count."""
        below = [(-1, bucket, self.negative[bucket]) for bucket in sorted(self.negative, reverse=True)]
        zeros = [(0, 0, self.zeros)] if self.zeros else []
        return [*below, *zeros, *((1, bucket, self.buckets[bucket]) for bucket in sorted(self.buckets))]

    def _value(self, sign: int, bucket: int) -> float:
        return min(max(sign * _middle(bucket) if sign else 0.0, self.min), self.max)

    def to_json(self) -> dict[str, Any]:
        """As in the stream `rollups`: pairs of bucket and count, ascending; `from_json` turns it back."""
        content: dict[str, Any] = {"count": self.count, "sum": self.sum, "buckets": sorted(self.buckets.items())}
        if self.count:
            content |= {"min": self.min, "max": self.max}
        if self.zeros:
            content["zeros"] = self.zeros
        if self.negative:
            content["negative"] = sorted(self.negative.items())
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Histogram:
        histogram = cls()
        histogram.count = content["count"]
        histogram.sum = content["sum"]
        histogram.min = content.get("min", math.inf)
        histogram.max = content.get("max", -math.inf)
        histogram.zeros = content.get("zeros", 0)
        histogram.buckets = dict(map(tuple, content["buckets"]))
        histogram.negative = dict(map(tuple, content.get("negative", ())))
        return histogram


def of_values(values: Iterable[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def of_explicit(bounds: Sequence[float], counts: Sequence[int], point: Mapping[str, Any]) -> Histogram:
    """From OTLP's explicit buckets (opentelemetry-proto, HistogramDataPoint): (bounds[i-1], bounds[i]].

    `point` may give `sum`, `min` and `max`. A count is spread evenly over its bucket, as Prometheus' histogram_quantile
    assumes it; the first bucket starts at `min`, else 0; the last one ends at `max`, else where it starts.
    """
    histogram = Histogram()
    for index, count in enumerate(counts):
        if not count:
            continue
        low = bounds[index - 1] if index else _start(bounds, point)
        high = bounds[index] if index < len(bounds) else _number(point, "max", low)
        _spread(histogram, low, high, count)
    _conclude(histogram, point)
    return histogram


def of_exponential(point: Mapping[str, Any]) -> Histogram:
    """From OTLP's exponential buckets (ExponentialHistogramDataPoint): (base^i, base^(i+1)], base = 2^(2^-scale)."""
    histogram = Histogram()
    histogram.zeros = point.get("zero_count", 0)
    for side, sign in (("positive", 1.0), ("negative", -1.0)):
        buckets = point.get(side) or {"offset": 0, "bucket_counts": ()}
        for index, count in enumerate(buckets["bucket_counts"], buckets["offset"]):
            if count:
                _spread(
                    histogram, sign * _power(index, point["scale"]), sign * _power(index + 1, point["scale"]), count
                )
    _conclude(histogram, point)
    return histogram


def _power(index: int, scale: int) -> float:
    try:
        return float(2.0 ** (index * 2.0**-scale))
    except OverflowError:
        return math.inf


def _start(bounds: Sequence[float], point: Mapping[str, Any]) -> float:
    first = bounds[0] if bounds else _number(point, "max", 0.0)
    return _number(point, "min", min(0.0, first))


def _number(point: Mapping[str, Any], key: str, default: float) -> float:
    value = point.get(key)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else default


def _spread(histogram: Histogram, low: float, high: float, count: int) -> None:
    """Lay `count` values evenly between two numbers; which bucket gets the odd one follows from rounding only."""
    low, high = min(low, high), max(low, high)
    if not math.isfinite(low) or not math.isfinite(high):
        low = high = low if math.isfinite(low) else high if math.isfinite(high) else 0.0
    steps = max(1, min(count, _MAX_SPREAD)) if high > low else 1
    marks = accumulate((count // steps + (index < count % steps) for index in range(steps)), initial=0)
    previous = next(marks)
    for index, mark in enumerate(marks):
        histogram._place(low + (high - low) * (index + 0.5) / steps, mark - previous)  # noqa: SLF001  # its own module
        previous = mark


def _conclude(histogram: Histogram, point: Mapping[str, Any]) -> None:
    """What the point says of itself is better than what its buckets tell."""
    histogram.count = histogram.zeros + sum(histogram.buckets.values()) + sum(histogram.negative.values())
    if not histogram.count:
        return
    histogram.min, histogram.max = -math.inf, math.inf
    values = [value for value, _ in histogram]
    histogram.min = _number(point, "min", values[0])
    histogram.max = max(_number(point, "max", values[-1]), histogram.min)
    histogram.sum = _number(point, "sum", sum(value * count for value, count in histogram))
