"""The tests of significance are what brute force says they are."""

from __future__ import annotations

import math
import random
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.baselines.statistics import adjusted, fisher, mann_whitney, median, rate_ratio, shift

DISTINCT = st.lists(st.integers(-50, 50), min_size=2, max_size=11, unique=True)
TIED = st.lists(st.integers(0, 3), min_size=2, max_size=11)


def greater(sample: list[float], others: list[float]) -> float:
    """Mann and Whitney's U: pairs in which the sample is greater, half of one where it is as great."""
    return sum((one > other) + (one == other) / 2 for one, other in product(sample, others))


def by_all_splits(sample: list[float], others: list[float]) -> float:
    """The share of all ways to choose the sample that give as great a U."""
    pool, found = [*sample, *others], greater(sample, others)
    splits = list(combinations(range(len(pool)), len(sample)))
    extreme = 0
    for chosen in splits:
        rest = [pool[index] for index in range(len(pool)) if index not in chosen]
        extreme += greater([pool[index] for index in chosen], rest) >= found - 1e-9
    return extreme / len(splits)


@given(DISTINCT, st.data())
def test_without_ties_it_is_exact(values: list[int], data: st.DataObject) -> None:
    few = data.draw(st.integers(1, len(values) - 1))
    sample, others = list(map(float, values[:few])), sorted(map(float, values[few:]))
    assert mann_whitney(sample, others) == pytest.approx(by_all_splits(sample, others))


@given(TIED, st.data())
def test_with_ties_it_is_the_corrected_approximation_or_what_is_exact_without_them(
    values: list[int], data: st.DataObject
) -> None:
    """Variance of the mean ranks as they stand, half a pair for continuity; or each tie taken as lost."""
    few = data.draw(st.integers(1, len(values) - 1))
    sample, others = list(map(float, values[:few])), sorted(map(float, values[few:]))
    broken = [one + index / 1000 for index, one in enumerate(sample)]
    lost = by_all_splits(broken, [one + 0.5 + index / 1000 for index, one in enumerate(others)])
    if not set(sample) & set(others):
        assert mann_whitney(sample, others) == pytest.approx(lost)
        return
    ranks = [sum(other < one for other in values) + (values.count(one) + 1) / 2 for one in values]
    whole, mean = len(values), (len(values) + 1) / 2
    variance = few * (whole - few) / (whole * (whole - 1)) * sum((rank - mean) ** 2 for rank in ranks)
    z = (greater(sample, others) - few * (whole - few) / 2 - 0.5) / math.sqrt(variance) if variance else -math.inf
    assert mann_whitney(sample, others) == pytest.approx(min(lost, math.erfc(z / math.sqrt(2)) / 2), abs=1e-12)


def test_known_values() -> None:
    """Five above twenty: 1 of 53,130 ways; in the middle about half; below all of them certain."""
    ordered = [float(number) for number in range(20)]
    assert mann_whitney([20.5, 21, 22, 23, 24], ordered) == pytest.approx(1 / math.comb(25, 5))
    assert 0.4 < mann_whitney([7.5, 8.5, 9.5, 10.5, 11.5], ordered) < 0.6
    assert mann_whitney([-1.0, -2.0], ordered) == 1
    assert mann_whitney([21.0] * 5, ordered) == pytest.approx(1 / math.comb(25, 5))
    assert mann_whitney([7.0] * 5, [7.0] * 20) == 1


@given(st.integers(1, 30), st.integers(1, 40), st.data())
def test_failures_are_counted_exactly(count: int, before: int, data: st.DataObject) -> None:
    """Fisher's test is a sum of binomial coefficients."""
    failed, failed_before = data.draw(st.integers(0, count)), data.draw(st.integers(0, before))
    failures, fine = failed + failed_before, count + before - failed - failed_before
    ways = sum(math.comb(failures, x) * math.comb(fine, count - x) for x in range(failed, min(count, failures) + 1))
    expected = ways / math.comb(count + before, count)
    assert fisher(failed, count, failed_before, before) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_failures_of_millions_are_quick_and_finite() -> None:
    assert fisher(40, 1000, 100_000, 10_000_000) == pytest.approx(5.4e-13, rel=0.1)
    assert fisher(0, 1000, 0, 10_000_000) == 1
    assert fisher(5, 1_000_000, 100_000, 10_000_000) == pytest.approx(1)  # far fewer than before


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=6),
    st.lists(st.floats(-5, 5), min_size=1, max_size=20),
    st.floats(-3, 3),
)
def test_a_shift_is_found_and_lies_in_its_interval(sample: list[float], others: list[float], moved: float) -> None:
    """Moving the sample moves all three numbers; they are the median, and two, of all differences."""
    ordered = sorted(others)
    there, here = shift([one + moved for one in sample], ordered), shift(sample, ordered)
    assert here.low <= here.middle <= here.high
    assert there == pytest.approx([one + moved for one in here], abs=1e-9)
    differences = sorted(one - other for one in sample for other in ordered)
    assert here.middle == median(differences)
    assert {here.low, here.high} <= set(differences)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(4)  # noqa: S311  # no secret
    held = 0
    for _ in range(1000):
        found = shift([chance.gauss(0.3, 1) for _ in range(5)], sorted(chance.gauss(0, 1) for _ in range(25)))
        held += found.low <= 0.3 <= found.high
    assert 0.935 < held / 1000 < 0.975


def test_the_ratio_of_two_rates() -> None:
    """Katz' interval; half a failure where there was none."""
    found = rate_ratio(20, 1000, 10, 1000)
    assert (found.low, found.middle, found.high) == pytest.approx((0.941, 2.0, 4.25), rel=0.01)
    assert rate_ratio(6, 100, 0, 1000).middle == pytest.approx(120)
    assert rate_ratio(0, 100, 5, 1000) == (0, 0, math.inf)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_many_tests_share_their_alpha(probabilities: list[float]) -> None:
    """As the step-up procedure rejects: the largest k with p(k) <= k alpha / m."""
    found, count = adjusted(probabilities), len(probabilities)
    for alpha in (0.01, 0.05, 0.3):
        ordered = sorted(probabilities)
        passing = [ordered[k] for k in range(count) if ordered[k] * count / (k + 1) <= alpha]
        bound = passing[-1] if passing else -1.0
        assert [one <= alpha for one in found] == [one <= bound for one in probabilities]
    assert all(one >= given_one - 1e-12 for one, given_one in zip(found, probabilities, strict=True))
