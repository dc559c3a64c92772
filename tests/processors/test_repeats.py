"""Each record counts once, however its batch comes."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as some

from processors.judgement import Judgement
from processors.repeats import Repeats
from processors.settings import ThresholdSettings
from tests.support.course import nano, request

Given = list[tuple[str, int]]
indexes = some.lists(some.tuples(some.sampled_from(["a", "b"]), some.integers(0, 12)), max_size=40)


@given(indexes, indexes)
def test_what_was_seen_is_known_in_any_order_and_after_a_restart(before: Given, after: Given) -> None:
    """As a set would tell it."""
    repeats = Repeats()
    known: set[tuple[str, int]] = set()
    for one in before:
        assert repeats.seen(*one) is (one in known)
        known.add(one)
    restarted = Repeats()
    restarted.restore(orjson.loads(orjson.dumps(repeats.to_state())))
    for one in after:
        assert restarted.seen(*one) is (one in known)
        known.add(one)


def test_a_record_that_came_only_with_the_second_try_fills_windows_and_counts_in_backtests() -> None:
    """The first time a part of its batch was not stored; what such a reading passes over has gaps too."""
    judgement = Judgement(ThresholdSettings(), derives=False)
    judgement.advance(nano(0))
    for index in (0, 1, 3, 0, 1, 2, 3):
        judgement.observe(request(5)._replace(batch_id="again", batch_index=index))
    judgement.advance(nano(10))
    (rate,) = [one for one in judgement.evaluations if one.rule == "http.server.error_rate"]
    assert (rate.samples, judgement.repeated_records) == (4, 3)
