from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storage.event_times import EventTimeRange, EventTimes
from tests.storage.records import NOON

SECOND = 1_000_000_000


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=300))
def test_the_range_holds_every_time_between_its_ends(times: list[int]) -> None:
    """Minimum and maximum are exact; at each end at most one time in a hundred lies outside low and high."""
    counted = EventTimes()
    counted.add(times)
    found = counted.range()
    assert found is not None
    assert (found.minimum, found.maximum) == (min(times), max(times))
    assert found.minimum <= found.low <= found.high <= found.maximum
    assert sum(time < found.low for time in times) <= len(times) // 100
    assert sum(time > found.high for time in times) <= len(times) // 100


def test_one_wrong_clock_does_not_widen_the_inner_range() -> None:
    """A single record of 1970 among a thousand of today moves the minimum and nothing else."""
    counted = EventTimes()
    counted.add([0, *[NOON + number * SECOND for number in range(999)]])
    assert counted.range() == EventTimeRange(
        minimum=0, low=NOON + 9 * SECOND, high=NOON + 989 * SECOND - 1, maximum=NOON + 998 * SECOND
    )


def test_ten_thousand_random_clocks_cost_bounded_memory() -> None:
    """However many distinct times there are, the number of buckets stays below its bound."""
    counted = EventTimes()
    counted.add(number * 10**15 for number in range(10_000))
    assert len(counted._buckets) <= 2048
    found = counted.range()
    assert found is not None
    assert (found.minimum, found.maximum) == (0, 9_999 * 10**15)


def test_no_times_have_no_range() -> None:
    """An empty segment says that it has no event times rather than inventing zero."""
    assert EventTimes().range() is None
