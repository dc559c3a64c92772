from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.names import SegmentName, hour_of, parse_segment_name
from tests.storage.records import HOUR, NOON


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2026-11-23T10.jsonl", SegmentName("2026-11-23T10")),
        ("2026-11-23T10.3.jsonl", SegmentName("2026-11-23T10", number=3)),
        ("2026-11-23T10.east.jsonl", SegmentName("2026-11-23T10", "east")),
        ("2026-11-23T10.east.12.jsonl.gz", SegmentName("2026-11-23T10", "east", 12, compressed=True)),
        ("2026-11-23T10.0.jsonl", None),
        ("2026-11-23T10.jsonl.new", None),
        ("2026-11-23.jsonl", None),
        ("lock", None),
    ],
)
def test_a_file_name_is_read_as_the_segment_that_it_names_or_as_none(name: str, expected: SegmentName | None) -> None:
    """Every form of a segment's name is understood and nothing else is taken for one."""
    assert parse_segment_name(name) == expected


@given(
    st.builds(
        SegmentName,
        hour=st.integers(0, 2**63).map(hour_of),
        writer=st.from_regex(r"([a-z][a-z0-9-]*)?", fullmatch=True),
        number=st.integers(0, 10**6),
        compressed=st.booleans(),
    ),
)
def test_every_name_reads_back(name: SegmentName) -> None:
    """What is written as a name is read as the same segment."""
    assert parse_segment_name(str(name)) == name


def test_the_hour_is_that_of_utc() -> None:
    """The last nanosecond of an hour still belongs to it."""
    assert hour_of(NOON - 1) == "2026-11-23T11"
    assert hour_of(NOON + HOUR - 1) == "2026-11-23T12"
