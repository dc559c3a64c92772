"""Whether one sample is greater than another, and by how much; exact wherever that can be."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist
from typing import NamedTuple

_NORMAL = NormalDist()
_NEGLIGIBLE = 1e-17
_EXACT = 20
"""With more in both samples the approximation is as good, and much quicker."""


class Interval(NamedTuple):
    low: float
    middle: float
    high: float


def median(ordered: Sequence[float]) -> float:
    """Of what is in order already."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def mann_whitney(sample: Sequence[float], ordered: Sequence[float]) -> float:
    """The probability that a sample from the same source is as great as this one, against those in order; one-sided.

    Mann and Whitney, Ann. Math. Statist. 18 (1947). It is exact where no value of one is as great as one of the other.
    Else the normal approximation with corrections for ties and continuity (Lehmann, Nonparametrics, 1975, section 1.2),
    or, if that is less, what is exact with each tie taken as lost; the approximation never gets below 0.0001 of five.
    """
    places = [(bisect_left(ordered, value), bisect_right(ordered, value)) for value in sample]
    lost = sum(low for low, _ in places)
    tied = sum(high - low for low, high in places)
    if min(len(sample), len(ordered)) > _EXACT:
        return _approximately(sample, ordered, lost + tied / 2)
    exact = _exceeded(len(sample), len(ordered), lost)
    return min(exact, _approximately(sample, ordered, lost + tied / 2)) if tied else exact


def _exceeded(few: int, many: int, greater: int) -> float:
    """How likely it is that so many pairs, or more, have the greater value in the small sample."""
    below = few * many - greater
    tail = _cumulative(few, many)
    if below < len(tail):
        return tail[below]
    return 1 - tail[greater - 1] if greater else 1.0


@lru_cache(maxsize=256)
def _cumulative(few: int, many: int) -> tuple[float, ...]:
    """Of 0, 1 … up to half of the pairs: how likely it is that so many, or fewer, have the greater value on one side.

    They are the coefficients of the Gaussian binomial, the product of (1 - q^(many + i)) / (1 - q^i), i from 1 to few.
    """
    length = few * many // 2 + 1
    counts = [1] + [0] * (length - 1)
    for step in range(1, few + 1):
        for place in range(length - 1, many + step - 1, -1):
            counts[place] -= counts[place - many - step]
        for place in range(step, length):
            counts[place] += counts[place - step]
    whole = math.comb(few + many, few)
    return tuple(count / whole for count in accumulate(counts))


def _approximately(sample: Sequence[float], ordered: Sequence[float], greater: float) -> float:
    few, many = len(sample), len(ordered)
    whole = few + many
    ties = sum(count**3 - count for count in Counter([*sample, *ordered]).values())
    variance = few * many / 12 * (whole + 1 - ties / (whole * (whole - 1)))
    if variance <= 0:
        return 1.0
    return 1 - _NORMAL.cdf((greater - few * many / 2 - 0.5) / math.sqrt(variance))


def shift(sample: Sequence[float], ordered: Sequence[float], confidence: float = 0.95) -> Interval:
    """By how much the sample lies above those in order: the estimate and its interval (Hodges and Lehmann).

    Ann. Math. Statist. 34 (1963): the median of all differences, between two of them that the exact distribution of
    Mann and Whitney chooses; with few pairs they are the least and the greatest.
    """
    downwards = ordered[::-1]
    differences = sorted(one - other for one in sample for other in downwards)  # runs, which sort fast
    place = max(0, _outside(len(sample), len(ordered), (1 - confidence) / 2) - 1)
    return Interval(differences[place], median(differences), differences[-1 - place])


def _outside(few: int, many: int, share: float) -> int:
    """How many numbers of pairs, from 0 on, are together no likelier than that."""
    if min(few, many) <= _EXACT:
        return bisect_right(_cumulative(few, many), share)
    spread = math.sqrt(few * many * (few + many + 1) / 12)
    return math.floor(few * many / 2 + _NORMAL.inv_cdf(share) * spread)


def fisher(failed: int, count: int, failed_before: int, count_before: int) -> float:
    """The probability of so many failures of `count`, or more, if nothing has changed; one-sided and exact.

    Fisher, The Logic of Inductive Inference (1935): the upper tail of the hypergeometric distribution.
    """
    total, failures = count + count_before, failed + failed_before
    least = max(0, failures - count_before)
    if failed <= least:
        return 1.0
    if failed * total <= count * failures:  # no more than could be expected: the other tail is the short one
        return max(0.0, 1 - math.fsum(_downward(failed - 1, least, count, failures, total)))
    return min(1.0, math.fsum(_upward(failed, min(count, failures), count, failures, total)))


def _downward(first: int, last: int, count: int, failures: int, total: int) -> Iterator[float]:
    """The probability of each number of failures down to the last, until they add nothing."""
    ways = _log_choose(failures, first) + _log_choose(total - failures, count - first)
    term = math.exp(ways - _log_choose(total, count))
    for found in range(first, last - 1, -1):
        yield term
        if term < _NEGLIGIBLE:
            return
        term *= found / (failures - found + 1) * (total - failures - count + found) / (count - found + 1)


def _upward(first: int, last: int, count: int, failures: int, total: int) -> Iterator[float]:
    """The probability of each number of failures, until they add nothing."""
    ways = _log_choose(failures, first) + _log_choose(total - failures, count - first)
    term = math.exp(ways - _log_choose(total, count))
    mode = (count + 1) * (failures + 1) / (total + 2)
    for found in range(first, last + 1):
        yield term
        if found > mode and term < _NEGLIGIBLE:
            return
        term *= (failures - found) / (found + 1) * (count - found) / (total - failures - count + found + 1)


def _log_choose(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)


def rate_ratio(failed: int, count: int, failed_before: int, count_before: int) -> Interval:
    """How many times as often it fails, with the 95 % interval of Katz, Biometrics 34 (1978).

    Where it never failed before, half a failure stands for none.
    """
    before = failed_before or 0.5
    ratio = (failed / count) / (before / count_before)
    if not failed:
        return Interval(0.0, 0.0, math.inf)
    spread = 1.96 * math.sqrt(max(0.0, 1 / failed - 1 / count + 1 / before - 1 / count_before))
    return Interval(ratio * math.exp(-spread), ratio, ratio * math.exp(spread))


def adjusted(probabilities: Sequence[float]) -> list[float]:
    """Each as it counts among so many: below alpha is at most that share of false ones (Benjamini and Hochberg).

    J. R. Statist. Soc. B 57 (1995); it holds for positively dependent tests too, as quantiles of one window are
    (Benjamini and Yekutieli, Ann. Statist. 29, 2001). Where nothing has changed, the chance of any is at most alpha.
    """
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__, reverse=True)
    found, least = [1.0] * len(probabilities), 1.0
    for place, index in enumerate(order):
        least = min(least, probabilities[index] * len(probabilities) / (len(probabilities) - place))
        found[index] = least
    return found
