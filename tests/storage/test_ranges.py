from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from storage.ranges import WHOLE, Range, Ranges

END = 40
PARTS = st.tuples(st.integers(0, END), st.integers(0, END)).map(lambda pair: (min(pair), max(pair)))
CHANGES = st.lists(st.tuples(st.booleans(), PARTS), max_size=12)


def runs(numbers: set[int]) -> Iterator[Range]:
    for _, group in groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        yield run[0], run[-1] + 1


def joined(parts: list[Range]) -> list[Range]:
    """Touching ones made one."""
    return list(runs({number for start, stop in parts for number in range(start, stop)}))


@given(CHANGES, st.integers(0, END + 5))
def test_parts_behave_as_the_set_of_their_bytes(changes: list[tuple[bool, Range]], end: int) -> None:
    """Whatever was added and taken out again, what is done and what is left is as if each byte were counted."""
    ranges, model = Ranges(), set[int]()
    for added, (start, stop) in changes:
        if added:
            ranges.add(start, stop)
            model |= set(range(start, stop))
        else:
            ranges.remove(start, stop)
            model -= set(range(start, stop))
        parts = list(ranges)
        assert all(start < stop for start, stop in parts)
        assert all(before[1] <= after[0] for before, after in pairwise(parts))
        assert joined(parts) == list(runs(model))
    assert list(ranges.gaps(end)) == list(runs(set(range(end)) - model))


@given(st.lists(PARTS, max_size=12))
def test_what_is_only_added_to_is_kept_in_as_few_parts_as_there_can_be(parts: list[Range]) -> None:
    """In whatever order; the rows of the database are as few."""
    expected = joined(parts)
    assert list(Ranges(parts)) == list(Ranges(reversed(parts))) == expected
    assert list(Ranges(Ranges(parts))) == expected


def test_what_is_wholly_done_has_no_gap_however_long_it_is() -> None:
    """A gap is cut off at the end that is asked for."""
    assert list(Ranges([(0, WHOLE)]).gaps(WHOLE)) == []
    assert list(Ranges([(10, WHOLE)]).gaps(5)) == [(0, 5)]
    assert list(Ranges([(5, 10), (20, WHOLE)]).gaps(2**40)) == [(0, 5), (10, 20)]
    assert list(Ranges().gaps(0)) == []
